"""What an engine passes: every test in this folder runs on each engine."""

from __future__ import annotations

import pytest

from tests.conftest import Notifycli

from .engines import Engine, PostgreSQLEngine, SQLiteEngine


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    if request.param == "sqlite":
        return SQLiteEngine(tmp_path_factory.mktemp("stores"))
    return PostgreSQLEngine(request.getfixturevalue("postgresql"))


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
