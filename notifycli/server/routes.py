"""The operations of the API: one table, from which routes and the OpenAPI document derive."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple

from notifycli.chatwoot.mapping import NotificationSettings
from notifycli.server import handlers as desk
from notifycli.server import schemas as shapes
from notifycli.server import subscribing
from notifycli.server.handlers import Call
from notifycli.store.store import Store

_ACCOUNT = "/api/v1/accounts/{account_id}"


class Operation(NamedTuple):
    """One method of one path."""

    method: str
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
        "GET",
        "/api/v1/profile",
        desk.show_profile,
        "The user with their dashboard's settings.",
        shapes.Profile,
        refuses=_USER,
        for_user=True,
    ),
    Operation(
        "PUT",
        "/api/v1/profile",
        desk.update_profile,
        "Replace all of `ui_settings`.",
        shapes.Profile,
        shapes.ProfileUpdate,
        writes=True,
        refuses=_CHANGES,
        for_user=True,
    ),
    Operation(
        "POST",
        "/api/v1/profile/reset_access_token",
        desk.reset_token,
        "Replace the token of the request; the answer has the new one.",
        shapes.Profile,
        writes=True,
        refuses=(HTTPStatus.UNPROCESSABLE_ENTITY,),
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/notification_settings",
        desk.show_settings,
        "Which e-mails and pushes the user gets.",
        NotificationSettings,
        refuses=_USER,
        for_user=True,
    ),
    Operation(
        "PATCH",
        f"{_ACCOUNT}/notification_settings",
        desk.update_settings,
        "Replace both lists of flags; one that is left out is cleared.",
        NotificationSettings,
        shapes.FlagsUpdate,
        writes=True,
        refuses=_CHANGES,
        for_user=True,
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/agents",
        desk.list_agents,
        "The account's users.",
        list[shapes.Agent],
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/inboxes",
        desk.list_inboxes,
        "The inboxes that the caller can see.",
        shapes.Inboxes,
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/inbox_members/{{inbox_id}}",
        desk.list_inbox_members,
        "Who is a member of an inbox.",
        shapes.Members,
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/teams",
        desk.list_teams,
        "The teams.",
        list[shapes.TeamShape],
    ),
    Operation(
        "GET",
        f"{_ACCOUNT}/teams/{{team_id}}/team_members",
        desk.list_team_members,
        "Who is a member of a team.",
        list[shapes.Agent],
    ),
    Operation(
        "POST",
        "/api/v1/notification_subscriptions",
        subscribing.subscribe,
        "Subscribe a browser of the caller's to pushes.",
        shapes.KeptSubscription,
        shapes.SubscriptionUpdate,
        writes=True,
        refuses=_BODY,
    ),
    Operation(
        "DELETE",
        "/api/v1/notification_subscriptions",
        subscribing.unsubscribe,
        "End a subscription of the caller's, if there is such a one.",
        shapes.Nothing,
        shapes.SubscriptionRemoval,
        writes=True,
        refuses=_BODY,
    ),
)
