"""Web Push: the one place that sends it (RFC 8030), encrypted (RFC 8291) and signed (RFC 8292).

pywebpush encrypts and py-vapid signs. The requests are ours: pywebpush's own follow redirects, wait
for ever, and fail with errors of a dozen kinds. What an answer means is in RFC 8030, 5 and 7, and
RFC 8292, 4.2; Windows' service also answers in headers of its own (X-WNS-…), as its documentation
of "push notification service request and response headers" has them.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import shlex
import socket
import ssl
import time
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import Any, NamedTuple, Self

import aiohttp
import msgspec
from py_vapid import Vapid02  # type: ignore[import-untyped] # it has no types
from pywebpush import WebPusher  # type: ignore[import-untyped] # nor has it
from yarl import URL

from notifycli import __version__
from notifycli.delivery.channels import Breaker, Delivered, Later, Outcome, Refused, is_passing
from notifycli.delivery.push_endpoint import (
    FORBIDDEN,
    SUBSCRIBE_AGAIN,
    endpoint_fault,
    guard_sockets,
    is_loopback,
    is_removed,
    origin_of,
    service_of,
)
from notifycli.errors import NotifycliError
from notifycli.events.timestamps import SECOND
from notifycli.rules.notifications import NotificationType as Type
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.vapid import PushKeys, encode_base64url
from notifycli.store.outbox import Notice
from notifycli.store.store import Store
from notifycli.store.subscriptions import Subscription

LONGEST_PLAINTEXT = 3993
"""Bytes: a push service must take a body of 4,096 (RFC 8030, 7.2), less RFC 8188's overhead."""
_DAY = 86_400
_LONGEST_NAME = 120
_TOPIC_BYTES = 24
_CUT = "…"
_JOINERS = "\u200d\ufe0e\ufe0f"
_SKIN_TONES = range(0x1F3FB, 0x1F400)
_REGIONAL = range(0x1F1E6, 0x1F200)


class Handling(NamedTuple):
    """How long a service keeps a push for a device that is offline, and how much it matters."""

    ttl: int
    """Seconds (RFC 8030, 5.2)."""
    urgency: str
    """RFC 8030, 5.3: "high" reaches a device that is low on battery."""


_ROUTINE = Handling(_DAY, "normal")
_HANDLING = {
    # What waits for this one person is still news after a weekend.
    Type.ASSIGNMENT: Handling(3 * _DAY, "normal"),
    Type.TEAM_ASSIGNMENT: Handling(3 * _DAY, "normal"),
    Type.MENTION: Handling(3 * _DAY, "high"),
    Type.DIGEST: Handling(3 * _DAY, "normal"),
    **dict.fromkeys((Type.SLA_FIRST, Type.SLA_NEXT, Type.SLA_RESOLUTION), Handling(_DAY, "high")),
    **dict.fromkeys((Type.WAITING, Type.ESCALATION), Handling(_DAY, "high")),
}
_TITLES = {
    Type.CREATION: "New conversation with {contact}",
    Type.ASSIGNMENT: "Assigned to you: {contact}",
    Type.TEAM_ASSIGNMENT: "Given to your team: {contact}",
    Type.MENTION: "{author} mentioned you",
    Type.ASSIGNED_MESSAGE: "{author} wrote",
    Type.PARTICIPATING_MESSAGE: "{author} wrote",
    Type.UNASSIGNED_MESSAGE: "{author} wrote, and nobody is assigned",
    Type.SLA_FIRST: "First response missed: {contact}",
    Type.SLA_NEXT: "Next response missed: {contact}",
    Type.SLA_RESOLUTION: "Resolution time missed: {contact}",
    Type.WAITING: "Waiting for a reply: {contact}",
    Type.ESCALATION: "Still waiting for a reply: {contact}",
    Type.DIGEST: "What came in the meantime",
}


class Content(msgspec.Struct):
    """What the service worker gets, as JSON; it shows the first three and opens the last."""

    title: str
    body: str
    tag: str
    url: str


class PushMessage(NamedTuple):
    """A push that is ready to be encrypted."""

    plaintext: bytes
    """At most `LONGEST_PLAINTEXT`."""
    headers: dict[str, str]


def message_of(notice: Notice, dashboard: str) -> PushMessage:
    """Write the push of a notice. A click opens the account's `dashboard`; nothing if it is ""."""
    conversation = notice.conversation_id
    # A later digest tells of other things: it takes no earlier one's place.
    other = f"digest/{notice.at}" if notice.type is Type.DIGEST else "test"
    tag = f"notifycli/{notice.account_id}/{other if conversation is None else conversation}"
    title = "This is a test" if notice.id == 0 else _TITLES[notice.type]
    title = title.format(
        contact=_name(notice.contact, "a customer"), author=_name(notice.author, "Somebody")
    )
    place = [f"#{conversation}"] if conversation is not None else []
    place += [_name(notice.inbox_name, "")] if notice.inbox_name else []
    body = "\n".join(filter(None, [" · ".join(place), notice.text]))
    url = dashboard
    if url and conversation is not None:
        url += f"/conversations/{conversation}"
    handling = _HANDLING.get(notice.type, _ROUTINE)
    headers = {
        "TTL": str(handling.ttl),
        "Urgency": handling.urgency,
        "Topic": topic(tag),
        "Content-Encoding": "aes128gcm",
        "Content-Type": "application/octet-stream",
    }
    return PushMessage(_plaintext(Content(title, body, tag, url)), headers)


def topic(tag: str) -> str:
    """Give the topic of a tag, 32 characters of base64url: the later push replaces the earlier.

    RFC 8030, 5.4. A digest, since it is the one thing of a push that the service can read.
    """
    return encode_base64url(hashlib.sha256(tag.encode()).digest()[:_TOPIC_BYTES])


def cut(text: str, length: int) -> str:
    """Cut a text to at most `length` characters, and not within what is seen as one."""
    if len(text) <= length:
        return text
    end = max(length - len(_CUT), 0)
    while end > 0 and _are_one(text, end):
        end -= 1
    return f"{text[:end].rstrip()}{_CUT}" if length > 0 else ""


def _plaintext(content: Content) -> bytes:
    data = msgspec.json.encode(content)
    while len(data) > LONGEST_PLAINTEXT and content.body:
        # What is too much is at least a byte, and no character takes more than six in JSON.
        fewer = max(1, (len(data) - LONGEST_PLAINTEXT) // 6)
        content.body = cut(content.body, len(content.body) - fewer)
        data = msgspec.json.encode(content)
    return data


def _name(text: str, otherwise: str) -> str:
    return cut(text, _LONGEST_NAME) or otherwise


def _are_one(text: str, at: int) -> bool:
    """Whether the characters before and after a place are seen as one."""
    before, after = text[at - 1], text[at]
    if ord(after) in _REGIONAL and ord(before) in _REGIONAL:
        start = at
        while start > 0 and ord(text[start - 1]) in _REGIONAL:
            start -= 1
        return (at - start) % 2 == 1
    return (
        unicodedata.category(after).startswith("M")
        or after in _JOINERS
        or before == "\u200d"
        or ord(after) in _SKIN_TONES
    )


_HOUR = 3600
_VALID_SECONDS = 12 * _HOUR
"""Of a signature; services allow 24 hours (RFC 8292, 2), and clocks differ."""
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=10)
_NOTED_SECONDS = 5
_READ_BYTES = 1000
_LONGEST_SECONDS = 90.0
"""For one subscription, the wait for its turn included; the engine gives a notice a little more."""


def open_sender(store: Store) -> PushSender:
    """Make the sender of pushes. Raises `ConfigurationError` where push isn't set up."""
    keys = PushKeys(store, open_keychain(beside=store.location), now)
    keys.private(keys.current())
    subject, at_once = store.configuration.require("push.subject", "deliver.concurrency")
    return PushSender(store, keys, subject, store.dashboard_urls(), int(at_once))


def now() -> int:
    """Give the present moment, to the second, in microseconds since 1970 UTC."""
    return int(time.time()) * SECOND


class PushSender:
    """Sends to all subscriptions of a user; at most `at_once` requests are under way."""

    def __init__(
        self,
        store: Store,
        keys: PushKeys,
        subject: str,
        dashboards: Mapping[int, str],
        at_once: int,
    ) -> None:
        self._store = store
        self._keys = keys
        self._subject = subject
        self._dashboards = dashboards
        self._room = asyncio.Semaphore(at_once)
        self._signers: dict[int, Vapid02] = {}
        self._signatures: dict[tuple[int, str], tuple[float, str]] = {}
        self._taken: dict[int, int] = {}
        self._failed: list[int] = []
        self._ended: dict[int, Subscription] = {}
        self._breakers: dict[str, tuple[Breaker, str]] = {}
        """By origin, each with what went wrong there last."""
        self._noted_at = time.monotonic()

    async def __aenter__(self) -> Self:
        self._sessions = await Sessions().__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._sessions.__aexit__()
        self._note_results()

    async def send(self, notice: Notice) -> Outcome:
        """Send a notice to each of its user's subscriptions: it is delivered if one takes it.

        Those that have ended are removed. What one took is never sent again for another's sake,
        whatever becomes of that.
        """
        of_user = self._store.subscriptions.of_user(notice.account_id, notice.user_id)
        to = [item for item in of_user if item.id not in self._ended]
        if not to:
            whose = shlex.quote(notice.email or str(notice.user_id))
            return Refused("no browser is subscribed", f"notifycli push subscribe -u {whose}")
        message = self.message(notice)
        return _join_outcomes(await asyncio.gather(*(self.post(item, message) for item in to)))

    def message(self, notice: Notice) -> PushMessage:
        """Write what is sent of a notice."""
        return message_of(notice, self._dashboards.get(notice.account_id, ""))

    async def post(self, to: Subscription, message: PushMessage) -> Outcome:
        """Send a message to one subscription, and note how it came out. Raises nothing."""
        try:
            async with asyncio.timeout(_LONGEST_SECONDS), self._room:
                outcome = await self._post(to, message)
        except TimeoutError:
            outcome = Later(f"{service_of(to.endpoint)} didn't answer in time")
        except NotifycliError as error:
            outcome = Refused(error.message, error.hint)
        except Exception as error:  # noqa: BLE001 - or all other browsers would ring again
            outcome = Later(f"unexpected {type(error).__name__}")
        if isinstance(outcome, Delivered):
            self._taken[to.id] = now()
        else:
            self._failed.append(to.id)
        if time.monotonic() > self._noted_at + _NOTED_SECONDS:
            self._note_results()
        return outcome

    async def _post(self, to: Subscription, message: PushMessage) -> Outcome:
        if is_removed(to.endpoint):
            return self._end(
                to, Refused("the browser has removed the subscription", SUBSCRIBE_AGAIN)
            )
        if fault := endpoint_fault(to.endpoint, allow_loopback=is_loopback(to.endpoint)):
            return Refused(f"its endpoint: {fault[0]}", fault[1])
        breaker, trouble = self._breakers.setdefault(origin_of(to.endpoint), (Breaker(), ""))
        rest = (breaker.closed_until - time.time_ns() // 1_000) / SECOND
        if rest > 0:
            service = service_of(to.endpoint)
            return Later(f"{service} is left alone for a moment: {trouble}", rest, tried=False)
        body = encrypt(to.p256dh, to.auth, message.plaintext)
        headers = {**message.headers, "Authorization": self._signature(to)}
        outcome = await self._request(to, body, headers)
        if isinstance(outcome, Later):
            breaker.fail(time.time_ns() // 1_000)
            self._breakers[origin_of(to.endpoint)] = breaker, outcome.why
        else:
            breaker.reset()
        return outcome

    async def _request(self, to: Subscription, body: bytes, headers: dict[str, str]) -> Outcome:
        url = URL(to.endpoint, encoded=True)
        try:
            async with self._sessions.to(url).post(
                url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                said = await answer.content.read(_READ_BYTES)
        except TimeoutError:
            return Later(f"{url.host} didn't answer in time")
        except (aiohttp.ClientError, OSError) as error:
            return _reach_failure(error, url.host or "")
        outcome = outcome_of(answer.status, answer.headers, said, time.time())
        return self._end(to, outcome) if has_ended(answer.status, outcome) else outcome

    def _end(self, to: Subscription, outcome: Outcome) -> Outcome:
        """Note that a subscription is no more; it is removed with the next results."""
        self._ended[to.id] = to
        return outcome

    def _signature(self, to: Subscription) -> str:
        """Give the header that signs for an origin; it is made once an hour (RFC 8292, 3)."""
        origin = origin_of(to.endpoint)
        made_at, header = self._signatures.get((to.key_id, origin), (0.0, ""))
        at = time.time()
        if not header or not 0 <= at - made_at < _HOUR:
            claims = {"aud": origin, "exp": int(at) + _VALID_SECONDS, "sub": self._subject}
            header = self._signer(to.key_id).sign(claims)["Authorization"]
            self._signatures[to.key_id, origin] = (at, header)
        return header

    def _signer(self, key_id: int) -> Vapid02:
        if key_id not in self._signers:
            # It is bound to a subscription, so it is on record.
            key = next(key for key in self._store.subscriptions.push_keys() if key.id == key_id)
            signer = Vapid02.from_raw(self._keys.private(key).reveal().encode())
            # Its own check of subjects refuses https addresses that have a path.
            signer.conf = {"no-strict": True}
            self._signers[key_id] = signer
        return self._signers[key_id]

    def _note_results(self) -> None:
        """Record what came out; what can't be recorded now will be the next time."""
        self._noted_at = time.monotonic()
        with suppress(NotifycliError):
            self._store.subscriptions.note_results(self._taken.items(), self._failed)
            self._taken, self._failed = {}, []
            by_account = groupby(sorted(self._ended.values(), key=_account), key=_account)
            for account, ended in by_account:
                with self._store.change(account, "push", "the push service") as change:
                    change.subscriptions.remove(ended)


async def find_unreachable(endpoints: Iterable[str]) -> list[str]:
    """Connect to the services of these endpoints, without sending a push; say what is wrong."""

    async def knock(sessions: Sessions, origin: str) -> str:
        url = URL(origin)
        try:
            async with sessions.to(url).options(url, allow_redirects=False):
                return ""
        except TimeoutError:
            return f"{url.host} didn't answer in time"
        except (aiohttp.ClientError, OSError) as error:
            return _reach_failure(error, url.host or "").why

    async with Sessions() as sessions:
        knocks = (knock(sessions, origin) for origin in dict.fromkeys(map(origin_of, endpoints)))
        return [trouble for trouble in await asyncio.gather(*knocks) if trouble]


class Sessions:
    """Connects to public addresses, and to this machine where that is what an address names.

    Each has a session of its own: a public name that leads to this machine leads nowhere.
    """

    async def __aenter__(self) -> Self:
        """Open both."""
        context = ssl.create_default_context()
        self._abroad = _open_session(context, loopback=False)
        self._at_home = _open_session(context, loopback=True)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close both."""
        await self._abroad.close()
        await self._at_home.close()

    def to(self, url: URL) -> aiohttp.ClientSession:
        """Return the one by which an address may be reached."""
        return self._at_home if is_loopback(url) else self._abroad


def _open_session(context: ssl.SSLContext, *, loopback: bool) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        limit=0, ssl=context, socket_factory=guard_sockets(loopback=loopback)
    )
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=_TIMEOUT,
        headers={"User-Agent": f"notifycli/{__version__}"},
        auto_decompress=False,
    )


def encrypt(p256dh: str, auth: str, plaintext: bytes) -> bytes:
    """Encrypt for a subscription, whose keys are in base64url (RFC 8291): a body of one record."""
    info = {"endpoint": "", "keys": {"p256dh": p256dh, "auth": auth}}
    body: bytes = WebPusher(info).encode(plaintext)["body"]
    return body


def _reach_failure(error: Exception, host: str) -> Later | Refused:
    cause: Any = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
    if getattr(cause, "errno", None) == FORBIDDEN:
        return Refused(f"{host}: {cause.strerror}", "if it isn't yours: notifycli push remove ID")
    if isinstance(error, (aiohttp.ClientConnectorCertificateError, aiohttp.ClientSSLError)):
        return Later(
            f"{host} has no certificate that this machine trusts ({cause}); "
            "for an authority of your own set SSL_CERT_FILE"
        )
    return Later(f"{host} can't be reached: {_explain(cause)}")


def _explain(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)  # asyncio's own text names the address again
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _account(subscription: Subscription) -> int:
    return subscription.account_id


def _join_outcomes(outcomes: Sequence[Outcome]) -> Outcome:
    taken = sum(isinstance(outcome, Delivered) for outcome in outcomes)
    if len(outcomes) == 1:
        return outcomes[0]
    if taken:
        return Delivered(f"{taken} of {len(outcomes)} browsers")
    later = [outcome for outcome in outcomes if isinstance(outcome, Later)]
    if later:
        why = "; ".join(dict.fromkeys(outcome.why for outcome in later))
        after = max((o.after for o in later if o.after is not None), default=None)
        return Later(why, after, tried=any(o.tried for o in later))
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    return Refused("; ".join(dict.fromkeys(o.why for o in refused)), refused[0].remedy)


_GONE = frozenset({404, 410})
_TAKEN = frozenset({200, 201, 202, 204})
_THROTTLED = 406
"""How Windows' service throttles."""
_CLIENT_ERRORS = range(400, 500)
_REDIRECTS = range(300, 400)
_ENDED = 410
_SECONDS = re.compile(r"\d{1,9}", re.ASCII)
_SHOWN = 200
_KEY = (
    "it doesn't accept the push key: see whether this machine's clock is right and push.subject is "
    "an address; else "
)
_SUBJECT = (
    "is push.subject an address under a public domain, not localhost? notifycli config set "
    "push.subject=mailto:you@your-domain; then see whether this machine's clock is right; else "
)
_ALLOWED = "are notifications allowed for this browser in its and the system's settings?"
_BAD_TOKEN = "BadJwtToken"  # noqa: S105 - the reason that Apple's service gives
_REFUSALS = {
    400: ("it doesn't understand the push", SUBSCRIBE_AGAIN),
    401: ("it wants another signature", _KEY + SUBSCRIBE_AGAIN),
    403: ("the subscription is bound to another push key", _KEY + SUBSCRIBE_AGAIN),
    404: ("the subscription has ended and was removed", SUBSCRIBE_AGAIN),
    410: ("the subscription has ended and was removed", SUBSCRIBE_AGAIN),
    413: (
        "the push is too long for it",
        "a service may take less than 4,096 bytes only where it breaks RFC 8030, 7.2: report it",
    ),
}


def outcome_of(status: int, headers: Mapping[str, str], body: bytes, now: float) -> Outcome:
    """Return what becomes of a push that was answered so; `now` in seconds since 1970.

    `headers` takes names in any case.
    """
    answered = f"the service answered {status}"
    after = seconds_of(headers.get("Retry-After"), now)
    if status in _TAKEN:
        windows = headers.get("X-WNS-NotificationStatus", "").lower()
        if windows == "dropped":
            reason = _reason(headers, body)
            return Refused(f"{answered}, but dropped the push{reason}", _ALLOWED)
        if windows == "channelthrottled":
            return Later(f"{answered}, but takes no more pushes for now", after)
        return Delivered(f"answered {status}")
    waits = status in _CLIENT_ERRORS and status != _ENDED and after is not None
    if waits or status == _THROTTLED or is_passing(status):
        return Later(answered, after)
    if status in _REDIRECTS:
        return Refused(f"{answered}: it leads elsewhere, and that is not followed", SUBSCRIBE_AGAIN)
    why, remedy = _REFUSALS.get(status, ("it refuses the push", SUBSCRIBE_AGAIN))
    reason = _reason(headers, body)
    if _BAD_TOKEN in reason:
        why, remedy = "it doesn't accept the signature", _SUBJECT + SUBSCRIBE_AGAIN
    return Refused(f"{answered}: {why}{reason}", remedy)


def has_ended(status: int, outcome: Outcome) -> bool:
    """Whether the subscription is no more: nothing can be sent to it again (RFC 8030, 7.3)."""
    return status in _GONE and isinstance(outcome, Refused)


def _reason(headers: Mapping[str, str], body: bytes) -> str:
    """Return what the service says of a refusal, in brackets; "" if nothing."""
    said = headers.get("X-WNS-Error-Description") or body.decode(errors="replace")
    text = " ".join(said.split())[:_SHOWN]
    shown = "".join(char for char in text if char.isprintable())
    return f" (it says: {shown})" if shown else ""


def seconds_of(retry_after: str | None, now: float) -> float | None:
    """Read `Retry-After`, in seconds or as a date (RFC 9110, 10.2.3); None if it says nothing."""
    text = (retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    if moment.tzinfo is None:  # how it gives "-0000"
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.fromtimestamp(now, UTC)).total_seconds())
