"""Access tokens on record: never a token itself, only its digest, its mask and its dates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from notifycli.errors import TryAgainError

if TYPE_CHECKING:
    from notifycli.store.store import Database

NOBODY = 0
"""The token id under which `note_use` records that a token was refused."""


class TokenState(StrEnum):
    """What the store knows of a token; whether it has expired is for its reader to see."""

    PENDING = "pending"
    """Not valid yet: its secret may or may not be in the keychain."""
    ACTIVE = "active"
    """The current one of its user and name; there is at most one."""
    ROTATED = "rotated"
    """Replaced by another, and valid until it expires."""
    REVOKED = "revoked"
    """Not valid any more."""


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A token on record. Times are microseconds since 1970 UTC.

    `secret_name` is its name in the keychain, which begins with the keychain's kind and a colon;
    `secret_kept` is false only if the keychain is known not to hold it.
    """

    id: int = NOBODY
    account_id: int
    user_id: int
    name: str
    secret_name: str
    digest: str
    masked: str
    label: str = ""
    made_elsewhere: bool = False
    created_at: int
    expires_at: int | None = None
    last_used_at: int | None = None
    state: TokenState = TokenState.PENDING
    secret_kept: bool = True

    def has_expired(self, now: int) -> bool:
        """Whether its time is over, whatever its state."""
        return self.expires_at is not None and self.expires_at <= now

    def valid(self, now: int) -> bool:
        """Whether it opens anything."""
        live = self.state in (TokenState.ACTIVE, TokenState.ROTATED)
        return live and not self.has_expired(now)


_STORED = tuple(f for f in Token.__struct_fields__ if f not in ("id", "last_used_at"))
_FIELDS = ("id", *_STORED, "last_used_at")
_SELECT = (
    f"SELECT {', '.join(_FIELDS[:-1])}, (SELECT at FROM token_use WHERE token_id = token.id)"
    " FROM token"
)
_LIVE = "state IN ('active', 'rotated')"
"""As the partial index `token_live_digest` has it, or SQLite wouldn't use that."""
_LATEST = "ON CONFLICT (token_id) DO UPDATE SET at = excluded.at"


class Tokens:
    """What is read of the tokens in a store, and the notes that leave no trace in the history."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Token]:
        """Return every token on record, ended ones too, by account, user, name and age."""
        return list(self._read("ORDER BY account_id, user_id, name, id"))

    def of_account(self, account: int, users: Iterable[int] | None = None) -> list[Token]:
        """Return an account's tokens in the order of `all`, of these users or of everybody."""
        chosen = None if users is None else set(users)
        found = self._read("WHERE account_id = ? ORDER BY user_id, name, id", account)
        return [token for token in found if chosen is None or token.user_id in chosen]

    def of_name(self, account: int, user: int, name: str) -> list[Token]:
        """Return all tokens that a user has or had under a name, the oldest first."""
        where = "WHERE account_id = ? AND user_id = ? AND name = ? ORDER BY id"
        return list(self._read(where, account, user, name))

    def with_digest(self, digest: str) -> Token | None:
        """Return the active or rotated token with this digest; it may have expired."""
        return next(self._read(f"WHERE digest = ? AND {_LIVE}", digest), None)

    def was_revoked_here(self, digest: str) -> bool:
        """Tell whether a token with this digest was made here and revoked."""
        where = "WHERE digest = ? AND state = 'revoked' AND made_elsewhere = 0 LIMIT 1"
        return any(self._read(where, digest))

    def find_revoked(self, account: int, user: int, name: str) -> Token | None:
        """Return the last token of a user and name that was valid until somebody ended it.

        What the doctor ends is none: it had been lost before.
        """
        where = (
            "WHERE account_id = ? AND user_id = ? AND name = ? AND state = 'revoked' AND id IN"
            " (SELECT t.token_id FROM token_change t JOIN change c ON c.id = t.change_id"
            " WHERE t.new = 'revoked' AND t.old IN ('active', 'rotated') AND c.command <> 'doctor')"
            " ORDER BY id DESC LIMIT 1"
        )
        return next(self._read(where, account, user, name), None)

    def leftovers(self) -> list[str]:
        """Return the names of secrets, tokens and addresses, that went with their users."""
        with self._database.errors():
            rows = self._database.execute("SELECT secret_name FROM token_leftover ORDER BY 1")
            return [name for (name,) in rows]

    def note_use(self, token_id: int, at: int) -> None:
        """Record when a token was last used, or with `NOBODY` when one was last refused.

        Both cost the same, to the page: a refusal must not be told by its time.
        """
        with self._database.transaction():
            self._database.execute(
                f"INSERT INTO token_use (token_id, at) VALUES (?, ?) {_LATEST}", (token_id, at)
            )

    def note_uses(self, uses: Mapping[int, int]) -> None:
        """Record when each of several tokens was last used, by id; `NOBODY` as in `note_use`.

        Those that have gone meanwhile are passed over.
        """
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO token_use (token_id, at) SELECT :id, :at"
                f" WHERE :id = 0 OR EXISTS (SELECT 1 FROM token WHERE id = :id) {_LATEST}",
                ({"id": token_id, "at": at} for token_id, at in uses.items()),
            )

    def note_forgotten(self, secret_name: str) -> None:
        """Record that the keychain doesn't hold this secret any more."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE token SET secret_kept = 0 WHERE secret_name = ?", (secret_name,)
            )
            self._database.execute(
                "DELETE FROM token_leftover WHERE secret_name = ?", (secret_name,)
            )

    def _read(self, where: str, *parameters: object) -> Iterator[Token]:
        with self._database.errors():
            yield from map(_token, self._database.execute(f"{_SELECT} {where}", parameters))


class TokenChanges:
    """What a change of the store does to the tokens of its account, and the trace of it."""

    def __init__(self, database: Database, account: int) -> None:
        self._database = database
        self._account = account
        self._traces: list[tuple[int, int, str, str, str | None, str]] = []

    def __len__(self) -> int:
        """How many tokens have changed their state."""
        return len(self._traces)

    def add(self, token: Token) -> Token:
        """Put a token on record as pending; gives it with its id."""
        columns, marks = ", ".join(_STORED), ", ".join("?" * len(_STORED))
        cells = (getattr(token, field) for field in _STORED)
        self._database.execute(
            f"INSERT INTO token ({columns}) VALUES ({marks})",
            [int(cell) if isinstance(cell, bool) else cell for cell in cells],
        )
        (id_,) = self._database.execute(
            "SELECT id FROM token WHERE secret_name = ?", (token.secret_name,)
        ).fetchone()
        added = msgspec.structs.replace(token, id=id_)
        self._trace(added, None, TokenState.PENDING)
        return added

    def activate(self, token: Token, replaces: int | None, valid_until: int | None) -> list[Token]:
        """Make a pending token its name's current one, in the place of the token `replaces`.

        That one stays valid until `valid_until`, if it is given and it doesn't expire before; what
        else was valid under the name ends at once. Gives what has ended.

        Raises `TryAgainError` if the current one is another by now, or `token` isn't pending.
        """
        of_name = list(self._read("user_id = ? AND name = ?", token.user_id, token.name))
        current = next((t.id for t in of_name if t.state is TokenState.ACTIVE), None)
        still_pending = any(t.id == token.id and t.state is TokenState.PENDING for t in of_name)
        if current != replaces or not still_pending:
            raise TryAgainError(
                "another process has changed this token meanwhile",
                "see what it is: notifycli token list",
            )
        ended = []
        for old in of_name:
            if old.id == replaces and valid_until is not None:
                until = valid_until if old.expires_at is None else min(old.expires_at, valid_until)
                self._set_state(old, TokenState.ROTATED)
                self._database.execute(
                    "UPDATE token SET expires_at = ? WHERE id = ?", (until, old.id)
                )
            elif old.state in (TokenState.ACTIVE, TokenState.ROTATED):
                ended.append(self._set_state(old, TokenState.REVOKED))
        self._set_state(token, TokenState.ACTIVE)
        return ended

    def revoke(self, tokens: Iterable[Token]) -> list[Token]:
        """End tokens, for good; gives those that hadn't ended yet."""
        ids = {token.id for token in tokens}
        open_ = [t for t in self._read("state <> 'revoked'") if t.id in ids]
        return [self._set_state(token, TokenState.REVOKED) for token in open_]

    def revoke_of_user(self, user: int) -> None:
        """End all tokens of a user who is about to be removed."""
        self.revoke(list(self._read("user_id = ?", user)))

    def record(self, change_id: int) -> None:
        """Write the trace of all that differs."""
        self._database.executemany(
            "INSERT INTO token_change VALUES (?, ?, ?, ?, ?, ?, ?)",
            ((change_id, *trace) for trace in self._traces),
        )

    def _set_state(self, token: Token, state: TokenState) -> Token:
        self._database.execute("UPDATE token SET state = ? WHERE id = ?", (state, token.id))
        self._trace(token, token.state, state)
        return msgspec.structs.replace(token, state=state)

    def _trace(self, token: Token, old: TokenState | None, new: TokenState) -> None:
        self._traces.append((token.user_id, token.id, token.name, token.masked, old, new))

    def _read(self, where: str, *parameters: object) -> list[Token]:
        sql = f"{_SELECT} WHERE account_id = ? AND {where} ORDER BY id"
        return list(map(_token, self._database.execute(sql, (self._account, *parameters))))


def _token(row: tuple[Any, ...]) -> Token:
    return msgspec.convert(dict(zip(_FIELDS, row, strict=True)), Token, strict=False)
