"""The replay on a cluster comes to what `simulate` comes to, to the byte."""

from __future__ import annotations

import gzip
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from benchmarks.desk import Json, Size
from benchmarks.traffic import MODELS, write_traffic
from notifycli.rules.directory import Inbox, User
from notifycli.rules.preferences import Layer
from notifycli.store.store import open_store
from notifycli.store.transaction import Entry, Target

pytestmark = pytest.mark.slow
SPARK = Path(__file__).parents[2] / "notifycli" / "spark.py"
BIN = Path(sys.executable).parent
ACCOUNTS = 40
HUGE = 1
"""The account that most events are of."""
SHARED_FROM = 2000
LOOPBACK = {"SPARK_LOCAL_IP": "127.0.0.1", "NO_COLOR": "1", "PYSPARK_PYTHON": sys.executable}
SETTINGS = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.ui.enabled": "false",
}
_TIME_TO_START = 120
_EVENTS = 9000
_SIZE = Size(8, 3, 0, 8)


def write_desk(folder: Path, events: int) -> tuple[Path, list[Path]]:
    """Write a store of 40 accounts and the logs of their traffic, which is as messy as it gets."""
    store = folder / "store.db"
    with open_store(store) as opened:
        for account in range(1, ACCOUNTS):  # the last one is known from events alone
            with opened.change(account, "tests", "tests") as change:
                agents = [User(n, f"agent{n}@{account}.example.com") for n in range(1, 8)]
                change.put_users(agents)
                change.put_inbox(Inbox(1, "Website", tuple(range(1, 6))))
                change.set(
                    Entry(Target(Layer.USER, 1 + n % 7), key, value)
                    for n in range(account % 5 + 1)
                    for key, value in {
                        "email.assigned_conversation_new_message": "on",
                        "push.conversation_creation": "on",
                        "email.conversation_mention": "on",
                        "audio": "all",
                    }.items()
                )
    traffic = write_traffic(folder / "all", events, MODELS["burst"], _SIZE)
    lines = list(_messy(traffic.read_bytes().splitlines()))
    traffic.unlink()
    first, second = len(lines) * 7 // 10, len(lines) * 9 // 10
    logs = [folder / name for name in ("a.jsonl", "b.jsonl.gz", "c.jsonl")]
    logs[0].write_bytes(b"\n".join(lines[:first]) + b"\n")
    logs[1].write_bytes(gzip.compress(b"\n".join(lines[first:second]), 1))
    logs[2].write_bytes(b"\n".join(lines[second:]))
    return store, logs


def _messy(lines: Sequence[bytes]) -> Iterator[bytes]:
    chance = random.Random(4)  # noqa: S311 - the same logs each time
    for line in lines:
        body: Json = json.loads(line)
        account = HUGE if chance.random() < 0.6 else chance.randint(2, ACCOUNTS)
        for place in (body, body.get("conversation", {}), body.get("sender", {})):
            if "account" in place or place is body:
                place["account"] = {"id": account}
        if chance.random() < 0.2:
            body.pop("created_at", None)
        if chance.random() < 0.05:
            presence = {"id": chance.randint(1, 9), "type": "user"}
            yield json.dumps(
                {"event": "presence_update", "account": {"id": account}, "user": presence}
            ).encode()
        if chance.random() < 0.01:
            yield chance.choice([b"no JSON", b"", b'{"event": 3}', b'{"event":"account.odd"}'])
        yield json.dumps(body).encode()
        if chance.random() < 0.03:
            yield json.dumps(body).encode()


def simulate(
    store: Path, logs: Sequence[Path | str], *options: str
) -> tuple[bytes, list[str], int]:
    """Replay on this machine; returns what is printed, on both streams, and the exit status."""
    done = subprocess.run(
        [BIN / "notifycli", "--db", store, "simulate", *logs, "-o", "jsonl", *options],
        capture_output=True,
        check=False,
    )
    return done.stdout, done.stderr.decode().splitlines(), done.returncode


def submit(
    store: Path, logs: Sequence[Path], out: Path, *options: str, master: str = "local[2]"
) -> subprocess.Popen[str]:
    """Replay on Spark."""
    conf = [word for name, value in SETTINGS.items() for word in ("--conf", f"{name}={value}")]
    command = [str(BIN / "spark-submit"), "--master", master, *conf]
    own = ["--db", store, "--huge", str(SHARED_FROM), *options, "--out", out, *logs]
    return subprocess.Popen(
        [*command, str(SPARK), *map(str, own)],
        stdout=subprocess.PIPE,  # where spark-submit writes what its script says on either stream
        stderr=subprocess.STDOUT,
        env=_environment(),
        text=True,
    )


def parquet_lines(out: Path) -> list[bytes]:
    """Return decisions as JSON Lines, sorted."""
    from pyarrow import parquet  # noqa: PLC0415 - a slow test's alone

    rows = parquet.read_table(out).to_pylist()
    return sorted(json.dumps(row, separators=(",", ":")).encode() for row in rows)


def text_of(out: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(out.glob("part-*")))


def check(process: subprocess.Popen[str], told: list[str], status: int) -> None:
    """Look whether it says, in that order, what `simulate` said, and ends as it did."""
    errors, _ = process.communicate(timeout=400)
    assert process.returncode == status, errors[-3000:]
    look_for(told, errors)


def look_for(told: list[str], errors: str) -> None:
    """Look for what `simulate` said: Spark has a progress bar, and says what it has lost."""
    place = 0
    for line in told:
        place = errors.find(line, place)
        assert place >= 0, (line, errors[-3000:])


def _environment() -> dict[str, str]:
    return {**os.environ, **LOOPBACK, "PATH": f"{BIN}:{os.environ['PATH']}"}


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a master and two workers on loopback; gives the master's address, and the latter."""
    home = subprocess.check_output(
        [sys.executable, "-c", "import os, pyspark; print(os.path.dirname(pyspark.__file__))"],
        text=True,
    ).strip()
    started: list[subprocess.Popen[bytes]] = []

    def start(log: str, *words: str) -> subprocess.Popen[bytes]:
        with (folder / log).open("wb") as file:
            process = subprocess.Popen(
                [f"{home}/bin/spark-class", *words],
                stderr=file,
                env={**_environment(), "SPARK_HOME": home},
                start_new_session=True,  # so that its executors end with it
            )
        started.append(process)
        return process

    where = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
    deploy = "org.apache.spark.deploy"
    try:
        start("master", f"{deploy}.master.Master", *where)
        url = wait_for(folder / "master", r"Starting Spark master at (spark://\S+)")
        workers = []
        for name in ("one", "two"):
            own = ("--cores", "1", "--memory", "1g", "--work-dir", str(folder / name))
            workers.append(start(f"{name}.log", f"{deploy}.worker.Worker", *where, *own, url))
            wait_for(folder / f"{name}.log", r"(Successfully registered) with master")
        yield url, workers
    finally:
        for process in started:
            kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a process and those it has started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_for(log: Path, pattern: str) -> str:
    """Return what a log says once it says it."""
    end = time.monotonic() + _TIME_TO_START
    while time.monotonic() < end:
        if log.exists() and (found := re.search(pattern, log.read_text(errors="replace"))):
            return found[1]
        time.sleep(0.1)
    raise AssertionError(f"{log} never said {pattern}")


def test_a_cluster_comes_to_the_same_also_if_a_worker_is_killed(tmp_path: Path) -> None:
    store, logs = write_desk(tmp_path, _EVENTS)
    expected, told, status = simulate(store, logs, "--summary")
    decisions, *_ = simulate(store, logs, "--set", "email.created=on", "--diff")
    with cluster(tmp_path) as (master, (doomed, _)):
        counted = submit(store, logs, tmp_path / "counted", "--summary", master=master)
        wait_for_any(tmp_path / "one", r"(Finished) task \S+ in stage 0")
        kill(doomed)
        check(counted, told, status)
        assert text_of(tmp_path / "counted") == expected
        out, options = tmp_path / "changed", ("--set", "email.created=on", "--diff")
        changed = submit(store, logs, out, "--decisions", *options, master=master)
        changed.communicate(timeout=400)
    assert parquet_lines(out) == sorted(map(_plain, decisions.splitlines()))


def wait_for_any(folder: Path, pattern: str) -> None:
    """Wait until an executor of a worker has said something."""
    end = time.monotonic() + _TIME_TO_START
    while time.monotonic() < end:
        for log in folder.glob("app-*/*/stderr"):
            if re.search(pattern, log.read_text(errors="replace")):
                return
        time.sleep(0.05)
    raise AssertionError(f"no executor in {folder} said {pattern}")


def _plain(line: bytes) -> bytes:
    return json.dumps(json.loads(line), separators=(",", ":")).encode()


RULES = ("--rules", "chatwoot@4.12")
SET = ("--set", "email.created=on")
LOW = ("--huge", "40")
"""So that most accounts are shared out by conversation."""
MINUTES = ("--since", "2026-03-03T12:02Z", "--until", "2026-03-03T12:06Z")
ASKED = [
    ("--summary",),
    ("--summary", *RULES, "--channel", "email", *LOW),
    ("--summary", "--prefs", "{prefs}", "--diff", *LOW),
    ("--summary", "--set", "3:audio=none", "--diff", "-a", "1"),
    ("--summary", "--conversation", "7", "--conversation", "999999", *LOW),
    ("--summary", "-u", "1", "-a", "1", "--inbox", "1", *MINUTES),
    ("--decisions", "--explain", *LOW),
    ("--decisions", "--type", "conversation_creation", "--type", "new_message"),
    ("--decisions", "--explain", "--set", "3:audio=mine", "-a", "1", *LOW),
    ("--decisions", "--explain", "--diff", *RULES, *SET, *LOW),
]
DRIVER = """
import json, sys
from typer.main import get_command
from notifycli import spark
from notifycli.cli.main import run
for line in sys.stdin:
    status = run(json.loads(line), get_command(spark.app))
    print(f"ended with {status}", file=sys.stderr, flush=True)
"""


@pytest.fixture
def buckets(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Run a store that speaks S3, on loopback."""
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
    yield s3fs.S3FileSystem(skip_instance_cache=True)
    server.stop()


def drive(said: Path, asked: Sequence[Sequence[Path | str]]) -> list[tuple[int, str]]:
    """Ask Spark one after the other, in one session; gives each status and what was said."""
    conf = " ".join(f"--conf {name}={value}" for name, value in SETTINGS.items())
    with said.open("wb") as file:
        subprocess.run(
            [sys.executable, "-c", DRIVER],
            input="".join(json.dumps([*map(str, words)]) + "\n" for words in asked).encode(),
            stderr=file,
            env={
                **_environment(),
                "PYSPARK_SUBMIT_ARGS": f"--master local[2] {conf} pyspark-shell",
            },
            check=True,
        )
    each = re.split(r"ended with (\d+)\n", said.read_text())
    return list(zip(map(int, each[1::2]), each[::2], strict=False))


@pytest.mark.filterwarnings("ignore")  # those of botocore and of moto are theirs
def test_whatever_is_asked_of_spark_comes_out_as_on_one_machine(
    tmp_path: Path, buckets: Any
) -> None:
    store, logs = write_desk(tmp_path, 600)
    prefs = tmp_path / "prefs.csv"
    prefs.write_text("user,key,value\n1,push.conversation_creation,off\n1,audio,mine\n")
    buckets.mkdir("logs")
    for log in logs:
        buckets.put(str(log), f"logs/{log.name}")
    rows: list[tuple[tuple[str, ...], Sequence[Path | str]]] = [(one, logs) for one in ASKED]
    named_there = [f"s3://logs/{log.name}" for log in logs]
    rows += [(("--summary", *LOW), ["s3://logs/*"]), (("--decisions",), named_there)]
    expected = []
    asked: list[list[Path | str]] = []
    for number, (options, places) in enumerate(rows):
        named = [one.format(prefs=prefs) for one in options]
        out = tmp_path / f"out-{number}"
        asked.append(["--db", store, *named, "--out", out, *places])
        local = [one for one in named if one not in {"--decisions", *LOW}]
        expected.append(simulate(store, places, *local))
    for number, (status, said) in enumerate(drive(tmp_path / "said", asked)):
        printed, told, ended = expected[number]
        assert status == ended, said[-3000:]
        look_for(told, said)
        out = tmp_path / f"out-{number}"
        if "--summary" in rows[number][0]:
            assert text_of(out) == printed
        else:
            assert parquet_lines(out) == sorted(map(_plain, printed.splitlines()))
        assert printed or "no difference" in told, rows[number]
