"""Pushes on their way: what arrives, and what becomes of every answer of a push service."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from aiohttp import ClientTimeout

from notifycli.delivery import push_channel as push
from notifycli.delivery.channels import Delivered, Later, Outcome, Refused
from notifycli.delivery.push_channel import PushSender, open_sender
from notifycli.store.sqlite import connection as sqlite
from notifycli.store.store import open_store
from notifycli.store.subscriptions import Subscription
from tests.conftest import Json, Notifycli
from tests.push.conftest import subscribe
from tests.push.receiver import UserAgent, b64
from tests.push.service import Answer, PushService
from tests.push.test_message import notice

AGAIN = "subscribe the browser again: notifycli push subscribe"
KEY = (
    "it doesn't accept the push key: see whether this machine's clock is right and push.subject is "
    f"an address; else {AGAIN}"
)
DROPPED = "are notifications allowed for this browser in its and the system's settings?"
SUBJECT = (
    "is push.subject an address under a public domain, not localhost? notifycli config set "
    "push.subject=mailto:you@your-domain; then see whether this machine's clock is right; "
    f"else {AGAIN}"
)


def test_what_is_sent_arrives_signed_and_can_be_decrypted(
    ready: Notifycli, service: PushService
) -> None:
    agent = subscribe(ready, f"{service.origin}/jane")
    service.application_key = ready.ok("push", "keys", "show").records[0]["public_key"]
    told = ready.ok("push", "test", "-u", "7")
    assert told.records == [
        {
            "subscription_id": 1,
            "label": "",
            "service": service.origin.removeprefix("http://"),
            "outcome": "delivered",
            "detail": "answered 201",
            "remedy": "",
        }
    ]
    [taken] = service.taken
    assert json.loads(agent.decrypt(taken.body)) == {
        "title": "This is a test",
        "body": "This is a test. If you can read it, notifications reach you this way.",
        "tag": "notifycli/1/test",
        "url": "",
    }
    assert taken.token.claims["sub"] == "mailto:desk@example.com"
    [kept] = ready.ok("push", "list").records
    assert kept["last_used_at"] is not None
    assert kept["failures"] == 0


class Case(msgspec.Struct):
    """What a service answers, and what becomes of the push and of the subscription."""

    answer: Answer
    outcome: str
    detail: str
    remedy: str = ""
    kept: bool = True


ANSWERS = [
    Case(Answer(200), "delivered", "answered 200"),
    Case(Answer(201), "delivered", "answered 201"),
    Case(Answer(202), "delivered", "answered 202"),
    Case(Answer(204), "delivered", "answered 204"),
    Case(
        Answer(400, text="bad  dh\n"),
        "refused",
        "the service answered 400: it doesn't understand the push (it says: bad dh)",
        AGAIN,
    ),
    Case(Answer(401), "refused", "the service answered 401: it wants another signature", KEY),
    Case(
        Answer(403),
        "refused",
        "the service answered 403: the subscription is bound to another push key",
        KEY,
    ),
    *(
        Case(
            Answer(status),
            "refused",
            f"the service answered {status}: the subscription has ended and was removed",
            AGAIN,
            kept=False,
        )
        for status in (404, 410)
    ),
    Case(
        Answer(413),
        "refused",
        "the service answered 413: the push is too long for it",
        "a service may take less than 4,096 bytes only where it breaks RFC 8030, 7.2: report it",
    ),
    Case(Answer(418), "refused", "the service answered 418: it refuses the push", AGAIN),
    *(
        Case(
            Answer(status, {"Location": "/elsewhere"}),
            "refused",
            f"the service answered {status}: it leads elsewhere, and that is not followed",
            AGAIN,
        )
        for status in (301, 302, 307, 308)
    ),
    Case(
        Answer(429, {"Retry-After": "30"}),
        "later",
        "the service answered 429; it asks to wait 30 s",
    ),
    Case(Answer(408), "later", "the service answered 408"),
    Case(Answer(500), "later", "the service answered 500"),
    Case(Answer(502, text="<html>"), "later", "the service answered 502"),
    Case(
        Answer(503, {"Retry-After": "Sun, 06 Nov 1994 08:49:37 GMT"}),
        "later",
        "the service answered 503; it asks to wait 0 s",
    ),
    Case(
        Answer(
            200,
            {
                "X-WNS-NOTIFICATIONSTATUS": "dropped",
                "X-WNS-ERROR-DESCRIPTION": "The channel  is off.",
            },
        ),
        "refused",
        "the service answered 200, but dropped the push (it says: The channel is off.)",
        DROPPED,
    ),
    Case(
        Answer(200, {"X-WNS-Status": "received", "X-WNS-NotificationStatus": "received"}),
        "delivered",
        "answered 200",
    ),
    Case(
        Answer(200, {"X-WNS-NotificationStatus": "channelThrottled"}),
        "later",
        "the service answered 200, but takes no more pushes for now",
    ),
    Case(
        Answer(400, {"X-WNS-ERROR-DESCRIPTION": "Ttl value conflicts with X-WNS-Cache-Policy."}),
        "refused",
        "the service answered 400: it doesn't understand the push"
        " (it says: Ttl value conflicts with X-WNS-Cache-Policy.)",
        AGAIN,
    ),
    Case(
        Answer(406, {"Retry-After": "60"}),
        "later",
        "the service answered 406; it asks to wait 60 s",
    ),
    Case(Answer(406), "later", "the service answered 406"),
    *(
        Case(
            Answer(status, {"Retry-After": "5"}),
            "later",
            f"the service answered {status}; it asks to wait 5 s",
        )
        for status in (400, 403, 404, 413, 418)
    ),
    Case(
        Answer(410, {"Retry-After": "5"}),
        "refused",
        "the service answered 410: the subscription has ended and was removed",
        AGAIN,
        kept=False,
    ),
    Case(
        Answer(403, text='{"reason":"BadJwtToken"}'),
        "refused",
        "the service answered 403: it doesn't accept the signature"
        ' (it says: {"reason":"BadJwtToken"})',
        SUBJECT,
    ),
]


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: f"{case.answer.status} {case.outcome}")
def test_every_answer_of_a_service_has_its_meaning(
    ready: Notifycli, service: PushService, case: Case
) -> None:
    subscribe(ready, f"{service.origin}/jane")
    service.answers["/jane"] = case.answer
    told = ready("push", "test", "-u", "7")
    delivered = case.outcome == "delivered"
    assert told.status == (0 if delivered else 69)
    [record] = told.records
    assert {name: record[name] for name in ("outcome", "detail", "remedy")} == {
        "outcome": case.outcome,
        "detail": case.detail,
        "remedy": case.remedy,
    }
    kept = ready.ok("push", "list").records
    assert [item["failures"] for item in kept] == ([0 if delivered else 1] if case.kept else [])
    assert service.asked == ["POST /jane"]


def test_a_remedy_is_about_the_store_that_was_named(ready: Notifycli, service: PushService) -> None:
    subscribe(ready, f"{service.origin}/jane")
    service.answers["/jane"] = Answer(410)
    [record] = ready("push", "test", "-u", "7", "--db", str(ready.store)).records
    assert record["remedy"] == AGAIN.replace("notifycli", f"notifycli --db {ready.store}")


def sent(ready: Notifycli, *texts: str, **more: Any) -> list[Outcome]:
    """Send notices to user 7, one after the other, on one sender."""

    async def send(sender: PushSender) -> list[Outcome]:
        async with sender:
            return [await sender.send(notice(text=text, **more)) for text in texts]

    with open_store(ready.store) as store:
        return asyncio.run(send(open_sender(store)))


def test_each_browser_of_a_user_gets_a_notice_and_one_that_takes_it_is_enough(
    ready: Notifycli, service: PushService
) -> None:
    agents = {path: subscribe(ready, service.origin + path) for path in ("/a", "/b")}
    subscribe(ready, f"{service.origin}/gone")
    service.answers["/gone"] = Answer(410)
    assert sent(ready, "one", "two") == [
        Delivered("2 of 3 browsers"),
        Delivered("2 of 2 browsers"),
    ]
    bodies = {
        path: [json.loads(agent.decrypt(p.body))["body"] for p in service.taken if p.path == path]
        for path, agent in agents.items()
    }
    texts = ["#42 · Website\none", "#42 · Website\ntwo"]
    assert bodies == {"/a": texts, "/b": texts}


def test_where_no_browser_takes_it_one_that_may_do_so_later_decides(
    ready: Notifycli, service: PushService
) -> None:
    for path in ("/a", "/b", "/c"):
        subscribe(ready, service.origin + path)
    service.answers = {
        "/a": Answer(503, {"Retry-After": "7"}),
        "/b": Answer(403),
        "/c": Answer(503, {"Retry-After": "9"}),
    }
    assert sent(ready, "hello") == [Later("the service answered 503", 9.0)]


def put(ready: Notifycli, endpoint: str) -> None:
    """Keep a subscription as an earlier version took it."""
    agent = UserAgent()
    with open_store(ready.store) as store, store.change(1, "test", "tester") as change:
        change.subscriptions.put(
            Subscription(
                account_id=1,
                user_id=7,
                key_id=1,
                endpoint=endpoint,
                p256dh=agent.p256dh,
                auth=b64(agent.auth),
                created_at=0,
            )
        )


@pytest.mark.parametrize(
    ("endpoint", "kept"),
    [
        ("https://[2606:4700::1111]/x", True),
        ("https://push.example.com:99999/x", True),
        ("https://permanently-removed.invalid/fcm/send/x", False),
    ],
)
def test_one_browser_that_nothing_can_be_sent_to_makes_no_other_ring_again(
    ready: Notifycli, service: PushService, endpoint: str, kept: bool
) -> None:
    subscribe(ready, f"{service.origin}/a")
    put(ready, endpoint)
    assert sent(ready, "one") == [Delivered("1 of 2 browsers")]
    assert service.asked == ["POST /a"]
    left = [item["id"] for item in ready.ok("push", "list").records]
    assert left == ([1, 2] if kept else [1])


def test_whatever_one_browser_raises_the_others_have_an_outcome_of_their_own(
    ready: Notifycli, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("/a", "/b"):
        subscribe(ready, service.origin + path)
    asked = push.encrypt
    faults = iter([RuntimeError("anything")])

    def once(p256dh: str, auth: str, plaintext: bytes) -> bytes:
        for fault in faults:
            raise fault
        return asked(p256dh, auth, plaintext)

    monkeypatch.setattr(push, "encrypt", once)
    assert sent(ready, "one") == [Delivered("1 of 2 browsers")]
    assert service.asked == ["POST /b"]


def test_a_subscription_that_ended_while_the_store_is_locked_is_removed_later(
    ready: Notifycli, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    for path in ("/a", "/gone"):
        subscribe(ready, service.origin + path)
    service.answers["/gone"] = Answer(410)

    async def send(sender: PushSender) -> list[Outcome]:
        async with sender:
            with closing(sqlite3.connect(ready.store)) as other:
                other.execute("BEGIN IMMEDIATE")
                first = await sender.send(notice(text="one"))
            return [first, await sender.send(notice(text="two"))]

    with open_store(ready.store) as store:
        outcomes = asyncio.run(send(open_sender(store)))
    assert outcomes == [Delivered("1 of 2 browsers"), Delivered("answered 201")]
    assert sorted(service.asked) == ["POST /a", "POST /a", "POST /gone"]
    assert [item["id"] for item in ready.ok("push", "list").records] == [1]


def test_a_push_service_that_is_down_is_left_alone_and_the_others_are_not(
    ready: Notifycli, service: PushService
) -> None:
    with PushService() as down:
        down.answers["/b"] = Answer(503)
        subscribe(ready, f"{down.origin}/b")
        subscribe(ready, f"{service.origin}/a", user="8")
        texts = [str(number) for number in range(10)]
        host = down.origin.removeprefix("http://")

        async def send(sender: PushSender) -> list[Outcome]:
            async with sender:
                failed = [await sender.send(notice(text=text)) for text in texts]
                return [*failed, await sender.send(notice(user_id=8))]

        with open_store(ready.store) as store:
            *failed, taken = asyncio.run(send(open_sender(store)))
    assert len(down.asked) == 8
    assert failed[:8] == [Later("the service answered 503")] * 8
    for outcome in failed[8:]:
        assert isinstance(outcome, Later)
        assert outcome.why == f"{host} is left alone for a moment: the service answered 503"
        assert not outcome.tried
        assert 0 < (outcome.after or 0) <= 2
    assert taken == Delivered("answered 201")


def test_a_user_without_a_browser_is_refused_with_the_way_out(ready: Notifycli) -> None:
    assert sent(ready, "hello") == [
        Refused("no browser is subscribed", "notifycli push subscribe -u jane@example.com")
    ]


def test_a_service_that_is_slow_or_away_is_asked_later(
    ready: Notifycli, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(ready, f"{service.origin}/slow")
    service.answers["/slow"] = Answer(201, after=5)
    # Who refuses at once has all the time that a busy machine needs.
    with monkeypatch.context() as patch:
        patch.setattr(push, "_TIMEOUT", ClientTimeout(total=0.2))
        assert sent(ready, "hello") == [Later("127.0.0.1 didn't answer in time")]
    ready.ok("push", "remove", "1")
    subscribe(ready, "http://127.0.0.1:9/away")
    assert sent(ready, "hello") == [Later("127.0.0.1 can't be reached: Connection refused")]


def test_one_signature_serves_an_origin_for_an_hour(
    ready: Notifycli, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(ready, f"{service.origin}/a")
    clock = time.time()

    async def send(sender: PushSender) -> None:
        async with sender:
            for later in (0, 3599, 3601):
                monkeypatch.setattr(time, "time", lambda moment=clock + later: moment)
                await sender.send(notice())

    with PushService() as other:
        subscribe(ready, f"{other.origin}/b")
        with open_store(ready.store) as store:
            asyncio.run(send(open_sender(store)))
    of_services = [
        [taken.headers["Authorization"] for taken in each.taken] for each in (service, other)
    ]
    for first, second, third in of_services:
        assert first == second
        assert first != third
    assert of_services[0][0] != of_services[1][0]


def test_requests_share_their_connections(ready: Notifycli, service: PushService) -> None:
    subscribe(ready, f"{service.origin}/a")
    sent(ready, *map(str, range(10)))
    assert len(service.taken) == 10
    assert len(service.connections) == 1


def deliverable(desk: Notifycli) -> list[Json]:
    mention: Json = {
        "event": "message_created",
        "id": 1,
        "account_id": 1,
        "conversation": {"id": 42, "inbox_id": 3},
        "content": "[@Jane](mention://user/7/Jane) look",
        "private": True,
        "message_type": "outgoing",
        "sender": {"id": 8, "type": "user"},
    }
    desk.ok("prefs", "set", "push.mention=on", "-u", "7")
    desk.write_events("events.jsonl", [mention])
    found = desk.ok("simulate", "events.jsonl", "--channel", "push", "-q").records
    return [{"user_id": item["user_id"], "deliverable": item["deliverable"]} for item in found]


def test_a_push_is_deliverable_once_a_browser_is_subscribed(
    ready: Notifycli, service: PushService
) -> None:
    assert deliverable(ready) == [{"user_id": 7, "deliverable": False}]
    subscribe(ready, f"{service.origin}/a")
    assert deliverable(ready) == [{"user_id": 7, "deliverable": True}]


def test_nothing_of_a_subscription_that_opens_anything_is_shown(
    ready: Notifycli, service: PushService
) -> None:
    agent = replace(UserAgent(), auth=b"CanaryOfTheAuth!")
    subscribe(ready, f"{service.origin}/CanaryOfTheEndpoint", agent)
    shown = [
        ready.ok("push", "list", "-o", kind) for kind in ("table", "json", "jsonl", "csv", "tsv")
    ]
    shown += [ready("push", "test", "-u", "7"), ready("user", "list"), ready("doctor")]
    given = agent.subscription("https://127.0.0.1/CanaryOfTheEndpoint")
    shown.append(ready("push", "add", "-u", "7", stdin=given))
    secrets = ("CanaryOfTheEndpoint", json.loads(given)["keys"]["auth"])
    for result in shown:
        assert not [s for s in secrets if s in result.stdout.decode() + result.stderr]
