"""What there is to say of an event to whom `why` is about: each decision, in a sentence.

It speaks of what held at the time: preferences as the history has them, and what the outbox sent;
and says what to type so that it comes out differently.
"""

from __future__ import annotations

import shlex
from bisect import bisect_right
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from typing import NamedTuple

from msgspec import Struct, structs

from notifycli.cli.session import Session, display_name
from notifycli.cli.times import day_of
from notifycli.events.event import Due, Event
from notifycli.events.timestamps import parse_moment
from notifycli.rules.deadlines import PATIENCE_KEYS
from notifycli.rules.decision import (
    DecidingPreference,
    Decision,
    DigestDecision,
    Outcome,
    Reason,
    Selection,
    deciding,
    holding,
    resolve_for,
    sentence,
)
from notifycli.rules.directory import User
from notifycli.rules.evaluator import Evaluator
from notifycli.rules.ladder import Case, obstacles
from notifycli.rules.layers import (
    Preferences,
    Values,
    Wish,
    as_read_by,
    links_conversations,
    overlaid,
)
from notifycli.rules.notifications import NEW_MESSAGE_TYPES, Channel, NotificationType
from notifycli.rules.preferences import Layer, short_key
from notifycli.rules.replay import Account, Replay
from notifycli.store.history import ChangedInConversation, ChangedValue
from notifycli.store.outbox import Noted, NoticeState, Scope
from notifycli.store.store import Store


class WhyRecord(Decision, frozen=True):
    """A decision, and what there is to say of it."""

    key: str | None
    """The preference that decided; `None` where none did."""
    value: str | None
    sentence: str
    command: str | None
    """What to type to change it; `None` where no preference would."""
    delivery: NoticeState | None
    """What has become of it in the outbox; `None` where it never was in there."""


class WhyDigest(WhyRecord, frozen=True):
    """The same of a digest."""

    conversations: tuple[int, ...]


class Asker(NamedTuple):
    """One whom it is about."""

    user: User
    account: Account
    """Its preferences are those of the event that is looked at."""
    today: Preferences
    option: str
    """The option that names the account in a command, where there are several."""
    sentences: Sentences
    remedies: Remedies
    sent: Sent
    link: str
    """Where the account's conversations are seen, up to their number; "" where nobody knows."""

    @property
    def name(self) -> str:
        """How messages call them."""
        return display_name(self.user)


class Askers:
    """Whom it is about: one user or, in a conversation, everybody who has a part in it."""

    def __init__(self, user: User | None, make: Callable[[User], Asker], account: Account) -> None:
        self.account = account
        self.only = None if user is None else make(user)
        """The one, if it is about one."""
        self._make = make
        self._made: dict[int, Asker] = {} if self.only is None else {self.only.user.id: self.only}

    def of(self, user: User) -> Asker:
        """Return what is known of one of them."""
        if user.id not in self._made:
            self._made[user.id] = self._make(user)
        return self._made[user.id]


class EventAnswer(NamedTuple):
    """What there is to say of an event."""

    event: Event
    records: list[WhyRecord]
    others: bool
    """Whether it concerns anybody else."""
    hidden_by_role: bool = False
    """Whether just a custom role keeps the one whom it is about from seeing the conversation."""


def answer(replay: Replay, event: Event, askers: Askers) -> EventAnswer:
    """Fold an event that was admitted."""
    cases: dict[int, list[Case]] = {}

    def record(decision: Decision, case: Case) -> WhyRecord:
        own = cases.setdefault(case.user, [])
        if not own or own[-1] is not case:
            own.append(case)
        return _record(decision, own, askers.of(case.directory.users[case.user]))

    user = None if askers.only is None else askers.only.user.id
    told = replay.examine(event, user, record)
    account = replay.accounts[event.account or 0]
    return EventAnswer(event, *told, hidden_by_role=_is_hidden_by_role(account, event, user))


def _is_hidden_by_role(account: Account, event: Event, user: int | None) -> bool:
    directory = account.directory
    if user not in directory.restricted or event.conversation is None:
        return False
    kept = account.conversations[event.conversation]
    place = event.inbox, kept.team
    sees = directory.can_see(user, *place, kept.assignee, kept.participants)
    return not sees and user in directory.viewers(*place)


def select(answer: EventAnswer, selection: Selection) -> EventAnswer:
    """Return of an answer what is selected of its channels and types."""
    if selection.takes_every_kind():
        return answer
    return answer._replace(records=[one for one in answer.records if selection.takes(one)])


def _record(decision: Decision, cases: list[Case], asker: Asker) -> WhyRecord:
    due = cases[-1].event
    if isinstance(decision, DigestDecision) and isinstance(due, Due):
        return _record_of_digest(decision, due, asker)
    notice = asker.sent.of(decision, cases[-1].event.at)
    command = (
        _way_to_deliver(decision, asker)
        if decision.deliverable is False
        else asker.remedies.of(cases, decision)
    )
    delivery = None if notice is None else notice.state
    key, value, told = asker.sentences.of(decision)
    if cases[-1].holds(decision.reason, decision.channel):
        told += "; it is held for a digest"
    if notice is not None and notice.state is NoticeState.DROPPED and notice.why:
        told += f"; {notice.why}"
    return WhyRecord(*(*structs.astuple(decision), key, value, told, command, delivery))


def _record_of_digest(decision: DigestDecision, due: Due, asker: Asker) -> WhyDigest:
    notice = asker.sent.of(decision, due.at)
    then, now = (holding(due, of) for of in (asker.account.preferences, asker.today))
    told = sentence(decision, decision.reason, then, asker.name)
    if now.value != then.value:
        told += f" at the time, and is {now.value} ({now.layer}) today"
    command = (
        _way_to_deliver(decision, asker)
        if decision.deliverable is False
        else asker.remedies.of_digest(due, now)
    )
    delivery = None if notice is None else notice.state
    fields = *structs.astuple(decision)[:-1], then.key, then.value, told, command, delivery
    return WhyDigest(*(*fields, decision.conversations))


class Sentences:
    """Says why, of decisions about one user; of those that are alike it is found once."""

    def __init__(self, user: User, account: Account, today: Preferences) -> None:
        self._user = user
        self._account = account
        self._today = as_read_by(account.profile, today)
        self._held: Preferences | None = None
        self._read = self._today
        """Those as the profile reads them."""
        self._known: dict[tuple[object, ...], tuple[str | None, str | None, str]] = {}
        """By type, channel, reason, whether it can be delivered, and an inbox with values of its
        own: as many as there are of these, and of preferences of one time alone."""

    def of(self, decision: Decision) -> tuple[str | None, str | None, str]:
        """Return the key and the value of the preference that decided, and the sentence."""
        held = self._account.preferences
        if self._held is not held:
            self._held, self._read = held, as_read_by(self._account.profile, held)
            self._known.clear()
        where = decision.user_id, decision.conversation_id
        if where in self._read.conversation or where in self._today.conversation:
            return self._made(decision)  # what is set there may hold up to a moment
        place = decision.user_id, decision.inbox_id
        own = place in self._read.inbox or place in self._today.inbox
        what = decision.type, decision.channel, decision.reason, decision.deliverable
        kind = *what, decision.inbox_id if own else None
        found = self._known.get(kind)
        if found is None:
            found = self._known[kind] = self._made(decision)
        return found

    def _made(self, decision: Decision) -> tuple[str | None, str | None, str]:
        then = deciding(decision, decision.reason, self._read)
        told = sentence(decision, decision.reason, then, display_name(self._user))
        if decision.type in PATIENCE_KEYS:
            told = f"{self._unanswered(decision)}, and {told}"
        if then is None:
            return None, None, told
        now = deciding(decision, decision.reason, self._today)
        if now is not None and now.value != then.value:
            told += f" at the time, and is {now.value} ({now.layer}) today"
        return then.key, then.value, told

    def _unanswered(self, decision: Decision) -> str:
        """Say for how long a customer had no reply."""
        key = PATIENCE_KEYS[decision.type]
        length = resolve_for(decision, key, self._read).value
        by_hours = resolve_for(decision, "business_hours", self._read).value != "off"
        return f"the customer had no reply within {length}{' of business hours' * by_hours} ({key})"


def _way_to_deliver(decision: Decision, asker: Asker) -> str | None:
    """Give the command that gives somewhere to go to what fires and has nowhere.

    An address that is there and isn't confirmed can be confirmed in Chatwoot alone.
    """
    user = shlex.quote(asker.name)
    if decision.channel is Channel.PUSH:
        return f"notifycli push invite -u {user}{asker.option}"
    if decision.channel.is_added:
        return f"notifycli channel add {decision.channel} -u {user}{asker.option}"
    return None if asker.user.email else f"notifycli user set {user}{asker.option} --email ADDRESS"


class _Epoch(NamedTuple):
    """Preferences, and the first moment at which they hold no more; `None`: they still hold."""

    until: int | None
    preferences: Preferences


class PastPreferences:
    """Preferences at any moment, of a user or of all: `enter` has an account go by an event's.

    What held before the account's first change nobody knows: there those of today stand in.
    """

    def __init__(self, store: Store, account: int, user: int | None) -> None:
        stored = store.preferences(account)
        self.today = stored if user is None else of_one(stored, user)
        self.unknown = False
        """Whether an event was older than that."""
        begin = store.history.begin(account)
        self.begin = None if begin is None else parse_moment(begin)
        self._epochs = [*_epochs(self.today, store.history.values_for(account, user))][::-1]
        self._ends = [one.until for one in self._epochs if one.until is not None]
        self._entered = self.today

    def at(self, moment: int) -> Preferences:
        """Return those of a moment, in microseconds since 1970 UTC."""
        if self.begin is None or moment < self.begin:
            return self.today
        return self._epochs[bisect_right(self._ends, moment)].preferences

    def enter(self, account: Account, event: Event) -> None:
        """Have the account go by the preferences of an event's time; of none, by the last ones."""
        if event.at is None:
            return
        self.unknown |= self.begin is not None and event.at < self.begin
        held = self.at(event.at)
        if held is not self._entered:
            self._entered = held
            account.take_over(account.directory, held)

    def links_conversations(self) -> bool:
        """Whether one conversation could matter to another at any time."""
        return any(links_conversations(epoch.preferences) for epoch in self._epochs)

    def tell_unknown(self, session: Session) -> None:
        """Say, where it is so, that today's preferences stood in for those of the time."""
        if self.begin and self.unknown:
            session.info(
                f"what was set before {day_of(self.begin)} isn't on record: there, today's "
                "preferences stand in"
            )


def of_one(preferences: Preferences, user: int) -> Preferences:
    """Return the preferences that may hold for a user."""
    inbox = {key: values for key, values in preferences.inbox.items() if key[0] == user}
    conversation = {
        key: values for key, values in preferences.conversation.items() if key[0] == user
    }
    return structs.replace(
        preferences,
        inbox=inbox,
        conversation=conversation,
        user={user: preferences.user.get(user, {})},
    )


def _epochs(today: Preferences, changes: Iterable[ChangedValue]) -> Iterator[_Epoch]:
    """Give the preferences of today and what they were before each change, the newest first."""
    preferences, until = today, None
    for change in changes:
        at = parse_moment(change.at)
        if at != until:
            yield _Epoch(until, preferences)
            until = at
        preferences = _before(preferences, change)
    yield _Epoch(until, preferences)


def _before(preferences: Preferences, change: ChangedValue) -> Preferences:
    """Return preferences without a change of one value."""
    match Layer(change.layer), change.user_id:
        case (Layer.LOCK, _):
            return structs.replace(preferences, lock=_put(preferences.lock, change))
        case (Layer.INBOX, int(user)) if change.inbox_id is not None:
            here = (user, change.inbox_id)
            values = _put(preferences.inbox.get(here, {}), change)
            return structs.replace(preferences, inbox={**preferences.inbox, here: values})
        case (Layer.CONVERSATION, int(user)) if isinstance(change, ChangedInConversation):
            there = (user, change.conversation_id)
            values = _put(preferences.conversation.get(there, {}), change)
            return structs.replace(
                preferences, conversation={**preferences.conversation, there: values}
            )
        case (Layer.USER, int(user)):
            values = _put(preferences.user.get(user, {}), change)
            return structs.replace(preferences, user={**preferences.user, user: values})
        case _:
            return structs.replace(preferences, default=_put(preferences.default, change))


def _put(values: Values, change: ChangedValue) -> Values:
    others = {key: value for key, value in values.items() if key != change.key}
    return others if change.old is None else {**others, change.key: change.old}


class Sent:
    """What the outbox knows of a user's notifications, or of all about a conversation."""

    def __init__(
        self, store: Store, account: int, user: int | None, conversations: Collection[int]
    ) -> None:
        users = None if user is None else frozenset({(account, user)})
        scope = Scope(None, users, account)
        self._notices: dict[tuple[object, ...], Noted] = {
            _key(notice): notice
            for state in NoticeState
            for notice in store.outbox.in_state(state, scope)
            if not conversations
            or notice.conversation_id in conversations
            or notice.type is NotificationType.DIGEST
        }

    def of(self, decision: Decision, at: int | None) -> Noted | None:
        """Return the notice that a decision has become, if any; `at` is the event's time."""
        what = decision.user_id, decision.type, decision.channel
        return self._notices.get((*what, decision.conversation_id, decision.message_id, at))


def _key(notice: Noted) -> tuple[object, ...]:
    what = notice.user_id, notice.type, notice.channel
    return *what, notice.conversation_id, notice.message_id, notice.at


UNLOCKING = "notifycli prefs unset --lock"
"""How commands begin that take away a lock, which is everybody's."""


class Remedy(Struct):
    """What may turn a decision round."""

    tried: Evaluator
    """The evaluator that goes by it."""
    command: str | None
    turns: bool | None = None
    """Whether it does, wherever nothing else decides; `None` until that has been tried."""


class Remedies:
    """Finds commands for decisions about a user.

    They change what is set today. `option` is the one that names the account, if it is needed.
    """

    def __init__(self, user: User, account: Account, today: Preferences, option: str) -> None:
        self._preferences = as_read_by(account.profile, today)
        self._user = user
        self._held: Preferences | None = None
        self._is_today = False
        """Whether those hold for the user now."""
        self._tries = account
        self._account = option
        self._tried: dict[tuple[Hashable, ...], Evaluator] = {}
        """What is proposed, by what that changes: few changes are, for many decisions."""
        self._known: dict[tuple[Hashable, ...], Remedy | None] = {}
        """By type, channel, reasons and an inbox with values of its own: few again."""

    def of(self, cases: Sequence[Case], decision: Decision) -> str | None:
        """Give the commands, joined by `&&`, that would turn a decision round.

        `cases` are the user's of the same event, up to that of the decision. Everything that
        stands in the way is changed, not just what decided. `None`, if nothing to set would change
        it: nothing at all, or just what would notify of the event in another way.
        """
        fires = decision.outcome is Outcome.FIRE
        reasons = (Reason.ENABLED,) if fires else obstacles(cases[-1])
        by_access = Reason.NO_ACCESS in reasons
        where = decision.user_id, decision.conversation_id
        if by_access or where in self._preferences.conversation:
            # It names inbox or conversation: there may be any number of them.
            remedy = self._remedy(cases[-1], decision, reasons)
            cases = [_with_access(one) for one in cases] if by_access else cases
        else:
            own = (decision.user_id, decision.inbox_id) in self._preferences.inbox
            what = decision.user_id, decision.type, decision.channel
            kind = *what, reasons, decision.inbox_id if own else None
            if kind not in self._known:
                self._known[kind] = self._remedy(cases[-1], decision, reasons)
            remedy = self._known[kind]
            if remedy is not None and self._decides_alone(cases):
                if remedy.turns is None:
                    remedy.turns = _turns_round(cases, decision, remedy.tried)
                return remedy.command if remedy.turns else None
        if remedy is None or not _turns_round(cases, decision, remedy.tried):
            return None
        return remedy.command

    def _decides_alone(self, cases: Sequence[Case]) -> bool:
        """Whether nothing decides what comes of a change but that, and what stood in the way.

        What is set today held already, and no other type of the message can have been told.
        """
        held = self._tries.preferences
        if held is not self._held:
            self._held = held
            own = as_read_by(self._tries.profile, of_one(held, self._user.id))
            self._is_today = own == self._preferences
        return self._is_today and (len(cases) == 1 or cases[-1].type not in NEW_MESSAGE_TYPES)

    def of_digest(self, due: Due, setting: DecidingPreference) -> str | None:
        """Give the command that drops what a digest holds, if there is anything to change."""
        user = self._tries.directory.users[due.user]
        locked = (setting.key,) if setting.layer is Layer.LOCK else ()
        [(conversation, inbox), *_] = due.told
        layer = setting.layer if setting.layer in (Layer.INBOX, Layer.CONVERSATION) else Layer.USER
        wish = Wish(
            layer,
            due.user,
            inbox if layer is Layer.INBOX else None,
            setting.key,
            setting.instead,
            conversation if layer is Layer.CONVERSATION else None,
        )
        wishes = [wish] if setting.value != setting.instead else []
        return " && ".join(_commands(user, locked, wishes, self._account)) or None

    def _remedy(self, case: Case, decision: Decision, reasons: Collection[Reason]) -> Remedy | None:
        """Return what to change where all of the reasons hold; `None` if that can't be."""
        user = case.directory.users[case.user]
        settings = [
            deciding(decision, reason, self._preferences)
            for reason in reasons
            if reason is not Reason.NO_ACCESS
        ]
        needed = [setting for setting in settings if setting is not None]
        if len(needed) < len(settings):
            return None
        locked = tuple(dict.fromkeys(s.key for s in needed if s.layer is Layer.LOCK))
        unlocked = _without_locks(self._preferences, locked)
        wishes = tuple(dict.fromkeys(_wishes(decision, needed, unlocked)))
        tried = self._tried.get((locked, wishes))
        if tried is None:
            tried = self._tries.evaluator.trying(overlaid(unlocked, wishes))
            self._tried[locked, wishes] = tried
        commands = list(_commands(user, locked, wishes, self._account))
        if Reason.NO_ACCESS in reasons:
            commands.insert(0, joining(user, decision.inbox_id, self._account))
        # Nothing is left to type where today's preferences turn it round already.
        return Remedy(tried, " && ".join(commands) or None)


def joining(user: User, inbox: int | None, account: str) -> str:
    """Give the command with which a user can see an inbox."""
    return f"notifycli inbox add{account} {inbox} --member {_quote(user)}"


def _without_locks(preferences: Preferences, keys: Collection[str]) -> Preferences:
    lock = {key: value for key, value in preferences.lock.items() if key not in keys}
    return structs.replace(preferences, lock=lock)


def _wishes(
    decision: Decision, settings: Iterable[DecidingPreference], preferences: Preferences
) -> Iterator[Wish]:
    """Give what has to be set, once nothing that matters is locked any more."""
    for setting in settings:
        value, layer = resolve_for(decision, setting.key, preferences)
        if value == setting.instead:
            continue
        target = layer if layer in (Layer.INBOX, Layer.CONVERSATION) else Layer.USER
        inbox = decision.inbox_id if target is Layer.INBOX else None
        conversation = decision.conversation_id if target is Layer.CONVERSATION else None
        yield Wish(target, decision.user_id, inbox, setting.key, setting.instead, conversation)


def _with_access(case: Case) -> Case:
    directory = case.directory.with_member(case.event.inbox, case.user)
    return structs.replace(case, directory=directory)


def _turns_round(cases: Iterable[Case], decision: Decision, tried: Evaluator) -> bool:
    """Tell whether a decision comes out differently by another evaluator.

    What it changes of the event's other decisions may leave this one to be told already.
    """
    return any(
        (anew.type, anew.channel) == (decision.type, decision.channel)
        and anew.outcome is not decision.outcome
        for anew in tried.decide_anew(cases)
    )


def _commands(
    user: User, locked: Iterable[str], wishes: Iterable[Wish], account: str
) -> Iterator[str]:
    if locked:
        yield f"{UNLOCKING}{account} {' '.join(map(short_key, locked))}"
    by_place: dict[str, list[str]] = {}
    for wish in wishes:
        only = "" if wish.inbox is None else f" --inbox {wish.inbox}"
        if wish.conversation is not None:
            only = f" --conversation {wish.conversation}"
        by_place.setdefault(only, []).append(f"{short_key(wish.key)}={wish.value}")
    for only, assignments in by_place.items():
        yield f"notifycli prefs set -u {_quote(user)}{only}{account} {' '.join(assignments)}"


def _quote(user: User) -> str:
    return shlex.quote(display_name(user))
