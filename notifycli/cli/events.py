"""`notifycli events`: logs of events, decoded once to be replayed again and again."""

from __future__ import annotations

from typing import Annotated, BinaryIO

import typer

from notifycli.cli.command import Strict, command_class, examples, group, session_of
from notifycli.cli.output import check_apart, write, write_file
from notifycli.cli.session import plural
from notifycli.cli.terminal import print_error

app = group("Logs of events, packed to be replayed faster.")


@app.command(
    "pack",
    cls=command_class(),
    epilog=examples(
        """
notifycli events pack webhooks-*.jsonl.gz -o week.facts
notifycli simulate week.facts --summary
notifycli why week.facts -u jane@example.com
"""
    ),
)
def events_pack(
    ctx: typer.Context,
    events: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[EVENTS]...",
            help="Files or folders of events, in whatever form; - or none is stdin.",
        ),
    ] = None,
    *,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ],
    strict: Strict = False,
) -> None:
    """Decode events once, to replay them several times faster.

    The file holds no more of them than the rules read: no text but mentions. simulate and why show
    the same of it as of the log, and a scenario of test may name it. Bad lines are told now.
    deliver needs the log itself.
    """
    from notifycli.replay.packed_events import write_facts  # noqa: PLC0415 - not for the help
    from notifycli.replay.scan import read_events  # noqa: PLC0415
    from notifycli.replay.sources import BadLines  # noqa: PLC0415

    session = session_of(ctx)
    inputs, bad = session.inputs(events), BadLines(print_error, strict=strict)
    check_apart("-o", output, *inputs.files, session.location.name)
    count = 0

    def pack_into(file: BinaryIO) -> None:
        nonlocal count
        count = write_facts(read_events(inputs, bad), file)

    write_file(output, pack_into)
    session.info(f"packed {plural(count, 'event')} into {output}")
    raise typer.Exit(bad.finish())


@app.command(
    "received",
    cls=command_class(),
    epilog=examples(
        "notifycli events received | notifycli simulate -\nnotifycli events received > week.jsonl"
    ),
)
def events_received(ctx: typer.Context) -> None:
    """Write what listen --store has received, a line each."""
    session = session_of(ctx)
    with session.store() as store:
        write(f"{body}\n".encode() for body in store.received.bodies())
