"""What TAB offers: the shells ask the program, and this package answers them.

`answer` reads a shell's command line, finds what the word on it may become, and tells it to each
shell in the way that it expects; `install` puts the shells' own sides of it where they look.
"""

VARIABLE = "_NOTIFYCLI_COMPLETE"
"""The environment variable that turns a run of the program into an answer to the shell it names."""
WORDS = "_NOTIFYCLI_WORDS"
"""The words of PowerShell, a line each: some of its versions lose empty arguments and quotes."""
