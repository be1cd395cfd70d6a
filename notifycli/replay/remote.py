"""Files that lie elsewhere: in an object store, or behind a web server. fsspec reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from typing import Any
from urllib.parse import urlsplit

from notifycli.errors import DataError, InputMissingError, NotifycliError, UnavailableError
from notifycli.replay.decompression import BLOCK, DamageError

_SCHEMES = ("s3", "gs", "az", "abfs", "https", "http")


def is_remote(name: str) -> bool:
    """Whether a file's name is the address of one that isn't on this computer."""
    return name.partition("://")[0] in _SCHEMES and "://" in name


def shown(address: str) -> str:
    """Return an address as messages may show it: without a password, and what signs it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def find_remote(address: str) -> list[str]:
    """Return the addresses that an address with wildcards stands for, in their order.

    Raises `InputMissingError` where there is none, or the place can't be reached, and
    `UnavailableError` where what it takes isn't installed.
    """
    if not any(wildcard in urlsplit(address).path for wildcard in "*["):
        return [address]
    with _errors(address):
        system, path = _system(address)
        found = sorted(map(str, system.glob(path)))
    if not found:
        raise InputMissingError(
            f"{shown(address)}: no file has such a name", "check the address, and its wildcards"
        )
    return [system.unstrip_protocol(one) for one in found]


@contextmanager
def open_remote(address: str) -> Iterator[BufferedReader]:
    """Open a file; raises as `find_remote` does, while it is read too, and `DataError`."""
    with _errors(address):
        system, path = _system(address)
        with BufferedReader(system.open(path, "rb"), BLOCK) as raw:
            yield raw


def _system(address: str) -> tuple[Any, str]:
    """Return the file system of an address, and the path in it."""
    from fsspec.core import url_to_fs  # noqa: PLC0415 - few logs lie elsewhere

    system, path = url_to_fs(address)
    return system, path


@contextmanager
def _errors(address: str) -> Iterator[None]:
    place = shown(address)
    try:
        yield
    except NotifycliError:
        raise
    except DamageError as error:
        raise DataError(f"{place}: {error}") from None
    except ImportError as error:
        raise UnavailableError(
            f"{place}: to read from there needs what isn't installed: {error}",
            "pip install 'notifycli[remote]'",
        ) from None
    except FileNotFoundError:
        raise InputMissingError(f"{place}: there is no such file", "check the address") from None
    except Exception as error:  # noqa: BLE001 - each store's library raises its own
        # What an error says may hold the address, and what signs it.
        said = str(error).replace(address, place).partition("?")[0] or type(error).__name__
        raise InputMissingError(
            f"{place}: {said}",
            "check the address, and the credentials of this place in the environment",
        ) from None
