"""The engine from outside: settings as a user writes them, stores that were loaded before, `run.py resync` in its own process."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from bench.apart import ROOT, Ran, RunFailed, run_module, run_python, succeeded
from bench.census import Census
from bench.feeds import feed, forget_others, version_of
from bench.generate import Feed
from bench.plan import Change, Compression, Edit, FeedPlan, Order

SOURCE = "feed"
STORE = "store.db"
SETTINGS = "syncengine.toml"
_ROOMS = ("run.py", "syncengine", "adapters", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One `resync` that has ended: its process, and its account of the only pass."""

    ran: Ran
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A folder with settings, and with a store where one was put there."""

    folder: Path

    @property
    def settings(self) -> Path:
        """The settings file."""
        return self.folder / SETTINGS

    def resync(self, *, workers: int, allowed: Sequence[str] = ()) -> Pass:
        """One full pass of the feed; raises RunFailed where it does not come to its end."""
        guards = [part for guard in allowed for part in ("--allow", guard)]
        asked = ["resync", SOURCE, "--full", "--no-deliver", "--json", "--workers", str(workers), *guards]
        ran = succeeded(run_python(["run.py", "--config", str(self.settings), *asked]), "resync")
        [report] = json.loads(ran.stdout)["passes"]
        return Pass(ran=ran, report=report)

    def census(self) -> Census:
        """What the store holds now."""
        return msgspec.json.decode(run_module(["bench.census", str(self.folder / STORE)]), type=Census)


@contextmanager
def house(path: Path, *, beside: Path, loaded: Path | None = None) -> Iterator[House]:
    """A temporary folder in `beside` whose settings name the feed at `path`; with a copy of a loaded store, or with none."""
    beside.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="house-", dir=beside) as name:
        folder = Path(name)
        write_settings(folder, path)
        if loaded is not None:
            shutil.copyfile(loaded, folder / STORE)
            _settle(folder / STORE)
        yield House(folder=folder)


def loaded_store(plan: FeedPlan, folder: Path) -> Path:
    """A store that has read the first edition of the plan's catalogue, loaded where there is none of this build."""
    first = first_edition(plan)
    path = folder / "stores" / engine_version() / f"{first.name}.db"
    if not path.exists():
        forget_others(path.parent)
        made = feed(first, folder)
        with house(made.path, beside=folder) as empty:
            check_account(expected_account(made, is_first=True), empty.resync(workers=0).report)
            (empty.folder / STORE).replace(path)
    return path


def first_edition(plan: FeedPlan) -> FeedPlan:
    """The plan of the catalogue as it was at first: nothing changed, in order, not packed."""
    return replace(plan, change=Change.NONE, share=0.0, order=Order.SAME, compression=Compression.PLAIN)


@lru_cache(maxsize=1)
def engine_version() -> str:
    """Changes with every source file of the engine: a store that another build loaded is not measured with."""
    return version_of(*(ROOT / room for room in _ROOMS))


def write_settings(folder: Path, path: Path) -> None:
    """Settings for one source of plain ONIX, as a user would write them.

    CB sends whole records under the notification of block updates (contracts/cb.md 10); for other shapes the key changes nothing.
    """
    text = f"""[store]
url = "sqlite:{STORE}"

[sources.{SOURCE}]
kind = "onix"
path = {json.dumps(str(path.absolute()))}
mode = "full"
partial_updates = "whole"

[service]
log = "warning"
"""
    (folder / SETTINGS).write_text(text, encoding="utf-8")


def expected_account(made: Feed, *, is_first: bool) -> dict[str, int]:
    """What a pass over the feed must account for, over an empty store or one that holds the first edition."""
    edits = {edit: made.edits.get(edit, 0) for edit in Edit}
    changed = edits[Edit.PRICE] + edits[Edit.AVAILABILITY] + edits[Edit.TEXT]
    seen = changed + edits[Edit.TOUCHED] + edits[Edit.ADDED] + edits[Edit.REMOVED]
    told = {"bytes": made.bytes, "records": made.records, "duplicates": 0, "held": 0, "quarantined": 0}
    if is_first:
        return told | {"added": made.records - edits[Edit.REMOVED], "unchanged": 0, "changed": 0}
    return told | {
        "unchanged": made.records - seen,
        "touched": edits[Edit.TOUCHED],
        "added": edits[Edit.ADDED],
        "changed": changed,
        "removed": edits[Edit.REMOVED],
        "vanished": edits[Edit.VANISHED],
    }


def check_account(expected: Mapping[str, int], report: Mapping[str, Any]) -> None:
    """Raise RunFailed where the report of a pass says otherwise, or that it is incomplete."""
    wrong = [f"{name} {report[name]:,} for {number:,}" for name, number in expected.items() if report[name] != number]
    if wrong or not report["complete"]:
        raise RunFailed(f"the pass does not account for its feed: {', '.join(wrong) or 'it is incomplete'}")


def check_census(made: Feed, census: Census) -> None:
    """Raise RunFailed where the store does not hold what the feed says, record by record, or its change log what happened."""
    if census.digest != made.digest:
        live = census.statuses.get("live", 0)
        found = f"{live:,} live records for {made.live:,}, digest {census.digest} for {made.digest}"
        raise RunFailed(f"the store does not hold what the feed says: {found}")
    account = expected_account(made, is_first=False)
    gone = account["removed"] + account["vanished"]
    logged = account | {"added": made.live + gone}
    for kind in ("added", "changed", "removed", "vanished"):
        if logged[kind] != census.changes.get(kind, 0):
            raise RunFailed(
                f"the change log tells of {census.changes.get(kind, 0):,} records {kind}, for {logged[kind]:,}"
            )


def _settle(path: Path) -> None:
    """Have a copy on disk before the clock starts, so that the pass does not pay for it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
