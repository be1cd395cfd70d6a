"""What the doctor looks at. A further check is a function and a row in `doctor.CHECKS`."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from msgspec import Struct

from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import is_terminal
from notifycli.cli.times import now
from notifycli.clipboard import copy as clipboard
from notifycli.errors import NotifycliError
from notifycli.secrets.keychain import WHICH, Health, Keychain, open_keychain
from notifycli.secrets.reconcile import FIX, INCONSISTENT, MEANING, Condition, inspect
from notifycli.store.store import Store

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
        self.keychain, self.keyring = _keyring_health(session.location.folder)

    @property
    def has_tokens(self) -> bool:
        """Whether a token was ever made."""
        return self.store is not None and bool(self.store.tokens.all())

    def close(self) -> None:
        """Close the store."""
        if self.store is not None:
            self.store.__exit__()


def _keyring_health(folder: Path) -> tuple[Keychain | None, Health]:
    try:
        keychain = open_keychain(beside=folder)
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
    seen = inspect(tokens.all(), tokens.leftovers(), facts.keychain if askable else None, now())
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
        if place.is_file():
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
