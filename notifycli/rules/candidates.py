"""From an event to the notification types it leads to, and whom each of them concerns.

Section 5 of the rules, sentence by sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator

from msgspec import Struct

from notifycli.events.event import CREATED, SLA_EVENTS, Due, Event, Message
from notifycli.rules.directory import Directory
from notifycli.rules.notifications import NotificationType
from notifycli.rules.profile import Profile
from notifycli.rules.state import Conversation, Opening

# Chatwoot's own pattern (app/services/messages/mention_service.rb).
_MARKUP = re.compile(r"\(mention://(user|team)/(\d{1,18})/.+?\)", re.ASCII)
# "@" and an address, neither of them part of something longer. The domain is matched label by
# label, so that a full stop or a hyphen that ends the sentence stays outside.
_LOCAL = r"[\w.!\#$%&'*+/=?^`{|}~-]+"
_DOMAIN = r"(?> [^\W_]+ (?: -+ [^\W_]+ )* (?: \. [^\W_]+ (?: -+ [^\W_]+ )* )* )"
_ADDRESS = re.compile(
    rf"(?<![^\W_]) (?<![.+%-]) @ ( {_LOCAL} @ {_DOMAIN} ) (?! [.-]* [^\W_] | [.-]* [+%] )",
    re.VERBOSE,
)
_AMONG_ANY = re.compile(rf"@ (?= ({_LOCAL} @) ({_DOMAIN}) )", re.VERBOSE)
_LONGEST_DOMAIN = 255
_WIDE_SPACE = "\N{IDEOGRAPHIC SPACE}"


def users_in_markup(content: str, directory: Directory, profile: Profile) -> set[int]:
    """Give the ids in Chatwoot's markup: of users, and of every member of a team."""
    users: set[int] = set()
    if "mention://" in content:
        for kind, digits in _MARKUP.findall(content):
            if kind == "team" and profile.team_mentions:
                users |= directory.team_members(int(digits))
            elif not (profile.ids_as_text and digits.startswith("0")):
                users.add(int(digits))
    return users


def users_by_address(content: str, directory: Directory) -> set[int]:
    """Give the users whose e-mail address follows directly on an "@"."""
    if content.isascii():
        if "@" not in content:
            return set()
        found: Iterator[int | None] = map(directory.user_with_email, _ADDRESS.findall(content))
    else:
        found = _users_among_any(unicodedata.normalize("NFKC", content), directory)
    return {user for user in found if user is not None}


def _users_among_any(content: str, directory: Directory) -> Iterator[int | None]:
    """Give the users addressed in a text of any script, in NFKC.

    Chinese and other scripts without capitals are written without a space beside an address, and
    may be in one: of several readings the longest that is a user's holds.
    """
    for at in _among_any(content):
        local, domain = at.groups()
        after = _after(at, content).lstrip(".-")
        for end in range(min(len(domain), _LONGEST_DOMAIN), 0, -1):
            user = None if _continues(after) else directory.user_with_email(local + domain[:end])
            if user is not None:
                yield user
                break
            after = after if domain[end - 1] in ".-" else domain[end - 1]


def _among_any(content: str) -> Iterator[re.Match[str]]:
    """Return where an address may begin in a text of any script, in NFKC."""
    for at in _AMONG_ANY.finditer(content):
        before = content[at.start() - 1 : at.start()]
        if before not in (".", "-") and not _continues(before):
            yield at


def _after(at: re.Match[str], content: str) -> str:
    """Return what follows on an address, up to the first character that may continue it."""
    rest = content[at.end(2) : at.end(2) + _LONGEST_DOMAIN]
    return rest[: len(rest) - len(rest.lstrip(".-")) + 1]


def mentions_in(message: Message) -> str:
    """Return of what a message says no more than its mentions, which are the same to all rules."""
    content = message.content
    marked = _MARKUP.findall(content) if message.private else []
    found = [f"(mention://{kind}/{digits}/_)" for kind, digits in marked]
    if content.isascii():
        found += [f"@{address}" for address in _ADDRESS.findall(content)]
        return " ".join(found)
    text = unicodedata.normalize("NFKC", content)
    found += [f"@{''.join(at.groups())}{_after(at, text)}" for at in _among_any(text)]
    # As the text was, so that it is read in the same way.
    return _WIDE_SPACE.join(["", *found]) if found else ""


def _continues(character: str) -> bool:
    """Whether an address goes on with a character: a letter that has capitals, or a digit."""
    return character.isdigit() or character.upper() != character.lower() or character in ("+", "%")


_CHAT = ("incoming", "outgoing")
_BY_BOT = (Opening.BY_BOT, Opening.BY_BOT_PERHAPS)


class Candidates(Struct, frozen=True, gc=False):
    """A type that an event leads to, and whom it concerns."""

    type: NotificationType
    users: Collection[int] | None = None
    """In ascending order; `None` for an audience, which depends on inbox and team alone."""
    sound: bool = False
    """Whether it is the sound of a type that has other channels as well."""


# Looked up once: an enumeration's members are found slowly before Python 3.12.
_ASSIGNED_MESSAGE = NotificationType.ASSIGNED_MESSAGE
_PARTICIPATING_MESSAGE = NotificationType.PARTICIPATING_MESSAGE
_CREATION = Candidates(NotificationType.CREATION)
_UNASSIGNED_MESSAGE = Candidates(NotificationType.UNASSIGNED_MESSAGE)
_NEW_MESSAGE = Candidates(NotificationType.NEW_MESSAGE)


class Finder:
    """Finds the candidates of an account's events, by a profile."""

    def __init__(
        self, directory: Directory, profile: Profile, beyond: Collection[NotificationType] = ()
    ) -> None:
        """`beyond` are those types which Chatwoot hasn't got that anybody has set."""
        self._directory = directory
        self._profile = profile
        self._handovers = _BY_BOT if profile.handoff_told else ()
        self._new_messages = _CHAT if profile.outgoing else ("incoming",)
        self._notes_are_new = profile.private_notes
        self._participating_first = profile.participating_first
        self._tells_teams = NotificationType.TEAM_ASSIGNMENT in beyond

    def candidates(
        self, event: Event, conversation: Conversation, opening: Opening | None
    ) -> list[Candidates]:
        """Return the types in their order, of an event that its conversation has taken over."""
        found: list[Candidates] = []
        if opening in self._handovers:
            found.append(_CREATION)
        if event.message is not None:
            self._message(event, event.message, conversation, found)
        elif event.name == CREATED:
            found.append(_CREATION)
            if self._profile.assignment_at_creation:
                self._assignment(conversation, found)
        elif event.assignment:
            self._assignment(conversation, found)
        elif event.name in SLA_EVENTS and self._profile.sla:
            found.append(self._service_level(event, conversation))
        if self._tells_teams:
            self._team_assignment(event, conversation, found)
        return found

    def audience(
        self, type_: NotificationType, inbox: int | None, team: int | None
    ) -> tuple[int, ...]:
        """Return whom a type concerns that has an audience: for sounds, the team's members too."""
        if type_ is not NotificationType.NEW_MESSAGE:
            return self._directory.recipients(inbox)
        return self._directory.viewers(inbox, team if self._profile.team_as_members else None)

    def _assignment(self, conversation: Conversation, found: list[Candidates]) -> None:
        if conversation.assignee is not None:
            found.append(Candidates(NotificationType.ASSIGNMENT, (conversation.assignee,)))

    def _team_assignment(
        self, event: Event, conversation: Conversation, found: list[Candidates]
    ) -> None:
        if conversation.team is not None and (event.team_change or event.name == CREATED):
            told = self._directory.team_members(conversation.team) - {conversation.assignee}
            found.append(Candidates(NotificationType.TEAM_ASSIGNMENT, sorted(told)))

    def _service_level(self, event: Event, conversation: Conversation) -> Candidates:
        participants = self._those_in(conversation.participants, conversation)
        people = self._directory.administrators.union(participants)
        if conversation.assignee is not None:
            people = people.union((conversation.assignee,))
        return Candidates(NotificationType(event.name), sorted(people))

    def waited_for(self, due: Due, conversation: Conversation) -> Candidates:
        """Return whom it concerns that a customer has waited for too long."""
        type_, directory = NotificationType(due.name), self._directory
        if type_ is NotificationType.ESCALATION:
            who = directory.viewers(due.inbox, conversation.team)
            return Candidates(type_, [u for u in who if self._can_see(u, due, conversation)])
        if conversation.assignee is not None:
            return Candidates(type_, (conversation.assignee,))
        return Candidates(type_, directory.recipients(due.inbox))

    def _message(
        self, event: Event, message: Message, conversation: Conversation, found: list[Candidates]
    ) -> None:
        if message.private or (message.content and message.type in _CHAT):
            self._mentions(event, message, conversation, found)
        if message.type in self._new_messages and (not message.private or self._notes_are_new):
            assignee, first = conversation.assignee, self._participating_first
            if first:
                self._participating(conversation.participants, conversation, found)
            if assignee is not None:
                found.append(Candidates(_ASSIGNED_MESSAGE, (assignee,)))
            if conversation.companions and not first:
                self._participating(conversation.companions, conversation, found)
            if assignee is None and message.type == "incoming" and self._profile.unassigned:
                found.append(_UNASSIGNED_MESSAGE)
        found.append(_NEW_MESSAGE)

    def _mentions(
        self, event: Event, message: Message, conversation: Conversation, found: list[Candidates]
    ) -> None:
        mentioned = self._mention_targets(event, message)
        if not mentioned:
            return
        if self._profile.participants_are_members:
            conversation.join(mentioned)
        else:
            conversation.join(
                user for user in mentioned if self._can_see(user, event, conversation)
            )
        found.append(Candidates(NotificationType.MENTION, sorted(mentioned)))

    def _mention_targets(self, event: Event, message: Message) -> set[int]:
        """Give whom a message mentions, of those who can be."""
        directory, profile = self._directory, self._profile
        found: set[int] = set()
        if message.private:
            found = users_in_markup(message.content, directory, profile)
        if profile.address_mentions:
            found |= users_by_address(message.content, directory)
        if profile.team_as_members:
            return found & directory.users.keys()
        return {user for user in found if directory.is_member(user, event.inbox)}

    def _can_see(self, user: int, event: Event, kept: Conversation) -> bool:
        return self._directory.can_see(
            user, event.inbox, kept.team, kept.assignee, kept.participants
        )

    def _participating(
        self, users: tuple[int, ...], conversation: Conversation, found: list[Candidates]
    ) -> None:
        users = self._those_in(users, conversation)
        if users:
            found.append(Candidates(_PARTICIPATING_MESSAGE, users))

    def _those_in(self, users: tuple[int, ...], conversation: Conversation) -> tuple[int, ...]:
        """Return those of the users who take part, by the profile."""
        if not self._profile.participants:
            return ()
        if not self._profile.participants_are_members:
            return users
        is_member, inbox = self._directory.is_member, conversation.inbox
        return tuple(user for user in users if is_member(user, inbox))
