"""Documentation can't lie: the reference is what the program says of itself."""

from __future__ import annotations

from scripts.write_reference import TARGET, reference


def test_the_reference_is_what_the_program_says_of_itself() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run: make format"
