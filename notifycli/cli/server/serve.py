"""`notifycli serve`: Chatwoot's API, answered from the store."""

from __future__ import annotations

import typer

from notifycli.cli.command import command_class, examples, session_of
from notifycli.cli.log_writer import LogFormat, LogWriter
from notifycli.cli.server.server_options import (
    BehindProxy,
    Host,
    Port,
    TlsCert,
    TlsKey,
    load_metrics,
    load_server,
    print_stopped,
)
from notifycli.cli.times import now
from notifycli.cli.types import AllowLoopback

app = typer.Typer(rich_markup_mode=None, add_completion=False)
_PORT = 8788


@app.command(
    "serve",
    cls=command_class(),
    epilog=examples(
        """
notifycli serve
notifycli token header -u jane@example.com | curl -H @- http://127.0.0.1:8788/api/v1/profile
notifycli serve --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem
notifycli serve --behind-proxy 127.0.0.1
"""
    ),
)
def serve(
    ctx: typer.Context,
    *,
    host: Host = "127.0.0.1",
    port: Port = _PORT,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    behind_proxy: BehindProxy = None,
    allow_loopback: AllowLoopback = False,
) -> None:
    """Answer Chatwoot's API for profiles, notification settings and the directory.

    Whoever has one of our tokens is let in: agents to their own settings, administrators to
    everybody's (add ?user_id=ID). What there is: /openapi.json. The links of push invite lead here.
    Ctrl-C or SIGTERM stops it.
    """
    session = session_of(ctx)
    http_server = load_server()
    from notifycli.server.app import Api  # noqa: PLC0415 - needs what is an extra

    log = LogWriter(session, LogFormat.TEXT).note
    with session.store(create=True):
        pass  # What is wrong with it is told here, and not of each request.
    metrics = load_metrics(session)
    api = Api(session.location, now, log, allow_loopback=allow_loopback, metrics=metrics)
    http_server.run(
        api.application(),
        http_server.Place(host, port, tls_cert, tls_key, behind_proxy),
        lambda address: session.info(f"serving {session.location.name} at {address}"),
        log,
    )
    print_stopped(session)
