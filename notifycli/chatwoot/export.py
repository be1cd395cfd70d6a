"""What a Chatwoot's database holds: the script that reads it, and what becomes of its output.

The script is for `psql`, which whoever runs a Chatwoot has; so we need neither its driver nor its
password. What it prints are JSON Lines: the directory, everybody's preferences, what happened, and
what Chatwoot noted that it told somebody.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from typing import IO, Any, NamedTuple, Self

import msgspec
from msgspec import Raw, Struct

from notifycli.chatwoot.activity import Names
from notifycli.chatwoot.preference_mapping import Flags, Seen, values
from notifycli.chatwoot.rebuild import (
    AnyRow,
    ConversationRow,
    JoinedRow,
    MessageRow,
    Rebuilder,
    ReportRow,
    Row,
    SlaRow,
)
from notifycli.errors import DataError
from notifycli.events.timestamps import format_moment
from notifycli.replay.sources import CUSTOM_DUMP, DUMP, Foreign
from notifycli.rules.directory import Team, User
from notifycli.rules.notifications import Channel
from notifycli.text import printable

_FLAG_BITS: Mapping[str, int] = {
    "conversation_creation": 1,
    "conversation_assignment": 2,
    "assigned_conversation_new_message": 4,
    "conversation_mention": 8,
    "participating_conversation_new_message": 16,
    "sla_missed_first_response": 32,
    "sla_missed_next_response": 64,
    "sla_missed_resolution": 128,
}
"""In `notification_settings`, the same for e-mail and push."""
_NOTIFICATION_TYPES = tuple(_FLAG_BITS)
"""`notifications.notification_type` counts them from 1."""
_ROWS: Mapping[str, type[AnyRow]] = {
    "conversation": ConversationRow,
    "joined": JoinedRow,
    "message": MessageRow,
    "report": ReportRow,
    "sla": SlaRow,
}
"""By the name that the script gives them, in the order in which they hold at one moment."""


class ExportedPreferences(Struct, frozen=True):
    """A user's preferences as the database has them."""

    account_id: int
    user_id: int
    email_flags: int | None = None
    push_flags: int | None = None
    ui_settings: dict[str, Any] | None = None

    def values(self) -> Mapping[str, str]:
        """Return those that are set, by our keys."""
        read = values(
            Seen(
                _flags(Channel.EMAIL, self.email_flags),
                _flags(Channel.PUSH, self.push_flags),
                self.ui_settings or {},
            )
        )
        return {key: value for key, value in read.of.items() if key in read.chosen}


class Notification(Struct, frozen=True):
    """A row of `notifications`, with its type by name: Chatwoot's rules named this person."""

    at: str
    account_id: int
    user_id: int
    type: str
    conversation_id: int
    message_id: int | None
    read: bool


class _NotificationRow(Row, frozen=True, kw_only=True):
    user: int
    type: int
    message: int | None = None
    read: bool = False


class _ExportedName(Struct):
    id: int
    name: str | None = None


class _ExportedInbox(Struct):
    id: int
    bot: bool | None = None


class _Directory(Struct):
    account: _ExportedName
    users: list[_ExportedName] = []
    inboxes: list[_ExportedInbox] = []
    teams: list[_ExportedName] = []


class Document(NamedTuple):
    """An account's directory, as `directory import` reads it."""

    account: int
    text: bytes


def script(account: int | None, since: int | None, until: int | None) -> str:
    """Return the script for `psql`; times are microseconds since 1970 UTC."""
    from importlib import resources  # noqa: PLC0415 - it imports tempfile

    sql = resources.files("notifycli.chatwoot").joinpath("export.sql").read_text(encoding="utf-8")
    first = _sql_time(since, "-infinity")
    return (
        f"\\set account '{'' if account is None else account}'\n"
        f"\\set since '{first}'\n"
        f"\\set until '{_sql_time(until, 'infinity')}'\n{sql}"
    )


class Export:
    """What the script printed. Use it as a context manager: the rows wait in files until then."""

    def __init__(self) -> None:
        self.since = ""
        self.documents: list[Document] = []
        self.preferences: list[ExportedPreferences] = []
        self._directories: list[_Directory] = []
        self._users: set[tuple[int, int]] = set()
        """Account and user of everybody in them."""
        self._files = ExitStack()
        self._spools: dict[str, IO[bytes]] = {}
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def read(self, lines: Iterable[tuple[str, int, bytes]]) -> None:
        """Take in the lines of (file, number, line). Raises `DataError`."""
        place = ""
        for file, number, line in lines:
            place = f"{file}:{number}"
            try:
                ((kind, value),) = msgspec.json.decode(line, type=dict[str, Raw]).items()
                self._take(kind, value)
            except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, RecursionError) as error:
                if (other := _other_than_export(line)) is not None:
                    raise DataError(f"{file}: {other.fault(file, _as_it_is)}") from None
                raise DataError(f"{place}: {_fault(error)}", _REMEDY) from None
        if not self._ended:
            raise DataError(f"{place or 'the export'}: it breaks off before its end", _REMEDY)

    def _take(self, kind: str, value: Raw) -> None:
        if kind == "directory":
            directory = msgspec.json.decode(value, type=_Directory)
            self._directories.append(directory)
            self._users.update((directory.account.id, user.id) for user in directory.users)
            self.documents.append(Document(directory.account.id, bytes(value)))
        elif kind == "preferences":
            of_user = msgspec.json.decode(value, type=ExportedPreferences)
            if (of_user.account_id, of_user.user_id) not in self._users:
                told = f"user {of_user.user_id}, whom account {of_user.account_id} hasn't got"
                raise ValueError(f"preferences of {told}")
            self.preferences.append(of_user)
        elif kind == "chatwoot_export":
            self._check_version(value)
        elif kind == "end":
            self._ended = True
        elif kind in _ROWS or kind == "notification":
            self._spool(kind).write(bytes(value) + b"\n")
        else:
            raise ValueError(f"{kind!r} is nothing that the script prints")

    def _check_version(self, value: Raw) -> None:
        head = msgspec.json.decode(value, type=_Head)
        if head.version != 1:
            raise ValueError(f"an export of form {head.version}; this program reads form 1")
        self.since = head.since or ""

    def _spool(self, kind: str) -> IO[bytes]:
        import tempfile  # noqa: PLC0415 - the script alone can spare it

        if kind not in self._spools:
            self._spools[kind] = self._files.enter_context(tempfile.TemporaryFile())  # noqa: SIM115
        return self._spools[kind]

    def rebuilder(self) -> Rebuilder:
        """Return what makes events of the rows."""
        names, bots = {}, {}
        for directory in self._directories:
            names[directory.account.id] = Names(
                [User(user.id, None, user.name or "") for user in directory.users],
                [Team(team.id, team.name or "") for team in directory.teams],
            )
            bots[directory.account.id] = {i.id: i.bot for i in directory.inboxes}
        return Rebuilder(names, bots, self.since)

    def rows(self) -> Iterator[AnyRow]:
        """Return the rows of all kinds in the order of time. Raises `DataError`."""
        kinds = [self._rows(kind, type_) for kind, type_ in _ROWS.items()]
        return heapq.merge(*kinds, key=lambda row: row.at)

    def notifications(self) -> Iterator[Notification]:
        """Return what Chatwoot noted, in the order of time. Raises `DataError`."""
        for row in self._rows("notification", _NotificationRow):
            known = 1 <= row.type <= len(_NOTIFICATION_TYPES)
            yield Notification(
                row.at,
                row.account,
                row.user,
                _NOTIFICATION_TYPES[row.type - 1] if known else f"type {row.type}",
                row.conversation,
                row.message,
                row.read,
            )

    def _rows(self, kind: str, type_: type[Any]) -> Iterator[Any]:
        spool = self._spools.get(kind)
        if spool is None:
            return
        spool.seek(0)
        decode = msgspec.json.Decoder(type_).decode
        for line in spool:
            try:
                yield decode(line)
            except msgspec.MsgspecError as error:
                raise DataError(f"a row of {kind}: {_fault(error)}", _REMEDY) from None


class _Head(Struct):
    version: int
    since: str | None = None


_EVENTS = Foreign(
    "a log of events, no export", "notifycli simulate FILE, or notifycli directory learn FILE"
)
_REMEDY = "make it anew: notifycli chatwoot export-sql | psql -qAt chatwoot_production"


def _flags(channel: Channel, bits: int | None) -> Flags:
    if bits is None:
        return Flags()
    names = {f"{channel}_{type_}": bit for type_, bit in _FLAG_BITS.items()}
    return Flags(tuple(name for name, bit in names.items() if bits & bit), tuple(names))


def _sql_time(moment: int | None, otherwise: str) -> str:
    return otherwise if moment is None else format_moment(moment)


def _other_than_export(line: bytes) -> Foreign | None:
    """Return what a file is that isn't an export, as far as a line tells that can't be read."""
    if line.startswith((b"PGDMP", b"--")):
        return CUSTOM_DUMP if line.startswith(b"PGDMP") else DUMP
    return _EVENTS if b'"event"' in line else None


def _as_it_is(command: str, _: str) -> str:
    return command


def _fault(error: Exception) -> str:
    text = str(error).replace("`", "")
    return printable(text)
