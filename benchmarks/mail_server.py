"""A mail server that takes everything: `python -m benchmarks.mail_server SECONDS`.

It prints its port. Each answer takes SECONDS, as over a network; what is asked for in one go is
answered in one go (RFC 2920). `VRFY SENDER` gives a digest of what that sender's mails say, and
forgets them.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections import defaultdict
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP

_END = b"\r\n.\r\n"
_mails: dict[bytes, list[bytes]] = defaultdict(list)


class _Client:
    """One connection."""

    def __init__(self) -> None:
        self._sender = b""
        self._buffer = b""
        self._in_mail = False

    def answers(self, data: bytes) -> bytes:
        """Take what has come, and give what is answered."""
        self._buffer += data
        said: list[bytes] = []
        while True:
            mark = _END if self._in_mail else b"\r\n"
            head, found, rest = self._buffer.partition(mark)
            if not found:
                return b"".join(said)
            self._buffer = rest
            said.append(self._mail(head) if self._in_mail else self._command(head))

    def _mail(self, content: bytes) -> bytes:
        self._in_mail = False
        _mails[self._sender].append(content)
        return b"250 taken\r\n"

    def _command(self, line: bytes) -> bytes:
        verb, _, argument = line.partition(b" ")
        verb = verb.upper()
        if verb == b"EHLO":
            return b"250-here\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n250 8BITMIME\r\n"
        if verb == b"MAIL":
            self._sender = argument.partition(b"<")[2].partition(b">")[0]
        if verb == b"VRFY":
            return b"252 " + _digest(_mails.pop(argument, [])).encode() + b"\r\n"
        if verb == b"QUIT":
            return b"221 bye\r\n"
        self._in_mail = verb == b"DATA"
        return b"354 go on\r\n" if self._in_mail else b"250 fine\r\n"


def _digest(mails: list[bytes]) -> str:
    """Give how many there are, and what they say."""
    said = []
    for content in mails:
        message = message_from_bytes(content, policy=SMTP)
        if not isinstance(message, EmailMessage):
            raise TypeError
        parts = [part.get_content() for part in message.iter_parts()]
        said.append(repr((str(message["To"]), str(message["Subject"]), parts)))
    return f"{len(said)}-{hashlib.sha256(repr(sorted(said)).encode()).hexdigest()}"


async def _serve(seconds: float) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        client = _Client()
        writer.write(b"220 here\r\n")
        while data := await reader.read(1 << 16):
            if answers := client.answers(data):
                if seconds:
                    await asyncio.sleep(seconds)
                writer.write(answers)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(float(sys.argv[1])))
