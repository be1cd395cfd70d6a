"""Preference keys and values: every way to write them, and what they mean."""

from __future__ import annotations

import pytest

from notifycli.events.timestamps import parse_moment
from notifycli.rules.preferences import BEYOND, KEYS, InvalidPreferenceError, full_keys, read_value
from notifycli.rules.quiet_hours import Duration, QuietHours, zones

SPELLINGS = [
    ("audio", ["audio"]),
    ("email.created", ["email.conversation_creation"]),
    ("email.conversation_creation", ["email.conversation_creation"]),
    ("email_conversation_creation", ["email.conversation_creation"]),
    ("PUSH.Mention ", ["push.conversation_mention"]),
    ("push.*", [key for key in KEYS if key.startswith("push.") and key not in BEYOND]),
]


@pytest.mark.parametrize(("written", "keys"), SPELLINGS)
def test_a_key_is_read_however_it_is_written(written: str, keys: list[str]) -> None:
    assert list(full_keys(written)) == keys


@pytest.mark.parametrize(
    ("written", "nearest"),
    [
        ("emai.mention", "email.mention"),
        ("email.mentions", "email.mention"),
        ("audio.tune", "audio.tone"),
        ("xyzzy", ""),
    ],
)
def test_an_unknown_key_is_refused_with_the_nearest(written: str, nearest: str) -> None:
    with pytest.raises(InvalidPreferenceError) as caught:
        full_keys(written)
    assert caught.value.nearest == nearest


VALUES = [
    ("email.conversation_mention", "TRUE", "on"),
    ("email.conversation_mention", "0", "off"),
    ("audio", "mine", "assigned"),
    ("audio", "notme+mine", "assigned+others"),
    ("audio", "unassigned+assigned+unassigned", "assigned+unassigned"),
    ("audio", "ALL", "all"),
    ("audio.tone", "Bell", "bell"),
    ("audio.when", "always", "always"),
    ("audio.repeat", "yes", "on"),
    ("inactive_after", "005m", "5m"),
    ("inactive_after", "0s", "0s"),
    ("quiet_hours", "no", "off"),
    ("quiet_hours", "7:00-9:30", "07:00-09:30"),
    ("quiet_hours", "22:00-07:00 mon-fri Europe/Berlin", "22:00-07:00 Europe/Berlin mon-fri"),
    ("quiet_hours", "00:00-24:00 Sat,Sun", "00:00-24:00 sat,sun"),
]


@pytest.mark.parametrize(("key", "written", "stored"), VALUES)
def test_a_value_is_stored_in_one_form_however_it_is_written(
    key: str, written: str, stored: str
) -> None:
    assert read_value(key, written) == stored
    assert read_value(key, stored) == stored


BAD_VALUES = [
    ("email.conversation_mention", "maybe"),
    ("audio", ""),
    ("audio", "assigned+"),
    ("audio", "none+assigned"),
    ("audio.tone", "gong"),
    ("inactive_after", "5"),
    ("inactive_after", "1 day"),
    ("quiet_hours", "22:00"),
    ("quiet_hours", "25:00-07:00"),
    ("quiet_hours", "22:60-07:00"),
    ("quiet_hours", "22:00-07:00 Europe/Atlantis"),
    ("quiet_hours", "22:00-07:00 ../../etc/passwd"),
    ("quiet_hours", "22:00-07:00 mon-funday"),
    ("quiet_hours", "22:00-07:00 UTC mon tue"),
]


@pytest.mark.parametrize(("key", "written"), BAD_VALUES)
def test_a_value_that_is_none_is_refused_and_named(key: str, written: str) -> None:
    with pytest.raises(InvalidPreferenceError, match=key) as caught:
        read_value(key, written)
    assert repr(written) in str(caught.value)


@pytest.mark.parametrize("key", KEYS.values(), ids=lambda key: key.name)
def test_built_in_and_offered_values_are_valid_as_they_stand(key: object) -> None:
    assert [value for value in (key.builtin, *key.values) if key.read(value) != value] == []  # type: ignore[attr-defined]


# 2026-03-03 is a Tuesday; Berlin is an hour ahead of UTC until 2026-03-29, then two.
MOMENTS = [
    ("22:00-07:00", "2026-03-03T21:59:59.999999Z", False),
    ("22:00-07:00", "2026-03-03T22:00:00Z", True),
    ("22:00-07:00", "2026-03-04T06:59:59Z", True),
    ("22:00-07:00", "2026-03-04T07:00:00Z", False),
    ("22:00-07:00 Europe/Berlin", "2026-03-03T21:00:00Z", True),
    ("22:00-07:00 Europe/Berlin", "2026-03-30T20:00:00Z", True),
    ("22:00-07:00 Europe/Berlin", "2026-03-30T05:00:00Z", False),
    ("22:00-07:00 tue", "2026-03-04T06:00:00Z", True),
    ("22:00-07:00 wed", "2026-03-04T06:00:00Z", False),
    ("22:00-07:00 fri-mon", "2026-03-09T23:00:00Z", True),
    ("22:00-07:00 fri-mon", "2026-03-10T23:00:00Z", False),
    ("12:00-13:00 mon,tue", "2026-03-03T12:30:00Z", True),
    ("12:00-13:00 wed-mon", "2026-03-03T12:30:00Z", False),
    ("09:00-09:00 tue", "2026-03-04T08:59:00Z", True),
    ("09:00-09:00 tue", "2026-03-03T08:59:00Z", False),
    ("00:00-24:00 tue", "2026-03-03T00:00:00Z", True),
    ("00:00-24:00 tue", "2026-03-04T00:00:00Z", False),
]


@pytest.mark.parametrize(("hours", "when", "holds"), MOMENTS)
def test_quiet_hours_hold_from_their_first_minute_to_before_their_last(
    hours: str, when: str, holds: bool
) -> None:
    assert QuietHours.parse(hours).hold(parse_moment(when)) is holds


def test_a_duration_is_its_microseconds() -> None:
    found = [Duration.parse(text).microseconds for text in ("0s", "60s", "5m", "1h")]
    assert found == [0, 60_000_000, 300_000_000, 3_600_000_000]


@pytest.mark.parametrize(
    ("word", "zone"),
    [
        ("utc", "UTC"),
        ("singapore", "Singapore"),
        ("berlin", "Europe/Berlin"),
        ("etc/utc", "Etc/UTC"),
    ],
)
def test_a_zone_is_known_by_its_name_or_else_its_city(word: str, zone: str) -> None:
    assert zones()[word] == zone
