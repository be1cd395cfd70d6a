"""What the commands of pushes share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from notifycli.cli.session import Session, display_name
from notifycli.cli.times import now
from notifycli.rules.directory import User
from notifycli.store.store import Store
from notifycli.store.subscriptions import Subscription

if TYPE_CHECKING:
    from notifycli.delivery.push.endpoint import Offer


def keep(
    session: Session, store: Store, account: int, user: User, offer: Offer, *, key: int, label: str
) -> Subscription:
    """Put a subscription on record, and say so."""
    with store.change(account, session.command, session.who) as change:
        kept = change.subscriptions.put(
            Subscription(
                account_id=account,
                user_id=user.id,
                key_id=key,
                endpoint=offer.endpoint,
                p256dh=offer.p256dh,
                auth=offer.auth,
                label=label,
                created_at=now(),
                expires_at=offer.expires_at,
            )
        )
    session.info(
        f"{display_name(user)} is subscribed as {kept.id}"
        f"{f' ({label})' if label else ''}; try it: notifycli push test -u {display_name(user)}"
    )
    alike = [
        str(other.id)
        for other in store.subscriptions.of_user(account, user.id)
        if other.id != kept.id and label and other.label == label
    ]
    if alike:
        session.info(
            f"{', '.join(alike)} had that name already; if it was the same browser: "
            f"notifycli push remove {' '.join(alike)}"
        )
    return kept
