"""The application that answers Chatwoot's API: who asks, what for, and the way to the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from notifycli.errors import NotifycliError
from notifycli.events.event import LARGEST_ID
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import find_valid
from notifycli.server.handlers import NOT_FOUND, Call
from notifycli.server.middleware import ErrorMiddleware, HTTPError, Throttle, answer, read_body
from notifycli.server.push_page import PushPage
from notifycli.server.routes import OPERATIONS, Operation, document
from notifycli.server.schemas import ForUser
from notifycli.store.store import Location, Store, open_store
from notifycli.store.tokens import NOBODY, Token

if TYPE_CHECKING:
    from notifycli.server.metrics import Metrics

Result = TypeVar("Result")

NOTE_SECONDS = 5.0
"""How often the last uses of tokens are written down."""
_BAD_TOKEN = "Invalid Access Token"  # noqa: S105 - what Chatwoot says
_HEADERS = ("api_access_token", "api-access-token")
"""The second is what a proxy makes of the first; to Chatwoot the two are one."""
_LONGEST_NUMBER = 19


class Stores:
    """The connections of a server: reads at once, writes one after the other in one thread.

    Reads never wait for another process, since the file is in WAL mode, and take a tenth of a
    millisecond: less than handing them to a thread would. A write may have to wait for another
    process for as long as `database.BUSY_SECONDS`, so all of them happen in a thread of their own,
    and nobody who reads waits with them; what reads a whole account or log has another one. `open`
    and `close` belong to the loop's thread.
    """

    def __init__(self, location: Location) -> None:
        self._location = location
        self._writer = _StoreThread(location, "store-writer")
        self._reader = _StoreThread(location, "store-reader")

    def open(self) -> None:
        """Open the store for reading, bringing it up to date first."""
        self.reader = open_store(self._location)

    async def write(self, change: Callable[[Store], Result]) -> Result:
        """Run a function in the thread that writes; raises what it raises."""
        return await self._writer.run(change)

    async def read(self, ask: Callable[[Store], Result]) -> Result:
        """Run a function in the thread that reads much; raises what it raises."""
        return await self._reader.run(ask)

    async def close(self) -> None:
        """Close all, once what is being written is written."""
        await self._writer.close()
        await self._reader.close()
        self.reader.__exit__()


class _StoreThread:
    """A thread with a connection of its own, made when it is first needed."""

    def __init__(self, location: Location, name: str) -> None:
        self._location = location
        self._thread = ThreadPoolExecutor(1, name)
        self._store: Store | None = None

    async def run(self, work: Callable[[Store], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._run, work)

    def _run(self, work: Callable[[Store], Result]) -> Result:
        if self._store is None:
            self._store = open_store(self._location)
        return work(self._store)

    def _end(self) -> None:
        if self._store is not None:
            self._store.__exit__()

    async def close(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._end)
        self._thread.shutdown()


class Api:
    """Chatwoot's API on a store, for the owners of our tokens."""

    def __init__(
        self,
        location: Location,
        now: Callable[[], int],
        log: Callable[[str], None],
        throttle: Throttle | None = None,
        *,
        allow_loopback: bool = False,
        metrics: Metrics | None = None,
        journal: Path | None = None,
    ) -> None:
        self._journal = journal
        self._stores = Stores(location)
        self._now = now
        self._log = log
        self._metrics = metrics
        self._throttle = throttle or Throttle()
        self._uses: dict[int, int] = {}
        self._push_page = PushPage(
            lambda: self._stores.reader,
            self._stores.write,
            now,
            self._throttle,
            allow_loopback=allow_loopback,
        )

    def application(self) -> ASGIApp:
        """Return the ASGI application."""
        by_path: dict[str, dict[str, Operation]] = {}
        for item in OPERATIONS:
            by_path.setdefault(item.path, {}).update(dict.fromkeys(item.methods, item))
        routes = [Route(path, _Path(self, methods)) for path, methods in by_path.items()]
        router = Router(
            [*routes, Route("/openapi.json", _Document()), *self._push_page.routes()],
            redirect_slashes=False,
            default=_no_such_path,
            lifespan=self._lifespan,
        )
        return ErrorMiddleware(router, self._log, self._check_ready, self._metrics)

    def _check_ready(self) -> None:
        self._stores.reader.accounts()

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncIterator[None]:
        self._stores.open()
        noting = asyncio.create_task(self._note_now_and_then())
        try:
            yield
        finally:
            noting.cancel()
            await self._note_uses()
            await self._stores.close()

    async def _note_now_and_then(self) -> None:
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            await self._note_uses()

    async def _note_uses(self) -> None:
        """Write down who was here; if the store is busy, the next time will do."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._stores.write(lambda store: store.tokens.note_uses(uses))
        except NotifycliError as error:
            self._uses = {**uses, **self._uses}
            self._log(f"error: the last uses of tokens were not noted: {error.message}")

    async def answer(self, item: Operation, request: Request) -> Response:
        """Answer one request. Raises `HTTPError` and the store's errors."""
        now = self._now()
        token, secret = self._authenticate(request, now)
        path = _path_numbers(request)
        if path.pop("account_id", token.account_id) != token.account_id:
            raise HTTPError(401, "You are not authorized to access this account")
        caller = self._stores.reader.user(token.account_id, token.user_id)
        if caller is None:
            raise HTTPError(401, _BAD_TOKEN)
        if item.administrators and caller.role != "administrator":
            raise HTTPError(403, "this takes an administrator's token")
        body = await _body(item, request)
        user = _user_id(request, body) if item.for_user else None
        call = Call(token, secret, caller, path, now, body, user, self._journal)
        if item.writes:
            return answer(await self._stores.write(lambda store: item.run(store, call)))
        if item.administrators:
            return await self._stores.read(lambda store: answer(item.run(store, call)))
        return answer(item.run(self._stores.reader, call))

    def _authenticate(self, request: Request, now: int) -> tuple[Token, Secret]:
        """Return the token of a request. Raises `HTTPError` 401, and 429 after too many of them.

        A right token is let in whatever else came from its address: others may be behind it.
        """
        text = next(filter(None, map(request.headers.get, _HEADERS)), None)
        if text is None:
            raise HTTPError(401, _BAD_TOKEN)
        token = find_valid(self._stores.reader, text, now)
        if token is not None:
            self._uses[token.id] = now
            return token, Secret(text)
        address = request.client.host if request.client else ""
        if wait := self._throttle.wait(address):
            raise HTTPError(429, "Too many wrong tokens: wait", {"retry-after": str(wait)})
        self._uses[NOBODY] = now
        self._throttle.note_failure(address)
        raise HTTPError(401, _BAD_TOKEN)


class _Path:
    """The operations of one path, by method."""

    def __init__(self, api: Api, methods: dict[str, Operation]) -> None:
        self._api = api
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        operation = _of_method(scope, self._methods)
        response = await self._api.answer(operation, Request(scope, receive))
        await response(scope, receive, send)


class _Document:
    """The OpenAPI document."""

    def __init__(self) -> None:
        self._methods = {"GET": document()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await answer(_of_method(scope, self._methods))(scope, receive, send)


def _of_method(scope: Scope, methods: Mapping[str, Result]) -> Result:
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    if method not in methods:
        allowed = {"allow": ", ".join(sorted(methods))}
        raise HTTPError(405, f"{scope['method']} is not allowed here", allowed)
    return methods[method]


async def _no_such_path(*_: object) -> None:
    raise HTTPError(404, NOT_FOUND)


def _path_numbers(request: Request) -> dict[str, int]:
    numbers = {name: _number(text) for name, text in request.path_params.items()}
    if None in numbers.values():
        raise HTTPError(404, NOT_FOUND)
    return {name: number for name, number in numbers.items() if number is not None}


def _user_id(request: Request, body: Any) -> int | None:
    """Return whose settings are meant; what the body says wins over the query, as in Rails."""
    text = request.query_params.get("user_id")
    number = None if text is None else _number(text)
    if text is not None and number is None:
        raise HTTPError(422, "user_id is no user's id")
    return (body.user_id or number) if isinstance(body, ForUser) else number


def _number(text: str) -> int | None:
    """Return an id, or None for what can't be one."""
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER):
        return None
    number = int(text)
    return number if 1 <= number <= LARGEST_ID else None


async def _body(item: Operation, request: Request) -> Any:
    if item.takes is None:
        return None
    data = await read_body(request, item.largest_body)
    try:
        data.decode()
        return msgspec.json.decode(data, type=item.takes)
    except msgspec.ValidationError as error:
        raise HTTPError(422, str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HTTPError(400, "the body is no JSON") from None
