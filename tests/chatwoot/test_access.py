"""`notifycli chatwoot login|status|logout`."""

from __future__ import annotations

import json
import re

import pytest

from tests.chatwoot.recorded import JANE, OMAR, ROOT, Asked, Chatwoot, Person, Reply
from tests.conftest import Json, Notifycli, Program

WRONG = "wrong" * 5


def access(chatwoot: Chatwoot, **differing: object) -> Json:
    return {
        "account_id": 1,
        "url": chatwoot.url,
        "remote_account_id": 1,
        "user_id": 9,
        "email": "root@example.com",
        "role": "administrator",
        "token": "…oroo",
        "state": "works",
        "pulled_at": None,
        **differing,
    }


def test_login_asks_whose_the_token_is_and_keeps_it_in_the_keyring(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    result = notifycli.ok("chatwoot", "login", chatwoot.url + "/", stdin=f"{ROOT}\n".encode())
    assert result.stdout == b""
    assert result.stderr == (
        f"connected account 1 with {chatwoot.url}, as root@example.com (administrator)\n"
        "next: notifycli chatwoot pull\n"
        "then, for what happened: notifycli why -u EMAIL --since yesterday\n"
        "and for what happens: notifycli chatwoot watch, or a webhook to notifycli listen\n"
    )
    assert [(a.method, a.path) for a in chatwoot.asked] == [("GET", "/api/v1/profile")]
    assert notifycli.ok("user", "list").records == [
        {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"}
    ]
    (token,) = notifycli.ok("token", "list").records
    assert (token["name"], token["token"], token["label"], token["state"]) == (
        *("chatwoot", "…oroo"),
        *(chatwoot.url, "active"),
    )
    assert ROOT.encode() not in notifycli.store.read_bytes()


@pytest.mark.parametrize(
    "shown",
    [
        "/app",
        "/app/accounts/1/dashboard",
        "/app/accounts/1/conversations/5?inbox_id=2#reply",
        "/app/login?sso_auth_token=x",
    ],
)
def test_login_takes_what_the_bar_of_a_browser_shows(
    notifycli: Notifycli, chatwoot: Chatwoot, shown: str
) -> None:
    notifycli.ok("chatwoot", "login", chatwoot.url + shown, stdin=ROOT.encode())
    assert notifycli.ok("chatwoot", "status").records == [access(chatwoot)]


def test_login_takes_the_account_of_what_the_bar_of_a_browser_shows(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    shown = f"{chatwoot.url}/app/accounts/5/dashboard"
    result = notifycli("chatwoot", "login", shown, stdin=ROOT.encode())
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr.startswith("error: root@example.com has no account 5 there")


def test_login_at_an_address_with_more_behind_it_names_what_one_is_like(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    result = notifycli("chatwoot", "login", f"{chatwoot.url}/desk", stdin=ROOT.encode())
    assert (result.status, result.stdout) == (69, b"")
    assert result.stderr == (
        f"error: {chatwoot.url}/desk has no /api/v1/profile: Resource could not be found\n"
        "  check its address: it is like https://chat.example.com, without more behind it\n"
    )


def test_login_again_with_the_same_token_changes_nothing(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    result = member.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    assert result.stderr == "root@example.com (administrator) is logged in already\n"
    assert len(member.ok("token", "list").records) == 1


def test_login_of_a_further_user_needs_no_address(member: Notifycli, chatwoot: Chatwoot) -> None:
    member.ok("chatwoot", "login", "-u", "Jane@example.com", stdin=JANE.encode())
    assert member.ok("chatwoot", "status").records == [
        access(chatwoot, user_id=7, email="jane@example.com", role="agent", token="…njan"),  # noqa: S106 - masked
        access(chatwoot),
    ]


def test_login_with_dry_run_stores_nothing(notifycli: Notifycli, chatwoot: Chatwoot) -> None:
    result = notifycli.ok("chatwoot", "login", chatwoot.url, "--dry-run", stdin=ROOT.encode())
    assert result.stderr.startswith("would connect account 1 with http://127.0.0.1:")
    assert not notifycli.store.exists()


def test_login_maps_the_account_to_the_one_there(notifycli: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.accounts = [(3, "Acme"), (4, "Other")]
    login = ("chatwoot", "login", chatwoot.url)
    several = notifycli(*login, stdin=ROOT.encode())
    assert (several.status, "3 Acme, 4 Other" in several.stderr) == (2, True)
    notifycli.ok(*login, "-a", "1", "--remote", "3", stdin=ROOT.encode())
    assert notifycli.ok("chatwoot", "status").records == [access(chatwoot, remote_account_id=3)]


@pytest.mark.parametrize("command", ["simulate", "why -u 7", "deliver", "deliver --dry-run"])
def test_events_under_the_number_there_are_told_with_how_to_give_them_the_one_here(
    notifycli: Notifycli, chatwoot: Chatwoot, command: str
) -> None:
    chatwoot.accounts = [(3, "Acme")]
    login = ("chatwoot", "login", chatwoot.url, "-a", "1", "--remote", "3")
    notifycli.ok(*login, stdin=ROOT.encode())
    notifycli.ok("chatwoot", "pull")
    hook = {"event": "conversation_created", "id": 615, "inbox_id": 3, "assignee_id": 7}
    (notifycli.folder / "hooks.jsonl").write_text(json.dumps({**hook, "account": {"id": 3}}))
    told = (
        "account 3 isn't on record here: account 1 is connected to the one of that number at "
        f"{chatwoot.url}; as events of account 1: "
        "jq -c '.account = {id: 1}' EVENTS | notifycli simulate; "
        "notifycli chatwoot watch keeps them so\n"
    )
    done = notifycli(*command.split(), "hooks.jsonl")
    assert told in done.stderr
    assert "directory learn" not in done.stderr
    ours = json.dumps({**hook, "account": {"id": 1}})
    assert told not in notifycli(*command.split(), "-", stdin=ours.encode()).stderr


def test_a_further_user_must_belong_to_the_account_that_is_connected(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.accounts = [(5, "Other")]
    result = member("chatwoot", "login", stdin=JANE.encode())
    assert (result.status, "has no account 1 there" in result.stderr) == (2, True)
    assert [user["id"] for user in member.ok("user", "list").records] == [9]


REFUSED = [
    pytest.param([], WRONG, 77, "refuses the token: Invalid Access Token", id="a wrong token"),
    pytest.param(["-u", "omar@example.com"], JANE, 2, "is jane@example.com's", id="another user's"),
    pytest.param(["--remote", "5"], JANE, 2, "no account 5 there", id="an account not there"),
    pytest.param([], "short", 65, "this is no token", id="no token"),
    pytest.param([], f"{JANE}\r\nHost: x", 65, "this is no token", id="a header in the token"),
    pytest.param([], "", 65, "no token came", id="nothing on standard input"),
]


@pytest.mark.parametrize(("options", "token", "status", "said"), REFUSED)
def test_a_login_that_is_refused_leaves_nothing_behind(
    notifycli: Notifycli,
    chatwoot: Chatwoot,
    options: list[str],
    token: str,
    *,
    status: int,
    said: str,
) -> None:
    result = notifycli("chatwoot", "login", chatwoot.url, *options, stdin=token.encode())
    assert (result.status, result.stdout) == (status, b"")
    assert said in result.stderr
    assert token == "" or token not in result.stderr
    assert notifycli.ok("user", "list").records == []
    assert notifycli("chatwoot", "status").status == 1


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ([], "which Chatwoot?"),
        (["http://chat.example.com"], "would send the token unencrypted"),
        (["chat"], "this is no address of a Chatwoot"),
    ],
    ids=["none", "not encrypted", "no address"],
)
def test_an_address_is_refused_before_the_token_is_asked_for(
    notifycli: Notifycli, address: list[str], said: str
) -> None:
    result = notifycli("chatwoot", "login", *address)
    assert (result.status, said in result.stderr) == (2, True)
    assert not notifycli.store.exists()


def test_login_elsewhere_needs_a_logout_first(member: Notifycli, chatwoot: Chatwoot) -> None:
    before = len(chatwoot.asked)
    result = member("chatwoot", "login", "https://other.example.com", "-a", "1", stdin=b"x" * 24)
    assert (result.status, len(chatwoot.asked)) == (2, before)
    assert f"connected to {chatwoot.url}" in result.stderr


def test_a_token_of_that_name_that_was_given_for_elsewhere_is_not_sent(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    member.ok("user", "add", "omar@example.com", "--id", "8")
    label = ("--name", "chatwoot", "--label", "https://other.example.com")
    member.ok("token", "set", "-u", "8", *label, stdin=OMAR.encode())
    assert [record["user_id"] for record in member.ok("chatwoot", "status").records] == [9]
    result = member("chatwoot", "pull", "-u", "8")
    assert (result.status, "no token of omar@example.com" in result.stdout.decode()) == (77, True)
    assert OMAR not in {asked.headers["api_access_token"] for asked in chatwoot.asked}


def test_status_tells_of_a_token_that_works_no_more(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    del chatwoot.people[JANE]
    result = everybody("chatwoot", "status")
    states = {record["user_id"]: record["state"] for record in result.records}
    assert (result.status, states[8], states[9]) == (77, "works", "works")
    assert "refuses the token" in states[7]


def test_who_is_no_longer_in_the_account_is_told_by_whatever_asks(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    def refuse(asked: Asked, _person: Person | None) -> None:
        if "/accounts/1/" in asked.path:
            raise Reply(401, {"error": "You are not authorized to access this account"})

    chatwoot.accounts, chatwoot.before = [(5, "Other")], refuse
    gone = f"root@example.com isn't in account 1 at {chatwoot.url} any more"
    remedy = (
        "add them there, Settings > Agents; or forget the token: "
        "notifycli chatwoot logout -u root@example.com"
    )
    status = member("chatwoot", "status")
    assert (status.status, status.records) == (77, [access(chatwoot, state=f"{gone}; {remedy}")])
    (checked,) = (one for one in member("doctor").records if one["check"] == "chatwoot")
    assert (checked["status"], checked["meaning"], checked["fix"]) == ("fail", gone, remedy)
    pull = member("chatwoot", "pull")
    assert (pull.status, pull.stderr) == (77, f"error: {gone}\n  {remedy}\n")


def test_status_without_a_connection_is_1(notifycli: Notifycli) -> None:
    result = notifycli("chatwoot", "status")
    assert (result.status, result.stdout) == (1, b"")
    assert "notifycli chatwoot login" in result.stderr


@pytest.mark.parametrize("verb", ["logout", "pull"])
def test_without_a_connection_the_rest_is_78(notifycli: Notifycli, verb: str) -> None:
    result = notifycli("chatwoot", verb)
    assert (result.status, result.stdout) == (78, b"")
    assert "notifycli chatwoot login" in result.stderr


def test_status_fits_a_terminal(member: Notifycli, chatwoot: Chatwoot, program: Program) -> None:
    shown = program.on_terminal("chatwoot", "status").stdout.decode()
    assert "account 1 is account 1 at http://127.0.0.1" in shown
    assert "root@example.com" in shown
    assert "administrator" in shown
    rows = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown).splitlines()
    assert max(map(len, rows[-4:])) <= 80
    assert (member.store.exists(), chatwoot.count("GET")) == (True, 2)


def test_logout_forgets_tokens_and_connection_and_nothing_else(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    before = pulled.ok("prefs", "export", "-o", "json").stdout
    dry = pulled.ok("chatwoot", "logout", "--dry-run")
    assert dry.stderr == "would forget 3 tokens and the connection\n"
    assert len(pulled.ok("chatwoot", "status").records) == 3
    result = pulled.ok("chatwoot", "logout")
    assert result.stderr.startswith("3 tokens forgotten; to end them at http://127.0.0.1")
    assert pulled("chatwoot", "status").status == 1
    assert pulled.ok("token", "list").records == []
    assert pulled.ok("prefs", "export", "-o", "json").stdout == before
    assert len(pulled.ok("user", "list").records) == 3
    assert chatwoot.count("POST") == 0


def test_logout_of_one_user_keeps_the_others(everybody: Notifycli) -> None:
    everybody.ok("chatwoot", "logout", "-u", "jane@example.com")
    left = everybody.ok("chatwoot", "status").records
    assert [record["user_id"] for record in left] == [8, 9]


def test_a_token_that_is_kept_under_another_name_is_told_before_anything_is_stored(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    notifycli.ok("token", "set", "-u", "7", stdin=JANE.encode())
    result = notifycli("chatwoot", "login", chatwoot.url, stdin=JANE.encode())
    assert (result.status, result.stderr) == (
        2,
        (
            "error: this token is kept already, as user 7's 'default'\n"
            "  let go of it there, then log in: notifycli token revoke -a 1 -u 7 --name default\n"
        ),
    )
    assert notifycli("chatwoot", "status").status == 1
    notifycli.ok("token", "revoke", "-a", "1", "-u", "7", "--name", "default")
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=JANE.encode())


def test_a_token_that_this_very_store_has_made_connects_it_with_nothing(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--id", "7")
    ours = notifycli.ok("token", "show", "-u", "7").stdout
    result = notifycli("chatwoot", "login", chatwoot.url, stdin=ours)
    assert (result.status, result.stderr) == (
        2,
        (
            "error: this token was made by this very store, which can't be its own Chatwoot\n"
            "  keep what comes from elsewhere in another store: --db PATH\n"
        ),
    )
    assert chatwoot.asked == []


def test_an_empty_standard_input_names_the_way_to_log_in(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    result = notifycli("chatwoot", "login", chatwoot.url)
    assert (result.status, result.stderr) == (
        65,
        (
            "error: no token came from standard input\n"
            "  pipe it: pass chatwoot/jane | notifycli chatwoot login\n"
        ),
    )


def test_an_answer_of_another_shape_names_its_place(member: Notifycli, chatwoot: Chatwoot) -> None:
    def wrong(_asked: Asked, _person: Person | None) -> None:
        raise Reply(200, {"id": "nine", "email": "root@example.com"})

    chatwoot.before = wrong
    result = member("chatwoot", "status")
    assert result.status == 69
    assert "GET /api/v1/profile" in result.records[0]["state"]
    assert "Expected `int`, got `str` - at `$.id`" in result.records[0]["state"]


LOG = "its own log says why, as in docker compose logs rails"
SHAPE = "check that the address is your Chatwoot's, and its version 4 or newer"
RIGHTS = "use the token of an administrator: notifycli chatwoot login"


@pytest.mark.parametrize(
    ("status", "ends", "said", "remedy"),
    [
        *(
            (code, 69, f"answers GET {{path}} with {code}", f"try again later; if it stays, {LOG}")
            for code in (500, 502, 503, 504)
        ),
        (
            *(422, 69, "answers GET {path} with 422"),
            f"nothing of this request was done; mend what it says, or if it says nothing, {LOG}",
        ),
        (418, 69, "answers GET {path} with 418", SHAPE),
        (403, 77, "doesn't permit GET {path}", RIGHTS),
    ],
)
def test_whatever_it_refuses_the_second_line_says_what_to_do(
    member: Notifycli, chatwoot: Chatwoot, *, status: int, ends: int, said: str, remedy: str
) -> None:
    def refuse(asked: Asked, _person: Person | None) -> None:
        if asked.path.endswith("/agents"):
            raise Reply(status, {"error": "nope"})

    chatwoot.before = refuse
    done = member("chatwoot", "pull")
    what = said.format(path="/api/v1/accounts/1/agents")
    assert (done.status, done.stdout) == (ends, b"")
    assert done.stderr == f"error: {chatwoot.url} {what}: nope\n  {remedy}\n"


@pytest.mark.parametrize("raw", [b"<html>", b"", b'{"id":', b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_told(notifycli: Notifycli, chatwoot: Chatwoot, raw: bytes) -> None:
    def wrong(_asked: Asked, _person: Person | None) -> None:
        raise Reply(200, headers={"X-Raw": "1"}, raw=raw or b" ")

    chatwoot.before = wrong
    result = notifycli("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    assert (result.status, "another shape than Chatwoot's" in result.stderr) == (69, True)


def test_a_server_that_repeats_the_token_does_not_bring_it_to_light(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    def telling(_asked: Asked, _person: Person | None) -> None:
        raise Reply(422, {"error": f"\x1b[2J{ROOT} is odd: {'x' * 1000}"})

    chatwoot.before = telling
    result = notifycli("chatwoot", "login", chatwoot.url, "--verbose", stdin=ROOT.encode())
    assert result.status == 69
    assert "answers GET /api/v1/profile with 422: [2J… is odd: xxx" in result.stderr
    assert ROOT not in result.stderr
    assert len(result.stderr) < 500


def test_the_token_of_a_connected_account_is_the_one_that_works_there(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    member.ok("chatwoot", "pull")
    said = f"root@example.com's token for {chatwoot.url}\n"
    for verb, printed in (("show", f"{ROOT}\n"), ("header", f"api_access_token: {ROOT}\n")):
        done = member.ok("token", verb, "-u", "9")
        assert (done.stdout.decode(), done.stderr) == (printed, said)
    own = member.ok("token", "show", "-u", "9", "--name", "default")
    assert own.stdout.startswith(b"nct_")
    hers = member.ok("token", "show", "-u", "7").stderr.splitlines()
    assert hers[0] == (
        f"no token of jane@example.com for {chatwoot.url} is held; this one opens notifycli serve "
        "alone; log them in: notifycli chatwoot login -u jane@example.com"
    )
