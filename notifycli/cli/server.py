"""The servers: `notifycli listen` receives webhooks into a file, `serve` answers Chatwoot's API."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from notifycli.cli.command import AllowLoopback, a_number, command_class, examples, session_of
from notifycli.cli.log_writer import LogFormat, LogFormatOption, LogWriter
from notifycli.cli.session import Session, plural
from notifycli.cli.terminal import leave_line
from notifycli.cli.times import now
from notifycli.errors import ConfigurationError, NotifycliError, UnavailableError, UsageError
from notifycli.rules.notifications import SWITCHED_CHANNELS
from notifycli.secrets.token_format import Secret

if TYPE_CHECKING:
    from notifycli.cli.deliver.worker import DeliveryRun
    from notifycli.server.http_server import ListenAddress
    from notifycli.server.journal import Journal, StoredLog
    from notifycli.server.webhooks import WebhookReceiver
    from notifycli.store.store import Store


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


def print_stopped(session: Session, done: str = "") -> None:
    """Say that a signal has ended the server, and what it has done."""
    leave_line()
    session.info(f"stopped{done}")


app = typer.Typer(rich_markup_mode=None, add_completion=False)
_LISTEN_PORT = 8787


KeptAt = Annotated[
    Path | None,
    typer.Option(
        "--path", metavar="FILE", help="Where to keep events. [default: beside the store]"
    ),
]
ToStore = Annotated[
    bool,
    typer.Option(
        "--store",
        help="Keep them in the store, with what other hosts receive: deliver --follow --store.",
    ),
]
Unsigned = Annotated[
    bool,
    typer.Option("--unsigned", help="Take webhooks without a signature too: of old servers."),
]
Deliver = Annotated[
    bool,
    typer.Option(
        "--deliver", help="Send what fires, by e-mail and push, as deliver --follow does."
    ),
]


@app.command(
    "listen",
    cls=command_class(),
    epilog=examples(
        """
notifycli config set listen.secret      the secret that Chatwoot shows beside the webhook
notifycli listen
notifycli listen --port 9000 --path ~/desk/events.jsonl --behind-proxy 127.0.0.1
notifycli listen --deliver              and send what fires
notifycli listen --store --db postgresql://db.example.com/desk     on each of several hosts
notifycli simulate ~/desk/events*.jsonl
"""
    ),
)
def listen(
    ctx: typer.Context,
    *,
    host: Host = "127.0.0.1",
    port: Port = _LISTEN_PORT,
    path: KeptAt = None,
    to_store: ToStore = False,
    unsigned: Unsigned = False,
    deliver: Deliver = False,
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
    from notifycli.server.http_server import ListenAddress  # noqa: PLC0415 - 0.1 s, for servers alone
    from notifycli.server.metrics import Metrics  # noqa: PLC0415
    from notifycli.server.webhooks import WebhookReceiver  # noqa: PLC0415

    secrets = _secrets(session, needed=not unsigned)
    metrics = Metrics(session.location)
    writer = LogWriter(session, log_format or LogFormat.TEXT, metrics)
    log = writer.note
    _check_place(path, to_store=to_store, deliver=deliver)
    journal = _journal(session, path, log, to_store=to_store)
    at = ListenAddress(host, port, tls_cert, tls_key, behind_proxy)
    at.check()
    receiver = WebhookReceiver(
        journal, secrets, log, unsigned=unsigned, local=at.is_local, metrics=metrics
    )
    _receive(session, receiver, journal, at, writer, deliver=deliver)
    print_stopped(session, f"; {plural(receiver.kept, 'event')} received")


def _receive(
    session: Session,
    receiver: WebhookReceiver,
    journal: Journal | StoredLog,
    at: ListenAddress,
    writer: LogWriter,
    *,
    deliver: bool,
) -> None:
    """Keep what comes until a signal does, and send what fires if that is asked."""
    from notifycli.server import http_server  # noqa: PLC0415 - see listen

    journal.open()
    with ExitStack() as stack:
        stack.callback(journal.close)
        if deliver:
            stack.enter_context(deliver_meanwhile(session, Path(journal.path), writer))
        http_server.run(
            receiver.application(),
            at,
            lambda address: session.info(f"receiving events at {address} into {journal.path}"),
            writer.note,
        )


def _check_place(path: Path | None, *, to_store: bool, deliver: bool) -> None:
    """Raise `UsageError` where no events can be kept."""
    # pathlib's own raises where it may not look.
    if path is not None and not os.path.isdir(Path(os.path.expanduser(path)).parent):  # noqa: PTH112
        make = f"mkdir -p {shlex.quote(str(path.parent))}"
        raise UsageError(f"there is no folder for {path}", make)
    if to_store and (path or deliver):
        raise UsageError(
            "--store keeps events in the store, from which another process delivers",
            "leave out --path and --deliver; then: notifycli deliver --follow --store",
        )


def journal_path(session: Session) -> Path:
    """Return where events are kept that come."""
    from notifycli.server.journal import journal_of  # noqa: PLC0415 - not for the help

    with session.store() as store:
        return journal_of(session.location, store)


def _journal(
    session: Session, path: Path | None, log: Callable[..., None], *, to_store: bool
) -> Journal | StoredLog:
    """Return what keeps the events: the store, or a file."""
    from notifycli.server.journal import Journal, StoredLog  # noqa: PLC0415

    if not to_store:
        return Journal(Path(os.path.expanduser(path or journal_path(session))), log)
    with session.store() as store:
        return StoredLog(session.location, session.fallback_account(store))


def _secrets(session: Session, *, needed: bool) -> list[Secret]:
    """Return the secrets that are set: several, with spaces between, while one is replaced.

    Raises `ConfigurationError` if one is needed, and none is set.
    """
    from notifycli.secrets.keychain import get_secret  # noqa: PLC0415 - only a server needs it

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


_SERVE_PORT = 8788


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
    port: Port = _SERVE_PORT,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    behind_proxy: BehindProxy = None,
    allow_loopback: AllowLoopback = False,
) -> None:
    """Answer Chatwoot's API for profiles, notification settings and the directory.

    Whoever has one of our tokens is let in: agents to their own settings, administrators to
    everybody's (add ?user_id=ID). What there is: /openapi.json. An administrator's commands take it
    for a store: --db https://HOST. The links of push invite lead here.
    Ctrl-C or SIGTERM stops it.
    """
    session = session_of(ctx)
    from notifycli.server import http_server  # noqa: PLC0415 - 0.1 s, for servers alone
    from notifycli.server.app import Api  # noqa: PLC0415
    from notifycli.server.metrics import Metrics  # noqa: PLC0415

    log = LogWriter(session, LogFormat.TEXT).note
    with session.store(create=True):
        pass  # What is wrong with it is told here, and not of each request.
    metrics = Metrics(session.location)
    journal = journal_path(session)
    api = Api(
        session.location, now, log, allow_loopback=allow_loopback, metrics=metrics, journal=journal
    )
    http_server.run(
        api.application(),
        http_server.ListenAddress(host, port, tls_cert, tls_key, behind_proxy),
        lambda address: session.info(f"serving {session.location.name} at {address}"),
        log,
    )
    print_stopped(session)


_AGAIN_SECONDS = 10.0


@contextmanager
def deliver_meanwhile(session: Session, path: Path, writer: LogWriter) -> Iterator[None]:
    """Follow the file of received events in a thread, as `deliver --follow` does.

    That is why nothing is lost between the two: what was received and not delivered when the
    process ended is taken up where it was left, and nobody who waits for an answer waits for it.
    """
    delivery = _Delivery(session, path, writer)
    thread = threading.Thread(target=delivery.go_on, name="delivery")
    thread.start()
    try:
        yield
    finally:
        delivery.stop()
        thread.join()


class _Delivery:
    def __init__(self, session: Session, path: Path, writer: LogWriter) -> None:
        self._session = session
        self._path = path
        self._writer = writer
        self._stopped = threading.Event()
        self._run: DeliveryRun | None = None

    def stop(self) -> None:
        self._stopped.set()
        if self._run is not None:
            self._run.stop()

    def go_on(self) -> None:
        """Deliver until it is stopped; after a trouble, such as a busy store, once more."""
        while not self._stopped.is_set():
            try:
                with self._session.store(create=True) as store:
                    self._deliver(store)
            except NotifycliError as error:
                self._writer.note(
                    f"error: delivery stopped: {error.message}; again in {_AGAIN_SECONDS:g} s"
                )
                self._stopped.wait(_AGAIN_SECONDS)

    def _deliver(self, store: Store) -> None:
        from notifycli.cli.deliver.source import Source  # noqa: PLC0415 - if asked for
        from notifycli.cli.deliver.worker import DeliveryRun, carry_out, warn_of_doubles  # noqa: PLC0415
        from notifycli.cli.terminal import print_error  # noqa: PLC0415
        from notifycli.delivery.engine import (  # noqa: PLC0415
            Channels,
            Engine,
            Limits,
        )
        from notifycli.delivery.enqueue import Enqueuer, Terms, wall_clock  # noqa: PLC0415
        from notifycli.replay.sources import BadLines  # noqa: PLC0415
        from notifycli.rules.decision import Selection  # noqa: PLC0415
        from notifycli.store.outbox import Scope  # noqa: PLC0415

        channels = Channels(store, frozenset(SWITCHED_CHANNELS), self._writer.write, added=True)
        for channel in SWITCHED_CHANNELS:
            channels.ready(channel)  # or the log says at once why it isn't
        account = self._session.given_account
        terms = Terms(Selection(account=account))
        scope = Scope(account=account)
        warn_of_doubles(self._session, store, scope)
        fallback = self._session.fallback_account(store)
        feeder = Enqueuer(store, fallback, terms, channels, clock=wall_clock)
        limits = Limits(int(store.configuration.get("deliver.concurrency") or 1))
        engine = Engine(store.outbox, channels, scope, limits, self._writer.write)
        bad = BadLines(print_error, counted=self._writer.count_bad_line)
        source = Source(self._session, store, [str(self._path)], bad, follow=True)
        self._run = DeliveryRun(feeder, engine, source, self._writer)
        if self._stopped.is_set():
            self._run.stop()
        carry_out(self._session, self._run, progress=False)
