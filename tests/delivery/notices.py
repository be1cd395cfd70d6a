"""Notices for the tests of the channels and of the outbox."""

from __future__ import annotations

from typing import Any

import msgspec

from notifycli.delivery.email_message import Branding, Templates, sender
from notifycli.rules.notifications import Channel, NotificationType
from notifycli.store.outbox import Leased, Notice

MENTION = Notice(
    id=5,
    account_id=1,
    user_id=7,
    email="jane@example.com",
    user_name="Jane Miller",
    channel=Channel.EMAIL,
    type=NotificationType.MENTION,
    event="message_created",
    conversation_id=42,
    inbox_id=3,
    inbox_name="Website",
    message_id=9,
    at=1_772_569_525_000_000,
    contact="Alex Rivera",
    author="Omar Haddad",
    text="Can you look at this?\n.\n<b>It is urgent.</b>",
)
LETTERHEAD = Branding(
    sender("Acme Süd <desk@acme.example>"),
    {1: "Acme"},
    {1: "https://desk.example/app/accounts/1"},
    Templates(),
)


def notice(**changes: Any) -> Notice:
    return msgspec.structs.replace(MENTION, **changes)


def leased(**changes: Any) -> Leased:
    """Give one as the outbox hands it out."""
    own = {"member": MENTION.user_id, "since": 0, "attempts": 0}
    return Leased(**{**msgspec.structs.asdict(MENTION), **own, **changes})
