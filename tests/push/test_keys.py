"""The push key: made, shown, replaced; and the subscriptions that are bound to it."""

from __future__ import annotations

import json
from hashlib import sha256

from notifycli.secrets.keychain import open_keychain
from notifycli.store.store import open_store
from tests.conftest import Json, Notifycli
from tests.push.conftest import subscribe
from tests.push.receiver import UserAgent, unb64
from tests.push.service import PushService


def keys(ready: Notifycli) -> list[Json]:
    return ready.ok("push", "keys", "show").records


def secrets(ready: Notifycli) -> list[bool]:
    """Tell of each key on record whether the keychain has its secret."""
    with open_store(ready.store) as store:
        names = [key.secret_name for key in store.subscriptions.push_keys()]
    return [open_keychain().get(name) is not None for name in names]


def test_a_key_is_made_once_and_shown_by_its_public_half(desk: Notifycli) -> None:
    assert desk.ok("push", "keys", "show").stderr == (
        "there is no push key yet; make one: notifycli push keys generate\n"
    )
    desk.ok("push", "keys", "generate")
    [shown] = keys(desk)
    public = unb64(shown["public_key"])
    assert (len(public), public[0]) == (65, 4)
    assert {**shown, "public_key": "", "created_at": ""} == {
        "public_key": "",
        "state": "current",
        "fingerprint": sha256(public).hexdigest(),
        "created_at": "",
        "subscriptions": 0,
    }
    again = desk("push", "keys", "generate")
    assert again.status == 2
    assert again.stderr == (
        "error: there is a push key already\n"
        "  see it: notifycli push keys show; replace it: notifycli push keys rotate\n"
    )
    assert keys(desk) == [shown]


def test_who_is_subscribed_is_still_reached_after_the_key_was_replaced(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/old")
    ready.ok("push", "keys", "rotate")
    subscribe(ready, f"{service.origin}/new")
    current, old = keys(ready)
    assert [(key["state"], key["subscriptions"]) for key in (current, old)] == [
        ("current", 1),
        ("old", 1),
    ]
    ready.ok("push", "test", "-u", "7")
    assert {taken.path: taken.token.key for taken in service.taken} == {
        "/old": old["public_key"],
        "/new": current["public_key"],
    }


def test_an_old_key_goes_with_the_last_that_is_bound_to_it(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/old")
    ready.ok("push", "keys", "rotate")
    assert secrets(ready) == [True, True]
    with open_store(ready.store) as store:
        old = store.subscriptions.push_keys()[1].secret_name
    ready.ok("push", "remove", "1")
    assert [key["state"] for key in keys(ready)] == ["current"]
    assert open_keychain().get(old) is None


def test_a_key_that_others_may_know_is_ended_with_all_that_is_bound_to_it(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/a")
    subscribe(ready, f"{service.origin}/b", user="8")
    told = ready.ok("push", "keys", "rotate", "--revoke")
    assert "2 subscriptions ended; each browser must subscribe again" in told.stderr
    assert [key["state"] for key in keys(ready)] == ["current"]
    assert ready.ok("push", "list").records == []


def test_a_key_that_the_keyring_has_lost_is_told_with_the_way_out(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/a")
    with open_store(ready.store) as store:
        open_keychain().delete(store.subscriptions.push_keys()[0].secret_name)
    told = ready("push", "test", "-u", "7")
    assert told.status == 69
    assert told.stderr.startswith("error: the keyring doesn't hold the push key\n")
    ready.ok("push", "keys", "rotate", "--revoke")
    subscribe(ready, f"{service.origin}/a")
    ready.ok("push", "test", "-u", "7")


def test_without_a_key_nothing_can_be_subscribed(desk: Notifycli) -> None:
    given = UserAgent().subscription("https://push.example.com/x")
    told = desk("push", "add", "-u", "7", stdin=given)
    assert (told.status, told.stderr) == (
        78,
        "error: there is no push key yet\n  make one: notifycli push keys generate\n",
    )


def test_the_private_key_is_never_shown_or_stored(ready: Notifycli) -> None:
    with open_store(ready.store) as store:
        name = store.subscriptions.push_keys()[0].secret_name
    secret = open_keychain().get(name)
    assert secret is not None
    shown = [ready.ok("push", "keys", "show", "-o", kind).stdout for kind in ("table", "json")]
    shown.append(ready.store.read_bytes())
    assert not [place for place in shown if secret.reveal().encode() in place]


def test_removed_users_take_their_subscriptions_along(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/a")
    ready.ok("user", "remove", "7")
    assert ready.ok("push", "list").records == []


def test_a_subscription_of_another_account_is_not_removed(
    ready: Notifycli, service: PushService
) -> None:
    subscribe(ready, f"{service.origin}/a")
    ready.ok("user", "add", "eve@example.com", "-a", "2")
    told = ready("push", "remove", "1", "-a", "2")
    assert (told.status, told.stderr) == (
        2,
        "error: account 2 has no subscription 1\n  see what there is: notifycli -a 2 push list\n",
    )
    assert json.loads(ready.ok("push", "list", "-a", "1").stdout)["id"] == 1
