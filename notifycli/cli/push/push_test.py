"""`notifycli push test`: whether a push arrives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from msgspec import Struct
from msgspec.structs import replace

from notifycli.cli.command import USER, command_class, examples, session_of
from notifycli.cli.output import show
from notifycli.cli.session import display_name
from notifycli.cli.terminal import printable
from notifycli.cli.times import now
from notifycli.errors import UnavailableError, UsageError
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.store import Store
from notifycli.store.subscriptions import Subscription

if TYPE_CHECKING:
    from notifycli.delivery.channels import Outcome

app = typer.Typer(rich_markup_mode=None, add_completion=False)


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
                f"in the browser: notifycli push subscribe -u {display_name(user)}",
            )
        records = _send(store, account, user, to)
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


def _send(
    store: Store, account: int, user: User, to: Sequence[Subscription]
) -> list[PushTestRecord]:
    import asyncio  # noqa: PLC0415 - only what sends needs it

    from notifycli.delivery.channels import sample_notice  # noqa: PLC0415 - see above
    from notifycli.delivery.push.endpoint import service_of  # noqa: PLC0415 - see above
    from notifycli.delivery.push.push_channel import open_sender  # noqa: PLC0415 - 220 ms

    sender = open_sender(store)
    notice = sample_notice(account, user, Channel.PUSH, NotificationType.MENTION, now())
    # Not of a conversation: it would take the place of that one's pushes.
    message = sender.message(replace(notice, conversation_id=None, inbox_name=""))

    async def send() -> list[Outcome]:
        async with sender:
            return await asyncio.gather(*(sender.post(item, message) for item in to))

    return [
        _record(item, service_of(item.endpoint), outcome)
        for item, outcome in zip(to, asyncio.run(send()), strict=True)
    ]


def _record(to: Subscription, service: str, outcome: Outcome) -> PushTestRecord:
    from notifycli.delivery.channels import Delivered, Later  # noqa: PLC0415

    if isinstance(outcome, Delivered):
        return PushTestRecord(to.id, to.label, service, "delivered", outcome.detail, "")
    if isinstance(outcome, Later):
        wait = "" if outcome.after is None else f"; it asks to wait {outcome.after:g} s"
        return PushTestRecord(to.id, to.label, service, "later", outcome.why + wait, "")
    return PushTestRecord(to.id, to.label, service, "refused", outcome.why, outcome.remedy)
