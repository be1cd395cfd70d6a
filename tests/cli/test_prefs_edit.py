"""`notifycli prefs edit`, with editors that are small programs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Notifycli, Program, Result

EDIT = """
import sys, pathlib
file = pathlib.Path(sys.argv[-1])
seen = pathlib.Path("seen")
text = file.read_text()
seen.write_text((seen.read_text() if seen.exists() else "") + text)
"""


@pytest.fixture
def drafts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which drafts are kept."""
    folder = tmp_path / "drafts"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


Edit = Callable[..., Result]


@pytest.fixture
def edit(desk: Notifycli, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Edit with an editor that runs code with the draft as `text`, and writes `text` back."""

    def run(code: str, *options: str) -> Result:
        desk.write("editor.py", f"{EDIT}{code}\nfile.write_text(text)\n")
        monkeypatch.setenv("VISUAL", f"{sys.executable} {desk.folder / 'editor.py'}")
        monkeypatch.setenv("EDITOR", "false")
        return desk("prefs", "edit", "-u", "7", *options)

    return run


def own(desk: Notifycli, *options: str) -> dict[str, str]:
    listed = desk.ok("prefs", "list", "-u", "7", *options).records
    return {one["key"]: one["value"] for one in listed if one["origin"] in ("user", "inbox")}


EDITS = [
    pytest.param(
        """text = text.replace('"audio" = "none"', '"audio" = "mine"')""",
        {"audio": "assigned", "audio.tone": "chime"},
        id="a changed value",
    ),
    pytest.param(
        """text = text.replace('"audio.tone" = "chime"', '')""", {}, id="a line taken away"
    ),
    pytest.param(
        """text += '"push.mention" = true'""",
        {"audio.tone": "chime", "push.conversation_mention": "on"},
        id="a short name, after the long one",
    ),
    pytest.param(
        """text = text.replace('"audio.when" = "hidden"', '')""",
        {"audio.tone": "chime"},
        id="a line of another layer taken away",
    ),
]


@pytest.mark.usefixtures("drafts")
@pytest.mark.parametrize(("code", "expected"), EDITS)
def test_what_was_changed_becomes_the_users_own(
    desk: Notifycli, edit: Edit, code: str, expected: dict[str, str]
) -> None:
    desk.ok("prefs", "set", "audio.tone=chime", "-u", "7")
    assert edit(code).status == 0
    assert own(desk) == expected


@pytest.mark.usefixtures("drafts")
def test_in_an_inbox_it_becomes_their_own_there(desk: Notifycli, edit: Edit) -> None:
    code = """text = text.replace('"audio" = "none"', '"audio" = "all"')"""
    assert edit(code, "--inbox", "3").status == 0
    assert (own(desk), own(desk, "--inbox", "3")) == ({}, {"audio": "all"})


@pytest.mark.usefixtures("drafts")
def test_in_a_conversation_it_becomes_their_own_there(desk: Notifycli, edit: Edit) -> None:
    desk.ok("prefs", "mute", "42", "--until", "2999-01-01", "-u", "7")
    code = """
text = text.replace('"mute" = "on until 2999-01-01T00:00:00Z"', '"mute" = "on until 2999-02-01"')
text = text.replace('"audio" = "none"', '"audio" = "all"')
"""
    done = edit(code, "--conversation", "42")
    assert (done.status, done.stderr) == (
        0,
        "2 preferences changed for jane@example.com in conversation 42 of account 1\n",
    )
    exported = desk.ok("prefs", "export").stdout.decode()
    assert exported.endswith(
        '[users."jane@example.com".conversation.42]\n"audio" = "all"\n'
        '"mute" = "on until 2999-02-01T00:00:00Z"\n'
    )
    assert edit("", "--conversation", "42").stderr == "nothing was changed\n"
    assert edit("", "--conversation", "42", "--inbox", "3").status == 2


def test_no_change_and_nothing_is_stored(desk: Notifycli, edit: Edit, drafts: Path) -> None:
    result = edit("")
    assert (result.status, result.stderr) == (0, "nothing was changed\n")
    assert desk.ok("prefs", "history").records == []
    assert list(drafts.iterdir()) == []


def test_a_fault_is_shown_in_the_editor_until_it_is_mended(
    desk: Notifycli, edit: Edit, drafts: Path
) -> None:
    code = """
if "#!!" in text:
    text = text.replace('"loud"', '"all"')
else:
    text = text.replace('"audio" = "none"', '"audio" = "loud"')
"""
    assert edit(code).status == 0
    assert own(desk) == {"audio": "all"}
    assert list(drafts.iterdir()) == []
    seen = (desk.folder / "seen").read_text()
    assert "#!! audio: 'loud': the value is none, all, or assigned" in seen


LEFT = [
    pytest.param("text = text.replace('ding', 'dung')", "audio.tone: 'dung'", id="a bad value"),
    pytest.param("text = text.replace('= \"hidden\"', '=')", "the file:", id="no TOML"),
    pytest.param("text = '\"adio\" = 1'", "did you mean audio?", id="an unknown key"),
    pytest.param(
        """text += '"audio.repeat" = "on"'""", "audio.repeat: is locked to off", id="a lock"
    ),
]


@pytest.mark.parametrize(("code", "told"), LEFT)
def test_a_fault_that_is_left_stores_nothing_and_loses_nothing(
    desk: Notifycli, edit: Edit, drafts: Path, code: str, told: str
) -> None:
    desk.ok("prefs", "set", "audio.repeat=off", "--lock")
    code = f"if '#!!' not in text:\n    {code}"
    result = edit(code)
    (kept,) = drafts.iterdir()
    assert (result.status, own(desk)) == (65, {})
    assert told in result.stderr
    assert f"what you wrote is kept in {kept}" in result.stderr


def test_what_is_locked_is_a_comment(desk: Notifycli, edit: Edit, drafts: Path) -> None:
    desk.ok("prefs", "set", "audio=all", "--lock")
    assert edit("").status == 0
    assert '\n# "audio" = "all"\n' in (desk.folder / "seen").read_text()
    assert list(drafts.iterdir()) == []


@pytest.mark.parametrize("command", ["false", "/nonexistent/editor", "'"])
def test_an_editor_that_fails_is_78(
    desk: Notifycli, drafts: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("EDITOR", command)
    monkeypatch.delenv("VISUAL", raising=False)
    assert desk("prefs", "edit", "-u", "7").status == 78
    assert list(drafts.iterdir()) == []


def test_without_a_terminal_no_editor_is_started_that_nobody_named(
    desk: Notifycli, drafts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EDITOR", raising=False)
    monkeypatch.delenv("VISUAL", raising=False)
    result = desk("prefs", "edit", "-u", "7")
    assert (result.status, result.stdout) == (2, b"")
    assert result.stderr == (
        "error: an editor needs a terminal\n"
        "  in a script: notifycli prefs set KEY=VALUE; or name a program in EDITOR\n"
    )
    assert list(drafts.iterdir()) == []


@pytest.mark.usefixtures("drafts")
def test_an_editor_that_spoils_the_draft_anew_each_time_is_given_up(
    desk: Notifycli, edit: Edit
) -> None:
    result = edit("text += 'bad = 1\\n'")
    assert (result.status, result.stdout) == (65, b"")
    assert "nothing was stored" in result.stderr
    assert "what you wrote is kept in" in result.stderr
    assert own(desk) == {}


HUNG_UP = "os.killpg(0, signal.SIGHUP); time.sleep(120)"


@pytest.mark.skipif(sys.platform == "win32", reason="terminals of Windows don't hang up")
@pytest.mark.parametrize(
    ("written", "kept"),
    [
        pytest.param("", 0, id="nothing was written"),
        pytest.param("open(sys.argv[-1], 'a').write('#'); ", 1, id="something was"),
    ],
)
def test_a_terminal_that_is_closed_leaves_no_draft_but_one_with_work_in_it(
    desk: Notifycli, program: Program, drafts: Path, written: str, kept: int
) -> None:
    desk.write("editor.py", f"import os, signal, sys, time; {written}{HUNG_UP}")
    # The kernel sends the signal to the program and its editor, as this one sends it to its group.
    process = subprocess.run(
        program.command("prefs", "edit", "-u", "7"),
        env={**os.environ, "VISUAL": f"{sys.executable} editor.py", "TMPDIR": str(drafts)},
        cwd=desk.folder,
        capture_output=True,
        check=False,
        start_new_session=True,
        timeout=60,
    )
    assert process.returncode == 78
    assert len([*drafts.iterdir()]) == kept
