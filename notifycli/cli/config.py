"""`notifycli config`: what the channels need to be told, and where each value comes from."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer
from msgspec import Struct

from notifycli.cli.command import command_class, examples, group, session_of
from notifycli.cli.output import show, write
from notifycli.cli.session import Session
from notifycli.cli.terminal import read_secret
from notifycli.errors import ConfigurationError, UnavailableError, UsageError
from notifycli.store.settings import SETTINGS, Configured, Origin, Setting, setting_of
from notifycli.store.store import Store
from notifycli.text import printable

app = group("How mails, pushes and links are sent and signed.")

_HIDDEN = "(hidden)"
_KEYRING = "keyring"
Keys = Annotated[list[str], typer.Argument(metavar="SETTING...", help="Which ones.")]


class SettingRecord(Struct):
    """A setting, as printed."""

    key: str
    value: str | None
    origin: str
    variable: str
    summary: str


@app.command(
    "set",
    cls=command_class(),
    epilog=examples(
        """
notifycli config set smtp.host=mail.example.com smtp.username=desk
notifycli config set 'email.sender=Support <desk@example.com>'
notifycli config set 'rules=chatwoot, 3:notifycli'    account 3 has rules of its own
notifycli config set smtp.password            typed unseen, kept in the keyring
pass desk/smtp | notifycli config set smtp.password
"""
    ),
)
def config_set(
    ctx: typer.Context,
    settings: Annotated[
        list[str],
        typer.Argument(
            metavar="SETTING=VALUE...",
            help="What to set; a secret by its name alone, its value comes from standard input.",
        ),
    ],
) -> None:
    """Set settings, all or nothing."""
    session = session_of(ctx)
    values: dict[str, str] = {}
    secrets: list[Setting] = []
    _refuse_written_secrets(settings)
    for given in settings:
        key, equals, text = given.partition("=")
        setting = setting_of(key)
        if setting.secret:
            secrets.append(setting)
        else:
            values[setting.key] = _read(setting, equals, text)
    if len(secrets) > 1:
        raise UsageError("one secret at a time: each comes from standard input")
    with session.store(create=True) as store:
        for setting in secrets:
            _keep_secret(store, setting)
        store.configuration.set(values)
    changed = (*values, *(setting.key for setting in secrets))
    session.info(f"set: {', '.join(changed)}")
    for key in changed:
        if os.environ.get(SETTINGS[key].variable):
            session.warn(f"{SETTINGS[key].variable} is set, and wins over what is stored")


def _refuse_written_secrets(given: Sequence[str]) -> None:
    """Refuse a secret's value, joined to its name or beside it, without repeating it."""
    strays = [text for text in given if text.partition("=")[0].strip().lower() not in SETTINGS]
    for setting in SETTINGS.values():
        named = [text for text in given if text.strip().lower().startswith(setting.key)]
        if setting.secret and named and (strays or "=" in "".join(named)):
            raise UsageError(
                f"{setting.key} is a secret: on the command line others could read it",
                f"type just its name, and it is asked for: notifycli config set {setting.key}",
            )


def _alone(key: str) -> str:
    """Give the name of a setting, without repeating a value beside it: that may be a secret."""
    name, equals, _ = key.partition("=")
    if equals:
        raise UsageError(f"{name}: a name alone is expected", "to give it a value: config set")
    return name


def _read(setting: Setting, equals: str, text: str) -> str:
    if not equals:
        raise UsageError(f"{setting.key} has no value", f"write {setting.key}=VALUE")
    try:
        return setting.read(text.strip())
    except ValueError as error:
        raise UsageError(f"{setting.key}: {text!r}: {error}") from None


def _keep_secret(store: Store, setting: Setting) -> None:
    from notifycli.secrets.keychain import (  # noqa: PLC0415 - only secrets need it
        keep_secret,
        open_keychain,
    )
    from notifycli.secrets.token_format import Secret  # noqa: PLC0415

    keychain = open_keychain(beside=store.location)
    keychain.unlock(to_write=True)  # whether there is a keyring is told before anything is typed
    text = read_secret(
        f"{setting.key}: ", "value", f"pass show … | notifycli config set {setting.key}"
    )
    keep_secret(store, keychain, setting.key, Secret(text))


@app.command(
    "get",
    cls=command_class(),
    epilog=examples(
        """
notifycli config get smtp.host
notifycli config get smtp.host --show-origin
"""
    ),
)
def config_get(
    ctx: typer.Context,
    key: Annotated[str, typer.Argument(metavar="SETTING", help="Which one.")],
    *,
    show_origin: Annotated[
        bool, typer.Option("--show-origin", help="Where the value comes from, too.")
    ] = False,
) -> None:
    """Print the value in force.

    Of a secret it says no more than whether there is one. Exit status 1 if it has none.
    """
    _refuse_written_secrets([key])
    setting = setting_of(_alone(key))
    session = session_of(ctx)
    with session.store() as store:
        found, origin = _look_up(store, setting)
    if found is None:
        session.info(f"{setting.key} is not set")
        raise typer.Exit(1)
    ending = f"\t{origin}" if show_origin else ""
    write([f"{printable(found)}{ending}\n".encode()])


@app.command(
    "list",
    cls=command_class(),
    epilog=examples(
        """
notifycli config list
notifycli config list -o jsonl | jq -r 'select(.origin == "environment") | .variable'
"""
    ),
)
def config_list(ctx: typer.Context) -> None:
    """List all settings, their values and where these come from.

    A bad value in the environment is told, and shown as none; the exit status is then 78.
    """
    session = session_of(ctx)
    bad: list[ConfigurationError] = []
    records: list[SettingRecord] = []
    with session.store() as store:
        for setting in SETTINGS.values():
            try:
                value, origin = _look_up(store, setting)
            except ConfigurationError as error:
                if not os.environ.get(setting.variable):
                    raise  # of the store: none of the others can be looked up either
                bad.append(error)
                value, origin = None, Origin.ENVIRONMENT
            records.append(
                SettingRecord(setting.key, value, origin, setting.variable, setting.summary)
            )
    show(
        session,
        records,
        SettingRecord,
        heads=("Setting", "Value", "Origin", "What it is"),
        cells=lambda item: (item.key, printable(item.value or "-"), item.origin, item.summary),
    )
    if bad:
        raise ConfigurationError(
            "; ".join(error.message for error in bad), "\n  ".join(error.hint for error in bad)
        )


def _look_up(store: Store, setting: Setting) -> tuple[str | None, str]:
    """Give what is shown of a setting's value, and where that comes from."""
    if not setting.secret:
        configured: Configured = store.configuration.value(setting.key)
        return configured.value, configured.origin
    from notifycli.secrets.keychain import get_secret  # noqa: PLC0415 - only secrets need it

    origin = Origin.ENVIRONMENT if os.environ.get(setting.variable) else _KEYRING
    try:
        return (_HIDDEN, origin) if get_secret(store, setting.key) else (None, Origin.DEFAULT)
    except UnavailableError as error:
        return None, f"{_KEYRING}: {error.message}"


@app.command(
    "unset",
    cls=command_class(),
    epilog=examples("notifycli config unset smtp.username smtp.password"),
)
def config_unset(ctx: typer.Context, keys: Keys) -> None:
    """Forget settings; their built-in values hold again."""
    _refuse_written_secrets(keys)
    settings = [setting_of(_alone(key)) for key in keys]
    session = session_of(ctx)
    with session.store() as store:
        for setting in settings:
            if setting.secret:
                _forget_secret(session, store, setting)
        store.configuration.unset(setting.key for setting in settings)
    session.info(f"unset: {', '.join(setting.key for setting in settings)}")


def _forget_secret(session: Session, store: Store, setting: Setting) -> None:
    from notifycli.secrets.keychain import forget_secret  # noqa: PLC0415 - only secrets need it

    if forget_secret(store, setting.key):
        session.warn(
            f"this store doesn't use {setting.key} any more, but the keyring still holds it: it "
            "was kept before each store had its own, and other stores may use it"
        )
