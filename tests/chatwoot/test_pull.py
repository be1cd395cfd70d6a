"""`notifycli chatwoot pull`: the directory, and preferences of whose tokens are held."""

from __future__ import annotations

import json

import pytest

from tests.chatwoot.recorded import JANE, OMAR, ROOT, Asked, Chatwoot, Person, Reply
from tests.conftest import Json, Notifycli


def step(kind: str, id_: int, name: str, result: str, detail: str = "") -> Json:
    return {"kind": kind, "id": id_, "name": name, "result": result, "detail": detail}


def value(notifycli: Notifycli, key: str, user: int = 7) -> str:
    return notifycli.ok("prefs", "get", key, "-u", str(user)).stdout.decode().strip()


def preferences(result: list[Json], user: int) -> Json:
    return next(s for s in result if (s["kind"], s["id"]) == ("preferences", user))


def test_pull_takes_over_the_directory_and_the_preferences(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    jane = chatwoot.person(7)
    jane.email_flags = ["email_conversation_assignment", "email_conversation_mention"]
    jane.push_flags = []
    jane.ui_settings = {
        "enable_audio_alerts": "assigned+unassigned+notme",
        "always_play_audio_alert": True,
        "notification_tone": "bell",
        "is_ct_labels_open": True,
    }
    chatwoot.person(8).ui_settings = None
    records = everybody.ok("chatwoot", "pull").records
    assert records == [
        step("inbox", 3, "Website", "added"),
        step("team", 2, "Support", "added"),
        step(
            *("preferences", 7, "jane@example.com", "changed"),
            "audio none→assigned+unassigned+others, audio.tone ding→bell, "
            "audio.when hidden→always, email.conversation_mention off→on, "
            "push.conversation_assignment on→off",
        ),
        step("preferences", 8, "omar@example.com", "same"),
        step("preferences", 9, "root@example.com", "same"),
    ]
    assert json.loads(everybody.ok("directory", "export").stdout) == {
        "account": {"id": 1, "name": "Acme"},
        "users": [
            {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"},
            {"id": 8, "email": "omar@example.com", "name": "Omar", "role": "agent"},
            {"id": 9, "email": "root@example.com", "name": "Root", "role": "administrator"},
        ],
        "inboxes": [{"id": 3, "name": "Website", "members": [7, 8]}],
        "teams": [{"id": 2, "name": "Support", "members": [7]}],
    }
    assert value(everybody, "audio") == "assigned+unassigned+others"
    assert value(everybody, "email.mention") == "on"


def test_pull_with_dry_run_shows_the_same_and_stores_nothing(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.person(7).push_flags = []
    before = everybody.ok("directory", "export").stdout
    shown = everybody.ok("chatwoot", "pull", "--dry-run").stdout
    assert everybody.ok("directory", "export").stdout == before
    assert value(everybody, "push.assigned") == "on"
    assert {r["pulled_at"] for r in everybody.ok("chatwoot", "status").records} == {None}
    assert everybody.ok("chatwoot", "pull").stdout == shown


def test_a_second_pull_finds_nothing_new_and_leaves_no_history(pulled: Notifycli) -> None:
    before = pulled.ok("prefs", "history").stdout
    assert {s["result"] for s in pulled.ok("chatwoot", "pull").records} == {"same"}
    assert pulled.ok("prefs", "history").stdout == before


def test_a_pull_is_one_change_that_can_be_taken_back(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    before = everybody.ok("prefs", "export", "-o", "json").stdout
    chatwoot.person(7).push_flags = []
    chatwoot.person(8).email_flags = []
    everybody.ok("chatwoot", "pull")
    assert len({r["id"] for r in everybody.ok("prefs", "history").records}) == 1
    everybody.ok("prefs", "undo")
    assert everybody.ok("prefs", "export", "-o", "json").stdout == before


def test_with_u_it_is_that_users_preferences_alone(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    records = everybody.ok("chatwoot", "pull", "-u", "jane@example.com").records
    assert records == [step("preferences", 7, "jane@example.com", "same")]
    assert everybody.ok("inbox", "list").records == []
    assert not any("inboxes" in asked.path for asked in chatwoot.asked)


def test_what_was_changed_there_is_taken_and_what_was_changed_here_stays(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "email.mention=on", "-u", "7")
    chatwoot.person(7).ui_settings = {"enable_audio_alerts": "all"}
    record = preferences(pulled.ok("chatwoot", "pull").records, 7)
    assert record == step(
        *("preferences", 7, "jane@example.com", "changed"),
        "audio none→all, email.conversation_mention stays on: not pushed yet",
    )
    assert (value(pulled, "email.mention"), value(pulled, "audio")) == ("on", "all")


def test_what_was_changed_on_both_sides_is_a_conflict_and_nothing_of_it_is_stored(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("prefs", "set", "audio=assigned", "-u", "7")
    chatwoot.person(7).ui_settings = {"enable_audio_alerts": "all", "notification_tone": "bell"}
    chatwoot.person(8).push_flags = []
    result = pulled("chatwoot", "pull")
    assert result.status == 75
    assert preferences(result.records, 7) == step(
        *("preferences", 7, "jane@example.com", "conflict"),
        "changed here and there: audio (here assigned, there all); take theirs: --force",
    )
    assert preferences(result.records, 8)["result"] == "changed"
    assert (value(pulled, "audio"), value(pulled, "audio.tone")) == ("assigned", "ding")
    assert value(pulled, "push.assigned", 8) == "off"
    pulled.ok("chatwoot", "pull", "--force")
    assert (value(pulled, "audio"), value(pulled, "audio.tone")) == ("all", "bell")


def test_a_locked_preference_stays_as_it_is_locked(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    everybody.ok("prefs", "set", "audio=assigned", "--lock", "-a", "1")
    chatwoot.person(7).ui_settings = {"enable_audio_alerts": "all"}
    record = preferences(everybody.ok("chatwoot", "pull").records, 7)
    assert record["detail"] == "audio stays assigned: locked"
    everybody.ok("prefs", "unset", "audio", "--lock")
    assert value(everybody, "audio") == "none"


def test_a_value_that_nobody_can_read_is_left_alone_and_told(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.person(7).ui_settings = {"notification_tone": "gong", "enable_audio_alerts": "all"}
    record = preferences(everybody.ok("chatwoot", "pull").records, 7)
    assert record["detail"].startswith("audio none→all, left as it is there: audio.tone: 'gong'")
    assert value(everybody, "audio.tone") == "ding"


def test_what_fails_for_one_user_does_not_keep_the_others(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    for user in (7, 8, 9):
        chatwoot.person(user).push_flags = []
    gone = chatwoot.people.pop(JANE)
    result = everybody("chatwoot", "pull")
    assert result.status == 77
    failed = preferences(result.records, 7)
    assert failed["result"] == "failed"
    assert "refuses the token: Invalid Access Token" in failed["detail"]
    assert value(everybody, "push.assigned", 8) == "off"
    assert "mend what is told, and run it again for the rest" in result.stderr
    chatwoot.people[JANE] = gone
    records = everybody.ok("chatwoot", "pull").records
    assert {s["id"]: s["result"] for s in records if s["kind"] == "preferences"} == {
        7: "changed",
        8: "same",
        9: "same",
    }


def test_once_no_more_requests_are_taken_the_rest_is_left(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    def limit(asked: Asked, person: Person | None) -> None:
        if person is not None and person.id == 8 and "settings" in asked.path:
            raise Reply(429, {"error": "slow down"}, {"Retry-After": "999"})

    chatwoot.before = limit
    before = len(chatwoot.asked)
    result = everybody("chatwoot", "pull", "--all-users")
    assert [(s["id"], s["result"]) for s in result.records] == [
        (7, "same"),
        (8, "failed"),
        (9, "left"),
    ]
    assert (result.status, len(chatwoot.asked) - before) == (75, 4)


def test_an_agent_does_not_see_everything_and_removes_nothing(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=JANE.encode())
    notifycli.ok("inbox", "add", "3", "--member", "7")
    notifycli.ok("inbox", "add", "4", "--name", "Mail")
    result = notifycli.ok("chatwoot", "pull")
    assert "inbox 3: its members may be seen by administrators only" in result.stderr
    assert notifycli.ok("inbox", "list").records == [
        {"id": 3, "name": "Website", "members": [7]},
        {"id": 4, "name": "Mail", "members": None},
    ]
    refused = notifycli("chatwoot", "pull", "--replace")
    assert (refused.status, "is an agent there" in refused.stderr) == (77, True)


def test_with_replace_what_is_not_there_goes_with_its_tokens(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("inbox", "add", "4", "--name", "Mail")
    del chatwoot.people[OMAR]
    chatwoot.inboxes[3] = ("Site", [7])
    result = pulled("chatwoot", "pull", "--replace")
    assert result.status == 77
    assert [s for s in result.records if s["kind"] != "preferences"] == [
        step("user", 8, "omar@example.com", "removed"),
        step("inbox", 3, "Website", "changed", "members 7 8→7"),
        step("inbox", 4, "Mail", "removed"),
        step("inbox", 3, "Site", "changed", "name Website→Site"),
    ]
    assert [t["user_id"] for t in pulled.ok("token", "list").records] == [7, 9]
    assert pulled.ok("chatwoot", "pull", "--replace").status == 0


@pytest.mark.parametrize("listed", [[], [7, 8]], ids=["of nobody", "of others"])
@pytest.mark.parametrize(
    "command", [("pull", "--replace"), ("pull",), ("tokens", "--platform")], ids=" ".join
)
def test_a_list_of_agents_without_whose_token_it_is_is_not_believed(
    pulled: Notifycli, chatwoot: Chatwoot, command: tuple[str, ...], listed: list[int]
) -> None:
    before = [pulled.ok(*one).stdout for one in KEPT]

    def shorten(asked: Asked, _person: Person | None) -> None:
        if asked.path.endswith("/agents"):
            people = [chatwoot.person(id_) for id_ in listed]
            raise Reply(200, [{"id": one.id, "email": one.email} for one in people])

    chatwoot.before = shorten
    done = pulled("chatwoot", *command, stdin=b"p" * 24)
    assert (done.status, done.stdout) == (69, b"")
    assert done.stderr == (
        f"error: {chatwoot.url} lists the agents without root@example.com, whose token asks and "
        "who is one: the list isn't whole, and nothing was changed\n"
        "  see whether Settings > Agents there shows everybody: if so, what stands between "
        "(a proxy, a cache) has answered; if not, its own log says why; then run it again\n"
    )
    assert [pulled.ok(*one).stdout for one in KEPT] == before


KEPT = [("directory", "export"), ("prefs", "export"), ("token", "list"), ("prefs", "history")]


def test_preferences_go_with_a_user_who_is_removed(pulled: Notifycli, chatwoot: Chatwoot) -> None:
    def leave_out_omar(asked: Asked, _person: Person | None) -> None:
        if asked.path.endswith("/agents"):
            people = [chatwoot.person(id_) for id_ in (7, 9)]
            raise Reply(
                200,
                [{"id": p.id, "email": p.email, "name": p.name, "role": p.role} for p in people],
            )

    chatwoot.before = leave_out_omar
    chatwoot.inboxes[3] = ("Website", [7])
    records = [
        step("user", 8, "omar@example.com", "removed"),
        step("inbox", 3, "Website", "changed", "members 7 8→7"),
        step("preferences", 7, "jane@example.com", "same"),
        step(
            "preferences",
            8,
            "omar@example.com",
            "removed",
            "with the user, who isn't there any more",
        ),
        step("preferences", 9, "root@example.com", "same"),
    ]
    pull = ("chatwoot", "pull", "--replace")
    assert pulled.ok(*pull, "--dry-run").records == records
    assert pulled.ok(*pull).records == records


@pytest.mark.parametrize("option", [["-u", "7"], ["--all-users"]])
def test_replace_is_for_the_whole_directory(pulled: Notifycli, option: list[str]) -> None:
    assert pulled("chatwoot", "pull", "--replace", *option).status == 2


def test_a_token_that_is_somebody_elses_by_now_is_told(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.people[JANE] = chatwoot.people[OMAR]
    result = everybody("chatwoot", "pull", "-u", "7")
    assert result.status == 65
    assert "the token of jane@example.com is user 8's there" in result.records[0]["detail"]


def test_pull_tells_of_confirmed_addresses_custom_roles_and_bots(
    everybody: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.person(7).told = {"confirmed": False, "custom_role_id": 4}
    chatwoot.person(8).told = {"confirmed": True, "custom_role_id": None}
    chatwoot.person(9).told = {"confirmed": True, "custom_role_id": 5}
    chatwoot.custom_roles = [
        {"id": 4, "name": "Own", "permissions": ["conversation_participating_manage"]}
    ]
    chatwoot.inboxes[4] = ("Mail", [7])
    chatwoot.bots = {4: {"id": 1, "name": "Helper", "bot_type": "webhook"}}
    records = everybody.ok("chatwoot", "pull").records
    assert records[0] == step(
        *("user", 7, "jane@example.com", "changed"),
        "confirmed -→no, permissions -→conversation_participating_manage",
    )
    jane = {"id": 7, "email": "jane@example.com", "name": "Jane", "role": "agent"}
    assert everybody.ok("user", "list").records == [
        {**jane, "confirmed": False, "permissions": ["conversation_participating_manage"]},
        {**jane, "id": 8, "email": "omar@example.com", "name": "Omar", "confirmed": True},
        {
            "id": 9,
            "email": "root@example.com",
            "name": "Root",
            "role": "administrator",
            "confirmed": True,
        },
    ]
    assert everybody.ok("inbox", "list").records == [
        {"id": 3, "name": "Website", "members": [7, 8], "bot": False},
        {"id": 4, "name": "Mail", "members": [7], "bot": True},
    ]
    assert {s["result"] for s in everybody.ok("chatwoot", "pull").records} == {"same"}
    # Whoever has no custom role any more has all that an agent has.
    chatwoot.person(7).told = {"confirmed": True, "custom_role_id": None}
    everybody.ok("chatwoot", "pull")
    assert everybody.ok("user", "show", "7").records == [{**jane, "confirmed": True}]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_custom_roles_that_cannot_be_read_are_told_with_who_has_one(
    pulled: Notifycli, chatwoot: Chatwoot, status: int
) -> None:
    def refuse(asked: Asked, _person: Person | None) -> None:
        if asked.path.endswith("/custom_roles"):
            raise Reply(status, {"error": "You are not authorized to do this action"})

    chatwoot.before = refuse
    chatwoot.person(7).told = {"custom_role_id": 4}
    chatwoot.person(9).told = {"custom_role_id": 4}
    assert pulled.ok("chatwoot", "pull").stderr == (
        "the custom role of jane@example.com can't be read: what it lets them see stays as it is "
        "on record, which may be all that an agent sees; say it yourself, as "
        '"permissions": ["conversation_participating_manage"]: notifycli directory import FILE\n'
    )
    assert "permissions" not in pulled.ok("user", "show", "7").records[0]
    own = {"users": [{"id": 7, "permissions": ["conversation_participating_manage"]}]}
    pulled.ok("directory", "import", "-", stdin=json.dumps(own).encode())
    pulled.ok("chatwoot", "pull")
    (jane,) = pulled.ok("user", "show", "7").records
    assert jane["permissions"] == ["conversation_participating_manage"]


def test_names_that_cannot_be_shown_are_taken_with_spaces(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.accounts = [(1, "Ac\tme")]
    chatwoot.person(7).name = "Jane\tDoe"
    chatwoot.person(9).name = "Root\n"
    chatwoot.inboxes = {3: ("\x1b[31mWebsite", [7])}
    chatwoot.teams = {2: ("Billing\u202e\nx", [7])}
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=ROOT.encode())
    assert [user["name"] for user in notifycli.ok("user", "list").records] == ["Root"]
    notifycli.ok("chatwoot", "pull")
    document = json.loads(notifycli.ok("directory", "export").stdout)
    assert document["account"]["name"] == "Ac me"
    named = {
        kind: [one["name"] for one in document[kind]] for kind in ("users", "inboxes", "teams")
    }
    assert named == {
        "users": ["Jane Doe", "Omar", "Root"],
        "inboxes": ["[31mWebsite"],
        "teams": ["Billing x"],
    }
    assert {one["result"] for one in notifycli.ok("chatwoot", "pull").records} == {"same"}
    notifycli.ok("directory", "import", "-", "--replace", stdin=json.dumps(document).encode())


def test_what_an_older_version_does_not_tell_stays_as_it_is_known(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    known = {
        "users": [{"id": 7, "confirmed": False, "permissions": ["conversation_manage"]}],
        "inboxes": [{"id": 3, "bot": True}],
    }
    pulled.ok("directory", "import", "-", stdin=json.dumps(known).encode())
    before = pulled.ok("directory", "export").stdout
    pulled.ok("chatwoot", "pull")
    assert pulled.ok("directory", "export").stdout == before
    assert chatwoot.bots is None


def test_an_inbox_that_is_said_to_have_a_bot_may_have_another_than_an_agent_bot(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    chatwoot.bots = {}
    pulled.ok("chatwoot", "pull")
    website = {"id": 3, "name": "Website", "members": [7, 8], "bot": False}
    assert pulled.ok("inbox", "list").records == [website]
    known = {"inboxes": [{"id": 3, "bot": True}]}
    pulled.ok("directory", "import", "-", stdin=json.dumps(known).encode())
    assert {one["result"] for one in pulled.ok("chatwoot", "pull").records} == {"same"}
    assert pulled.ok("inbox", "list").records == [{**website, "bot": True}]


def test_pull_finds_again_who_was_added_without_an_id(
    member: Notifycli, chatwoot: Chatwoot
) -> None:
    member.ok("user", "add", "jane@example.com")
    member.ok("prefs", "set", "audio=all", "-u", "jane@example.com")
    records = member.ok("chatwoot", "pull").records
    assert step("user", 7, "jane@example.com", "changed", "id 10→7") in records
    assert [user["id"] for user in member.ok("user", "list").records] == [7, 8, 9]
    assert value(member, "audio") == "all"
    assert chatwoot.person(7).email == "jane@example.com"


def test_pull_and_login_take_nobody_over_whose_address_is_another(
    pulled: Notifycli, chatwoot: Chatwoot
) -> None:
    pulled.ok("user", "add", "bob@x.example")
    pulled.ok("prefs", "set", "push.mention=on", "-u", "bob@x.example")
    before = pulled.ok("directory", "export").stdout
    chatwoot.person(7).email = "bob@x.example"
    refused = pulled("chatwoot", "pull")
    remedy = "if user 7 has this address by now: notifycli user remove 10"
    assert (refused.status, remedy in refused.stderr) == (65, True)
    again = pulled("chatwoot", "login", chatwoot.url, stdin=JANE.encode())
    assert (again.status, "belongs to another user already" in again.stderr) == (65, True)
    assert pulled.ok("directory", "export").stdout == before
    pulled.ok("user", "remove", "10")
    pulled.ok("chatwoot", "pull")
    assert pulled.ok("user", "show", "7").records[0]["email"] == "bob@x.example"


def test_login_takes_over_who_was_added_without_an_id(
    notifycli: Notifycli, chatwoot: Chatwoot
) -> None:
    notifycli.ok("user", "add", "jane@example.com", "--name", "J")
    notifycli.ok("prefs", "set", "audio=all")
    notifycli.ok("chatwoot", "login", chatwoot.url, stdin=JANE.encode())
    assert [user["id"] for user in notifycli.ok("user", "list").records] == [7]
    assert value(notifycli, "audio") == "all"
