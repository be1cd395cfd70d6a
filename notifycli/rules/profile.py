"""Profiles: whose rules an account follows, this program's or those of a Chatwoot server.

A profile is one frozen value of named switches; a rule asks it by name. What Chatwoot does at which
version is data, `VERSIONS`, and nothing else knows a version.
"""

from __future__ import annotations

import re
from functools import cache

from msgspec import Struct, structs

from notifycli.rules.preferences import nearest

OURS = "notifycli"
CHATWOOT = "chatwoot"
OLDEST, NEWEST = (2, 13, 0), (4, 16, 99)
_KNOWN = f"known are {OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
_WRITTEN = r"(?a)(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?"

Version = tuple[int, int, int]


class Profile(Struct, frozen=True, cache_hash=True):
    """The switches of a set of rules; as they are here, those of `notifycli`."""

    name: str = OURS

    unknown_inbox_has_everybody: bool = True
    """Whether every user is taken to be a member of an inbox whose members aren't on record."""
    team_as_members: bool = True
    """Whether members of a conversation's team can be mentioned in it, and hear it."""
    participants_are_members: bool = False
    """Whether only members of the inbox and administrators take part."""

    handoff_told: bool = True
    assignment_at_creation: bool = True
    remembers_assignment: bool = True
    """Whether somebody who has been told of an assignment isn't told of it again."""
    sla: bool = True
    outgoing: bool = True
    """Whether agents' messages are new messages, and not just customers'."""
    private_notes: bool = False
    """Whether private notes are new messages."""
    participants: bool = True
    unassigned: bool = True
    address_mentions: bool = True
    """Whether `@` and an e-mail address is a mention."""
    team_mentions: bool = True
    """Whether a team's mention is one of its members; else its number is read as a user's."""
    self_mention_skip: bool = True
    ids_as_text: bool = False
    """Whether a mention's number is compared as text: with leading zeros it is nobody's."""

    participating_first: bool = False
    """Whether a participant's type comes before the assignee's, who is told of one of them."""
    one_row: bool = False
    """Whether the first type that names a user stands for all of a message, even switched off."""
    row_needs_switch: bool = False
    """Whether the app itself shows only what is switched on, on some channel."""

    blocked_gate: bool = True
    access_gate: bool = True
    confirmed_gate: bool = True
    """Whether no mail goes to an address that isn't confirmed."""
    quiet_hours: bool = True
    inbox_values: bool = True
    push_presence: bool = True
    """Whether a push of a new message waits for an inactive user, as an e-mail does."""
    live_presence: bool = False
    """Whether being connected counts, in front or not, for as long as the server says."""

    audio_pending_gate: bool = True
    audio_blocked_gate: bool = True
    audio_sets: bool = True
    """Whether sounds can be chosen for `unassigned` and `others` too."""
    audio_mine: bool = True
    """Whether `assigned` alone, Chatwoot's `mine`, is read."""
    audio_ding: bool = True
    """Whether the tone `ding`, which is the default, is heard."""
    audio_by_number: bool = False
    """Whether one's own message is told by its sender's number, whoever has that number."""

    @property
    def is_chatwoot(self) -> bool:
        """Whether it is that of a server, which some of our preferences have no effect on."""
        return self.name != OURS


NOTIFYCLI = Profile()


class RuleSwitch(Struct, frozen=True):
    """A switch, and the releases that have it on: from one on, and until another one."""

    rule: str
    switch: str
    since: str = ""
    until: str = ""
    what: str = ""


VERSIONS = (
    RuleSwitch("R5", "sla", "3.7.0", what="missed service levels"),
    RuleSwitch("R7", "handoff_told", "3.6.0", what="creation also when a bot hands over"),
    RuleSwitch("R10", "assignment_at_creation", "3.9.0", what="assignment by a creation"),
    RuleSwitch("R13", "outgoing", "2.14.0", what="new message: outgoing too"),
    RuleSwitch("R4", "participants", "2.14.0", what="new message: participants too"),
    RuleSwitch("R14", "private_notes", "2.14.0", "4.11.2", "private notes are new messages"),
    RuleSwitch("R16", "participating_first", "2.14.0", "4.0.0", "participating, then assigned"),
    RuleSwitch("R17", "one_row", "4.0.0", what="one notice a message and user"),
    RuleSwitch("R18", "row_needs_switch", "", "3.5.1", "an in-app row only where a switch is on"),
    RuleSwitch("R23", "blocked_gate", "4.0.0", what="a blocked contact silences all but mentions"),
    RuleSwitch("R27", "team_mentions", "4.4.0", what="a team mention means its members"),
    RuleSwitch("R28", "self_mention_skip", "4.14.0", what="mentioning oneself notifies nobody"),
    RuleSwitch("R29", "access_gate", "4.14.0", what="access is checked for every type"),
    RuleSwitch("R34", "confirmed_gate", "4.0.3", what="no mail to an unconfirmed address"),
    RuleSwitch("A5", "audio_sets", "3.16.0", what="sounds for unassigned and others"),
    RuleSwitch("A5", "audio_by_number", "3.16.0", what="one's own message by the sender's number"),
    RuleSwitch("A5", "audio_ding", "", "3.16.0", "the default tone is heard"),
    RuleSwitch("A7", "audio_mine", "", "3.16.0", "`mine` is read"),
    RuleSwitch("A7", "audio_mine", "4.0.2", what="`mine` is read again"),
    RuleSwitch("A7", "audio_pending_gate", "4.0.2", what="pending conversations are silent"),
)
"""Section 1 of the facts about Chatwoot, row by row; what isn't here, every version has."""

_EVERY_CHATWOOT = Profile(
    name=CHATWOOT,
    unknown_inbox_has_everybody=False,
    team_as_members=False,
    participants_are_members=True,
    remembers_assignment=False,
    unassigned=False,
    address_mentions=False,
    ids_as_text=True,
    quiet_hours=False,
    inbox_values=False,
    push_presence=False,
    live_presence=True,
    audio_blocked_gate=False,
)


class UnknownProfileError(ValueError):
    """A name that is no profile's; the message says what would be one."""


def profile_named(name: str) -> Profile:
    """Give the profile with this name: `notifycli`, `chatwoot@4.16`, `chatwoot@4.11.2`.

    `chatwoot` alone is none: which one that is, only the connected server can say. Raises
    `UnknownProfileError`.
    """
    text = name.strip().lower()
    if text == OURS:
        return NOTIFYCLI
    product, at, version = text.partition("@")
    if product == CHATWOOT and at:
        return chatwoot_profile(version)
    near = nearest(text, (OURS, CHATWOOT))
    meant = f"; did you mean {near}?" if near and near != text else ""
    raise UnknownProfileError(f"{name!r} is no profile: notifycli or chatwoot@4.16{meant}")


def rules_by_account(setting: str) -> dict[int | None, str]:
    """Return the names in a setting `rules`, by account; `None` is every other one.

    It reads `chatwoot@4.16`, or `chatwoot, 3:notifycli` where account 3 has rules of its own.
    Raises `UnknownProfileError`, not for a name.
    """
    named: dict[int | None, str] = {}
    for part in setting.lower().split(","):
        account, colon, name = part.rpartition(":")
        number = account.strip()
        if colon and not (number.isascii() and number.isdecimal() and int(number)):
            raise UnknownProfileError(f"{number!r} is no account's number")
        key = int(number) if colon else None
        if key in named:
            raise UnknownProfileError(f"{part.strip()!r} is a second one for the same accounts")
        named[key] = name.strip()
    return named


def chatwoot_profile(version: str) -> Profile:
    """Give the profile of a release: `4.16`, `4.16.2`. Raises `UnknownProfileError`."""
    number = read_version(version)
    if not OLDEST <= number <= NEWEST:
        raise UnknownProfileError(f"the rules of Chatwoot {version} aren't known: {_KNOWN}")
    return _of(number, version.strip().removeprefix("v"))


def every_chatwoot() -> list[Profile]:
    """Return a profile for each release at which a rule changed, the oldest first."""
    changes = {
        OLDEST,
        *(read_version(at) for row in VERSIONS for at in (row.since, row.until) if at),
    }
    newest = chatwoot_profile(".".join(map(str, NEWEST[:2])))
    found: list[Profile] = []
    for number in sorted(changes):
        profile = _of(number, ".".join(map(str, number)).removesuffix(".0"))
        found.append(newest if structs.replace(profile, name=newest.name) == newest else profile)
    return found


def read_version(text: str) -> Version:
    """Read a release's number; without a third one, the first of its kind.

    Raises `UnknownProfileError`.
    """
    match = re.fullmatch(_WRITTEN, text.strip().removeprefix("v"))
    if match is None:
        raise UnknownProfileError(f"{text!r} is no version of Chatwoot, like 4.16.2: {_KNOWN}")
    return int(match[1]), int(match[2]), int(match[3] or 0)


@cache
def _of(number: Version, written: str) -> Profile:
    switches = {row.switch: False for row in VERSIONS}
    for row in VERSIONS:
        switches[row.switch] |= _holds(row, number)
    return structs.replace(_EVERY_CHATWOOT, name=f"{CHATWOOT}@{written}", **switches)


def _holds(row: RuleSwitch, number: Version) -> bool:
    since = read_version(row.since) if row.since else OLDEST
    return since <= number and (not row.until or number < read_version(row.until))
