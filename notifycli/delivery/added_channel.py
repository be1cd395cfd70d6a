"""Channels that are added: what a plug-in is, where addresses are, and what sends by both.

A package adds a channel with an entry point of its name in the group `notifycli.channels`, which
names a subclass of `ChannelPlugIn`. Preferences, texts, the outbox, retries and commands are there
for it as for any other channel.

Those that come with the program are webhooks, and what Apprise can send by: Slack, Teams, Telegram
and whatever else. Apprise says no more than whether a message was taken. Why it wasn't stands in
its log alone, where the answer's status is `error=404`; of its words nothing else is read or shown,
since they may hold what an address does.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import shlex
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import unquote

from msgspec import Struct
from msgspec.structs import replace

from notifycli.daemon_threads import Daemons
from notifycli.delivery.channels import Breaker, Delivered, Later, Outcome, Refused, is_passing
from notifycli.delivery.email_channel import letterhead
from notifycli.delivery.email_message import digest_of, write_short
from notifycli.errors import DataError, UnavailableError
from notifycli.events.timestamps import SECOND
from notifycli.rules.notifications import SHIPPED_CHANNELS, Channel, plug_ins
from notifycli.secrets.keychain import Keychain, open_keychain, read_kept
from notifycli.secrets.token_format import Secret
from notifycli.store.settings import EVERYBODY, address_key

if TYPE_CHECKING:
    from notifycli.store.outbox import Notice
    from notifycli.store.store import Store

_NOBODY = "notifycli@localhost"
_WORDS = re.compile(r"[^\s/:@?&=#,;]{4,}")
_HIDDEN = "…"
SCHEMES = {
    "slack": {"slack"},
    "teams": {"msteams", "workflows", "workflow"},
    "discord": {"discord"},
    "telegram": {"tgram"},
    "signal": {"signal", "signals"},
    "ntfy": {"ntfy", "ntfys"},
}
"""How addresses of a channel may begin, where not all of Apprise's may."""
_WIKI = "https://appriseit.com/services/"
_STATUS = re.compile(r"\berror=(\d{3})\b")
_CLIENT_ERRORS = range(400, 500)
_AT_ONCE = 8


class ChannelMessage(Struct, frozen=True):
    """What is to reach somebody."""

    id: str
    """The same whenever it is sent again, and no other's."""
    title: str
    """One line."""
    text: str
    """What happened, and what was written; several lines."""
    url: str
    """The conversation's page; an empty string where it isn't known."""
    notice: Notice
    """Who and what it is about."""


class ChannelPlugIn:
    """What sends by an added channel. It is made without arguments, and opened for many sends."""

    async def __aenter__(self) -> Self:
        """Get ready to send. Raises `UnavailableError`."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close what was opened."""

    def check(self, address: str) -> None:
        """Raise `ValueError`, without the address in it, unless this can send to it."""
        raise NotImplementedError

    async def send(self, address: str, message: ChannelMessage) -> Outcome:
        """Send to an address: `Delivered`, `Later` or `Refused`.

        What it says may name the address: whatever is part of one is hidden before it is shown.
        """
        raise NotImplementedError


def open_plug_in(channel: Channel, store: Store) -> ChannelPlugIn:
    """Return what sends by a channel.

    Raises `UnavailableError` if it isn't installed, and `ConfigurationError` if it isn't set up.
    """
    if channel == "webhook":
        from notifycli.delivery.webhook_channel import open_webhook  # noqa: PLC0415 - brings aiohttp

        return open_webhook(store)
    if channel in SHIPPED_CHANNELS:
        return open_apprise(channel)
    return _load(channel)


def _load(channel: Channel) -> ChannelPlugIn:
    found = plug_ins().get(channel)
    if found is None:
        raise UnavailableError(
            f"nothing here adds the channel {channel}",
            f"install the package that does; or take it away: notifycli prefs unset '{channel}.*'",
        )
    package = "its package" if found.dist is None else found.dist.name
    try:
        plug_in = found.load()()
    except Exception as error:  # noqa: BLE001 - whatever a plug-in does, the others go on
        raise UnavailableError(
            f"the channel {channel} can't be loaded: {type(error).__name__} in {package}",
            f"bring it up to date: pip install --upgrade {package}",
        ) from None
    if not isinstance(plug_in, ChannelPlugIn):
        raise UnavailableError(
            f"the channel {channel} can't be loaded: {found.value} is no ChannelPlugIn",
            f"bring it up to date: pip install --upgrade {package}",
        )
    return plug_in


class Addresses:
    """The addresses of an added channel: names in the store, the rest in the keychain."""

    def __init__(self, store: Store, channel: Channel) -> None:
        self._store = store
        self._channel = channel
        self._keychain: Keychain | None = None

    def name(self, account: int, user: int) -> str | None:
        """Return under which name a keychain has a user's address; `None` if there is none."""
        return self._store.configuration.secret_name(address_key(account, user, self._channel))

    def read(self, name: str) -> Secret | None:
        """Return an address. Raises `UnavailableError` if the keychain can't be read."""
        again = f"notifycli channel add {self._channel}"
        return read_kept(self._opened(), name, f"the address on {self._channel}", again)

    def keep(self, account: int, user: int, address: str) -> None:
        """Keep a user's address in the place of an earlier one."""
        key, keychain = address_key(account, user, self._channel), self._opened()
        earlier = self.name(account, user)
        # Another name each time: who sends knows by it that the address has changed.
        name = f"{keychain.kind}:{key}/{secrets.token_hex(8)}"
        keychain.set(name, Secret(address))
        self._store.configuration.name_secret(key, name)
        self._delete(earlier)

    def forget(self, account: int, user: int) -> bool:
        """Forget a user's address; return whether there was one."""
        earlier = self.name(account, user)
        self._store.configuration.name_secret(address_key(account, user, self._channel), None)
        self._delete(earlier)
        return earlier is not None

    def _delete(self, name: str | None) -> None:
        if name is not None and name.startswith(f"{self._opened().kind}:"):
            self._opened().delete(name)

    def _opened(self) -> Keychain:
        if self._keychain is None:
            self._keychain = open_keychain(beside=self._store.location)
        return self._keychain


class _Place(NamedTuple):
    """An address, and how sending to it goes."""

    address: str
    breaker: Breaker
    trouble: str = ""


class AddedSender:
    """Sends by an added channel: each notice to its user's address, or to everybody's."""

    def __init__(self, channel: Channel, store: Store) -> None:
        """Raise `UnavailableError` or `ConfigurationError` if the channel can't be had."""
        self._channel = channel
        self._plug_in = open_plug_in(channel, store)
        self._letterhead = letterhead(store, otherwise=_NOBODY)
        self._addresses = Addresses(store, channel)
        self._places: dict[str, _Place] = {}
        """By the name under which the keychain has the address."""

    async def __aenter__(self) -> Self:
        """Open the plug-in."""
        await self._plug_in.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._plug_in.__aexit__(None, None, None)

    async def send(self, notice: Notice) -> Outcome:
        """Send one notice. An address by which nothing gets through is left alone for a while."""
        user = shlex.quote(notice.email or str(notice.user_id))
        whose = f"notifycli channel add {self._channel} -u {user}"
        name = self._addresses.name(notice.account_id, notice.user_id)
        name = name or self._addresses.name(notice.account_id, EVERYBODY)
        if name is None:
            return Refused(f"there is no address on {self._channel}", whose)
        if name not in self._places:
            found = self._addresses.read(name)
            if found is None:
                return Refused("the keyring doesn't hold the address", whose)
            self._places[name] = _Place(found.reveal(), Breaker())
        place = self._places[name]
        now = time.time_ns() // 1_000
        if (rest := place.breaker.closed_until - now) > 0:
            return Later(f"it is left alone for a moment: {place.trouble}", rest / SECOND, False)
        outcome = hide(await self._try(place.address, notice), place.address)
        if isinstance(outcome, Later):
            place.breaker.fail(now)
            self._places[name] = place._replace(trouble=outcome.why)
        else:
            place.breaker.reset()
        return outcome

    async def _try(self, address: str, notice: Notice) -> Outcome:
        try:
            outcome = await self._plug_in.send(address, self._message(notice))
        except Exception as error:  # noqa: BLE001 - its text may hold the address
            return Later(f"unexpected {type(error).__name__}")
        if not isinstance(outcome, Delivered | Later | Refused):
            return Later(f"the channel {self._channel} answered {type(outcome).__name__}")
        return outcome

    def _message(self, notice: Notice) -> ChannelMessage:
        short = write_short(notice, self._letterhead)
        # A test is to come through each time; of a notice the service may take one alone.
        id_ = digest_of(notice) if notice.id else secrets.token_hex(16)
        return ChannelMessage(id_, short.subject, short.text, short.link, notice)


def hide(outcome: Outcome, address: str) -> Outcome:
    """Return an outcome in whose words nothing of an address is left."""
    match outcome:
        case Delivered():
            return replace(outcome, detail=hide_address(outcome.detail, address))
        case Later():
            return replace(outcome, why=hide_address(outcome.why, address))
        case Refused():
            why, remedy = (hide_address(text, address) for text in (outcome.why, outcome.remedy))
            return replace(outcome, why=why, remedy=remedy)


def hide_address(text: str, address: str) -> str:
    """Return a text, on one line, in which nothing of an address is left."""
    secret = address.partition("://")[2] or address
    parts = {address, *_WORDS.findall(secret), *_WORDS.findall(unquote(secret))}
    # The longest first: one may be a part of another.
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, _HIDDEN)
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def check_address(plug_in: ChannelPlugIn, channel: Channel, address: str) -> None:
    """Raise `DataError`, which doesn't name it, unless a channel can send to an address."""
    why = ""
    try:
        plug_in.check(address)
    except ValueError as error:
        why = hide_address(str(error), address)
    except Exception as error:  # noqa: BLE001 - its text may hold the address
        why = f"unexpected {type(error).__name__}"
    # Outside, so that no traceback has what was caught.
    if why:
        raise DataError(f"this is no address on {channel}: {why}")


def open_apprise(channel: Channel) -> ApprisePlugIn:
    """Make what sends by one of Apprise's services. Raises `UnavailableError` without Apprise."""
    try:
        import apprise  # noqa: PLC0415 - takes 300 ms
    except ImportError:
        raise UnavailableError(
            f"the channel {channel} needs Apprise, which isn't installed",
            "pip install 'notifycli[apprise]'",
        ) from None
    return ApprisePlugIn(apprise, SCHEMES.get(channel))


class _Statuses(logging.Handler):
    """Takes from Apprise's log, thread by thread, the statuses that services have answered."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._of_thread = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the status that a line tells of, and nothing else."""
        self.found().extend(int(status) for status in _STATUS.findall(record.getMessage()))

    def found(self) -> list[int]:
        """Return those of this thread since they were last cleared."""
        found: list[int] = self._of_thread.__dict__.setdefault("statuses", [])
        return found


class ApprisePlugIn(ChannelPlugIn):
    """Sends by Apprise, each message in a thread: it knows no other way to wait."""

    def __init__(self, apprise: Any, schemes: set[str] | None) -> None:
        self._apprise = apprise
        self._schemes = schemes
        self._asset = apprise.AppriseAsset(app_id="notifycli", async_mode=False)
        self._statuses = _Statuses()
        self._log = logging.getLogger("apprise")
        # Its lines may hold addresses: none of them is for anybody else.
        self._log.propagate = False
        self._log.handlers = [self._statuses]
        self._threads: Daemons | None = None

    async def __aenter__(self) -> Self:
        """Start the threads."""
        self._threads = Daemons(_AT_ONCE, "notifycli-apprise")
        return self

    async def __aexit__(self, *_: object) -> None:
        """End them."""
        if self._threads is not None:
            self._threads.end()

    def check(self, address: str) -> None:
        """Raise `ValueError` unless it is an address of one of the channel's services."""
        service = self._service(address)
        if service is None:
            raise ValueError(f"Apprise can't read it; how each service writes it: {_WIKI}")
        schemes = {str(one) for one in service.schemas()}
        if self._schemes is not None and self._schemes.isdisjoint(schemes):
            begins = " or ".join(f"{scheme}://" for scheme in sorted(self._schemes))
            raise ValueError(f"it is of another service; here they begin with {begins}")

    async def send(self, address: str, message: ChannelMessage) -> Outcome:
        """Send a message, once."""
        assert self._threads is not None  # noqa: S101 - it is opened before
        taken = self._threads.submit(lambda: self._notify(address, message))
        return await asyncio.wrap_future(taken)

    def _notify(self, address: str, message: ChannelMessage) -> Outcome:
        service = self._service(address)
        if service is None:
            return Refused(f"Apprise can't read the address; how each is written: {_WIKI}")
        notify, found = service.notify, list[int]()

        def listen(*args: Any, **kwargs: Any) -> Any:
            # Apprise calls it in a thread of its own, of which the log's lines are.
            self._statuses.found().clear()
            taken = notify(*args, **kwargs)
            found.extend(self._statuses.found())
            return taken

        service.notify = listen
        sender = self._apprise.Apprise(asset=self._asset)
        sender.add(service)
        body = "\n\n".join(filter(None, (message.text, message.url)))
        kind = self._apprise.NotifyFormat.TEXT
        if sender.notify(body=body, title=message.title, body_format=kind):
            return Delivered("taken")
        return _failure(found)

    def _service(self, address: str) -> Any:
        return self._apprise.Apprise.instantiate(
            address, asset=self._asset, suppress_exceptions=True
        )


def _failure(statuses: list[int]) -> Outcome:
    if not statuses:
        return Later("it can't be reached, or didn't answer in time")
    status = statuses[-1]
    if status in _CLIENT_ERRORS and not is_passing(status):
        return Refused(f"the service answered {status}")
    return Later(f"the service answered {status}")
