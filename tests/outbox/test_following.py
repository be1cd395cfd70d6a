"""Following a file: what is given of it, whatever is done to it meanwhile."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from notifycli.cli.deliver import source
from notifycli.cli.deliver.source import Follower, Item, Source
from notifycli.cli.session import Session
from notifycli.errors import UsageError
from notifycli.replay.sources import BadLines
from notifycli.store.outbox import FilePosition
from notifycli.store.store import open_store

Step = Callable[[Path], object]


def append(text: str) -> Step:
    def step(path: Path) -> None:
        with path.open("a") as file:
            file.write(text)

    return step


def rotate(text: str) -> Step:
    def step(path: Path) -> None:
        path.rename(path.with_suffix(".1"))
        path.write_text(text)

    return step


def append_and_rotate(path: Path) -> None:
    append("late")(path)
    rotate("new\n")(path)


def append_to_old(text: str) -> Step:
    def step(path: Path) -> None:
        append(text)(path.with_suffix(".1"))

    return step


def rotate_again(path: Path) -> None:
    path.with_suffix(".1").rename(path.with_suffix(".2"))
    rotate("newest\n")(path)


def append_to_all(path: Path) -> None:
    append("newest too\n")(path)
    append("newer\n")(path.with_suffix(".1"))
    append("late\n")(path.with_suffix(".2"))


def nothing(_: Path) -> None:
    """Let some time go by."""


A_WHILE: list[Step] = [nothing] * int(source.OLD_SECONDS / source.POLL_SECONDS)
"""In which nothing is written to an old file, so that it is let go."""


def cut(path: Path) -> None:
    path.write_text("")


def rename_away(path: Path) -> None:
    path.rename(path.with_suffix(".1"))


def followed(path: Path, steps: list[Step], remembered: FilePosition | None = None) -> Follower:
    script = iter(steps)

    def pause(_: float) -> bool:
        step = next(script, None)
        if step is None:
            return False
        step(path)
        return True

    return Follower(str(path), remembered, pause)


def lines_of(follower: Follower) -> list[Item]:
    return [item for item in follower.items() if item.moment is None]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], [(1, b"one\n"), (3, b"two\n")], id="what is there, but for blank lines"),
        pytest.param(
            [append("three\n"), append("four\n")],
            [(1, b"one\n"), (3, b"two\n"), (4, b"three\n"), (5, b"four\n")],
            id="what is appended",
        ),
        pytest.param(
            [append("thr"), append("ee\n")],
            [(1, b"one\n"), (3, b"two\n"), (4, b"three\n")],
            id="a line in pieces, once it is whole",
        ),
        pytest.param(
            [append("late\n"), rotate("new\n"), append("newer\n")],
            [(1, b"one\n"), (3, b"two\n"), (4, b"late\n"), (1, b"new\n"), (2, b"newer\n")],
            id="the next file, once it is rotated",
        ),
        pytest.param(
            [append_and_rotate, *A_WHILE],
            [(1, b"one\n"), (3, b"two\n"), (4, b"late"), (1, b"new\n")],
            id="what was written last before it was rotated",
        ),
        pytest.param(
            [append_and_rotate, append_to_old("r\n")],
            [(1, b"one\n"), (3, b"two\n"), (4, b"later\n"), (1, b"new\n")],
            id="a line whole that was being written when it was rotated",
        ),
        pytest.param(
            [rotate("new\n"), append_to_old("late\n"), append("newer\n"), append_to_old("last\n")],
            [
                *[(1, b"one\n"), (3, b"two\n"), (1, b"new\n"), (4, b"late\n")],
                *[(2, b"newer\n"), (5, b"last\n")],
            ],
            id="what is still written to the old file by who isn't told yet",
        ),
        pytest.param(
            [rotate("new\n"), rotate_again, append_to_all],
            [
                *[(1, b"one\n"), (3, b"two\n"), (1, b"new\n"), (1, b"newest\n")],
                *[(4, b"late\n"), (2, b"newer\n"), (2, b"newest too\n")],
            ],
            id="both old files of two rotations, the older one's lines first",
        ),
        pytest.param(
            [
                *[rotate("new\n"), *A_WHILE[1:], append_to_old("late\n"), *A_WHILE[1:]],
                *[append_to_old("last\n"), *A_WHILE, append_to_old("never\n"), append("newer\n")],
            ],
            [
                *[(1, b"one\n"), (3, b"two\n"), (1, b"new\n"), (4, b"late\n")],
                *[(5, b"last\n"), (2, b"newer\n")],
            ],
            id="an old file until nothing is written to it any more",
        ),
        pytest.param(
            [rename_away, append("new\n")],
            [(1, b"one\n"), (3, b"two\n"), (1, b"new\n")],
            id="the next file, if there is none for a while",
        ),
        pytest.param(
            [cut, append("a\n")],
            [(1, b"one\n"), (3, b"two\n"), (1, b"a\n")],
            id="a file that is cut, from its start",
        ),
    ],
)
def test_a_follower_gives(
    tmp_path: Path, steps: list[Step], expected: list[tuple[int, bytes]]
) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("one\n\ntwo\n")

    items = lines_of(followed(path, steps))

    assert [(item.number, item.line) for item in items] == expected
    assert all(item.fresh for item in items)


def test_a_moment_comes_after_all_that_was_written_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, clock = tmp_path / "e.jsonl", itertools.count(100)
    monkeypatch.setattr(source, "wall_clock", lambda: next(clock))
    path.write_text("100\n")

    def write(path: Path) -> None:
        # By then the clock has gone on, and the file may be another one.
        rotate(f"{next(clock)}\n")(path)

    items = [*followed(path, [write, write, append("last\n")]).items()]

    given = [item.moment or item.line.decode().strip() for item in items]
    assert given == ["100", "101", 100, "103", 102, "last", 104]


def test_what_an_earlier_run_has_read_of_the_same_file_is_history(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("one\ntwo\n")
    place = lines_of(followed(path, []))[-1].place
    append("three\n")(path)

    again = followed(path, [], place)

    assert again.resumed
    assert [(item.line, item.fresh) for item in lines_of(again)] == [
        (b"one\n", False),
        (b"two\n", False),
        (b"three\n", True),
    ]


def test_what_was_followed_is_remembered_until_the_old_file_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("one\n")
    old = path.stat().st_ino
    steps = [rotate("new\n"), append_to_old("late\n"), *A_WHILE[2:], append("newer\n")]

    items = [one for one in followed(path, [*steps, *A_WHILE]).items() if one.place]

    new = path.stat().st_ino
    places = [(one.line, one.place.inode, one.place.offset) for one in items if one.place]
    assert places == [
        (b"one\n", old, 4),
        (b"new\n", old, 4),
        (b"late\n", old, 9),
        (b"newer\n", old, 9),
        (b"", new, 10),
    ]
    killed = followed(path, [], items[2].place)
    assert not killed.resumed
    assert [item.line for item in lines_of(killed)] == [b"new\n", b"newer\n"]
    again = followed(path, [], items[-1].place)
    assert again.resumed
    assert [item.fresh for item in lines_of(again)] == [False, False]


def test_an_empty_file_that_was_followed_is_the_same_one_later(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("")
    places = [item.place for item in followed(path, [nothing, nothing]).items()]
    assert places == [FilePosition(path.stat().st_ino, b"", 0), None]
    append("one\n")(path)
    again = followed(path, [], places[0])
    assert again.resumed
    assert [(item.line, item.fresh) for item in lines_of(again)] == [(b"one\n", True)]
    rotate("new\n")(path)
    other = followed(path, [], places[0])
    assert not other.resumed
    assert [item.line for item in lines_of(other)] == [b"new\n"]


@pytest.mark.parametrize("content", ["other\ntwo\nthree\n", "one\n", ""])
def test_another_file_of_that_name_is_read_from_its_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text("one\ntwo\n")
    place = lines_of(followed(path, []))[-1].place
    path.write_text(content)

    again = followed(path, [], place)

    assert not again.resumed
    assert [item.fresh for item in lines_of(again)] == [True] * content.count("\n")


def test_a_compressed_file_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08")
    with pytest.raises(UsageError, match="compressed"):
        followed(path, [])


OLD, NEW, NOW = "e-20260301T000000.000000Z.jsonl", "e-20260302T000000.000000Z.jsonl", "e.jsonl"


def read(store: Path, *files: Path) -> list[tuple[str, str, bool]]:
    """Follow the last of the files as it is, and give of each line its file and what it is."""
    with open_store(store, create=True) as opened:
        session, names = Session(db=str(store)), [*map(str, files)]
        given = Source(session, opened, names, BadLines(print), follow=True)
        given.stopped.set()
        items = [item for item in given.items() if item.moment is None]
        followed = given.followed
        last = next((item.place for item in reversed(items) if item.fresh and item.place), None)
        if followed is not None and last is not None:
            opened.outbox.write((), opened.outbox.now(), (followed.path, last))
    return [(Path(item.file).name, item.line.decode().strip(), item.fresh) for item in items]


def test_what_was_put_aside_is_history_but_for_what_nobody_has_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, log = tmp_path / "desk.db", tmp_path / NOW
    log.write_text("one\n")
    assert read(store, log) == [(NOW, "one", True)]
    append("two\n")(log)
    log.rename(tmp_path / OLD)
    log.write_text("three\n")
    log.rename(tmp_path / NEW)
    log.write_text("four\n")

    assert read(store, log) == [
        (OLD, "one", False),
        (OLD, "two", True),
        (NEW, "three", True),
        (NOW, "four", True),
    ]
    assert read(store, log) == [
        (OLD, "one", False),
        (OLD, "two", False),
        (NEW, "three", False),
        (NOW, "four", False),
    ]
    said = (
        f"reading 2 files put aside before, from {tmp_path / OLD} on: "
        "what was read of them isn't sent again\n"
    )
    assert capsys.readouterr().err == 2 * said


def test_what_was_put_aside_before_anything_was_delivered_is_history(tmp_path: Path) -> None:
    (tmp_path / OLD).write_text("one\n")
    log = tmp_path / NOW
    log.write_text("two\n")
    assert read(tmp_path / "desk.db", log) == [(OLD, "one", False), (NOW, "two", True)]


def test_what_was_put_aside_is_left_out_if_it_is_old_or_anothers_or_files_are_named(
    tmp_path: Path,
) -> None:
    log = tmp_path / NOW
    for name in (OLD, NEW, "e-acme.jsonl", NOW):
        (tmp_path / name).write_text(f"{name}\n")
    os.utime(tmp_path / OLD, (0, 0))
    assert [name for name, _, _ in read(tmp_path / "desk.db", log)] == [NEW, NOW]
    assert [name for name, _, _ in read(tmp_path / "desk.db", tmp_path / OLD, log)] == [OLD, NOW]


def test_of_much_that_was_put_aside_the_last_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (OLD, NEW, NOW):
        (tmp_path / name).write_text("one\n")
    monkeypatch.setattr(source, "_MOST_AGAIN", 7)
    assert [name for name, _, _ in read(tmp_path / "desk.db", tmp_path / NOW)] == [NEW, NOW]


def test_of_a_file_that_others_rotate_the_command_that_reads_both_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, log, older = tmp_path / "desk.db", tmp_path / "e f.jsonl", tmp_path / "e f.jsonl.1"
    both = f"notifycli --db {store} deliver --follow '{older}' '{log}'\n"

    def told() -> str:
        read(store, log)
        return capsys.readouterr().err

    log.write_text("one\n")
    assert [told(), told()] == ["", ""]
    log.rename(older)
    log.write_text("two\n")
    assert told() == (
        f"{log} is another file than the one followed before: what was written to that one"
        f" meanwhile is read only if you name it: {both}"
    )
    assert told() == (
        f"{log} was rotated: who takes part by {older}, and what it has for a digest, is"
        f" known only if you name it: {both}"
    )
    read(store, older, log)
    assert capsys.readouterr().err == ""
    older.unlink()
    assert told() == ""
    log.write_text("three\n")
    assert told().endswith(f"notifycli --db {store} deliver --follow OLD_FILE '{log}'\n")


def test_what_was_put_aside_and_cannot_be_read_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    log = tmp_path / NOW
    (tmp_path / OLD).write_bytes(b"\x1f\x8b\x08")
    log.write_text("one\n")
    assert read(tmp_path / "desk.db", log) == [(NOW, "one", True)]
    assert f"warning: {tmp_path / OLD} is compressed" in capsys.readouterr().err
