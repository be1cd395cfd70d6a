"""What the doctor looks at for sound: what there is to play it."""

from __future__ import annotations

from notifycli.cli.checks import Facts, Finding, Status


def check_sound(_: Facts) -> Finding:
    """Look what could play a tone; nothing is played."""
    from notifycli.delivery.sound_player import BELL, Player, has_bell  # noqa: PLC0415 - asyncio

    programs = Player().programs
    if programs:
        meaning = "whether it can be heard: try it"
        return Finding("sound", Status.OK, ", ".join(programs), meaning, "notifycli audio test")
    if has_bell():
        meaning = "no player is installed; the bell rings instead"
        return Finding("sound", Status.NOTE, BELL, meaning, "notifycli audio test")
    return Finding("sound", Status.NOTE, "no player", "sounds can't be played on this machine")
