"""`notifycli prefs export|import|diff|apply`: the preferences of many users as one document."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from notifycli.cli.command import command_class, examples, none_of, part, session_of
from notifycli.cli.files import open_document
from notifycli.cli.output import write, write_file
from notifycli.cli.prefs.differences import show_differences
from notifycli.cli.prefs.progress import Bar, bar_over
from notifycli.cli.session import Session, display_name, plural
from notifycli.documents.entries import LAYERS
from notifycli.documents.preference_document import Document
from notifycli.documents.preference_tables import read_toml
from notifycli.documents.syntax import FORMATS, Layers
from notifycli.errors import DataError, UsageError
from notifycli.replay.sources import place_of
from notifycli.rules.preferences import Layer
from notifycli.store.staging import Staging
from notifycli.store.store import Store

app = part()


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
Progress = Annotated[
    bool | None,
    typer.Option(
        "--progress/--no-progress",
        help="A progress bar on standard error; on by default on a terminal.",
    ),
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
    progress: Progress = None,
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
    progress: Progress = None,
) -> None:
    """Make what a document speaks of equal to it: all, or nothing.

    It speaks of each layer of the account that it has, and of each user whom it names, in the
    layers of users that it has. What is set there and not in the document is taken away; import
    only adds.
    """
    session = session_of(ctx)
    if dry_run:
        with _compared(session, _Given(file, format_, progress)) as staging:
            show_differences(session, staging.differences())
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
    progress: Progress = None,
) -> None:
    """Show what applying a document would change."""
    session = session_of(ctx)
    with _compared(session, _Given(file, format_, progress)) as staging:
        count = show_differences(session, staging.differences())
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
def _compared(session: Session, given: _Given) -> Iterator[Staging]:
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
) -> Document:
    only = session.given_account
    if only is not None:
        session.resolve_account(store, may_be_new=stores)
    with open_document(given.file) as source:
        document = Document(
            *(store, source, place_of(given.file)),
            lambda: session.resolve_account(store, may_be_new=stores),
            given.format,
            only=only,
        )
        document.stage(staging, lambda: bar.advance_to(source))
    if document.foreign_count:
        session.info(
            f"left out {plural(document.foreign_count, 'row')} of other accounts than {only}"
        )
    return document


def _update(file: Path, store: Store, account: int, layers: Layers) -> bool:
    """Bring a TOML file up to date; gives whether that has changed it."""
    from notifycli.documents.toml_update import update_toml  # noqa: PLC0415 - imports tomlkit

    with open_document(str(file)) as source:
        text = source.read().decode()
    read_toml(text, str(file))
    references = store.user_references(account)
    names = {user.id: display_name(user) for user in store.users(account)}

    def named(reference: str) -> str | None:
        return names.get(references.get(reference, references.get(reference.casefold(), -1)))

    try:
        updated = update_toml(text, store.document_values(account, layers), layers, named)
    except DataError as error:
        raise DataError(f"{file}: {error.message}", error.hint) from None
    if updated != text:
        write_file(str(file), updated.encode())
    return updated != text
