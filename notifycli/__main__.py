"""The program's first step: `notifycli`, and `python -m notifycli`, which is the same."""

import gc

# What is imported stays. Looking for garbage meanwhile is a twentieth of the time of a short
# command; `main` has it looked for again.
gc.disable()

from notifycli.cli.main import main  # noqa: E402 - see above

if __name__ == "__main__":
    main()
