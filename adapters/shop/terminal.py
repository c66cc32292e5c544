"""What people read on a terminal: the documents of the commands as short text and tables, and progress of long work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
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

Document = Mapping[str, Any]

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
    """Print a command's document for a person; one without a shape of its own as plain keys and values."""
    _SHAPES.get(command, _plain)(document, console)


def _resync(document: Document, console: Console) -> None:
    for report in document["passes"]:
        _pass(report, console)
    orders = {state: count for state, count in document["orders"].items() if count}
    if orders:
        console.print("orders     " + ", ".join(f"{count:,} {_coloured(state)}" for state, count in orders.items()))
    delivery = document["delivery"]
    if any(delivery.values()):
        console.print(
            f"delivery   {delivery['settled']:,} settled, {delivery['pending']:,} still owed, {delivery['parked']:,} parked"
        )
    for name, reason in document.get("paused", {}).items():
        console.print(f"[bold red]{escape(name)} is paused[/]: {escape(reason)}  (run.py resume {escape(name)})")
    if orders.get("ATTENTION"):
        console.print("[bold]next[/]       run.py orders list --state ATTENTION")


def _pass(report: Document, console: Console) -> None:
    end = "complete" if report["complete"] else "[bold red]not complete[/]"
    console.print(
        f"[bold]{escape(report['source'])}[/] {report['mode']} pass {end}: {report['records']:,} records, "
        f"{report['bytes']:,} bytes in {report['seconds']:.1f} s"
    )
    names = (
        "added",
        "changed",
        "touched",
        "removed",
        "vanished",
        "unchanged",
        "held",
        "ignored",
        "duplicates",
        "quarantined",
    )
    counts = [f"{report[name]:,} {name}" for name in names if report[name]]
    console.print("  records  " + (", ".join(counts) or "none"))
    if report["changes"]:
        fields = sorted(report["changes"].items(), key=lambda item: -item[1])
        console.print("  changed  " + ", ".join(f"{field} {count:,}" for field, count in fields))
    for says in report["warnings"][:10]:
        console.print(f"  [yellow]warning[/]  {escape(says)}")
    if (count := sum(report["warning_kinds"].values())) > 10:
        kinds = ", ".join(f"{kind} {number:,}" for kind, number in report["warning_kinds"].items())
        console.print(f"  {count:,} warnings in all: {kinds}; --json shows more of them")


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
    console.print(f"{document['added']:,} orders taken{known}" + (f": {states}" if states else ""))
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


def _changes(document: Document, console: Console) -> None:
    for change in document["changes"]:
        fields = "; ".join(f"{field['field']} {field['old']} -> {field['new']}" for field in change["fields"])
        title = f"{change['isbn']} {change['format']}" if change["isbn"] else change["record_reference"]
        console.print(
            f"{change['seq']:>7} {_when(change['at'])} {change['kind']:<8} {escape(str(title))} {change['market'] or ''} {escape(fields)}"
        )


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


def _aside(document: Document, console: Console) -> None:
    table = _table("id", "kind", "record", "where", "why")
    for row in document["records"]:
        where = f"{row['part']} line {row['line']}"
        reference = escape(row["record_reference"] or "?")
        table.add_row(row["id"], row["kind"], reference, escape(where), escape(row["reason"]))
    console.print(table if document["records"] else "nothing is set aside")


def _aside_whole(document: Document, console: Console) -> None:
    row = document["record"]
    console.print(f"[bold]{row['id']}[/] {row['kind']} record {escape(row['record_reference'] or 'without reference')}")
    console.print(f"  of {escape(row['source'])}, {escape(row['part'])} line {row['line']}, {_when(row['at'])}")
    console.print(f"  {escape(row['reason'])}\n")
    console.print(escape(row["body"]), highlight=False, soft_wrap=True)


def _retried(document: Document, console: Console) -> None:
    for report in document["passes"]:
        _pass(report, console)
    if not document["passes"]:
        console.print("nothing is set aside that could be read again")


def _status(document: Document, console: Console) -> None:
    for source in document["sources"]:
        ended = [_when(stands["last_complete_at"]) or "never" for stands in source["streams"].values()]
        console.print(
            f"[bold]{escape(source['source'])}[/]  {source['records']:,} records, last complete pass {', '.join(ended)}"
        )
    orders = ", ".join(f"{count:,} {_coloured(state)}" for state, count in document["orders"].items() if count)
    console.print(f"orders    {orders or 'none'}")
    owed = ", ".join(f"{count:,} {state}" for state, count in document["delivery"].items() if count)
    console.print(f"delivery  {owed or 'nothing owed'}")
    if document["quarantined"]:
        console.print(f"[yellow]{document['quarantined']:,} records are quarantined[/]: run.py quarantine list")
    if held := document["set_aside"]["held"]:
        console.print(f"{held:,} block updates wait for their records: run.py quarantine list --kind held")
    for name, reason in document["paused"].items():
        console.print(f"[bold red]{escape(name)} is paused[/]: {escape(reason)}  (run.py resume {escape(name)})")
    if document["orders"].get("ATTENTION"):
        console.print("[bold]next[/]      run.py orders list --state ATTENTION")


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
    "changes": _changes,
    "parked_list": _parked,
    "quarantine_list": _aside,
    "quarantine_show": _aside_whole,
    "quarantine_retry": _retried,
    "quarantine_drop": _aside,
    "status": _status,
    "plan": _plan,
    "doctor": _doctor,
}


class _Rate(ProgressColumn):
    """How fast it goes, in the unit of the work."""

    def render(self, task: Task) -> Text:
        """Nothing before there is a speed to tell."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed / task.fields['scale']:,.1f} {task.fields['unit']}/s" if speed else "")


class Bars:
    """Progress on a terminal: a line a source for reading, one for applying, one for calls."""

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

    def delivered(self, *, settled: int, open_count: int) -> None:
        """Calls were settled; so many are still owed."""
        task = self._task("delivering", unit="calls")
        says = f"{settled:,} calls settled, {open_count:,} owed"
        self._progress.update(task, completed=settled, total=settled + open_count, says=says)

    def _task(self, name: str, *, unit: str, scale: float = 1) -> TaskID:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None, says="", unit=unit, scale=scale)
        return self._tasks[name]


def _cut(text: str, width: int = 72) -> str:
    return text if len(text) <= width else text[: width - 1] + "…"


def _short(part: str, width: int = 32) -> str:
    return part if len(part) <= width else "…" + part[-width + 1 :]
