"""Files, folders and archives of events: the same events, whatever they are in."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import shlex
import subprocess
import tarfile
import threading
import time
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.errors import InputMissingError
from notifycli.events.event import Event
from notifycli.replay.scan import read_events
from notifycli.replay.sources import BadLines, Inputs, total_size
from tests.conftest import Notifycli
from tests.events.bodies import BODIES, CONVERSATION, MESSAGE
from tests.replay.containers import CONTAINERS, Container, json_lines, laid_out, zipped

Json = dict[str, Any]
TWO = [{**CONVERSATION, "event": "conversation_created"}, MESSAGE]


def no_stdin() -> int:
    raise AssertionError("standard input is not asked for")


def read(*files: Path | str) -> tuple[list[Event], list[str]]:
    """The events of files, and what is told of them."""
    told: list[str] = []
    inputs = Inputs(tuple(map(str, files)), no_stdin)
    return list(read_events(inputs, BadLines(told.append))), told


def read_pipe(data: bytes) -> tuple[list[Event], list[str]]:
    """The same, through standard input, by small pieces."""
    reading, writing = os.pipe()

    def write() -> None:
        with os.fdopen(writing, "wb", buffering=0) as pipe:
            for at in range(0, len(data), 700):
                pipe.write(data[at : at + 700])

    thread = threading.Thread(target=write)
    thread.start()
    told: list[str] = []
    try:
        inputs = Inputs(("-",), lambda: reading)
        return list(read_events(inputs, BadLines(told.append))), told
    finally:
        thread.join()
        os.close(reading)


def facts(events: list[Event]) -> list[Event]:
    """Events without their place in a file."""
    for event in events:
        event.line = 0
    return events


every_container = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)


@every_container
@settings(max_examples=8)
@given(bodies=st.lists(st.sampled_from(BODIES), min_size=1, max_size=4))
def test_what_events_are_in_makes_no_difference(
    tmp_path_factory: pytest.TempPathFactory, container: Container, bodies: list[Json]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    plain, other = folder / f"plain-{os.getpid()}", folder / f"other-{os.getpid()}"
    plain.write_bytes(json_lines(bodies))
    other.write_bytes(container(bodies))
    events, told = read(other)
    assert told == []
    assert without_digests(facts(events)) == without_digests(facts(read(plain)[0]))


def without_digests(events: list[Event]) -> list[Event]:
    """Laid out in another way, a body is no longer the same to the letter."""
    for event in events:
        event.digest = None
    return events


@every_container
def test_a_pipe_is_read_as_the_file_is(tmp_path: Path, container: Container) -> None:
    data = container(BODIES)
    (tmp_path / "file").write_bytes(data)
    assert read_pipe(data) == read(tmp_path / "file")


@every_container
def test_the_same_is_decided(desk: Notifycli, container: Container) -> None:
    desk.write("plain", json_lines(TWO))
    desk.write("other", container(TWO))
    plain, other = (desk.ok("simulate", name, "--explain") for name in ("plain", "other"))
    lines = [{**one, "line": 0} for one in plain.records]
    assert [{**one, "line": 0} for one in other.records] == lines
    assert lines
    assert other.stderr == plain.stderr


@pytest.fixture
def desk(notifycli: Notifycli) -> Notifycli:
    users = [{"id": 2, "email": "gil@desk.example"}, {"id": 3, "email": "ari@desk.example"}]
    inboxes = [{"id": 4, "members": [2, 3]}]
    document = json.dumps({"users": users, "inboxes": inboxes})
    notifycli.ok("directory", "import", "-", stdin=document.encode())
    notifycli.ok("prefs", "set", "email.*=on", "audio=all", "--default")
    return notifycli


def test_a_folder_is_read_by_name_with_the_folders_in_it(tmp_path: Path) -> None:
    (tmp_path / "2026" / "03").mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for name, data in {
        "2026/03/b.json": laid_out([{**MESSAGE, "id": 2}]),
        "2026/03/a.zip": zipped([{**MESSAGE, "id": 1}]),
        "a.jsonl": json_lines([{**MESSAGE, "id": 0}]) + b"hello\n",
        "README.txt": b"The hooks of March\n",
        "table.csv": b"id,name\n1,x\n",
        ".events.jsonl.deliveries": b"7 x\n",
        ".git/a.json": json_lines([MESSAGE]),
        "empty": b"",
    }.items():
        (tmp_path / name).write_bytes(data)
    events, told = read(tmp_path)
    assert [(event.message.id, event.line) for event in events if event.message] == [
        (0, 1),
        (1, 1),
        (2, 1),
    ]
    fault = "no JSON object: JSON is malformed: invalid character (byte 0)"
    assert told == [
        f"{tmp_path}/README.txt: passed over: there is no JSON in it",
        f"{tmp_path}/a.jsonl:2: {fault}",
        f"{tmp_path}/table.csv: passed over: CSV, not JSON",
    ]
    assert total_size([str(tmp_path)]) == sum(
        path.stat().st_size
        for path in tmp_path.rglob("*")
        if path.is_file() and "/." not in str(path)
    )


def test_faults_are_told_with_their_lines_wherever_they_are(tmp_path: Path) -> None:
    bad: Json = {"event": "conversation_created"}
    files = {
        "a.json": json.dumps([MESSAGE, bad], indent=1).encode(),
        "b.zip": zipped([bad], ("note.txt", b"hello")),
        "c.log": b"INFO started\nINFO " + json_lines([bad]),
        "c2.log": json_lines([{"no": 1}, MESSAGE]).replace(b"\n", b" "),
        "c3.log": b"got "
        + json_lines([MESSAGE]).strip()
        + b' and {"event":"conversation_created",',
        "d.jsonl": json_lines([{"Records": [{"body": bad}, {"body": MESSAGE}, {"body": bad}]}]),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    events, told = read(*(tmp_path / name for name in files))
    assert [event.name for event in events] == ["message_created"] * 4
    line = json.dumps([MESSAGE, bad], indent=1).split('"conversation_created"')[0].count("\n")
    fault = "conversation_created that names no conversation"
    assert told == [
        f"{tmp_path}/a.json:{line}: {fault}",
        f"{tmp_path}/b.zip/note.txt: passed over: there is no JSON in it",
        f"{tmp_path}/b.zip/log/000.json:1: {fault}",
        f"{tmp_path}/c.log:1: no JSON object: JSON is malformed: invalid character (byte 0)",
        f"{tmp_path}/c.log:2: {fault}",
        f'{tmp_path}/c2.log:1: no "event" with the name of what happened',
        f"{tmp_path}/c3.log:1: no JSON object: Input data was truncated",
        f"{tmp_path}/d.jsonl:1: {fault}",
        f"{tmp_path}/d.jsonl:1: {fault}",
    ]


LATE = [
    ("after lines of text", b"GET /health 200 ok\n" * 5000),
    ("after lines with as many commas", b"GET /health, 200, ok\n" * 5000),
]


@pytest.mark.parametrize("before", [row[1] for row in LATE], ids=[row[0] for row in LATE])
def test_bodies_laid_out_late_are_read(tmp_path: Path, before: bytes) -> None:
    (tmp_path / "a.log").write_bytes(before + b"got: " + laid_out(TWO) + b"\nGET /\n")
    events, told = read(tmp_path / "a.log")
    lines = 1 + laid_out(TWO[:1]).count(b"\n") + 1
    assert [event.line for event in events] == [5001, 5000 + lines]
    assert len(told) == 20


@pytest.mark.parametrize("before", [row[1] for row in LATE], ids=[row[0] for row in LATE])
def test_an_event_that_comes_late_in_one_of_several_files_is_read(
    tmp_path: Path, before: bytes
) -> None:
    late = before + b"got " + json_lines([{**MESSAGE, "id": 1}])
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(late))
    (tmp_path / "b.zip").write_bytes(zipped([{**MESSAGE, "id": 2}], ("a.log", late)))
    (tmp_path / "c.log").write_bytes(late)
    events, told = read(tmp_path)
    ids = [(event.message.id, event.line) for event in events if event.message]
    assert ids == [(1, 5001), (1, 5001), (2, 1), (1, 5001)]
    assert told[0].startswith(f"{tmp_path}/a.log.gz:1: no JSON object")
    assert read_pipe((tmp_path / "b.zip").read_bytes())[0] == events[1:3]


@pytest.mark.parametrize(
    ("files", "told"),
    [
        pytest.param({}, "a folder of 0 files", id="an empty folder"),
        pytest.param({"a.txt": b"x"}, "a folder of 1 file", id="a folder of something else"),
    ],
)
def test_a_folder_without_events_is_a_fault(
    tmp_path: Path, files: dict[str, bytes], told: str
) -> None:
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(InputMissingError, match=f"{told}, none of which holds events"):
        read(tmp_path)


def test_an_archive_without_events_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(zipped([], ("a.xml", b"<?xml?>"), ("b.xml", b"<?xml?>")))
    assert read(tmp_path / "a.xlsx")[1] == [
        f"{tmp_path}/a.xlsx/a.xml: passed over: XML or HTML, not JSON",
        f"{tmp_path}/a.xlsx/b.xml: passed over: XML or HTML, not JSON",
        f"{tmp_path}/a.xlsx: a zip archive of 2 files, none of which holds events",
    ]


MEND = (
    "; nothing of it is read from there on: if it is still being written, read it once it is "
    "whole, else copy it anew"
)
CUT = f"damaged gzip data: it ends before its end is marked{MEND}"


def numbered(first: int, count: int) -> bytes:
    return json_lines([{**MESSAGE, "id": first + number} for number in range(count)])


def ids_of(events: list[Event]) -> list[int | None]:
    return [event.message.id for event in events if event.message]


def test_what_is_damaged_is_named_and_all_that_is_sound_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped([MESSAGE])[:-30])
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(numbered(10, 3))[:-8])
    (tmp_path / "c.jsonl.gz").write_bytes(b"\x1f\x8bjunk..")
    (tmp_path / "d.jsonl").write_bytes(numbered(20, 2))
    names = "a.zip", "b.jsonl.gz", "c.jsonl.gz", "d.jsonl"
    for files in ([tmp_path], [tmp_path / name for name in names]):
        events, told = read(*files)
        assert ids_of(events) == [10, 11, 12, 20, 21]
        assert told == [
            f"{tmp_path}/a.zip: damaged zip data: File is not a zip file{MEND}",
            f"{tmp_path}/b.jsonl.gz:4: {CUT}",
            (
                f"{tmp_path}/c.jsonl.gz:1: damaged gzip data: "
                f"Error -3 while decompressing data: unknown compression method{MEND}"
            ),
        ]


def test_of_a_zip_archive_with_a_damaged_file_the_others_are_read(tmp_path: Path) -> None:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.jsonl", numbered(111, 1))
        archive.writestr("b.jsonl", numbered(222, 2))
    (tmp_path / "a.zip").write_bytes(held.getvalue().replace(b"111", b"112"))
    events, told = read(tmp_path / "a.zip")
    fault = "damaged zip data: a.jsonl: Bad CRC-32 for file 'a.jsonl'"
    assert (ids_of(events), told) == ([222, 223], [f"{tmp_path}/a.zip/a.jsonl:1: {fault}{MEND}"])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="none: No such file"):
        read(tmp_path / "none")


def csv_of(separator: str) -> bytes:
    rows = [["id", "event", "payload"]]
    rows += [["1", str(b["event"]), '"' + json.dumps(b).replace('"', '""') + '"'] for b in TWO]
    return "".join(separator.join(row) + "\n" for row in rows).encode()


def csv_with_headers() -> bytes:
    """A table with other objects, and a separator in a cell, before the bodies."""
    held = io.StringIO()
    rows = [["1", "Lane, Kit, Ms", '{"host":"a"}', json.dumps(body)] for body in TWO]
    csv.writer(held).writerows([["id", "name", "headers", "body"], *rows])
    return held.getvalue().encode()


def worker_log(key: str, symbol: str) -> bytes:
    """What Chatwoot's worker logs of the webhooks that it sends."""
    job = "I, [2026-03-03T10:00:00.1 #5] INFO -- : Performing WebhookJob with arguments: "
    lines = [job.replace("Webhook", "Event") + '"conversation.created", {}']
    for body in TWO:
        text = re.sub('"([a-z_]+)": ', lambda found: symbol.format(found[1]), json.dumps(body))
        text = text.replace(
            '"2026-03-03T10:00:00Z"', "Tue, 03 Mar 2026 10:00:00.000000000 UTC +00:00"
        )
        inbox = "#<GlobalID:0x00007f @uri=#<URI::GID gid://chatwoot/ContactInbox/69>>"
        more = f"{symbol.format('contact_inbox')}{inbox}, {key.format('referer')}nil, "
        lines.append(f'{job}"https://desk.example", {{{more}{text[1:]}, :account_webhook')
    return "\n".join(lines).replace("null", "nil").encode()


def tar_of(*options: str) -> bytes:
    Path("one.json").write_bytes(laid_out(TWO))
    return subprocess.run(
        ["tar", *options, "-cf", "-", "one.json"], check=True, capture_output=True
    ).stdout


NAMED = [
    pytest.param(lambda: csv_of(","), "CSV, not JSON, with the bodies in column 3", id="CSV"),
    pytest.param(lambda: csv_of(";"), "CSV, not JSON, with the bodies in column 3", id="CSV, ;"),
    pytest.param(lambda: csv_of("\t"), "CSV, not JSON, with the bodies in column 3", id="TSV"),
    pytest.param(csv_with_headers, "CSV, not JSON, with the bodies in column 4", id="CSV, headers"),
    pytest.param(
        lambda: "".join(f"{body!r}\n" for body in TWO).encode(),
        "Python's notation, not JSON",
        id="Python",
    ),
    pytest.param(
        lambda: json_lines(TWO).replace(b'": ', b'"=>').replace(b"null", b"nil"),
        "Ruby's notation, not JSON",
        id="Ruby",
    ),
    pytest.param(
        lambda: b"started, on 3000\n" + b"".join(f"INFO [a] got: {b!r} ok\n".encode() for b in TWO),
        "Python's notation, not JSON",
        id="Python, in a log",
    ),
    pytest.param(
        lambda: worker_log('"{}" => ', ":{}=>"), "Ruby's notation, not JSON", id="a worker's log"
    ),
    pytest.param(
        lambda: worker_log('"{}" => ', "{}: "), "Ruby's notation, not JSON", id="… of newer Rubies"
    ),
    pytest.param(
        lambda: json_lines(TWO).decode().encode("utf-16-le"),
        "UTF-16 that doesn't begin with its mark",
        id="UTF-16",
    ),
    pytest.param(
        lambda: json.dumps(TWO).encode("utf-16-le"),
        "UTF-16 that doesn't begin with its mark",
        id="UTF-16, an array",
    ),
    pytest.param(
        lambda: laid_out(TWO).decode().encode("utf-16-be"),
        "UTF-16 that doesn't begin with its mark",
        id="UTF-16, the other way round",
    ),
    pytest.param(tar_of, "a tar archive", id="tar"),
    pytest.param(lambda: tar_of("-z"), "a tar archive", id="tar.gz"),
]


@pytest.mark.parametrize(("make", "name"), NAMED)
def test_what_is_no_json_is_named_with_the_command_that_works(
    desk: Notifycli, make: Any, name: str
) -> None:
    desk.write("it's", make())
    refused = desk("simulate", "it's")
    told, command = refused.stderr.split("\n")[0].split("; try: ")
    assert (refused.status, refused.stdout) == (65, b"")
    assert told == f"it's: {name}"
    assert refused.stderr.split("\n")[1] == "1 file passed over; everything else was read"
    convert, _, verb = command.rpartition(" | ")
    readable = subprocess.run(["sh", "-c", convert], check=True, capture_output=True).stdout
    tried, plain = (desk.ok("simulate", stdin=data) for data in (readable, json_lines(TWO)))
    assert verb == "notifycli simulate -"
    assert len(tried.records) == len(plain.records)


REPEATED = [
    ("deliver day.tar --dry-run -u ari@desk.example", "deliver - --dry-run -u ari@desk.example"),
    ("why -u ari@desk.example day.tar --since 2026-03-01", None),
    ("events pack day.tar -o 'my week.facts'", "events pack - -o 'my week.facts'"),
    ("directory learn day.tar", "directory learn -"),
    ("--db other.db -a 1 simulate more.jsonl day.tar --channel email", None),
    ("simulate --db=other.db --summary day.tar", "simulate --db=other.db --summary -"),
    ("chatwoot compare day.tar --notifications none.jsonl -a1", None),
]


@pytest.mark.parametrize("typed", [row[0] for row in REPEATED])
def test_a_suggested_command_repeats_what_was_typed(desk: Notifycli, typed: str) -> None:
    desk.write("day.tar", tar_of())
    desk.write_events("more.jsonl", [])
    desk.write_events("none.jsonl", [])
    suggested = dict(REPEATED)[typed] or typed.replace("day.tar", "-")
    refused = desk(*shlex.split(typed))
    told = f"day.tar: a tar archive; try: tar xOf day.tar | notifycli {suggested}\n"
    assert (refused.status, told in refused.stderr) == (65, True)


def test_a_suggested_command_of_piped_data_repeats_what_was_typed(desk: Notifycli) -> None:
    refused = desk("why", "-u", "ari@desk.example", stdin=tar_of())
    told = "<stdin>: a tar archive; try: tar xOf FILE | notifycli why -u ari@desk.example\n"
    assert (refused.status, told in refused.stderr) == (65, True)


def test_a_suggested_command_about_another_noun_is_about_the_same_store(desk: Notifycli) -> None:
    desk.write("desk.json", b'{\n "users": [],\n')
    refused = desk("simulate", "desk.json", "--db", "other.db")
    told = "try: notifycli --db other.db directory import desk.json\n"
    assert (refused.status, told in refused.stderr) == (65, True)


def test_what_signs_an_address_is_in_no_suggested_command(desk: Notifycli) -> None:
    desk.write("day.tar", tar_of())
    refused = desk("simulate", "day.tar", "http://127.0.0.1:9/x?signature=secret")
    told = (
        "day.tar: a tar archive; try: tar xOf day.tar | notifycli simulate - http://127.0.0.1:9/x\n"
    )
    assert (told in refused.stderr, "secret" in refused.stderr) == (True, False)


OTHERS = [
    (b"7z\xbc\xaf\x27\x1c....", "a 7-Zip archive; try: 7z x -so FILE | notifycli simulate"),
    (gzip.compress(zipped(TWO)), "a zip archive, packed once more: unpack it first"),
    (b"SQLite format 3\0....", "an SQLite database; try: sqlite3 FILE 'select COLUMN from TABLE'"),
    (b"\x04\x22\x4d\x18....", "lz4 data; try: lz4 -dc FILE | notifycli simulate"),
    (b"<!DOCTYPE html>\n<p>", "XML or HTML, not JSON"),
    (b"event: message_created\nid: 4\n", "YAML, not JSON; try: yq -o=json -I=0 FILE"),
    (
        b"- event: message_created\n  id: 4\n",
        (
            "YAML, not JSON; try: yq -o=json -I=0 FILE | notifycli simulate, "
            "or with Debian's yq: yq -c . FILE | notifycli simulate"
        ),
    ),
    (b"body: { event: 'message_created', id: 7 }\n", "JavaScript's notation, not JSON: let"),
    (b"__CURSOR=s=1\n", "journald's export format; try: journalctl -o json"),
    (b"got {\n  event: 'message_created',\n  id: 4\n}\n", "JavaScript's notation, not JSON: let"),
    (b'array(2) {\n  ["event"]=>\n  string(15) "x"\n', "PHP's notation, not JSON: let"),
    (b"Array\n(\n    [event] => message_created\n", "PHP's notation, not JSON: let"),
    (b"got map[event:message_created id:4]\n", "Go's notation, not JSON: let"),
    (b"\0\x01\x02\n", "binary data, not JSON"),
    (b"name,email\nJane,j@x\n", "CSV, not JSON"),
    (b'{\n "users": [],\n', "a directory, not events; try: notifycli directory import FILE"),
    *(
        (data, "preferences, not events; try: notifycli prefs import FILE")
        for data in (
            b"account,layer,user,inbox,key,value\n1,lock,,,email.created,off\n",
            b'sep=;\nKey;"Value";User\nemail.created;off;7\n',
            b"# ours\n\n[default]\n",
            b'[users."jane@example.com".inbox.3]\naudio = "all"\n',
            b'{\n  "default": {},\n  "lock": {"audio": "all"}\n}\n',
            b'{"users": {"7": {"audio": "all"}}}\n',
        )
    ),
]


@pytest.mark.parametrize(("data", "told"), OTHERS, ids=[repr(data[:4]) for data, _ in OTHERS])
def test_what_can_not_be_read_says_what_it_is(data: bytes, told: str) -> None:
    events, (fault,) = read_pipe(data)
    assert events == []
    assert fault.startswith(f"<stdin>: {told}")


PIECE = json.dumps({**MESSAGE, "content": "x" * 20_000})[: 1 << 14]
CUT_UP = [
    ("Kubernetes", f"2026-03-03T12:00:00.1Z stdout P {PIECE}"),
    ("Docker", json.dumps({"log": PIECE, "stream": "stdout"}, separators=(",", ":"))),
]


@pytest.mark.parametrize("line", [one[1] for one in CUT_UP], ids=[one[0] for one in CUT_UP])
def test_a_piece_of_a_line_is_named_as_one_with_what_joins_it(line: str) -> None:
    events, (fault,) = read_pipe(f"{line}\n".encode() + json_lines([MESSAGE]))
    assert [event.line for event in events] == [2]
    assert fault == (
        "<stdin>:1: a piece of a line, cut by what ran the container; "
        "docker logs and kubectl logs join it"
    )


def test_a_log_that_begins_with_other_lines_is_read_all_the_same() -> None:
    banner = b"Started, listening on 3000, ready\nevent: none, yet, x\n"
    events, told = read_pipe(banner + b"hook: " + json_lines([MESSAGE]))
    assert [event.line for event in events] == [3]
    assert len(told) == 2


def test_a_line_over_16_mib_is_a_bad_line_and_not_memory(tmp_path: Path) -> None:
    long = tmp_path / "long.jsonl"
    with long.open("wb") as file:
        file.write(json_lines([MESSAGE]))
        file.write(b'{"event":"message_created","content":"')
        for _ in range(40):
            file.write(b"x" * (1 << 20))
        file.write(b'"}\n' + json_lines([MESSAGE]))
    tracemalloc.start()
    events, told = read(long)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [event.line for event in events] == [1, 3]
    assert told == [f"{long}:2: a line over 16 MiB"]
    assert peak < 24 << 20


def test_a_file_given_up_takes_nothing_from_the_next_one(tmp_path: Path) -> None:
    """Its decompression goes on for a moment; a pipe may have its descriptor's number by then."""
    other = tmp_path / "other.tar.gz"
    noise = tarfile.TarInfo("noise")
    noise.size = 1 << 20
    with tarfile.open(other, "w:gz") as archive:
        archive.addfile(noise, io.BytesIO(os.urandom(noise.size)))
    arrived = []
    for _ in range(40):
        told = read(other)[1]
        receiver, sender = os.pipe()
        os.write(sender, b"ours")
        os.close(sender)
        with open(receiver, "rb") as pipe:  # noqa: PTH123 - a descriptor
            time.sleep(0.001)
            arrived.append((told, pipe.read()))
    assert (
        arrived
        == [([f"{other}: a tar archive; try: tar xOf {other} | notifycli simulate"], b"ours")] * 40
    )
