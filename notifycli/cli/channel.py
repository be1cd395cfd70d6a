"""`notifycli channel`: where the channels lead that are added to e-mail, push and sounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec import Struct

from notifycli.cli.command import (
    USER,
    command_class,
    examples,
    group,
    none_of,
    notification_type,
    session_of,
)
from notifycli.cli.output import show, show_one, text
from notifycli.cli.session import Session, display_name, quoted_name
from notifycli.cli.terminal import print_error, read_secret
from notifycli.cli.times import now
from notifycli.errors import NotifycliError, UnavailableError, UsageError
from notifycli.rules.notifications import (
    SHIPPED_CHANNELS,
    TYPES,
    Channel,
    NotificationType,
    added_switch,
    plug_ins,
)
from notifycli.store.settings import EVERYBODY

if TYPE_CHECKING:
    from notifycli.delivery.channels import Outcome
    from notifycli.rules.directory import User
    from notifycli.store.store import Store

app = group("Other channels (Slack, Teams, webhooks, …): addresses, a test.")

_NO = 1


def _name(word: str) -> str:
    name = word.lower()
    try:
        return Channel(name) if name not in {*Channel} else Channel("")
    except ValueError:
        raise none_of(word, tuple(SHIPPED_CHANNELS)) from None


def _known_name(word: str) -> str:
    if (name := _name(word)) not in (known := (*SHIPPED_CHANNELS, *plug_ins())):
        raise none_of(word, known)
    return name


def _argument(parser: Callable[[str], str]) -> Any:
    return typer.Argument(
        parser=parser,
        metavar="CHANNEL",
        help=f"{', '.join(SHIPPED_CHANNELS)}, or one that another package adds.",
    )


Name = Annotated[str, _argument(_name)]
KnownName = Annotated[str, _argument(_known_name)]
Everybody = Annotated[
    bool, typer.Option("--everybody", help="Of all who have no address of their own.")
]


class ChannelRecord(Struct):
    """A channel that is added, as printed."""

    channel: Channel
    package: str | None
    """What adds it; null where it isn't known."""
    usable: bool
    why: str
    """What is missing, if it isn't."""
    addresses: list[str]
    """Who has one on it: addresses of mail, or ids; `everybody`."""
    preferences: int
    """How many values are set for it, of whomever."""


class ChannelTestRecord(Struct):
    """How a test went, as printed."""

    user_id: int
    channel: Channel
    outcome: str
    detail: str


@app.command(
    "list",
    cls=command_class(),
    epilog=examples("notifycli channel list\nnotifycli channel list -o json"),
)
def channel_list(ctx: typer.Context) -> None:
    """List the added channels: what is missing, and who has an address."""
    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        users = {user.id: user for user in store.users(account)}
        addresses = store.configuration.addresses(account)
        layers = [*store.preferences(account).layers()]
        set_ = [switch[0] for values in layers for key in values if (switch := added_switch(key))]
        there = {channel for own in addresses.values() for channel in own}
        known = [*map(Channel, (*SHIPPED_CHANNELS, *plug_ins()))]
        records = [
            ChannelRecord(
                channel,
                _package(channel),
                *_state(store, channel),
                addresses=[
                    _whose(users, user) for user in sorted(addresses) if channel in addresses[user]
                ],
                preferences=set_.count(channel),
            )
            for channel in dict.fromkeys([*known, *sorted({*there, *set_})])
        ]
    heads = ("Channel", "Added by", "Here", "Addresses", "Set")
    show(session, records, ChannelRecord, heads=heads, cells=_cells)


def _cells(record: ChannelRecord) -> list[str]:
    here = "yes" if record.usable else record.why
    addresses = ", ".join(record.addresses)
    return [
        record.channel,
        text(record.package),
        here,
        addresses or "-",
        str(record.preferences or "-"),
    ]


def _whose(users: dict[int, User], user: int) -> str:
    if user == EVERYBODY:
        return "everybody"
    return users[user].email or str(user) if user in users else f"{user} (has left)"


def _package(channel: Channel) -> str | None:
    if channel in SHIPPED_CHANNELS:
        return SHIPPED_CHANNELS[channel]
    found = plug_ins().get(channel)
    return None if found is None or found.dist is None else found.dist.name


def _state(store: Store, channel: Channel) -> tuple[bool, str]:
    from notifycli.delivery.added_channel import open_plug_in  # noqa: PLC0415 - not for the help

    try:
        open_plug_in(channel, store)
    except NotifycliError as error:
        return False, f"{error.message}; {error.hint}"
    return True, ""


@app.command(
    "add",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli channel add slack -u jane@example.com
pass show jane/ntfy | notifycli channel add ntfy -u jane@example.com
notifycli channel add webhook --everybody < address.txt
notifycli prefs set slack.mention=on -u jane@example.com
"""
    ),
)
def channel_add(ctx: typer.Context, channel: KnownName, *, everybody: Everybody = False) -> None:
    """Keep a user's address on a channel in the keyring.

    What is switched on for them on the channel goes to it. It is read from standard input, unseen
    on a terminal: it lets whoever has it write there. For webhook it is a URL, for the others what
    Apprise takes (https://appriseit.com/services/): slack://TOKEN_A/TOKEN_B/TOKEN_C,
    tgram://BOT/CHAT, ntfy://HOST/TOPIC.
    """
    from notifycli.delivery.added_channel import Addresses, check_address, open_plug_in  # noqa: PLC0415

    session = session_of(ctx)
    with session.store(create=True) as store:
        account, user, whom = _place(session, store, everybody=everybody)
        one = Channel(channel)
        plug_in = open_plug_in(one, store)
        again = f"notifycli channel add {one} {whom} < FILE"
        address = read_secret(f"Address on {one} (it isn't shown): ", "address", again)
        check_address(plug_in, one, address)
        Addresses(store, one).keep(account, user, address)
    session.info(
        f"there is an address on {one} now\n"
        f"  try it: notifycli channel test {one} {'-u USER' if everybody else whom}"
    )


@app.command(
    "remove",
    cls=command_class(USER),
    epilog=examples("notifycli channel remove slack -u jane@example.com"),
)
def channel_remove(ctx: typer.Context, channel: Name, *, everybody: Everybody = False) -> None:
    """Forget a user's address on a channel; preferences stay."""
    from notifycli.delivery.added_channel import Addresses  # noqa: PLC0415 - not for the help

    session = session_of(ctx)
    with session.store() as store:
        account, user, _ = _place(session, store, everybody=everybody)
        removed = Addresses(store, Channel(channel)).forget(account, user)
    if not removed:
        raise UsageError(
            f"there is no such address on {channel}", "see them: notifycli channel list"
        )
    session.info(f"the address on {channel} is forgotten")


def _place(session: Session, store: Store, *, everybody: bool) -> tuple[int, int, str]:
    """Return the account, whose address is meant, and the option that says so."""
    account = session.resolve_account(store)
    if everybody and session.given_users:
        raise UsageError("-u with --everybody: whose address is it?", "leave out one of both")
    if everybody:
        return account, EVERYBODY, "--everybody"
    user = session.resolve_user(store, account)
    return account, user.id, f"-u {quoted_name(user)}"


_SHORT = ", ".join(row.short for row in TYPES)


@app.command(
    "test",
    cls=command_class(USER),
    epilog=examples(
        "notifycli channel test slack -u jane@example.com\n"
        "notifycli channel test webhook --type assigned"
    ),
)
def channel_test(
    ctx: typer.Context,
    channel: Name,
    *,
    type_: Annotated[
        str,
        typer.Option(
            "--type", parser=notification_type, metavar="TYPE", help=f"Which type: {_SHORT}."
        ),
    ] = NotificationType.MENTION,
) -> None:
    """Send a test to a user on a channel.

    Exits with 1 if the service refuses it for good, with 69 if it may work another time.
    """
    import asyncio  # noqa: PLC0415 - not for the help

    from notifycli.delivery.added_channel import AddedSender  # noqa: PLC0415 - as above
    from notifycli.delivery.channels import Delivered, Later, sample_notice  # noqa: PLC0415

    session, one = session_of(ctx), Channel(channel)
    with session.store() as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        notice = sample_notice(account, user, one, NotificationType(type_), now())
        sender = AddedSender(one, store)

        async def run() -> Outcome:
            async with sender:
                return await sender.send(notice)

        outcome = asyncio.run(run())
    if isinstance(outcome, Later):
        raise UnavailableError(f"{one} for {display_name(user)}: {outcome.why}")
    result = "delivered" if isinstance(outcome, Delivered) else "refused"
    detail = outcome.detail if isinstance(outcome, Delivered) else outcome.why
    show_one(session, ChannelTestRecord(user.id, one, result, detail))
    if not isinstance(outcome, Delivered):
        remedy = f"\n  {outcome.remedy}" if outcome.remedy else ""
        print_error(session.typed(f"error: {detail}{remedy}"))
        raise typer.Exit(_NO)
