"""The forms in which people have events: each takes bodies and gives what a file would hold."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import sys
import zipfile
from base64 import b64encode
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

Json = dict[str, Any]
Container = Callable[[list[Json]], bytes]


def json_lines(bodies: list[Json]) -> bytes:
    return "".join(json.dumps(body) + "\n" for body in bodies).encode()


def prefixed(prefix: str, suffix: str = "") -> Container:
    return lambda bodies: "".join(f"{prefix}{json.dumps(b)}{suffix}\n" for b in bodies).encode()


def document(whole: Callable[[list[Any]], Any], *, indent: int | None = 2) -> Container:
    return lambda bodies: json.dumps(whole(bodies), indent=indent).encode()


def each(wrap: Callable[[Any], Any]) -> Container:
    return lambda bodies: json_lines([wrap(body) for body in bodies])


def nginx(bodies: list[Json]) -> bytes:
    """Its log, with the escapes that it makes unless told otherwise."""
    texts = [json.dumps(body).replace("\\", "\\x5C").replace('"', "\\x22") for body in bodies]
    before = '192.0.2.7 - - [03/Mar/2026:10:00:00 +0000] "POST / HTTP/1.1" 200 2'
    return "".join(f'{before} "{text}" "-"\n' for text in texts).encode()


def laid_out(bodies: list[Json]) -> bytes:
    return "\n".join(json.dumps(body, indent=2) for body in bodies).encode()


def har(bodies: list[Json]) -> Json:
    entries = [
        {
            "request": {"method": "POST", "postData": {"text": json.dumps(body)}},
            "response": {"content": {"text": '{"event": "ok"}'}},
        }
        for body in bodies
    ]
    return {"log": {"version": "1.2", "entries": entries}}


def postman(bodies: list[Json]) -> Json:
    requests = [{"request": {"body": {"mode": "raw", "raw": json.dumps(b)}}} for b in bodies]
    return {"info": {"name": "Hooks"}, "item": [{"name": "folder", "item": requests}]}


def zipped(bodies: list[Json], *others: tuple[str, bytes]) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._a.json", b"\0")
        for name, data in others:
            archive.writestr(name, data)
        for number, body in enumerate(bodies):
            archive.writestr(f"log/{number:03}.json", json.dumps(body, indent=1))
    return made.getvalue()


CONTAINERS: dict[str, Container] = {
    "JSON Lines": json_lines,
    "with a byte order mark": lambda bodies: b"\xef\xbb\xbf" + json_lines(bodies),
    "with the line ends of Windows": lambda b: json_lines(b).replace(b"\n", b"\r\n"),
    "with blank lines": lambda b: b"\n \n" + json_lines(b).replace(b"\n", b"\n\n"),
    "UTF-16 of Windows": lambda b: ("\ufeff" + json_lines(b).decode()).encode("utf-16-le"),
    "UTF-16, the other way round": lambda b: ("\ufeff" + laid_out(b).decode()).encode("utf-16-be"),
    "gzip": lambda bodies: gzip.compress(json_lines(bodies)),
    "bzip2": lambda bodies: bz2.compress(json_lines(bodies)),
    "xz": lambda bodies: lzma.compress(json_lines(bodies)),
    "zstd": lambda bodies: zstd.compress(json_lines(bodies)),
    "gzip of UTF-16": lambda b: gzip.compress(laid_out(b).decode().encode("utf-16")),
    "zip": zipped,
    "an array, laid out": document(lambda bodies: bodies),
    "an array in a line": document(lambda bodies: bodies, indent=None),
    "an array an event": lambda b: b"".join(json.dumps([one], indent=1).encode() for one in b),
    "n8n": document(lambda bodies: [{"json": {"headers": {}, "body": body}} for body in bodies]),
    "Postman": document(postman),
    "HAR": document(har),
    "HAR in a line": document(har, indent=None),
    "laid out one after the other": laid_out,
    "laid out after one in a line": lambda b: json_lines(b[:1]) + laid_out(b[1:]) + b"\n",
    "concatenated": lambda bodies: json_lines(bodies).replace(b"\n", b""),
    "trailing commas": lambda bodies: json_lines(bodies).replace(b"\n", b",\n"),
    "led by 0x1e": lambda bodies: b"".join(b"\x1e" + json_lines([body]) for body in bodies),
    "laid out and led by 0x1e": lambda b: b"".join(b"\x1e" + laid_out([x]) + b"\n" for x in b),
    "text before": prefixed("2026-03-03T10:00:00Z INFO [hook] {id=4} received: "),
    "docker compose": prefixed("\x1b[36mreceiver-1  |\x1b[0m ", "\x1b[0m"),
    "docker compose, laid out": lambda bodies: b"".join(
        b"\x1b[36mdesk-1  |\x1b[0m " + line + b"\n" for line in laid_out(bodies).splitlines()
    ),
    "syslog": prefixed("<13>Mar  3 10:00:00 desk hook[77]: "),
    "headers before it, and more after it": prefixed('h={"a":{"b":1}} body=', ' in={"ms":3}'),
    "laid out after text": lambda bodies: "".join(
        f"[2026-03-03 10:00] (hook) got: {json.dumps(body, indent=2)}\n" for body in bodies
    ).encode(),
    "nginx": nginx,
    "logfmt": lambda b: "".join(
        f"msg=got body={json.dumps(json.dumps(x))} n=1\n" for x in b
    ).encode(),
    "zeros between": lambda bodies: json_lines(bodies).replace(b"\n", b"\0"),
    "journald": each(lambda b: {"__CURSOR": "s=1", "PRIORITY": "6", "MESSAGE": json.dumps(b)}),
    "docker's own": each(lambda b: {"log": json.dumps(b) + "\n", "stream": "stdout"}),
    "records of a queue": lambda b: json_lines([{"Records": [{"body": json.dumps(x)} for x in b]}]),
    "base64": each(lambda b: {"body": b64encode(json.dumps(b).encode()).decode()}),
    "frames of a cable": each(lambda body: {"identifier": '{"channel":"R"}', "message": body}),
}
