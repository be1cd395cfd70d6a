"""The commands as users and scripts run them; secrets lie in an encrypted file."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pexpect
import pytest

from notifycli.secrets import token_format as form

from .harness import FOREIGN, Done, Program, hers

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.usefixtures("file_keyring")


class TestShow:
    def test_the_first_time_makes_it_and_says_so_and_the_second_prints_the_same(
        self, team: Program
    ) -> None:
        first, second = hers(team, "show"), hers(team, "show")
        token = first.out.removesuffix("\n")
        assert form.well_formed(token)
        said = f"there was no token yet: {form.mask(token)} was made for jane@example.com\n"
        assert first == Done(0, f"{token}\n", said)
        assert second == Done(0, f"{token}\n", "")
        assert hers(team, "header") == Done(0, f"api_access_token: {token}\n", "")

    def test_what_is_asked_of_a_new_token_is_refused_of_one_that_is_there(
        self, team: Program
    ) -> None:
        assert hers(team, "show", "--label", "backup", "--expires", "30d").status == 0
        again = hers(team, "show", "--label", "other")
        assert (again.status, again.out) == (2, "")
        assert "token rotate" in again.err

    def test_a_terminal_is_told_what_it_is_and_how_to_use_it(self, team: Program) -> None:
        token = hers(team, "show").out.strip()
        command, *arguments = team.command("token", "show", "-u", "jane@example.com")
        shown = pexpect.run(
            " ".join([command, *arguments]), env=dict(os.environ), timeout=60, encoding="utf-8"
        )
        lines = [line.strip() for line in str(shown).splitlines()]
        assert lines[0] == token
        assert lines[2].startswith("jane@example.com's token, made ")
        assert lines[3].endswith("notifycli token copy -u jane@example.com")

    def test_two_processes_at_once_print_the_same_token(self, team: Program) -> None:
        command = team.command("token", "show", "-u", "jane@example.com")
        both = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
        try:
            printed = {process.communicate(timeout=60)[0] for process in both}
        finally:
            for process in both:
                process.kill()
                process.communicate()
        assert [process.returncode for process in both] == [0, 0]
        assert len(printed) == 1
        assert [r["state"] for r in team("token", "list").records] == ["active"]
        assert team("doctor").records[2]["status"] == "ok"

    def test_a_reader_that_has_gone_ends_it_quietly(self, team: Program) -> None:
        reading, writing = os.pipe()
        os.close(reading)
        done = subprocess.run(
            team.command("token", "show", "-u", "7"),
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        os.close(writing)
        assert b"Traceback" not in done.stderr
        assert b"BrokenPipe" not in done.stderr

    def test_a_machine_without_a_clipboard_says_so_and_prints_no_token(self, team: Program) -> None:
        token = hers(team, "show").out.strip()
        done = hers(team, "show", "--copy")
        assert (done.status, done.out) == (69, "")
        assert "this machine has no clipboard" in done.err
        assert token not in done.err

    def test_a_copy_is_on_the_clipboard_and_not_on_the_screen(
        self,
        team: Program,
        screen: str,  # noqa: ARG002
    ) -> None:
        token = hers(team, "show").out.strip()
        done = hers(team, "copy", "--clear-after", "20")
        said = "jane@example.com's token: copied to the clipboard; cleared in 20 s\n"
        assert done == Done(0, "", said)
        pasted = Path(os.environ["HOME"], "pasted")
        with pasted.open("wb") as file:  # not a pipe: xclip would keep it open
            subprocess.run(["xclip", "-selection", "clipboard", "-out"], stdout=file, check=True)
        assert pasted.read_text() == token


class TestVerify:
    def test_it_says_whose_it_is_and_notes_the_use(self, team: Program) -> None:
        done = team("token", "verify", stdin=hers(team, "show", "--name", "x").out)
        assert done.status == 0
        assert done.records == [
            {
                "account_id": 1,
                "user_id": 1,
                "email": "jane@example.com",
                "name": "x",
                "expires_at": None,
            }
        ]
        assert team("token", "list").records[0]["last_used_at"] is not None

    @pytest.mark.parametrize(
        ("text", "done"),
        [
            pytest.param(FOREIGN, Done(1, "", "this is no valid token\n"), id="unknown"),
            pytest.param("nct_" + "x" * 36, Done(1, "", "this is no valid token\n"), id="mistyped"),
            pytest.param("zażółć 日本", Done(1, "", "this is no valid token\n"), id="no token"),
            pytest.param(
                "\n",
                Done(
                    65,
                    "",
                    "error: no token came from standard input\n"
                    "  pipe it: notifycli token show | notifycli token verify\n",
                ),
                id="nothing",
            ),
        ],
    )
    def test_no_is_the_status_1_and_no_more(self, program: Program, text: str, done: Done) -> None:
        assert program("token", "verify", stdin=text) == done

    def test_no_store_is_made_for_it(self, program: Program) -> None:
        program("token", "verify", stdin=FOREIGN)
        assert not program.store_path.exists()


class TestList:
    def test_on_a_terminal_of_80_columns_each_name_is_in_one_piece(self, team: Program) -> None:
        token = hers(team, "show", "--label", "backup", "--expires", "90d").out.strip()
        shown = team("token", "list", "-o", "table", COLUMNS="80").out
        assert [" ".join(row.split()) for row in shown.splitlines() if row.strip("─ ")] == [
            "User Name Token Made Expires Last used State",
            f"jane@example.com default {form.mask(token)} just now in 3 months - active",
            "backup",
        ]

    def test_of_revoked_ones_alone_it_says_how_they_are_listed(self, team: Program) -> None:
        hers(team, "show")
        assert hers(team, "revoke").status == 0
        note = "1 token, revoked: notifycli token list --revoked\n"
        assert team("token", "list") == Done(0, "", note)
        assert [r["state"] for r in team("token", "list", "--revoked").records] == ["revoked"]


class TestChanges:
    def test_a_token_goes_through_its_life(self, team: Program) -> None:
        made = hers(team, "generate", "--expires", "90d", "--label", "export")
        assert (made.status, made.out) == (0, "")
        assert "expires in 3 months; see it: notifycli token show -u jane" in made.err
        assert hers(team, "rotate", "--grace", "24h").err.count("the old one ends in 1 day") == 1
        old = hers(team, "show", "--previous").out
        assert team("token", "verify", stdin=old).status == 0
        listed = team("token", "list").records
        assert [(r["label"], r["state"]) for r in listed] == [
            ("export", "rotated"),
            ("export", "active"),
        ]
        assert list(listed[0]) == [
            *("user_id", "email", "name", "token", "label"),
            *("created_at", "expires_at", "last_used_at", "state"),
        ]
        assert hers(team, "revoke").err == "jane@example.com's token is revoked\n"
        assert team("token", "verify", stdin=old).status == 1
        assert team("token", "list").out == ""
        assert [r["state"] for r in team("token", "list", "--revoked").records] == ["revoked"] * 2

    def test_the_yearly_clean_up_rotates_what_is_old_and_leaves_what_is_foreign(
        self, team: Program
    ) -> None:
        hers(team, "generate")
        hers(team, "set", "--name", "chatwoot", stdin=f"{FOREIGN}\n")
        team("token", "generate", "-u", "2")
        young = team("token", "rotate", "--older-than", "90d", "--all-users")
        assert (young.status, young.err) == (0, "no token is that old\n")
        before = {r["name"] + r["email"]: r["token"] for r in team("token", "list").records}
        done = team("token", "rotate", "--older-than", "0s", "--all-users")
        assert (done.status, done.out) == (0, "")
        assert "'chatwoot' was made elsewhere: left as it is" in done.err
        after = {r["name"] + r["email"]: r["token"] for r in team("token", "list").records}
        changed = {which for which in before if before[which] != after[which]}
        assert changed == {"defaultjane@example.com", "defaultomar@example.com"}

    @pytest.mark.parametrize(
        ("arguments", "status", "message"),
        [
            (["show"], 2, "account 1 has several users"),
            (["generate", "-u", "1", "--expires", "2020-01-01"], 2, "is over already"),
            (["generate", "-u", "1", "--expires", "soon"], 2, "neither a duration nor a date"),
            (["generate", "-u", "1", "--name", "a b"], 2, "a name has letters, digits"),
            (["rotate", "--older-than", "0s"], 2, "account 1 has several users"),
            (["list", "--older-than", "old"], 2, "no duration such as 90d"),
            (["show", "-u", "1", "--clear-after", "5"], 2, "--clear-after is for --copy"),
            (["show", "-u", "1", "--previous"], 2, "no predecessor"),
            (["revoke", "-u", "1"], 2, "doesn't exist"),
            (["rotate", "-u", "jan@example.com"], 2, "did you mean jane@example.com?"),
            (["set", "-u", "1", "--name", "x"], 65, "no token came from standard input"),
        ],
    )
    def test_what_can_t_be_done_is_refused_with_its_status(
        self, team: Program, arguments: list[str], status: int, message: str
    ) -> None:
        done = team("token", *arguments)
        assert (done.status, done.out) == (status, "")
        assert message in done.err

    @pytest.mark.parametrize(
        ("command", "stdin"),
        [
            (["user", "remove", "jane@example.com"], ""),
            (["directory", "import", "-", "--replace"], '{"account": {"id": 1}, "users": []}'),
        ],
    )
    def test_a_removed_user_s_tokens_are_gone_everywhere(
        self, team: Program, command: list[str], stdin: str
    ) -> None:
        token = hers(team, "show").out
        assert team(*command, stdin=stdin).status == 0
        assert team("token", "verify", stdin=token).status == 1
        tokens = team("doctor").records[2]
        assert (tokens["status"], tokens["found"]) == ("ok", "none")

    def test_what_is_typed_on_a_terminal_stays_unseen(self, team: Program) -> None:
        command, *arguments = team.command("token", "set", "-u", "jane@example.com")
        child = pexpect.spawn(command, arguments, env=dict(os.environ), encoding="utf-8")
        child.expect("Token: ")
        child.sendline(FOREIGN)
        rest = child.read()
        child.close()
        assert child.exitstatus == 0
        assert FOREIGN not in rest
        assert hers(team, "show").out == f"{FOREIGN}\n"
