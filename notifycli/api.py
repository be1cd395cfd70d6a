"""What `import notifycli` gives: the rules as a library, for notebooks and other programs.

What `docs/api.md` shows of it stays as it is until a new major version; all else may change.
"""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import msgspec

from notifycli.documents.directory_document import directory_of, faults_of
from notifycli.documents.directory_document import read_directory as read_document
from notifycli.documents.preference_document import PreferenceDocument
from notifycli.documents.preference_entries import References
from notifycli.errors import DataError
from notifycli.events.decode import EventError, decode_event
from notifycli.events.event import Event
from notifycli.rules.decision import Decision
from notifycli.rules.directory import Directory, references_of
from notifycli.rules.layers import Preferences
from notifycli.rules.replay import Replay

__all__ = [
    "DataError",
    "Decision",
    "Directory",
    "Event",
    "Preferences",
    "Replay",
    "read_directory",
    "read_event",
    "read_preferences",
]

Source = bytes | str | Path | Mapping[str, Any]
"""A document: its text, the file that it is in, or what JSON makes of it."""


def read_event(body: bytes | str | Mapping[str, Any], line: int = 1) -> Event:
    """Read a webhook's body, by itself or in whatever a log has around it; its `line` is told.

    Raises `DataError`.
    """
    try:
        return decode_event(_text(body), line)
    except EventError as error:
        raise DataError(f"line {line}: {error}") from None


def read_directory(document: Source) -> Directory:
    """Read who there is, as `notifycli directory export` writes it. Raises `DataError`."""
    place = _place(document, "directory")
    read = read_document(_text(document), place)
    if faults := [*faults_of(read, {user.id for user in read.users})]:
        raise DataError("\n".join(f"{place}: {fault}" for fault in faults))
    return directory_of(read)


def read_preferences(document: Source, directory: Directory, account: int = 1) -> Preferences:
    """Read what is set, as `notifycli prefs export` writes it: TOML, JSON or CSV.

    The directory tells whom it names. Raises `DataError`, which names each fault with its place.
    """
    place = _place(document, "preferences")
    return PreferenceDocument(
        _KnownUsers(directory), BytesIO(_text(document)), place, account
    ).policy()


class _KnownUsers(References):
    def __init__(self, directory: Directory) -> None:
        self._known = references_of((user.id, user.email) for user in directory.users.values())

    def user_references(self, account: int) -> Mapping[str, int]:  # noqa: ARG002 - there is one
        return self._known


def _place(document: object, name: str) -> str:
    return str(document) if isinstance(document, Path) else name


def _text(document: Source) -> bytes:
    if isinstance(document, Path):
        return document.read_bytes()
    if isinstance(document, str):
        return document.encode()
    return document if isinstance(document, bytes) else msgspec.json.encode(document)
