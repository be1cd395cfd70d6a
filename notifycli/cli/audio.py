"""`notifycli audio`: the tones, and whether they can be heard."""

from __future__ import annotations

from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, command_class, examples, group, session_of
from notifycli.cli.output import show, show_one
from notifycli.cli.session import Session, display_name
from notifycli.errors import UsageError
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import LOUDEST, TONES, nearest

app = group("Sounds: the tones, and whether they can be heard.")


class ToneRecord(Struct):
    """A tone, as printed."""

    tone: str
    seconds: float
    users: list[str]
    """Who hears it: those for whom `audio` or `audio.events` lets anything sound."""


class PlayedRecord(Struct):
    """How a test went, as printed."""

    tone: str
    player: str


def _tone(text: str) -> str:
    if text not in TONES:
        near = nearest(text, TONES)
        raise UsageError(
            f"there is no tone {text!r}",
            f"did you mean {near}?" if near else f"there are: {', '.join(TONES)}",
        )
    return text


@app.command(
    "list",
    cls=command_class(),
    epilog=examples("notifycli audio list\nnotifycli prefs set audio.tone=chime"),
)
def audio_list(ctx: typer.Context) -> None:
    """List the tones, and who hears each."""
    from notifycli.delivery.sound import tones  # noqa: PLC0415 - brings asyncio

    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        preferences = store.preferences(account)
        users = [user for user in store.users(account) if _hears(preferences, user.id)]
        chosen = {u: preferences.resolve("audio.tone", u.id).value for u in users}
    records = (
        ToneRecord(
            tone.name,
            round(tone.seconds, 2),
            [display_name(user) for user, name in chosen.items() if name == tone.name],
        )
        for tone in tones()
    )
    show(session, records, ToneRecord)


def _hears(preferences: Preferences, user: int) -> bool:
    events = preferences.resolve("audio.events", user).value.split("+")
    messages = "message" in events and preferences.resolve("audio", user).value != "none"
    return messages or not {"created", "assigned"}.isdisjoint(events)


@app.command(
    "test",
    cls=command_class(USER),
    epilog=examples("notifycli audio test\nnotifycli audio test magic"),
)
def audio_test(
    ctx: typer.Context,
    tone: Annotated[
        str | None, typer.Argument(metavar="[TONE]", help="The tone; the user's if left out.")
    ] = None,
) -> None:
    """Play a tone as loud as the user has it, and say what played it.

    Exits with 69 if nothing here can play a sound.
    """
    import asyncio  # noqa: PLC0415 - 50 ms that the help can spare

    from notifycli.delivery import sound  # noqa: PLC0415

    session = session_of(ctx)
    volume = LOUDEST
    if tone is None or session.given_users:
        chosen, volume = _choice(session)
        tone = tone or chosen
    played = sound.tone(_tone(tone))
    if not volume:
        session.info("audio.volume is 0: there is nothing to hear")
    show_one(session, PlayedRecord(tone, asyncio.run(sound.Player().play(played, volume))))


def _choice(session: Session) -> tuple[str, int]:
    """Return the tone and the volume of the user who is named, or is the only one."""
    with session.store() as store:
        account = session.resolve_account(store)
        named = session.given_users
        only = session.resolve_user(store, account) if named else store.only_user(account)
        user = None if only is None else only.id
        resolve = store.preferences_of(account, user).resolve
    return resolve("audio.tone", user).value, int(resolve("audio.volume", user).value)
