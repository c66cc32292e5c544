"""The results as one document with stable keys, and as tables; ratios first, since seconds belong to one machine."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from statistics import median
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from bench.engine import engine_version
from bench.growth import curves
from bench.rounds import Result
from bench.scenarios import Setting
from bench.table import YARDSTICK
from bench.targets import Verdict, judge

MEGABYTE = 1_000_000
_CROWDED = 0.7
"""From this load a processor on, others take a share that shows."""

Document = dict[str, Any]


def as_document(
    results: Sequence[Result], setting: Setting, rounds: int, skipped: Mapping[str, str], load: float
) -> Document:
    """Everything that was measured, every round of it; `skipped` are scenarios with the reason, `load` the machine's at the start."""
    by_name = {result.name: result for result in results}
    return {
        "setting": {"records": setting.plan.records, "record_bytes": setting.plan.record_bytes, "rounds": rounds},
        "machine": machine() | {"load_at_start": round(load, 2)},
        "engine": engine_version(),
        "scenarios": [_row(result, by_name.get(YARDSTICK)) for result in results],
        "skipped": dict(skipped),
        "targets": [_judged(verdict) for verdict in judge(by_name)],
        "growth": [asdict(curve) | {"exponent": curve.exponent} for curve in curves(by_name)],
    }


def machine() -> Document:
    """What of the machine moves figures."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processors": os.cpu_count(),
    }


def is_crowded(load: float) -> bool:
    """Whether others keep the machine so busy that times mean little."""
    return load / (os.cpu_count() or 1) > _CROWDED


def _row(result: Result, yardstick: Result | None) -> Document:
    seconds = result.median("seconds")
    size, records = result.samples[0].bytes, result.samples[0].records
    return {
        "name": result.name,
        "says": result.says,
        "times_lxml": _times(yardstick, result, "seconds") if size else None,
        "command_times_lxml": _times(yardstick, result, "process_seconds") if size else None,
        **{field: _spread(result.of(field)) for field in ("seconds", "process_seconds", "cpu_seconds", "peak_bytes")},
        "megabytes_per_second": round(size / MEGABYTE / seconds, 1) if size else None,
        "records_per_second": round(records / seconds) if records else None,
        "bytes": size,
        "records": records,
        "digest": next((sample.digest for sample in result.samples if sample.digest), None),
        "figures": {name: _spread(result.of(name)) for name in result.samples[0].figures},
    }


def _spread(values: Sequence[float]) -> Document:
    """Of the rounds: the median, the least, and how far the most is above the least, as a share of it."""
    least, most = min(values), max(values)
    return {
        "median": round(median(values), 6),
        "least": round(least, 6),
        "spread": round(most / least - 1, 3) if least > 0 else None,
        "rounds": [round(value, 6) for value in values],
    }


def _times(yardstick: Result | None, result: Result, field: str) -> float | None:
    if yardstick is None:
        return None
    rounds = zip(yardstick.of("process_seconds"), result.of(field), strict=False)
    return round(median(base / own for base, own in rounds), 3)


def _judged(verdict: Verdict) -> Document:
    return {
        "name": verdict.target.name,
        "says": verdict.target.says,
        "wants": verdict.target.wants,
        "at_least": verdict.target.at_least,
        "at_most": verdict.target.at_most,
        "unit": verdict.target.unit,
        "measured": round(verdict.measured, 4),
        "rounds": [round(value, 4) for value in verdict.rounds],
        "is_met": verdict.is_met,
    }


# --- on a terminal


def draw(document: Document, console: Console) -> None:
    """Show the document as tables."""
    console.print(scenario_table(document))
    if any(row["figures"] for row in document["scenarios"]):
        console.print(_figure_table(document))
    if document["growth"]:
        console.print(_growth_table(document))
    if document["targets"]:
        console.print(_target_table(document))
    for name, reason in document["skipped"].items():
        console.print(f"not run: {name} ({reason})")


def scenario_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    """What is shown of a scenario, the same in the terminal and on the page."""
    return (
        row["says"],
        shown(row["times_lxml"], "{:.2f}"),
        shown(row["megabytes_per_second"], "{:,.0f}"),
        shown(row["records_per_second"], "{:,}"),
        f"{row['seconds']['median']:.3f}",
        shown(row["seconds"]["spread"], "{:.0%}"),
        f"{row['process_seconds']['median']:.3f}",
        f"{row['cpu_seconds']['median']:.3f}",
        f"{row['peak_bytes']['median'] / MEGABYTE:,.0f}",
    )


def scenario_table(document: Document) -> Table:
    """One row for each scenario."""
    setting, here = document["setting"], document["machine"]
    table = _table(
        f"{setting['records']:,} records of about {setting['record_bytes']:,} bytes",
        f"medians of {setting['rounds']} rounds, and by how much the slowest was slower than the fastest;\n"
        f"x lxml: how many times the speed of {YARDSTICK}; whole s: the process from start to end\n"
        f"Python {here['python']}, {here['system']}, {here['processors']} processors",
        ("x lxml", "MB/s", "rec/s", "s", "+", "whole s", "CPU s", "MB"),
    )
    for row in document["scenarios"]:
        table.add_row(*scenario_cells(row))
    return table


def _figure_table(document: Document) -> Table:
    table = _table("What some tell besides", None, ("median", "least", "+"))
    for row in document["scenarios"]:
        for name, figure in row["figures"].items():
            values = (f"{figure['median']:,.6g}", f"{figure['least']:,.6g}", shown(figure["spread"], "{:.0%}"))
            table.add_row(f"{row['says']}: {name.replace('_', ' ')}", *values)
    return table


def _growth_table(document: Document) -> Table:
    table = _table("Growth: time is about records to the power of", None, ("exponent", "from", "to"))
    for curve in document["growth"]:
        table.add_row(
            curve["says"], f"{curve['exponent']:.2f}", f"{curve['records'][0]:,}", f"{curve['records'][-1]:,}"
        )
    return table


def _target_table(document: Document) -> Table:
    met = sum(target["is_met"] for target in document["targets"])
    table = _table(f"Targets: {met} of {len(document['targets'])} met", None, ("wanted", "measured", "met"))
    for target in document["targets"]:
        verdict = "yes" if target["is_met"] else "[bold red]no[/]"
        table.add_row(target["says"], target["wants"], f"{target['measured']:,.3g}", verdict)
    return table


def _table(title: str, caption: str | None, headings: Sequence[str]) -> Table:
    table = Table(
        title=title,
        caption=caption,
        title_justify="left",
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=0,
    )
    table.add_column("", no_wrap=True)
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    return table


def shown(value: float | None, form: str) -> str:
    """A figure in its form; nothing where there is none."""
    return "" if value is None else form.format(value)
