"""A desk to try things on, that no environment of the tester's reaches."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scenarios.desk import Desk


@pytest.fixture
def desk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Desk:
    for name in ("NOTIFYCLI_USER", "NOTIFYCLI_ACCOUNT", "FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NOTIFYCLI_DB", str(tmp_path / "store.db"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    return Desk(capfd, tmp_path)
