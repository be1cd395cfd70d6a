"""Copying to real clipboards that nobody sees, read back by other programs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from notifycli import clipboard
from notifycli.clipboard import MACOS, WAYLAND, X11, Library, Terminal
from notifycli.errors import ConfigurationError, UnavailableError
from notifycli.secrets.token_format import Secret, generate

from . import services

if TYPE_CHECKING:
    from collections.abc import Sequence

CANARY = "nct_CanaryCanaryCanaryCanaryCanary123456"

COPY = """
import sys
from notifycli.errors import NotifycliError
from notifycli import clipboard
from notifycli.secrets.token_format import Secret
try:
    print(clipboard.copy(Secret(sys.stdin.read()), float({seconds})))
except NotifycliError as error:
    print(error.status, error.message, "|", error.hint)
"""


class Tools:
    """What stands for the user's other programs on one kind of screen."""

    def __init__(self, take: Sequence[str], give: Sequence[str]) -> None:
        self._take = take
        self._give = give

    def put(self, text: str) -> None:
        # Files and not pipes: these programs stay, and would keep a pipe open.
        subprocess.run(
            self._take,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        services.until(lambda: self.held() == text, f"{self._take[0]} to take hold")

    def held(self) -> str:
        path = Path(os.environ["HOME"], "pasted")
        # Who asks just as the holder changes may never be answered, and asks again.
        with path.open("wb") as file, suppress(subprocess.TimeoutExpired):
            subprocess.run(
                self._give, stdout=file, stderr=subprocess.DEVNULL, check=False, timeout=2
            )
        text = path.read_text("utf-8")
        path.unlink()
        return text


def shows(tools: Tools, secret: str, seconds: float) -> bool:
    """Copy it for so long; gives whether it is there, unless its time was over at the first look.

    A busy machine may be as slow as that.
    """
    begun = time.monotonic()
    clipboard.copy(Secret(secret), seconds)
    return tools.held() == secret or time.monotonic() - begun > seconds


XCLIP = Tools(
    ["xclip", "-selection", "clipboard", "-in"], ["xclip", "-selection", "clipboard", "-out"]
)
WL = Tools(["wl-copy"], ["wl-paste", "--no-newline"])


class Contract:
    """What every clipboard must do; subclasses give `tools`, and what a program does first."""

    first = ""

    @pytest.fixture
    def tools(self) -> Tools:
        raise NotImplementedError

    def test_another_program_pastes_what_was_copied(self, tools: Tools) -> None:
        secret = generate()
        assert clipboard.copy(secret, 30) == clipboard.Copied("copied to the clipboard", 30)
        assert tools.held() == secret.reveal()

    def test_after_the_time_what_was_there_is_back(self, tools: Tools) -> None:
        tools.put("zażółć\nbefore ")
        assert shows(tools, CANARY, 1)
        services.until(lambda: tools.held() == "zażółć\nbefore ", "the old text")

    def test_after_the_time_an_empty_clipboard_is_empty_again(self, tools: Tools) -> None:
        clipboard.copy(Secret(CANARY), 0.5)
        services.until(lambda: tools.held() == "", "an empty clipboard")

    def test_what_was_copied_meanwhile_is_left_alone(self, tools: Tools, home: Path) -> None:
        tools.put("before")
        clipboard.copy(Secret(CANARY), 2)
        tools.put("meanwhile")
        assert services.processes_of(home)
        time.sleep(2.3)
        assert tools.held() == "meanwhile"

    def test_zero_means_never(self, tools: Tools) -> None:
        assert clipboard.copy(Secret(CANARY), 0).clears_after is None
        time.sleep(0.5)
        assert tools.held() == CANARY

    def test_a_second_copy_hands_on_what_was_there_before_the_first(self, tools: Tools) -> None:
        tools.put("before")
        clipboard.copy(Secret("first"), 30)
        assert shows(tools, "second", 1)
        services.until(lambda: tools.held() == "before", "the text from before the first")

    def test_copying_the_same_again_starts_its_time_anew(self, tools: Tools) -> None:
        tools.put("before")
        clipboard.copy(Secret(CANARY), 1)
        clipboard.copy(Secret(CANARY), 30)
        time.sleep(1.3)
        assert tools.held() == CANARY

    def test_the_end_of_the_session_clears_at_once(self, tools: Tools, home: Path) -> None:
        tools.put("before")
        users = set(services.processes_of(home))
        clipboard.copy(Secret(CANARY), 30)
        for process in set(services.processes_of(home)) - users:
            if b"-m\0notifycli.clipboard" in Path(f"/proc/{process}/cmdline").read_bytes():
                os.kill(process, signal.SIGTERM)
        services.until(lambda: tools.held() != CANARY, "a clipboard without the secret")

    def test_neither_a_captured_pipe_nor_a_terminal_is_kept_waiting(
        self,
        tools: Tools,  # noqa: ARG002
        home: Path,
    ) -> None:
        # Had it waited, it would have taken longer than `run_python` lets it.
        done = services.run_python(self.first + COPY.format(seconds=300), stdin=CANARY)
        assert done.stdout == f"{clipboard.Copied('copied to the clipboard', 300.0)}\n"
        assert done.stderr == ""
        left = services.processes_of(home)
        assert left
        for process in left:
            fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
            assert (int(fields[3]) != os.getsid(0), fields[4]) == (True, "0"), "session, terminal"

    def test_no_process_shows_the_secret_while_it_is_copied_held_and_cleared(
        self, tools: Tools
    ) -> None:
        canary = generate().reveal()  # other tests have theirs in the programs they run
        tools.put("before")

        def pasted(seconds: float) -> list[str]:
            """What is there, one look after the other, until the secret was there and has gone."""
            seen: list[str] = []
            with subprocess.Popen(
                [sys.executable, "-c", self.first + COPY.format(seconds=seconds)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            ) as program:
                assert program.stdin is not None
                program.stdin.write(canary.encode())
                program.stdin.close()
                deadline = time.monotonic() + 2 * services.WAIT
                copied = False
                while not copied or seen[-1] != "before":
                    copied = program.poll() is not None
                    assert services.leaks(canary) == []
                    seen.append(tools.held())
                    assert time.monotonic() < deadline
            return seen

        # A busy machine may take longer than that for a look.
        assert any(canary in pasted(seconds) for seconds in (0.8, 4, 20))

    def test_no_file_of_the_home_holds_the_secret(self, tools: Tools, home: Path) -> None:
        clipboard.copy(Secret(CANARY), 30)
        assert tools.held() == CANARY
        files = [path for path in home.rglob("*") if path.is_file()]
        assert files
        assert [path for path in files if CANARY.encode() in path.read_bytes()] == []

    def test_the_doctor_finds_it_working_and_shows_nothing_of_it(self, tools: Tools) -> None:
        assert clipboard.describe().works
        tools.put(CANARY)
        assert clipboard.describe().works
        assert CANARY not in repr(clipboard.describe())


class TestX11(Contract):
    @pytest.fixture
    def tools(self, screen: str) -> Tools:  # noqa: ARG002
        return XCLIP

    def test_the_holder_goes_when_the_screen_does(self, home: Path) -> None:
        with services.screen() as display, pytest.MonkeyPatch.context() as patch:
            patch.setenv("DISPLAY", display)
            clipboard.copy(Secret(CANARY), 0)
            assert services.processes_of(home)
        services.until(lambda: not services.processes_of(home), "the holder to go")


class TestX11WithoutTheLibrary(Contract):
    """Where `copykitten` has no wheels, `xclip` does its work."""

    first = "import notifycli.clipboard as ways; ways._has_library = lambda: False\n"

    @pytest.fixture
    def tools(self, screen: str, monkeypatch: pytest.MonkeyPatch) -> Tools:  # noqa: ARG002
        monkeypatch.setattr("notifycli.clipboard._has_library", lambda: False)
        return XCLIP


class TestWayland(Contract):
    @pytest.fixture
    def tools(self, wayland: None) -> Tools:  # noqa: ARG002
        return WL


class TestNone:
    @pytest.mark.parametrize(
        ("environ", "message"),
        [
            pytest.param({}, "69 this machine has no clipboard", id="no screen"),
            pytest.param(
                {"DISPLAY": ":987"},
                "69 the clipboard failed (no screen answers at DISPLAY=:987)",
                id="a dead X display",
            ),
            pytest.param(
                {"WAYLAND_DISPLAY": "wayland-987", "XDG_RUNTIME_DIR": "/nonexistent"},
                "69 wl-copy failed (",
                id="a dead Wayland display",
            ),
            pytest.param(
                {"SSH_TTY": "/dev/pts/987"},
                "69 there is no clipboard, and no terminal to send the text to",
                id="over SSH without a terminal",
            ),
            pytest.param(
                {"SSH_TTY": "/dev/pts/987", "TERM": "dumb"},
                "69 this terminal has no clipboard",
                id="a terminal that has none",
            ),
        ],
    )
    def test_it_says_so_and_what_to_do_without_the_secret(
        self, environ: dict[str, str], message: str
    ) -> None:
        if "WAYLAND_DISPLAY" in environ:
            services.need(wl_copy="wl-clipboard")
        code = "import os; os.setsid()\n" + COPY.format(seconds=30)
        done = services.run_python(code, CANARY, **environ)
        assert done.stderr == ""
        assert done.stdout.startswith(message)
        assert "notifycli token show | " in done.stdout
        assert CANARY not in done.stdout
        health = services.run_python(
            "import os; os.setsid(); from notifycli import clipboard as c\n"
            "print(c.describe().works, bool(c.describe().hint))",
            "",
            **environ,
        )
        assert health.stdout == "False True\n"

    def test_on_wayland_without_its_program_the_package_is_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("WAYLAND_DISPLAY", "wayland-1")
        monkeypatch.setenv("PATH", "/nonexistent")
        with pytest.raises(UnavailableError, match="wl-copy is missing") as raised:
            clipboard.copy(Secret(CANARY))
        assert "apt install wl-clipboard" in raised.value.hint

    def test_a_child_that_says_nothing_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DISPLAY", ":987")
        monkeypatch.setattr(sys, "executable", "/bin/true")
        with pytest.raises(UnavailableError, match="doesn't answer"):
            clipboard.copy(Secret(CANARY))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have one clipboard")
class TestChoice:
    @pytest.mark.parametrize(
        ("environ", "ways"),
        [
            pytest.param({}, [], id="no screen: none"),
            pytest.param({"DISPLAY": ":0"}, [Library], id="X11: the library"),
            pytest.param(
                {"DISPLAY": ":0", "WAYLAND_DISPLAY": "wayland-0"},
                [WAYLAND],
                id="Wayland with X11 inside: Wayland's program",
            ),
            pytest.param({"SSH_TTY": "/dev/pts/1"}, [Terminal], id="SSH: the terminal"),
            pytest.param(
                {"SSH_CONNECTION": "::1 1 ::1 22", "DISPLAY": ":0"},
                [Terminal],
                id="SSH and the far screen: the terminal",
            ),
            pytest.param(
                {"SSH_TTY": "/dev/pts/1", "DISPLAY": "localhost:10.0"},
                [Library, Terminal],
                id="SSH with X11 forwarded: that, then the terminal",
            ),
            pytest.param(
                {"NOTIFYCLI_CLIPBOARD": "terminal", "DISPLAY": ":0"},
                [Terminal],
                id="the terminal if told so",
            ),
            pytest.param(
                {"NOTIFYCLI_CLIPBOARD": "system", "DISPLAY": ":0", "SSH_TTY": "/dev/pts/1"},
                [Library],
                id="the far screen if told so",
            ),
        ],
    )
    def test_the_ways_tried_in_order(self, environ: dict[str, str], ways: list[object]) -> None:
        chosen = clipboard.ways(environ)
        assert [way if way in (WAYLAND, MACOS, X11) else type(way) for way in chosen] == ways

    def test_another_word_is_refused_and_the_right_ones_named(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("NOTIFYCLI_CLIPBOARD", "xclip")
        with pytest.raises(ConfigurationError, match="xclip") as raised:
            clipboard.copy(Secret(CANARY))
        assert "NOTIFYCLI_CLIPBOARD=terminal" in raised.value.hint
        assert clipboard.describe().works is False
