"""Selecting many users, presets, drift, history and undo, by what they print."""

from __future__ import annotations

import pytest

from tests.conftest import Notifycli, Program

MENTION = "email.conversation_mention"
JANE, OMAR, ROOT = "jane@example.com", "omar@example.com", "root@example.com"


def who_has(desk: Notifycli, value: str) -> list[int]:
    listed = desk.ok("prefs", "list", "audio", "--all-users").records
    return [one["user_id"] for one in listed if one["value"] == value]


SELECTIONS = [
    pytest.param(["--all-users"], [7, 8, 9], id="all"),
    pytest.param(["--role", "agent"], [7, 8], id="a role"),
    pytest.param(["--role", "agent", "--role", "administrator"], [7, 8, 9], id="two roles"),
    pytest.param(["--team", "2"], [7], id="a team"),
    pytest.param(["--inbox-members", "3"], [7, 8], id="an inbox"),
    pytest.param(["--team", "2", "-u", ROOT], [7, 9], id="a team and a user"),
    pytest.param(["--team", "2", "--inbox-members", "3", "-u", "7"], [7, 8], id="each one once"),
    pytest.param(["-u", "9", "-u", "7"], [7, 9], id="two users"),
]


@pytest.mark.parametrize(("options", "expected"), SELECTIONS)
def test_the_users_whom_any_option_names(
    desk: Notifycli, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: list[int]
) -> None:
    monkeypatch.setenv("NOTIFYCLI_USER", "9")
    desk.ok("prefs", "set", "audio=all", *options)
    assert who_has(desk, "all") == expected
    listed = desk.ok("prefs", "list", "audio", *options).records
    assert sorted(one["user_id"] for one in listed) == expected
    desk.ok("prefs", "unset", "audio", *options)
    assert who_has(desk, "all") == []


def test_a_list_of_several_says_whose_each_value_is(desk: Notifycli) -> None:
    assert desk.ok("prefs", "list", "audio", "--team", "2").records == [
        {
            "user_id": 7,
            "email": JANE,
            "key": "audio",
            "value": "none",
            "origin": "builtin",
            "locked": False,
        }
    ]


EMPTY = [
    pytest.param(["--team", "5"], "nobody in account 1 is selected by --team 5", id="a team"),
    pytest.param(
        ["--inbox-members", "4", "--team", "5"],
        "nobody in account 1 is selected by --team 5 --inbox-members 4",
        id="an inbox whose members are not on record, and a team",
    ),
    pytest.param(["--team", "6"], "there is no team 6", id="an unknown team"),
    pytest.param(["--inbox-members", "9"], "there is no inbox 9", id="an unknown inbox"),
    pytest.param(["--role", "admin"], "'admin' is none of agent, administrator", id="no role"),
    pytest.param(["--team", "2", "-u", "77"], "account 1 has no user '77'", id="an unknown user"),
    pytest.param(["--team", "2", "--lock"], "--lock is of the whole account", id="a lock of some"),
]


@pytest.mark.parametrize(("options", "told"), EMPTY)
def test_a_selection_that_means_nobody_is_an_error(
    desk: Notifycli, options: list[str], told: str
) -> None:
    desk.ok("team", "add", "5")
    desk.ok("inbox", "add", "4")
    result = desk("prefs", "set", "audio=all", *options)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr.splitlines()[0]
    assert who_has(desk, "all") == []


def test_all_users_of_an_account_without_users_is_an_error(notifycli: Notifycli) -> None:
    assert notifycli("prefs", "set", "audio=all", "--all-users").status == 2


def test_presets_are_saved_listed_applied_and_removed(desk: Notifycli) -> None:
    builtin = [
        {"name": "quiet", "builtin": True, "keys": 20},
        {"name": "everything", "builtin": True, "keys": 20},
        {"name": "chatwoot-default", "builtin": True, "keys": 24},
    ]
    assert desk.ok("prefs", "preset", "list").records == builtin
    desk.ok("prefs", "preset", "save", "night", "audio=mine", "quiet_hours=20:00-08:00")
    night = {"name": "night", "builtin": False, "keys": 2}
    assert desk.ok("prefs", "preset", "list").records == [*builtin, night]
    assert desk.ok("prefs", "preset", "show", "NIGHT").records == [
        {"key": "audio", "value": "assigned"},
        {"key": "quiet_hours", "value": "20:00-08:00"},
    ]
    desk.ok("prefs", "preset", "apply", "night", "--team", "2")
    desk.ok("prefs", "preset", "save", "like-jane", "-u", "7")
    shown = desk.ok("prefs", "preset", "show", "like-jane").stdout
    assert shown == desk.ok("prefs", "preset", "show", "night").stdout
    assert [one["command"] for one in desk.ok("prefs", "history").records] == [
        "prefs preset apply night",
        "prefs preset apply night",
    ]
    desk.ok("prefs", "preset", "remove", "night")
    assert desk("prefs", "preset", "show", "night").status == 2
    assert who_has(desk, "assigned") == [7]


REFUSED = [
    pytest.param(["remove", "quiet"], 77, "comes with the program", id="removing a built-in one"),
    pytest.param(["save", "Quiet", "audio=all"], 77, "comes with", id="saving over a built-in one"),
    pytest.param(["save", "night", "audio=all"], 2, "already", id="saving over another"),
    pytest.param(["save", "mine", "-u", "8"], 2, "has set nothing", id="saving nothing"),
    pytest.param(["save", "a b", "audio=all"], 2, "can't be a name", id="a name of two words"),
    pytest.param(["apply", "nihgt", "-u", "7"], 2, "did you mean night?", id="an unknown one"),
    pytest.param(["save", "day", "adio=all"], 2, "did you mean audio?", id="an unknown key"),
]


@pytest.mark.parametrize(("arguments", "status", "told"), REFUSED)
def test_a_preset_is_refused(desk: Notifycli, arguments: list[str], status: int, told: str) -> None:
    desk.ok("prefs", "preset", "save", "night", "audio=none")
    result = desk("prefs", "preset", *arguments)
    assert (result.status, told in result.stderr) == (status, True)
    assert len(desk.ok("prefs", "preset", "list").records) == 4
    assert desk.ok("prefs", "preset", "show", "night").records == [
        {"key": "audio", "value": "none"}
    ]


def test_chatwoot_default_is_what_a_user_with_nothing_set_has(desk: Notifycli) -> None:
    before = desk.ok("prefs", "list", "-u", "7").records
    desk.ok("prefs", "preset", "apply", "chatwoot-default", "-u", "7")
    after = desk.ok("prefs", "list", "-u", "7").records
    assert after == [{**one, "origin": "user"} for one in before]


POLICY = b"""
[lock]
"audio.tone" = "bell"
[default]
audio = "assigned"
[users."omar@example.com"]
audio = "none"
[users."omar@example.com".inbox.3]
"email.mention" = "on"
"""


def test_drift_tells_who_differs_in_what_they_get(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio.tone=bell", "--default")
    desk.ok("prefs", "set", "audio=assigned", "-u", "7", "-u", "9")
    desk.ok("prefs", "set", "audio=all", "-u", "7", "--inbox", "3")
    found = desk("prefs", "drift", "-", stdin=POLICY)
    assert (found.status, [tuple(one.values()) for one in found.records]) == (
        1,
        [
            (1, "default", 7, JANE, 3, "audio", "all", "assigned", "inbox"),
            (1, "inbox", 8, OMAR, 3, MENTION, "off", "on", "builtin"),
        ],
    )
    assert list(found.records[0])[-3:] == ["old", "new", "origin"]
    assert desk("prefs", "drift", "-", "-u", "9", stdin=POLICY).status == 0
    desk.ok("prefs", "import", "-", stdin=POLICY)
    desk.ok("prefs", "unset", "audio", "-u", "7", "--inbox", "3")
    assert desk("prefs", "drift", "-", stdin=POLICY).stdout == b""


def test_drift_tells_of_conversations_too(desk: Notifycli) -> None:
    desk.ok("prefs", "import", "-", stdin=POLICY)
    desk.ok("prefs", "set", "audio=all", "-u", "7", "--conversation", "42")
    desk.ok("prefs", "set", "audio=all", "-u", "8", "--conversation", "43", "--until", "3d")
    of_nothing_in_the_policy = ("mute", "43", "-u", "7")
    desk.ok("prefs", *of_nothing_in_the_policy)
    past = b"layer,user,conversation,key,value\nconversation,7,44,audio,all until 2020-01-01\n"
    desk.ok("prefs", "import", "-", stdin=past)
    own = b'[users.9.conversation.42]\nmute = "on until 2999-01-01"\n'
    found = desk("prefs", "drift", "-", stdin=POLICY + own)
    assert (found.status, [tuple(one.values()) for one in found.records]) == (
        1,
        [
            (1, "default", 7, JANE, None, "audio", "all", "assigned", "conversation", 42),
            (1, "user", 8, OMAR, None, "audio", "all", "none", "conversation", 43),
            (1, "conversation", 9, ROOT, None, "mute", "off", "on", "builtin", 42),
        ],
    )
    assert list(found.records[0])[-1] == "conversation_id"


@pytest.fixture
def changed(desk: Notifycli) -> Notifycli:
    """A desk with three changes: one value of two users, the same of one, and a lock."""
    desk.ok("prefs", "set", "audio=all", "-u", "7", "-u", "8")
    desk.ok("prefs", "set", "audio=none", "-u", "7", "--inbox", "3")
    desk.ok("prefs", "set", "audio.tone=bell", "--lock")
    return desk


def test_history_is_newest_first(changed: Notifycli) -> None:
    found = changed.ok("prefs", "history").records
    assert list(found[0])[:4] == ["id", "at", "who", "command"]
    assert {one["at"][-1] for one in found} == {"Z"}
    assert [tuple(one.values())[2:] for one in found] == [
        ("tester", "prefs set", 1, "lock", None, None, None, "audio.tone", None, "bell"),
        ("tester", "prefs set", 1, "inbox", 7, JANE, 3, "audio", None, "none"),
        ("tester", "prefs set", 1, "user", 7, JANE, None, "audio", None, "all"),
        ("tester", "prefs set", 1, "user", 8, OMAR, None, "audio", None, "all"),
    ]


FILTERS = [
    pytest.param(["-u", "8"], [("user", 8)], id="a user"),
    pytest.param(["--key", "audio.tone"], [("lock", None)], id="a key"),
    pytest.param(["-u", "7", "--key", "email.*"], [], id="a glob"),
    pytest.param(["--limit", "2"], [("lock", None), ("inbox", 7)], id="so many"),
    pytest.param(["--since", "2999-01-01"], [], id="a time to come"),
    pytest.param(["--since", "2000-01-01", "-u", "8"], [("user", 8)], id="a time that is past"),
    pytest.param(["--since", "1d", "-u", "8"], [("user", 8)], id="so long ago"),
]


@pytest.mark.parametrize(("options", "expected"), FILTERS)
def test_history_of_some(
    changed: Notifycli, options: list[str], expected: list[tuple[str, int | None]]
) -> None:
    found = changed.ok("prefs", "history", *options).records
    assert [(one["layer"], one["user_id"]) for one in found] == expected


def test_undo_takes_back_the_last_change_and_can_be_undone(changed: Notifycli) -> None:
    first, last = (changed.ok("prefs", "history").records[i]["id"] for i in (-1, 0))
    changed.ok("prefs", "undo")
    assert changed.ok("prefs", "history", "--limit", "1").records[0]["command"] == (
        f"prefs undo {last}"
    )
    assert changed.ok("prefs", "export", "--layer", "lock").stdout == b"[lock]\n"
    changed.ok("prefs", "undo")
    assert changed.ok("prefs", "get", "audio.tone", "-u", "8").stdout == b"bell\n"
    changed.ok("prefs", "undo", str(first))
    assert who_has(changed, "all") == []


def test_undo_refuses_where_a_value_has_been_changed_since(changed: Notifycli) -> None:
    first = str(changed.ok("prefs", "history").records[-1]["id"])
    changed.ok("prefs", "set", "audio=others", "-u", "8")
    before = changed.ok("prefs", "export").stdout
    result = changed("prefs", "undo", first)
    assert (result.status, result.stderr.splitlines()) == (
        77,
        [
            f"error: what change {first} set has been changed since:",
            "user of user 8 audio: was made all, is others",
            "  take it back all the same: --force; see who did it: notifycli prefs history",
        ],
    )
    assert changed.ok("prefs", "export").stdout == before
    changed.ok("prefs", "undo", first, "--force")
    assert changed.ok("prefs", "export", "--layer", "user").stdout == b""


def test_undo_refuses_where_a_user_has_gone_since(changed: Notifycli) -> None:
    changed.ok("user", "remove", "8")
    result = changed("prefs", "undo", "--force")
    assert (result.status, "no longer has: 8" in result.stderr) == (77, True)


def test_history_goes_back_as_far_as_anybody_wants(changed: Notifycli) -> None:
    told = changed.ok("prefs", "history", "--since", "999999y").stdout
    assert told == changed.ok("prefs", "history").stdout != b""


NO_NUMBER = "change {} of preferences\n  see what there is: notifycli prefs history\n"
NOT_THERE = [
    pytest.param(
        [],
        "change of preferences to take back\n  set one: notifycli prefs set KEY=VALUE\n",
        id="nothing",
    ),
    pytest.param(["1"], NO_NUMBER.format(1), id="no preferences"),
    pytest.param(["99"], NO_NUMBER.format(99), id="none"),
]


@pytest.mark.parametrize(("number", "told"), NOT_THERE)
def test_undo_of_what_is_not_there(desk: Notifycli, number: list[str], told: str) -> None:
    result = desk("prefs", "undo", *number)
    assert (result.status, result.stderr) == (2, f"error: account 1 has no {told}")


def test_undo_of_what_a_lock_forbids_is_77(changed: Notifycli) -> None:
    changed.ok("prefs", "set", "audio=all", "--lock")
    first = str(changed.ok("prefs", "history").records[-1]["id"])
    assert changed("prefs", "undo", first).status == 77


@pytest.mark.usefixtures("changed")
def test_history_fits_a_terminal(program: Program) -> None:
    shown = program.on_terminal("prefs", "history", "--no-color").stdout.decode()
    assert "jane@example.com, inbox 3" in shown
    assert max(map(len, shown.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())) <= 80


def test_history_is_of_the_user_in_the_environment(changed: Notifycli) -> None:
    of_option = changed.ok("prefs", "history", "-u", "8").records
    of_environment = changed("prefs", "history", environment={"NOTIFYCLI_USER": "8"})
    assert of_environment.records == of_option
    assert len(of_option) < len(changed.ok("prefs", "history").records)
    assert changed("prefs", "history", environment={"NOTIFYCLI_USER": "nobody"}).status == 2
