"""What is withheld until somebody can be told: it is held, overtaken, and told of in one digest.

Quiet hours and absence withhold; what is held is due once neither of them holds. Section "A digest"
of `docs/beyond.md`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from notifycli.events.event import MESSAGE_CREATED, PRESENCE, Due, Event
from notifycli.rules.deadlines import Deadlines
from notifycli.rules.decision import DigestFields, Reason
from notifycli.rules.evaluator import Evaluator
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import SWITCHED_CHANNELS, Channel, NotificationType
from notifycli.rules.state import Conversation, Deadline, Held, Opening, Presence, Sign, Withheld


class Digests:
    """Holds what an account's events withhold, and gives it once it is due."""

    def __init__(
        self,
        evaluator: Evaluator,
        presence: Presence,
        conversations: dict[int, Conversation],
        withheld: Withheld,
        queue: Deadlines,
    ) -> None:
        self._evaluator = evaluator
        self._settings = evaluator.settings
        self._presence = presence
        self._conversations = conversations
        self._withheld = withheld
        self._queue = queue
        self._back: list[tuple[int, int | None]] = []
        """Whom the last event has shown to be available, and when that was."""

    def overtake(self, event: Event, *, resolved: bool) -> None:
        """Hold no longer what an event answers or shows read; `resolved`: which it closes."""
        if not self._withheld.of_users:
            return
        if event.name == PRESENCE:
            if isinstance(event.open_conversation, int) and event.visible is not False:
                self._withheld.drop(event.open_conversation, event.present)
        elif event.conversation is not None:
            if resolved or event.is_reply:
                self._withheld.drop(event.conversation)
            writes = event.author if event.name == MESSAGE_CREATED else None
            for user in {writes, event.present} - {None}:
                self._withheld.drop(event.conversation, user)

    def hold(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> Iterator[Deadline]:
        """Hold what an event withholds, before it is kept whom it told; return when it is due."""
        holding = self._settings.holding
        if event.conversation is None or event.is_reply or holding == frozenset():
            return
        evaluator = self._evaluator
        case = evaluator.case(event, conversation, opening)
        for one in evaluator.candidates(event, conversation, opening):
            if one.type is NotificationType.NEW_MESSAGE:
                continue
            case.type = one.type
            for user in evaluator.hindered(case, one):
                if holding is None or user in holding:
                    yield from self._hold(case, user)

    def _hold(self, case: Case, user: int) -> Iterator[Deadline]:
        event, id_ = case.event, case.event.conversation or 0
        for decided in self._evaluator.decide(case, user):
            if not case.holds(decided.reason, decided.channel):
                continue
            key, origin = "when_unavailable", case.settings.withholds.origin
            if decided.reason is Reason.QUIET_HOURS:
                key, origin = "quiet_hours_then", case.settings.quiet_held.origin
            # What has come late can't be told of before now.
            since = _latest(event.at, self._queue.now) if event.at is not None else None
            held = Held(event.line, event.file, since, key, origin)
            if self._withheld.add(user, decided.channel, id_, held):
                yield from self._deadline(user, decided.channel, id_, since)

    def keep(self, sign: Sign, absent: Collection[int]) -> Iterator[Deadline]:
        """Look again at what is held for whom a sign shows available; it has been kept.

        `absent` are those who were busy or offline before it. Return when that is due which isn't
        due directly after the event.
        """
        shown: Iterable[int] = ()
        if sign.available and sign.user is not None:
            shown = (sign.user,)
        elif sign.connected is not None:
            shown = sign.connected
        for user in sorted(self._withheld.of_users.keys() & {*shown} - self._presence.unavailable):
            self._back.append((user, sign.at))
            for channel, held in self._withheld.of_users[user].items():
                for id_, one in held.items():
                    since, one.since = one.since, sign.at
                    # All others are in the queue already.
                    if user in absent or since is None or (sign.at or since) < since:
                        yield from self._deadline(user, channel, id_, sign.at)

    def deadlines(self, last: int | None) -> Iterator[Deadline]:
        """Return when what is held is due; `last` is the time of the last event."""
        for user, channels in self._withheld.of_users.items():
            for channel, held in channels.items():
                for id_, one in held.items():
                    since = _latest(one.since, last, self._queue.passed)
                    yield from self._deadline(user, channel, id_, since)

    def _deadline(
        self, user: int, channel: Channel, id_: int, since: int | None
    ) -> Iterator[Deadline]:
        at = None if since is None else self._free_from(user, id_, since)
        if at is not None:
            yield Deadline(at, True, user, SWITCHED_CHANNELS.index(channel))

    def due_now(self, account: int) -> Iterator[Due]:
        """Return the digests that come directly after the last event."""
        back, self._back = self._back, []
        for user, at in back:
            for kind in range(len(SWITCHED_CHANNELS)):
                yield from self.due(account, user, kind, at)

    def due(self, account: int, user: int, kind: int, at: int | None) -> Iterator[Due]:
        """Return the digest that is due to a user at a moment, if anything is left to tell."""
        told = self._told(user, SWITCHED_CHANNELS[kind], at)
        if told:
            first = next(iter(told.values()))
            due = Due(first.line, NotificationType.DIGEST, known=True, at=at, account=account)
            due.file, due.user, due.kind = first.file, user, kind
            self._name(due, told)
            yield due

    def take(self, due: Due) -> DigestFields | None:
        """Return what a digest tells, which is held no longer; `None`, if nothing is left."""
        user, channel = due.user, SWITCHED_CHANNELS[due.kind]
        told = self._told(user, channel, due.at)
        if not told:
            return None
        self._name(due, told)
        for id_ in told:
            self._withheld.drop(id_, user, channel)
        origin = next(iter(told.values())).origin
        return self._evaluator.recipients.of_digest(user, channel, origin, tuple(told))

    def _name(self, due: Due, told: dict[int, Held]) -> None:
        due.told = tuple((id_, self._conversations[id_].inbox) for id_ in told)
        due.key = next(iter(told.values())).key

    def _told(self, user: int, channel: Channel, at: int | None) -> dict[int, Held]:
        """Return what a digest of a moment tells; what it leaves out is held no longer."""
        held = self._withheld.of_users.get(user, {}).get(channel, {})
        due = {id_: one for id_, one in held.items() if self._is_due(user, id_, one, at)}
        left = {id_: one for id_, one in due.items() if self._may_be_told(user, id_, at)}
        for id_ in due.keys() - left:
            self._withheld.drop(id_, user, channel)
        return left

    def _is_due(self, user: int, id_: int, one: Held, at: int | None) -> bool:
        if at is None:
            inbox, away = self._conversations[id_].inbox, user in self._presence.unavailable
            return not (away and self._settings.withheld(user, inbox, id_, at))
        if one.since is not None and one.since > at:
            return False
        return self._free_from(user, id_, at) == at

    def _free_from(self, user: int, id_: int, moment: int) -> int | None:
        inbox, away = self._conversations[id_].inbox, user in self._presence.unavailable
        return self._settings.free_from(user, inbox, id_, moment, away=away)

    def _may_be_told(self, user: int, id_: int, at: int | None) -> bool:
        """Whether nothing else than the moment keeps a conversation from a user."""
        kept = self._conversations[id_]
        place = kept.inbox, kept.team, kept.assignee, kept.participants
        return (
            not kept.blocked
            and self._evaluator.directory.can_see(user, *place)
            and not self._settings.muted(user, kept.inbox, id_, at)
        )


def _latest(*moments: int | None) -> int | None:
    return max((moment for moment in moments if moment is not None), default=None)
