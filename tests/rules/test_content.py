"""What a mail or push quotes of a message: its text as people read it, and what else it brought."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.events.content import read_said
from notifycli.events.decode import decode_event

SAID: list[tuple[str, dict[str, Any], str]] = [
    ("a text", {"content": " Hello "}, "Hello"),
    ("a picture", {"attachments": [{"file_type": "image"}]}, "[picture]"),
    (
        "a sticker",
        {"content": "", "content_type": "sticker", "attachments": [{"file_type": "image"}]},
        "[sticker]",
    ),
    ("a voice message", {"attachments": [{"file_type": "audio"}]}, "[voice message]"),
    ("a video", {"attachments": [{"file_type": "video"}]}, "[video]"),
    (
        "a place",
        {"attachments": [{"file_type": "location", "fallback_title": "Home"}]},
        "[location: Home]",
    ),
    ("a place without a name", {"attachments": [{"file_type": "location"}]}, "[location]"),
    (
        "a contact",
        {"attachments": [{"file_type": "contact", "fallback_title": "+1555"}]},
        "[contact: +1555]",
    ),
    (
        "a file by its name",
        {"attachments": [{"file_type": "file", "data_url": "https://d.example/x/My%20bill.pdf?a"}]},
        "[file: My bill.pdf]",
    ),
    (
        "a link",
        {"attachments": [{"file_type": "fallback", "fallback_title": "News"}]},
        "[link: News]",
    ),
    ("what is not known", {"attachments": [{"file_type": "hologram"}]}, "[attachment]"),
    (
        "a text with two pictures",
        {"content": "Look", "attachments": [{"file_type": "image"}, {"file_type": "image"}]},
        "Look\n[picture] [picture]",
    ),
    ("a call", {"content_type": "voice_call"}, "[call]"),
    ("nothing at all", {"content": None}, "[no text]"),
    ("attachments of no form", {"attachments": [1, None, {"file_type": 3}]}, "[attachment]"),
    ("attachments that are no list", {"attachments": "x", "content": "Hello"}, "Hello"),
    (
        "a mention by markup",
        {"content": "Ask [@Jane Doe](mention://user/7/Jane%20Doe), please"},
        "Ask @Jane Doe, please",
    ),
    (
        "a team mentioned by markup",
        {"content": "[@Süd](mention://team/2/S%C3%BCd) (mention://user/8/Omar)"},
        "@Süd @Omar",
    ),
    (
        "brackets that mention nobody",
        {"content": "[x](https://a.example)"},
        "[x](https://a.example)",
    ),
]


def said(more: dict[str, Any]) -> str:
    event = {
        "event": "message_created",
        "id": 1,
        "account": {"id": 1},
        "conversation": {"id": 4, "inbox_id": 3},
        "message_type": "incoming",
        **more,
    }
    line = json.dumps(event).encode()
    return read_said(line, decode_event(line, 1)).text


@pytest.mark.parametrize(("more", "text"), [s[1:] for s in SAID], ids=[s[0] for s in SAID])
def test_a_message_is_quoted_as(more: dict[str, Any], text: str) -> None:
    assert said(more) == text


_VALUE = st.none() | st.integers() | st.text(max_size=8) | st.dictionaries(st.text(), st.none())


@given(
    content=st.none() | st.text(max_size=40),
    content_type=_VALUE,
    attachments=_VALUE
    | st.lists(
        _VALUE
        | st.fixed_dictionaries(
            {}, optional=dict.fromkeys(("file_type", "fallback_title", "data_url"), _VALUE)
        ),
        max_size=3,
    ),
)
def test_a_quotation_is_never_empty(content: Any, content_type: Any, attachments: Any) -> None:
    text = said({"content": content, "content_type": content_type, "attachments": attachments})
    assert text.strip()
    assert len(text) <= 1_000
