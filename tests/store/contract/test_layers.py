"""What is set in the layers resolves by their precedence, in whatever order it was set."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.errors import NotPermittedError
from notifycli.rules.directory import User
from notifycli.rules.preferences import Layer
from notifycli.store.store import Store
from notifycli.store.transaction import Entry, Target

from .engines import Engine

ACCOUNTS = (1, 2)
USERS = (7, 8)
INBOXES = (3, 4)
BUILTIN = {
    "audio.tone": "ding",
    "email.conversation_assignment": "on",
    "push.conversation_mention": "off",
}
VALUES = {
    "audio.tone": ("ding", "bell", "ping"),
    "email.conversation_assignment": ("on", "off"),
    "push.conversation_mention": ("on", "off"),
}
Place = tuple[int, Target, str]

targets = st.one_of(
    st.just(Target(Layer.LOCK)),
    st.just(Target(Layer.DEFAULT)),
    st.sampled_from(USERS).map(lambda user: Target(Layer.USER, user)),
    st.tuples(st.sampled_from(USERS), st.sampled_from(INBOXES)).map(
        lambda drawn: Target(Layer.INBOX, *drawn)
    ),
)
steps = st.sampled_from(sorted(VALUES)).flatmap(
    lambda key: st.tuples(
        st.sampled_from(ACCOUNTS),
        targets,
        st.just(key),
        st.sampled_from((None, *VALUES[key])),
    )
)


@given(st.lists(steps, max_size=25))
def test_the_first_layer_that_has_the_key_wins(
    engine: Engine, made: list[tuple[int, Target, str, str | None]]
) -> None:
    model: dict[Place, str] = {}
    url = engine.new()
    with engine.open(url) as store:
        for account in ACCOUNTS:
            with store.change(account, "test", "tester") as change:
                change.put_users([User(id_) for id_ in USERS])
        for account, target, key, value in made:
            before = model.get((account, target, key))
            lock = model.get((account, Target(Layer.LOCK), key))
            if lock is not None and target.layer is not Layer.LOCK:
                if value != before:
                    with (
                        pytest.raises(NotPermittedError, match=key),
                        store.change(account, "test", "tester") as change,
                    ):
                        change.set([Entry(target, key, value)])
                continue
            with store.change(account, "test", "tester") as change:
                assert change.set([Entry(target, key, value)]) == (value != before)
            if value is None:
                model.pop((account, target, key), None)
            else:
                model[account, target, key] = value
    with engine.open(url) as store:
        for account in ACCOUNTS:
            check(store, account, model)


def check(store: Store, account: int, model: dict[Place, str]) -> None:
    together = store.preferences(account)
    for key, builtin in BUILTIN.items():
        for user in (None, *USERS):
            alone = store.preferences_of(account, user)
            for inbox in (None, *INBOXES):
                places = (
                    Target(Layer.LOCK),
                    Target(Layer.INBOX, user, inbox),
                    Target(Layer.USER, user),
                    Target(Layer.DEFAULT),
                )
                expected = next(
                    (
                        (model[account, place, key], place.layer)
                        for place in places
                        if (account, place, key) in model
                    ),
                    (builtin, Layer.BUILTIN),
                )
                assert alone.resolve(key, user, inbox) == expected
                assert together.resolve(key, user, inbox) == expected
