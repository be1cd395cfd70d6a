"""What `packaging/` holds: units that systemd understands, and an image whose steps can be run."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Notifycli, needs_package

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
UNITS = sorted((PACKAGING / "systemd").glob("*.service"))
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


def steps() -> list[tuple[str, str]]:
    """The steps of the image: an instruction and what it is given."""
    text = (PACKAGING / "container" / "Containerfile").read_text()
    lines = (line.partition(" ") for line in text.splitlines() if line[:1] not in ("", "#"))
    return [(instruction, given) for instruction, _, given in lines]


def step(wanted: str) -> Any:
    """The one step of a kind that is written as JSON."""
    [given] = [given.removeprefix("CMD ") for name, given in steps() if name == wanted]
    return json.loads(given)


def commands() -> Iterator[tuple[str, list[str]]]:
    for unit in UNITS:
        [command] = re.findall(r"^ExecStart=\S+ (.*)$", unit.read_text(), flags=re.MULTILINE)
        yield unit.stem, command.split()
    yield "image", step("CMD")
    compose = yaml.safe_load((PACKAGING / "container" / "compose.yaml").read_text())
    yield "compose", compose["services"]["serve"]["command"]
    for number, line in enumerate((PACKAGING / "cron" / "notifycli").read_text().splitlines()):
        _, ours, command = line.partition(" /usr/local/bin/notifycli ")
        if ours:
            yield f"cron {number}", shlex.split(command.partition(" >")[0])


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_its_command_is_one_of_ours(notifycli: Notifycli, name: str, command: list[str]) -> None:
    told = notifycli.ok(*command, "--help").stdout.decode()
    assert all(option in told for option in command if option.startswith("-")), name


def test_the_image_is_built_of_all_that_a_wheel_needs_and_the_lock_file() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    sent = {line[1:].partition("/")[0] for line in lines} - {""}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [*wheel["packages"], *wheel["force-include"], *wheel["shared-data"]]
    needed += ["pyproject.toml", "LICENSE", project["project"]["readme"]]
    needed += ["packaging/requirements.lock"]
    assert {place.partition("/")[0] for place in needed} == sent


@pytest.mark.slow
def test_the_steps_of_the_image_end_in_a_server_that_is_ready(tmp_path: Path, port: int) -> None:
    """They are run in a folder instead of a container: no daemon is needed."""
    for entry in (ROOT / ".dockerignore").read_text().splitlines()[1:]:
        place, copy = ROOT / entry[1:], tmp_path / "source" / entry[1:]
        copy.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir():
            shutil.copytree(place, copy, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(place, copy)

    def here(text: str) -> str:
        text = re.sub("/(source|opt/notifycli|var/lib|run/secrets)", rf"{tmp_path}/\1", text)
        return text.replace("8787", str(port)).replace(" -o 10001 -g 10001", "")

    environment = {"NOTIFYCLI_LISTEN_SECRET": "s" * 32}
    (tmp_path / "run" / "secrets").mkdir(parents=True)
    passphrase = tmp_path / "run" / "secrets" / "notifycli-passphrase"
    passphrase.write_text("correct horse battery staple\n")
    passphrase.chmod(0o400)
    for name, given in steps():
        if name == "RUN":
            command = here(given).replace("python -m venv", f"{sys.executable} -m venv")
            subprocess.run(["sh", "-ec", command], check=True, capture_output=True)
        elif name == "ENV":
            variable, _, value = here(given).partition("=")
            environment[variable] = value
    arguments = [here(one) for one in (*step("ENTRYPOINT"), *step("CMD"), "--port", str(port))]
    with subprocess.Popen(
        ["/usr/bin/env", *arguments], env=environment, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stderr is not None
            told = [server.stderr.readline()]
            while "receiving events" not in told[-1]:
                assert told[-1], told
                told.append(server.stderr.readline())
            check = ["/usr/bin/env", *map(here, step("HEALTHCHECK"))]
            assert subprocess.run(check, check=False, env=environment).returncode == 0
        finally:
            server.terminate()
    assert server.wait() == 0
