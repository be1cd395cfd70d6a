"""One fold, shared out by conversation: the functions that every way of replaying drives.

An event has to do with others in three ways. What came before in its conversation is kept by
whoever folds the conversation. Who is there is told by signs, which go to everybody. And the time
of an event that has none is that of the one before. So a log can be cut into parts anywhere, and
conversations be given to as many as there are to fold them:

    deal    scan: a part's events, by who folds their conversations
    find_repeats  of what was dealt from a part: the places of events that tell nothing new
    tell    scan, once repeats are known: a part's clocks, the times that it completes, its signs
    fold    of what was dealt from a part, in the order of parts: what a pass makes of each event
    carry   from part to part: the clocks
    merge   of what was counted, as `Counts.merge` does

`in_order` drives the same pass in one process, and `notifycli.replay.parallel` in several. All give
the same to the byte. Nothing here reads a file or starts a process, and `Share` and `Told` can be
encoded.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any, Protocol, TypeVar

from msgspec import Struct, field

from notifycli.events.event import PRESENCE, Event
from notifycli.rules.replay import Replay
from notifycli.rules.state import Clock, Sign, sign_of

T = TypeVar("T")
Made_co = TypeVar("Made_co", covariant=True)
Clocks = dict[int, Clock]
"""The time at some place of a log, by account."""


class Pass(Protocol[Made_co]):
    """What is made of events in one pass over them."""

    @property
    def replay(self) -> Replay:
        """What tells which events are news, and whose clocks run."""

    def fold(self, event: Event, *, news: bool) -> Made_co | None:
        """Return what is made of an event; of one that is no news, nothing may be decided."""

    def keep(self, sign: Sign) -> None:
        """Keep who is there, from the next event on."""


class CountingPass(Pass[Made_co], Protocol[Made_co]):
    """A pass that counts, too."""

    def undivided(self) -> Collection[int]:
        """Return the accounts whose conversations all have to be in one share."""

    def counted(self) -> Any:
        """Return what was counted, which can be pickled."""

    def merge(self, counted: Any) -> None:
        """Add what the same pass has counted of other events."""


class Share(Struct, array_like=True, gc=False):
    """The events of a part of a log that one folds."""

    places: list[int] = field(default_factory=list)
    """Their numbers among all events of the part, in ascending order."""
    events: list[Event] = field(default_factory=list)


class Told(Struct, array_like=True, gc=False):
    """What a part of a log tells those who fold any of its events."""

    clocks: Clocks = field(default_factory=dict)
    times: dict[int, int] = field(default_factory=dict)
    """Those that events without one get from others in the part, by place."""
    signs: list[Sign] = field(default_factory=list)
    """Those without a time get it from the parts before."""


def in_order(events: Iterable[Event], one: Pass[T]) -> Iterator[T]:
    """Return what a pass makes of events, whole and in their order."""
    admit, fold, keep = one.replay.admit, one.fold, one.keep
    for event in events:
        news = admit(event)
        made = fold(event, news=news)
        if news and (sign := sign_of(event)) is not None:
            keep(sign)
        if made is not None:
            yield made


def deal(
    events: Iterable[Event],
    fallback: int,
    shares: int,
    own: int = 0,
    undivided: Collection[int] = (),
) -> list[Share]:
    """Share out a part's events; those that are of no conversation go to the share `own`.

    The accounts that are `undivided` go to one share each. An event that names no account is of
    `fallback`, from now on.
    """
    dealt = [Share() for _ in range(shares)]
    for place, event in enumerate(events):
        if event.account is None:
            event.account = fallback
        share = dealt[own]
        if event.account in undivided:
            share = dealt[event.account % shares]
        elif event.conversation is not None and event.known and event.name != PRESENCE:
            share = dealt[(event.account + event.conversation) % shares]
        share.places.append(place)
        share.events.append(event)
    return dealt


def find_repeats(replay: Replay, share: Share) -> list[int]:
    """Return the places of events that tell nothing new; they are counted.

    Shares are to come in the order of their parts, each once, maybe long before they are folded.
    """
    is_news = replay.is_news
    pairs = zip(share.places, share.events, strict=True)
    return [place for place, event in pairs if not is_news(event)]


def tell(events: Iterable[Event], repeats: Collection[int]) -> Told:
    """Return what a part's events tell, but for the places of `repeats`. They have been dealt."""
    told = Told()
    clocks = told.clocks
    for place, event in enumerate(events):
        if not event.known or place in repeats:
            continue
        account = event.account or 0
        clock = clocks.get(account)
        if clock is None:
            clock = clocks[account] = Clock()
        at = clock.complete(event.at)
        if event.at is None and at is not None:
            told.times[place] = at
        if (sign := sign_of(event)) is not None:
            sign.place, sign.at = place, at
            told.signs.append(sign)
    return told


def fold(
    one: Pass[T], share: Share, repeats: Collection[int], told: Told, clocks: Clocks
) -> Iterator[tuple[int, T]]:
    """Return what a pass makes of a share, each with its place; `clocks` are of the parts before.

    Shares of parts are to be folded in their order, also where they hold no event.
    """
    make, times = one.fold, told.times
    signs = iter([*told.signs, _END])
    sign = next(signs)
    for place, event in zip(share.places, share.events, strict=True):
        while sign.place < place:
            _keep(one, sign, clocks)
            sign = next(signs)
        news = place not in repeats
        if event.at is None and news:
            event.at = times.get(place, _last(clocks, event.account or 0))
        made = make(event, news=news)
        if made is not None:
            yield place, made
    while sign is not _END:
        _keep(one, sign, clocks)
        sign = next(signs)


_END = Sign(0, None, place=1 << 62)


def _keep(one: Pass[T], sign: Sign, clocks: Clocks) -> None:
    if sign.at is None:
        sign.at = _last(clocks, sign.account)
    one.keep(sign)


def _last(clocks: Clocks, account: int) -> int | None:
    return clocks[account].last if account in clocks else None


def carry(clocks: Clocks, told: Told) -> None:
    """Go on to the end of the part that has told this."""
    for account, clock in told.clocks.items():
        clocks.setdefault(account, Clock()).follow(clock)
