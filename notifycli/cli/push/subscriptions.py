"""`notifycli push add|list|remove`: the browsers that are subscribed."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import ALL_USERS, SOME_USERS, USER, command_class, examples, session_of
from notifycli.cli.output import show
from notifycli.cli.push.common import keep
from notifycli.cli.session import plural
from notifycli.cli.terminal import printable, read_input
from notifycli.cli.times import in_words, now, written
from notifycli.cli.types import AllowLoopback, a_number
from notifycli.errors import UsageError
from notifycli.events.timestamps import parse_moment
from notifycli.rules.directory import User
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.vapid import PushKeys
from notifycli.store.subscriptions import Subscription

app = typer.Typer(rich_markup_mode=None, add_completion=False)

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
    from notifycli.delivery.push.endpoint import read_subscription  # noqa: PLC0415 - 50 ms

    session = session_of(ctx)
    session.awaits("-")
    data = read_input(_LONGEST_INPUT)
    offer = read_subscription(data, "standard input", allow_loopback=allow_loopback)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        key = PushKeys(store, open_keychain(beside=store.location.folder), now).current()
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
        session.info("no browser is subscribed yet; in the browser: notifycli push subscribe")


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
            PushKeys(store, open_keychain(beside=store.location.folder), now).forget_unused()
    session.info(f"removed {plural(count, 'subscription')}")


def _record(item: Subscription, user: User, current: int | None) -> SubscriptionRecord:
    from notifycli.delivery.push.endpoint import service_of  # noqa: PLC0415 - 50 ms

    return SubscriptionRecord(
        item.id,
        item.user_id,
        user.email,
        item.label,
        service_of(item.endpoint),
        "current" if item.key_id == current else "old",
        written(item.created_at) or "",
        written(item.expires_at),
        written(item.last_used_at),
        item.failures,
    )


def _ago(moment: str | None, at: int) -> str:
    return in_words(None if moment is None else parse_moment(moment), at)
