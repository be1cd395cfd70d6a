"""What the commands share that run a server: their options, and its module."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.session import Session
from notifycli.cli.terminal import leave_line
from notifycli.cli.types import a_number
from notifycli.errors import UnavailableError

if TYPE_CHECKING:
    from notifycli.server.metrics import Metrics

JOURNAL = "events.jsonl"
"""Where `listen` keeps events until it is told otherwise: beside the store."""
Host = Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.")]
Port = Annotated[
    int,
    typer.Option(
        "--port",
        parser=a_number("port", lowest=0, highest=65535),
        metavar="PORT",
        help="The port; 0 takes one that is free.",
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option("--tls-cert", metavar="FILE", help="The certificate, with its chain, in PEM."),
]
TlsKey = Annotated[
    Path | None, typer.Option("--tls-key", metavar="FILE", help="Its private key, in PEM.")
]
BehindProxy = Annotated[
    str | None,
    typer.Option(
        "--behind-proxy",
        metavar="ADDRESS",
        help="The reverse proxy's address or network: it does TLS, and its X-Forwarded-For holds.",
    ),
]


def load_server() -> ModuleType:
    """Return the module that runs servers. Raises `UnavailableError` where its extra is missing."""
    try:
        from notifycli.server import http_server  # noqa: PLC0415 - 0.1 s, and an extra
    except ModuleNotFoundError as error:
        raise UnavailableError(
            f"this needs the package {error.name}, which isn't installed",
            "in the folder with the source of notifycli: pipx install --force '.[server]'",
        ) from None
    return http_server


def load_metrics(session: Session) -> Metrics | None:
    """Return the metrics of this process; `None` where their package is missing."""
    try:
        from notifycli.server.metrics import Metrics  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        return None
    return Metrics(session.location)


def print_stopped(session: Session, done: str = "") -> None:
    """Say that a signal has ended the server, and what it has done."""
    leave_line()
    session.info(f"stopped{done}")
