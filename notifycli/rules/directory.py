"""The directory of one account, and who can see a conversation."""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Literal

from msgspec import Struct

from notifycli.events.event import LARGEST_ID
from notifycli.rules.notifications import Channel

_LONGEST_ID = 19
Role = Literal["agent", "administrator"]
ROLES: tuple[Role, ...] = ("agent", "administrator")

_PAIRS_KEPT = 4096
"""The audiences of an inbox and a team together that are kept, once found."""


class User(Struct, frozen=True):
    """A user of one account. `email` is `None` while only events have told of them."""

    id: int
    email: str | None = None
    name: str = ""
    role: Role = "agent"
    subscribed: bool = False
    """Whether a push has a subscription to go to."""
    confirmed: bool | None = None
    """Whether the address is confirmed; `None` while that isn't known."""
    permissions: tuple[str, ...] | None = None
    """What the custom role allows (Chatwoot Enterprise); `None` without one."""
    made_up: bool = False
    """Whether the id is ours alone, and gives way to Chatwoot's once that is known."""
    added: frozenset[Channel] = frozenset()
    """The added channels on which there is an address for what is sent to them."""

    def reachable(self, channel: Channel) -> bool:
        """Whether what fires on the channel has somewhere to go."""
        if channel is Channel.AUDIO:
            return True
        if channel is Channel.EMAIL:
            return bool(self.email) and self.confirmed is not False
        if channel.is_added:
            return channel in self.added
        return self.subscribed


class Inbox(Struct, frozen=True):
    """An inbox. `members` are user ids; `None` while it isn't known who they are."""

    id: int
    name: str = ""
    members: tuple[int, ...] | None = None
    bot: bool | None = None
    """Whether a bot works in it; `None` while that isn't known."""


class Team(Struct, frozen=True):
    """A team. `members` are user ids."""

    id: int
    name: str = ""
    members: tuple[int, ...] = ()


class Directory:
    """The users, inboxes and teams of one account, arranged for the questions the rules ask.

    Every answer that lists users is in the order of their ids.
    """

    def __init__(
        self, users: Iterable[User] = (), inboxes: Iterable[Inbox] = (), teams: Iterable[Team] = ()
    ) -> None:
        self.users: Mapping[int, User] = {user.id: user for user in sorted(users, key=_by_id)}
        self.administrators = frozenset(u.id for u in self.users.values() if u.role != "agent")
        self._everybody = tuple(self.users)
        self._by_email = {
            spelling: u.id
            for u in self.users.values()
            if u.email
            for spelling in _spellings(u.email)
        }
        inboxes = tuple(inboxes)
        self._members = {i.id: frozenset(i.members) for i in inboxes if i.members is not None}
        self._teams = {team.id: frozenset(team.members) for team in teams}
        self._bots = {i.id: i.bot for i in inboxes}
        self.known_inboxes = frozenset(self._members)
        self.restricted = {
            u.id: frozenset(u.permissions)
            for u in self.users.values()
            if u.permissions is not None and u.role == "agent"
        }
        """What the custom roles allow of those who have one."""
        self._guesses = True
        self._viewers: dict[int | None, tuple[int, ...]] = {}
        self._recipients: dict[int | None, tuple[int, ...]] = {}
        self._with_team: dict[tuple[int | None, int], tuple[int, ...]] = {}
        self._seen_by: dict[tuple[int | None, int | None], frozenset[int]] = {}

    def knows_members(self, inbox: int | None) -> bool:
        """Whether it is on record who the members of the inbox are."""
        return inbox in self._members

    def has_bot(self, inbox: int | None) -> bool | None:
        """Whether a bot works in the inbox; `None` if that isn't on record."""
        return None if inbox is None else self._bots.get(inbox)

    def user_with_email(self, email: str) -> int | None:
        """Give the id of the user with this address, without regard to how it is written.

        In capitals or not, composed or not (NFKC); the domain in its own letters or in ASCII.
        """
        return self._by_email.get(_fold(email))

    def team_members(self, team: int | None) -> frozenset[int]:
        """Give the members of a team; none if the team isn't known."""
        return frozenset() if team is None else self._teams.get(team, frozenset())

    def is_member(self, user: int, inbox: int | None) -> bool:
        """Whether a user is a member of an inbox, or an administrator."""
        if user not in self.users:
            return False
        members = None if inbox is None else self._members.get(inbox)
        known = self._guesses if members is None else user in members
        return known or user in self.administrators

    def can_see(
        self,
        user: int,
        inbox: int | None,
        team: int | None,
        assignee: int | None = None,
        participants: Collection[int] = (),
    ) -> bool:
        """Whether a user can see a conversation: in that inbox, of that team, with those people."""
        if user not in self._seers(inbox, team):
            return False
        allowed = self.restricted.get(user) if self.restricted else None
        return allowed is None or _role_allows(allowed, user, assignee, participants)

    def _seers(self, inbox: int | None, team: int | None) -> frozenset[int]:
        found = self._seen_by.get((inbox, team))
        if found is None:
            if len(self._seen_by) >= _PAIRS_KEPT:
                self._seen_by.clear()
            found = self._seen_by[inbox, team] = frozenset(self.viewers(inbox, team))
        return found

    def viewers(self, inbox: int | None, team: int | None = None) -> tuple[int, ...]:
        """Everybody who can see such a conversation, as far as their custom role lets them.

        The very same object as without a team, where the team adds nobody.
        """
        place = inbox if inbox in self._members else None
        if place not in self._viewers:
            members = frozenset(self.recipients(place)) | self.administrators
            self._viewers[place] = tuple(sorted(members))
        if team is None or team not in self._teams:
            return self._viewers[place]
        if (place, team) not in self._with_team:
            if len(self._with_team) >= _PAIRS_KEPT:
                self._with_team.clear()
            both = self._only_known(self._teams[team].union(self._viewers[place]))
            same = len(both) == len(self._viewers[place])
            self._with_team[place, team] = self._viewers[place] if same else both
        return self._with_team[place, team]

    def recipients(self, inbox: int | None) -> tuple[int, ...]:
        """Who is told of a conversation that nobody has yet: the inbox's members.

        Not every administrator; everybody, where the members aren't on record.
        """
        if inbox is None or inbox not in self._members:
            return self._everybody if self._guesses else ()
        if inbox not in self._recipients:
            self._recipients[inbox] = self._only_known(self._members[inbox])
        return self._recipients[inbox]

    def with_member(self, inbox: int | None, user: int) -> Directory:
        """Give the directory as it would be if the user were a member of the inbox."""
        if inbox not in self._members:
            return self
        members = {**self._members, inbox: self._members[inbox] | {user}}
        return self._copy(_members=members)

    def without_guesses(self) -> Directory:
        """Give the directory as a server has it: without members on record, there are none."""
        return self._copy(_guesses=False)

    def _copy(self, **changed: object) -> Directory:
        copy = Directory()
        copy.__dict__.update(self.__dict__, _viewers={}, _recipients={}, _with_team={}, _seen_by={})
        copy.__dict__.update(changed)
        return copy

    def _only_known(self, users: frozenset[int]) -> tuple[int, ...]:
        return tuple(sorted(users & self.users.keys()))


def _role_allows(
    allowed: Collection[str], user: int, assignee: int | None, participants: Collection[int]
) -> bool:
    """Whether a custom role lets its user see a conversation (Chatwoot Enterprise)."""
    return (
        "conversation_manage" in allowed
        or ("conversation_unassigned_manage" in allowed and assignee in (None, user))
        or (
            "conversation_participating_manage" in allowed
            and (user == assignee or user in participants)
        )
    )


def _fold(email: str) -> str:
    return (email if email.isascii() else unicodedata.normalize("NFKC", email)).casefold()


def _spellings(email: str) -> Iterator[str]:
    """Return how an address may be written, for a comparison."""
    email = _fold(email)
    yield email
    local, at, domain = email.rpartition("@")
    if not domain.isascii() or "xn--" in domain:
        import idna  # noqa: PLC0415 - few domains need its tables

        with suppress(idna.IDNAError):  # what is no domain is compared as it is
            in_ascii = idna.encode(domain, uts46=True).decode("ascii")
            yield f"{local}{at}{in_ascii}"
            yield f"{local}{at}{idna.decode(in_ascii).casefold()}"


def references_of(users: Iterable[tuple[int, str | None]]) -> dict[str, int]:
    """Return users' ids by all that names them, from their ids and addresses."""
    found: dict[str, int] = {}
    for id_, email in users:
        found[str(id_)] = id_
        if email is not None:
            found[email] = id_
            found.setdefault(email.casefold(), id_)
    return found


def is_id(text: str) -> bool:
    """Whether a text is the number of a user, an inbox, a team or an account."""
    digits = text.isascii() and text.isdigit() and len(text) <= _LONGEST_ID
    return digits and 0 < int(text) <= LARGEST_ID


def address_fault(email: str) -> str:
    """Say what is wrong with an e-mail address; an empty string if nothing is."""
    local, at, domain = email.rpartition("@")
    if not at or not local or not domain:
        return f"{email!r} is no e-mail address"
    if not email.isprintable() or any(char.isspace() or char in "<>,;" for char in email):
        return f"{email!r} has characters that an e-mail address can't have"
    return f"{email!r} has more than one @" if "@" in local else ""


def _by_id(user: User) -> int:
    return user.id
