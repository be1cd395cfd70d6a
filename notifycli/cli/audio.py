"""`notifycli audio`: the tones, and whether they can be heard."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import USER, command_class, examples, group, session_of
from notifycli.cli.inputs import open_document
from notifycli.cli.output import show, show_one
from notifycli.cli.session import Session, display_name
from notifycli.errors import NotPermittedError, UsageError
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import LOUDEST, OWN_TONE, TONES
from notifycli.store.presets_and_tones import unknown_tone
from notifycli.store.store import Store

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


@app.command(
    "list",
    cls=command_class(),
    epilog=examples("notifycli audio list\nnotifycli prefs set audio.tone=chime"),
)
def audio_list(ctx: typer.Context) -> None:
    """List the tones, and who hears each."""
    from notifycli.delivery.sound import find_tone, tones  # noqa: PLC0415 - brings asyncio

    session = session_of(ctx)
    with session.store() as store:
        account = session.resolve_account(store)
        preferences = store.preferences(account)
        users = [user for user in store.users(account) if _hears(preferences, user.id)]
        chosen = {u: preferences.resolve("audio.tone", u.id).value for u in users}
        own = [find_tone(store, name) for name in store.tones.names()]
    records = (
        ToneRecord(
            tone.name,
            round(tone.seconds, 2),
            [display_name(user) for user, name in chosen.items() if name == tone.name],
        )
        for tone in (*tones(), *filter(None, own))
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
    volume, found = LOUDEST, sound.tone(tone) if tone in TONES else None
    if found is None or session.given_users:
        with session.store() as store:
            if tone is None or session.given_users:
                chosen, volume = _choice(session, store)
                tone = tone or chosen
            found = sound.find_tone(store, tone)
            if found is None:
                raise unknown_tone(tone, store.tones.names())
    if not volume:
        session.info("audio.volume is 0: there is nothing to hear")
    show_one(session, PlayedRecord(found.name, asyncio.run(sound.Player().play(found, volume))))


def _choice(session: Session, store: Store) -> tuple[str, int]:
    """Return the tone and the volume of the user who is named, or is the only one."""
    account = session.resolve_account(store)
    named = session.given_users
    only = session.resolve_user(store, account) if named else store.only_user(account)
    user = None if only is None else only.id
    resolve = store.preferences_of(account, user).resolve
    return resolve("audio.tone", user).value, int(resolve("audio.volume", user).value)


@app.command(
    "add",
    cls=command_class(),
    epilog=examples(
        "notifycli audio add doorbell.wav\n"
        "notifycli prefs set audio.tone=doorbell.wav -u jane@example.com"
    ),
)
def audio_add(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="WAV, of 16 bits; up to 1 MB, 8 s.")],
    *,
    replace: Annotated[
        bool, typer.Option("--replace", help="Even if there is one of this name.")
    ] = False,
) -> None:
    """Add a sound file of your own as a tone, by the file's name.

    The store keeps it: deliver plays it wherever it uses that store.
    """
    from notifycli.delivery.sound import LARGEST_TONE, read_tone  # noqa: PLC0415 - brings asyncio

    session = session_of(ctx)
    with open_document(file) as opened:
        tone = read_tone(Path(file).name.lower(), opened.read(LARGEST_TONE + 1))
    if not OWN_TONE.fullmatch(tone.name):
        raise UsageError(
            f"{tone.name!r} can't be a tone's name",
            "letters, digits and . _ - make one, and .wav ends it: name the file so",
        )
    with session.store(create=True) as store:
        store.tones.add(tone.name, tone.sound or b"", replace=replace)
    session.info(f"tone {tone.name} of {tone.seconds:.2f} s can be set: audio.tone={tone.name}")


@app.command("remove", cls=command_class(), epilog=examples("notifycli audio remove doorbell.wav"))
def audio_remove(
    ctx: typer.Context,
    tone: Annotated[str, typer.Argument(metavar="TONE", help="One of your own.")],
) -> None:
    """Remove a tone of your own that nobody has set."""
    session = session_of(ctx)
    if tone in TONES:
        raise NotPermittedError(
            f"the tone {tone} comes with the program", "your own: notifycli audio list"
        )
    with session.store() as store:
        store.tones.remove(tone.lower())
    session.info(f"tone {tone.lower()} is removed")
