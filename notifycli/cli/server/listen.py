"""`notifycli listen`: receives Chatwoot's webhooks into a file that `simulate` replays."""

from __future__ import annotations

import os
import shlex
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from notifycli.cli.command import command_class, examples, session_of
from notifycli.cli.log_writer import LogFormat, LogFormatOption, LogWriter
from notifycli.cli.server.deliver_meanwhile import deliver_meanwhile
from notifycli.cli.server.server_options import (
    JOURNAL,
    BehindProxy,
    Host,
    Port,
    TlsCert,
    TlsKey,
    load_metrics,
    load_server,
    print_stopped,
)
from notifycli.cli.session import Session, plural
from notifycli.errors import ConfigurationError, UnavailableError, UsageError
from notifycli.secrets.token_format import Secret

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_PORT = 8787


@app.command(
    "listen",
    cls=command_class(),
    epilog=examples(
        """
notifycli config set listen.secret      the secret that Chatwoot shows beside the webhook
notifycli listen
notifycli listen --port 9000 --path ~/desk/events.jsonl --behind-proxy 127.0.0.1
notifycli listen --deliver              and send what fires
notifycli simulate ~/desk/events*.jsonl
"""
    ),
)
def listen(
    ctx: typer.Context,
    *,
    host: Host = "127.0.0.1",
    port: Port = _PORT,
    path: Annotated[
        Path | None,
        typer.Option(
            "--path", metavar="FILE", help="Where to keep events. [default: beside the store]"
        ),
    ] = None,
    unsigned: Annotated[
        bool,
        typer.Option("--unsigned", help="Take webhooks without a signature too: of old servers."),
    ] = False,
    deliver: Annotated[
        bool,
        typer.Option(
            "--deliver", help="Send what fires, by e-mail and push, as deliver --follow does."
        ),
    ] = False,
    log_format: LogFormatOption = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    behind_proxy: BehindProxy = None,
) -> None:
    """Receive Chatwoot's webhooks, and keep them for simulate, a line each.

    What was answered is on the disk, once, whatever happens then. A full file, or yesterday's, is
    put aside under its date. Ctrl-C or SIGTERM stops it.
    """
    session = session_of(ctx)
    http_server = load_server()
    from notifycli.server.journal import Journal  # noqa: PLC0415
    from notifycli.server.webhooks import WebhookReceiver  # noqa: PLC0415 - needs what is an extra

    secrets = _secrets(session, needed=not unsigned)
    metrics = load_metrics(session)
    writer = LogWriter(session, log_format or LogFormat.TEXT, metrics)
    log = writer.note
    # pathlib's own raises where it may not look.
    if path is not None and not os.path.isdir(Path(os.path.expanduser(path)).parent):  # noqa: PTH112
        make = f"mkdir -p {shlex.quote(str(path.parent))}"
        raise UsageError(f"there is no folder for {path}", make)
    journal = Journal(Path(os.path.expanduser(path or session.location.folder / JOURNAL)), log)
    at = http_server.Place(host, port, tls_cert, tls_key, behind_proxy)
    at.check()
    journal.open()
    with ExitStack() as stack:
        stack.callback(journal.close)
        if deliver:
            stack.enter_context(deliver_meanwhile(session, journal.path, writer))
        receiver = WebhookReceiver(
            journal, secrets, log, unsigned=unsigned, local=at.is_local, metrics=metrics
        )
        http_server.run(
            receiver.application(),
            at,
            lambda address: session.info(f"receiving events at {address} into {journal.path}"),
            log,
        )
    print_stopped(session, f"; {plural(receiver.kept, 'event')} received")


def _secrets(session: Session, *, needed: bool) -> list[Secret]:
    """Return the secrets that are set: several, with spaces between, while one is replaced.

    Raises `ConfigurationError` if one is needed, and none is set.
    """
    from notifycli.secrets.secret_settings import get_secret  # noqa: PLC0415 - only a server needs it

    try:
        with session.store() as store:
            kept = get_secret(store, "listen.secret")
    except UnavailableError as error:
        if needed:
            raise
        session.info(f"no signature can be checked: {error.message}")
        return []
    secrets = [] if kept is None else [Secret(word) for word in kept.reveal().split()]
    if needed and not secrets:
        raise ConfigurationError(
            "no secret is set to check the signatures of webhooks with",
            "notifycli config set listen.secret; or, if your server signs nothing: --unsigned",
        )
    return secrets
