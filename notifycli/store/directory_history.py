"""What a change did to the directory, in words, and how it is taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct, structs

from notifycli.errors import NotPermittedError
from notifycli.rules.directory import Inbox, Team, User

if TYPE_CHECKING:
    from notifycli.store.store import Store
    from notifycli.store.transaction import Change, DirectoryDifference

Item = User | Inbox | Team

_TYPES: dict[str, type[Item]] = {"user": User, "inbox": Inbox, "team": Team}
_UNTOLD = ("made_up", "subscribed")


class DirectoryStep(Struct):
    """What a change does to one thing of the directory, as printed."""

    kind: str
    id: int
    name: str
    result: str
    """`added`, `changed` or `removed`."""
    detail: str


def step_of(difference: DirectoryDifference) -> DirectoryStep:
    """Tell what a change does to one thing."""
    kind, id_, old, new = difference
    if kind == "account":
        return DirectoryStep(kind, id_, new or "", "changed", f"name {old or '-'}→{new}")
    before = {} if old is None else msgspec.json.decode(old)
    after = {} if new is None else msgspec.json.decode(new)
    name = str((after or before).get("email") or (after or before).get("name") or "")
    if old is None or new is None:
        return DirectoryStep(kind, id_, name, "added" if old is None else "removed", "")
    differing = [k for k in after if after[k] != before.get(k) and k not in _UNTOLD]
    detail = ", ".join(f"{k} {_text(before.get(k))}→{_text(after[k])}" for k in differing)
    return DirectoryStep(kind, id_, name, "changed", detail)


def _text(value: object) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "-" if value in (None, "") else str(value)


def undo(store: Store, change: Change, past: int, *, force: bool) -> None:
    """Make all that a past change did undone: the directory, and the preferences with it.

    Members who came or went since stay as they are. Raises `NotPermittedError` where anything else
    is no longer what that change made of it, unless `force`.
    """
    rows = store.history.directory_of(past)
    was = {(kind, id_): old for kind, id_, old, _ in reversed(rows)}
    made = {(kind, id_): new for kind, id_, _, new in rows}
    change.settle_ids(
        (id_, msgspec.json.decode(old, type=User).email)
        for (kind, id_), old in was.items()
        if kind == "user" and old is not None
    )
    since: list[str] = []
    added: list[Item] = []
    # Users first: they are members of the others.
    for kind, id_ in sorted(was, key=lambda place: place[0] != "user"):
        old, new = was[kind, id_], made[kind, id_]
        if kind == "account":
            change.name_account(old or "")
            continue
        now = change.item(kind, id_)
        before, after = (None if s is None else _item(kind, id_, s) for s in (old, new))
        since += _later_changes(kind, id_, before, after, now)
        if before is not None:
            change.put(_restore(before, after, now))
        elif now is not None:
            added.append(now)
    if since and not force:
        raise NotPermittedError(
            f"what change {past} did has been changed since:\n" + "\n".join(since),
            "take it back all the same: --force",
        )
    staging = store.staging()
    store.history.stage_undoing(staging, change.account, past, force=force)
    change.settle(staging)
    change.restore_rows(past)
    for item in added:
        change.remove(item)


def _item(kind: str, id_: int, side: str) -> Item:
    # Whose id was made up may have another one by now.
    return structs.replace(msgspec.json.decode(side, type=_TYPES[kind]), id=id_)


def _later_changes(
    kind: str, id_: int, before: Item | None, after: Item | None, now: Item | None
) -> Iterator[str]:
    """Tell what is neither as the change made it nor as it was before."""
    if now is None and before is not None and after is not None:
        yield f"{kind} {id_}: has been removed"
    if now is not None and now != before and after is None:
        yield f"{kind} {id_}: has been added again"
    if now is None or after is None:
        return
    for name in now.__struct_fields__:
        made, is_ = getattr(after, name), getattr(now, name)
        if name != "members" and is_ != made and is_ != getattr(before or after, name):
            yield f"{kind} {id_}: {name} was made {_text(made)}, is {_text(is_)}"


def _restore(before: Item, after: Item | None, now: Item | None) -> Item:
    """Return what was, but for members who came or went since."""
    if isinstance(before, User) or after is None or now is None or isinstance(after, User):
        return before
    if isinstance(now, User) or None in (before.members, after.members, now.members):
        return before
    left = {*(before.members or ())} - {*(after.members or ())}
    joined = {*(after.members or ())} - {*(before.members or ())}
    return structs.replace(before, members=tuple(sorted({*(now.members or ())} - joined | left)))
