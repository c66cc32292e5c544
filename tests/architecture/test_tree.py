"""The tree itself: where things stand, what may be written in them, and what the lock files promise."""

import ast
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

TOP = {
    ".ci",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "Makefile",
    "README.md",
    "adapters",
    "bench",
    "pyproject.toml",
    "requirements-bench.in",
    "requirements-bench.lock",
    "requirements-dev.in",
    "requirements-dev.lock",
    "requirements-fuzz.in",
    "requirements-fuzz.lock",
    "requirements.in",
    "requirements.lock",
    "run.py",
    "state",
    "syncengine",
    "tests",
}
ROOMS = ("syncengine", "adapters", "state", "bench")
PARTS_OF_A_DISTRIBUTOR = {"__init__.py", "source.py", "rules.py", "calls.py", "sandbox.py"}
PURE_ROOMS = ("syncengine/domain", "syncengine/onix", "syncengine/catalogue", "syncengine/trade")

# Spelled so that this file may stand in the tree it searches.
NEVER_WRITTEN = {
    "a package index's host": r"\bpypi[.](?:org|python)|pythonhosted[.]org|/simple/?(?=[\s\"'])",
    "a path of somebody's machine": r"(?<![\w.\-/])/(?:root|home|work|opt|Users)/\w|\b[A-Z]:\\\\?Users\b",
    "work left open": r"\bTO[D]O\b|\bFIX[M]E\b",
}


def ignored_names(root: Path) -> list[str]:
    return [line.rstrip("/") for line in (root / ".gitignore").read_text().splitlines() if line]


def entries(folder: Path, ignored: list[str]) -> Iterator[Path]:
    """What stands in a folder and is not ignored."""
    for entry in sorted(folder.iterdir()):
        if entry.name != ".git" and not any(fnmatch(entry.name, name) for name in ignored):
            yield entry


def files(folder: Path, ignored: list[str]) -> Iterator[Path]:
    for entry in entries(folder, ignored):
        if entry.is_dir():
            yield from files(entry, ignored)
        else:
            yield entry


@pytest.fixture(scope="module")
def texts(root: Path) -> dict[Path, str]:
    """Every text file of the project, by its path."""
    found = {}
    for path in files(root, ignored_names(root)):
        content = path.read_bytes()
        if b"\0" not in content:
            found[path.relative_to(root)] = content.decode("utf-8", "replace")
    return found


def modules(root: Path) -> list[Path]:
    return [path for room in ROOMS for path in (root / room).rglob("*.py")] + list(root.glob("run.py"))


def test_every_top_level_entry_has_its_place(root: Path) -> None:
    assert {entry.name for entry in entries(root, ignored_names(root))} == TOP


@pytest.mark.parametrize("what", NEVER_WRITTEN)
def test_nothing_that_is_committed_names(texts: dict[Path, str], what: str) -> None:
    pattern = re.compile(NEVER_WRITTEN[what])
    found = [
        f"{path}:{number}: {line.strip()}"
        for path, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("a package index's host", "https://py" + "pi.org/project"),
        ("a package index's host", "--index" + "-url https://mirror.example/sim" + "ple/\n"),
        ("a path of somebody's machine", "see /ho" + "me/anna/feeds"),
        ("work left open", "# TO" + "DO: later"),
    ],
)
def test_the_search_finds_what_it_is_for(what: str, line: str) -> None:
    assert re.search(NEVER_WRITTEN[what], line)


def test_every_module_tells_its_duty(root: Path) -> None:
    silent = [path for path in modules(root) if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))]
    assert silent == []


def test_pure_rooms_never_ask_what_time_it_is(root: Path) -> None:
    asking = [
        f"{path.relative_to(root)}:{node.lineno}"
        for room in PURE_ROOMS
        for path in (root / room).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
    ]
    assert asking == []


def test_distributors_with_calls_have_the_same_parts(root: Path) -> None:
    folders = [calls.parent for calls in (root / "adapters" / "distributors").glob("*/calls.py")]
    assert folders
    for folder in folders:
        assert PARTS_OF_A_DISTRIBUTOR - {path.name for path in folder.iterdir()} == set(), folder.name


REQUIREMENT = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;]+)(?P<rest>(?:.*\\\n)*.*)$", re.MULTILINE)


def locked(path: Path) -> dict[str, str]:
    """The exact versions of a lock file, by normalised name; every line of it belongs to one of them."""
    text = path.read_text()
    assert REQUIREMENT.sub("", text).strip() == ""
    for match in REQUIREMENT.finditer(text):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", match["rest"]), match["name"]
    return {normalised(match["name"]): match["version"] for match in REQUIREMENT.finditer(text)}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(path: Path) -> set[str]:
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return {normalised(re.split("[<>=!~]", line)[0]) for line in lines if line and not line.startswith("-")}


@pytest.mark.parametrize("name", ["requirements", "requirements-bench", "requirements-dev", "requirements-fuzz"])
def test_lock_files_hold_exact_versions_with_hashes_and_no_index(root: Path, name: str) -> None:
    path = root / f"{name}.lock"
    assert wanted(root / f"{name}.in") <= set(locked(path))
    assert "://" not in path.read_text()
    assert "index" + "-url" not in path.read_text()


def test_what_runs_in_tests_is_what_runs_in_a_shop(root: Path) -> None:
    shop, checks = locked(root / "requirements.lock"), locked(root / "requirements-dev.lock")
    assert {name: checks.get(name) for name in shop} == shop
