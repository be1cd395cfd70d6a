"""The guide's examples are run, in their order, and print what it says they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from notifycli.cli.main import NOUNS
from scripts.write_picture import PICTURE, draw

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"^```console\n(.*?)^```", re.DOTALL | re.MULTILINE)


def test_the_guides_examples_print_what_it_says(tmp_path: Path) -> None:
    environment = {
        "HOME": str(tmp_path),
        "NOTIFYCLI_DB": str(tmp_path / "readme.db"),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "LC_ALL": "C.UTF-8",
    }

    def played(command: str) -> str:
        done = subprocess.run(
            ["bash", "-c", f"set -o pipefail; {command}"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return f"$ {command}\n{done.stdout}"

    text = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    blocks = BLOCK.findall(text)
    commands = [re.findall(r"^\$ (.*)$", block, re.MULTILINE) for block in blocks]
    assert blocks == ["".join(map(played, block)) for block in commands]


def test_the_picture_is_what_the_program_prints() -> None:
    words = re.compile(r">([^<>]+)</text>")
    assert words.findall(draw()) == words.findall(PICTURE.read_text(encoding="utf-8"))


def test_the_readme_leads_to_files_that_are_there() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\((.*?)\)", text)
    found = [
        re.fullmatch(r"https://[^/]+/notifycli/notifycli/(?:blob/)?main/(.+)", link)
        for link in links
    ]
    assert [link for link, match in zip(links, found, strict=True) if match is None] == []
    assert [match[1] for match in found if match and not (ROOT / match[1]).is_file()] == []


def test_the_readme_names_commands_that_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = re.findall(r"^notifycli (\w+)", text, re.MULTILINE)
    assert named
    assert set(named) <= NOUNS.keys()
