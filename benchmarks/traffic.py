"""`simulate` over traffic as desks have it, beside decoding alone: each model is argued for.

* `steady`: each conversation has one assignee for ever, and three of fifty want anything. What can
  be found once is found once: how fast it is at best.
* `desk`: an ordinary day. 12 % of the events are new conversations, 12 % assignments, 6 % private
  notes that mention a colleague, the others messages; a third of the agents wants something.
* `burst`: a launch. Every third event is a creation, pending with a bot, every tenth a hand-over;
  ten agents take part in each conversation, and a third wants something.
* `quiet`: the traffic of `desk`, and nobody wants anything: what it costs merely to look.

Each at 50 and at 5,000 agents, 20 of them to an inbox. On `desk`, `--explain`, `deliver --dry-run`
and `why` of one user stand beside `--summary` too: all ask the same evaluator; and two processes
beside one and beside jq, and packed events beside their log. What the rows promise is what is aimed
at on a quiet machine.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.desk import Json, Size, body_of, conversation_of, fill, write_events
from benchmarks.frame import NOTIFYCLI, Done, Race, Way, WrongError, all_equal, process
from benchmarks.replay import CUSTOMERS, DECODE
from notifycli.rules.preferences import Layer
from notifycli.store.store import open_store
from notifycli.store.transaction import Entry, Target

_CONVERSATIONS = 2_000
_SIZES = (Size(50, 10, 5, 20), Size(5_000, 500, 500, 20))


class Model(NamedTuple):
    """A kind of traffic: shares of the events, and how many want something."""

    created: float = 0.0
    assigned: float = 0.0
    noted: float = 0.0
    handed_over: float = 0.0
    participants: int = 0
    wanting: float = 1 / 3


MODELS = {
    "steady": Model(wanting=0.06),
    "desk": Model(created=0.12, assigned=0.12, noted=0.06),
    "burst": Model(created=0.33, assigned=0.05, noted=0.02, handed_over=0.1, participants=10),
    "quiet": Model(created=0.12, assigned=0.12, noted=0.06, wanting=0),
}
_WISHES = (
    {"email.assigned_conversation_new_message": "on", "audio": "assigned"},
    {"push.conversation_creation": "on", "push.unassigned_conversation_new_message": "on"},
    {"email.conversation_mention": "on", "push.participating_conversation_new_message": "on"},
    {"audio": "all", "quiet_hours": "22:00-07:00 Europe/Berlin"},
)


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race each model at each size."""
    count = 300 if small else 60_000
    for size in _SIZES[:1] if small else _SIZES:
        for name in ("desk", "burst") if small else MODELS:
            model, title = MODELS[name], f"{name}, {size.agents:,} agents"
            store = fill(folder / f"{name}-{size.agents}.db", size)
            _want(store, model, size)
            log = write_traffic(folder / f"{name}-{size.agents}.jsonl", count, model, size)
            yield _beside_decoding(title, store, log, count)
            if name == "desk":
                yield _two_processes(title, store, log, count)
                yield from _beside_summary(title, store, log, count)
                yield _packed(title, store, log, count)
            log.unlink()


def _beside_decoding(name: str, store: Path, log: Path, count: int) -> Race:
    decode = partial(process, sys.executable, "-c", DECODE, log)
    return Race(
        f"counts, one process: {name}",
        [
            Way("--summary --jobs 1", partial(_simulated, store, log, "--summary")),
            Way("decoding alone", decode, most=1 / 0.45),
        ],
        count,
        "events",
        check=lambda answers: _whole(answers[1], count),
    )


def _two_processes(name: str, store: Path, log: Path, count: int) -> Race:
    one = partial(_simulated, store, log, "--summary")
    two = partial(_simulated, store, log, "--summary", jobs=2)
    jq = partial(process, "jq", "-c", CUSTOMERS, log)
    return Race(
        f"counts, two processes: {name}",
        [
            Way("--summary --jobs 2", two),
            Way("--jobs 1", one, most=1 / 1.7),
            Way("jq", jq, most=1 / 5, needs="jq"),
        ],
        count,
        "events",
        check=lambda answers: all_equal(answers[:2]),
    )


def _beside_summary(name: str, store: Path, log: Path, count: int) -> Iterator[Race]:
    program = (*NOTIFYCLI, "--db", store)
    out, explained = log.with_suffix(".out"), log.with_suffix(".explained")
    deliver = partial(
        process, *program, "deliver", log, "--dry-run", "-q", "--max-age", "99999d", stdout=out
    )
    why = partial(process, *program, "why", log, "-q", "-u", "3", "-o", "jsonl", stdout=out)
    explain = partial(_simulated, store, log, "--explain", stdout=explained)
    for way, run, most in (
        ("--explain", explain, 3.0),
        ("deliver --dry-run", deliver, 1.5),
        ("why -u 3", why, 1.2),
    ):
        check = partial(_as_many, explained) if run is explain else lambda _: None
        yield Race(
            f"{way}: {name}",
            [
                Way(way, run),
                Way("--summary --jobs 1", partial(_simulated, store, log, "--summary"), most=most),
            ],
            count,
            "events",
            check=check,
        )


def _packed(name: str, store: Path, log: Path, count: int) -> Race:
    facts = log.with_suffix(".facts")
    process(*NOTIFYCLI, "events", "pack", log, "-q", "-o", facts)
    return Race(
        f"packed events: {name}",
        [
            Way("simulate FILE.facts", partial(_simulated, store, facts, "--summary")),
            Way("simulate FILE.jsonl", partial(_simulated, store, log, "--summary"), most=1 / 4),
        ],
        count,
        "events",
    )


def _simulated(
    store: Path, log: Path, *options: str, jobs: int = 1, stdout: Path | None = None
) -> Done:
    command: tuple[str | Path, ...] = (*NOTIFYCLI, "--db", store, "simulate", log, "-q", *options)
    command = (*command, "--jobs", str(jobs))
    return process(*command) if stdout is None else process(*command, stdout=stdout)


def _whole(answer: bytes, count: int) -> None:
    if int(answer) != count:
        raise WrongError(f"{int(answer)} of {count} events were read")


def _as_many(explained: Path, answers: Sequence[bytes]) -> None:
    """Compare what was shown with what was counted."""
    records = [msgspec.json.decode(line) for line in answers[1].splitlines()]
    counted = sum(one["fired"] + one["suppressed"] for one in records)
    with explained.open("rb") as file:
        shown = sum(1 for _ in file)
    if counted != shown:
        raise WrongError(f"{counted} decisions were counted, and {shown} shown")


def _want(path: Path, model: Model, size: Size) -> None:
    """Let a share of the agents have something switched on."""
    wanting = round(size.agents * model.wanting)
    with open_store(path) as store, store.change(1, "benchmark", "benchmark") as change:
        change.set(
            Entry(Target(Layer.USER, number * size.agents // wanting + 1), key, value)
            for number in range(wanting)
            for key, value in _WISHES[number % len(_WISHES)].items()
        )


def write_traffic(path: Path, count: int, model: Model, size: Size) -> Path:
    """Write that many bodies of a model, of some 3 KB; gives the path."""
    if not model.created:
        return write_events(path, count, size, _CONVERSATIONS)
    chance = random.Random(1)  # noqa: S311 - the same traffic each time
    encode, traffic = msgspec.json.encode, _Traffic(model, size, chance)
    with path.open("wb") as file:
        for number in range(count):
            file.write(encode(traffic.body(number)) + b"\n")
    return path


class _Traffic:
    """Conversations that begin, change hands and are written in."""

    def __init__(self, model: Model, size: Size, chance: random.Random) -> None:
        self._model = model
        self._size = size
        self._chance = chance
        self._assignees: dict[int, int | None] = {1: None}
        self._pending: list[int] = []

    def body(self, number: int) -> Json:
        """Make the next body."""
        model, kind = self._model, self._chance.random()
        if kind < model.created:
            return self._created(number)
        kind -= model.created
        newest = len(self._assignees)
        conversation = self._chance.randint(max(1, newest - _CONVERSATIONS), newest)
        if kind < model.assigned:
            return self._assigned(conversation, number)
        kind -= model.assigned
        if kind < model.handed_over and self._pending:
            return self._of(self._pending.pop(), number) | {
                "event": "conversation_status_changed",
                "changed_attributes": None,
            }
        body = body_of(number, conversation, self._size, self._chance)
        if "conversation" not in body:
            return self._of(conversation, number) | {
                "event": "conversation_updated",
                "changed_attributes": body["changed_attributes"],
            }
        body["conversation"] = self._of(conversation, number)
        if kind < model.handed_over + model.noted:
            agent = self._agent(conversation)
            mention = f"[@Agent](mention://user/{agent}/Agent%20{agent}) look"
            body |= {"private": True, "message_type": "outgoing", "content": mention}
        return body

    def _created(self, number: int) -> Json:
        conversation = len(self._assignees) + 1
        self._assignees[conversation] = None
        body = self._of(conversation, number) | {"event": "conversation_created"}
        if self._model.handed_over:
            self._pending.append(conversation)
            body["status"] = "pending"
        return body

    def _assigned(self, conversation: int, number: int) -> Json:
        before, after = self._assignees[conversation], self._agent(conversation)
        self._assignees[conversation] = after
        change = {"assignee_id": {"previous_value": before, "current_value": after}}
        return self._of(conversation, number) | {
            "event": "conversation_updated",
            "changed_attributes": [change],
        }

    def _of(self, conversation: int, number: int) -> Json:
        body = conversation_of(conversation, self._size, number)
        assignee = self._assignees[conversation]
        body["meta"]["assignee"] = assignee and {"id": assignee, "type": "user"}
        body["meta"]["assignee_type"] = assignee and "User"
        if self._model.participants:
            first = conversation % self._size.agents
            body["participants"] = [
                {"id": (first + n) % self._size.agents + 1} for n in range(self._model.participants)
            ]
        return body

    def _agent(self, conversation: int) -> int:
        """Give a member of the conversation's inbox."""
        inbox = conversation % self._size.inboxes + 1
        return (inbox * 7 + self._chance.randrange(self._size.members)) % self._size.agents + 1
