"""Text that may be shown: without what a terminal could take as a command."""

from __future__ import annotations

_SPACES = frozenset("\N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{IDEOGRAPHIC SPACE}")
_JOINERS = frozenset("\N{SOFT HYPHEN}\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}")
"""Persian names and emoji are written with them."""
_ALSO = _SPACES | _JOINERS
"""What `str.isprintable` takes for no part of a text, and is."""


def is_printable(text: str) -> bool:
    """Whether a text may be shown."""
    return text.isprintable() or all(char.isprintable() or char in _ALSO for char in text)


def printable(text: str, by: str = "\N{REPLACEMENT CHARACTER}") -> str:
    """Return the text with something in the place of each character that may not be shown."""
    if text.isprintable():
        return text
    return "".join(char if is_printable(char) else by for char in text)


def shown_name(name: str | None) -> str:
    """Return a name as it may be shown: one that comes from elsewhere can't be mended here."""
    text = name or ""
    return text if is_printable(text) else " ".join(printable(text, " ").split())
