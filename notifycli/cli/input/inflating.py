"""Gzip input that is decompressed while what came before is used: as `zcat FILE |` would do it."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from io import BufferedReader, RawIOBase
from queue import Queue
from threading import Event, Thread

# Of a gzip file (RFC 1952), whose checksum and length zlib then looks at.
_GZIP = zlib.MAX_WBITS | 16
_BLOCK = 1 << 18
_OUT = 1 << 20
_AHEAD = 8
_PATIENCE = 0.0005
"""Seconds until a thread that waits for the interpreter's lock gets it. Decompressing a block takes
1 ms and asks for it several times: with the usual 5 ms the two would work by turns."""


class Inflated(RawIOBase):
    """What a gzip file holds. Damage raises `zlib.error`, an early end `EOFError`."""

    def __init__(self, source: BufferedReader) -> None:
        self._blocks: Queue[bytes | Exception] = Queue(_AHEAD)
        self._given_up = Event()
        self._rest = memoryview(b"")
        self._usual_patience = sys.getswitchinterval()
        sys.setswitchinterval(_PATIENCE)
        Thread(target=self._inflate, args=(source,), daemon=True).start()

    def readable(self) -> bool:
        """Whether it can be read: it can."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # a buffer is one of these
        """Give the next bytes; none at the end."""
        if not self._rest:
            block = self._blocks.get()
            if isinstance(block, Exception):
                raise block
            if not block:
                self._blocks.put(b"")
            self._rest = memoryview(block)
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size

    def close(self) -> None:
        """Let the thread end."""
        if not self.closed:
            sys.setswitchinterval(self._usual_patience)
        self._given_up.set()
        while not self._blocks.empty():
            self._blocks.get()
        super().close()

    def _inflate(self, source: BufferedReader) -> None:
        try:
            for block in _blocks(source):
                if self._given_up.is_set():
                    return
                self._blocks.put(block)
            self._blocks.put(b"")
        except Exception as error:  # noqa: BLE001 - told where it is read
            self._blocks.put(error)


def _blocks(source: BufferedReader) -> Iterator[bytes]:
    """Decompress the members of a gzip file one after the other; zeros may follow the last."""
    data = source.read1(_BLOCK)
    while data:
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            # No more than so much at once, however well it was compressed.
            block = member.decompress(data, _OUT)
            if block:
                yield block
            data = member.unconsumed_tail
            if not data and len(block) < _OUT and not member.eof:
                data = source.read1(_BLOCK)
                if not data:
                    raise EOFError("the file ended before its end was marked")
        data = (member.unused_data or source.read1(_BLOCK)).lstrip(b"\0")
