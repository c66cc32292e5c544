"""What people read on a terminal: the documents of the commands as short text and tables, and progress of long work."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from adapters.shop.title_page import show_title
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import WARNINGS_KEPT, PassMode, RecordOutcome, WarningKind

Document = Mapping[str, Any]

_WARNINGS_SHOWN = 10
_WITHOUT_END = 100_000
"""The columns of what is no terminal."""
_BLANKS_AT_ENDS = re.compile(" +$", re.MULTILINE)
_CONTROL = re.compile(r"[^\t\n\x20-\x7e\xa0-\U0010ffff]")
"""C0 and C1 without tabs and line ends: what a sender wrote must not steer the terminal."""

_STATE_COLOURS = {
    "PLACED": "green",
    "REFUNDED": "green",
    "FOR_SALE": "green",
    "PREORDER": "cyan",
    "WAITING": "cyan",
    "ATTENTION": "bold red",
    "REFUSED": "yellow",
    "WITHDRAWN": "red",
}


def show(command: str, document: Document, console: Console) -> None:
    """Print a command's document for a person; one without a shape of its own as plain keys and values.

    What goes into a file or to another program keeps its lines whole, for grep to find, unless COLUMNS says how long they are.
    """
    shape, document = _SHAPES.get(command, _plain), _visible(document)
    if console.is_terminal or "COLUMNS" in os.environ:
        shape(document, console)
        return
    console.width = _WITHOUT_END
    with console.capture() as captured:
        shape(document, console)
    console.file.write(_BLANKS_AT_ENDS.sub("", captured.get()))
    console.file.flush()


def _visible(value: Any) -> Any:  # noqa: ANN401 - any part of a document, and the same again
    """The same with control characters spelled out."""
    if isinstance(value, str):
        return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", value.replace("\r\n", "\n"))
    if isinstance(value, Mapping):
        return {key: _visible(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_visible(part) for part in value]
    return value


def _resync(document: Document, console: Console) -> None:
    told = {error["message"] for error in document.get("errors", ())}
    counts = Counter(report["source"] for report in document["passes"])
    for report in document["passes"]:
        _pass(report, console, told, is_alone=counts[report["source"]] == 1)
    if document.get("dry_run"):
        console.print("[bold]dry run[/]    nothing of this was applied")
    orders = {state: count for state, count in document["orders"].items() if count}
    if orders:
        console.print("orders     " + ", ".join(f"{count:,} {_coloured(state)}" for state, count in orders.items()))
    delivery = document["delivery"]
    if any(delivery.values()):
        console.print(
            f"delivery   {delivery['settled']:,} settled, {delivery['pending']:,} still owed, {delivery['parked']:,} parked"
        )
    _paused(document.get("paused", {}), console)
    if any(report["quarantined"] or report["held"] for report in document["passes"]) and not document.get("dry_run"):
        console.print("[bold]next[/]       run.py quarantine list")
    if orders.get("ATTENTION"):
        console.print("[bold]next[/]       run.py orders list --state ATTENTION")


def _pass(report: Document, console: Console, told: Collection[str], *, is_alone: bool) -> None:
    """The account of a pass, without warnings that were told as its error; of several of one source each by its stream."""
    stream = "" if is_alone else f" {escape(report['stream'])}"
    end = "complete" if report["complete"] else "[bold red]not complete[/]"
    console.print(
        f"[bold]{escape(report['source'])}[/]{stream} {report['mode']} pass {end}: {_counted(report['records'], 'record')}, "
        f"{report['bytes']:,} bytes in {report['seconds']:.1f} s"
    )
    _account(report, console, told)


def _account(report: Document, console: Console, told: Collection[str] = ()) -> None:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    grid.add_row("  records", ", ".join(_outcomes(report)) or "none")
    if report["changes"]:
        grid.add_row("  changed", _frequent(report["changes"]))
    for says in [says for says in report["warnings"] if says not in told][:_WARNINGS_SHOWN]:
        grid.add_row("  [yellow]warning[/]", escape(_near(says)))
    if (count := sum(report["warning_kinds"].values())) > _WARNINGS_SHOWN:
        kinds = _frequent(report["warning_kinds"])
        grid.add_row("  [yellow]in all[/]", f"{count:,} warnings: {kinds} (--json has the first {WARNINGS_KEPT})")
    console.print(grid)


def _outcomes(report: Document) -> Iterator[str]:
    """How many records came to what, the most telling first."""
    for name in (
        RecordOutcome.ADDED,
        RecordOutcome.CHANGED,
        RecordOutcome.TOUCHED,
        RecordOutcome.REMOVED,
        "vanished",
        RecordOutcome.UNCHANGED,
        RecordOutcome.HELD,
        RecordOutcome.IGNORED,
        RecordOutcome.DUPLICATES,
        RecordOutcome.QUARANTINED,
    ):
        if count := report[name]:
            yield _counted(count, "duplicate") if name == RecordOutcome.DUPLICATES else f"{count:,} {name}"


def _frequent(counts: Mapping[str, int]) -> str:
    """What was counted, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda counted: (-counted[1], counted[0]))
    return ", ".join(f"{name} {count:,}" for name, count in ordered)


def _orders(document: Document, console: Console) -> None:
    table = _table("order", "state", "title", "market", "amount", "why")
    for order in document["orders"]:
        why = " ".join(part for part in (order["reason"], order["note"]) if part)
        amount = f"{order['amount']} {order['currency']}" if order["amount"] else ""
        title = f"{order['isbn']} {order['format']}"
        row = (escape(order["order_id"]), _coloured(order["state"]), escape(title), order["market"], amount)
        table.add_row(*row, escape(_cut(why)))
    console.print(table if document["orders"] else "no orders")


def _taken(document: Document, console: Console) -> None:
    states = ", ".join(f"{count:,} {_coloured(state)}" for state, count in document["states"].items())
    known = f", {document['known']:,} were there already" if document["known"] else ""
    console.print(f"{_counted(document['added'], 'order')} taken{known}" + (f": {states}" if states else ""))
    for says in document["skipped"]:
        console.print(f"  [yellow]skipped[/]  {escape(says)}")
    if 0 < len(document["orders"]) <= 5:
        _orders(document, console)


def _order(document: Document, console: Console) -> None:
    order = document["order"]
    console.print(f"[bold]{escape(order['order_id'])}[/] is {_coloured(order['state'])} {escape(order['note'] or '')}")
    for name, value in order.items():
        if value not in {None, "", False} and name not in {"order_id", "state", "note"}:
            text = _when(value) if name.endswith("_at") else str(value)
            console.print(f"  {name:<18}{escape(text)}")
    table = _table("at", "from", "to", "why")
    for event in document["history"]:
        why = " ".join(part for part in (event["reason"], event["note"]) if part)
        table.add_row(_when(event["at"]), event["from"] or "", _coloured(event["to"]), escape(why))
    console.print(table)
    for entry in document["owed"]:
        console.print(
            f"  owed: {entry['kind']} ({entry['state']}), due {_when(entry['due_at'])} {escape(entry['note'])}"
        )


def _offers(document: Document, console: Console) -> None:
    for offer in document["offers"]:
        price = offer["price"]
        amount = f" at {price['amount']} {price['currency']} (tax {price['tax']})" if price else ""
        console.print(
            f"[bold]{offer['isbn']} {escape(offer['format'])}[/] in {offer['market']}: {_coloured(offer['state'])}{amount}  "
            f"[dim]{escape(offer['source'])} {escape(offer['record_reference'] or '')}[/]"
        )
        if offer["starts_at"]:
            console.print(f"  sale starts      {_when(offer['starts_at'])}")
        if offer["next_change_at"]:
            console.print(f"  next changes at  {_when(offer['next_change_at'])}")
        for rule in offer["rules"]:
            console.print(f"  {rule['id']:<16} {escape(rule['says'])}")


def _parked(document: Document, console: Console) -> None:
    if not document["entries"] and not document["records"]:
        console.print("nothing is parked")
    if document["entries"]:
        table = _table("id", "call", "order", "title", "attempts", "why")
        for entry in document["entries"]:
            row = (
                str(entry["id"]),
                entry["kind"],
                escape(entry["order_id"] or ""),
                escape(entry["isbn"]),
                str(entry["attempts"]),
            )
            table.add_row(*row, escape(entry["note"]))
        console.print(table)
    if document["records"]:
        _aside(document, console)


def _parked_one(document: Document, console: Console) -> None:
    if "record" in document:
        _aside_whole(document, console)
    else:
        _plain(document, console)


def _aside(document: Document, console: Console) -> None:
    table = _table("id", "kind", "record", "where", "why")
    for row in document["records"]:
        reference = row["record_reference"] or "without reference"
        table.add_row(row["id"], row["kind"], escape(reference), escape(_where(row)), escape(row["reason"]))
    console.print(table if document["records"] else "nothing is set aside")


def _dropped(document: Document, console: Console) -> None:
    console.print(f"{_counted(len(document['records']), 'record')} forgotten:")
    _aside(document, console)


def _aside_whole(document: Document, console: Console) -> None:
    """A record that was set aside, with its bytes where the document has them."""
    row = document["record"]
    console.print(f"[bold]{row['id']}[/] {row['kind']} record {escape(row['record_reference'] or 'without reference')}")
    console.print(f"  of {escape(row['source'])}, {escape(_where(row))}, {_when(row['at'])}")
    console.print(f"  {escape(row['reason'])}")
    if "body" in row:
        console.print()
        console.print(escape(row["body"]), highlight=False, soft_wrap=True)


def _where(row: Document) -> str:
    return f"{_near(row['part'])} line {row['line']}"


def _retried(document: Document, console: Console) -> None:
    for report in document["passes"]:
        console.print(f"[bold]{escape(report['source'])}[/]: {_counted(report['records'], 'record')} read again")
        _account(report, console)
    if not document["passes"]:
        console.print("nothing is set aside that could be read again")


def _status(document: Document, console: Console) -> None:
    reports = [report for report in document["passes"] if report["mode"] != PassMode.SINGLE]
    latest = {(report["source"], report["stream"]): report for report in reversed(reports)}
    for source in document["sources"]:
        streams = source["streams"]
        ended = [
            f"{_when(stands['last_complete_at']) or 'never'}{f' ({escape(stream)})' if len(streams) > 1 else ''}"
            for stream, stands in streams.items()
        ]
        console.print(
            f"[bold]{escape(source['source'])}[/]  {_counted(source['records'], 'record')}, "
            f"last complete pass {', '.join(ended)}"
        )
        for stream in streams:
            _unfinished(latest.pop((source["source"], stream), None), console)
    for (name, _), report in latest.items():
        console.print(f"[bold]{escape(name)}[/]  last pass {_when(report['ended_at']) or 'not ended'}")
        _unfinished(report, console)
    orders = ", ".join(f"{count:,} {_coloured(state)}" for state, count in document["orders"].items() if count)
    console.print(f"orders    {orders or 'none'}")
    owed = ", ".join(f"{count:,} {state}" for state, count in document["delivery"].items() if count)
    console.print(f"delivery  {owed or 'nothing owed'}")
    if count := document["quarantined"]:
        console.print(
            f"[yellow]{_counted(count, 'record')} {'is' if count == 1 else 'are'} quarantined[/]: run.py quarantine list"
        )
    if count := document["set_aside"]["held"]:
        waits = "waits for its record" if count == 1 else "wait for their records"
        console.print(f"{_counted(count, 'update')} {waits}: run.py quarantine list --kind held")
    _paused(document["paused"], console)
    if document["orders"].get("ATTENTION"):
        console.print("[bold]next[/]      run.py orders list --state ATTENTION")


def _unfinished(report: Document | None, console: Console) -> None:
    """Why the last pass of a stream did not come to its end, or that it has not yet."""
    if report is None or report["complete"]:
        return
    if report["ended_at"] or WarningKind.BROKEN_OFF in report["warning_kinds"]:
        why = escape(_near(report["warnings"][-1])) if report["warnings"] else "resync tells why"
        console.print(f"  [bold red]the last pass was not complete[/]: {why}")
    else:
        console.print(f"  a pass has begun and not ended: {_counted(report['records'], 'record')} so far")


def _rest(document: Document, console: Console) -> None:
    _paused(document["paused"], console)
    if not document["paused"]:
        console.print("nothing is paused")


def _paused(reasons: Mapping[str, str], console: Console) -> None:
    for name, reason in reasons.items():
        console.print(f"[bold red]{escape(name)} is paused[/]: {escape(reason)}  (run.py resume {escape(name)})")


def _plan(document: Document, console: Console) -> None:
    table = _table("due at", "title", "market", "orders", "price", "amount")
    for line in document["sales"]:
        title = escape(f"{line['isbn']} {line['format']}")
        amount = f"{line['amount']} {line['currency']}"
        table.add_row(_when(line["due_at"]), title, line["market"], f"{line['orders']:,}", line["price"] or "", amount)
    console.print(table if document["sales"] else "no sale is in sight")
    for currency, amount in document["totals"].items():
        console.print(f"total     {amount} {currency}")
    for source, seconds in document["seconds"].items():
        console.print(f"{escape(source)}: {seconds:,.0f} s under its limits")
    if document["without_a_date"]:
        console.print(f"{document['without_a_date']:,} more orders have no date of sale in sight")


def _doctor(document: Document, console: Console) -> None:
    for check in document["checks"]:
        mark = "[green]good[/]" if check["ok"] else "[bold red]bad [/]"
        console.print(f"{mark}  {escape(check['check'])}: {escape(check['says'])}")


def _settings(document: Document, console: Console) -> None:
    _plain(document, console)
    console.print("the settings are in order")


def _when(instant: str | None) -> str:
    """An instant to the second, as people read it."""
    return f"{datetime.fromisoformat(instant).astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if instant else ""


def _plain(document: Document, console: Console) -> None:
    for name, value in document.items():
        if isinstance(value, Mapping):
            console.print(f"{name}")
            for inner, text in value.items():
                console.print(f"  {inner:<16} {escape(str(text))}")
        else:
            console.print(f"{name:<16} {escape(str(value))}")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _coloured(state: str) -> str:
    colour = _STATE_COLOURS.get(state)
    return f"[{colour}]{state}[/]" if colour else state


_SHAPES: Mapping[str, Callable[[Document, Console], None]] = {
    "resync": _resync,
    "orders_take": _taken,
    "orders_list": _orders,
    "orders_show": _order,
    "orders_cancel": _orders,
    "orders_confirm": _orders,
    "orders_refund": _orders,
    "orders_resolve": _orders,
    "offer": _offers,
    "title": show_title,
    "parked_list": _parked,
    "parked_show": _parked_one,
    "parked_drop": _parked_one,
    "quarantine_list": _aside,
    "quarantine_show": _aside_whole,
    "quarantine_retry": _retried,
    "quarantine_drop": _dropped,
    "pause": _rest,
    "resume": _rest,
    "status": _status,
    "plan": _plan,
    "doctor": _doctor,
    "check_config": _settings,
}


class _Rate(ProgressColumn):
    """How fast it goes, in the unit of the work."""

    def render(self, task: Task) -> Text:
        """Nothing before there is a speed to tell."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed / task.fields['scale']:,.1f} {task.fields['unit']}/s" if speed else "")


class Bars:
    """Progress on a terminal: a line a source for reading, one for applying, one for titles, one for calls."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[says]}"),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Bars:
        self._progress.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._progress.stop()

    def reading(self, source: SourceName, part: str, *, bytes_read: int, records: int) -> None:
        """A part of a pass was read so far."""
        task = self._task(f"{source}: reading", unit="MB", scale=1e6)
        says = f"{bytes_read / 1e6:,.1f} MB, {records:,} records, {_short(part)}"
        self._progress.update(task, completed=bytes_read, says=says)

    def applying(self, source: SourceName, *, applied: int, total: int) -> None:
        """Staged changes are being applied."""
        task = self._task(f"{source}: applying", unit="changes")
        self._progress.update(task, completed=applied, total=total, says=f"{applied:,} of {total:,} changes")

    def deciding(self, *, decided: int, total: int) -> None:
        """Due titles are being decided, so many of a backlog."""
        task = self._task("deciding offers", unit="titles")
        self._progress.update(task, completed=decided, total=total, says=f"{decided:,} of {total:,} titles")

    def delivered(self, *, settled: int, open_count: int) -> None:
        """Calls were settled; so many are still owed."""
        task = self._task("delivering", unit="calls")
        says = f"{settled:,} calls settled, {open_count:,} owed"
        self._progress.update(task, completed=settled, total=settled + open_count, says=says)

    def _task(self, name: str, *, unit: str, scale: float = 1) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None, says="", unit=unit, scale=scale)
        return self._tasks[name]


def _counted(count: int, thing: str) -> str:
    return f"{count:,} {thing}" + ("" if count == 1 else "s")


def _near(text: str) -> str:
    """Paths below the current directory as they are typed there."""
    here = Path.cwd()
    return text if here == Path(here.anchor) else text.replace(f"{here}{os.sep}", "")


def _cut(text: str, width: int = 72) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _short(part: str, width: int = 32) -> str:
    return part if len(part) <= width else "…" + part[-width + 1 :]
