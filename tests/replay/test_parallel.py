"""Several processes that read one file: what is printed is the same, to the byte."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import multiprocessing
import os
import pickle
import socket
import threading
import zipfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from notifycli.cli.replay_run import Run, RunPass
from notifycli.errors import NotifycliError
from notifycli.events.event import Event
from notifycli.replay import parallel, scan, sources
from notifycli.replay.fold import CountingPass
from notifycli.replay.scan import read_events, read_part, start_pass
from notifycli.replay.sources import BadLines, Inputs
from notifycli.rules import layers
from notifycli.rules.decision import Selection
from notifycli.rules.directory import Directory, User
from notifycli.rules.layers import Preferences
from notifycli.rules.replay import Account, Replay
from tests.conftest import Json, Notifycli, Program
from tests.replay.test_fold import decide

MIB = 1 << 20
WISHES = Preferences({}, {}, {}, {"email.assigned_conversation_new_message": "on", "audio": "all"})


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
            json.dumps(message(3), indent=1).encode(),
            b"got: " + json.dumps(message(4), indent="\t").encode() + b",",
            b'{\n "event": "message_created",\n "account": {',
            b'{"ids": [1,\n  2], "event": "unheard.of"}',
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

    def break_off(self, place: str, fault: str) -> None:
        self.noted.append((place, fault))

    def pass_over(self, file: str, why: str) -> None:
        self.noted.append((file, why))


class Threads:
    """Starts threads of this very process as if they were processes: each has a copy of all."""

    Pipe = staticmethod(multiprocessing.Pipe)

    class Process(threading.Thread):
        def __init__(
            self, *, target: object, args: tuple[object, int, parallel.Ends], daemon: bool
        ) -> None:
            assert target is parallel.serve
            one, self.who, ends = args
            self.one: CountingPass[object] = pickle.loads(pickle.dumps(one))  # noqa: S301 - dumped here
            parent, *others = (_copy(end) for end in (ends.parent, *ends.others))
            self.ends = parallel.Ends(parent, others)
            super().__init__(daemon=daemon)

        def run(self) -> None:
            with suppress(EOFError, OSError):
                parallel.work(self.one, self.who, self.ends)
            for end in (self.ends.parent, *self.ends.others):
                with suppress(OSError), socket.socket(fileno=os.dup(end.fileno())) as held:
                    held.shutdown(socket.SHUT_RDWR)

        def terminate(self) -> None: ...


def _copy(end: Connection) -> Connection:
    return Connection(os.dup(end.fileno()))


def outcome(inputs: Inputs, bad: Noted, jobs: int) -> list[object]:
    """Give what a pass makes of the events, what it counts, and how it ends."""
    replay = Replay({1: Account(Directory([User(7, "jane@example.com")]), WISHES)})
    run = Run(replay, Selection(), bad)
    one = RunPass(run, partial(decide, run))
    found: list[object] = []
    try:
        found += start_pass(inputs, bad, one, jobs)(None)
    except NotifycliError as error:
        return [*found, str(error)]
    counts = replay.counts()
    return [*found, run.events, counts.by_user(), counts.held, counts.assumptions]


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


LINKS = st.sampled_from([layers._LINKING, frozenset({"audio"})])  # noqa: SLF001 - to say what it says


@given(FILES, st.integers(1, 300), st.integers(1, 300), st.integers(2, 4), LINKS)
def test_files_of_any_kind_that_are_cut_anywhere_come_to_the_same_faults_and_end(
    files: list[tuple[list[bytes], Callable[[bytes], bytes], bool]],
    text: int,
    part: int,
    jobs: int,
    links: frozenset[str],
) -> None:
    with TemporaryDirectory() as name, ExitStack() as patches:
        folder = Path(name, "folder")
        folder.mkdir()
        for number, (lines, form, inside) in enumerate(files):
            data = form(b"\n".join([b'{"event":"x"}', *lines, *lines[:3]]))
            (folder if inside else folder.parent).joinpath(f"{number}.log").write_bytes(data)
        inputs = Inputs((*map(str, sorted(Path(name).iterdir())), "missing"), lambda: 0)
        alone, shared = Noted(), Noted()
        expected = outcome(inputs, alone, 1)

        patches.enter_context(patch.object(sources, "_WORTH_SHARING", 0))
        patches.enter_context(patch.object(sources, "_TEXT", text))
        patches.enter_context(patch.object(scan, "_PART", part))
        patches.enter_context(patch.object(layers, "_LINKING", links))
        patches.enter_context(patch.object(parallel, "_context", Threads))

        assert outcome(inputs, shared, jobs) == expected
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

    events: list[Event] = []
    lines_before = 0
    for part in parts:
        for fault in part.scanned.faults:
            cut.add(f"{file}:{lines_before + fault.number}", fault.text)
        events += (replace(event, line=event.line + lines_before) for event in part.events)
        lines_before += part.scanned.lines
    assert events == expected
    assert cut.noted == whole.noted
    assert sum(part.scanned.size for part in parts) == len(data)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that is large enough to be shared out, with a line that is none near its end."""
    padding = "x" * 4000
    path = tmp_path_factory.mktemp("log") / "events.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(4500):
            if number == 4490:
                file.write("no JSON\n")
            agent = {"sender": {"id": 7 + number % 2, "type": "user"}} if number % 3 == 0 else {}
            file.write(json.dumps(message(number, padding=padding, **agent)) + "\n")
    assert path.stat().st_size > 17 * MIB
    return path


DESK = {"users": [{"id": 7, "email": "jane@example.com"}, {"id": 8, "email": "omar@example.com"}]}
WAYS = [
    pytest.param(["simulate", "--jobs", "3"], id="what fires"),
    pytest.param(["simulate", "--jobs", "3", "--strict"], id="up to the first bad line"),
    pytest.param(["why", "-u", "7", "--conversation", "3"], id="what is said of one"),
]


@pytest.mark.parametrize("command", WAYS)
def test_the_number_of_processes_changes_no_byte(
    notifycli: Notifycli, program: Program, log: Path, command: list[str]
) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.message=on", "audio=assigned", "-u", "7")
    with_one = {"simulate": ["--jobs", "1"], "why": []}[command[0]]

    several = program(*command, str(log))
    # What is read as it comes is replayed by one process.
    one = program(*command, *with_one, "-", stdin=log.read_bytes())

    assert (one.status, several.status) == (65, 65)
    assert b"jane@example.com" in one.stdout
    assert several.stdout == one.stdout
    assert several.stderr == one.stderr.replace("<stdin>", str(log))


def a_messy_log() -> bytes:
    """A log in which events come twice, have no time or one of before, or are none."""
    lines: list[Json | str] = []
    for number in range(90):
        agent = {"id": 7 + number % 2, "type": "user"}
        lines.append(message(number, **({"sender": agent} if number % 3 == 0 else {})))
        if number % 5 == 0:
            lines.append({**message(number - 4), "created_at": None})
            lines.append({**message(1000 + number), "created_at": 1_772_539_100 + 20 * number})
        if number % 7 == 0:
            typing = {"user": agent, "conversation": {"id": number % 7}}
            lines.append({"event": "conversation_typing_on", **typing})
        if number % 11 == 0:
            change = {"assignee_id": {"previous_value": 8, "current_value": 7}}
            assigned = {"id": number % 7, "inbox_id": 3, "meta": {"assignee": {"id": 7}}}
            update = {"event": "conversation_updated", "changed_attributes": [change], **assigned}
            lines += [update] * 2
        if number % 13 == 0:
            lines += ["no JSON", {"event": f"unheard.of.{number % 3}"}]
        if number % 17 == 0:
            shown = {"visible": number % 2 == 0, "conversation_id": number % 7}
            lines.append({"event": "presence_update", "user": {"id": 8}, **shown})
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    return "\n".join(texts).encode()


EXPECTED = b'{"line":1,"user_id":7,"channel":"audio"}\n{"line":2,"user_id":99}\n'
IN_PROCESS = [
    ["--summary"],
    ["--summary", "-o", "table"],
    ["--explain"],
    ["-o", "csv", "--until", "2026-03-03T13:00Z"],
    ["-o", "table", "-u", "7", "--conversation", "3", "--conversation", "99"],
    ["--set", "inactive_after=1h", "--diff", "--explain"],
    ["--set", "inactive_after=1h", "--diff", "--summary", "-o", "table"],
    ["--rules", "chatwoot@4.16", "--exit-code", "-o", "json"],
    ["--expect", "expected.jsonl"],
    ["--coverage"],
    ["--report", "report.html"],
    ["--set", "audio=assigned", "--diff", "--report", "report.html"],
]


FILES_OF_LOG = ["first.jsonl", "second.jsonl.gz", "third.facts"]


@pytest.mark.parametrize("files", [FILES_OF_LOG, FILES_OF_LOG[:1]], ids=["several", "one"])
@pytest.mark.parametrize("options", IN_PROCESS, ids=" ".join)
def test_however_it_is_shown_it_is_what_one_process_shows(
    notifycli: Notifycli,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    files: list[str],
) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.message=on", "audio=all", "--default")
    log, page = a_messy_log(), folder / "report.html"
    cut = log.index(b"\n", len(log) // 2) + 1
    (folder / "first.jsonl").write_bytes(log[:cut])
    (folder / "second.jsonl.gz").write_bytes(gzip.compress(log[cut:]))
    (folder / "expected.jsonl").write_bytes(EXPECTED)
    notifycli("events", "pack", "first.jsonl", "-o", "third.facts")
    one = notifycli("simulate", *files, *options, "--jobs", "1")
    drawn = page.read_bytes() if page.exists() else b""

    monkeypatch.setattr(sources, "_WORTH_SHARING", 0)
    monkeypatch.setattr(sources, "_TEXT", 3000)
    monkeypatch.setattr(scan, "_PART", 3000)
    monkeypatch.setattr(parallel, "_ANSWER", 300)
    monkeypatch.setattr(parallel, "_context", Threads)

    assert notifycli("simulate", *files, *options, "--jobs", "3") == one
    assert (page.read_bytes() if page.exists() else b"") == drawn
    assert "more than a second older" in one.stderr
    assert "that had come before" in one.stderr


@pytest.mark.slow
def test_where_processes_begin_anew_they_are_given_the_pass(
    notifycli: Notifycli, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notifycli.ok("directory", "import", "-", stdin=json.dumps(DESK).encode())
    notifycli.ok("prefs", "set", "email.message=on", "audio=assigned", "-u", "7")
    monkeypatch.setattr(parallel, "_context", lambda: multiprocessing.get_context("spawn"))

    one, two = (notifycli("simulate", str(log), "--jobs", jobs) for jobs in ("1", "2"))

    assert two == one


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
