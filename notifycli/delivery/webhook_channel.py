"""The channel `webhook`: the decision as JSON, signed as Chatwoot signs its webhooks."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Self

import aiohttp
from msgspec import Struct, json
from yarl import URL

from notifycli.delivery.added_channel import ChannelMessage, ChannelPlugIn
from notifycli.delivery.channels import Delivered, Later, Outcome, Refused, is_passing
from notifycli.delivery.push_channel import Sessions, seconds_of
from notifycli.delivery.push_endpoint import FORBIDDEN, endpoint_fault
from notifycli.errors import ConfigurationError
from notifycli.events.timestamps import format_moment
from notifycli.rules.decision import Outcome as Decided
from notifycli.rules.decision import Reason
from notifycli.secrets.keychain import get_secret
from notifycli.secrets.token_format import sign_webhook

if TYPE_CHECKING:
    from notifycli.rules.notifications import Channel, NotificationType
    from notifycli.secrets.token_format import Secret
    from notifycli.store.store import Store

_TAKEN = range(200, 300)
_REDIRECTS = range(300, 400)


class DecisionBody(Struct):
    """What is posted: a decision's fields by their names, and what a notification of it says."""

    at: str | None
    event: str
    account_id: int
    conversation_id: int | None
    inbox_id: int | None
    message_id: int | None
    user_id: int
    email: str | None
    type: NotificationType
    channel: Channel
    outcome: Decided
    reason: Reason
    title: str
    text: str
    url: str
    contact: str
    author: str
    inbox: str


def open_webhook(store: Store) -> WebhookPlugIn:
    """Make what posts webhooks. Raises `ConfigurationError` where there is nothing to sign with."""
    secret = get_secret(store, "webhook.secret")
    if secret is None:
        raise ConfigurationError(
            "webhook.secret is not set, with which webhooks are signed",
            "set it, as it is set where they are received: notifycli config set webhook.secret",
        )
    return WebhookPlugIn(secret)


class WebhookPlugIn(ChannelPlugIn):
    """Posts to https addresses of the public Internet, or to this machine where it is named."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def __aenter__(self) -> Self:
        """Open what connects."""
        self._sessions = await Sessions().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close it."""
        await self._sessions.__aexit__()

    def check(self, address: str) -> None:
        """Raise `ValueError` unless it is an address that may be posted to."""
        if fault := endpoint_fault(address, allow_loopback=True):
            raise ValueError(fault[0].partition(" (RFC")[0])

    async def send(self, address: str, message: ChannelMessage) -> Outcome:
        """Post a message, once."""
        body = json.encode(_body(message))
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-Chatwoot-Delivery": message.id,
            "X-Chatwoot-Timestamp": timestamp,
            "X-Chatwoot-Signature": sign_webhook(self._secret, timestamp, body),
        }
        try:
            url = URL(address, encoded=True)
            async with self._sessions.to(url).post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return _outcome(answer.status, answer.headers.get("Retry-After"))
        except TimeoutError:
            return Later("it didn't answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return _failure(error)


def _body(message: ChannelMessage) -> DecisionBody:
    notice = message.notice
    return DecisionBody(
        at=None if notice.at is None else format_moment(notice.at),
        event=notice.event,
        account_id=notice.account_id,
        conversation_id=notice.conversation_id,
        inbox_id=notice.inbox_id,
        message_id=notice.message_id,
        user_id=notice.user_id,
        email=notice.email,
        type=notice.type,
        channel=notice.channel,
        outcome=Decided.FIRE,
        reason=Reason.ENABLED,
        title=message.title,
        text=message.text,
        url=message.url,
        contact=notice.contact,
        author=notice.author,
        inbox=notice.inbox_name,
    )


def _outcome(status: int, retry_after: str | None) -> Outcome:
    answered = f"it answered {status}"
    if status in _TAKEN:
        return Delivered(f"answered {status}")
    if is_passing(status):
        return Later(answered, seconds_of(retry_after, time.time()))
    if status in _REDIRECTS:
        return Refused(f"{answered}: it leads elsewhere, and that is not followed")
    return Refused(answered)


def _failure(error: Exception) -> Outcome:
    cause: BaseException = (
        error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    )
    if isinstance(cause, OSError) and cause.errno == FORBIDDEN:
        return Refused("it leads to no public address: not connected")
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return Later("it has no certificate that this machine trusts")
    if isinstance(cause, socket.gaierror):
        return Later("its name isn't known")
    return Later(f"it can't be reached: {type(cause).__name__}")
