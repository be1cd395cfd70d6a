"""Whatever Chatwoot keeps of a user, known to us or not, survives a pull, a push and a pull."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifycli.chatwoot.account import Desk
from notifycli.chatwoot.sync import diff, pull, push
from notifycli.rules.preferences import Layer
from notifycli.secrets.token_format import Secret
from notifycli.secrets.token_service import TokenWish
from notifycli.store.store import Connection
from notifycli.store.transaction import Entry, Target
from tests.chatwoot.recorded import JANE, TYPES, Chatwoot, Person, serving
from tests.tokens.harness import JANE as HER
from tests.tokens.harness import MemoryKeychain, life_of, store_with_users

UNKNOWN_FLAGS = ["email_of_a_later_version", "push_of_a_later_version"]
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
_AUDIO = st.sampled_from(
    ["none", "mine", "all", "notme", "assigned+unassigned", "unassigned+assigned", "loud", None, 3]
)
_UI = st.dictionaries(
    st.sampled_from(["is_ct_labels_open", "conversation_display_type"]) | st.text(max_size=8), _JSON
)
_SOUNDS = st.fixed_dictionaries(
    {},
    optional={
        "enable_audio_alerts": _AUDIO,
        "always_play_audio_alert": st.sampled_from([True, False, None, "yes"]),
        "alert_if_unread_assigned_conversation_exist": st.booleans(),
        "notification_tone": st.sampled_from(["ding", "bell", "gong", None]),
    },
)
_CHANGES = st.dictionaries(
    st.sampled_from(["email.conversation_mention", "push.conversation_assignment", "audio.repeat"]),
    st.sampled_from(["on", "off"]),
)


def _flags(channel: str) -> st.SearchStrategy[list[str]]:
    return st.lists(
        st.sampled_from([f"{channel}_{type_}" for type_ in TYPES] + UNKNOWN_FLAGS), unique=True
    )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Desk, Chatwoot]]:
    """A desk with Jane's token, and her Chatwoot."""
    chatwoot = Chatwoot()
    chatwoot.further_flags = UNKNOWN_FLAGS
    path: Path = tmp_path_factory.mktemp("survival") / "store.db"
    with serving(chatwoot), store_with_users(path) as store:
        desk = Desk(life_of(store, MemoryKeychain()), Connection(1, chatwoot.url, 1))
        with store.change(1, "test", "test") as change:
            change.chatwoot.connect(chatwoot.url, 1)
        desk.life.keep(desk.owner(HER), Secret(JANE), TokenWish(chatwoot.url))
        yield desk, chatwoot


def _no_progress(_done: int, _total: int) -> None:
    pass


def _pull(desk: Desk) -> None:
    pulled = pull(desk, [HER], None, _no_progress, replace=False, force=True, dry_run=False)
    assert pulled.report.status == 0


def _push(desk: Desk) -> None:
    assert push(desk, [HER], _no_progress, force=False, dry_run=False).status == 0


@given(email=_flags("email"), push_=_flags("push"), ui=_UI, sounds=_SOUNDS, changed=_CHANGES)
@settings(max_examples=10)
def test_known_or_not_it_survives(
    desk: tuple[Desk, Chatwoot],
    *,
    email: list[str],
    push_: list[str],
    ui: dict[str, Any],
    sounds: dict[str, Any],
    changed: dict[str, str],
) -> None:
    ours, chatwoot = desk
    person = Person(7, "jane@example.com", "Jane", "agent", email, push_, {**ui, **sounds})
    before = copy.deepcopy(person)
    chatwoot.people = {JANE: person}
    _pull(ours)
    _push(ours)
    _pull(ours)
    assert person == before
    with ours.life.store.change(1, "test", "test") as change:
        change.set(Entry(Target(Layer.USER, 7), key, value) for key, value in changed.items())
    _push(ours)
    assert diff(ours, [HER], _no_progress)[0] == []
    assert _strange(person) == _strange(before)


def _strange(person: Person) -> tuple[set[str], set[str], dict[str, Any]]:
    """Give what isn't ours: everything but what the changes are about."""
    ui = {
        key: value
        for key, value in (person.ui_settings or {}).items()
        if key != "alert_if_unread_assigned_conversation_exist"
    }
    touched = {"email_conversation_mention", "push_conversation_assignment"}
    return {*person.email_flags} - touched, {*person.push_flags} - touched, ui
