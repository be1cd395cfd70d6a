"""What TAB offers, asked of the program itself; the shells have their own tests."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest
from typer.main import get_command

from notifycli.cli.completion_answer import Offers, answer
from notifycli.cli.main import NOUNS, app
from notifycli.rules.directory import User
from notifycli.rules.notifications import SHIPPED_CHANNELS, TYPES, Channel
from notifycli.rules.preferences import GLOBS, KEYS, Layer
from notifycli.store.store import open_store
from notifycli.store.tokens import Token
from notifycli.store.transaction import Entry, Target
from tests.completion.conftest import HOSTILE, NAMES


def asked(*words: str) -> Offers:
    return answer(get_command(app), words[:-1], words[-1])


def offered(*words: str) -> list[str]:
    return [offer.word for offer in asked(*words).candidates]


@pytest.fixture(autouse=True)
def _environment(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFYCLI_DB", str(store))
    monkeypatch.delenv("NOTIFYCLI_ACCOUNT", raising=False)


def test_the_nouns_complete_with_what_the_help_says_of_them() -> None:
    assert [(offer.word, offer.help) for offer in asked("").candidates] == [
        (name, noun.summary) for name, noun in NOUNS.items()
    ]


def test_the_verbs_of_a_noun_complete_under_its_alias_too() -> None:
    assert (
        offered("user", "") == offered("users", "") == [*("add", "set", "list", "show", "remove")]
    )


def test_where_no_verb_follows_its_noun_the_one_that_is_meant_completes() -> None:
    assert offered("deliver", "") == ["run", "status", "retry", "drop"]
    assert offered("deliver", "st") == ["status"]
    assert asked("deliver", "ev").files
    assert asked("deliver", "events.jsonl", "more").files
    assert offered("deliver", "--fol") == ["--follow"]
    assert offered("deliver", "--follow", "e.jsonl", "--channel", "") == [*Channel]


def test_nothing_completes_after_a_command_that_is_none() -> None:
    assert asked("nonsense", "") == asked("prefs", "nonsense", "") == Offers()


@pytest.mark.parametrize("typed", ["sim", "SIM"])
def test_the_case_of_letters_does_not_matter(typed: str) -> None:
    assert offered(typed) == ["simulate"]


def test_options_complete_with_their_help_and_once_unless_they_repeat() -> None:
    given = offered("user", "list", "-a", "1", "-q", "-")

    assert "--output" in given
    assert "--help" in given
    assert not {"--account", "--quiet", "-o"} & {*given}
    assert "--user" in offered("simulate", "-u", "7", "--")
    assert {"--progress", "--no-progress"} <= {*offered("simulate", "--")}


def test_options_complete_where_no_argument_is_left() -> None:
    assert "--output" in offered("user", "list", "")
    assert offered("prefs", "diff", "x.toml", "") == offered("prefs", "diff", "x.toml", "--")


def test_after_two_dashes_nothing_is_an_option() -> None:
    assert offered("prefs", "list", "--", "-") == []
    assert offered("prefs", "get", "--", "audio.t") == ["audio.tone"]


@pytest.mark.parametrize(
    ("words", "lead", "expected"),
    [
        (("simulate", "--channel", ""), "", [*Channel]),
        (("simulate", "--channel=p"), "--channel=", ["push"]),
        (("simulate", "--type", "sla_missed_r"), "", ["sla_missed_resolution"]),
        (
            ("simulate", "--type", ""),
            "",
            [*dict.fromkeys([*(r.short for r in TYPES), *(r.type for r in TYPES), "digest"])],
        ),
        (("email", "preview", "--type=me"), "--type=", ["mention", "message"]),
        (("simulate", "--zone", "europe/berl"), "", ["Europe/Berlin"]),
        (("user", "list", "-oj"), "-o", ["json", "jsonl"]),
        (("user", "list", "-qo", "c"), "", ["csv"]),
        (("user", "add", "x@y.z", "--role", ""), "", ["agent", "administrator"]),
        (("-o", ""), "", ["table", "json", "jsonl", "csv", "tsv"]),
        (("completion", "show", ""), "", ["bash", "zsh", "fish", "powershell"]),
        (("completion", "install", "f"), "", ["fish"]),
    ],
)
def test_the_values_of_an_option_complete(words: list[str], lead: str, expected: list[str]) -> None:
    assert asked(*words).lead == lead
    assert offered(*words) == expected


def test_keys_complete_with_globs_and_their_summaries() -> None:
    assert offered("prefs", "unset", "") == [*KEYS, *GLOBS]
    assert offered("prefs", "get", "") == [*KEYS]
    (tone,) = asked("prefs", "get", "audio.t").candidates
    assert tone.help == KEYS["audio.tone"].summary


def test_short_names_complete_where_no_full_one_does() -> None:
    assert offered("prefs", "get", "email.m") == ["email.mention", "email.message"]
    assert offered("prefs", "set", "push.me") == ["push.mention=", "push.message="]


def test_keys_of_channels_that_are_added_to_the_store_complete(store: Path) -> None:
    before = offered("prefs", "get", "")
    with open_store(store) as opened:
        opened.configuration.name_secret("channel/1/0/webhook", "file:channel/1/0/webhook/1")
        opened.configuration.name_secret("channel/1/1/pager-2", "file:channel/1/1/pager-2/1")
        opened.configuration.name_secret("channel/2/1/sms", "file:channel/2/1/sms/1")
    of_webhook = [f"webhook.{row.type}" for row in TYPES]

    assert {*offered("prefs", "get", "")} - {*before} == {
        f"{channel}.{row.type}" for channel in ("pager-2", "sms", "webhook") for row in TYPES
    }
    assert offered("prefs", "get", "webh") == of_webhook
    assert offered("prefs", "unset", "webh") == [*of_webhook, "webhook.*"]
    assert offered("prefs", "set", "--lock", "Webhook.conversation_m") == [
        "webhook.conversation_mention="
    ]
    assert offered("prefs", "set", "--default", "webhook.me") == [
        "webhook.mention=",
        "webhook.message=",
    ]
    assert offered("prefs", "set", "webhook.mention=") == ["on", "off"]
    assert offered("simulate", "--set", "jane@example.com:pager-2.c") == [
        *(f"pager-2.{row.type}=" for row in TYPES if row.type.startswith("c"))
    ]
    assert offered("prefs", "get", "-a", "1", "sms.conversation_m") == ["sms.conversation_mention"]
    assert offered("prefs", "get", "-a", "1", "s") == []
    [mention] = asked("prefs", "get", "webhook.conversation_m").candidates
    assert mention.help == KEYS["webhook.conversation_mention"].summary


def test_keys_of_a_channel_that_is_written_out_complete_without_its_address() -> None:
    assert offered("prefs", "set", "slack.conversation_m") == ["slack.conversation_mention="]
    assert offered("prefs", "get", "pager.") == []


def test_channels_complete_with_those_of_the_store(store: Path) -> None:
    with open_store(store) as opened:
        for channel in ("pager", "sms"):
            opened.configuration.name_secret(f"channel/1/1/{channel}", f"file:{channel}")
    assert offered("channel", "add", "") == [*SHIPPED_CHANNELS, "pager"]
    assert offered("channel", "remove", "p") == ["pager"]
    # What nothing here adds is taken away by its name, but no other command takes it.
    assert offered("simulate", "--channel", "") == [*Channel, "sms"]


def test_a_key_to_set_goes_on_to_its_value() -> None:
    assert [(o.word, o.ends) for o in asked("prefs", "set", "audio.w").candidates] == [
        ("audio.when=", False)
    ]
    assert asked("prefs", "set", "audio.when=").lead == "audio.when="
    assert offered("prefs", "set", "audio.when=") == ["hidden", "always"]
    assert offered("prefs", "set", "audio=all", "email.*=") == ["on", "off"]
    assert offered("prefs", "set", "nonsense=") == []


def test_the_built_in_value_says_so() -> None:
    helps = {o.word: o.help for o in asked("prefs", "set", "audio.when=").candidates}

    assert helps == {"hidden": "built-in", "always": ""}


@pytest.mark.parametrize(
    "words",
    [
        ("prefs", "get", "audio", "-u"),
        ("simulate", "--user"),
        ("inbox", "add", "3", "--member"),
        ("user", "show"),
        ("-u",),
    ],
)
def test_users_complete_from_the_store_by_the_start_of_their_address(words: list[str]) -> None:
    assert offered(*words, "ja") == ["jane@example.com"]
    assert {*HOSTILE, "77"} <= {*offered(*words, "")}
    assert offered(*words, "7") == ["77"]


def test_inboxes_and_teams_complete_by_id_with_their_names() -> None:
    inboxes = [("3", NAMES[0]), ("4", NAMES[2]), ("31", NAMES[1])]
    for words in (("inbox", "remove"), ("simulate", "--inbox"), ("prefs", "list", "--inbox")):
        assert [(o.word, o.help) for o in asked(*words, "").candidates] == inboxes
    assert offered("team", "remove", "") == ["2"]
    assert offered("simulate", "--conversation", "") == []


def test_tokens_presets_and_tones_complete_by_their_names(store: Path) -> None:
    token = Token(
        account_id=1,
        user_id=1,
        name="backup",
        secret_name="file:1",  # noqa: S106 - a name, not the secret
        digest="0" * 64,
        masked="nct_…0000",
        created_at=0,
    )
    with open_store(store) as opened:
        opened.presets.save("night", {"audio": "none"}, replace=False)
        with opened.change(1, "test", "test") as change:
            change.tokens.add(token)
    assert offered("token", "rotate", "--name", "") == ["backup"]
    with open_store(store) as opened:
        opened.tones.add("doorbell.wav", b"", replace=False)
    assert offered("prefs", "set", "audio.tone=d") == ["ding", "doorbell.wav"]
    assert offered("audio", "test", "b") == ["bell"]
    assert offered("audio", "test", "d") == ["ding", "doorbell.wav"]
    assert offered("audio", "remove", "") == ["doorbell.wav"]
    presets = ["chatwoot-default", "everything", "night", "quiet"]
    assert sorted(offered("prefs", "preset", "apply", "")) == presets
    assert offered("prefs", "preset", "apply", "n") == ["night"]


def test_the_last_changes_of_preferences_complete_by_their_numbers(store: Path) -> None:
    before = len(offered("prefs", "undo", ""))
    for number in range(12):
        with open_store(store) as opened, opened.change(1, "prefs set", "jane") as change:
            value = "all" if number % 2 else "none"
            change.set([Entry(Target(Layer.DEFAULT), "audio", value)])
    found = [(int(o.word), o.help) for o in asked("prefs", "undo", "").candidates]
    assert (before, len(found)) == (0, 10)
    assert found == sorted(found, reverse=True)
    told = [help_.partition(" jane: ") for _, help_ in found]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d", at) for at, _, _ in told)
    assert [what for _, _, what in told[:2]] == [
        "prefs set, audio: none → all",
        "prefs set, audio: all → none",
    ]


def test_a_change_of_several_preferences_is_told_by_its_first(store: Path) -> None:
    place = Target(Layer.DEFAULT)
    with open_store(store) as opened, opened.change(1, "prefs set", "jane") as change:
        keys = ("email.conversation_mention", "push.conversation_mention")
        change.set([Entry(place, key, "on") for key in keys])
    [found] = asked("prefs", "undo", "").candidates
    assert found.help.partition(" jane: ")[2] == "prefs set, email.mention: - → on, …"


def test_accounts_complete_and_the_one_given_narrows_the_rest(store: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    for path in (store, other):
        with open_store(path) as opened, opened.change(2, "test", "test") as change:
            change.put_users([User(1, "jack@example.com")])

    assert offered("user", "list", "-a", "") == ["1", "2"]
    assert offered("user", "show", "ja") == ["jack@example.com", "jane@example.com"]
    assert offered("-a", "1", "user", "show", "ja") == ["jane@example.com"]
    assert offered("user", "show", "-a2", "ja") == ["jack@example.com"]
    assert offered("--db", str(other), "user", "list", "-a", "") == ["2"]


@pytest.mark.parametrize(
    "words",
    [("simulate",), ("directory", "import"), ("prefs", "import"), ("simulate", "--db"), ("--db",)],
)
def test_files_complete_where_a_file_is_expected(words: list[str]) -> None:
    assert asked(*words, "x").files


def test_the_name_of_a_file_after_an_equals_sign_is_told_apart() -> None:
    assert asked("simulate", "--db=x") == Offers([], "--db=", files=True)


def test_what_a_shell_could_not_tell_apart_is_never_offered(store: Path) -> None:
    with sqlite3.connect(store) as connection:
        connection.execute("UPDATE user SET email = 'ne' || char(10) || 'w@x.com' WHERE id = 1")
    connection.close()

    assert offered("user", "show", "ne") == []


@pytest.mark.parametrize("fault", ["missing", "empty", "no store", "foreign", "newer", "damaged"])
def test_a_store_that_is_no_use_offers_nothing_and_stays_as_it_is(
    fault: str, tmp_path: Path, store: Path
) -> None:
    path = tmp_path / "broken.db"
    if fault == "empty":
        path.touch()
    elif fault == "no store":
        path.write_bytes(b"no store at all" * 1000)
    elif fault == "damaged":
        whole = store.read_bytes()
        path.write_bytes(whole[:200] + b"\xff" * (len(whole) - 200))
    elif fault != "missing":
        path.write_bytes(store.read_bytes())
        with sqlite3.connect(path) as connection:
            pragma = "user_version = 99" if fault == "newer" else "application_id = 7"
            connection.execute(f"PRAGMA {pragma}")
        connection.close()
    before = path.read_bytes() if path.exists() else None

    assert offered("--db", str(path), "user", "show", "ja") == []
    assert (path.read_bytes() if path.exists() else None) == before


def test_of_very_many_users_few_are_offered_and_they_share_what_all_share(store: Path) -> None:
    with open_store(store) as opened, opened.change(1, "test", "test") as change:
        change.put_users(User(i, f"agent{i:05}@example.com") for i in range(1000, 3000))
        change.put_users(User(i) for i in range(5000, 6500))
    addresses, ids = offered("user", "show", "agent"), offered("user", "show", "")[-101:]

    assert len(addresses) == 101
    assert (addresses[0], addresses[-1]) == ("agent01000@example.com", "agent02999@example.com")
    assert (ids[0], ids[-1]) == ("5000", "77")


def test_no_command_has_the_completion_options_of_the_library() -> None:
    program = get_command(app)
    context = program.context_class(program, info_name="notifycli")
    for name in NOUNS:
        command = program.get_command(context, name)  # type: ignore[attr-defined]
        for each in (command, *getattr(command, "commands", {}).values()):
            assert not re.search("(install|show)-completion", each.get_help(context))
