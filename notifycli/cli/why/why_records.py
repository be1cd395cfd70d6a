"""What there is to say of an event to whom `why` is about: each decision, in a sentence."""

from __future__ import annotations

import shlex
from typing import NamedTuple

from msgspec import structs

from notifycli.cli.session import display_name
from notifycli.cli.why.suggestions import Remedies
from notifycli.events.event import Event
from notifycli.rules.decision import Decision
from notifycli.rules.directory import Directory, User
from notifycli.rules.explain import deciding, sentence
from notifycli.rules.ladder import Case
from notifycli.rules.notifications import Channel
from notifycli.rules.replay import Replay
from notifycli.rules.settings import Preferences


class WhyRecord(Decision, frozen=True):
    """A decision, and what there is to say of it."""

    key: str | None
    """The preference that decided; `None` where none did."""
    value: str | None
    sentence: str
    command: str | None
    """What to type to change it; `None` where no preference would."""


class Asker(NamedTuple):
    """Whom it is about."""

    user: User
    directory: Directory
    preferences: Preferences
    option: str
    """The option that names the account in a command, where there are several."""
    remedies: Remedies

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


def _record(decision: Decision, cases: list[Case], asker: Asker) -> WhyRecord:
    setting = deciding(decision, decision.reason, asker.preferences)
    return WhyRecord(
        **structs.asdict(decision),
        key=None if setting is None else setting.key,
        value=None if setting is None else setting.value,
        sentence=sentence(decision, decision.reason, setting, asker.name),
        command=_way_to_deliver(decision, asker)
        if decision.deliverable is False
        else asker.remedies.of(cases, decision),
    )


def _way_to_deliver(decision: Decision, asker: Asker) -> str | None:
    """Give the command that gives somewhere to go to what fires and has nowhere.

    An address that is there and isn't confirmed can be confirmed in Chatwoot alone.
    """
    user = shlex.quote(asker.name)
    if decision.channel is Channel.PUSH:
        return f"notifycli push invite -u {user}{asker.option}"
    return None if asker.user.email else f"notifycli user set {user}{asker.option} --email ADDRESS"
