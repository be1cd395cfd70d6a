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

`in_order` drives the same pass in one process, and `Partner` in one of several. All give
the same to the byte. What is due between events (`Pass.timed`) hangs on the times of all events of
the account: then that is undivided. Nothing here reads a file or starts a process, and `Share` and
`Told` can be encoded.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from notifycli.events.event import PRESENCE, Event
from notifycli.rules.replay import Replay, due_after, due_before, in_time
from notifycli.rules.state import Clock, Sign, sign_of

T = TypeVar("T")
Made_co = TypeVar("Made_co", covariant=True)
Clocks = dict[int, Clock]
"""The time at some place of a log, by account."""
LAG = 2
"""The rounds after which `Partner` folds one."""
PLACES = 32
"""The bits of an event's place in its part; the part's number in its round is before them."""


class Pass(Protocol[Made_co]):
    """What is made of events in one pass over them."""

    @property
    def replay(self) -> Replay:
        """What tells which events are news, and whose clocks run."""

    @property
    def timed(self) -> Sequence[Replay]:
        """The replays in which anything may be due between events: none, if nothing ever is."""

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
    """Return what a pass makes of events, whole and in their order, and of what is due between."""
    if one.timed:
        events = in_time(events, one.timed)
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
    meet = replay.meet
    pairs = zip(share.places, share.events, strict=True)
    return [place for place, event in pairs if meet(event) is None]


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
        at = event.at
        if at is not None:
            clock.go_on(at)
        elif clock.last is not None:
            at = told.times[place] = clock.last
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
            yield from _keep(one, sign, clocks)
            sign = next(signs)
        for due in due_before(event, one.timed) if one.timed else ():
            if (made := make(due, news=True)) is not None:
                yield place, made
        news = place not in repeats
        if event.at is None and news:
            event.at = times.get(place, _last(clocks, event.account or 0))
        made = make(event, news=news)
        if made is not None:
            yield place, made
    while sign is not _END:
        yield from _keep(one, sign, clocks)
        sign = next(signs)


_END = Sign(0, None, place=1 << 62)


def _keep(one: Pass[T], sign: Sign, clocks: Clocks) -> Iterator[tuple[int, T]]:
    """Keep a sign, and return what is made of what is due directly after its event."""
    if sign.at is None:
        sign.at = _last(clocks, sign.account)
    one.keep(sign)
    for due in due_after(sign.account, one.timed) if one.timed else ():
        if (made := one.fold(due, news=True)) is not None:
            yield sign.place, made


def _last(clocks: Clocks, account: int) -> int | None:
    return clocks[account].last if account in clocks else None


def carry(clocks: Clocks, told: Told) -> None:
    """Go on to the end of the part that has told this."""
    for account, clock in told.clocks.items():
        clocks.setdefault(account, Clock()).follow(clock)


class _Letter(Struct, array_like=True):
    """What one partner tells another in a round."""

    share: Share
    """What the other has to fold of the part that was read."""
    lines: tuple[int, bool, str | None]
    """How many the part has, whether they are counted from 1, and the file's name."""
    repeats: list[int]
    """What had come before, in the other's part of the last round, of what the one folds."""
    told: Raw
    """What the one's part of the last round but one tells."""


class Partner:
    """One of several who share a pass: in each round they write to each other once.

    The part that one has read is dealt out in a round, in the next one learns which of it had come
    before, and in the one after the others learn what it tells: then all of them fold it.
    """

    def __init__(self, one: CountingPass[Any], who: int, size: int) -> None:
        self._one = one
        self._undivided = one.undivided()
        self._who = who
        self._size = size
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(_Letter).decode
        self._decode_told = msgspec.msgpack.Decoder(Told).decode
        self._clocks: Clocks = {}
        self._lines = 0
        nothing = [(Share(), list[int]())] * size
        self._parts = deque[list[Event]]([[]])
        """Its own, of the last round."""
        self._shares = deque([nothing] * LAG)
        """Of each part of the last rounds: what it has to fold, and what of that came before."""
        self._told = Raw(self._encode(Told()))
        self._own = _Letter(Share(), (0, True, None), [], self._told)

    def write(self, events: list[Event], lines: tuple[int, bool, str | None]) -> Iterator[bytes]:
        """Return what to send to each of the others, in their order, of the part that was read.

        `lines` is how many it has, whether they are counted from 1, and the file's name.
        """
        fallback = self._one.replay.fallback
        shares = deal(events, fallback, self._size, self._who, self._undivided)
        self._parts.append(events)
        for who, (share, (_, repeats)) in enumerate(zip(shares, self._shares[-1], strict=True)):
            letter = _Letter(share, lines, repeats, self._told)
            if who == self._who:
                self._own = letter
            else:
                yield self._encode(letter)

    def read(self, received: Sequence[bytes]) -> Iterator[tuple[int, Any]]:
        """Return what is made of its share of the round `LAG` before, by part and place."""
        letters = [self._decode(letter) for letter in received]
        letters.insert(self._who, self._own)
        dealt = []
        for letter in letters:
            lines, first, file = letter.lines
            before = 0 if first else self._lines
            self._lines = before + lines
            for event in letter.share.events:
                event.line += before
                event.file = file
            dealt.append((letter.share, find_repeats(self._one.replay, letter.share)))
        self._shares.append(dealt)
        repeats = {place for letter in letters for place in letter.repeats}
        self._told = Raw(self._encode(tell(self._parts.popleft(), repeats)))
        return self._fold([self._decode_told(letter.told) for letter in letters])

    def _fold(self, told: list[Told]) -> Iterator[tuple[int, Any]]:
        shares = zip(self._shares.popleft(), told, strict=True)
        for part, ((share, repeats), of_part) in enumerate(shares):
            made = fold(self._one, share, frozenset(repeats), of_part, self._clocks)
            yield from ((part << PLACES | place, each) for place, each in made)
            carry(self._clocks, of_part)

    def counted(self) -> Any:
        """Return what was counted: what is everybody's by one of them alone."""
        if self._who == 0:
            assumed = self._one.replay.assumptions
            assumed.times_back += sum(clock.steps_back for clock in self._clocks.values())
        return self._one.counted()
