"""`notifycli prefs edit`: a user's preferences in an editor."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import typer

from notifycli.cli.command import USER, command_class, examples, part, session_of
from notifycli.cli.prefs.show import ConversationId, InboxId, one_inbox
from notifycli.cli.session import display_name, find_inbox, plural
from notifycli.cli.terminal import is_terminal, print_error
from notifycli.cli.times import now
from notifycli.documents.preference_document import parse_toml, quote_toml, value_text
from notifycli.errors import ConfigurationError, DataError, NotifycliError, UsageError
from notifycli.rules.layers import Preferences, Resolved
from notifycli.rules.preferences import (
    KEYS,
    InvalidPreferenceError,
    Layer,
    full_keys,
    read_timed_value,
    read_value,
)
from notifycli.store.transaction import Entry, Target

app = part()

_TRIES = 20
_TITLE = """Preferences of {user}, account {account}{place}.
Change values, save, and leave the editor: what you changed becomes {whose}.
Take a line away to give up your own value; save nothing to change nothing."""


@app.command(
    "edit",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli prefs edit -u jane@example.com
notifycli prefs edit -u jane@example.com --conversation 42
EDITOR='code --wait' notifycli prefs edit -u 7 --inbox 3
"""
    ),
)
def prefs_edit(
    ctx: typer.Context, *, given: InboxId = None, conversation: ConversationId = None
) -> None:
    """Edit a user's preferences in $VISUAL or $EDITOR.

    It shows the effective ones; those that you change become the user's own. Of one conversation
    they may end with `until 2027-01-31T10:00:00Z`.
    """
    session = session_of(ctx)
    named = one_inbox(given)
    if named is not None and conversation is not None:
        raise UsageError("--inbox and --conversation name two layers", "give one of them")
    with session.store() as store:
        account = session.resolve_account(store)
        inbox = None if named is None else find_inbox(store, account, named)
        user = session.resolve_user(store, account)
        preferences = store.preferences_of(account, user.id)
    layer, place = _layer_of(inbox, conversation)
    shown = _shown(preferences, user.id, inbox, conversation)
    own = [key for key, value in shown.items() if value.origin is layer]
    title = _TITLE.format(
        user=display_name(user),
        account=account,
        place=place and f", in {place}",
        whose=f"the user's own{place and f' in this {layer}'}",
    )
    with _Draft(edit_text(shown, title)) as draft:
        values = draft.edit(shown, own, read_value if conversation is None else read_timed_value)
        if not values:
            session.info("nothing was changed")
            return
        target = Target(layer, user.id, inbox, conversation)
        with (
            session.store(create=True) as store,
            store.change(account, session.command, session.who) as one,
        ):
            changed = one.set(Entry(target, key, value) for key, value in values.items())
    session.info(
        f"{plural(changed, 'preference')} changed for {display_name(user)} in "
        f"{place and f'{place} of '}account {account}"
    )


def _layer_of(inbox: int | None, conversation: int | None) -> tuple[Layer, str]:
    """Return the layer that is edited, and where it is in words: "" for the user's own."""
    if inbox is not None:
        return Layer.INBOX, f"inbox {inbox}"
    if conversation is not None:
        return Layer.CONVERSATION, f"conversation {conversation}"
    return Layer.USER, ""


def _shown(
    preferences: Preferences, user: int, inbox: int | None, conversation: int | None
) -> Shown:
    """Return what holds now; of a conversation's own with the moment up to which."""
    shown = {
        key: preferences.resolve(key, user, inbox, conversation, now())
        for key in preferences.every_key()
    }
    stored = preferences.conversation.get((user, conversation or 0), {})
    return {
        key: Resolved(stored[key], value.origin) if value.origin is Layer.CONVERSATION else value
        for key, value in shown.items()
    }


class _Draft:
    """A file in an editor. It is kept, and the error tells where, if work would be lost."""

    def __init__(self, text: str) -> None:
        self._original = text
        handle, name = tempfile.mkstemp(prefix="notifycli-", suffix=".toml")
        os.close(handle)
        self._file = Path(name)
        self._write(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if error is None or self._read(errors="replace") == self._original:
            self._file.unlink(missing_ok=True)
        elif isinstance(error, NotifycliError):
            kept = f"what you wrote is kept in {self._file}"
            error.hint = f"{error.hint}\n  {kept}" if error.hint else kept
        else:
            print_error(f"what you wrote is kept in {self._file}")

    def edit(self, shown: Shown, own: list[str], read: Read) -> Mapping[str, str | None]:
        """Let it be edited until it has no fault, and give what was changed.

        Raises `DataError` if the faults were left as they are.
        """
        before = self._original
        faults: tuple[str, ...] = ()
        # A program in the editor's place may spoil the draft anew each time, for ever.
        for _ in range(_TRIES):
            _run_editor(self._file)
            try:
                text = self._read()
                # Not the faults: an editor that is a program may change these for ever.
                if strip_faults(text) == strip_faults(before):
                    break
                return read_edit(text, shown, own, read)
            except UnicodeDecodeError:
                before, faults = self._read(errors="replace"), ("no UTF-8: see the marks \ufffd",)
            except EditError as error:
                before, faults = text, error.faults
            before = with_faults(before, faults)
            self._write(before)
        if faults:
            raise DataError("\n".join((*faults, "nothing was stored")))
        return {}

    def _read(self, errors: str = "strict") -> str:
        return self._file.read_text(encoding="utf-8", errors=errors)

    def _write(self, text: str) -> None:
        self._file.write_text(text, encoding="utf-8")


@contextmanager
def _outliving_the_terminal() -> Iterator[None]:
    """Leave it to the editor to end where its terminal is closed: the draft is seen to after it."""
    if sys.platform == "win32":
        yield
        return
    # To ignore the signal would be handed down to the editor; a function of ours isn't.
    before = signal.signal(signal.SIGHUP, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def _run_editor(file: Path) -> None:
    command = os.environ.get("VISUAL") or os.environ.get("EDITOR")
    if not command and not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        raise UsageError(
            "an editor needs a terminal",
            "in a script: notifycli prefs set KEY=VALUE; or name a program in EDITOR",
        )
    command = command or ("notepad" if os.name == "nt" else "vi")
    try:
        with _outliving_the_terminal():
            status = subprocess.run([*shlex.split(command), str(file)], check=False).returncode  # noqa: S603 - the user's own choice
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"the editor {command!r} can't be started: {error}", "set VISUAL or EDITOR"
        ) from None
    if status:
        raise ConfigurationError(f"the editor {command!r} failed with {status}: nothing was stored")


Shown = Mapping[str, Resolved[str]]
"""Full keys and their effective values, as the editor showed them."""
Read = Callable[[str, str], str]
"""Reads a value of a key. Raises `InvalidPreferenceError`."""

_FAULT = "#!! "


class EditError(ValueError):
    """The text can't be taken as it is, for these reasons."""

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


def edit_text(shown: Shown, title: str) -> str:
    """Write preferences with what they mean, what they can be, and where they come from."""
    return "\n".join((*(f"# {line}" for line in title.splitlines()), *_entries(shown), ""))


def _entries(shown: Shown) -> Iterator[str]:
    for name, (value, origin) in shown.items():
        key = KEYS[name]
        if origin is Layer.BUILTIN and key.beyond:
            continue
        yield f"\n# {key.summary}"
        yield f"# {', '.join(key.values)}; now from {origin}"
        # What a lock decides stays a comment: nothing that is written there would hold.
        yield f"{'# ' if origin is Layer.LOCK else ''}{quote_toml(name)} = {quote_toml(value)}"


def with_faults(text: str, faults: Iterable[str]) -> str:
    """Put faults on top of the text, in place of those that stood there before."""
    lines = [f"{_FAULT}{line}" for fault in faults for line in fault.splitlines()]
    return "\n".join((*lines, *strip_faults(text), ""))


def strip_faults(text: str) -> list[str]:
    """Give the lines of the text without the faults on top of it."""
    return [line for line in text.splitlines() if not line.startswith(_FAULT.strip())]


def read_edit(
    text: str, shown: Shown, own: Iterable[str], read: Read = read_value
) -> dict[str, str | None]:
    """Give what was changed: new values, and `None` for those of one's `own` that are gone.

    Raises `EditError`.
    """
    try:
        table = parse_toml(text, "the file")
    except DataError as error:
        raise EditError([error.message, error.hint]) from None
    values: dict[str, str] = {}
    faults = []
    for name, value in table:
        try:
            keys = (name,) if name in shown else full_keys(name)
            found = {full: read(full, value_text(value)) for full in keys}
        except InvalidPreferenceError as error:
            near = f"; did you mean {error.nearest}?" if error.nearest else ""
            faults.append(f"{error}{near}")
            continue
        except ValueError as error:
            faults.append(f"{name}: {error}")
            continue
        values |= found
    unset = Resolved("off", Layer.BUILTIN)  # of an added channel: all others are shown
    shown = {**dict.fromkeys(values, unset), **shown}
    for key, value in values.items():
        if shown[key].origin is Layer.LOCK and value != shown[key].value:
            faults.append(f"{key}: is locked to {shown[key].value}")
    if faults:
        raise EditError(faults)
    changed = {key: value for key, value in values.items() if value != shown[key].value}
    return changed | {key: None for key in own if key not in values}
