"""What `listen` takes, what it refuses, and what it keeps."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifycli.errors import ConfigurationError, TryAgainError
from notifycli.events.decode import decode_event
from notifycli.secrets.token_format import Secret
from notifycli.server import journal as journals
from notifycli.server.journal import Journal
from notifycli.server.webhooks import WebhookReceiver
from tests.conftest import Notifycli

from .webhooks import SECRET, body, kept, signed

DAY = 86_400.0
NOON = 20_000 * DAY + DAY / 2
NOON_STAMP = b'{"received_at":"2024-10-04T12:00:00.000Z",'
ONE = body(1)
OTHER = "whsec-another"


@dataclass
class Clock:
    at: float = NOON

    def __call__(self) -> float:
        return self.at


@dataclass
class Listening:
    """A receiver, as Chatwoot meets it."""

    client: TestClient
    path: Path
    clock: Clock
    told: list[str] = field(default_factory=list)

    def post(self, data: bytes, **headers: str) -> tuple[int, Any]:
        texts = {**signed(data, at=self.clock.at), **headers}
        sent = {name.encode(): text.encode() for name, text in texts.items()}
        answer = self.client.post("/hook", content=data, headers=sent)
        return answer.status_code, answer.json()


@contextmanager
def listening(
    path: Path,
    *,
    secrets: tuple[str, ...] = (SECRET,),
    unsigned: bool = False,
    local: bool = False,
    largest: int = journals.LARGEST_FILE,
    clock: Clock | None = None,
) -> Iterator[Listening]:
    clock = clock or Clock()
    told: list[str] = []
    journal = Journal(path, told.append, largest, clock)
    journal.open()
    hooks = WebhookReceiver(
        journal,
        [*map(Secret, secrets)],
        told.append,
        unsigned=unsigned,
        local=local,
        now=clock,
    )
    try:
        with TestClient(hooks.application()) as client:
            yield Listening(client, path, clock, told)
    finally:
        journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "desk" / "events.jsonl"


def test_a_signed_event_is_kept_as_it_came_for_its_owner_alone(
    path: Path, notifycli: Notifycli
) -> None:
    odd = ONE.replace(b'"id":1,', b'"id":1, "big":12345678901234567890123,"f":1.50,"t":"\xc3\xa9",')
    with listening(path) as receiver:
        assert receiver.post(odd) == (200, {})
        assert path.read_bytes() == NOON_STAMP + odd[1:] + b"\n"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert notifycli("simulate", str(path), "--explain").status == 0


def test_a_body_of_several_lines_is_kept_in_one(path: Path) -> None:
    data = json.dumps(json.loads(ONE), indent=2).replace("\n", "\r\n").encode()
    with listening(path) as receiver:
        assert receiver.post(data) == (200, {})
    assert path.read_bytes() == NOON_STAMP + ONE[1:] + b"\n"


TYPING = b"""{"event": "conversation_typing_on", "account": {"id": 1}, "is_private": false,
 "conversation": {"id": 42, "inbox_id": 3, "status": "open"}, "user": {"id": 7, "type": "user"}}"""


def test_the_time_of_receipt_is_the_time_of_what_has_no_other(path: Path) -> None:
    with listening(path) as receiver:
        assert receiver.post(TYPING)[0] == 200
        receiver.clock.at += 1.5
        assert receiver.post(ONE)[0] == 200
        relayed = b'{"received_at":"2024-10-04T11:00:00Z",' + TYPING[1:]
        assert receiver.post(relayed)[0] == 200
    events = [decode_event(line, 0) for line in path.read_bytes().splitlines()]
    shown = [datetime.fromtimestamp((e.at or 0) / 1e6, UTC).isoformat() for e in events]
    # A message has a time of its own; what was received before elsewhere, that of then.
    assert [event["received_at"] for event in kept(path)] == [
        "2024-10-04T12:00:00.000Z",
        "2024-10-04T12:00:01.500Z",
        "2024-10-04T11:00:00Z",
    ]
    assert shown == [
        "2024-10-04T12:00:00+00:00",
        "2026-03-03T20:20:20.250000+00:00",
        "2024-10-04T11:00:00+00:00",
    ]


def test_an_event_received_twice_is_still_the_same(path: Path) -> None:
    changed = b'{"event":"conversation_updated","id":42,"inbox_id":3,"account":{"id":1}}'
    with listening(path) as receiver:
        for data in (changed, changed, changed.replace(b"42", b"43")):
            receiver.clock.at += 1
            assert receiver.post(data)[0] == 200
    one, again, other = (decode_event(line, 0).digest for line in path.read_bytes().splitlines())
    assert one == again == decode_event(changed, 0).digest
    assert one is not None
    assert one != other


WRONG: list[tuple[bytes, dict[str, str], int, str]] = [
    (b"", {}, 400, "the body is no JSON"),
    (b"{", {}, 400, "the body is no JSON"),
    (ONE + b"x", {}, 400, "the body is no JSON"),
    (ONE.replace(b"message 1", b"\xff"), {}, 400, "the body is no JSON"),
    (b'{"event":"x","y":' + b"[" * 100_000 + b"]" * 100_000 + b"}", {}, 400, "the body is no JSON"),
    (b"[]", {}, 400, "the body is no event: "),
    (b'{"id": 1}', {}, 400, "the body is no event: "),
    (b" " * (4 * 1024 * 1024 + 1), {}, 413, "the body has more than 4,194,304 bytes"),
    (ONE, {"x-chatwoot-delivery": "a b"}, 400, "X-Chatwoot-Delivery is no id"),
    (ONE, {"x-chatwoot-delivery": "x" * 201}, 400, "X-Chatwoot-Delivery is no id"),
    (ONE, {"x-chatwoot-signature": "sha256=" + "0" * 64}, 401, "the signature of this webhook is"),
    (ONE, {"x-chatwoot-signature": ""}, 401, "the signature of this webhook is wrong"),
    (ONE, {"x-chatwoot-signature": "é"}, 401, "the signature of this webhook is wrong"),
    (ONE, signed(ONE, OTHER, NOON), 401, "the signature of this webhook is wrong"),
    (ONE, signed(body(2), at=NOON), 401, "the signature of this webhook is wrong"),
    (ONE, {"x-chatwoot-timestamp": str(int(NOON) + 1)}, 401, "the signature of this webhook is"),
    (ONE, signed(ONE, at=NOON - 301), 401, "this webhook is more than 300 s old"),
    (ONE, signed(ONE, at=NOON + 301), 401, "this webhook is more than 300 s old"),
]


@pytest.mark.parametrize(("data", "headers", "status", "error"), WRONG)
def test_what_is_wrong_is_refused_and_not_kept(
    path: Path, data: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    with listening(path) as receiver:
        answered = receiver.post(data, **headers)
        assert (answered[0], answered[1]["error"][: len(error)]) == (status, error)
        assert path.read_bytes() == b""
        assert receiver.client.get("/hook").status_code == 405


@pytest.mark.parametrize(("data", "headers", "status", "error"), WRONG)
def test_the_log_says_why_it_was_refused_as_its_sender_is_told(
    path: Path, data: bytes, headers: dict[str, str], status: int, error: str
) -> None:
    with listening(path) as receiver:
        why = receiver.post(data, **headers)[1]["error"]
    [line] = receiver.told
    assert re.sub(r"\d+ ms", "N ms", line) == f"testclient POST /hook {status} N ms: {why}"
    assert why.startswith(error)


def test_the_log_says_nothing_of_what_is_taken(path: Path) -> None:
    with listening(path) as receiver:
        assert receiver.post(ONE) == (200, {})
    assert [re.sub(r"\d+ ms", "N ms", line) for line in receiver.told] == [
        "testclient POST /hook 200 N ms"
    ]


def test_the_log_has_nothing_that_a_refused_sender_chose(path: Path) -> None:
    chosen = "can\x1b[2Jary"
    data = json.dumps({chosen: chosen, "event": {chosen: chosen}}).encode()
    headers = {"host": "canary.example", "x-chatwoot-delivery": "can ary", "x-canary": "canary"}
    with listening(path, unsigned=True, local=True) as receiver:
        for content, sent in [
            (data, {}),
            (ONE, headers),
            (ONE, {"origin": "https://canary.example"}),
            (ONE, {"host": "127.0.0.1", "x-chatwoot-delivery": "can ary"}),
            (ONE, {"x-chatwoot-signature": "canary", "x-chatwoot-timestamp": "canary"}),
        ]:
            receiver.client.post("/", content=content, headers={"host": "127.0.0.1", **sent})
    remedy = "start it with --behind-proxy 127.0.0.1, or let webhooks be signed"
    assert [line.partition(" ms: ")[2] for line in receiver.told] == [
        "the body is no event: Expected `str`, got `object` - at `$.event`",
        f"its Host isn't this machine: if a proxy or tunnel stands before this server, {remedy}",
        "a web page sent this: only a signed webhook is taken from there",
        "X-Chatwoot-Delivery is no id",
        "the signature of this webhook is wrong",
    ]


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_an_event_may_be_five_minutes_old_or_ahead(path: Path, seconds: int) -> None:
    with listening(path) as receiver:
        assert receiver.post(ONE, **signed(ONE, at=NOON + seconds)) == (200, {})


def test_while_a_secret_is_replaced_both_hold(path: Path) -> None:
    with listening(path, secrets=(OTHER, SECRET)) as receiver:
        assert receiver.post(ONE, **signed(ONE, OTHER, NOON))[0] == 200
        assert receiver.post(ONE, **signed(ONE, SECRET, NOON))[0] == 200
        assert receiver.post(ONE, **signed(ONE, "neither", NOON))[0] == 401


@pytest.mark.parametrize(
    ("unsigned", "secrets", "bare", "wrong"),
    [(False, (SECRET,), 401, 401), (True, (SECRET,), 200, 401), (True, (), 200, 401)],
)
def test_what_is_not_signed_is_taken_only_if_that_is_said(
    path: Path, unsigned: bool, secrets: tuple[str, ...], bare: int, wrong: int
) -> None:
    with listening(path, secrets=secrets, unsigned=unsigned) as receiver:
        assert receiver.client.post("/", content=ONE).status_code == bare
        assert receiver.post(ONE, **signed(ONE, OTHER, NOON))[0] == wrong


SENDERS: list[tuple[str, dict[str, str], bool, int]] = [
    ("Chatwoot on this machine", {"host": "127.0.0.1:8787"}, True, 200),
    ("Chatwoot by a name", {"host": "localhost:8787"}, True, 200),
    ("Chatwoot over IPv6", {"host": "[::1]:8787"}, True, 200),
    ("Chatwoot by way of a proxy", {"host": "desk.example.com"}, False, 200),
    ("a page of ours", {"host": "localhost:8787", "origin": "http://localhost:8787"}, True, 200),
    ("a page", {"host": "127.0.0.1:8787", "origin": "https://evil.example"}, True, 403),
    ("a page of no origin", {"host": "127.0.0.1:8787", "origin": "null"}, True, 403),
    ("a page of another port", {"host": "localhost:8787", "origin": "http://localhost"}, True, 403),
    ("a page through the proxy", {"host": "desk.example.com", "origin": "https://e"}, False, 403),
    ("a page by a name led here", {"host": "evil.example:8787"}, True, 403),
    (
        "the same, to its own name",
        {"host": "evil.example", "origin": "http://evil.example"},
        True,
        403,
    ),
    ("a name that looks like ours", {"host": "127.0.0.1.evil.example"}, True, 403),
    ("a broken name", {"host": "[::1"}, True, 403),
]


@pytest.mark.parametrize(
    ("headers", "local", "status"), [row[1:] for row in SENDERS], ids=[row[0] for row in SENDERS]
)
def test_an_unsigned_webhook_comes_from_no_web_page(
    path: Path, headers: dict[str, str], local: bool, status: int
) -> None:
    with listening(path, unsigned=True, local=local) as receiver:
        assert receiver.client.post("/", content=ONE, headers=headers).status_code == status
        # A signature is enough: a tunnel may give it any name.
        assert receiver.post(body(2), **headers) == (200, {})
    assert [event["id"] for event in kept(path)] == [1, 2][status == 403 :]


def test_a_delivery_that_was_seen_is_answered_and_not_kept_again(path: Path) -> None:
    with listening(path) as receiver:
        for data in (ONE, ONE, body(2)):
            assert receiver.post(data, **{"x-chatwoot-delivery": "same"})[0] == 200
        assert receiver.post(ONE, **{"x-chatwoot-delivery": "other"})[0] == 200
    with listening(path) as receiver:
        assert receiver.post(ONE, **{"x-chatwoot-delivery": "same"})[0] == 200
    assert [event["id"] for event in kept(path)] == [1, 1]


def test_only_the_last_deliveries_are_remembered(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_DELIVERIES", 3)
    ids = path.with_name(".events.jsonl.deliveries")
    with listening(path) as receiver:
        for number in range(20):
            assert receiver.post(ONE, **{"x-chatwoot-delivery": f"n{number}"})[0] == 200
            assert len(ids.read_text("ascii").splitlines()) <= 7
    with listening(path) as receiver:
        receiver.post(ONE, **{"x-chatwoot-delivery": "n19"})
        receiver.post(ONE, **{"x-chatwoot-delivery": "n0"})
    assert len(kept(path)) == 21


def test_a_full_file_is_put_aside_and_its_deliveries_are_remembered(path: Path) -> None:
    with listening(path, largest=3 * len(ONE)) as receiver:
        for number in range(1, 8):
            receiver.clock.at += 1
            assert receiver.post(body(number), **{"x-chatwoot-delivery": f"n{number}"})[0] == 200
        assert receiver.post(ONE, **{"x-chatwoot-delivery": "n1"})[0] == 200
    names = sorted(file.name for file in path.parent.glob("events*"))
    assert names == [
        "events-20241004T120003.000000Z.jsonl",
        "events-20241004T120005.000000Z.jsonl",
        "events-20241004T120007.000000Z.jsonl",
        "events.jsonl",
    ]
    assert [event["id"] for event in kept(path)] == [*range(1, 8)]


def test_yesterdays_file_is_put_aside(path: Path) -> None:
    with listening(path) as receiver:
        receiver.post(ONE)
        receiver.clock.at += DAY
        receiver.post(body(2))
    assert json.loads(path.read_bytes())["id"] == 2
    assert [event["id"] for event in kept(path)] == [1, 2]


TORN = [
    (ONE + b"\n" + body(2)[:30], [1], "took away 30 bytes of an event that never came whole"),
    (ONE + b"\n" + body(2), [1, 2], ""),
    (ONE[:10], [], "took away 10 bytes of an event that never came whole"),
    (ONE + b"\n", [1], ""),
    (b"", [], ""),
]


@pytest.mark.parametrize(("found", "ids", "told"), TORN)
def test_a_line_that_a_crash_left_open_is_mended(
    path: Path, found: bytes, ids: list[int], told: str
) -> None:
    path.parent.mkdir()
    path.write_bytes(found)
    ends = [len(ONE) + 1, len(ONE) + 1 + len(body(2)) + 1]
    path.with_name(".events.jsonl.deliveries").write_text(
        f"{ends[0]} one\n{ends[1]} two\n{ends[1]} tor", "ascii"
    )
    with listening(path, clock=Clock(path.stat().st_mtime)) as receiver:
        assert [event["id"] for event in kept(path)] == ids
        assert told in "".join(receiver.told)
        # What is there is not taken again, what is not there is.
        receiver.post(ONE, **{"x-chatwoot-delivery": "one"})
        receiver.post(body(2), **{"x-chatwoot-delivery": "two"})
    assert sorted(event["id"] for event in kept(path)) == [1, 2]


def move(path: Path, how: str) -> None:
    """Do to the file what others do, while it is written to."""
    aside = path.with_name("events.jsonl.1")
    if how in {"renamed", "renamed and made anew"}:
        path.rename(aside)
        if how == "renamed and made anew":
            path.touch(0o640)
    elif how == "copied and cut":
        aside.write_bytes(path.read_bytes())
        os.truncate(path, 0)
    elif how == "removed":
        path.unlink()
    elif how == "its folder removed":
        shutil.rmtree(path.parent)
    elif how == "added to":
        with path.open("ab") as file:
            file.write(body(99))


MOVES = [
    ("renamed", ["events.jsonl", "events.jsonl.1"], [1, 2, 3]),
    ("renamed and made anew", ["events.jsonl", "events.jsonl.1"], [1, 2, 3]),
    ("copied and cut", ["events.jsonl", "events.jsonl.1"], [1, 2, 3]),
    ("removed", ["events.jsonl"], [2, 3]),
    ("its folder removed", ["events.jsonl"], [2, 3]),
    ("added to", ["events.jsonl"], [1, 2, 3, 99]),
]


@pytest.mark.parametrize(("how", "names", "ids"), MOVES, ids=[row[0] for row in MOVES])
def test_a_file_that_others_move_while_it_is_written_loses_nothing_that_is_confirmed(
    path: Path, how: str, names: list[str], ids: list[int]
) -> None:
    with listening(path, clock=Clock(time.time())) as receiver:
        assert receiver.post(ONE, **{"x-chatwoot-delivery": "n1"})[0] == 200
        move(path, how)
        assert receiver.post(body(2), **{"x-chatwoot-delivery": "n2"})[0] == 200
        assert receiver.post(body(3), **{"x-chatwoot-delivery": "n3"})[0] == 200
        told = [line for line in receiver.told if "was taken away or changed" in line]
        assert len(told) == 1
    found = sorted(file.name for file in path.parent.glob("events*"))
    assert found == names
    lines = [line for name in names for line in (path.parent / name).read_bytes().splitlines()]
    assert sorted(json.loads(line)["id"] for line in lines) == ids
    # What was confirmed is known again after a restart.
    with listening(path, clock=Clock(time.time())) as receiver:
        for number in (1, 2, 3):
            again = receiver.post(body(number), **{"x-chatwoot-delivery": f"n{number}"})
            assert again[0] == 200
    assert [json.loads(line)["id"] for line in path.read_bytes().splitlines()].count(3) == 1


def test_a_file_taken_away_between_the_look_and_the_writing_is_noticed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(path) as receiver:
        assert receiver.post(ONE)[0] == 200
        append = journals._append  # noqa: SLF001 - the moment is between two calls
        removed: list[Path] = []

        def remove_first(descriptor: int, data: bytes) -> None:
            if data.startswith(b"{") and not removed:
                path.unlink()
                removed.append(path)
            append(descriptor, data)

        monkeypatch.setattr(journals, "_append", remove_first)
        assert receiver.post(body(2))[0] == 200
        assert [event["id"] for event in kept(path)] == [2]


def test_while_something_else_lies_in_its_place_events_are_refused(path: Path) -> None:
    with listening(path) as receiver:
        assert receiver.post(ONE)[0] == 200
        path.rename(path.with_name("aside"))
        path.write_bytes(b"id,name\n1,Jane\n")
        assert receiver.post(body(2)) == (503, {"error": "the event can't be kept"})
        assert path.read_bytes() == b"id,name\n1,Jane\n"
        assert "holds something else than events" in "".join(receiver.told)
        path.unlink()
        assert receiver.post(body(2))[0] == 200
    assert [event["id"] for event in kept(path)] == [2]


WHOLE = ONE + b"\n"
FOREIGN: list[tuple[str, bytes]] = [
    ("a CSV", b"id,name\n1,Jane"),
    ("a CSV of one line", b"id,name"),
    ("a store", b"SQLite format 3\x00" + b"\x10\x00" * 100 + b"\n" * 5),
    ("a private key", b"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END"),
    ("another object", b'{"name": "Jane"}'),
    ("other objects", b'{"name": "Jane"}\n{"name": "Om'),
    ("a document over lines", b'{\n  "event": "x"\n}'),
    ("an array", b'[{"event": "x"}]'),
    ("what gzip made", b"\x1f\x8b\x08\x00" + b"\x00" * 20),
    ("a blank first line", b"\n" + WHOLE),
    ("events, and an end that is none", WHOLE + b"the end"),
    ("events of another program, cut off", WHOLE + ONE[:30]),
]


@pytest.mark.parametrize("content", [row[1] for row in FOREIGN], ids=[row[0] for row in FOREIGN])
def test_a_file_that_is_none_of_events_is_refused_and_stays_as_it_is(
    path: Path, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"holds something else|ends with what is no"):
        Journal(path, print).open()
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (content, 0o644)


def test_what_is_no_file_is_refused_and_not_opened(tmp_path: Path) -> None:
    pipe, link, folder = tmp_path / "pipe", tmp_path / "link", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    link.symlink_to("/dev/null")
    for path in (pipe, link, folder, Path("/dev/null"), Path(), Path("/")):
        with pytest.raises(ConfigurationError, match="is no file"):
            Journal(path, print).open()
        assert not (path.parent / f".{path.name}.lock").exists()


THEIR_FIRST_LINES = [
    WHOLE,
    b'{"headers":{},"body":' + ONE + b"}\n",
    b'{"received_at":"2026-03-03T20:20:20.250Z","event":"message.created","data":{"id":1}}\n',
]


@pytest.mark.parametrize("first", THEIR_FIRST_LINES)
def test_a_file_of_events_that_is_there_keeps_its_rights(path: Path, first: bytes) -> None:
    path.parent.mkdir(mode=0o750)
    path.write_bytes(first)
    path.chmod(0o640)
    with listening(path, clock=Clock(path.stat().st_mtime)) as receiver:
        assert receiver.post(body(2))[0] == 200
    assert path.read_bytes().startswith(first + b'{"received_at":')
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750


def test_two_receivers_do_not_share_a_file(path: Path) -> None:
    with (
        listening(path),
        pytest.raises(TryAgainError, match="another process receives events into"),
        listening(path),
    ):
        pass


def test_the_log_tells_no_secret_and_no_content(path: Path) -> None:
    with listening(path) as receiver:
        receiver.post(ONE)
        receiver.post(ONE, **{"x-chatwoot-signature": "sha256=leaked"})
        text = "".join(receiver.told)
    assert "POST /hook 200" in text
    assert "POST /hook 401" in text
    assert not any(word in text for word in (SECRET, "leaked", "message 1"))
