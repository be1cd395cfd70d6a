"""JSON values of a text, however they are laid out and in whatever blocks they come."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifycli.replay import json_values
from notifycli.replay.json_values import (
    JSONValue,
    Lines,
    divide,
    lines_by_block,
    objects_in,
    split_lines,
    split_values,
)

OFF = "no JSON object: what begins here breaks off"


def in_blocks(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def texts(*pairs: tuple[int, str]) -> list[JSONValue]:
    return [JSONValue(line, text.encode()) for line, text in pairs]


LAID_OUT: list[tuple[str, str, list[JSONValue]]] = [
    ("an object over lines", '{\n "a": [1,\n{}]\n}', texts((1, '{\n "a": [1,\n{}]\n}'))),
    (
        "one after the other",
        '{"a":1} {"b":\n2}{}',
        texts((1, '{"a":1}'), (1, '{"b":\n2}'), (2, "{}")),
    ),
    (
        "an array's elements",
        '[\n {"a":1},\n [2], "x", 5\n]\n[{}]',
        texts((2, '{"a":1}'), (3, "[2]"), (3, '"x"'), (3, "5"), (5, "{}")),
    ),
    ("brackets in texts are none", '{"a":"}]\\"{"}\n{}', texts((1, '{"a":"}]\\"{"}'), (2, "{}"))),
    ("records led by 0x1e", '\x1e{"a":\n1}\n\x1e{}\n', texts((1, '{"a":\n1}'), (3, "{}"))),
    (
        "lines between them",
        'POST /x\n{\n"a":1}\nGET /y {"b":2}\n',
        texts((1, "POST /x\n"), (2, '{\n"a":1}'), (4, 'GET /y {"b":2}\n')),
    ),
    (
        "text before them",
        'got: {\n "a":1}\n[12:00] got [\n{"b":\n2}]\nf() {\n  x }\n',
        texts((1, '{\n "a":1}'), (4, '{"b":\n2}'), (6, "f() {\n"), (7, "x }\n")),
    ),
    (
        "text before one that breaks off",
        'got: {\n "a": {\n  "b":1\n }\nno\ngot: {\n}\n',
        [JSONValue(1, b"", OFF), *texts((6, "{\n}"))],
    ),
    ("an empty array", "[]\n[\n]", texts((1, "[]"), (2, "[]"))),
    (
        "one that breaks off in a text",
        '{"a":"b\n{"c":2}',
        [JSONValue(1, b"", OFF), *texts((2, '{"c":2}'))],
    ),
    ("… between fields", '{"a":{}\n{"c":\n2}', [JSONValue(1, b"", OFF), *texts((2, '{"c":\n2}'))]),
    (
        "… where a field would come",
        '{"a":{},\n{"c":\n2}',
        [JSONValue(1, b"", OFF), *texts((2, '{"c":\n2}'))],
    ),
    ("… at the beginning", '{\n{"c":2}', [JSONValue(1, b"", OFF), *texts((2, '{"c":2}'))]),
    ("… at the end", '{"c":2}\n{"a":', [*texts((1, '{"c":2}')), JSONValue(2, b"", OFF)]),
    (
        "… in an array",
        '[\n  {"a": [1}\n  },\n  {"b": 2}\n]',
        [JSONValue(2, b"", OFF), *texts((4, '{"b": 2}'))],
    ),
    (
        "an array that has no end",
        '\n[{"a":1},',
        [*texts((2, '{"a":1}')), JSONValue(2, b"", "the array that begins here has no end")],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in LAID_OUT], ids=[row[0] for row in LAID_OUT]
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_text_is_split_into_values(text: str, expected: list[JSONValue], size: int) -> None:
    assert list(split_values(in_blocks(text.encode(), size))) == expected


def lines(first: int, *some: str) -> Lines:
    return Lines(first, [line.encode() for line in some])


DIVIDED: list[tuple[str, str, list[Lines | JSONValue]]] = [
    (
        "lines alone",
        '{"a":1}\ngot {"b":2} ok\n{"c":\n',
        [lines(1, '{"a":1}', 'got {"b":2} ok', '{"c":')],
    ),
    (
        "an object over lines after one in a line",
        '{"a":1}\n{\n "b": 2\n}\n{"c":3}\n',
        [lines(1, '{"a":1}'), *texts((2, '{\n "b": 2\n}')), lines(5, '{"c":3}')],
    ),
    (
        "… that begins in the middle of what it holds",
        '{"ok":true}\r\n{"b":{"c":2},\r\n"d":[\r\n]},\r\n{"e":5}',
        [
            lines(1, '{"ok":true}\r'),
            *texts((2, '{"b":{"c":2},\r\n"d":[\r\n]}')),
            lines(5, '{"e":5}'),
        ],
    ),
    (
        "… after text, and two in one line",
        'GET /\ngot: {\n "a":1\n} {\n}\nGET /\n',
        [lines(1, "GET /"), *texts((2, '{\n "a":1\n}'), (4, "{\n}")), lines(6, "GET /")],
    ),
    (
        "an array over lines",
        "{}\n[\n{},\n{}\n]\n{}\nGET /",
        [lines(1, "{}"), *texts((3, "{}"), (4, "{}")), lines(6, "{}", "GET /")],
    ),
    (
        "what breaks off in a line",
        '{}\n{"a":1,\n{"b":2}\n{"c":"x\n{"d":4}\nstarts {\n{"e":5}\n',
        [lines(1, "{}", '{"a":1,', '{"b":2}', '{"c":"x', '{"d":4}', "starts {", '{"e":5}')],
    ),
    (
        "… over lines",
        '{}\n{\n "a":1,\n{"b":2}\n{"c":3}\n',
        [lines(1, "{}"), JSONValue(2, b"", OFF), *texts((4, '{"b":2}')), lines(5, '{"c":3}')],
    ),
    (
        "… over lines after text",
        '{}\ngot {\n "a":{\nGET /\n{"b":2}\n{"c":3}\n',
        [lines(1, "{}"), JSONValue(2, b"", OFF), lines(4, "GET /", '{"b":2}', '{"c":3}')],
    ),
]


@pytest.mark.parametrize(
    ("text", "expected"), [row[1:] for row in DIVIDED], ids=[row[0] for row in DIVIDED]
)
@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_a_text_is_divided_into_lines_and_values_over_lines(
    text: str, expected: list[Lines | JSONValue], size: int
) -> None:
    found: list[Lines | JSONValue] = []
    for piece in divide(in_blocks(text.encode(), size)):
        before = found[-1] if found else None
        if isinstance(piece, Lines) and isinstance(before, Lines):
            assert piece.first == before.first + len(before.lines)
            before.lines.extend(piece.lines)
        elif isinstance(piece, JSONValue) or piece.lines:
            found.append(piece)
    assert found == expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.lists(st.dictionaries(st.text(), JSON, max_size=4), max_size=6)


@given(
    objects=OBJECTS,
    indent=st.sampled_from([None, 0, 1, 4, "\t"]),
    between=st.sampled_from(["\n", "", " ", "\n\n", "\x1e", ",\n"]),
    in_array=st.booleans(),
    size=st.integers(1, 300),
)
def test_objects_laid_out_in_any_way_come_out_as_they_went_in(
    objects: list[Any], indent: int | str | None, between: str, in_array: bool, size: int
) -> None:
    written = [json.dumps(one, indent=indent) for one in objects]
    text = json.dumps(objects, indent=indent) if in_array else between.join(written)
    found = list(split_values(in_blocks(text.encode(), size)))
    assert [json.loads(value.text) for value in found] == (objects or [[]] * in_array)
    for value in found:
        lines = text.encode().split(b"\n")
        assert value.text.split(b"\n")[0] in lines[value.line - 1]


@given(st.binary(max_size=200) | st.text('{}[]",:\\ \nab\x1e').map(str.encode), st.integers(1, 30))
def test_any_text_in_any_blocks_gives_the_same(data: bytes, size: int) -> None:
    assert list(split_values(in_blocks(data, size))) == list(split_values([data]))
    lines = data.split(b"\n")
    assert list(split_lines(in_blocks(data, size))) == (lines if lines[-1] else lines[:-1])


@given(st.lists(st.binary(max_size=20), max_size=10))
def test_a_line_that_has_ended_waits_for_no_block_to_come(blocks: list[bytes]) -> None:
    came = b""

    def arrive() -> Iterator[bytes]:
        nonlocal came
        for block in blocks:
            came += block
            yield block

    lines: list[bytes | None] = []
    for some in lines_by_block(arrive()):
        lines += some
        *ended, rest = came.split(b"\n")
        assert lines in (ended, [*ended, rest])


IN_A_LINE: list[tuple[str, str, list[str]]] = [
    ("a time before it", '2026-03-03T10:00:00Z INFO {"a":1}', ['{"a":1}']),
    ("a thread before it", '[main] {worker=1} got {"a":{"b":1}} in 3 ms', ['{"a":{"b":1}}']),
    ("colours around it", '\x1b[36mdesk |\x1b[0m {"a":1}\x1b[0m', ['{"a":1}']),
    ("a comma after it", '{"a":1},', ['{"a":1}']),
    ("several", '{"a":1}{"b":2} {"c":3}', ['{"a":1}', '{"b":2}', '{"c":3}']),
    ("several, with text between", 'h={"a":1} b={"b":2} c', ['{"a":1}', '{"b":2}']),
    ("… with zeros between", '{"a":1}\0{"b":2}\0\0{"c":3}\0', ['{"a":1}', '{"b":2}', '{"c":3}']),
    ("an object in quotes", r'm="a b" body="{\"a\":\"\\\"\"}" n=1', [r'"{\"a\":\"\\\"\"}"']),
    ("a list", 'got [{"a":1},{"b":2}]', ['{"a":1}', '{"b":2}']),
    (
        "nginx's own escapes",
        r'127.0.0.1 "POST / HTTP/1.1" {\x22a\x22:\x22\x5Cn\x22}',
        [r'{"a":"\n"}'],
    ),
    (
        "nginx's own escapes in an object's text",
        r'web: {"time":"1","request_body":"{\x22a\x22:1}"}',
        [r'{"time":"1","request_body":"{\\x22a\\x22:1}"}'],
    ),
    ("a list that has no end", '[{"a":1} x [ {"b":2}', ['{"a":1}', '{"b":2}']),
    ("what breaks off", 'got {"a":{"b":1}', []),
    ("nothing of the kind", "hello {world}", []),
]


@pytest.mark.parametrize(
    ("line", "expected"), [row[1:] for row in IN_A_LINE], ids=[row[0] for row in IN_A_LINE]
)
def test_objects_are_found_in_a_line_with(line: str, expected: list[str]) -> None:
    assert objects_in(line.encode()) == [text.encode() for text in expected]


def test_what_is_too_long_is_a_fault_and_not_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_values, "LONGEST_LINE", 100)
    monkeypatch.setattr(json_values, "LARGEST_VALUE", 1 << 20)
    long = '{"a":"' + "x" * 200 + '"}'
    deep = '{"a":[\n' + "1,\n" * 400_000 + "1]}"
    laid_out = f'{{"a":\n1}}\n{long}\n{{"b":2}}\n{deep}\n{{"c":3}}\n'.encode()
    found = list(split_values(in_blocks(laid_out, 64)))
    assert [value.fault for value in found] == [
        "",
        "a line over 0 MiB",
        "",
        "a value over 1 MiB",
        "",
    ]
    assert list(split_lines(in_blocks(long.encode() + b"\n{}\n" + long.encode(), 64))) == [
        None,
        b"{}",
        None,
    ]
