"""One request to a Chatwoot, and all that can go wrong with it.

The token goes to the address that it was given for and to no other: redirects aren't followed, and
`.netrc` isn't read. Whatever an error quotes of an answer is free of the token.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

from notifycli.errors import (
    DataError,
    NotifycliError,
    NotPermittedError,
    TryAgainError,
    UnavailableError,
    UsageError,
)

if TYPE_CHECKING:
    from requests import PreparedRequest, Response, Session

    from notifycli.secrets.token_format import Secret

HEADER = "api_access_token"
_DASHBOARD = re.compile(r"(https?://[^/?#]+)/app(?:/accounts/(\d{1,9}))?(?:[/?#].*)?", re.ASCII)
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")
_TRY_AGAIN = 429
_BUSY = frozenset({502, 503, 504})
_QUOTED = 200
_BLOCK = 1 << 16


class OutOfReachError(UnavailableError):
    """No answer comes: nothing else that is asked now would be answered."""


class TokenRefusedError(NotPermittedError):
    """The token of all requests is refused: so would the next one be."""


class TooManyRequestsError(TryAgainError):
    """The limit of requests of this address is reached (RFC 6585, section 4)."""


class RateLimits(NamedTuple):
    """How long to wait, in seconds, how often to try, and how much to read, in bytes."""

    connect: float = 10
    read: float = 30
    """Without a single byte."""
    whole: float = 60
    """For one answer, however steadily it drips."""
    tries: int = 4
    pause: float = 0.5
    """Before the second try; twice as long before each further one."""
    longest_pause: float = 60
    """The longest `Retry-After` that is waited for."""
    size: int = 32 << 20


LIMITS = RateLimits()


class Answer(NamedTuple):
    """An HTTP answer that came as a whole."""

    status: int
    body: bytes


def split_dashboard(text: str | None, account: int | None) -> tuple[str | None, int | None]:
    """Give the address of a Chatwoot and the account's number, of what a browser's bar shows there.

    Any other address stays as it is, and so does an `account` that is given.
    """
    found = None if text is None else _DASHBOARD.fullmatch(text.strip())
    if found is None:
        return text, account
    shown = None if found[2] is None else int(found[2])
    return found[1], shown if account is None else account


def base_url(text: str) -> str:
    """Read the address of a Chatwoot, without the slash at its end.

    Raises `UsageError` for what is no address, and for http that leaves this machine.
    """
    hint = "it is like https://chat.example.com"
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        raise UsageError("this is no web address", hint) from None
    if parts.username is not None or parts.password is not None:
        raise UsageError("a web address here can't hold a user name or a password", hint)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise UsageError("this is no address of a Chatwoot", hint)
    if parts.scheme == "http" and parts.hostname not in _LOOPBACK:
        raise UsageError(
            f"{text!r} would send the token unencrypted", "use https; http is for this machine only"
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    place = host if port is None else f"{host}:{port}"
    return f"{parts.scheme}://{place}{parts.path.rstrip('/')}"


class Transport:
    """Requests to one Chatwoot with one token, or none. Use it as a context manager."""

    def __init__(
        self,
        base: str,
        secret: Secret | None,
        limits: RateLimits = LIMITS,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.base = base
        self._secret = secret
        self._limits = limits
        self._sleep = sleep
        self._session = _session(base)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request, again if need be, and give the answer, whatever its status.

        A request that would do its work twice (POST) is repeated only where the server says that
        it didn't take it. Raises `TooManyRequestsError` where the limit stays reached,
        `OutOfReachError` where no answer comes, `UnavailableError` for one that can't be taken.
        """
        for attempt in range(1, self._limits.tries + 1):
            last = attempt == self._limits.tries
            try:
                answer, after = self._once(method, path, body)
            except _BrokenError as trouble:
                if last or method == "POST":
                    raise trouble.told from None
                self._sleep(self._backoff(attempt))
                continue
            busy = answer.status == _TRY_AGAIN or (answer.status in _BUSY and method != "POST")
            if not busy:
                return answer
            if last or after > self._limits.longest_pause:
                return self._give_up(answer, after)
            self._sleep(max(after, self._backoff(attempt)))
        raise AssertionError("there is at least one try")

    def _give_up(self, answer: Answer, after: float) -> Answer:
        if answer.status != _TRY_AGAIN:
            return answer
        wait = f" for another {after:.0f} s" if after else ""
        raise TooManyRequestsError(
            f"{self.base} takes no more requests from this address{wait}",
            "run the same command later: it goes on where it was",
        )

    def _backoff(self, attempt: int) -> float:
        return self._limits.pause * 2.0 ** (attempt - 1) * random.uniform(0.5, 1.5)  # noqa: S311 - to spread tries, not to hide them

    def _once(self, method: str, path: str, body: bytes | None) -> tuple[Answer, float]:
        import requests  # noqa: PLC0415 - 90 ms that only a request needs
        from urllib3.exceptions import HTTPError  # noqa: PLC0415

        headers = {"Accept": "application/json"}
        if self._secret is not None:
            headers[HEADER] = self._secret.reveal()
        if body is not None:
            headers["Content-Type"] = "application/json"
        started = time.monotonic()
        try:
            with self._session.request(
                method,
                self.base + path,
                data=body,
                headers=headers,
                timeout=(self._limits.connect, self._limits.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                self._refuse_redirect(response)
                content = self._read(response, started)
                return Answer(response.status_code, content), _pause(response)
        except NotifycliError:
            raise
        except (requests.RequestException, HTTPError, OSError) as error:
            raise _BrokenError(self._explain(error)) from None

    def _read(self, response: Response, started: float) -> bytes:
        content = bytearray()
        while block := response.raw.read1(_BLOCK, decode_content=True):
            content += block
            if len(content) > self._limits.size:
                raise UnavailableError(
                    f"{self.base} answers with more than {self._limits.size} B",
                    "check that the address is your Chatwoot's",
                )
            if time.monotonic() - started > self._limits.whole:
                raise OutOfReachError(
                    f"{self.base} takes more than {self._limits.whole:g} s for an answer",
                    "try again later",
                )
        return bytes(content)

    def _refuse_redirect(self, response: Response) -> None:
        if response.is_redirect:
            to = urlsplit(response.headers.get("Location", ""))
            where = f"{to.scheme}://{to.hostname}" if to.hostname else "another path"
            raise UnavailableError(
                f"{self.base} sends on to {self.clean(where)}: the token isn't sent there",
                "if that is where it is now: log out here, then in with that address",
            )

    def _explain(self, error: Exception) -> NotifycliError:
        import requests  # noqa: PLC0415 - see _once

        if isinstance(error, requests.exceptions.SSLError):
            return OutOfReachError(
                f"{self.base} has no certificate that this machine trusts",
                f"an authority of your own: {_CA_VARIABLES[0]}=FILE",
            )
        if isinstance(error, requests.Timeout | TimeoutError) or "timed out" in str(error):
            return OutOfReachError(
                f"{self.base} doesn't answer within {self._limits.read:g} s", "try again later"
            )
        if isinstance(error, requests.ConnectionError):
            return OutOfReachError(
                f"{self.base} can't be reached", "check the address, and whether it is running"
            )
        return OutOfReachError(f"{self.base} broke off its answer", "try again later")

    def clean(self, text: str) -> str:
        """Give a quotation from an answer: short, printable and without the token."""
        quoted = text if self._secret is None else text.replace(self._secret.reveal(), "…")
        return "".join(char if char.isprintable() else " " for char in quoted[:_QUOTED]).strip()


class _BrokenError(Exception):
    """No answer came, or not all of it."""

    def __init__(self, told: NotifycliError) -> None:
        super().__init__()
        self.told = told


def _session(base: str) -> Session:
    import requests  # noqa: PLC0415 - see Transport

    def no_other_credentials(request: PreparedRequest) -> PreparedRequest:
        return request

    session = requests.Session()
    # It would read .netrc, and send what goes to this very machine through a proxy.
    session.trust_env = False
    session.auth = no_other_credentials
    if base.startswith("https:"):
        proxies: dict[str, Any] = requests.utils.get_environ_proxies(base)
        session.proxies.update(proxies)
        session.verify = next((os.environ[v] for v in _CA_VARIABLES if os.environ.get(v)), True)
        if isinstance(session.verify, str) and not os.path.exists(session.verify):  # noqa: PTH110 - a file or a folder
            raise DataError(
                f"there is no file of certificates {session.verify}",
                f"set {', '.join(_CA_VARIABLES)} to one that is there, or unset them",
            )
    return session


def _pause(response: Response) -> float:
    """Give the seconds of `Retry-After` (RFC 9110, 10.2.3); 0 if there is none that makes sense."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    from email.utils import parsedate_to_datetime  # noqa: PLC0415 - rarely a date

    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return 0.0
