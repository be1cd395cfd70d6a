"""Stores with random preferences, and their documents."""

from __future__ import annotations

import io
from collections.abc import Iterable

from hypothesis import strategies as st

from notifycli.documents.preference_document import FORMATS, PreferenceDocument
from notifycli.documents.preference_entries import LAYERS
from notifycli.rules.directory import User
from notifycli.rules.preferences import KEYS, Layer
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

ACCOUNT = 1
USERS = (
    User(7, "jane@example.com"),
    User(8, "O'Mar+tag@example.com"),
    User(9, "ümläut.\U0001f600@example.com"),
    User(10, None),
    User(11, 'zoë\\"@example.com'),
)

targets = st.one_of(
    st.sampled_from([Target(Layer.LOCK), Target(Layer.DEFAULT)]),
    st.builds(lambda user: Target(Layer.USER, user.id), st.sampled_from(USERS)),
    st.builds(
        lambda user, inbox: Target(Layer.INBOX, user.id, inbox),
        st.sampled_from(USERS),
        st.sampled_from([1, 3, 20, 2**63 - 1]),
    ),
    st.builds(
        lambda user, conversation: Target(Layer.CONVERSATION, user.id, None, conversation),
        st.sampled_from(USERS),
        st.sampled_from([1, 3, 20, 2**63 - 1]),
    ),
)
pairs = st.sampled_from([(key.name, value) for key in KEYS.values() for value in key.values])
entries = st.lists(st.builds(lambda at, pair: Entry(at, *pair), targets, pairs), max_size=30)
changes = st.lists(
    st.builds(
        lambda at, pair, gone: Entry(at, pair[0], None if gone else pair[1]),
        targets.filter(lambda target: target.layer is not Layer.LOCK),
        pairs,
        st.booleans(),
    ),
    max_size=20,
)


def filled(store: Store, values: Iterable[Entry]) -> Store:
    """Fill a new store with these values."""
    with store.change(ACCOUNT, "prefs set", "tester") as change:
        change.put_users(USERS)
        change.set(values)
    return store


def export(store: Store, format_: str) -> bytes:
    layers = frozenset(LAYERS.values())
    return "".join(
        FORMATS[format_](store.document_values(ACCOUNT, layers), layers, ACCOUNT)
    ).encode()


def put(store: Store, document: bytes, format_: str, *, whole: bool = False) -> int:
    """Import a document or, as a whole, apply it; gives how many values have changed."""
    with store.changes("prefs import", "tester") as made:
        staging = store.staging()
        read = PreferenceDocument(store, io.BytesIO(document), "document", ACCOUNT, format_)
        read.stage(staging)
        if whole:
            staging.put_absent(read.spoken)
        return sum(made(account).settle(staging, read.place_of) for account in staging.accounts())
