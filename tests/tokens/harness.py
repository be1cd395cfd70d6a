"""What the tests of tokens share: the program as a process, and parts that die when told to."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from notifycli.events.timestamps import parse_moment
from notifycli.rules.directory import User
from notifycli.secrets import Health
from notifycli.secrets import token_format as form
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import TokenOwner, TokenService, verify_token
from notifycli.store.sql_store import SQLStore
from notifycli.store.sqlite.connection import SQLite
from notifycli.store.store import Store, locate, open_store
from notifycli.store.tokens import TokenState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from notifycli.secrets.keychain import Keychain
    from notifycli.store.transaction import Change
    from tests.conftest import Notifycli
    from tests.forked import Forker

JANE = User(7, "jane@example.com", "Jane")
OMAR = User(8, "omar@example.com", "Omar")
HERS = TokenOwner(1, JANE)
NOON = parse_moment("2026-03-01T12:00:00Z")
PASSPHRASE = "CanaryOfThePassphrase"  # noqa: S105 - that's what it is
FOREIGN = "QyTzvXkPW4mJcHn8sRbE2dLu"
"""A token as Chatwoot makes them: 24 characters of base58."""


class Done(NamedTuple):
    """How a run of the program ended."""

    status: int
    out: str
    err: str

    @property
    def records(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


class Program:
    """The command as its users run it."""

    def __init__(self, home: Path, run: Notifycli, forker: Forker) -> None:
        self.home = home
        self.store_path = home / ".local/share/notifycli/notifycli.db"
        self._run = run
        self._forker = forker

    def __call__(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        """Run it in this process."""
        done = self._run(*arguments, stdin=stdin.encode(), environment=environ)
        return Done(done.status, done.stdout.decode(), done.stderr)

    def apart(self, *arguments: str, stdin: str = "", **environ: str) -> Done:
        """Run it in a process of its own."""
        status, out, err = self._forker.run(arguments, stdin.encode(), environ)
        return Done(status, out.decode(), err.decode())

    def command(self, *arguments: str) -> list[str]:
        # keyring leaves the sockets of a locked Secret Service to the garbage collector.
        strict = ["-W", "error", "-W", "ignore::ResourceWarning"]
        return [sys.executable, *strict, "-m", "notifycli", *arguments]


class Died(BaseException):
    """The process is gone: nothing after this happens."""


class Fuse:
    """Kills at the `at`th step; from then on every step fails, as nothing runs in a dead process.

    None never kills.
    """

    def __init__(self, at: int | None = None) -> None:
        self._at = at
        self._steps = 0

    def burn(self) -> None:
        self._steps += 1
        if self._at is not None and self._steps >= self._at:
            raise Died


class MemoryKeychain:
    """Secrets in a dict; fulfils `Keychain`."""

    kind = "system"
    asks = False

    def __init__(self, secrets: dict[str, Secret] | None = None, fuse: Fuse | None = None) -> None:
        self.secrets = {} if secrets is None else secrets
        self._fuse = fuse or Fuse()

    def unlock(self, *, to_write: bool = False) -> None:
        """Never locked."""

    def get(self, name: str) -> Secret | None:
        self._fuse.burn()
        return self.secrets.get(name)

    def set(self, name: str, secret: Secret) -> None:
        self._fuse.burn()
        self.secrets[name] = secret
        self._fuse.burn()

    def delete(self, name: str) -> bool:
        self._fuse.burn()
        there = self.secrets.pop(name, None) is not None
        self._fuse.burn()
        return there

    def describe(self) -> Health:
        return Health("memory", "here", works=True, meaning="it answers")


class DyingStore(SQLStore):
    """A store that may die before a change, in it, and after it."""

    def __init__(self, path: Path, fuse: Fuse) -> None:
        super().__init__(locate(path), SQLite(path, create=True))
        self._fuse = fuse

    @contextmanager
    def change(self, account: int, command: str, who: str) -> Iterator[Change]:
        self._fuse.burn()
        with super().change(account, command, who) as change:
            yield change
            self._fuse.burn()
        self._fuse.burn()


def store_with_users(path: Path) -> Store:
    store = open_store(path)
    with store.change(1, "user add", "test") as change:
        change.put_users([JANE, OMAR])
    return store


def life_of(store: Store, keychain: Keychain, now: int = NOON) -> TokenService:
    return TokenService(store, keychain, "token test", "test", lambda: now)


def holders(secrets: dict[str, Secret]) -> set[str]:
    """Return the digests of what a keychain holds."""
    return {form.digest(secret.reveal()) for secret in secrets.values()}


def states(store: Store, owner: TokenOwner = HERS) -> list[TokenState]:
    found = store.tokens.of_name(owner.account, owner.user.id, owner.name)
    return [token.state for token in found]


def opens(store: Store, secret: Secret, at: int = NOON) -> bool:
    return verify_token(store, secret.reveal(), at) is not None


def hers(program: Program, verb: str, *options: str, stdin: str = "") -> Done:
    return program("token", verb, "-u", "jane@example.com", *options, stdin=stdin)
