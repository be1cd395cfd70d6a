"""How many pushes a second leave over TLS, beside npm's web-push and pywebpush's own function.

All send the same text to one browser at a service on this machine, which answers at once or after
50 ms, as one far away does. Nobody's start counts: the other program is running and waits for the
word. Ours also reads its subscription from a store for each push, and notes there how it came out.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from pywebpush import webpush  # type: ignore[import-untyped] # it has no types

from benchmarks.frame import Done, Race, Way, WrongError
from benchmarks.push_service import Service, service
from notifycli.delivery.channels import Delivered, sample_notice
from notifycli.delivery.push_channel import PushSender, now
from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.secrets.token_format import Secret
from notifycli.secrets.vapid import PushKeys, encode_base64url, public_of
from notifycli.store.store import Store, open_store
from notifycli.store.subscriptions import Subscription

_AT_ONCE = 20
_SUBJECT = "mailto:desk@example.com"
_JANE = User(7, "jane@example.com", "Jane")
_BROWSER = Secret(encode_base64url(b"\x01" * 32))
_AUTH = encode_base64url(b"\x02" * 16)
_WEB_PUSH = "web-push@3.6.7"
_NODE = """
const https = require("https");
const webpush = require("web-push");
const lines = require("readline").createInterface({input: process.stdin});
async function all(given) {
  const agent = new https.Agent({keepAlive: true, maxSockets: given.atOnce});
  const options = {TTL: 86400, vapidDetails: given.vapid, ...(given.atOnce > 1 && {agent})};
  const send = () => webpush.sendNotification(given.subscription, given.text, options);
  if (given.atOnce > 1) {
    await Promise.all(Array.from({length: given.count}, send));
  } else {
    for (let sent = 0; sent < given.count; sent++) await send();
  }
  console.log("done");
}
lines.once("line", (first) => {
  const given = JSON.parse(first);
  lines.on("line", () => all(given));
  console.log("ready");
});
"""


def races(folder: Path, small: bool) -> Iterator[Race]:
    """Race against a service that answers at once, and one that takes 50 ms."""
    if not small:
        # What only this benchmark needs is fetched into its folder, and goes with it.
        command = ["npm", "install", "--silent", "--no-audit", "--prefix", str(folder), _WEB_PUSH]
        subprocess.run(command, check=True)
    (folder / "send.js").write_text(_NODE)
    for seconds, count in ((0.0, 2000), (0.05, 200)):
        with ExitStack() as stack:
            running = stack.enter_context(service(folder, seconds))
            store = stack.enter_context(open_store(folder / f"{seconds}.db"))
            yield _race(stack, folder, running, store, 20 if small else count, small=small)


def _race(
    stack: ExitStack, folder: Path, to: Service, store: Store, count: int, *, small: bool
) -> Race:
    keys = _subscribed(store, to)
    ways = [
        Way("notifycli, as deliver does", partial(_ours, store, keys, to, count)),
        Way("pywebpush, one by one", partial(_pywebpush, keys, to, count), most=1),
    ]
    if not small:
        for at_once, name in ((1, "one by one"), (_AT_ONCE, f"{_AT_ONCE} sockets")):
            node = _Node(stack, folder, keys, to, count=count, at_once=at_once)
            ways.append(Way(f"web-push, {name}", node.run, node.prepare, most=1, needs="npm"))
    after = "50 ms" if "0.05" in store.location.name else "no time"
    return Race(f"a service that takes {after}", ways, count, "pushes", rounds=5)


def _subscribed(store: Store, to: Service) -> PushKeys:
    kept: dict[str, Secret] = {}
    keychain: Any = SimpleNamespace(
        kind="memory", get=kept.get, set=kept.__setitem__, delete=kept.pop
    )
    keys = PushKeys(store, keychain, now)
    key = keys.generate()
    with store.change(1, "benchmark", "benchmark") as change:
        change.put_users([_JANE])
        change.subscriptions.put(
            Subscription(
                account_id=1,
                user_id=_JANE.id,
                key_id=key.id,
                endpoint=to.address,
                p256dh=public_of(_BROWSER),
                auth=_AUTH,
                created_at=now(),
            )
        )
    return keys


def _ours(store: Store, keys: PushKeys, to: Service, count: int) -> Done:
    os.environ["SSL_CERT_FILE"] = str(to.certificate)
    notice = sample_notice(1, _JANE, Channel.PUSH, NotificationType.MENTION, now())

    async def send() -> None:
        async with PushSender(store, keys, _SUBJECT, {}, _AT_ONCE) as out:
            outcomes = await asyncio.gather(*(out.send(notice) for _ in range(count)))
        for outcome in outcomes:
            if not isinstance(outcome, Delivered):
                raise WrongError(str(outcome))

    return _counted(to, partial(asyncio.run, send()))


def _pywebpush(keys: PushKeys, to: Service, count: int) -> Done:
    private = keys.private(keys.current()).reveal()

    def send() -> None:
        with requests.Session() as session:
            session.trust_env = False
            session.verify = str(to.certificate)
            for _ in range(count):
                webpush(
                    _subscription(to),
                    _text(),
                    vapid_private_key=private,
                    vapid_claims={"sub": _SUBJECT},
                    ttl=86400,
                    timeout=30,
                    requests_session=session,
                )

    return _counted(to, send)


class _Node:
    """npm's web-push, which waits for the word."""

    def __init__(
        self,
        stack: ExitStack,
        folder: Path,
        keys: PushKeys,
        to: Service,
        *,
        count: int,
        at_once: int,
    ) -> None:
        self._stack, self._folder, self._to = stack, folder, to
        key = keys.current()
        vapid = {"publicKey": key.public_key, "privateKey": keys.private(key).reveal()}
        self._given = {
            "subscription": _subscription(to),
            "text": _text(),
            "count": count,
            "atOnce": at_once,
            "vapid": {"subject": _SUBJECT, **vapid},
        }
        self._process: subprocess.Popen[str] | None = None

    def prepare(self) -> None:
        """Start it, once."""
        if self._process is None:
            self._process = subprocess.Popen(
                ["node", self._folder / "send.js"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**os.environ, "NODE_EXTRA_CA_CERTS": str(self._to.certificate)},
            )
            self._stack.callback(self._process.communicate)
            self._say(json.dumps(self._given))  # it holds a private key: no argument
            self._hear("ready")

    def run(self) -> Done:
        """Let it send all."""
        return _counted(self._to, self._send)

    def _send(self) -> None:
        self._say("go")
        self._hear("done")

    def _say(self, line: str) -> None:
        if self._process is None or self._process.stdin is None:
            raise WrongError("it is not running")
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def _hear(self, word: str) -> None:
        if self._process is None or self._process.stdout is None:
            raise WrongError("it is not running")
        if self._process.stdout.readline().strip() != word:
            raise WrongError(f"it doesn't say {word!r}")


def _counted(to: Service, send: Callable[[], Any]) -> Done:
    """Give how many pushes the service took meanwhile."""
    before = to.taken.value
    send()
    return Done(to.taken.value - before)


def _subscription(to: Service) -> dict[str, Any]:
    keys = {"p256dh": public_of(_BROWSER), "auth": _AUTH}
    return {"endpoint": to.address, "keys": keys}


def _text() -> str:
    """Give what ours says, as long as it is there."""
    return json.dumps(
        {
            "title": "This is a test",
            "body": "#1 · Website\nThis is a test. If you can read it, notifications reach you.",
            "tag": "notifycli/1/1",
            "url": "https://desk.example.com/app/accounts/1/conversations/1",
        }
    )
