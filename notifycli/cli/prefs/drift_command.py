"""`notifycli prefs drift`: who differs from a policy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import USERS, command_class, examples, part, session_of
from notifycli.cli.files import open_document
from notifycli.cli.output import show
from notifycli.cli.prefs.differences import Counted, difference_cells
from notifycli.cli.session import Session
from notifycli.documents.preference_document import Document
from notifycli.replay.sources import place_of
from notifycli.rules.drift import drifts
from notifycli.store.staging import Difference

if TYPE_CHECKING:
    from rich.text import Text

app = part()

_HEADS = ("Whose", "Layer", "Key", "Is", "Should be", "Origin")


class DriftRecord(Difference):
    """An effective value that isn't the policy's: `old` is what is, `new` what should be.

    `layer` is the policy's, `origin` the layer that the value comes from.
    """

    origin: str


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
    default and its lock are for everybody, its tables of users for these users.
    """
    session = session_of(ctx)
    session.awaits(file)
    counted = Counted(_records(session, file))
    show(session, counted, DriftRecord, heads=_HEADS, cells=_cells)
    if counted.count:
        raise typer.Exit(1)
    session.info("nobody differs")


def _records(session: Session, file: str) -> Iterator[DriftRecord]:
    with session.store() as store:
        account = session.resolve_account(store)
        everybody = not (session.given_users or session.selects_many)
        users = store.users(account) if everybody else session.resolve_users(store, account)
        with open_document(file) as source:
            given = session.given_account
            policy = Document(store, source, place_of(file), account, only=given).policy()
        actual = store.preferences(account)
    emails = {user.id: user.email for user in users}
    for user, inbox, key, expected, found in drifts(policy, actual, emails):
        layer = expected.origin.value
        place = (account, layer, user, emails[user], inbox, key)
        yield DriftRecord(*place, found.value, expected.value, found.origin.value)


def _cells(item: DriftRecord) -> list[str | Text]:
    return [*difference_cells(item), item.origin]
