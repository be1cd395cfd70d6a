"""Subscriptions to pushes through the API."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notifycli.cli.times import now
from notifycli.store.store import open_store
from notifycli.store.subscriptions import PushKey

from .conftest import JANE, OMAR, Serving

PATH = "notification_subscriptions"
ENDPOINT = "https://push.example.com/wpush/v2/abc"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


POINT = _base64(
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
)
ATTRIBUTES = {"endpoint": ENDPOINT, "p256dh": POINT, "auth": _base64(b"0" * 16)}


def _wish(kind: str = "browser_push", **attributes: str) -> dict[str, Any]:
    given = {"subscription_type": kind, "subscription_attributes": {**ATTRIBUTES, **attributes}}
    return {"notification_subscription": given}


def _endpoints(serving: Serving, user: int) -> list[str]:
    with open_store(serving.desk.store) as store:
        return [item.endpoint for item in store.subscriptions.of_user(1, user)]


@pytest.fixture
def keyed(serving: Serving) -> Serving:
    """A desk with a VAPID key."""
    with open_store(serving.desk.store) as store:
        store.subscriptions.add_key(PushKey(0, POINT, "system:vapid", now()), None)
    return serving


def test_a_browser_is_subscribed_and_its_owner_alone_can_end_that(keyed: Serving) -> None:
    for _ in range(2):
        assert keyed.ask(JANE, "POST", PATH, json=_wish()) == (
            200,
            {
                "id": 1,
                "user_id": 7,
                "subscription_type": "browser_push",
                "identifier": ENDPOINT,
                "subscription_attributes": ATTRIBUTES,
            },
        )
    gone = {"json": {"push_token": ENDPOINT}}
    assert keyed.ask(OMAR, "DELETE", PATH, **gone) == (200, {})
    assert _endpoints(keyed, JANE) == [ENDPOINT]
    for _ in range(2):
        assert keyed.ask(JANE, "DELETE", PATH, **gone) == (200, {})
    assert _endpoints(keyed, JANE) == []


WRONG = [
    (_wish("fcm"), "Invalid enum value 'fcm'"),
    (_wish(endpoint="https://127.0.0.1/x"), "subscription_attributes: endpoint: 127.0.0.1 is"),
    (_wish(endpoint="http://push.example.com/x"), "subscription_attributes: endpoint: it is not"),
    (_wish(p256dh="AAAA"), "subscription_attributes: keys.p256dh"),
    (_wish(auth="AAAA"), "subscription_attributes: keys.auth"),
]


@pytest.mark.parametrize(("wish", "error"), WRONG)
def test_what_no_push_can_be_sent_to_is_422(
    keyed: Serving, wish: dict[str, Any], error: str
) -> None:
    status, body = keyed.ask(JANE, "POST", PATH, json=wish)
    assert (status, body["error"][: len(error)]) == (422, error)
    assert _endpoints(keyed, JANE) == []


def test_without_a_vapid_key_nobody_can_have_subscribed(serving: Serving) -> None:
    status, body = serving.ask(JANE, "POST", PATH, json=_wish())
    assert (status, body["error"][:27]) == (422, "there is no VAPID key yet t")
