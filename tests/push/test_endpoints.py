"""Subscriptions come from outside: what isn't one, and where an endpoint must not lead."""

from __future__ import annotations

import json
import re
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.delivery.push_endpoint import guard_sockets, origin_of, read_subscription, service_of
from notifycli.errors import DataError
from tests.conftest import Json, Notifycli
from tests.push.conftest import subscribe
from tests.push.receiver import UserAgent, b64
from tests.push.service import PushService

AGENT = UserAgent()
HOW = "a browser gives it: JSON.stringify(subscription)"
HOSTILE = [
    ("http://push.example.com/x", "it is not https (RFC 8030, 8)"),
    ("ftp://push.example.com/x", "it is not https (RFC 8030, 8)"),
    ("https://user@push.example.com/x", "it has a user name"),
    ("https://user:pass@push.example.com/x", "it has a user name"),
    ("https://:@push.example.com/x", "it has a user name"),
    ("https://push.example.com/x#y", "it has a fragment"),
    ("https://10.0.0.1/x", "10.0.0.1 is no public address"),
    ("https://172.16.0.1/x", "172.16.0.1 is no public address"),
    ("https://192.168.1.1/x", "192.168.1.1 is no public address"),
    ("https://100.64.0.1/x", "100.64.0.1 is no public address"),
    ("https://169.254.169.254/latest/meta-data", "169.254.169.254 is no public address"),
    ("https://0.0.0.0/x", "0.0.0.0 is no public address"),
    ("https://224.0.0.1/x", "224.0.0.1 is no public address"),
    ("https://255.255.255.255/x", "255.255.255.255 is no public address"),
    ("https://[::]/x", ":: is no public address"),
    ("https://[fe80::1]/x", "fe80::1 is no public address"),
    ("https://[fc00::1]/x", "fc00::1 is no public address"),
    ("https://[ff02::1]/x", "ff02::1 is no public address"),
    ("https://[::ffff:10.0.0.1]/x", "::ffff:10.0.0.1 is no public address"),
    ("https://[2002:a00:1::]/x", "2002:a00:1:: is no public address"),
    ("https://[64:ff9b::10.0.0.1]/x", "64:ff9b::10.0.0.1 is no public address"),
    ("https://127.0.0.1/x", "127.0.0.1 is this machine"),
    ("https://[::1]/x", "::1 is this machine"),
    ("http://localhost:8080/x", "localhost is this machine"),
    ("https://LOCALHOST/x", "localhost is this machine"),
    ("https:///x", "this is no URL"),
    ("/x", "this is no URL"),
    ("https://push.example.com\\@10.0.0.1/x", "this is no URL"),
    ("https://push.example.com/ x", "this is no URL"),
    ("https://push.example.com/\r\nHost: evil", "this is no URL"),
    ("https://push.example.com/" + "x" * 2048, "this is no URL"),
    ("https://pü.example.com/x", "this is no URL"),
    ("", "this is no URL"),
    ("https://push.example.com:99999/x", "this is no URL"),
    ("https://push.example.com:-1/x", "this is no URL"),
    ("https://push.example.com:x/x", "this is no URL"),
    ("https://[2606:4700::1111]/x", "no push can be signed for an address of IPv6"),
    (
        "https://permanently-removed.invalid/fcm/send/x",
        "the browser has removed this subscription: nothing below .invalid can be reached",
    ),
    (
        "https://PERMANENTLY-REMOVED.INVALID./x",
        "the browser has removed this subscription: nothing below .invalid can be reached",
    ),
]


@pytest.mark.parametrize(("endpoint", "fault"), HOSTILE, ids=[h[0][:40] for h in HOSTILE])
def test_a_hostile_endpoint_is_refused_by_its_form(
    ready: Notifycli, endpoint: str, fault: str
) -> None:
    told = ready("push", "add", "-u", "7", stdin=AGENT.subscription(endpoint))
    assert told.status == 65
    assert told.stderr.splitlines()[0] == f"error: standard input: endpoint: {fault}"
    assert ready.ok("push", "list").records == []


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://push.example.com/wpush/v2/gAAAA",
        "https://push.example.com:8443/x?y=z",
        "https://fcm.googleapis.com/fcm/send/abc:def",
        "https://203.0.112.1/x",
    ],
)
def test_a_public_endpoint_is_taken(ready: Notifycli, endpoint: str) -> None:
    ready.ok("push", "add", "-u", "7", stdin=AGENT.subscription(endpoint))
    [kept] = ready.ok("push", "list").records
    assert kept["service"] == endpoint.split("/")[2]


KEYS = {"p256dh": AGENT.p256dh, "auth": b64(AGENT.auth)}
WRONG: list[tuple[str, Any, str]] = [
    ("no JSON", b"not JSON", "this is no push subscription: JSON is malformed: …"),
    ("nothing", b"", "this is no push subscription: Input data was truncated"),
    ("no object", b"[]", "this is no push subscription: Expected `object`, got `array`"),
    (
        "no keys",
        {"keys": None},
        "this is no push subscription: Expected `object`, got `null` - at `$.keys`",
    ),
    ("a short point", {"keys": {**KEYS, "p256dh": "BAAA"}}, "keys.p256dh has 3 bytes, …"),
    (
        "a point beside the curve",
        {"keys": {**KEYS, "p256dh": b64(b"\x04" + b"\x01" * 64)}},
        "keys.p256dh is no point of the curve P-256 (RFC 8291, 3.1)",
    ),
    (
        "a compressed point",
        {"keys": {**KEYS, "p256dh": b64(b"\x02" + b"\x01" * 64)}},
        "keys.p256dh is no point of the curve P-256 (RFC 8291, 3.1)",
    ),
    ("no base64url", {"keys": {**KEYS, "auth": "ä+/="}}, "keys.auth is no base64url"),
    ("a short secret", {"keys": {**KEYS, "auth": "AAAA"}}, "keys.auth has 3 bytes, …"),
    ("no time", {"expirationTime": -1}, "expirationTime is no time in milliseconds since 1970"),
]


@pytest.mark.parametrize(("written", "fault"), [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_what_is_no_subscription_is_told_with_its_place(
    ready: Notifycli, written: Any, fault: str
) -> None:
    endpoint = "https://push.example.com/x"
    data = written if isinstance(written, bytes) else AGENT.subscription(endpoint, **written)
    told = ready("push", "add", "-u", "7", stdin=data)
    assert told.status == 65
    first, hint = told.stderr.splitlines()
    assert hint.strip() == HOW
    place = "error: standard input: "
    assert first == place + fault if "…" not in fault else first.startswith(place + fault[:-1])


@given(
    st.one_of(
        st.binary(max_size=200),
        st.builds(
            lambda *parts: AGENT.subscription("".join(parts)),
            st.sampled_from(["https://", "http://", "HTTPS:", "//", ""]),
            st.one_of(
                st.sampled_from(["push.example.com", "[::1]", "[", "1.1.1.1", "x.invalid", "a@b"]),
                st.text(max_size=20),
            ),
            st.sampled_from(["", ":", ":0", ":65535", ":65536", ":99999999999", ":x", ":\u0663"]),
            st.one_of(st.just("/x"), st.text(max_size=10)),
        ),
        st.builds(
            lambda *keys: AGENT.subscription(
                "https://push.example.com/x", keys=dict(zip(("p256dh", "auth"), keys, strict=True))
            ),
            st.text(max_size=90),
            st.text(max_size=30),
        ),
    )
)
def test_what_is_read_can_be_signed_for_and_all_else_is_refused(data: bytes) -> None:
    try:
        offer = read_subscription(data, "standard input", allow_loopback=True)
    except DataError:
        return
    # py_vapid's own condition on the audience, without which it raises.
    assert re.fullmatch(r"https?://[^/:]+(:\d+)?", origin_of(offer.endpoint))
    assert service_of(offer.endpoint) != "?"


def test_deep_json_is_no_subscription(ready: Notifycli) -> None:
    told = ready("push", "add", "-u", "7", stdin=b'{"x":' + b"[" * 60_000)
    assert told.status == 65
    assert told.stderr.startswith("error: standard input: this is no push subscription: ")


def test_a_user_has_at_most_twenty_browsers(ready: Notifycli) -> None:
    for number in range(20):
        endpoint = f"https://push.example.com/{number}"
        ready.ok("push", "add", "-u", "7", stdin=AGENT.subscription(endpoint))
    more = AGENT.subscription("https://push.example.com/more")
    refused = ready("push", "add", "-u", "7", stdin=more)
    assert (refused.status, refused.stderr) == (
        2,
        (
            "error: user 7 of account 1 has 20 subscriptions already, which is the most\n"
            "  remove one: notifycli push list; notifycli push remove ID\n"
        ),
    )
    ready.ok("push", "add", "-u", "8", stdin=more)
    ready.ok("push", "add", "-u", "7", stdin=AGENT.subscription("https://push.example.com/3"))
    assert len(ready.ok("push", "list").records) == 21


def test_padded_keys_and_an_expiry_are_taken(ready: Notifycli) -> None:
    keys = {"p256dh": KEYS["p256dh"] + "=", "auth": KEYS["auth"] + "=="}
    endpoint = "https://push.example.com/x"
    data = json.dumps({"endpoint": endpoint, "keys": keys, "expirationTime": 1893456000000.0})
    ready.ok("push", "add", "-u", "7", "--label", "Firefox", stdin=data.encode())
    [kept] = ready.ok("push", "list").records
    assert (kept["label"], kept["expires_at"]) == ("Firefox", "2030-01-01T00:00:00Z")


LED_ASTRAY = [
    pytest.param(["10.0.0.1"], id="to the inner network"),
    pytest.param(["127.0.0.1"], id="to this machine"),
    pytest.param(["169.254.169.254"], id="to the cloud's own data"),
    pytest.param(["::ffff:127.0.0.1"], id="to this machine, in disguise"),
    pytest.param(["10.0.0.1", "192.168.0.1"], id="to several"),
]


@pytest.mark.parametrize("addresses", LED_ASTRAY)
def test_a_name_that_leads_into_the_network_is_not_connected_to(
    ready: Notifycli,
    service: PushService,
    monkeypatch: pytest.MonkeyPatch,
    addresses: list[str],
) -> None:
    endpoint = f"https://push.example.com:{service.port}/x"
    ready.ok("push", "add", "-u", "7", stdin=AGENT.subscription(endpoint))

    def resolve(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", (address, service.port, 0, 0))
            if ":" in address
            else (socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, service.port))
            for address in addresses
        ]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    told = ready("push", "test", "-u", "7")
    [record] = told.records
    assert told.status == 69
    assert record["outcome"] == "refused"
    assert "is no public address: not connected" in record["detail"]
    assert record["remedy"] == "if it isn't yours: notifycli push remove ID"
    assert service.asked == []


def test_a_subscription_of_this_machine_leads_nowhere_else() -> None:
    made = guard_sockets(loopback=True)(
        (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 80))
    )
    made.close()
    with pytest.raises(PermissionError):
        guard_sockets(loopback=True)((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.1", 80)))


def test_adding_an_endpoint_again_renews_it(ready: Notifycli, service: PushService) -> None:
    subscribe(ready, f"{service.origin}/a")
    agent = subscribe(ready, f"{service.origin}/a")
    ready.ok("push", "test", "-u", "7")
    assert len(ready.ok("push", "list").records) == 1
    payload: Json = json.loads(agent.decrypt(service.taken[0].body))
    assert payload["title"] == "This is a test"
