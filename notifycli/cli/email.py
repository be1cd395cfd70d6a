"""`notifycli email`: whether mails arrive, and what they say."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import (
    SHORT_TYPES,
    USER,
    command_class,
    examples,
    group,
    notification_type,
    session_of,
)
from notifycli.cli.output import show, show_one, write
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import print_error
from notifycli.cli.times import now
from notifycli.delivery.channels import Delivered, Later, Outcome, sample_notice
from notifycli.errors import UnavailableError, UsageError
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Notice
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.delivery.email_message import TemplateFile

app = group("E-mail: a test, templates, previews.")

_NO = 1
_NOBODY = "desk@example.com"
_SOMEBODY = User(1, "jane@example.com", "Jane Miller")


Type = Annotated[
    str,
    typer.Option(
        "--type", parser=notification_type, metavar="TYPE", help=f"Which type: {SHORT_TYPES}."
    ),
]


class EmailTestRecord(Struct):
    """How a test went, as printed."""

    user_id: int
    email: str
    outcome: str
    detail: str


class TemplateRecord(Struct):
    """A template, as printed."""

    name: str
    origin: str
    path: str


class PreviewRecord(Struct):
    """What a mail says, as printed."""

    subject: str
    text: str
    html: str


@app.command(
    "test",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli email test -u jane@example.com
notifycli email test --type assigned
"""
    ),
)
def email_test(ctx: typer.Context, *, type_: Type = NotificationType.MENTION) -> None:
    """Send a test mail to a user, and tell each step of it.

    Exits with 1 if the server refuses it for good, with 69 if it may work another time.
    """
    from notifycli.delivery.email_channel import open_sender  # noqa: PLC0415 - brings smtplib and ssl

    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        if user.email is None:
            raise UsageError(
                f"user {user.id} has no e-mail address", "give them one: notifycli directory import"
            )
        notice = sample_notice(account, user, Channel.EMAIL, NotificationType(type_), now())
        sender = open_sender(store, watch=lambda step: session.info(f"✓ {step}"))

    async def run() -> Outcome:
        async with sender:
            return await sender.send(notice)

    _tell(session, notice, asyncio.run(run()))


def _tell(session: Session, notice: Notice, outcome: Outcome) -> None:
    if isinstance(outcome, Later):
        raise UnavailableError(outcome.why)
    took = isinstance(outcome, Delivered)
    detail = outcome.detail if isinstance(outcome, Delivered) else outcome.why
    word = "delivered" if took else "refused"
    show_one(session, EmailTestRecord(notice.user_id, notice.email or "", word, detail))
    if isinstance(outcome, Delivered):
        session.info(
            "If it doesn't arrive, look in the spam folder, then in the mail server's log."
        )
        return
    print_error(session.typed(f"error: {detail}\n  {outcome.remedy}"))
    raise typer.Exit(_NO)


@app.command(
    "templates",
    cls=command_class(),
    epilog=examples(
        """
notifycli email templates
notifycli email templates --copy ~/mail-templates
notifycli config set email.templates=~/mail-templates
notifycli email preview --type mention
"""
    ),
)
def email_templates(
    ctx: typer.Context,
    *,
    copy: Annotated[
        Path | None,
        typer.Option("--copy", metavar="FOLDER", help="Copy the built-in ones, to change them."),
    ] = None,
) -> None:
    """List the templates of mails, and whose each is; check them.

    The first line of a type's template is the subject, the others say what happened; layout.txt
    and layout.html are what stands around. $NAME is a field, ${NAME|otherwise} one that may be
    empty; a line whose fields are all empty is left out. In HTML every value is escaped. Fields:
    user, desk, conversation, contact, author, inbox, text, time, link, settings; in layouts also
    subject and notice. Keep only those that you change: the others stay the built-in ones.
    """
    from notifycli.delivery.email_message import copy_to, own_or_builtin  # noqa: PLC0415

    session = session_of(ctx)
    if copy is not None:
        copied = copy_to(Path(os.path.expanduser(copy)))
        session.info(
            f"copied {plural(len(copied), 'template')} to {copy}\n"
            f"  use them: notifycli config set {shlex.quote(f'email.templates={copy}')}"
        )
        return
    with session.store() as store:
        templates = own_or_builtin(store.configuration.get("email.templates"))
    records = (
        TemplateRecord(file.name, _origin(file), str(file.path))
        for file in templates.files.values()
    )
    heads = ("Template", "Origin")
    show(session, records, TemplateRecord, heads=heads, cells=lambda item: [item.name, item.origin])
    if session.shows_table:
        # A folder has no room beside the names, and all that have an origin share it.
        folders = {_origin(file): file.path.parent for file in templates.files.values()}
        for origin, place in folders.items():
            session.info(f"{origin}: {place}")


def _origin(file: TemplateFile) -> str:
    return "builtin" if file.builtin else "own"


@app.command(
    "preview",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli email preview --type mention
notifycli email preview --type sla_first --html > mail.html
"""
    ),
)
def email_preview(
    ctx: typer.Context,
    *,
    type_: Type = NotificationType.MENTION,
    html: Annotated[bool, typer.Option("--html", help="The HTML part alone.")] = False,
) -> None:
    """Show what a mail says, without sending it."""
    from notifycli.delivery.email_channel import letterhead  # noqa: PLC0415 - brings email.message
    from notifycli.delivery.email_message import write as written  # noqa: PLC0415

    session = session_of(ctx)
    with session.store() as store:
        account, user = _reader(session, store)
        notice = sample_notice(account, user, Channel.EMAIL, NotificationType(type_), now())
        parts = written(notice, letterhead(store, otherwise=_NOBODY))
    if html:
        write([parts.html.encode()])
    elif session.shows_table:
        write([f"Subject: {parts.subject}\n\n{parts.text}".encode()])
    else:
        show_one(session, PreviewRecord(parts.subject, parts.text, parts.html))


def _reader(session: Session, store: Store) -> tuple[int, User]:
    """Give whose mail is shown: the named user's, the only one's, or that of somebody made up."""
    account = session.resolve_account(store)
    if session.given_users or store.only_user(account):
        return account, session.resolve_user(store, account)
    return account, _SOMEBODY
