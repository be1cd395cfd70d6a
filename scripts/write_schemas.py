"""Write docs/schemas from the tables and types of the program, for editors to complete by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from notifycli.documents.directory_document import ENTRIES, DirectoryDocument
from notifycli.documents.preference_document import PLACES
from notifycli.events.event import LARGEST_ID, READ_EVENTS
from notifycli.events.payload import Payload
from notifycli.rules.expectation import EVERY_FIELD
from notifycli.rules.notifications import TYPES
from notifycli.rules.preferences import KEYS, UNTIL, spellings
from notifycli.scenarios import OWN, SHARED

TARGET = Path(__file__).parent.parent / "docs" / "schemas"
Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NESTED = ("audio", "email", "push")
"""The keys that have keys in them: TOML's `email.created` without quotes is a table in a table."""
_STRING: Schema = {"type": "string"}
_TIMED = "timed."
"""Begins the name of what a value may be where it may end."""


def schemas() -> dict[Path, str]:
    """Give every schema, by the file that it belongs into."""
    made = {
        "directory": _titled("A directory, as directory import reads it", _directory()),
        "event": _titled("An event, as simulate reads it: the fields that are looked at", _event()),
        "preferences": _titled("A policy, as prefs import and apply read it", _preferences()),
        "scenarios": _titled("Scenarios, as notifycli test reads them", _scenarios()),
    }
    return {TARGET / f"{name}.schema.json": _text(schema) for name, schema in made.items()}


def _text(schema: Schema) -> str:
    text = json.dumps(schema, indent=1, ensure_ascii=False) + "\n"
    # Python's own words for the ends of a text.
    return text.replace("\\\\A", "^").replace("\\\\Z", "$")


def _titled(title: str, schema: Schema) -> Schema:
    return {"$schema": _DIALECT, "title": title, **schema}


def _whole(type_: Any) -> Schema:
    """Give the schema of a type, with what it refers to beside it."""
    (schema,), parts = msgspec.json.schema_components(
        [type_], schema_hook=lambda _: {}, ref_template="#/$defs/{name}"
    )
    return {**schema, "$defs": parts}


def _directory() -> Schema:
    schema = _whole(DirectoryDocument)
    for entry in ENTRIES.values():
        # A field that means nothing is told; here it is refused, which an editor underlines.
        schema["$defs"][entry.__name__]["additionalProperties"] = False
    return schema


def _event() -> Schema:
    schema = _whole(Payload)
    payload = schema["$defs"][Payload.__name__]
    payload["properties"]["event"] = {"anyOf": [{"enum": sorted(READ_EVENTS)}, _STRING]}
    for part in schema["$defs"].values():
        for field in part["properties"].values():
            types = field.get("anyOf", [])
            if types and types[0].get("maximum") == LARGEST_ID and _STRING not in types:
                types.insert(1, _STRING)  # an id may be a string of digits
    return schema


def _value(key: str) -> Schema:
    known = KEYS[key]
    if known.values == ("on", "off"):
        return {"description": known.summary, "enum": ["on", "off", True, False]}
    named = {"anyOf": [{"enum": list(known.values)}, {"type": "string"}]}
    return {"description": f"{known.summary}; built in: {known.builtin}", **named}


def _timed(key: str) -> Schema:
    """Give the schema of a value that may end with the moment up to which it holds."""
    plain: Schema = {"$ref": f"#/$defs/{key}"}
    if KEYS[key].values != ("on", "off"):
        return plain
    return {"anyOf": [plain, {"type": "string", "pattern": f"^(on|off){UNTIL}[0-9]"}]}


def _values(prefix: str = "") -> Schema:
    """Give the schema of a table of preferences, by every way to write a key.

    What a value may be is said elsewhere, by the full key.
    """
    flat: dict[str, Schema] = {
        text: {"$ref": f"#/$defs/{prefix}{full[0]}"} for text, full in sorted(spellings().items())
    }
    nested: dict[str, Schema] = {}
    for channel in _NESTED:
        inner = {
            text.removeprefix(f"{channel}."): value
            for text, value in flat.items()
            if text.startswith(f"{channel}.")
        }
        table = {"type": "object", "properties": inner, "additionalProperties": False}
        nested[channel] = {"anyOf": [flat[channel], table]} if channel in flat else table
    types = "|".join(name for row in TYPES for name in (row.short, row.type))
    switch = {"$ref": f"#/$defs/{prefix}email.{TYPES[0].type}"}
    added = {f"^(?!(audio|email|push)[.])[a-z][a-z0-9-]*[.]({types})$": switch}
    return {
        "type": "object",
        "properties": flat | nested,
        "patternProperties": added,
        "additionalProperties": False,
    }


def _preferences() -> Schema:
    values = _values()
    places = {name: {"$ref": f"#/$defs/{name}"} for name in PLACES}
    own = {**values, "properties": {**values["properties"], **places}}
    return {
        "type": "object",
        "properties": {
            "default": {"description": "what the account gives", "$ref": "#/$defs/values"},
            "lock": {"description": "what nobody may change", "$ref": "#/$defs/values"},
            "users": {
                "description": "what users have of their own, by e-mail or id",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/user"},
            },
        },
        "additionalProperties": False,
        "$defs": {
            **{key: _value(key) for key in KEYS},
            **{f"{_TIMED}{key}": _timed(key) for key in KEYS},
            "values": values,
            "conversation_values": _values(_TIMED),
            "user": own,
            "inbox": {
                "description": "what holds for one inbox alone, by its id",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/values"},
            },
            "conversation": {
                "description": "what holds for one conversation alone, by its id; a value may end "
                "with the moment up to which it does: on until 2027-01-31T10:00:00Z",
                "type": "object",
                "additionalProperties": {"$ref": "#/$defs/conversation_values"},
            },
        },
    }


def _scenarios() -> Schema:
    preferences, directory, event = _preferences(), _directory(), _event()
    parts = {**preferences.pop("$defs"), **directory.pop("$defs"), **event.pop("$defs")}
    expected = {
        "anyOf": [
            {"type": "string", "description": "channel.type user reason"},
            {
                "type": "object",
                "properties": {key: {} for key in (*EVERY_FIELD, "user")},
                "additionalProperties": False,
            },
        ]
    }
    lists: dict[str, Schema] = {
        "expect": {"type": "array", "items": expected},
        "expect_not": {"type": "array", "items": expected},
        "events": {
            "anyOf": [
                {"type": "string"},
                {"type": "array", "items": {"allOf": [event, {"properties": {"at": {}}}]}},
            ]
        },
    }
    fields: dict[str, Schema] = {
        "account": {"type": "integer", "minimum": 1},
        "directory": {"anyOf": [{"type": "string"}, directory]},
        "preferences": {"anyOf": [{"type": "string"}, preferences]},
        "start": {},
        "name": {"type": "string"},
        **lists,
    }
    return {
        "type": "object",
        "required": ["scenario"],
        "properties": {
            **{name: fields[name] for name in SHARED},
            "scenario": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {name: fields[name] for name in OWN},
                    "anyOf": [{"required": ["expect"]}, {"required": ["expect_not"]}],
                    "additionalProperties": False,
                },
            },
        },
        "additionalProperties": False,
        "$defs": parts,
    }


if __name__ == "__main__":
    TARGET.mkdir(exist_ok=True)
    for path, text in schemas().items():
        path.write_text(text, encoding="utf-8")
