"""What Chatwoot really did: whom it noted to have told, and what its worker's log says it sent.

A row of `notifications` says that the rules named a user, not that anything was sent. The log says
what was sent, after all gates, in sentences of which the type, the user and the conversation are
read back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from notifycli.errors import DataError
from notifycli.events.timestamps import parse_moment
from notifycli.rules.notifications import Channel, NotificationType

if TYPE_CHECKING:
    from notifycli.chatwoot.client import ChatwootApi

_T = NotificationType
_SENT = re.compile(
    rb"(Email|Browser push|FCM push) sent to (\S+) with (?:subject|title) (.*\d.*)", re.ASCII
)
_TIME = re.compile(
    rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?", re.ASCII
)
_NANOSECONDS = re.compile(r"([.,]\d{6})\d+")
_NUMBER = re.compile(r"\[ID - (\d{1,18})\]|\(#(\d{1,18})\)", re.ASCII)
_WORDING: tuple[tuple[re.Pattern[str], frozenset[NotificationType]], ...] = tuple(
    (re.compile(pattern), frozenset(types))
    for pattern, types in (
        (r"your assigned conversation (\[ID|\(#)", {_T.ASSIGNED_MESSAGE}),
        (r"your participating conversation (\[ID|\(#)", {_T.PARTICIPATING_MESSAGE}),
        (r"new message is created", {_T.ASSIGNED_MESSAGE, _T.PARTICIPATING_MESSAGE}),
        (r"mentioned in", {_T.MENTION}),
        (r"[\])] has been created", {_T.CREATION}),
        (r"[\])] has been assigned", {_T.ASSIGNMENT}),
        (r"(?i)SLA.* first response", {_T.SLA_FIRST}),
        (r"(?i)SLA.* next response", {_T.SLA_NEXT}),
        (r"(?i)SLA.* resolution", {_T.SLA_RESOLUTION}),
    )
)
"""Mails' subjects are fixed English; titles of pushes are in the account's language."""
ANY_TYPE = frozenset(_T) - {_T.NEW_MESSAGE, _T.UNASSIGNED_MESSAGE}
_NOT_AT_ALL = "no line says that an e-mail or a push was sent"


class Observation(Struct, frozen=True, gc=False):
    """One thing that Chatwoot did for a user."""

    at: int
    """Microseconds since 1970 UTC."""
    user: int
    conversation: int
    types: frozenset[NotificationType]
    """What it may be: some wordings stand for several."""
    channel: Channel | None = None
    """What it was sent by; `None` for a row, which only names the user."""
    message: int | None = None


class Evidence(Struct):
    """All that is known of what an account's Chatwoot did."""

    observations: list[Observation] = []
    rows: bool = False
    """Whether there are rows: then a row that is missing can be evidence."""
    log: tuple[int, int] | None = None
    """From when to when there is a log: then a mail that is missing can be evidence."""
    users: frozenset[int] | None = None
    """Whom it is of; `None` for everybody."""
    strangers: frozenset[str] = frozenset()
    """Addresses in the log that are nobody's in the account."""

    def take_rows(self, rows: Iterable[tuple[str, int, bytes]], account: int) -> None:
        """Take in the lines of `notifications.jsonl`. Raises `DataError`."""
        from notifycli.chatwoot.export import Notification  # noqa: PLC0415 - a log can spare it

        decode = msgspec.json.Decoder(Notification).decode
        self.rows = True
        for file, number, line in rows:
            try:
                row = decode(line)
                if row.account_id == account:
                    at = parse_moment(row.at)
                    self._add_row(row.user_id, row.type, row.conversation_id, row.message_id, at)
            except (msgspec.MsgspecError, ValueError) as error:
                raise DataError(
                    f"{file}:{number}: is no row of Chatwoot's notifications: {error}",
                    "chatwoot import-export writes them, as notifications.jsonl",
                ) from None

    def ask(self, api: ChatwootApi, user: int) -> None:
        """Take in what Chatwoot itself shows a user. Raises the API's errors."""
        self.rows = True
        for row in api.notifications():
            if row.conversation is None:
                continue
            self._add_row(user, row.type, row.conversation, row.message, parse_moment(row.at))

    def take_log(self, lines: Iterable[tuple[str, int, bytes]], users: Mapping[str, int]) -> None:
        """Take in a worker's log; `users` by address in lower case. Raises `DataError`."""
        place, span, strangers = "the log", list[int](), set[str]()
        for file, _, line in lines:
            place, at = file, _time_of(line)
            if at is not None:
                span = [min([at, *span]), max([at, *span])]
            sent = _SENT.search(line)
            if sent is None or not span:
                continue
            address = sent[2].decode("utf-8", "replace").lower()
            if address in users:
                channel = Channel.EMAIL if sent[1] == b"Email" else Channel.PUSH
                text = sent[3].decode("utf-8", "replace")
                self._add_sent(users[address], channel, text, span[1] if at is None else at)
            elif _NUMBER.search(sent[3].decode("utf-8", "replace")):
                strangers.add(address)
        if not any(one.channel for one in self.observations) and not strangers:
            raise DataError(
                f"{place}: {_NOT_AT_ALL}, or none has a time",
                "give the worker's log at its default level: docker logs -t CONTAINER 2>&1",
            )
        self.log = span[0], span[1]
        self.strangers = frozenset(strangers)

    def _add_row(
        self, user: int, type_: str, conversation: int, message: int | None, at: int
    ) -> None:
        types = frozenset(known for known in ANY_TYPE if known == type_)
        if types and self.is_of(user):
            self.observations.append(Observation(at, user, conversation, types, None, message))

    def _add_sent(self, user: int, channel: Channel, text: str, at: int) -> None:
        number = _NUMBER.search(text)
        if number is not None and self.is_of(user):
            named = (types for pattern, types in _WORDING if pattern.search(text))
            conversation, types = int(number[1] or number[2]), next(named, ANY_TYPE)
            self.observations.append(Observation(at, user, conversation, types, channel))

    def is_of(self, user: int) -> bool:
        """Whether it is of this user too."""
        return self.users is None or user in self.users

    def subscribed(self) -> frozenset[int]:
        """Return who had some push: only theirs can be missing."""
        return frozenset(one.user for one in self.observations if one.channel is Channel.PUSH)


def _time_of(line: bytes) -> int | None:
    found = _TIME.search(line)
    if found is None:
        return None
    try:
        return parse_moment(_NANOSECONDS.sub(r"\1", found[0].decode()).replace(",", "."))
    except ValueError:
        return None
