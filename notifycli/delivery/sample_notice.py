"""A notice of something that has not happened: to see what one looks like, and whether it comes."""

from __future__ import annotations

from notifycli.rules.directory import User
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox_records import Notice


def sample(account: int, user: User, channel: Channel, type_: NotificationType, at: int) -> Notice:
    """Make one for a user; `at` in microseconds since 1970 UTC."""
    return Notice(
        id=0,
        account_id=account,
        user_id=user.id,
        email=user.email,
        user_name=user.name,
        channel=channel,
        type=type_,
        event="test",
        conversation_id=1,
        inbox_id=None,
        inbox_name="Website",
        message_id=None,
        at=at,
        contact="Alex Rivera",
        author="notifycli",
        text="This is a test. If you can read it, notifications reach you this way.",
    )
