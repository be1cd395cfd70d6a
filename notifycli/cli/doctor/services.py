"""What the doctor looks at outside: Chatwoot, mail, webhooks, push services, sound."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from notifycli.cli.doctor.checks import LOGIN, CheckResult, Facts, Status
from notifycli.cli.inputs import journal_of
from notifycli.cli.session import plural
from notifycli.cli.times import in_words, now
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError
from notifycli.secrets.keychain import Keychain, open_keychain
from notifycli.secrets.vapid import GENERATE, PushKeys
from notifycli.store.chatwoot_accounts import Connection
from notifycli.store.settings import SETTINGS
from notifycli.store.store import Store

if TYPE_CHECKING:
    from notifycli.chatwoot.http import RateLimits
    from notifycli.cli.profiles import Unheard

_CHATWOOT = "chatwoot"
_SECONDS = 5.0
"""Somebody waits; a server that is well answers in less."""


def check_chatwoot(facts: Facts) -> CheckResult:
    """Try every token that is held, at every Chatwoot that is connected; nothing is written."""
    store = facts.store
    if store is None:
        return CheckResult(_CHATWOOT, Status.NOTE, "-", "can't be told without the store")
    connections = store.chatwoot.all()
    if not connections:
        fix = LOGIN
        return CheckResult(
            _CHATWOOT, Status.NOTE, "not connected", "the directory is kept by hand", fix
        )
    found = "; ".join(map(_describe, connections))
    try:
        status, meaning, fix = _answers(facts, store, connections)
    except NotifycliError as error:
        status, meaning, fix = Status.FAIL, error.message, error.hint
    return CheckResult(_CHATWOOT, status, found, meaning, fix)


def _answers(facts: Facts, store: Store, connections: list[Connection]) -> tuple[Status, str, str]:
    if facts.keychain is None or not facts.keyring.works:
        return Status.FAIL, "the keyring that holds the tokens doesn't work", ""
    if facts.keychain.asks:
        meaning = "not tried: the keyring would ask for a passphrase"
        return Status.NOTE, meaning, "notifycli chatwoot status"
    tried = 0
    for connection in connections:
        users = _try_tokens(store, facts.keychain, connection)
        if not users:
            fix = f"notifycli chatwoot login -a {connection.account_id}"
            return Status.FAIL, "no token is held for it", fix
        tried += users
    works = f"{plural(tried, 'token')} {'works' if tried == 1 else 'work'}"
    for connection in connections:
        for what, remedy in _unheard(store, connection):
            return Status.NOTE, f"{works}; {what}", remedy
    return Status.OK, works, ""


def _unheard(store: Store, connection: Connection) -> list[Unheard]:
    """Return which choices of sounds the server of a connection makes nothing of."""
    from notifycli.chatwoot.client import server_version  # noqa: PLC0415 - only for a connection
    from notifycli.cli.profiles import profile_at, unheard_in_words  # noqa: PLC0415

    try:
        version = server_version(connection.url, _limits()).partition("-")[0]
    except NotifycliError:
        version = ""
    account = connection.account_id
    users = [user.id for user in store.users(account)]
    return unheard_in_words(profile_at(f"chatwoot@{version}"), store.preferences(account), users)


def _describe(connection: Connection) -> str:
    pulled = connection.pulled_at
    last = "never pulled" if pulled is None else f"pulled {in_words(pulled, now())}"
    return f"account {connection.account_id} at {connection.url}, {last}"


def _try_tokens(store: Store, keychain: Keychain, connection: Connection) -> int:
    """Try the tokens of a connection; give how many there are. Raises what is wrong with one."""
    from notifycli.chatwoot.account import Desk, check_owner  # noqa: PLC0415 - only for a connection
    from notifycli.secrets.token_service import TokenService  # noqa: PLC0415

    desk = Desk(TokenService(store, keychain, "doctor", "", now), connection, _limits())
    users = desk.users()
    for user in users:
        with desk.open(user) as api:
            check_owner(user, api.profile().id)
    return len(users)


def _limits() -> RateLimits:
    from notifycli.chatwoot.http import LIMITS  # noqa: PLC0415 - only for a connection

    return LIMITS._replace(connect=_SECONDS, read=_SECONDS, whole=2 * _SECONDS, tries=1)


def check_email(facts: Facts) -> CheckResult:
    """Connect to the mail server and log in, if one is configured; nothing is sent."""
    store = facts.store
    if store is None:
        return CheckResult("email", Status.NOTE, "-", "can't be told without the store")
    host = store.configuration.get("smtp.host")
    if host is None:
        return CheckResult(
            "email",
            Status.NOTE,
            "no mail server",
            "mails can't be sent yet",
            "notifycli config set smtp.host=… 'email.sender=Support <desk@example.com>'",
        )
    try:
        return _try_server(store)
    except NotifycliError as error:
        return CheckResult("email", Status.FAIL, host, error.message, error.hint)


def _try_server(store: Store) -> CheckResult:
    from notifycli.delivery.email.email_channel import letterhead, mail_server  # noqa: PLC0415 - smtplib and ssl
    from notifycli.delivery.email.smtp import MailConnection  # noqa: PLC0415

    sender = letterhead(store).sender
    if (
        store.configuration.get("smtp.username")
        and open_keychain(beside=store.location.folder).asks
    ):
        meaning = "not tried: the keyring would ask for a passphrase"
        return CheckResult("email", Status.NOTE, sender.address, meaning, "notifycli email test")
    server = mail_server(store, _SECONDS)
    steps: list[str] = []
    connection = MailConnection(server, steps.append)
    try:
        connection.open()
    except UnavailableError as error:
        return CheckResult("email", Status.FAIL, server.name, error.message, error.hint)
    finally:
        connection.close()
    return CheckResult("email", Status.OK, f"{sender.address}: {'; '.join(steps)}", "it answers")


_LISTEN = "listen"
_SECRET = "notifycli config set listen.secret"  # noqa: S105 - how to set it


def check_listen(facts: Facts) -> CheckResult:
    """Look whether a secret is set, and when the last event came to the usual file."""
    path = journal_of(facts.location, facts.store)
    received = path.exists()
    found = f"{path}, {_last(path)}" if received else "no events"
    if not os.access(path if received else _nearest(path.parent), os.W_OK):
        meaning = f"{path} can't be written"
        return CheckResult(_LISTEN, Status.FAIL, found, meaning, "notifycli listen --path FILE")
    if facts.store is None:
        meaning = "whether a secret is set can't be told without the store"
        return CheckResult(_LISTEN, Status.NOTE, found, meaning)
    return _signatures(facts, facts.store, found, received=received)


def _signatures(facts: Facts, store: Store, found: str, *, received: bool) -> CheckResult:
    """Look whether a secret is set."""
    from notifycli.secrets.secret_settings import get_secret  # noqa: PLC0415 - see SETTINGS

    if facts.keychain is not None and facts.keychain.asks:
        meaning = "not told whether a secret is set: the keyring would ask for a passphrase"
        return CheckResult(_LISTEN, Status.NOTE, found, meaning, "notifycli config list")
    try:
        kept = get_secret(store, "listen.secret")
    except NotifycliError as error:
        return CheckResult(
            _LISTEN, Status.NOTE, found, f"no signature can be checked: {error.message}"
        )
    if kept is None:
        return CheckResult(_LISTEN, Status.NOTE, found, "no secret to check webhooks with", _SECRET)
    if not received:
        return CheckResult(_LISTEN, Status.NOTE, found, "a secret is set", "notifycli listen")
    return CheckResult(_LISTEN, Status.OK, found, "signatures can be checked, events can be kept")


def _last(path: Path) -> str:
    status = path.stat()
    if not status.st_size:
        return "empty"
    at = now()
    # A clock that was put back must not make of it an event that is still to come.
    return f"last event {in_words(min(status.st_mtime_ns // 1000, at), at)}"


def _nearest(folder: Path) -> Path:
    """Give the folder, or the one in which it would be made."""
    return next(place for place in (folder, *folder.parents) if place.exists())


_SUBSCRIBE = "notifycli push subscribe"
_AWAY = "is this machine online? if a service is gone: notifycli push list, push remove ID"
_SUBJECT = "notifycli config set push.subject=mailto:you@your-domain"


def check_push(facts: Facts) -> CheckResult:
    """Look whether pushes can be signed, and whether the push services can be reached."""
    if facts.store is None:
        return CheckResult("push", Status.NOTE, "-", "can't be told without the store")
    keys = facts.store.subscriptions.push_keys()
    if not keys:
        return CheckResult("push", Status.NOTE, "no key", "pushes are not set up", GENERATE)
    found = f"{plural(len(keys), 'key')}, {plural(sum(k.bound for k in keys), 'subscription')}"
    if facts.keychain is None or not facts.keyring.works or facts.keychain.asks:
        return CheckResult("push", Status.NOTE, found, "not tried: the keyring can't be asked")
    try:
        for key in keys:
            PushKeys(facts.store, facts.keychain, now).private(key)
        _check_subject(facts.store)
    except NotifycliError as error:
        return CheckResult("push", Status.FAIL, found, error.message, error.hint)
    if not any(key.bound for key in keys):
        return CheckResult("push", Status.NOTE, found, "no browser is subscribed", _SUBSCRIBE)
    return _services(facts.store, found)


def _check_subject(store: Store) -> None:
    """Raise `ConfigurationError` for a missing subject, or a bad one of an earlier version."""
    (subject,) = store.configuration.require("push.subject")
    try:
        SETTINGS["push.subject"].read(subject)
    except ValueError as error:
        raise ConfigurationError(f"push.subject: {error}", _SUBJECT) from None


def _services(store: Store, found: str) -> CheckResult:
    """Say which push services can't be reached, and why."""
    import asyncio  # noqa: PLC0415 - only where there is something to connect to

    from notifycli.delivery.push.push_channel import find_unreachable  # noqa: PLC0415 - 220 ms

    endpoints = [
        subscription.endpoint
        for account in store.accounts()
        for subscription in store.subscriptions.of_account(account.id)
    ]
    if troubles := asyncio.run(find_unreachable(endpoints)):
        return CheckResult("push", Status.FAIL, found, "; ".join(troubles), _AWAY)
    return CheckResult("push", Status.OK, found, "pushes can be signed, the services answer")


_SOUND_SECONDS = 5.0
"""For each player; somebody waits, and PulseAudio may take two to empty its buffer."""
_TEST = "notifycli audio test"


def check_sound(_: Facts) -> CheckResult:
    """Have silence played: a player may be there without a sound server or card to play on."""
    import asyncio  # noqa: PLC0415 - 50 ms that the help can spare

    from notifycli.delivery.sound.sound_channel import BELL, Player, has_bell, silence  # noqa: PLC0415

    player = Player(bell=lambda: False, seconds=_SOUND_SECONDS)
    programs = ", ".join(player.programs)
    instead = "; the bell rings instead" if has_bell() else ""
    if not programs:
        if instead:
            meaning = f"no player is installed{instead}"
            return CheckResult("sound", Status.NOTE, BELL, meaning, _TEST)
        return CheckResult(
            "sound", Status.NOTE, "no player", "sounds can't be played on this machine"
        )
    try:
        with silence() as tone:
            name = asyncio.run(player.play(tone))
    except UnavailableError as error:
        return CheckResult("sound", Status.NOTE, programs, f"{error.message}{instead}", error.hint)
    meaning = "it took silence; whether a tone can be heard: try it"
    return CheckResult("sound", Status.OK, name, meaning, _TEST)
