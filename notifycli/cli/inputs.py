"""What commands read: documents, and events that nobody named, which are where they were kept."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import input_descriptor, is_terminal
from notifycli.cli.times import read_time
from notifycli.errors import UsageError
from notifycli.replay.decompression import is_compressed
from notifycli.replay.sources import STDIN, Inputs, Record, file_errors, place_of, whole_blocks

_WAYS = """\
there are three ways to get events:
  fetch the past of your Chatwoot:   notifycli chatwoot login URL, then this command again
  name a file of webhooks' events:   {command} FILE
  receive them from now on:          notifycli listen, or notifycli chatwoot watch"""
_IN_MEMORY = 1 << 24


def read_document(name: str) -> bytes:
    """Read a file whole, or standard input for `-`.

    Raises `InputMissingError` for a file that can't be read, and `DataError` for damaged data.
    """
    return b"".join(whole_blocks(name, input_descriptor))


@contextmanager
def open_document(name: str) -> Iterator[BinaryIO]:
    """Open a file, or standard input for `-`, such that it can be read again from its start.

    Raises as `read_document` does, for all that is read inside too.
    """
    import tempfile  # noqa: PLC0415 - used here alone

    with file_errors(place_of(name)):
        if name != STDIN:
            with Path(name).open("rb") as file:
                if file.seekable() and not is_compressed(file.peek()):
                    yield file
                    return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as kept:
            for block in whole_blocks(name, input_descriptor):
                kept.write(block)
            kept.seek(0)
            yield cast("BinaryIO", kept)


def find_inputs(
    session: Session,
    given: list[str] | None,
    *,
    since: int | None = None,
    until: int | None = None,
    conversations: Sequence[int] | None = None,
) -> Inputs:
    """Return the events that are meant: of the named files, else of standard input.

    At a terminal nobody means to type them: there it is what `listen` or `watch` has kept, else the
    past of the connected Chatwoot from `since` on, which is yesterday by default. Raises
    `UsageError` where there is neither. With a store behind `serve` it is what that has received.

    Messages as Chatwoot's own command line prints them are events as well; those that don't say of
    which conversation they are belong to the only one of `conversations`.
    """
    if not given and session.location.link is not None:
        return _received_events(session, conversations or ())
    if not given and _is_nothing(sys.stdin):
        span = session.typed_options("--since", "--until")
        session.info(
            "no events are named, and standard input is empty: name a file, or ask your Chatwoot: "
            f"notifycli chatwoot history{span} | {session.again()}"
        )
    if given or not is_terminal(sys.stdin):
        return session.inputs(given)._replace(
            translate=partial(_translate, session, conversations or ())
        )
    return Inputs(tuple(_find_known(session, since, until)), input_descriptor, session.suggest)


def _is_nothing(stream: TextIO | None) -> bool:
    """Whether nothing ever comes from there: so cron and service managers start programs."""
    if stream is None:
        return False
    with suppress(OSError):
        return os.fstat(stream.fileno()).st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116
    return False


def _received_events(session: Session, conversations: Collection[int]) -> Inputs:
    """Return what the server has received, of these conversations or of all."""
    from tempfile import TemporaryFile  # noqa: PLC0415 - few stores are remote

    from notifycli.store.remote_store import RemoteStore  # noqa: PLC0415

    count = 0
    with session.store() as store, TemporaryFile() as file:
        if not isinstance(store, RemoteStore):
            raise TypeError("only a serve is asked for its events")
        session.info(f"reading what {store.location.name} has received")
        for part in store.events(conversations):
            file.writelines(bytes(one) + b"\n" for one in part.events)
            count += len(part.events)
            if not part.complete:
                session.info(
                    f"its log is longer: these are the last {plural(count, 'event')}; the rest "
                    "only the machine that has it can read"
                )
        file.seek(0)
        kept = os.dup(file.fileno())  # it has no name, and ends with the process
    return Inputs((STDIN,), lambda: kept, session.suggest)


def _translate(
    session: Session, conversations: Sequence[int], blocks: Iterator[list[Record]]
) -> Iterator[list[Record]]:
    begin = next((block for block in blocks if block), [])
    blocks = chain((begin,), blocks)
    text = begin[0][2] if begin else b""
    if b'"event"' in text or not (b'"message_type"' in text or b'"payload"' in text):
        return blocks
    from notifycli.chatwoot.api_history import events_of_listing  # noqa: PLC0415 - webhooks send none
    from notifycli.cli.chatwoot.past_events import say_inexact  # noqa: PLC0415

    with session.store() as store:
        account = session.fallback_account(store)
        users, teams = store.users(account), store.teams(account)
    only = conversations[0] if len(conversations) == 1 else None
    listing = events_of_listing(chain.from_iterable(blocks), account, only, users, teams)
    if listing.messages:
        session.info(f"{plural(listing.messages, 'message')} as Chatwoot's API lists them")
    say_inexact(session, listing.inexact)
    return iter([listing.records])


def _find_known(session: Session, since: int | None, until: int | None) -> Iterable[str]:
    from notifycli.server.journal import files_of, journal_of  # noqa: PLC0415 - if nobody named any

    with session.store() as store:
        journal = journal_of(session.location, store)
        connected = store.connection(session.resolve_account(store)) is not None
    if files := files_of(journal):
        session.info(f"reading what was received: {journal}")
        return map(str, files)
    if not connected:
        raise UsageError(
            "no events are named, and none are known", _WAYS.format(command=session.again())
        )
    from notifycli.cli.chatwoot.past_events import fetch_to_cache  # noqa: PLC0415 - it needs the network

    return [str(fetch_to_cache(session, read_time("yesterday") if since is None else since, until))]
