"""`notifycli prefs export`, `import`, `diff`, `apply` and `drift`: preferences as documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NamedTuple

import typer

from notifycli.cli.command import (
    USERS,
    ProgressBar,
    command_class,
    examples,
    none_of,
    part,
    session_of,
)
from notifycli.cli.inputs import open_document
from notifycli.cli.output import check_file, console, show, write, write_file
from notifycli.cli.prefs.set import Counted, difference_cells, show_differences
from notifycli.cli.session import Session, display_name, plural, quoted
from notifycli.cli.terminal import is_terminal
from notifycli.cli.times import now
from notifycli.documents import decode_document
from notifycli.documents.preference_document import FORMATS, Layers, PreferenceDocument, read_toml
from notifycli.documents.preference_entries import LAYERS
from notifycli.errors import DataError, UsageError
from notifycli.replay.decompression import is_compressed
from notifycli.replay.sources import STDIN, place_of, total_size
from notifycli.rules.layers import Drift, drifts
from notifycli.rules.preferences import Layer
from notifycli.store.staged_values import Difference, Staging
from notifycli.store.store import Store

if TYPE_CHECKING:
    from rich.progress import Progress
    from rich.text import Text


app = part()
_MAGIC = 16
"""Bytes that tell whether a file is compressed."""


def _format(text: str) -> str:
    if text not in FORMATS:
        raise none_of(text, tuple(FORMATS))
    return text


def _layer(text: str) -> Layer:
    if text not in LAYERS:
        raise none_of(text, tuple(LAYERS))
    return LAYERS[text]


def _format_option(help_: str) -> Any:
    return typer.Option("--format", parser=_format, metavar="|".join(FORMATS), help=help_)


File = Annotated[
    str, typer.Argument(metavar="FILE", help="TOML, JSON or CSV, plain or gzip; - is stdin.")
]
FormatOption = Annotated[
    str | None,
    _format_option("How it is written; told from the name or the content if left out."),
]


@app.command(
    "export",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs export > policy.toml
notifycli prefs export --format csv --layer user > users.csv
notifycli prefs export --update policy.toml
"""
    ),
)
def prefs_export(
    ctx: typer.Context,
    *,
    format_: Annotated[
        str | None,
        _format_option("How to write it; toml if neither this nor -o says otherwise."),
    ] = None,
    layer: Annotated[
        list[Layer] | None,
        typer.Option(
            parser=_layer, metavar="|".join(LAYERS), help="Only this layer; may be repeated."
        ),
    ] = None,
    update: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Bring this TOML file up to date instead, keeping its comments."
        ),
    ] = None,
) -> None:
    """Print all that is set in the account as a document.

    The same values give the same bytes, wherever they are set.
    """
    session = session_of(ctx)
    layers = frozenset(layer or LAYERS.values())
    chosen = format_ or session.output or "toml"
    if chosen not in FORMATS:
        raise UsageError(f"a document is not written as {chosen}", f"write {', '.join(FORMATS)}")
    with session.store() as store:
        account = session.resolve_account(store)
        if not any(store.document_values(account, layers & {Layer.CONVERSATION})):
            layers -= {Layer.CONVERSATION}
        if update is None:
            text = FORMATS[chosen](store.document_values(account, layers), layers, account)
            write(block.encode() for block in text)
            return
        changed = _update(update, store, account, layers)
    session.info(f"{update}: {'brought up to date' if changed else 'is up to date'}")


@app.command(
    "import",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs import team.csv
notifycli prefs export -a 1 | notifycli prefs import - -a 2
printf 'layer,user,key,value\\nuser,jane@example.com,audio,all\\n' | notifycli prefs import -
"""
    ),
)
def prefs_import(
    ctx: typer.Context,
    file: File,
    *,
    format_: FormatOption = None,
    progress: ProgressBar = None,
) -> None:
    """Set what a document says: all of it, or nothing. What it doesn't name stays as it is."""
    session = session_of(ctx)
    read, changed = _put(session, _Given(file, format_, progress), whole=False)
    session.info(f"{place_of(file)}: {plural(read, 'preference')} read, {changed:,} changed")


@app.command(
    "apply",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs apply policy.toml --dry-run
notifycli prefs apply policy.toml
"""
    ),
)
def prefs_apply(
    ctx: typer.Context,
    file: File,
    *,
    format_: FormatOption = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")
    ] = False,
    progress: ProgressBar = None,
) -> None:
    """Make what a document speaks of equal to it: all, or nothing.

    It speaks of each layer of the account that it has, and of each user whom it names, in the
    layers of users that it has. What is set there and not in the document is taken away; import
    only adds.
    """
    session = session_of(ctx)
    if dry_run:
        with _compare(session, _Given(file, format_, progress)) as staging:
            show_differences(session, staging)
        return
    read, changed = _put(session, _Given(file, format_, progress), whole=True)
    session.info(f"{place_of(file)}: {plural(read, 'preference')} read, {changed:,} changed")


@app.command(
    "diff",
    cls=command_class(),
    epilog=examples(
        """
notifycli prefs diff policy.toml
notifycli prefs diff policy.toml --exit-code --quiet > /dev/null || echo changed
"""
    ),
)
def prefs_diff(
    ctx: typer.Context,
    file: File,
    *,
    format_: FormatOption = None,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with 1 if there are differences.")
    ] = False,
    progress: ProgressBar = None,
) -> None:
    """Show what applying a document would change."""
    session = session_of(ctx)
    with _compare(session, _Given(file, format_, progress)) as staging:
        count = show_differences(session, staging)
    if exit_code and count:
        raise typer.Exit(1)


class _Given(NamedTuple):
    """How a document was named."""

    file: str
    format: str | None
    progress: bool | None


def _put(session: Session, given: _Given, *, whole: bool) -> tuple[int, int]:
    """Import or apply; gives how many entries were read, and how many values changed."""
    session.awaits(given.file)
    with (
        bar_over(session, given.file, "reading", wanted=given.progress) as bar,
        session.store(create=True) as store,
        store.changes(session.command, session.who) as changes,
    ):
        staging = store.staging()
        document = _stage(session, store, given, staging, bar)
        if whole:
            staging.put_absent(document.spoken)
        bar.wait("storing")
        changed = sum(changes(of).settle(staging, document.place_of) for of in staging.accounts())
        unknown = staging.unknown_inboxes()
    if unknown:
        listed = ", ".join(map(str, unknown))
        session.info(f"inboxes that are not in the directory yet: {listed}")
    return document.read, changed


@contextmanager
def _compare(session: Session, given: _Given) -> Iterator[Staging]:
    """Stage what applying the document would set; warns of what a lock forbids."""
    session.awaits(given.file)
    with session.store() as store, store.comparing() as staging:
        with bar_over(session, given.file, "reading", wanted=given.progress) as bar:
            document = _stage(session, store, given, staging, bar, stores=False)
            staging.put_absent(document.spoken)
        for of in staging.accounts():
            for item in staging.find_locked(of, again=True):
                place = document.place_of(item)
                session.warn(
                    f"{place}: {item.key} is locked to {item.lock}: apply would be refused"
                )
        yield staging


def _stage(
    session: Session,
    store: Store,
    given: _Given,
    staging: Staging,
    bar: Bar,
    *,
    stores: bool = True,
) -> PreferenceDocument:
    only = session.given_account
    if only is not None:
        session.resolve_account(store, may_be_new=stores)
    with open_document(given.file) as source:
        document = PreferenceDocument(
            *(store, source, place_of(given.file)),
            lambda: session.resolve_account(store, may_be_new=stores),
            given.format,
            only=only,
        )
        try:
            document.stage(staging, lambda: bar.advance_to(source))
        except DataError as error:
            left = "\nnothing was stored" if stores else ""
            raise DataError(f"{error.message}{left}", error.hint) from None
    _warn_of_channels(session, given.file, document)
    if document.foreign_count:
        session.info(
            f"left out {plural(document.foreign_count, 'row')} of other accounts than {only}"
        )
    return document


def _warn_of_channels(session: Session, file: str, document: PreferenceDocument) -> None:
    for channel in document.missing_channels:
        session.warn(
            f"{place_of(file)}: nothing here adds the channel {channel}: what is set for it is "
            "sent once its package is installed"
        )


def _update(file: Path, store: Store, account: int, layers: Layers) -> bool:
    """Bring a TOML file up to date; gives whether that has changed it."""
    from notifycli.documents.toml_update import update_toml  # noqa: PLC0415 - imports tomlkit

    check_file(str(file))
    with open_document(str(file)) as source:
        text = decode_document(source.read(), str(file))
    _check_plain(file)
    read_toml(text, str(file))
    references = store.user_references(account)
    names = {user.id: display_name(user) for user in store.users(account)}

    def name_of(reference: str) -> str | None:
        return names.get(references.get(reference, references.get(reference.casefold(), -1)))

    try:
        updated = update_toml(text, store.document_values(account, layers), layers, name_of)
    except DataError as error:
        raise DataError(f"{file}: {error.message}", error.hint) from None
    if updated != text:
        write_file(str(file), updated.encode())
    return updated != text


def _check_plain(file: Path) -> None:
    """Raise `UsageError` for a compressed file: what is written is plain."""
    with file.open("rb") as opened:
        head = opened.read(_MAGIC)
    if is_compressed(head):
        plain = file.with_suffix("")
        remedy = (
            f": gunzip {quoted(str(file))}; notifycli prefs export --update {quoted(str(plain))}"
        )
        raise UsageError(
            f"{file} is compressed, and would be written plain",
            f"unpack it first{remedy if file.suffix == '.gz' else ''}",
        )


class Bar:
    """A bar over the reading of one file; without `progress`, none is shown."""

    def __init__(self, progress: Progress | None, label: str, total: int | None) -> None:
        self._progress = progress
        self._total = total
        self._task = None if progress is None else progress.add_task(label, total=total)

    def advance_to(self, source: BinaryIO) -> None:
        """Show how far the file has been read."""
        if self._progress is not None and self._task is not None and self._total:
            # The place in the file on disk, also where it is decompressed.
            position = os.lseek(source.fileno(), 0, os.SEEK_CUR)
            self._progress.update(self._task, completed=position)

    def wait(self, label: str) -> None:
        """Show that something goes on of which nobody knows how long it takes."""
        if self._progress is not None and self._task is not None:
            # A total can't be taken from a task that has one.
            self._progress.remove_task(self._task)
            self._task = self._progress.add_task(label, total=None)


@contextmanager
def bar_over(session: Session, file: str, label: str, *, wanted: bool | None) -> Iterator[Bar]:
    """Show a bar while a file is read; if it isn't said, only on a terminal."""
    if not (is_terminal(sys.stderr) and not session.quiet if wanted is None else wanted):
        yield Bar(None, label, None)
        return
    from rich.progress import Progress  # noqa: PLC0415 - a pipe can spare it

    with Progress(console=console(session, stderr=True), transient=True) as progress:
        yield Bar(progress, label, None if file == STDIN else total_size([file]))


_DRIFT_HEADS = ("Whose", "Layer", "Key", "Is", "Should be", "Origin")


class DriftRecord(Difference):
    """An effective value that isn't the policy's: `old` is what is, `new` what should be.

    `layer` is the policy's, `origin` the layer that the value comes from.
    """

    origin: str


class DriftInConversation(DriftRecord):
    """The same where either speaks of conversations."""

    conversation_id: int | None


@app.command(
    "drift",
    cls=command_class(*USERS),
    epilog=examples(
        """
notifycli prefs drift policy.toml
notifycli prefs drift policy.toml --team 2
notifycli prefs drift policy.toml -o csv > drift.csv || echo somebody differs
"""
    ),
)
def prefs_drift(
    ctx: typer.Context,
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="The policy: TOML, JSON or CSV; - is stdin.")
    ],
) -> None:
    """Show who gets something else than a policy says.

    Exits with 1 if anybody does. The policy is a document as `prefs export` writes it: its
    default and its lock are for everybody, its tables of users for these users. A value that ends
    at some moment counts as it is now.
    """
    session = session_of(ctx)
    session.awaits(file)
    with session.store() as store:
        account = session.resolve_account(store)
        everybody = not (session.given_users or session.selects_many)
        users = store.users(account) if everybody else session.resolve_users(store, account)
        with open_document(file) as source:
            given = session.given_account
            document = PreferenceDocument(store, source, place_of(file), account, only=given)
            policy = document.policy()
        _warn_of_channels(session, file, document)
        actual = store.preferences(account)
    emails = {user.id: user.email for user in users}
    of_conversations = bool(policy.conversation or actual.conversation)
    counted = Counted(
        _record(account, emails[drift.user], drift, of_conversations=of_conversations)
        for drift in drifts(policy, actual, emails, now())
    )
    record = DriftInConversation if of_conversations else DriftRecord
    show(session, counted, record, heads=_DRIFT_HEADS, cells=_cells)
    if counted.count:
        raise typer.Exit(1)
    session.info("nobody differs")


def _record(
    account: int, email: str | None, drift: Drift, *, of_conversations: bool
) -> DriftRecord:
    expected, found = drift.expected, drift.actual
    place = (account, expected.origin.value, drift.user, email, drift.inbox, drift.key)
    values = (found.value, expected.value, found.origin.value)
    if of_conversations:
        return DriftInConversation(*place, *values, drift.conversation)
    return DriftRecord(*place, *values)


def _cells(item: DriftRecord) -> list[str | Text]:
    return [*difference_cells(item), item.origin]
