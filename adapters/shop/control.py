"""The control socket: how commands reach a store that a daemon owns. HTTP inside a Unix socket of mode 0600."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiohttp import web

from syncengine.errors import StoreFailed, SyncEngineError, engine_errors

LONGEST_PATH = 100
"""Bytes a socket's path may have on every system that has Unix sockets."""

ROUTE = "/v1/commands/{command}"

Answering = Callable[[str, dict[str, Any]], Awaitable[tuple[dict[str, Any], int]]]
"""Takes a command and its arguments, gives its document and exit code; raises SyncEngineError."""


def socket_path(store_path: Path) -> Path:
    """The socket beside a store; in the temporary folder where the store's own path is too long for one."""
    path = store_path.with_name(store_path.name + ".sock").absolute()
    if len(os.fsencode(path)) <= LONGEST_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:24]
    return Path(tempfile.gettempdir()) / f"syncengine-{os.getuid()}-{digest}.sock"


class RemoteFailed(SyncEngineError):
    """The daemon could not carry a command out; its words, hint and exit code are those of the error there."""

    def __init__(self, message: str, *, hint: str, exit_code: int) -> None:
        super().__init__(message, hint=hint)
        self.exit_code = exit_code


class ControlServer:
    """Serves commands on the socket until it is closed."""

    def __init__(self, path: Path, answer: Answering) -> None:
        self._path = path
        self._answer = answer
        application = web.Application(client_max_size=256 << 20)
        application.router.add_post(ROUTE, self._serve)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0)

    async def start(self) -> None:
        """Listen. The caller owns the store's lock, so a socket that is there already is a dead one."""
        self._path.unlink(missing_ok=True)
        await self._runner.setup()
        umask = os.umask(0o177)
        try:
            await web.UnixSite(self._runner, self._path).start()
        finally:
            os.umask(umask)

    async def aclose(self) -> None:
        """Stop listening; commands under way may end."""
        await self._runner.cleanup()
        self._path.unlink(missing_ok=True)

    async def _serve(self, request: web.Request) -> web.Response:
        try:
            document, exit_code = await self._answer(request.match_info["command"], orjson.loads(await request.read()))
            reply: dict[str, Any] = {"document": document, "exit_code": exit_code}
        except BaseExceptionGroup as group:
            if group.split(SyncEngineError)[1] is not None:
                raise  # a fault beside an error is a fault
            errors = list(engine_errors(group))
            reply = {"error": str(errors[0]), "hint": errors[0].hint, "exit_code": errors[0].exit_code}
        except SyncEngineError as error:
            reply = {"error": str(error), "hint": error.hint, "exit_code": error.exit_code}
        return web.Response(body=orjson.dumps(reply), content_type="application/json")


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
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
    url = "http://daemon" + ROUTE.format(command=command)
    try:
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path)), timeout=timeout) as session,
            session.post(url, data=orjson.dumps(dict(arguments))) as response,
        ):
            body = await response.read()
    except aiohttp.ClientConnectorError:
        return None
    except aiohttp.ClientError as error:
        raise StoreFailed(
            f"the daemon went away while it carried out {command}", hint="look at its log; `status` tells what was done"
        ) from error
    if response.status != 200:
        raise StoreFailed(
            f"the daemon could not carry out {command}: {body.decode(errors='replace')[:200]}", hint="look at its log"
        )
    reply = orjson.loads(body)
    if "error" in reply:
        raise RemoteFailed(reply["error"], hint=reply["hint"], exit_code=reply["exit_code"])
    return reply["document"], reply["exit_code"]
