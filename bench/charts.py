"""The document drawn: each chart as SVG and PNG, for light and for dark surroundings, with its finding as the title.

Needs matplotlib (requirements-bench.in).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter, NullLocator

from bench.report import MEGABYTE, Document
from bench.scenarios import Peer
from bench.table import SCENARIOS

LAG_MS = 20.0
"""What the 99th percentile is to stay under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """The colours of a chart; `own` is the engine's, `others` everything it is compared with."""

    name: str
    ground: str
    ink: str
    faint: str
    own: str
    second: str
    others: str
    limit: str


THEMES = (
    Theme(
        name="light",
        ground="#ffffff",
        ink="#1f2328",
        faint="#d5dae0",
        own="#0b6bcb",
        second="#b35900",
        others="#7d8590",
        limit="#c62828",
    ),
    Theme(
        name="dark",
        ground="#15181d",
        ink="#e3e7ec",
        faint="#3a414b",
        own="#5cb0ff",
        second="#ffa657",
        others="#8b949e",
        limit="#ff6b6b",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart on disk: the files' common stem, and its finding."""

    name: str
    title: str

    def path(self, folder: Path, theme: Theme, kind: str) -> Path:
        """Its file in a theme, as `svg` or `png`."""
        return folder / f"{self.name}-{theme.name}.{kind}"


Draw = Callable[[Document, Theme], tuple[Figure, str]]


def write_charts(document: Document, folder: Path) -> list[Chart]:
    """Draw what the document has figures for; the same document gives the same SVG."""
    charts = []
    for name, rows, draw in _CHARTS:
        if not rows(document):
            continue
        for theme in THEMES:
            style: Any = _style(theme, name)  # matplotlib wants its keys as literals
            with mpl.rc_context(style):
                figure, title = draw(document, theme)
                chart = Chart(name=name, title=title)
                figure.savefig(chart.path(folder, theme, "svg"), metadata={"Date": None})
                figure.savefig(chart.path(folder, theme, "png"), dpi=160)
        charts.append(chart)
    return charts


def _style(theme: Theme, name: str) -> dict[str, Any]:
    return {
        "figure.facecolor": theme.ground,
        "axes.facecolor": theme.ground,
        "savefig.facecolor": theme.ground,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.faint,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "grid.color": theme.faint,
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.spines.left": False,
        "ytick.left": False,
        "svg.hashsalt": name,
    }


# --- how fast


def _read(document: Document) -> list[Mapping[str, Any]]:
    """The scenarios that read a feed of the setting, slowest first."""
    size = document["setting"]["records"]
    rows = [
        row
        for row in document["scenarios"]
        if row["megabytes_per_second"]
        and _is_of(row, size)
        and not row["name"].startswith(("lag-", "growth-", "memory"))
    ]
    return sorted(rows, key=lambda row: row["megabytes_per_second"])


def _is_of(row: Mapping[str, Any], size: int) -> bool:
    return row["records"] is None or abs(row["records"] - size) <= 0.1 * size


def _throughput(document: Document, theme: Theme) -> tuple[Figure, str]:
    rows = _read(document)
    figure, axes = _canvas(0.36 * len(rows) + 1.3)
    speeds = [row["megabytes_per_second"] for row in rows]
    left = min(speeds) / 1.6
    for place, (row, speed) in enumerate(zip(rows, speeds, strict=True)):
        colour = theme.others if isinstance(SCENARIOS.get(row["name"]), Peer) else theme.own
        axes.plot([left, speed], [place, place], color=colour, linewidth=1.5, alpha=0.45, solid_capstyle="butt")
        axes.plot([speed], [place], "o", color=colour, markersize=7)
        axes.annotate(
            _rounded(speed), (speed, place), xytext=(9, 0), textcoords="offset points", va="center", color=colour
        )
    axes.set_xscale("log")
    axes.set_xlim(left, max(speeds) * 2.2)
    _name_rows(axes, rows)
    _plain_numbers(axes, "x")
    axes.set_xlabel("megabytes a second, logarithmic; grey: programs for comparison")
    return figure, _titled(figure, _speed_finding(document))


def _speed_finding(document: Document) -> str:
    times = {row["name"]: row["times_lxml"] for row in document["scenarios"]}
    found = [
        f"{times[name]:.{0 if times[name] >= 10 else 1}f} {where}"
        for name, where in (("warm", "where nothing changed"), ("warm-2-percent", "where 2 % did"))
        if times.get(name)
    ]
    return f"Times as fast as lxml iterparse: {', '.join(found)}" if found else "How fast feeds are read"


# --- how it grows


def _growth(document: Document, theme: Theme) -> tuple[Figure, str]:
    figure = Figure(figsize=(8.4, 3.9), layout="constrained")
    times, memory = figure.subplots(1, 2)
    colours = {"warm": theme.own, "cold": theme.second}
    for curve in document["growth"]:
        colour = colours[curve["name"]]
        _line(times, curve["records"], curve["seconds"], colour)
        _line(memory, curve["records"], [peak / MEGABYTE for peak in curve["peak_bytes"]], colour)
        end = (curve["records"][-1], curve["seconds"][-1])
        label = f"{curve['says'].split(',')[0]}\n$\\sim n^{{{curve['exponent']:.2f}}}$"
        times.annotate(label, end, xytext=(8, 0), textcoords="offset points", va="center", color=colour)
        top = (curve["records"][-1], curve["peak_bytes"][-1] / MEGABYTE)
        memory.annotate(
            curve["says"].split(",")[0], top, xytext=(8, 0), textcoords="offset points", va="center", color=colour
        )
    sizes = document["growth"][0]["records"]
    _line(memory, sizes, [120 + size * 250 / MEGABYTE for size in sizes], theme.limit, style="--")
    memory.annotate(
        "allowed",
        (sizes[-1], 120 + sizes[-1] * 250 / MEGABYTE),
        xytext=(8, 0),
        textcoords="offset points",
        va="center",
        color=theme.limit,
    )
    for axes, label in ((times, "seconds of the pass"), (memory, "peak memory of the main process, MB")):
        axes.set_xscale("log")
        axes.set_xlim(min(sizes) / 1.3, max(sizes) * 6)
        axes.set_xlabel("known records")
        axes.set_title(label, loc="left", fontsize=10)
        axes.grid(axis="y", linewidth=0.6)
        axes.set_axisbelow(True)
        _plain_numbers(axes, "x")
    times.set_yscale("log")
    _plain_numbers(times, "y")
    memory.set_ylim(bottom=0)
    exponents = " and ".join(f"{curve['exponent']:.2f} ({curve['says'].split(',')[0]})" for curve in document["growth"])
    return figure, _titled(figure, f"Time grows with the records to the power of {exponents}")


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str, style: str = "o-") -> None:
    axes.plot(x, y, style, color=colour, linewidth=1.8, markersize=5)


# --- how long others wait


def _lagging(document: Document) -> list[Mapping[str, Any]]:
    return [row for row in document["scenarios"] if "p99_ms" in row["figures"]]


def _lag(document: Document, theme: Theme) -> tuple[Figure, str]:
    rows = _lagging(document)[::-1]
    figure, axes = _canvas(0.55 * len(rows) + 1.5)
    for place, row in enumerate(rows):
        values = [max(row["figures"][name]["median"], 0.01) for name in ("median_ms", "p99_ms", "most_ms")]
        axes.plot([values[0], values[-1]], [place, place], color=theme.own, linewidth=1.5, alpha=0.45)
        marks = (("|", "median", 9), ("o", "99 %", 9), ("D", "longest", -17))
        for value, (marker, label, above) in zip(values, marks, strict=True):
            axes.plot([value], [place], marker, color=theme.own, markersize=8, markeredgewidth=1.6)
            text = f"{label} {_rounded(value)}" if place == len(rows) - 1 else _rounded(value)
            axes.annotate(
                text,
                (value, place),
                xytext=(0, above),
                textcoords="offset points",
                ha="center",
                color=theme.own,
                fontsize=9,
            )
    axes.axvline(LAG_MS, color=theme.limit, linewidth=1.2, linestyle="--")
    axes.annotate(
        f"99 % are to stay under {LAG_MS:g}",
        (LAG_MS, -0.62),
        xytext=(-5, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        color=theme.limit,
        fontsize=9,
    )
    axes.set_xscale("log")
    axes.set_ylim(-0.8, len(rows) - 0.35)
    _name_rows(axes, rows)
    _plain_numbers(axes, "x")
    axes.set_xlabel("milliseconds by which a task that wakes every 5 ms is late, logarithmic")
    worst = max(row["figures"]["p99_ms"]["median"] for row in rows)
    return figure, _titled(figure, f"During a pass others wait at most {_rounded(worst)} ms in 99 of 100 cases")


# --- how much memory


def _remembered(document: Document) -> list[Mapping[str, Any]]:
    """The engine's passes in one process; growth has a chart of its own."""
    return [
        row
        for row in document["scenarios"]
        if row["bytes"]
        and row["name"] in SCENARIOS
        and not isinstance(SCENARIOS[row["name"]], Peer)
        and not row["name"].startswith(("growth-", "lag-"))
    ]


def _memory(document: Document, theme: Theme) -> tuple[Figure, str]:
    rows = sorted(_remembered(document), key=lambda row: row["peak_bytes"]["median"])
    figure, axes = _canvas(0.36 * len(rows) + 1.3)
    for place, row in enumerate(rows):
        peak = row["peak_bytes"]["median"] / MEGABYTE
        allowed = 120 + row["records"] * 250 / MEGABYTE
        axes.barh([place], [peak], color=theme.own, height=0.6)
        axes.plot([allowed, allowed], [place - 0.4, place + 0.4], color=theme.limit, linewidth=2)
        axes.annotate(
            f"{peak:,.0f}",
            (peak, place),
            xytext=(-5, 0),
            textcoords="offset points",
            va="center",
            ha="right",
            color=theme.ground,
        )
    axes.set_xlim(left=0)
    _name_rows(axes, rows)
    _plain_numbers(axes, "x")
    axes.set_xlabel("peak memory of the main process, MB; red: 120 MB and 250 bytes a known record")
    within = sum(row["peak_bytes"]["median"] <= 120 * MEGABYTE + row["records"] * 250 for row in rows)
    return figure, _titled(figure, f"{within} of {len(rows)} passes stay within their memory")


# --- what they share


def _canvas(height: float) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(8.4, height), layout="constrained")
    return figure, figure.subplots()


def _titled(figure: Figure, title: str) -> str:
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    return title


def _name_rows(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    axes.set_yticks(range(len(rows)), [row["says"] for row in rows])


def _plain_numbers(axes: Axes, name: str) -> None:
    axis = axes.xaxis if name == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_minor_locator(NullLocator())


def _rounded(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


_CHARTS: Sequence[tuple[str, Callable[[Document], Sequence[Any]], Draw]] = (
    ("throughput", _read, _throughput),
    ("growth", lambda document: document["growth"], _growth),
    ("lag", _lagging, _lag),
    ("memory", _remembered, _memory),
)
