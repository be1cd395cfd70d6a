"""Packed events: what the rules read of a log, decoded once, to be replayed again and again.

A file begins with a magic number and the version of the facts in it. Blocks of events follow, each
after its length; after the last of them there is a length of 0, so that a cut is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import IO

import msgspec
from msgspec.structs import replace

from notifycli.errors import DataError
from notifycli.events.event import Event
from notifycli.replay.decompression import DamageError
from notifycli.replay.sources import PACKED
from notifycli.rules.candidates import mentions_in

VERSION = 2
"""Of `Event` as it is packed: whatever changes in its fields or in what they mean, changes this."""
_BLOCK = 4096
_LENGTH = 4
_LONGEST_HEAD = 64
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Event]).decode


def write_facts(events: Iterable[Event], file: IO[bytes]) -> int:
    """Write events that have not been replayed yet; returns their number.

    Of what messages say, mentions alone are kept.
    """
    file.write(b"%b%d\n" % (PACKED, VERSION))
    rest, count = map(without_text, events), 0
    while block := list(islice(rest, _BLOCK)):
        data = _encode(block)
        file.write(len(data).to_bytes(_LENGTH) + data)
        count += len(block)
    file.write(bytes(_LENGTH))
    return count


def without_text(event: Event) -> Event:
    """Take from an event all that its message says, but for mentions."""
    message = event.message
    if message is not None and message.content:
        event.message = replace(message, content=mentions_in(message))
    return event


def read_facts(name: str, file: IO[bytes]) -> Iterator[tuple[list[Event], int]]:
    """Return the events of a file block by block, each with the bytes that it took.

    Raises as `read_blocks` and `decode_block` do.
    """
    for block, size in read_blocks(name, file):
        yield decode_block(block), size


def read_blocks(name: str, file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Return the blocks of a file, each with the bytes that it took.

    Raises `DataError` for another version, and `DamageError`.
    """
    head = file.readline(_LONGEST_HEAD)
    if head != b"%b%d\n" % (PACKED, VERSION):
        found = head[len(PACKED) :].decode(errors="replace").strip()
        raise DataError(
            f"{name}: facts of version {found if found.isdecimal() else '?'}, not {VERSION}",
            "pack the log again with this notifycli: notifycli events pack LOG -o FILE",
        )
    while length := int.from_bytes(_read(file, _LENGTH)):
        yield _read(file, length), _LENGTH + length


def decode_block(block: bytes) -> list[Event]:
    """Return the events of a block. Raises `DamageError`."""
    try:
        return _decode(block)
    except msgspec.MsgspecError as error:
        raise DamageError(f"damaged facts: {error}") from None


def _read(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise DamageError("damaged facts: they end before their end is marked")
    return data
