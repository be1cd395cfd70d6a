"""Gzip input, decompressed by a thread of its own."""

from __future__ import annotations

import gzip
import io
import os
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.cli.input.inflating import Inflated


def inflated(data: bytes, size: int = -1) -> bytes:
    with io.BufferedReader(Inflated(io.BufferedReader(io.BytesIO(data)))) as stream:
        return b"".join(iter(lambda: stream.read(size), b""))


@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=4), st.integers(1, 9000))
def test_members_come_out_as_they_went_in(members: list[bytes], size: int) -> None:
    packed = b"".join(map(gzip.compress, members))
    assert inflated(packed, size) == b"".join(members)


@pytest.mark.parametrize("length", [0, 1, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
@pytest.mark.parametrize("filling", [lambda n: b"\0" * n, os.urandom], ids=["zeros", "noise"])
def test_any_length_comes_out_whole(length: int, filling: Any) -> None:
    data = filling(length)
    assert inflated(gzip.compress(data)) == data


def test_zeros_after_the_last_member_are_padding() -> None:
    assert inflated(gzip.compress(b"x") + b"\0" * 512) == b"x"


GOOD = gzip.compress(b"a line\n" * 1000)
BAD = [
    pytest.param(GOOD[:-9], EOFError, id="cut off"),
    pytest.param(GOOD[:40] + b"\xff" + GOOD[41:], zlib.error, id="damaged"),
    pytest.param(GOOD[:-5] + b"\0\0\0\0\0", zlib.error, id="a wrong length"),
    pytest.param(GOOD + b"more", zlib.error, id="followed by something else"),
]


@pytest.mark.parametrize(("data", "error"), BAD)
def test_damage_is_an_error(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        inflated(data)
