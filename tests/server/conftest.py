"""A desk behind the API, and whoever asks there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from notifycli.cli.times import now
from notifycli.rules.directory import User
from notifycli.secrets import keychain as keychains
from notifycli.secrets.token_service import DEFAULT_NAME, NO_WISH, TokenOwner, TokenService
from notifycli.server.app import Api
from notifycli.server.middleware import Throttle
from notifycli.store.store import locate, open_store
from tests.conftest import Notifycli
from tests.tokens.harness import MemoryKeychain

from .certificates import Certificate, make_certificate

JANE, OMAR, ROOT = 7, 8, 9
"""Two agents and an administrator."""


@dataclass
class Serving:
    """The API of a desk, as somebody asks it."""

    client: TestClient
    desk: Notifycli
    tokens: dict[int, str]
    log: list[str] = field(default_factory=list)

    def ask(self, user: int, method: str, path: str, **how: Any) -> tuple[int, Any]:
        headers = {"api_access_token": self.tokens[user]}
        answer = self.client.request(method, f"/api/v1/{path}", headers=headers, **how)
        return answer.status_code, answer.json()

    def settings(self, user: int, whose: str = "") -> dict[str, list[str]]:
        status, body = self.ask(user, "GET", f"accounts/1/notification_settings{whose}")
        assert status == 200
        return {key: body[key] for key in ("selected_email_flags", "selected_push_flags")}


@pytest.fixture
def keychain(monkeypatch: pytest.MonkeyPatch) -> MemoryKeychain:
    made = MemoryKeychain()
    monkeypatch.setattr(keychains, "open_keychain", lambda **_: made)
    monkeypatch.setattr("notifycli.server.handlers.open_keychain", lambda **_: made)
    return made


def tokens(path: Path, keychain: MemoryKeychain) -> dict[int, str]:
    """Make a token for each user of account 1."""
    with open_store(path) as store:
        life = TokenService(store, keychain, "test", "test", now)

        def token(user: User) -> str:
            made, _ = life.obtain(TokenOwner(1, user, DEFAULT_NAME), NO_WISH)
            return life.reveal(made).reveal()

        return {user.id: token(user) for user in store.users(1)}


@contextmanager
def served(desk: Notifycli, keychain: MemoryKeychain, failures: int) -> Iterator[Serving]:
    log: list[str] = []
    api = Api(locate(desk.store), now, log.append, Throttle(failures))
    with TestClient(api.application()) as client:
        yield Serving(client, desk, tokens(desk.store, keychain), log)


@pytest.fixture
def serving(desk: Notifycli, keychain: MemoryKeychain) -> Iterator[Serving]:
    with served(desk, keychain, failures=10) as made:
        yield made


def as_json(data: bytes) -> Any:
    return json.loads(data)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return make_certificate(tmp_path_factory.mktemp("certificate"))
