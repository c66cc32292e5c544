"""The demonstration: one release day of a shop at all stub distributors, told to a person while it happens."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.sandbox.cast import Part, choose_part, moved
from adapters.sandbox.ledger import LedgerRow
from adapters.sandbox.reconcile import SOLD, amount_told, disagreements
from adapters.sandbox.server import Sandbox
from adapters.sandbox.stub import Told
from syncengine.ports import Clock

Document = dict[str, Any]
Perform = Callable[[str, Document], Awaitable[Document]]
"""Carries out a command of the engine and gives its document."""

RELEASE_IN_SECONDS = 10.0
_ALL = 100_000
_PROBLEMS_SHOWN = 10


async def tell_demo(sandbox: Sandbox, perform: Perform, clock: Clock, console: Console, *, seed: int) -> bool:
    """Play the whole day; gives whether the register and every ledger agree at its end. Raises what the engine raises."""
    day = _Day(sandbox, perform, clock, console, random.Random(seed))
    await day.first_pass()
    await day.customers_come()
    await day.publishers_change_their_minds()
    await day.release()
    await day.customers_change_their_minds()
    return await day.evening()


class _Day:
    def __init__(
        self, sandbox: Sandbox, perform: Perform, clock: Clock, console: Console, chance: random.Random
    ) -> None:
        self._sandbox = sandbox
        self._perform = perform
        self._clock = clock
        self._console = console
        self._chance = chance
        self._began = clock.monotonic()
        self._parts = [choose_part(stub, clock.now()) for stub in sandbox.stubs.values()]
        self._sold_at_once: Counter[str] = Counter()

    async def first_pass(self) -> None:
        """Every catalogue, once."""
        names = ", ".join(part.label for part in self._parts)
        self._heading(f"A new shop reads the catalogues of {len(self._parts)} distributors: {names}")
        passes = (await self._perform("resync", {}))["passes"]
        rows = []
        for part in self._parts:
            read = [report for report in passes if report["source"] == part.name]
            records = sum(report["records"] for report in read)
            size = sum(report["bytes"] for report in read) / 1e6
            rows.append((part.label, f"{records:,}", f"{size:.1f}", ", ".join(report["stream"] for report in read)))
        self._table(("", "records", "MB", "read as"), rows)

    async def customers_come(self) -> None:
        """They buy, they order ahead, and they want what cannot be had."""
        self._heading("Customers come")
        wishes = [order for part in self._parts for order in part.orders(self._chance)]
        rows = [{"line": line, "fields": fields} for line, fields in enumerate(wishes, start=2)]
        await self._perform("orders_take", {"rows": rows})
        await self._perform("settle", {})
        self._sold_at_once = self._count("sale")
        declared = self._count("preorder")
        shown = []
        for part in self._parts:
            states = Counter(order["state"] for order in await self._orders(part))
            told = declared[part.name]
            cells = (sum(states.values()), self._sold_at_once[part.name], told, states["WAITING"] - told)
            shown.append((part.label, *map(str, (*cells, states["REFUSED"]))))
        self._table(("", "orders", "sold at once", "declared there", "held here", "refused"), shown)
        for part in self._parts:
            refused = [order for order in await self._orders(part) if order["state"] == "REFUSED"]
            reasons = Counter(order["reason"] for order in refused)
            says = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
            self._say(f"refused at {part.label}: {says}")

    async def publishers_change_their_minds(self) -> None:
        """Prices move, titles are withdrawn, a release comes near: one delta of each distributor tells all of it."""
        self._heading("Publishers change their minds, and a release comes near")
        seen = (await self._perform("changes", {"limit": _ALL}))["changes"]
        self._sandbox.edit([edit for part in self._parts for edit in part.changes(RELEASE_IN_SECONDS)])
        passes = await self._delta()
        for part in self._parts:
            read = [report for report in passes if report["source"] == part.name]
            sent, changed = (sum(report[name] for report in read) for name in ("records", "changed"))
            self._say(f"{part.label} sends {sent} records, {changed} of them changed")
        last = max((line["seq"] for line in seen), default=0)
        lines = (await self._perform("changes", {"since": last, "limit": _ALL}))["changes"]
        for part in self._parts:
            if any(_stops(line, part) for line in lines):
                self._say(f"stop selling {part.withdrawn.isbn} in {part.market}: its publisher took it back")

    async def release(self) -> None:
        """The instant passes: what is known by its instant is sold by the clock, the rest once a delta tells that it is out."""
        at = max(map(self._release_of, self._parts), default=self._clock.now())
        count = sum(len(part.released) - 1 for part in self._parts)  # one of each was taken back
        self._heading(f"{at:%H:%M:%S} UTC: {count} titles come out")
        before = self._count("sale")
        known = len(self._sandbox.ledger)
        while self._clock.now() <= at:
            await self._clock.sleep(0.1)
        await self._perform("settle", {})
        clock = self._count("sale")
        first = next((row for row in list(self._sandbox.ledger)[known:] if row.kind == "sale"), None)
        await self._delta()
        delta = self._count("sale")
        payable = (await self._perform("orders_list", {"states": ["PAYABLE"], "limit": _ALL}))["orders"]
        if payable:
            await self._perform("orders_confirm", {"order_ids": [order["order_id"] for order in payable]})
        await self._perform("settle", {})
        steps = (clock - before, delta - clock, self._count("sale") - delta)
        rows = [(part.label, part.about.release, *(str(sales[part.name]) for sales in steps)) for part in self._parts]
        self._table(("sold", "a title is out by", "by the clock", "after a delta", "once paid"), rows)
        if first is not None and clock != before:
            late = (datetime.fromisoformat(first.at) - at).total_seconds()
            self._say(f"the first sale was made {late:.1f} s after the instant, with no feed in between")

    async def customers_change_their_minds(self) -> None:
        """At each distributor one customer wants the money back."""
        self._heading("At each distributor one customer wants the money back")
        chosen = {}
        for part in self._parts:
            placed = [order for order in await self._orders(part) if order["state"] == "PLACED"]
            chosen[part.label] = placed[-1]["order_id"]
        arguments = {"order_ids": list(chosen.values()), "reason": "bought twice"}
        await self._perform("orders_refund", arguments)
        await self._perform("settle", {})
        for label, order_id in chosen.items():
            order = (await self._perform("orders_show", {"order_id": order_id}))["order"]
            says = "the distributor takes it back" if order["state"] == "REFUNDED" else order["note"]
            self._say(f"{label}: {order_id} is {order['state']}: {says}")

    async def evening(self) -> bool:
        """What came of it all, by the register and by the ledgers; gives whether they agree."""
        self._heading("At the end of the day")
        found = {part.name: await self._orders(part) for part in self._parts}
        problems = {
            part.name: disagreements(
                found[part.name], self._sandbox.ledger.rows(distributor=part.name), part.about.told
            )
            for part in self._parts
        }
        columns = [self._summary(part, found[part.name], bool(problems[part.name])) for part in self._parts]
        labels = list(columns[0])
        rows = [(label, *(column[label] for column in columns)) for label in labels]
        self._table(("", *(part.label for part in self._parts)), rows)
        for name, told in problems.items():
            for problem in told[:_PROBLEMS_SHOWN]:
                self._say(f"{name}: {problem}")
        self._attention([order for orders in found.values() for order in orders if order["state"] == "ATTENTION"])
        self._what_next()
        agree = not any(problems.values())
        seconds = self._clock.monotonic() - self._began
        verdict = "Register and ledgers agree." if agree else "Register and ledgers DISAGREE: see above."
        self._console.print(f"\n[bold]{verdict}[/] [dim]The day took {seconds:.0f} s.[/]")
        return agree

    # --- parts

    def _summary(self, part: Part, orders: Sequence[Document], disagree: bool) -> dict[str, str]:
        """One distributor's column."""
        states = Counter(order["state"] for order in orders)
        ledger = self._sandbox.ledger.rows(distributor=part.name)
        kinds = Counter(row.kind for row in ledger)
        currency = part.market.partition("/")[2]
        released = kinds["sale"] - self._sold_at_once[part.name]
        return {
            "orders taken": str(len(orders)),
            "sold at once": str(self._sold_at_once[part.name]),
            "sold on release": str(released),
            "taken back": str(states["REFUNDED"]),
            "still waiting": str(states["WAITING"]),
            "refused": str(states["REFUSED"]),
            "for a person to decide": str(states["ATTENTION"]),
            "sales by the register": str(sum(states[state] for state in SOLD)),
            "sales by its ledger": str(kinds["sale"]),
            "money by the register": _money(_register_money(orders, part.about.told), currency),
            "money by its ledger": _money(_ledger_money(ledger), currency),
            "they agree": "NO" if disagree else "yes",
        }

    def _attention(self, orders: Iterable[Document]) -> None:
        """What waits for a person, together by title and reason."""
        groups: dict[tuple[str, str, str], list[str]] = {}
        for order in orders:
            groups.setdefault((order["source"], order["isbn"], order["reason"]), []).append(order["note"])
        rows = [
            (source, isbn, str(len(notes)), shorten(f"{reason}: {notes[0]}", 72, placeholder=" …"))
            for (source, isbn, reason), notes in groups.items()
        ]
        if rows:
            self._console.print()
            self._table(("for a person to decide", "title", "orders", "why"), rows)

    def _what_next(self) -> None:
        part = self._parts[0]
        engine = f".venv/bin/python run.py --config {self._sandbox.settings_path}"
        self._console.print("\n[bold]What to type next[/]")
        for command, says in (
            ("orders list --state ATTENTION", "what waits for a person"),
            (f"offer {part.withdrawn.isbn} --market {part.market}", "why a title may not be sold"),
            (f"title {part.cheaper.isbn}", "what its page in the shop needs"),
            ("changes", "everything that changed"),
            ("status", "how everything stands"),
        ):
            self._next(f"{engine} {command}", says)
        self._say("Calls need the distributors, and the demo's have stopped; start them again with")
        self._next(self._sandbox_again(), f"their side: {self._sandbox.url}")
        accept = f"orders resolve --title {part.dearer.isbn} --accept-price {moved(part.dearer, '2.00')}"
        self._next(f"{engine} {accept}", "its customers agree …")
        self._next(f"{engine} resync", "… and get it")

    def _sandbox_again(self) -> str:
        made, port = self._sandbox, self._sandbox.url.rpartition(":")[2]
        return (
            f".venv/bin/python run.py sandbox --dir {made.directory} --seed {made.seed} "
            f"--titles {made.size} --port {port}"
        )

    async def _delta(self) -> Sequence[Document]:
        passes: Sequence[Document] = (await self._perform("resync", {"mode": "delta"}))["passes"]
        return passes

    async def _orders(self, part: Part) -> Sequence[Document]:
        found = await self._perform("orders_list", {"source": part.name, "limit": _ALL})
        orders: Sequence[Document] = found["orders"]
        return orders

    def _count(self, kind: str) -> Counter[str]:
        """Rows of the ledger by distributor."""
        return Counter(row.distributor for row in self._sandbox.ledger.rows(kind=kind))

    def _release_of(self, part: Part) -> datetime:
        wanted = part.cheaper.isbn
        rows = self._sandbox.stubs[part.name].titles(self._clock.now())
        instants = (row.release_at for row in rows if (row.isbn, row.market) == (wanted, part.market))
        return max(datetime.fromisoformat(at) for at in instants if at)

    def _heading(self, text: str) -> None:
        seconds = self._clock.monotonic() - self._began
        self._console.print(f"\n[bold]{escape(text)}[/]  [dim]{seconds:.0f} s[/]", soft_wrap=True)

    def _say(self, text: str) -> None:
        self._console.print(f"  {escape(text)}", soft_wrap=True)

    def _next(self, command: str, says: str) -> None:
        self._console.print(f"  {escape(command)}   [dim]# {escape(says)}[/]", soft_wrap=True)

    def _table(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        """Numbers to the right, words to the left."""
        rows = list(rows)
        table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
        for place, heading in enumerate(headings):
            is_number = any(row[place][:1].isdigit() for row in rows)
            table.add_column(heading, justify="right" if is_number else "left")
        for row in rows:
            table.add_row(*map(escape, row))
        self._console.print(table)


def _stops(line: Document, part: Part) -> bool:
    """Whether the line of the change log says that the withdrawn title is not to be sold any more."""
    about = (line["source"], line["isbn"], line["market"]) == (part.name, part.withdrawn.isbn, part.market)
    return about and any(field["field"] == "offer" and field["new"] == "WITHDRAWN" for field in line["fields"])


def _register_money(orders: Iterable[Document], told: Told) -> Decimal:
    """What is sold and not taken back: as the distributor was told, or where it is told nothing, by the price in force."""
    placed = [order for order in orders if order["state"] == "PLACED"]
    return sum((amount_told(order, told) or Decimal(order["amount"]) for order in placed), Decimal(0))


def _ledger_money(rows: Iterable[LedgerRow]) -> Decimal | None:
    """The same by the distributor; none where it is told no amounts."""
    signs = {"sale": 1, "refund": -1}
    amounts = [(signs[row.kind], row.amount) for row in rows if row.kind in signs]
    if any(amount is None for _, amount in amounts):
        return None
    return sum((sign * Decimal(amount or "0") for sign, amount in amounts), Decimal(0))


def _money(amount: Decimal | None, currency: str) -> str:
    return "not told" if amount is None else f"{amount:,.2f} {currency}"
