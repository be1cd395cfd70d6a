"""The real services that these tests talk to: screens, a session bus, a keyring daemon."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import needs_package

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

WAIT = 30.0
"""Seconds for anything to happen on a busy machine."""

NOBODY = 65534

_SCREENS = itertools.count()


def need(**packages: str) -> None:
    """Skip the test unless each program is there; its value is Debian's package."""
    for program, package in packages.items():
        if shutil.which(program.replace("_", "-")) is None:
            pytest.skip(needs_package(package))


def until(condition: Callable[[], bool], what: str, seconds: float = WAIT) -> None:
    """Wait until `condition` holds; fail with `what` if it doesn't."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s for {what}")
        time.sleep(0.02)


@contextmanager
def running(
    command: Sequence[str], environ: Mapping[str, str], stdin: str = "", **more: object
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a service with its output thrown away until the block ends."""
    process = subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        **more,  # type: ignore[call-overload]
    )
    try:
        process.stdin.write(stdin.encode())
        process.stdin.close()
        yield process
    finally:
        process.terminate()
        try:
            process.wait(WAIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def screen() -> Iterator[str]:
    """Start an X server that nobody sees; give its DISPLAY."""
    need(Xvfb="xvfb", xclip="xclip")
    reading, writing = os.pipe()
    # A number of one's own: a server that ends removes the socket of the next one of its number.
    display = f":{os.getpid() % 500 * 100 + next(_SCREENS)}"
    how = [display, "-displayfd", str(writing), "-screen", "0", "320x240x24", "-nolisten", "tcp"]
    # Without, it starts anew whenever nobody is connected, and refuses who comes at that moment.
    how.append("-noreset")
    environ = {"PATH": os.environ["PATH"]}  # no HOME, by which a test finds its own processes
    with running(["Xvfb", *how], environ, pass_fds=[writing]):
        os.close(writing)
        with os.fdopen(reading) as pipe:
            assert f":{pipe.readline().strip()}" == display
        yield display


@contextmanager
def wayland_screen() -> Iterator[dict[str, str]]:
    """Start a Wayland compositor that nobody sees; give the variables that name its socket."""
    need(sway="sway", wl_copy="wl-clipboard", setpriv="util-linux")
    with tempfile.TemporaryDirectory(prefix="w") as folder:
        Path(folder, "config").write_text("xwayland disable\n", encoding="ascii")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": folder,
            "XDG_RUNTIME_DIR": folder,
            "WLR_BACKENDS": "headless",
            "WLR_RENDERER": "pixman",
            "WLR_LIBINPUT_NO_DEVICES": "1",
        }
        command = ["sway", "--config", f"{folder}/config"]
        if os.geteuid() == 0:  # sway refuses to run as root
            os.chown(folder, NOBODY, NOBODY)
            who = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
            command = ["setpriv", *who, *command]
        with running(command, environ):
            until(lambda: Path(folder, "wayland-1").exists(), "sway")
            yield {"XDG_RUNTIME_DIR": folder, "WAYLAND_DISPLAY": "wayland-1"}


@contextmanager
def session_bus() -> Iterator[str]:
    """Start a session bus as `dbus-run-session` does; give its address."""
    need(dbus_daemon="dbus", dbus_send="dbus")
    process = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert process.stdout is not None
        with process.stdout as output:
            yield output.readline().decode().strip()
    finally:
        process.terminate()
        process.wait()


@contextmanager
def keyring_daemon(address: str, home: Path, password: str | None) -> Iterator[None]:
    """Start gnome-keyring on the bus, unlocked with `password`; None leaves it locked."""
    need(gnome_keyring_daemon="gnome-keyring")
    with ExitStack() as stack:
        runtime = stack.enter_context(tempfile.TemporaryDirectory(prefix="k"))
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_RUNTIME_DIR": runtime,
            "DBUS_SESSION_BUS_ADDRESS": address,
        }
        (home / "data" / "keyrings").mkdir(parents=True, exist_ok=True)
        command = ["gnome-keyring-daemon", "--foreground", "--components=secrets"]
        how = ["--start"] if password is None else ["--unlock"]
        stack.enter_context(running([*command, *how], environ, password or ""))
        ask = [
            *("dbus-send", f"--bus={address}", "--print-reply", "--dest=org.freedesktop.DBus"),
            *("/", "org.freedesktop.DBus.NameHasOwner", "string:org.freedesktop.secrets"),
        ]
        until(
            lambda: b"true" in subprocess.run(ask, capture_output=True, check=False).stdout,
            "gnome-keyring",
        )
        yield


def run_python(code: str, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
    """Run `code` as a program of its own, in this environment and `more`, capturing its output."""
    # keyring leaves the sockets of a locked Secret Service to the garbage collector.
    strict = ["-W", "error", "-W", "ignore::ResourceWarning"]
    return subprocess.run(
        [sys.executable, *strict, "-c", code],
        input=stdin,
        env={**os.environ, **more},
        capture_output=True,
        text=True,
        timeout=WAIT,
        check=False,
    )


def processes_of(home: Path) -> list[int]:
    """Return the ids of all processes whose HOME is this test's: those that it left running."""
    mark = f"HOME={home}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return [process for process in found if process != os.getpid()]


def end_processes_of(home: Path) -> None:
    """End what a test left running, and what that starts in order to put a text back."""

    def gone() -> bool:
        left = processes_of(home)
        for process in left:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        return not left

    until(gone, "what the test left running to end")


def process_ids() -> set[str]:
    return {name for name in os.listdir("/proc") if name.isdigit()}  # noqa: PTH208 - names are enough


def leaks(canary: str, processes: Iterable[str] | None = None) -> list[str]:
    """Return where in /proc the canary shows: the arguments or environment of any process.

    Of any of `processes` only, if they are given.
    """
    found = []
    for process in process_ids() if processes is None else processes:
        for kind in ("cmdline", "environ"):
            file = Path("/proc", process, kind)
            # It may be gone before it is looked at.
            with suppress(OSError):
                if canary.encode() in file.read_bytes():
                    found.append(str(file))
    return found
