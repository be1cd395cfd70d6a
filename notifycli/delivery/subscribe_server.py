"""The page whose button subscribes the browser in front of you, served on loopback alone.

Its path is a secret of this run, so that nobody else on the machine can subscribe; it answers to
its own address alone, so that no other page can lead a browser here by a name of its own.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable

from aiohttp import web

from notifycli.delivery.push_endpoint import Offer, read_subscription
from notifycli.delivery.subscribe_page import PAGE_HEADERS, Page, browser_name, page_file
from notifycli.errors import NotifycliError

_LONGEST_BODY = 1 << 16
_GOODBYE_SECONDS = 1.0


async def serve_page(
    page: Page,
    opened: Callable[[str], None],
    keep: Callable[[Offer, str], None],
    *,
    allow_loopback: bool,
) -> None:
    """Serve the page until a browser is subscribed.

    `opened` is told the page's address, `keep` the subscription and the browser's name.
    """
    served = _Served(page, keep, allow_loopback=allow_loopback)
    app = web.Application(client_max_size=_LONGEST_BODY)
    app.router.add_get(f"/{served.token}/{{name:[a-z.]*}}", served.give)
    app.router.add_post(f"/{served.token}/subscription", served.take)
    # What isn't HTTP would otherwise write a traceback to the terminal for each who sends it.
    logging.getLogger("aiohttp").addHandler(logging.NullHandler())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_GOODBYE_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        served.host = f"127.0.0.1:{runner.addresses[0][1]}"
        opened(f"http://{served.host}/{served.token}/")
        await served.done.wait()
    finally:
        await runner.cleanup()


class _Served:
    def __init__(
        self, page: Page, keep: Callable[[Offer, str], None], *, allow_loopback: bool
    ) -> None:
        self.token = secrets.token_urlsafe(16)
        self.host = ""
        self.done = asyncio.Event()
        self._page = page
        self._keep = keep
        self._allow_loopback = allow_loopback

    async def give(self, request: web.Request) -> web.Response:
        """Give one of the page's files."""
        self._check(request)
        file = page_file(request.match_info["name"], self._page)
        if file is None:
            raise web.HTTPNotFound
        return web.Response(
            text=file.text, content_type=file.media_type, charset="utf-8", headers=PAGE_HEADERS
        )

    async def take(self, request: web.Request) -> web.Response:
        """Take the subscription that the page has made."""
        self._check(request)
        if request.headers.get("Origin") != f"http://{self.host}":
            raise web.HTTPForbidden
        try:
            offer = read_subscription(
                await request.read(),
                "the browser's subscription",
                allow_loopback=self._allow_loopback,
            )
            self._keep(offer, browser_name(request.headers.get("User-Agent", "")))
        except NotifycliError as error:
            return web.Response(status=422, text=f"{error.message}; {error.hint}")
        self.done.set()
        return web.Response(status=201)

    def _check(self, request: web.Request) -> None:
        if request.host != self.host:
            raise web.HTTPNotFound
