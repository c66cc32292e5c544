"""The control socket: the same answers beside a daemon, the same errors, nobody else on the line."""

from __future__ import annotations

import socket
import stat

import anyio
import pytest

from adapters.shop.control import LONGEST_PATH, RemoteFailed, ask, socket_path
from adapters.shop.control_server import ControlServer
from syncengine.errors import GuardStopped, InputUnreadable, StoreFailed


@pytest.fixture
async def serving(tmp_path):
    servers = []

    async def serve(answer):
        server = ControlServer(socket_path(tmp_path / "store.db"), answer)
        await server.start()
        servers.append(server)
        return socket_path(tmp_path / "store.db")

    yield serve
    for server in servers:
        await server.aclose()


async def test_a_command_is_answered_with_document_and_exit_code(serving):
    async def answer(command, arguments):
        return {"command": command, **arguments}, 1

    path = await serving(answer)
    assert await ask(path, "offer", {"isbn": "978"}) == ({"command": "offer", "isbn": "978"}, 1)


async def test_the_socket_is_its_owners_alone(serving):
    async def answer(command, arguments):
        return {}, 0

    path = await serving(answer)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_an_error_there_is_the_same_error_here(serving):
    async def answer(command, arguments):
        raise GuardStopped("vanished", "9 of 10 records would vanish")

    path = await serving(answer)
    with pytest.raises(RemoteFailed, match="9 of 10 records would vanish") as failed:
        await ask(path, "resync", {})
    assert failed.value.exit_code == 3
    assert "--allow vanished" in failed.value.hint


@pytest.mark.parametrize("depth", [1, 2])
async def test_an_error_of_tasks_side_by_side_is_the_same_error_here(serving, depth):
    async def answer(command, arguments):
        await beside(depth)

    async def beside(deeper):
        if deeper == 0:
            raise InputUnreadable("no file matches feeds/*.xml", hint="check the pattern")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            tasks.start_soon(beside, deeper - 1)

    path = await serving(answer)
    with pytest.raises(RemoteFailed, match=r"^no file matches feeds/\*\.xml$") as failed:
        await ask(path, "resync", {})
    assert (2, "check the pattern") == (failed.value.exit_code, failed.value.hint)


async def test_a_fault_beside_an_error_is_not_kept_quiet(serving):
    async def answer(command, arguments):
        raise ExceptionGroup("tasks", [InputUnreadable("no file"), ZeroDivisionError()])

    path = await serving(answer)
    with pytest.raises(StoreFailed, match="could not carry out resync"):
        await ask(path, "resync", {})


async def test_a_fault_there_is_told_and_does_not_look_like_an_answer(serving):
    async def answer(command, arguments):
        raise ZeroDivisionError

    path = await serving(answer)
    with pytest.raises(StoreFailed, match="could not carry out status"):
        await ask(path, "status", {})


async def test_nobody_listening_is_no_answer(tmp_path):
    assert await ask(tmp_path / "none.sock", "status", {}) is None


async def test_a_dead_socket_is_no_answer_and_is_replaced(serving, tmp_path):
    path = socket_path(tmp_path / "store.db")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    assert await ask(path, "status", {}) is None

    async def answer(command, arguments):
        return {"alive": True}, 0

    await serving(answer)
    assert await ask(path, "status", {}) == ({"alive": True}, 0)


def test_a_long_path_has_a_short_socket_of_its_own(tmp_path):
    deep = tmp_path.joinpath(*["folder-with-a-long-name"] * 6)
    one, other = socket_path(deep / "a.db"), socket_path(deep / "b.db")
    assert len(str(one)) <= LONGEST_PATH
    assert one != other
    assert socket_path(tmp_path / "a.db").parent == tmp_path
