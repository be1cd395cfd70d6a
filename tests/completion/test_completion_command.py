"""`notifycli completion`: the scripts, and the place where each shell looks for its own."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from notifycli.cli.completion import SCRIPTS
from notifycli.cli.completion_answer import WORDS
from notifycli.cli.main import VARIABLE
from tests.completion.shells import environment
from tests.conftest import needs_package

PLACES = {
    "bash": ".local/share/bash-completion/completions/notifycli",
    "zsh": ".zfunc/_notifycli",
    "fish": ".config/fish/completions/notifycli.fish",
    "powershell": ".local/share/notifycli/notifycli.ps1",
}


def run(
    home: Path, *arguments: str, under: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `notifycli completion`, as the child of a shell if one is named."""
    command = ["notifycli", "completion", *arguments]
    if under is not None:
        command = [under, "-c", f"{' '.join(command)}; true"]
    return subprocess.run(
        command,
        env=environment(home, **environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("shell", SCRIPTS)
def test_show_prints_the_script_that_install_writes(home: Path, shell: str) -> None:
    shown, installed = run(home, "show", shell), run(home, "install", shell)

    assert (shown.returncode, installed.returncode) == (0, 0)
    assert shown.stdout == (home / PLACES[shell]).read_text() == SCRIPTS[shell].text
    assert f"{home / PLACES[shell]}: written" in installed.stderr
    assert installed.stdout == ""


@pytest.mark.parametrize("shell", SCRIPTS)
def test_installing_again_changes_nothing_and_an_old_script_is_renewed(
    home: Path, shell: str
) -> None:
    run(home, "install", shell)
    path = home / PLACES[shell]
    before = path.stat()

    assert "up to date already" in run(home, "install", shell).stderr
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    path.write_text("# an older script\n")
    assert "renewed" in run(home, "install", shell).stderr
    assert path.read_text() == SCRIPTS[shell].text


@pytest.mark.parametrize("shell", SCRIPTS)
def test_installing_touches_no_other_file(home: Path, shell: str) -> None:
    for name in (".bashrc", ".zshrc", ".profile"):
        (home / name).write_text("# mine\n")
    before = {path for path in home.rglob("*") if path.is_file()}

    told = run(home, "install", shell).stderr

    after = {path for path in home.rglob("*") if path.is_file()}
    assert after - before == {home / PLACES[shell]}
    assert all((home / name).read_text() == "# mine\n" for name in (".bashrc", ".zshrc"))
    assert ("add this to" in told) == (shell in ("zsh", "powershell") or "bashrc" in told)


def test_zsh_that_knows_the_folder_needs_nothing_more(home: Path) -> None:
    (home / ".zshrc").write_text("fpath=(~/.zfunc $fpath)\nautoload -Uz compinit && compinit\n")

    assert "add this" not in run(home, "install", "zsh").stderr


def test_the_shells_own_variables_say_where_it_looks(home: Path) -> None:
    run(home, "install", "bash", BASH_COMPLETION_USER_DIR=str(home / "b"))
    run(home, "install", "fish", XDG_CONFIG_HOME=str(home / "f"))

    assert (home / "b" / "completions" / "notifycli").exists()
    assert (home / "f" / "fish" / "completions" / "notifycli.fish").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_that_runs_it_is_the_one_that_is_meant(home: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(needs_package(shell))

    run(home, "install", under=shell)

    assert (home / PLACES[shell]).exists()


def test_an_unknown_shell_is_wrong_usage(home: Path) -> None:
    told = run(home, "show", "tcsh")

    assert (told.returncode, told.stdout) == (2, "")
    assert "'tcsh' is none of bash, zsh, fish, powershell" in told.stderr


def test_a_place_that_cannot_be_written_is_told(home: Path) -> None:
    (home / ".zfunc").write_text("a file where the folder should be")
    told = run(home, "install", "zsh")

    assert told.returncode == 77
    assert "can't be written" in told.stderr
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize("shell", SCRIPTS)
def test_no_script_evaluates_what_it_is_answered(shell: str) -> None:
    code = re.sub(r"(?m)^\s*#.*$", "", SCRIPTS[shell].text)

    assert not re.search(r"\b(eval|Invoke-Expression|iex|source)\b", code)
    assert VARIABLE in code


def test_powershell_is_answered_with_words_that_it_quotes_itself(home: Path, store: Path) -> None:
    def offered(*words: str) -> list[list[str]]:
        environ = {VARIABLE: "powershell", WORDS: "\n".join(words), "NOTIFYCLI_DB": str(store)}
        asked = subprocess.run(
            ["notifycli"],
            env=environment(home, **environ),
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split("\t") for line in asked.stdout.splitlines()]

    assert offered("user", "show", "ja")[0][:2] == ["'jane@example.com'", "jane@example.com"]
    assert offered("user", "show", "q")[0][0] == "'q''uo\"te@x.com'"
    assert offered("user", "show", "'do")[0][0] == "'do$(touch${IFS}ran1)@x.com'"
    assert offered("simulate", "--channel=p") == [["--channel=push", "push", "push"]]
    assert [row[0] for row in offered("prefs", "set", "audio.w")] == ["audio.when="]
    assert offered("simulate", "ev") == []


@pytest.mark.parametrize(
    ("shell", "words"), [("nonsense", ["a"]), ("bash", ["too few"]), ("zsh", [])]
)
def test_a_question_that_makes_no_sense_is_met_with_silence(
    home: Path, shell: str, words: list[str]
) -> None:
    asked = subprocess.run(
        ["notifycli", *words],
        env=environment(home, **{VARIABLE: shell}),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (asked.returncode, asked.stdout, asked.stderr) == (1, "", "")
