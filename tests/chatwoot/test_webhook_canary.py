"""The secret of the webhook that a login makes shows nowhere: it signs whatever is received."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.chatwoot.recorded import ROOT, Asked, Chatwoot, Person, Reply
from tests.conftest import Notifycli
from tests.secrets import services
from tests.server.webhooks import body, kept, running, signed
from tests.tokens.aviary import CANARY, hidden

URL = "https://desk.example.com/hook"
AFTERWARDS = (
    *(["config", "list"], ["config", "get", "listen.secret"], ["doctor"], ["token", "list"]),
    *(["chatwoot", "status"], ["prefs", "history"], ["listen", "--path", "no/such/folder"]),
)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal, as far as a login looks: its token is typed unseen, its answers are lines."""
    monkeypatch.setattr("getpass.getpass", lambda _prompt: ROOT)
    for module in ("notifycli.cli.terminal", "notifycli.cli.chatwoot.connection"):
        monkeypatch.setattr(f"{module}.is_terminal", lambda _stream: True)


def log_in(notifycli: Notifycli, chatwoot: Chatwoot) -> bytes:
    """Log in, have a webhook made, and return all that was printed."""
    chatwoot.webhook_secret = CANARY
    done = notifycli("chatwoot", "login", chatwoot.url, "--verbose", stdin=f"1\n{URL}\n".encode())
    return done.stdout + done.stderr.encode()


def nothing(_chatwoot: Chatwoot, _patch: pytest.MonkeyPatch, _folder: Path) -> None:
    pass


def answered(reply: Reply) -> Callable[[Chatwoot, pytest.MonkeyPatch, Path], None]:
    """Have the request for a webhook answered otherwise."""

    def prepare(chatwoot: Chatwoot, _patch: pytest.MonkeyPatch, _folder: Path) -> None:
        def answer(asked: Asked, _person: Person | None) -> None:
            if asked.path.endswith("/webhooks"):
                raise reply

        chatwoot.before = answer

    return prepare


def keyring_gone(chatwoot: Chatwoot, _patch: pytest.MonkeyPatch, folder: Path) -> None:
    def take_away(asked: Asked, _person: Person | None) -> None:
        if asked.path.endswith("/webhooks"):
            (folder / "keychain.json").unlink()
            (folder / "keychain.json").mkdir()

    chatwoot.before = take_away


def unforeseen(_chatwoot: Chatwoot, patch: pytest.MonkeyPatch, _folder: Path) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("unforeseen")

    patch.setattr("notifycli.cli.chatwoot.connection.keep_secret", fail)


TROUBLES = {
    "all well": (nothing, "was made; receive it: notifycli listen\n"),
    "another shape": (
        answered(Reply(200, {"payload": {"webhook": {"secret": [CANARY]}}})),
        "in another shape than Chatwoot's",
    ),
    "no JSON": (answered(Reply(200, raw=CANARY.encode())), "in another shape than Chatwoot's"),
    "no keyring any more": (keyring_gone, "its secret isn't kept: remove it there"),
    "an unforeseen error": (unforeseen, "ZeroDivisionError: unforeseen"),
}


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize("trouble", TROUBLES)
def test_whatever_happens_the_secret_of_the_webhook_stays_hidden(
    notifycli: Notifycli,
    chatwoot: Chatwoot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trouble: str,
) -> None:
    prepare, told = TROUBLES[trouble]
    prepare(chatwoot, monkeypatch, tmp_path)
    shown = log_in(notifycli, chatwoot)
    assert told in shown.decode()
    assert hidden(shown)
    for command in AFTERWARDS:
        done = notifycli(*command, "--verbose")
        assert hidden(done.stdout + done.stderr.encode()), command
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert notifycli.store in files
    assert all(hidden(path.read_bytes()) for path in files)
    assert services.leaks(CANARY) == []


@pytest.mark.slow
@pytest.mark.usefixtures("terminal")
def test_what_listens_with_it_checks_signatures_and_tells_it_to_nobody(
    notifycli: Notifycli, chatwoot: Chatwoot, tmp_path: Path
) -> None:
    log_in(notifycli, chatwoot)
    path = tmp_path / "events.jsonl"
    with running("listen", "--db", str(notifycli.store), "--path", str(path)) as server:
        statuses = [_post(server.url, secret) for secret in (CANARY, CANARY[::-1])]
        leaks = services.leaks(CANARY)
        server.stop()
    assert (statuses, leaks, len(kept(path))) == ([200, 401], [], 1)
    assert hidden(server.told.encode() + path.read_bytes() + notifycli.store.read_bytes())


def _post(url: str, secret: str) -> int:
    place = urlsplit(url)
    connection = HTTPConnection(place.hostname or "", place.port, timeout=30)
    data = body(1)
    connection.request("POST", "/hook", data, signed(data, secret))
    status = connection.getresponse().status
    connection.close()
    return status
