"""TAB in real shells: what is inserted, that it means what it says, and that none of it ever runs.

PowerShell isn't among Debian's packages: of its script only the text is tested, in
`test_completion_command`.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from notifycli.cli.completion import SCRIPTS
from notifycli.cli.main import VARIABLE
from notifycli.rules.preferences import GLOBS, KEYS
from tests.completion.conftest import FILES, HOSTILE, home_in, store_at
from tests.completion.shells import Terminal, environment, need, terminal
from tests.conftest import needs_package
from tests.forked import Forker

COMPLETIONS = Path(__file__).parents[2] / "completions"
SHELLS = ("bash", "zsh", "fish")
# What depends on the shell: = and @ within words, quotes, files, and characters that it would run
# or expand. What is offered is told in `test_answer`.
TYPED = [
    ("prefs set audio.when=h", ["prefs", "set", "audio.when=hidden"]),
    ("simulate --channel=p", ["simulate", "--channel=push"]),
    ("user list -ojsonl", ["user", "list", "-ojsonl"]),
    ("user show jane@ex", ["user", "show", "jane@example.com"]),
    ("user show 'ja", ["user", "show", "jane@example.com"]),
    ('prefs list --user="ja', ["prefs", "list", "--user=jane@example.com"]),
    ("simulate ev", ["simulate", FILES[0]]),
    ("simulate ev\\ e", ["simulate", FILES[0]]),
    ("simulate --db te", ["simulate", "--db", FILES[1]]),
    ("simulate --db=te", ["simulate", "--db=team.csv"]),
    *((f"user show {address[:2]}", ["user", "show", address]) for address in HOSTILE[:5]),
    # Not the one with &: between single quotes, zsh itself puts the space before the closing one.
    *((f"user show '{address[:1]}", ["user", "show", address]) for address in HOSTILE[:4]),
]
_END = "= the end of a line ="
SPACED = "quiet_hours=22:00-07:00 Europe/Berlin mon-fri"


def read_by(shell: str, lines: Iterable[str], home: Path) -> list[list[str]]:
    """Give the words that the shell makes of each line."""
    script = "; ".join(f"printf '%s\\0' {line}; printf '{_END}'" for line in lines)
    plain = {"bash": ["--norc"], "zsh": ["--no-rcs"], "fish": ["--no-config"]}[shell]
    read = subprocess.run(
        [shell, *plain, "-c", script],
        env=environment(home),
        cwd=home,
        capture_output=True,
        text=True,
        check=True,
    )
    return [words.split("\0")[:-1] for words in read.stdout.split(_END)[:-1]]


@pytest.fixture(params=SHELLS, scope="module")
def shell(request: pytest.FixtureRequest) -> str:
    """Give the name of a shell, and of the script that it loads."""
    name: str = request.param
    need(name)
    return name


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a home folder, in which are files that a pattern would match."""
    folder = home_in(tmp_path_factory.mktemp("home") / "shells")
    for name in ("email.x=off", "st-a-r@x.com"):
        (folder / name).touch()
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return store_at(tmp_path_factory.mktemp("store") / "store.db")


@pytest.fixture(scope="module")
def typing(shell: str, home: Path, store: Path) -> Iterator[Terminal]:
    """Give a shell at a terminal, in which the committed script is loaded: one for all tests."""
    load = f"source {shlex.quote(str(COMPLETIONS / SCRIPTS[shell].file))}"
    with terminal(shell, home, load, environment(home, NOTIFYCLI_DB=str(store))) as typing:
        yield typing


def test_what_is_inserted_means_what_was_offered_and_nothing_runs(
    typing: Terminal, shell: str, home: Path
) -> None:
    lines = [typing.after_tab(f"notifycli {typed}") for typed, _ in TYPED]
    assert read_by(shell, lines, home) == [["notifycli", *words] for _, words in TYPED]

    assert not [path for path in home.iterdir() if path.name.startswith("ran")]


def test_a_space_follows_a_finished_word_and_no_unfinished_one(typing: Terminal) -> None:
    assert typing.after_tab("notifycli pref") == "notifycli prefs "
    assert typing.after_tab("notifycli user show ja") == "notifycli user show jane@example.com "
    assert typing.after_tab("notifycli prefs set inact") == "notifycli prefs set inactive_after="
    assert typing.after_tab("notifycli prefs set audio=ot").endswith("audio=others ")


@pytest.mark.parametrize("mark", ["", "'", '"'])
def test_a_value_with_spaces_stays_one_word(typing: Terminal, mark: str) -> None:
    space = " " if mark else "\\ "
    line = typing.after_tab(f"notifycli prefs set {mark}quiet_hours=22:00-07:00{space}E")

    assert shlex.split(line) == ["notifycli", "prefs", "set", SPACED]


def test_what_several_have_in_common_is_inserted(typing: Terminal) -> None:
    assert typing.after_tab("notifycli prefs set aud") == "notifycli prefs set audio"
    assert typing.after_tab("notifycli prefs set push.sl") == "notifycli prefs set push.sla_missed_"


def test_a_list_shows_the_names_of_inboxes_and_runs_none(typing: Terminal, home: Path) -> None:
    seen = typing.listed("notifycli inbox remove ")

    assert "$(touch ran4) `touch ran5`; touch ran6" in seen
    assert '%F{red} it\'s: "*" \\t' in seen
    assert not [path for path in home.iterdir() if path.name.startswith("ran")]


def test_what_was_typed_before_never_runs(typing: Terminal, home: Path) -> None:
    for typed in ("$(touch ran7)", "`touch ran8`", "'$(touch ran9)", "*", "~"):
        typing.after_tab(f"notifycli prefs list {typed} au")
    for typed in ("$(touch ran10)", "`touch ran11`", "'$(touch ran12)"):
        typing.after_tab(f"notifycli simulate --db={typed}")
        typing.after_tab(f"notifycli user show {typed}")

    assert not [path for path in home.iterdir() if path.name.startswith("ran")]


def test_a_star_in_a_word_matches_no_files(typing: Terminal, shell: str, home: Path) -> None:
    expected = "email.*" if shell == "fish" else "email.*=off"

    line = typing.after_tab("notifycli prefs set 'email.*=of")
    assert read_by(shell, [line], home)[0][3].startswith(expected)
    line = typing.after_tab("notifycli user show st")
    assert read_by(shell, [line], home)[0][3] == "st*!r@x.com"


@pytest.mark.parametrize("line", ["notifycli nonsense ", "notifycli user show zzz"])
def test_where_nothing_fits_the_line_stays(typing: Terminal, line: str) -> None:
    assert typing.after_tab(line) == line


@pytest.mark.parametrize("content", [None, b"no store at all"])
def test_without_a_store_that_is_any_use_nothing_is_written_across_the_prompt(
    shell: str, tmp_path: Path, content: bytes | None
) -> None:
    home = home_in(tmp_path / "shells")
    path = tmp_path / "none.db"
    if content is not None:
        path.write_bytes(content)
    load = f"source {shlex.quote(str(COMPLETIONS / SCRIPTS[shell].file))}"
    with terminal(shell, home, load, environment(home, NOTIFYCLI_DB=str(path))) as typing:
        assert typing.after_tab("notifycli user show ja") == "notifycli user show ja"
        assert typing.after_tab("notifycli simulate --expl") == "notifycli simulate --explain "
        assert "rror" not in typing.seen


def test_the_installed_script_is_loaded_at_the_first_tab(
    shell: str, tmp_path: Path, store: Path
) -> None:
    home = home_in(tmp_path / "shells")
    environ = environment(home, NOTIFYCLI_DB=str(store))
    loads = {
        "bash": "source /usr/share/bash-completion/bash_completion",
        "zsh": "fpath=(~/.zfunc $fpath); autoload -Uz compinit && compinit -u -D",
        "fish": "",
    }
    if shell == "bash" and not Path(loads["bash"].split()[1]).exists():
        pytest.skip(needs_package("bash-completion"))
    subprocess.run(["notifycli", "completion", "install", shell], env=environ, check=True)

    with terminal(shell, home, loads[shell], environ) as typing:
        assert typing.after_tab("notifycli user show ja") == "notifycli user show jane@example.com "
        assert typing.after_tab("notifycli simulate --channel=p").endswith("--channel=push ")


def test_the_program_is_found_even_where_a_path_was_typed(typing: Terminal) -> None:
    assert typing.after_tab("./notifycli pref") in ("./notifycli prefs ", "./notifycli pref")


def test_bash_without_a_terminal_fills_compreply(home: Path, store: Path) -> None:
    need("bash")
    ask = (
        f"source {COMPLETIONS / 'notifycli.bash'}\n"
        "set -u\n"
        "COMP_LINE='notifycli user show jane@e' COMP_POINT=26 COMP_TYPE=9\n"
        "COMP_WORDS=(notifycli user show jane @ e) COMP_CWORD=5\n"
        "_notifycli notifycli @e jane\n"
        "printf '<%s>' \"${COMPREPLY[@]}\""
    )

    asked = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", ask],
        env=environment(home, NOTIFYCLI_DB=str(store)),
        capture_output=True,
        text=True,
        check=True,
    )

    assert (asked.stdout, asked.stderr) == ("<@example.com>", "")


def test_fish_shows_each_word_with_its_help(home: Path, store: Path) -> None:
    need("fish")
    ask = f"source {COMPLETIONS / 'notifycli.fish'}; complete -C 'notifycli completion '"

    asked = subprocess.run(
        ["fish", "--no-config", "--command", ask],
        env=environment(home, NOTIFYCLI_DB=str(store)),
        capture_output=True,
        text=True,
        check=True,
    )

    assert asked.stderr == ""
    assert asked.stdout.splitlines() == [
        "show\tPrint the script that makes TAB complete in a shell.",
        "install\tWrite that script where the shell looks for it.",
    ]


def listed_in_bash(forker: Forker, typed: str, store: Path, columns: str) -> list[str]:
    """Give the rows that bash is given to list."""
    environ = {"NOTIFYCLI_DB": str(store), "COLUMNS": columns, VARIABLE: "bash"}
    status, shown, told = forker.run([typed, "", "63"], environment=environ)
    assert (status, told) == (0, b"")
    return shown.decode().splitlines()[1:]


@pytest.mark.parametrize("columns", ["60", "80", ""])
def test_what_bash_lists_fits_the_terminal_and_is_cut_between_words(
    forker: Forker, store: Path, columns: str
) -> None:
    rows = listed_in_bash(forker, "notifycli prefs set ", store, columns)
    assert max(map(len, rows)) < int(columns or 80)
    assert len(rows) == len(KEYS) + len(GLOBS)
    [first] = [row for row in rows if row.startswith("audio=")]
    assert first.split() == [
        "audio=",
        *{"60": ["the", "…"]}.get(columns, ["the", "conversations", "whose", "new", "…"]),
    ]


@pytest.mark.parametrize("columns", ["20", "47"])
def test_a_terminal_that_is_too_narrow_for_the_help_has_the_words_whole(
    forker: Forker, store: Path, columns: str
) -> None:
    rows = listed_in_bash(forker, "notifycli prefs set ", store, columns)
    assert rows == [*(f"{name}=" for name in KEYS), *(f"{glob}=" for glob in GLOBS)]
