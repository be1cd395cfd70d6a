"""PulseAudio with a card that nobody hears, and what it would have played."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from tests.secrets.services import WAIT, need, running, until

RATE = 44_100
_LOUD = 1_000


@contextmanager
def sound_server() -> Iterator[str]:
    """Start it; gives the value of PULSE_SERVER."""
    need(pulseaudio="pulseaudio", paplay="pulseaudio-utils", parec="pulseaudio-utils")
    with tempfile.TemporaryDirectory(prefix="p") as folder:
        socket = Path(folder, "native")
        environ = {"PATH": os.environ["PATH"], "HOME": folder, "XDG_RUNTIME_DIR": folder}
        command = [
            *("pulseaudio", "-n", "--daemonize=no", "--use-pid-file=no", "--exit-idle-time=-1"),
            *("-L", "module-null-sink sink_name=t"),
            *("-L", f"module-native-protocol-unix socket={socket} auth-anonymous=1"),
        ]
        with running(command, environ):
            until(socket.exists, "pulseaudio", 2 * WAIT)
            yield f"unix:{socket}"


class Recording:
    """What is played while it runs, as samples."""

    def __init__(self, server: str) -> None:
        self._samples = array("h")
        command = ["parec", "-d", "t.monitor", "--latency-msec=20"]
        self._process = subprocess.Popen(
            [*command, f"--rate={RATE}", "--channels=1", "--format=s16le"],
            env={**os.environ, "PULSE_SERVER": server},
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()
        try:
            until(lambda: bool(self._samples), "the recording to begin", 2 * WAIT)
        except BaseException:
            self.stop()
            raise

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as output:
            while block := output.read(2048):
                self._samples.frombytes(block)

    def heard(self, seconds: float) -> bool:
        """Whether so long a sound is on record."""
        return len(self.sound()) >= seconds * RATE

    def sound(self) -> array[int]:
        """Give it from the first loud moment to the last."""
        samples = self._samples[:]
        loud = [i for i, value in enumerate(samples) if abs(value) > _LOUD]
        return samples[loud[0] : loud[-1]] if loud else array("h")

    def hertz(self) -> float:
        """Give how high it is: how often it rises through zero, gaps of a busy machine apart."""
        sound = self.sound()
        rises = [i for i in range(1, len(sound)) if sound[i - 1] < 0 <= sound[i]]
        return (
            10 * RATE / median(later - rise for rise, later in zip(rises, rises[10:], strict=False))
        )

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(WAIT)
        self._thread.join()
