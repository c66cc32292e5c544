"""The daemon's end of the control socket: it serves commands while it owns the store."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from adapters.shop.control import ROUTE
from syncengine.errors import SyncEngineError, engine_errors

Answering = Callable[[str, dict[str, Any]], Awaitable[tuple[dict[str, Any], int]]]
"""Takes a command and its arguments, gives its document and exit code; raises SyncEngineError."""


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
