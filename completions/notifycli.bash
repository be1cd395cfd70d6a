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
  done <<<"$(COLUMNS=${COLUMNS-} _NOTIFYCLI_COMPLETE=bash command notifycli \
    "${COMP_LINE:0:COMP_POINT}" "${2-}" "${COMP_TYPE-}" 2>/dev/null </dev/null)"
  case $kind in
    files) compopt -o default ;;
    part) compopt -o nospace -o nosort ;;
    *) compopt -o nosort ;;
  esac 2>/dev/null
}

complete -F _notifycli notifycli
