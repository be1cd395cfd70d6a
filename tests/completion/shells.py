"""Real shells at a terminal: what stands on the command line after typing and TAB."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import StringIO
from pathlib import Path

import pexpect
import pytest

from tests.conftest import needs_package

PROGRAMS = Path(sys.executable).parent
SECONDS = 60.0
_READY = "READY"
_RC = {
    "bash": """
PS1='READY'
HISTFILE=
bind 'set enable-bracketed-paste off'
bind 'set bell-style none'
save() {{ printf '%s' "$READLINE_LINE" >"{saved}.new"; command mv "{saved}.new" "{saved}"; }}
bind -x '"\\C-xs": save'
{load}
""",
    "zsh": """
PS1='READY'
unset HISTFILE
unsetopt beep prompt_sp
autoload -Uz compinit && compinit -u -D
save() {{ printf '%s' "$BUFFER" >"{saved}.new"; command mv "{saved}.new" "{saved}" }}
zle -N save
# zsh's own default for TAB runs $(…) before anything is completed.
bindkey '^I' complete-word
bindkey '^Xs' save
{load}
""",
    "fish": """
function fish_prompt; printf READY; end
function fish_greeting; end
set fish_history ''
set -g fish_autosuggestion_enabled 0
function save
    printf '%s' (commandline | string collect) >"{saved}.new"
    command mv "{saved}.new" "{saved}"
end
bind \\cxs save
{load}
""",
}


def need(program: str, package: str | None = None) -> None:
    """Skip the test unless the program is there, naming Debian's package."""
    if shutil.which(program) is None:
        pytest.skip(needs_package(package or program))


def environment(home: Path, **more: str) -> dict[str, str]:
    """Give the environment of a user who owns nothing but `home`, with notifycli on the PATH."""
    return {
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm",
        **more,
    }


class Terminal:
    """A shell that waits for keys."""

    def __init__(self, child: pexpect.spawn[str], saved: Path) -> None:
        self._child = child
        self._saved = saved
        self._log = StringIO()
        child.logfile_read = self._log

    @property
    def seen(self) -> str:
        """All that has been on the screen, so far as it was read."""
        self._child.expect([pexpect.TIMEOUT, pexpect.EOF], timeout=0.1)
        return self._log.getvalue()

    def after_tab(self, line: str, *, tabs: int = 1) -> str:
        """Type, press TAB, and give what stands on the line then. The line is thrown away."""
        self._saved.unlink(missing_ok=True)
        self._child.send(line + "\t" * tabs + "\x18s")
        deadline = time.monotonic() + SECONDS
        while not self._saved.exists():
            if time.monotonic() > deadline:
                pytest.fail(f"nothing after {line!r} and TAB; the screen: {self._child.buffer!r}")
            time.sleep(0.02)
        self._child.send("\x15")
        return self._saved.read_text()

    def listed(self, line: str) -> str:
        """Type, press TAB twice, and give all that has been on the screen."""
        self.after_tab(line, tabs=2)
        return self.seen


@contextmanager
def terminal(shell: str, home: Path, load: str, environ: Mapping[str, str]) -> Iterator[Terminal]:
    """Start a shell in `home` that has run `load`, as interactive as one gets."""
    need(shell)
    saved = home / "saved-line"
    rc = _RC[shell].format(saved=saved, load=load)
    if shell == "bash":
        (home / "rc").write_text(rc)
        arguments = ["--noprofile", "--rcfile", str(home / "rc"), "-i"]
    elif shell == "zsh":
        (home / ".zshrc").write_text(rc)
        arguments = ["-i"]
    else:
        arguments = ["--interactive", "--init-command", rc]
    child = pexpect.spawn(
        shell,
        arguments,
        env={**environ},
        cwd=str(home),
        encoding="utf-8",
        dimensions=(50, 160),
        timeout=SECONDS,
    )
    try:
        child.expect_exact(_READY)
        yield Terminal(child, saved)
    finally:
        # With what it has forked to complete a line: left alone, that goes on for ever.
        assert child.pid is not None
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.close(force=True)
