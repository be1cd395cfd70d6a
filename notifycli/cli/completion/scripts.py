"""The shells' side of completion: what each of them loads, and where it looks for it.

None of the scripts evaluates what was typed or what is answered: words travel as arguments and
lines, never as code.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


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
