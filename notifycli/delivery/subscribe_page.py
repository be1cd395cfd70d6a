"""The files of the page whose button subscribes a browser, whoever serves them.

`push subscribe` gives them to the browser in front of you, `serve` to whoever has a link.
"""

from __future__ import annotations

import html
import re
from importlib.resources import files
from typing import NamedTuple

_TYPES = {"css": "text/css", "js": "text/javascript", "html": "text/html"}
PAGE_HEADERS = {
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
    """What the page says, and where its service worker is, seen from it: `scope` is its folder."""

    user: str
    public_key: str
    scope: str = "./"


class PageFile(NamedTuple):
    """One file, as it is sent."""

    text: str
    media_type: str


def page_file(name: str, page: Page | None) -> PageFile | None:
    """Return a file by its name ("" is the page itself, which needs `page`); None for no such."""
    name = name or "subscribe.html"
    file = files("notifycli.delivery") / "page" / name
    media_type = _TYPES.get(name.rpartition(".")[2])
    if media_type is None or not re.fullmatch(r"[a-z]+\.[a-z]+", name) or not file.is_file():
        return None
    text = file.read_text(encoding="utf-8")
    if media_type == _TYPES["html"]:
        if page is None:
            return None
        values = {"user": page.user, "key": page.public_key, "scope": page.scope}
        text = re.sub(r"{(user|key|scope)}", lambda found: html.escape(values[found[1]]), text)
    return PageFile(text, media_type)


def browser_name(agent: str) -> str:
    """Name a browser by what it says of itself: `Firefox on Linux`; "" if it says nothing known."""
    browser = next((name for sign, name in _BROWSERS if sign in agent), "")
    system = next((name for name in _SYSTEMS if re.search(name, agent)), "")
    return " on ".join(filter(None, (browser, system)))
