"""Several senders at one outbox: each notice is leased by one of them, and in its turn."""

from __future__ import annotations

import threading
from functools import partial

from notifycli.rules.notifications import Channel
from notifycli.store.outbox import EVERY_CHANNEL, NoticeState, Settled
from notifycli.store.store import Store

from .engines import Engine
from .test_outbox import entry

SENDERS = 3
NOTICES = 60
FAR = 10**6


def test_each_notice_is_sent_by_one_sender_and_in_the_order_of_its_conversation(
    engine: Engine, url: str
) -> None:
    sent: list[int] = []
    with engine.open(url) as store:
        entries = [entry(key, 7 + key % 2, Channel.EMAIL, key % 5) for key in range(NOTICES)]
        store.outbox.write(entries, 1)

    def send(store: Store, owner: str) -> None:
        with store:
            while store.outbox.open_count(EVERY_CHANNEL):
                leased = store.outbox.turn(owner, [], 4, EVERY_CHANNEL, 2, FAR, ())
                sent.extend(notice.message_id or 0 for notice in leased)
                done = [Settled(notice.id, NoticeState.SENT, 2) for notice in leased]
                store.outbox.turn(owner, done, 0, EVERY_CHANNEL, 2, FAR, ())

    # Each is opened in the thread that uses it: SQLite's driver insists.
    senders = [
        threading.Thread(target=lambda name=str(n): send(engine.open(url), name))
        for n in range(SENDERS)
    ]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()

    assert sorted(sent) == list(range(NOTICES))
    for line in range(10):
        of_line = [key for key in sent if key % 10 == line]
        assert of_line == sorted(of_line)


def test_who_waited_for_its_turn_leaves_what_was_leased_meanwhile(engine: Engine) -> None:
    with engine.open() as store:
        turn = partial(store.outbox.turn, scope=EVERY_CHANNEL, renew=())
        store.outbox.write([entry(1, 7, Channel.EMAIL, 1), entry(2, 7, Channel.EMAIL, 2)], 1)
        [first, second] = turn("quick", [], 2, now=20, lease_until=30)
        assert turn("waited", [], 2, now=19, lease_until=29) == []
        later = Settled(first.id, NoticeState.PENDING, 90, "busy")
        turn("quick", [later, Settled(second.id, NoticeState.SENT, 21)], 0, now=21, lease_until=31)
        assert turn("waited", [], 2, now=20, lease_until=30) == []
        assert [one.id for one in turn("waited", [], 2, now=90, lease_until=100)] == [first.id]
