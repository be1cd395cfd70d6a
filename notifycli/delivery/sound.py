"""The channel of sound: a notice is played here, on the machine of whom it is for.

The system's player plays it, else the terminal's bell rings.
No library: those that were tried print, leave processes behind, or bring megabytes for what each
desktop's own player does.

`open_sender` gives what `deliver` uses. With `audio.repeat` a sound is played again until the
conversation is read; for that, whoever replays events tells the sender of each:

    sender.see(event, conversation.assignee)

after the replay has met the event and before what fires is sent. Without it nothing is repeated.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import shutil
import signal
import sys
import time
import wave
from array import array
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Self

from notifycli.delivery.channels import Delivered, Later, Outcome
from notifycli.errors import ConfigurationError, DataError, UnavailableError
from notifycli.events.event import MESSAGE_CREATED, PRESENCE, UNSAID, Event
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import LOUDEST, TONES
from notifycli.store.outbox import Notice
from notifycli.store.store import Store

_FOLDER = Path(__file__).with_name("tones")
_SECONDS = 10.0
"""After which a player is ended: a sound server that hangs keeps it for ever."""
_LONGEST = 200
LARGEST_TONE = 1 << 20
"""Bytes."""
_LONGEST_TONE = 8.0
_TAKEN = f"a tone is WAV of 16 bits, of up to {LARGEST_TONE >> 20} MB and {_LONGEST_TONE:g} s"
_SOUNDS = {
    kind: re.compile(begin, re.DOTALL)
    for kind, begin in {
        "WAV": rb"RIFF....WAVE",
        "MP3": rb"ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb]",
        "AAC": rb"\xff[\xf0\xf1\xf8\xf9]",
        "Ogg": rb"OggS",
        "FLAC": rb"fLaC",
        "MP4": rb"....ftyp",
        "AIFF": rb"FORM....AIF[FC]",
        "CAF": rb"caff",
        "Matroska": rb"\x1a\x45\xdf\xa3",
        "WMA": rb"\x30\x26\xb2\x75",
        "AMR": rb"#!AMR",
        "AU": rb"\.snd",
    }.items()
}
"""How files of sounds begin that ffmpeg can convert."""
_WIDTH = 2
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
    """A tone: it comes with the program, or is one of somebody's own, out of the store."""

    name: str
    path: Path
    sound: bytes | None = None
    """A WAV file, of one's own: `path` is no more than its name then."""

    def open(self) -> wave.Wave_read:
        """Open it to be read. Raises `wave.Error` and `EOFError` if it is no WAV file."""
        return wave.open(str(self.path) if self.sound is None else BytesIO(self.sound), "rb")

    @property
    def seconds(self) -> float:
        """How long it is."""
        with self.open() as file:
            return float(file.getnframes() / file.getframerate())


def tones() -> list[Tone]:
    """Give the tones that come with the program."""
    return [tone(name) for name in TONES]


def tone(name: str) -> Tone:
    """Give one of them."""
    return Tone(name, _FOLDER / f"{name}.wav")


def find_tone(store: Store, name: str) -> Tone | None:
    """Give the tone of a name that `audio.tone` can have; `None` if the store hasn't got it."""
    if name in TONES:
        return tone(name)
    own = store.tones.sound(name)
    return None if own is None else Tone(name, Path(name), own)


def read_tone(name: str, sound: bytes) -> Tone:
    """Read a file as a tone of one's own: WAV of 16 bits, which every player plays.

    Raises `DataError` for what isn't, with what makes it so.
    """
    found = Tone(name, Path(name), sound)
    fault = f"is larger than {LARGEST_TONE >> 20} MB" if len(sound) > LARGEST_TONE else ""
    try:
        with found.open() as file:
            length = file.getnframes() * file.getnchannels() * _WIDTH
            if file.getsampwidth() != _WIDTH:
                fault = fault or f"has samples of {8 * file.getsampwidth()} bits, not of 16"
            elif not file.getframerate() or len(file.readframes(file.getnframes())) != length:
                fault = fault or "is cut off"
            elif not 0 < found.seconds <= _LONGEST_TONE:
                fault = (
                    fault or f"lasts {found.seconds:.1f} s: from 0.1 to {_LONGEST_TONE:g} can be"
                )
    except (wave.Error, EOFError):
        kind = next((kind for kind, begin in _SOUNDS.items() if begin.match(sound)), "")
        if not kind:
            raise DataError(f"{name} {'is no sound' if sound else 'is empty'}", _TAKEN) from None
        damaged = "is cut off, or WAV with samples that are no numbers of 16 bits"
        fault = fault or (damaged if kind == "WAV" else f"is no WAV file but {kind}")
    if fault:
        raise DataError(
            f"{name} {fault}",
            f"make it one, with ffmpeg for example: ffmpeg -i {shlex.quote(name)} "
            f"-t {_LONGEST_TONE:g} -ac 1 -ar 22050 -c:a pcm_s16le tone.wav",
        )
    return found


@contextmanager
def silence() -> Iterator[Tone]:
    """Give a tone that nobody hears, by which it can be tried whether others could be played."""
    with TemporaryDirectory(prefix="notifycli-") as folder:
        path = Path(folder, "silence.wav")
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, _RATE, 0, "NONE", ""))
            file.writeframes(bytes(2 * _RATE // 10))
        yield Tone("silence", path)


@contextmanager
def _as_loud(tone: Tone, volume: int) -> Iterator[Path]:
    """Give a file of a tone that is so many per cent as loud.

    The samples are scaled, since not every player has an option for it.
    """
    if volume == LOUDEST and tone.sound is None:
        yield tone.path
        return
    with TemporaryDirectory(prefix="notifycli-") as folder:
        path = Path(folder, tone.path.name)
        with tone.open() as loud, wave.open(str(path), "wb") as file:
            file.setparams(loud.getparams())
            file.writeframes(_scaled(loud.readframes(loud.getnframes()), volume))
        yield path


def _scaled(frames: bytes, volume: int) -> bytes:
    """Return samples of 16 bits, as in every WAV file low byte first, so many per cent as high."""
    samples = array("h", frames)
    if sys.byteorder == "big":
        samples.byteswap()
    scaled = array("h", (sample * volume // LOUDEST for sample in samples))
    if sys.byteorder == "big":
        scaled.byteswap()
    return scaled.tobytes()


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

    async def play(self, tone: Tone, volume: int = LOUDEST) -> str:
        """Play a tone to its end, so many per cent as loud as it is, and give by what.

        Raises `UnavailableError` with what each player said, where none could.
        """
        with _as_loud(tone, volume) as path:
            return await self._play(path)

    async def _play(self, path: Path) -> str:
        said = []
        for name in self.programs:
            trouble = await self._run(name, path)
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

    async def _run(self, name: str, path: Path) -> str:
        """Let a program play; gives what is wrong, or an empty string."""
        if name == "winsound":
            return await asyncio.to_thread(_play_on_windows, path)
        try:
            process = await asyncio.create_subprocess_exec(
                name,
                *PLAYERS[name],
                str(path),
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


def _play_on_windows(path: Path) -> str:
    if sys.platform == "win32":
        import winsound  # noqa: PLC0415 - there alone

        try:
            winsound.PlaySound(str(path), winsound.SND_FILENAME | winsound.SND_NODEFAULT)
        except RuntimeError as error:
            return str(error)
    return ""


REPEAT_SECONDS = 30.0

WhatIsSet = Callable[[int, int], Preferences]
"""Gives what is set for a user of an account, as it is now."""


class _Place(NamedTuple):
    account: int
    user: int
    conversation: int


class Waiting:
    """Which conversations have sounded and wait to be read, for `audio.repeat`.

    It is told of every event that the replay has met. Events show that a user has read a
    conversation by what they do in it: they write, they type, or their window is in front with the
    conversation open in it. One that is somebody else's now, or is no longer open, waits for this
    user no more.
    """

    def __init__(self) -> None:
        self._rung: dict[_Place, Notice] = {}
        self._assignees: dict[tuple[int, int], int | None] = {}
        self._read: dict[_Place, int] = {}
        self._open: dict[tuple[int, int], int | None] = {}

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event as the replay completed it, and the conversation's assignee after it."""
        if event.account is None:
            return
        if event.name == PRESENCE:
            self._see_window(event)
        if event.conversation is None:
            return
        self._assignees[event.account, event.conversation] = assignee
        if event.name == MESSAGE_CREATED and event.author is not None:
            self._note_read(event, event.author, event.conversation)
        elif event.present is not None and event.name != PRESENCE:
            self._note_read(event, event.present, event.conversation)
        over = event.status in {"resolved", "snoozed", "pending"}
        for place in [*self._rung]:
            here = (place.account, place.conversation) == (event.account, event.conversation)
            if here and (over or place.user != assignee):
                del self._rung[place]

    def ring(self, notice: Notice) -> None:
        """Note that a notice has sounded; it waits if its conversation is its user's, unread."""
        if notice.conversation_id is None:
            return
        place = _Place(notice.account_id, notice.user_id, notice.conversation_id)
        assignee = self._assignees.get((notice.account_id, notice.conversation_id))
        read = self._read.get(place)
        if assignee == notice.user_id and (
            read is None or (notice.at is not None and read < notice.at)
        ):
            self._rung[place] = notice

    def __iter__(self) -> Iterator[Notice]:
        """Give the last notice of each conversation that waits."""
        return iter([*self._rung.values()])

    def _see_window(self, event: Event) -> None:
        user = event.present
        if event.account is None or user is None:
            return
        whose = (event.account, user)
        if event.open_conversation is not UNSAID:
            self._open[whose] = event.open_conversation
        shown = self._open.get(whose)
        if event.visible is not False and shown is not None:
            self._note_read(event, user, shown)

    def _note_read(self, event: Event, user: int, conversation: int) -> None:
        if event.account is None:
            return
        place = _Place(event.account, user, conversation)
        self._rung.pop(place, None)
        if event.at is not None:
            self._read[place] = event.at


class SoundSender:
    """Plays notices; fulfils `Sender`. What comes while a tone is played is heard in it."""

    def __init__(
        self,
        preferences: WhatIsSet,
        player: Player,
        *,
        repeat_seconds: float,
        find: Callable[[str], Tone | None] = tone,
    ) -> None:
        """`find` gives a tone by its name; where there is none, the first of all is played."""
        self._preferences = preferences
        self._player = player
        self._find = find
        self._repeat_seconds = repeat_seconds
        self._waiting = Waiting()
        self._playing: asyncio.Task[str] | None = None
        self._repeating: asyncio.Task[None] | None = None
        self._sounded = 0.0

    async def __aenter__(self) -> Self:
        """Begin to repeat."""
        self._repeating = asyncio.create_task(self._repeat())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop repeating; what is being played is heard to its end."""
        if self._repeating is not None:
            self._repeating.cancel()
            with suppress(asyncio.CancelledError):
                await self._repeating
        if self._playing is not None:
            await asyncio.wait([self._playing])

    async def send(self, notice: Notice) -> Outcome:
        """Play the user's tone. Never raises for what a player does."""
        try:
            how = await self._sound(notice)
        except UnavailableError as error:
            return Later(error.message)
        if self._preference("audio.repeat", notice) == "on":
            self._waiting.ring(notice)
        return Delivered(how)

    def see(self, event: Event, assignee: int | None) -> None:
        """Take in an event that the replay has met, and who has its conversation after it."""
        self._waiting.see(event, assignee)

    async def _sound(self, notice: Notice) -> str:
        volume = int(self._preference("audio.volume", notice))
        if not volume:
            return "not played: audio.volume is 0"
        if self._playing is None or self._playing.done():
            chosen = self._find(self._preference("audio.tone", notice)) or tone(TONES[0])
            self._playing = asyncio.create_task(self._play(chosen, volume))
        # Whoever stops waiting for it must not end it for the others.
        return await asyncio.shield(self._playing)

    async def _play(self, chosen: Tone, volume: int) -> str:
        how = await self._player.play(chosen, volume)
        self._sounded = time.monotonic()
        return f"{chosen.name} by {how}"

    def _preference(self, key: str, notice: Notice) -> str:
        preferences = self._preferences(notice.account_id, notice.user_id)
        return preferences.resolve(
            key, notice.user_id, notice.inbox_id, notice.conversation_id, notice.at
        ).value

    async def _repeat(self) -> None:
        while True:
            rest = self._sounded + self._repeat_seconds - time.monotonic()
            await asyncio.sleep(max(rest, min(1.0, self._repeat_seconds)))
            notice = next(iter(self._waiting), None)  # one sound for all that wait
            if notice is None or time.monotonic() - self._sounded < self._repeat_seconds:
                continue
            # A player that fails now may be well in half a minute.
            with suppress(UnavailableError):
                await self._sound(notice)


def open_sender(store: Store) -> SoundSender:
    """Make the sender; the store is asked for the tone at each sound.

    Raises `ConfigurationError` where there is neither a player nor a terminal.
    """
    player = Player()
    if not player.programs and not has_bell():
        raise ConfigurationError(
            "there is nothing to play sounds on",
            "install a player (on Linux: pipewire-bin, pulseaudio-utils or alsa-utils)",
        )
    return SoundSender(
        store.preferences_of,
        player,
        repeat_seconds=REPEAT_SECONDS,
        find=partial(find_tone, store),
    )
