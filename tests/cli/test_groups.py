"""`notifycli inbox` and `notifycli team`: who sees what."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Json, Notifycli

KINDS = pytest.mark.parametrize("kind", ["inbox", "team"])
ESCAPES = "\x1b[2Jred\x07"


def groups(notifycli: Notifycli, kind: str) -> list[Json]:
    return notifycli.ok(kind, "list").records


def before(kind: str) -> Json:
    return {
        "inbox": {"id": 3, "name": "Website", "members": [7, 8]},
        "team": {"id": 2, "name": "Support", "members": [7]},
    }[kind]


@KINDS
def test_add_stores_name_and_members_by_address_and_id(desk: Notifycli, kind: str) -> None:
    result = desk(
        *(kind, "add", "5", "--name", "Mail", "--member", "9", "--member", "jane@example.com")
    )
    assert (result.status, result.stdout) == (0, b"")
    assert groups(desk, kind) == [before(kind), {"id": 5, "name": "Mail", "members": [7, 9]}]


@KINDS
def test_add_of_a_known_one_adds_members_and_keeps_the_rest(desk: Notifycli, kind: str) -> None:
    known = before(kind)
    desk.ok(kind, "add", str(known["id"]), "--member", "root@example.com")
    assert groups(desk, kind) == [{**known, "members": [*known["members"], 9]}]


@KINDS
def test_add_of_a_known_one_renames_it(desk: Notifycli, kind: str) -> None:
    known = before(kind)
    desk.ok(kind, "add", str(known["id"]), "--name", "Other")
    assert groups(desk, kind) == [{**known, "name": "Other"}]


@KINDS
def test_a_member_named_twice_is_one(desk: Notifycli, kind: str) -> None:
    desk.ok(kind, "add", "5", "--member", "7", "--member", "jane@example.com")
    assert groups(desk, kind)[1]["members"] == [7]


@KINDS
def test_remove_takes_it_away(desk: Notifycli, kind: str) -> None:
    result = desk(kind, "remove", str(before(kind)["id"]))
    assert (result.status, result.stdout, groups(desk, kind)) == (0, b"", [])


@KINDS
def test_the_order_is_that_of_ids(desk: Notifycli, kind: str) -> None:
    for id_ in ("10", "1", "100"):
        desk.ok(kind, "add", id_)
    assert [group["id"] for group in groups(desk, kind)] == [1, before(kind)["id"], 10, 100]


@KINDS
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["add", "5", "--member", "jnae@example.com"], "jane@example.com", id="member"),
        pytest.param(["add", "5", "--member", "7", "--member", "nobody"], "'nobody'", id="one bad"),
        pytest.param(["add", "0"], "ID", id="id 0"),
        pytest.param(["add", "x"], "'x'", id="an id that is no number"),
        pytest.param(["add"], "ID", id="no id"),
        pytest.param(["remove", "77"], "77", id="remove what is not there"),
        pytest.param(["remove"], "ID", id="remove without an id"),
        pytest.param(["move"], "'move'", id="a verb that is none"),
    ],
)
def test_wrong_usage_is_refused_and_stores_nothing(
    desk: Notifycli, kind: str, arguments: list[str], told: str
) -> None:
    result = desk(kind, *arguments)
    assert (result.status, result.stdout) == (2, b"")
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert groups(desk, kind) == [before(kind)]


@KINDS
def test_removing_an_unknown_one_names_those_there_are(desk: Notifycli, kind: str) -> None:
    result = desk(kind, "remove", "77")
    assert before(kind)["name"] in result.stderr.splitlines()[-1]


@KINDS
@pytest.mark.parametrize("arguments", [["add", str(2**63)], ["remove", str(2**63)]])
def test_an_id_that_no_store_can_hold_is_wrong_usage(
    desk: Notifycli, kind: str, arguments: list[str]
) -> None:
    assert desk(kind, *arguments).status == 2


def test_an_inbox_without_members_on_record_is_told_from_one_without_members(
    desk: Notifycli,
) -> None:
    desk.ok("inbox", "add", "4")
    desk.ok("inbox", "add", "5", "--member", "8")
    desk.ok("user", "remove", "8")
    assert [group["members"] for group in groups(desk, "inbox")] == [[7], None, []]


def test_what_is_set_for_a_removed_inbox_is_there_when_it_comes_back(desk: Notifycli) -> None:
    desk.ok("prefs", "set", "audio=all", "--inbox", "3", "-u", "7")
    desk.ok("inbox", "remove", "3")
    assert desk("prefs", "get", "audio", "--inbox", "3", "-u", "7").status == 2
    desk.ok("inbox", "add", "3")
    assert desk.ok("prefs", "get", "audio", "--inbox", "3", "-u", "7").stdout == b"all\n"


@KINDS
@pytest.mark.parametrize("output", ["table", "tsv"])
def test_control_characters_of_a_name_never_come_out_raw(
    desk: Notifycli, kind: str, output: str
) -> None:
    desk(kind, "add", "5", "--name", ESCAPES)
    shown = desk.ok(kind, "list", "-o", output)
    assert [c for c in shown.stdout.decode() if not c.isprintable() and c not in "\n\t"] == []


@KINDS
def test_a_name_with_control_characters_is_refused(desk: Notifycli, kind: str) -> None:
    assert desk(kind, "add", "5", "--name", ESCAPES).status == 2
    assert groups(desk, kind) == [before(kind)]


@KINDS
@pytest.mark.parametrize(("output", "name"), [("csv", ESCAPES), ("jsonl", "\x7f\x9b2J")])
def test_control_characters_do_not_come_out_raw_in_other_formats(
    desk: Notifycli, kind: str, output: str, name: str
) -> None:
    desk(kind, "add", "5", "--name", name)
    shown = desk.ok(kind, "list", "-o", output).stdout.decode()
    assert [char for char in shown if not char.isprintable() and char != "\n"] == []


@KINDS
def test_formats(desk: Notifycli, kind: str) -> None:
    known = before(kind)
    assert json.loads(desk.ok(kind, "list", "-o", "json").stdout) == [known]
    members = " ".join(map(str, known["members"]))
    row = f"{known['id']},{known['name']},{members}"
    assert desk.ok(kind, "list", "-o", "csv").stdout.decode() == f"id,name,members\n{row}\n"
    assert desk.ok(kind, "list", "-o", "tsv").stdout.decode() == (
        f"id,name,members\n{row}\n".replace(",", "\t")
    )
