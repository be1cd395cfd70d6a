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


@pytest.mark.parametrize("reference", ["7", "jane@example.com", "JANE@example.com"])
def test_the_history_tells_of_who_was_removed(kept: Notifycli, reference: str) -> None:
    kept.ok("prefs", "set", "audio=none", "-u", "8")
    kept.ok("user", "remove", "7")
    told = kept.ok("prefs", "history", "-u", reference).records
    assert [(one["user_id"], one["key"], one["old"], one["new"]) for one in told] == [
        (7, "audio", "all", None),
        (7, "email.conversation_mention", "on", None),
        (7, "email.conversation_mention", None, "on"),
        (7, "audio", None, "all"),
    ]
    # Whoever has the address or the id by now is whom it means.
    kept.ok("user", "add", "jane@example.com", "--id", "11")
    kept.ok("user", "add", "eve@example.com", "--id", "7")
    now = kept.ok("prefs", "history", "-u", reference).records
    assert [one["user_id"] for one in now] == ([7] * 4 if reference == "7" else [])
    unknown = kept("prefs", "history", "-u", "99")
    assert (unknown.status, "has no user '99'" in unknown.stderr) == (2, True)


LOCK = ("prefs", "set", "audio=none", "email.mention=off", "--lock")
REMOVE = ("user", "remove", "7")


@pytest.mark.parametrize(
    "commands",
    [
        pytest.param([LOCK, REMOVE], id="that was there when they went"),
        pytest.param([REMOVE, LOCK], id="that has come since"),
    ],
)
def test_what_a_removed_user_had_set_comes_back_below_a_lock(
    kept: Notifycli, commands: list[tuple[str, ...]]
) -> None:
    before = kept.ok("prefs", "export").stdout
    for command in commands:
        kept.ok(*command)
    number = str(_last_change(kept))
    kept.ok("directory", "undo", number)
    assert kept.ok("prefs", "get", "audio", "-u", "7").stdout == b"none\n"
    assert kept("prefs", "set", "audio=assigned", "-u", "7").status == 77
    locked = kept.ok("prefs", "export").stdout
    kept.ok("directory", "undo")
    kept.ok("directory", "undo")
    assert kept.ok("prefs", "export").stdout == locked
    kept.ok("prefs", "unset", "audio", "email.mention", "--lock")
    assert kept.ok("prefs", "export").stdout == before


def test_what_a_lock_forbids_since_is_not_taken_back_for_who_stays(kept: Notifycli) -> None:
    new = [{"id": 10, "email": "new@example.com"}]
    kept.ok("directory", "import", "-", stdin=json.dumps({"users": new}).encode())
    kept.ok("prefs", "set", "push.mention=on", "-u", "10")
    kept.ok("user", "remove", "10")
    number = str(_last_change(kept))
    kept.ok("user", "add", "new@example.com", "--id", "10")
    kept.ok("prefs", "set", "push.mention=off", "-u", "10")
    kept.ok("prefs", "set", "push.mention=on", "--lock")
    refused = kept("directory", "undo", number, "--force")
    assert (refused.status, "push.conversation_mention is locked to on" in refused.stderr) == (
        77,
        True,
    )


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


def test_undo_gives_an_id_back(desk: Notifycli) -> None:
    desk.ok("user", "add", "bob@example.com", "--name", "Bob")
    desk.ok("prefs", "set", "audio=all", "-u", "bob@example.com")
    desk.ok("inbox", "add", "3", "--member", "bob@example.com")
    before = _told_of(desk)
    desk.ok("user", "set", "bob@example.com", "--id", "30", "--name", "B.")
    after = _told_of(desk)
    tried = desk.ok("directory", "undo", "--dry-run").records
    assert [(step["id"], step["detail"]) for step in tried if step["detail"]] == [
        (10, "name B.→Bob"),
        (10, "id 30→10"),
    ]
    assert _told_of(desk) == after
    undone = desk.ok("directory", "undo")
    assert undone.stderr.startswith("bob@example.com: the id 30 has become 10\ntook back change ")
    assert _told_of(desk) == before
    assert "the id 10 is made up" in desk.ok("user", "show", "10").stderr
    desk.ok("directory", "undo")
    assert _told_of(desk) == after
    assert desk.ok("user", "show", "30").stderr == ""


# Who had been added without their ids, the document that gave them other ones or added others, and
# who has which id once it is undone: one made-up id is as good as another.
GIVEN_IDS: list[Any] = [
    pytest.param(["jane"], {30: "jane"}, {1: "jane"}, id="her own"),
    pytest.param(
        ["jane"], {1: "omar", 2: "jane"}, {3: "jane"}, id="her own, and somebody else has hers"
    ),
    pytest.param(["jane"], {1: "omar"}, {2: "jane"}, id="somebody else has hers"),
    pytest.param(
        ["jane", "omar"],
        {1: "omar", 2: "jane"},
        {2: "omar", 3: "jane"},
        id="each has the other's",
    ),
    pytest.param(
        ["jane", "omar"],
        {2: "jane", 3: "omar"},
        {1: "jane", 4: "omar"},
        id="each has the next",
    ),
    pytest.param(
        ["jane", "omar"], {2: "jane"}, {1: "jane", 4: "omar"}, id="she has his, and he another one"
    ),
]


@pytest.mark.parametrize(("added", "told", "undone"), GIVEN_IDS)
def test_undo_of_an_import_makes_ids_made_up_again(
    notifycli: Notifycli, added: list[str], told: dict[int, str], undone: dict[int, str]
) -> None:
    for name in added:
        notifycli.ok("user", "add", f"{name}@example.com", "--name", name)
        value = "all" if name == "jane" else "assigned"
        notifycli.ok("prefs", "set", f"audio={value}", "-u", f"{name}@example.com")
    before = notifycli.ok("prefs", "export").stdout
    users = [{"id": id_, "email": f"{name}@example.com"} for id_, name in told.items()]
    document = json.dumps({"users": users}).encode()
    notifycli.ok("directory", "import", "-", stdin=document)
    after = _told_of(notifycli)
    for _ in range(2):
        notifycli.ok("directory", "undo")
        assert {u["id"]: u["name"] for u in notifycli.ok("user", "list").records} == undone
        assert all("made up" in notifycli.ok("user", "show", str(i)).stderr for i in undone)
        assert notifycli.ok("prefs", "export").stdout == before
        notifycli.ok("directory", "undo")
        assert _told_of(notifycli) == after


def _told_of(notifycli: Notifycli) -> list[bytes]:
    commands = (["directory", "export"], ["prefs", "export"], ["prefs", "history"])
    return [notifycli.ok(*command).stdout for command in commands]


def _give_bob_30(notifycli: Notifycli) -> str:
    notifycli.ok("user", "add", "bob@example.com")
    notifycli.ok("user", "set", "bob@example.com", "--id", "30")
    return str(_last_change(notifycli))


def test_an_id_that_is_another_one_by_now_is_given_back_by_force(desk: Notifycli) -> None:
    number = _give_bob_30(desk)
    desk.ok("user", "set", "bob@example.com", "--id", "31")
    refused = desk("directory", "undo", number)
    assert (refused.status, refused.stderr.splitlines()) == (
        77,
        [
            f"error: what change {number} did has been changed since:",
            "user 31: id was made 30, is 31",
            "  take it back all the same: --force",
        ],
    )
    desk.ok("directory", "undo", number, "--force")
    assert desk.ok("user", "show", "bob@example.com").records[0]["id"] == 10


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_an_id_that_is_somebodys_by_now_is_not_given_back(
    desk: Notifycli, force: list[str]
) -> None:
    desk.ok("user", "set", "7", "--id", "70")
    number = str(_last_change(desk))
    desk.ok("user", "add", "eve@example.com", "--id", "7")
    before = _told_of(desk)
    refused = desk("directory", "undo", number, *force)
    assert (refused.status, refused.stderr.splitlines()) == (
        77,
        [
            "error: user 70 had the id 7, which is eve@example.com's by now",
            "  give that one another id first: notifycli user set 7 --id N",
        ],
    )
    assert _told_of(desk) == before
    desk.ok("user", "set", "7", "--id", "11")
    desk.ok("directory", "undo", number)
    assert desk.ok("user", "show", "jane@example.com").records[0]["id"] == 7


_IF_NOT = "if not, that one has to go first: notifycli user remove 7"


def test_who_comes_back_takes_over_nobody_even_by_force(kept: Notifycli) -> None:
    kept.ok("user", "remove", "7")
    number = str(_last_change(kept))
    kept.ok("user", "add", "eve@example.com", "--id", "7")
    before = _told_of(kept)
    refused = kept("directory", "undo", number, "--force")
    assert (refused.status, refused.stderr.splitlines()) == (
        77,
        [
            "error: user 7 was jane@example.com, and is eve@example.com by now",
            f"  if they are the same: notifycli user set 7 --email jane@example.com; {_IF_NOT}",
        ],
    )
    assert _told_of(kept) == before
    kept.ok("user", "set", "7", "--email", "JANE@example.com")
    kept.ok("directory", "undo", number, "--force")
    assert kept.ok("user", "show", "7").records[0]["email"] == "jane@example.com"
    assert kept.ok("prefs", "get", "audio", "-u", "7").stdout == b"all\n"


def test_a_made_up_id_gives_way_to_whose_it_was(desk: Notifycli) -> None:
    desk.ok("user", "set", "9", "--id", "1")
    number = str(_last_change(desk))
    made_up = desk.ok("user", "add", "eve@example.com").stderr
    assert made_up.startswith("added eve@example.com as user 9 ")
    desk.ok("directory", "undo", number)
    users = {u["email"]: u["id"] for u in desk.ok("user", "list").records[2:]}
    assert users == {"root@example.com": 9, "eve@example.com": 10}


_NOBODY_KNOWS = "nobody knows any more what was whose"


def test_two_who_became_one_are_not_told_apart_unless_forced(desk: Notifycli) -> None:
    document = {"users": [{"id": 30, "name": "Bob"}]}
    desk.ok("directory", "import", "-", stdin=json.dumps(document).encode())
    number = _give_bob_30(desk)
    before = _told_of(desk)
    refused = desk("directory", "undo", number)
    assert (refused.status, refused.stderr.splitlines()) == (
        77,
        [
            f"error: change {number} made user 30 one with who had that id: {_NOBODY_KNOWS}",
            "  give the old id back with all that both had: --force",
        ],
    )
    assert _told_of(desk) == before
    desk.ok("directory", "undo", number, "--force")
    assert [u["id"] for u in desk.ok("user", "list").records] == [7, 8, 9, 31]


@pytest.mark.parametrize("force", [[], ["--force"], ["--dry-run"]])
def test_what_is_taken_back_already_is_refused(kept: Notifycli, force: list[str]) -> None:
    kept.ok("user", "set", "7", "--name", "J.")
    number = str(_last_change(kept))
    kept.ok("directory", "undo", number)
    again = kept("directory", "undo", number, *force)
    assert (again.status, again.stdout, again.stderr.splitlines()) == (
        77,
        b"",
        [
            f"error: nothing is left of change {number} to take back: all is as it was before",
            "  see what there is: notifycli directory export",
        ],
    )
    # What took it back can be taken back, as often as somebody likes.
    for name in ("J.", "Jane"):
        kept.ok("directory", "undo")
        assert kept.ok("user", "show", "7").records[0]["name"] == name
