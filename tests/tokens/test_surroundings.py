"""The commands and what is around them: a pipe to curl, keyrings of every kind."""

from __future__ import annotations

import os
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from notifycli.secrets import token_format as form
from tests.secrets import services

from .harness import Program, hers

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.usefixtures("file_keyring")


class TestPipe:
    @pytest.fixture
    def server(self) -> Iterator[tuple[str, list[str]]]:
        """Give the address of an HTTP server, and the tokens that its requests carried."""
        services.need(curl="curl")
        seen: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                seen.append(self.headers.get("api_access_token", ""))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        listening = HTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=listening.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{listening.server_port}/", seen
        listening.shutdown()
        thread.join()
        listening.server_close()

    def test_curl_takes_the_header_from_the_pipe(
        self, team: Program, server: tuple[str, list[str]]
    ) -> None:
        address, seen = server
        token = hers(team, "show").out.strip()
        header = subprocess.Popen(
            team.command("token", "header", "-u", "1"), stdout=subprocess.PIPE
        )
        curl = ["curl", "--silent", "--fail", "--noproxy", "*", "-H", "@-", address]
        assert header.stdout is not None
        with header.stdout as pipe:
            subprocess.run(curl, stdin=pipe, check=True, timeout=60)
        assert (header.wait(), seen) == (0, [token])


class TestKeyrings:
    def test_without_one_the_ways_out_are_named_and_nothing_is_stored(self, team: Program) -> None:
        done = team("token", "show", "-u", "1", NOTIFYCLI_KEYRING="")
        assert (done.status, done.out) == (69, "")
        assert "this machine has no keyring" in done.err
        assert "export NOTIFYCLI_KEYRING=file" in done.err
        assert team("token", "list", "--revoked").out == ""

    def test_a_list_needs_none(self, team: Program) -> None:
        hers(team, "generate")
        done = team("token", "list", NOTIFYCLI_KEYRING="")
        assert (done.status, [r["state"] for r in done.records]) == (0, ["active"])

    def test_a_list_without_tokens_loads_no_keyring_and_no_table(self, team: Program) -> None:
        code = (
            "import sys; from notifycli.cli.main import run; run(['token', 'list']);"
            " print({'keyring', 'rich', 'sqlite_utils', 'cryptography'} & set(sys.modules))"
        )
        environ = {**os.environ, "NOTIFYCLI_KEYRING": ""}
        command = [sys.executable, "-c", code]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
        assert done.stdout == "set()\n"
        assert team.store_path.exists()

    def test_the_real_one_keeps_it_for_the_next_command(
        self,
        team: Program,
        unlocked: None,  # noqa: ARG002
    ) -> None:
        system = {"NOTIFYCLI_KEYRING": ""}
        token = team.apart("token", "show", "-u", "1", **system).out
        assert form.well_formed(token.strip())
        assert team.apart("token", "show", "-u", "1", **system).out == token
        assert team.apart("token", "verify", stdin=token, **system).status == 0
        assert team.apart("token", "rotate", "-u", "1", **system).status == 0
        assert team.apart("token", "verify", stdin=token, **system).status == 1
        assert [r["state"] for r in team.apart("token", "list", **system).records] == ["active"]
        assert team.apart("token", "revoke", "-u", "1", **system).status == 0
        checks = {r["check"]: r["status"] for r in team.apart("doctor", **system).records}
        assert (checks["keyring"], checks["tokens"]) == ("ok", "ok")
