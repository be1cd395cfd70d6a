"""`notifycli push`: the key (VAPID), the browsers that are subscribed with it, a test."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct
from msgspec.structs import replace

from notifycli.cli.command import (
    ALL_USERS,
    SOME_USERS,
    USER,
    AllowLoopback,
    a_number,
    command_class,
    examples,
    group,
    part,
    session_of,
)
from notifycli.cli.output import show, write
from notifycli.cli.session import Session, display_name, plural, quoted_name
from notifycli.cli.terminal import is_terminal, read_input
from notifycli.cli.times import in_words, now, to_record
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError, UsageError
from notifycli.events.timestamps import parse_moment
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.token_format import digest
from notifycli.secrets.vapid import GENERATE, PushKeys, fingerprint
from notifycli.store.store import Store
from notifycli.store.subscriptions import Invitation, Subscription
from notifycli.text import printable

if TYPE_CHECKING:
    from notifycli.delivery.channels import Outcome
    from notifycli.delivery.push_endpoint import Offer

app = part()
key_commands = group("The key by which push services know the sender (VAPID).")
app.add_typer(key_commands, name="keys")
_SHOWN_DIGITS = 16


class KeyRecord(Struct):
    """A key, as printed: its public half. `fingerprint` is the SHA-256 of that."""

    public_key: str
    state: str
    """`current`, or `old` while subscriptions are bound to it."""
    fingerprint: str
    created_at: str
    subscriptions: int


@key_commands.command(
    "generate", cls=command_class(), epilog=examples("notifycli push keys generate")
)
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


@key_commands.command(
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


@key_commands.command(
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
    return PushKeys(store, open_keychain(beside=store.location), now)


def keep(
    session: Session, store: Store, account: int, user: User, offer: Offer, *, key: int, label: str
) -> Subscription:
    """Put a subscription on record, and say so."""
    with store.change(account, session.command, session.who) as change:
        kept = change.subscriptions.put(
            Subscription(
                account_id=account,
                user_id=user.id,
                key_id=key,
                endpoint=offer.endpoint,
                p256dh=offer.p256dh,
                auth=offer.auth,
                label=label,
                created_at=now(),
                expires_at=offer.expires_at,
            )
        )
    session.info(
        f"{display_name(user)} is subscribed as {kept.id}"
        f"{f' ({label})' if label else ''}; try it: notifycli push test -u {quoted_name(user)}"
    )
    alike = [
        str(other.id)
        for other in store.subscriptions.of_user(account, user.id)
        if other.id != kept.id and label and other.label == label
    ]
    if alike:
        session.info(
            f"{', '.join(alike)} had that name already; if it was the same browser: "
            f"notifycli push remove {' '.join(alike)}"
        )
    return kept


_LONGEST_INPUT = 1 << 16
_LONGEST_LABEL = 80


class SubscriptionRecord(Struct):
    """A subscription, as printed: of its endpoint no more than the push service's host."""

    id: int
    user_id: int
    email: str | None
    label: str
    service: str
    key: str
    """`current`, or `old`: bound to a key that was replaced."""
    created_at: str
    expires_at: str | None
    last_used_at: str | None
    failures: int


def _label(text: str) -> str:
    if not text.isprintable() or len(text) > _LONGEST_LABEL:
        raise typer.BadParameter(f"it is at most {_LONGEST_LABEL} printable characters")
    return text


@app.command(
    "add",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli push add -u jane@example.com < subscription.json
xclip -o | notifycli push add -u 7 --label 'Firefox on the laptop'
"""
    ),
)
def push_add(
    ctx: typer.Context,
    label: Annotated[
        str, typer.Option("--label", parser=_label, metavar="TEXT", help="Which browser it is.")
    ] = "",
    *,
    allow_loopback: AllowLoopback = False,
) -> None:
    """Add a subscription from standard input.

    It is JSON as a browser gives it, of one that was subscribed with the current push key:
    JSON.stringify(subscription).
    """
    from notifycli.delivery.push_endpoint import read_subscription  # noqa: PLC0415 - 50 ms

    session = session_of(ctx)
    session.awaits("-")
    data = read_input(_LONGEST_INPUT)
    offer = read_subscription(data, "standard input", allow_loopback=allow_loopback)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        key = PushKeys(store, open_keychain(beside=store.location), now).current()
        keep(session, store, account, user, offer, key=key.id, label=label)


@app.command(
    "list",
    cls=command_class(SOME_USERS, ALL_USERS),
    epilog=examples(
        """
notifycli push list
notifycli push list -u jane@example.com
notifycli push list | jq -r 'select(.failures > 3) | .id' | xargs notifycli push remove
"""
    ),
)
def push_list(ctx: typer.Context) -> None:
    """List the subscriptions; everybody's, unless users are named."""
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        named = bool(session.given_users) and not session.all_users
        users = session.resolve_users(store, account) if named else store.users(account)
        by_id = {user.id: user for user in users}
        found = [s for s in store.subscriptions.of_account(account) if s.user_id in by_id]
        current = next((key.id for key in store.subscriptions.push_keys()), None)
    at = now()
    show(
        session,
        [_record(item, by_id[item.user_id], current) for item in found],
        SubscriptionRecord,
        heads=("Id", "User", "Browser", "Service", "Added", "Last used", "Failures"),
        cells=lambda item: (
            *(str(item.id), printable(item.email or str(item.user_id)), printable(item.label)),
            *(item.service, _ago(item.created_at, at), _ago(item.last_used_at, at)),
            str(item.failures),
        ),
    )
    if not found:
        subscribe = f"notifycli push subscribe{session.user_options}"
        session.info(f"no browser is subscribed yet; in the browser: {subscribe}")


@app.command(
    "remove",
    cls=command_class(),
    epilog=examples("notifycli push list\nnotifycli push remove 3 5"),
)
def push_remove(
    ctx: typer.Context,
    ids: Annotated[
        list[int],
        typer.Argument(
            parser=a_number("subscription's number"),
            metavar="ID...",
            help="The subscriptions, as listed.",
        ),
    ],
) -> None:
    """Remove subscriptions: nothing is sent to them any more."""
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        known = {item.id: item for item in store.subscriptions.of_account(account)}
        for missing in (id_ for id_ in ids if id_ not in known):
            raise UsageError(
                f"account {account} has no subscription {missing}",
                "see what there is: notifycli push list",
            )
        with store.change(account, session.command, session.who) as change:
            count = change.subscriptions.remove(known[id_] for id_ in dict.fromkeys(ids))
        if len(store.subscriptions.push_keys()) > 1:
            PushKeys(store, open_keychain(beside=store.location), now).forget_unused()
    session.info(f"removed {plural(count, 'subscription')}")


def _record(item: Subscription, user: User, current: int | None) -> SubscriptionRecord:
    from notifycli.delivery.push_endpoint import service_of  # noqa: PLC0415 - 50 ms

    return SubscriptionRecord(
        item.id,
        item.user_id,
        user.email,
        item.label,
        service_of(item.endpoint),
        "current" if item.key_id == current else "old",
        to_record(item.created_at) or "",
        to_record(item.expires_at),
        to_record(item.last_used_at),
        item.failures,
    )


def _ago(moment: str | None, at: int) -> str:
    return in_words(None if moment is None else parse_moment(moment), at)


@app.command(
    "subscribe",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli push subscribe -u jane@example.com
ssh -L PORT:127.0.0.1:PORT SERVER   for a browser on another machine than notifycli
"""
    ),
)
def push_subscribe(ctx: typer.Context, *, allow_loopback: AllowLoopback = False) -> None:
    """Open a page whose button subscribes the browser.

    It is served on this machine alone until the button is pressed; its address is printed.
    """
    import asyncio  # noqa: PLC0415 - only what serves needs it

    from notifycli.delivery.subscribe_page import Page  # noqa: PLC0415 - as the next
    from notifycli.delivery.subscribe_server import serve_page  # noqa: PLC0415 - 170 ms

    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        key = PushKeys(store, open_keychain(beside=store.location), now).current()

        def print_address(address: str) -> None:
            write([f"{address}\n".encode()])
            session.info(f"press the button there, as {display_name(user)}; Ctrl-C ends it")
            _open_browser(address)

        def keep_it(offer: Offer, browser: str) -> None:
            keep(session, store, account, user, offer, key=key.id, label=browser)

        page = Page(user.name or display_name(user), key.public_key)
        asyncio.run(serve_page(page, print_address, keep_it, allow_loopback=allow_loopback))


def _open_browser(address: str) -> None:
    """Open a browser that has a window; those of a terminal can't receive pushes."""
    on_screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if on_screen and is_terminal(sys.stderr):
        import webbrowser  # noqa: PLC0415 - see above

        webbrowser.open(address)


_DAY = 86_400_000_000
_MOST_DAYS = 90


class InvitationRecord(Struct):
    """An invitation, as printed. The link is a secret of its user: it is never shown again."""

    user_id: int
    email: str | None
    url: str
    expires_at: str


Days = Annotated[
    int,
    typer.Option(
        "--days",
        parser=a_number("number of days", lowest=1, highest=_MOST_DAYS),
        metavar="N",
        help="How long a link is good.",
    ),
]


@app.command(
    "invite",
    cls=command_class(SOME_USERS, ALL_USERS),
    epilog=examples(
        """
notifycli config set serve.url=https://notify.example.com
notifycli push invite -u jane@example.com
notifycli push invite --all-users -o csv > links.csv
"""
    ),
)
def push_invite(
    ctx: typer.Context,
    *,
    days: Days = 7,
) -> None:
    """Make a link for each user to subscribe by.

    A link opens a page of notifycli serve, and is good for one browser. Give each person their own:
    whoever opens it gets that person's pushes.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        users = session.resolve_users(store, account)
        if not store.subscriptions.push_keys():
            raise ConfigurationError("there is no push key yet", "notifycli push keys generate")
        base = store.configuration.get("serve.url")
        at = now()
        expires_at = at + days * _DAY
        tokens = {user.id: secrets.token_urlsafe(24) for user in users}
        store.subscriptions.invite(
            (Invitation(digest(tokens[u.id]), account, u.id, expires_at) for u in users), at
        )
    show(
        session,
        [
            InvitationRecord(
                user.id, user.email, f"{base}/push/{tokens[user.id]}/", to_record(expires_at) or ""
            )
            for user in users
        ],
        InvitationRecord,
        heads=("User", "Link", "Until"),
        cells=lambda item: (printable(item.email or str(item.user_id)), item.url, item.expires_at),
    )
    session.info("the links work while notifycli serve runs, and can be reached there")


class PushTestRecord(Struct):
    """What a push service answered, as printed."""

    subscription_id: int
    label: str
    service: str
    outcome: str
    """`delivered`, `later` (the service can't take it now) or `refused`."""
    detail: str
    remedy: str


@app.command(
    "test",
    cls=command_class(USER),
    epilog=examples(
        "notifycli push test -u jane@example.com\nnotifycli push test -o json | jq '.[].outcome'"
    ),
)
def push_test(ctx: typer.Context) -> None:
    """Send a push to each browser of a user.

    It says what the push services answer. Exit status 69 unless all of them take it. Taken is not
    shown yet: the browser may be closed.
    """
    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        to = store.subscriptions.of_user(account, user.id)
        if not to:
            raise UsageError(
                f"{display_name(user)} has no browser that is subscribed",
                f"in the browser: notifycli push subscribe -u {quoted_name(user)}",
            )
        records = _send_test(store, account, user, to)
    for record in records:
        record.remedy = session.typed(record.remedy)
    show(
        session,
        records,
        PushTestRecord,
        heads=("Id", "Browser", "Service", "Outcome", "What it answered"),
        cells=lambda item: (
            *(str(item.subscription_id), printable(item.label), item.service, item.outcome),
            printable(f"{item.detail}\n→ {item.remedy}" if item.remedy else item.detail),
        ),
    )
    failed = sum(item.outcome != "delivered" for item in records)
    if failed:
        raise UnavailableError(f"{failed} of {len(records)} pushes were not taken")


def _send_test(
    store: Store, account: int, user: User, to: Sequence[Subscription]
) -> list[PushTestRecord]:
    import asyncio  # noqa: PLC0415 - only what sends needs it

    from notifycli.delivery.channels import sample_notice  # noqa: PLC0415 - see above
    from notifycli.delivery.push_channel import open_sender  # noqa: PLC0415 - 220 ms
    from notifycli.delivery.push_endpoint import service_of  # noqa: PLC0415 - see above

    sender = open_sender(store)
    notice = sample_notice(account, user, Channel.PUSH, NotificationType.MENTION, now())
    # Not of a conversation: it would take the place of that one's pushes.
    message = sender.message(replace(notice, conversation_id=None, inbox_name=""))

    async def send() -> list[Outcome]:
        async with sender:
            return await asyncio.gather(*(sender.post(item, message) for item in to))

    return [
        _test_record(item, service_of(item.endpoint), outcome)
        for item, outcome in zip(to, asyncio.run(send()), strict=True)
    ]


def _test_record(to: Subscription, service: str, outcome: Outcome) -> PushTestRecord:
    from notifycli.delivery.channels import Delivered, Later  # noqa: PLC0415

    if isinstance(outcome, Delivered):
        return PushTestRecord(to.id, to.label, service, "delivered", outcome.detail, "")
    if isinstance(outcome, Later):
        wait = "" if outcome.after is None else f"; it asks to wait {outcome.after:g} s"
        return PushTestRecord(to.id, to.label, service, "later", outcome.why + wait, "")
    return PushTestRecord(to.id, to.label, service, "refused", outcome.why, outcome.remedy)
