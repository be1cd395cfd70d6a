"""Command lines are read as a shell reads them, and written so that it reads them back."""

from __future__ import annotations

import shlex
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.cli.completion_answer import CommandLine, quote_word, split

PRINTED = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])) | st.text(
    "ab \\'\"$`!*&;|(){}[]~#=:@"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n", CommandLine((), "n", "", redirected=False)),
        ("n a ", CommandLine(("n", "a"), "", "", redirected=False)),
        ("n a\\ b", CommandLine(("n",), "a b", "", redirected=False)),
        ("n 'a b", CommandLine(("n",), "a b", "'", redirected=False)),
        ('n "a\\"b\\c', CommandLine(("n",), 'a"b\\c', '"', redirected=False)),
        ("n a'b'\"c\" d", CommandLine(("n", "abc"), "d", "", redirected=False)),
        ("n '' x", CommandLine(("n", ""), "x", "", redirected=False)),
        ("n a\\", CommandLine(("n",), "a", "", redirected=False)),
        ("n a 2>e b <i", CommandLine(("n", "a", "b"), "i", "", redirected=True)),
        ("n >>", CommandLine(("n",), "", "", redirected=True)),
        ("n <i x", CommandLine(("n",), "x", "", redirected=False)),
        ("n a <", CommandLine(("n", "a"), "", "", redirected=True)),
        ("n 2>&1 x", CommandLine(("n",), "x", "", redirected=False)),
    ],
)
def test_a_line_is_read_up_to_the_cursor(text: str, expected: CommandLine) -> None:
    assert split(text) == expected


@given(words=st.lists(PRINTED))
def test_what_a_shell_would_write_is_read_as_the_same_words(words: list[str]) -> None:
    assert split(f"{shlex.join(words)} ").words == tuple(words)


@given(words=st.lists(st.tuples(PRINTED, st.sampled_from(["", "'", '"'])), min_size=1))
def test_what_is_inserted_is_read_by_bash_as_it_was(words: list[tuple[str, str]]) -> None:
    written = " ".join(f"x{quote}{quote_word(word, quote)}{quote}" for word, quote in words)

    read = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {written}"], capture_output=True, check=True
    )

    assert read.stdout.decode().split("\0")[:-1] == [f"x{word}" for word, _ in words]
    assert split(f"{written} ").words == tuple(f"x{word}" for word, _ in words)
