"""What is generated is what the program would generate now."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from scripts.write_completions import completions
from scripts.write_manual import TARGET as MANUAL
from scripts.write_manual import manual
from scripts.write_reference import TARGET, reference
from tests.conftest import needs_package


def test_the_reference_is_what_the_program_says_of_itself() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run: make format"


def test_the_manual_page_is_what_the_program_says_of_itself() -> None:
    assert MANUAL.read_text(encoding="utf-8") == manual(), "run: make format"


def test_the_completion_scripts_are_the_ones_that_the_program_prints() -> None:
    committed = {path: path.read_text(encoding="utf-8") for path in completions()}

    assert committed == completions(), "run: make format"


@pytest.mark.parametrize(
    ("command", "package"),
    [
        (["groff", "-ww", "-man", "-Tutf8"], "groff-base"),
        (["man", "--warnings", "--local-file"], "man-db"),
    ],
)
def test_the_manual_page_renders_without_a_warning(command: list[str], package: str) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(needs_package(package))

    shown = subprocess.run(
        [*command, MANUAL],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert not shown.stderr
    assert "notifycli prefs set" in shown.stdout
