"""The report as one HTML file that needs nothing beside it: targets, charts, tables, and how it was measured."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from bench.charts import THEMES, Chart, write_charts
from bench.report import Document, scenario_cells, shown

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --ground: #fff; --faint: #d5dae0; --yes: #1a7f37; --no: #c62828; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e3e7ec; --ground: #15181d; --faint: #3a414b; --yes: #57d27a; --no: #ff6b6b; }
}
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--ground); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { text-align: right; padding: 0.25rem 0.5rem; border-bottom: 1px solid var(--faint); }
th:first-child, td:first-child { text-align: left; }
img { width: 100%; height: auto; margin: 1rem 0; }
.yes { color: var(--yes); } .no { color: var(--no); font-weight: bold; }
"""


def write_page(document: Document, folder: Path) -> Path:
    """Write the charts and the page into a folder; gives the page's path."""
    charts = write_charts(document, folder)
    path = folder / "index.html"
    path.write_text(_page(document, charts, folder), encoding="utf-8")
    return path


def _page(document: Document, charts: Iterable[Chart], folder: Path) -> str:
    setting, machine = document["setting"], document["machine"]
    feed = f"{setting['records']:,} records of about {setting['record_bytes']:,} bytes, {setting['rounds']} rounds"
    here = f"Python {machine['python']}, {machine['system']}, {machine['processors']} processors, load {machine['load_at_start']} at the start"
    parts = [
        "<h1>How fast the engine is here</h1>",
        f"<p>{escape(feed)}. {escape(here)}.</p>",
        _targets(document),
        *(_picture(chart, folder) for chart in charts),
        _scenarios(document),
        _figures(document),
        _skipped(document),
        _METHOD,
    ]
    return f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Bench</title>\n<style>{_STYLE}</style>\n{"".join(parts)}\n</html>\n'


_METHOD = """<h2>How it was measured</h2>
<p>Every run is a process of its own; rounds take turns, so that a busy minute meets all scenarios. Figures are medians, + says by how
much the slowest round was slower than the fastest, ratios are taken within a round. A pass is timed by the engine's own report, a command
from its start to its end. After each scenario the store was read and compared with what the feed says, record by record.</p>"""


def _targets(document: Document) -> str:
    rows = [
        (
            target["says"],
            target["wants"],
            f"{target['measured']:,.3g}",
            f"{min(target['rounds']):,.3g} to {max(target['rounds']):,.3g}",
            "yes" if target["is_met"] else "no",
        )
        for target in document["targets"]
    ]
    met = sum(target["is_met"] for target in document["targets"])
    title = f"Targets: {met} of {len(rows)} met"
    return _table(title, ("", "wanted", "measured", "rounds", "met"), rows) if rows else ""


def _scenarios(document: Document) -> str:
    rows = [scenario_cells(row) for row in document["scenarios"]]
    headings = ("", "x lxml", "MB/s", "records/s", "seconds", "+", "whole s", "CPU s", "MB")
    return _table("All scenarios", headings, rows)


def _figures(document: Document) -> str:
    rows = [
        (f"{row['says']}: {name.replace('_', ' ')}", f"{figure['median']:,.6g}", shown(figure["spread"], "{:.0%}"))
        for row in document["scenarios"]
        for name, figure in row["figures"].items()
    ]
    return _table("What some tell besides", ("", "median", "+"), rows) if rows else ""


def _skipped(document: Document) -> str:
    reasons = "".join(f"<li>{escape(name)}: {escape(why)}</li>" for name, why in document["skipped"].items())
    return f"<h2>Not run</h2><ul>{reasons}</ul>" if reasons else ""


def _table(title: str, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th>{escape(heading)}</th>" for heading in headings)
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in rows)
    return f"<h2>{escape(title)}</h2>\n<table><tr>{head}</tr>\n{body}</table>\n"


def _cell(text: str) -> str:
    mark = f' class="{text}"' if text in ("yes", "no") else ""
    return f"<td{mark}>{escape(text)}</td>"


def _picture(chart: Chart, folder: Path) -> str:
    light, dark = (_embedded(chart.path(folder, theme, "svg")) for theme in THEMES)
    source = f'<source media="(prefers-color-scheme: dark)" srcset="{dark}">'
    return f'<picture>{source}<img src="{light}" alt="{escape(chart.title)}"></picture>\n'


def _embedded(path: Path) -> str:
    return f"data:image/svg+xml;base64,{b64encode(path.read_bytes()).decode()}"
