"""What push needs before anything can be sent, and what is said where it is missing."""

from __future__ import annotations

import pytest

from notifycli.delivery.push_channel import open_sender
from notifycli.errors import ConfigurationError
from notifycli.store.store import open_store
from tests.conftest import Notifycli

REFUSED_BY_APPLE = [
    "mailto:a@localhost",
    "https://localhost",
    "https://localhost/contact",
    "https://127.0.0.1",
    "https://[2001:db8::1]/",
    "https://desk",
    "mailto:<a@desk.example>",
    "mailto: a@desk.example",
    "mailto:a@10.0.0.1",
    "mailto:a@[10.0.0.1]",
    "mailto:a@desk.",
]


@pytest.mark.parametrize("subject", REFUSED_BY_APPLE)
def test_a_subject_that_apple_refuses_is_refused(desk: Notifycli, subject: str) -> None:
    told = desk("config", "set", f"push.subject={subject}")
    assert told.status == 2
    assert "Apple's push service refuses such a subject" in told.stderr
    assert desk("config", "get", "push.subject").status == 1


@pytest.mark.parametrize("subject", REFUSED_BY_APPLE[:3])
def test_the_doctor_tells_of_a_subject_that_an_earlier_version_took(
    ready: Notifycli, subject: str
) -> None:
    with open_store(ready.store) as store:
        store.configuration.set({"push.subject": subject})
    [found] = [item for item in ready("doctor").records if item["check"] == "push"]
    assert (found["status"], found["meaning"]) == (
        "fail",
        "push.subject: Apple's push service refuses such a subject: its host must be a public name",
    )
    assert found["fix"] == "notifycli config set push.subject=mailto:you@your-domain"


@pytest.mark.parametrize(
    "subject",
    ["mailto:desk@example.com", "https://desk.example/contact", "mailto:a@b.example?subject=Push"],
)
def test_a_public_subject_is_taken(desk: Notifycli, subject: str) -> None:
    desk.ok("config", "set", f"push.subject={subject}")


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
    with open_store(desk.store) as store, pytest.raises(ConfigurationError) as raised:
        open_sender(store)
    assert (raised.value.message, raised.value.hint) == expected
