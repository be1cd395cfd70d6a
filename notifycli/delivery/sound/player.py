"""Playing a tone by what the system has: its player, else the terminal's bell.

No library: those that were tried print, leave processes behind, or bring megabytes for what each
desktop's own player does.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import wave
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from notifycli.errors import UnavailableError
from notifycli.rules.preferences import TONES

_FOLDER = Path(__file__).with_name("tones")
_SECONDS = 10.0
"""After which a player is ended: a sound server that hangs keeps it for ever."""
_LONGEST = 200
_RATE = 22_050
PLAYERS: Mapping[str, tuple[str, ...]] = {
    "pw-play": (),
    # Without it, PulseAudio fills a buffer of two seconds first.
    "paplay": ("--latency-msec=50",),
    "aplay": ("-q",),
    "afplay": (),
}
"""The systems' players with their options, in the order in which they are tried."""
BELL = "the terminal's bell"


class Tone(NamedTuple):
    """A tone that comes with the program."""

    name: str
    path: Path

    @property
    def seconds(self) -> float:
        """How long it is."""
        with wave.open(str(self.path)) as file:
            return float(file.getnframes() / file.getframerate())


def tones() -> list[Tone]:
    """Give all tones."""
    return [Tone(name, _FOLDER / f"{name}.wav") for name in TONES]


def tone(name: str) -> Tone:
    """Give the tone of a name that `audio.tone` can have."""
    return Tone(name, _FOLDER / f"{name}.wav")


@contextmanager
def silence() -> Iterator[Tone]:
    """Give a tone that nobody hears, by which it can be tried whether others could be played."""
    with TemporaryDirectory(prefix="notifycli-") as folder:
        path = Path(folder, "silence.wav")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, _RATE, 0, "NONE", ""))
            file.writeframes(bytes(2 * _RATE // 10))
        yield Tone("silence", path)


def ring_bell() -> bool:
    """Ring the terminal's bell; gives whether there is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    sys.stderr.write("\a")
    sys.stderr.flush()
    return True


def has_bell() -> bool:
    """Whether there is a terminal whose bell could be rung."""
    return sys.stderr is not None and sys.stderr.isatty()


class Player:
    """Plays one tone at a time, by the first of the system's players that can."""

    def __init__(self, bell: Callable[[], bool] = ring_bell, seconds: float = _SECONDS) -> None:
        self.programs = [name for name in PLAYERS if shutil.which(name)]
        if sys.platform == "win32":
            self.programs.append("winsound")
        self._bell = bell
        self._seconds = seconds

    async def play(self, tone: Tone) -> str:
        """Play a tone to its end, and give by what.

        Raises `UnavailableError` with what each player said, where none could.
        """
        said = []
        for name in self.programs:
            trouble = await self._run(name, tone)
            if not trouble:
                # What worked goes first from now on.
                self.programs.remove(name)
                self.programs.insert(0, name)
                return name
            said.append(f"{name}: {trouble}")
        if self._bell():
            return BELL
        raise UnavailableError(
            f"nothing here plays a sound ({'; '.join(said) or 'no player is installed'})",
            "is a sound server running for this user? On Linux, players are in pipewire-bin, "
            "pulseaudio-utils and alsa-utils",
        )

    async def _run(self, name: str, tone: Tone) -> str:
        """Let a program play; gives what is wrong, or an empty string."""
        if name == "winsound":
            return await asyncio.to_thread(_play_on_windows, tone)
        try:
            process = await asyncio.create_subprocess_exec(
                name,
                *PLAYERS[name],
                str(tone.path),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            return error.strerror or "it can't be started"
        try:
            async with asyncio.timeout(self._seconds):
                _, complaint = await process.communicate()
        except TimeoutError:
            return f"not done within {self._seconds:g} s"
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if process.returncode == 0:
            return ""
        words = " ".join(complaint.decode("utf-8", "replace").split())
        return words[:_LONGEST] or f"exit status {process.returncode}"


def _play_on_windows(tone: Tone) -> str:
    if sys.platform == "win32":
        import winsound  # noqa: PLC0415 - there alone

        try:
            winsound.PlaySound(str(tone.path), winsound.SND_FILENAME | winsound.SND_NODEFAULT)
        except RuntimeError as error:
            return str(error)
    return ""
