"""What TAB offers: the shells ask the program, and this package answers them.

`line` reads a shell's command line, `place` finds what the word on it is, `sources` knows what
such a word may become, and `shells` tells it to each shell in the way that it expects; `scripts`
are the shells' own sides of it.
"""

VARIABLE = "_NOTIFYCLI_COMPLETE"
"""The environment variable that turns a run of the program into an answer to the shell it names."""
WORDS = "_NOTIFYCLI_WORDS"
"""The words of PowerShell, a line each: some of its versions lose empty arguments and quotes."""
