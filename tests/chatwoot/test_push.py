"""`notifycli chatwoot diff|push`: what holds here is written there, and nothing else is lost."""

from __future__ import annotations

import pytest

from notifycli.store.store import open_store
from tests.chatwoot.recorded import JANE, Asked, Chatwoot, Person, Reply
from tests.conftest import Json, Notifycli


def step(user: int, result: str, detail: str = "") -> Json:
    name = {7: "jane@example.com", 8: "omar@example.com", 9: "root@example.com"}[user]
    return {"kind": "preferences", "id": user, "name": name, "result": result, "detail": detail}


SAME = [step(8, "same"), step(9, "same")]


def difference(key: str, here: str, there: str, changed: str) -> Json:
    return {
        "user_id": 7,
        "email": "jane@example.com",
        "key": key,
        "here": here,
        "there": there,
        "changed": changed,
    }


def writes(chatwoot: Chatwoot) -> list[tuple[str, str]]:
    return [(a.method, a.path) for a in chatwoot.asked if a.method != "GET"]


def test_push_writes_what_differs_and_reads_it_back(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    pulled.ok("prefs", "set", "email.mention=on", "push.assigned=off", "-u", "7")
    pulled.ok("prefs", "set", "audio=assigned+others", "audio.repeat=on", "-u", "7")
    records = pulled.ok("chatwoot", "push").records
    assert records == [
        step(
            *(7, "pushed"),
            "audio none→assigned+others, audio.repeat off→on, "
            "email.conversation_mention off→on, push.conversation_assignment on→off",
        ),
        *SAME,
    ]
    assert chatwoot.person(7) == Person(
        *(7, "jane@example.com", "Jane", "agent"),
        ["email_conversation_assignment", "email_conversation_mention"],
        [],
        {
            "enable_audio_alerts": "assigned+notme",
            "alert_if_unread_assigned_conversation_exist": True,
        },
    )
    assert writes(chatwoot) == [
        ("PATCH", "/api/v1/accounts/1/notification_settings"),
        ("PUT", "/api/v1/profile"),
    ]


def test_a_second_push_does_only_what_is_left(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    pulled.ok("prefs", "set", "email.mention=on", "--all-users")
    failing = True

    def fail(asked: Asked, person: Person | None) -> None:
        if failing and asked.method == "PATCH" and person is not None and person.id == 8:
            raise Reply(500, {"error": "out of order"})

    chatwoot.before = fail
    result = pulled("chatwoot", "push")
    assert (result.status, [s["result"] for s in result.records]) == (
        *(69,),
        ["pushed", "failed", "pushed"],
    )
    assert "with 500: out of order" in result.records[1]["detail"]
    assert "1 not done; mend what is told, and run it again for the rest" in result.stderr
    failing = False
    before = len(writes(chatwoot))
    records = pulled.ok("chatwoot", "push").records
    assert [s["result"] for s in records] == ["same", "pushed", "same"]
    assert len(writes(chatwoot)) == before + 1


def test_a_push_that_broke_off_between_the_two_writes_is_resumed(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "email.mention=on", "audio=all", "-u", "7")

    def fail(asked: Asked, _person: Person | None) -> None:
        if asked.method == "PUT":
            raise Reply(500, {})

    chatwoot.before = fail
    assert pulled("chatwoot", "push").status == 69
    chatwoot.before = lambda _asked, _person: None
    assert pulled.ok("chatwoot", "push").records == [step(7, "pushed", "audio none→all"), *SAME]


def test_push_with_dry_run_shows_the_same_and_writes_nothing(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "email.mention=on", "-u", "7")
    shown = pulled.ok("chatwoot", "push", "--dry-run").stdout
    for_people = pulled.ok("chatwoot", "push", "--dry-run", "-o", "table").stdout.decode()
    assert for_people.count("would be pushed") == 1
    assert writes(chatwoot) == []
    assert pulled.ok("chatwoot", "push").stdout == shown


def test_both_lists_go_even_where_one_alone_differs(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    pulled.ok("prefs", "set", "push.mention=on", "-u", "7")
    pulled.ok("chatwoot", "push")
    (patch,) = [asked for asked in chatwoot.asked if asked.method == "PATCH"]
    assert patch.body == {
        "notification_settings": {
            "selected_email_flags": ["email_conversation_assignment"],
            "selected_push_flags": ["push_conversation_assignment", "push_conversation_mention"],
        }
    }


def test_locks_and_defaults_are_pushed(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    pulled.ok("prefs", "set", "email.*=off", "--lock")
    pulled.ok("prefs", "set", "audio=all", "--default")
    pulled.ok("chatwoot", "push")
    for user in (7, 8, 9):
        assert chatwoot.person(user).email_flags == []
        assert chatwoot.person(user).ui_settings == {"enable_audio_alerts": "all"}


def test_a_type_that_the_server_has_not_is_not_written(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "email.unassigned=on", "quiet_hours=22:00-07:00", "-u", "7")
    assert pulled.ok("chatwoot", "push").records == [step(7, "same"), *SAME]
    assert writes(chatwoot) == []


def test_what_was_changed_there_meanwhile_is_refused_and_nothing_is_lost(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "audio=all", "-u", "7")
    pulled.ok("prefs", "set", "push.mention=on", "-u", "8")
    chatwoot.person(7).email_flags = []
    result = pulled("chatwoot", "push")
    assert result.status == 75
    assert result.records == [
        step(
            *(7, "refused"),
            "changed there since the last pull: email.conversation_assignment is off there and on "
            "here; first: notifycli chatwoot pull; or let what is here win: --force",
        ),
        step(8, "pushed", "push.conversation_mention off→on"),
        step(9, "same"),
    ]
    assert (chatwoot.person(7).email_flags, chatwoot.person(7).ui_settings) == ([], {})
    pulled.ok("chatwoot", "pull")
    assert pulled.ok("chatwoot", "push").records[0] == step(7, "pushed", "audio none→all")
    assert chatwoot.person(7).email_flags == []


def test_with_force_what_is_here_wins(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.person(7).email_flags = []
    pulled.ok("chatwoot", "push", "--force")
    assert chatwoot.person(7).email_flags == ["email_conversation_assignment"]


def test_what_the_dashboard_keeps_elsewhere_meanwhile_is_no_conflict_and_stays(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "audio=all", "-u", "7")
    chatwoot.person(7).ui_settings = {"is_open": True, "order": [{"a": None}], "much": {"b": 1.5}}
    pulled.ok("chatwoot", "push")
    assert chatwoot.person(7).ui_settings == {
        "is_open": True,
        "order": [{"a": None}],
        "much": {"b": 1.5},
        "enable_audio_alerts": "all",
    }


def test_who_was_never_pulled_is_not_pushed(everybody: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.person(7).email_flags = []
    result = everybody("chatwoot", "push")
    assert result.status == 75
    assert result.records[0]["detail"].startswith("never pulled: writing would undo")
    assert (writes(chatwoot), chatwoot.person(7).email_flags) == ([], [])


def test_a_write_that_is_not_kept_is_told(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    pulled.ok("prefs", "set", "audio=all", "-u", "7")

    def forget(asked: Asked, person: Person | None) -> None:
        if asked.method == "GET" and person is not None and chatwoot.count("PUT"):
            person.ui_settings = {}

    chatwoot.before = forget
    result = pulled("chatwoot", "push", "-u", "7")
    assert result.status == 69
    assert "not there when read back: enable_audio_alerts" in result.records[0]["detail"]


def test_a_value_that_nobody_can_read_is_handed_back(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.person(7).ui_settings = {"notification_tone": "gong"}
    pulled.ok("prefs", "set", "audio=all", "audio.tone=bell", "-u", "7")
    detail = pulled.ok("chatwoot", "push").records[0]["detail"]
    assert detail.startswith("audio none→all, left as it is there: audio.tone: 'gong'")
    assert chatwoot.person(7).ui_settings == {
        "notification_tone": "gong",
        "enable_audio_alerts": "all",
    }


def test_a_chatwoot_keeps_its_tone_where_one_of_ones_own_is_set(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    with open_store(pulled.store) as store:
        store.tones.add("doorbell.wav", b"RIFF", replace=False)
    pulled.ok("prefs", "set", "audio.tone=doorbell.wav", "audio=all", "-u", "7")
    assert [one["key"] for one in pulled("chatwoot", "diff").records] == ["audio"]
    pulled.ok("chatwoot", "push")
    assert chatwoot.person(7).ui_settings == {"enable_audio_alerts": "all"}
    chatwoot.person(7).ui_settings = {"notification_tone": "gone.wav"}
    done = pulled("chatwoot", "pull")
    assert "audio.tone: 'gone.wav' is no tone of Chatwoot" in done.records[0]["detail"]
    kept = pulled.ok("prefs", "get", "audio.tone", "-u", "7").stdout
    assert kept == b"doorbell.wav\n"


@pytest.mark.parametrize(
    ("there", "here"),
    [("mine", "assigned"), ("notme+assigned", "assigned+others"), (None, "none"), ("none", "none")],
)
def test_what_means_the_same_is_not_written_anew(
    everybody: Notifycli, chatwoot: Chatwoot, there: str | None, here: str
) -> None:
    chatwoot.person(7).ui_settings = {"enable_audio_alerts": there}
    everybody.ok("chatwoot", "pull")
    assert everybody.ok("prefs", "get", "audio", "-u", "7").stdout == f"{here}\n".encode()
    everybody.ok("chatwoot", "push")
    assert writes(chatwoot) == []


def test_diff_says_where_each_was_changed(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    assert pulled.ok("chatwoot", "diff", "--exit-code").stdout == b""
    pulled.ok("prefs", "set", "audio=all", "audio.tone=bell", "-u", "7")
    chatwoot.person(7).push_flags = []
    chatwoot.person(7).ui_settings = {"notification_tone": "chime"}
    differing = [
        difference("audio", "all", "none", "here"),
        difference("audio.tone", "bell", "chime", "both"),
        difference("push.conversation_assignment", "on", "off", "there"),
    ]
    assert pulled.ok("chatwoot", "diff").records == differing
    result = pulled("chatwoot", "diff", "--exit-code", "-u", "7")
    assert (result.status, result.records) == (1, differing)
    assert writes(chatwoot) == []


def test_diff_before_any_pull(everybody: Notifycli, chatwoot: Chatwoot) -> None:
    chatwoot.person(7).ui_settings = {"enable_audio_alerts": "all"}
    assert everybody.ok("chatwoot", "diff").records == [
        difference("audio", "none", "all", "unknown")
    ]


LEFT_OUT = (
    "left out 2 users whose tokens aren't held (jane@example.com, omar@example.com): notifycli "
    "chatwoot login adds a token; of all, from your own server: notifycli chatwoot tokens "
    "--platform; or name who is meant: -u\n"
)


@pytest.mark.parametrize(
    ("command", "status", "results", "told"),
    [
        pytest.param(["push"], 0, ["same"], LEFT_OUT, id="push"),
        pytest.param(["push", "-u", "9"], 0, ["same"], "", id="push of those who are named"),
        pytest.param(
            ["diff"],
            0,
            [],
            LEFT_OUT + "no differences of 1 user whose tokens are held\n",
            id="diff",
        ),
        pytest.param(["diff", "-u", "9"], 0, [], "no differences\n", id="diff of who is named"),
        pytest.param(
            ["diff", "--exit-code", "-q"],
            77,
            [],
            f"warning: {LEFT_OUT}",
            id="diff by its exit status, which isn't about everybody",
        ),
    ],
)
def test_who_is_left_out_for_want_of_a_token_is_told(
    member: Notifycli, command: list[str], status: int, results: list[str], told: str
) -> None:
    member.ok("chatwoot", "pull")
    member.ok("prefs", "set", "-u", "omar@example.com", "email.assigned=off")
    result = member("chatwoot", *command)
    assert (result.status, [one["result"] for one in result.records]) == (status, results)
    assert result.stderr == told


def test_a_difference_is_the_answer_though_users_are_left_out(member: Notifycli) -> None:
    member.ok("chatwoot", "pull")
    member.ok("prefs", "set", "-u", "9", "audio=all")
    result = member("chatwoot", "diff", "--exit-code")
    assert (result.status, [one["key"] for one in result.records]) == (1, ["audio"])
    assert result.stderr == f"warning: {LEFT_OUT}"


def test_diff_tells_of_whom_it_could_not_ask(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    del chatwoot.people[JANE]
    result = pulled("chatwoot", "diff", "--exit-code")
    assert (result.status, result.stdout) == (77, b"")
    assert "warning: jane@example.com: " in result.stderr


@pytest.mark.parametrize(
    ("given", "told"),
    [
        pytest.param(
            "-u 7 email.created=on email.mention=on",
            "not yet at {url}: email.created, email.mention of jane@example.com; "
            "write there: notifycli chatwoot push -u jane@example.com\n",
            id="of one",
        ),
        pytest.param(
            "--default email.created=on",
            "not yet at {url}: preferences of 3 users; write there: notifycli chatwoot push\n",
            id="of everybody",
        ),
        pytest.param("-u 7 email.unassigned=on", "", id="what is unknown there"),
    ],
)
def test_a_change_says_what_is_not_there_yet(
    pulled: Notifycli, chatwoot: Chatwoot, given: str, told: str
) -> None:
    for one in pulled.ok("prefs", "list", "--all-users").records:
        if one["key"] == "email.conversation_creation" and one["origin"] == "user":
            pulled.ok("prefs", "unset", "-q", "email.created", "-u", str(one["user_id"]))
    done = pulled.ok("prefs", "set", *given.split())
    assert done.stderr.partition("\n")[2] == told.format(url=chatwoot.url)
