"""`python -m notifycli` is the same program as `notifycli`."""

from notifycli.cli.main import main

if __name__ == "__main__":
    main()
