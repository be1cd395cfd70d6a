"""What the doctor looks at for webhooks: that they can be checked and kept, and came lately."""

from __future__ import annotations

import os
from pathlib import Path

from notifycli.cli.doctor.checks import Facts, Finding, Status
from notifycli.cli.server import JOURNAL
from notifycli.cli.times import in_words, now
from notifycli.errors import NotifycliError
from notifycli.store.store import Store

_NAME = "listen"
_SECRET = "notifycli config set listen.secret"  # noqa: S105 - how to set it


def check_listen(facts: Facts) -> Finding:
    """Look whether a secret is set, and when the last event came to the usual file."""
    path = facts.location.folder / JOURNAL
    received = path.exists()
    found = f"{path}, {_last(path)}" if received else "no events"
    if not os.access(path if received else _nearest(path.parent), os.W_OK):
        meaning = f"{path} can't be written"
        return Finding(_NAME, Status.FAIL, found, meaning, "notifycli listen --path FILE")
    if facts.store is None:
        meaning = "whether a secret is set can't be told without the store"
        return Finding(_NAME, Status.NOTE, found, meaning)
    return _signatures(facts, facts.store, found, received=received)


def _signatures(facts: Facts, store: Store, found: str, *, received: bool) -> Finding:
    """Look whether a secret is set."""
    from notifycli.secrets.secret_settings import get_secret  # noqa: PLC0415 - see SETTINGS

    if facts.keychain is not None and facts.keychain.asks:
        meaning = "not told whether a secret is set: the keyring would ask for a passphrase"
        return Finding(_NAME, Status.NOTE, found, meaning, "notifycli config list")
    try:
        kept = get_secret(store, "listen.secret")
    except NotifycliError as error:
        return Finding(_NAME, Status.NOTE, found, f"no signature can be checked: {error.message}")
    if kept is None:
        return Finding(_NAME, Status.NOTE, found, "no secret to check webhooks with", _SECRET)
    if not received:
        return Finding(_NAME, Status.NOTE, found, "a secret is set", "notifycli listen")
    return Finding(_NAME, Status.OK, found, "signatures can be checked, events can be kept")


def _last(path: Path) -> str:
    status = path.stat()
    if not status.st_size:
        return "empty"
    at = now()
    # A clock that was put back must not make of it an event that is still to come.
    return f"last event {in_words(min(status.st_mtime_ns // 1000, at), at)}"


def _nearest(folder: Path) -> Path:
    """Give the folder, or the one in which it would be made."""
    return next(place for place in (folder, *folder.parents) if place.exists())
