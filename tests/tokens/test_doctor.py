"""What the doctor finds, what it mends, and when it says that something is wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from notifycli.cli.doctor import CHECKS, completion_places

if TYPE_CHECKING:
    from .harness import Program

NAMES = [
    "store",
    "keyring",
    "tokens",
    "email",
    "push",
    "sound",
    "chatwoot",
    "listen",
    "clipboard",
    "completion",
    "terminal",
]


def statuses(program: Program, *options: str, **environ: str) -> tuple[int, dict[str, str]]:
    done = program("doctor", *options, **environ)
    return done.status, {record["check"]: record["status"] for record in done.records}


def of(program: Program, check: str, **environ: str) -> dict[str, str]:
    (found,) = (r for r in program("doctor", **environ).records if r["check"] == check)
    return found


def test_each_check_is_one_record_with_the_same_fields(program: Program) -> None:
    records = program("doctor").records
    assert [record["check"] for record in records] == NAMES
    assert {tuple(record) for record in records} == {("check", "status", "found", "meaning", "fix")}
    # Channels are told of only where one is in use.
    assert len(CHECKS) == len(NAMES) + 1


def test_on_a_new_machine_nothing_fails_and_nothing_is_made(program: Program) -> None:
    status, found = statuses(program)
    assert (status, "fail" in found.values()) == (0, False)
    assert (found["store"], found["keyring"]) == ("note", "note")
    assert not program.store_path.exists()


@pytest.mark.usefixtures("file_keyring")
class TestStore:
    def test_one_that_others_can_read_fails_with_the_command_that_closes_it(
        self, program: Program
    ) -> None:
        program("user", "add", "jane@example.com")
        assert of(program, "store")["status"] == "ok"
        program.store_path.chmod(0o640)
        found = of(program, "store")
        assert (found["status"], found["fix"]) == ("fail", f"chmod 600 {program.store_path}")

    def test_one_that_is_none_fails_and_the_other_checks_go_on(self, program: Program) -> None:
        program.store_path.parent.mkdir(parents=True, exist_ok=True)
        program.store_path.write_bytes(b"no database" * 100)
        status, found = statuses(program)
        assert status == 1
        assert (found["store"], found["tokens"], found["keyring"]) == ("fail", "note", "ok")


@pytest.mark.usefixtures("file_keyring")
class TestTokens:
    def test_lost_ones_fail_are_mended_and_can_be_made_anew(
        self, program: Program, home: Path
    ) -> None:
        program("user", "add", "jane@example.com")
        program("token", "generate")
        kept = home / ".local/share/notifycli/keychain.json"
        kept.unlink()
        assert [r["state"] for r in program("token", "list").records] == ["lost"]
        found = of(program, "tokens")
        assert (found["status"], found["fix"]) == ("fail", "notifycli doctor --fix")
        assert found["found"] == "1 lost (user 1 'default')"
        mended = program("doctor", "--fix")
        assert mended.err == "ended and deleted: user 1 'default' (lost)\n"
        assert (mended.status, mended.records[2]["status"]) == (0, "ok")
        assert program("token", "show").status == 0

    def test_with_another_keyring_they_are_not_lost_but_elsewhere(self, program: Program) -> None:
        program("user", "add", "jane@example.com")
        token = program("token", "show").out
        program("doctor", "--fix", NOTIFYCLI_KEYRING="")
        assert program("token", "show").out == token

    def test_a_missing_keyring_fails_once_there_are_tokens(self, program: Program) -> None:
        program("user", "add", "jane@example.com")
        program("token", "generate")
        status, found = statuses(program, NOTIFYCLI_KEYRING="")
        assert (status, found["keyring"]) == (1, "fail")

    def test_a_wrong_choice_of_keyring_fails_and_names_the_right_ones(
        self, program: Program
    ) -> None:
        found = of(program, "keyring", NOTIFYCLI_KEYRING="flie")
        assert (found["status"], "NOTIFYCLI_KEYRING=file" in found["fix"]) == ("fail", True)


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        pytest.param({}, "note", id="no screen"),
        pytest.param({"DISPLAY": ":7654"}, "fail", id="a dead screen"),
        pytest.param({"NOTIFYCLI_CLIPBOARD": "trminal"}, "fail", id="a wrong choice"),
        pytest.param({"SSH_TTY": "/dev/pts/0", "TERM": "dumb"}, "note", id="a poor terminal"),
    ],
)
def test_a_clipboard_fails_only_where_one_was_set_up(
    program: Program, environ: dict[str, str], status: str
) -> None:
    assert of(program, "clipboard", **environ)["status"] == status


def test_a_clipboard_that_answers_is_ok(program: Program, screen: str) -> None:
    assert of(program, "clipboard", DISPLAY=screen)["status"] == "ok"


@pytest.mark.parametrize(
    ("shell", "place"),
    [
        ("bash", ".local/share/bash-completion/completions/notifycli"),
        ("zsh", ".zfunc/_notifycli"),
        ("fish", ".config/fish/completions/notifycli.fish"),
    ],
)
def test_a_completion_is_found_where_the_shell_looks(
    program: Program, home: Path, shell: str, place: str
) -> None:
    if any(path.exists() for path in completion_places(home, os.environ)[shell]):
        pytest.skip("one is installed for everybody on this machine")
    assert of(program, "completion", SHELL=f"/bin/{shell}")["status"] == "note"
    Path(home, place).parent.mkdir(parents=True)
    Path(home, place).touch()
    found = of(program, "completion", SHELL=f"/bin/{shell}")
    assert (found["status"], found["found"]) == ("ok", f"{shell}, {home / place}")
