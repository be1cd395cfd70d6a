"""What push needs before anything can be sent, and what is said where it is missing."""

from __future__ import annotations

import pytest

from notifycli.delivery.push.push_channel import open_sender
from notifycli.errors import ConfigurationError
from notifycli.store.store import Store
from tests.conftest import Notifycli

NOT_SET_UP = [
    pytest.param(
        [],
        ("there is no push key yet", "make one: notifycli push keys generate"),
        id="without a key",
    ),
    pytest.param(
        [("push", "keys", "generate")],
        ("push.subject is not set", "set it: notifycli config set push.subject=…"),
        id="without somebody to ask",
    ),
]


@pytest.mark.parametrize(("commands", "expected"), NOT_SET_UP)
def test_what_is_missing_is_told_before_anything_is_sent(
    desk: Notifycli, commands: list[tuple[str, ...]], expected: tuple[str, str]
) -> None:
    for command in commands:
        desk.ok(*command)
    with Store(desk.store) as store, pytest.raises(ConfigurationError) as raised:
        open_sender(store)
    assert (raised.value.message, raised.value.hint) == expected
