"""The results as one document with stable keys, and as a table; ratios first, since seconds belong to one machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.generate import Feed
from bench.measure import Result
from bench.scenarios import ITERPARSE, READ_AND_HASH, SCENARIOS

MEGABYTE = 1_000_000


def as_document(results: Mapping[str, Result], first: Feed, second: Feed, rounds: int) -> dict[str, Any]:
    """Everything that was measured; ratios are of the best runs.

    `times_iterparse` says how many times the speed of a plain lxml pass, `share_of_read_and_hash` how much of the speed of
    only reading and hashing the bytes.
    """
    return {
        "feed": {
            "records": first.records,
            "bytes": first.bytes,
            "record_bytes": round(first.bytes / first.records),
            "changed": second.changed,
        },
        "machine": {
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            "processors": os.cpu_count(),
        },
        "rounds": rounds,
        "scenarios": [_row(result, results, first.records) for result in results.values()],
    }


def _row(result: Result, results: Mapping[str, Result], records: int) -> dict[str, Any]:
    best = result.best
    account = best.account
    return {
        "name": result.scenario,
        "says": SCENARIOS[result.scenario].says,
        "times_iterparse": _ratio(results.get(ITERPARSE), result),
        "share_of_read_and_hash": _ratio(results.get(READ_AND_HASH), result),
        "seconds": round(best.wall_seconds, 4),
        "spread": round(result.spread, 3),
        "cpu_seconds": round(best.cpu_seconds, 4),
        "peak_bytes": max(sample.peak_bytes for sample in result.samples),
        "megabytes_per_second": round(account.bytes / MEGABYTE / best.wall_seconds, 1),
        "records_per_second": round(records / best.wall_seconds),
        "bytes": account.bytes,
        "records": account.records,
        "unchanged": account.unchanged,
        "parsed": account.parsed,
    }


def _ratio(base: Result | None, result: Result) -> float | None:
    return None if base is None else round(base.best.wall_seconds / result.best.wall_seconds, 3)


def draw(document: Mapping[str, Any], console: Console) -> None:
    """Show the document as a table."""
    feed, machine = document["feed"], document["machine"]
    table = Table(
        title=f"{feed['records']:,} records of {feed['record_bytes']:,} bytes; {feed['changed']:,} change",
        caption=(
            f"best of {document['rounds']}, and by how much the worst was slower\n"
            f"Python {machine['python']}, {machine['system']}, {machine['processors']} processors"
        ),
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
    )
    table.add_column("scenario", no_wrap=True)
    for heading in ("x lxml", "of hash", "MB/s", "records/s", "seconds", "+", "CPU s", "MB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in document["scenarios"]:
        table.add_row(
            row["says"],
            _shown(row["times_iterparse"], "{:.2f}"),
            _shown(row["share_of_read_and_hash"], "{:.0%}"),
            f"{row['megabytes_per_second']:,.0f}",
            f"{row['records_per_second']:,}",
            f"{row['seconds']:.3f}",
            f"{row['spread']:.0%}",
            f"{row['cpu_seconds']:.3f}",
            f"{row['peak_bytes'] / MEGABYTE:,.0f}",
        )
    console.print(table)


def _shown(ratio: float | None, form: str) -> str:
    return "" if ratio is None else form.format(ratio)
