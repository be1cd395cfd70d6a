"""The table of profiles: it reads like section 1 of `spec/chatwoot.md`."""

from __future__ import annotations

import pytest

from notifycli.rules.ladder import AUDIO, SWITCHED
from notifycli.rules.layers import (
    Preferences,
    SettingsBook,
    as_read_by,
    unheard,
    without_effect,
)
from notifycli.rules.profile import (
    NOTIFYCLI,
    VERSIONS,
    Profile,
    UnknownProfileError,
    profile_named,
)

RELEASES = (
    "2.13.0", "2.14.0", "3.5.0", "3.5.1", "3.6.0", "3.7.0", "3.9.0", "3.15.0", "3.16.0", "4.0.0",
    "4.0.2", "4.0.3", "4.4.0", "4.11.1", "4.11.2", "4.14.0", "4.16.2",
)  # fmt: skip
# The facts, in the words of their page: rule, since, and until where a later row takes it back.
FACTS = """
R5 sla 3.7.0
R7 handoff_told 3.6.0
R10 assignment_at_creation 3.9.0
R13 outgoing 2.14.0
R4 participants 2.14.0
R14 private_notes 2.14.0 to 4.11.1
R16 participating_first 2.14.0 to 3.16.x
R17 one_row 4.0.0
R18 row_needs_switch up to 3.5.0
R23 blocked_gate 4.0.0
R27 team_mentions 4.4.0
R28 self_mention_skip 4.14.0
R29 access_gate 4.14.0
R34 confirmed_gate 4.0.3
A5 audio_sets 3.16.0
A5 audio_by_number 3.16.0
A5 audio_ding up to 3.15
A7 audio_mine up to 3.15
A7 audio_mine 4.0.2
A7 audio_pending_gate 4.0.2
"""
LAST_BEFORE = {"4.11.2": "4.11.1", "4.0.0": "3.16.x", "3.5.1": "3.5.0", "3.16.0": "3.15"}


def test_the_table_reads_like_the_page() -> None:
    printed = []
    for row in VERSIONS:
        until = f"to {LAST_BEFORE[row.until]}" if row.until else ""
        since = row.since or "up"
        printed.append(" ".join(filter(None, (row.rule, row.switch, since, until))))
    assert printed == FACTS.strip().splitlines()


@pytest.mark.parametrize("row", VERSIONS, ids=lambda row: f"{row.rule} {row.switch} {row.since}")
def test_a_row_holds_from_its_first_release_to_its_last(row: object) -> None:
    assert row in VERSIONS
    switch, since, until = (getattr(row, name) for name in ("switch", "since", "until"))
    rows = [one for one in VERSIONS if one.switch == switch]
    for release in RELEASES:
        number = tuple(map(int, release.split(".")))
        inside = number >= as_number(since) and (not until or number < as_number(until))
        on = getattr(profile_named(f"chatwoot@{release}"), switch)
        assert on or not inside
        assert inside or not on or len(rows) > 1


def as_number(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split("."))) if release else (0,)


def test_every_switch_of_the_tables_is_one_of_a_profile() -> None:
    fields = set(Profile.__struct_fields__)
    assert {row.switch for row in VERSIONS} <= fields
    assert {rule.switch for rule in (*SWITCHED, *AUDIO)} - {""} <= fields


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("chatwoot@4.16", "chatwoot@4.16"),
        ("Chatwoot@v4.16.2", "chatwoot@4.16.2"),
        (" notifycli ", "notifycli"),
    ],
)
def test_a_profile_is_named_by_product_and_version(name: str, release: str) -> None:
    assert profile_named(name).name == release


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("notify", "'notify' is no profile: notifycli or chatwoot@4.16; did you mean notifycli?"),
        ("chatwoot", "'chatwoot' is no profile: notifycli or chatwoot@4.16"),
        ("chatwoot@", "'' is no version of Chatwoot, like 4.16.2: known are 2.13 to 4.16"),
        ("chatwoot@four", "'four' is no version of Chatwoot, like 4.16.2: known are 2.13 to 4.16"),
        (
            "chatwoot@4.16.2.1",
            "'4.16.2.1' is no version of Chatwoot, like 4.16.2: known are 2.13 to 4.16",
        ),
        ("chatwoot@2.12", "the rules of Chatwoot 2.12 aren't known: known are 2.13 to 4.16"),
        ("chatwoot@5.0", "the rules of Chatwoot 5.0 aren't known: known are 2.13 to 4.16"),
    ],
)
def test_what_names_none_is_refused(name: str, told: str) -> None:
    with pytest.raises(UnknownProfileError) as caught:
        profile_named(name)
    assert str(caught.value) == told


STORED = Preferences(
    lock={"quiet_hours": "22:00-07:00"},
    inbox={(7, 3): {"audio": "all"}},
    user={7: {"inactive_after": "5m", "push.unassigned_conversation_new_message": "on"}},
    default={"audio": "assigned"},
)


def test_a_chatwoot_reads_what_it_knows_and_the_rest_is_named() -> None:
    profile = profile_named("chatwoot@4.16")
    assert as_read_by(profile, STORED) == Preferences(
        user={7: {}}, default={"audio": "assigned"}, builtin={"inactive_after": "20s"}
    )
    gone = ["inactive_after", "push.unassigned_conversation_new_message", "quiet_hours", "inbox"]
    assert without_effect(profile, STORED) == gone
    assert without_effect(NOTIFYCLI, STORED) == []
    assert as_read_by(NOTIFYCLI, STORED) is STORED


@pytest.mark.parametrize(
    ("release", "value", "covered"),
    [
        ("3.15", "assigned", {"assigned"}),
        ("3.15", "assigned+others", {"not read"}),
        ("3.16", "assigned", {"not read"}),
        ("3.16", "assigned+others", {"assigned", "others"}),
        ("4.0.2", "assigned", {"assigned"}),
        ("3.15", "none", set()),
    ],
)
def test_a_choice_of_sounds_is_read_as_the_version_reads_it(
    release: str, value: str, covered: set[str]
) -> None:
    book = SettingsBook(Preferences(default={"audio": value}), profile_named(f"chatwoot@{release}"))
    assert book.of(7, None).audio.value == covered


@pytest.mark.parametrize(
    ("release", "counted"),
    [
        ("3.15", {("audio", "assigned+others"): 1}),
        ("3.16", {("audio", "assigned"): 1, ("audio.tone", "ding"): 2}),
        ("4.0.1", {("audio", "assigned"): 1, ("audio.tone", "ding"): 2}),
        ("4.0.2", {("audio.tone", "ding"): 2}),
        ("4.16", {("audio.tone", "ding"): 2}),
    ],
)
def test_sounds_that_a_version_makes_nothing_of(
    release: str, counted: dict[tuple[str, str], int]
) -> None:
    """7 has the default tone, 8 another one, 9 no sound at all."""
    preferences = Preferences(
        default={"audio": "none"},
        user={
            7: {"audio": "assigned"},
            8: {"audio": "assigned+others", "audio.tone": "chime"},
            10: {"audio": "all", "audio.tone": "ding"},
        },
    )
    assert unheard(profile_named(f"chatwoot@{release}"), preferences, [7, 8, 9, 10]) == counted
    assert unheard(NOTIFYCLI, preferences, [7, 8, 9, 10]) == {}
