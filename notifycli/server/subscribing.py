"""Subscriptions to pushes, as the API takes them from a browser."""

from __future__ import annotations

import msgspec

from notifycli.errors import DataError, UsageError
from notifycli.server.handlers import Call
from notifycli.server.middleware import HTTPError
from notifycli.server.schemas import KeptSubscription, Nothing, PushSubscription
from notifycli.store.store import Store
from notifycli.store.subscriptions import Subscription

_COMMAND = "serve notification_subscriptions"


def subscribe(store: Store, call: Call) -> KeptSubscription:
    """Subscribe a browser of the caller's, or renew its subscription."""
    from notifycli.delivery.push.endpoint import read_subscription  # noqa: PLC0415 - this alone

    wanted: PushSubscription = call.body.notification_subscription
    given = wanted.subscription_attributes
    keys = {"p256dh": given.p256dh, "auth": given.auth}
    data = msgspec.json.encode({"endpoint": given.endpoint, "keys": keys})
    try:
        offer = read_subscription(data, "subscription_attributes")
    except DataError as error:
        raise HTTPError(422, error.message) from None
    pairs = store.subscriptions.push_keys()
    if not pairs:
        raise HTTPError(422, "there is no VAPID key yet that a browser could have subscribed with")
    subscription = Subscription(
        account_id=call.account,
        user_id=call.caller.id,
        key_id=pairs[0].id,
        endpoint=offer.endpoint,
        p256dh=offer.p256dh,
        auth=offer.auth,
        created_at=call.now,
        expires_at=offer.expires_at,
    )
    try:
        with store.change(call.account, _COMMAND, call.who) as change:
            kept = change.subscriptions.put(subscription)
    except UsageError as error:  # there are too many
        raise HTTPError(422, error.message) from None
    return KeptSubscription(kept.id, call.caller.id, "browser_push", kept.endpoint, given)


def unsubscribe(store: Store, call: Call) -> Nothing:
    """End the caller's subscription with this endpoint; one that isn't there is no fault."""
    own = store.subscriptions.of_user(call.account, call.caller.id)
    gone = [item for item in own if item.endpoint == call.body.push_token]
    with store.change(call.account, _COMMAND, call.who) as change:
        change.subscriptions.remove(gone)
    return Nothing()
