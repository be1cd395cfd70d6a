"""The profile `chatwoot@4.16` against what Chatwoot 4.16.2's own code decided (`decided/`)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec import structs

from notifycli.rules.profile import profile_named
from tests.rules.harness import decisions_of, is_sent, replay_of
from tests.rules.slow import evaluate
from tests.rules.slow.bodies import Json

WORLDS = sorted((Path(__file__).parent / "decided").glob("*.json.gz"))

Send = tuple[int, int, str, str]
Sound = tuple[int, int]
Evaluator = Callable[[list[Json], Json], list[Json]]


def by_reference(events: list[Json], world: Json) -> list[Json]:
    lines = [json.dumps(event) for event in events]
    return evaluate(lines, world["directory"], rows_of(world), profile="chatwoot@4.16")


def by_product(events: list[Json], world: Json) -> list[Json]:
    lines = [json.dumps(event) for event in events]
    profile = profile_named("chatwoot@4.16")
    replay = replay_of(world["directory"], rows_of(world), profile=profile)
    decisions = decisions_of(replay, lines)
    return [{**structs.asdict(one), "sent": is_sent(one)} for one in decisions]


def rows_of(world: Json) -> list[Json]:
    return [
        {
            "account": world["directory"]["account"]["id"],
            "layer": layer,
            "user": user or None,
            "inbox": None,
            "key": key,
            "value": value,
        }
        for layer, user, key, value in world["preferences"]
    ]


def read(path: Path) -> Json:
    world: Json = json.loads(gzip.decompress(path.read_bytes()))
    return world


@dataclass(frozen=True)
class Prediction:
    named: set[Send]
    sends: set[Send]
    sounds: set[Sound]


def predict(world: Json, evaluator: Evaluator, *, told: bool) -> Prediction:
    kept = [
        (step, event)
        for step, event, is_told in zip(world["step"], world["events"], world["told"], strict=True)
        if told or not is_told
    ]
    heard = {tuple(pair) for pair in world["heard"]}
    prediction = Prediction(set(), set(), set())
    for one in evaluator([event for _, event in kept], world):
        send = (kept[one["line"] - 1][0], one["user_id"], one["type"], one["channel"])
        sound = (one["message_id"], one["user_id"])
        if one["channel"] != "audio":
            prediction.named.add(send)
        if one["sent"] and one["channel"] != "audio":
            prediction.sends.add(send)
        if one["sent"] and one["channel"] == "audio" and sound in heard:
            prediction.sounds.add(sound)
    return prediction


def decided_sends(world: Json) -> set[Send]:
    return {
        (int(step), user, type_, channel)
        for step, sends in world["sends"].items()
        for user, type_, channel in sends
    }


def decided_sounds(world: Json) -> set[Sound]:
    """Without those of a private activity message, which no event tells of."""
    messages = {event["id"] for event in world["events"] if event["event"] == "message_created"}
    return {(message, user) for message, user in world["sounds"] if message in messages}


@pytest.mark.parametrize("evaluator", [by_reference, by_product])
@pytest.mark.parametrize("path", WORLDS, ids=lambda path: path.name)
def test_with_what_no_webhook_tells_everything_is_predicted(
    path: Path, evaluator: Evaluator
) -> None:
    world = read(path)
    prediction = predict(world, evaluator, told=True)
    assert prediction.sends == decided_sends(world)
    assert prediction.sounds == decided_sounds(world)


@pytest.mark.parametrize("evaluator", [by_reference, by_product])
def test_webhooks_alone_predict_nearly_everything_but_missed_service_levels(
    evaluator: Evaluator,
) -> None:
    named = wrong = 0
    for path in WORLDS:
        world = read(path)
        prediction = predict(world, evaluator, told=False)
        decided = {send for send in decided_sends(world) if not send[2].startswith("sla_")}
        named += len(prediction.named | decided)
        wrong += len(prediction.sends ^ decided)
    assert named > 400
    assert wrong / named < 0.025
