"""`notifycli chatwoot tokens --platform`: every agent's token, from a server of one's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.chatwoot.recorded import JANE, OMAR, Asked, Chatwoot, Person, Reply
from tests.conftest import Json, Notifycli
from tests.tokens.aviary import CANARY, hidden

TOKENS = ("chatwoot", "tokens", "--platform")
PLATFORM = CANARY.encode()
LET = (
    "the platform app may not see this user; let it, in the Rails console there: "
    "PlatformAppPermissible.create!(platform_app: PlatformApp.find(N), permissible: User.find(8))"
)


@pytest.fixture(autouse=True)
def platform(chatwoot: Chatwoot) -> None:
    """The server has a platform app that may see everybody."""
    chatwoot.platform_token = CANARY
    chatwoot.platform_users = {7, 8, 9}


def became(id_: int, name: str, result: str, detail: str = "") -> Json:
    return {
        "kind": "token",
        "id": id_,
        "name": f"{name}@example.com",
        "result": result,
        "detail": detail,
    }


def states(notifycli: Notifycli) -> list[tuple[int, str]]:
    return [(one["user_id"], one["state"]) for one in notifycli.ok("chatwoot", "status").records]


def test_every_agents_token_comes_and_works_and_coming_again_changes_nothing(
    member: Notifycli, chatwoot: Chatwoot, tmp_path: Path
) -> None:
    result = member.ok(*TOKENS, "-v", stdin=PLATFORM)
    assert result.records == [
        became(7, "jane", "added"),
        became(8, "omar", "added"),
        became(9, "root", "same"),
    ]
    assert states(member) == [(7, "works"), (8, "works"), (9, "works")]
    again = member.ok(*TOKENS, stdin=PLATFORM)
    assert [one["result"] for one in again.records] == ["same"] * 3
    chatwoot.people[JANE[::-1]] = chatwoot.people.pop(JANE)
    renewed = member.ok(*TOKENS, "-u", "7", stdin=PLATFORM)
    assert renewed.records == [became(7, "jane", "changed")]
    assert states(member) == [(7, "works"), (8, "works"), (9, "works")]
    shown = [one.stdout + one.stderr.encode() for one in (result, again, renewed)]
    assert all(hidden(text) and JANE.encode() not in text for text in shown)
    assert hidden(member.store.read_bytes())
    assert all(hidden(p.read_bytes()) for p in tmp_path.rglob("*.json"))


def test_a_dry_run_keeps_nothing(member: Notifycli) -> None:
    result = member.ok(*TOKENS, "--dry-run", stdin=PLATFORM)
    assert [one["result"] for one in result.records] == ["added", "added", "same"]
    assert result.stderr == "nothing was changed: this was a dry run\n"
    assert [one["id"] for one in member.ok("user", "list").records] == [9]
    assert states(member) == [(9, "works")]


def omar_is_not_its_user(chatwoot: Chatwoot) -> None:
    chatwoot.platform_users.remove(8)


def omar_is_unknown(chatwoot: Chatwoot) -> None:
    def leave(asked: Asked, _person: Person | None) -> None:
        if asked.path.startswith("/platform/"):
            chatwoot.people.pop(OMAR, None)

    chatwoot.before = leave


def a_proxy_forbids_omar(chatwoot: Chatwoot) -> None:
    def forbid(asked: Asked, _person: Person | None) -> None:
        if asked.path == "/platform/api/v1/users/8/token":
            raise Reply(403, raw=b"<html>Forbidden</html>")

    chatwoot.before = forbid


def omar_gets_janes(chatwoot: Chatwoot) -> None:
    def mix(asked: Asked, _person: Person | None) -> None:
        if asked.path == "/platform/api/v1/users/8/token":
            raise Reply(200, {"access_token": JANE[::-1], "user": {"id": 7}})

    chatwoot.before = mix


@pytest.mark.parametrize(
    ("trouble", "status", "detail"),
    [
        (omar_is_not_its_user, 77, LET),
        (omar_is_unknown, 69, "{url} has no user 8, or is too old to give users' tokens: "),
        (a_proxy_forbids_omar, 77, "{url} doesn't permit POST /platform/api/v1/users/8/token"),
        (omar_gets_janes, 65, "the token of omar@example.com is user 7's there"),
    ],
)
def test_whose_token_does_not_come_is_named_and_the_others_are_kept(
    member: Notifycli, chatwoot: Chatwoot, trouble: object, *, status: int, detail: str
) -> None:
    assert callable(trouble)
    trouble(chatwoot)
    result = member(*TOKENS, stdin=PLATFORM)
    jane, omar, root = result.records
    assert (jane, root) == (became(7, "jane", "added"), became(9, "root", "same"))
    assert (omar["id"], omar["result"], result.status) == (8, "failed", status)
    assert omar["detail"].startswith(detail.format(url=chatwoot.url))
    assert result.stderr == "1 not done; mend what is told, and run it again for the rest\n"
    assert states(member) == [(7, "works"), (9, "works")]


def test_a_platform_token_that_is_none_is_tried_once(member: Notifycli, chatwoot: Chatwoot) -> None:
    result = member(*TOKENS, stdin=JANE.encode())
    assert (result.status, [one["result"] for one in result.records]) == (
        *(77, ["failed", "left", "left"]),
    )
    assert result.records[0]["detail"] == (
        f"{chatwoot.url} refuses the platform token: Invalid access_token; "
        "copy it from its super admin page (Platform Apps); a user's own token isn't one"
    )
    assert chatwoot.count("POST") == 1
    assert JANE not in result.stdout.decode() + result.stderr


def test_it_says_where_tokens_come_from_and_that_a_login_comes_first(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    unconnected = notifycli(*TOKENS, stdin=PLATFORM)
    assert (unconnected.status, "chatwoot login https" in unconnected.stderr) == (78, True)
    bare = notifycli("chatwoot", "tokens")
    assert (bare.status, "tokens --platform" in bare.stderr) == (2, True)
    assert chatwoot.asked == []
