"""A small desk in a store of its own, and the program run in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from notifycli.cli.main import run

Json = dict[str, Any]

DIRECTORY: Json = {
    "account": {"id": 1, "name": "Acme"},
    "users": [
        {"id": 7, "email": "jane@example.com"},
        {"id": 8, "email": "omar@example.com"},
        {"id": 9, "email": "root@example.com", "role": "administrator"},
    ],
    "inboxes": [{"id": 3, "name": "Website", "members": [7, 8]}],
}
ASSIGNED: Json = {
    "event": "assignee_changed",
    "id": 42,
    "inbox_id": 3,
    "assignee_id": 7,
    "performed_by": {"id": 9, "type": "user"},
    "updated_at": "2026-03-03T12:00:00Z",
}
MESSAGE: Json = {
    "event": "message_created",
    "id": 5,
    "conversation_id": 42,
    "message_type": "incoming",
    "created_at": "2026-03-03T13:30:00Z",
}


class Ran(NamedTuple):
    """What a run of the program left."""

    status: int
    out: str
    err: str

    def records(self) -> list[Json]:
        return [json.loads(line) for line in self.out.splitlines()]


class Desk:
    """Runs the program in a store with `DIRECTORY`."""

    def __init__(self, capfd: pytest.CaptureFixture[str], folder: Path) -> None:
        self._capfd = capfd
        self.folder = folder
        self.run("directory", "import", str(self.write("directory.json", DIRECTORY)))

    def run(self, *arguments: str) -> Ran:
        self._capfd.readouterr()
        try:
            status = run(list(arguments))
        except SystemExit as end:  # as a shell would see it
            status = int(end.code or 0)
        out, err = self._capfd.readouterr()
        return Ran(status, out, err)

    def write(self, name: str, *records: Json | str) -> Path:
        path = self.folder / name
        lines = (one if isinstance(one, str) else json.dumps(one) for one in records)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def events(self, *events: Json) -> str:
        return str(self.write("events.jsonl", *events))
