"""Push subscriptions as browsers give them, and where their endpoints may lead.

An endpoint is a URL from outside that this program will connect to. So it is checked twice: its
form when it is added, and every address when it is connected to, after the name was resolved:
whoever controls the name can't lead the program into the network that it runs in.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any, NamedTuple

import msgspec
from yarl import URL

from notifycli.errors import DataError
from notifycli.secrets.vapid import decode_base64url, encode_base64url

Address = IPv4Address | IPv6Address
SUBSCRIBE_AGAIN = "subscribe the browser again: notifycli push subscribe"
ALLOW = "for a service of your own on this machine: --allow-loopback"
FORBIDDEN = errno.EACCES
"""The `errno` of the error that `guard_sockets` raises."""
_LONGEST_ENDPOINT = 2048
_POINT_BYTES = 65
_AUTH_BYTES = 16
_HOW = "a browser gives it: JSON.stringify(subscription)"
_NAT64 = IPv6Network("64:ff9b::/96")
_MILLISECOND = 1000


class _SubscriptionKeys(msgspec.Struct):
    p256dh: str
    auth: str


class _BrowserSubscription(msgspec.Struct):
    """`PushSubscription.toJSON()` (Push API, 8); the time is in milliseconds since 1970."""

    endpoint: str
    keys: _SubscriptionKeys
    expiration_time: float | None = msgspec.field(name="expirationTime", default=None)


class Offer(NamedTuple):
    """A subscription that was read and is fit to be stored; keys in base64url, unpadded."""

    endpoint: str
    p256dh: str
    auth: str
    expires_at: int | None
    """Microseconds since 1970 UTC; None for never."""


def read_subscription(data: bytes, place: str, *, allow_loopback: bool = False) -> Offer:
    """Read a subscription as `PushSubscription.toJSON()` gives it.

    Raises `DataError` that names the place, but never the keys or the endpoint's path.
    """
    try:
        given = msgspec.json.decode(data, type=_BrowserSubscription)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(f"{place}: this is no push subscription: {error}", _HOW) from None
    if fault := endpoint_fault(given.endpoint, allow_loopback=allow_loopback):
        raise DataError(f"{place}: endpoint: {fault[0]}", fault[1])
    return Offer(
        given.endpoint,
        _point(given.keys.p256dh, f"{place}: keys.p256dh"),
        _auth(given.keys.auth, f"{place}: keys.auth"),
        _moment(given.expiration_time, f"{place}: expirationTime"),
    )


def endpoint_fault(endpoint: str, *, allow_loopback: bool) -> tuple[str, str] | None:
    """Say what is wrong with an endpoint, and what helps; None if it may be used."""
    url = _parse_url(endpoint)
    if url is None or url.host is None:
        return "this is no URL", _HOW
    if is_loopback(url) and not allow_loopback:
        return f"{url.host} is this machine", ALLOW
    if is_removed(url):
        return (
            "the browser has removed this subscription: nothing below .invalid can be reached",
            SUBSCRIBE_AGAIN,
        )
    faults = (
        (url.raw_user is not None or url.raw_password is not None, "it has a user name"),
        (bool(url.raw_fragment), "it has a fragment"),
        (url.scheme != "https" and not is_loopback(url), "it is not https (RFC 8030, 8)"),
        (_is_private_literal(url), f"{url.host} is no public address"),
        # py_vapid's own condition; no push service is named by one.
        (":" in url.host, "no push can be signed for an address of IPv6"),
    )
    return next(((what, _HOW) for holds, what in faults if holds), None)


def is_removed(endpoint: str | URL) -> bool:
    """Whether it is what browsers put in the place of a subscription that they have removed.

    Such as permanently-removed.invalid; no name below .invalid ever resolves (RFC 6761, 6.4).
    """
    url = _parse_url(endpoint) if isinstance(endpoint, str) else endpoint
    return url is not None and (url.host or "").lower().rstrip(".").endswith(".invalid")


def is_loopback(endpoint: str | URL) -> bool:
    """Whether a URL says in so many words that it is of this machine."""
    url = _parse_url(endpoint) if isinstance(endpoint, str) else endpoint
    if url is None or url.scheme not in {"http", "https"}:
        return False
    try:
        return ip_address(url.host or "").is_loopback
    except ValueError:
        return url.host == "localhost"


def service_of(endpoint: str) -> str:
    """Give what may be shown of an endpoint: its host, and the port if it isn't the usual one."""
    url = _parse_url(endpoint)
    return "?" if url is None else url.host_port_subcomponent or "?"


def origin_of(endpoint: str) -> str:
    """Give the origin of an endpoint: the audience of its signature (RFC 8292, 2)."""
    return str(URL(endpoint).origin())


def guard_sockets(*, loopback: bool) -> Callable[[Any], socket.socket]:
    """Make a maker of sockets that lead to public addresses alone, or to this machine alone.

    It is asked for each address that a name resolved to, just before that is connected to, and
    raises `PermissionError`.
    """

    def make(info: tuple[int, int, int, str, tuple[Any, ...]]) -> socket.socket:
        family, kind, protocol, _, place = info
        address = ip_address(place[0].partition("%")[0])
        if not (address.is_loopback if loopback else _is_public(address)):
            what = "not this machine's" if loopback else "no public address"
            raise PermissionError(FORBIDDEN, f"{address} is {what}: not connected")
        return socket.socket(family, kind, protocol)

    return make


def _parse_url(endpoint: str) -> URL | None:
    fit = endpoint.isascii() and endpoint.isprintable() and not set(endpoint) & set(" \\")
    if not fit or len(endpoint) > _LONGEST_ENDPOINT:
        return None
    try:
        url = URL(endpoint, encoded=True)
        has_host = bool(url.host)  # which is where it tells of a bad port
    except ValueError:
        return None
    return url if has_host else None


def _is_private_literal(url: URL) -> bool:
    try:
        return not _is_public(ip_address(url.host or "")) and not is_loopback(url)
    except ValueError:
        return False  # a name; what it leads to is seen when it is connected to


def _is_public(address: Address) -> bool:
    """Whether an address, and the one that it may stand for, is of the public Internet."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _point(text: str, place: str) -> str:
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - 40 ms

    data = _bytes(text, _POINT_BYTES, place)
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    except ValueError:
        raise DataError(f"{place} is no point of the curve P-256 (RFC 8291, 3.1)", _HOW) from None
    return encode_base64url(data)


def _auth(text: str, place: str) -> str:
    return encode_base64url(_bytes(text, _AUTH_BYTES, place))


def _bytes(text: str, length: int, place: str) -> bytes:
    try:
        data = decode_base64url(text)
    except ValueError:
        raise DataError(f"{place} is no base64url", _HOW) from None
    if len(data) != length:
        raise DataError(f"{place} has {len(data)} bytes, and must have {length}", _HOW)
    return data


def _moment(milliseconds: float | None, place: str) -> int | None:
    if milliseconds is None:
        return None
    if not 0 <= milliseconds < 1 << 53:
        raise DataError(f"{place} is no time in milliseconds since 1970", _HOW)
    return int(milliseconds * _MILLISECOND)
