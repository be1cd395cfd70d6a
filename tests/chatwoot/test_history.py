"""What happened, from the API of a Chatwoot: the events, the guesses, and going on after a stop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chatwoot.past import PastChatwoot, Talk
from tests.chatwoot.recorded import JANE, ROOT, Asked, Person, Reply, serving
from tests.conftest import Notifycli

Json = dict[str, Any]
NOON = 1_772_539_200
"""2026-03-03 12:00:00 UTC, a Tuesday."""
ACTIVITY: Json = {"message_type": 2, "sender": None}
OMAR: Json = {"id": 8, "type": "user", "name": "Omar"}


@pytest.fixture
def chatwoot() -> Iterator[PastChatwoot]:
    found = PastChatwoot()
    with serving(found):
        yield found


@pytest.fixture
def desk(notifycli: Notifycli, chatwoot: PastChatwoot) -> Notifycli:
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    notifycli.ok("chatwoot", "pull")
    chatwoot.asked.clear()
    return notifycli


def tuesday(chatwoot: PastChatwoot) -> Talk:
    """A customer writes, Omar gives it to Jane, mentions her, and it is resolved."""
    talk = Talk(615, 3, NOON, assignee=7, status="resolved")
    chatwoot.say(talk, NOON + 1)
    chatwoot.say(talk, NOON + 60, content="Assigned to Jane by Omar", **ACTIVITY)
    mention = "[@Jane](mention://user/7/Jane) look"
    chatwoot.say(talk, NOON + 90, content=mention, private=True, message_type=1, sender=OMAR)
    status = {"activity": {"type": "status_changed", "status": "resolved"}}
    chatwoot.say(talk, NOON + 120, content="…", content_attributes=status, **ACTIVITY)
    return talk


def conversation(**state: Any) -> Json:
    assignee = state.get("assignee")
    return {
        "id": 615,
        "account": {"id": 1},
        "inbox_id": 3,
        "status": state.get("status", "open"),
        "created_at": "2026-03-03T12:00:00.000000Z",
        "meta": {
            "assignee": assignee and {"id": assignee, "type": "user"},
            "team": None,
            "sender": {"blocked": False, "type": "contact"},
        },
    }


def message(number: int, at: str, sender: Json, **other: Any) -> Json:
    inside = conversation(assignee=other.pop("assignee", None))
    del inside["account"]
    return {
        "event": "message_created",
        "id": number,
        "content": "hello",
        "message_type": "incoming",
        "private": False,
        "created_at": f"2026-03-03T{at}.000000Z",
        "account": {"id": 1},
        "inbox": {"id": 3},
        "conversation": inside,
        "sender": sender,
        **other,
    }


EVENTS: list[Json] = [
    {**conversation(), "event": "conversation_created"},
    message(1, "12:00:01", {"id": 900, "type": "contact"}),
    {
        **conversation(assignee=7),
        "event": "conversation_updated",
        "updated_at": "2026-03-03T12:01:00.000000Z",
        "changed_attributes": [{"assignee_id": {"previous_value": None, "current_value": 7}}],
        "performed_by": {"id": 8, "type": "user"},
    },
    message(
        3,
        "12:01:30",
        {"id": 8, "type": "user"},
        assignee=7,
        content="[@Jane](mention://user/7/Jane) look",
        message_type="outgoing",
        private=True,
    ),
    {
        **conversation(assignee=7, status="resolved"),
        "event": "conversation_status_changed",
        "updated_at": "2026-03-03T12:02:00.000000Z",
    },
]


def test_the_events_are_those_that_webhooks_would_have_sent(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    done = desk.ok("chatwoot", "history")
    assert done.records == EVENTS
    assert done.stderr == ""


def test_from_a_time_on_only_what_happened_then(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    tuesday(chatwoot)
    chatwoot.say(Talk(7, 3, NOON - 86_400), NOON - 86_399)
    span = ("--since", "2026-03-03T12:01:00Z", "--until", "2026-03-03T12:02:00Z")
    assert desk.ok("chatwoot", "history", *span).records == EVENTS[2:4]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "nothing happened there yet"),
        (
            ("--since", "2026-03-03T12:03:00Z"),
            "nothing happened since 2026-03-03 12:03:00 UTC",
        ),
        (
            ("--since", "2026-03-01", "--until", "2026-03-02"),
            "nothing happened since 2026-03-01 00:00:00 UTC, before 2026-03-02 00:00:00 UTC",
        ),
        (("--until", "2026-03-02"), "nothing happened before 2026-03-02 00:00:00 UTC"),
        (("--inbox", "5"), "nothing happened in what was named"),
    ],
    ids=["at all", "since", "in a span", "before", "in an inbox"],
)
def test_where_nothing_happened_it_says_so(
    desk: Notifycli, chatwoot: PastChatwoot, options: tuple[str, ...], said: str
) -> None:
    desk.ok("inbox", "add", "5", "--name", "Mail")
    if options:
        tuesday(chatwoot)
    done = desk.ok("chatwoot", "history", *options)
    assert (done.stdout, done.stderr) == (b"", f"{said}\n")
    written = desk.ok("chatwoot", "history", *options, "-O", "week.jsonl")
    assert written.stderr.startswith(f"{said}\n0 events written to week.jsonl, 0 were there")


@pytest.mark.parametrize("pages", [0, 1])
@pytest.mark.parametrize("empty", [{"all_count": 60}, {}], ids=["counted", "without a count"])
def test_conversations_that_are_counted_and_not_given_are_told_as_missing(
    desk: Notifycli, chatwoot: PastChatwoot, pages: int, empty: Json
) -> None:
    for id_ in range(1, 61):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)

    def end_early(page: int) -> None:
        if page > pages:
            meta = empty if pages else {"all_count": 60}
            raise Reply(200, {"data": {"meta": meta, "payload": []}})

    chatwoot.paged = end_early
    done = desk("chatwoot", "history", "--since", "2026-03-01")
    given = 25 * pages
    assert (done.status, len(done.records)) == (69, 2 * given)
    assert done.stderr == (
        f"warning: your Chatwoot counts 60 conversations and lists {given}: what happened in the "
        "others is missing; run it again, and if that doesn't help, its own log says why\n"
    )
    written = desk("chatwoot", "history", "--since", "2026-03-01", "-O", "week.jsonl")
    assert (written.status, done.stderr in written.stderr) == (69, True)
    assert len((desk.folder / "week.jsonl").read_bytes().splitlines()) == 2 * given


@pytest.mark.parametrize("since", [(), ("--since", "2026-03-01")], ids=["all", "since"])
@pytest.mark.parametrize("number", [25, 60])
def test_a_list_that_gives_the_same_page_for_ever_has_an_end(
    desk: Notifycli, chatwoot: PastChatwoot, number: int, since: tuple[str, ...]
) -> None:
    for id_ in range(1, number + 1):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)
    first = chatwoot.page(1)
    asked: list[int] = []

    def repeat(page: int) -> None:
        asked.append(page)
        if len(asked) > 10:
            raise Reply(500, {"error": "asked for ever"})
        raise Reply(200, first)

    chatwoot.paged = repeat
    done = desk("chatwoot", "history", *since)
    missing = (
        f"warning: your Chatwoot counts {number} conversations and lists 25: what happened in the "
        "others is missing; run it again, and if that doesn't help, its own log says why\n"
    )
    assert len(done.records) == 50
    assert (done.status, done.stderr) == ((0, "") if number == 25 else (69, missing))


def test_what_is_left_out_for_its_time_or_comes_meanwhile_is_not_missing(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    for id_ in range(1, 61):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)
    since = ("--since", "2026-03-03T12:00:31Z")
    done = desk.ok("chatwoot", "history", *since)
    assert (len(done.records), done.stderr) == (60, "")
    coming = iter(range(61, 65))

    def go_on(_page: int) -> None:
        for id_ in coming:
            chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)
            return

    chatwoot.paged = go_on
    done = desk.ok("chatwoot", "history")
    assert (len(done.records), done.stderr) == (128, "")


def test_why_answers_about_last_tuesday_from_a_pipe(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    events = desk.ok("chatwoot", "history").stdout
    fired = desk.ok("simulate", "-u", "jane@example.com", stdin=events).records
    assert [(one["type"], one["channel"]) for one in fired] == [
        ("conversation_assignment", "email"),
        ("conversation_assignment", "push"),
    ]


def test_one_conversation_is_asked_for_alone(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    tuesday(chatwoot)
    chatwoot.say(Talk(7, 3, NOON), NOON)
    assert desk.ok("chatwoot", "history", "--conversation", "615").records == EVENTS
    assert not any("page=" in asked.path for asked in chatwoot.asked)


def test_what_becomes_active_while_pages_are_read_is_not_missed(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    talks = [Talk(id_, 3, NOON + id_) for id_ in range(1, 61)]
    for talk in talks:
        chatwoot.say(talk, NOON + talk.id)

    def shift(page: int) -> None:
        if page == 1 and len(talks[0].messages) == 1:
            chatwoot.say(talks[0], NOON + 1000)

    chatwoot.paged = shift
    records = desk.ok("chatwoot", "history").records
    created = sorted(r["id"] for r in records if r["event"] == "conversation_created")
    assert created == [talk.id for talk in talks]
    assert sum(r["event"] == "message_created" for r in records) == 61


def test_a_long_conversation_comes_whole(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    talk = Talk(1, 3, NOON)
    for second in range(250):
        chatwoot.say(talk, NOON + second)
    records = desk.ok("chatwoot", "history").records
    assert [r["id"] for r in records if r["event"] == "message_created"] == list(range(1, 251))


@pytest.mark.parametrize("has_reports", [True, False])
def test_a_hand_over_is_in_the_reports_where_the_server_has_any(
    desk: Notifycli, chatwoot: PastChatwoot, *, has_reports: bool
) -> None:
    chatwoot.has_reports = has_reports
    report = {"name": "conversation_bot_handoff", "event_end_time": "2026-03-03T12:05:00Z"}
    chatwoot.say(Talk(615, 3, NOON, reports=[report]), NOON + 1)
    desk.ok("directory", "import", "-", stdin=b'{"inboxes": [{"id": 3, "bot": true}]}')
    done = desk.ok("chatwoot", "history")
    told = [(r["event"], r.get("status"), r.get("approximate")) for r in done.records]
    begun = ("message_created", None, None)
    assert told == (
        [
            ("conversation_created", "pending", None),
            begun,
            ("conversation_bot_handoff", "open", None),
        ]
        if has_reports
        else [("conversation_created", "pending", ["status"]), begun]
    )
    assert ("approximate: the status of 1 event" in done.stderr) is not has_reports


def opened_by(who: str) -> Json:
    return {"content": f"Conversation was marked open by {who}", **ACTIVITY}


def told_of(desk: Notifycli) -> list[tuple[str, int, str, list[str] | None]]:
    """Return what the history says of each conversation's status, and what of it is a guess."""
    return [
        (r["event"], r["id"], r["status"], r.get("approximate"))
        for r in desk.ok("chatwoot", "history").records
        if r["event"] != "message_created"
    ]


def test_a_bot_that_no_answer_tells_of_is_seen_by_its_hand_over(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    desk.ok("chatwoot", "pull")
    report = {"name": "conversation_bot_handoff", "event_end_time": "2026-03-03T12:05:00Z"}
    talk = Talk(615, 3, NOON, reports=[report])
    chatwoot.say(talk, NOON + 1)
    chatwoot.say(talk, NOON + 300, **opened_by("Captain"))
    assert told_of(desk) == [
        ("conversation_created", 615, "pending", None),
        ("conversation_status_changed", 615, "open", None),
        ("conversation_bot_handoff", 615, "open", None),
    ]


@pytest.mark.parametrize("sentence", [True, False])
def test_without_reports_the_first_status_is_guessed_from_what_came_of_it(
    desk: Notifycli, chatwoot: PastChatwoot, *, sentence: bool
) -> None:
    chatwoot.has_reports = False
    opened = Talk(1, 3, NOON)
    chatwoot.say(opened, NOON + 1)
    status = {"activity": {"type": "status_changed", "status": "open"}}
    said = opened_by("Captain") if sentence else {**ACTIVITY, "content_attributes": status}
    chatwoot.say(opened, NOON + 60, **said)
    chatwoot.say(Talk(2, 3, NOON + 100, status="pending"), NOON + 101)
    chatwoot.say(Talk(3, 3, NOON + 200), NOON + 201)
    resolved = Talk(4, 3, NOON + 300)
    chatwoot.say(resolved, NOON + 301, content="Conversation was resolved by Omar", **ACTIVITY)
    chatwoot.say(resolved, NOON + 302, content="Conversation was reopened by Omar", **ACTIVITY)
    guess = ["status"]
    assert told_of(desk) == [
        ("conversation_created", 1, "pending", guess),
        ("conversation_status_changed", 1, "open", None),
        ("conversation_created", 2, "pending", guess),
        ("conversation_created", 3, "open", guess),
        ("conversation_created", 4, "open", guess),
        ("conversation_status_changed", 4, "resolved", None),
        ("conversation_status_changed", 4, "open", None),
    ]


@pytest.mark.parametrize("outright", [True, False], ids=["from 4.16 on", "before"])
def test_whoever_opens_a_pending_conversation_hands_nothing_over(
    desk: Notifycli, chatwoot: PastChatwoot, *, outright: bool
) -> None:
    chatwoot.bots = {3: {"id": 1, "name": "Helper"}}
    desk.ok("chatwoot", "pull")
    desk.ok("prefs", "set", "email.created=on", "--all-users")
    status = {"activity": {"type": "status_changed", "status": "open"}} if outright else {}
    for talk, who in ((Talk(1, 3, NOON), "Omar"), (Talk(2, 3, NOON + 600), "Helper")):
        said = {**opened_by(who), "content_attributes": status}
        chatwoot.say(talk, talk.created_at + 1)
        chatwoot.say(talk, talk.created_at + 60, **said)
    told = desk.ok("chatwoot", "history")
    by = [(r["id"], r.get("performed_by")) for r in told.records if "status_changed" in r["event"]]
    assert by == [(1, {"id": 8, "type": "user"}), (2, None)]
    fired = desk.ok("simulate", "--rules", "chatwoot@4.16", stdin=told.stdout).records
    assert [(one["conversation_id"], one["user_id"]) for one in fired] == [(2, 7), (2, 8)]


def test_where_the_inbox_is_said_to_have_no_bot_nothing_is_guessed_of_its_status(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    chatwoot.has_reports = False
    desk.ok("directory", "import", "-", stdin=b'{"inboxes": [{"id": 3, "bot": false}]}')
    chatwoot.say(Talk(1, 3, NOON), NOON + 1, **opened_by("Omar"))
    assert told_of(desk) == [("conversation_created", 1, "open", None)]
    assert not any("reporting" in asked.path for asked in chatwoot.asked)


@pytest.mark.parametrize("type_", ["user", "agent_bot"])
def test_a_bot_that_has_a_conversation_is_no_assignee_to_be_explained(
    desk: Notifycli, chatwoot: PastChatwoot, type_: str
) -> None:
    chatwoot.say(Talk(615, 3, NOON, assignee=7, assignee_type=type_), NOON + 1)
    said = desk.ok("chatwoot", "history").stderr
    unexplained = (
        "warning: 1 conversation has an assignee, and nothing says since when: replayed without "
        "one\n"
    )
    assert said == (unexplained if type_ == "user" else "")


def test_what_was_read_is_not_read_again(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    tuesday(chatwoot)
    first = desk.ok("chatwoot", "history").stdout
    chatwoot.asked.clear()
    assert desk.ok("chatwoot", "history").stdout == first
    assert not any("/messages" in asked.path for asked in chatwoot.asked)


@pytest.mark.parametrize("shown", ["assignee", "status", "updated_at"])
def test_what_changes_in_the_second_in_which_it_was_read_is_read_again(
    desk: Notifycli, chatwoot: PastChatwoot, shown: str
) -> None:
    talk = Talk(615, 3, NOON, updated_at=NOON + 1.25)
    chatwoot.say(talk, NOON + 1)
    assert len(desk.ok("chatwoot", "history").records) == 2
    setattr(talk, shown, {"assignee": 7, "status": "resolved", "updated_at": NOON + 1.75}[shown])
    chatwoot.say(talk, NOON + 1, content="look", private=True, message_type=1, sender=OMAR)
    assert len(desk.ok("chatwoot", "history").records) == 3


def test_only_the_reports_are_asked_for_where_an_inbox_is_said_to_have_a_bot_later(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    report = {"name": "conversation_bot_handoff", "event_end_time": "2026-03-03T12:05:00Z"}
    chatwoot.say(Talk(615, 3, NOON, reports=[report]), NOON + 1)
    say = '{{"inboxes": [{{"id": 3, "bot": {}}}]}}'.format
    desk.ok("directory", "import", "-", stdin=say("false").encode())
    assert told_of(desk) == [("conversation_created", 615, "open", None)]
    desk.ok("directory", "import", "-", stdin=say("true").encode())
    chatwoot.asked.clear()
    handed_over = [
        ("conversation_created", 615, "pending", None),
        ("conversation_bot_handoff", 615, "open", None),
    ]
    assert told_of(desk) == handed_over
    of_it = [asked.path for asked in chatwoot.asked if "conversations/" in asked.path]
    assert of_it == ["/api/v1/accounts/1/conversations/615/reporting_events"]
    chatwoot.asked.clear()
    assert told_of(desk) == handed_over
    assert not any("conversations/" in asked.path for asked in chatwoot.asked)


def test_a_server_without_reports_has_nothing_read_again(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    chatwoot.has_reports = False
    for id_ in range(1, 61):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)
    first = desk.ok("chatwoot", "history").stdout
    chatwoot.asked.clear()
    assert desk.ok("chatwoot", "history").stdout == first
    paths = [asked.path for asked in chatwoot.asked]
    assert not any("/messages" in path for path in paths)
    # One a thread, at most.
    assert sum("/reporting_events" in path for path in paths) <= 8


GONE = "warning: left out, and probably deleted meanwhile, for Chatwoot has no messages of {}\n"


def test_a_conversation_that_is_deleted_while_it_is_read_is_left_out_and_named(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    for id_ in (1, 2, 3):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)

    def delete(asked: Asked, _person: Person | None) -> None:
        if "/2/messages" in asked.path:
            chatwoot.talks.pop(2, None)

    chatwoot.before = delete
    done = desk.ok("chatwoot", "history")
    assert [r["id"] for r in done.records if r["event"] == "conversation_created"] == [1, 3]
    assert done.stderr == GONE.format("it: conversation 2")


def test_where_nothing_is_left_of_what_was_listed_that_is_no_success(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    for id_ in (1, 2):
        chatwoot.say(Talk(id_, 3, NOON), NOON)

    def lose(asked: Asked, _person: Person | None) -> None:
        if "/messages" in asked.path:
            raise Reply(404, {"error": "Resource could not be found"})

    chatwoot.before = lose
    done = desk("chatwoot", "history")
    assert (done.status, done.stdout) == (69, b"")
    assert done.stderr == GONE.format("them: conversations 1, 2")


def test_reports_that_one_conversation_has_not_are_asked_of_the_others(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    report = {"name": "conversation_bot_handoff", "event_end_time": "2026-03-03T12:05:00Z"}
    for id_ in range(1, 31):
        chatwoot.say(Talk(id_, 3, NOON + id_, reports=[report]), NOON + id_)

    def lose(asked: Asked, _person: Person | None) -> None:
        if "/15/reporting_events" in asked.path:
            raise Reply(404, {"error": "Resource could not be found"})

    chatwoot.before = lose
    records = desk.ok("chatwoot", "history").records
    assert sum(r["event"] == "conversation_bot_handoff" for r in records) == 29


def test_a_conversation_that_is_not_there_is_told_as_that(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    done = desk("chatwoot", "history", "--conversation", "615", "--conversation", "2")
    assert (done.status, done.stdout) == (69, b"")
    assert done.stderr.splitlines()[-2:] == [
        f"error: there is no conversation 2 in account 1 of {chatwoot.url}",
        "  its number ends its address there; the account: notifycli chatwoot status",
    ]


def test_after_a_stop_it_goes_on_where_it_was(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    for id_ in range(1, 21):
        chatwoot.say(Talk(id_, 3, NOON + id_), NOON + id_)
    given: list[str] = []

    def stop(asked: Asked, _person: Person | None) -> None:
        if "/messages" in asked.path:
            given.append(asked.path)
            if len(given) > 10:
                raise Reply(500, {"error": "gone"})

    chatwoot.before = stop
    stopped = desk("chatwoot", "history")
    told = re.search(r"(\d+) conversations read so far are kept: the same comm", stopped.stderr)
    assert (stopped.status, told is not None and int(told[1]) < 20) == (69, True)
    chatwoot.before = lambda _asked, _person: None
    chatwoot.asked.clear()
    records = desk.ok("chatwoot", "history").records
    assert len(records) == 40
    assert 0 < sum("/messages" in asked.path for asked in chatwoot.asked) < 20


def test_the_limit_of_requests_is_waited_for(desk: Notifycli, chatwoot: PastChatwoot) -> None:
    tuesday(chatwoot)
    refused: list[str] = []

    def limit(asked: Asked, _person: Person | None) -> None:
        if "/messages" in asked.path and not refused:
            refused.append(asked.path)
            raise Reply(429, {"error": "Retry later"}, {"Retry-After": "1"})

    chatwoot.before = limit
    assert desk.ok("chatwoot", "history").records == EVENTS
    assert refused


def test_a_log_with_a_hole_gets_what_it_lacks_where_it_belongs(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    odd = b"no event at all\n"
    log = [json.dumps(event).encode() + b"\n" for event in (EVENTS[0], EVENTS[1], EVENTS[4])]
    place = Path(desk.write("week.jsonl", log[0] + odd + log[1] + log[2]))
    done = desk.ok("chatwoot", "history", "-O", "week.jsonl")
    assert done.stderr == (
        "2 events written to week.jsonl, 3 were there; next: notifycli why -u EMAIL week.jsonl\n"
    )
    lines = place.read_bytes().splitlines(keepends=True)
    assert [lines[0], lines[1], lines[2], lines[5]] == [log[0], odd, log[1], log[2]]
    assert [json.loads(line) for line in lines[3:5]] == EVENTS[2:4]
    whole = place.read_bytes()
    desk.ok("chatwoot", "history", "-O", "week.jsonl")
    assert place.read_bytes() == whole


def test_only_an_administrator_sees_everything(
    notifycli: Notifycli, chatwoot: PastChatwoot
) -> None:
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=chatwoot.token(7).encode())
    done = notifycli("chatwoot", "history")
    assert done.status == 77
    assert done.stderr == (
        f"error: no administrator's token for {chatwoot.url} is held\n"
        "  only an administrator sees every conversation; log one in: notifycli chatwoot login\n"
    )


def test_two_commands_lead_from_nothing_to_the_answer(
    notifycli: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    notifycli.ok("chatwoot", "pull")
    when = ("--since", "2026-03-03", "--until", "2026-03-04")
    done = notifycli.ok("why", "-u", "jane@example.com", *when, at_terminal=True)
    fired = [(one["event"], one["type"]) for one in done.records if one["outcome"] == "fire"]
    assert ("conversation_updated", "conversation_assignment") in fired
    assert "5 events of your Chatwoot's past since 2026-03-03 00:00:00 UTC\n" in done.stderr


UNREAD = (
    "warning: what jane@example.com set at {} was never read: this goes by what is set here; "
    "read it: notifycli chatwoot login with that user's token, then notifycli chatwoot pull; of "
    "all, from your own server: notifycli chatwoot tokens --platform, or export-sql\n"
)


def test_why_says_whose_preferences_there_were_never_read(
    desk: Notifycli, chatwoot: PastChatwoot
) -> None:
    tuesday(chatwoot)
    log = desk.ok("chatwoot", "history").stdout
    unread = UNREAD.format(chatwoot.url)
    assert unread in desk.ok("why", "-u", "7", stdin=log).stderr
    whole = desk.ok("why", "--conversation", "615", stdin=log).stderr
    assert "what 2 users set at" in whole
    desk.ok("chatwoot", "login", stdin=JANE.encode())
    pulled = desk.ok("chatwoot", "pull")
    assert "the preferences of 1 user can't be read without their tokens; read it:" in pulled.stderr
    assert unread not in desk.ok("why", "-u", "7", stdin=log).stderr
