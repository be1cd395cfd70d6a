"""Channels that are added: webhooks, Apprise, and a plug-in of another package."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from notifycli.delivery.added_channel import hide_address
from notifycli.rules.notifications import plug_ins
from notifycli.secrets.token_format import Secret
from notifycli.server.middleware import HTTPError
from notifycli.server.webhooks import Seal, check
from tests.conftest import Notifycli, Vault

Json = dict[str, Any]
JANE = ("-u", "jane@example.com")
CANARY = "CanaryOfTheAddress"
SECRET = "CanaryOfTheSecret"  # noqa: S105 - made up


class Service:
    """What takes posts on loopback, and answers with the statuses that it is given, in turn."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = [*statuses]
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                service.posts.append((self.path, dict(self.headers), body))
                status = service.statuses.pop(0) if service.statuses else 200
                self.send_response(status)
                self.send_header("Content-Length", "0")
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.place = f"127.0.0.1:{self.server.server_port}"

    @property
    def bodies(self) -> list[Json]:
        return [json.loads(body) for _, _, body in self.posts]


@contextmanager
def serving(*statuses: int) -> Iterator[Service]:
    service = Service(*statuses)
    thread = Thread(target=service.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield service
    finally:
        service.server.shutdown()
        thread.join()
        service.server.server_close()


@pytest.fixture(autouse=True)
def _secrets_of_its_own(vault: Vault) -> Iterator[None]:
    """Keep them in a file, and look the plug-ins up anew, here and in whatever test comes next."""
    del vault
    plug_ins.cache_clear()
    yield
    plug_ins.cache_clear()


def add(desk: Notifycli, channel: str, address: str, *whose: str) -> None:
    done = desk.ok("channel", "add", channel, *(whose or JANE), stdin=address.encode())
    assert CANARY not in done.stderr + done.stdout.decode()


def with_webhook(desk: Notifycli, service: Service, path: str = CANARY) -> None:
    desk.ok("config", "set", "webhook.secret", stdin=SECRET.encode())
    add(desk, "webhook", f"http://{service.place}/{path}")


def message(id_: int = 1) -> bytes:
    body = {
        "event": "message_created",
        "id": id_,
        "message_type": "incoming",
        "content": "Hello?",
        "created_at": int(time.time()),
        "account": {"id": 1},
        "sender": {"id": 5, "name": "Alex", "type": "contact"},
        "conversation": {
            "id": 42,
            "inbox_id": 3,
            "status": "open",
            "meta": {"assignee": {"id": 7, "type": "user"}},
        },
    }
    return json.dumps(body).encode()


def nothing_of_it(desk: Notifycli, word: str) -> bool:
    files = [path for path in desk.store.parent.rglob("*") if path.is_file()]
    return not any(word.encode() in path.read_bytes() for path in files)


class TestWebhook:
    def test_it_posts_the_decision_signed_as_chatwoot_signs(self, desk: Notifycli) -> None:
        with serving() as service:
            with_webhook(desk, service)
            desk.ok("prefs", "set", "webhook.message=on", *JANE)
            done = desk.ok("deliver", "-", stdin=message())
            again = desk.ok("deliver", "-", stdin=message())
        ((path, headers, body),) = service.posts
        assert path == f"/{CANARY}"
        assert [(r["channel"], r["sent"]) for r in done.records] == [("webhook", 1)]
        assert [(r["sent"], r["known"]) for r in again.records] == [(0, 1)]
        seal = Seal(headers["X-Chatwoot-Timestamp"], headers["X-Chatwoot-Signature"])
        check(seal, body, [Secret(SECRET)], time.time(), unsigned=False)
        with pytest.raises(HTTPError, match="signature"):
            check(seal, body + b" ", [Secret(SECRET)], time.time(), unsigned=False)
        posted = json.loads(body)
        told = {key: posted.pop(key) for key in ("title", "text", "url", "at")}
        assert posted == {
            "event": "message_created",
            "account_id": 1,
            "conversation_id": 42,
            "inbox_id": 3,
            "message_id": 1,
            "user_id": 7,
            "email": "jane@example.com",
            "type": "assigned_conversation_new_message",
            "channel": "webhook",
            "outcome": "fire",
            "reason": "enabled",
            "contact": "Alex",
            "author": "Alex",
            "inbox": posted["inbox"],
        }
        assert told["title"] == "Alex wrote in your conversation #42"
        assert told["text"].endswith("\n\nHello?")
        assert nothing_of_it(desk, CANARY)
        assert nothing_of_it(desk, SECRET)

    def test_what_is_sent_again_has_the_same_id(self, desk: Notifycli) -> None:
        with serving(503, 429) as service:
            with_webhook(desk, service)
            desk.ok("prefs", "set", "webhook.message=on", *JANE)
            done = desk("deliver", "-", stdin=message())
        assert done.status == 0
        ids = [headers["X-Chatwoot-Delivery"] for _, headers, _ in service.posts]
        assert len(ids) == 3
        assert len({*ids}) == 1

    @pytest.mark.parametrize(
        ("status", "why"),
        [
            (404, "it answered 404"),
            (302, "it answered 302: it leads elsewhere, and that is not followed"),
        ],
    )
    def test_what_it_refuses_is_a_dead_letter(self, desk: Notifycli, status: int, why: str) -> None:
        with serving(status) as service:
            with_webhook(desk, service)
            desk.ok("prefs", "set", "webhook.message=on", *JANE)
            done = desk("deliver", "-", stdin=message())
        assert (done.status, [r["dead"] for r in done.records]) == (1, [1])
        (dead,) = desk.ok("deliver", "status", "--state", "dead").records
        assert dead["why"] == why
        assert len(service.posts) == 1

    @pytest.mark.parametrize(
        ("address", "why"),
        [
            (f"http://desk.example.com/{CANARY}", "it is not https"),
            (f"https://10.0.0.1/{CANARY}", "is no public address"),
            (f"https://me:{CANARY}@desk.example.com", "it has a user name"),
            (f"{CANARY}", "this is no URL"),
        ],
    )
    def test_an_address_that_it_may_not_post_to_is_refused(
        self, desk: Notifycli, address: str, why: str
    ) -> None:
        desk.ok("config", "set", "webhook.secret", stdin=SECRET.encode())
        done = desk("channel", "add", "webhook", *JANE, stdin=address.encode())
        assert (done.status, done.stdout) == (65, b"")
        assert why in done.stderr
        assert CANARY not in done.stderr

    def test_nothing_is_sent_unsigned(self, desk: Notifycli) -> None:
        done = desk("channel", "add", "webhook", *JANE, stdin=b"http://127.0.0.1:1/")
        assert done.status == 78
        assert "notifycli config set webhook.secret" in done.stderr

    def test_who_is_removed_leaves_no_address_in_the_keyring(
        self, desk: Notifycli, vault: Vault
    ) -> None:
        with serving() as service:
            with_webhook(desk, service)
        done = desk.ok("user", "remove", "7", "--yes")
        _, told = done.stderr.splitlines()
        assert told == (
            "an address on another channel is forgotten, and can't be taken back: notifycli channel"
            " add adds one anew"
        )
        assert [*vault.secrets().values()] == [SECRET]
        desk.ok("directory", "undo")
        desk.ok("prefs", "set", "webhook.message=on", *JANE)
        (decision,) = (
            one
            for one in desk.ok("simulate", "-", stdin=message()).records
            if one["channel"] == "webhook"
        )
        assert decision["deliverable"] is False

    def test_everybodys_address_is_for_who_has_none(self, desk: Notifycli) -> None:
        with serving() as service:
            with_webhook(desk, service, "janes")
            add(desk, "webhook", f"http://{service.place}/everybodys", "--everybody")
            desk.ok("channel", "test", "webhook", *JANE)
            desk.ok("channel", "test", "webhook", "-u", "omar@example.com")
            desk.ok("channel", "remove", "webhook", *JANE)
            desk.ok("channel", "test", "webhook", *JANE)
        assert [path for path, _, _ in service.posts] == ["/janes", "/everybodys", "/everybodys"]
        assert len({headers["X-Chatwoot-Delivery"] for _, headers, _ in service.posts}) == 3


class TestApprise:
    @pytest.fixture(autouse=True)
    def _apprise(self) -> None:
        pytest.importorskip("apprise")

    def test_it_reaches_a_service(self, desk: Notifycli) -> None:
        with serving() as service:
            add(desk, "apprise", f"json://{service.place}/{CANARY}")
            add(desk, "ntfy", f"ntfy://{service.place}/{CANARY}")
            desk.ok("prefs", "set", "apprise.message=on", "ntfy.message=on", *JANE)
            done = desk.ok("deliver", "-", stdin=message())
        assert [(r["channel"], r["sent"]) for r in done.records] == [("apprise", 1), ("ntfy", 1)]
        assert {body["title"] for body in service.bodies} == {"Alex wrote in your conversation #42"}
        assert [body["topic"] for body in service.bodies if "topic" in body] == [CANARY]
        assert all("Hello?" in body["message"] for body in service.bodies)
        assert nothing_of_it(desk, CANARY)

    @pytest.mark.parametrize(
        ("status", "expected", "why"),
        [
            (404, 1, "the service answered 404"),
            (503, 69, "the service answered 503"),
            (429, 69, "the service answered 429"),
        ],
    )
    def test_it_tells_what_may_work_another_time(
        self, desk: Notifycli, status: int, expected: int, why: str
    ) -> None:
        with serving(status) as service:
            add(desk, "apprise", f"json://{service.place}/{CANARY}")
            done = desk("channel", "test", "apprise", *JANE)
        assert done.status == expected
        assert why in done.stderr
        assert CANARY not in done.stderr + done.stdout.decode()

    def test_who_isnt_there_may_be_another_time(self, desk: Notifycli) -> None:
        add(desk, "apprise", f"json://127.0.0.1:1/{CANARY}")
        done = desk("channel", "test", "apprise", *JANE)
        assert done.status == 69
        assert "it can't be reached" in done.stderr

    @pytest.mark.parametrize(
        ("channel", "address", "why"),
        [
            ("slack", f"slack://{CANARY}", "Apprise can't read it"),
            ("slack", f"json://127.0.0.1/{CANARY}", "here they begin with slack://"),
            ("apprise", CANARY, "Apprise can't read it"),
        ],
    )
    def test_an_address_that_it_cant_read_is_refused_and_never_shown(
        self, desk: Notifycli, channel: str, address: str, why: str
    ) -> None:
        done = desk("channel", "add", channel, *JANE, stdin=address.encode())
        assert (done.status, done.stdout) == (65, b"")
        assert why in done.stderr
        assert CANARY not in done.stderr


PLUG_IN = '''
"""A channel of another package."""

import json
from pathlib import Path

from notifycli.delivery.added_channel import ChannelPlugIn, ChannelMessage
from notifycli.delivery.channels import Delivered, Later, Outcome, Refused


class Pager(ChannelPlugIn):
    def check(self, address: str) -> None:
        if not Path(address).is_absolute():
            raise ValueError(f"{address} is no path")

    async def send(self, address: str, message: ChannelMessage) -> Outcome:
        if address.endswith("broken"):
            raise RuntimeError(address)
        if address.endswith("full"):
            return Later(f"no room in {address}")
        if address.endswith("gone"):
            return Refused(f"no such {address}", "ask at the desk")
        with open(address, "a") as file:
            told = message.title, message.url, message.notice.user_id
            file.write(json.dumps(told) + "\\n")
        return Delivered("beeped")
'''


class TestPlugIn:
    @pytest.fixture
    def site(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A place on the path in which another package is installed, as pip would lay it out."""
        site = tmp_path / "site"
        info = site / "acme_pager-1.2.dist-info"
        info.mkdir(parents=True)
        (site / "acme_pager.py").write_text(PLUG_IN)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-pager\nVersion: 1.2\n")
        (info / "entry_points.txt").write_text("[notifycli.channels]\npager = acme_pager:Pager\n")
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(__import__("sys").modules, "acme_pager", raising=False)
        return site

    def test_a_channel_of_another_package_is_as_any_other(
        self, desk: Notifycli, site: Path
    ) -> None:
        beeps = site / f"{CANARY}.jsonl"
        desk.ok("config", "set", "desk.url=https://desk.example.com")
        desk.ok("prefs", "set", "pager.message=on", *JANE)
        listed = {one["channel"]: one for one in desk.ok("channel", "list").records}
        assert listed["pager"] == {
            "channel": "pager",
            "package": "acme-pager",
            "usable": True,
            "why": "",
            "addresses": [],
            "preferences": 1,
        }
        refused = desk("channel", "add", "pager", *JANE, stdin=CANARY.encode())
        assert refused.status == 65
        assert refused.stderr == "error: this is no address on pager: … is no path\n"
        add(desk, "pager", str(beeps))
        desk.ok("channel", "test", "pager", *JANE)
        hello = message()
        dry = desk.ok("deliver", "--dry-run", "-", stdin=hello)
        assert [(r["channel"], r["deliverable"]) for r in dry.records] == [("pager", True)]
        desk.ok("deliver", "-", stdin=hello)
        (why,) = [
            one
            for one in desk.ok("why", *JANE, "-", stdin=hello).records
            if one["channel"] == "pager"
        ]
        assert (why["key"], why["delivery"]) == (f"pager.{why['type']}", "sent")
        page = "https://desk.example.com/app/accounts/1/conversations/42"
        assert [json.loads(line) for line in beeps.read_text().splitlines()][1:] == [
            ["Alex wrote in your conversation #42", page, 7]
        ]

    @pytest.mark.parametrize(
        ("name", "status", "why"),
        [
            ("broken", 69, "unexpected RuntimeError"),
            ("full", 69, "no room in …"),
            ("gone", 1, "no such …"),
        ],
    )
    def test_nothing_of_an_address_is_told_whatever_it_says(
        self, desk: Notifycli, site: Path, name: str, status: int, why: str
    ) -> None:
        desk.ok("channel", "add", "pager", *JANE, stdin=f"{site}/{CANARY}/{name}".encode())
        done = desk("channel", "test", "pager", *JANE)
        assert done.status == status
        assert why in done.stderr
        assert CANARY not in done.stderr + done.stdout.decode()

    def test_what_is_set_outlives_its_package(self, desk: Notifycli, site: Path) -> None:
        desk.ok("prefs", "set", "pager.message=on", *JANE)
        add(desk, "pager", str(site / "beeps"))
        (site / "acme_pager-1.2.dist-info" / "entry_points.txt").unlink()
        plug_ins.cache_clear()
        assert desk("prefs", "set", "pager.mention=on", *JANE).status == 2
        (fired,) = desk.ok("simulate", "-", stdin=message()).records
        assert (fired["channel"], fired["deliverable"]) == ("pager", True)
        done = desk("deliver", "-", stdin=message())
        assert (done.status, [r["waiting"] for r in done.records]) == (69, [1])
        assert "nothing here adds the channel pager" in done.stderr
        (found,) = [r for r in desk("doctor").records if r["check"] == "channels"]
        assert (found["status"], found["found"]) == ("fail", "pager (1 with an address)")
        assert desk.ok("prefs", "get", "pager.message", *JANE).stdout == b"on\n"
        desk.ok("prefs", "unset", "pager.message", *JANE)
        assert desk("prefs", "get", "pager.message", *JANE).status == 2
        (site / "acme_pager-1.2.dist-info" / "entry_points.txt").write_text(
            "[notifycli.channels]\npager = acme_pager:Pager\n"
        )
        plug_ins.cache_clear()
        sent = desk("deliver", "--pending")
        assert [r["sent"] for r in sent.records] == [1]


@pytest.mark.parametrize(
    ("address", "text", "shown"),
    [
        ("slack://TTTT/BBBB", "no TTTT and no BBBB", "no … and no …"),
        ("json://me:pass%2Fword@host/a", "pass/word failed", "…/… failed"),
        ("https://desk.example.com/x", "https is needed\nhere", "https is needed here"),
    ],
)
def test_nothing_of_an_address_is_left_in_what_is_shown(
    address: str, text: str, shown: str
) -> None:
    assert hide_address(text, address) == shown


def test_an_address_on_a_channel_that_is_none_names_the_nearest(desk: Notifycli) -> None:
    refused = desk("channel", "add", "webhok", "--everybody", stdin=b"http://127.0.0.1/")
    assert (refused.status, refused.stdout) == (2, b"")
    assert "'webhok' is none of webhook, slack" in refused.stderr
    assert "did you mean webhook?" in refused.stderr
