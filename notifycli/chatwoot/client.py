"""Chatwoot's API, as far as we use it: typed answers, and its refusals in words.

Shapes are those of Chatwoot 4. A profile also holds the token, which is decoded only where a new
one is asked for.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any, NoReturn, Self, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from notifycli.chatwoot.http import LIMITS, Answer, RateLimits, Transport
from notifycli.chatwoot.preference_mapping import NotificationSettings
from notifycli.errors import (
    NotifycliError,
    NotPermittedError,
    UnavailableError,
    UsageError,
)
from notifycli.rules.directory import Role
from notifycli.secrets.token_format import Secret

T = TypeVar("T")

_SERVER = "/api"
_ADDRESS = "check its address: it is like https://chat.example.com, without more behind it"
_ACCOUNT = "check its address and the account: notifycli chatwoot status"
_PROFILE = "/api/v1/profile"
_RESET = f"{_PROFILE}/reset_access_token"
_LAST_MESSAGE = 2**31 - 1
_MESSAGES_A_PAGE = 100
"""Chatwoot gives up to 1,000 between two ids, but older ones 100."""
_CANNOT_TELL = frozenset({401, 403, 404, 406})
_FIRST_REFUSAL = 300
_UNAUTHORIZED, _FORBIDDEN, _MISSING, _UNPROCESSABLE = 401, 403, 404, 422
_FIRST_FAULT = 500
_LOG = "its own log says why, as in docker compose logs rails"
_BROKEN = f"try again later; if it stays, {_LOG}"
_MEND = f"nothing of this request was done; mend what it says, or if it says nothing, {_LOG}"
_RIGHTS = "use the token of an administrator: notifycli chatwoot login"
_SHAPE = "check that the address is your Chatwoot's, and its version 4 or newer"
_SUBSCRIPTIONS = (
    *("conversation_created", "conversation_updated", "conversation_status_changed"),
    *("message_created", "message_updated"),
)
_OF_TYPING = ("conversation_typing_on", "conversation_typing_off")


def role_of(text: str | None) -> Role:
    """Give the role; a custom one has the rights of an agent, as far as we can tell."""
    return "administrator" if text == "administrator" else "agent"


class RemoteAccount(Struct, frozen=True):
    """An account that a user belongs to."""

    id: int
    name: str | None = None
    role: str | None = None


class RemoteProfile(Struct, frozen=True):
    """The user whom a token belongs to."""

    id: int
    email: str
    name: str | None = None
    role: str | None = None
    accounts: tuple[RemoteAccount, ...] = ()
    ui_settings: dict[str, Any] | None = None


class RemoteAgent(Struct, frozen=True):
    """A user of the account."""

    id: int
    email: str
    name: str | None = None
    role: str | None = None
    confirmed: bool | None = None
    custom_role_id: int | UnsetType | None = UNSET
    """Chatwoot Enterprise has it, and it is null without a custom role."""


class CustomRole(Struct, frozen=True):
    """What an agent may see, where an administrator has said so (Chatwoot Enterprise)."""

    id: int
    permissions: tuple[str, ...] = ()


class Group(Struct, frozen=True):
    """An inbox or a team."""

    id: int
    name: str | None = None


class Member(Struct, frozen=True):
    """A member of an inbox or of a team."""

    id: int


class _AgentBot(Struct, frozen=True):
    agent_bot: dict[str, Any] | None = None


class PersonThere(Struct, frozen=True):
    """A user, a contact or a bot, as far as an object tells of it."""

    id: int | None = None
    type: str | None = None
    blocked: bool | None = None

    @property
    def user(self) -> int | None:
        """The id, but of a bot or a contact."""
        return self.id if self.type in {None, "user"} else None


class _RemoteMeta(Struct, frozen=True):
    sender: PersonThere | None = None
    assignee: PersonThere | None = None
    team: PersonThere | None = None


class RemoteConversation(Struct, frozen=True):
    """A conversation as it is now; `id` is the display id, times are Unix seconds."""

    id: int
    inbox_id: int
    status: str
    created_at: float
    last_activity_at: float
    updated_at: float | str | None = None
    meta: _RemoteMeta = _RemoteMeta()


class NotificationRow(Struct, frozen=True):
    """That the rules named the user: a row of their notifications, the time in Unix seconds."""

    type: str = field(name="notification_type")
    at: float = field(name="created_at")
    primary_actor: PersonThere | None = None
    """A conversation, by its display id."""
    secondary_actor: _Actor | None = None

    @property
    def conversation(self) -> int | None:
        """The display id."""
        return None if self.primary_actor is None else self.primary_actor.id

    @property
    def message(self) -> int | None:
        """The message that it is about, if it is about one."""
        actor = self.secondary_actor
        return None if actor is None or actor.message_type is None else actor.id


class _Actor(Struct, frozen=True):
    id: int | None = None
    message_type: int | None = None


class _Webhook(Struct, frozen=True):
    secret: str | None = None


class _MadeWebhook(Struct, frozen=True):
    webhook: _Webhook


class _WebhookPayload(Struct, frozen=True):
    payload: _MadeWebhook


class _NotificationPayload(Struct, frozen=True):
    payload: list[NotificationRow]


class _NotificationPage(Struct, frozen=True):
    data: _NotificationPayload


class _Attributes(Struct, frozen=True):
    activity: _Changed | None = None


class _Changed(Struct, frozen=True):
    status: str | None = None


class RemoteMessage(Struct, frozen=True):
    """A message of a conversation; `message_type` is Chatwoot's number, the time Unix seconds."""

    id: int
    message_type: int
    created_at: float
    content: str | None = None
    private: bool = False
    sender: PersonThere | None = None
    content_attributes: _Attributes | str | None = None
    """Some versions keep it as JSON in a string."""

    @property
    def status(self) -> str | None:
        """The status that an activity message says outright (4.16)."""
        attributes = self.content_attributes
        if isinstance(attributes, str):
            try:
                attributes = msgspec.json.decode(attributes, type=_Attributes)
            except msgspec.MsgspecError:
                return None
        changed = attributes.activity if attributes else None
        return changed.status if changed else None


class ReportingEvent(Struct, frozen=True):
    """Something that Chatwoot counts in its reports, such as a hand-over by a bot."""

    name: str
    event_end_time: str | float | None = None
    created_at: str | float | None = None
    user_id: int | None = None


class _ConversationCount(Struct, frozen=True):
    all_count: int | None = None


class ConversationList(Struct, frozen=True):
    """A page of conversations, and how many there are on all pages, where it is told."""

    payload: list[RemoteConversation]
    meta: _ConversationCount = _ConversationCount()


class _ConversationPage(Struct, frozen=True):
    data: ConversationList


class _MessagePage(Struct, frozen=True):
    payload: list[RemoteMessage]


class _Payload(Struct, frozen=True):
    payload: list[Any]


class _Reset(Struct, frozen=True):
    id: int
    access_token: str


class _Pubsub(Struct, frozen=True):
    pubsub_token: str


class _Refusal(Struct, frozen=True):
    error: str = ""
    message: str = ""


class _Server(Struct, frozen=True):
    version: str


def server_version(base: str, limits: RateLimits = LIMITS) -> str:
    """Give the version of the Chatwoot at an address, as it tells everybody.

    Raises `UnavailableError` if it doesn't, and as `Transport.ask` does.
    """
    with Transport(base, None, limits) as transport:
        answer = transport.ask("GET", _SERVER)
        try:
            if answer.status < _FIRST_REFUSAL:
                return msgspec.json.decode(answer.body, type=_Server).version
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass
    raise UnavailableError(
        f"{base} doesn't tell its version", "name it yourself, as in --rules chatwoot@4.16"
    )


class MissingThereError(UnavailableError):
    """What is asked for isn't there; perhaps it was deleted meanwhile."""


class ChatwootApi:
    """The API as one user. Each method raises `NotPermittedError`, `UnavailableError`, …."""

    def __init__(self, transport: Transport, account: int) -> None:
        self._transport = transport
        self._number = account
        self._account = f"/api/v1/accounts/{account}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.__exit__()

    def profile(self) -> RemoteProfile:
        """Give the user whose token this is."""
        return self._get(_PROFILE, RemoteProfile)

    def member(self) -> RemoteProfile:
        """Give whose token this is. Raises `NotPermittedError` if they left the account."""
        profile = self.profile()
        if all(account.id != self._number for account in profile.accounts):
            raise NotPermittedError(
                f"{profile.email} isn't in account {self._number} at {self._transport.base} any "
                "more",
                "add them there, Settings > Agents; or forget the token: "
                f"notifycli chatwoot logout -u {shlex.quote(profile.email)}",
            )
        return profile

    def pubsub_token(self) -> Secret:
        """Return what opens the user's live socket."""
        return Secret(self._get(_PROFILE, _Pubsub).pubsub_token)

    def accepted(self) -> bool:
        """Tell whether the token is valid."""
        answer = self._transport.ask("GET", _PROFILE)
        if answer.status == _UNAUTHORIZED:
            return False
        self._read(answer, "GET", _PROFILE, RemoteProfile)
        return True

    def agents(self) -> list[RemoteAgent]:
        """Give the account's users. Raises `UnavailableError` for a list that can't be true."""
        found, owner = self._get(f"{self._account}/agents", list[RemoteAgent]), self.profile()
        # Whoever may ask for the list is in it: Chatwoot lets nobody else see the account.
        if all(agent.id != owner.id for agent in found):
            raise UnavailableError(
                f"{self._transport.base} lists the agents without {owner.email}, whose token asks "
                "and who is one: the list isn't whole, and nothing was changed",
                "see whether Settings > Agents there shows everybody: if so, what stands between "
                "(a proxy, a cache) has answered; if not, its own log says why; then run it again",
            )
        return found

    def inboxes(self) -> list[Group]:
        """Give the inboxes that the user may see."""
        return self._payload(f"{self._account}/inboxes", list[Group])

    def custom_roles(self) -> list[CustomRole] | None:
        """Give the custom roles; `None` where there are none, or the user may not see them."""
        return self._get_if_there(f"{self._account}/custom_roles", list[CustomRole])

    def has_agent_bot(self, inbox: int) -> bool | None:
        """Tell whether an agent bot works in an inbox; `None` where the user may not see that.

        Without one Dialogflow or Captain may work there: no answer tells of those.
        """
        path = f"{self._account}/inboxes/{inbox}/agent_bot"
        found = self._get_if_there(path, _AgentBot)
        return None if found is None else bool(found.agent_bot)

    def inbox_members(self, inbox: int) -> list[Member]:
        """Give the members of an inbox."""
        return self._payload(f"{self._account}/inbox_members/{inbox}", list[Member])

    def teams(self) -> list[Group]:
        """Give the account's teams."""
        return self._get(f"{self._account}/teams", list[Group])

    def team_members(self, team: int) -> list[Member]:
        """Give the members of a team."""
        return self._get(f"{self._account}/teams/{team}/team_members", list[Member])

    def settings(self) -> NotificationSettings:
        """Give which notifications the user has switched on."""
        return self._get(f"{self._account}/notification_settings", NotificationSettings)

    def write_settings(self, email: Sequence[str], push: Sequence[str]) -> None:
        """Replace the flags that are on. Both lists go: one that is left out would be cleared."""
        flags = {"selected_email_flags": email, "selected_push_flags": push}
        path = f"{self._account}/notification_settings"
        self._send("PATCH", path, {"notification_settings": flags}, NotificationSettings)

    def write_ui_settings(self, ui_settings: Mapping[str, Any]) -> None:
        """Replace all of `ui_settings`."""
        self._send("PUT", _PROFILE, {"profile": {"ui_settings": ui_settings}}, RemoteProfile)

    def make_webhook(self, url: str) -> Secret | None:
        """Have what replays need sent to a URL; give what it signs with, where it signs."""
        path = f"{self._account}/webhooks"
        for subscriptions in (_SUBSCRIPTIONS + _OF_TYPING, _SUBSCRIPTIONS):
            body = {"webhook": {"url": url, "subscriptions": subscriptions}}
            answer = self._transport.ask("POST", path, msgspec.json.encode(body))
            # Older servers know nothing of typing, and refuse the whole.
            if answer.status != _UNPROCESSABLE:
                break
        if answer.status == _UNPROCESSABLE:
            raise UsageError(
                f"{self._transport.base} takes no webhook to {url}{self._refusal_text(answer)}",
                "if it has one already, remove it there first: Settings > Integrations > Webhooks",
            )
        secret = self._read(answer, "POST", path, _WebhookPayload).payload.webhook.secret
        return Secret(secret) if secret else None

    def reset_token(self) -> Secret:
        """Replace the token, and give the new one: nobody else has it."""
        answer = self._transport.ask("POST", _RESET)
        return Secret(self._read(answer, "POST", _RESET, _Reset).access_token)

    def conversations(self, page: int) -> ConversationList:
        """Return a page of all conversations, those with the latest activity first."""
        query = f"status=all&sort_by=last_activity_at_desc&page={page}"
        return self._get(f"{self._account}/conversations?{query}", _ConversationPage).data

    def conversation(self, id_: int) -> RemoteConversation:
        """Return a conversation by its display id. Raises `MissingThereError`."""
        try:
            return self._get(f"{self._account}/conversations/{id_}", RemoteConversation)
        except MissingThereError:
            account = self._account.rpartition("/")[2]
            raise MissingThereError(
                f"there is no conversation {id_} in account {account} of {self._transport.base}",
                "its number ends its address there; the account: notifycli chatwoot status",
            ) from None

    def messages(self, conversation: int) -> list[RemoteMessage]:
        """Return all messages of a conversation, with activities and private notes, by id."""
        found: dict[int, RemoteMessage] = {}
        while True:
            after = max(found, default=0)
            query = f"after={after}&before={_LAST_MESSAGE}"
            path = f"{self._account}/conversations/{conversation}/messages?{query}"
            page = [m for m in self._get(path, _MessagePage).payload if m.id not in found]
            found.update((message.id, message) for message in page)
            if len(page) < _MESSAGES_A_PAGE:
                return [found[id_] for id_ in sorted(found)]

    def notifications(self) -> Iterator[NotificationRow]:
        """Return what the user's notifications are, read or not, the oldest first."""
        rows: list[NotificationRow] = []
        for page in count(1):
            before, query = rows, f"page={page}&includes[]=read&includes[]=snoozed&sort_order=asc"
            path = f"{self._account}/notifications?{query}"
            rows = self._get(path, _NotificationPage).data.payload
            if not rows or rows == before:
                return
            yield from rows

    def reporting_events(self, conversation: int) -> list[ReportingEvent] | None:
        """Return what the reports count of a conversation; `None` where the server can't tell."""
        path = f"{self._account}/conversations/{conversation}/reporting_events"
        answer = self._transport.ask("GET", path)
        if answer.status in _CANNOT_TELL:
            return None
        return self._read(answer, "GET", path, list[ReportingEvent])

    def _get(self, path: str, type_: type[T]) -> T:
        return self._read(self._transport.ask("GET", path), "GET", path, type_)

    def _get_if_there(self, path: str, type_: type[T]) -> T | None:
        answer = self._transport.ask("GET", path)
        if answer.status in (_UNAUTHORIZED, _FORBIDDEN, _MISSING):
            return None
        return self._read(answer, "GET", path, type_)

    def _payload(self, path: str, type_: type[T]) -> T:
        answer = self._transport.ask("GET", path)
        payload = self._read(answer, "GET", path, _Payload).payload
        try:
            return msgspec.convert(payload, type_)
        except msgspec.ValidationError as error:
            raise self._misread("GET", path, str(error).replace("`$", "`$.payload")) from None

    def _send(self, method: str, path: str, body: object, type_: type[T]) -> T:
        answer = self._transport.ask(method, path, msgspec.json.encode(body))
        return self._read(answer, method, path, type_)

    def _read(self, answer: Answer, method: str, path: str, type_: type[T]) -> T:
        if answer.status >= _FIRST_REFUSAL:
            self._refuse(answer, method, path)
        try:
            return msgspec.json.decode(answer.body, type=type_)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise self._misread(method, path, str(error)) from None

    def _misread(self, method: str, path: str, why: str) -> NotifycliError:
        return UnavailableError(
            f"{self._transport.base} answers {method} {path} in another shape than Chatwoot's: "
            f"{self._transport.clean(why)}",
            _SHAPE,
        )

    def _refuse(self, answer: Answer, method: str, path: str) -> NoReturn:
        base, said = self._transport.base, self._refusal_text(answer)
        if answer.status == _UNAUTHORIZED:
            # A bad token and a missing right are both 401: everybody may see their own profile.
            if path != _PROFILE:
                self.member()
                raise NotPermittedError(
                    f"{base} doesn't let this user {method} {path}{said}",
                    _RIGHTS,
                )
            raise NotPermittedError(
                f"{base} refuses the token{said}",
                "copy it from your profile there, then: notifycli chatwoot login",
            )
        if answer.status == _FORBIDDEN:
            raise NotPermittedError(f"{base} doesn't permit {method} {path}{said}", _RIGHTS)
        if answer.status == _MISSING:
            # The profile is asked for by a login, before there is anything that status could show.
            remedy = _ADDRESS if path == _PROFILE else _ACCOUNT
            raise MissingThereError(f"{base} has no {path}{said}", remedy)
        remedy = _BROKEN if answer.status >= _FIRST_FAULT else _SHAPE
        if answer.status == _UNPROCESSABLE:
            remedy = _MEND
        raise UnavailableError(f"{base} answers {method} {path} with {answer.status}{said}", remedy)

    def _refusal_text(self, answer: Answer) -> str:
        try:
            refusal = msgspec.json.decode(answer.body, type=_Refusal)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return ""
        text = self._transport.clean(refusal.error or refusal.message)
        return f": {text}" if text else ""
