"""The channel of e-mail: notices become mails, mails go to the mail server that is configured.

`open_sender` gives what `deliver` uses. Sends run at the same time on a few connections, each of
which is kept for many mails.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

from notifycli.daemon_threads import Daemons
from notifycli.delivery.channels import Later, Outcome, Refused
from notifycli.delivery.email_message import (
    AddressError,
    Branding,
    ascii_domain,
    compose,
    own_or_builtin,
    sender,
)
from notifycli.delivery.smtp import (
    PORTS,
    SECONDS,
    MailConnection,
    MailServer,
    Security,
    Watch,
    ignore_line,
)
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError
from notifycli.secrets.keychain import get_secret
from notifycli.store.outbox import Notice
from notifycli.store.store import Store

T = TypeVar("T")

_CONNECTIONS = 4
"""At the same time; servers begin to refuse one client's at ten or so."""
_REST_SECONDS = 10.0
"""How long a server that was dead isn't asked again: a backlog would wait for it mail by mail."""


class EmailSender:
    """Sends notices by e-mail; fulfils `Sender` and `Hurrying`."""

    def __init__(
        self,
        server: MailServer,
        letterhead: Branding,
        *,
        connections: int = _CONNECTIONS,
        watch: Watch = ignore_line,
        server_now: Callable[[], MailServer] | None = None,
    ) -> None:
        """`server_now` is asked after a failure: somebody may have mended a setting meanwhile."""
        self._letterhead = letterhead
        self._server = server
        self._server_now = server_now or (lambda: server)
        self._watch = watch
        self._free: list[MailConnection] = []
        self._slots = asyncio.Semaphore(connections)
        self._threads = Daemons(connections, "notifycli-mail")
        self._calls: dict[MailConnection, asyncio.Future[Any]] = {}
        self._hurries = False
        self._rests_until = 0.0
        self._trouble = ""
        self._told = True
        """Whether an outcome has told of the last failure as an attempt."""

    async def __aenter__(self) -> Self:
        """Connect and log in once, so that wrong settings are told before anything is sent.

        Raises `ConfigurationError`. A server that is dead now isn't told here: each notice is then
        for later, while other channels go on.
        """
        connection = self._connection()
        try:
            await self._in_thread(connection, connection.open)
            self._free.append(connection)
        except UnavailableError as error:
            self._rest(error)
            self._told = False
        except BaseException as error:
            # Whoever hurries closes it as one that is open.
            if not (self._hurries and isinstance(error, asyncio.CancelledError)):
                self._threads.end()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await asyncio.gather(*(self._in_thread(free, free.close) for free in self._free))
        self._threads.end()

    async def send(self, notice: Notice) -> Outcome:
        """Send one notice. Never raises for what the server does."""
        async with self._slots:
            if self._hurries:
                raise asyncio.CancelledError
            rest = self._rests_until - time.monotonic()
            if rest > 0:
                told, self._told = self._told, True
                return Later(self._trouble, rest, tried=not told)
            if trouble := self._renew():
                return trouble
            connection = self._connection()
            outcome = await self._in_thread(connection, lambda: self._deliver(connection, notice))
            self._free.append(connection)
            return outcome

    def hurry(self) -> None:
        """Cancel the sends of which the server has heard nothing yet."""
        self._hurries = True
        for connection, call in self._calls.items():
            if connection.give_up():
                call.cancel()

    def _renew(self) -> Later | None:
        """Take up what is set now, after a failure."""
        if self._trouble:
            try:
                server = self._server_now()
            except NotifycliError as error:
                return self._rest(error)
            self._trouble = ""
            if server != self._server:
                self._server = server
                while self._free:
                    self._free.pop().abort()
        return None

    def _connection(self) -> MailConnection:
        if self._free:
            return self._free.pop()
        return MailConnection(self._server, self._watch)

    def _deliver(self, connection: MailConnection, notice: Notice) -> Outcome:
        try:
            mail = compose(notice, self._letterhead, datetime.now(UTC))
        except AddressError as error:
            return Refused(str(error), "give the user another address: notifycli directory import")
        try:
            return connection.send(mail)
        except (UnavailableError, ConfigurationError) as error:
            return self._rest(error)

    def _rest(self, error: NotifycliError) -> Later:
        self._trouble = f"{error.message}; {error.hint}"
        self._rests_until = time.monotonic() + _REST_SECONDS
        return Later(self._trouble, _REST_SECONDS)

    async def _in_thread(self, connection: MailConnection, call: Callable[[], T]) -> T:
        future = asyncio.wrap_future(self._threads.submit(call))
        self._calls[connection] = future
        try:
            return await future
        except asyncio.CancelledError:
            connection.abort()
            raise
        finally:
            del self._calls[connection]


def open_sender(store: Store, *, watch: Watch = ignore_line) -> EmailSender:
    """Make the sender as the store's settings want it.

    Raises `ConfigurationError` where a setting is missing or can't be right.
    """
    return EmailSender(
        mail_server(store), letterhead(store), watch=watch, server_now=lambda: mail_server(store)
    )


def mail_server(store: Store, seconds: float = SECONDS) -> MailServer:
    """Give the mail server that is configured. Raises `ConfigurationError`."""
    configuration = store.configuration
    (host, security) = configuration.require("smtp.host", "smtp.security")
    port = configuration.get("smtp.port")
    username = configuration.get("smtp.username")
    return MailServer(
        host=host,
        port=int(port) if port else PORTS[Security(security)],
        security=Security(security),
        username=username,
        password=None if username is None else get_secret(store, "smtp.password"),
        seconds=seconds,
    )


def letterhead(store: Store, otherwise: str | None = None) -> Branding:
    """Give what the desk's mails have in common. Raises `ConfigurationError`.

    `otherwise` is the sender where none is set; without it there has to be one.
    """
    configuration = store.configuration
    written = configuration.get("email.sender") or otherwise
    if written is None:
        (written,) = configuration.require("email.sender")
    try:
        from_ = sender(written)
        dashboards = {id_: _ascii_url(url) for id_, url in store.dashboard_urls().items()}
    except AddressError as error:
        raise ConfigurationError(
            f"email.sender or desk.url: {error}", "notifycli config set email.sender=…"
        ) from None
    templates = own_or_builtin(configuration.get("email.templates"))
    accounts = {account.id: account.name for account in store.accounts()}
    return Branding(from_, accounts, dashboards, templates)


def _ascii_url(url: str) -> str:
    """Give the address as a header takes it (RFC 3986 has no other characters than ASCII's)."""
    if url.isascii():
        return url
    parts = urlsplit(url)
    port = "" if parts.port is None else f":{parts.port}"
    host = ascii_domain(parts.hostname or "")
    return urlunsplit((parts.scheme, f"{host}{port}", quote(parts.path, safe="/%"), "", ""))
