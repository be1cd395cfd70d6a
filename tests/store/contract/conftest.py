"""What an engine passes: every test in this folder runs on each engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.conftest import Notifycli

from .engines import Engine, PostgreSQLEngine, SQLiteEngine

_SETTINGS = "_hypothesis_internal_use_settings"


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "sqlite":
        return SQLiteEngine(tmp_path_factory.mktemp("stores"))
    return PostgreSQLEngine(request.getfixturevalue("postgresql"))


@pytest.fixture(autouse=True)
def _fewer_examples_on_a_server(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let a server show each law a tenth as often, of which an engine in a file is shown all.

    It takes minutes for hundreds. What `make test` draws stays: ten.
    """
    drawn = getattr(getattr(request.node, "callspec", None), "params", {})
    if drawn.get("engine") != "postgresql":
        yield
        return
    usual, name = settings.default, settings.get_current_profile_name()
    assert usual is not None
    fewer = min(usual.max_examples, max(10, usual.max_examples // 10))
    settings.register_profile("on a server", parent=usual, max_examples=fewer)
    settings.load_profile("on a server")
    # What is drawn by `@given` took the profile's settings when it was imported.
    if hasattr(request.function, _SETTINGS):
        monkeypatch.setattr(request.function, _SETTINGS, settings.default)
    yield
    settings.load_profile(name)


@pytest.fixture
def url(engine: Engine) -> str:
    """A store of its own for a test, empty."""
    return engine.new()


@pytest.fixture
def notifycli(notifycli: Notifycli, url: str, monkeypatch: pytest.MonkeyPatch) -> Notifycli:
    """The program, with that store."""
    monkeypatch.setenv("NOTIFYCLI_DB", url)
    return notifycli


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave to `make slow` what another engine and another format have shown of a server."""
    for item in items:
        drawn = getattr(getattr(item, "callspec", None), "params", {})
        if drawn.get("engine") == "postgresql" and drawn.get("format_", "toml") != "toml":
            item.add_marker(pytest.mark.slow)
