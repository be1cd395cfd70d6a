"""Writes the tones that come with the program: `python scripts/write_tones.py [FOLDER]`.

The same bytes each time, from nothing but sines: WAV, one channel, 16 bits, 22,050 Hz.
"""

from __future__ import annotations

import math
import struct
import sys
import wave
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent.parent / "notifycli" / "delivery" / "tones"
RATE = 22_050
LOUDEST = 0.6
ATTACK_SECONDS = 0.004
RELEASE_SECONDS = 0.02


class Note(NamedTuple):
    """One stroke: when, how high, how long, how fast it dies away, and its overtones."""

    start: float
    hertz: float
    seconds: float
    decay: float
    partials: Sequence[tuple[float, float]] = ((1.0, 1.0),)
    """Multiples of the frequency, each with how loud it is."""


SOFT = ((1.0, 1.0), (2.0, 0.25))
BELL = ((0.5, 0.3), (1.0, 1.0), (1.19, 0.5), (1.5, 0.25), (2.0, 0.4), (2.74, 0.2))
TONES: Mapping[str, Sequence[Note]] = {
    "ding": (Note(0.0, 1046.5, 0.5, 7.0, SOFT),),
    "bell": (Note(0.0, 659.26, 0.9, 4.5, BELL),),
    "chime": (
        Note(0.0, 659.26, 0.5, 6.0, SOFT),
        Note(0.16, 523.25, 0.6, 5.0, SOFT),
    ),
    "magic": tuple(
        Note(0.07 * i, hertz, 0.4, 9.0, SOFT)
        for i, hertz in enumerate((783.99, 987.77, 1174.66, 1567.98))
    ),
    "ping": (Note(0.0, 880.0, 0.25, 3.0),),
}


def samples(notes: Sequence[Note]) -> list[float]:
    """Give a tone, from -1 to 1."""
    length = max(note.start + note.seconds for note in notes)
    mixed = [0.0] * round(length * RATE)
    for note in notes:
        first, count = round(note.start * RATE), round(note.seconds * RATE)
        for i in range(min(count, len(mixed) - first)):
            t = i / RATE
            fade = min(1.0, t / ATTACK_SECONDS, (note.seconds - t) / RELEASE_SECONDS)
            loud = fade * math.exp(-note.decay * t)
            mixed[first + i] += loud * sum(
                share * math.sin(2 * math.pi * note.hertz * multiple * t)
                for multiple, share in note.partials
            )
    peak = max(map(abs, mixed))
    return [value / peak * LOUDEST for value in mixed]


def wav(notes: Sequence[Note]) -> bytes:
    """Give a tone as the bytes of a WAV file."""
    numbers = [round(value * 32_767) for value in samples(notes)]
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(struct.pack(f"<{len(numbers)}h", *numbers))
    return buffer.getvalue()


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, notes in TONES.items():
        (folder / f"{name}.wav").write_bytes(wav(notes))


if __name__ == "__main__":
    main()
