"""What there is to say of an event to whom `why` is about: each decision, in a sentence.

It speaks of what held at the time: preferences as the history has them, and what the outbox sent.
"""

from __future__ import annotations

import shlex
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import structs

from notifycli.cli.session import display_name
from notifycli.cli.why.suggestions import Remedies
from notifycli.events.event import Event
from notifycli.events.timestamps import parse_moment
from notifycli.rules.decision import Decision, Selection
from notifycli.rules.directory import User
from notifycli.rules.explain import Setting, deciding, sentence
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.rules.replay import Account, Replay
from notifycli.rules.settings import Preferences, Values, as_read_by
from notifycli.store.history import ChangedValue
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


class Asker(NamedTuple):
    """Whom it is about."""

    user: User
    account: Account
    """Its preferences are those of the event that is looked at."""
    today: Preferences
    option: str
    """The option that names the account in a command, where there are several."""
    remedies: Remedies
    sent: Sent
    link: str
    """Where the account's conversations are seen, up to their number; "" where nobody knows."""

    @property
    def name(self) -> str:
        """How messages call them."""
        return display_name(self.user)


class Answer(NamedTuple):
    """What there is to say of an event."""

    event: Event
    records: list[WhyRecord]
    others: bool
    """Whether it concerns anybody else."""


def answer(replay: Replay, event: Event, asker: Asker) -> Answer:
    """Replay an event of the asker's account."""
    cases: list[Case] = []

    def record(decision: Decision, case: Case) -> WhyRecord:
        if not cases or cases[-1] is not case:
            cases.append(case)
        return _record(decision, cases, asker)

    return Answer(event, *replay.examine(event, asker.user.id, record))


def selected(answer: Answer, selection: Selection) -> Answer:
    """Return of an answer what is selected of its channels and types."""
    if selection.takes_every_kind():
        return answer
    return answer._replace(records=[one for one in answer.records if selection.takes(one)])


def _record(decision: Decision, cases: list[Case], asker: Asker) -> WhyRecord:
    preferences = as_read_by(asker.account.profile, asker.account.preferences)
    setting = deciding(decision, decision.reason, preferences)
    notice = asker.sent.of(decision, cases[-1].event.at)
    return WhyRecord(
        **structs.asdict(decision),
        key=None if setting is None else setting.key,
        value=None if setting is None else setting.value,
        sentence=sentence(decision, decision.reason, setting, asker.name)
        + _since_changed(decision, setting, asker),
        command=_way_to_deliver(decision, asker)
        if decision.deliverable is False
        else asker.remedies.of(cases, decision),
        delivery=None if notice is None else notice.state,
    )


def _since_changed(decision: Decision, then: Setting | None, asker: Asker) -> str:
    """Say what decides today, where that is another value than it was at the time."""
    now = deciding(decision, decision.reason, as_read_by(asker.account.profile, asker.today))
    if then is None or now is None or now.value == then.value:
        return ""
    return f" at the time, and is {now.value} ({now.layer}) today"


def _way_to_deliver(decision: Decision, asker: Asker) -> str | None:
    """Give the command that gives somewhere to go to what fires and has nowhere.

    An address that is there and isn't confirmed can be confirmed in Chatwoot alone.
    """
    user = shlex.quote(asker.name)
    if decision.channel is Channel.PUSH:
        return f"notifycli push invite -u {user}{asker.option}"
    return None if asker.user.email else f"notifycli user set {user}{asker.option} --email ADDRESS"


class _Epoch(NamedTuple):
    """Preferences, and the first moment at which they hold no more; `None`: they still hold."""

    until: int | None
    preferences: Preferences


class PastPreferences:
    """One user's preferences at any moment: `enter` has an account go by those of an event.

    What held before the account's first change nobody knows: there those of today stand in.
    """

    def __init__(self, store: Store, account: int, user: int) -> None:
        self.today = _of_one(store.preferences(account), user)
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


def _of_one(preferences: Preferences, user: int) -> Preferences:
    inbox = {key: values for key, values in preferences.inbox.items() if key[0] == user}
    return structs.replace(preferences, inbox=inbox, user={user: preferences.user.get(user, {})})


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
        case (Layer.USER, int(user)):
            values = _put(preferences.user.get(user, {}), change)
            return structs.replace(preferences, user={**preferences.user, user: values})
        case _:
            return structs.replace(preferences, default=_put(preferences.default, change))


def _put(values: Values, change: ChangedValue) -> Values:
    others = {key: value for key, value in values.items() if key != change.key}
    return others if change.old is None else {**others, change.key: change.old}


class Sent:
    """What the outbox knows of one user's notifications."""

    def __init__(self, store: Store, account: int, user: int) -> None:
        scope = Scope(frozenset(Channel), frozenset({(account, user)}))
        self._notices: dict[tuple[object, ...], Noted] = {
            _key(notice): notice
            for state in NoticeState
            for notice in store.outbox.in_state(state, scope)
        }

    def of(self, decision: Decision, at: int | None) -> Noted | None:
        """Return the notice that a decision has become, if any; `at` is the event's time."""
        own = (decision.type, decision.channel, decision.conversation_id, decision.message_id)
        return self._notices.get((*own, at))


def _key(notice: Noted) -> tuple[object, ...]:
    return notice.type, notice.channel, notice.conversation_id, notice.message_id, notice.at
