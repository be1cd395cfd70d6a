"""Count who would be notified in logs, each read and each share of it folded where Dask likes.

python examples/dask_replay.py DIRECTORY PREFERENCES EVENTS...

DASK_SCHEDULER_ADDRESS names a cluster that is there; without it, processes of this machine are one.
"""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from pathlib import Path

import msgspec
from dask.distributed import Client

import notifycli
from notifycli.events.event import Event
from notifycli.replay.fold import Clocks, Share, Told, carry, deal, find_repeats, fold, tell
from notifycli.replay.scan import read_events
from notifycli.replay.sources import BadLines, Inputs
from notifycli.rules.counts import Counts
from notifycli.rules.state import Sign

Desk = tuple[notifycli.Directory, notifycli.Preferences]
encode = msgspec.msgpack.encode
"""What is told from task to task isn't shared by them: folding completes events."""


class Counting:
    """A pass that merely counts."""

    def __init__(self, desk: Desk) -> None:
        self.replay = notifycli.Replay.of(*desk)
        self.timed = [self.replay] if self.replay.has_deadlines else []

    def fold(self, event: Event, *, news: bool) -> None:
        """Count what an event comes to."""
        if news:
            self.replay.fold(event)

    def keep(self, sign: Sign) -> None:
        """Keep who is there."""
        self.replay.account(sign.account).keep(sign)


def scan(log: str, shares: int, undivided: Collection[int]) -> list[bytes]:
    """Return a log's events, dealt by conversation to so many, or whole where they are linked."""
    events = read_events(Inputs((log,), lambda: 0), BadLines(print))
    return [encode(share) for share in deal(events, 1, shares, undivided=undivided)]


def repeated(desk: Desk, dealt: Sequence[bytes]) -> list[list[int]]:
    """Return for each log the places of a share's events that came before."""
    replay = Counting(desk).replay
    return [find_repeats(replay, _share(one)) for one in dealt]


def told_by(part: Sequence[bytes], repeats: Iterable[Sequence[int]]) -> bytes:
    """Return what a log tells those who fold any of its events."""
    shares = map(_share, part)
    placed = chain.from_iterable(zip(one.places, one.events, strict=True) for one in shares)
    events = [event for _, event in sorted(placed, key=itemgetter(0))]
    return encode(tell(events, {*chain.from_iterable(repeats)}))


def count(desk: Desk, dealt: Iterable[bytes], told: Iterable[bytes]) -> Counts:
    """Fold one share of every log, in their order."""
    one, clocks = Counting(desk), Clocks()
    for share, said in zip(map(_share, dealt), map(_told, told), strict=True):
        for _ in fold(one, share, find_repeats(one.replay, share), said, clocks):
            pass
        carry(clocks, said)
    return one.replay.counts()


def _share(block: bytes) -> Share:
    return msgspec.msgpack.decode(block, type=Share)


def _told(block: bytes) -> Told:
    return msgspec.msgpack.decode(block, type=Told)


def replay(client: Client, desk: Desk, logs: Sequence[str]) -> Counts:
    """Return the counts of logs, in their order, by as many shares as there are logs."""
    shares = range(len(logs))
    known, linked = client.scatter(desk, broadcast=True), Counting(desk).replay.undivided()
    parts = [client.submit(scan, log, len(logs), linked) for log in logs]
    dealt = [[client.submit(itemgetter(share), part) for part in parts] for share in shares]
    repeats = [client.submit(repeated, known, dealt[share]) for share in shares]
    of_part = [[client.submit(itemgetter(n), each) for each in repeats] for n in shares]
    told = [client.submit(told_by, part, of_part[n]) for n, part in enumerate(parts)]
    counted = [client.submit(count, known, dealt[share], told) for share in shares]
    whole = Counts()
    for one in client.gather(counted):
        whole.merge(one)
    return whole


if __name__ == "__main__":
    if not (logs := sys.argv[3:]):
        sys.exit("usage: python examples/dask_replay.py DIRECTORY PREFERENCES EVENTS...")
    directory, preferences = sys.argv[1:3]
    desk = notifycli.read_directory(Path(directory))
    wanted = notifycli.read_preferences(Path(preferences), desk)
    with Client(dashboard_address=None) as client:
        counts = replay(client, (desk, wanted), logs)
    for record in counts.by_user():
        sys.stdout.write(msgspec.json.encode(record).decode() + "\n")
