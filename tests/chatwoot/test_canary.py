"""A token that is given to Chatwoot shows nowhere: not in output, errors, tracebacks or files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chatwoot.recorded import ROOT, Asked, Chatwoot, Person, Reply
from tests.conftest import Notifycli, Program
from tests.secrets import services
from tests.tokens.aviary import CANARY, hidden

NEW = CANARY[::-1]
"""What a rotation gives: as hidden as the canary is."""
COMMANDS = (
    ["chatwoot", "status"],
    ["chatwoot", "pull"],
    ["chatwoot", "diff"],
    ["chatwoot", "push", "--force"],
    ["chatwoot", "rotate", "--dry-run"],
    ["doctor"],
    ["token", "list"],
    ["prefs", "history"],
)


def _raising(reply: Reply) -> Callable[[Asked, Person | None], None]:
    def before(_asked: Asked, _person: Person | None) -> None:
        raise reply

    return before


TROUBLES = {
    "all well": lambda _asked, _person: None,
    "refused": _raising(Reply(401, {"error": f"bad token {CANARY}"})),
    "not found": _raising(Reply(404, {"error": f"nothing for {CANARY}"})),
    "wrong": _raising(Reply(422, {"message": CANARY})),
    "another shape": _raising(Reply(200, {"id": CANARY, "access_token": CANARY})),
    "no JSON": _raising(Reply(200, raw=CANARY.encode())),
    "sent on": _raising(Reply(302, headers={"Location": f"http://chat.example/{CANARY}"})),
    "truncated": _raising(Reply(200, {}, {"Content-Length": "9999"})),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_happens_the_token_stays_hidden(
    notifycli: Notifycli, chatwoot: Chatwoot, tmp_path: Path, trouble: str
) -> None:
    chatwoot.people[CANARY] = chatwoot.people.pop(ROOT)
    logged_in = notifycli.ok("chatwoot", "login", chatwoot.url, "-v", stdin=CANARY.encode())
    assert hidden(logged_in.stderr.encode())
    chatwoot.before = TROUBLES[trouble]
    for command in [*COMMANDS, ["chatwoot", "login"], ["chatwoot", "rotate"]]:
        result = notifycli(*command, "--verbose", stdin=CANARY.encode())
        assert hidden(result.stdout + result.stderr.encode()), command
        assert "Traceback" not in result.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "stdin"]
    assert notifycli.store in files
    assert all(hidden(path.read_bytes()) for path in files)
    assert any(CANARY in a.headers.get("api_access_token", "") for a in chatwoot.asked)


def test_a_new_token_is_as_hidden(notifycli: Notifycli, chatwoot: Chatwoot, tmp_path: Path) -> None:
    def renew(asked: Asked, person: Person | None) -> None:
        if asked.method == "POST" and person is not None:
            chatwoot.people = {NEW: person}
            raise Reply(200, {"id": person.id, "access_token": NEW})

    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    chatwoot.before = renew
    result = notifycli.ok("chatwoot", "rotate", "--verbose")
    assert NEW in chatwoot.people
    assert hidden(result.stdout + result.stderr.encode())
    assert all(hidden(path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file())


def test_an_unforeseen_error_and_its_traceback_do_not_hold_it(
    notifycli: Notifycli, chatwoot: Chatwoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("unforeseen")

    chatwoot.people[CANARY] = chatwoot.people.pop(ROOT)
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=CANARY.encode())
    monkeypatch.setattr("notifycli.chatwoot.client.msgspec.json.decode", fail)
    result = notifycli("chatwoot", "status", "--verbose")
    assert (result.status, "ZeroDivisionError: unforeseen" in result.stderr) == (70, True)
    assert hidden(result.stderr.encode())


def test_it_is_in_no_argument_and_no_environment(
    notifycli: Notifycli, chatwoot: Chatwoot, program: Program
) -> None:
    seen: set[str] = set()
    chatwoot.people[CANARY] = chatwoot.people.pop(ROOT)
    chatwoot.before = lambda _asked, _person: seen.update(services.leaks(CANARY))
    program("chatwoot", "login", chatwoot.url, stdin=CANARY.encode())
    assert program("chatwoot", "status").status == 0
    assert (seen, notifycli.store.exists(), len(chatwoot.asked)) == (set(), True, 2)
