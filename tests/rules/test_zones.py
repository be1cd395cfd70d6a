"""What is said of a time zone that is none: a suggestion never means another time."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from notifycli.events.timestamps import SECOND, parse_moment
from notifycli.rules.preferences import InvalidPreferenceError, read_value
from notifycli.rules.quiet_hours import QuietHours, describe_zone, nearest_zone

CITY = "an offset is no zone: name a city, e.g. Europe/Berlin"

# What was typed after 22:00-07:00, what is said of it, and what is suggested.
REFUSED = [
    ("GMT+2", f"{CITY}, or Etc/GMT-2, which is UTC+2: its sign is the other way round", ""),
    ("GMT-5", f"{CITY}, or Etc/GMT+5, which is UTC-5: its sign is the other way round", ""),
    ("UTC-5", f"{CITY}, or Etc/GMT+5, which is UTC-5: its sign is the other way round", ""),
    ("+02:00", f"{CITY}, or Etc/GMT-2, which is UTC+2: its sign is the other way round", ""),
    ("utc+5:30", CITY, ""),
    ("UTC+15", CITY, ""),
    ("PST", "abbreviations are not unique: name a city", ""),
    ("IST", "abbreviations are not unique: name a city", ""),
    ("BST", "abbreviations are not unique: name a city", ""),
    ("CEST", "abbreviations are not unique: name a city", ""),
    ("est", "'est' is no IANA time zone", "EST"),
    ("America/New York", "'America/New York' is no IANA time zone", "America/New_York"),
    ("america/new york mon-fri", "'america/new york' is no IANA", "America/New_York"),
    ("America/New", "'America/New' is no IANA time zone", ""),
    ("America/New-York", "'America/New-York' is no IANA time zone", "America/New_York"),
    ("new york", "'new york' is no IANA time zone", "America/New_York"),
    ("Europe/Berln", "'Europe/Berln' is no IANA time zone", "Europe/Berlin"),
    ("EU/Berlin", "'EU/Berlin' is no IANA time zone", "Europe/Berlin"),
    ("Asia/Berlin", "'Asia/Berlin' is no IANA time zone", ""),
    ("Berln", "'Berln' is no IANA time zone", "Europe/Berlin"),
    ("Europe/Atlantis", "'Europe/Atlantis' is no IANA time zone", ""),
    ("local", "another zone on each machine", ""),
    ("localtime", "another zone on each machine", ""),
    ("posixrules", "another zone on each machine", ""),
    ("Factory", "another zone on each machine", ""),
    ("right/Europe/Berlin", "leave out right/", "Europe/Berlin"),
    ("18:00-24:00", "one span of hours only", ""),
    ("weekdays", "for 'weekdays', write mon-fri", ""),
    ("weekend", "for 'weekend', write sat,sun", ""),
]


@pytest.mark.parametrize(("typed", "told", "suggested"), REFUSED, ids=[r[0] for r in REFUSED])
def test_what_is_no_zone_is_named_for_what_it_is(typed: str, told: str, suggested: str) -> None:
    with pytest.raises(InvalidPreferenceError) as caught:
        read_value("quiet_hours", f"22:00-07:00 {typed}")
    assert (told in str(caught.value), caught.value.nearest) == (True, suggested)


@pytest.mark.parametrize("typed", ["00:00-08:00,18:00-24:00", "00:00-08:00, 18:00-24:00 mon"])
def test_two_spans_are_told_to_be_two(typed: str) -> None:
    with pytest.raises(InvalidPreferenceError, match="one span of hours only") as caught:
        read_value("quiet_hours", typed)
    assert caught.value.nearest == ""


TAKEN = [
    ("Etc/GMT+2", "Etc/GMT+2 is UTC-2 all year: its sign is the other way round"),
    ("EST", "EST is UTC-5 all year, without summer time; a city is clearer"),
    ("CET", "CET is Central European Time with its summer time; a city is clearer"),
    ("Europe/Berlin", ""),
    ("UTC", ""),
]


@pytest.mark.parametrize(("zone", "told"), TAKEN)
def test_what_can_be_taken_for_another_is_described(zone: str, told: str) -> None:
    assert read_value("quiet_hours", f"22:00-07:00 {zone}") == f"22:00-07:00 {zone}"
    assert describe_zone(zone) == told


@pytest.mark.parametrize("zone", ["localtime", "Factory"])
def test_what_was_stored_before_is_still_read(zone: str) -> None:
    try:
        ZoneInfo(zone)
    except (OSError, KeyError):
        pytest.skip(f"this machine has no {zone}")
    assert QuietHours.parse(f"22:00-07:00 {zone}").zone == zone


# An abbreviation, or an offset, must never become another time.
WORDS = st.from_regex(r"(GMT|UTC)?[+-]\d{1,2}", fullmatch=True) | st.text(
    "ABCDEGHIKMNPSTUWZ", min_size=2, max_size=4
)


@given(WORDS)
def test_no_suggestion_crosses_abbreviations_or_offsets(word: str) -> None:
    near = nearest_zone(word)
    assert near == "" or near.upper() == word.upper()


@given(st.sampled_from(sorted(available_timezones())), st.sampled_from([str.lower, str.upper]))
def test_a_zone_in_another_case_is_suggested_as_itself(zone: str, change: object) -> None:
    written = zone.lower().replace("_", " ") if change is str.lower else zone.upper()
    near = nearest_zone(written)
    now = datetime(2026, 7, 1, tzinfo=UTC)
    assert near == "" or now.astimezone(ZoneInfo(near)) == now.astimezone(ZoneInfo(zone))
    if "/" in zone and not zone.startswith("Etc/"):
        assert near == zone


@given(
    st.sampled_from(["22:00-07:00", "09:30-12:15", "08:00-08:00", "00:00-24:00"]),
    st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu", "Africa/Monrovia"]),
    st.sampled_from(["", " mon-fri", " sun"]),
    st.integers(-(2**31), 2**33).map(lambda second: second * SECOND),
    st.floats(0, 1, exclude_max=True),
)
@example("22:00-07:00", "Europe/Berlin", "", 1_774_746_000 * SECOND, 0.5)
def test_quiet_hours_stay_as_they_are_within_the_span_that_they_give(
    hours: str, zone: str, days: str, moment: int, share: float
) -> None:
    quiet = QuietHours.parse(f"{hours} {zone}{days}")
    hold, since, until = quiet.span(moment)
    assert since <= moment < until
    for other in (since, until - 1, since + int((until - since) * share)):
        assert quiet.hold(other) is hold


EVERY_DAY = ("", "mon-fri", "sat,sun", "mon-sat", "wed")
AROUND_CHANGES = {
    "Europe/Berlin": (1_774_746_000, 1_792_890_000),
    "America/New_York": (1_772_953_200, 1_793_512_800),
    "Australia/Lord_Howe": (1_775_314_800, 1_791_041_400),
    "Pacific/Apia": (1_325_239_200,),  # a Friday that wasn't
    "Asia/Kathmandu": (1_772_500_000,),
}
HOURS_OF_DAY = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.sampled_from([0, 15, 29, 59]))


def _quiet(start: str, end: str, zone: str, days: str, at: datetime) -> bool:
    """Whether a minute of the clock on the wall lies in quiet hours."""
    local = at.astimezone(ZoneInfo(zone))
    names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    if "-" in days:
        first, last = map(names.index, days.split("-"))
        names_of = names[first : last + 1]
    else:
        names_of = days.split(",") if days else names
    now, today = f"{local:%H:%M}", local.weekday()
    if start < end:
        return start <= now < end and names[today] in names_of
    if now >= start:
        return names[today] in names_of
    return now < end and names[today - 1] in names_of


@given(
    HOURS_OF_DAY,
    HOURS_OF_DAY,
    st.sampled_from(EVERY_DAY),
    st.sampled_from(sorted(AROUND_CHANGES)).flatmap(
        lambda zone: st.tuples(st.just(zone), st.sampled_from(AROUND_CHANGES[zone]))
    ),
    st.integers(-2_000, 2_000),
)
@example("22:00", "07:00", "", ("Europe/Berlin", 1_774_746_000), -200)
@example("02:00", "02:30", "", ("Europe/Berlin", 1_774_746_000), 0)
@example("22:00", "21:59", "", ("America/New_York", 1_793_512_800), -60)
@example("00:00", "00:00", "mon-sat", ("Pacific/Apia", 1_325_239_200), -3_000)
@example("12:00", "12:00", "", ("Asia/Kathmandu", 1_772_500_000), 0)
def test_quiet_hours_end_at_the_first_minute_outside_them(
    start: str, end: str, days: str, place: tuple[str, int], minutes: int
) -> None:
    zone, around = place
    moment = (around // 60 + minutes) * 60
    found = QuietHours.parse(f"{start}-{end} {zone} {days}").next_free(moment * SECOND)
    if start == end and not days:
        assert found is None
        return
    step = moment
    while _quiet(start, end, zone, days, datetime.fromtimestamp(step, UTC)):
        step += 60
    assert found == step * SECOND


def test_a_moment_within_a_minute_outside_is_its_own_end() -> None:
    hours = QuietHours.parse("22:00-07:00")
    inside, outside = parse_moment("2026-03-03T06:59:59.5Z"), parse_moment("2026-03-03T07:00:00.5Z")
    assert hours.next_free(outside) == outside
    assert hours.next_free(inside) == parse_moment("2026-03-03T07:00:00Z")


@given(
    st.sampled_from(["22:00-07:00", "09:30-12:15", "08:00-08:00"]),
    st.sampled_from(["", " mon-fri", " sun"]),
    st.lists(st.integers(0, 2_000).map(lambda step: (1_774_746_000 + 347 * step) * SECOND)),
)
def test_what_was_asked_before_makes_no_difference(
    hours: str, days: str, moments: list[int]
) -> None:
    text = f"{hours} Europe/Berlin{days}"
    quiet = QuietHours.parse(text)

    def alone(moment: int) -> tuple[bool, int | None]:
        other = QuietHours.parse(f"{text} ".replace("Berlin", "Paris"))  # whose clocks are the same
        other.next_free(0)
        other.hold(0)
        return other.hold(moment), other.next_free(moment)

    assert [(quiet.hold(at), quiet.next_free(at)) for at in moments] == [*map(alone, moments)]
