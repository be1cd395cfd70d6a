"""What the channels need to be told: one table of settings, their values and where from.

A value comes from the environment, else from the store, else it is the built-in one. Secrets are
settings too, but their values are the keychain's (`notifycli.secrets.keychain`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from notifycli.errors import ConfigurationError, UsageError
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import nearest
from notifycli.rules.profile import CHATWOOT, OURS, profile_named, rules_by_account

if TYPE_CHECKING:
    from notifycli.store.store import Database

_HIGHEST_PORT = 65535
_MOST_AT_ONCE = 100
CHOICES: Mapping[str, tuple[str, ...]] = {"smtp.security": ("starttls", "tls", "plain")}
"""The values of the settings that have just a few."""


class Origin(StrEnum):
    """Where a setting's value comes from."""

    ENVIRONMENT = "environment"
    STORE = "store"
    DEFAULT = "default"


class Setting(NamedTuple):
    """One setting. `read` gives a value as it is kept, and raises `ValueError`."""

    key: str
    summary: str
    read: Callable[[str], str]
    default: str | None = None
    secret: bool = False

    @property
    def variable(self) -> str:
        """The environment variable that overrides it."""
        return f"NOTIFYCLI_{self.key.replace('.', '_').upper()}"


class Configured(NamedTuple):
    """A setting's value, `None` if it has none, and where that comes from."""

    value: str | None
    origin: Origin


def _word(text: str) -> str:
    if not text or not text.isprintable() or " " in text:
        raise ValueError("it is a word without spaces")
    return text


def _host(text: str) -> str:
    if "/" in _word(text) or re.fullmatch(r"[^:]*:\d+", text):
        raise ValueError("it is a name such as mail.example.com; its port is smtp.port")
    return text


def _line(text: str) -> str:
    if not text or not text.isprintable():
        raise ValueError("it is one line of text")
    return text


def _number(lowest: int, highest: int) -> Callable[[str], str]:
    def read(text: str) -> str:
        if not (text.isascii() and text.isdigit() and lowest <= int(text[:9]) <= highest):
            raise ValueError(f"it is a number from {lowest} to {highest}")
        return str(int(text))

    return read


def _folder(text: str) -> str:
    folder = Path(os.path.expanduser(_line(text))).absolute()
    if not os.path.isdir(folder):  # noqa: PTH112 - pathlib's raises where it may not look
        raise ValueError(
            "there is no such folder; make it: notifycli email templates --copy FOLDER"
        )
    return str(folder)


def _file(text: str) -> str:
    path = Path(os.path.expanduser(_line(text))).absolute()
    if not os.path.isdir(path.parent):  # noqa: PTH112 - see _folder
        raise ValueError(f"there is no folder {path.parent}")
    return str(path)


def _security(text: str) -> str:
    if text.lower() not in CHOICES["smtp.security"]:
        raise ValueError(f"it is one of {', '.join(CHOICES['smtp.security'])}")
    return text.lower()


def _web_address(text: str) -> str:
    # Before anything else: urlsplit leaves line ends out, and they would end a mail's header.
    plain = bool(text) and text.isprintable() and not set(text) & set(' <>"\\^`{|}')
    parts = urlsplit(text) if plain else None
    if (
        parts is None
        or parts.scheme not in {"http", "https"}
        or not parts.hostname
        or parts.query
        or parts.fragment
        or parts.port == 0
    ):
        raise ValueError("it is an address such as https://desk.example.com")
    if parts.username is not None:
        raise ValueError("it can't hold a user name or password")
    return text.rstrip("/")


def _secure_address(text: str) -> str:
    """Read an address at which browsers let a page subscribe: a secure context (W3C)."""
    address = _web_address(text)
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise ValueError("it is an https address: browsers take pushes from no other")
    if parts.path:
        raise ValueError("it has no path: https://notify.example.com")
    return address


def _subject(text: str) -> str:
    parts = urlsplit(text)
    is_mail = parts.scheme == "mailto" and "@" in parts.path
    if not text.isprintable() or not (is_mail or (parts.scheme == "https" and parts.hostname)):
        raise ValueError("it is mailto:you@example.com or an https address (RFC 8292, 2.1)")
    host = parts.path.rpartition("@")[2] if is_mail else parts.hostname or ""
    # A name's last label is never a number; angle brackets and spaces are of a mail's header.
    if not re.fullmatch(r"[^\s<>\[\]@]+\.(?!\d+$)[^\s<>\[\].@:]+", host) or set(text) & set(" <>"):
        raise ValueError(
            "Apple's push service refuses such a subject: its host must be a public name"
        )
    return text


def _sender(text: str) -> str:
    from email.errors import MessageError  # noqa: PLC0415 - 20 ms that only setting it needs
    from email.headerregistry import Address  # noqa: PLC0415
    from email.utils import parseaddr  # noqa: PLC0415

    name, address = parseaddr(_line(text))
    try:
        known = Address(name, addr_spec=address)
    except (MessageError, ValueError, IndexError, AttributeError) as error:
        raise ValueError("it is an address such as Support <desk@example.com>") from error
    if not (known.username and known.domain):
        raise ValueError("it is an address such as Support <desk@example.com>")
    return text


def _rules(text: str) -> str:
    named = rules_by_account(text)
    for name in named.values():
        if name != CHATWOOT:
            profile_named(name)
    return ", ".join(name if key is None else f"{key}:{name}" for key, name in named.items())


SETTINGS: Mapping[str, Setting] = {
    setting.key: setting
    for setting in (
        Setting("desk.url", "the desk's own address, for links to conversations", _web_address),
        Setting("email.sender", "who mails come from: Support <desk@example.com>", _sender),
        Setting("email.templates", "a folder with templates of your own", _folder),
        Setting("smtp.host", "the mail server", _host),
        Setting("smtp.port", "its port; 587, or 465 for tls", _number(1, _HIGHEST_PORT)),
        Setting("smtp.security", "starttls, tls, or plain on loopback", _security, "starttls"),
        Setting("smtp.username", "whom to log in as; nobody if unset", _word),
        Setting("smtp.password", "kept in the keyring", _line, secret=True),
        Setting("push.subject", "whom push services can reach: mailto: or https:", _subject),
        Setting(
            "serve.url",
            "where serve is reached from outside, for push invite",
            _secure_address,
            "http://127.0.0.1:8788",
        ),
        Setting(
            "listen.secret", "what webhooks are signed with; in the keyring", _line, secret=True
        ),
        Setting(
            "webhook.secret",
            "what the channel webhook signs with; in the keyring",
            _line,
            secret=True,
        ),
        Setting("listen.path", "where listen and watch keep events, and why finds them", _file),
        Setting(
            "rules",
            "whose rules hold: notifycli, chatwoot@4.16, or chatwoot, the connected server's",
            _rules,
            OURS,
        ),
        Setting("deliver.concurrency", "sends at the same time", _number(1, _MOST_AT_ONCE), "20"),
    )
}
"""By key. Validation, help, listing and the environment's variables derive from it."""


EVERYBODY = 0
"""Whose address on an added channel holds for all who have none of their own."""


def address_key(account: int | str, user: int | str, channel: str) -> str:
    """Return the key under which the address of a user, or of `EVERYBODY`, on a channel is."""
    return f"channel/{account}/{user}/{channel}"


def setting_of(key: str) -> Setting:
    """Return the setting that a key names. Raises `UsageError` with the nearest one."""
    found = SETTINGS.get(key.strip().lower())
    if found is None:
        near = nearest(key, tuple(SETTINGS))
        hint = f"did you mean {near}?" if near else "see them all: notifycli config list"
        raise UsageError(f"there is no setting {key!r}", hint)
    return found


class Configuration:
    """The settings of one store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def value(self, key: str, environ: Mapping[str, str] | None = None) -> Configured:
        """Return the value in force. Raises `ConfigurationError` for a bad one in the environment.

        A secret's value is never here: ask `notifycli.secrets.keychain`.
        """
        setting = SETTINGS[key]
        environ = os.environ if environ is None else environ
        if not setting.secret and (text := environ.get(setting.variable)):
            try:
                return Configured(setting.read(text.strip()), Origin.ENVIRONMENT)
            except ValueError as error:
                raise ConfigurationError(
                    f"{setting.variable} is {text!r}: {error}",
                    f"set it anew, or: unset {setting.variable}",
                ) from None
        with self._database.errors():
            row = self._database.execute(
                "SELECT value FROM setting WHERE key = ?", (key,)
            ).fetchone()
        return (
            Configured(row[0], Origin.STORE) if row else Configured(setting.default, Origin.DEFAULT)
        )

    def get(self, key: str) -> str | None:
        """Return the value in force alone."""
        return self.value(key).value

    def require(self, *keys: str) -> tuple[str, ...]:
        """Return the values of settings that must have one. Raises `ConfigurationError`."""
        values = {key: self.get(key) for key in keys}
        for key, value in values.items():
            if value is None:
                raise ConfigurationError(
                    f"{key} is not set", f"set it: notifycli config set {key}=…"
                )
        return tuple(value for value in values.values() if value is not None)

    def secret_name(self, key: str) -> str | None:
        """Return the name under which a keychain may hold a secret setting; `None` if none does."""
        with self._database.errors():
            row = self._database.execute(
                "SELECT name FROM setting_secret WHERE key = ?", (key,)
            ).fetchone()
        return None if row is None else str(row[0])

    def name_secret(self, key: str, name: str | None) -> None:
        """Note the name under which a keychain holds a secret setting; `None` if none does."""
        with self._database.transaction():
            self._database.execute("DELETE FROM setting_secret WHERE key = ?", (key,))
            if name is not None:
                self._database.execute("INSERT INTO setting_secret VALUES (?, ?)", (key, name))

    def addresses(self, account: int) -> dict[int, frozenset[Channel]]:
        """Return the added channels on which there are addresses, by user or `EVERYBODY`."""
        with self._database.errors():
            rows = self._database.execute(
                "SELECT key FROM setting_secret WHERE key LIKE ?", (address_key(account, "%", "%"),)
            ).fetchall()
        found: dict[int, frozenset[Channel]] = {}
        for (key,) in rows:
            _, _, user, channel = str(key).split("/")
            found[int(user)] = found.get(int(user), frozenset()) | {Channel(channel)}
        return found

    def set(self, values: Mapping[str, str]) -> None:
        """Keep values, as `Setting.read` gave them, all or nothing."""
        with self._database.transaction():
            self._database.executemany(
                "INSERT INTO setting VALUES (?, ?)"
                " ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                values.items(),
            )

    def unset(self, keys: Iterable[str]) -> None:
        """Forget values, as far as there are any."""
        with self._database.transaction():
            self._database.executemany(
                "DELETE FROM setting WHERE key = ?", ((key,) for key in keys)
            )


_NAMED = {"token": "secret_name", "push_key": "secret_name", "setting_secret": "name"}
_IN_USE = """
SELECT secret_name FROM token WHERE state <> 'revoked'
 UNION SELECT secret_name FROM push_key UNION SELECT name FROM setting_secret ORDER BY 1
"""


class SealedVault(NamedTuple):
    """The bytes of a vault, and how often they were changed: 0 where there are none."""

    version: int = 0
    sealed: bytes | None = None


class Vault:
    """Secrets of all hosts that use a store, in which they are sealed bytes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def read(self) -> SealedVault:
        """Return what is there."""
        with self._database.errors():
            row = self._database.execute("SELECT version, sealed FROM vault").fetchone()
        return SealedVault() if row is None else SealedVault(row[0], bytes(row[1]))

    def replace(self, seen: SealedVault, sealed: bytes) -> bool:
        """Put other bytes in the place of those that were seen; whether nobody else did before."""
        with self._database.brief():
            if seen.version:
                sql = "UPDATE vault SET version = version + 1, sealed = ? WHERE version = ?"
                return self._database.execute(sql, (sealed, seen.version)).rowcount == 1
            sql = "INSERT INTO vault (id, version, sealed) VALUES (1, 1, ?) ON CONFLICT DO NOTHING"
            return self._database.execute(sql, (sealed,)).rowcount == 1

    def names(self) -> list[str]:
        """Return the names under which keychains hold what is still needed of this store."""
        with self._database.errors():
            rows = self._database.execute(_IN_USE).fetchall()
        return [str(name) for (name,) in rows]

    def rename(self, names: Mapping[str, str]) -> None:
        """Note that secrets are kept under other names by now."""
        with self._database.transaction():
            for table, column in _NAMED.items():
                self._database.executemany(
                    f"UPDATE {table} SET {column} = ? WHERE {column} = ?",
                    ((new, old) for old, new in names.items()),
                )
