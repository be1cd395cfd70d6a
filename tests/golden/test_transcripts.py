"""What commands print over `examples/`, to the byte, in every format.

A transcript (`*.txt`) is a session at a desk: after each line `$ notifycli …` stands what it
prints, standard error after standard output, each of its lines marked, and a status that isn't 0.
`night.jsonl` is the end of the day. `-o *` runs a command in every format.
A long answer is its beginning, its length and its digest.

Where output changes on purpose: `pytest tests/golden --regenerate`, then read the difference.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from notifycli.cli.command import FORMATS
from notifycli.cli.times import day_of, now
from notifycli.events.timestamps import SECOND
from tests.conftest import Notifycli, Vault

_HERE = Path(__file__).parent
_EXAMPLES = _HERE.parents[1] / "examples"
_PROMPT = "$ notifycli "
_LONG, _BEGINNING = 12, 3
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?")
_YEARS = re.compile(r"in \d\d years")
"""Until a day in 2099: there are fewer next year."""
_SECRET = re.compile(r"nct_\w{20,}|\b[\w-]{87}\b|…\w{4}\b")
"""A token, the public half of a key for Web Push, the end of a masked token."""


@pytest.mark.parametrize("transcript", sorted(_HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_the_program_prints_what_the_transcript_says(
    transcript: Path, notifycli: Notifycli, vault: Vault, request: pytest.FixtureRequest
) -> None:
    assert vault.path.exists()
    (notifycli.folder / "examples").symlink_to(_EXAMPLES)
    day = (_EXAMPLES / "day.jsonl").read_bytes().splitlines(keepends=True)
    notifycli.write("night.jsonl", b"".join(day[-40:]))
    expected = transcript.read_text(encoding="utf-8")

    answer = "".join(_replay(notifycli, expected))

    if request.config.getoption("--regenerate"):
        transcript.write_text(answer, encoding="utf-8")
    assert answer == transcript.read_text(encoding="utf-8")


def _replay(notifycli: Notifycli, transcript: str) -> Iterator[str]:
    for command in transcript.splitlines():
        if command.startswith(_PROMPT):
            yield f"{command}\n"
            for form in FORMATS if command.endswith(" -o *") else [""]:
                yield f"-- {form}\n" if form else ""
                yield from _answer(notifycli, command.removeprefix(_PROMPT).replace("*", form))
            yield "\n"


def _answer(notifycli: Notifycli, command: str) -> Iterator[str]:
    words, _, file = command.partition(" < ")
    stdin = (notifycli.folder / file).read_bytes() if file else b""
    result = notifycli(*shlex.split(words), stdin=stdin)
    stdout = _mask(result.stdout.decode(), notifycli)
    lines = stdout.splitlines(keepends=True)
    if len(lines) > _LONG:
        digest = sha256(stdout.encode()).hexdigest()[:16]
        lines[_BEGINNING:] = [f"… {len(lines)} lines, SHA-256 {digest}…\n"]
    yield from lines
    if lines and not lines[-1].endswith("\n"):
        yield "␄\n"
    yield from (f"! {line}\n" for line in _mask(result.stderr, notifycli).splitlines())
    if result.status:
        yield f"= {result.status}\n"


def _mask(text: str, notifycli: Notifycli) -> str:
    """Put signs in the place of what every run has of its own."""
    for folder, sign in (notifycli.folder.parent, "DESK"), (_EXAMPLES.parent, "CHECKOUT"):
        text = text.replace(str(folder), sign)
    for day in day_of(now() - 300 * SECOND), day_of(now()):
        text = text.replace(day, "TODAY")
    text = _YEARS.sub("in 99 years", text)
    text = _SECRET.sub(lambda secret: "*" * len(secret[0]), text)
    return _TIME.sub(_mask_now, text)


def _mask_now(time: re.Match[str]) -> str:
    at = datetime.fromisoformat(time[0]).replace(tzinfo=UTC)
    is_now = abs(datetime.now(UTC) - at) < timedelta(minutes=5)
    return re.sub(r"\d", "9", time[0]) if is_now else time[0]
