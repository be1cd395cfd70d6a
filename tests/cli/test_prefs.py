"""`notifycli prefs`: list, get, set, unset, in four layers."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from notifycli.rules.preferences import BEYOND, KEYS
from tests.conftest import Json, Notifycli

BUILTIN = {
    "audio": "none",
    "audio.tone": "ding",
    "audio.when": "hidden",
    "audio.repeat": "off",
    "email.conversation_creation": "off",
    "email.conversation_assignment": "on",
    "email.conversation_mention": "off",
    "email.assigned_conversation_new_message": "off",
    "email.participating_conversation_new_message": "off",
    "email.unassigned_conversation_new_message": "off",
    "email.sla_missed_first_response": "off",
    "email.sla_missed_next_response": "off",
    "email.sla_missed_resolution": "off",
    "push.conversation_creation": "off",
    "push.conversation_assignment": "on",
    "push.conversation_mention": "off",
    "push.assigned_conversation_new_message": "off",
    "push.participating_conversation_new_message": "off",
    "push.unassigned_conversation_new_message": "off",
    "push.sla_missed_first_response": "off",
    "push.sla_missed_next_response": "off",
    "push.sla_missed_resolution": "off",
    "inactive_after": "60s",
    "quiet_hours": "off",
}
SHORT = {
    "created": "conversation_creation",
    "assigned": "conversation_assignment",
    "mention": "conversation_mention",
    "message": "assigned_conversation_new_message",
    "participating": "participating_conversation_new_message",
    "unassigned": "unassigned_conversation_new_message",
    "sla_first": "sla_missed_first_response",
    "sla_next": "sla_missed_next_response",
    "sla_resolution": "sla_missed_resolution",
}
MENTION = "email.conversation_mention"


def listed(notifycli: Notifycli, *arguments: str) -> list[Json]:
    return notifycli.ok("prefs", "list", *arguments).records


def value(notifycli: Notifycli, key: str, *options: str) -> str:
    return notifycli.ok("prefs", "get", key, *options).stdout.decode()


def record(key: str, value: str, origin: str) -> Json:
    return {"key": key, "value": value, "origin": origin, "locked": origin == "lock"}


def changed(values: dict[str, tuple[str, str]]) -> list[Json]:
    """The whole list, where nothing is set but these values with their origins."""
    return [record(key, *values.get(key, (own, "builtin"))) for key, own in BUILTIN.items()]


def test_list_of_a_user_with_nothing_set_is_the_builtin_of_every_key(desk: Notifycli) -> None:
    assert listed(desk, "-u", "7") == changed({})


def test_the_only_user_is_the_default_user(notifycli: Notifycli) -> None:
    notifycli.ok("user", "add", "jane@example.com")
    notifycli.ok("prefs", "set", "audio=all")
    assert value(notifycli, "audio") == "all\n"
    assert listed(notifycli) == changed({"audio": ("all", "user")})
    notifycli.ok("prefs", "unset", "audio")
    assert listed(notifycli) == changed({})


@pytest.mark.parametrize(
    "command",
    [["list"], ["get", "audio"], ["set", "audio=all"], ["unset", "audio"]],
    ids=lambda command: command[0],
)
def test_with_several_users_and_none_named_the_error_lists_how_to_name_one(
    desk: Notifycli, command: list[str]
) -> None:
    result = desk("prefs", *command)
    assert (result.status, result.stdout) == (2, b"")
    for told in ("jane@example.com", "omar@example.com", "root@example.com", "-u"):
        assert told in result.stderr
    assert "NOTIFYCLI_USER" in result.stderr


@pytest.mark.parametrize(
    "command", [["list"], ["get", "audio"], ["set", "audio=all"], ["unset", "audio"]]
)
@pytest.mark.parametrize(
    ("reference", "near"), [("jnae@example.com", "jane@example.com"), ("77", "7")]
)
def test_an_unknown_user_is_2_with_the_nearest_named(
    desk: Notifycli, command: list[str], reference: str, near: str
) -> None:
    result = desk("prefs", *command, "-u", reference)
    assert (result.status, result.stdout) == (2, b"")
    assert near in result.stderr.splitlines()[-1]


LAYERS: dict[str, list[str]] = {
    "lock": ["--lock"],
    "inbox": ["--inbox", "3", "-u", "7"],
    "user": ["-u", "7"],
    "default": ["--default"],
}
# (who asks, with which options, the value, the layer it comes from) after each layer was set.
WHERE = [
    pytest.param(
        ["default"],
        [
            (["-u", "7"], "chime", "default"),
            (["-u", "9", "--inbox", "3"], "chime", "default"),
            (["--default"], "chime", "default"),
        ],
        id="a default is everybody's",
    ),
    pytest.param(
        ["default", "user"],
        [
            (["-u", "7"], "bell", "user"),
            (["-u", "7", "--inbox", "3"], "bell", "user"),
            (["-u", "8"], "chime", "default"),
            (["--default"], "chime", "default"),
        ],
        id="a user's own value beats the default, for them alone",
    ),
    pytest.param(
        ["default", "user", "inbox"],
        [
            (["-u", "7"], "bell", "user"),
            (["-u", "7", "--inbox", "3"], "magic", "inbox"),
            (["-u", "7", "--inbox", "4"], "bell", "user"),
            (["-u", "8", "--inbox", "3"], "chime", "default"),
        ],
        id="a value for an inbox beats the user's own, in that inbox alone",
    ),
    pytest.param(
        ["default", "user", "inbox", "lock"],
        [
            (["-u", "7"], "ping", "lock"),
            (["-u", "7", "--inbox", "3"], "ping", "lock"),
            (["-u", "8"], "ping", "lock"),
            (["--default"], "ping", "lock"),
        ],
        id="a lock beats all",
    ),
    pytest.param(
        ["inbox"],
        [(["-u", "7"], "ding", "builtin"), (["-u", "7", "--inbox", "3"], "magic", "inbox")],
        id="an inbox value alone leaves the rest as built in",
    ),
]
TONES = {"default": "chime", "user": "bell", "inbox": "magic", "lock": "ping"}


@pytest.mark.parametrize(("layers", "answers"), WHERE)
def test_where_a_value_comes_from(
    desk: Notifycli, layers: list[str], answers: list[tuple[list[str], str, str]]
) -> None:
    desk.ok("inbox", "add", "4")
    for layer in layers:
        desk.ok("prefs", "set", f"audio.tone={TONES[layer]}", *LAYERS[layer])
    found = [
        (options, *(desk.ok("prefs", "list", "audio.tone", *options).records))
        for options, _, _ in answers
    ]
    assert found == [
        (options, record("audio.tone", tone, origin)) for options, tone, origin in answers
    ]
    for options, tone, origin in answers:
        assert value(desk, "audio.tone", *options) == f"{tone}\n"
        shown = value(desk, "audio.tone", "--show-origin", *options)
        assert sorted(shown.split()) == sorted([tone, origin])


@pytest.mark.parametrize("layer", LAYERS)
def test_unset_takes_away_one_layer_and_no_other(desk: Notifycli, layer: str) -> None:
    for each in ("default", "user", "inbox", "lock"):
        desk.ok("prefs", "set", f"audio.tone={TONES[each]}", *LAYERS[each])
    if layer != "lock":
        assert desk("prefs", "unset", "audio.tone", *LAYERS[layer]).status == 77
        desk.ok("prefs", "unset", "audio.tone", "--lock")
    desk.ok("prefs", "unset", "audio.tone", *LAYERS[layer])
    in_inbox = value(desk, "audio.tone", "-u", "7", "--inbox", "3")
    at_large = value(desk, "audio.tone", "-u", "7")
    of_others = value(desk, "audio.tone", "--default")
    assert (in_inbox, at_large, of_others) == {
        "lock": ("magic\n", "bell\n", "chime\n"),
        "inbox": ("bell\n", "bell\n", "chime\n"),
        "user": ("magic\n", "chime\n", "chime\n"),
        "default": ("magic\n", "bell\n", "ding\n"),
    }[layer]


def test_unset_of_what_is_not_set_is_no_error(desk: Notifycli) -> None:
    result = desk("prefs", "unset", "audio", "email.*", "-u", "7")
    assert (result.status, result.stdout) == (0, b"")


def test_a_lock_hides_what_was_set_before_and_gives_it_back(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "email.mention=on", "-u", "7")
    desk.ok("prefs", "set", "email.*=off", "--lock")
    assert value(desk, "email.mention", "-u", "7") == "off\n"
    desk.ok("prefs", "unset", "email.*", "--lock")
    assert value(desk, "email.mention", "-u", "7") == "on\n"


@pytest.mark.parametrize("layer", ["inbox", "user", "default"])
@pytest.mark.parametrize("given", ["on", "off"], ids=["another value", "the lock's own value"])
def test_setting_a_locked_key_in_a_lower_layer_is_77(
    desk: Notifycli, layer: str, given: str
) -> None:
    desk.ok("prefs", "set", "email.mention=off", "--lock")
    result = desk("prefs", "set", "audio=all", f"email.mention={given}", *LAYERS[layer])
    assert (result.status, result.stdout) == (77, b"")
    assert MENTION in result.stderr
    assert "notifycli prefs unset --lock" in result.stderr
    desk.ok("prefs", "unset", "--lock", MENTION)
    assert listed(desk, "-u", "7", "--inbox", "3") == changed({})


def test_setting_a_locked_key_to_what_it_had_before_is_77_too(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "email.mention=on", "-u", "7")
    desk.ok("prefs", "set", "email.mention=off", "--lock")
    assert desk("prefs", "set", "email.mention=on", "-u", "7").status == 77


def test_all_users_changes_every_user_of_the_account(desk: Notifycli) -> None:
    desk.ok("user", "add", "far@example.com", "-a", "2")
    desk.ok("prefs", "set", "audio=all", "--all-users", "-a", "1")
    for user in ("7", "8", "9"):
        assert listed(desk, "audio", "-a", "1", "-u", user) == [record("audio", "all", "user")]
    assert value(desk, "audio", "-a", "2") == "none\n"
    desk.ok("prefs", "unset", "audio", "--all-users", "-a", "1")
    assert value(desk, "audio", "-a", "1", "-u", "8") == "none\n"


def test_several_named_users_are_changed_at_once(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7", "-u", "root@example.com")
    origins = [listed(desk, "audio", "-u", user)[0]["origin"] for user in ("7", "8", "9")]
    assert origins == ["user", "builtin", "user"]


def test_one_unknown_user_among_several_and_nothing_is_stored(desk: Notifycli) -> None:
    assert desk("prefs", "set", "audio=all", "-u", "7", "-u", "77").status == 2
    assert listed(desk, "-u", "7") == changed({})


def test_get_takes_one_user(desk: Notifycli) -> None:
    result = desk("prefs", "get", "audio", "-u", "7", "-u", "8")
    assert (result.status, result.stdout) == (2, b"")


@pytest.mark.parametrize(("short", "full"), SHORT.items())
@pytest.mark.parametrize("channel", ["email", "push"])
def test_short_names_flags_and_full_names_are_one_key(
    desk: Notifycli, channel: str, short: str, full: str
) -> None:
    key = f"{channel}.{full}"
    other = "off" if BUILTIN[key] == "on" else "on"
    desk.ok("prefs", "set", f"{channel}.{short}={other}", "-u", "7")
    assert listed(desk, "-u", "7") == changed({key: (other, "user")})
    desk.ok("prefs", "unset", f"{channel}_{full}", "-u", "7")
    assert listed(desk, "-u", "7") == changed({})
    desk.ok("prefs", "set", f"{key}={other}", "-u", "7")
    assert value(desk, f"{channel}.{short}", "-u", "7") == f"{other}\n"
    assert value(desk, f"{channel}_{full}", "-u", "7") == f"{other}\n"


@pytest.mark.parametrize("channel", ["email", "push"])
def test_a_glob_is_every_type_of_its_channel(desk: Notifycli, channel: str) -> None:
    desk.ok("prefs", "set", f"{channel}.*=on", "-u", "7")
    keys = [key for key in BUILTIN if key.startswith(channel)]
    assert listed(desk, "-u", "7") == changed(dict.fromkeys(keys, ("on", "user")))
    assert listed(desk, f"{channel}.*", "-u", "7") == [record(key, "on", "user") for key in keys]
    desk.ok("prefs", "unset", f"{channel}.*", "-u", "7")
    assert listed(desk, "-u", "7") == changed({})


VALUES = [
    *(pytest.param("email.mention", word, "on", id=word) for word in ("on", "true", "yes", "1")),
    *(pytest.param("email.mention", word, "off", id=word) for word in ("off", "false", "no", "0")),
    pytest.param("email.mention", "ON", "on", id="a switch in capitals"),
    pytest.param("audio.repeat", "yes", "on", id="audio.repeat is a switch"),
    *(
        pytest.param("audio", word, word, id=f"audio {word}")
        for word in ("none", "assigned", "all", "unassigned", "others", "assigned+unassigned")
    ),
    pytest.param("audio", "mine", "assigned", id="mine is assigned"),
    pytest.param("audio", "notme", "others", id="notme is Chatwoot's word for others"),
    pytest.param("audio", "mine+unassigned", "assigned+unassigned", id="mine joined"),
    pytest.param("audio.when", "always", "always", id="always"),
    pytest.param("audio.tone", "bell", "bell", id="a tone"),
    *(
        pytest.param("inactive_after", text, text, id=f"inactive after {text}")
        for text in ("0s", "60s", "5m", "1h")
    ),
    pytest.param("quiet_hours", "22:00-07:00", "22:00-07:00", id="hours"),
    pytest.param(
        "quiet_hours",
        "22:00-07:00 Europe/Berlin mon-fri",
        "22:00-07:00 Europe/Berlin mon-fri",
        id="hours with zone and days",
    ),
    pytest.param("quiet_hours", "22:00-07:00 sat,sun", "22:00-07:00 sat,sun", id="with days"),
    pytest.param("quiet_hours", "off", "off", id="no quiet hours"),
]


@pytest.mark.parametrize(("key", "given", "stored"), VALUES)
def test_a_value_is_stored_in_one_spelling(
    desk: Notifycli, key: str, given: str, stored: str
) -> None:
    desk.ok("prefs", "set", f"{key}={given}", "-u", "7")
    assert value(desk, key, "-u", "7", "--show-origin").split(maxsplit=1) == ["user", f"{stored}\n"]


WRONG = [
    pytest.param(["adio=all"], ["'adio'", "audio"], id="a key that is none, the nearest named"),
    pytest.param(["email.mentoin=on"], ["email.mention"], id="a short name that is none"),
    pytest.param(["fax.*=on"], ["fax.*"], id="a glob of no channel"),
    pytest.param(["audio.*=on"], ["audio.*"], id="a glob that is none"),
    pytest.param(["=on"], ["''"], id="no key"),
    pytest.param(["audio"], ["audio="], id="no value"),
    pytest.param(["audio="], ["audio", "none"], id="an empty value"),
    pytest.param(["audio=assignd"], ["'assignd'", "did you mean assigned"], id="nearest value"),
    pytest.param(["audio=none+assigned"], ["none+assigned"], id="none joined"),
    pytest.param(["audio=all+assigned"], ["all+assigned"], id="all joined"),
    pytest.param(["audio=assigned+"], ["assigned+"], id="joined with nothing"),
    pytest.param(["email.mention=maybe"], ["'maybe'", "on", "off"], id="a switch that is neither"),
    pytest.param(["audio.tone=trumpet"], ["'trumpet'", "ding"], id="a tone that is none"),
    pytest.param(["audio.when=never"], ["'never'", "hidden", "always"], id="audio.when"),
    pytest.param(["inactive_after=5"], ["'5'", "5m"], id="a duration without a unit"),
    pytest.param(["inactive_after=-5s"], ["'-5s'"], id="a negative duration"),
    pytest.param(["quiet_hours=22-7"], ["'22-7'", "HH:MM-HH:MM"], id="hours without minutes"),
    pytest.param(["quiet_hours=25:00-07:00"], ["25:00"], id="hour 25"),
    pytest.param(["quiet_hours=22:60-07:00"], ["22:60"], id="minute 60"),
    pytest.param(
        ["quiet_hours=22:00-07:00 Europe/Berln"],
        ["'Europe/Berln' is no IANA time zone", "did you mean Europe/Berlin?"],
        id="a zone that is misspelt",
    ),
    pytest.param(
        ["quiet_hours=22:00-07:00 Berlin"],
        ["'Berlin' is no IANA time zone", "did you mean Europe/Berlin?"],
        id="a city for its zone",
    ),
    pytest.param(
        ["quiet_hours=22:00-07:00", "Europe/Berlin", "mon-fri"],
        [
            "'Europe/Berlin mon-fri' stands apart from quiet_hours=22:00-07:00",
            "quote a value that has spaces: 'quiet_hours=22:00-07:00 Europe/Berlin mon-fri'",
        ],
        id="a value with spaces that isn't quoted",
    ),
    pytest.param(
        ["email.mention=on", "jane@example.com"],
        ["'jane@example.com' has no value", "name a user with -u jane@example.com"],
        id="a user without -u",
    ),
    pytest.param(
        ["jane@example.com:email.mention=on"],
        ["names a user", "name a user apart: -u jane@example.com email.mention=on"],
        id="a user before the key",
    ),
    pytest.param(["email=off"], ["'email'", "did you mean 'email.*'?"], id="a channel alone"),
    pytest.param(
        ["mention=on"], ["did you mean email.mention or push.mention?"], id="a type alone"
    ),
    pytest.param(
        ["conversation_mention=on"],
        ["did you mean email.conversation_mention or push.conversation_mention?"],
        id="the full name of a type alone",
    ),
    pytest.param(["audio=off"], ["'off': the value is none, all"], id="a switch's value"),
    pytest.param(["quiet_hours=22:00-07:00 ../../etc/passwd"], ["zone"], id="a path as a zone"),
    pytest.param(["quiet_hours=22:00-07:00 UTC mon-xyz"], ["mon-xyz"], id="a day that is none"),
    pytest.param(["audio=all", "adio=all"], ["audio"], id="one good and one bad"),
    pytest.param(["audio=a\x1b[2J"], ["audio"], id="an escape in a value"),
    pytest.param([], ["KEY=VALUE"], id="nothing to set"),
]


@pytest.mark.parametrize(("arguments", "told"), WRONG)
def test_set_refuses_and_stores_nothing(
    desk: Notifycli, arguments: list[str], told: list[str]
) -> None:
    result = desk("prefs", "set", *arguments, "-u", "7")
    assert (result.status, result.stdout) == (2, b"")
    assert [text for text in told if text not in result.stderr] == []
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.stderr
    assert listed(desk, "-u", "7") == changed({})


@pytest.mark.parametrize("switched", ["on", "off"])
def test_a_value_that_is_a_switch_s_is_no_misspelling(desk: Notifycli, switched: str) -> None:
    assert desk("prefs", "set", f"audio={switched}", "-u", "7").stderr == (
        f"error: audio: '{switched}': the value is none, all, or assigned, unassigned, others "
        "joined with +\n"
    )


@pytest.mark.parametrize(
    "command",
    [["list", "adio"], ["get", "adio"], ["unset", "adio"]],
    ids=lambda command: command[0],
)
def test_an_unknown_key_is_2_with_the_nearest_named(desk: Notifycli, command: list[str]) -> None:
    result = desk("prefs", *command, "-u", "7")
    assert (result.status, result.stdout) == (2, b"")
    assert "did you mean audio?" in result.stderr


@pytest.mark.parametrize(
    "command",
    [["list"], ["get", "audio"], ["set", "audio=all"], ["unset", "audio"]],
    ids=lambda command: command[0],
)
@pytest.mark.parametrize(
    ("inbox", "told"), [("33", "3"), ("0", "--inbox"), ("-1", "--inbox"), ("x", "--inbox")]
)
def test_an_unknown_inbox_is_2_with_the_nearest_named(
    desk: Notifycli, command: list[str], inbox: str, told: str
) -> None:
    result = desk("prefs", *command, "-u", "7", "--inbox", inbox)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr
    assert listed(desk, "-u", "7", "--inbox", "3") == changed({})


CONFIRMED = [
    pytest.param(["-u", "7"], "jane@example.com in account 1", id="a user"),
    pytest.param(["-u", "7", "--inbox", "3"], "jane@example.com in inbox 3 of account 1"),
    pytest.param(
        ["-u", "7", "--inbox", "3", "--inbox", "4"],
        "jane@example.com in inboxes 3 and 4 of account 1",
        id="two inboxes",
    ),
    pytest.param(["--default"], "the default of account 1", id="the default"),
    pytest.param(["--lock"], "the lock of account 1", id="the lock"),
]


@pytest.mark.parametrize(("options", "where"), CONFIRMED)
def test_a_change_is_confirmed_with_its_layer(
    desk: Notifycli, options: list[str], where: str
) -> None:
    desk.ok("inbox", "add", "4")
    told = f"{max(1, options.count('--inbox'))} preference"
    told += "s" * (options.count("--inbox") > 1)
    for command in (["set", "audio=all"], ["unset", "audio"]):
        result = desk.ok("prefs", *command, *options)
        assert result.stderr == f"{told} changed for {where}\n"


@pytest.mark.parametrize(
    ("own", "command", "count"),
    [
        (["email.mention=off"], ["set", "email.mention=on"], "1 user"),
        (["email.mention=off"], ["set", "email.*=on", "push.*=on"], "1 user"),
        (["email.*=off", "--all-users"], ["set", "email.mention=on"], "3 users"),
        (["email.mention=off"], ["preset", "apply", "everything"], "1 user"),
        (["email.mention=on"], ["set", "email.mention=on"], ""),
        (["email.mention=off"], ["set", "push.mention=on"], ""),
        (["email.mention=off"], ["unset", "email.mention"], ""),
        (["email.mention=off", "--inbox", "3"], ["set", "email.mention=on"], ""),
    ],
    ids=["one", "of many keys", "all", "a preset", "the same", "another key", "unset", "an inbox"],
)
def test_a_default_says_how_many_have_something_else_of_their_own(
    desk: Notifycli, own: list[str], command: list[str], count: str
) -> None:
    desk.ok("prefs", "set", *own, *([] if "--all-users" in own else ["-u", "7"]))
    told = desk.ok("prefs", *command, "--default").stderr.partition("\n")[2]
    assert told == (
        f"own values of {count} go before this default; to reach them, type --all-users or --lock "
        "in the place of --default\n"
        if count
        else ""
    )


def test_set_of_several_inboxes_is_for_each_of_them(desk: Notifycli) -> None:
    desk.ok("inbox", "add", "4")
    desk.ok("prefs", "set", "audio=all", "-u", "7", "--inbox", "3", "--inbox", "4")
    found = [
        value(desk, "audio", "-u", "7", *inbox)
        for inbox in (["--inbox", "3"], ["--inbox", "4"], [])
    ]
    assert found == ["all\n", "all\n", "none\n"]


@pytest.mark.parametrize("command", [["list"], ["get", "audio"], ["edit"]], ids=" ".join)
def test_several_inboxes_where_one_is_meant_are_wrong_usage(
    desk: Notifycli, command: list[str]
) -> None:
    desk.ok("inbox", "add", "4")
    result = desk("prefs", *command, "-u", "7", "--inbox", "3", "--inbox", "4")
    assert (result.status, result.stdout, result.stderr) == (
        2,
        b"",
        (
            "error: this command takes one inbox, not --inbox 3 --inbox 4\n"
            "  name just one: --inbox ID\n"
        ),
    )


@pytest.mark.parametrize(
    ("hours", "told"),
    [
        (
            "21:30-21:45 mon-fri",
            (
                "without a zone they are in UTC; name yours: "
                "'quiet_hours=21:30-21:45 mon-fri Europe/Berlin'\n"
            ),
        ),
        ("21:30-21:45 UTC", ""),
        ("21:30-21:45 Asia/Tokyo", ""),
        ("off", ""),
    ],
)
def test_quiet_hours_without_a_zone_are_noted_to_be_in_utc(
    desk: Notifycli, hours: str, told: str
) -> None:
    result = desk.ok("prefs", "set", f"quiet_hours={hours}", "-u", "7")
    assert result.stderr == f"1 preference changed for jane@example.com in account 1\n{told}"


@pytest.mark.parametrize(
    "options",
    [
        ["--lock", "--default"],
        ["--lock", "--inbox", "3"],
        ["--default", "--inbox", "3"],
        ["--lock", "--default", "--inbox", "3"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("command", [["set", "audio=all"], ["unset", "audio"]])
def test_two_layers_at_once_are_wrong_usage(
    desk: Notifycli, command: list[str], options: list[str]
) -> None:
    result = desk("prefs", *command, "-u", "7", *options)
    assert (result.status, result.stdout) == (2, b"")
    assert listed(desk, "-u", "7", "--inbox", "3") == changed({})


@pytest.mark.parametrize("layer", ["--default", "--lock"])
@pytest.mark.parametrize("users", [["-u", "7"], ["--all-users"]], ids=" ".join)
def test_a_user_named_with_a_layer_of_the_account_is_wrong_usage(
    desk: Notifycli, layer: str, users: list[str]
) -> None:
    assert desk("prefs", "set", "audio=all", layer, *users).status == 2
    assert listed(desk, "-u", "8") == changed({})


@pytest.mark.parametrize("layer", ["--default", "--lock"])
def test_the_user_of_the_environment_is_no_matter_to_a_layer_of_the_account(
    desk: Notifycli, layer: str
) -> None:
    desk.ok("prefs", "set", "audio=all", layer, environment={"NOTIFYCLI_USER": "7"})
    assert listed(desk, "audio", "-u", "8") == [record("audio", "all", layer.removeprefix("--"))]


def test_get_of_a_glob_is_refused_and_the_list_named(desk: Notifycli) -> None:
    result = desk("prefs", "get", "email.*", "-u", "7")
    assert (result.status, result.stdout) == (2, b"")
    assert "notifycli prefs list" in result.stderr


def test_list_of_a_few_keys_is_in_the_order_asked(desk: Notifycli) -> None:
    assert listed(desk, "push.created", "audio", "-u", "7") == [
        record("push.conversation_creation", "off", "builtin"),
        record("audio", "none", "builtin"),
    ]


def test_formats(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "--lock")
    desk.ok("prefs", "set", "email.mention=on", "-u", "7")
    asked = ("audio", "email.mention", "-u", "7")
    records = [record("audio", "all", "lock"), record(MENTION, "on", "user")]
    assert desk.ok("prefs", "list", *asked).stdout == (
        b'{"key":"audio","value":"all","origin":"lock","locked":true}\n'
        b'{"key":"email.conversation_mention","value":"on","origin":"user","locked":false}\n'
    )
    assert json.loads(desk.ok("prefs", "list", *asked, "-o", "json").stdout) == records
    assert desk.ok("prefs", "list", *asked, "-o", "csv").stdout == (
        b"key,value,origin,locked\naudio,all,lock,true\nemail.conversation_mention,on,user,false\n"
    )
    assert desk.ok("prefs", "list", *asked, "-o", "tsv").stdout == (
        b"key\tvalue\torigin\tlocked\n"
        b"audio\tall\tlock\ttrue\n"
        b"email.conversation_mention\ton\tuser\tfalse\n"
    )


def test_accounts_do_not_share_anything(desk: Notifycli) -> None:
    desk.ok("user", "add", "jane@example.com", "--id", "7", "-a", "2")
    desk.ok("prefs", "set", "audio=all", "-u", "7", "-a", "2")
    desk.ok("prefs", "set", "audio.tone=bell", "--default", "-a", "2")
    desk.ok("prefs", "set", "email.mention=on", "--lock", "-a", "2")
    assert listed(desk, "-u", "7", "-a", "1") == changed({})
    assert listed(desk, "-u", "7", "-a", "2") == changed(
        {"audio": ("all", "user"), "audio.tone": ("bell", "default"), MENTION: ("on", "lock")}
    )


class TestExplain:
    def test_everything_that_there_is_to_know_of_a_key(self, notifycli: Notifycli) -> None:
        assert notifycli.ok("prefs", "explain", "email.created").records == [
            {
                "key": "email.conversation_creation",
                "short": "email.created",
                "summary": "an email when a new conversation is created",
                "values": ["on", "off"],
                "builtin": "off",
                "concerns": "every member of its inbox",
                "chatwoot": 'Profile settings: "Send email notifications when a new conversation '
                'is created" (email_conversation_creation)',
                "example": "notifycli prefs set email.created=on -u jane@example.com",
            }
        ]

    def test_globs_list_several_and_no_key_lists_all(self, notifycli: Notifycli) -> None:
        def keys(*asked: str) -> list[str]:
            return [one["key"] for one in notifycli.ok("prefs", "explain", *asked).records]

        assert keys("*.mention", "email.mention") == [
            "email.conversation_mention",
            "push.conversation_mention",
        ]
        assert keys() == [key for key in KEYS if key not in BEYOND]

    @pytest.mark.parametrize("key", KEYS)
    def test_each_example_changes_what_it_is_an_example_of(self, desk: Notifycli, key: str) -> None:
        (told,) = desk.ok("prefs", "explain", key).records
        desk.ok(*shlex.split(told["example"])[1:])
        (now,) = desk.ok("prefs", "list", key, "-u", "jane@example.com").records
        assert (now["origin"], now["value"] != told["builtin"]) == ("user", True)

    def test_an_unknown_key_is_2_and_the_nearest_is_named(self, notifycli: Notifycli) -> None:
        result = notifycli("prefs", "explain", "email.creatd")
        assert (result.status, result.stdout) == (2, b"")
        assert "email.created" in result.stderr


class TestMatrix:
    """On a terminal many users are a line each."""

    def shown(self, desk: Notifycli, *options: str, columns: int = 120) -> list[list[str]]:
        environment = {"COLUMNS": str(columns)}
        table = desk.ok("prefs", "list", *options, "-o", "table", environment=environment).stdout
        return [line.split() for line in table.decode().splitlines() if line.strip()]

    def test_a_line_a_user_and_a_column_a_type(self, desk: Notifycli) -> None:
        desk.ok("prefs", "set", "email.created=on", "push.mention=on", "audio=all", "-u", "7")
        heads, *users = self.shown(desk, "--all-users")[2:]
        assert heads[:4] == ["User", "audio", "ted", "gned"]
        assert [user for user in users if "@" in user[0]] == [
            ["jane@example.com", "all", "E", "EP", "P", *"------"],
            ["omar@example.com", "none", "-", "EP", "-", *"------"],
            ["root@example.com", "none", "-", "EP", "-", *"------"],
        ]

    def test_what_is_the_same_for_all_gives_way_where_there_is_no_room(
        self, desk: Notifycli
    ) -> None:
        desk.ok("prefs", "set", "email.created=on", "-u", "7")
        rows = self.shown(desk, "--all-users", columns=60)
        assert ["jane@example.com", "E"] in rows
        told = " ".join(word for row in rows for word in row).partition("The same for all: ")[2]
        assert told.startswith("audio none, assigned EP, mention -,")

    @pytest.mark.parametrize("option", ["audio", "--show-origin"])
    def test_a_key_and_show_origin_list_each_preference_with_its_layer(
        self, desk: Notifycli, option: str
    ) -> None:
        rows = self.shown(desk, "--all-users", option)
        assert ["jane@example.com", "audio", "none", "builtin", "no"] in rows


def test_own_lists_what_was_set_alone(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "audio=assigned", "push.mention=on", "--default")
    desk.ok("prefs", "set", "email.mention=on", "-u", "8", "--inbox", "3")

    def own(*options: str) -> list[tuple[Any, ...]]:
        listed = desk.ok("prefs", "list", "--own", *options).records
        return [(one.get("user_id"), one["key"], one["origin"]) for one in listed]

    assert own("-u", "7") == [(None, "audio", "user")]
    assert own("--all-users") == [(7, "audio", "user")]
    assert own("--all-users", "--inbox", "3") == [
        (7, "audio", "user"),
        (8, "email.conversation_mention", "inbox"),
    ]
    assert own("--default") == [
        (None, "audio", "default"),
        (None, "push.conversation_mention", "default"),
    ]


def test_own_lists_what_a_lock_holds_in_place_of_it(desk: Notifycli) -> None:
    mention = "email.conversation_mention"
    desk.ok("prefs", "set", "email.mention=on", "audio=all", "-u", "7")
    desk.ok("prefs", "set", "push.mention=on", "-u", "7", "--inbox", "3")
    desk.ok("prefs", "set", "push.message=on", "-u", "7", "--conversation", "42")
    desk.ok("prefs", "set", "email.mention=off", "push.mention=off", "push.message=off", "--lock")
    hers = [record("audio", "all", "user"), record(mention, "off", "lock")]
    assert listed(desk, "--own", "-u", "7") == hers
    assert listed(desk, "--own", "--all-users") == [
        {"user_id": 7, "email": "jane@example.com", **one} for one in hers
    ]
    locked = record("push.conversation_mention", "off", "lock")
    assert listed(desk, "--own", "-u", "7", "--inbox", "3") == [*hers, locked]
    locked = record("push.assigned_conversation_new_message", "off", "lock")
    assert listed(desk, "--own", "-u", "7", "--conversation", "42") == [*hers, locked]
    assert listed(desk, "--own", "-u", "8") == []


def test_what_has_ended_goes_when_its_user_sets_a_conversation_anew(desk: Notifycli) -> None:
    policy = """
        [users."jane@example.com".conversation.41]
        "mute" = "on until 2020-01-01"
        "push.message" = "on"
        [users."jane@example.com".conversation.42]
        "mute" = "on until 2999-01-01"
        [users."omar@example.com".conversation.41]
        "mute" = "on until 2020-01-01"
    """
    desk.ok("prefs", "import", "-", stdin=policy.encode())
    listed = desk.ok("prefs", "list", "-u", "7", "--conversation", "41").records
    assert [one["key"] for one in listed if one["origin"] == "conversation"] == [
        "push.assigned_conversation_new_message"
    ]

    def kept() -> list[str]:
        rows = desk.ok("prefs", "export", "--format", "csv").stdout.decode().splitlines()
        return [row for row in rows if ",mute," in row]

    omars = "1,conversation,omar@example.com,,mute,on until 2020-01-01T00:00:00Z,41"
    later = "1,conversation,jane@example.com,,mute,on until 2999-01-01T00:00:00Z,42"
    ended = "1,conversation,jane@example.com,,mute,on until 2020-01-01T00:00:00Z,41"
    assert kept() == [ended, later, omars]
    desk.ok("prefs", "set", "audio=all", "-u", "7")
    assert kept() == [ended, later, omars]
    done = desk.ok("prefs", "mute", "43", "-u", "7")
    assert done.stderr.startswith("1 preference changed for jane@example.com in conversation 43")
    assert kept() == [later, "1,conversation,jane@example.com,,mute,on,43", omars]
    changed = desk.ok("prefs", "history", "--limit", "2").records
    assert [(one["conversation_id"], one["new"]) for one in changed] == [(41, None), (43, "on")]
    desk.ok("prefs", "undo")
    assert kept() == [ended, later, omars]


def test_taking_back_a_mute_that_there_is_not_says_so(desk: Notifycli) -> None:
    done = desk.ok("prefs", "unmute", "42", "-u", "7")
    assert done.stderr == (
        "nothing is muted for jane@example.com in conversation 42 of account 1\n"
    )


def test_a_conversation_is_muted_and_heard_again(desk: Notifycli) -> None:
    before = desk.ok("prefs", "list", "-u", "7").stdout
    result = desk.ok("prefs", "mute", "42", "-u", "7", "--until", "2036-03-06T10:00Z")
    assert "1 preference changed for jane@example.com in conversation 42" in result.stderr
    desk.ok("prefs", "set", "push.message=on", "--conversation", "42", "-u", "7")
    assert desk.ok("prefs", "list", "-u", "7").stdout == before
    muted = {"key": "mute", "value": "on", "origin": "conversation", "locked": False}
    assert desk.ok("prefs", "list", "-u", "7", "--conversation", "42").records[-1] == muted
    csv = desk.ok("prefs", "export", "--format", "csv")
    assert csv.stdout.decode() == (
        "account,layer,user,inbox,key,value,conversation\n"
        "1,conversation,jane@example.com,,mute,on until 2036-03-06T10:00:00Z,42\n"
        "1,conversation,jane@example.com,,push.assigned_conversation_new_message,on,42\n"
    )
    toml = desk.ok("prefs", "export").stdout
    assert b'[users."jane@example.com".conversation.42]\n"mute" = "on until 2036' in toml
    desk.ok("prefs", "unmute", "42", "-u", "7")
    told = desk.ok("prefs", "history").records[0]
    assert (told["layer"], told["conversation_id"], told["new"]) == ("conversation", 42, None)
    desk.ok("prefs", "undo")
    assert desk.ok("prefs", "export").stdout == toml
    for document in (toml, csv.stdout):
        desk.ok("prefs", "unset", "mute", "push.message", "--conversation", "42", "-u", "7")
        desk.ok("prefs", "import", "-", stdin=document)
        assert desk.ok("prefs", "export").stdout == toml


@pytest.mark.parametrize(
    ("command", "status", "told"),
    [
        (["set", "mute=on", "--until", "3d"], 2, "--until is for one conversation"),
        (["mute", "42", "--until", "2020-01-01"], 2, "over already"),
        (
            ["set", "mute=on", "--conversation", "4", "--inbox", "3"],
            2,
            "--default, --lock, --inbox and --conversation name four layers",
        ),
        (
            ["set", "mute=on until 2036-01-01"],
            2,
            "the value is on or off\n  name its end apart: --conversation ID --until 2036-01-01",
        ),
    ],
)
def test_what_no_conversation_can_have_is_refused(
    desk: Notifycli, command: list[str], status: int, told: str
) -> None:
    result = desk("prefs", *command, "-u", "7")
    assert (result.status, told in result.stderr) == (status, True)
