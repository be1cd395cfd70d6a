"""What was set there is stored here, and what holds here is written there, user by user.

Pulling reads all first, and then stores all in one change, so that the history has one entry.

Pushing writes unless something was changed there meanwhile. Chatwoot has no way to write only if
nothing has changed. So each user is read, compared, written and read back in one go; what a
browser writes in that instant is found by the reading back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from notifycli.chatwoot.account import (
    Desk,
    ProgressCallback,
    Report,
    SyncResult,
    check_owner,
    reading_order,
)
from notifycli.chatwoot.client import ChatwootApi, CustomRole, Group, Member, RemoteAgent, role_of
from notifycli.chatwoot.preference_mapping import (
    ChangedBy,
    Divergence,
    Seen,
    divergences,
    lost,
    read_seen,
    seen,
    values,
    with_values,
    write_seen,
)
from notifycli.documents.directory_document import (
    DirectoryDocument,
    import_directory,
    read_directory,
    with_shown_names,
)
from notifycli.errors import NotPermittedError, TryAgainError, UnavailableError
from notifycli.rules.directory import User
from notifycli.rules.layers import Preferences
from notifycli.rules.preferences import KEYS, Layer
from notifycli.store.history import step_of
from notifycli.store.transaction import Entry, Target

_CONFLICT = 75
_GONE = "with the user, who isn't there any more"


class RemoteDirectory(NamedTuple):
    """The directory there, and what couldn't be read of it."""

    document: DirectoryDocument
    unread: tuple[str, ...]


class Pulled(NamedTuple):
    """What became of each thing, and the exit status; what couldn't be read of the directory."""

    report: Report
    unread: tuple[str, ...]


class _Taken(NamedTuple):
    """What one user's pull would store."""

    entries: list[Entry]
    step: SyncResult
    conflict: bool


def see(api: ChatwootApi, user: User) -> Seen:
    """Read a user's preferences there. Raises `DataError` if the token is somebody else's."""
    profile, settings = api.profile(), api.settings()
    check_owner(user, profile.id)
    check_owner(user, settings.user_id)
    return seen(settings, profile.ui_settings)


def read_there(desk: Desk, told: ProgressCallback, *, replace: bool) -> RemoteDirectory:
    """Read the directory as the user who sees most of it.

    Raises `NotPermittedError` if everything else is to go and that user may not see everything.
    """
    reader = next(reading_order(desk.users()), None)
    if reader is None:
        raise NotPermittedError(
            f"no token for {desk.connection.url} is held", "notifycli chatwoot login"
        )
    with desk.open(reader) as api:
        profile = api.profile()
        mine = [a for a in profile.accounts if a.id == desk.connection.remote_account_id]
        role = role_of(mine[0].role if mine else profile.role)
        if replace and role != "administrator":
            raise NotPermittedError(
                f"{profile.email} is an agent there, who doesn't see the whole directory",
                "pull without --replace, or log in with an administrator's token",
            )
        name = (mine[0].name if mine else None) or ""
        found = _document(api, desk.account, name, told)
    # A bot that was told of here may be Dialogflow or Captain, of which no answer tells.
    with_bot = {inbox.id for inbox in desk.life.store.inboxes(desk.account) if inbox.bot}
    for inbox in found.document.inboxes:
        if inbox.bot is False and inbox.id in with_bot:
            inbox.bot = UNSET
    return found


def _document(api: ChatwootApi, account: int, name: str, told: ProgressCallback) -> RemoteDirectory:
    agents = api.agents()
    roles = {role.id: role.permissions for role in _custom_roles(api, agents)}
    known = {agent.id for agent in agents}
    inboxes, teams = api.inboxes(), api.teams()
    unread = list(_unread_roles(agents, roles))
    groups: dict[str, list[dict[str, Any]]] = {}
    done, total = 0, len(inboxes) + len(teams)
    for kind, items in (("inbox", inboxes), ("team", teams)):
        groups[kind] = []
        for item in items:
            told(done, total)
            done += 1
            groups[kind].append(_group(api, kind, item, known, unread))
    document = {
        "account": {"id": account, "name": name},
        "users": [_user(agent, roles) for agent in agents],
        "inboxes": groups["inbox"],
        "teams": groups["team"],
    }
    found = read_directory(msgspec.json.encode(document), "Chatwoot")
    return RemoteDirectory(with_shown_names(found), tuple(unread))


def _custom_roles(api: ChatwootApi, agents: Sequence[RemoteAgent]) -> Sequence[CustomRole]:
    # Without an agent who has one, nobody need be asked what they are.
    return (api.custom_roles() or ()) if any(agent.custom_role_id for agent in agents) else ()


def _unread_roles(
    agents: Sequence[RemoteAgent], roles: Mapping[int, Sequence[str]]
) -> Iterator[str]:
    """Say of whom it can't be told what they see."""
    hidden = [
        agent.email
        for agent in agents
        if role_of(agent.role) == "agent" and agent.custom_role_id not in (None, UNSET, *roles)
    ]
    if hidden:
        yield (
            f"the custom role of {', '.join(hidden)} can't be read: what it lets them see stays as "
            "it is on record, which may be all that an agent sees; say it yourself, as "
            '"permissions": ["conversation_participating_manage"]: notifycli directory import FILE'
        )


def _user(agent: RemoteAgent, roles: Mapping[int, Sequence[str]]) -> dict[str, Any]:
    user = {
        "id": agent.id,
        "email": agent.email,
        "name": agent.name or "",
        "role": role_of(agent.role),
    }
    if agent.confirmed is not None:
        user["confirmed"] = agent.confirmed
    if agent.custom_role_id is None:
        user["permissions"] = None
    elif not isinstance(agent.custom_role_id, UnsetType) and agent.custom_role_id in roles:
        user["permissions"] = roles[agent.custom_role_id]
    return user


def _group(
    api: ChatwootApi, kind: str, item: Group, known: set[int], unread: list[str]
) -> dict[str, Any]:
    """Read one inbox or team; members whom its reader may not see are left as they are."""
    group: dict[str, Any] = {"id": item.id, "name": item.name or ""}
    bot = api.has_agent_bot(item.id) if kind == "inbox" else None
    if bot is not None:
        group["bot"] = bot
    try:
        members: Sequence[Member] = (
            api.inbox_members(item.id) if kind == "inbox" else api.team_members(item.id)
        )
    except NotPermittedError:
        unread.append(f"{kind} {item.id}: its members may be seen by administrators only")
        return group
    group["members"] = [member.id for member in members if member.id in known]
    if strangers := [str(member.id) for member in members if member.id not in known]:
        unread.append(f"{kind} {item.id}: members who are no agents: {', '.join(strangers)}")
    return group


def pull(
    desk: Desk,
    users: Sequence[User],
    directory: RemoteDirectory | None,
    told: ProgressCallback,
    *,
    replace: bool,
    force: bool,
    dry_run: bool,
) -> Pulled:
    """Read the users' preferences, and store them with the directory, all in one change.

    A value that was changed here only stays as it is until it is pushed. One that was changed on
    both sides is a conflict: unless `force`, nothing of that user is stored.
    """
    there, fetched = _fetch_seen(desk, users, told)
    store, account = desk.life.store, desk.account
    steps: list[SyncResult] = []
    status = fetched.status
    with desk.change(dry_run=dry_run) as change:
        if directory is not None:
            import_directory(
                change, store, account, directory.document, "Chatwoot", replace=replace
            )
            steps += [
                SyncResult(*msgspec.structs.astuple(step_of(one))) for one in change.directory
            ]
        preferences = store.preferences(account)
        for step in fetched.steps:
            if step.result or store.user(account, step.id) is None:
                steps.append(step if step.result else _result(step, "removed", _GONE))
                continue
            taken = _take(desk, preferences, step, there[step.id], force=force)
            steps.append(taken.step)
            status = status or (_CONFLICT if taken.conflict else 0)
            if not taken.conflict:
                change.set(taken.entries, again=True)
                change.chatwoot.saw(step.id, write_seen(there[step.id]))
        change.chatwoot.note_pull(desk.life.now())
    return Pulled(Report(steps, status), directory.unread if directory else ())


def _fetch_seen(
    desk: Desk, users: Sequence[User], told: ProgressCallback
) -> tuple[dict[int, Seen], Report]:
    """Read the users' preferences; gives them by user, and of whom they couldn't be read."""
    there: dict[int, Seen] = {}

    def fetch(user: User) -> SyncResult:
        with desk.open(user) as api:
            there[user.id] = see(api, user)
        return SyncResult("preferences", user.id, user.email or user.name, "", "")

    return there, desk.each("preferences", users, fetch, told)


def _take(
    desk: Desk, preferences: Preferences, step: SyncResult, what: Seen, *, force: bool
) -> _Taken:
    theirs = values(what)
    here = here_of(preferences, step.id)
    before = read_seen(desk.life.store.chatwoot.record_of(desk.account, step.id).seen)
    agreed = None if before is None else values(before).of
    differing = divergences(here, theirs.of, agreed)
    locked = [d for d in differing if d.key in preferences.lock]
    open_ = [d for d in differing if d.key not in preferences.lock]
    both = [d for d in open_ if d.changed is ChangedBy.BOTH]
    if both and not force:
        listed = ", ".join(f"{d.key} (here {d.here}, there {d.there})" for d in both)
        detail = f"changed here and there: {listed}; take theirs: --force"
        return _Taken([], _result(step, "conflict", detail), True)
    kept = [d for d in open_ if d.changed is ChangedBy.HERE and not force]
    staying = {d.key for d in [*kept, *locked]}
    taken = [d for d in open_ if d.key not in staying]
    wanted = theirs.chosen.union(d.key for d in taken) - staying - preferences.lock.keys()
    target = Target(Layer.USER, step.id)
    entries = [Entry(target, key, theirs.of[key]) for key in KEYS if key in wanted]
    told = [f"{d.key} {d.here}→{d.there}" for d in taken]
    told += [f"{d.key} stays {d.here}: not pushed yet" for d in kept]
    told += [f"{d.key} stays {d.here}: locked" for d in locked]
    told += [f"left as it is there: {why}" for why in theirs.unreadable]
    return _Taken(entries, _result(step, "changed" if taken else "same", ", ".join(told)), False)


def _result(step: SyncResult, result: str, detail: str) -> SyncResult:
    return msgspec.structs.replace(step, result=result, detail=detail)


def here_of(preferences: Preferences, user: int) -> Mapping[str, str]:
    """Give a user's effective values: what would be pushed."""
    return {key: preferences.resolve(key, user).value for key in KEYS}


class Compared(NamedTuple):
    """One user's preferences there, and what differs here."""

    there: Seen
    differing: list[Divergence]
    unreadable: tuple[str, ...]


def compare(desk: Desk, user: User, api: ChatwootApi, here: Mapping[str, str]) -> Compared:
    """Compare what holds here with what is there now."""
    there = see(api, user)
    theirs = values(there)
    before = read_seen(desk.life.store.chatwoot.record_of(desk.account, user.id).seen)
    agreed = None if before is None else values(before).of
    return Compared(there, divergences(here, theirs.of, agreed), theirs.unreadable)


def diff(
    desk: Desk, users: Sequence[User], told: ProgressCallback
) -> tuple[list[tuple[User, Divergence]], Report]:
    """Give what differs here and there, by user and key, and what became of each user."""
    found: list[tuple[User, Divergence]] = []
    preferences = desk.life.store.preferences(desk.account)

    def work(user: User) -> SyncResult:
        with desk.open(user) as api:
            compared = compare(desk, user, api, here_of(preferences, user.id))
        found.extend((user, item) for item in compared.differing)
        result = "differs" if compared.differing else "same"
        return _step(user, result, ", ".join(compared.unreadable))

    return found, desk.each("preferences", users, work, told)


def push(
    desk: Desk, users: Sequence[User], told: ProgressCallback, *, force: bool, dry_run: bool
) -> Report:
    """Write the users' effective preferences there; what agrees already isn't written.

    A user is refused whose preferences were changed there since the last pull or push, or were
    never pulled; with `force` what holds here wins. What isn't ours there stays as it is.
    """
    preferences = desk.life.store.preferences(desk.account)

    def work(user: User) -> SyncResult:
        return _push(desk, user, preferences, force=force, dry_run=dry_run)

    return desk.each("preferences", users, work, told)


def _push(
    desk: Desk, user: User, preferences: Preferences, *, force: bool, dry_run: bool
) -> SyncResult:
    here = here_of(preferences, user.id)
    with desk.open(user) as api:
        compared = compare(desk, user, api, here)
        if not force:
            _refuse_changed(compared.differing)
        detail = [f"{d.key} {d.there}→{d.here}" for d in compared.differing]
        detail += [f"left as it is there: {why}" for why in compared.unreadable]
        after = compared.there
        if compared.differing and not dry_run:
            wanted = {d.key: d.here for d in compared.differing}
            after = _write(api, user, compared.there, with_values(compared.there, wanted))
    if not dry_run:
        _note(desk, user, after)
    return _step(user, "pushed" if compared.differing else "same", ", ".join(detail))


def _refuse_changed(differing: Sequence[Divergence]) -> None:
    if any(d.changed is ChangedBy.UNKNOWN for d in differing):
        raise TryAgainError(
            "never pulled: writing would undo what was chosen there",
            "first: notifycli chatwoot pull; or let what is here win: --force",
        )
    moved = [d for d in differing if d.changed is not ChangedBy.HERE]
    if moved:
        listed = ", ".join(f"{d.key} is {d.there} there and {d.here} here" for d in moved)
        raise TryAgainError(
            f"changed there since the last pull: {listed}",
            "first: notifycli chatwoot pull; or let what is here win: --force",
        )


def _write(api: ChatwootApi, user: User, before: Seen, wanted: Seen) -> Seen:
    """Write what differs, read it back, and give what is there then."""
    if (before.email, before.push) != (wanted.email, wanted.push):
        api.write_settings(wanted.email.selected, wanted.push.selected)
    if before.ui_settings != wanted.ui_settings:
        api.write_ui_settings(wanted.ui_settings)
    after = see(api, user)
    if missing := lost(wanted, after):
        raise UnavailableError(
            f"written, but not there when read back: {', '.join(missing)}",
            "somebody else may have written at the same time: notifycli chatwoot diff",
        )
    return after


def _note(desk: Desk, user: User, after: Seen) -> None:
    text = write_seen(after)
    if desk.life.store.chatwoot.record_of(desk.account, user.id).seen != text:
        with desk.change() as change:
            change.chatwoot.saw(user.id, text)


def _step(user: User, result: str, detail: str) -> SyncResult:
    return SyncResult("preferences", user.id, user.email or str(user.id), result, detail)
