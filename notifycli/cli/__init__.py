"""The shell: one small file a noun or verb. It parses, calls a function of a floor below, renders.

| here | what it is |
|---|---|
| `main`, `command`, `session` | the program, the building blocks of commands, one run of it |
| `input`, `output` | files read line by line; records printed in every format |
| `replay` | `simulate`, `why`, `test`: a replay of events, shown in as many ways |
| `prefs`, `directory`, `token`, `push`, `chatwoot`, `deliver` | the nouns that have many verbs |
| `email`, `audio`, `config`, `completion` | those that have few |
| `tokens`, `typed_secret`, `times`, `assignments` | what several nouns read and tell |
| `server`, `doctor`, `tab` | what stays and answers; what looks after it; what TAB completes |
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
