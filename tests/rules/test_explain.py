"""Reasons in sentences."""

from __future__ import annotations

import pytest
from msgspec import UNSET

from notifycli.rules.decision import (
    EXPLANATIONS,
    Decision,
    Outcome,
    Reason,
    deciding,
    in_general,
    sentence,
)
from notifycli.rules.ladder import ladders_of
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.rules.preferences import KEYS, Layer, read_value
from notifycli.rules.profile import NOTIFYCLI

MESSAGE = NotificationType.ASSIGNED_MESSAGE
PREFERENCES = Preferences(
    user={7: {"quiet_hours": "22:00-07:00"}}, default={"audio": "assigned", "inactive_after": "5m"}
)


def decided(reason: Reason, channel: Channel, *, deliverable: bool | None = None) -> Decision:
    outcome = Outcome.FIRE if reason is Reason.ENABLED else Outcome.SUPPRESS
    type_ = NotificationType.NEW_MESSAGE if channel is Channel.AUDIO else MESSAGE
    return Decision(
        1, UNSET, None, "message_created", 1, 42, 3, 5, 7, None, type_, channel, outcome, reason,
        None, deliverable,
    )  # fmt: skip


def test_every_reason_has_an_explanation() -> None:
    assert list(EXPLANATIONS) == list(Reason)


def test_a_preference_is_named_where_the_ladders_say_that_one_decides() -> None:
    with_origin = {
        rule.reason
        for ladder in ladders_of(NOTIFYCLI).whole.values()
        for rule in ladder
        if rule.origin is not None
    }
    explained = {reason for reason, explanation in EXPLANATIONS.items() if explanation.key}
    assert explained == with_origin | {Reason.ENABLED}


@pytest.mark.parametrize("channel", list(Channel))
@pytest.mark.parametrize("reason", [r for r, found in EXPLANATIONS.items() if found.key])
def test_what_would_turn_it_round_is_a_preference_and_a_value_of_it(
    reason: Reason, channel: Channel
) -> None:
    setting = deciding(decided(reason, channel), reason, Preferences())
    assert setting is not None
    assert setting.key in KEYS
    assert read_value(setting.key, setting.instead) == setting.instead


@pytest.mark.parametrize(
    ("reason", "channel", "told"),
    [
        (Reason.ENABLED, Channel.EMAIL, "it is switched on: email.message is off (builtin)"),
        (Reason.DISABLED, Channel.PUSH, "it is switched off: push.message is off (builtin)"),
        (
            Reason.NOT_ASSIGNED,
            Channel.AUDIO,
            "the choice of sounds leaves this conversation out: audio is assigned (default)",
        ),
        (
            Reason.QUIET_HOURS,
            Channel.PUSH,
            "it was in Jane's quiet hours: quiet_hours is 22:00-07:00 (user)",
        ),
        (
            Reason.ACTIVE,
            Channel.EMAIL,
            "Jane had been active just before: inactive_after is 5m (default)",
        ),
        (
            Reason.WINDOW_VISIBLE,
            Channel.AUDIO,
            "the app's window was in front: audio.when is hidden (builtin)",
        ),
        (Reason.SELF_AUTHORED, Channel.EMAIL, "Jane wrote the message"),
        (Reason.VIEWING, Channel.AUDIO, "Jane had the conversation open, in front"),
    ],
)
def test_a_reason_reads(reason: Reason, channel: Channel, told: str) -> None:
    decision = decided(reason, channel)
    assert sentence(decision, reason, deciding(decision, reason, PREFERENCES), "Jane") == told


@pytest.mark.parametrize(
    ("channel", "lacking"), [(Channel.EMAIL, "address"), (Channel.PUSH, "subscription")]
)
def test_what_fires_but_has_nowhere_to_go_says_so(channel: Channel, lacking: str) -> None:
    decision = decided(Reason.ENABLED, channel, deliverable=False)
    setting = deciding(decision, Reason.ENABLED, Preferences(lock={f"{channel}.{MESSAGE}": "on"}))
    assert setting is not None
    assert setting.layer is Layer.LOCK
    assert sentence(decision, Reason.ENABLED, setting, "Jane") == (
        f"it is switched on: {channel}.message is on (lock), "
        f"but there is no {lacking} to send it to"
    )


def test_of_nobody_in_particular_a_reason_names_the_user() -> None:
    assert in_general(Reason.ACTIVE) == "the user had been active just before"
