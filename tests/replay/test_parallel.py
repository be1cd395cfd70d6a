"""Several processes that read one file: what is printed is the same, to the byte."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import zipfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import astuple

from notifycli.errors import DataError, NotifycliError
from notifycli.replay import parallel, sources
from notifycli.replay.parallel import Part, Piece, Whole, read_part, read_piece
from notifycli.replay.scan import read_events
from notifycli.replay.sources import BadLines, Inputs
from tests.conftest import Json, Notifycli, Program

MIB = 1 << 20


def message(number: int, **more: object) -> Json:
    return {
        "event": "message_created",
        "id": number,
        "account": {"id": 1},
        "conversation": {"id": number % 7, "inbox_id": 3, "meta": {"assignee": {"id": 7}}},
        "content": "The parcel is late",
        "message_type": "incoming",
        "created_at": 1_772_539_200 + 40 * number,
        **more,
    }


LINES = st.lists(
    st.sampled_from(
        [
            json.dumps(message(1)).encode(),
            json.dumps(message(2, sender={"id": 7, "type": "user"})).encode(),
            b'{"event":"presence_update","user":{"id":7},"visible":true}',
            b'{"event":"unheard.of"}',
            b'{"event":"message_created","id":[]}',
            b"no JSON",
            b'INFO {"event":"presence_update","user":{"id":7}}',
            b'{"Records":[{"event":"unheard.of"},{"event":"conversation_created"},{"x":1}]}',
            b'{"event":"unheard.of"}{"event":"presence_update","user":{"id":8}},',
            b'{"type":"ping","message":1772532000}',
            b'{"event":"message_created",',
            b"",
            b"  \t",
        ]
    ),
    max_size=30,
)


class Noted(BadLines):
    """Keeps what is reported."""

    def __init__(self) -> None:
        super().__init__(print)
        self.noted: list[tuple[str, str]] = []

    def add(self, place: str, fault: str) -> None:
        self.noted.append((place, fault))

    def refuse(self, file: str, fault: str) -> None:
        self.noted.append((file, fault))

    def pass_over(self, file: str, why: str) -> None:
        self.noted.append((file, why))


class HereAndNow:
    """Readers of this very process."""

    ahead = 3

    def __init__(self, jobs: int) -> None: ...
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def send(self, piece: Piece) -> Callable[[], Part]:
        return partial(read_piece, piece)


def outcome(inputs: Inputs, bad: Noted, jobs: int) -> list[object]:
    """Give the events, and how it ends."""
    found: list[object] = []
    try:
        found += map(astuple, read_events(inputs, bad, jobs=jobs))
    except NotifycliError as error:
        found.append(str(error))
    return found


def zipped(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("events.jsonl", data)
        archive.writestr("read.me", "nothing of the kind")
    return held.getvalue()


FORMS = st.sampled_from(
    [
        bytes,
        gzip.compress,
        bz2.compress,
        zipped,
        lambda data: gzip.compress(data)[:-9],  # breaks off
        lambda data: gzip.compress(gzip.compress(data)),
        lambda data: b"[" + b",".join(filter(None, data.split(b"\n"))) + b"]",
        lambda _: b"%PDF-1.7",
        lambda _: b"",
    ]
)
FILES = st.lists(st.tuples(LINES, FORMS, st.booleans()), min_size=1, max_size=4)


@given(files=FILES, text=st.integers(1, 300), part=st.integers(1, 300))
def test_files_of_any_kind_that_are_cut_anywhere_give_the_same_events_faults_and_end(
    files: list[tuple[list[bytes], Callable[[bytes], bytes], bool]], text: int, part: int
) -> None:
    with TemporaryDirectory() as name, ExitStack() as patches:
        folder = Path(name, "folder")
        folder.mkdir()
        for number, (lines, form, inside) in enumerate(files):
            data = form(b"\n".join([b'{"event":"x"}', *lines]))
            (folder if inside else folder.parent).joinpath(f"{number}.log").write_bytes(data)
        inputs = Inputs((*map(str, sorted(Path(name).iterdir())), "missing"), lambda: 0)
        alone, shared = Noted(), Noted()
        expected = outcome(inputs, alone, 1)

        patches.enter_context(patch.object(sources, "_WORTH_SHARING", 0))
        patches.enter_context(patch.object(sources, "_TEXT", text))
        patches.enter_context(patch.object(parallel, "_PART", part))
        patches.enter_context(patch.object(parallel, "_Readers", HereAndNow))

        assert outcome(inputs, shared, 2) == expected
        assert shared.noted == alone.noted


@given(
    lines=LINES,
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    ending=st.sampled_from([b"", b"\n", b"\r\n"]),
    size=st.integers(1, 400),
)
def test_a_file_that_is_cut_anywhere_is_read_as_the_whole(
    tmp_path_factory: pytest.TempPathFactory,
    lines: list[bytes],
    mark: bytes,
    ending: bytes,
    size: int,
) -> None:
    # How a file is divided is told by its first line, before it is shared out.
    data = mark + b"\n".join([b'{"event":"x"}', *lines]) + ending
    whole, cut = Noted(), Noted()
    file = tmp_path_factory.getbasetemp() / f"cut-{os.getpid()}.jsonl"
    file.write_bytes(data)
    expected = list(read_events(Inputs((str(file),), lambda: 0), whole))

    count = max(1, -(-len(data) // size))
    parts = [
        read_part(io.BytesIO(data), n * size, None if n == count - 1 else (n + 1) * size)
        for n in range(count)
    ]

    together = Whole(str(file), cut)
    assert [event for part in parts for event in together.add(part)] == expected
    assert cut.noted == whole.noted
    assert sum(part.size for part in parts) == len(data)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is large enough to be shared out, with a line that is none near its end."""
    padding = "x" * 4000
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(6000):
            if number == 5990:
                file.write("no JSON\n")
            agent = {"sender": {"id": 7 + number % 2, "type": "user"}} if number % 3 == 0 else {}
            file.write(json.dumps(message(number, padding=padding, **agent)) + "\n")
    assert path.stat().st_size > 20 * MIB
    return path


DESK = {"users": [{"id": 7, "email": "jane@example.com"}, {"id": 8, "email": "omar@example.com"}]}
WAYS = [
    pytest.param([], 65, id="what fires"),
    pytest.param(["--summary"], 65, id="counts"),
    pytest.param(["--strict"], 65, id="up to the first bad line"),
    pytest.param(["--explain", "-u", "7", "--conversation", "3"], 65, id="with the reasons"),
    pytest.param(["-o", "csv", "--until", "2026-03-04"], 65, id="as a table"),
]


@pytest.mark.parametrize(("options", "status"), WAYS)
def test_the_number_of_processes_changes_no_byte(
    notifycli: Notifycli, program: Program, log: Path, options: list[str], status: int
) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.message=on", "audio=assigned", "-u", "7")

    one, three = (program("simulate", str(log), *options, "--jobs", jobs) for jobs in ("1", "3"))

    assert one.status == status
    assert b"jane@example.com" in one.stdout
    assert three == one


def test_several_files_are_shared_out_and_compressed_ones_too(program: Program, log: Path) -> None:
    program("directory", "import", "-", stdin=json.dumps(DESK).encode())
    program("prefs", "set", "email.message=on", "audio=assigned", "-u", "7")
    packed = log.with_suffix(".gz")
    packed.write_bytes(gzip.compress(log.read_bytes(), 1))

    one, three = (program("simulate", str(packed), str(log), "--jobs", jobs) for jobs in ("1", "3"))

    assert one.status == 65
    assert one.stdout.count(b"\n") > 1000
    assert three == one


def test_a_reader_of_the_output_that_goes_away_ends_all_of_them(
    notifycli: Notifycli, program: Program, log: Path
) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.message=on", "audio=all", "-u", "7")
    assert program.shell(f"notifycli simulate {log} --jobs 3 | head -n 1 | wc -l").stdout == b"1\n"


def test_strict_stops_at_the_first_bad_line_of_a_part() -> None:
    part = read_part(io.BytesIO(b'{"event":"x"}\nno\n{"event":"y"}\n'), 0, None)
    events = Whole("log", BadLines(print, strict=True)).add(part)
    assert next(events).name == "x"
    with pytest.raises(DataError, match="log:2: no JSON object"):
        next(events)
