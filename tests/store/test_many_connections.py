"""Two connections of one process: a server reads with one and writes with the other."""

from __future__ import annotations

from pathlib import Path

from notifycli.rules.directory import User
from notifycli.store.store import open_store
from tests.conftest import Program


def test_what_a_second_connection_writes_is_there_for_other_programs(
    tmp_path: Path, program: Program
) -> None:
    path = tmp_path / "store.db"
    listing = ("user", "list", "-a", "1", "--db", str(path))
    with open_store(path) as reader:
        with reader.change(1, "test", "test") as change:
            change.put_users([User(7, "jane@example.com")])
        with open_store(path) as writer:
            # A program that comes and goes would delete the log that the two still write to, if
            # the second had let go of the first one's lock.
            assert len(program(*listing).records) == 1
            with writer.change(1, "test", "test") as change:
                change.put_users([User(8, "omar@example.com")])
            assert [user["id"] for user in program(*listing).records] == [7, 8]
            assert [user.id for user in reader.users(1)] == [7, 8]
