"""Whose preferences, and in which layer, a command changes."""

from __future__ import annotations

from collections.abc import Sequence

from notifycli.cli.prefs.common import find_inbox
from notifycli.cli.session import Session, display_name, plural
from notifycli.cli.types import Reference
from notifycli.errors import UsageError
from notifycli.rules.preferences import Layer
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

_NAMED = 3


def change(
    session: Session,
    values: Sequence[tuple[str, str | None]],
    inboxes: Sequence[Reference],
    *,
    default: bool,
    lock: bool,
) -> None:
    """Set or take away these values, wherever the options say."""
    with (
        session.store(create=True) as store,
        store.changes(session.command, session.who) as changes,
    ):
        account = session.resolve_account(store, may_be_new=not store.accounts())
        targets, whose = targets_of(session, store, account, inboxes, default=default, lock=lock)
        changed = changes(account).set(
            Entry(target, key, value) for target in targets for key, value in values
        )
    session.info(f"{plural(changed, 'preference')} changed for {whose} account {account}")


def targets_of(
    session: Session,
    store: Store,
    account: int,
    inboxes: Sequence[Reference],
    *,
    default: bool,
    lock: bool,
) -> tuple[list[Target], str]:
    """Give the places that the options name, and what a message calls them, up to `account N`."""
    if default + lock + bool(inboxes) > 1:
        raise UsageError("--default, --lock and --inbox name three layers", "give one of them")
    if default or lock:
        if session.user or session.selects_many:
            option = "--lock" if lock else "--default"
            raise UsageError(f"{option} is of the whole account", "leave out who is selected")
        whose = "the lock of" if lock else "the default of"
        return [Target(Layer.LOCK if lock else Layer.DEFAULT)], whose
    ids = [*dict.fromkeys(find_inbox(store, account, inbox) for inbox in inboxes)]
    users = session.resolve_users(store, account)
    named = ", ".join(map(display_name, users[:_NAMED]))
    more = f" and {len(users) - _NAMED:,} more" if len(users) > _NAMED else ""
    if not ids:
        return [Target(Layer.USER, user.id) for user in users], f"{named}{more} in"
    kind = "inbox" if len(ids) == 1 else "inboxes"
    where = f"{kind} {' and '.join(map(str, ids))} of"
    targets = [Target(Layer.INBOX, user.id, inbox) for user in users for inbox in ids]
    return targets, f"{named}{more} in {where}"
