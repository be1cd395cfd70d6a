"""A store's file copied as a whole while others write, and put back."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from notifycli.errors import DataError, NotifycliError
from notifycli.store.sqlite.connection import connect, translate_errors


def copy_store(source: Path, target: Path) -> None:
    """Copy a store into a new file, as it is at one moment (SQLite's online backup).

    Raises the errors of `connect`.
    """
    with (
        translate_errors(source),
        closing(connect(source, create=False)) as store,
        closing(sqlite3.connect(target)) as copy,
    ):
        store.backup(copy)
        # One file: nothing that lies beside it needs to be kept too.
        copy.execute("PRAGMA journal_mode = DELETE")


def check_store(path: Path) -> None:
    """Raise `DataError` unless a file is a whole store that this version can read."""
    try:
        with translate_errors(path), closing(connect(path, create=False)) as store:
            found = str(store.execute("PRAGMA quick_check(1)").fetchone()[0])
    except NotifycliError as error:
        raise DataError(f"the store in the backup can't be used: {error.message}") from error
    if found != "ok":
        raise DataError(f"the store in the backup is damaged: {found}")
