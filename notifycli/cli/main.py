"""The program: its nouns, and the one place where errors become messages."""

from __future__ import annotations

import errno
import gc
import os
import re
import sys
from functools import cache
from typing import Annotated, Any, NoReturn

import typer
from typer.main import get_command

from notifycli import __version__
from notifycli.cli.command import Noun, examples, help_if_alone, lazy_group
from notifycli.cli.session import CONNECT, Session
from notifycli.cli.terminal import discard, leave_line, prepare_streams, print_error
from notifycli.errors import NotifycliError, TryAgainError, UsageError

VARIABLE = "_NOTIFYCLI_COMPLETE"
"""The environment variable that turns a run of the program into an answer to the shell it names."""
_UNEXPECTED = 70
_ABORTED = 1
_INTERRUPTED = 130
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NO_COMMAND = "No such command"
_TOO_MANY = "Got unexpected extra argument"
_NEAR = "did you mean"
_INVALID = "Invalid value for "
_PIPED = "secrets are read from standard input: pipe them"
_NOWHERE = "no secret belongs on the command line"
_KEEPERS = {
    **dict.fromkeys(("token", "chatwoot", "config", "channel", "push", "store"), _PIPED),
    **dict.fromkeys(("email", "listen", "serve", "backup", "restore"), _NOWHERE),
}
"""The nouns that use secrets, and what to do with one: a word that they don't know may be one."""
_CHATWOOTS = r"(?<![\w/\\.@-])(?=\w*[A-Z])(?=\w*[a-z])(?=\w*\d)[0-9A-Za-z]{24}(?![\w/\\.@-])"
"""24 letters and digits, large and small, no part of a name."""

SECTIONS = {
    "Look": {
        "demo": Noun("notifycli.cli.demo", "A day of a small desk, replayed before your eyes."),
        "simulate": Noun("notifycli.cli.simulate", "Which notifications would fire, and why."),
        "why": Noun("notifycli.cli.why", "Why a user was notified, or not, event by event."),
        "test": Noun("notifycli.cli.test", "Scenario files: what must fire, and what must not."),
        "events": Noun("notifycli.cli.events", "Logs of events, packed to be replayed faster."),
    },
    "Set": {
        "prefs": Noun("notifycli.cli.prefs", "Preferences of users, defaults and locks."),
        "user": Noun("notifycli.cli.directory", "The users of an account.", app="users"),
        "inbox": Noun(
            "notifycli.cli.directory", "Inboxes and who their members are.", app="inboxes"
        ),
        "team": Noun("notifycli.cli.directory", "Teams and who their members are.", app="teams"),
        "directory": Noun("notifycli.cli.directory", "Users, inboxes and teams as one document."),
    },
    "Send": {
        "deliver": Noun(
            "notifycli.cli.deliver",
            "Send what fires: by e-mail, push and sound.",
            "Send what fires, and see what was sent. Without a verb it is `deliver run`.",
            ("run", "status", "retry", "drop"),
            default="run",
        ),
        "email": Noun("notifycli.cli.email", "E-mail: a test, templates, previews."),
        "push": Noun(
            "notifycli.cli.web_push",
            "Web Push: its key, the browsers, a test.",
            "Web Push: the key, the browsers that are subscribed, a test.",
            ("keys", "subscribe", "invite", "add", "list", "remove", "test"),
        ),
        "audio": Noun("notifycli.cli.audio", "Sounds: the tones, and whether they can be heard."),
        "channel": Noun(
            "notifycli.cli.channel",
            "Other channels (Slack, Teams, webhooks, …): addresses, a test.",
        ),
    },
    "Connect": {
        "chatwoot": Noun(
            "notifycli.cli.chatwoot", "Directory and preferences, from and to your Chatwoot."
        ),
        "token": Noun(
            "notifycli.cli.token",
            "Access tokens: made, kept, copied, checked.",
            "Access tokens: made, kept in the keyring, copied, checked.",
            (
                *("show", "copy", "header", "generate", "rotate", "revoke", "set", "list"),
                "verify",
            ),
        ),
        "listen": Noun("notifycli.cli.server", "Receives Chatwoot's webhooks into a file."),
        "serve": Noun("notifycli.cli.server", "Chatwoot's API, answered from the store."),
    },
    "Run": {
        "config": Noun("notifycli.cli.config", "How mails, pushes and links are sent and signed."),
        "doctor": Noun("notifycli.cli.doctor", "Whether what is set up works, and what to type."),
        "backup": Noun(
            "notifycli.cli.store_command", "Store, settings and encrypted secrets in one file."
        ),
        "restore": Noun(
            "notifycli.cli.store_command", "Brings a backup back, overwriting nothing."
        ),
        "store": Noun(
            "notifycli.cli.store_command", "A whole store, copied to another place or engine."
        ),
        "completion": Noun("notifycli.cli.completion", "What TAB completes, in your shell."),
    },
}
"""What there is, by what it is for."""
NOUNS = {name: noun for nouns in SECTIONS.values() for name, noun in nouns.items()}
ALIASES = {
    "tokens": "token",
    "users": "user",
    "inboxes": "inbox",
    "teams": "team",
    "dir": "directory",
    "pref": "prefs",
    "preferences": "prefs",
    "sim": "simulate",
}

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        typer.echo(f"notifycli {__version__}")
        raise typer.Exit


@app.callback(
    cls=lazy_group(SECTIONS, ALIASES),
    invoke_without_command=True,
    epilog=examples(
        """
notifycli demo                            a day of a small desk

Start here, with your Chatwoot and the access token of your profile there:

notifycli chatwoot login https://chat.example.com
notifycli why -u jane@example.com --since yesterday

Or with a file of received webhooks, one JSON object a line:

notifycli directory learn events.jsonl    who is in them
notifycli simulate events.jsonl           who would be notified
notifycli simulate events.jsonl --explain who would not, and why
notifycli prefs set email.mention=on -u jane@example.com
notifycli COMMAND --help                  more of each
"""
    ),
)
def notifycli(
    ctx: typer.Context,
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="The version."),
    ] = False,
) -> None:
    """Notification preferences of a Chatwoot-style support desk, for its whole team.

    Set who is notified of what, by e-mail, push and sound; replay yesterday's conversations, and
    see which notifications would fire, and why the others would not.
    """
    help_if_alone(ctx)
    session: Session = ctx.obj
    if ctx.invoked_subcommand is None and not session.location.exists:
        session.info(f"nothing is set up yet; {CONNECT}, or look first: notifycli demo")


@cache
def program() -> Any:
    """Give the commands that Typer makes: once, as to make them takes longer than many take."""
    return get_command(app)


def main() -> NoReturn:
    """Run the program with the arguments of the process, or answer a shell's question."""
    # What is imported by now stays: neither collections nor the end of the program need look at it.
    gc.freeze()
    gc.enable()
    if (shell := os.environ.get(VARIABLE)) is not None:
        from notifycli.cli.completion_answer import reply  # noqa: PLC0415 - for TAB alone

        sys.exit(reply(program(), shell, sys.argv[1:]))
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str], command: Any = None) -> int:
    """Run the program and give its exit status; no traceback reaches a user without `--verbose`.

    `command` is another one than all of it.
    """
    prepare_streams()
    session = Session()
    session.arguments = arguments
    try:
        command = program() if command is None else command
        result = command(arguments, prog_name="notifycli", standalone_mode=False, obj=session)
    except NotifycliError as error:
        _tell_error(session, error.message, error.hint, arguments)
        return error.status
    except SystemExit:  # Typer's answer to a reader of the help that has gone away
        return 0
    except typer.Abort:
        print_error("aborted")
        return _ABORTED
    except typer.TyperException as error:
        _tell_error(session, *_explain_usage(error, arguments), arguments)
        return UsageError.status
    except Exception as error:  # noqa: BLE001 - the last resort
        return _tell_unexpected(error, session, arguments)
    if result == _INTERRUPTED:
        leave_line()
    return result if isinstance(result, int) else 0


def _tell_unexpected(error: Exception, session: Session, arguments: list[str]) -> int:
    """Tell of an error nobody foresaw, and give its status; a damaged store may be behind it."""
    if session.verbose:
        import traceback  # noqa: PLC0415 - 9 ms that only this case needs

        traceback.print_exception(error)
    if isinstance(error, OSError) and error.filename is None and error.errno in _NO_ROOM:
        discard(sys.stdout)
        told = f"the output can't be written: {error.strerror}"
        _tell_error(session, told, "make room for it", arguments)
        return TryAgainError.status
    if (damage := session.damage()) is not None:
        _tell_error(session, damage.message, damage.hint, arguments)
        return damage.status
    print_error(
        f"error: unexpected {type(error).__name__}; nothing more was done\n"
        "  run it again with --verbose, and report what it prints"
    )
    return _UNEXPECTED


def _tell_error(session: Session, message: str, hint: str, arguments: list[str]) -> None:
    text = session.typed(f"error: {message}" + (f"\n  {hint}" if hint else ""))
    print_error(_without_tokens(text, arguments))


def _explain_usage(error: Any, arguments: list[str]) -> tuple[str, str]:
    """Give the message and the hint for a command line that Typer can't read.

    What may be a secret isn't in it.
    """
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "notifycli"
    message, remedy = error.format_message(), _remedy_for_secrets(context)
    if message.startswith(_NO_COMMAND):
        message = re.sub("=[^']*(?=')", "=…", message)
        if remedy:
            _, meant, near = message.partition(" Did you mean")
            message = f"{_NO_COMMAND} as was typed; it may be a secret.{meant}{near}"
    if message.startswith(_TOO_MANY) and remedy:
        return (
            "an argument too many; it isn't repeated here, since it may be a secret",
            f"{remedy}; see {path} --help",
        )
    # What is near a word that is known is that word misspelt.
    if message.startswith(_INVALID) and remedy and _NEAR not in message and _is_argument(error):
        for word in arguments:
            message = message.replace(repr(word), "what was typed, which may be a secret,")
        return message, f"{remedy}; see {path} --help"
    # Typer names what is near itself; of what is near nothing, it helps to see what there is.
    known = getattr(context.command, "commands", {}) if context else {}
    listed = f"there are: {', '.join(known)}; " if message.startswith(_NO_COMMAND) else ""
    if message.endswith("?"):
        listed = ""
    return message, f"{listed}see {path} --help"


def _remedy_for_secrets(context: Any) -> str:
    """Return what to do with a secret, under a noun that uses some."""
    while context is not None:
        if context.command.name in _KEEPERS:
            return _KEEPERS[context.command.name]
        context = context.parent
    return ""


def _is_argument(error: Any) -> bool:
    param = getattr(error, "param", None)
    return param is not None and param.param_type_name == "argument"


def _without_tokens(text: str, arguments: list[str]) -> str:
    """Mask whatever the text repeats of the arguments that looks like a token."""
    from notifycli.secrets.token_format import PREFIX, mask  # noqa: PLC0415 - only errors need it

    pattern = re.compile(rf"{PREFIX}\w*|{_CHATWOOTS}", re.ASCII)
    for token in {found for argument in arguments for found in pattern.findall(argument)}:
        text = text.replace(token, mask(token))
    return text
