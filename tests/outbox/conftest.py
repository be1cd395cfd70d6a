"""A desk at which Jane wants to be mailed of messages, and channels that send nowhere."""

from __future__ import annotations

import pytest

from tests.conftest import Notifycli

from .desk import Post


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    """The channels, which keep what they are given."""
    channels = Post()
    channels.install(monkeypatch)
    return channels


@pytest.fixture
def told(desk: Notifycli) -> Notifycli:
    """The program with a desk at which Jane is mailed of messages."""
    desk.ok("prefs", "set", "email.message=on", "-u", "7")
    return desk
