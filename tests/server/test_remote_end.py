"""`--db https://…`: the command line at one end of `serve`, the store at the other."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.cli import remote
from notifycli.cli.times import now
from notifycli.errors import TryAgainError
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import Layer
from notifycli.secrets.token_format import Secret
from notifycli.server.app import Api
from notifycli.store.outbox import OutboxEntry
from notifycli.store.store import Location, locate, open_store
from notifycli.store.transaction import Entry, Target
from tests.conftest import Json, Notifycli, Result, lines
from tests.tokens.harness import FOREIGN, MemoryKeychain

from .certificates import Certificate
from .conftest import JANE, ROOT, Serving, tokens

PREFERENCES = """
[default]
"email.conversation_mention" = "on"

[users."jane@example.com"]
"audio" = "all"

[users."jane@example.com".inbox.3]
"push.conversation_creation" = "on"
"""
DIRECTORY = {
    "users": [
        {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"},
        {"id": 11, "email": "eve@example.com", "name": "Eve", "role": "agent"},
    ],
    "inboxes": [{"id": 3, "name": "Site", "members": [11]}, {"id": 5, "name": "New"}],
    "teams": [],
}


def message(conversation: int, number: int, text: str, account: int = 1) -> dict[str, object]:
    return {
        "event": "message_created",
        "id": number,
        "message_type": "incoming",
        "content": text,
        "created_at": 1772541957 + number,
        "account": {"id": account},
        "inbox": {"id": 3},
        "sender": {"id": 300, "name": "Zoe", "type": "contact"},
        "conversation": {
            "id": conversation,
            "inbox_id": 3,
            "status": "open",
            "meta": {"assignee": {"id": 7, "email": "jane@example.com"}},
        },
    }


EVENTS = [message(42, 1, "hello"), message(43, 2, "else"), message(42, 3, "there?")]


class Far:
    """A server, and the program that uses it."""

    def __init__(self, desk: Notifycli, url: str, held: dict[int, str], log: list[str]) -> None:
        self.desk = desk
        self.url = url
        self.tokens = held
        self.log = log

    def __call__(self, *arguments: str, stdin: bytes = b"", user: int = ROOT) -> Result:
        environment = {"NOTIFYCLI_DB": self.url, "NOTIFYCLI_TOKEN": self.tokens[user]}
        return self.desk(*arguments, stdin=stdin, environment=environment)


@contextmanager
def serving(
    desk: Notifycli, held: dict[int, str], certificate: Certificate | None = None
) -> Iterator[Far]:
    log: list[str] = []
    api = Api(locate(desk.store), now, log.append, journal=desk.folder / "events.jsonl")
    cert, key = certificate or (None, None)
    server = uvicorn.Server(
        uvicorn.Config(
            api.application(), port=0, log_config=None, ssl_certfile=cert, ssl_keyfile=key
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield Far(desk, f"{'https' if certificate else 'http'}://127.0.0.1:{port}", held, log)
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def keychain(keychain: MemoryKeychain, monkeypatch: pytest.MonkeyPatch) -> MemoryKeychain:
    for user in ("server.handlers", "cli.token"):
        monkeypatch.setattr(f"notifycli.{user}.open_keychain", lambda **_: keychain)
    return keychain


@pytest.fixture
def far(desk: Notifycli, keychain: MemoryKeychain) -> Iterator[Far]:
    with serving(desk, tokens(desk.store, keychain)) as made:
        yield made


Step = tuple[str, ...] | tuple[tuple[str, ...], bytes]
ROWS: dict[str, list[Step]] = {
    "preferences of users are set, read, taken away, told of and taken back": [
        ("prefs", "set", "email.mention=on", "audio=all", "-u", "jane@example.com"),
        ("prefs", "get", "email.mention", "-u", "jane@example.com"),
        ("prefs", "set", "audio=mine", "--all-users"),
        ("prefs", "unset", "audio", "-u", "omar@example.com"),
        ("prefs", "list", "-u", "omar@example.com", "--show-origin"),
        ("prefs", "set", "email.mention=off", "--inbox", "3", "-u", "jane@example.com"),
        ("prefs", "history"),
        ("prefs", "history", "-u", "jane@example.com", "--limit", "2"),
        ("prefs", "undo"),
        ("prefs", "undo", "2"),
        ("prefs", "undo", "2", "--force"),
        ("prefs", "undo", "99"),
    ],
    "what is locked is refused, and what can't be is no preference": [
        ("prefs", "set", "email.mention=on", "--lock"),
        ("prefs", "set", "email.mention=off", "-u", "jane@example.com"),
        ("prefs", "unset", "email.mention", "--lock"),
        ("prefs", "set", "email.mention=off", "-u", "jane@example.com"),
        ("prefs", "set", "email.mentoin=off", "-u", "jane@example.com"),
        ("prefs", "set", "email.mention=off", "-u", "nobody@example.com"),
        ("prefs", "set", "email.mention=off"),
    ],
    "documents are compared, applied, imported and exported": [
        (("prefs", "diff", "-"), PREFERENCES.encode()),
        (("prefs", "apply", "-", "--dry-run"), PREFERENCES.encode()),
        (("prefs", "apply", "-"), PREFERENCES.encode()),
        (("prefs", "apply", "-"), PREFERENCES.encode()),
        (("prefs", "import", "-"), b'[default]\n"audio" = "al"\n'),
        ("prefs", "export"),
        ("prefs", "export", "--format", "csv"),
        ("prefs", "set", "--preset", "quiet", "-u", "jane@example.com"),
        ("prefs", "preset", "list"),
    ],
    "users come, change, go and come back": [
        ("user", "add", "eve@example.com", "--id", "11", "--name", "Eve"),
        ("user", "add", "ann@example.com"),
        ("user", "set", "ann@example.com", "--id", "12"),
        ("user", "set", "eve@example.com", "--role", "administrator"),
        ("prefs", "set", "audio=all", "-u", "jane@example.com"),
        ("user", "remove", "jane@example.com", "--dry-run"),
        ("user", "remove", "omar@example.com", "--yes"),
        ("user", "list"),
        ("prefs", "history", "-u", "omar@example.com"),
        ("directory", "undo"),
        ("user", "show", "omar@example.com"),
        ("user", "add", "eve@example.com"),
        ("prefs", "set", "audio=none", "--lock"),
        ("user", "remove", "jane@example.com", "--yes"),
        ("directory", "undo"),
        ("prefs", "export"),
    ],
    "ids are given, and taken back": [
        ("user", "add", "ann@example.com"),
        ("user", "set", "ann@example.com", "--id", "7"),
        ("user", "set", "ann@example.com", "--id", "12"),
        ("directory", "undo", "--dry-run"),
        ("directory", "undo", "2"),
        ("directory", "undo", "2"),
        ("user", "show", "ann@example.com"),
        ("directory", "undo"),
        ("user", "show", "ann@example.com"),
    ],
    "inboxes, teams and the whole directory are changed": [
        ("inbox", "add", "4", "--name", "Sales", "--member", "omar@example.com"),
        ("team", "add", "6", "--name", "Night", "--member", "7"),
        ("inbox", "list"),
        ("team", "remove", "2"),
        ("team", "list"),
        (("directory", "import", "-", "--replace", "--dry-run"), json.dumps(DIRECTORY).encode()),
        (("directory", "import", "-"), json.dumps(DIRECTORY).encode()),
        (("directory", "learn", "-"), lines(EVENTS)),
        ("directory", "export"),
        ("directory", "undo", "--dry-run"),
    ],
    "a log is replayed": [
        (("simulate", "-", "--explain"), lines(EVENTS)),
        (("why", "-", "-u", "jane@example.com"), lines(EVENTS)),
    ],
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:]{8}Z")


def plain(result: Result) -> tuple[int, list[str], str]:
    """Return what a command has said, but for who did a change, when and where."""
    texts = [_TIME.sub("TIME", t) for t in (result.stdout.decode(), result.stderr)]
    out, err = (text.replace("tester", "root@example.com") for text in texts)
    return result.status, out.splitlines(), err


def compare(far: Far, here: Path, given: list[Step]) -> None:
    """Run commands with a store here and with its like at the server."""
    here.write_bytes(far.desk.store.read_bytes())
    for step in [*given, ("directory", "export"), ("prefs", "export"), ("prefs", "history")]:
        command, stdin = step if isinstance(step[0], tuple) else (step, b"")
        local = far.desk(*command, stdin=stdin, environment={"NOTIFYCLI_DB": str(here)})
        remote = far(*command, stdin=stdin)
        assert (command, *plain(remote)) == (command, *plain(local))


@pytest.mark.parametrize("row", ROWS)
def test_commands_say_and_do_what_they_do_with_a_store_here(
    far: Far, tmp_path: Path, row: str
) -> None:
    compare(far, tmp_path / "here.db", ROWS[row])


# Drawn first, an undo of the last change takes away whose token asks.
DRAWN = [step for row in ROWS.values() for step in row if step != ("directory", "undo")]


@pytest.mark.slow
@settings(max_examples=60)  # a server for each
@given(drawn=st.lists(st.sampled_from(DRAWN), max_size=9))
def test_drawn_commands_do_so_too(
    desk: Notifycli, keychain: MemoryKeychain, tmp_path: Path, drawn: list[Step]
) -> None:
    kept = desk.store.read_bytes()
    try:
        with serving(desk, tokens(desk.store, keychain)) as far:
            compare(far, tmp_path / "here.db", drawn)
    finally:
        desk.store.write_bytes(kept)


def test_the_history_names_the_owner_of_the_token(far: Far) -> None:
    assert far("prefs", "set", "audio=all", "-u", "jane@example.com").status == 0
    told = far.desk.ok("prefs", "history").records
    assert [(one["who"], one["command"], one["key"]) for one in told] == [
        ("root@example.com", "prefs set", "audio")
    ]


def test_a_tone_that_was_added_there_can_be_set_from_here(far: Far) -> None:
    with open_store(far.desk.store) as store:
        store.tones.add("doorbell.wav", b"RIFF", replace=False)
    wanted = ("prefs", "set", "-u", "jane@example.com")
    assert far(*wanted, "audio.tone=doorbell.wav").status == 0
    told = far.desk.ok("prefs", "get", "audio.tone", "-u", "jane@example.com")
    assert told.stdout == b"doorbell.wav\n"
    refused = far(*wanted, "audio.tone=gone.wav")
    assert (refused.status, "there is no tone 'gone.wav'" in refused.stderr) == (2, True)


def test_why_goes_by_what_the_server_has_received_and_sent(far: Far) -> None:
    other = message(44, 4, "of another desk", account=2)
    far.desk.write_events("events.jsonl", [*EVENTS, other])
    far.desk.ok("prefs", "set", "email.assigned=on", "-u", "jane@example.com")
    far.desk.ok("config", "set", "desk.url=https://chat.example.com", "smtp.host=mail.example.com")
    with open_store(far.desk.store) as store:
        store.outbox.write([notice(1, 42), notice(3, 42)], 5)
    command = ("why", "-u", "jane@example.com", "--as-of", "now")
    local = far.desk.ok(*command, "events.jsonl")
    assert {one["delivery"] for one in local.records} == {None, "pending"}
    remote = far(*command)
    assert remote.records == local.records
    assert f"reading what {far.url} has received" in remote.stderr
    of_one = [one for one in remote.records if one["conversation_id"] == 42]
    lines_given = {1: 1, 3: 2}
    assert far(*command, "--conversation", "42").records == [
        {**one, "line": lines_given[one["line"]]} for one in of_one
    ]


def test_a_log_that_is_too_long_is_told_from_its_end(
    far: Far, monkeypatch: pytest.MonkeyPatch
) -> None:
    far.desk.write_events("events.jsonl", EVENTS)
    monkeypatch.setattr("notifycli.server.handlers.MOST_EVENT_BYTES", len(lines(EVENTS[1:])))
    monkeypatch.setattr("notifycli.server.handlers.MOST_CHANGED_VALUES", 1)
    far("prefs", "set", "audio=all", "push.mention=on", "-u", "jane@example.com")
    far("prefs", "set", "audio=none", "-u", "jane@example.com")
    told = far("why", "-u", "jane@example.com")
    assert {one["conversation_id"] for one in told.records} == {42, 43}
    assert {one["message_id"] for one in told.records} == {2, 3}
    assert "its log is longer: these are the last 2 events" in told.stderr
    far.desk.write_events("events-2026-03-02.jsonl", EVENTS[:1])
    monkeypatch.setattr("notifycli.server.handlers.MOST_EVENT_BYTES", 1 << 20)
    monkeypatch.setattr("notifycli.server.handlers.MOST_READ_BYTES", len(lines(EVENTS)))
    assert "these are the last 3 events" in far("why", "-u", "jane@example.com").stderr
    assert [one["new"] for one in far("prefs", "history").records] == ["none"]
    assert "tells the newest changes alone, 1 of them" in far("prefs", "history").stderr


def notice(message_id: int, conversation: int) -> OutboxEntry:
    """Return what `deliver` makes of one of the events."""
    return OutboxEntry(
        event_key=b"%d" % message_id,
        account_id=1,
        user_id=JANE,
        type=NotificationType.ASSIGNED_MESSAGE,
        channel=Channel.EMAIL,
        event="message_created",
        conversation_id=conversation,
        inbox_id=3,
        inbox_name="Website",
        message_id=message_id,
        at=(1772541957 + message_id) * 1_000_000,
        contact="Zoe",
        author="Zoe",
        text="secret",
    )


REFUSED: list[tuple[tuple[str, ...], int, str]] = [
    (("token", "list"), 2, "token list doesn't work through the serve"),
    (("doctor",), 2, "doctor doesn't work through the serve"),
    (("backup", "copy.zip"), 2, "backup doesn't work through the serve"),
    (("serve",), 2, "serve doesn't work through the serve"),
    (("config", "set", "rules=notifycli"), 2, "config set doesn't work through the serve"),
    (
        ("audio", "list"),
        2,
        "tones are for all accounts of a store, and a token opens one\n  type it",
    ),
    (("channel", "list"), 2, "addresses are in the keyring of the machine that has the store\n"),
    (
        ("prefs", "set", "audio.tone=own.wav", "-u", "7"),
        2,
        "add it on the machine that has the store: notifycli audio add own.wav\n",
    ),
    (("prefs", "preset", "save", "mine", "audio=all"), 2, "this can't be changed through serve"),
    (("prefs", "get", "audio", "-u", "7", "-a", "2"), 2, "there is no account 2"),
    (("user", "add", "eve@example.com", "-a", "2"), 77, "the token opens account 1"),
]


@pytest.mark.parametrize(("command", "status", "said"), REFUSED)
def test_what_does_not_work_there_says_so(
    far: Far, command: tuple[str, ...], status: int, said: str
) -> None:
    before = far.desk.store.read_bytes()
    result = far(*command)
    assert (result.status, result.stdout) == (status, b"")
    assert said in result.stderr
    assert far.desk.store.read_bytes() == before


SHUT_OUT = [
    ("an agent's token", {"NOTIFYCLI_TOKEN": "agent"}, 77, "this takes an administrator's token"),
    ("a wrong token", {"NOTIFYCLI_TOKEN": FOREIGN}, 77, "doesn't accept the token"),
    ("no token", {}, 77, "notifycli store login"),
    ("what is no token", {"NOTIFYCLI_TOKEN": "two words"}, 65, "token"),
    ("nobody there", {"NOTIFYCLI_DB": "http://127.0.0.1:1"}, 69, "can't be reached"),
    ("another's page", {"NOTIFYCLI_DB": "{url}/elsewhere"}, 69, "is no notifycli serve"),
    ("a password in it", {"NOTIFYCLI_DB": "https://me:pw@desk.example.com"}, 2, "can't hold"),
    ("unencrypted", {"NOTIFYCLI_DB": "http://desk.example.com"}, 2, "unencrypted"),
]


@pytest.mark.parametrize(
    ("given", "status", "said"), [row[1:] for row in SHUT_OUT], ids=[row[0] for row in SHUT_OUT]
)
def test_who_is_not_let_in_is_told_what_to_do(
    far: Far, given: dict[str, str], status: int, said: str
) -> None:
    environment = {"NOTIFYCLI_DB": far.url}
    if "NOTIFYCLI_DB" in given:
        environment["NOTIFYCLI_TOKEN"] = far.tokens[ROOT]
    for name, value in given.items():
        environment[name] = {"agent": far.tokens[JANE]}.get(value, value.format(url=far.url))
    result = far.desk("prefs", "get", "audio", "-u", "7", environment=environment)
    assert (result.status, result.stdout) == (status, b"")
    assert said in result.stderr
    assert "pw" not in result.stderr
    assert environment.get("NOTIFYCLI_TOKEN", "none") not in result.stderr


def test_what_somebody_else_has_changed_meanwhile_is_not_overwritten(far: Far) -> None:
    token = Secret(far.tokens[ROOT])
    link = remote.ServerLink(far.url, lambda: token, print)
    with open_store(Location(None, far.url, link=link)) as store:
        far.desk.ok("prefs", "set", "audio=all", "-u", "jane@example.com")
        entry = Entry(Target(Layer.USER, JANE), "audio", "none")
        with (
            pytest.raises(TryAgainError, match="somebody else has changed the account meanwhile"),
            store.change(1, "test", "test") as change,
        ):
            change.set([entry])
        assert store.preferences(1).user == {}, "a change that wasn't stored is not there"
    assert far.desk.ok("prefs", "get", "audio", "-u", "7").stdout == b"all\n"


def test_a_token_is_kept_by_login_once_it_lets_in(
    far: Far, keychain: MemoryKeychain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notifycli.cli.remote.open_keychain", lambda **_: keychain)
    login = ("store", "login", far.url)
    refused = far.desk(*login, stdin=far.tokens[JANE].encode())
    assert (refused.status, keychain.get(f"store/{far.url}")) == (77, None)
    kept = far.desk.ok(*login, stdin=far.tokens[ROOT].encode())
    assert f"the token for {far.url} is kept, and lets in" in kept.stderr
    assert far.desk.ok("user", "list", "--db", far.url).records[0]["email"] == "jane@example.com"


def test_a_certificate_is_verified(
    desk: Notifycli, keychain: MemoryKeychain, certificate: Certificate
) -> None:
    with serving(desk, tokens(desk.store, keychain), certificate) as far:
        refused = far("user", "list")
        assert (refused.status, refused.stdout) == (69, b"")
        assert "has no certificate that this machine trusts" in refused.stderr
        trusting = {"NOTIFYCLI_TOKEN": far.tokens[ROOT], "REQUESTS_CA_BUNDLE": certificate.cert}
        told = desk.ok("user", "list", "--db", far.url, environment=trusting)
        assert len(told.records) == 3


def steps(*given: Json) -> Json:
    return {"revision": 4, "command": "test", "steps": [*given]}


def value(**differing: object) -> Json:
    place = {"layer": "user", "user_id": 7, "key": "audio", "value": "all"}
    return {"do": "set_values", "values": [{**place, **differing}]}


BOB = {"do": "put_users", "users": [{"id": 19, "email": "bob@x.example", "made_up": True}]}
WRONG: list[tuple[Json, int, str]] = [
    (steps(value(key="audioo")), 422, "there is no preference"),
    (steps(value(value="loud")), 422, "loud"),
    (steps(value(value="ALL")), 422, "is written 'all'"),
    (steps(value(user_id=99)), 422, "account 1 has no user 99"),
    (steps(value(user_id=None)), 422, "no such place in layer user"),
    (steps(value(layer="builtin", user_id=None)), 422, "no such place in layer builtin"),
    (steps(value(inbox_id=3)), 422, "no such place in layer user"),
    (steps(value(user_id=0)), 422, ">= 1"),
    (steps({"do": "put_users", "users": [{"id": 7, "email": "a b"}]}), 422, "no e-mail address"),
    (steps({"do": "put_users", "users": [{"id": 7, "name": "\x1b[2J"}]}), 422, "control"),
    (steps({"do": "put_users", "users": [{"id": 0}]}), 422, "0 is no id"),
    (
        steps({"do": "put_users", "users": [{"id": 7, "email": "omar@example.com"}]}),
        422,
        "belongs to another user",
    ),
    (steps({"do": "put_inbox", "inbox": {"id": 3, "members": [99]}}), 422, "has no user 99"),
    (steps({"do": "put_team", "team": {"id": 2**70}}), 422, "id"),
    (steps({"do": "name_account", "name": "a\nb"}), 422, "control"),
    (steps({"do": "remove", "kind": "inbox", "id": 99}), 422, "has no inbox 99"),
    (steps({"do": "remove", "kind": "account", "id": 1}), 422, "has no account 1"),
    (steps({"do": "give_id", "user_id": 99, "id": 5}), 422, "has no user 99"),
    (steps({"do": "give_id", "user_id": 7, "id": 8}), 422, "user 8 is omar@example.com"),
    (steps(BOB, {"do": "give_id", "user_id": 19, "id": 7}), 422, "user 7 is jane@example.com"),
    (steps({"do": "restore_rows", "change": 99}), 422, "no change 99"),
    (steps({"do": "drop_table"}), 422, "drop_table"),
    ({**steps(), "command": "a\x1bb"}, 422, "control"),
    ({**steps(), "revision": 3}, 409, "was changed since"),
]


@pytest.mark.parametrize(("body", "status", "said"), WRONG)
def test_a_change_that_can_not_be_is_refused_whole(
    serving: Serving, body: Json, status: int, said: str
) -> None:
    good = value(key="audio.tone", value="bell")
    body = {**body, "steps": [good, *body["steps"]]}
    headers = {"api_access_token": serving.tokens[ROOT]}
    revision = serving.client.get("/notifycli/v1/account", headers=headers).json()["revision"]
    body["revision"] += revision - 4
    answer = serving.client.post("/notifycli/v1/changes", headers=headers, json=body)
    assert (answer.status_code, said in answer.json()["error"]) == (status, True), answer.json()
    assert serving.desk.ok("prefs", "export", "--format", "csv").stdout.count(b"\n") == 1


@pytest.mark.parametrize(
    "path", ["account", "history", "notices", "events", "conversations/42/events", "changes"]
)
def test_only_administrators_are_answered(serving: Serving, path: str) -> None:
    method = "POST" if path == "changes" else "GET"
    headers = {"api_access_token": serving.tokens[JANE]}
    answer = serving.client.request(method, f"/notifycli/v1/{path}", headers=headers)
    assert (answer.status_code, answer.json()) == (
        403,
        {"error": "this takes an administrator's token"},
    )
    assert serving.client.request(method, f"/notifycli/v1/{path}").status_code == 401
