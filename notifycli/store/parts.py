"""An open store, and what it is made of beside the directory and the preferences.

Each part is imported by the commands that ask for it: the others are waited for.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from notifycli.store.sqlite.connection import connect

if TYPE_CHECKING:
    from notifycli.store.chatwoot_accounts import Connections
    from notifycli.store.history import History
    from notifycli.store.presets import Presets
    from notifycli.store.settings import Configuration
    from notifycli.store.sqlite.outbox import Outbox
    from notifycli.store.subscriptions import Subscriptions
    from notifycli.store.tokens import Tokens
    from notifycli.store.ui_settings import UiSettings


class Parts:
    """The connection to a store, and its parts. `Store` is what is opened."""

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        self._connection = connect(path, create=create)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    @cached_property
    def chatwoot(self) -> Connections:
        """The accounts of Chatwoot that those of the store belong to."""
        from notifycli.store.chatwoot_accounts import Connections

        return Connections(self._connection, self.path)

    @cached_property
    def configuration(self) -> Configuration:
        """What the channels are told."""
        from notifycli.store.settings import Configuration

        return Configuration(self._connection, self.path)

    @cached_property
    def history(self) -> History:
        """What was changed, when and by whom."""
        from notifycli.store.history import History

        return History(self._connection, self.path)

    @cached_property
    def outbox(self) -> Outbox:
        """What is to be delivered, and what was."""
        from notifycli.store.sqlite.outbox import Outbox

        return Outbox(self._connection, self.path)

    @cached_property
    def presets(self) -> Presets:
        """Named sets of preferences."""
        from notifycli.store.presets import Presets

        return Presets(self._connection, self.path)

    @cached_property
    def subscriptions(self) -> Subscriptions:
        """Where pushes go: the browsers that asked for them."""
        from notifycli.store.subscriptions import Subscriptions

        return Subscriptions(self._connection, self.path)

    @cached_property
    def tokens(self) -> Tokens:
        """Access tokens, without their secrets."""
        from notifycli.store.tokens import Tokens

        return Tokens(self._connection, self.path)

    @cached_property
    def ui_settings(self) -> UiSettings:
        """What users have set in Chatwoot's own interface."""
        from notifycli.store.ui_settings import UiSettings

        return UiSettings(self._connection, self.path)
