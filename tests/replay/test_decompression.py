"""Compressed input, decompressed by a thread of its own."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.replay.decompression import BLOCK, DamageError, decompressed, read_blocks, text_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Compress = Callable[[bytes], bytes]


def compress_zstd(data: bytes) -> bytes:
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: 1})


def compress_xz(data: bytes) -> bytes:
    return lzma.compress(data, preset=0)


FORMS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": compress_xz, "zstd": compress_zstd}
every_form = pytest.mark.parametrize("compress", FORMS.values(), ids=FORMS)


def expanded(data: bytes) -> bytes:
    return b"".join(decompressed(read_blocks(io.BytesIO(data)))[1])


@every_form
@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=4))
def test_members_come_out_as_they_went_in(compress: Compress, members: list[bytes]) -> None:
    members[0] = b"{" + members[0]  # which nothing that is compressed begins with
    assert expanded(b"".join(map(compress, members))) == b"".join(members)


@every_form
@pytest.mark.parametrize("length", [0, 1, BLOCK, (1 << 20) - 1, (1 << 20) + 1])
@pytest.mark.parametrize("filling", [lambda n: b"\0" * n, os.urandom], ids=["zeros", "noise"])
def test_any_length_comes_out_whole(compress: Compress, length: int, filling: Compress) -> None:
    data = filling(length)  # type: ignore[arg-type] # makes so many bytes
    assert expanded(compress(data)) == data


@every_form
def test_zeros_after_the_last_member_are_padding(compress: Compress) -> None:
    assert expanded(compress(b"x") + b"\0" * 512) == b"x"


def test_what_is_compressed_twice_comes_out_whole() -> None:
    assert expanded(gzip.compress(compress_zstd(b"a line\n" * 1000))) == b"a line\n" * 1000


@every_form
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda data: data[:-9], id="cut off"),
        pytest.param(lambda data: data[:20] + b"\xff\0\xff\0" + data[24:], id="damaged"),
        pytest.param(lambda data: data + b"more of something else", id="followed by something"),
    ],
)
def test_damage_is_an_error_that_names_what_is_damaged(
    compress: Compress, damage: Compress
) -> None:
    name = next(name for name, one in FORMS.items() if one is compress)
    data = damage(compress(os.urandom(2000)))
    with pytest.raises(DamageError, match=f"damaged {name} data"):
        expanded(data)


def test_a_gzip_file_that_says_a_wrong_length_is_damaged() -> None:
    with pytest.raises(DamageError, match="damaged gzip data"):
        expanded(gzip.compress(b"a line\n")[:-5] + b"\0\0\0\0\0")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@given(text=st.text(st.characters(exclude_categories=["Cs"])), size=st.integers(1, 20))
def test_an_encoding_is_told_by_its_mark(encoding: str, text: str, size: int) -> None:
    mark = "\ufeff" if encoding.endswith("e") else ""
    data = (mark + text).encode(encoding)
    blocks = (data[at : at + size] for at in range(0, len(data), size))
    assert b"".join(text_of(blocks)).decode() == text


def test_half_a_pair_in_utf_16_is_one_character_lost() -> None:
    data = "\ufeffa\ud83db".encode("utf-16-le", "surrogatepass")
    assert b"".join(text_of(iter([data]))).decode() == "a�b"
