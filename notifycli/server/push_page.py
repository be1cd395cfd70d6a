"""The page by which a team subscribes to pushes: `push invite` makes a link for each user.

A link is good for one browser. Looking at it changes nothing, since mail programs and chats do that
before people: it is used up when a browser is subscribed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from notifycli.delivery.subscribe_page import (
    PAGE_HEADERS,
    Page,
    PageFile,
    browser_name,
    page_file,
)
from notifycli.errors import ConfigurationError, NotifycliError, UsageError
from notifycli.rules.directory import User
from notifycli.secrets.token_format import digest
from notifycli.server.middleware import HTTPError, Throttle, read_body
from notifycli.store.store import Store
from notifycli.store.subscriptions import Invitation, Subscription

Result = TypeVar("Result")
Write = Callable[[Callable[[Store], Result]], Awaitable[Result]]

_LARGEST_BODY = 1 << 16
_COMMAND = "serve push invitation"
_GONE = "This link was used already, or its time is over. Ask for a new one at your support desk.\n"
_NO_KEY = ConfigurationError("there is no push key", "notifycli push keys generate")


class PushPage:
    """The page and what it asks for; `reader` and `write` are the server's ways to the store."""

    def __init__(
        self,
        reader: Callable[[], Store],
        write: Write[None],
        now: Callable[[], int],
        throttle: Throttle,
        *,
        allow_loopback: bool,
    ) -> None:
        self._reader = reader
        self._write = write
        self._now = now
        self._throttle = throttle
        self._allow_loopback = allow_loopback

    def routes(self) -> list[BaseRoute]:
        """Return the routes: the worker is one for all, so that a browser is subscribed once."""
        return [
            Route("/push/worker.js", self._give_worker, methods=["GET"]),
            Route("/push/{token}/subscription", self._take, methods=["POST"]),
            Route("/push/{token}/{name:path}", self._give, methods=["GET"]),
        ]

    async def _give_worker(self, _: Request) -> Response:
        return _file_response(page_file("worker.js", None))

    async def _give(self, request: Request) -> Response:
        """Return one of the page's files to whoever has a link that is still good."""
        invitation = self._invitation(request)
        if invitation is None:
            return PlainTextResponse(_GONE, HTTPStatus.NOT_FOUND)
        user = self._user(invitation)
        keys = self._reader().subscriptions.push_keys()
        if not keys:
            raise _NO_KEY
        page = Page(user.name or user.email or str(user.id), keys[0].public_key, "../")
        return _file_response(page_file(request.path_params["name"], page))

    async def _take(self, request: Request) -> Response:
        """Take the subscription that the page has made, once."""
        from notifycli.delivery.push_endpoint import read_subscription  # noqa: PLC0415 - this alone

        if not self._is_own_page(request):
            raise HTTPError(403, "this was sent by another page")
        invitation = self._invitation(request)
        if invitation is None:
            return PlainTextResponse(_GONE, HTTPStatus.NOT_FOUND)
        data = await read_body(request, _LARGEST_BODY)
        browser = browser_name(request.headers.get("user-agent", ""))
        user = self._user(invitation)
        try:
            offer = read_subscription(
                data, "the browser's subscription", allow_loopback=self._allow_loopback
            )
            wanted = Subscription(
                account_id=invitation.account_id,
                user_id=user.id,
                key_id=self._reader().subscriptions.push_keys()[0].id,
                endpoint=offer.endpoint,
                p256dh=offer.p256dh,
                auth=offer.auth,
                label=browser,
                created_at=self._now(),
                expires_at=offer.expires_at,
            )
            await self._write(lambda store: _keep(store, wanted, invitation, user))
        except NotifycliError as error:
            text = f"{error.message}; {error.hint}" if error.hint else error.message
            return PlainTextResponse(text, HTTPStatus.UNPROCESSABLE_ENTITY)
        return Response(status_code=HTTPStatus.CREATED)

    def _invitation(self, request: Request) -> Invitation | None:
        """Return the invitation of a link; a wrong one is a guess, and counts as a wrong token."""
        known = digest(request.path_params["token"])
        found = self._reader().subscriptions.invitation(known, self._now())
        if found is None:
            address = request.client.host if request.client else ""
            if wait := self._throttle.wait(address):
                raise HTTPError(429, "Too many wrong links: wait", {"retry-after": str(wait)})
            self._throttle.note_failure(address)
        return found

    def _user(self, invitation: Invitation) -> User:
        user = self._reader().user(invitation.account_id, invitation.user_id)
        if user is None:  # between two look-ups: with the user, the invitation goes
            raise HTTPError(404, _GONE.strip())
        return user

    def _is_own_page(self, request: Request) -> bool:
        """Whether the page that asks is ours: of this server, or of where links lead to."""
        known = self._reader().configuration.get("serve.url") or ""
        own = {urlsplit(known).netloc, request.headers.get("host", "")} - {""}
        origin = request.headers.get("origin", "")
        return any(origin in {f"https://{name}", f"http://{name}"} for name in own)


def _keep(store: Store, wanted: Subscription, invitation: Invitation, user: User) -> None:
    with store.change(wanted.account_id, _COMMAND, user.email or f"user {user.id}") as change:
        if not change.subscriptions.use(invitation):
            raise UsageError(_GONE.strip())
        change.subscriptions.put(wanted)


def _file_response(file: PageFile | None) -> Response:
    if file is None:
        raise HTTPError(404, "there is no such file")
    return Response(file.text, headers=PAGE_HEADERS, media_type=file.media_type)
