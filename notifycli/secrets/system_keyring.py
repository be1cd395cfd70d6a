"""The keychain of the system: Secret Service, KWallet, macOS, Windows, through `keyring`.

What `keyring` does wrong is put right here: it waits for ever, raises whatever its backends raise,
and would take a backend that writes plain text without asking.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, TypeVar

from notifycli.daemon_threads import Failed, TimedOut, attempt
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets import Health
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from keyring.backend import KeyringBackend

T = TypeVar("T")

SERVICE = "notifycli"
"""The name under which a keyring's own programs list our secrets."""

BACKEND = "PYTHON_KEYRING_BACKEND"
TIMEOUT = "NOTIFYCLI_KEYRING_TIMEOUT"

TIMEOUT_WITH_SCREEN = 30.0
"""Seconds: long enough to type the password into the dialog of a locked keyring."""

TIMEOUT_WITHOUT_SCREEN = 5.0
"""Seconds: nobody can answer a dialog, so whatever takes longer hangs."""

_FILE = (
    "keep the secrets in an encrypted file: export NOTIFYCLI_KEYRING=file "
    "(and NOTIFYCLI_KEYRING_PASSPHRASE_FILE=PATH where nobody can type the passphrase)."
)
WAYS_OUT = (
    "Start and unlock the system's keyring (on Debian: apt install gnome-keyring, then log in on "
    f"the desktop), or {_FILE}"
)
_UNLOCK = (
    'Unlock it: log in on the desktop, or type: read -rs p; printf %s "$p" | '
    f"gnome-keyring-daemon --replace --unlock; unset p. Or {_FILE}"
)
_LONGEST = 3600.0
_PROBE = "doctor"


class SystemKeyring:
    """Secrets in the system's keyring; fulfils `Keychain`.

    `find` returns the backend to use (by default the one that `choose_backend` chooses) and is
    called once, within the time-out, since merely looking for backends talks to D-Bus. `timeout`
    is in seconds; by default the environment's or one fit for the machine.
    """

    kind = "system"
    asks = False
    """A locked one may open a dialog of its own, within the time-out."""

    def __init__(
        self,
        find: Callable[[], KeyringBackend] | None = None,
        timeout: float | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._find = find or choose_backend
        self._timeout = time_allowed(os.environ if environ is None else environ, timeout)
        self._backend: KeyringBackend | None = None

    def unlock(self, *, to_write: bool = False) -> None:  # noqa: ARG002 - the contract's
        """Ask for a secret that doesn't exist: a locked keyring opens its dialog."""
        self.get(_PROBE)

    def get(self, name: str) -> Secret | None:
        """Return the secret kept under `name`, or None."""
        value = self._ask(lambda backend: backend.get_password(SERVICE, name))
        return Secret(value) if value else None

    def set(self, name: str, secret: Secret) -> None:
        """Keep `secret` under `name`, and read it back: some backends take and don't keep."""

        def keep(backend: KeyringBackend) -> bool:
            backend.set_password(SERVICE, name, secret.reveal())
            return backend.get_password(SERVICE, name) == secret.reveal()

        if not self._ask(keep, secret):
            raise UnavailableError("the keyring took the secret but doesn't hold it", WAYS_OUT)

    def delete(self, name: str) -> bool:
        """Forget the secret under `name`; return whether there was one."""

        def forget(backend: KeyringBackend) -> bool:
            from keyring.errors import PasswordDeleteError  # noqa: PLC0415

            # The backends raise the same error for "there is none" and "you may not".
            if backend.get_password(SERVICE, name) is None:
                return False
            try:
                backend.delete_password(SERVICE, name)
            except PasswordDeleteError:
                if backend.get_password(SERVICE, name) is not None:
                    raise
                return False
            return True

        return self._ask(forget)

    def describe(self) -> Health:
        """Tell which backend answers, by asking it for a secret that doesn't exist."""
        try:
            self._ask(lambda backend: backend.get_password(SERVICE, _PROBE))
        except UnavailableError as error:
            return Health(self._name(), "the system's keyring", False, error.message, error.hint)
        if self._backend is not None and keeps_plain_text(self._backend):
            meaning = f"it works, but keeps secrets unencrypted, as {BACKEND} asks for"
            hint = f"unset {BACKEND}"
            return Health(self._name(), "the system's keyring", True, meaning, hint)
        return Health(self._name(), "the system's keyring", True, "it is unlocked and answers")

    def _name(self) -> str:
        return "keyring" if self._backend is None else _class_name(self._backend)

    def _ask(self, question: Callable[[KeyringBackend], T], secret: Secret | None = None) -> T:
        """Put `question` to the backend within the time-out; `secret` is blacked out of errors."""

        def call() -> T:
            if self._backend is None:
                self._backend = self._find()
            return question(self._backend)

        outcome = attempt(call, self._timeout)
        if isinstance(outcome, Failed | TimedOut):
            raise _refusal(outcome, secret)
        return outcome.value


def choose_backend() -> KeyringBackend:
    """Return the backend that the user named, else the best that keeps secrets encrypted.

    `keyring`'s own choice isn't asked for: with several backends it chains them, and a chain falls
    through to a plain-text one. `PYTHON_KEYRING_BACKEND` is taken at its word; `keyringrc.cfg` may
    be someone else's choice for another program, so plain text needs the variable.

    Raises `UnavailableError` if there is none, and whatever the backends raise when loaded.
    """
    from keyring import core  # noqa: PLC0415 - 70 ms that only a command with a secret pays
    from keyring.backend import get_all_keyring  # noqa: PLC0415

    if named := core.load_env():
        return _usable(named)
    if configured := core.load_config():
        candidates = [_usable(configured)]
    else:
        found = [backend for backend in get_all_keyring() if not _is_stand_in(backend)]
        candidates = sorted(found, key=lambda backend: backend.priority, reverse=True)
    for candidate in candidates:
        if not keeps_plain_text(candidate) and candidate.priority >= 1:
            return candidate
    if candidates:
        name = _class_name(candidates[0])
        raise UnavailableError(
            f"the only keyring found, {name}, doesn't protect its secrets",
            f"{WAYS_OUT} To use it all the same: export {BACKEND}={name}",
        )
    raise UnavailableError("this machine has no keyring", WAYS_OUT)


def keeps_plain_text(backend: KeyringBackend) -> bool:
    """Tell whether a backend writes secrets unencrypted, as those of `keyrings.alt` do.

    By name: `keyrings.alt` calls all of them Plaintext and has no other mark.
    """
    return "plaintext" in type(backend).__name__.lower()


def time_allowed(environ: Mapping[str, str], timeout: float | None = None) -> float:
    """Return the time-out of one call in seconds; `ConfigurationError` if the variable is wrong."""
    if timeout is not None:
        return timeout
    if text := environ.get(TIMEOUT):
        try:
            seconds = float(text)
        except ValueError:
            seconds = math.nan
        if not 0 < seconds <= _LONGEST:
            raise ConfigurationError(
                f"{TIMEOUT} is {text!r}, which is no number of seconds up to {_LONGEST:g}",
                f"Use {TIMEOUT}=10.",
            )
        return seconds
    screen = sys.platform in {"darwin", "win32"} or any(
        environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    return TIMEOUT_WITH_SCREEN if screen else TIMEOUT_WITHOUT_SCREEN


def _is_stand_in(backend: KeyringBackend) -> bool:
    """Tell whether a backend stands for none at all: `fail`, `null` and the chain of others."""
    return type(backend).__module__ in {
        "keyring.backends.chainer",
        "keyring.backends.fail",
        "keyring.backends.null",
    }


def _usable(backend: KeyringBackend) -> KeyringBackend:
    """Return a backend that was named; `keyring --disable` names one that forgets everything."""
    if type(backend).__module__ == "keyring.backends.null":
        raise UnavailableError("the keyring is switched off (keyring's null backend)", WAYS_OUT)
    return backend


def _class_name(backend: KeyringBackend) -> str:
    return f"{type(backend).__module__}.{type(backend).__name__}"


def _refusal(outcome: Failed | TimedOut, secret: Secret | None) -> UnavailableError:
    """Return the error of ours that says what happened and the ways out.

    It is raised outside every `except`, so that no foreign exception hangs on it as its context. It
    goes by the names of `keyring`'s exceptions: importing them would wait for a thread that hangs
    while it imports `keyring` itself.
    """
    if isinstance(outcome, TimedOut):
        return UnavailableError(
            f"the keyring didn't answer within {outcome.seconds:g} s",
            f"{_UNLOCK} A slow one gets more time with {TIMEOUT}=SECONDS.",
        )
    error = outcome.error
    if isinstance(error, UnavailableError):
        return UnavailableError(error.message, error.hint)
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if "NoKeyringError" in kinds:
        return UnavailableError("this machine has no keyring", WAYS_OUT)
    if "KeyringLocked" in kinds:
        return UnavailableError("the keyring is locked", _UNLOCK)
    detail = f"{type(error).__name__}: {error}"
    if secret is not None:
        detail = detail.replace(secret.reveal(), "…")
    return UnavailableError(f"the keyring failed ({' '.join(detail.split())})", WAYS_OUT)
