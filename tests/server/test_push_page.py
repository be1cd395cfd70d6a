"""The links by which a team subscribes: who may open one, how often, and what the log says."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from notifycli.cli.times import now
from notifycli.secrets.token_format import digest
from notifycli.store.store import open_store
from notifycli.store.subscriptions import Invitation, PushKey
from tests.push.receiver import UserAgent

from .conftest import JANE, OMAR, Serving

AGENT = UserAgent()
GOOD = AGENT.subscription("https://push.example.com/x")
KEY = "B" * 87
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
OURS = {"origin": "http://testserver", "user-agent": FIREFOX}
MINUTE = 60_000_000
GONE = "This link was used already, or its time is over."


@pytest.fixture
def invited(serving: Serving) -> Serving:
    """A desk with a key, a link for Jane, one for Omar, and one for Jane whose time is over."""
    with open_store(serving.desk.store) as store:
        store.subscriptions.add_key(PushKey(0, KEY, "system:vapid", now()), None)
        store.subscriptions.invite(
            [
                Invitation(digest("janes-link"), 1, JANE, now() + MINUTE),
                Invitation(digest("omars-link"), 1, OMAR, now() + MINUTE),
                Invitation(digest("old-link"), 1, JANE, now() - 1),
            ],
            0,
        )
    return serving


def take(serving: Serving, link: str, data: bytes = GOOD, **headers: str) -> httpx2.Response:
    path = f"/push/{link}/subscription"
    return serving.client.post(path, content=data, headers={**OURS, **headers})


def kept(serving: Serving) -> list[tuple[int, str, str]]:
    with open_store(serving.desk.store) as store:
        found = store.subscriptions.of_account(1)
        return [(item.user_id, item.endpoint, item.label) for item in found]


def test_the_page_is_for_whom_the_link_was_made_and_may_be_looked_at_often(
    invited: Serving,
) -> None:
    for _ in range(3):
        answered = invited.client.get("/push/janes-link/")
        assert answered.status_code == 200
    assert "<h1>Pushes for Jane</h1>" in answered.text
    assert f'data-key="{KEY}" data-scope="../"' in answered.text
    policy = answered.headers.get_list("content-security-policy")
    assert len(policy) == 1
    assert policy[0].startswith("default-src 'none'; script-src 'self'; ")
    assert answered.headers.get_list("referrer-policy") == ["no-referrer"]
    for name, kind in (("subscribe.js", "text/javascript"), ("subscribe.css", "text/css")):
        file = invited.client.get(f"/push/janes-link/{name}")
        assert (file.status_code, file.headers["content-type"].split(";")[0]) == (200, kind)
    # A browser asks for the worker again and again, also when the link is used up.
    assert invited.client.get("/push/worker.js").headers["content-type"].startswith("text/javasc")


def test_a_link_subscribes_one_browser_of_its_user(invited: Serving) -> None:
    assert take(invited, "janes-link").status_code == 201
    assert kept(invited) == [(JANE, "https://push.example.com/x", "Firefox on Linux")]
    for answered in (take(invited, "janes-link"), invited.client.get("/push/janes-link/")):
        assert (answered.status_code, answered.text[: len(GONE)]) == (404, GONE)
    history = invited.desk.ok("prefs", "history", "-u", "7").records
    assert invited.client.get("/push/omars-link/").status_code == 200
    assert kept(invited) == [(JANE, "https://push.example.com/x", "Firefox on Linux")]
    assert history == [] or {row["who"] for row in history} == {"jane@example.com"}


REFUSED: list[tuple[str, str, bytes, dict[str, str], int, str]] = [
    ("a guess", "guess", GOOD, {}, 404, GONE),
    ("a link whose time is over", "old-link", GOOD, {}, 404, GONE),
    ("another page", "janes-link", GOOD, {"origin": "https://evil.example"}, 403, "{"),
    ("a page of no origin", "janes-link", GOOD, {"origin": "null"}, 403, "{"),
    ("what is no subscription", "janes-link", b"{}", {}, 422, "the browser's subscription: "),
    ("too much", "janes-link", b"x" * 100_000, {}, 413, "{"),
    (
        "a push service in this network",
        "janes-link",
        AGENT.subscription("http://127.0.0.1/x"),
        {},
        422,
        "the browser's subscription: endpoint: ",
    ),
]


@pytest.mark.parametrize(
    ("link", "data", "headers", "status", "text"),
    [row[1:] for row in REFUSED],
    ids=[row[0] for row in REFUSED],
)
def test_what_is_wrong_is_refused_and_leaves_the_link_as_it_is(
    *, invited: Serving, link: str, data: bytes, headers: dict[str, str], status: int, text: str
) -> None:
    answered = take(invited, link, data, **headers)
    assert (answered.status_code, answered.text[: len(text)]) == (status, text)
    assert kept(invited) == []
    assert invited.client.get("/push/janes-link/").status_code == 200


def test_behind_a_proxy_the_page_has_the_address_that_links_have(invited: Serving) -> None:
    invited.desk.ok("config", "set", "serve.url=https://notify.example.com")
    assert take(invited, "janes-link", origin="https://notify.example.com").status_code == 201


def test_guesses_have_to_wait_and_right_links_have_not(invited: Serving) -> None:
    answered = [invited.client.get(f"/push/guess-{n}/").status_code for n in range(12)]
    assert answered == [404] * 10 + [429] * 2
    assert invited.client.get("/push/janes-link/").status_code == 200


def test_the_log_tells_no_link(invited: Serving) -> None:
    for path in ("/push/janes-link/", "/push/janes-link", "/push/guess-1/subscribe.js"):
        invited.client.get(path)
    invited.client.get("/push/worker.js")
    log = [line.rpartition(" ms")[0].rpartition(" ")[0] for line in invited.log]
    assert log == [
        "testclient GET /push/*/ 200",
        "testclient GET /push/* 404",
        "testclient GET /push/*/subscribe.js 404",
        "testclient GET /push/worker.js 200",
    ]


def test_invite_makes_a_link_for_each_user_and_shows_it_once(serving: Serving) -> None:
    refused = serving.desk("push", "invite", "-u", "7")
    assert (refused.status, refused.stderr) == (
        78,
        "error: there is no push key yet\n  notifycli push keys generate\n",
    )
    with open_store(serving.desk.store) as store:
        store.subscriptions.add_key(PushKey(0, KEY, "system:vapid", now()), None)
    serving.desk.ok("config", "set", "serve.url=https://notify.example.com/")
    rows: list[dict[str, Any]] = serving.desk.ok("push", "invite", "--all-users").records
    assert [(row["user_id"], row["email"]) for row in rows] == [
        (7, "jane@example.com"),
        (8, "omar@example.com"),
        (9, "root@example.com"),
    ]
    links = [urlsplit(row["url"]) for row in rows]
    assert {(link.scheme, link.netloc) for link in links} == {("https", "notify.example.com")}
    assert len({link.path for link in links}) == 3
    names = ("Jane", "Omar", "Root")
    for link, name in zip(links, names, strict=True):
        assert f"<h1>Pushes for {name}</h1>" in serving.client.get(link.path).text
    # The store can't give them away.
    assert not any(
        link.path.split("/")[2].encode() in serving.desk.store.read_bytes() for link in links
    )


WRONG_ADDRESSES = ["http://notify.example.com", "notify.example.com", "https://x.example/path"]


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
def test_an_address_from_which_no_browser_subscribes_is_refused(
    serving: Serving, address: str
) -> None:
    assert serving.desk("config", "set", f"serve.url={address}").status == 2
