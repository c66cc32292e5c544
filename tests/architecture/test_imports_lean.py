"""A command imports what it needs and no more: that is how it starts in a quarter of a second."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from adapters.shop.control import socket_path
from adapters.shop.control_server import ControlServer
from tests.records import CLOSING, REFERENCE_30, record

PROBE = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); import run; run.cli()"
"""Runs the command line, and names at its end every module that it has imported, on the last line of its log."""

SETTINGS = """
[sources.files]
kind = "onix"
path = "feed.xml"
markets = ["CA/CAD"]
"""
OF_AN_ACCOUNT = """
[sources.hub]
kind = "demarque"
base_url = "https://www.edenlivres.fr"
organisation_id = "1"
token_env = "TOKEN"
markets = ["FR/EUR"]
"""

PRODUCT = "<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9780306406157</IDValue></ProductIdentifier>"

STUBS = {"adapters.sandbox", "bench", "adapters.distributors.demarque.sandbox"}
NETWORK = {"aiohttp", "yarl", "http.client", "email", "urllib.request"}
TERMINAL = {"rich", "pygments", "adapters.shop.terminal"}
LOG = {"structlog", "attr"}
STORE = {"sqlite3", "aiosqlite", "state", "zstandard"}
ENGINE = {"syncengine.service.engine", "syncengine.delivery", "syncengine.trade"}
WORKERS = {"multiprocessing", "concurrent.futures.process"}
READING = {"lxml", "nh3", "xml", "html", "isal", "syncengine.onix", "syncengine.service.intake", "adapters.http.unpack"}
DESCRIBING = {"nh3", "syncengine.domain.description", "syncengine.onix.describe"}
ANSWERING = STUBS | NETWORK | TERMINAL | LOG | WORKERS

COMMANDS = {
    "help": (["--help"], ANSWERING | STORE | ENGINE | READING | {"asyncio"}),
    "check-config": (["check-config", "--json"], ANSWERING | STORE | ENGINE | DESCRIBING),
    "status": (["status", "--json"], ANSWERING | READING | {"stdnum"}),
    "changes": (["changes"], ANSWERING | READING | {"stdnum"}),
    "plan": (["plan", "--json"], ANSWERING | READING | {"stdnum"}),
    "orders": (["orders", "list", "--json"], ANSWERING | READING | {"stdnum"}),
    "offer": (["offer", "9780306406157", "--market", "CA/CAD", "--json"], ANSWERING | READING),
    "resync": (["resync", "--json", "--workers", "0"], STUBS | NETWORK | TERMINAL | DESCRIBING | {"attr", "stdnum"}),
}
"""What no command of a family may import."""


@pytest.fixture
def shop(root: Path, tmp_path: Path) -> Path:
    (tmp_path / "syncengine.toml").write_text(SETTINGS)
    (tmp_path / "feed.xml").write_bytes(REFERENCE_30 + record(PRODUCT) + CLOSING)
    return tmp_path


async def imported(root: Path, shop: Path, *arguments: str) -> set[str]:
    """The modules of a run that ended well."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", PROBE, *arguments),
        cwd=shop,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(root), "TOKEN": "none"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, log = await process.communicate()
    assert 0 == process.returncode, log.decode()
    return set(log.decode().splitlines()[-1].split())


def among(modules: Collection[str], unwanted: Collection[str]) -> list[str]:
    return sorted(name for name in unwanted if any(f"{module}.".startswith(f"{name}.") for module in modules))


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_leaves_alone_what_it_does_not_need(root, shop, command):
    arguments, unwanted = COMMANDS[command]
    await imported(root, shop, "resync", "--json", "--workers", "0")
    assert [] == among(await imported(root, shop, *arguments), unwanted)


async def test_lines_that_are_not_written_import_no_log(root, shop):
    (shop / "syncengine.toml").write_text(f'{SETTINGS}\n[service]\nlog = "warning"\n')
    assert [] == among(await imported(root, shop, "resync", "--json", "--workers", "0"), LOG)


async def test_a_command_beside_an_account_imports_no_network(root, shop):
    (shop / "syncengine.toml").write_text(OF_AN_ACCOUNT)
    assert [] == among(await imported(root, shop, "status", "--json"), TERMINAL | LOG | STUBS | {"aiohttp", "yarl"})


async def test_a_command_that_the_daemon_answers_imports_neither_store_nor_engine(root, shop):
    async def answer(command, arguments):
        return {"command": command}, 0

    (shop / "var").mkdir()
    daemon = ControlServer(socket_path(shop / "var" / "syncengine.db"), answer)
    await daemon.start()
    try:
        modules = await imported(root, shop, "status", "--json")
    finally:
        await daemon.aclose()
    assert [] == among(modules, ANSWERING | READING | STORE | ENGINE)
