"""The units of systemd: it understands each line of them, and finds little left to harden."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Program, needs_package

UNITS = sorted((Path(__file__).parents[2] / "packaging" / "systemd").glob("*.service"))
WITHOUT = shutil.which("systemd-analyze") is None


@pytest.mark.skipif(WITHOUT, reason=needs_package("systemd"))
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_a_unit_is_understood(unit: Path, tmp_path: Path) -> None:
    # The program is where the tests' is.
    text = unit.read_text().replace("/usr/local/bin/notifycli", sys.executable)
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"^Documentation=.*\n", "", text, flags=re.MULTILINE))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(copy)],
        capture_output=True,
        text=True,
        check=False,
    )
    told = [line for line in done.stderr.splitlines() if unit.name in line]
    assert (done.returncode, told) == (0, [])


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_its_command_is_one_of_ours(unit: Path, program: Program) -> None:
    [command] = re.findall(r"^ExecStart=\S+ (.*)$", unit.read_text(), flags=re.MULTILINE)
    done = subprocess.run(
        program.command(*command.split(), "--help"), capture_output=True, check=False
    )
    assert done.returncode == 0
