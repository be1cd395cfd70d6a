"""The command line: it parses, calls a function of a floor below, and prints what that gives.

| here | what it is |
|---|---|
| `main`, `command`, `session`, `terminal` | the program, its commands, a run, its streams |
| `inputs`, `output`, `times`, `log_writer` | what commands read and print |
| `replay_run`, `profiles`, `decision_records` | a pass over events, its rules, how it looks |
| `remote`, `completion_answer` | stores on servers, and what TAB offers |
| a file | a noun with its verbs, or a few: `token`, `email`, `directory`, `store_command` |
| a folder | one that has several files: `prefs`, `chatwoot`, `deliver`, `simulate`, `why` |
"""

import sys

if "typing_extensions" not in sys.modules:
    # msgspec takes from there, where it is installed, what `typing` has had since Python 3.11. It
    # would be a twentieth of the time of a short command.
    sys.modules["typing_extensions"] = None  # type: ignore[assignment] # it can't be imported
    try:
        import msgspec  # noqa: F401 - so that nobody imports it later with the other
    finally:
        del sys.modules["typing_extensions"]
