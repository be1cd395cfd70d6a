# Completion of notifycli for fish 3.1 and newer.
# Written by scripts/write_completions.py; `notifycli completion show fish` prints it too.

function __notifycli_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -e words[1]
    set -l current (commandline --current-token --cut-at-cursor)
    set -l answer (
        _NOTIFYCLI_COMPLETE=fish command notifycli $words "$current" 2>/dev/null </dev/null
    )
    set -l head (string split --max 1 \t -- "$answer[1]")
    set -e answer[1]
    if test "$head[1]" = files
        set -l lead (string length -- "$head[2]")
        set -l file (string sub --start (math $lead + 1) -- "$current")
        for found in (complete --do-complete "'' $file")
            printf '%s%s\n' "$head[2]" $found
        end
    else
        printf '%s\n' $answer
    end
end

complete --command notifycli --no-files --keep-order --arguments '(__notifycli_complete)'
