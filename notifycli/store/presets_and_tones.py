"""Presets and tones of one's own: sets of preferences, and sound files, kept by their names."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from notifycli.errors import NotPermittedError, UsageError
from notifycli.rules.preferences import BUILTIN_PRESETS, TONES, UNTIL, nearest

if TYPE_CHECKING:
    from notifycli.store.store import Database


_NAMING = """
SELECT count(*) FROM (
  SELECT value FROM account_preference WHERE key = 'audio.tone'
   UNION ALL SELECT value FROM user_preference WHERE key = 'audio.tone'
   UNION ALL SELECT value FROM preset WHERE key = 'audio.tone') named
 WHERE value = ? OR value LIKE ?
"""


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


class Tones:
    """The tones of one store, for all its accounts."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def names(self) -> list[str]:
        """Return the names of those that were added, in their order."""
        with self._database.errors():
            return [
                name for (name,) in self._database.execute("SELECT name FROM tone ORDER BY name")
            ]

    def sound(self, name: str) -> bytes | None:
        """Return a WAV file; `None` if there is none of the name."""
        with self._database.errors():
            row = self._database.execute(
                "SELECT sound FROM tone WHERE name = ?", (name,)
            ).fetchone()
        return None if row is None else bytes(row[0])

    def add(self, name: str, sound: bytes, *, replace: bool) -> None:
        """Keep a WAV file. Raises `UsageError` if there is one, unless it is to be replaced."""
        with self._database.transaction():
            deleted = self._database.execute("DELETE FROM tone WHERE name = ?", (name,))
            if deleted.rowcount and not replace:
                raise UsageError(f"there is a tone {name!r} already", "replace it: --replace")
            self._database.execute("INSERT INTO tone VALUES (?, ?)", (name, sound))

    def remove(self, name: str) -> None:
        """Forget a tone. Raises `UsageError` if there is none; where it is set, it stays."""
        if self.sound(name) is None:
            raise unknown_tone(name, self.names())
        with self._database.transaction():
            naming = self._database.execute(_NAMING, (name, f"{name}{UNTIL}%")).fetchone()[0]
            if naming:
                where = (
                    "one preference or preset names"
                    if naming == 1
                    else (f"{naming} preferences and presets name")
                )
                raise NotPermittedError(
                    f"{where} the tone {name!r}",
                    "who hears it: notifycli audio list; "
                    "another one: notifycli prefs set audio.tone=bell -u USER",
                )
            self._database.execute("DELETE FROM tone WHERE name = ?", (name,))


def unknown_tone(name: str, own: list[str], add: str = "add it") -> UsageError:
    """Make the error of a tone that there isn't; `add` is how one is added."""
    known = (*TONES, *own)
    near = nearest(name, known)
    adding = f"; {add}: notifycli audio add {shlex.quote(name)}" if name.endswith(".wav") else ""
    hint = f"did you mean {near}?" if near else f"there are: {', '.join(known)}{adding}"
    return UsageError(f"there is no tone {name!r}", hint)
