"""Several senders at one outbox: each notice is leased by one of them, and in its turn."""

from __future__ import annotations

import threading

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
                leased = store.outbox.turn(owner, [], 4, EVERY_CHANNEL, 2, FAR, renew=False)
                sent.extend(notice.message_id or 0 for notice in leased)
                done = [Settled(notice.id, NoticeState.SENT, 2) for notice in leased]
                store.outbox.turn(owner, done, 0, EVERY_CHANNEL, 2, FAR, renew=False)

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
