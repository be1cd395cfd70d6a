"""`notifycli token`: what is taken for a token, and what a reading verb never does."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pexpect
import pytest
from hypothesis import given, strategies

from notifycli.cli.doctor import Facts, check_tokens
from notifycli.cli.session import Session
from notifycli.errors import DataError
from notifycli.secrets import token_format as form
from notifycli.store.store import open_store
from tests.conftest import Notifycli, Program, Result, Vault

FOREIGN = "QyTzvXkPW4mJcHn8sRbE2dLu"
"""A token as Chatwoot makes them: 24 characters of base58."""


class TestReading:
    """Copied with what is around it, or with what hides it."""

    @pytest.mark.parametrize(
        "text",
        [
            FOREIGN,
            f"  {FOREIGN}\r\n",
            f"\ufeff{FOREIGN}\n",
            f'"{FOREIGN}"',
            f"'{FOREIGN}'",
            f"`{FOREIGN}`",
            f"\"'{FOREIGN}'\"",
            f"api_access_token: {FOREIGN}",
            f"API_ACCESS_TOKEN={FOREIGN}",
            f"Bearer {FOREIGN}",
            f"Authorization: Bearer {FOREIGN}",
            f'"Authorization: Bearer {FOREIGN}"',
        ],
    )
    def test_what_is_plainly_around_a_token_is_left_away(
        self, desk: Notifycli, vault: Vault, text: str
    ) -> None:
        done = desk("token", "set", "-u", "7", stdin=text.encode())
        assert done == Result(0, b"", "jane@example.com's token is …2dLu\n")
        assert [*vault.secrets().values()] == [FOREIGN]

    @pytest.mark.parametrize(
        "text",
        [
            f'{{"access_token": "{FOREIGN}"}}'.encode(),
            f'["{FOREIGN}"]'.encode(),
            b"*" * 24,
            f'"{FOREIGN}'.encode(),
            f"{FOREIGN[:10]}\u200b{FOREIGN[10:]}".encode(),
            f"{FOREIGN[:10]}\ufeff{FOREIGN[10:]}".encode(),
            FOREIGN.encode("utf-16"),
            b"\xff" * 30,
            b"nct_" + b"x" * 35 + b"y",
            f"token: {FOREIGN}".encode(),
        ],
    )
    def test_what_is_none_is_refused_and_the_one_that_worked_still_works(
        self, desk: Notifycli, vault: Vault, text: bytes
    ) -> None:
        before = desk.ok("token", "show", "-u", "7").stdout
        kept = vault.secrets()
        done = desk("token", "set", "-u", "7", stdin=text)
        assert (done.status, done.stdout) == (65, b"")
        assert FOREIGN not in done.stderr
        assert (desk("token", "show", "-u", "7").stdout, vault.secrets()) == (before, kept)
        assert desk("token", "verify", stdin=before).status == 0

    @given(
        token=strategies.text("aZ09._~+/-", min_size=20, max_size=60),
        before=strategies.sampled_from(["", " ", "\t", '"', "Bearer ", "api_access_token: "]),
    )
    def test_every_token_that_a_header_can_carry_comes_through_as_it_is(
        self, token: str, before: str
    ) -> None:
        assert (
            form.unwrap(before + token + before.strip().removesuffix(":")[-1:] * (before == '"'))
            == token
        )

    @given(strategies.text(max_size=40))
    def test_whatever_is_taken_is_safe_in_a_header(self, text: str) -> None:
        try:
            form.check(form.unwrap(text))
        except DataError:
            return
        assert re.fullmatch(r"[A-Za-z0-9._~+/-]{20,}=*", form.unwrap(text))

    @pytest.mark.parametrize(
        "command", [["token", "set", "-u", "7"], ["chatwoot", "login", "http://127.0.0.1:9"]]
    )
    def test_a_missing_keyring_is_told_before_a_token_is_typed(
        self, desk: Notifycli, program: Program, tmp_path: Path, command: list[str]
    ) -> None:
        there = {
            "NOTIFYCLI_DB": str(desk.store),
            "NOTIFYCLI_KEYRING": "file",
            "NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(tmp_path / "none"),
        }
        shown = program.on_terminal(*command, environment=there)
        assert shown.status == 66
        assert shown.stdout.startswith(b"error: the passphrase file")

    def test_the_passphrase_is_asked_for_before_a_bar_is_drawn(
        self,
        desk: Notifycli,
        program: Program,
        vault: Vault,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with open_store(desk.store) as store, store.change(1, "chatwoot login", "test") as change:
            change.chatwoot.connect("http://127.0.0.1:9", 1)
        desk.ok("token", "set", "-u", "7", "--name", "chatwoot", stdin=FOREIGN.encode())
        monkeypatch.delenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE")
        command, *arguments = program.command("chatwoot", "status", "-u", "7")
        child = pexpect.spawn(command, arguments, env=dict(os.environ), encoding="utf-8")
        child.expect_exact("Passphrase of the keyring: ")
        assert child.before == ""
        child.sendline(vault.passphrase.read_text(encoding="ascii").strip())
        child.expect_exact("asking Chatwoot")
        child.close()


class TestAfterRevoking:
    @pytest.mark.parametrize("verb", [["show"], ["header"], ["copy"], ["show", "--copy"]])
    def test_a_verb_that_reads_makes_no_new_one(
        self, desk: Notifycli, vault: Vault, verb: list[str]
    ) -> None:
        token = desk.ok("token", "show", "-u", "7").stdout.decode().strip()
        desk.ok("token", "revoke", "-u", "7")
        assert desk("token", *verb, "-u", "7") == Result(
            77,
            b"",
            f"error: jane@example.com's token ({form.mask(token)}) was revoked\n"
            "  make a new one: notifycli token generate -u jane@example.com\n",
        )
        assert vault.secrets() == {}
        desk.ok("token", "generate", "-u", "7")
        assert form.well_formed(desk.ok("token", "show", "-u", "7").stdout.decode().strip())


class TestOneDefinition:
    """`doctor`, its `--fix` and `token list` go by the same conditions."""

    @pytest.mark.parametrize(
        ("case", "state", "orphans"),
        [
            ("a keychain of before a revocation", "leftover", 0),
            ("a keychain that lost it", "lost", 0),
            ("a user who was removed while the keyring was away", None, 1),
            ("a revoked one that the keychain lost by itself", "revoked", 0),
        ],
    )
    def test_what_one_finds_all_find_and_the_fix_mends(
        self, desk: Notifycli, vault: Vault, case: str, state: str | None, orphans: int
    ) -> None:
        desk.ok("token", "generate", "-u", "7")
        kept = vault.secrets()
        away = {"NOTIFYCLI_KEYRING_PASSPHRASE_FILE": str(vault.path.with_name("none"))}
        if "before a revocation" in case:
            desk.ok("token", "revoke", "-u", "7")
            vault.write(kept)
        elif "lost it" in case:
            vault.write({})
        elif "removed" in case:
            desk.ok("user", "remove", "7", environment=away)
        else:
            desk("token", "revoke", "-u", "7", environment=away)
            vault.write({})
        torn = state in {"leftover", "lost"} or orphans
        listed = desk.ok("token", "list", "--revoked")
        assert [item["state"] for item in listed.records] == [state] * (state is not None)
        assert ("mend them: notifycli doctor --fix" in listed.stderr) == bool(torn)
        assert checked(desk) == ("fail" if torn else "ok")
        fixed = desk("doctor", "--fix").stderr
        assert ("nothing to mend" in fixed) == (not torn)
        assert (vault.secrets(), checked(desk)) == ({}, "ok")
        assert "mend them" not in desk.ok("token", "list").stderr

    def test_what_isn_t_compared_is_told(
        self, desk: Notifycli, vault: Vault, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        desk.ok("token", "generate", "-u", "7")
        vault.write({})
        monkeypatch.delenv("NOTIFYCLI_KEYRING_PASSPHRASE_FILE")
        assert desk.ok("token", "list").stderr == (
            "not compared with the keyring (it would ask for its passphrase); "
            "see: notifycli doctor\n"
        )


def checked(desk: Notifycli) -> str:
    """Give what the doctor says of tokens."""
    store = Facts(Session(db=str(desk.store)))
    try:
        return check_tokens(store).status
    finally:
        store.close()
