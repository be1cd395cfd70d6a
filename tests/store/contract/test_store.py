"""What a store promises, part by part, whatever engine keeps it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from notifycli.errors import DataError, NotPermittedError, UsageError
from notifycli.rules.directory import Inbox, Team, User
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import Layer
from notifycli.store.history import undo
from notifycli.store.outbox import Scope
from notifycli.store.settings import address_key
from notifycli.store.staged_values import NO_PLACE
from notifycli.store.store import EVERYWHERE, Store
from notifycli.store.subscriptions import PushKey, Subscription
from notifycli.store.tokens import NOBODY, Token, TokenState
from notifycli.store.transaction import Change, Entry, Target

from .engines import Engine

JANE = User(7, "jane@example.com", "Jane", confirmed=True, permissions=("a", "b"))
OMAR = User(8, "Omar@example.com", "Omar", "administrator", confirmed=False)
NOBODY_YET = User(9, None, made_up=True)
WEBSITE = Inbox(3, "Website", (7, 8), bot=True)
SHOP = Inbox(4, "Shop", None, bot=False)
SUPPORT = Team(2, "Support", (7,))
HER_OWN = Target(Layer.USER, 7)


@pytest.fixture
def store(engine: Engine) -> Iterator[Store]:
    """A store with a small desk."""
    with engine.open() as store:
        with store.change(1, "directory import", "tester") as change:
            change.put_users([NOBODY_YET, OMAR, JANE])
            change.put_inbox(SHOP)
            change.put_inbox(WEBSITE)
            change.put_team(SUPPORT)
        yield store


def last_change(store: Store) -> int:
    return store.history.directory_change(1, None).id


def test_the_directory_comes_back_as_it_was_put_in_order_of_ids(store: Store) -> None:
    assert store.users(1) == [JANE, OMAR, NOBODY_YET]
    assert store.inboxes(1) == [WEBSITE, SHOP]
    assert store.teams(1) == [SUPPORT]
    assert store.users(2) == []


@pytest.mark.parametrize("reference", [8, "omar@EXAMPLE.com", "Omar@example.com"])
def test_a_user_is_found_by_id_and_by_address_without_regard_to_case(
    store: Store, reference: int | str
) -> None:
    assert store.user(1, reference) == OMAR
    assert store.user(2, reference) is None


def test_an_address_is_one_users_and_two_can_swap_theirs(store: Store) -> None:
    def take(change: Change, *users: tuple[int, str]) -> None:
        change.put_users(User(id_, email) for id_, email in users)

    with (
        pytest.raises(
            DataError, match=r"user 10: the address JANE@example\.com belongs to another"
        ),
        store.change(1, "user add", "tester") as change,
    ):
        take(change, (11, "new@example.com"), (10, "JANE@example.com"))
    assert store.users(1) == [JANE, OMAR, NOBODY_YET]
    with store.change(1, "user set", "tester") as change:
        take(change, (7, "omar@example.com"), (8, "jane@example.com"))
    emails = [(user.id, user.email) for user in store.users(1)]
    assert emails == [(7, "omar@example.com"), (8, "jane@example.com"), (9, None)]


def test_a_change_that_fails_or_is_rehearsed_leaves_nothing(store: Store) -> None:
    before = last_change(store)
    with store.rehearsal(1) as change:
        change.remove(JANE)
        assert change.item("user", 7) is None

    def fail(changes: Callable[[int], Change]) -> None:
        changes(1).remove(JANE)
        changes(2).put_users([JANE, User(8, JANE.email)])

    with pytest.raises(DataError), store.changes("prefs import", "tester") as changes:
        fail(changes)
    assert (store.users(1), last_change(store)) == ([JANE, OMAR, NOBODY_YET], before)
    assert [account.id for account in store.accounts()] == [1]


def test_of_two_values_for_one_place_the_later_is_staged(store: Store) -> None:
    with store.comparing() as staging:
        staging.put(
            (1, Layer.USER, 7, EVERYWHERE, "audio", value, NO_PLACE) for value in ("none", "all")
        )
        assert [(d.email, d.old, d.new) for d in staging.differences()] == [
            ("jane@example.com", None, "all")
        ]
    assert store.preferences_of(1, 7).resolve("audio", 7, None) == ("none", Layer.BUILTIN)


def test_what_a_change_set_twice_goes_back_to_what_was_before_it(store: Store) -> None:
    for values in (["assigned"], ["all", "none"]):
        with store.change(1, "prefs set", "tester") as change:
            for value in values:
                change.set([Entry(HER_OWN, "audio", value)])
    last = store.history.change(1, None).id
    with store.change(1, "prefs undo", "tester") as change:
        staging = store.staging()
        store.history.stage_undoing(staging, 1, last, force=False)
        assert change.settle(staging) == 1
    assert store.preferences_of(1, 7).resolve("audio", 7, None) == ("assigned", Layer.USER)
    told = [(value.old, value.new) for value in store.history.values(1)]
    assert told[0] == ("none", "assigned")
    assert [(v.old, v.new) for v in store.history.values(1, limit=1)] == told[:1]


def subscription(endpoint: str) -> Subscription:
    return Subscription(
        account_id=1, user_id=7, key_id=1, endpoint=endpoint, p256dh="p", auth="a", created_at=1
    )


@pytest.mark.parametrize("key_gone", [False, True], ids=["the key is there", "the key has gone"])
def test_who_is_removed_comes_back_with_all_that_can_come_back(
    store: Store, key_gone: bool
) -> None:
    store.subscriptions.add_key(PushKey(0, "public", "secret", 1), None)
    with store.change(1, "push add", "tester") as change:
        change.subscriptions.put(subscription("https://push.example.com/1"))
        store.ui_settings.replace(1, 7, {"theme": '"dark"'})
        change.set([Entry(Target(Layer.INBOX, 7, 3), "audio", "all")])
    with store.change(1, "user remove", "tester") as change:
        change.remove(JANE)
    assert store.inboxes(1)[0].members == (8,)
    past = last_change(store)
    if key_gone:
        key = store.subscriptions.push_keys()[0]
        store.subscriptions.add_key(PushKey(0, "public 2", "secret 2", 2), key.id)
        assert store.subscriptions.forget_key(key)
    with store.change(1, "directory undo", "tester") as change:
        undo(store, change, past, force=False)
    assert (store.users(1)[0], store.inboxes(1)[0], store.teams(1)[0]) == (JANE, WEBSITE, SUPPORT)
    assert store.ui_settings.of(1, 7) == {"theme": '"dark"'}
    assert store.preferences(1).resolve("audio", 7, 3) == ("all", Layer.INBOX)
    assert len(store.subscriptions.of_user(1, 7)) == (not key_gone)


def test_who_is_removed_leaves_no_address_and_the_keychain_is_told(store: Store) -> None:
    keys = [address_key(*whose) for whose in ((1, 7, "slack"), (1, 70, "slack"), (2, 7, "slack"))]
    for key in keys:
        store.configuration.name_secret(key, f"file:{key}")
    with store.change(1, "test", "tester") as change:
        change.remove(JANE)
        assert change.ended_addresses == 1
    assert store.tokens.leftovers() == [f"file:{keys[0]}"]
    assert [*map(store.configuration.secret_name, keys)] == [None, *(f"file:{k}" for k in keys[1:])]


def test_of_two_who_become_one_an_address_stays_and_the_keychain_is_told_of_the_other(
    store: Store,
) -> None:
    keys = [address_key(1, 10, "slack"), address_key(1, 70, "slack"), address_key(1, 70, "ntfy")]
    for key in keys:
        store.configuration.name_secret(key, f"file:{key}")
    ann = User(70, "ann@example.com", made_up=True)
    with store.change(1, "test", "tester") as change:
        change.put_users([User(10, None), ann])
        change.give_id(ann, 10)
    assert store.configuration.addresses(1) == {10: {Channel("slack"), Channel("ntfy")}}
    assert store.configuration.secret_name(keys[0]) == f"file:{keys[0]}"
    assert store.tokens.leftovers() == [f"file:{keys[1]}"]


def test_a_removal_that_is_taken_back_sets_what_was_set_below_a_lock(store: Store) -> None:
    with store.change(1, "test", "tester") as change:
        change.set([Entry(HER_OWN, "audio", "all")])
    with store.change(1, "test", "tester") as change:
        change.set([Entry(Target(Layer.LOCK), "audio", "none")])
    before = list(store.document_values(1, frozenset(Layer)))
    with store.change(1, "test", "tester") as change:
        change.remove(JANE)
    with store.change(1, "test", "tester") as change:
        undo(store, change, last_change(store), force=False)
    assert list(store.document_values(1, frozenset(Layer))) == before
    assert store.users(1) == [JANE, OMAR, NOBODY_YET]


def test_an_id_is_given_back_unless_two_have_become_one(store: Store) -> None:
    ann = User(70, "ann@example.com", made_up=True)
    with store.change(1, "test", "tester") as change:
        change.put_users([User(10), ann])
    with store.change(1, "test", "tester") as change:
        change.give_id(ann, 20)
    with store.change(1, "test", "tester") as change:
        undo(store, change, last_change(store), force=False)
    assert store.users(1) == [JANE, OMAR, NOBODY_YET, User(10), ann]
    with store.change(1, "test", "tester") as change:
        change.give_id(ann, 10)
    with (
        pytest.raises(NotPermittedError, match="made user 10 one with who had that id"),
        store.change(1, "test", "tester") as change,
    ):
        undo(store, change, last_change(store), force=False)


def test_the_last_use_of_a_token_is_noted_and_of_one_that_has_gone_nothing(store: Store) -> None:
    wish = Token(
        account_id=1,
        user_id=7,
        name="api",
        secret_name="memory:1",  # noqa: S106 - a name
        digest="d",
        masked="m",
        created_at=1,
        made_elsewhere=True,
    )
    with store.change(1, "token set", "tester") as change:
        token = change.tokens.add(wish)
        change.tokens.activate(token, None, None)
    store.tokens.note_use(token.id, 5)
    store.tokens.note_uses({token.id: 6, NOBODY: 7, 99: 8})
    (found,) = store.tokens.all()
    assert (found.state, found.made_elsewhere, found.last_used_at) == (TokenState.ACTIVE, True, 6)
    assert store.tokens.with_digest("d") == found
    with store.change(1, "user remove", "tester") as change:
        change.remove(JANE)
    assert (store.tokens.all(), store.tokens.leftovers()) == ([], ["memory:1"])


def test_tones_are_kept_by_name(store: Store) -> None:
    store.tones.add("b.wav", b"\0RIFF\xff", replace=False)
    store.tones.add("a.wav", b"", replace=False)
    with pytest.raises(UsageError, match="already"):
        store.tones.add("a.wav", b"x", replace=False)
    store.tones.add("a.wav", b"x", replace=True)
    assert store.tones.names() == ["a.wav", "b.wav"]
    assert (store.tones.sound("b.wav"), store.tones.sound("c.wav")) == (b"\0RIFF\xff", None)
    with store.change(1, "prefs set", "tester") as change:
        change.set([Entry(Target(Layer.DEFAULT), "audio.tone", "a.wav")])
    with (
        pytest.raises(UsageError, match=r"there is no tone 'd\.wav'"),
        store.change(1, "prefs set", "tester") as change,
    ):
        change.set([Entry(Target(Layer.DEFAULT), "audio.tone", "d.wav")])
    with pytest.raises(NotPermittedError, match=r"names the tone 'a\.wav'"):
        store.tones.remove("a.wav")
    store.tones.remove("b.wav")
    assert store.tones.names() == ["a.wav"]


def test_names_of_presets_are_told_apart_without_regard_to_case(store: Store) -> None:
    store.presets.save("Mine", {"audio": "none"}, replace=False)
    with pytest.raises(UsageError, match="there is a preset 'MINE' already"):
        store.presets.save("MINE", {"audio": "all"}, replace=False)
    store.presets.save("MINE", {"audio": "all"}, replace=True)
    assert store.presets.values("mine") == {"audio": "all"}
    assert store.presets.all()[-1].name == "MINE"


def test_of_no_channel_and_of_nobody_there_is_nothing_to_send(store: Store) -> None:
    nothing = Scope(frozenset()), Scope(frozenset(Channel), users=frozenset())
    assert [store.outbox.open_count(scope) for scope in nothing] == [0, 0]
    assert [store.outbox.counts(scope) for scope in nothing] == [[], []]


def test_two_who_have_it_open_see_what_the_other_has_written(engine: Engine, url: str) -> None:
    with engine.open(url) as one, engine.open(url) as other:
        assert one.accounts() == other.accounts() == []
        with one.change(1, "user add", "tester") as change:
            change.put_users([JANE])
        assert (other.user(1, 7), one.damage(), other.damage()) == (JANE, "", "")
