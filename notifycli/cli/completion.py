"""`notifycli completion`: what TAB completes, in your shell, and what each shell loads for it.

None of the scripts evaluates what was typed or what is answered: words travel as arguments and
lines, never as code.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from notifycli.cli.command import command_class, examples, group, none_of, session_of
from notifycli.cli.output import write
from notifycli.errors import NotPermittedError, UsageError


class Script(NamedTuple):
    """What a shell loads."""

    file: str
    """The name that it has in `completions/`."""
    text: str


_BASH = """\
# Completion of notifycli for bash 4 and newer.
# Written by scripts/write_completions.py; `notifycli completion show bash` prints it too.

_notifycli() {
  local line kind=''
  COMPREPLY=()
  while IFS= read -r line; do
    if [[ -z $kind ]]; then
      kind=$line
    else
      COMPREPLY+=("$line")
    fi
  done <<<"$(COLUMNS=${COLUMNS-} _NOTIFYCLI_COMPLETE=bash command notifycli \\
    "${COMP_LINE:0:COMP_POINT}" "${2-}" "${COMP_TYPE-}" 2>/dev/null </dev/null)"
  case $kind in
    files) compopt -o default ;;
    part) compopt -o nospace -o nosort ;;
    *) compopt -o nosort ;;
  esac 2>/dev/null
}

complete -F _notifycli notifycli
"""

_ZSH = """\
#compdef notifycli
# Completion of notifycli for zsh.
# Written by scripts/write_completions.py; `notifycli completion show zsh` prints it too.

_notifycli() {
  local -a before answer fields words_ended shown_ended words_open shown_open
  local kind lead line shown width=0
  (( CURRENT > 2 )) && before=("${(@Q)words[2,CURRENT-1]}")
  answer=("${(@f)$(_NOTIFYCLI_COMPLETE=zsh command notifycli \\
    "${before[@]}" "${(Q)PREFIX}" 2>/dev/null </dev/null)}")
  kind=${answer[1]%%$'\\t'*}
  lead=${answer[1]#*$'\\t'}
  shift answer

  if [[ $lead == *= ]]; then
    compset -P ${#lead//[^=]/} '*=' || return 1
  elif [[ -n $lead ]]; then
    compset -P "${(b)lead}" || return 1
  fi
  if [[ $kind == files ]]; then
    _files
    return
  fi

  for line in "${answer[@]}"; do
    fields=("${(@ps:\\t:)line}")
    (( ${#fields[2]} > width )) && width=${#fields[2]}
  done
  for line in "${answer[@]}"; do
    fields=("${(@ps:\\t:)line}")
    shown=${fields[2]}
    [[ -n ${fields[3]} ]] && shown="${(r:width:)fields[2]}  -- ${fields[3]}"
    if [[ ${fields[1]} == part ]]; then
      words_open+=("${fields[2]}")
      shown_open+=("$shown")
    else
      words_ended+=("${fields[2]}")
      shown_ended+=("$shown")
    fi
  done
  local -a how=(-l -V notifycli -M 'm:{[:lower:][:upper:]}={[:upper:][:lower:]}')
  local found=1
  (( ${#words_ended} )) && compadd "${how[@]}" -d shown_ended -a -- words_ended && found=0
  (( ${#words_open} )) && compadd "${how[@]}" -S '' -d shown_open -a -- words_open && found=0
  return found
}

if [[ ${funcstack[1]} == _notifycli ]]; then
  _notifycli "$@"
else
  compdef _notifycli notifycli
fi
"""

_FISH = """\
# Completion of notifycli for fish 3.1 and newer.
# Written by scripts/write_completions.py; `notifycli completion show fish` prints it too.

function __notifycli_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -e words[1]
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer (
        _NOTIFYCLI_COMPLETE=fish command notifycli $words "$current" 2>/dev/null </dev/null
    )
    set -l head (string split --max 1 \\t -- "$answer[1]")
    set -e answer[1]
    if test "$head[1]" = files
        set -l lead (string length -- "$head[2]")
        set -l file (string sub --start (math $lead + 1) -- "$current")
        for found in (complete --do-complete "'' $file")
            printf '%s%s\\n' "$head[2]" $found
        end
    else
        printf '%s\\n' $answer
    end
end

complete --command notifycli --no-files --keep-order --arguments '(__notifycli_complete)'
"""

_POWERSHELL = """\
# Completion of notifycli for PowerShell 5.1 and newer.
# Written by scripts/write_completions.py; `notifycli completion show powershell` prints it too.

Register-ArgumentCompleter -Native -CommandName notifycli -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $program = Get-Command notifycli -CommandType Application -ErrorAction SilentlyContinue |
        Select-Object -First 1
    if (-not $program) { return }
    $words = @($commandAst.CommandElements |
        Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object {
            if ($_ -is [System.Management.Automation.Language.StringConstantExpressionAst]) {
                $_.Value
            } else {
                $_.Extent.Text
            }
        })

    $env:_NOTIFYCLI_COMPLETE = 'powershell'
    $env:_NOTIFYCLI_WORDS = ($words + $wordToComplete) -join "`n"
    try {
        & $program.Source 2>$null | ForEach-Object {
            $text, $shown, $help = $_ -split "`t", 3
            [System.Management.Automation.CompletionResult]::new(
                $text, $shown, 'ParameterValue', $help)
        }
    } finally {
        Remove-Item Env:_NOTIFYCLI_COMPLETE, Env:_NOTIFYCLI_WORDS -ErrorAction SilentlyContinue
    }
}
"""

SCRIPTS: Mapping[str, Script] = {
    "bash": Script("notifycli.bash", _BASH),
    "zsh": Script("_notifycli", _ZSH),
    "fish": Script("notifycli.fish", _FISH),
    "powershell": Script("notifycli.ps1", _POWERSHELL),
}


app = group("What TAB completes, in your shell.")


class _Home(NamedTuple):
    """Where a shell's script goes, and what is left to do by hand; nothing if that is empty."""

    path: Path
    left: str


def _shell(text: str) -> str:
    name = {"pwsh": "powershell"}.get(text.lower(), text.lower())
    if name not in SCRIPTS:
        raise none_of(text, tuple(SCRIPTS))
    return name


@app.command(
    "show",
    cls=command_class(),
    epilog=examples(
        """
notifycli completion show bash
source <(notifycli completion show bash)
notifycli completion show powershell | Out-String | Invoke-Expression
"""
    ),
)
def completion_show(
    shell: Annotated[
        str, typer.Argument(parser=_shell, metavar="|".join(SCRIPTS), help="The shell.")
    ],
) -> None:
    """Print the script that makes TAB complete in a shell."""
    write([SCRIPTS[shell].text.encode()])


@app.command(
    "install",
    cls=command_class(),
    epilog=examples("notifycli completion install\nnotifycli completion install zsh"),
)
def completion_install(
    ctx: typer.Context,
    shell: Annotated[
        str | None,
        typer.Argument(
            parser=_shell,
            metavar=f"[{'|'.join(SCRIPTS)}]",
            help="The shell; the one that runs this if left out.",
        ),
    ] = None,
) -> None:
    """Write that script where the shell looks for it.

    No other file is touched: where the shell has to be told of it, this says what to add.
    """
    session = session_of(ctx)
    chosen = shell or _running_shell()
    home = _HOMES[chosen]()
    text = SCRIPTS[chosen].text.encode()
    try:
        old = home.path.read_bytes() if home.path.exists() else None
        if old != text:
            home.path.parent.mkdir(parents=True, exist_ok=True)
            home.path.write_bytes(text)
    except OSError as error:
        raise NotPermittedError(
            f"{home.path} can't be written: {error.strerror}",
            f"or put it elsewhere: notifycli completion show {chosen} > FILE",
        ) from error
    done = "written" if old is None else "up to date already" if old == text else "renewed"
    session.info(f"{home.path}: {done}")
    session.info(home.left or f"start a new {chosen} and press TAB")


def _running_shell() -> str:
    import shellingham  # type: ignore[import-untyped]  # noqa: PLC0415 - if no shell is named

    try:
        name = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        name = Path(os.environ.get("SHELL", "")).stem
    name = {"pwsh": "powershell"}.get(name, name)
    if name not in SCRIPTS:
        raise UsageError(
            f"no completion for the shell {name!r}" if name else "can't tell which shell this is",
            f"name one: notifycli completion install {'|'.join(SCRIPTS)}",
        )
    return name


def _from_environment(variable: str, *otherwise: str) -> Path:
    given = os.environ.get(variable)
    return Path(given) if given else Path.home().joinpath(*otherwise)


def _bash_home() -> _Home:
    data = _from_environment("XDG_DATA_HOME", ".local", "share")
    folder = _from_environment("BASH_COMPLETION_USER_DIR", str(data / "bash-completion"))
    path = folder / "completions" / "notifycli"
    if any(place.exists() for place in _BASH_COMPLETION):
        return _Home(path, "")
    return _Home(
        path,
        "the package bash-completion, which would find it there, isn't installed: install it, or "
        f"add this to ~/.bashrc:\n  source {_for_shell(path)}",
    )


def _zsh_home() -> _Home:
    folder = Path.home() / ".zfunc"
    settings = _from_environment("ZDOTDIR") / ".zshrc"
    try:
        known = ".zfunc" in settings.read_text(errors="replace")
    except OSError:
        known = False
    if known:
        return _Home(folder / "_notifycli", "")
    return _Home(
        folder / "_notifycli",
        f"add this to {settings}, before compinit if that is there already, and start a new zsh:\n"
        "  fpath=(~/.zfunc $fpath)\n  autoload -Uz compinit && compinit",
    )


def _fish_home() -> _Home:
    folder = _from_environment("XDG_CONFIG_HOME", ".config") / "fish" / "completions"
    return _Home(folder / "notifycli.fish", "")


def _powershell_home() -> _Home:
    from platformdirs import user_data_path  # noqa: PLC0415 - for this shell alone

    path = user_data_path("notifycli", appauthor=False) / "notifycli.ps1"
    quoted = str(path).replace("'", "''")
    return _Home(path, f"add this to the file that $PROFILE names:\n  . '{quoted}'")


def _for_shell(path: Path) -> str:
    from shlex import quote  # noqa: PLC0415 - for this message alone

    return quote(str(path))


_BASH_COMPLETION = tuple(
    Path(root) / "share" / "bash-completion" / "bash_completion"
    for root in ("/usr", "/usr/local", "/opt/homebrew", "/opt/local")
)
_HOMES: Mapping[str, Callable[[], _Home]] = {
    "bash": _bash_home,
    "zsh": _zsh_home,
    "fish": _fish_home,
    "powershell": _powershell_home,
}
