"""The channels of Apprise: Slack, Teams, Telegram and whatever else it can send by.

Apprise says no more than whether a message was taken. Why it wasn't stands in its log alone, where
the answer's status is `error=404`; of its words nothing else is read or shown, since they may hold
what an address does.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from typing import TYPE_CHECKING, Any

from notifycli.daemon_threads import Daemons
from notifycli.delivery.added_channel import ChannelMessage, ChannelPlugIn
from notifycli.delivery.channels import Delivered, Later, Outcome, Refused
from notifycli.delivery.retry import is_passing
from notifycli.errors import UnavailableError

if TYPE_CHECKING:
    from typing import Self

    from notifycli.rules.notifications import Channel

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
