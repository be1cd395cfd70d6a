"""The program as a process of its own, forked from one that has imported it already.

It has its own memory, streams and exit status, and takes a fifth of the time of a new Python. What
depends on how Python starts (the encoding of its streams, the arguments that other processes see)
needs that: `tests.conftest.Program`.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

_ROOT = Path(__file__).parents[1]
_LARGEST = 1 << 17
# keyring leaves the sockets of a locked Secret Service to the garbage collector.
_LATER = (
    *("notifycli.store.sqlite.connection", "notifycli.store.sqlite.schema", "platformdirs"),
    *("cryptography.hazmat.primitives.ciphers.aead", "rich.progress", "rich.table"),
)
"""What commands import only once they need it, and takes longest."""
_STRICT = ("-W", "error", "-W", "ignore::ResourceWarning")


class Forker:
    """A process that has imported the program, and waits to be forked."""

    def __init__(self) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            code = f"from tests.forked import serve\nserve({theirs.fileno()})"
            self._process = subprocess.Popen(
                [sys.executable, *_STRICT, "-c", code], cwd=_ROOT, pass_fds=[theirs.fileno()]
            )

    def close(self) -> None:
        self._channel.close()
        self._process.wait()

    def start(
        self,
        arguments: Sequence[str],
        streams: Sequence[int],
        environment: Mapping[str, str] | None = None,
    ) -> int:
        """Run the program here with these three streams, and give its process's number."""
        variables = {**os.environ, **(environment or {})}
        order = {"words": arguments, "folder": str(Path.cwd()), "environment": variables}
        socket.send_fds(self._channel, [json.dumps(order).encode()], streams)
        return self._answer()

    def wait(self) -> int:
        """Wait for what was started last to end, and give its exit status."""
        return self._answer()

    def run(
        self,
        arguments: Sequence[str],
        stdin: bytes = b"",
        environment: Mapping[str, str] | None = None,
    ) -> tuple[int, bytes, bytes]:
        """Run the program here to its end, and give its status and what it wrote."""
        with (
            tempfile.TemporaryFile() as given,
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
        ):
            given.write(stdin)
            given.seek(0)
            self.start(arguments, [file.fileno() for file in (given, out, err)], environment)
            status = self.wait()
            out.seek(0)
            err.seek(0)
            return status, out.read(), err.read()

    def _answer(self) -> int:
        answer = self._channel.recv(_LARGEST)
        assert answer, "the process to fork has ended"
        return int(answer)


def serve(number: int) -> None:
    """Fork for each order that comes by the socket of this number, until that is closed."""
    from notifycli.cli.main import program  # noqa: PLC0415 - not in the process of the tests

    _import(program())
    for module in _LATER:
        importlib.import_module(module)
    gc.freeze()
    channel = socket.socket(fileno=number)
    while True:
        order, streams, _, _ = socket.recv_fds(channel, _LARGEST, 3)
        if not order:
            channel.close()
            return
        child = os.fork()
        if not child:
            channel.close()
            _become(json.loads(order), streams)
        for stream in streams:
            os.close(stream)
        channel.send(str(child).encode())
        _, status = os.waitpid(child, 0)
        channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def _import(command: Any) -> None:
    for inner in getattr(command, "commands", {}).values():
        _import(inner)


def _become(order: dict[str, Any], streams: Sequence[int]) -> NoReturn:
    from notifycli.cli.main import main  # noqa: PLC0415 - not in the process of the tests

    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(order["environment"])
    time.tzset()
    os.chdir(order["folder"])
    sys.path[:0] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - a number
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", 1, "utf-8", "backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv[1:] = order["words"]
    main()
