"""What the doctor looks at for e-mail: that the mail server answers, and takes our login."""

from __future__ import annotations

from notifycli.cli.doctor.checks import Facts, Finding, Status
from notifycli.errors import NotifycliError, UnavailableError
from notifycli.secrets.keychain import open_keychain
from notifycli.store.store import Store

_SECONDS = 5.0
"""Somebody waits; a server that is well answers in less."""


def check_email(facts: Facts) -> Finding:
    """Connect to the mail server and log in, if one is configured; nothing is sent."""
    store = facts.store
    if store is None:
        return Finding("email", Status.NOTE, "-", "can't be told without the store")
    host = store.configuration.get("smtp.host")
    if host is None:
        return Finding(
            "email",
            Status.NOTE,
            "no mail server",
            "mails can't be sent yet",
            "notifycli config set smtp.host=… 'email.sender=Support <desk@example.com>'",
        )
    try:
        return _connected(store)
    except NotifycliError as error:
        return Finding("email", Status.FAIL, host, error.message, error.hint)


def _connected(store: Store) -> Finding:
    from notifycli.delivery.email.email_channel import letterhead, mail_server  # noqa: PLC0415 - smtplib and ssl
    from notifycli.delivery.email.smtp import MailConnection  # noqa: PLC0415

    sender = letterhead(store).sender
    if (
        store.configuration.get("smtp.username")
        and open_keychain(beside=store.location.folder).asks
    ):
        meaning = "not tried: the keyring would ask for a passphrase"
        return Finding("email", Status.NOTE, sender.address, meaning, "notifycli email test")
    server = mail_server(store, _SECONDS)
    steps: list[str] = []
    connection = MailConnection(server, steps.append)
    try:
        connection.open()
    except UnavailableError as error:
        return Finding("email", Status.FAIL, server.name, error.message, error.hint)
    finally:
        connection.close()
    return Finding("email", Status.OK, f"{sender.address}: {'; '.join(steps)}", "it answers")
