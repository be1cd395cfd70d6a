"""`deliver --follow` with a mail server that is dead, refuses the login, and is well again."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Json, Notifycli, lines
from tests.outbox.desk import asked

from .mail_server import PASSWORD, USER, Certificate, Post, serving

_SECONDS = 60
# A server that was dead is asked again after half a second, not ten.
_PROGRAM = """
from notifycli.__main__ import main
from notifycli.delivery import email_channel
assert email_channel._REST_SECONDS
email_channel._REST_SECONDS = 0.5
main()
"""
# A minute is half a second.
_SUMMARIZING = _PROGRAM.replace(
    "main()",
    """
from notifycli.cli.deliver import worker
assert worker.SUMMARY_SECONDS
worker.SUMMARY_SECONDS = 0.5
main()
""",
)
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
# Of a notice, not of a minute, which a busy machine may take.
_OWN_LINE = rf"{_TIME} (?!in the last minute)"
_MAIL = "email.message for jane@example.com, conversation 42"


class Following:
    """A `deliver --follow` in a process of its own, and what it says."""

    def __init__(self, path: Path, *options: str, program: str) -> None:
        self.path = path
        path.touch()
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, "deliver", "--follow", str(path), *options],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        self.told: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as told:
            self.told.extend(line.rstrip("\n") for line in told)

    @property
    def records(self) -> list[Json]:
        """What it has told so far as JSON."""
        return [json.loads(line) for line in [*self.told] if line.startswith("{")]

    def write(self, *events: Json) -> None:
        with self.path.open("ab") as file:
            file.write(lines(events))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(_SECONDS)
        self._reader.join(_SECONDS)
        return status


@contextmanager
def following(path: Path, *options: str, program: str = _PROGRAM) -> Iterator[Following]:
    run = Following(path, *options, program=program)
    try:
        yield run
    finally:
        run.process.kill()
        run.process.wait(_SECONDS)


def eventually(done: Callable[[], object]) -> None:
    until = time.monotonic() + _SECONDS
    while not done():
        assert time.monotonic() < until, "it never came to pass"
        time.sleep(0.05)


@pytest.fixture
def mailed(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    """A desk at which Jane is mailed of messages, by a server of this machine."""
    monkeypatch.setenv("NOTIFYCLI_DB", str(desk.store))
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    desk.ok("config", "set", "smtp.host=127.0.0.1", "smtp.security=plain")
    desk.ok("config", "set", "email.sender=desk@example.com")
    return desk


def test_a_dead_mail_server_is_told_at_once_and_used_again_when_it_lives(
    mailed: Notifycli, tmp_path: Path, port: int
) -> None:
    mailed.ok("config", "set", f"smtp.port={port}")
    why = f"127.0.0.1:{port}: nothing listens there"
    with following(tmp_path / "e.jsonl") as run:
        run.write(asked(100))
        eventually(lambda: why in "".join(run.told))

        def waits() -> bool:  # unless it is just being tried again
            [one] = mailed.ok("deliver", "status").records
            is_one = (one["state"], one["count"]) == ("pending", 1)
            return is_one and bool(one["why"].startswith(why))

        eventually(waits)
        with serving(Post(), port=port) as post:
            eventually(lambda: post.received)
            eventually(lambda: "Z sent by email" in "".join(run.told))
        assert run.stop() == 0
    failed, *_, recovered, sent = [line for line in run.told if re.match(_OWN_LINE, line)]
    assert re.fullmatch(
        rf"{_TIME} not sent by email: {_MAIL}: {re.escape(why)}; .*; tried again at {_TIME}", failed
    )
    assert re.fullmatch(rf"{_TIME} email works again", recovered)
    assert re.fullmatch(rf"{_TIME} sent by email: {_MAIL} \(try \d+\)", sent)


def test_a_refused_login_is_told_and_tried_again_with_what_is_set_then(
    mailed: Notifycli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFYCLI_KEYRING", "file")
    monkeypatch.setenv("NOTIFYCLI_KEYRING_FILE", str(tmp_path / "keychain"))
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse")
    passphrase.chmod(0o600)
    monkeypatch.setenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE", str(passphrase))
    certificate = Certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    mailed.ok("config", "set", "smtp.security=starttls", f"smtp.username={USER}")
    mailed.ok("config", "set", "smtp.password", stdin=b"wrong")
    with serving(Post(), starttls=certificate.context, login=True) as post:
        mailed.ok("config", "set", f"smtp.port={post.port}")
        with following(tmp_path / "e.jsonl", "--log-format", "json") as run:
            run.write(asked(100))
            eventually(lambda: run.told)
            why = f"127.0.0.1:{post.port} refuses the login of {USER}: 535"
            eventually(lambda: mailed.ok("deliver", "status").records[0]["why"].startswith(why))
            mailed.ok("config", "set", "smtp.password", stdin=PASSWORD.encode())
            eventually(lambda: post.received)
            eventually(lambda: "sent" in [one["event"] for one in run.records])
            assert run.stop() == 0
    told = [one for one in run.records if one["event"] != "summary"]  # of a minute
    first, recovered, sent = told[0], *[one for one in told if one["event"] != "unavailable"]
    assert (first["event"], first["channel"]) == ("unavailable", "email")
    assert first["why"].startswith(why)
    assert first["next_at"] > first["at"]
    assert (recovered["event"], recovered["channel"]) == ("recovered", "email")
    assert sent == {
        "at": sent["at"],
        "event": "sent",
        "channel": "email",
        "id": 1,
        "account_id": 1,
        "user_id": 7,
        "email": "jane@example.com",
        "type": "assigned_conversation_new_message",
        "conversation_id": 42,
        "message_id": 100,
        "attempt": 1,
    }
    assert PASSWORD not in "".join(run.told)
    assert "wrong" not in "".join(run.told)


def test_a_port_that_was_wrong_is_looked_up_anew(
    mailed: Notifycli, tmp_path: Path, port: int
) -> None:
    mailed.ok("config", "set", f"smtp.port={port}")
    with serving(Post()) as post, following(tmp_path / "e.jsonl") as run:
        run.write(asked(100))
        eventually(lambda: run.told)
        mailed.ok("config", "set", f"smtp.port={post.port}")
        eventually(lambda: post.received)
        assert run.stop() == 0


@pytest.mark.usefixtures("mailed")
def test_bad_lines_are_counted_each_minute_however_many_there_were_before(
    tmp_path: Path, port: int
) -> None:
    log = tmp_path / "e.jsonl"
    options = ("--log-format", "json", "--metrics", str(port))

    def counted() -> int:
        return sum(one["bad_lines"] for one in run.records if one["event"] == "summary")

    with following(log, *options, program=_SUMMARIZING) as run:
        run.write(*[{"event": 1}] * 25)
        eventually(lambda: counted() == 25)
        run.write(*[{"event": 1}] * 3)
        eventually(lambda: counted() == 28)
        found = httpx2.get(f"http://127.0.0.1:{port}/metrics").text
        in_full = [line for line in run.told if line.startswith(f"{log}:")]
        assert run.stop() == 65
    assert "notifycli_bad_lines_total 28.0" in found.splitlines()
    assert in_full == [f"{log}:{n}: event: expected str | null, got int" for n in range(1, 21)]


@pytest.mark.usefixtures("mailed")
@pytest.mark.parametrize("options", [(), ("-q",)])
def test_a_minute_with_bad_lines_is_told_as_text_even_when_quiet(
    tmp_path: Path, options: tuple[str, ...]
) -> None:
    with following(tmp_path / "e.jsonl", *options, program=_SUMMARIZING) as run:
        run.write({"event": 1})
        eventually(lambda: "bad line," in "".join(run.told))
        assert run.stop() == 65
    [told] = [line for line in run.told if "bad line," in line]
    assert re.fullmatch(
        rf"{_TIME} in the last minute: 0 events, 1 bad line, 0 sent, 0 failed, 0 given up;"
        " 0 waiting",
        told,
    )
    others = [line for line in run.told if "in the last minute" in line and line != told]
    assert not (options and others)


@pytest.mark.slow
def test_who_waits_for_a_reply_is_told_of_in_time_though_nothing_more_is_written(
    mailed: Notifycli, tmp_path: Path
) -> None:
    log = tmp_path / "e.jsonl"
    by = {"id": 8, "type": "user"}
    reply = {**asked(201, conversation=43, ago=0), "message_type": "outgoing", "sender": by}

    def told(post: Post) -> list[str]:
        subjects = (str(one.message["Subject"]) for one in post.received)
        return [subject for subject in subjects if "waiting" in subject]

    with serving(Post()) as post:
        mailed.ok("config", "set", f"smtp.port={post.port}")
        mailed.ok("prefs", "set", "email.message=off", "email.waiting=on", "-u", "7")
        mailed.ok("prefs", "set", "waiting_after=4s", "-u", "7")
        with following(log) as run:
            run.write(asked(100, ago=0), asked(200, conversation=43, ago=0), reply)
            eventually(lambda: told(post))
            assert run.stop() == 0
        with following(log) as run:
            run.write(asked(300, conversation=44, ago=0))
            eventually(lambda: len(told(post)) > 1)
            run.stop()
    assert told(post) == [
        "Ada is waiting for a reply in conversation #42",
        "Ada is waiting for a reply in conversation #44",
    ]
