"""The control socket: how commands reach a store that a daemon owns. HTTP inside a Unix socket of mode 0600.

What asks is short enough to be written out: with a library for HTTP every command would start by a tenth of a second later.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from syncengine.errors import StoreFailed, SyncEngineError

LONGEST_PATH = 100
"""Bytes a socket's path may have on every system that has Unix sockets."""

ROUTE = "/v1/commands/{command}"

_CONNECT_SECONDS = 5
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}) .*\r\ncontent-length: (\d+)\r\n", re.DOTALL | re.IGNORECASE)


def socket_path(store_path: Path) -> Path:
    """The socket beside a store; in the temporary folder where the store's own path is too long for one."""
    path = store_path.with_name(store_path.name + ".sock").absolute()
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    import hashlib
    import tempfile

    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"syncengine-{os.getuid()}-{digest}.sock"


class RemoteFailed(SyncEngineError):
    """The daemon could not carry a command out; its words, hint and exit code are those of the error there."""

    def __init__(self, message: str, *, hint: str, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


def _refuse_strangers(path: Path) -> None:
    """A socket that another user put where ours belongs is not spoken to."""
    try:
        owner = path.stat().st_uid
    except FileNotFoundError:
        return
    if owner != os.getuid():
        raise StoreFailed(f"{path} belongs to another user", hint="remove it, or run as the user who owns the store")


async def ask(path: Path, command: str, arguments: Mapping[str, Any]) -> tuple[dict[str, Any], int] | None:
    """Have the daemon answer; none where nobody listens. Raises RemoteFailed."""
    _refuse_strangers(path)
    try:
        async with asyncio.timeout(_CONNECT_SECONDS):
            reader, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return None
    try:
        with closing(writer):
            status, body = await _post(reader, writer, ROUTE.format(command=command), orjson.dumps(dict(arguments)))
    except (OSError, EOFError) as error:
        raise StoreFailed(
            f"the daemon went away while it carried out {command}", hint="look at its log; `status` tells what was done"
        ) from error
    if status != 200:
        raise StoreFailed(
            f"the daemon could not carry out {command}: {body.decode(errors='replace')[:200]}", hint="look at its log"
        )
    reply = orjson.loads(body)
    if "error" in reply:
        raise RemoteFailed(reply["error"], hint=reply["hint"], exit_code=reply["exit_code"])
    return reply["document"], reply["exit_code"]


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: str, content: bytes
) -> tuple[int, bytes]:
    """Status and body of the answer, however late it comes. Raises EOFError where it breaks off."""
    head = f"POST {target} HTTP/1.1\r\nHost: daemon\r\nContent-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    writer.write(head.encode() + content)
    await writer.drain()
    answer = _HEAD.match(await reader.readuntil(b"\r\n\r\n"))
    if answer is None:
        raise EOFError("no answer in HTTP with its length")
    return int(answer[1]), await reader.readexactly(int(answer[2]))
