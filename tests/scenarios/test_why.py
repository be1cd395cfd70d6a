"""`notifycli why`: sentences, and commands that do what they say."""

from __future__ import annotations

import re
import shlex
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given

from notifycli.cli.why.why_records import Remedies, of_one
from notifycli.events.decode import EventError, decode_event
from notifycli.rules.decision import Decision
from notifycli.rules.ladder import Case
from tests.rules.harness import replay_of
from tests.rules.worlds import World, worlds
from tests.scenarios.desk import ASSIGNED, MESSAGE, Desk, Json

SEEN: Json = {
    "event": "presence_update",
    "user": {"id": 7},
    "visible": True,
    "created_at": "2026-03-03T13:29:45Z",
}
ANSWER: Json = {
    **MESSAGE,
    "id": 6,
    "message_type": "outgoing",
    "sender": {"id": 7, "type": "user"},
    "created_at": "2026-03-03T14:00:00Z",
}
CREATED: Json = {
    "event": "conversation_created",
    "id": 43,
    "inbox_id": 4,
    "updated_at": "2026-03-03T15:00:00Z",
}
TO_OMAR: Json = {**CREATED, "event": "assignee_changed", "inbox_id": 4, "assignee_id": 8}
EVENTS = [ASSIGNED, SEEN, MESSAGE, ANSWER, CREATED, TO_OMAR]


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A desk on which every layer has its say."""
    desk.run("inbox", "add", "4", "--member", "7")
    desk.run("prefs", "set", "email.message=on", "push.message=on", "--default")
    desk.run("prefs", "set", "-u", "7", "audio=assigned", "quiet_hours=13:00-13:45 UTC")
    desk.run("prefs", "set", "-u", "7", "--inbox", "3", "push.message=off", "push.assigned=off")
    desk.run("prefs", "set", "push.assigned=off", "--lock")
    return desk


def asked(desk: Desk, user: str) -> list[Json]:
    return desk.run("why", "-u", user, desk.events(*EVENTS)).records()


def key(record: Json) -> tuple[object, ...]:
    return record["line"], record["type"], record["channel"]


def typed(command: str) -> Iterator[list[str]]:
    for part in command.split(" && "):
        program, *arguments = shlex.split(part)
        assert program == "notifycli"
        yield arguments


@pytest.mark.parametrize("user", ["jane@example.com", "omar@example.com", "9"])
def test_each_command_that_is_told_turns_its_decision_round(
    busy: Desk, user: str, tmp_path: Path
) -> None:
    before = asked(busy, user)
    with_command = [record for record in before if record["command"]]
    assert with_command
    for record in with_command:
        shutil.copy(tmp_path / "store.db", tmp_path / "kept.db")
        for arguments in typed(record["command"]):
            ran = busy.run(*arguments)
            assert (ran.status, "error" in ran.err) == (0, False), record["command"]
        after = {key(one): one["outcome"] for one in asked(busy, user)}
        assert after[key(record)] != record["outcome"], record["command"]
        shutil.move(tmp_path / "kept.db", tmp_path / "store.db")


TOLD_JANE = """\
1 email fire: it is switched on: email.assigned is on (builtin)
  notifycli prefs set -u jane@example.com email.assigned=off
1 push suppress: it is switched off: push.assigned is off (lock)
  notifycli prefs unset --lock push.assigned && \
notifycli prefs set -u jane@example.com --inbox 3 push.assigned=on
3 email suppress: it was in jane@example.com's quiet hours: quiet_hours is 13:00-13:45 UTC (user)
  notifycli prefs set -u jane@example.com quiet_hours=off inactive_after=0s
3 push suppress: it is switched off: push.message is off (inbox)
  notifycli prefs set -u jane@example.com --inbox 3 push.message=on && \
notifycli prefs set -u jane@example.com quiet_hours=off inactive_after=0s
3 audio suppress: it was in jane@example.com's quiet hours: quiet_hours is 13:00-13:45 UTC (user)
  notifycli prefs set -u jane@example.com quiet_hours=off audio.when=always
4 email suppress: jane@example.com wrote the message
4 push suppress: jane@example.com wrote the message
4 audio suppress: only customers' messages and private notes sound
5 email suppress: it is switched off: email.created is off (builtin)
  notifycli prefs set -u jane@example.com email.created=on
5 push suppress: it is switched off: push.created is off (builtin)
  notifycli prefs set -u jane@example.com push.created=on
"""


def test_what_jane_got_and_did_not_get(busy: Desk) -> None:
    told = ""
    for one in asked(busy, "jane@example.com"):
        told += f"{one['line']} {one['channel']} {one['outcome']}: {one['sentence']}\n"
        told += f"  {one['command']}\n" if one["command"] else ""
    assert told == TOLD_JANE


def test_events_of_an_account_that_is_not_on_record_are_passed_over(busy: Desk) -> None:
    foreign = {**ASSIGNED, "account": {"id": 2}}
    told = busy.run("why", "-u", "jane@example.com", busy.events(foreign, *EVENTS))
    assert [one["line"] for one in told.records()][:2] == [2, 2]
    of_all = busy.run("why", "--conversation", "42", busy.events(foreign, *EVENTS))
    assert (of_all.status, {one["line"] for one in of_all.records()} & {1}) == (0, set())


def test_who_can_t_see_it_is_told_how_they_could(busy: Desk) -> None:
    told = [(one["sentence"], one["command"]) for one in asked(busy, "8") if one["line"] == 6]
    assert told[0] == (
        "omar@example.com can't see the conversation, or has left the account",
        "notifycli inbox add 4 --member omar@example.com",
    )


def test_whom_a_custom_role_keeps_from_a_conversation_is_told_of_the_role(desk: Desk) -> None:
    role = {"users": [{"id": 8, "permissions": ["conversation_participating_manage"]}]}
    desk.run("directory", "import", str(desk.write("role.json", role)))
    to_omar = {**TO_OMAR, "inbox_id": 3}
    changed = {**CREATED, "event": "conversation_updated", "inbox_id": 3}
    told = desk.run("why", "-u", "8", desk.events(changed, to_omar, changed), "-o", "table").out
    assert (
        told.split("\n\n", 1)[1]
        == """\
line 1 · 2026-03-03 15:00:00 UTC · conversation_updated · conversation 43
  Nothing: omar@example.com can't see the conversation, as their custom role has \
only conversation_participating_manage.
line 2 · 2026-03-03 15:00:00 UTC · assignee_changed · conversation 43
  ! a push would fire, but can't be delivered: it is switched on: push.assigned is on (builtin), \
but there is no subscription to send it to.
    notifycli push invite -u omar@example.com
line 3 · 2026-03-03 15:00:00 UTC · conversation_updated · conversation 43
  Nothing: this notifies nobody.
line 2 · 2026-03-03 15:00:00 UTC · assignee_changed · conversation 43
  ✓ would get an e-mail: it is switched on: email.assigned is on (builtin).
    notifycli prefs set -u omar@example.com email.assigned=off
"""
    )


def test_on_a_terminal_it_is_told_in_sentences(busy: Desk) -> None:
    ran = busy.run(
        "why", "-u", "8", "--conversation", "42", busy.events(ASSIGNED, MESSAGE), "-o", "table"
    )
    assert (
        ran.out
        == """\
omar@example.com, Tuesday 3 March 2026: would get 0 notifications; 1 withheld: 1 switched off.

line 1 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  Nothing: this concerns others, not omar@example.com.
line 2 · 2026-03-03 13:30:00 UTC · message_created · conversation 42 · message 5
  ✗ no sound: it is switched off: audio is none (builtin).
    notifycli prefs set -u omar@example.com audio=all
"""
    )
    assert older(ran.err) == "(today's)\n"


def test_what_has_been_said_is_not_said_again_and_lines_are_not_broken_in_a_pipe(
    busy: Desk,
) -> None:
    names = ("conversation_created", "conversation_updated")
    hidden: list[Json] = [{**CREATED, "event": name, "id": 44} for name in names]
    events = busy.events(ASSIGNED, TO_OMAR, *hidden, ASSIGNED, SEEN, {**ASSIGNED, "assignee_id": 8})
    ran = busy.run("why", "-u", "8", events, "-o", "table")
    assert (
        ran.out
        == """\
omar@example.com, Tuesday 3 March 2026: would get 1 notification; 3 withheld: \
2 out of their sight, 1 switched off.

line 1 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  Nothing: this concerns others, not omar@example.com.
line 2 · 2026-03-03 15:00:00 UTC · assignee_changed · conversation 43
  ✗ no e-mail (email.assigned): omar@example.com can't see the conversation, \
or has left the account.
    notifycli inbox add 4 --member omar@example.com
  ✗ no push (push.assigned): omar@example.com can't see the conversation, or has left the account.
    notifycli inbox add 4 --member omar@example.com && notifycli prefs unset --lock push.assigned
    (this takes the lock away for everybody in the account)
lines 3 to 4 · 2026-03-03 15:00:00 UTC · conversation_created, conversation_updated · \
conversation 44
  Nothing: omar@example.com can't see the conversation (inbox 4); see line 2.
lines 5 to 6 · 2026-03-03 12:00:00 UTC · assignee_changed, presence_update
  Nothing: this notifies nobody.
line 7 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  ✗ no push: it is switched off: push.assigned is off (lock).
    notifycli prefs unset --lock push.assigned
    (this takes the lock away for everybody in the account)
line 7 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  ✓ would get an e-mail: it is switched on: email.assigned is on (builtin).
    notifycli prefs set -u omar@example.com email.assigned=off
"""
    )


def older(told: str) -> str:
    """Return what is told without that the history doesn't go back so far."""
    line = r"what was set before .* isn't on record: there, today's preferences stand in\n"
    return re.sub(line, "(today's)\n", told)


NO_MAIL_SERVER = (
    "no mail server is set, so no e-mail is sent yet: notifycli config set smtp.host=…\n"
)


@pytest.mark.parametrize("options", [[], ["-o", "table"]], ids=["records", "sentences"])
def test_without_a_mail_server_it_says_that_no_e_mail_is_sent(
    desk: Desk, options: list[str]
) -> None:
    before = desk.run("why", "-u", "7", desk.events(ASSIGNED), *options)
    desk.run("config", "set", "smtp.host=mail.example.com")
    after = desk.run("why", "-u", "7", desk.events(ASSIGNED), *options)
    assert (before.out, before.err) == (after.out, after.err + NO_MAIL_SERVER)


@pytest.mark.parametrize(
    ("user", "sentence", "command"),
    [
        pytest.param(
            {"id": 7, "email": None},
            "but there is no address to send it to",
            "notifycli user set 7 --email ADDRESS",
            id="no address",
        ),
        pytest.param(
            {"id": 7, "email": "jane@example.com", "confirmed": False},
            "but there is no confirmed address to send it to",
            None,
            id="an address that isn't confirmed",
        ),
    ],
)
def test_what_has_nowhere_to_go_is_given_somewhere_and_not_switched_off(
    desk: Desk, user: Json, sentence: str, command: str | None
) -> None:
    document = {"users": [user], "inboxes": [{"id": 3, "members": [7]}]}
    desk.run("directory", "import", "--replace", "--yes", str(desk.write("one.json", document)))
    email, push, *_ = desk.run("why", "-u", "7", desk.events(ASSIGNED)).records()
    reason, _, lacking = email["sentence"].partition(", ")
    assert reason == "it is switched on: email.assigned is on (builtin)"
    assert (lacking, email["command"]) == (sentence, command)
    name = user["email"] or "7"
    assert push["command"] == f"notifycli push invite -u {name}"


def test_what_fires_and_can_t_be_delivered_is_no_notification(desk: Desk) -> None:
    ran = desk.run("why", "-u", "7", desk.events(ASSIGNED), "-o", "table")
    assert (
        ran.out
        == """\
jane@example.com, Tuesday 3 March 2026: would get 1 notification; 1 that can't be delivered; \
0 withheld.

line 1 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  ! a push would fire, but can't be delivered: it is switched on: push.assigned is on (builtin), \
but there is no subscription to send it to.
    notifycli push invite -u jane@example.com
line 1 · 2026-03-03 12:00:00 UTC · assignee_changed · conversation 42
  ✓ would get an e-mail: it is switched on: email.assigned is on (builtin).
    notifycli prefs set -u jane@example.com email.assigned=off
"""
    )
    assert ran.err == NO_MAIL_SERVER


@pytest.mark.parametrize("options", [[], ["-o", "table"]], ids=["records", "sentences"])
@pytest.mark.parametrize(
    ("events", "conversation", "told"),
    [
        pytest.param([], [], "there were no events\n", id="no events"),
        pytest.param([], ["--conversation", "42"], "there were no events\n", id="none of none"),
        pytest.param(
            [ASSIGNED],
            ["--conversation", "9999", "--conversation", "42", "--conversation", "43"],
            "no event is of conversation 43, 9999; there are: 42\n",
            id="conversations that no event is of",
        ),
        pytest.param(
            [ASSIGNED],
            ["--since", "2999-01-01"],
            "nothing to tell: no event concerns what was selected\n",
            id="a time to come",
        ),
    ],
)
def test_where_there_is_nothing_it_says_why(
    desk: Desk, options: list[str], events: list[Json], conversation: list[str], told: str
) -> None:
    ran = desk.run("why", "-u", "7", desk.events(*events), *conversation, *options)
    unrelated = ran.err.removeprefix(NO_MAIL_SERVER)
    assert (ran.status, unrelated) == (0, told)


def test_who_is_concerned_by_nothing_is_told_so(desk: Desk) -> None:
    ran = desk.run("why", "-u", "8", desk.events(ASSIGNED), "-o", "table")
    assert ran.err == "nothing in these events is about omar@example.com\n"


def test_with_several_accounts_the_command_names_the_account(busy: Desk) -> None:
    other: Json = {"account": {"id": 2}, "users": [{"id": 7, "email": "jane@example.com"}]}
    busy.run("directory", "import", "-a", "2", str(busy.write("other.json", other)))
    events = busy.events({**ASSIGNED, "account": {"id": 1}})
    (first, *_) = busy.run("why", "-a", "1", "-u", "7", events).records()
    assert first["command"] == "notifycli prefs set -u jane@example.com -a 1 email.assigned=off"


def test_nobody_named_and_nobody_known_are_refused(busy: Desk) -> None:
    assert busy.run("why", busy.events(ASSIGNED)).status == 2
    assert busy.run("why", "-u", "jan@example.com", busy.events(ASSIGNED)).status == 2


def backdate(desk: Desk, *times: str) -> None:
    """Have the store's changes be of these times."""
    with closing(sqlite3.connect(desk.folder / "store.db")) as store:
        store.executemany("UPDATE change SET at = ? WHERE id = ?", zip(times, count(1)))
        store.commit()


AT_THE_TIME = "it is switched on: email.message is on (user) at the time, and is off (user) today"
THEN: list[Json] = [
    {**MESSAGE, "id": number, "created_at": f"2026-03-0{day}T13:30:00Z"}
    for number, day in ((1, 1), (2, 3), (3, 5))
]
"""Messages: before there was any store, with e-mail switched on, and after that."""


@pytest.mark.parametrize(
    ("as_of", "told"),
    [
        pytest.param(
            [],
            [
                "it is switched off: email.message is off (user)",
                AT_THE_TIME,
                "it is switched off: email.message is off (user)",
            ],
            id="of each event's time, and before there was a store today's",
        ),
        pytest.param(
            ["--as-of", "2026-03-03"],
            [AT_THE_TIME] * 3,
            id="of a time",
        ),
        pytest.param(
            ["--as-of", "now"],
            ["it is switched off: email.message is off (user)"] * 3,
            id="today's",
        ),
    ],
)
def test_preferences_are_those_of_the_time(desk: Desk, as_of: list[str], told: list[str]) -> None:
    desk.run("prefs", "set", "-u", "7", "email.message=on", "inactive_after=0s")
    desk.run("prefs", "set", "-u", "7", "email.message=off")
    backdate(desk, *(f"2026-03-0{day}T12:00:00+00:00" for day in (2, 2, 4)))
    events = desk.events(ASSIGNED, *THEN)
    ran = desk.run("why", "-u", "7", "--channel", "email", "--type", "message", *as_of, events)
    assert [one["sentence"] for one in ran.records()] == told
    older = "what was set before Monday 2 March 2026 isn't on record"
    assert (older in ran.err) == (not as_of)


def test_only_what_is_asked_for_is_told(desk: Desk) -> None:
    when = ("--since", "2026-03-02", "--until", "2026-03-04")
    ran = desk.run("why", "-u", "7", "--channel", "push", *when, desk.events(ASSIGNED, *THEN))
    assert [(one["line"], one["channel"]) for one in ran.records()] == [(1, "push"), (3, "push")]
    wrong = desk.run("why", "-u", "7", "--since", "2026-03-04", "--until", "2026-03-02")
    assert (wrong.status, wrong.err.splitlines()[0]) == (2, "error: --since is later than --until")


def test_what_is_set_for_a_conversation_up_to_a_moment_is_said_of_it_alone(desk: Desk) -> None:
    desk.run("prefs", "set", "-u", "7", "audio=all")
    until = ("--until", "2040-03-03T13:45:00Z")
    desk.run("prefs", "set", "mute=on", "-u", "7", "--conversation", "42", *until)
    muted = {**MESSAGE, "inbox": {"id": 3}, "created_at": "2040-03-03T13:30:00Z"}
    elsewhere = {**muted, "conversation_id": 43}
    later = {**muted, "id": 9, "created_at": "2040-03-03T13:50:00Z"}
    events = desk.events(muted, elsewhere, later)
    told = desk.run("why", "-u", "7", events, "--channel", "audio", "--as-of", "now").records()
    assert [(one["reason"], one["key"], one["value"]) for one in told] == [
        ("muted", "mute", "on"),
        ("enabled", "audio", "all"),
        ("enabled", "audio", "all"),
    ]


def commands_in(world: World, user: int, make: type[Remedies]) -> list[str | None]:
    """Give the command for each decision about a user of a world."""
    replay = replay_of(world.directory, world.preferences, world.fallback_account)
    (id_,) = replay.accounts
    account = replay.accounts[id_]
    today = of_one(account.preferences, user)
    remedies = make(account.directory.users[user], account, today, "")
    found: list[str | None] = []
    for number, line in enumerate(world.lines, 1):
        with suppress(EventError):
            event = decode_event(line.encode(), number)
            if not replay.admit(event):
                continue
            cases: list[Case] = []

            def look(decision: Decision, case: Case, cases: list[Case] = cases) -> None:
                if not cases or cases[-1] is not case:
                    cases.append(case)
                found.append(remedies.of(cases, decision))

            replay.examine(event, user if event.account == id_ else 0, look)
            replay.leave(event)
    return found


class Forgetful(Remedies):
    """Tries each command on each decision."""

    def _decides_alone(self, _: Sequence[Case]) -> bool:
        return False


@given(worlds())
def test_a_command_that_was_tried_on_a_decision_holds_for_all_that_are_alike(world: World) -> None:
    for user in (one["id"] for one in world.directory["users"]):
        assert commands_in(world, user, Remedies) == commands_in(world, user, Forgetful)
