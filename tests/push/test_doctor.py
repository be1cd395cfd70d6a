"""What the doctor says of pushes."""

from __future__ import annotations

from tests.conftest import Json, Notifycli
from tests.push.conftest import subscribe
from tests.push.service import PushService


def finding(ready: Notifycli) -> Json:
    found = next(item for item in ready("doctor").records if item["check"] == "push")
    return {name: found[name] for name in ("status", "found", "meaning", "fix")}


def test_it_says_step_by_step_what_is_missing(desk: Notifycli, service: PushService) -> None:
    assert finding(desk) == {
        "status": "note",
        "found": "no key",
        "meaning": "pushes are not set up",
        "fix": "notifycli push keys generate",
    }
    desk.ok("push", "keys", "generate")
    assert finding(desk) == {
        "status": "fail",
        "found": "1 key, 0 subscriptions",
        "meaning": "push.subject is not set",
        "fix": "set it: notifycli config set push.subject=…",
    }
    desk.ok("config", "set", "push.subject=mailto:desk@example.com")
    assert finding(desk) == {
        "status": "note",
        "found": "1 key, 0 subscriptions",
        "meaning": "no browser is subscribed",
        "fix": "notifycli push subscribe",
    }
    subscribe(desk, f"{service.origin}/a")
    assert finding(desk) == {
        "status": "ok",
        "found": "1 key, 1 subscription",
        "meaning": "pushes can be signed, the services answer",
        "fix": "",
    }
    assert service.asked == ["OPTIONS /"]


def test_it_names_the_services_that_are_away(ready: Notifycli) -> None:
    subscribe(ready, "http://127.0.0.1:9/a")
    subscribe(ready, "http://127.0.0.1:9/b")
    assert finding(ready) == {
        "status": "fail",
        "found": "1 key, 2 subscriptions",
        "meaning": "127.0.0.1 can't be reached: Connection refused",
        "fix": "is this machine online? if a service is gone: notifycli push list, push remove ID",
    }
