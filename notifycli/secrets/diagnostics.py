"""What a part of the vault tells a doctor about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Health:
    """One finding, without any secret in it.

    `name` is what answers (`gnome-keyring`'s class, `copykitten`), `where` the place it stands for
    (a path, a display), `meaning` a sentence for a person, `hint` what to type; "" if nothing.
    """

    name: str
    where: str
    works: bool
    meaning: str
    hint: str = ""
