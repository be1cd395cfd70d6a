"""The log of a server: a line a request, in which nothing that was sent looks like another."""

from __future__ import annotations

import re
from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from .conftest import Serving

FORGED = [
    ("a line break", "/x%0a2026-01-01T00:00:00.000Z%20127.0.0.1%20GET%20/%20200%201%20ms"),
    ("a carriage return", "/x%0d/y"),
    ("a tab and a blank", "/x%09y%20200"),
    ("an escape", "/x%1b[2J"),
    ("a line separator", "/x%e2%80%a8y"),
    ("what is no UTF-8", "/x%ff"),
]
LINE = re.compile(r"[\w.:%-]+ [A-Z]+ /[!-~]*…? \d{3} \d+ ms")


def test_a_path_stays_one_word_of_one_line(serving: Serving) -> None:
    for _, path in FORGED:
        serving.client.get(path)
    # The client of the tests quotes what it must; what it left is sent as it is.
    assert [line for line in serving.log if not LINE.fullmatch(line)] == []
    assert serving.log[0].startswith("testclient GET /x%0A2026-01-01T00:00:00.000Z%20127.0.0.1%20")
    assert serving.log[2].startswith("testclient GET /x%09y%20200 404 ")


def test_a_long_path_is_cut(serving: Serving) -> None:
    serving.client.get("/" + "a" * 5000)
    assert len(serving.log[0]) < 300


@given(st.text(min_size=1))
def test_whatever_is_asked_the_log_has_one_plain_line_more(serving: Serving, text: str) -> None:
    before = len(serving.log)
    serving.client.get("/" + quote(text, safe="", errors="replace"))
    assert len(serving.log) == before + 1
    assert LINE.fullmatch(serving.log[-1])
