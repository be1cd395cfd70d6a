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
