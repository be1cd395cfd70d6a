"""Whatever is asked of `serve`: an answer that says what is wrong, and never 500."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from notifycli.server.routes import OPERATIONS

from .conftest import JANE, ROOT, Serving

NUMBERS = st.sampled_from(["1", "2", "3", "7", "0", "-1", "9" * 19, "9" * 40, "²", "1.0", "", "x"])
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["\x00", "a\x00b", "é", "\u2028", "all", "none", "on", "ding", "7"])
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("profile", "ui_settings", "notification_settings", "selected_email_flags"),
                    *("selected_push_flags", "user_id", "enable_audio_alerts", "push_token"),
                    *("notification_subscription", "subscription_type", "endpoint", "\x00", ""),
                    *("subscription_attributes", "p256dh", "auth", "notification_tone"),
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
WISH = st.builds(
    lambda settings: {"profile": {"ui_settings": settings}},
    st.dictionaries(st.text(max_size=8), JSON, max_size=4),
)
SURROGATES = st.sampled_from(
    [
        b'{"profile": {"ui_settings": {"\\ud800": 1}}}',
        b'{"profile": {"ui_settings": {"x": "\\ud800"}}}',
        b'{"push_token": "\\udfff"}',
        b'{"profile": {"ui_settings": {"x": 1e999}}}',
        b'{"profile": {"ui_settings": {"x": ' + b"9" * 5000 + b"}}}",
    ]
)
BODIES = st.binary(max_size=40) | SURROGATES | (WISH | JSON).map(lambda it: json.dumps(it).encode())
PATHS = st.sampled_from([item.path for item in OPERATIONS]) | st.text(max_size=20).map(
    lambda text: "/" + quote(text, errors="replace")
)


@given(
    user=st.sampled_from([JANE, ROOT]),
    method=st.sampled_from(["GET", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS", "BREW"]),
    path=PATHS,
    numbers=st.lists(NUMBERS, min_size=3, max_size=3),
    user_id=st.none() | NUMBERS | st.text(max_size=5),
    body=BODIES,
)
def test_no_request_is_answered_by_a_fault_of_the_server(
    *,
    serving: Serving,
    user: int,
    method: str,
    path: str,
    numbers: list[str],
    user_id: str | None,
    body: bytes,
) -> None:
    if "reset_access_token" in path:  # which would lock out whoever asks next
        return
    for name, number in zip(("account_id", "inbox_id", "team_id"), numbers, strict=True):
        path = path.replace(f"{{{name}}}", quote(number))
    how: dict[str, Any] = {"content": body, "headers": {"api_access_token": serving.tokens[user]}}
    if user_id is not None:
        how["params"] = {"user_id": user_id}
    answered = serving.client.request(method, path, **how)
    assert answered.status_code < 500, (answered.text, serving.log[-2:])
    assert "unexpected" not in "".join(serving.log)
    # What was kept can be read again.
    assert serving.ask(user, "GET", "profile")[0] == 200
    assert serving.ask(user, "GET", "accounts/1/notification_settings")[0] == 200
