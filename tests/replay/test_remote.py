"""Logs that lie elsewhere are read as if they lay here."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.errors import InputMissingError, UnavailableError
from notifycli.events.event import Event
from notifycli.replay import sources
from notifycli.replay.scan import read_events
from notifycli.replay.sources import BadLines, Inputs, find_remote, shown
from tests.conftest import Notifycli, Program

EVENT = b'{"event":"presence_update","user":{"id":%d},"created_at":1772532000}\n'
CREATED = b'{"event":"conversation_created","account":{"id":1},"id":%d,"inbox_id":3}\n'
ZSTD = "backports.zstd" if sys.version_info < (3, 14) else "compression.zstd"


def read(*files: str) -> tuple[list[Event], list[str]]:
    told: list[str] = []
    return list(read_events(Inputs(files, lambda: 0), BadLines(told.append))), told


@pytest.fixture(autouse=True)
def _store_in_memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take `memory://`, which fsspec has for tests, for an object store."""
    monkeypatch.setattr(sources, "_SCHEMES", ("s3", "https", "http", "memory", "nowhere"))
    yield
    fsspec.filesystem("memory").store.clear()


def put(path: str, data: bytes) -> None:
    with fsspec.open(f"memory://{path}", "wb") as file:
        file.write(data)


@given(st.lists(st.sampled_from([EVENT % 7, EVENT % 8, b"no JSON\n"]), min_size=1, max_size=9))
def test_a_file_elsewhere_gives_the_events_and_faults_of_the_same_one_here(
    tmp_path: Path, lines: list[bytes]
) -> None:
    zstd = __import__(ZSTD, fromlist=["compress"])
    data = (EVENT % 9) + b"".join(lines)
    for suffix, compress in (("", bytes), (".gz", gzip.compress), (".zst", zstd.compress)):
        here = tmp_path / f"log{suffix}"
        here.write_bytes(compress(data))
        put(f"desk/log{suffix}", compress(data))
        events, told = read(str(here))
        there = f"memory://desk/log{suffix}"
        assert read(there) == (events, [fault.replace(str(here), there) for fault in told])


def test_wildcards_stand_for_the_files_of_such_names_in_their_order(desk: Notifycli) -> None:
    for day in (2, 1, 3):
        put(f"desk/2026-03-0{day}.jsonl", CREATED % day)
    put("desk/other.txt", CREATED % 4)
    desk.ok("prefs", "set", "email.created=on", "-u", "7")
    named = [f"memory://desk/2026-03-0{day}.jsonl" for day in (1, 2, 3)]
    expected = desk.ok("simulate", *named).records
    assert [one["file"] for one in expected] == named
    # In memory, a path begins with a slash.
    found = desk.ok("simulate", "memory://desk/2026-*.jsonl").stdout
    assert found.replace(b"memory:///", b"memory://") == desk.ok("simulate", *named).stdout
    assert "file" not in desk.ok("simulate", "memory://desk/2026-*3.jsonl").records[0]
    assert desk("simulate", "memory://desk/z*").status == 66


def test_a_decision_names_its_log_without_what_lets_one_in(desk: Notifycli) -> None:
    for number, name in enumerate(("one?signature=secret", "two"), 1):
        put(f"desk/{name}", CREATED % number)
    desk.ok("prefs", "set", "email.created=on", "-u", "7")
    found = desk.ok("simulate", "memory://desk/one?signature=secret", "memory://desk/two").records
    assert [one["file"] for one in found] == ["memory://desk/one", "memory://desk/two"]


def test_what_cannot_be_read_says_so_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    put("desk/broken.gz", gzip.compress(EVENT % 7)[:-9])
    with pytest.raises(InputMissingError, match=r"memory://desk/none: there is no such file"):
        read("memory://desk/none")
    with pytest.raises(InputMissingError, match=r"memory://desk/z\*: no file has such a name"):
        find_remote("memory://desk/z*")
    _, told = read("memory://desk/broken.gz")
    assert told[-1].startswith("memory://desk/broken.gz:2: damaged gzip data")
    with pytest.raises(InputMissingError, match=r"nowhere://desk/log: Protocol not known"):
        read("nowhere://desk/log")
    monkeypatch.setitem(sys.modules, "fsspec.core", None)
    with pytest.raises(UnavailableError, match="needs what isn't installed") as raised:
        read("memory://desk/log")
    assert raised.value.hint == "pip install 'notifycli[remote]'"


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://logs/2026/*.gz", "s3://logs/2026/*.gz"),
        ("https://jane:secret@desk.example.com/log", "https://desk.example.com/log"),
        ("https://logs.example.com/a.gz?X-Amz-Signature=secret", "https://logs.example.com/a.gz"),
    ],
)
def test_an_address_is_shown_without_what_lets_one_in(address: str, expected: str) -> None:
    assert shown(address) == expected


class Handler(SimpleHTTPRequestHandler):
    """A web server that tells nothing."""

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_a_web_server_that_does_not_answer_is_a_service_that_is_not_there(desk: Notifycli) -> None:
    with socket.socket() as taken:  # it has the port, and doesn't listen
        taken.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{taken.getsockname()[1]}"
        done = desk("simulate", f"http://{place}/day.jsonl?signature=secret")
    assert (done.status, done.stderr) == (
        69,
        (
            f"error: http://{place}/day.jsonl: Cannot connect to host {place} ssl:default "
            f"[Connect call failed {('127.0.0.1', int(place.partition(':')[2]))}]\n"
            "  check the address, and whether its server answers\n"
        ),
    )


def test_a_file_that_a_web_server_has_not_got_is_missing(desk: Notifycli, tmp_path: Path) -> None:
    with web_server(tmp_path) as address:
        done = desk("simulate", f"{address}/none.jsonl")
    told = f"error: {address}/none.jsonl: there is no such file\n  check the address\n"
    assert (done.status, done.stderr) == (66, told)


def test_a_log_behind_a_web_server_is_replayed(program: Program, tmp_path: Path) -> None:
    (tmp_path / "log.gz").write_bytes(gzip.compress(EVENT % 7 + b"no JSON\n"))
    with web_server(tmp_path) as url:
        done = program.shell(f"notifycli simulate '{url}/log.gz?signature=secret' --summary")
        gone = program.shell(f"notifycli simulate '{url}/none?signature=secret'")
    assert (done.status, done.stdout) == (65, b"")
    assert f"{url}/log.gz:2: no JSON object" in done.stderr
    assert gone.status == 66
    assert f"{url}/none: there is no such file" in gone.stderr
    assert "secret" not in done.stderr + gone.stderr


@pytest.fixture
def object_store(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a store that speaks S3, on loopback, with two files in it."""
    import s3fs  # noqa: PLC0415 - of the group `slow`
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    files = s3fs.S3FileSystem(skip_instance_cache=True)
    files.mkdir("logs")
    for number in (1, 2):
        files.pipe(f"logs/day-{number}.jsonl.gz", gzip.compress(EVENT % number + b"no JSON\n"))
    yield
    server.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # those of botocore and of moto are theirs
@pytest.mark.usefixtures("object_store")
def test_logs_in_an_object_store_are_replayed_with_wildcards(program: Program) -> None:
    done = program.shell("notifycli simulate 's3://logs/day-*.gz' --summary")
    gone = program.shell("notifycli simulate s3://logs/none")
    elsewhere = program.shell("notifycli simulate s3://nowhere/none")
    assert done.status == 65
    assert "s3://logs/day-1.jsonl.gz:2: no JSON object" in done.stderr
    assert "s3://logs/day-2.jsonl.gz:2: no JSON object" in done.stderr
    assert (gone.status, elsewhere.status) == (66, 66)
    assert "s3://logs/none: there is no such file" in gone.stderr
