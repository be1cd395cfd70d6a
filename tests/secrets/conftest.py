"""Every test has a home of its own and no keyring, clipboard or terminal but those it starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from . import services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOREIGN = (
    *("DISPLAY", "WAYLAND_DISPLAY", "XDG_RUNTIME_DIR", "XDG_SESSION_TYPE", "XAUTHORITY"),
    *("DBUS_SESSION_BUS_ADDRESS", "GNOME_KEYRING_CONTROL", "PYTHON_KEYRING_BACKEND"),
    *("SSH_TTY", "SSH_CONNECTION", "TMUX", "TMUX_TMPDIR", "STY"),
    *("XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"),
    *("NOTIFYCLI_KEYRING", "NOTIFYCLI_KEYRING_FILE", "NOTIFYCLI_KEYRING_PASSPHRASE_FILE"),
    *("NOTIFYCLI_KEYRING_TIMEOUT", "NOTIFYCLI_CLIPBOARD"),
)


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in FOREIGN:
        monkeypatch.delenv(variable, raising=False)
    folder = tmp_path / "home"
    folder.mkdir(exist_ok=True)
    monkeypatch.setenv("HOME", str(folder))
    # Without an address, libraries look for the bus of whoever runs the tests.
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent")
    monkeypatch.setenv("TERM", "xterm")
    return folder


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with services.session_bus() as address:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", address)
        # A real keyring of a busy machine may need more than five seconds.
        monkeypatch.setenv("NOTIFYCLI_KEYRING_TIMEOUT", str(services.WAIT))
        yield address


@pytest.fixture
def unlocked(bus: str, home: Path) -> Iterator[None]:
    with services.keyring_daemon(bus, home, "right"):
        yield


@pytest.fixture
def screen(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with services.screen() as display:
        monkeypatch.setenv("DISPLAY", display)
        yield display
        services.end_processes_of(home)


@pytest.fixture
def wayland(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with services.wayland_screen() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        yield
        services.end_processes_of(home)
