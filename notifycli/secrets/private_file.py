"""Files that only their owner may read, replaced whole or not at all."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from notifycli.errors import (
    ConfigurationError,
    InputMissingError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LOCK_SECONDS = 10.0
"""How long a writer waits for another one: some thirty writes with their key derivation."""

_POLL = 0.02
_OLD = 3600.0
"""Seconds after which nobody writes any more what lies beside a file."""
_RANDOM = 9
"""Characters of the end that a name beside it has, with their dot."""
_LONGEST = 100
"""Characters of a file's name that the one beside it has too, which may not be too long."""
_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_GIVEN = ("/run/secrets", "/var/run/secrets", "/run/credentials")
_MOST = 64 * 1024 * 1024


def read_private(path: Path) -> bytes | None:
    """Return the bytes of a file that only its owner can read, or None if there is no file.

    Raises `ConfigurationError` if others may read or write it, or it is someone else's or no file;
    `NotPermittedError` if the system refuses; `InputMissingError` for any other trouble.
    """
    return _read(path, _check_private)


def read_given(path: Path, environ: Mapping[str, str]) -> bytes | None:
    """Return the bytes of a private file, or of a secret that the system gives to a service.

    Docker and Kubernetes put secrets under `/run/secrets`, systemd in `$CREDENTIALS_DIRECTORY`:
    owner and mode are theirs to choose (0444, 0440, root), and who else gets in is kept out by the
    place. Otherwise as `read_private`.
    """
    places = [*_GIVEN, *filter(None, [environ.get("CREDENTIALS_DIRECTORY")])]
    folders = {Path(os.path.abspath(path)).parent, Path(os.path.realpath(path)).parent}  # noqa: PTH100 - a link counts by its own place too
    given = any(folder.is_relative_to(place) for folder in folders for place in places)
    return _read(path, _check_unwritable if given else _check_private)


def _read(path: Path, check: Callable[[Path, os.stat_result], None]) -> bytes | None:
    try:
        # To open a pipe would wait for whoever writes to it.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            check(path, os.fstat(descriptor))
            return file.read(_MOST)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise NotPermittedError(
            f"{path} can't be read", "Ask its owner, or name another."
        ) from None
    except IsADirectoryError:
        raise ConfigurationError(f"{path} is a folder", "Name a file in it.") from None
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputMissingError(f"{path} can't be read: {why}", "Name another file.") from None


def replace_private(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Put `data` at `path`, readable by its owner alone, making its folder; see `replace_file`.

    Raises `UnavailableError`.
    """
    path = Path(os.path.realpath(path))
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        replace_file(path, data, private=True)
        _sweep(path)
    except OSError as error:
        raise UnavailableError(
            f"{path} can't be written: {error.strerror}", "Make room or rights for it."
        ) from None


def replace_file(
    path: Path, data: bytes | Callable[[BinaryIO], object], *, private: bool = False
) -> None:
    """Put `data`, or what it writes, at `path`.

    A crash, also of the machine, leaves the old or the new whole.
    A symbolic link stays and what it points to is replaced. What is no plain file, a pipe for one,
    is written to. Rights stay as they are, unless it is to be `private`. Raises `OSError`.
    """
    path = Path(os.path.realpath(path))
    write = data if callable(data) else lambda file: file.write(data)
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            write(file)
        return
    beside = path.with_name(f".{path.name[:_LONGEST]}.{os.urandom(4).hex()}")
    try:
        new = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666)
        with os.fdopen(new, "wb") as file:
            write(file)
            file.flush()
            os.fsync(new)
        if path.exists() and not private:
            beside.chmod(stat.S_IMODE(path.stat().st_mode))
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_folder(path.parent)


def _sweep(path: Path) -> None:
    """Delete what writers that were killed have left beside a file."""
    for left in path.parent.iterdir():
        if left.name.startswith(f".{path.name[:_LONGEST]}.") and len(left.suffix) == _RANDOM:
            with contextlib.suppress(OSError):
                if left.stat().st_mtime < time.time() - _OLD:
                    left.unlink()


def lock_path(path: Path) -> Path:
    """Return the lock file of a file that is changed by reading it and writing it anew."""
    return path.with_name(f"{path.name}.lock")


@contextlib.contextmanager
def hold_lock(path: Path, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Hold the lock file `path`, against other processes and threads, while the block runs.

    The system lets go of it when the process ends, however it ends; the file stays, since deleting
    it would let two processes hold two files of one name. Raises `TryAgainError` after `seconds`,
    `UnavailableError` if the file can't be made. (`filelock` does the same; importing it takes
    50 ms, which `token copy` would pay each time.)
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise UnavailableError(
            f"{path} can't be written: {error.strerror}", "Make room or rights for it."
        ) from None
    try:
        deadline = time.monotonic() + seconds
        while not _take(descriptor):
            if time.monotonic() > deadline:
                raise TryAgainError(
                    f"another process has held {path} for {seconds:g} s", "Try again."
                )
            time.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> bool:
    """Take the lock if it is free; closing the descriptor gives it back."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _check_private(path: Path, status: os.stat_result) -> None:
    _check_plain(path, status)
    if sys.platform == "win32":  # its files inherit the profile folder's list of who may
        return
    if status.st_uid not in {0, os.geteuid()}:
        raise ConfigurationError(f"{path} belongs to someone else", f"Type: chown $USER {path}")
    if status.st_mode & _OTHERS:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(
            f"{path} can be read by others (mode {mode:04o})", f"Type: chmod 600 {path}"
        )


def _check_unwritable(path: Path, status: os.stat_result) -> None:
    _check_plain(path, status)
    if status.st_mode & _OTHERS_WRITE:
        mode = stat.S_IMODE(status.st_mode)
        raise ConfigurationError(
            f"{path} can be written by others (mode {mode:04o})", f"Type: chmod go-w {path}"
        )


def _check_plain(path: Path, status: os.stat_result) -> None:
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError
    if not stat.S_ISREG(status.st_mode):
        raise ConfigurationError(f"{path} is no plain file", "Name a file.")


def sync_folder(folder: Path) -> None:
    """Make a rename last through a power cut; Windows has no such call."""
    if sys.platform != "win32":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
