"""What the documents of preferences have in common, however they are written: their entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Protocol

from notifycli.errors import DataError
from notifycli.rules.notifications import SHIPPED_CHANNELS, Channel, added_switch, plug_ins
from notifycli.rules.preferences import (
    UNTIL,
    InvalidPreferenceError,
    Layer,
    nearest,
    nearest_user,
    portable_keys,
    read_timed_value,
    read_value,
)
from notifycli.store.staged_values import NOBODY, Spoken, scope_of
from notifycli.store.store import EVERYWHERE

LAYERS = {layer.value: layer for layer in Layer if layer is not Layer.BUILTIN}
OF_USERS = (Layer.USER, Layer.INBOX, Layer.CONVERSATION)
_HIGHEST = 2**63 - 1
_HINTED = 20
_REMEMBERED = 10_000

StoredPlace = tuple[int, str, int, int]
"""Account, layer, user (or `NOBODY`), scope (or `EVERYWHERE`)."""
Pairs = tuple[tuple[str, str], ...]
"""Full keys and their values, as stored."""


class References(Protocol):
    """Knows what names an account's users: a store, for one."""

    def user_references(self, account: int) -> Mapping[str, int]:
        """Return the users' ids by their ids, addresses, and addresses in lower case."""


class Checker:
    """Tells what the text of a document means; collects its faults and what it speaks of."""

    def __init__(
        self, store: References, account: Callable[[], int], only: int | None = None
    ) -> None:
        self._account = account
        self.only = only
        """The one account whose entries are meant; those of all others are left out."""
        self.foreign_count = 0
        """How many were."""
        self.spoken = Spoken()
        self.faults: list[str] = []
        self._unknown_users = 0
        self._channels: set[Channel] = set()
        self._store = store
        self._users: dict[int, Mapping[str, int]] = {}
        self.known_pairs: dict[tuple[str, str], Pairs] = {}
        """What `pairs` has given before; for who asks two million times."""

    @cached_property
    def account(self) -> int:
        """The account of what names none. Raises `UsageError` where that isn't clear."""
        return self._account()

    def fault(self, place: str, fault: object) -> None:
        """Note that something is wrong."""
        self.faults.append(f"{place}: {fault}")

    def finish(self) -> None:
        """Raise `DataError` with all that is wrong, if anything is."""
        if self.faults:
            listed = "\n".join(self.faults)
            remedy = "mend these entries and try again"
            if len(self.faults) == self._unknown_users:
                remedy = f"tell who there is first: notifycli directory import FILE; or {remedy}"
            raise DataError(listed, remedy)

    def target(
        self, account: str, layer: str, user: str, inbox: str, conversation: str = ""
    ) -> StoredPlace:
        """Return the place in the store that is meant. Raises `ValueError`."""
        of = self.account_of(account)
        known = LAYERS.get(layer.strip().lower())
        if known is None:
            near = nearest(layer, tuple(LAYERS)) or ", ".join(LAYERS)
            raise ValueError(f"layer: {layer!r} is none; did you mean {near}?")
        given = {
            "user": user.strip(),
            "inbox": inbox.strip(),
            "conversation": conversation.strip(),
        }
        wanted = {
            "user": known in OF_USERS,
            "inbox": known is Layer.INBOX,
            "conversation": known is Layer.CONVERSATION,
        }
        for column, text in given.items():
            if wanted[column] and not text:
                raise ValueError(f"{column}: is missing, and layer {known} needs one")
            if text and not wanted[column]:
                raise ValueError(f"{column}: layer {known} has none")
        if known not in OF_USERS:
            self.spoken.layers.add((of, known.value))
            return of, known.value, NOBODY, EVERYWHERE
        id_ = self.user(of, given["user"])
        self.speak_of(known, of, id_)
        inbox_, conversation_ = (
            _number(column, given[column]) if wanted[column] else None
            for column in ("inbox", "conversation")
        )
        return of, known.value, id_, scope_of(inbox_, conversation_)

    def account_of(self, text: str) -> int:
        """Return the account that is named, or the one that is meant. Raises `ValueError`."""
        return _number("account", text.strip()) if text.strip() else self.account

    def speak_of(self, layer: Layer, account: int, user: int) -> None:
        """Note that the document speaks of a layer of users, and of this one."""
        self.spoken.user_layers.add(layer.value)
        self.spoken.users.setdefault(account, set()).add(user)

    def user(self, account: int, reference: str) -> int:
        """Return the user whom an address or an id names. Raises `ValueError`."""
        if account not in self._users:
            self._users[account] = self._store.user_references(account)
        known = self._users[account]
        user = known.get(reference, known.get(reference.casefold()))
        if user is None:
            self._unknown_users += 1
            near = nearest_user(reference, known) if self._hints() else ""
            hint = f"; did you mean {near}?" if near else ""
            raise ValueError(f"user: account {account} has no user {reference!r}{hint}")
        return user

    def pairs(self, key: str, value: str, layer: str = "") -> Pairs:
        """Return the full keys that a key stands for, with the value. Raises `ValueError`.

        In the layer `conversation` a value may have an end.
        """
        if layer == Layer.CONVERSATION and UNTIL in value:
            return self._read(key, value, read_timed_value)
        found = self.known_pairs.get((key, value))
        if found is None:
            found = self._read(key, value)
            if len(self.known_pairs) < _REMEMBERED:
                self.known_pairs[key, value] = found
        return found

    def _read(self, key: str, value: str, read: Callable[[str, str], str] = read_value) -> Pairs:
        try:
            found = tuple((full, read(full, value)) for full in portable_keys(key))
        except InvalidPreferenceError as error:
            near = f"; did you mean {error.nearest}?" if error.nearest else ""
            raise ValueError(f"{error}{near}") from None
        self._channels.update(switch[0] for full, _ in found if (switch := added_switch(full)))
        return found

    @property
    def missing_channels(self) -> list[Channel]:
        """The channels that the document sets something for and that nothing here adds."""
        others = self._channels.difference(SHIPPED_CHANNELS)
        return sorted(others.difference(plug_ins())) if others else []

    def _hints(self) -> bool:
        # The nearest of 100,000 names takes a second to find: a document of another desk, in
        # which everybody is unknown, must not take a day.
        return len(self.faults) < _HINTED


def _number(column: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= _HIGHEST):
        raise ValueError(f"{column}: {text!r} is no number from 1 on")
    return int(text)
