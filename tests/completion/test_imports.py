"""What a TAB imports: it is waited for, so it loads what is completed and nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from notifycli.cli.main import NOUNS, VARIABLE
from tests.completion.shells import environment

HEAVY = ("rich", "sqlite_utils", "keyring", "cryptography", "requests", "pywebpush")
PROGRAM = """
import sys
from notifycli.cli.main import main
try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""


def imported(home: Path, store: Path, *words: str) -> set[str]:
    asked = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words],
        env=environment(home, **{VARIABLE: "zsh", "NOTIFYCLI_DB": str(store)}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert asked.stdout.count("\n") > 1, "something was offered"
    return {*asked.stderr.split()}


@pytest.mark.parametrize(
    "words",
    [
        ("",),
        ("--",),
        *((noun, "-") for noun in NOUNS),
        ("prefs", "set", "audio="),
        ("prefs", "get", "-u", "ja"),
        ("inbox", "remove", ""),
        ("simulate", "--type", ""),
        ("token", "show", "-"),
    ],
)
def test_a_tab_loads_the_noun_that_is_completed_and_nothing_heavy(
    home: Path, store: Path, words: tuple[str, ...]
) -> None:
    modules = imported(home, store, *words)
    loaded = {noun.module for noun in NOUNS.values() if noun.module in modules}

    assert not {module.partition(".")[0] for module in modules} & {*HEAVY}
    # Of a noun that lists its verbs, and stands alone, nothing is needed: but for a verb of which
    # the options are offered too.
    named = [NOUNS[word] for word in words if word in NOUNS]
    needed = {one.module for one in named if not one.verbs or one.default or len(words) > 2}
    assert loaded == needed
