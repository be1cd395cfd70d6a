"""Count who would be notified in a log, by the public API alone.

python examples/replay.py DIRECTORY PREFERENCES EVENTS
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import notifycli


def count(directory: Path, preferences: Path, events: Path) -> Counter[tuple[str, str]]:
    """Return how often each user would be notified on each channel."""
    desk = notifycli.read_directory(directory)
    replay = notifycli.Replay.of(desk, notifycli.read_preferences(preferences, desk))
    counted = Counter[tuple[str, str]]()
    for line, body in enumerate(events.read_bytes().splitlines(), 1):
        for decision in replay.decide(notifycli.read_event(body, line)):
            if decision.outcome == "fire":
                counted[decision.email or str(decision.user_id), str(decision.channel)] += 1
    return counted


if __name__ == "__main__":
    match [Path(name) for name in sys.argv[1:]]:
        case [directory, preferences, events]:
            for (user, channel), times in sorted(count(directory, preferences, events).items()):
                sys.stdout.write(f"{user}\t{channel}\t{times}\n")
        case _:
            sys.exit("usage: python examples/replay.py DIRECTORY PREFERENCES EVENTS")
