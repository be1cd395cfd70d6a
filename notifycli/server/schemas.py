"""The shapes in which Chatwoot answers, as far as we have what they say.

Fields that a client may insist on and of which we know nothing have the value that Chatwoot gives
where nothing was set.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from notifycli.events.event import LARGEST_ID
from notifycli.rules.directory import Inbox, Role, Team, User

Availability = Literal["online", "offline", "busy"]


class Agent(Struct):
    """A user of the account. `email` is null while only events have told of them."""

    id: int
    account_id: int
    name: str
    available_name: str
    email: str | None
    role: Role
    availability_status: Availability = "offline"
    auto_offline: bool = True
    confirmed: bool = True
    provider: str = "email"
    thumbnail: str = ""


class InboxShape(Struct):
    """An inbox."""

    id: int
    name: str
    channel_id: int
    channel_type: str = "Channel::Api"
    avatar_url: str = ""


class Inboxes(Struct):
    """What `GET inboxes` answers."""

    payload: list[InboxShape]


class Members(Struct):
    """What `GET inbox_members/{id}` answers."""

    payload: list[Agent]


class TeamShape(Struct):
    """A team; `is_member` tells whether whoever asks is in it."""

    id: int
    name: str
    account_id: int
    is_member: bool
    description: str | None = None
    allow_auto_assign: bool = False


class ProfileAccount(Struct):
    """An account, as a profile lists it."""

    id: int
    name: str
    role: Role
    permissions: list[str]
    status: Literal["active"] = "active"
    active_at: str | None = None
    availability: Availability = "offline"
    availability_status: Availability = "offline"
    auto_offline: bool = True


class UserProfile(Struct):
    """A user with their dashboard's settings.

    `access_token` is the one with which was asked, so it is null in somebody else's profile.
    """

    access_token: str | None
    account_id: int
    accounts: list[ProfileAccount]
    available_name: str
    display_name: str
    email: str | None
    id: int
    name: str
    role: Role
    ui_settings: dict[str, Any]
    uid: str | None
    avatar_url: str = ""
    confirmed: bool = True
    inviter_id: int | None = None
    message_signature: str | None = None
    provider: str = "email"
    pubsub_token: str | None = None
    type: str | None = None


class ProfileWish(Struct):
    """What of a profile is to change; what Chatwoot takes besides is ours to leave alone."""

    ui_settings: dict[str, Any] | UnsetType = UNSET


class ForUser(Struct, kw_only=True):
    """A body in which an administrator can say whose settings are meant, as in the query."""

    user_id: Annotated[int, Meta(ge=1, le=LARGEST_ID)] | None = None


class ProfileUpdate(ForUser):
    """The body of `PUT profile`."""

    profile: ProfileWish


class FlagsWish(Struct):
    """The flags that are to be on; a list that is left out is empty."""

    selected_email_flags: list[str] | None = None
    selected_push_flags: list[str] | None = None


class FlagsUpdate(ForUser):
    """The body of `PATCH notification_settings`."""

    notification_settings: FlagsWish


class PushAttributes(Struct):
    """What a browser gives of a subscription: `endpoint`, and its keys in base64url."""

    endpoint: str
    p256dh: str
    auth: str


class PushSubscription(Struct):
    """A subscription of a browser; phones' services are not ours to push to."""

    subscription_type: Literal["browser_push"]
    subscription_attributes: PushAttributes


class SubscriptionUpdate(Struct):
    """The body of `POST notification_subscriptions`."""

    notification_subscription: PushSubscription


class SubscriptionRemoval(Struct):
    """The body of `DELETE notification_subscriptions`; a browser's token is its endpoint."""

    push_token: str


class KeptSubscription(Struct):
    """A subscription on record."""

    id: int
    user_id: int
    subscription_type: Literal["browser_push"]
    identifier: str
    subscription_attributes: PushAttributes


class Nothing(Struct):
    """An answer that has nothing to say."""


def agent(account: int, user: User) -> Agent:
    """Return a user in Chatwoot's shape."""
    return Agent(user.id, account, user.name, user.name, user.email, user.role)


def inbox(item: Inbox) -> InboxShape:
    """Return an inbox in Chatwoot's shape."""
    return InboxShape(item.id, item.name, item.id)


def team(account: int, item: Team, asking: User) -> TeamShape:
    """Return a team in Chatwoot's shape, as `asking` sees it."""
    return TeamShape(item.id, item.name, account, asking.id in item.members)
