"""A real Firefox: subscribed by the page's button, it decrypts and shows what was sent."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files

import pytest

from tests.conftest import Notifycli, Program, needs_package
from tests.push.firefox import FIREFOX, SECONDS, BrowserPushService, Window, firefox
from tests.server.webhooks import running as server_running

pytestmark = pytest.mark.skipif(FIREFOX is None, reason=needs_package("firefox-esr"))

SHOWN = """
(await (await navigator.serviceWorker.getRegistration()).getNotifications())
  .map(({title, body, tag, data}) => ({title, body, tag, data}))
"""


@pytest.fixture(scope="module")
def started(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Window, BrowserPushService]]:
    """One browser for all tests, each of which asks it from an origin of its own."""
    with (
        BrowserPushService() as push,
        firefox(tmp_path_factory.mktemp("firefox") / "profile", push) as browser,
    ):
        # A page that subscribes before Firefox's own push service has started waits for ever.
        assert push.greeted.wait(SECONDS)
        yield browser, push


@pytest.fixture
def browser(started: tuple[Window, BrowserPushService]) -> Window:
    return started[0]


@pytest.fixture
def push(started: tuple[Window, BrowserPushService]) -> BrowserPushService:
    started[1].acknowledged.clear()
    return started[1]


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.terminate()


def clicked(url: str) -> str:
    """Give a script that runs our worker, clicks on a notification, and tells what was done."""
    worker = files("notifycli.delivery").joinpath("page/worker.js").read_text()
    return f"""(() => {{
      const done = [], heard = {{}};
      const self = {{
        addEventListener: (name, handler) => {{ heard[name] = handler; }},
        clients: {{ openWindow: (url) => done.push(`opened ${{url}}`) }},
      }};
      {worker}
      const notification = {{ close: () => done.push("closed"), data: {{ url: {url!r} }} }};
      heard.notificationclick({{ notification, waitUntil: () => {{}} }});
      return done;
    }})()"""


def test_a_firefox_subscribed_by_the_page_shows_what_push_test_sent(
    ready: Notifycli, program: Program, browser: Window, push: BrowserPushService
) -> None:
    command = program.command("push", "subscribe", "-u", "7", "--allow-loopback")
    with running(command) as run:
        assert run.stdout is not None
        browser.open(run.stdout.readline().strip())
        assert browser.evaluate("document.querySelector('h1').textContent") == "Pushes for Jane"
        browser.click("#subscribe")
        told = browser.wait_for(
            "document.getElementById('trouble').textContent"
            " || document.getElementById('subscribe').hidden && 'done'"
        )
        assert told == "done"
        assert run.wait(SECONDS) == 0

        [kept] = ready.ok("push", "list").records
        assert (kept["user_id"], kept["label"]) == (7, "Firefox on Linux")
        assert push.application_key == ready.ok("push", "keys", "show").records[0]["public_key"]

        ready.ok("push", "test", "-u", "7")
        assert push.wait_for_acknowledgement()["code"] == 100
        assert browser.wait_for(SHOWN) == [
            {
                "title": "This is a test",
                "body": "This is a test. If you can read it, notifications reach you this way.",
                "tag": "notifycli/1/test",
                "data": {"url": ""},
            }
        ]
        conversation = "https://desk.example.com/app/accounts/1/conversations/42"
        assert browser.evaluate(clicked(conversation)) == ["closed", f"opened {conversation}"]
        assert browser.evaluate(clicked("")) == ["closed"]


def test_a_firefox_subscribed_by_a_link_from_serve_shows_what_push_test_sent(
    ready: Notifycli, browser: Window, push: BrowserPushService
) -> None:
    with server_running("serve", "--db", str(ready.store), "--allow-loopback") as server:
        ready.ok("config", "set", f"serve.url={server.url}")
        invited = ready.ok("push", "invite", "--all-users").records
        assert [(row["user_id"], row["email"]) for row in invited] == [
            (7, "jane@example.com"),
            (8, "omar@example.com"),
            (9, "root@example.com"),
        ]
        # Jane's link, and then, in the same browser, Omar's.
        for row, name in zip(invited, ("Jane", "Omar"), strict=False):
            browser.open(row["url"])
            title = browser.evaluate("document.querySelector('h1').textContent")
            assert title == f"Pushes for {name}"
            browser.click("#subscribe")
            told = browser.wait_for(
                "document.getElementById('trouble').textContent"
                " || document.getElementById('subscribe').hidden && 'done'"
            )
            assert told == "done"
        kept = ready.ok("push", "list").records
        assert [(row["user_id"], row["label"]) for row in kept] == [
            (7, "Firefox on Linux"),
            (8, "Firefox on Linux"),
        ]
        ready.ok("push", "test", "-u", "8")
        assert push.wait_for_acknowledgement()["code"] == 100
        shown = browser.wait_for(SHOWN)
        assert [item["title"] for item in shown] == ["This is a test"]
        # A link that was used leads nowhere.
        browser.open(invited[0]["url"])
        text = browser.evaluate("document.body.textContent")
        assert text.startswith("This link was used already, or its time is over.")
        assert server.stop() == 0
    for row in invited:
        assert row["url"].split("/")[-2] not in server.told
    assert "GET /push/*/ 200" in server.told
