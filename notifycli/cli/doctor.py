"""`notifycli doctor`: whether what is set up works, and what to type where it does not.

A further check is a function, and a row in `CHECKS`.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct

from notifycli import clipboard
from notifycli.cli.command import command_class, examples, session_of
from notifycli.cli.output import show
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import is_terminal
from notifycli.cli.times import in_words, now
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError
from notifycli.rules.notifications import Channel, added_switch
from notifycli.secrets import Health
from notifycli.secrets.keychain import WHICH, Keychain, get_secret, open_keychain
from notifycli.secrets.token_service import (
    FIX,
    INCONSISTENT,
    MEANING,
    Condition,
    inspect_tokens,
    reconcile,
)
from notifycli.secrets.vapid import GENERATE, PushKeys
from notifycli.server.journal import journal_of
from notifycli.store.settings import SETTINGS
from notifycli.store.store import Connection, Location, Store
from notifycli.text import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from notifycli.chatwoot.http import RateLimits
    from notifycli.cli.profiles import Unheard

LOGIN = "notifycli chatwoot login https://chat.example.com"
_NAMED = 3
_NARROW = 60


class Status(StrEnum):
    """How a check came out."""

    OK = "ok"
    NOTE = "note"
    """It could be better, or can't be told; nothing that was set up is broken."""
    FAIL = "fail"


class CheckResult(Struct):
    """What a check found, what that means, and what to type; "" if there is nothing to."""

    check: str
    status: Status
    found: str
    meaning: str
    fix: str = ""


class Facts:
    """What several checks look at: each is opened once, and may fail to."""

    def __init__(self, session: Session) -> None:
        self.location = session.location
        self.store: Store | None = None
        self.store_trouble: NotifycliError | None = None
        try:
            self.store = session.store()
        except NotifycliError as error:
            self.store_trouble = error
        self.keychain, self.keyring = _keyring_health(session.location)

    @property
    def has_tokens(self) -> bool:
        """Whether a token was ever made."""
        return self.store is not None and bool(self.store.tokens.all())

    def close(self) -> None:
        """Close the store."""
        if self.store is not None:
            self.store.__exit__()


def _keyring_health(location: Location) -> tuple[Keychain | None, Health]:
    try:
        keychain = open_keychain(beside=location)
    except NotifycliError as error:
        return None, Health("none", WHICH, False, error.message, error.hint)
    return keychain, keychain.describe()


def check_store(facts: Facts) -> CheckResult:
    """Look whether the store is whole, and for whom it can be read."""
    name = facts.location.name
    if facts.store is None:
        trouble = facts.store_trouble or NotifycliError("it can't be opened")
        return CheckResult("store", Status.FAIL, name, trouble.message, trouble.hint)
    if not facts.location.exists:
        meaning = "there is none yet: the first change makes it"
        return CheckResult("store", Status.NOTE, name, meaning, LOGIN)
    seen = facts.store.inspect()
    if seen.trouble:
        return CheckResult("store", Status.FAIL, seen.found, seen.trouble, seen.remedy)
    return CheckResult("store", Status.OK, seen.found, seen.meaning)


def check_keyring(facts: Facts) -> CheckResult:
    """Look whether the keychain answers; none at all matters only where it is needed."""
    health = facts.keyring
    found = f"{health.name}, {health.where}"
    if health.works:
        status = Status.NOTE if health.hint else Status.OK
        return CheckResult("keyring", status, found, health.meaning, health.hint)
    if facts.has_tokens or os.environ.get(WHICH):
        return CheckResult("keyring", Status.FAIL, found, health.meaning, health.hint)
    meaning = f"{health.meaning}; only tokens need one, and none was made yet"
    return CheckResult("keyring", Status.NOTE, found, meaning, health.hint)


def check_tokens(facts: Facts) -> CheckResult:
    """Look whether store and keychain agree on the tokens."""
    if facts.store is None:
        return CheckResult("tokens", Status.NOTE, "-", "can't be told without the store")
    askable = facts.keychain is not None and facts.keyring.works and not facts.keychain.asks
    tokens = facts.store.tokens
    seen = inspect_tokens(
        tokens.all(), tokens.leftovers(), facts.keychain if askable else None, now()
    )
    torn, orphans = seen.inconsistent, len(seen.orphans)
    counts = Counter(item.condition for item in seen.findings)
    counts[Condition.LEFTOVER] += orphans
    found = ", ".join(f"{counts[c]} {c}" for c in Condition if counts[c]) or "none"
    if torn or orphans:
        owners = dict.fromkeys(f"user {i.token.user_id} {i.token.name!r}" for i in torn)
        who = ", ".join([*owners][:_NAMED]) + (" …" if len(owners) > _NAMED else "")
        meaning = "; ".join(
            f"{c}: {MEANING[c]}" for c in Condition if c in INCONSISTENT and counts[c]
        )
        if counts[Condition.LOST]:
            meaning += "; leave them if they were made on another machine or lie in another file"
        return CheckResult(
            "tokens", Status.FAIL, f"{found} ({who})" if who else found, meaning, FIX
        )
    if seen.findings and (not askable or seen.trouble):
        return CheckResult("tokens", Status.NOTE, found, "not compared: the keyring can't be asked")
    if seen.elsewhere:
        meaning = f"{plural(seen.elsewhere, 'secret')} in another keychain: not compared"
        return CheckResult(
            "tokens", Status.NOTE, found, meaning, f"set {WHICH} as when they were made"
        )
    if seen.past_grace:
        return CheckResult("tokens", Status.NOTE, found, "the grace of some is over", FIX)
    return CheckResult(
        "tokens", Status.OK, found, "store and keyring agree" if seen.findings else ""
    )


def check_clipboard(_: Facts) -> CheckResult:
    """Look whether a token could be copied."""
    health = clipboard.describe()
    found = f"{health.name}, {health.where}" if health.where else health.name
    if health.works:
        status = Status.NOTE if health.hint else Status.OK
        return CheckResult("clipboard", status, found, health.meaning, health.hint)
    # Nobody has set up what a machine without a screen or a terminal hasn't.
    nothing_set_up = health.name in {"none", "OSC 52"} and not os.environ.get(clipboard.WHICH)
    status = Status.NOTE if nothing_set_up else Status.FAIL
    return CheckResult("clipboard", status, found, health.meaning, health.hint)


def check_completion(_: Facts) -> CheckResult:
    """Look whether the user's shell completes the command."""
    shell = Path(os.environ.get("SHELL", "")).name
    places = completion_places(Path.home(), os.environ).get(shell)
    if places is None:
        return CheckResult("completion", Status.NOTE, shell or "no shell", "none is known for it")
    for place in places:
        if os.path.isfile(place):  # noqa: PTH113 - pathlib's raises where it may not look
            return CheckResult("completion", Status.OK, f"{shell}, {place}", "it is installed")
    meaning = "no completion is installed for this shell"
    return CheckResult(
        "completion", Status.NOTE, shell, meaning, f"notifycli completion install {shell}"
    )


def completion_places(home: Path, environ: Mapping[str, str]) -> dict[str, list[Path]]:
    """Give where each shell looks for a program's completion, the user's own place first."""
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local/share")
    config = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path("/usr/local/share"), Path("/usr/share")]
    own = Path(environ.get("BASH_COMPLETION_USER_DIR") or data / "bash-completion")
    bash, fish = "completions/notifycli", "notifycli.fish"
    zsh = [home / ".zfunc", home / ".zsh/completions"]
    zsh += [base / "zsh/site-functions" for base in system]
    return {
        "bash": [own / bash, *(base / "bash-completion" / bash for base in system)],
        "zsh": [folder / "_notifycli" for folder in zsh],
        "fish": [
            config / "fish/completions" / fish,
            *(base / "fish/vendor_completions.d" / fish for base in system),
        ],
    }


def check_terminal(_: Facts) -> CheckResult:
    """Look what the terminal can show."""
    encoding = str(getattr(sys.stdout, "encoding", None) or "unknown").lower()
    name = os.environ.get("TERM", "no TERM")
    if not is_terminal(sys.stdout):
        found, meaning = f"none, {encoding}", "standard output goes elsewhere: plain records"
    else:
        width = shutil.get_terminal_size().columns
        found = f"{name}, {width} columns, {_colours()}, {encoding}"
        meaning = "tables need more columns" if width < _NARROW else "tables and colours"
    if encoding not in {"utf-8", "utf8"}:
        meaning = "it can't show every character"
        return CheckResult("terminal", Status.NOTE, found, meaning, "export LC_ALL=C.UTF-8")
    return CheckResult("terminal", Status.OK, found, meaning)


def _colours() -> str:
    if os.environ.get("NO_COLOR"):
        return "no colours (NO_COLOR)"
    name = os.environ.get("TERM", "")
    if os.environ.get("COLORTERM", "") in {"truecolor", "24bit"}:
        return "16 million colours"
    if name in {"", "dumb", "unknown"}:
        return "no colours"
    return "256 colours" if "256color" in name else "16 colours"


_CHATWOOT = "chatwoot"
_SECONDS = 5.0
"""Somebody waits; a server that is well answers in less."""


def check_chatwoot(facts: Facts) -> CheckResult:
    """Try every token that is held, at every Chatwoot that is connected; nothing is written."""
    store = facts.store
    if store is None:
        return CheckResult(_CHATWOOT, Status.NOTE, "-", "can't be told without the store")
    connections = store.connections()
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
            check_owner(user, api.member().id)
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
    from notifycli.delivery.email_channel import letterhead, mail_server  # noqa: PLC0415 - smtplib and ssl
    from notifycli.delivery.smtp import MailConnection  # noqa: PLC0415

    sender = letterhead(store).sender
    if store.configuration.get("smtp.username") and open_keychain(beside=store.location).asks:
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
    received = os.path.exists(path)  # noqa: PTH110 - pathlib's raises where it may not look
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
    places = (folder, *folder.parents)
    return next(place for place in places if os.path.exists(place))  # noqa: PTH110 - pathlib's raises where it may not look


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

    from notifycli.delivery.push_channel import find_unreachable  # noqa: PLC0415 - 220 ms

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


def check_channels(facts: Facts) -> CheckResult | None:
    """Look whether the added channels can be used on which anything is set or has an address."""
    found = [] if facts.store is None else _added_channels(facts.store)
    if facts.store is None or not found:
        return None
    from notifycli.delivery.added_channel import open_plug_in  # noqa: PLC0415 - if there is one

    named = ", ".join(f"{one} ({count} with an address)" for one, count in found)
    for channel, _ in found:
        try:
            open_plug_in(channel, facts.store)
        except NotifycliError as error:
            return CheckResult("channels", Status.FAIL, named, error.message, error.hint)
    lost = [channel for channel, count in found if not count]
    if lost:
        fix = f"notifycli channel add {lost[0]} -u USER"
        return CheckResult(
            "channels", Status.NOTE, named, f"nobody can be reached by {lost[0]}", fix
        )
    return CheckResult("channels", Status.OK, named, "their plug-ins are there")


def _added_channels(store: Store) -> list[tuple[Channel, int]]:
    """Return the added channels that are in use, each with how many addresses it has."""
    used = Counter[Channel]()
    for account in store.accounts():
        for key in store.preferences(account.id).set_keys():
            if switch := added_switch(key):
                used[switch[0]] += 0
        for own in store.configuration.addresses(account.id).values():
            used.update(own)
    return sorted(used.items())


def check_sound(_: Facts) -> CheckResult:
    """Have silence played: a player may be there without a sound server or card to play on."""
    import asyncio  # noqa: PLC0415 - 50 ms that the help can spare

    from notifycli.delivery.sound import BELL, Player, has_bell, silence  # noqa: PLC0415

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


app = typer.Typer(rich_markup_mode=None, add_completion=False)
CHECKS: tuple[Callable[[Facts], CheckResult | None], ...] = (
    check_store,
    check_keyring,
    check_tokens,
    check_email,
    check_push,
    check_channels,
    check_sound,
    check_chatwoot,
    check_listen,
    check_clipboard,
    check_completion,
    check_terminal,
)
_FAILED = 1
_MARKS = {Status.OK: ("✓", "green"), Status.NOTE: ("·", "yellow"), Status.FAIL: ("✗", "red")}


@app.command(
    "doctor",
    cls=command_class(),
    epilog=examples(
        """
notifycli doctor
notifycli doctor --fix
notifycli doctor -o json | jq -r '.[] | select(.status == "fail") | .fix'
"""
    ),
)
def doctor(
    ctx: typer.Context,
    *,
    fix: Annotated[
        bool,
        typer.Option(
            "--fix", help="First end and delete the tokens that a crash left half written."
        ),
    ] = False,
) -> None:
    """Check store, keyring, tokens, channels, clipboard, completion and terminal.

    Exits with 1 if something that is set up doesn't work.
    """
    session = session_of(ctx)
    if fix:
        _mend(session)
    facts = Facts(session)
    try:
        findings = [found for check in CHECKS if (found := _run(check, facts))]
        for found in findings:
            found.fix = session.typed(found.fix)
    finally:
        facts.close()
    show(session, findings, CheckResult, heads=["", "Check", "Finding"], cells=_cells)
    if any(finding.status is Status.FAIL for finding in findings):
        raise typer.Exit(_FAILED)


def _run(check: Callable[[Facts], CheckResult | None], facts: Facts) -> CheckResult | None:
    """Run a check; what keeps it from being made is what it finds."""
    try:
        return check(facts)
    except NotifycliError as error:
        name = check.__name__.removeprefix("check_")
        return CheckResult(name, Status.FAIL, "-", error.message, error.hint)


def _mend(session: Session) -> None:
    """Mend what is torn; what can't be is told, and the checks show the rest."""
    from notifycli.cli.token import token_service  # noqa: PLC0415 - only --fix needs it

    try:
        with session.store() as store:
            found = reconcile(store, token_service(session, store))
    except NotifycliError as error:
        session.warn(f"not mended: {error.message}")
        return
    mended = [*found.inconsistent, *found.past_grace]
    for token, condition in mended:
        session.info(f"ended and deleted: user {token.user_id} {token.name!r} ({condition})")
    if found.orphans:
        session.info(f"deleted {plural(len(found.orphans), 'secret')} of users who were removed")
    if not mended and not found.orphans:
        session.info("nothing to mend")


def _cells(item: CheckResult) -> Sequence[RenderableType]:
    from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

    mark, colour = _MARKS[item.status]
    finding = Text(printable(item.found), style="dim")
    if item.meaning:
        finding.append(f"\n{printable(item.meaning)}", style="not dim")
    if item.fix:
        # A column of its own would be too narrow to copy a command from.
        finding.append(f"\n→ {printable(item.fix)}", style="not dim bold")
    return [Text(mark, style=colour), item.check, finding]
