"""The operations of the API: one table, from which routes and the OpenAPI document derive."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from notifycli.chatwoot.mapping import NotificationSettings
from notifycli.server import handlers, schemas
from notifycli.server.handlers import Call
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


_BODY = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
)
_CHANGES = (*_BODY, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
_USER = (HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)

OPERATIONS = (
    Operation(
        ("GET",),
        "/api/v1/profile",
        handlers.show_profile,
        "The user with their dashboard's settings.",
        schemas.Profile,
        refuses=_USER,
        for_user=True,
    ),
    Operation(
        ("PUT", "PATCH"),
        "/api/v1/profile",
        handlers.update_profile,
        "Replace all of `ui_settings`.",
        schemas.Profile,
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
        schemas.Profile,
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
)
