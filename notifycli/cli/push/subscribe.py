"""`notifycli push subscribe`: subscribe the browser in front of you."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import typer

from notifycli.cli.command import USER, command_class, examples, session_of
from notifycli.cli.output import write
from notifycli.cli.push.common import keep
from notifycli.cli.session import display_name
from notifycli.cli.terminal import is_terminal
from notifycli.cli.times import now
from notifycli.cli.types import AllowLoopback
from notifycli.secrets.keychain import open_keychain
from notifycli.secrets.vapid import PushKeys

if TYPE_CHECKING:
    from notifycli.delivery.push.endpoint import Offer

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command(
    "subscribe",
    cls=command_class(USER),
    epilog=examples(
        """
notifycli push subscribe -u jane@example.com
ssh -L PORT:127.0.0.1:PORT SERVER   for a browser on another machine than notifycli
"""
    ),
)
def push_subscribe(ctx: typer.Context, *, allow_loopback: AllowLoopback = False) -> None:
    """Open a page whose button subscribes the browser.

    It is served on this machine alone until the button is pressed; its address is printed.
    """
    import asyncio  # noqa: PLC0415 - only what serves needs it

    from notifycli.delivery.push.page_files import Page  # noqa: PLC0415 - as the next
    from notifycli.delivery.push.subscribe_page import serve_page  # noqa: PLC0415 - 170 ms

    session = session_of(ctx)
    with session.store(create=True) as store:
        account = session.resolve_account(store)
        user = session.resolve_user(store, account)
        key = PushKeys(store, open_keychain(beside=store.location.folder), now).current()

        def opened(address: str) -> None:
            write([f"{address}\n".encode()])
            session.info(f"press the button there, as {display_name(user)}; Ctrl-C ends it")
            _open_browser(address)

        def keep_it(offer: Offer, browser: str) -> None:
            keep(session, store, account, user, offer, key=key.id, label=browser)

        page = Page(user.name or display_name(user), key.public_key)
        asyncio.run(serve_page(page, opened, keep_it, allow_loopback=allow_loopback))


def _open_browser(address: str) -> None:
    """Open a browser that has a window; those of a terminal can't receive pushes."""
    on_screen = sys.platform in {"darwin", "win32"} or any(
        os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY")
    )
    if on_screen and is_terminal(sys.stderr):
        import webbrowser  # noqa: PLC0415 - see above

        webbrowser.open(address)
