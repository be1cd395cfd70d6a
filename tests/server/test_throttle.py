"""Who has to wait after wrong tokens: whoever sends them, and nobody who sends a right one."""

from __future__ import annotations

import pytest

from notifycli.server.middleware import Throttle, source_of

from .conftest import JANE, Serving

SOURCES = [
    ("IPv4 is itself", "192.0.2.7", "192.0.2.7"),
    ("IPv4 as a socket for both families shows it", "::ffff:192.0.2.7", "192.0.2.7"),
    ("the same in hexadecimal", "::ffff:c000:207", "192.0.2.7"),
    ("IPv4 behind a translator", "64:ff9b::192.0.2.7", "192.0.2.7"),
    ("IPv6 is the network of a customer", "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
    ("a link's address has a zone", "fe80::1%eth0", "fe80::/64"),
    ("what is no address is itself", "testclient", "testclient"),
    ("nothing", "", ""),
]


@pytest.mark.parametrize(
    ("address", "source"), [s[1:] for s in SOURCES], ids=[s[0] for s in SOURCES]
)
def test_what_counts_as_one_address(address: str, source: str) -> None:
    assert source_of(address) == source


def test_two_mapped_addresses_wait_for_their_own_failures_alone() -> None:
    throttle = Throttle(2, lambda: 0.0)
    for _ in range(2):
        throttle.note_failure("::ffff:192.0.2.1")
    waits = {
        address: throttle.wait(address) > 0
        for address in ("::ffff:192.0.2.1", "192.0.2.1", "::ffff:192.0.2.2", "192.0.2.2")
    }
    assert waits == {
        "::ffff:192.0.2.1": True,
        "192.0.2.1": True,
        "::ffff:192.0.2.2": False,
        "192.0.2.2": False,
    }


def test_a_right_token_is_let_in_whatever_else_comes_from_its_address(serving: Serving) -> None:
    def wrong() -> int:
        headers = {"api_access_token": "x" * 24}
        return serving.client.get("/api/v1/profile", headers=headers).status_code

    # The desk's office, a proxy, a container's gateway: one address, and many people.
    assert [wrong() for _ in range(12)] == [401] * 10 + [429] * 2
    assert serving.ask(JANE, "GET", "profile")[0] == 200
    assert wrong() == 429
    assert serving.ask(JANE, "GET", "profile")[0] == 200


def test_who_sends_no_token_at_all_guesses_nothing(serving: Serving) -> None:
    answered = {serving.client.get("/api/v1/profile").status_code for _ in range(15)}
    assert answered == {401}
    headers = {"api_access_token": "x" * 24}
    assert serving.client.get("/api/v1/profile", headers=headers).status_code == 401
