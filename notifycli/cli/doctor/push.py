"""What the doctor looks at for pushes: that they can be signed, and that the services answer."""

from __future__ import annotations

from notifycli.cli.doctor.checks import Facts, Finding, Status
from notifycli.cli.session import plural
from notifycli.cli.times import now
from notifycli.errors import ConfigurationError, NotifycliError
from notifycli.secrets.vapid import GENERATE, PushKeys
from notifycli.store.settings import SETTINGS
from notifycli.store.store import Store

_SUBSCRIBE = "notifycli push subscribe"
_AWAY = "is this machine online? if a service is gone: notifycli push list, push remove ID"
_SUBJECT = "notifycli config set push.subject=mailto:you@your-domain"


def check_push(facts: Facts) -> Finding:
    """Look whether pushes can be signed, and whether the push services can be reached."""
    if facts.store is None:
        return Finding("push", Status.NOTE, "-", "can't be told without the store")
    keys = facts.store.subscriptions.push_keys()
    if not keys:
        return Finding("push", Status.NOTE, "no key", "pushes are not set up", GENERATE)
    found = f"{plural(len(keys), 'key')}, {plural(sum(k.bound for k in keys), 'subscription')}"
    if facts.keychain is None or not facts.keyring.works or facts.keychain.asks:
        return Finding("push", Status.NOTE, found, "not tried: the keyring can't be asked")
    try:
        for key in keys:
            PushKeys(facts.store, facts.keychain, now).private(key)
        _check_subject(facts.store)
    except NotifycliError as error:
        return Finding("push", Status.FAIL, found, error.message, error.hint)
    if not any(key.bound for key in keys):
        return Finding("push", Status.NOTE, found, "no browser is subscribed", _SUBSCRIBE)
    return _services(facts.store, found)


def _check_subject(store: Store) -> None:
    """Raise `ConfigurationError` for a missing subject, or a bad one of an earlier version."""
    (subject,) = store.configuration.require("push.subject")
    try:
        SETTINGS["push.subject"].read(subject)
    except ValueError as error:
        raise ConfigurationError(f"push.subject: {error}", _SUBJECT) from None


def _services(store: Store, found: str) -> Finding:
    """Say which push services can't be reached, and why."""
    import asyncio  # noqa: PLC0415 - only where there is something to connect to

    from notifycli.delivery.push.push_channel import find_unreachable  # noqa: PLC0415 - 220 ms

    endpoints = [
        subscription.endpoint
        for account in store.accounts()
        for subscription in store.subscriptions.of_account(account.id)
    ]
    if troubles := asyncio.run(find_unreachable(endpoints)):
        return Finding("push", Status.FAIL, found, "; ".join(troubles), _AWAY)
    return Finding("push", Status.OK, found, "pushes can be signed, the services answer")
