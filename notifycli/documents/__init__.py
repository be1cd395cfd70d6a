"""What a file that should be a document is, told by its name or by how it begins."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import PurePath

from notifycli.errors import DataError
from notifycli.replay.sources import Foreign, foreign_of

_ENDINGS = {".toml": "toml", ".json": "json", ".csv": "csv", ".tsv": "csv"}
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_JSON_NAMES = re.compile(r'("(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}]')
"""Names in objects; other strings, to pass over what is in them; where objects begin and end."""
_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_YAML = re.compile(r"""---(\s|$)|%YAML|(- )?("[^"]*"|'[^']*'|[\w.@*-]+)\s*:(\s|$)""")
_CONVERT = {
    "YAML": ("is YAML, which isn't read", "convert it: yq -o json {name} > {stem}.json"),
    "a workbook": (
        "is a workbook of a spreadsheet program",
        "save it as CSV; or convert it: libreoffice --convert-to csv {name}",
    ),
    "XML": ("is XML, which isn't read", "convert it: yq -p xml -o json {name} > {stem}.json"),
}


def encoding_of(start: bytes) -> str:
    """Return the encoding of a file that begins so: UTF-16 where it says so, else UTF-8."""
    if start.startswith(_UTF16):
        return "utf-16"
    # Without a mark, half of what is ASCII in UTF-16 are zeros.
    if b"\0" in start[:2] and len(start) > 1:
        return "utf-16-le" if start[1] == 0 else "utf-16-be"
    return "utf-8-sig"


def decode_document(data: bytes, name: str) -> str:
    """Return the text of a document. Raises `DataError`."""
    encoding = encoding_of(data)
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        wanted = "UTF-8" if encoding == "utf-8-sig" else "UTF-16"
        raise DataError(f"{name}:{line}: no {wanted}", "save it as UTF-8") from None


def format_of(name: str, start: bytes) -> str:
    """Tell `toml`, `json` or `csv` from a file's name or, failing that, from how it begins.

    Raises `DataError` for what is none of them, with the command that converts it.
    """
    path = PurePath(name.removesuffix(".gz"))
    ending = path.suffix.lower()
    text = start.decode(encoding_of(start), errors="replace").lstrip()
    first = text.split("\n", 1)[0].rstrip()
    check_format(name, start)
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    if text.startswith("{"):
        return "json"
    if first.lower().lstrip('"').startswith("sep=") or {"key", "value"} <= {
        *re.findall(r"\w+", first.lower())
    }:
        return "csv"
    return "toml" if not first or first.startswith(("[", "#")) or "=" in first else "csv"


def check_kind(name: str, start: bytes, wanted: str, other: Foreign) -> None:
    """Raise `DataError` for a document of another kind than `wanted`, with its own command."""
    if foreign_of(start.removeprefix(codecs.BOM_UTF8)) is other:
        what = other.name.partition(",")[0]
        raise DataError(f"{name}: {what}, not {wanted}", f"try: {other.command_for(name)}")


def check_format(name: str, start: bytes) -> None:
    """Raise `DataError` for a file of a format that isn't read, with the command that converts."""
    path = PurePath(name.removesuffix(".gz"))
    text = start.decode(encoding_of(start), errors="replace").lstrip()
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "")
    found = ""
    if start.startswith((_ZIP, _OLE)) or path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        found = "a workbook"
    elif path.suffix.lower() in (".yaml", ".yml") or _YAML.match(first):
        found = "YAML"
    elif first.startswith("<"):
        found = "XML"
    if found:
        what, how = _CONVERT[found]
        stdin = name == "<stdin>"
        hint = how.format(name="-" if stdin else path, stem="document" if stdin else path.stem)
        raise DataError(f"{name}: {what}", hint)


def check_unique(text: str, name: str) -> None:
    """Raise `DataError` where JSON has a name twice in one object: a dict keeps the last alone."""
    objects: list[dict[str, int]] = []
    for found in _JSON_NAMES.finditer(text):
        if found[0] == "{":
            objects.append({})
        elif found[0] == "}":
            objects.pop()
        elif found[1]:
            second = found.start()
            first = objects[-1].setdefault(json.loads(found[1]), second)
            if first != second:
                lines = (text.count("\n", 0, at) + 1 for at in (first, second))
                raise twice(found[1], name, *lines)


def twice(what: str, name: str, first: int, second: int) -> DataError:
    """Make the error of what stands twice, on these lines."""
    return DataError(
        f"{name}:{second}: {what} stands twice, first at {name}:{first}",
        "leave one of the two, with all that belongs there",
    )
