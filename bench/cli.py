"""`run.py bench`: list, run, compare."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import click
import orjson
from rich.console import Console

from bench.compare import WORSE, compare, differences
from bench.compare import draw as draw_comparison
from bench.markdown import as_markdown
from bench.plan import FeedPlan, Shape
from bench.report import Document, as_document, draw, is_crowded
from bench.rounds import run_rounds
from bench.scenarios import Scenario, Setting
from bench.table import GROUPS, LARGE, SCENARIOS, chosen
from syncengine.errors import UsageInvalid

RECORDS = 10_000
ROUNDS = 3
FOLDER = Path("var/bench")


@click.group("bench", invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def bench(context: click.Context) -> int:
    """Measure the engine, in ratios of one run. Without a command the quick scenarios, in about two minutes."""
    return context.invoke(run) if context.invoked_subcommand is None else 0


@bench.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def list_scenarios(*, as_json: bool) -> int:
    """Show the scenarios and their groups."""
    rows: list[Document] = [
        {
            "name": name,
            "says": scenario.says,
            "groups": [group for group, members in GROUPS.items() if name in members],
            "is_large": name in LARGE,
            "why_not": scenario.why_not(),
        }
        for name, scenario in SCENARIOS.items()
    ]
    if as_json:
        _print_json({"scenarios": rows})
        return 0
    for row in rows:
        notes = [*row["groups"], *(["only with --large"] if row["is_large"] else []), *filter(None, [row["why_not"]])]
        click.echo(f"{row['name']:<22}{row['says']:<32}{', '.join(notes)}")
    return 0


@bench.command("run")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--records", type=click.IntRange(10), default=RECORDS, show_default=True, help="How large a catalogue.")
@click.option("--record-bytes", type=click.IntRange(1), default=10_000, show_default=True, help="How long a record is.")
@click.option(
    "--shape",
    type=click.Choice([shape.value for shape in Shape]),
    default="hub",
    show_default=True,
    help="Whose feeds.",
)
@click.option("--rounds", type=click.IntRange(1), default=ROUNDS, show_default=True, help="Medians of so many.")
@click.option("--orders", type=click.IntRange(1), help="How many orders are delivered or wait.")
@click.option("--large", is_flag=True, help="With what takes an hour and many gigabytes, where a group has it.")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=FOLDER,
    show_default=True,
    help="For feeds and loaded stores; they are made once.",
)
@click.option(
    "--report", type=click.Path(path_type=Path, file_okay=False), help="Write the document, charts and a page there."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
def run(
    names: Sequence[str],
    records: int,
    record_bytes: int,
    shape: str,
    rounds: int,
    orders: int | None,
    folder: Path,
    report: Path | None,
    *,
    large: bool,
    as_json: bool,
) -> int:
    """Run scenarios or groups of them, by name; `all` stands for every one."""
    if report is not None and find_spec("matplotlib") is None:
        raise UsageInvalid("charts need matplotlib", hint="pip install --require-hashes -r requirements-bench.lock")
    plan = FeedPlan(records=records, record_bytes=record_bytes, shape=Shape(shape))
    setting = Setting(plan=plan, folder=folder.absolute(), orders=orders)
    document = measured(chosen(names, with_large=large), setting, rounds)
    if report is not None:
        _write_report(document, report)
    if as_json:
        _print_json(document)
    else:
        draw(document, Console())
    return 0


@bench.command("compare")
@click.argument("before", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.argument("after", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--threshold", type=click.FloatRange(0), default=WORSE * 100, show_default=True, help="Percent.")
def compare_documents(before: Path, after: Path, threshold: float) -> int:
    """Hold two documents of `run --json` side by side. Leaves with 1 where a ratio got worse by more than the threshold."""
    documents = [_read(path) for path in (before, after)]
    for difference in differences(*documents):
        click.echo(f"not alike: {difference}", err=True)
    compared = compare(*documents)
    if not compared:
        raise UsageInvalid("the two documents have no ratio in common", hint="run the same scenarios for both")
    draw_comparison(compared, Console(), threshold / 100)
    return int(any(one.worse_by > threshold / 100 for one in compared))


def measured(names: Sequence[str], setting: Setting, rounds: int) -> Document:
    """Run scenarios and give the document; what goes on meanwhile is told on standard error."""
    load = os.getloadavg()[0]
    if is_crowded(load):
        click.echo(f"the machine is busy (load {load:.1f}): times will be worth little, ratios somewhat more", err=True)
    reasons = {name: SCENARIOS[name].why_not() for name in names}
    skipped = {name: reason for name, reason in reasons.items() if reason}
    scenarios: dict[str, Scenario] = {name: SCENARIOS[name] for name in names if name not in skipped}
    with _telling() as tell:
        results = run_rounds(scenarios, setting, rounds=rounds, on_step=tell)
    return as_document(results, setting, rounds, skipped, load)


@contextmanager
def _telling() -> Iterator[Callable[[str], None]]:
    """Tells on standard error what goes on: one line that changes on a terminal, else one after the other."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda step: click.echo(step, err=True)
        return
    with console.status("starting …") as status:
        yield lambda step: status.update(f"{step} …")


def _write_report(document: Document, folder: Path) -> None:
    """The document, and what is drawn of it; drawing alone needs matplotlib."""
    from bench.page import write_page  # noqa: PLC0415 - it needs matplotlib, which else nothing does

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "figures.md").write_text(as_markdown(document), encoding="utf-8")
    (folder / "bench.json").write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    click.echo(f"written: {write_page(document, folder)}", err=True)


def _read(path: Path) -> Document:
    try:
        document: object = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise UsageInvalid(f"{path} is no JSON document: {error}") from error
    if not isinstance(document, dict) or not {"scenarios", "targets", "setting", "machine"} <= document.keys():
        raise UsageInvalid(f"{path} is no document of the bench", hint="`run.py bench run --json` prints one")
    return document


def _print_json(document: Document) -> None:
    sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
