"""`notifycli push keys`: the key pair by which push services know the sender (VAPID)."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import command_class, examples, group, session_of
from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.cli.times import now, to_record
from notifycli.errors import NotifycliError
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.vapid import GENERATE, PushKeys, fingerprint
from notifycli.store.store import Store

app = group("The key by which push services know the sender (VAPID).")

_SHOWN_DIGITS = 16


class KeyRecord(Struct):
    """A key, as printed: its public half. `fingerprint` is the SHA-256 of that."""

    public_key: str
    state: str
    """`current`, or `old` while subscriptions are bound to it."""
    fingerprint: str
    created_at: str
    subscriptions: int


@app.command("generate", cls=command_class(), epilog=examples("notifycli push keys generate"))
def keys_generate(ctx: typer.Context) -> None:
    """Make the key pair.

    The private key is kept in the keyring, and never shown.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        key = _keys(store).generate()
    session.info(
        f"the push key is {key.public_key}\n  next: notifycli push subscribe, in the browser "
        "that is to be reached"
    )


@app.command(
    "show",
    cls=command_class(),
    epilog=examples(
        """
notifycli push keys show
notifycli push keys show | jq -r 'select(.state == "current") | .public_key'
"""
    ),
)
def keys_show(ctx: typer.Context) -> None:
    """Show the public key.

    A page gives it to the browser as applicationServerKey. Old keys follow, as long as
    subscriptions are bound to them.
    """
    session = session_of(ctx)
    with session.store() as store:
        keys = store.subscriptions.push_keys()
    records = [
        KeyRecord(
            key.public_key,
            "old" if place else "current",
            fingerprint(key.public_key),
            to_record(key.created_at) or "",
            key.bound,
        )
        for place, key in enumerate(keys)
    ]
    show(
        session,
        records,
        KeyRecord,
        heads=("Public key", "State", "Fingerprint", "Made", "Subscriptions"),
        cells=lambda item: (
            *(item.public_key, item.state, item.fingerprint[:_SHOWN_DIGITS] + "…"),
            *(item.created_at, str(item.subscriptions)),
        ),
    )
    if not keys:
        session.info(f"there is no push key yet; make one: {GENERATE}")


@app.command(
    "rotate",
    cls=command_class(),
    epilog=examples("notifycli push keys rotate\nnotifycli push keys rotate --revoke"),
)
def keys_rotate(
    ctx: typer.Context,
    *,
    revoke: Annotated[
        bool,
        typer.Option(
            "--revoke",
            help="The old key may be known to others: end it at once, with all subscriptions.",
        ),
    ] = False,
) -> None:
    """Replace the key pair.

    Browsers subscribe with the new one from now on. Those that are subscribed go on as they are:
    the old key signs for them until the last of them has gone, unless --revoke ends both now.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        keys = _keys(store)
        key = keys.rotate()
        bound = [old for old in store.subscriptions.push_keys()[1:] if old.bound]
        count = sum(old.bound for old in bound)
        trouble = _revoke(session, store, keys) if revoke else None
    session.info(f"the push key is {key.public_key} now")
    if trouble is not None:
        session.warn(f"the keyring still holds an old key ({trouble.message}); it opens nothing")
    if count and revoke:
        session.info(f"{plural(count, 'subscription')} ended; each browser must subscribe again")
    elif count:
        whose = "1 subscription keeps" if count == 1 else f"{count} subscriptions keep"
        session.info(f"{whose} the old key until the browser subscribes again")


def _revoke(session: Session, store: Store, keys: PushKeys) -> NotifycliError | None:
    """Remove what is bound to old keys, and these with it."""
    current = keys.current().id
    with store.changes(session.command, session.who) as changes:
        for account in store.accounts():
            old = [s for s in store.subscriptions.of_account(account.id) if s.key_id != current]
            if old:
                changes(account.id).subscriptions.remove(old)
    return keys.forget_unused()


def _keys(store: Store) -> PushKeys:
    return PushKeys(store, open_keychain(beside=store.location.folder), now)
