"""What files hold, out of compression and encoding: blocks of bytes become blocks of UTF-8.

What a file is is told by its first bytes.
"""

from __future__ import annotations

import codecs
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from io import BufferedReader, FileIO
from itertools import chain
from queue import Queue
from threading import Event, Thread
from typing import IO, NamedTuple, Protocol

BLOCK = 1 << 16
BOM = codecs.BOM_UTF8
_OUT = 1 << 20
"""How much is decompressed at once, however well it was compressed."""
_HEAD = 8
"""Enough to tell what a file is. Any event has more, so that nothing waits for these."""
_DEEPEST = 3
"""How many compressions and encodings may be around a text."""
_AHEAD = 8
_PATIENCE = 0.0005
"""Seconds until a thread that waits for the interpreter's lock gets it. Decompressing a block takes
1 ms and asks for it several times: with the usual 5 ms the two would work by turns."""
# Of a gzip file (RFC 1952), whose checksum and length zlib then looks at.
_GZIP = zlib.MAX_WBITS | 16

Blocks = Iterator[bytes]
BinaryFile = FileIO | BufferedReader


class DamageError(Exception):
    """Compressed data that can't be decompressed to its end."""


class _Decompressor(Protocol):
    """What the standard library's have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class _Encoding(NamedTuple):
    """A compression or an encoding."""

    magic: bytes
    """What a file begins with."""
    name: str
    read: Callable[[Blocks], Blocks]
    compressed: bool = True


def read_blocks(raw: IO[bytes], read: Callable[[int], None] | None = None) -> Blocks:
    """Return what a file holds, as it comes; `read` is told how many bytes of it were read."""
    while block := raw.read(BLOCK):
        if read is not None:
            read(len(block))
        yield block


def decompressed(blocks: Blocks) -> tuple[str, Blocks]:
    """Return what a file's blocks are compressed with, "" for nothing, and what that holds."""
    names = []
    for _ in range(_DEEPEST):
        form, blocks = _look_at(blocks)
        if form is None or not form.compressed:
            break
        names.append(form.name)
        blocks = form.read(blocks)
    return " ".join(names), read_ahead(blocks) if names else blocks


def text_of(blocks: Blocks) -> Blocks:
    """Return decompressed blocks as UTF-8 without a byte order mark."""
    form, blocks = _look_at(blocks)
    return blocks if form is None or form.compressed else form.read(blocks)


def head_of(blocks: Blocks, size: int) -> tuple[bytes, Blocks]:
    """Return the first bytes, so many if there are, and all the blocks nevertheless."""
    first = []
    length = 0
    for block in blocks:
        first.append(block)
        length += len(block)
        if length >= size:
            break
    head = b"".join(first)
    return head, chain((head,) if head else (), blocks)


def is_compressed(head: bytes) -> bool:
    """Whether what begins so is compressed."""
    return any(form.compressed and head.startswith(form.magic) for form in _FORMS)


def is_utf8(head: bytes) -> bool:
    """Whether what begins so is neither compressed nor known to be in another encoding."""
    return not any(head.startswith(form.magic) for form in _FORMS if form.magic != BOM)


def read_ahead(blocks: Blocks) -> Blocks:
    """Have a thread of its own decompress while what came before is used, as a pipe would."""
    ready: Queue[bytes | Exception | None] = Queue(_AHEAD)
    given_up = Event()

    def work() -> None:
        try:
            for block in blocks:
                if given_up.is_set():
                    return
                ready.put(block)
            ready.put(None)
        except Exception as error:  # noqa: BLE001 - raised where it is read
            ready.put(error)

    usual = sys.getswitchinterval()
    sys.setswitchinterval(_PATIENCE)
    Thread(target=work, daemon=True).start()
    try:
        while (block := ready.get()) is not None:
            if isinstance(block, Exception):
                raise block
            yield block
    finally:
        sys.setswitchinterval(usual)
        given_up.set()
        while not ready.empty():
            ready.get()


def _look_at(blocks: Blocks) -> tuple[_Encoding | None, Blocks]:
    head, blocks = head_of(blocks, _HEAD)
    return next((form for form in _FORMS if head.startswith(form.magic)), None), blocks


def _gunzip(blocks: Blocks) -> Blocks:
    """Decompress the members of a gzip file one after the other; zeros may follow the last."""
    data = next(blocks, b"")
    while data:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            try:
                block = member.decompress(data, _OUT)
            except zlib.error as error:
                raise DamageError(f"damaged gzip data: {error}") from None
            if block:
                yield block
            data = member.unconsumed_tail
            if not data and len(block) < _OUT and not member.eof:
                data = next(blocks, b"")
                if not data:
                    raise DamageError("damaged gzip data: it ends before its end is marked")
        data = (member.unused_data or next(blocks, b"")).lstrip(b"\0")


def _expand(
    blocks: Blocks, name: str, new: Callable[[], _Decompressor], faults: type[Exception]
) -> Blocks:
    """Decompress the streams of a file one after the other; zeros may follow the last."""
    data = next(blocks, b"")
    while data:
        stream = new()
        while not stream.eof:
            try:
                block = stream.decompress(data, _OUT)
            except (faults, ValueError) as error:
                raise DamageError(f"damaged {name} data: {error}") from None
            if block:
                yield block
            data = b""
            if stream.needs_input and not stream.eof:
                data = next(blocks, b"")
                if not data:
                    raise DamageError(f"damaged {name} data: it ends before its end is marked")
        data = (stream.unused_data or next(blocks, b"")).lstrip(b"\0")


def _expand_bzip2(blocks: Blocks) -> Blocks:
    import bz2  # noqa: PLC0415 - few files need it

    return _expand(blocks, "bzip2", bz2.BZ2Decompressor, OSError)


def _expand_xz(blocks: Blocks) -> Blocks:
    import lzma  # noqa: PLC0415 - few files need it

    return _expand(blocks, "xz", lzma.LZMADecompressor, lzma.LZMAError)


def _expand_zstd(blocks: Blocks) -> Blocks:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415 - few files need it
    else:
        from backports import zstd  # noqa: PLC0415

    return _expand(blocks, "zstd", zstd.ZstdDecompressor, zstd.ZstdError)


def _without_mark(blocks: Blocks) -> Blocks:
    yield next(blocks).removeprefix(BOM)
    yield from blocks


def _utf16(blocks: Iterable[bytes]) -> Blocks:
    decoder = codecs.getincrementaldecoder("utf-16")("replace")
    for block in blocks:
        yield decoder.decode(block).encode(errors="replace")
    yield decoder.decode(b"", final=True).encode(errors="replace")


_FORMS = (
    _Encoding(b"\x1f\x8b", "gzip", _gunzip),
    _Encoding(b"BZh", "bzip2", _expand_bzip2),
    _Encoding(b"\xfd7zXZ\0", "xz", _expand_xz),
    _Encoding(b"\x28\xb5\x2f\xfd", "zstd", _expand_zstd),
    _Encoding(BOM, "UTF-8", _without_mark, compressed=False),
    _Encoding(codecs.BOM_UTF16_LE, "UTF-16", _utf16, compressed=False),
    _Encoding(codecs.BOM_UTF16_BE, "UTF-16", _utf16, compressed=False),
)


_IN_MEMORY = 1 << 24


def is_hidden(name: str) -> bool:
    """Whether a file or a folder of this name is none that somebody put there to be read."""
    return name.startswith((".", "__MACOSX"))


def members_of(raw: BinaryFile, blocks: Blocks) -> Iterator[tuple[str, Callable[[], Blocks]]]:
    """Return the name of each file in a zip archive, and what reads it; hidden ones are left out.

    `blocks` are all of `raw`, for one that can't be read twice.
    """
    import tempfile  # noqa: PLC0415 - few files need it
    import zipfile  # noqa: PLC0415

    faults = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)

    def read(info: zipfile.ZipInfo) -> Blocks:
        try:
            with archive.open(info) as member:
                yield from read_blocks(member)
        except faults as error:
            raise DamageError(f"damaged zip data: {info.filename}: {error}") from None

    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
        if not raw.seekable():
            for block in blocks:
                kept.write(block)
        try:
            archive = zipfile.ZipFile(raw if raw.seekable() else kept)
        except faults as error:
            raise DamageError(f"damaged zip data: {error}") from None
        for info in archive.infolist():
            hidden = any(map(is_hidden, info.filename.split("/")))
            if not (hidden or info.is_dir()):
                yield info.filename, partial(read, info)
