"""OSC 52 through a real tmux, whose buffer then holds the text."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from . import services

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "nct_CanaryCanaryCanaryCanaryCanary123456"

PROGRAM = f"""
import os
os.environ["SSH_TTY"] = os.ttyname(0)
from notifycli import clipboard
from notifycli.secrets.token_format import Secret
copied = clipboard.copy(Secret("{CANARY}"), 30)
health = clipboard.describe()
open(os.environ["HOME"] + "/result", "w").write(f"{{copied}}\\n{{health}}\\n")
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every `tmux` of the test a server of its own, in a folder with a short name."""
    services.need(tmux="tmux")
    with tempfile.TemporaryDirectory(prefix="t") as folder:
        monkeypatch.setenv("TMUX_TMPDIR", folder)
        yield
        subprocess.run(["tmux", "kill-server"], check=False, stderr=subprocess.DEVNULL)


def copy_in_tmux(home: Path, setting: str) -> list[str]:
    """Run the program in a window; return what it says and what tmux holds then."""
    (home / "tmux.conf").write_text(f"set -s set-clipboard {setting}\n", "ascii")
    (home / "program.py").write_text(PROGRAM, "ascii")
    window = f"'{sys.executable}' '{home}/program.py' 2>'{home}/trouble'; tmux wait-for -S done"
    subprocess.run(
        ["tmux", "-f", home / "tmux.conf", "new-session", "-d", f"{window}; sleep 60"],
        env=os.environ,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    subprocess.run(["tmux", "wait-for", "done"], check=True, timeout=services.WAIT)
    assert (home / "trouble").read_text() == ""
    screen = subprocess.run(["tmux", "capture-pane", "-p"], check=True, capture_output=True)
    assert b"Canary" not in screen.stdout
    return (home / "result").read_text("utf-8").splitlines()


def buffer() -> str:
    return subprocess.run(
        ["tmux", "show-buffer"], check=False, capture_output=True, text=True
    ).stdout


@pytest.mark.usefixtures("server")
class TestTmux:
    def test_what_is_sent_arrives_and_isnt_said_to_be_copied(self, home: Path) -> None:
        copied, health = copy_in_tmux(home, "on")
        assert 'told="sent to the terminal\'s clipboard", clears_after=None' in copied
        assert "works=True" in health
        assert "doesn't say whether it took it" in health
        services.until(lambda: buffer() == CANARY, "tmux to take the text")

    def test_where_tmux_swallows_it_the_setting_is_named(self, home: Path) -> None:
        copied, health = copy_in_tmux(home, "external")
        assert buffer() == ""
        assert "tmux set -s set-clipboard on" in copied
        assert "tmux set -s set-clipboard on" in health

    def test_nothing_stays_behind(self, home: Path) -> None:
        copy_in_tmux(home, "on")
        running = [
            Path(f"/proc/{process}/cmdline").read_bytes() for process in services.processes_of(home)
        ]
        assert [command for command in running if b"-m\0notifycli.clipboard" in command] == []
