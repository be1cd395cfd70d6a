"""What the doctor looks at for sound: what there is to play it, and whether it can."""

from __future__ import annotations

from notifycli.cli.doctor.checks import Facts, Finding, Status
from notifycli.errors import UnavailableError

_SECONDS = 5.0
"""For each player; somebody waits, and PulseAudio may take two to empty its buffer."""
_TEST = "notifycli audio test"


def check_sound(_: Facts) -> Finding:
    """Have silence played: a player may be there without a sound server or card to play on."""
    import asyncio  # noqa: PLC0415 - 50 ms that the help can spare

    from notifycli.delivery.sound.player import BELL, Player, has_bell, silence  # noqa: PLC0415

    player = Player(bell=lambda: False, seconds=_SECONDS)
    programs = ", ".join(player.programs)
    instead = "; the bell rings instead" if has_bell() else ""
    if not programs:
        if instead:
            meaning = f"no player is installed{instead}"
            return Finding("sound", Status.NOTE, BELL, meaning, _TEST)
        return Finding("sound", Status.NOTE, "no player", "sounds can't be played on this machine")
    try:
        with silence() as tone:
            name = asyncio.run(player.play(tone))
    except UnavailableError as error:
        return Finding("sound", Status.NOTE, programs, f"{error.message}{instead}", error.hint)
    meaning = "it took silence; whether a tone can be heard: try it"
    return Finding("sound", Status.OK, name, meaning, _TEST)
