"""Named sets of preferences, kept in the store beside those that come with the product."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from notifycli.errors import NotPermittedError, UsageError
from notifycli.rules.preferences import BUILTIN_PRESETS, nearest

if TYPE_CHECKING:
    from notifycli.store.store import Database


class Preset(Struct):
    """A preset, as listed."""

    name: str
    builtin: bool
    keys: int
    """How many preferences it sets."""


class Presets:
    """The presets of one store. Names are told apart without regard to case."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Preset]:
        """Return the built-in ones, then the others by name."""
        builtin = [Preset(name, True, len(values)) for name, values in BUILTIN_PRESETS.items()]
        with self._database.errors():
            rows = self._database.execute(
                "SELECT name, count(*) FROM preset GROUP BY name ORDER BY name"
            ).fetchall()
        return builtin + [Preset(name, False, count) for name, count in rows]

    def values(self, name: str) -> Mapping[str, str]:
        """Return full keys and values. Raises `UsageError` for a preset that doesn't exist."""
        if name.lower() in BUILTIN_PRESETS:
            return BUILTIN_PRESETS[name.lower()]
        with self._database.errors():
            rows = self._database.execute(
                "SELECT key, value FROM preset WHERE name = ? ORDER BY key", (name,)
            ).fetchall()
        if not rows:
            names = tuple(preset.name for preset in self.all())
            near = nearest(name, names)
            hint = f"did you mean {near}?" if near else f"there are: {', '.join(names)}"
            raise UsageError(f"there is no preset {name!r}", hint)
        return dict(rows)

    def save(self, name: str, values: Mapping[str, str], *, replace: bool) -> None:
        """Keep a preset. Raises `UsageError` if there is one, unless it is to be replaced."""
        self._refuse_builtin(name)
        with self._database.transaction():
            deleted = self._database.execute("DELETE FROM preset WHERE name = ?", (name,))
            if deleted.rowcount and not replace:
                raise UsageError(f"there is a preset {name!r} already", "replace it: --replace")
            self._database.executemany(
                "INSERT INTO preset VALUES (?, ?, ?)",
                ((name, key, value) for key, value in values.items()),
            )

    def remove(self, name: str) -> None:
        """Forget a preset; what it has set stays. Raises `UsageError` if there is none."""
        self._refuse_builtin(name)
        self.values(name)
        with self._database.transaction():
            self._database.execute("DELETE FROM preset WHERE name = ?", (name,))

    def _refuse_builtin(self, name: str) -> None:
        if name.lower() in BUILTIN_PRESETS:
            raise NotPermittedError(
                f"the preset {name.lower()} comes with the program and can't be changed",
                "save one of another name",
            )
