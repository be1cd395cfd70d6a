"""No input whatever ends a command with 70, which is a fault of ours, or with a traceback.

Command lines are drawn from the tree of commands itself: to a value that a parameter asks for, to
one of another kind, and to text that is none, as an argument that isn't UTF-8 is. Files, standard
input, the environment, the store and the keychain are drawn too.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

from notifycli.cli.main import app
from notifycli.secrets import encrypted_file
from notifycli.secrets.private_file import replace_private
from tests.conftest import DESK, Notifycli

_STATUSES = {0, 1, 2, 65, 66, 69, 75, 77, 78, 130}
_FOLLOWING = {"--follow", "-f"}
"""What would wait for more for ever."""

_EVENT = {
    "event": "message_created",
    "account": {"id": 1},
    "id": 5,
    "inbox": {"id": 3, "name": "Website"},
    "conversation": {"id": 42, "inbox_id": 3, "status": "open", "meta": {"assignee": {"id": 7}}},
    "content": "Hi mention://user/7/Jane",
    "message_type": "incoming",
    "created_at": 1772541957,
    "sender": {"id": 77, "type": "contact", "name": "Eve"},
}
_TOML = b'[default]\n"email.mention" = "on"\n[users."jane@example.com".inbox.3]\naudio = "all"\n'
_CSV = b"layer,user,inbox,key,value\nuser,jane@example.com,,audio.tone,chime\n"
_SCENARIO = b"""[[scenario]]
name = "One"
directory.users = [{ id = 7, email = "jane@example.com" }]
expect = ["email.mention jane@example.com"]
[[scenario.events]]
at = "09:00"
event = "message_created"
"""
_SUBSCRIPTION = {
    "endpoint": "https://push.example.com/x",
    "keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22},
}
_CONTENTS = [
    json.dumps(_EVENT).encode() + b"\n",
    json.dumps(DESK).encode(),
    json.dumps({"default": {"audio": "all"}, "users": {"7": {"email.mention": "on"}}}).encode(),
    json.dumps(_SUBSCRIPTION).encode(),
    *(_TOML, _CSV, _SCENARIO, b"", b"[]", b"{}", b"null", b"\x1f\x8b\x08", b"\xff\xfe{\0}\0"),
    *(b"nct_0123456789abcdefghijABCDEFGHIJ0123\n", b"\x80\n", b"-----BEGIN CERTIFICATE-----\n"),
]
_FILES = ["events.jsonl", "document.toml", "document.csv", "document.json", "bad.db", "caf\udce9"]
_PATHS = [*_FILES, "-", ".", "", "missing", "missing/file", "/dev/null", "a" * 300]
_NUMBERS = ["0", "1", "3", "7", "42", "-1", "99999", "9223372036854775808", "1" * 5000, "٣", "1e3"]
_USERS = ["7", "8", "jane@example.com", "JANE@example.com", "jane", "@", "nobody@example.com"]
_KEYS = ["audio", "email.mention", "audio.tone", "quiet_hours", "email.*", "EMAIL.MENTION", "no"]
_VALUES = ["on", "off", "all", "none", "chime", "22:00-07:00 Europe/Berlin", "", "=", "25:00-1"]
_TIMES = ["now", "today", "12h", "90d", "2026-03-03", "2026-03-03T13:05Z", "9999-12-31", "-5", "0s"]
_TIMES += ["99999999999d", "0001-01-01", "2026-02-30", "never", "1s"]
_SETTINGS = ["smtp.host", "smtp.port", "email.sender", "desk.url", "smtp.password", "push.subject"]
_SAID = ["Jane", "*", "a" * 400, "\x1b[2J", "=cmd|'/c calc'!A1", "Zoë ✓", "\N{PILE OF POO}", " "]
_TEXTS = [*_SAID, "https://127.0.0.1:1", "http://[::1", "Europe/Berlin", "::"]


def _join(*parts: list[str]) -> list[str]:
    return [f"{left}={right}" for left in parts[0] for right in parts[1]]


_BY_METAVAR = {
    "EVENTS": _PATHS,
    "FILES": _PATHS,
    "FILE": _PATHS,
    "FILE.html": _PATHS,
    "FOLDER": _PATHS,
    "PATH": _PATHS,
    "ID": _NUMBERS,
    "N": _NUMBERS,
    "PORT": _NUMBERS,
    "SECONDS": _NUMBERS,
    "REF": _USERS,
    "USER": _USERS,
    "EMAIL": _USERS,
    "KEY": _KEYS,
    "KEY=VALUE": _join(_KEYS, _VALUES),
    "[USER:]KEY=VALUE": [*_join(_KEYS, _VALUES), "7:audio=all", "x:y:audio=all", ":audio=all"],
    "TIME": _TIMES,
    "WHEN": _TIMES,
    "AGE": _TIMES,
    "SPAN": _TIMES,
    "SETTING": _SETTINGS,
    "SETTING=VALUE": _join(_SETTINGS, [*_NUMBERS, *_TEXTS]),
    "TYPE": ["conversation_mention", "mention", "message", "email.mention", "no"],
}

# What an operating system can hand over: no NUL; bytes that aren't UTF-8 as surrogates. Nothing
# with a slash, which might be written to outside the test's folder.
_CHARACTERS = st.characters(codec="utf-8", exclude_characters="\0/") | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)
_NOT_UTF_8 = st.sampled_from(["caf\udce9", "\udcff", "audio=\udce9", "\udce9:audio=all"])
_WILD = (
    st.text(_CHARACTERS, max_size=12) | _NOT_UTF_8 | st.sampled_from([*_TEXTS, *_NUMBERS, *_VALUES])
)


class Input(NamedTuple):
    """All that a command is given."""

    arguments: list[str]
    files: dict[str, bytes]
    stdin: bytes
    environment: dict[str, str]
    closed: set[str]


def _leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path
        return
    for name in inner:
        yield from _leaves(inner[name], (*path, name))


COMMANDS = [" ".join(path) for path in _leaves(get_command(app))]


def _command(name: str) -> Any:
    command: Any = get_command(app)
    for word in name.split():
        command = command.commands[word]
    return command


@st.composite
def _contents(draw: st.DrawFn) -> bytes:
    """Draw what a file holds: what one of some kind would, whole or with a piece exchanged."""
    whole = draw(st.sampled_from(_CONTENTS))
    if draw(st.booleans()):
        return whole
    at = draw(st.integers(0, len(whole)))
    return whole[:at] + draw(st.binary(max_size=6)) + whole[at + draw(st.integers(0, 9)) :]


@st.composite
def _words(draw: st.DrawFn, name: str) -> list[str]:
    words: list[str] = []
    for parameter in _command(name).params:
        names = {*parameter.opts, *parameter.secondary_opts}
        is_argument = parameter.param_type_name == "argument"
        if names & (_FOLLOWING | {"--help"}) or (
            not is_argument and draw(st.integers(0, 9)) > 2 + 4 * parameter.required
        ):
            continue
        if getattr(parameter, "is_flag", False):
            words.append(draw(st.sampled_from(sorted(names))))
            continue
        value = draw(_value(parameter))
        words += [value] if is_argument else [draw(st.sampled_from(parameter.opts)), value]
    return words + draw(st.lists(_WILD, max_size=1) if draw(st.booleans()) else st.just([]))


def _value(parameter: Any) -> st.SearchStrategy[str]:
    metavar = (parameter.metavar or "").removesuffix("...").removeprefix("[").removesuffix("]")
    choices = metavar.split("|") if "|" in metavar else list(getattr(parameter.type, "choices", ()))
    apt = _BY_METAVAR.get(metavar) or [str(c) for c in choices] or _TEXTS
    return st.sampled_from(apt) | st.sampled_from(apt) | _WILD


@st.composite
def inputs(draw: st.DrawFn, names: list[str] = COMMANDS) -> Input:
    name = draw(st.sampled_from(names))
    some = st.sampled_from
    variables = {
        "NOTIFYCLI_USER": some(_USERS) | _WILD,
        "NOTIFYCLI_ACCOUNT": some(_NUMBERS) | _WILD,
        "NOTIFYCLI_DB": some([path for path in _PATHS if path]),
        "NOTIFYCLI_KEYRING": some(["file", "system", "env", "no", "\udce9"]),
        "NOTIFYCLI_TOKEN": _WILD,
        "LOGNAME": _WILD,
        "TZ": some(["Europe/Berlin", "no", "\udce9", ":", "../../etc/passwd"]),
        "COLUMNS": some(["0", "1", "40", "-3", "x", "9" * 30]),
        "LC_ALL": some(["C", "no", "tr_TR.UTF-8"]),
        "XDG_CONFIG_HOME": some(["events.jsonl", "relative", "/dev/null", "caf\udce9"]),
        "EDITOR": some(["true", "false", "", "'", "\udce9"]),
    }
    chosen = draw(
        st.sets(some(sorted(variables)), max_size=3) if draw(st.booleans()) else st.just(set())
    )
    return Input(
        [*name.split(), *draw(_words(name))],
        {file: draw(_contents()) for file in draw(st.sets(some(_FILES), max_size=3))},
        draw(_contents()),
        {variable: draw(variables[variable]) for variable in sorted(chosen)},
        draw(st.sets(some(["stdin", "stdout", "stderr"]), max_size=1)),
    )


@pytest.fixture
def world(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    """A desk in a place from which nothing can be reached, and whose keychain costs little."""

    def refuse(*_: object, **__: object) -> None:
        raise ConnectionRefusedError(111, "Connection refused")

    for name in ("connect", "connect_ex", "bind", "listen"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("PATH", "/nonexistent")
    cheap = encrypted_file.Derivation(salt=b"0" * 16, n=2, r=1, p=1)
    sealed = encrypted_file.seal({}, encrypted_file.derive("passphrase", cheap))
    replace_private(desk.store.parent / "keychain.json", sealed)
    passphrase = desk.folder.parent / "passphrase"
    passphrase.touch(mode=0o600)
    passphrase.write_text("passphrase\n", encoding="ascii")
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))
    for variable in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_TTY", "DBUS_SESSION_BUS_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    shutil.copytree(os.environ["HOME"], desk.folder.parent / "template")
    return desk


def _try(world: Notifycli, given: Input) -> None:
    """Run a command in a world that is as it was, and look how it ends."""
    home = Path(os.environ["HOME"])
    for place in (home, world.folder):
        shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(world.folder.parent / "template", home)
    world.folder.mkdir()
    os.chdir(world.folder)
    for name, content in given.files.items():
        (world.folder / name).write_bytes(content)

    def run(*arguments: str) -> tuple[int, str]:
        told = world(
            *arguments, stdin=given.stdin, environment=given.environment, closed=given.closed
        )
        return told.status, told.stderr

    status, told = run(*given.arguments)
    if status not in _STATUSES:
        _, told = run("--verbose", *given.arguments)
    assert status in _STATUSES, f"{given!a}\n{told}"
    if not {"-v", "--verbose"} & {*given.arguments}:
        assert "Traceback" not in told


LONG = "a" * 300
ONCE = [
    ("a name that isn't UTF-8 in JSON", ["doctor", "--fix", "--db", "caf\udce9"], {}),
    ("a folder of too long a name", ["email", "templates", "--copy", LONG], {}),
    ("a backup of too long a name", ["backup", LONG], {}),
    (
        "a document that isn't UTF-8",
        ["prefs", "export", "--format", "toml", "--update", "document.toml"],
        {"document.toml": b"\x80\n"},
    ),
    ("an address without an end", ["simulate", "http://[::1"], {}),
    ("a store's address without an end", ["--db", "postgresql://[::1/desk", "user", "list"], {}),
]


@pytest.mark.parametrize(
    ("arguments", "files"), [row[1:] for row in ONCE], ids=[row[0] for row in ONCE]
)
def test_what_once_was_a_fault_of_ours_is_none(
    world: Notifycli, arguments: list[str], files: dict[str, bytes]
) -> None:
    _try(world, Input(arguments, files, b"", {}, set()))


@given(inputs())
def test_no_input_is_a_fault_of_ours(world: Notifycli, given: Input) -> None:
    _try(world, given)


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_no_input_of_any_command_is_a_fault_of_ours(world: Notifycli, name: str) -> None:
    @given(inputs([name]))
    @settings(max_examples=250, database=None)
    def check(drawn: Input) -> None:
        _try(world, drawn)

    check()
