"""Tones of one's own: sound files that are kept in the store, by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifycli.errors import NotPermittedError, UsageError
from notifycli.rules.preferences import TONES, UNTIL, nearest

if TYPE_CHECKING:
    from notifycli.store.store import Database

_NAMING = """
SELECT count(*) FROM (
  SELECT value FROM account_preference WHERE key = 'audio.tone'
   UNION ALL SELECT value FROM user_preference WHERE key = 'audio.tone'
   UNION ALL SELECT value FROM preset WHERE key = 'audio.tone') named
 WHERE value = ? OR value LIKE ?
"""


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


def unknown_tone(name: str, own: list[str]) -> UsageError:
    """Make the error of a tone that there isn't."""
    known = (*TONES, *own)
    near = nearest(name, known)
    adding = f"; add it: notifycli audio add {name}" if name.endswith(".wav") else ""
    hint = f"did you mean {near}?" if near else f"there are: {', '.join(known)}{adding}"
    return UsageError(f"there is no tone {name!r}", hint)
