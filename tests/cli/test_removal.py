"""What is removed from the directory: asked for, tried, and taken back whole."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import structs

from notifycli.store.store import open_store
from notifycli.store.subscriptions import PushKey, Subscription
from tests.conftest import DESK, Json, Notifycli, Program

LESS = json.dumps({**DESK, "users": DESK["users"][1:], "inboxes": [], "teams": []}).encode()

# What is removed, by which command, and what is said of it.
REMOVALS: list[Any] = [
    pytest.param(
        ["user", "remove", "jane@example.com"],
        b"",
        [
            {"kind": "inbox", "id": 3, "result": "changed", "detail": "members 7 8→8"},
            {"kind": "team", "id": 2, "result": "changed", "detail": "members 7→-"},
            {"kind": "user", "id": 7, "result": "removed", "detail": ""},
        ],
        "user 7 jane@example.com with 2 preferences",
        id="a user",
    ),
    pytest.param(
        ["inbox", "remove", "3"],
        b"",
        [{"kind": "inbox", "id": 3, "result": "removed", "detail": ""}],
        "inbox 3 Website",
        id="an inbox",
    ),
    pytest.param(
        ["team", "remove", "2"],
        b"",
        [{"kind": "team", "id": 2, "result": "removed", "detail": ""}],
        "team 2 Support",
        id="a team",
    ),
    pytest.param(
        ["directory", "import", "-", "--replace"],
        LESS,
        [
            {"kind": "inbox", "id": 3, "result": "changed", "detail": "members 7 8→8"},
            {"kind": "inbox", "id": 3, "result": "removed", "detail": ""},
            {"kind": "team", "id": 2, "result": "changed", "detail": "members 7→-"},
            {"kind": "team", "id": 2, "result": "removed", "detail": ""},
            {"kind": "user", "id": 7, "result": "removed", "detail": ""},
        ],
        "user 7 jane@example.com, inbox 3 Website, team 2 Support with 2 preferences",
        id="what a document lacks",
    ),
]


@pytest.fixture
def kept(desk: Notifycli) -> Notifycli:
    """A desk at which Jane has set something, and has more than the history tells of."""
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "email.mention=on", "--inbox", "3", "-u", "7")
    with open_store(desk.store) as store:
        store.ui_settings.replace(1, 7, {"is_ct_labels_open": "true"})
        store.subscriptions.add_key(PushKey(1, "public", "file:secret", 0), None)
        (key,) = store.subscriptions.push_keys()
        with store.change(1, "push add", "tester") as change:
            change.subscriptions.put(
                Subscription(
                    account_id=1,
                    user_id=7,
                    key_id=key.id,
                    endpoint="https://push.example.com/x",
                    p256dh="p",
                    auth="a",
                    created_at=5,
                )
            )
    return desk


def everything(notifycli: Notifycli) -> list[Any]:
    with open_store(notifycli.store) as store:
        of_dashboard = store.ui_settings.of(1, 7)
        # One that comes back is a new one in all but what it was.
        browsers = [structs.replace(s, id=0) for s in store.subscriptions.of_account(1)]
    return [
        notifycli.ok("directory", "export").stdout,
        notifycli.ok("prefs", "export").stdout,
        of_dashboard,
        browsers,
    ]


def plain(steps: list[Json]) -> list[Json]:
    found = [{k: v for k, v in step.items() if k != "name"} for step in steps]
    return sorted(found, key=lambda step: (step["kind"], step["result"]))


@pytest.mark.parametrize(("command", "stdin", "steps", "lost"), REMOVALS)
def test_a_removal_can_be_tried_done_and_taken_back_whole(
    kept: Notifycli, command: list[str], stdin: bytes, steps: list[Json], lost: str
) -> None:
    before = everything(kept)
    tried = kept.ok(*command, "--dry-run", stdin=stdin)
    assert plain(tried.records) == steps
    assert tried.stderr == f"nothing was changed; it would remove {lost}\n"
    assert everything(kept) == before
    done = kept.ok(*command, stdin=stdin)
    after = everything(kept)
    assert done.stderr.startswith(f"removed: {lost}; take it back: notifycli directory undo ")
    assert after != before
    number = done.stderr.splitlines()[0].rsplit(" ", 1)[-1]
    kept.ok("directory", "undo", number)
    assert everything(kept) == before
    kept.ok("directory", "undo")
    assert everything(kept) == after


@pytest.mark.parametrize(("command", "stdin"), [p.values[:2] for p in REMOVALS[:3]])
def test_on_a_terminal_it_asks_first(
    kept: Notifycli, program: Program, command: list[str], stdin: bytes
) -> None:
    before = everything(kept)
    for typed in (b"\n", b"n\n", b"\x04"):
        refused = program.on_terminal(*command, typed=typed)
        assert (refused.status, b"Remove " in refused.stdout) == (1, True)
        assert b"aborted" in refused.stdout
    assert everything(kept) == before
    assert stdin == b""
    assert program.on_terminal(*command, typed=b"y\n").status == 0
    assert everything(kept) != before
    kept.ok("directory", "undo")
    assert b"[y/N]" not in program.on_terminal(*command, "--yes").stdout
    assert everything(kept) != before


def test_on_a_terminal_nothing_is_asked_where_nothing_goes(
    kept: Notifycli, program: Program
) -> None:
    file = kept.write("same.json", json.dumps(DESK))
    assert b"[y/N]" not in program.on_terminal("directory", "import", file, "--replace").stdout


def test_who_came_and_went_since_stays_so(kept: Notifycli) -> None:
    kept.ok("user", "remove", "7")
    kept.ok("inbox", "add", "3", "--member", "9")
    number = kept.ok("user", "add", "new@example.com", "--id", "7").status
    kept.ok("user", "remove", "7")
    kept.ok("directory", "undo", str(_first_removal(kept)))
    assert number == 0
    assert kept.ok("inbox", "list").records[0]["members"] == [7, 8, 9]
    assert kept.ok("prefs", "get", "audio", "-u", "7").stdout == b"all\n"


def _first_removal(notifycli: Notifycli) -> int:
    changes = notifycli.ok("prefs", "history").records
    return next(int(c["id"]) for c in reversed(changes) if c["command"] == "user remove")


def test_a_made_up_id_gives_way_to_who_comes_back(kept: Notifycli) -> None:
    kept.ok("user", "remove", "9")
    number = kept.ok("user", "add", "new@example.com").stderr.split(" as user ")[1][0]
    kept.ok("directory", "undo", str(_last_change(kept) - 1))
    users = {u["id"]: u["email"] for u in kept.ok("user", "list").records}
    assert (number, users) == (
        "9",
        {
            7: "jane@example.com",
            8: "omar@example.com",
            9: "root@example.com",
            10: "new@example.com",
        },
    )


def _last_change(notifycli: Notifycli) -> int:
    with open_store(notifycli.store) as store:
        return store.history.directory_change(1, None).id


def test_what_was_changed_since_is_refused_unless_forced(kept: Notifycli) -> None:
    kept.ok("user", "set", "7", "--name", "J.")
    changed = str(_last_change(kept))
    kept.ok("user", "set", "7", "--name", "Jane D.")
    refused = kept("directory", "undo", changed)
    assert (refused.status, refused.stderr.splitlines()) == (
        77,
        [
            f"error: what change {changed} did has been changed since:",
            "user 7: name was made J., is Jane D.",
            "  take it back all the same: --force",
        ],
    )
    kept.ok("directory", "undo", changed, "--force")
    assert kept.ok("user", "show", "7").records[0]["name"] == "Jane"


def test_undo_of_an_import_removes_who_came_with_it(kept: Notifycli) -> None:
    before = everything(kept)
    new = {"users": [{"id": 10, "email": "new@example.com"}], "teams": [{"id": 5, "members": [10]}]}
    kept.ok("directory", "import", "-", stdin=json.dumps(new).encode())
    kept.ok("directory", "undo")
    assert everything(kept) == before


def test_prefs_undo_of_a_removal_names_what_takes_it_back(kept: Notifycli) -> None:
    kept.ok("user", "remove", "7")
    refused = kept("prefs", "undo")
    number = _last_change(kept)
    assert (refused.status, refused.stderr.splitlines()[-1]) == (
        77,
        f"  take back their removal first: notifycli directory undo {number}",
    )


@pytest.mark.parametrize("number", [[], ["99"]])
def test_undo_of_what_is_not_there(notifycli: Notifycli, number: list[str]) -> None:
    result = notifycli("directory", "undo", *number)
    assert (result.status, "of the directory to take back" in result.stderr) == (2, True)
