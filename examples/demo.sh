#!/usr/bin/env bash
# The main job on a day of a small desk, in a store that is thrown away.
set -euo pipefail
cd "$(dirname "$0")/.."

store=$(mktemp -d)
trap 'rm -rf "$store"' EXIT
export NOTIFYCLI_DB=$store/demo.db

run() {
  printf '\n$ notifycli %s\n' "$*"
  notifycli "$@"
}

run directory import examples/directory.json
run prefs import examples/preferences.csv
run simulate examples/day.jsonl --explain -u jane@example.com --since 2026-03-03T20:00:00Z -o table
run simulate examples/day.jsonl --summary -o table
