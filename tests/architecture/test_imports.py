"""The import contracts of pyproject.toml: kept, and biting where somebody breaks them."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from importlinter import api, cli

PARTS = ("source", "rules", "calls", "sandbox")


def contracts(root: Path) -> list[dict[str, Any]]:
    options: list[dict[str, Any]] = api.read_configuration(str(root / "pyproject.toml"))["contracts_options"]
    return options


def listed_rooms(root: Path) -> list[str]:
    """Every module that stands in a row of a contract."""
    return [
        ".".join(filter(None, (container, room.strip(" ()"))))
        for contract in contracts(root)
        if contract["type"] == "layers"
        for container in contract.get("containers", [""])
        for row in contract["layers"]
        for room in row.split("|")
    ]


def test_the_import_contracts_are_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)

    exit_code = cli.lint_imports(config_filename="pyproject.toml", no_cache=True, no_logo=True)

    assert exit_code == cli.EXIT_STATUS_SUCCESS, capsys.readouterr().out


@pytest.fixture(scope="module")
def house(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty house: the rooms that the contracts list, and two distributors side by side."""
    house = tmp_path_factory.mktemp("house")
    shutil.copy(root / "pyproject.toml", house)
    parts = [f"adapters.distributors.{name}.{part}" for name in ("one", "other") for part in PARTS]
    for module in [*listed_rooms(root), *parts]:
        folder = house
        for name in module.split("."):
            folder /= name
            folder.mkdir(exist_ok=True)
            (folder / "__init__.py").write_text('"""A room."""\n')
    return house


def broken_contracts(house: Path, module: str, line: str) -> list[str]:
    """The contracts that break when a module of the copy says this line."""
    place = house.joinpath(*module.split("."), "__init__.py")
    before = place.read_text() if place.exists() else None
    place.parent.mkdir(exist_ok=True)
    place.write_text(f'"""A room."""\n{line}\n')
    try:
        run = subprocess.run(
            [sys.executable, "-c", "from importlinter.cli import lint_imports_command as check; check()", "--no-cache"],
            cwd=house,
            capture_output=True,
            text=True,
            check=False,
            env={"COLUMNS": "200"},
        )
    finally:
        if before is None:
            shutil.rmtree(place.parent)
        else:
            place.write_text(before)
    assert "Contracts:" in run.stdout, run.stdout + run.stderr
    names = [contract["name"] for contract in contracts(house)]
    return [name for name in names if f"{name} BROKEN" in run.stdout]


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("bench", "import run", "run.py is above everything"),
        ("syncengine.ports", "import adapters", "The house: bench over adapters and stores over the engine"),
        ("adapters.files", "import bench", "The house: bench over adapters and stores over the engine"),
        ("adapters.files", "import state", "The house: bench over adapters and stores over the engine"),
        ("syncengine.onix", "import syncengine.trade", "The engine's rooms"),
        ("syncengine.onix", "import syncengine.service", "The engine's rooms"),
        ("syncengine.attic", "", "The engine's rooms"),
        ("adapters.http", "import adapters.shop", "The adapters' rooms"),
        ("adapters.attic", "", "The adapters' rooms"),
        ("state.attic", "", "The stores' rooms"),
        (
            "adapters.distributors.one.rules",
            "import adapters.distributors.other.rules",
            "Distributors are strangers to each other",
        ),
        (
            "adapters.files",
            "from syncengine import service",
            "Adapters and stores see ports, domain and errors only",
        ),
        (
            "state.sqlite",
            "import syncengine.trade",
            "Adapters and stores see ports, domain and errors only",
        ),
        (
            "adapters.distributors.one.source",
            "import syncengine.onix",
            "Adapters and stores see ports, domain and errors only",
        ),
        (
            "adapters.distributors.one.source",
            "import adapters.sandbox",
            "Nothing that meets a real distributor imports a stub",
        ),
        (
            "adapters.distributors.one.calls",
            "from .. import sandbox",
            "Nothing that meets a real distributor imports a stub",
        ),
        ("syncengine.service", "import aiohttp", "The engine knows no SQL and no HTTP"),
        ("syncengine.domain.ids", "import logging.handlers", "Pure rooms know no event loop, clock, chance or log"),
        (
            "adapters.distributors.one.rules",
            "from time import time",
            "Pure rooms know no event loop, clock, chance or log",
        ),
    ],
)
def test_a_forbidden_import_breaks_its_contract(house: Path, module: str, line: str, contract: str) -> None:
    assert [contract] == broken_contracts(house, module, line)


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("adapters.distributors.one.sandbox", "import adapters.sandbox, syncengine.onix"),
        (
            "adapters.distributors.one.calls",
            "from syncengine import errors, ports\nfrom syncengine.domain import ids",
        ),
        ("bench", "import state, adapters, syncengine.service"),
        ("syncengine.service", "import asyncio, random, syncengine.trade"),
    ],
)
def test_what_the_rooms_need_of_each_other_is_free(house: Path, module: str, line: str) -> None:
    assert broken_contracts(house, module, line) == []
