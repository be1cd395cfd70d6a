"""Digests in `deliver`: one mail, one push, once, whatever is started again."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from notifycli.delivery.email_channel import letterhead
from notifycli.delivery.email_message import write
from notifycli.delivery.engine import Channels
from notifycli.delivery.enqueue import Enqueuer, Terms
from notifycli.delivery.push_channel import message_of
from notifycli.events.timestamps import SECOND, format_moment
from notifycli.rules.notifications import Channel
from notifycli.store.outbox import Notice
from notifycli.store.store import open_store
from tests.conftest import Json, Notifycli
from tests.delivery.mail_server import Post as MailPost
from tests.delivery.mail_server import serving
from tests.delivery.test_follow_log import eventually, following

from .desk import Post, asked


def presence(state: str, ago: int) -> Json:
    return {
        "event": "presence.update",
        "account_id": 1,
        "users": {"7": state, "8": "online"},
        "created_at": int(time.time()) - ago,
    }


def answered(message: int, conversation: int, ago: int) -> Json:
    by = {"id": 8, "type": "user", "name": "Omar"}
    body = asked(message, conversation=conversation, ago=ago, text="Here you are")
    return {**body, "message_type": "outgoing", "sender": by}


@pytest.fixture
def away(told: Notifycli) -> Notifycli:
    """The desk, at which Jane has digests."""
    told.ok("prefs", "set", "when_unavailable=digest", "push.message=on", "-u", "7")
    return told


def day() -> list[Json]:
    return [
        presence("busy", 600),
        asked(100, ago=500, text="Hello?"),
        asked(101, ago=480, conversation=43, text="Where is\nmy order?"),
        asked(102, ago=470, conversation=44),
        answered(103, 44, 400),
        asked(104, ago=300, text="Anybody <there>?"),
        presence("online", 60),
    ]


def test_a_digest_is_one_mail_of_all_that_is_left(away: Notifycli, post: Post) -> None:
    events = away.write_events("e.jsonl", day())
    away.ok("deliver", events)
    [sent] = post.of(Channel.EMAIL)
    assert (sent.type, sent.event, sent.conversation_id, sent.contact, sent.text) == (
        "digest",
        "digest",
        None,
        "",
        "#42 Ada: Anybody <there>?\n#43 Ada: Where is my order?",
    )
    assert [one["known"] for one in away.ok("deliver", events).records] == [1, 0]
    assert len(post.of(Channel.EMAIL)) == 1


def test_who_starts_again_in_between_tells_of_it_once(away: Notifycli, post: Post) -> None:
    bodies = day()
    for end in range(1, len(bodies) + 1):
        away.ok("deliver", away.write_events("e.jsonl", bodies[:end]))
    assert [one.text.count("\n") for one in post.of(Channel.EMAIL)] == [1]


def test_a_digest_that_is_old_by_now_is_history(away: Notifycli, post: Post) -> None:
    bodies = [{**body, "created_at": body["created_at"] - 4_000} for body in day()]
    result = away.ok("deliver", away.write_events("e.jsonl", bodies))
    assert post.sent == []
    assert "2 notifications of old events not sent" in result.stderr


def test_a_dry_run_lists_the_conversations(away: Notifycli, post: Post) -> None:
    result = away.ok("deliver", "--dry-run", away.write_events("e.jsonl", day()), "-o", "csv")
    heads, row = (line.split(",") for line in result.stdout.decode().splitlines())
    assert (heads[-1], row[-1], row[10], post.sent) == ("conversations", "42 43", "email", [])


def sent_as_mail(away: Notifycli, post: Post) -> Notice:
    away.ok("config", "set", "desk.url=https://desk.example.com", "email.sender=desk@example.com")
    away.ok("deliver", away.write_events("e.jsonl", day()))
    return post.of(Channel.EMAIL)[0]


def test_the_mail_links_each_conversation(away: Notifycli, post: Post) -> None:
    notice = sent_as_mail(away, post)
    with open_store(away.store) as store:
        parts = write(notice, letterhead(store))
    place = "https://desk.example.com/app/accounts/1/conversations/"
    assert parts.subject == "What came in the meantime: #42, #43"
    assert (
        f"> #42 Ada: Anybody <there>?\n> {place}42\n> #43 Ada: Where is my order?\n> {place}43\n"
        in parts.text
    )
    assert f'&lt;there&gt;?<br><a href="{place}42">{place}42</a><br>#43 Ada' in parts.html


def test_the_push_names_all_and_takes_the_place_of_no_other(away: Notifycli, post: Post) -> None:
    notice = sent_as_mail(away, post)
    plain = message_of(notice, "https://desk.example.com").plaintext
    assert b'"title":"What came in the meantime"' in plain
    assert b'"body":"#42 Ada: Anybody <there>?\\n#43 Ada: Where is my order?"' in plain
    assert f'"tag":"notifycli/1/digest/{notice.at}"'.encode() in plain


def held_until(told: Notifycli, seconds: int) -> int:
    """Let Jane's quiet hours of conversations 42 and 43 end so many seconds from now: when?"""
    moment = int(time.time()) + seconds
    until = format_moment(moment * SECOND)
    values = {"quiet_hours": f"00:00-00:00 until {until}", "quiet_hours_then": "hold"}
    policy = {"users": {"jane@example.com": {"conversation": {"42": values, "43": values}}}}
    told.ok("prefs", "import", "-", stdin=json.dumps(policy).encode())
    return moment


def test_what_is_due_by_the_clock_is_written_once(told: Notifycli, post: Post) -> None:
    held_until(told, -20)
    line = json.dumps(asked(100, ago=60)).encode()

    def feed() -> list[int]:
        with open_store(told.store) as store:
            feeder = Enqueuer(store, 1, Terms(), Channels(store, frozenset({Channel.EMAIL})))
            feeder.take(line, 1)
            moment = int(time.time()) * SECOND
            feeder.pass_to(moment)
            written = feeder.write()
            feeder.pass_to(moment)
            return [written, feeder.write()]

    assert feed() == [1, 0]
    assert feed() == [0, 0]
    told.ok("deliver", "--pending")
    assert [(one.type, one.text) for one in post.sent] == [("digest", "#42 Ada: Hello")]


def customer(conversation: int, at: int) -> Json:
    return {**asked(100 + conversation, conversation=conversation), "created_at": at}


@pytest.mark.parametrize(
    ("seen", "told_of"),
    [
        pytest.param(
            [(42, -30, -30), (44, 1, -4), (43, -1, -3)],
            ["#42 Ada: Hello\n#43 Ada: Hello"],
            id="before the hours end, after one that is ahead of the clock",
        ),
        pytest.param(
            [(42, -30, -30), (44, 1, 1), (43, -1, 2)],
            ["#42 Ada: Hello", "#43 Ada: Hello"],
            id="after the digest",
        ),
        pytest.param(
            [(42, -30, -30), (44, 1_200, 3), (43, -1, 4)],
            ["#42 Ada: Hello", "#43 Ada: Hello"],
            id="after the digest, and one is far ahead of the clock",
        ),
    ],
)
def test_who_follows_tells_of_all_that_comes(
    seen: list[tuple[int, int, int]], told_of: list[str], told: Notifycli, post: Post
) -> None:
    """`seen`: conversation, time and the clock at which it comes, from the end of the hours on."""
    assert post.sent == []
    end = held_until(told, -20)
    wall = 0
    with open_store(told.store) as store:
        channels = Channels(store, frozenset({Channel.EMAIL}))
        feeder = Enqueuer(store, 1, Terms(), channels, clock=lambda: wall)
        digests: list[tuple[bool, str]] = []
        for conversation, at, clock in [*seen, (45, 2_000, 10)]:
            wall = (end + clock) * SECOND
            feeder.take(json.dumps(customer(conversation, end + at)).encode(), 1)
            entries = [entry for entry, _ in feeder._entries]  # noqa: SLF001 - what is to be written
            new = [one for one in entries if not store.outbox.has(one)]
            feeder.write()
            digests += [(clock > 0, one.text) for one in new if one.type == "digest"]
    assert digests == [(True, text) for text in told_of]


@pytest.mark.slow
def test_who_follows_a_log_goes_by_the_clock_of_this_machine(
    desk: Notifycli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_DB", str(desk.store))
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    with serving(MailPost()) as server:
        plain = ("smtp.host=127.0.0.1", f"smtp.port={server.port}", "smtp.security=plain")
        desk.ok("config", "set", *plain, "email.sender=desk@example.com")
        end = held_until(desk, 10)
        with following(tmp_path / "e.jsonl") as run:
            run.write(customer(42, end - 30), customer(44, end + 1))
            eventually(lambda: server.received)  # of 44, which is ahead of the hours' end
            assert time.time() < end, "this machine was too slow to see it"
            run.write(customer(43, end - 1))
            eventually(lambda: len(server.received) > 1)
            assert run.stop() == 0
    assert [one.message["Subject"] for one in server.received][1:] == [
        "What came in the meantime: #42, #43"
    ]


@pytest.mark.slow
def test_who_follows_tells_of_it_when_the_moment_has_come(
    desk: Notifycli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_DB", str(desk.store))
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    with serving(MailPost()) as server:
        plain = ("smtp.host=127.0.0.1", f"smtp.port={server.port}", "smtp.security=plain")
        desk.ok("config", "set", *plain, "email.sender=desk@example.com")
        held_until(desk, 4)
        event = asked(100, ago=0)  # before that moment, however long a start takes
        with following(tmp_path / "e.jsonl") as run:
            run.write(event)
            eventually(lambda: server.received)
            assert run.stop() == 0
        with following(tmp_path / "e.jsonl") as run:
            time.sleep(6)
            assert run.stop() == 0
    assert [one.message["Subject"] for one in server.received] == ["What came in the meantime: #42"]
