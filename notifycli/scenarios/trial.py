"""Scenarios tried: what fired and shouldn't have, what should have and didn't, and why."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from msgspec import Struct

from notifycli.rules.decision import Decision, Outcome
from notifycli.rules.expectation import Record, compare, matches
from notifycli.rules.notifications import TYPES
from notifycli.rules.profile import NOTIFYCLI, Profile
from notifycli.rules.replay import Account, Replay
from notifycli.scenarios.scenario import Scenario

_SHORT = {str(row.type): row.short for row in TYPES}
_VERDICT = ("outcome", "reason", "origin", "deliverable")


class TrialResult(Struct, frozen=True):
    """How a scenario went."""

    file: str
    line: int
    scenario: str
    passed: bool
    failures: tuple[str, ...]
    """A sentence for each difference; `-` begins what was expected, `+` what wasn't."""


def try_scenario(scenario: Scenario, profile: Profile = NOTIFYCLI) -> TrialResult:
    """Replay a scenario's events, and compare what fires with what is expected."""
    account = Account(scenario.directory, scenario.preferences, profile)
    replay = Replay({scenario.account: account}, scenario.account)
    decisions = [decision for event in scenario.events for decision in replay.decide(event)]
    failures = tuple(_failures(scenario, [_as_record(decision) for decision in decisions]))
    return TrialResult(scenario.file, scenario.line, scenario.name, not failures, failures)


def _failures(scenario: Scenario, found: list[Record]) -> Iterator[str]:
    fired = [record for record in found if record["outcome"] == Outcome.FIRE]
    others = [record for record in found if record["outcome"] == Outcome.SUPPRESS]
    if scenario.expect is not None:
        missing, unexpected = compare(scenario.expect, fired)
        for place in missing:
            expected = scenario.expect[place]
            yield f"- should fire: {_tell(expected, scenario)}; {_instead(expected, others)}"
        for place in unexpected:
            yield f"+ fires unexpectedly: {_tell(fired[place], scenario)} {_basis(fired[place])}"
    silent = [record for record in scenario.expect_not if "reason" not in record]
    for expected in silent:
        for record in fired:
            if matches(expected, record):
                yield f"+ shouldn't fire: {_tell(record, scenario)} {_basis(record)}"
    reasoned = [record for record in scenario.expect_not if "reason" in record]
    for place in compare(reasoned, others)[0]:
        expected = reasoned[place]
        told = f"{_tell(expected, scenario)} ({expected['reason']})"
        yield f"- should be suppressed: {told}; {_instead(expected, found)}"


def _as_record(decision: Decision) -> Record:
    record: Record = msgspec.to_builtins(decision)
    return record


def _instead(expected: Record, found: list[Record]) -> str:
    """Say what was decided of that which was expected otherwise."""
    what = {field: value for field, value in expected.items() if field not in _VERDICT}
    near = [record for record in found if matches(what, record)]
    if not near:
        return "there was no such decision"
    verdicts = dict.fromkeys(f"event {record['line']}: {_why(record)}" for record in near)
    return "; ".join(verdicts)


def _why(record: Record) -> str:
    verdict = "fires" if record["outcome"] == Outcome.FIRE else "suppressed"
    return f"{verdict} {_basis(record)}"


def _basis(record: Record) -> str:
    origin = f", {record['origin']}" if record.get("origin") else ""
    return f"({record['reason']}{origin})"


def _tell(record: Record, scenario: Scenario) -> str:
    """Name what, whom, and of which event, as far as the record says."""
    channel, type_ = record.get("channel"), record.get("type")
    short = "" if type_ in (None, "new_message") else _SHORT[str(type_)]
    what = ".".join(filter(None, (str(channel or "*"), short)))
    id_ = record.get("user_id")
    user = scenario.directory.users.get(id_) if isinstance(id_, int) else None
    name = record.get("email") or (user and user.email) or id_
    shown = f"{what} to {name}" if name is not None else what
    extra = [f"event {record['line']}"] if "line" in record else []
    extra += [
        f"{field} {record[field]}"
        for field in ("conversation_id", "inbox_id", "message_id")
        if field in record and "outcome" not in record
    ]
    return f"{shown}, {', '.join(extra)}" if extra else shown
