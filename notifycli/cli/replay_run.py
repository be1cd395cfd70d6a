"""One pass over events: accounts as stored or proposed, what comes out, what had to be assumed."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from notifycli.cli.command import check_order, read_assignment
from notifycli.cli.inputs import open_document
from notifycli.cli.output import console
from notifycli.cli.session import Session, find_user, plural, quoted
from notifycli.cli.terminal import is_terminal
from notifycli.errors import UsageError
from notifycli.events.event import Due, Event
from notifycli.replay.scan import is_packed
from notifycli.replay.sources import BadLines, place_of, total_size
from notifycli.rules.counts import Changes, Counts, Insight
from notifycli.rules.decision import (
    Decision,
    EventFields,
    Outcome,
    RecipientFields,
    Selection,
    difference,
    join_fields,
    read_type,
)
from notifycli.rules.directory import User
from notifycli.rules.layers import Preferences, Wish, keys_locked_away, overlaid
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import Layer
from notifycli.rules.profile import NOTIFYCLI, OURS, Profile
from notifycli.rules.replay import Account, Evaluation, Replay, event_fields
from notifycli.rules.state import Assumptions, Sign
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.documents.preference_document import Placed
    from notifycli.report.findings import Observations

T = TypeVar("T")
_NAMED = 5
_WORTH_PACKING = 1 << 28
"""The bytes of a log from which on a second replay takes some time."""


class Run:
    """One pass over the input, and what it counts of the selected decisions.

    `replay` is of what is proposed, if anything is; `before` is then of what is stored, where that
    matters beside it. They are two replays, so that each has its own preferences and rules.
    """

    def __init__(
        self, replay: Replay, selection: Selection, bad: BadLines, before: Replay | None = None
    ) -> None:
        self.replay = replay
        self.changes = Changes()
        self.bad = bad
        self.events = 0
        self.observations: Observations | None = None
        """Where a report's is gathered, if there is to be one."""
        self.before = before
        self.selection = selection
        self._seen_elsewhere: frozenset[int] = frozenset()

    @property
    def has_digests(self) -> bool:
        """Whether anybody wants digests, on either side."""
        sides = [self.replay] if self.before is None else [self.before, self.replay]
        return any(one.digests is not None for side in sides for one in side.accounts.values())

    def insights(self) -> tuple[Insight, Insight]:
        """Give what was counted for the eye of both sides; of one, where only one was replayed."""
        after = self.replay.counts().insight
        before = after if self.before is None else self.before.counts().insight
        assert before is not None  # noqa: S101 - whoever asks has had it counted
        assert after is not None  # noqa: S101
        return before, after

    def users(self) -> dict[tuple[int, int], User]:
        """Return the users on record of whom decisions are selected, by account and id."""
        chosen, account = self.selection.users, self.selection.account
        return {
            (id_, user.id): user
            for id_, one in self.replay.accounts.items()
            for user in one.directory.users.values()
            if account in {None, id_} and (chosen is None or (id_, user.id) in chosen)
        }

    def rules(self) -> list[str]:
        """Give the profiles of what is compared, or of the one replay, unless all are ours."""
        sides = [self.replay] if self.before is None else [self.before, self.replay]
        named = [" and ".join(sorted(_rules(side))) for side in sides]
        return [] if {*named} <= {OURS, ""} else list(dict.fromkeys(named))

    def timed(self) -> list[Replay]:
        """Give the replays in which anything may be due between events."""
        sides = [self.replay] if self.before is None else [self.before, self.replay]
        return [side for side in sides if side.has_deadlines]

    def keep(self, sign: Sign) -> None:
        """Keep who is there, from the next event on."""
        accounts = self.replay.accounts
        (accounts.get(sign.account) or self.replay.account(sign.account)).keep(sign)
        if self.before is not None:
            self.before.account(sign.account).keep(sign)

    def count(self, event: Event) -> None:
        """Count what fires and what doesn't."""
        evaluation = self.replay.fold(event)
        if self.observations is not None:
            self._hold(event, None, evaluation)

    def recipients(
        self, event: Event, *, explain: bool
    ) -> tuple[EventFields, Sequence[RecipientFields]] | None:
        """Give what decisions are joined of, if there are any selected ones.

        They are those that fire and, to `explain` them, the others too.
        """
        evaluation = self.replay.fold(event)
        self._hold(event, None, evaluation)
        if evaluation is None:
            return None
        decided = self._select(event, evaluation.everything if explain else evaluation.fired)
        return (event_fields(event), decided) if decided else None

    def _select(self, event: Event, decided: list[RecipientFields]) -> list[RecipientFields]:
        if self.selection.takes_every_kind():
            return decided
        account, takes = event.account or 0, self.selection.takes_kind
        return [d for d in decided if takes(account, d.user_id, d.channel, d.type)]

    def _hold(self, event: Event, before: Evaluation | None, after: Evaluation | None) -> None:
        """Hold an event's selected decisions for a report."""
        if self.observations is None or before is after:
            return

        def select(everything: bool) -> tuple[list[RecipientFields], list[RecipientFields]]:
            # What fires no more is of interest too.
            whole = everything or before is not None
            first, second = (
                []
                if side is None
                else self._select(event, side.everything if whole else side.fired)
                for side in (before, after)
            )
            return first, second

        self.observations.hold(event, select)

    def compare(self, event: Event, *, explain: bool, changes: bool) -> list[Decision] | None:
        """Give selected decisions as proposed, and count what would become of any.

        They are the `changes` alone, or those that fire and, to `explain` them, the others too.
        """
        assert self.before is not None  # noqa: S101 - whoever compares has made both
        self.before.account(event.account or 0)  # it may be on no record
        before, after = self.before.fold(event), self.replay.fold(event)
        self._hold(event, before, after)
        if changes and _kinds(before) == _kinds(after):
            return None
        found: list[Decision] = []
        for was, is_now in self._pairs(event, before, after):
            changed = difference(was, is_now, explain=explain)
            if changed is not None:
                self.changes.add(changed)
            shown = changed if changes else is_now
            if shown is not None and (changes or explain or shown.outcome is Outcome.FIRE):
                found.append(shown)
        return found or None

    def _pairs(
        self, event: Event, before: Evaluation | None, after: Evaluation | None
    ) -> Iterator[tuple[Decision | None, Decision | None]]:
        """Give every selected decision of an event on both sides: one side may have it alone."""
        fields = event_fields(event)
        first, second = (
            {
                _kind(recipient): join_fields(fields, recipient)
                for recipient in self._select(event, side.everything if side else [])
            }
            for side in (before, after)
        )
        for kind in {**second, **first}:
            yield first.get(kind), second.get(kind)

    def undivided(self) -> set[int]:
        """Give the accounts whose conversations can't be folded apart from each other."""
        before = set() if self.before is None else self.before.undivided()
        return self.replay.undivided() | before

    def counted(self) -> _Counted:
        """Give what was counted."""
        before = None if self.before is None else self.before.counts()
        return _Counted(
            self.replay.counts(),
            before,
            self.changes,
            self.observations,
            self.events,
            self.conversations(),
            [*self.replay.accounts],
        )

    def merge(self, counted: _Counted) -> None:
        """Add what was counted of other events."""
        self.replay.merge(counted.after)
        if self.before is not None and counted.before is not None:
            self.before.merge(counted.before)
        self.changes.merge(counted.changes)
        if self.observations is not None and counted.observations is not None:
            self.observations.merge(counted.observations)
        self.events += counted.events
        self._seen_elsewhere |= counted.conversations
        for account in counted.accounts:
            self.replay.account(account)

    def conversations(self) -> frozenset[int]:
        """Give those that events of the selected account were of; none if it selects none."""
        if not self.selection.conversations:
            return frozenset()
        accounts, only = self.replay.accounts.items(), self.selection.account
        every = (account.conversations for id_, account in accounts if only in {None, id_})
        return self._seen_elsewhere.union(*every)

    def unmet(self) -> list[int]:
        """Give the selected conversations that no event was of."""
        return sorted(self.selection.conversations - self.conversations())


class _Counted(NamedTuple):
    """What a run counts of some events."""

    after: Counts
    before: Counts | None
    changes: Changes
    observations: Observations | None
    events: int
    conversations: frozenset[int]
    """Those that events were of, if any is selected."""
    accounts: list[int]


class RunPass(Generic[T]):
    """A run as a pass: what it makes of each event is to be shown."""

    def __init__(self, run: Run, make: Callable[[Event], T | None]) -> None:
        self.replay = run.replay
        self.timed = run.timed()
        self.keep = run.keep
        self.undivided = run.undivided
        self.counted = run.counted
        self.merge = run.merge
        self._run = run
        self._make = make

    def fold(self, event: Event, *, news: bool) -> T | None:
        """Return what is made of an event, which is counted."""
        run = self._run
        if type(event) is not Due:
            run.events += 1
        made = self._make(event) if news else None
        if run.observations is not None:
            run.observations.note(event)
        return made


def _rules(replay: Replay) -> set[str]:
    known = (account for account in replay.accounts.values() if account.directory.users)
    return {account.profile.name for account in known}


Kind = tuple[int, NotificationType, Channel]


def _kind(decided: RecipientFields) -> Kind:
    return decided.user_id, decided.type, decided.channel


def _kinds(evaluation: Evaluation | None) -> list[Kind]:
    return [] if evaluation is None else [_kind(fired) for fired in evaluation.fired]


def read_selection(
    channels: Iterable[str] | None,
    types: Iterable[str] | None,
    conversations: Iterable[int] | None,
    since: int | None,
    until: int | None,
) -> Selection:
    """Return what options select. Raises `UsageError` where no time is both."""
    check_order(since, until)
    return Selection(
        channels=frozenset(map(Channel, channels or ())),
        types=frozenset(map(read_type, types or ())),
        conversations=frozenset(conversations or ()),
        since=since,
        until=until,
    )


def accounts_of(
    session: Session,
    store: Store,
    profiles: Mapping[int, Profile],
    wishes: Wishes | None = None,
) -> dict[int, Account]:
    """Make the accounts of a replay, of what is stored; with wishes, of what is proposed."""
    accounts = {}
    for account in store.accounts():
        stored = store.preferences(account.id)
        held = stored if wishes is None else propose(session, account.id, stored, wishes)
        profile = profiles.get(account.id, NOTIFYCLI)
        accounts[account.id] = Account(store.directory(account.id), held, profile)
    return accounts


def select_users(session: Session, store: Store) -> frozenset[tuple[int, int]] | None:
    """Give the users that `-u` names, by account; `None` where it names nobody."""
    if not session.given_users:
        return None
    found = find_users(session, store, session.given_users)
    return frozenset((account, user.id) for account, users in found.items() for user in users)


@contextmanager
def progress_bar(
    session: Session, files: Sequence[str], *, wanted: bool | None
) -> Iterator[Callable[[int], None] | None]:
    """Show a progress bar if it is wanted; by default, where standard error is a terminal."""
    by_default = not session.quiet and is_terminal(sys.stderr)
    if not (by_default if wanted is None else wanted):
        yield None
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as bar:
        task = bar.add_task("replaying", total=total_size(files))
        yield lambda size: bar.advance(task, size)


def check_inboxes(asked: Iterable[int], known: Iterable[int], assumed: Assumptions) -> None:
    """Raise `UsageError` for an inbox that neither the directory nor an event of the replay has."""
    there = sorted(assumed.unknown_inboxes.union(known))
    for inbox in asked:
        if inbox not in there:
            listed = ", ".join(map(str, there)) or "none"
            raise UsageError(
                f"there is no inbox {inbox} in the directory or the events", f"there are: {listed}"
            )


def tell_unmet(session: Session, run: Run) -> bool:
    """Say which of the selected conversations no event was of, and which there are.

    Gives whether there is no other: what the events don't say of others need not be told then.
    """
    unmet, there = run.unmet(), sorted(run.conversations())
    if not unmet or not run.events:
        return False
    near = sorted({min(there, key=lambda id_: abs(id_ - one)) for one in unmet}) if there else []
    if len(there) > _NAMED:
        known = f"there are {len(there):,}, the nearest: {_listed(near)}"
    else:
        known = f"there are: {_listed(there) or 'none'}"
    session.info(f"no event is of conversation {_listed(unmet)}; {known}")
    return len(unmet) == len(run.selection.conversations)


def _listed(ids: Iterable[int]) -> str:
    return ", ".join(map(str, ids))


def tell_assumptions(session: Session, replay: Replay) -> None:
    """Say once what the events didn't say and the rules had to assume."""
    assumed = replay.assumptions
    for text in _sentences(assumed):
        session.info(text)
    numbered = _tell_numbers_there(session, replay)
    users = [str(user) for id_, user in sorted(assumed.unknown_agents) if id_ not in numbered]
    if users:
        more = ", …" if len(users) > _NAMED else ""
        session.info(
            f"{plural(len(users), 'agent')} in the events but not in the directory "
            f"({', '.join(users[:_NAMED])}{more}): notifycli directory learn EVENTS would add them"
        )
    if assumed.unknown_events:
        most = sorted(assumed.unknown_events.items(), key=lambda one: (-one[1], one[0]))
        named = ", ".join(f"{name} ({count})" for name, count in most[:_NAMED])
        count = plural(assumed.unknown_events.total(), "event")
        session.info(f"{count} with unknown names ignored: {named}")


def _tell_numbers_there(session: Session, replay: Replay) -> set[int]:
    """Say which accounts are on record under another number than the events have; give theirs."""
    empty = {id_ for id_, account in replay.accounts.items() if not account.directory.users}
    if not empty:
        return empty
    with session.store() as store:
        known = {c.remote_account_id: c for c in store.connections() if c.account_id not in empty}
    for there in sorted(empty & known.keys()):
        here = known[there].account_id
        session.warn(
            f"account {there} isn't on record here: account {here} is connected to the one of "
            f"that number at {known[there].url}; as events of account {here}: "
            f"jq -c '.account = {{id: {here}}}' EVENTS | notifycli simulate; "
            "notifycli chatwoot watch keeps them so"
        )
    return empty & known.keys()


def offer_to_pack(session: Session, files: Sequence[str]) -> None:
    """Say how a large log could be replayed again in less time."""
    if (total_size(files) or 0) >= _WORTH_PACKING and not all(map(is_packed, files)):
        session.info("to replay it again faster: notifycli events pack EVENTS -o FILE")


_COUNTED = {
    "assignments_by_unknown": (
        "assignment",
        "without performed_by: taken as made by somebody else",
    ),
    "creations_by_unknown": (
        "conversation",
        "created with an assignee, nobody knows by whom: taken as made by somebody else",
    ),
    "handovers_perhaps": (
        "hand-over",
        (
            "may have been a person who opened the conversation: say which inboxes have a bot: "
            """echo '{"inboxes": [{"id": 3, "bot": true}]}' | notifycli directory import -"""
        ),
    ),
    "messages_in_unknown_inboxes": (
        "message",
        (
            "in inboxes whose members are not on record: every user is taken to see them; "
            "add members: notifycli inbox add ID --member USER"
        ),
    ),
    "messages_in_inboxes_of_nobody": (
        "message",
        (
            "in inboxes whose members are not on record: only administrators are taken to see "
            "them, as in Chatwoot; add members: notifycli chatwoot pull"
        ),
    ),
    "came_twice": ("event", "that had come before: nobody is notified of it again"),
    "times_back": ("event", "more than a second older than the one before"),
    "automation_events": (
        "event",
        (
            "sent by automation rules or macros: they notify nobody here; for what they are about, "
            "tick Conversation Created, Conversation Updated, Conversation Status Changed and "
            "Message created in Chatwoot's Settings > Integrations > Webhooks"
        ),
    ),
}
"""What assumptions are of, and how each number of them reads."""


def _sentences(assumed: Assumptions) -> Iterator[str]:
    for name, (thing, told) in _COUNTED.items():
        if count := getattr(assumed, name):
            yield f"{plural(count, thing)} {told}"


Wishes = Mapping[int, list[Wish]]
"""By account, in the order in which they are laid over what is stored."""


class Proposal(NamedTuple):
    """The options that propose other preferences or rules; nothing stores them."""

    settings: tuple[str, ...]
    prefs: str | None
    rules: str | None

    @property
    def as_options(self) -> str:
        """The options as on a command line; nothing without any."""
        options = [("--set", setting) for setting in self.settings]
        options += [("--prefs", self.prefs)] if self.prefs is not None else []
        options += [("--rules", self.rules)] if self.rules is not None else []
        return " ".join(f"{option} {shlex.quote(value)}" for option, value in options)

    def wishes(self, session: Session, store: Store) -> Wishes | None:
        """Read the document's preferences, and over them the settings; `None` without any.

        Raises `UsageError` for a setting and `DataError` for a document that can't be read.
        """
        if not self.settings and self.prefs is None:
            return None
        wishes: dict[int, list[Wish]] = {account: [] for account in _accounts(session, store)}
        if self.prefs is not None:
            session.awaits(self.prefs)
            fallback = session.fallback_account(store)
            for placed in _read_document(session, store, self.prefs, fallback):
                to, key, value = placed.entry
                if value is not None:
                    wish = Wish(*to[:3], key, value, to.conversation)
                    wishes.setdefault(placed.account, []).append(wish)
        for text in self.settings:
            reference, values = _parse_setting(text)
            for account, users in find_users(session, store, reference).items():
                for key, value in values:
                    of_users = (Wish(Layer.USER, u.id, None, key, value) for u in users)
                    wishes[account] += of_users
        return wishes


def _read_document(session: Session, store: Store, file: str, account: int) -> list[Placed]:
    """Read a document of preferences; `-` is standard input. Raises `DataError`.

    It is laid over what is set, as an import would; what else an apply would do is told.
    """
    from notifycli.documents.preference_document import PreferenceDocument  # noqa: PLC0415 - only with --prefs

    only = session.given_account
    with open_document(file) as source, store.comparing() as staging:
        document = PreferenceDocument(store, source, place_of(file), account)
        rows = document.rows()
        staging.put(rows)
        staging.put_absent(document.spoken)
        gone = [d for d in staging.differences() if d.new is None and only in {None, d.account_id}]
    if gone:
        session.info(
            f"as if {place_of(file)} had been imported; apply would also take away "
            f"{plural(len(gone), 'value')}: notifycli prefs diff {quoted(file)}"
        )
    return document.placed(rows)


def propose(session: Session, account: int, stored: Preferences, wishes: Wishes) -> Preferences:
    """Lay the account's wishes over what is stored, and tell of those that a lock beats."""
    result = overlaid(stored, wishes.get(account, ()))
    for key in keys_locked_away(result, wishes.get(account, ())):
        session.info(f"{key} is locked to {result.lock[key]} for account {account}: it stays so")
    return result


def _accounts(session: Session, store: Store) -> list[int]:
    given = session.given_account
    return [a.id for a in store.accounts()] if given is None else [given]


def _parse_setting(text: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Take `[USER:]KEY=VALUE` apart: the user, if one is named, and full keys with the value."""
    left, equals, value = text.partition("=")
    reference, colon, key = left.rpartition(":")
    if not equals or not key.strip():
        raise UsageError(f"{text!r} sets nothing", "write it as KEY=VALUE or USER:KEY=VALUE")
    return [reference] if colon else [], read_assignment(f"{key}={value}")


def find_users(session: Session, store: Store, references: Iterable[str]) -> dict[int, list[User]]:
    """Give the named users of each account that is meant, all of them if none is named.

    An account that hasn't any of the named ones is left out. Raises `UsageError` for a name that
    no account has.
    """
    accounts = _accounts(session, store)
    named = list(references)
    if not named:
        return {account: store.users(account) for account in accounts}
    found: dict[int, list[User]] = {}
    for reference in named:
        missing = None
        before = sum(map(len, found.values()))
        for account in accounts:
            try:
                found.setdefault(account, []).append(find_user(store, account, reference))
            except UsageError as error:
                missing = missing or error
        if sum(map(len, found.values())) == before:
            raise missing or UsageError(
                f"there is no user {reference!r}", "nobody is on record: notifycli directory learn"
            )
    return {account: users for account, users in found.items() if users}
