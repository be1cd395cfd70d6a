"""The rules of the specification, once more, written to be read and not to be fast.

They share nothing with the product but the pages, so that comparing the two tells something.
"""

from __future__ import annotations

from collections.abc import Iterable

from tests.rules.slow.bodies import BadLineError, Json, read_event
from tests.rules.slow.chatwoot import ChatwootReplay, read_version
from tests.rules.slow.own import Replay


def evaluate(
    lines: Iterable[str],
    directory: Json,
    preferences: list[Json],
    *,
    fallback_account: int = 1,
    profile: str = "notifycli",
) -> list[Json]:
    """Every decision, fired or suppressed, in the order of rules.md.

    `directory` and the rows of `preferences` are those of cli.md, the rows' user being an id.
    `fallback_account` is the account of events that name none. `profile` is one of rules.md,
    section 10.
    """
    replay = Replay(directory, preferences)
    if profile != "notifycli":
        replay = ChatwootReplay(directory, preferences, version=read_version(profile))
    decisions: list[Json] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            event = read_event(number, line, fallback_account)
        except BadLineError:
            continue
        if event is not None:
            decisions += replay.step(event)
    return decisions
