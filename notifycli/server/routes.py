"""The operations of the API: one table; routes and the OpenAPI document derive from it."""

from __future__ import annotations

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

import msgspec

from notifycli import __version__
from notifycli.chatwoot.preference_mapping import FLAGS, UI_SETTINGS, NotificationSettings
from notifycli.events.event import LARGEST_ID
from notifycli.rules.notifications import Channel
from notifycli.rules.preferences import KEYS
from notifycli.server import handlers, schemas
from notifycli.server.handlers import Call
from notifycli.server.middleware import Failure
from notifycli.store import remote_format
from notifycli.store.store import Store

_ACCOUNT = "/api/v1/accounts/{account_id}"


class Operation(NamedTuple):
    """What one path does by one method, or by several that mean the same there."""

    methods: tuple[str, ...]
    path: str
    run: Callable[[Store, Call], Any]
    summary: str
    gives: Any
    """The type of the answer."""
    takes: Any = None
    """The type of the body; `None` where there is none."""
    writes: bool = False
    refuses: tuple[HTTPStatus, ...] = ()
    """What it may answer besides what all may."""
    for_user: bool = False
    """Whether an administrator can name another user by `user_id`."""
    administrators: bool = False
    """Whether it is for them alone; and as much as it may be of, in a thread of its own."""
    largest_body: int = 256 << 10
    """Bytes; a dashboard's whole `ui_settings` takes a few thousand."""


_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_CHANGES = (*_BODY, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_ADMINISTRATOR = (HTTPStatus.FORBIDDEN,)
_USER = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)

OPERATIONS = (
    Operation(
        ("GET",),
        "/api/v1/profile",
        handlers.show_profile,
        "The user with their dashboard's settings.",
        schemas.UserProfile,
        refuses=_USER,
        for_user=True,
    ),
    Operation(
        ("PUT", "PATCH"),
        "/api/v1/profile",
        handlers.update_profile,
        "Replace all of `ui_settings`.",
        schemas.UserProfile,
        schemas.ProfileUpdate,
        writes=True,
        refuses=_CHANGES,
        for_user=True,
    ),
    Operation(
        ("POST",),
        "/api/v1/profile/reset_access_token",
        handlers.reset_token,
        "Replace the token of the request; the answer has the new one.",
        schemas.UserProfile,
        writes=True,
        refuses=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/notification_settings",
        handlers.show_settings,
        "Which e-mails and pushes the user gets.",
        NotificationSettings,
        refuses=_USER,
        for_user=True,
    ),
    Operation(
        ("PATCH", "PUT"),
        f"{_ACCOUNT}/notification_settings",
        handlers.update_settings,
        "Replace both lists of flags; one that is left out is cleared.",
        NotificationSettings,
        schemas.FlagsUpdate,
        writes=True,
        refuses=_CHANGES,
        for_user=True,
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/agents",
        handlers.list_agents,
        "The account's users.",
        list[schemas.Agent],
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/inboxes",
        handlers.list_inboxes,
        "The inboxes that the caller can see.",
        schemas.Inboxes,
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/inboxes/{{inbox_id}}",
        handlers.show_inbox,
        "One inbox that the caller can see.",
        schemas.InboxShape,
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/inbox_members/{{inbox_id}}",
        handlers.list_inbox_members,
        "Who is a member of an inbox.",
        schemas.Members,
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/teams",
        handlers.list_teams,
        "The teams.",
        list[schemas.TeamShape],
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/teams/{{team_id}}",
        handlers.show_team,
        "One team.",
        schemas.TeamShape,
    ),
    Operation(
        ("GET",),
        f"{_ACCOUNT}/teams/{{team_id}}/team_members",
        handlers.list_team_members,
        "Who is a member of a team.",
        list[schemas.Agent],
    ),
    Operation(
        ("POST",),
        "/api/v1/notification_subscriptions",
        handlers.subscribe,
        "Subscribe a browser of the caller's to pushes.",
        schemas.KeptSubscription,
        schemas.SubscriptionUpdate,
        writes=True,
        refuses=_BODY,
    ),
    Operation(
        ("DELETE",),
        "/api/v1/notification_subscriptions",
        handlers.unsubscribe,
        "End a subscription of the caller's, if there is such a one.",
        schemas.Nothing,
        schemas.SubscriptionRemoval,
        writes=True,
        refuses=_BODY,
    ),
    Operation(
        ("GET",),
        remote_format.ACCOUNT,
        handlers.show_account,
        "The account as it is: directory, preferences, presets.",
        remote_format.AccountCopy,
        refuses=_ADMINISTRATOR,
        administrators=True,
    ),
    Operation(
        ("GET",),
        remote_format.HISTORY,
        handlers.list_changes,
        "What was changed in the account, the newest first.",
        remote_format.Past,
        refuses=_ADMINISTRATOR,
        administrators=True,
    ),
    Operation(
        ("GET",),
        remote_format.NOTICES,
        handlers.list_notices,
        "What the outbox has of the account.",
        remote_format.Notices,
        refuses=_ADMINISTRATOR,
        administrators=True,
    ),
    Operation(
        ("GET",),
        remote_format.EVENTS,
        handlers.list_events,
        "The events of the account that were received.",
        remote_format.Events,
        refuses=_ADMINISTRATOR,
        administrators=True,
    ),
    Operation(
        ("GET",),
        remote_format.EVENTS_OF_ONE,
        handlers.list_conversation_events,
        "The events of one conversation that were received.",
        remote_format.Events,
        refuses=_ADMINISTRATOR,
        administrators=True,
    ),
    Operation(
        ("POST",),
        remote_format.CHANGES,
        handlers.change_account,
        "Change the account, all or nothing, if it is still of that revision.",
        remote_format.Changed,
        remote_format.ChangeSet,
        writes=True,
        refuses=(*_BODY, *_ADMINISTRATOR, HTTPStatus.CONFLICT),
        administrators=True,
        largest_body=32 << 20,
    ),
)


Json = dict[str, Any]
_REFERENCE = "#/components/schemas/{name}"
_ALWAYS = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_WHY = {
    HTTPStatus.BAD_REQUEST: "The body is no JSON.",
    HTTPStatus.UNAUTHORIZED: "A bad token, or no right to this.",
    HTTPStatus.FORBIDDEN: "A lock of the account forbids the value, or no administrator asks.",
    HTTPStatus.NOT_FOUND: "There is no such user, inbox or team, or no such id can be.",
    HTTPStatus.CONFLICT: "The account was changed since that revision.",
    HTTPStatus.REQUEST_TIMEOUT: "The body took too long.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is too large.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "A value that can't be, such as an unknown flag.",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many wrong tokens from this address.",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong here.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Something is busy, or the keyring can't be opened.",
}
_RETRY = {
    "Retry-After": {
        "description": "Seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    }
}
_ID: Json = {"type": "integer", "minimum": 1, "maximum": LARGEST_ID}


def document() -> Json:
    """Return the whole document."""
    types = [item.gives for item in OPERATIONS]
    types += [item.takes for item in OPERATIONS if item.takes]
    schemas, components = msgspec.json.schema_components([*types, Failure], ref_template=_REFERENCE)
    shapes = dict(zip(map(str, [*types, Failure]), schemas, strict=True))
    _narrow(components)
    paths: Json = {}
    for item in OPERATIONS:
        for method in item.methods:
            paths.setdefault(item.path, {})[method.lower()] = _operation(item, method, shapes)
    paths["/openapi.json"] = {"get": _own_operation()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "notifycli serve",
            "version": __version__,
            "description": "Chatwoot's API for profiles, notification settings and the directory; "
            "under /notifycli/v1, an administrator's account for `notifycli --db URL`.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "security": [{"token": []}],
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "apiKey", "in": "header", "name": "api_access_token"}
            },
        },
    }


def _operation(item: Operation, method: str, shapes: Json) -> Json:
    unknown = {HTTPStatus.NOT_FOUND} if "{" in item.path else set()
    refused = sorted({*_ALWAYS, *unknown, *item.refuses})
    also = "" if method == item.methods[0] else f"_by_{method.lower()}"
    described: Json = {
        "operationId": f"{item.run.__name__}{also}",
        "summary": item.summary,
        "parameters": _parameters(item),
        "responses": {
            "200": {"description": "Done.", "content": _json(shapes[str(item.gives)])},
            **{str(int(status)): _refusal(status, shapes) for status in refused},
        },
    }
    if item.takes:
        described["requestBody"] = {"required": True, "content": _json(shapes[str(item.takes)])}
    return described


def _parameters(item: Operation) -> list[Json]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _ID}
        for name in re.findall(r"{(\w+)}", item.path)
    ]
    if not item.for_user:
        return in_path
    whose = "Whose, if not the caller's own: for administrators."
    return [*in_path, {"name": "user_id", "in": "query", "schema": _ID, "description": whose}]


def _refusal(status: HTTPStatus, shapes: Json) -> Json:
    described: Json = {"description": _WHY[status], "content": _json(shapes[str(Failure)])}
    if status is HTTPStatus.TOO_MANY_REQUESTS:
        described["headers"] = _RETRY
    return described


def _own_operation() -> Json:
    content = _json({"type": "object"})
    return {
        "operationId": "show_document",
        "summary": "This document.",
        "security": [],
        "responses": {"200": {"description": "Done.", "content": content}},
    }


def _json(schema: Json) -> Json:
    return {"application/json": {"schema": schema}}


def _narrow(components: Json) -> None:
    """Tell what the types can't: which flags there are, and what `ui_settings` may hold."""
    wish = components["FlagsWish"]["properties"]
    for channel in (Channel.EMAIL, Channel.PUSH):
        for choice in wish[f"selected_{channel}_flags"]["anyOf"]:
            if choice.get("type") == "array":
                choice["items"] = {"enum": [*FLAGS[channel]]}
    settings: Json = {}
    for name, setting in UI_SETTINGS.items():
        values = [setting.write(value) for value in KEYS[setting.key].values]
        settings[name] = {"enum": values}
    components["ProfileWish"]["properties"]["ui_settings"]["properties"] = settings
