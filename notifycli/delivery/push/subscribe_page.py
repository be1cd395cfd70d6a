"""The page whose button subscribes the browser in front of you, served on loopback alone.

Its path is a secret of this run, so that nobody else on the machine can subscribe; it answers to
its own address alone, so that no other page can lead a browser here by a name of its own.
"""

from __future__ import annotations

import asyncio
import html
import re
import secrets
from collections.abc import Callable
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from notifycli.delivery.push.endpoint import Offer, read_subscription
from notifycli.errors import NotifycliError

_LONGEST_BODY = 1 << 16
_GOODBYE_SECONDS = 1.0
_TYPES = {"css": "text/css", "js": "text/javascript", "html": "text/html"}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "worker-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_BROWSERS = (
    ("Edg/", "Edge"),
    ("OPR/", "Opera"),
    ("Firefox/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Mac", "Linux")


class Page(NamedTuple):
    """What the page says, and what it may take."""

    user: str
    public_key: str
    allow_loopback: bool


async def serve_page(
    page: Page, opened: Callable[[str], None], keep: Callable[[Offer, str], None]
) -> None:
    """Serve the page until a browser is subscribed.

    `opened` is told the page's address, `keep` the subscription and the browser's name.
    """
    served = _Served(page, keep)
    app = web.Application(client_max_size=_LONGEST_BODY)
    app.router.add_get(f"/{served.token}/{{name:[a-z.]*}}", served.give)
    app.router.add_post(f"/{served.token}/subscription", served.take)
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
    def __init__(self, page: Page, keep: Callable[[Offer, str], None]) -> None:
        self.token = secrets.token_urlsafe(16)
        self.host = ""
        self.done = asyncio.Event()
        self._page = page
        self._keep = keep

    async def give(self, request: web.Request) -> web.Response:
        """Give one of the page's files."""
        self._check(request)
        name = request.match_info["name"] or "subscribe.html"
        file = files("notifycli.delivery.push") / "page" / name
        if name.rpartition(".")[2] not in _TYPES or not file.is_file():
            raise web.HTTPNotFound
        text = file.read_text(encoding="utf-8")
        if name.endswith(".html"):
            user, key = html.escape(self._page.user), self._page.public_key
            text = text.replace("{user}", user).replace("{key}", key)
        kind = _TYPES[name.rpartition(".")[2]]
        return web.Response(text=text, content_type=kind, charset="utf-8", headers=_HEADERS)

    async def take(self, request: web.Request) -> web.Response:
        """Take the subscription that the page has made."""
        self._check(request)
        if request.headers.get("Origin") != f"http://{self.host}":
            raise web.HTTPForbidden
        try:
            loopback = self._page.allow_loopback
            offer = read_subscription(
                await request.read(), "the browser's subscription", allow_loopback=loopback
            )
            self._keep(offer, browser_name(request.headers.get("User-Agent", "")))
        except NotifycliError as error:
            return web.Response(status=422, text=f"{error.message}; {error.hint}")
        self.done.set()
        return web.Response(status=201)

    def _check(self, request: web.Request) -> None:
        if request.host != self.host:
            raise web.HTTPNotFound


def browser_name(agent: str) -> str:
    """Name a browser by what it says of itself: `Firefox on Linux`; "" if it says nothing known."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for name in _SYSTEMS if re.search(name, agent)), "")
    return " on ".join(filter(None, (browser, system)))
