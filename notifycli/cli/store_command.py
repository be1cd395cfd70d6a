"""`notifycli backup|restore|store`: whole stores, and the password of a server's."""

from __future__ import annotations

import os
import shutil
import sys
from collections import Counter
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from msgspec import structs

from notifycli.cli.command import command_class, examples, group, part, session_of
from notifycli.cli.output import check_file
from notifycli.cli.session import Session, is_web_address, plural
from notifycli.cli.terminal import is_terminal, read_input, read_secret
from notifycli.errors import (
    DataError,
    InputMissingError,
    NotifycliError,
    NotPermittedError,
    UnavailableError,
    UsageError,
)
from notifycli.secrets.keychain import WHICH, copy_to_vault, file_path, open_keychain
from notifycli.secrets.private_file import (
    LOCK_SECONDS,
    hold_lock,
    lock_path,
    read_private,
    replace_private,
)
from notifycli.secrets.token_format import Secret
from notifycli.store.settings import SETTINGS
from notifycli.store.store import Location, check_unused, locate, open_store, set_aside
from notifycli.store.tokens import TokenState

app = part()
stores = group("A whole store, copied from one place to another.")
app.add_typer(stores, name="store")
_STORE = "notifycli.db"
_KEYCHAIN = "keychain.json"
_MEMBERS = (_STORE, _KEYCHAIN)
_LONGEST_PASSPHRASE = 1 << 16
_BESIDE = ("", "-wal", "-shm", "-journal")
Archive = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")]


@stores.command(
    "copy",
    cls=command_class(),
    epilog=examples(
        "notifycli store copy notifycli.db postgresql://db.example.com/desk\n"
        "notifycli store copy postgresql://db.example.com/desk sqlite:///desk.db"
    ),
)
def store_copy(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The store that is there.")],
    target: Annotated[str, typer.Argument(metavar="TO", help="An empty one, or one yet to be.")],
) -> None:
    """Copy all that a store holds into an empty one, and compare the two.

    What is broken off goes on when it is typed again. Secrets stay in the keyring, under the
    names that both stores have.
    """
    from notifycli.cli.remote import find_password  # noqa: PLC0415 - not for a backup

    session = session_of(ctx)
    here, there = locate(source, find_password), locate(target, find_password)
    if not here.exists:
        raise InputMissingError(f"there is no store at {here.name}", "name the one that is there")
    if _are_one(here, there):
        raise UsageError(
            f"{here.name} can't be copied to itself",
            "name another store, an empty one or one yet to be",
        )
    with open_store(here, create=False) as old, open_store(there) as new:
        rows = new.copy_from(old)
    session.info(
        f"copied {plural(rows, 'row')} to {there.name}, and compared them; "
        f"use it: --db {there.name}, or NOTIFYCLI_DB"
    )


def _are_one(here: Location, there: Location) -> bool:
    if here.file is None or there.file is None:
        return here.name == there.name
    # Of a name that can't be looked at, opening it tells why.
    both = (here.file, there.file)
    return all(map(os.path.exists, both)) and os.path.samefile(*both)  # noqa: PTH121 - as below


@stores.command(
    "login",
    cls=command_class(),
    epilog=examples(
        "notifycli store login postgresql://jane@db.example.com/desk\n"
        "notifycli store login https://desk.example.com          with an administrator's token\n"
        "notifycli store login < password.txt     of the store that NOTIFYCLI_DB names"
    ),
)
def store_login(
    ctx: typer.Context,
    url: Annotated[str, typer.Argument(metavar="[URL]", help="The store; else that of --db.")] = "",
) -> None:
    """Keep the password or token of a server's store in the keyring."""
    from notifycli.cli.remote import (  # noqa: PLC0415 - not for a backup
        find_password,
        login_to_server,
        secret_name,
        server_keychain,
    )

    session = session_of(ctx)
    if is_web_address(url or session.store_name):
        login_to_server(url or session.store_name, session.info)
        return
    at = locate(url, find_password) if url else session.location
    if at.file is not None:
        # Not repeated: who types the secret in the place of the address names a file by it.
        raise UsageError(
            "the store named is a file: it has no password", "name a postgresql:// address"
        )
    keychain = server_keychain()
    keychain.unlock(to_write=True)
    text = read_secret(
        f"Password of {at.url}: ", "password", "notifycli store login URL < password.txt"
    )
    asked = []

    def give() -> str:
        asked.append(at.url)
        return text

    open_store(structs.replace(at, password=give), create=False).__exit__()
    if not asked:
        session.info(f"the server of {at.url} lets in without it: not kept")
        return
    keychain.set(secret_name(at.url), Secret(text))
    session.info(f"the password of {at.url} is kept, and lets in")


@stores.command(
    "seal",
    cls=command_class(),
    epilog=examples("NOTIFYCLI_KEYRING=system notifycli store seal"),
)
def store_seal(ctx: typer.Context) -> None:
    """Copy this machine's secrets of the store into its vault.

    There all hosts have them. Push keys stay what they are, so no browser has to subscribe again.
    NOTIFYCLI_KEYRING says where they are now; the passphrase is the vault's.
    """
    session = session_of(ctx)
    with session.store() as store:
        source = open_keychain(beside=store.location)
        vault = open_keychain({**os.environ, WHICH: "store"}, store.location)
        if source.kind == vault.kind:
            raise UsageError(
                f"{WHICH}=store names the vault itself, not where the secrets are",
                f"type it once with the one before: {WHICH}=system notifycli store seal, or file",
            )
        source.unlock()
        vault.unlock(to_write=True)
        count, lost = copy_to_vault(store, source, vault)
        if lost:
            session.warn(
                f"{plural(len(lost), 'secret')} not found in this keychain ({source.kind}): "
                "type it also where they were made"
            )
        session.info(
            f"{plural(count, 'secret')} copied into the vault in {store.location.name}; "
            f"on each host that uses it: export {WHICH}=store"
        )


@stores.command(
    "reseal",
    cls=command_class(),
    epilog=examples(
        "NOTIFYCLI_KEYRING=store notifycli store reseal\n"
        "NOTIFYCLI_KEYRING=store notifycli store reseal < new-passphrase"
    ),
)
def store_reseal(ctx: typer.Context) -> None:
    """Seal the secrets under a new passphrase.

    Those in the store's vault, or in the encrypted file, as NOTIFYCLI_KEYRING says. The new
    passphrase is typed unseen, or read from standard input; the one until now comes from where it
    always does.
    """
    # The usual keyring needs no cryptography.
    from notifycli.secrets.encrypted_file import Passphrase, Sealed, decode_passphrase  # noqa: PLC0415

    session = session_of(ctx)
    keychain = open_keychain(beside=session.location)
    if not isinstance(keychain, Sealed):
        raise UsageError(
            "the system's keyring has no passphrase of notifycli's",
            f"name what has one: {WHICH}=store notifycli store reseal, or {WHICH}=file",
        )

    def read() -> Secret:
        if is_terminal(sys.stdin):
            return Passphrase(None).read(new=True)
        return decode_passphrase(read_input(_LONGEST_PASSPHRASE), "standard input")

    count = keychain.reseal(read)
    session.info(
        f"{plural(count, 'secret')} in {keychain.where} sealed under the new passphrase; write it "
        "where each host has the one before, and restart what runs there"
    )


@app.command(
    "backup",
    cls=command_class(),
    epilog=examples("notifycli backup desk.backup\nnotifycli backup /mnt/$(date +%F).backup"),
)
def backup(ctx: typer.Context, file: Archive) -> None:
    """Write the store and its settings to one file, also while others write.

    The encrypted file of secrets goes with it, or the store's vault, still encrypted. What a
    system's keyring holds can't: it is told.
    """
    import tempfile  # noqa: PLC0415 - not for the help
    import zipfile  # noqa: PLC0415

    session = session_of(ctx)
    check_file(str(file))
    if os.path.exists(file):  # noqa: PTH110 - pathlib's raises for a name that is too long
        raise UsageError(f"{file} exists already", "name another file, or remove it first")
    if not session.location.exists:
        raise InputMissingError(
            f"there is no store at {session.location.name}", "name one: --db PATH"
        )
    with tempfile.TemporaryDirectory(prefix="notifycli-") as folder:
        copy = Path(folder) / _STORE
        _copy_store(session, copy)
        secrets = read_private(file_path(os.environ, session.location.folder))
        _tell_missing(session, copy, "the backup doesn't have", with_file=secrets is not None)

        def pack(target: BinaryIO) -> None:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.write(copy, _STORE)
                if secrets is not None:
                    archive.writestr(_KEYCHAIN, secrets)

        try:
            replace_private(file, pack)
        except UnavailableError as error:
            raise NotPermittedError(error.message, "name another place") from None
    also = " and the encrypted file of secrets" if secrets is not None else ""
    session.info(f"wrote the store{also} to {file}")


def _copy_store(session: Session, copy: Path) -> None:
    """Copy the store to a file, and tell of what it has that a copy hasn't."""
    with open_store(session.location, create=False) as store:
        store.copy_to(copy)
        received = 0 if session.location.file else store.received.count()
    if received:
        session.warn(
            f"the backup doesn't have the {plural(received, 'event')} that listen --store has "
            "received; they too: notifycli events received"
        )


Replace = Annotated[
    bool,
    typer.Option(
        "--replace",
        help="Move what is there aside: files to names ending in .before, a server's schema to "
        "notifycli_before.",
    ),
]


@app.command(
    "restore",
    cls=command_class(),
    epilog=examples("notifycli restore desk.backup\nnotifycli restore desk.backup --replace"),
)
def restore(
    ctx: typer.Context,
    file: Archive,
    *,
    replace: Replace = False,
) -> None:
    """Bring a backup back; stop what uses the store before.

    Nothing is overwritten. What a system's keyring held isn't in it: it is told.
    """
    import tempfile  # noqa: PLC0415 - not for the help

    session = session_of(ctx)
    store = session.location.file
    keychain = file_path(os.environ, session.location.folder)
    with tempfile.TemporaryDirectory(prefix="notifycli-") as folder:
        members = _extract(file, Path(folder))
        targets = {} if store is None else {store: members[_STORE]}
        if _KEYCHAIN in members:
            targets[keychain] = members[_KEYCHAIN]
        with hold_lock(lock_path(keychain), LOCK_SECONDS):
            if replace and session.location.exists:
                check_unused(session.location)
            _make_way(list(targets), replace=replace)
            if store is None:
                _restore_to_server(session.location, members[_STORE], replace=replace)
            for target, source in targets.items():
                with source.open("rb") as data:
                    replace_private(target, partial(shutil.copyfileobj, data))
        _tell_missing(
            session, members[_STORE], "the backup didn't have", with_file=_KEYCHAIN in members
        )
    done = [session.location.name] * (store is None) + list(map(str, targets))
    session.info(f"restored {', '.join(done)}; is all well? notifycli doctor")


def _restore_to_server(location: Location, backup: Path, *, replace: bool) -> None:
    """Write a backup to a server's store; what is broken off goes on when it is typed again."""
    with (
        set_aside(location) if replace else nullcontext(),
        open_store(backup, create=False) as source,
        open_store(location) as target,
    ):
        target.copy_from(source)


def _extract(file: Path, folder: Path) -> dict[str, Path]:
    """Unpack a backup into a folder, and return its files once the store is known to be whole."""
    import zipfile  # noqa: PLC0415 - not for the help

    try:
        with zipfile.ZipFile(file) as archive:
            names = [name for name in archive.namelist() if name in _MEMBERS]
            members = {name: Path(archive.extract(name, folder)) for name in names}
    except FileNotFoundError:
        raise InputMissingError(f"{file} doesn't exist", "name the backup") from None
    except OSError as error:
        raise InputMissingError(f"{file} can't be read: {error.strerror}") from None
    except Exception as error:
        raise DataError(
            f"{file} is damaged or no backup of notifycli", "name one that notifycli backup wrote"
        ) from error
    if _STORE not in members:
        raise DataError(f"{file} is no backup of notifycli", "make one: notifycli backup FILE")
    _check_store(members[_STORE])
    return members


def _check_store(file: Path) -> None:
    """Raise `DataError` unless a file is a whole store that this version can read."""
    try:
        with open_store(file, create=False) as store:
            damage = store.damage()
    except NotifycliError as error:
        raise DataError(f"the store in the backup can't be used: {error.message}") from error
    if damage:
        raise DataError(f"the store in the backup is damaged: {damage}")


def _make_way(targets: list[Path], *, replace: bool) -> None:
    """Move what is there aside, if that was asked for. Raises `UsageError` otherwise."""
    there = [Path(f"{target}{end}") for target in targets for end in _BESIDE]
    there = [path for path in there if os.path.exists(path)]  # noqa: PTH110 - pathlib's raises where it may not look
    if there and not replace:
        raise UsageError(
            f"{', '.join(map(str, there))}: not overwritten",
            "add --replace: what is there is moved aside, to names ending in .before; "
            "or name another place: --db PATH",
        )
    aside = {path: Path(f"{path}.before") for path in there}
    if taken := [str(path) for path in aside.values() if os.path.exists(path)]:  # noqa: PTH110 - pathlib's raises where it may not look
        raise UsageError(f"{', '.join(taken)}: not overwritten", "move it away, or remove it")
    for path, before in aside.items():
        path.replace(before)


def _tell_missing(session: Session, store: Path, how: str, *, with_file: bool) -> None:
    """Say which secrets are in keychains that aren't in a backup: the store's vault always is."""
    there = {"store", "file"} if with_file else {"store"}
    chosen = os.environ.get(WHICH) or "system"
    with open_store(store, create=False) as opened:
        names = {
            "token": [
                token.secret_name
                for token in opened.tokens.all()
                if token.state is not TokenState.REVOKED
            ],
            "push key": [key.secret_name for key in opened.subscriptions.push_keys()],
        }
        for key in ("smtp.password", "listen.secret"):
            name = opened.configuration.secret_name(key)
            names[key] = [] if name is None else [name]
    missing: dict[str, list[str]] = {}
    for what, of_it in names.items():
        # Earlier versions didn't say which one the secret of a setting is in.
        kinds = Counter(name.partition(":")[0] if ":" in name else chosen for name in of_it)
        for kind, count in kinds.items():
            if kind not in there:
                counted = what if what in SETTINGS else plural(count, what)
                missing.setdefault(kind, []).append(counted)
    for kind, parts in missing.items():
        place = "the encrypted file" if kind == "file" else "the system's keyring"
        session.warn(
            f"{how} what {place} holds: {', '.join(parts)}; on another machine make "
            "them anew: notifycli token rotate, push keys rotate, config set"
        )
