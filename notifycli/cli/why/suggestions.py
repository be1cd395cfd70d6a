"""What to type so that a decision comes out differently."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence

from msgspec import structs

from notifycli.cli.session import display_name
from notifycli.rules.decision import DecidingPreference, Decision, Outcome, Reason, deciding
from notifycli.rules.directory import User
from notifycli.rules.ladder import Case, obstacles
from notifycli.rules.layers import Preferences, Wish, as_read_by, overlaid
from notifycli.rules.plan import Evaluator
from notifycli.rules.preferences import Layer, short_key
from notifycli.rules.replay import Account

UNLOCKING = "notifycli prefs unset --lock"
"""How commands begin that take away a lock, which is everybody's."""


class Remedies:
    """Finds commands for decisions of an account.

    They change what is set today. `option` is the one that names the account, if it is needed.
    """

    def __init__(self, account: Account, today: Preferences, option: str) -> None:
        self._preferences = as_read_by(account.profile, today)
        self._tries = account
        self._account = option
        self._tried: dict[tuple[Hashable, ...], Evaluator] = {}
        """What is proposed, by what that changes: few changes are, for many decisions."""

    def of(self, cases: Sequence[Case], decision: Decision) -> str | None:
        """Give the commands, joined by `&&`, that would turn a decision round.

        `cases` are the user's of the same event, up to that of the decision. Everything that
        stands in the way is changed, not just what decided. `None`, if nothing to set would change
        it: nothing at all, or just what would notify of the event in another way.
        """
        case = cases[-1]
        user = case.directory.users[case.user]
        fires = decision.outcome is Outcome.FIRE
        reasons = [Reason.ENABLED] if fires else [reason for reason, _ in obstacles(case)]
        by_access = Reason.NO_ACCESS in reasons
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
        if by_access:
            cases = [_with_access(one) for one in cases]
        tried = self._tried.get((locked, wishes))
        if tried is None:
            tried = self._tries.evaluator.trying(overlaid(unlocked, wishes))
            self._tried[locked, wishes] = tried
        if not _turns_round(cases, decision, tried):
            return None
        commands = list(_commands(user, locked, wishes, self._account))
        if by_access:
            commands.insert(0, joining(user, decision.inbox_id, self._account))
        # Nothing is left to type where today's preferences turn it round already.
        return " && ".join(commands) or None


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
        value, layer = preferences.resolve(setting.key, decision.user_id, decision.inbox_id)
        if value == setting.instead:
            continue
        here = layer is Layer.INBOX
        inbox = decision.inbox_id if here else None
        target = Layer.INBOX if here else Layer.USER
        yield Wish(target, decision.user_id, inbox, setting.key, setting.instead)


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
    by_inbox: dict[int | None, list[str]] = {}
    for wish in wishes:
        by_inbox.setdefault(wish.inbox, []).append(f"{short_key(wish.key)}={wish.value}")
    for inbox, assignments in by_inbox.items():
        only = "" if inbox is None else f" --inbox {inbox}"
        yield f"notifycli prefs set -u {_quote(user)}{only}{account} {' '.join(assignments)}"


def _quote(user: User) -> str:
    return shlex.quote(display_name(user))
