"""Zip archives: the files in them, one after the other."""

from __future__ import annotations

import tempfile
import zipfile
import zlib
from collections.abc import Iterator

from notifycli.replay.decompression import BinaryFile, Blocks, DamageError, read_blocks

_IN_MEMORY = 1 << 24
_FAULTS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
_HIDDEN = (".", "__MACOSX")


def members_of(raw: BinaryFile, blocks: Blocks) -> Iterator[tuple[str, Blocks]]:
    """Return the name of each file in an archive, and what it holds; hidden ones are left out.

    `blocks` are all of `raw`, for one that can't be read twice.
    """
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
        if not raw.seekable():
            for block in blocks:
                kept.write(block)
        try:
            archive = zipfile.ZipFile(raw if raw.seekable() else kept)
        except _FAULTS as error:
            raise DamageError(f"damaged zip data: {error}") from None
        for info in archive.infolist():
            hidden = any(part.startswith(_HIDDEN) for part in info.filename.split("/"))
            if not (hidden or info.is_dir()):
                yield info.filename, _blocks_of(archive, info)


def _blocks_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Blocks:
    try:
        with archive.open(info) as member:
            yield from read_blocks(member)
    except _FAULTS as error:
        raise DamageError(f"damaged zip data: {info.filename}: {error}") from None
