"""A secret that is typed as an argument, where none belongs: no error repeats it."""

from __future__ import annotations

import pytest

from tests.conftest import Notifycli

TOKEN = "nct_3kZ0qWvR1tYbN8sLxD5mJ7cHfG2pAe0Qm1Tz"  # noqa: S105 - it opens nothing
CHATWOOT_TOKEN = "kqTbVZ9n5hJtW2sFx7mDcR4g"  # noqa: S105 - nor does this
WORD = "correct-horse"

TOO_MANY = (
    "error: an argument too many; it isn't repeated here, since it may be a secret\n"
    "  secrets are read from standard input: pipe them; see notifycli {} --help\n"
)
KEPT_ELSEWHERE = (
    "error: an argument too many; it isn't repeated here, since it may be a secret\n"
    "  no secret belongs on the command line; see notifycli {} --help\n"
)
NO_CHANNEL = (
    "error: Invalid value for 'CHANNEL': what was typed, which may be a secret, is none of "
    "webhook, slack, teams, discord, telegram, signal, ntfy, sms, apprise\n"
    "  secrets are read from standard input: pipe them; see notifycli channel {} --help\n"
)
NO_ID = (
    "error: Invalid value for 'ID...': what was typed, which may be a secret, is no subscription's "
    "number: a number from 1 on is expected\n"
    "  secrets are read from standard input: pipe them; see notifycli push remove --help\n"
)
A_FILE = "error: the store named is a file: it has no password\n  name a postgresql:// address\n"
IN_THE_OPEN = (
    "error: smtp.password is a secret: on the command line others could read it\n"
    "  type just its name, and it is asked for: notifycli config set smtp.password\n"
)
NO_VERB = (
    "error: No such command as was typed; it may be a secret.\n"
    "  there are: {}; see notifycli {} --help\n"
)
VERBS = "show, copy, header, generate, rotate, revoke, set, list, verify"
ALONE = "error: smtp.passwd: a name alone is expected\n  to give it a value: config set\n"
NO_ADDRESS = "error: this is no address of a Chatwoot\n  it is like https://chat.example.com\n"


@pytest.mark.parametrize("secret", [TOKEN, CHATWOOT_TOKEN, WORD])
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["token", "verify", "SECRET"], TOO_MANY.format("token verify")),
        (["tokens", "verify", "SECRET"], TOO_MANY.format("tokens verify")),
        (["token", "set", "-u", "7", "SECRET"], TOO_MANY.format("token set")),
        (["token", "show", "SECRET"], TOO_MANY.format("token show")),
        (["chatwoot", "login", "https://x.test", "SECRET"], TOO_MANY.format("chatwoot login")),
        (["chatwoot", "login", "SECRET"], NO_ADDRESS),
        (["config", "set", "smtp.password=SECRET"], IN_THE_OPEN),
        (["config", "set", "smtp.password", "SECRET"], IN_THE_OPEN),
        (["config", "set", "smtp.password", "SECRET=x"], IN_THE_OPEN),
        (["config", "set", "SMTP.password:SECRET"], IN_THE_OPEN),
        (["config", "unset", "smtp.password", "SECRET"], IN_THE_OPEN),
        (["config", "get", "smtp.password=SECRET"], IN_THE_OPEN),
        (["config", "get", "smtp.passwd=SECRET"], ALONE),
        (["config", "unset", "smtp.passwd=SECRET"], ALONE),
        (["config", "smtp.password=SECRET"], NO_VERB.format("set, get, list, unset", "config")),
        (["token", "SECRET"], NO_VERB.format(VERBS, "token")),
        (["config", "get", "smtp.password", "SECRET"], TOO_MANY.format("config get")),
        (["channel", "add", "slack", "slack://SECRET"], TOO_MANY.format("channel add")),
        (["channel", "remove", "slack", "slack://SECRET"], TOO_MANY.format("channel remove")),
        (["channel", "test", "slack", "slack://SECRET"], TOO_MANY.format("channel test")),
        (["channel", "list", "SECRET"], TOO_MANY.format("channel list")),
        (["channel", "add", "SECRET"], NO_CHANNEL.format("add")),
        (["channel", "add", "slack://SECRET/B/C"], NO_CHANNEL.format("add")),
        (["channel", "remove", "slack://SECRET"], NO_CHANNEL.format("remove")),
        (["channel", "test", "slack://SECRET"], NO_CHANNEL.format("test")),
        (["channel", "slack://SECRET"], NO_VERB.format("list, add, remove, test", "channel")),
        (["store", "login", "https://x.test", "SECRET"], TOO_MANY.format("store login")),
        (["store", "login", "SECRET"], A_FILE),
        (["store", "reseal", "SECRET"], TOO_MANY.format("store reseal")),
        (["store", "seal", "SECRET"], TOO_MANY.format("store seal")),
        (["store", "SECRET"], NO_VERB.format("copy, login, seal, reseal", "store")),
        (["push", "add", "SECRET"], TOO_MANY.format("push add")),
        (["push", "keys", "show", "SECRET"], TOO_MANY.format("push keys show")),
        (["push", "keys", "SECRET"], NO_VERB.format("generate, show, rotate", "push keys")),
        (["push", "remove", "SECRET"], NO_ID),
        (["email", "test", "SECRET"], KEPT_ELSEWHERE.format("email test")),
        (["email", "SECRET"], NO_VERB.format("test, templates, preview", "email")),
        (["listen", "SECRET"], KEPT_ELSEWHERE.format("listen")),
        (["serve", "SECRET"], KEPT_ELSEWHERE.format("serve")),
        (["backup", "x.tar.gz", "SECRET"], KEPT_ELSEWHERE.format("backup")),
        (["restore", "x.tar.gz", "SECRET"], KEPT_ELSEWHERE.format("restore")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_where_a_secret_may_be_meant_no_word_is_repeated(
    desk: Notifycli, arguments: list[str], told: str, secret: str
) -> None:
    given = [word.replace("SECRET", secret) for word in arguments]
    result = desk(*given, stdin=b"x" * 24)
    assert (result.status, result.stdout, result.stderr) == (2, b"", told)


@pytest.mark.parametrize(("secret", "masked"), [(TOKEN, "nct_…m1Tz"), (CHATWOOT_TOKEN, "…cR4g")])
@pytest.mark.parametrize(
    "arguments",
    [
        ["SECRET"],
        ["user", "list", "SECRET"],
        ["user", "show", "SECRET"],
        ["user", "show", "--user=SECRET"],
        ["user", "list", "-o", "SECRET"],
        ["prefs", "set", "SECRET", "-u", "7"],
        ["prefs", "set", "audio=SECRET", "-u", "7"],
        ["config", "set", "smtp.port=SECRET"],
    ],
    ids=" ".join,
)
def test_what_looks_like_a_token_is_masked_in_every_error(
    desk: Notifycli, arguments: list[str], secret: str, masked: str
) -> None:
    result = desk(*(word.replace("SECRET", secret) for word in arguments))
    assert (result.status, result.stdout) == (2, b"")
    assert (secret in result.stderr, masked in result.stderr) == (False, True)


def test_a_long_word_that_looks_like_no_token_is_told_whole(desk: Notifycli) -> None:
    key = "email.participatingconversationnewmessage"
    assert repr(key) in desk("prefs", "set", f"{key}=on", "-u", "7").stderr


def test_the_value_of_a_setting_without_a_noun_is_not_repeated(desk: Notifycli) -> None:
    told = desk("smtp.password=correct-horse").stderr
    assert told.splitlines()[0] == "error: No such command 'smtp.password=…'."


def test_a_misspelt_verb_still_has_its_nearest_named(desk: Notifycli) -> None:
    told = "error: No such command as was typed; it may be a secret. Did you mean 'show'?\n"
    assert desk("token", "shwo").stderr == f"{told}  see notifycli token --help\n"


@pytest.mark.parametrize(
    "name",
    [
        "ConversationEventsOf2027.jsonl",
        "/srv/ConversationEventsOfMar27/x.jsonl",
        "ConversationEventsOfMarch2027",
        "JohannaElisabethHohen123@example.com",
        "conversationeventsof2027",
    ],
)
def test_a_name_that_is_as_long_as_a_token_is_repeated_whole(desk: Notifycli, name: str) -> None:
    assert desk("simulate", name).stderr.startswith(f"error: {name}: ")
