"""From events to the outbox: whatever gives events, this writes the notices that they lead to.

feeder = Feeder(store, fallback_account, Terms(...), channels)
for line in …:
    feeder.take(line, number)     # raises EventError for a line that is no event
feeder.write()                    # all of them in one transaction
"""

from __future__ import annotations

import time
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress

import msgspec
from msgspec import Struct, field

from notifycli import __version__
from notifycli.delivery.engine import Channels
from notifycli.errors import DataError
from notifycli.events.content import Said, change_key, event_key, read_said, wait_key
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Due, Event
from notifycli.events.timestamps import SECOND
from notifycli.rules.decision import Decision, RecipientFields, Selection, join_fields
from notifycli.rules.notifications import WAITING_TYPES, Channel, NotificationType
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.replay import Account, Evaluation, Replay, event_fields, in_time
from notifycli.rules.state import AccountState, Wait
from notifycli.store.outbox import FilePosition, OutboxEntry
from notifycli.store.received_events import AccountPlace
from notifycli.store.store import Store

HOUR = 3_600 * SECOND
AGE_OF_UNTIMED = 365 * 24 * HOUR
"""How old an event counts that doesn't say when it was: it may be of a log of years."""
EVENTS_BETWEEN = 1_000
"""After how many events what was kept of an account is written for whoever takes over."""
SECONDS_BETWEEN = 3_600.0
"""The same in time, where fewer come: what is older can be forgotten."""
_REFRESH_SECONDS = 1.0
_MOST_NAMED = 100
"""The conversations that a digest tells of one by one."""
_LONGEST_LINE = 200
_CHANGES: dict[str, str] = {
    NotificationType.ASSIGNMENT: "assignee_id",
    NotificationType.TEAM_ASSIGNMENT: "team_id",
}
"""What changed in an event that leads to a notification of the type."""
_NOT_KEPT = Said(text="[not kept here any more]")


class _Packed(Struct, array_like=True):
    """What a replay has kept of an account, and the version of the program that wrote it."""

    program: str
    state: bytes


def pack_state(state: AccountState) -> bytes:
    """Write what a replay has kept of an account for another process."""
    packed = _Packed(__version__, state.encode())
    return zlib.compress(msgspec.msgpack.encode(packed), level=1)


def unpack_state(data: bytes) -> AccountState:
    """Read what `pack_state` wrote.

    Raises `DataError` for what another version of the program wrote: it may have kept something
    else, and called it the same.
    """
    try:
        packed = msgspec.msgpack.decode(zlib.decompress(data), type=_Packed)
        if packed.program != __version__:
            raise DataError(f"it was written by notifycli {packed.program}")
        return AccountState.decode(packed.state)
    except (zlib.error, msgspec.DecodeError):
        raise DataError("it is damaged") from None


class Terms(Struct, frozen=True):
    """Which decisions are to be delivered."""

    selection: Selection = Selection()
    max_age: int = HOUR
    """How old an event may be, in microseconds."""
    limit: int | None = None
    """How many notices may be written."""


class Fed(Struct):
    """What has become of the decisions that fired."""

    events: int = 0
    written: Counter[Channel] = field(default_factory=Counter)
    known: Counter[Channel] = field(default_factory=Counter)
    """They were written before: the event has been received again."""
    old: Counter[Channel] = field(default_factory=Counter)
    untimed: Counter[Channel] = field(default_factory=Counter)
    """Old, as far as anybody can tell: their events don't say when they were."""
    undeliverable: Counter[Channel] = field(default_factory=Counter)
    """No address, no subscription."""
    closed: Counter[Channel] = field(default_factory=Counter)
    """Their channel isn't set up."""
    beyond: Counter[Channel] = field(default_factory=Counter)
    """They came after the limit."""
    overtaken: Counter[Channel] = field(default_factory=Counter)
    """Their customers wait no longer."""


def wall_clock() -> int:
    """Return the present moment, in microseconds since 1970 UTC."""
    return time.time_ns() // 1_000


class Enqueuer:
    """Replays events with what the store holds, and writes what fires to its outbox."""

    def __init__(
        self,
        store: Store,
        fallback_account: int,
        terms: Terms,
        channels: Channels,
        profile_of: Callable[[int], Profile] = lambda _: NOTIFYCLI,
        *,
        clock: Callable[[], int] | None = None,
    ) -> None:
        """`profile_of` tells whose rules an account follows; `clock` is the one on the wall."""
        self._store = store
        self._profile_of = profile_of
        self._accounts: dict[int, Account] = {}
        self._version = store.outbox.version()
        self._looked = time.monotonic()
        self._refresh()
        self.replay = Replay(self._accounts, fallback_account, terms.selection)
        self.replay.clock = clock
        self._terms = terms
        self.channels = channels
        self._entries: list[tuple[OutboxEntry, Decision]] = []
        self._identities: set[tuple[object, ...]] = set()
        """Of what is kept; in a dry run, of all that was."""
        self._kept_at: dict[int, float] = {}
        self._since_kept: Counter[int] = Counter()
        self._room = terms.limit
        self._asked: dict[tuple[int, int], Said] = {}
        """What the customers say who wait for a reply, by account and conversation."""
        self._taken_over: set[int] = set()
        """Accounts of the log of several hosts, gone on with from what another has kept."""
        self._overtaken: set[bytes] = set()
        """What tells of waits that have ended, by the keys of events."""
        self.fed = Fed()

    def resume(self, account: int, state: AccountState) -> None:
        """Go on with an account of the store's log from what another process has kept of it."""
        self._taken_over.add(account)
        self.replay.account(account).resume(state)

    def fold(self, line: bytes, number: int, account: int | None = None) -> None:
        """Keep what an event changes, and deliver nothing; otherwise as `take`."""
        for event in in_time((self._read(line, number, account),), (self.replay,)):
            self.replay.evaluate(event)
            if not isinstance(event, Due):
                self._note(self.replay.account(event.account or 0), event, line)

    def _read(self, line: bytes, number: int, account: int | None) -> Event:
        event = decode_event(line, number)
        if account is not None:
            event.account = event.account or account
            self._since_kept[account] += 1
        return event

    def take(self, line: bytes, number: int, account: int | None = None) -> None:
        """Replay an event, and keep the notices that it leads to until they are written.

        `account` is whose it is in the log of several hosts.
        Raises `EventError`, after which the next line can be taken.
        """
        event = self._read(line, number, account)
        own_time = event.at
        for due in self.replay.due_before(event):
            self._take_due(due)
        waited = self._wait(event)
        evaluation = self.replay.evaluate(event)
        if waited is not None and waited != self._wait(event):
            self._overtaken.update(wait_key(waited[0], t, *waited[1:]) for t in WAITING_TYPES)
        self.fed.events += 1
        fired = [] if evaluation is None else self._selected(evaluation)
        if fired:
            self._keep(fired, event, own_time, line)
        met = self._accounts.get(event.account or 0)
        if met is not None and event.conversation is not None:
            self._note(met, event, line)
            self.channels.see(event, met.conversations[event.conversation].assignee)
        for due in self.replay.due_after(event.account or 0):
            self._take_due(due)

    def pass_to(self, moment: int) -> None:
        """Keep the notices of what is due before a moment that the clock on the wall has reached.

        All events that came before that moment have been taken.
        """
        for due in self.replay.due_at(moment):
            self._take_due(due)

    def _take_due(self, due: Due) -> None:
        """Keep the notices that a deadline leads to."""
        told = self._tell(due) if due.user else None
        evaluation = self.replay.evaluate(due)
        fired = [] if evaluation is None else self._selected(evaluation)
        if fired:
            self._keep(fired, due, due.at, b"", told or self._question(due))

    def _question(self, due: Due) -> Said:
        """Return what a customer says who waits for a reply."""
        account, conversation = due.account or 0, due.conversation or 0
        asked = self._asked.get((account, conversation))
        if asked is None and account in self._taken_over:
            # What another process has kept holds no texts, but the number of the event.
            asked = _read_again(self._store.received.body(account, due.line), due)
        return asked or _NOT_KEPT

    def _wait(self, event: Event) -> tuple[int, int, int] | None:
        """Return account, conversation and beginning of the wait that runs where an event is."""
        id_, conversation = self.replay.account_of(event), event.conversation
        account = self._accounts.get(id_)
        if account is None or account.evaluator.waits is None or conversation is None:
            return None
        kept = account.conversations.get(conversation)
        if kept is None or kept.wait is None or kept.wait.since is None:
            return None
        return id_, conversation, kept.wait.since

    def _note(self, account: Account, event: Event, line: bytes) -> None:
        """Keep of what waits, for a reply or a digest, whom it is with, and what was said."""
        withheld, id_, message = account.withheld, event.conversation, event.message
        if account.has_deadlines and message is not None and id_ is not None:
            self._note_wait((event.account or 0, id_), account.conversations[id_].wait, event, line)
        if id_ is None or not withheld.of_users or not withheld.holds(id_):
            return
        silent = message is None or message.private
        if silent and id_ in withheld.said:
            return
        said, (contact, _) = read_said(line, event), withheld.said.get(id_, ("", ""))
        text = "" if silent else " ".join(said.text.split())[:_LONGEST_LINE]
        withheld.said[id_] = said.contact or contact, text

    def _note_wait(
        self, place: tuple[int, int], wait: Wait | None, event: Event, line: bytes
    ) -> None:
        """Keep what a customer says who waits for a reply, as long as they do."""
        if wait is None:
            self._asked.pop(place, None)
        elif wait.message == event.message_id:
            self._asked[place] = read_said(line, event)

    def _tell(self, due: Due) -> Said:
        """Return what a digest says: a line for each conversation, which begins with its number."""
        known = self.replay.account(due.account or 0).withheld.said
        lines = []
        for id_, _ in due.told[:_MOST_NAMED]:
            contact, text = known.get(id_, ("", ""))
            lines.append(": ".join(filter(None, (f"#{id_} {contact}".strip(), text))))
        if len(due.told) > _MOST_NAMED:
            lines.append(f"and {len(due.told) - _MOST_NAMED} more")
        return Said(text="\n".join(lines))

    def _selected(self, evaluation: Evaluation) -> list[RecipientFields]:
        """Return what is to be delivered, of what fires."""
        fired, selection = evaluation.fired, self._terms.selection
        if selection.takes_every_kind():
            return fired
        account, takes = evaluation.event.account or 0, selection.takes_kind
        return [one for one in fired if takes(account, one.user_id, one.channel, one.type)]

    def pending(self) -> list[Decision]:
        """Give the decisions that are kept to be written and weren't ever before; for a dry run."""
        if not self._entries:
            return []
        new = [d for entry, d in self._entries if not self._store.outbox.has(entry)]
        self.fed.written.update(decision.channel for decision in new)
        self._entries.clear()
        self._overtaken.clear()
        return new

    def write(
        self,
        place: tuple[str, FilePosition] | None = None,
        reached: Collection[AccountPlace] = (),
        *,
        whole: bool = True,
    ) -> int:
        """Write the notices that are kept, and how far what is followed was read; gives how many.

        What the replay has kept of an account is written too, now and then. It must not be ahead
        of the place: `whole` says that no event was broken off in the midst.
        Raises the store's errors; then they are kept still.
        """
        if whole:
            reached = [self._with_state(one) for one in reached]
        if not (self._entries or self._overtaken or reached) and place is None:
            return 0
        entries, outbox = [entry for entry, _ in self._entries], self._store.outbox
        new, overtaken = outbox.write(entries, outbox.now(), place, reached, self._overtaken)
        self.fed.overtaken.update(overtaken)
        self.fed.written.update(entry.channel for entry in new)
        self.fed.known.update(entry.channel for entry in entries)
        self.fed.known.subtract(entry.channel for entry in new)
        self._entries.clear()
        self._identities.clear()
        self._overtaken.clear()
        for one in reached:
            if one.state is not None:
                self._kept_at[one.account] = time.monotonic()
                self._since_kept[one.account] = 0
        return len(new)

    def _with_state(self, reached: AccountPlace) -> AccountPlace:
        """Add what was kept of the account, if it is time.

        The more there is of it, the rarer, so that an event costs the same.
        """
        account = reached.account
        state, last = self.replay.account(account).state, self._kept_at.get(account)
        enough = self._since_kept[account] >= max(EVENTS_BETWEEN, len(state.conversations))
        if not enough and last is not None and time.monotonic() - last < SECONDS_BETWEEN:
            return reached
        return reached._replace(state=pack_state(state))

    def keep_up(self) -> None:
        """Take over what others have changed of preferences and directory meanwhile."""
        now = time.monotonic()
        if now - self._looked < _REFRESH_SECONDS:
            return
        self._looked = now
        version = self._store.outbox.version()
        if version != self._version:
            self._version = version
            self._refresh()

    def _refresh(self) -> None:
        for name in self._store.accounts():
            directory = self._store.directory(name.id)
            preferences = self._store.preferences(name.id)
            account = self._accounts.get(name.id)
            if account is None:
                profile = self._profile_of(name.id)
                self._accounts[name.id] = Account(directory, preferences, profile)
            else:
                account.take_over(directory, preferences)

    def _keep(
        self,
        fired: Iterable[RecipientFields],
        event: Event,
        own_time: int | None,
        line: bytes,
        said: Said | None = None,
    ) -> None:
        own_age = AGE_OF_UNTIMED if own_time is None else self._store.outbox.now() - own_time
        too_old = None
        if own_age > self._terms.max_age:
            too_old = self.fed.untimed if own_time is None else self.fed.old
        fields = key = None
        for recipient in fired:
            channel = recipient.channel
            if too_old is not None:
                too_old[channel] += 1
            elif not recipient.deliverable:
                self.fed.undeliverable[channel] += 1
            elif not self.channels.takes(channel):
                self.fed.closed[channel] += 1
            else:
                fields = fields or event_fields(event)
                said = said or read_said(line, event)
                key = key or event_key(event, own_time, line)
                decision = join_fields(fields, recipient)
                entry = _entry(decision, event, key, said)
                self._admit(self._apart(entry, own_time, line), decision)

    def _apart(self, entry: OutboxEntry, own_time: int | None, line: bytes) -> OutboxEntry:
        """Tell a change apart from others in its second, where the server tells no parts of it."""
        attribute = _CHANGES.get(entry.type)
        if attribute is None or own_time is None or own_time % SECOND:
            return entry
        changed = change_key(entry.event_key, attribute, line)
        # Earlier versions knew it by the time alone, and what they sent is not sent again.
        if changed is None or self._store.outbox.has(entry):
            return entry
        return entry._replace(event_key=changed)

    def _admit(self, entry: OutboxEntry, decision: Decision) -> None:
        identity = (entry.event_key, entry.user_id, entry.type, entry.channel)
        # What was written before takes no room; without a limit, writing finds that out.
        if identity in self._identities or (
            self._room is not None and self._store.outbox.has(entry)
        ):
            self.fed.known[entry.channel] += 1
            return
        if self._room is not None:
            if not self._room:
                self.fed.beyond[entry.channel] += 1
                return
            self._room -= 1
        self._identities.add(identity)
        self._entries.append((entry, decision))


def _read_again(body: str | None, due: Due) -> Said | None:
    """Read what the customer's message says that a deadline goes back to; `None` if that's gone."""
    if body is None:
        return None
    line = body.encode()
    with suppress(EventError):
        event = decode_event(line, due.line)
        if (event.conversation, event.message_id) == (due.conversation, due.message_id):
            return read_said(line, event)
    return None


def _entry(decision: Decision, event: Event, key: bytes, said: Said) -> OutboxEntry:
    return OutboxEntry(
        event_key=key,
        account_id=decision.account_id,
        user_id=decision.user_id,
        type=decision.type,
        channel=decision.channel,
        event=decision.event,
        conversation_id=decision.conversation_id,
        inbox_id=decision.inbox_id,
        inbox_name=said.inbox,
        message_id=decision.message_id,
        at=event.at,
        contact=said.contact,
        author=said.author,
        text=said.text,
    )
