"""Sounds: what is played, on what, how often, and what is said where nothing can be heard."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import wave
from array import array
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from notifycli.cli import doctor
from notifycli.delivery import sound
from notifycli.delivery.channels import Delivered, Later, Outcome
from notifycli.delivery.engine import Channels
from notifycli.delivery.enqueue import Enqueuer, Terms
from notifycli.delivery.sound import (
    BELL,
    Player,
    SoundSender,
    Tone,
    Waiting,
    find_tone,
    tone,
    tones,
)
from notifycli.errors import UnavailableError
from notifycli.events.event import Event, Message
from notifycli.rules.layers import Preferences
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import TONES
from notifycli.store.store import open_store
from tests.conftest import Notifycli, Program
from tests.outbox.desk import asked
from tests.secrets.services import WAIT, need, until

from .notices import notice
from .sound_server import RATE, Recording, sound_server

SCRIPTS = Path(__file__).parents[2] / "scripts"
LONGEST = 64 * 1024
TOLERANCE = 5.0


def test_the_tones_are_what_the_script_makes_and_small(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPTS / "write_tones.py", tmp_path / "tones"], check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "tones").iterdir()}
    assert made == {each.path.name: each.path.read_bytes() for each in tones()}
    assert {each.name for each in tones()} == set(TONES)
    assert len(set(made.values())) == len(TONES)
    for each in tones():
        assert each.path.stat().st_size < LONGEST
        with wave.open(str(each.path)) as file:
            assert file.getparams()[:3] == (1, 2, 22_050)


def test_a_tone_that_is_played_can_be_heard(
    notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sound_server() as server:
        monkeypatch.setenv("PULSE_SERVER", server)
        recording = Recording(server)
        try:
            done = notifycli.ok("audio", "test", "ping")
            until(lambda: recording.heard(tone("ping").seconds * 0.8), "the tone")
        finally:
            recording.stop()
    assert done.records == [{"tone": "ping", "player": "paplay"}]
    assert abs(recording.hertz() - 880.0) < TOLERANCE


def test_it_is_as_loud_as_the_user_has_it(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.ok("prefs", "set", "audio.volume=25", "audio.tone=ping", "-u", "7")
    heights = []
    with sound_server() as server:
        monkeypatch.setenv("PULSE_SERVER", server)
        for user in ("7", "8"):
            recording = Recording(server)
            try:
                desk.ok("audio", "test", "ping", "-u", user)
                until(partial(recording.heard, 0.1), "the tone")
            finally:
                recording.stop()
            heights.append(max(recording.sound()))
            assert abs(recording.hertz() - 880.0) < TOLERANCE
    assert heights[0] / heights[1] == pytest.approx(0.25, rel=0.1)


@pytest.fixture
def players(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Makes programs of the players' names, and no others; gives the log of what they play."""
    folder, log = tmp_path / "bin", tmp_path / "played"
    folder.mkdir()
    log.touch()

    def make(**bodies: str) -> Path:
        for name, body in bodies.items():
            program = folder / name.replace("_", "-")
            # The last argument's name is noted by the shell itself: there is no PATH here.
            note = f'for last; do :; done; echo "{name} ${{last##*/}}" >> "{log}"'
            program.write_text(f"#!/bin/sh\n{note}\n{body}\n")
            program.chmod(0o755)
        return log

    monkeypatch.setenv("PATH", str(folder))
    return make


def play(player: Player, what: Tone) -> str:
    return asyncio.run(player.play(what))


FAILS = "echo 'Connection refused' >&2; exit 1"
HANGS = "exec /bin/sleep 60"


class Hasty(Player):
    """Has no patience with `paplay`, and as much as a busy machine needs with all others."""

    async def _run(self, name: str, path: Path) -> str:
        self._seconds = 0.3 if name == "paplay" else WAIT
        return await super()._run(name, path)


class TestPlayer:
    def test_the_first_that_can_plays_and_goes_first_from_then_on(
        self, players: Callable[..., Path]
    ) -> None:
        log = players(pw_play=FAILS, paplay="", aplay="")
        player = Player()
        assert [play(player, tone("bell")), play(player, tone("ping"))] == ["paplay", "paplay"]
        assert log.read_text().splitlines() == [
            *("pw_play bell.wav", "paplay bell.wav", "paplay ping.wav")
        ]

    def test_one_that_hangs_is_ended(self, players: Callable[..., Path]) -> None:
        players(paplay=HANGS, aplay="")
        assert play(Hasty(), tone("ping")) == "aplay"

    def test_the_bell_is_the_last_resort(self, players: Callable[..., Path]) -> None:
        players(aplay=FAILS)
        assert play(Player(bell=lambda: True), tone("ping")) == BELL

    def test_what_each_said_is_told_where_none_can(self, players: Callable[..., Path]) -> None:
        players(pw_play="exit 3", aplay=FAILS)
        with pytest.raises(UnavailableError) as caught:
            play(Player(bell=lambda: False), tone("ping"))
        assert caught.value.message == (
            "nothing here plays a sound (pw-play: exit status 3; aplay: Connection refused)"
        )


def sender(
    repeat: str = "off",
    chosen: str = "ding",
    seconds: float = 30.0,
    player: Player | None = None,
    volume: str = "100",
) -> SoundSender:
    values = {"audio.repeat": repeat, "audio.tone": chosen, "audio.volume": volume}
    return SoundSender(
        lambda _, user: Preferences(user={user: values}),
        player or Player(bell=lambda: False),
        repeat_seconds=seconds,
    )


class TestSender:
    def test_it_plays_the_users_tone(self, players: Callable[..., Path]) -> None:
        log = players(paplay="")

        async def run() -> Outcome:
            async with sender(chosen="magic") as sounds:
                return await sounds.send(notice())

        assert asyncio.run(run()) == Delivered("magic by paplay")
        assert log.read_text() == "paplay magic.wav\n"

    def test_a_volume_of_0_is_silence(self, players: Callable[..., Path]) -> None:
        log = players(paplay="")

        async def run() -> Outcome:
            async with sender(volume="0") as sounds:
                return await sounds.send(notice())

        assert asyncio.run(run()) == Delivered("not played: audio.volume is 0")
        assert not log.read_text()

    def test_another_volume_is_that_of_the_file_that_is_played(
        self, players: Callable[..., Path], tmp_path: Path
    ) -> None:
        kept = tmp_path / "kept.wav"
        players(paplay=f'/bin/cp "$last" "{kept}"')

        async def run() -> Outcome:
            async with sender(chosen="bell", volume="50") as sounds:
                return await sounds.send(notice())

        assert asyncio.run(run()) == Delivered("bell by paplay")
        with wave.open(str(kept)) as soft, wave.open(str(tone("bell").path)) as loud:
            assert soft.getparams() == loud.getparams()
            heights = [max(array("h", one.readframes(one.getnframes()))) for one in (soft, loud)]
        assert heights[0] == heights[1] // 2

    def test_what_comes_while_a_tone_is_played_is_heard_in_it(
        self, players: Callable[..., Path]
    ) -> None:
        log = players(paplay="")

        async def run() -> list[Outcome]:
            async with sender() as sounds:
                several = [sounds.send(notice(id=i)) for i in range(5)]
                return [*await asyncio.gather(*several), await sounds.send(notice())]

        assert asyncio.run(run()) == [Delivered("ding by paplay")] * 6
        assert log.read_text() == "paplay ding.wav\n" * 2

    def test_where_nothing_plays_it_is_for_later(self, players: Callable[..., Path]) -> None:
        players(aplay=FAILS)

        async def run() -> Outcome:
            async with sender() as sounds:
                return await sounds.send(notice())

        assert asyncio.run(run()) == Later("nothing here plays a sound (aplay: Connection refused)")

    def test_it_is_played_again_until_the_conversation_is_read(
        self, players: Callable[..., Path]
    ) -> None:
        log = players(paplay="")

        async def run() -> tuple[int, int]:
            async with sender("on", seconds=0.1) as sounds:
                sounds.see(message(author=None), 7)
                await sounds.send(notice())
                await asyncio.to_thread(until, lambda: played(log) >= 3, "the third sound")
                sounds.see(message(author=7), 7)
                read = played(log)
                await asyncio.sleep(1)
                return read, played(log)

        read, later = asyncio.run(run())
        assert later - read <= 1, "but for one that was being played"

    def test_it_is_not_played_again_for_whom_it_is_switched_off(
        self, players: Callable[..., Path]
    ) -> None:
        log = players(paplay="")

        async def run() -> None:
            async with sender("off", seconds=0.1) as sounds:
                sounds.see(message(author=None), 7)
                await sounds.send(notice())
                await asyncio.sleep(0.5)

        asyncio.run(run())
        assert played(log) == 1


def played(log: Path) -> int:
    return len(log.read_text().splitlines())


AT = notice().at or 0


def message(author: int | None, conversation: int = 42, at: int = AT, **more: object) -> Event:
    return Event(
        1,
        "message_created",
        known=True,
        at=at,
        account=1,
        conversation=conversation,
        author=author,
        message=Message(9, "incoming" if author is None else "outgoing", private=False, content=""),
        **more,  # type: ignore[arg-type]
    )


def presence(*, visible: bool | None, shown: int | None, user: int = 7) -> Event:
    return Event(
        1,
        "presence_update",
        known=True,
        at=AT + 1,
        account=1,
        present=user,
        visible=visible,
        open_conversation=shown,
    )


def event(name: str, **more: object) -> Event:
    return Event(1, name, known=True, at=AT + 1, account=1, conversation=42, **more)  # type: ignore[arg-type]


class TestWaiting:
    """What shows that a conversation has been read (or is no longer this user's to read)."""

    @pytest.mark.parametrize(
        ("seen", "assignee", "waits"),
        [
            pytest.param(message(7, at=AT + 1), 7, False, id="they wrote in it"),
            pytest.param(message(8, at=AT + 1), 7, True, id="somebody else wrote in it"),
            pytest.param(message(None, at=AT + 1), 7, True, id="the customer wrote again"),
            pytest.param(message(7, 43, AT + 1), 7, True, id="they wrote in another"),
            pytest.param(event("conversation_typing_on", present=7), 7, False, id="they type"),
            pytest.param(event("conversation_typing_on", present=8), 7, True, id="another types"),
            pytest.param(presence(visible=True, shown=42), None, False, id="it is in front"),
            pytest.param(presence(visible=True, shown=43), None, True, id="another is in front"),
            pytest.param(presence(visible=False, shown=42), None, True, id="it is behind"),
            pytest.param(
                presence(visible=True, shown=42, user=8), None, True, id="another's window"
            ),
            pytest.param(event("conversation_updated"), 8, False, id="it is somebody else's"),
            pytest.param(event("conversation_updated"), None, False, id="it is nobody's"),
            pytest.param(
                event("conversation_status_changed", status="resolved"), 7, False, id="resolved"
            ),
            pytest.param(
                event("conversation_status_changed", status="open"), 7, True, id="still open"
            ),
        ],
    )
    def test_an_event_ends_the_wait_or_does_not(
        self, seen: Event, assignee: int | None, *, waits: bool
    ) -> None:
        waiting = Waiting()
        waiting.see(message(None), 7)
        waiting.ring(notice())
        assert [*waiting] == [notice()]
        waiting.see(seen, assignee)
        assert bool([*waiting]) is waits

    @pytest.mark.parametrize(
        ("assignee", "waits"), [(7, True), (8, False), (None, False)], ids=["own", "other", "none"]
    )
    def test_only_assigned_ones_wait(self, assignee: int | None, *, waits: bool) -> None:
        waiting = Waiting()
        waiting.see(message(None), assignee)
        waiting.ring(notice())
        assert bool([*waiting]) is waits

    def test_what_was_read_before_it_sounded_does_not_wait(self) -> None:
        waiting = Waiting()
        waiting.see(message(None), 7)
        waiting.see(message(7, at=AT + 1), 7)
        waiting.ring(notice())
        assert not [*waiting]
        waiting.ring(notice(at=AT + 2))
        assert [*waiting] == [notice(at=AT + 2)]

    def test_a_window_that_comes_to_the_front_shows_what_was_open_in_it(self) -> None:
        waiting = Waiting()
        waiting.see(message(None), 7)
        waiting.see(presence(visible=False, shown=42), None)
        waiting.ring(notice(at=AT + 1))
        waiting.see(
            Event(1, "presence_update", known=True, at=AT + 2, account=1, present=7, visible=True),
            None,
        )
        assert not [*waiting]


def test_deliver_tells_the_sounds_what_happens_and_whose_it_is(
    desk: Notifycli, players: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    log = players(paplay="")
    monkeypatch.setattr(sound, "REPEAT_SECONDS", 0.1)
    desk.ok("prefs", "set", "audio=assigned", "audio.repeat=on", "-u", "7")

    async def run() -> int:
        with open_store(desk.store) as store:
            channels = Channels(store, frozenset({Channel.AUDIO}))
            feeder = Enqueuer(store, 1, Terms(), channels)
            feeder.take(json.dumps(asked(1)).encode(), 1)
            async with channels.sender(Channel.AUDIO) as sounds:
                await sounds.send(notice(at=None))
                await asyncio.to_thread(until, lambda: played(log) >= 3, "the third sound")
                feeder.take(json.dumps(typing).encode(), 2)
                read = played(log)
                await asyncio.sleep(1)
                return played(log) - read

    typing = {
        "event": "conversation_typing_on",
        "account": {"id": 1},
        "conversation": {"id": 42},
        "user": {"id": 7, "type": "user"},
    }
    assert asyncio.run(run()) <= 1, "but for one that was being played"


def test_deliver_plays_what_is_created_and_assigned(
    desk: Notifycli, players: Callable[..., Path]
) -> None:
    log = players(paplay="")
    desk.ok("prefs", "set", "audio.events=created+assigned", "audio.tone=bell", "-u", "7")
    body = {**asked(1, ago=5), "event": "conversation_created", "id": 42, "inbox_id": 3}
    body |= {"meta": body["conversation"]["meta"], "status": "open"}
    command = ("deliver", "-", "-u", "7", "--channel", "audio")
    desk.ok(*command, stdin=json.dumps(body).encode())
    sent = desk.ok("deliver", "status", "--state", "sent", "-o", "jsonl").records
    assert {(one["type"], one["channel"]) for one in sent} == {
        ("conversation_creation", "audio"),
        ("conversation_assignment", "audio"),
    }
    # What comes while a tone is played is heard in it.
    assert {*log.read_text().splitlines()} == {"paplay bell.wav"}


def wav(
    folder: Path,
    name: str = "doorbell.wav",
    *,
    seconds: float = 0.2,
    width: int = 2,
    rate: int = RATE,
) -> Path:
    file = folder / name
    with wave.open(str(file), "wb") as opened:
        opened.setparams((1, width, rate, 0, "NONE", ""))
        opened.writeframes(b"\x10\x20\x30\x40"[:width] * int(seconds * rate))
    return file


class TestOwnTones:
    def test_one_is_added_set_listed_played_and_removed(
        self, desk: Notifycli, players: Callable[..., Path], tmp_path: Path
    ) -> None:
        log = players(paplay="")
        added = desk.ok("audio", "add", str(wav(tmp_path, "Doorbell.wav")))
        assert added.stderr == "tone doorbell.wav of 0.20 s can be set: audio.tone=doorbell.wav\n"
        desk.ok("prefs", "set", "audio=all", "audio.tone=doorbell.wav", "-u", "7")
        assert desk.ok("audio", "list").records[-1] == {
            "tone": "doorbell.wav",
            "seconds": 0.2,
            "users": ["jane@example.com"],
        }
        played = [{"tone": "doorbell.wav", "player": "paplay"}]
        assert desk.ok("audio", "test", "-u", "7").records == played
        assert desk.ok("audio", "test", "doorbell.wav").records == played
        assert log.read_text() == "paplay doorbell.wav\n" * 2

        refused = desk("audio", "remove", "doorbell.wav")
        assert (refused.status, refused.stderr.splitlines()[0]) == (
            77,
            "error: one preference or preset names the tone 'doorbell.wav'",
        )
        desk.ok("prefs", "unset", "audio.tone", "-u", "7")
        desk.ok("audio", "remove", "doorbell.wav")
        assert len(desk.ok("audio", "list").records) == len(TONES)
        assert desk("audio", "remove", "doorbell.wav").status == 2

    def test_deliver_plays_it_and_another_where_the_store_has_lost_it(
        self, desk: Notifycli, players: Callable[..., Path], tmp_path: Path
    ) -> None:
        log = players(paplay="")
        desk.ok("audio", "add", str(wav(tmp_path)))

        async def run(name: str) -> Outcome:
            stored = Preferences(default={"audio.tone": name})
            with open_store(desk.store) as store:
                find, player = partial(find_tone, store), Player()
                async with SoundSender(
                    lambda *_: stored, player, repeat_seconds=30, find=find
                ) as sounds:
                    return await sounds.send(notice())

        assert asyncio.run(run("doorbell.wav")) == Delivered("doorbell.wav by paplay")
        assert asyncio.run(run("gone.wav")) == Delivered("ding by paplay")
        assert log.read_text() == "paplay doorbell.wav\npaplay ding.wav\n"

    @pytest.mark.parametrize(
        ("make", "told"),
        [
            pytest.param({"seconds": 8.1}, "lasts 8.1 s: from 0.1 to 8 can be", id="long"),
            pytest.param({"seconds": 0}, "lasts 0.0 s: from 0.1 to 8 can be", id="empty"),
            pytest.param({"width": 1}, "has samples of 8 bits, not of 16", id="8 bits"),
            pytest.param({"width": 3}, "has samples of 24 bits, not of 16", id="24 bits"),
            pytest.param({"rate": 96_000, "seconds": 6}, "is larger than 1 MB", id="large"),
            pytest.param(b"ID3\x04\x00", "is no WAV file but MP3", id="MP3"),
            pytest.param(b"\xff\xfb\x90\x00", "is no WAV file but MP3", id="MP3 without a tag"),
            pytest.param(b"OggS\x00\x02", "is no WAV file but Ogg", id="Ogg"),
            pytest.param(b"fLaC\x00\x00", "is no WAV file but FLAC", id="FLAC"),
            pytest.param(b"\x00\x00\x00\x20ftypM4A ", "is no WAV file but MP4", id="MP4"),
            pytest.param(
                b"RIFF\x24\x00\x00\x00WAVEfmt ",
                "is cut off, or WAV with samples that are no numbers of 16 bits",
                id="a head alone",
            ),
        ],
    )
    def test_what_is_no_such_sound_is_refused(
        self, desk: Notifycli, tmp_path: Path, make: dict[str, Any] | bytes, told: str
    ) -> None:
        file = tmp_path / "doorbell.wav"
        if isinstance(make, bytes):
            file.write_bytes(make)
        else:
            wav(tmp_path, **make)
        done = desk("audio", "add", str(file))
        assert (done.status, done.stderr.splitlines()[0]) == (65, f"error: doorbell.wav {told}")
        assert "ffmpeg -i doorbell.wav" in done.stderr

    @pytest.mark.parametrize(
        ("data", "told"),
        [
            pytest.param(b"", "is empty", id="nothing"),
            pytest.param(b'{"event": "message_created"}\n', "is no sound", id="JSON"),
            pytest.param(b"{" + b" " * (1 << 20), "is no sound", id="large JSON"),
            pytest.param("ID, Wert\n".encode("utf-16"), "is no sound", id="UTF-16"),
            pytest.param(b"\x89PNG\r\n\x1a\n", "is no sound", id="a picture"),
        ],
    )
    def test_what_nothing_converts_is_told_without_a_way_to(
        self, desk: Notifycli, tmp_path: Path, data: bytes, told: str
    ) -> None:
        (tmp_path / "doorbell.wav").write_bytes(data)
        done = desk("audio", "add", str(tmp_path / "doorbell.wav"))
        assert (done.status, done.stderr) == (
            65,
            f"error: doorbell.wav {told}\n  a tone is WAV of 16 bits, of up to 1 MB and 8 s\n",
        )

    def test_a_sound_that_is_cut_off_is_refused(self, desk: Notifycli, tmp_path: Path) -> None:
        file = wav(tmp_path)
        file.write_bytes(file.read_bytes()[:-100])
        done = desk("audio", "add", str(file))
        assert (done.status, done.stderr.splitlines()[0]) == (65, "error: doorbell.wav is cut off")

    def test_a_name_is_taken_once_and_is_plain(self, desk: Notifycli, tmp_path: Path) -> None:
        file = str(wav(tmp_path))
        desk.ok("audio", "add", file)
        assert desk("audio", "add", file).stderr == (
            "error: there is a tone 'doorbell.wav' already\n  replace it: --replace\n"
        )
        desk.ok("audio", "add", file, "--replace")
        assert desk("audio", "add", str(wav(tmp_path, "my bell.wav"))).status == 2
        assert desk("audio", "remove", "bell").status == 77
        assert desk("audio", "add", str(tmp_path / "none.wav")).status == 66

    def test_only_one_that_there_is_can_be_set(self, desk: Notifycli, tmp_path: Path) -> None:
        done = desk("prefs", "set", "audio.tone=doorbell.wav", "-u", "7")
        assert done.status == 2
        assert done.stderr == (
            "error: there is no tone 'doorbell.wav'\n  there are: ding, bell, chime, magic, ping; "
            "add it: notifycli audio add doorbell.wav\n"
        )
        policy = b'[default]\n"audio.tone" = "doorbell.wav"\n'
        assert desk("prefs", "apply", "-", stdin=policy).status == 2
        desk.ok("audio", "add", str(wav(tmp_path)))
        desk.ok("prefs", "apply", "-", stdin=policy)
        for_a_day = ("audio.tone=doorbell.wav", "--conversation", "42", "--until", "1d", "-u", "7")
        desk.ok("prefs", "set", *for_a_day)
        assert b'"audio.tone" = "doorbell.wav"' in desk.ok("prefs", "export").stdout
        desk.ok("prefs", "unset", "audio.tone", "--default")
        assert desk("audio", "remove", "doorbell.wav").status == 77

    def test_a_backup_carries_it(self, desk: Notifycli, tmp_path: Path) -> None:
        file = wav(tmp_path)
        desk.ok("audio", "add", str(file))
        desk.ok("backup", str(tmp_path / "b.db"))
        desk.ok("audio", "remove", "doorbell.wav")
        desk.ok("restore", str(tmp_path / "b.db"), "--replace")
        with open_store(desk.store) as store:
            assert store.tones.sound("doorbell.wav") == file.read_bytes()


class TestCommands:
    def test_the_list_tells_who_hears_which(self, desk: Notifycli) -> None:
        desk.ok("prefs", "set", "audio=all", "audio.tone=chime", "-u", "7")
        desk.ok("prefs", "set", "audio=assigned", "-u", "8")
        records = desk.ok("audio", "list").records
        assert {record["tone"]: record["users"] for record in records} == {
            "ding": ["omar@example.com"],
            "bell": [],
            "chime": ["jane@example.com"],
            "magic": [],
            "ping": [],
        }
        desk.ok("prefs", "set", "audio.events=assigned", "-u", "9")
        desk.ok("prefs", "set", "audio.events=none", "-u", "8")
        records = desk.ok("audio", "list").records
        assert [record["users"] for record in records[:3]] == [
            ["root@example.com"],
            [],
            ["jane@example.com"],
        ]
        assert all(0.2 < record["seconds"] < 2 for record in records)

    def test_without_a_name_it_is_the_users_tone(
        self, desk: Notifycli, players: Callable[..., Path]
    ) -> None:
        log = players(paplay="")
        desk.ok("prefs", "set", "audio.tone=chime", "-u", "7")
        assert desk.ok("audio", "test", "-u", "7").records == [
            {"tone": "chime", "player": "paplay"}
        ]
        desk.ok("audio", "test")
        assert log.read_text() == "paplay chime.wav\npaplay ding.wav\n"

    def test_a_tone_that_is_none(self, notifycli: Notifycli) -> None:
        done = notifycli("audio", "test", "magi")
        assert (done.status, done.stderr) == (
            2,
            "error: there is no tone 'magi'\n  did you mean magic?\n",
        )

    def test_where_nothing_plays_that_is_said(
        self, notifycli: Notifycli, players: Callable[..., Path]
    ) -> None:
        players()
        done = notifycli("audio", "test")
        assert (done.status, done.stdout) == (69, b"")
        assert done.stderr.startswith(
            "error: nothing here plays a sound (no player is installed)\n  is a sound server"
        )

    def test_on_a_terminal_the_bell_rings(
        self, program: Program, players: Callable[..., Path]
    ) -> None:
        players()
        done = program.on_terminal("audio", "test", "ping")
        assert (done.status, b"\a" in done.stdout, BELL in done.stdout.decode()) == (0, True, True)

    @pytest.mark.parametrize(
        ("programs", "expected"),
        [
            (
                {"pw_play": FAILS, "paplay": ""},
                ["ok", "paplay", "it took silence; whether a tone can be heard: try it"],
            ),
            (
                {"pw_play": "exit 3", "aplay": "exit 4"},
                [
                    "note",
                    "pw-play, aplay",
                    "nothing here plays a sound (pw-play: exit status 3; aplay: exit status 4)",
                ],
            ),
            ({}, ["note", "no player", "sounds can't be played on this machine"]),
        ],
    )
    def test_the_doctor_tries_the_players_by_silence(
        self,
        notifycli: Notifycli,
        players: Callable[..., Path],
        programs: dict[str, str],
        expected: list[str],
    ) -> None:
        log = players(**programs)
        (finding,) = (r for r in notifycli("doctor").records if r["check"] == "sound")
        assert [finding["status"], finding["found"], finding["meaning"]] == expected
        assert log.read_text().splitlines() == [f"{name} silence.wav" for name in programs]

    def test_the_doctor_finds_no_sound_server(
        self, notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        need(paplay="pulseaudio-utils")
        monkeypatch.setattr(sound, "PLAYERS", {"paplay": ()})
        monkeypatch.setenv("PULSE_SERVER", "unix:/nowhere")
        (finding,) = (r for r in notifycli("doctor").records if r["check"] == "sound")
        assert (finding["status"], "Connection refused" in finding["meaning"]) == ("note", True)
        assert finding["fix"].startswith("is a sound server running for this user?")

    def test_the_doctor_reaches_a_sound_server(
        self, notifycli: Notifycli, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sound, "PLAYERS", {"paplay": ("--latency-msec=50",)})
        monkeypatch.setattr(doctor, "_SOUND_SECONDS", WAIT)
        with sound_server() as server:
            monkeypatch.setenv("PULSE_SERVER", server)
            (finding,) = (r for r in notifycli("doctor").records if r["check"] == "sound")
        assert (finding["status"], finding["found"]) == ("ok", "paplay")
