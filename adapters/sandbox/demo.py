"""The demonstration: a shop's day against the sandbox, told to a person while it happens."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from textwrap import shorten
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from adapters.sandbox.catalogue import InSeconds, TitleEdit, TitleRow
from adapters.sandbox.server import Sandbox
from syncengine.domain.offer import OfferState
from syncengine.ports import Clock

Perform = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Carries out a command of the engine and gives its document."""

MARKET = "CA/CAD"
BUYERS = 120
RELEASED_TITLES = 12
PREORDERS_A_TITLE = 18
RELEASE_IN_SECONDS = 8.0
UNKNOWN_ISBN = "9780000000002"


@dataclass(kw_only=True)
class _Cast:
    """The titles that play a part, and the orders that were placed for them."""

    bought: Sequence[TitleRow]
    new_way: Sequence[TitleRow]
    old_way: Sequence[TitleRow]
    announced: Sequence[TitleRow]
    refused: Sequence[tuple[TitleRow, str]]
    dearer: TitleRow
    cheaper: TitleRow
    withdrawn_later: TitleRow
    orders: list[dict[str, str]] = field(default_factory=list)


async def tell_demo(
    sandbox: Sandbox, perform: Perform, clock: Clock, console: Console, *, seed: int, config: str
) -> None:
    """Play the whole day; raises what the engine raises."""
    story = _Story(sandbox, perform, clock, console, random.Random(seed))
    await story.first_pass()
    await story.orders()
    await story.publishers_change_their_minds()
    await story.release()
    await story.refund()
    await story.summary(config)


class _Story:
    def __init__(
        self, sandbox: Sandbox, perform: Perform, clock: Clock, console: Console, chance: random.Random
    ) -> None:
        self._sandbox = sandbox
        self._perform = perform
        self._clock = clock
        self._console = console
        self._chance = chance
        self._began = clock.monotonic()
        self._cast = self._choose()

    def _choose(self) -> _Cast:
        """Who plays: titles by the sandbox's own truth, never by what the engine thinks."""
        rows: defaultdict[OfferState, list[TitleRow]] = defaultdict(list)
        for row in self._sandbox.titles():
            if row.market == MARKET and row.format in {"epub", "pdf"}:
                rows[row.state].append(row)
        preorders = [row for row in rows[OfferState.PREORDER] if row.price]
        new_way, old_way = preorders[: RELEASED_TITLES - 2], preorders[RELEASED_TITLES - 2 : RELEASED_TITLES]
        no_go = (OfferState.WITHDRAWN, OfferState.OUT_OF_TERRITORY, OfferState.UNAVAILABLE)
        return _Cast(
            bought=[row for row in rows[OfferState.FOR_SALE] if row.price][:BUYERS],
            new_way=new_way,
            old_way=old_way,
            announced=rows[OfferState.ANNOUNCED][:10],
            refused=[(row, MARKET) for state in no_go for row in rows[state][:8]],
            dearer=new_way[0],
            cheaper=new_way[1],
            withdrawn_later=new_way[2],
        )

    async def first_pass(self) -> None:
        """The whole catalogue, once."""
        self._heading("A new shop reads the distributor's whole catalogue")
        report = (await self._perform("resync", {}))["passes"][0]
        self._say(
            f"{report['records']:,} records, {report['bytes'] / 1e6:.1f} MB in {report['seconds']:.1f} s; "
            f"every one is now known with its offers in each market"
        )

    async def orders(self) -> None:
        """Customers buy, preorder, and want what cannot be had."""
        cast = self._cast
        self._heading("Customers come")
        for row in cast.bought:
            self._order(row, agreed=row.price)
        for row in (*cast.new_way, *cast.old_way):
            for number in range(PREORDERS_A_TITLE):
                self._order(
                    row, agreed=row.price if number % 3 else None, payment="on_release" if number == 1 else "paid"
                )
        for row in cast.announced:
            self._order(row)
        for row, market in cast.refused:
            self._order(row, market=market)
        self._order(cast.bought[0], market="CA/JPY")
        self._order(cast.bought[0], isbn=UNKNOWN_ISBN)
        rows = [{"line": line, "fields": fields} for line, fields in enumerate(cast.orders, start=2)]
        taken = await self._perform("orders_take", {"rows": rows})
        self._say(f"{taken['added']:,} orders taken")
        counts = await self._settled()
        self._say(self._counted(counts))
        await self._reasons("REFUSED", counts)

    async def publishers_change_their_minds(self) -> None:
        """Prices move, a title is withdrawn, a release comes near: one delta pass tells all of it."""
        cast = self._cast
        self._heading("Publishers change their minds, and a release comes near")
        soon = InSeconds(in_seconds=RELEASE_IN_SECONDS)
        edits = [TitleEdit(isbn=row.isbn, convention="new", release_at=soon) for row in cast.new_way]
        edits += [TitleEdit(isbn=row.isbn, convention="old", release_at=soon) for row in cast.old_way]
        edits.append(TitleEdit(isbn=cast.dearer.isbn, market=MARKET, price=_moved(cast.dearer, "2.00")))
        edits.append(TitleEdit(isbn=cast.cheaper.isbn, market=MARKET, price=_moved(cast.cheaper, "-1.00")))
        edits.append(TitleEdit(isbn=cast.withdrawn_later.isbn, market=MARKET, state=OfferState.WITHDRAWN))
        edits += [TitleEdit(isbn=row.isbn, market=MARKET, price=_moved(row, "0.50")) for row in cast.bought[-5:]]
        self._sandbox.edit(edits)
        report = await self._delta()
        self._say(
            f"{report['changed']:,} of {report['records']:,} records sent have changed: "
            + ", ".join(f"{name} {count}" for name, count in sorted(report["changes"].items()))
        )
        since = await self._perform("changes", {"limit": 100_000})
        stops = [line for line in since["changes"] if line["market"] == MARKET and _became(line, "WITHDRAWN")]
        for line in stops[-1:]:
            self._say(f"stop selling {line['isbn']} in {line['market']}: its publisher withdrew it")

    async def release(self) -> None:
        """The instant passes; no feed comes in between."""
        cast = self._cast
        at = max(_release_of(self._sandbox.titles(), cast.new_way[3]), self._clock.now())
        self._heading(
            f"Release at {at:%H:%M:%S} UTC: {len(cast.new_way)} titles in the new way, {len(cast.old_way)} in the old"
        )
        before = len(list(self._sandbox.ledger))
        while self._clock.now() <= at:
            await self._clock.sleep(0.1)
        await self._settled()
        sales = [row for row in list(self._sandbox.ledger)[before:] if row.kind == "sale"]
        if sales:
            late = (datetime.fromisoformat(sales[0].at) - at).total_seconds()
            self._say(
                f"the first sale was made {late:.1f} s after the instant; {len(sales)} followed it, without a feed"
            )
        await self._delta()
        await self._settled()
        late_sales = len([row for row in list(self._sandbox.ledger)[before:] if row.kind == "sale"]) - len(sales)
        self._say(f"titles of the old way go on sale with the next delta: {late_sales} more sales")
        payable = (await self._perform("orders_list", {"states": ["PAYABLE"]}))["orders"]
        ids = [order["order_id"] for order in payable]
        if ids:
            self._say(f"{len(ids)} customers pay on release; the shop confirms their payments")
            await self._perform("orders_confirm", {"order_ids": ids})
        await self._settled()

    async def refund(self) -> None:
        """One customer wants the money back."""
        self._heading("One customer changes her mind")
        placed = (await self._perform("orders_list", {"states": ["PLACED"]}))["orders"]
        order = placed[-1]
        await self._perform("orders_refund", {"order_ids": [order["order_id"]], "reason": "bought twice"})
        await self._settled()
        shown = (await self._perform("orders_show", {"order_id": order["order_id"]}))["order"]
        self._say(f"order {order['order_id']} over {order['amount']} {order['currency']} is {shown['state']}")

    async def summary(self, config: str) -> None:
        """What came of it all, by the register and by the distributor's own ledger, and what to type next."""
        self._heading("At the end of the day")
        counts = (await self._perform("status", {}))["orders"]
        self._say(self._counted(counts))
        self._console.print(self._ledger_table())
        placed, sold = counts["PLACED"] + counts["REFUNDED"], sum(row.kind == "sale" for row in self._sandbox.ledger)
        self._say(f"the register says {placed} sales were made, the distributor's ledger says {sold}")
        waits = (await self._perform("orders_list", {"states": ["ATTENTION"]}))["orders"]
        self._console.print(_attention_table(waits))
        command = f".venv/bin/python run.py --config {config}"
        isbn = self._cast.dearer.isbn
        self._console.print("\n[bold]What to type next[/]")
        for text, says in (
            ("orders list --state ATTENTION", "what waits for a person"),
            (
                f"orders resolve --title {isbn} --accept-price {_moved(self._cast.dearer, '2.00')}",
                "the customers agree",
            ),
            (f"offer {self._cast.withdrawn_later.isbn} --market {MARKET}", "why a title may not be sold"),
            ("changes --since 0", "everything that changed"),
            ("status", "how everything stands"),
        ):
            self._console.print(f"  {command} {escape(text)}   [dim]# {says}[/]", soft_wrap=True)
        seconds = self._clock.monotonic() - self._began
        self._console.print(
            f"\n[dim]The day took {seconds:.0f} s. The sandbox has stopped: calls need it, reading does not.[/]"
        )

    # --- parts

    def _order(
        self,
        row: TitleRow,
        *,
        isbn: str | None = None,
        market: str = MARKET,
        agreed: str | None = None,
        payment: str = "paid",
    ) -> None:
        number = len(self._cast.orders) + 1
        self._cast.orders.append(
            {
                "order_id": f"D{number:05}",
                "source": row.distributor,
                "isbn": isbn or row.isbn,
                "format": row.format,
                "market": market,
                "customer_id": f"C{self._chance.randrange(10_000):04}-{number}",
                "agreed_price": agreed or "",
                "payment": payment,
            }
        )

    async def _delta(self) -> dict[str, Any]:
        document = await self._perform("resync", {"mode": "delta"})
        report: dict[str, Any] = document["passes"][0]
        return report

    async def _settled(self) -> Mapping[str, int]:
        """Once nothing is due any more: orders by state."""
        await self._perform("settle", {})
        orders: Mapping[str, int] = (await self._perform("status", {}))["orders"]
        return orders

    async def _reasons(self, state: str, counts: Mapping[str, int]) -> None:
        if counts[state]:
            orders = (await self._perform("orders_list", {"states": [state], "limit": 10_000}))["orders"]
            reasons = Counter(order["reason"] for order in orders)
            self._say(f"{state}: " + ", ".join(f"{count} {reason}" for reason, count in reasons.most_common()))

    def _ledger_table(self) -> Table:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for column in ("the distributor's ledger", "calls", "money"):
            table.add_column(column, justify="left" if column.startswith("the") else "right")
        money: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)
        calls: Counter[tuple[str, str]] = Counter()
        for row in self._sandbox.ledger:
            key = (row.kind, row.currency or "")
            calls[key] += 1
            money[key] += Decimal(row.amount or "0")
        for (kind, currency), count in sorted(calls.items()):
            table.add_row(kind, f"{count:,}", f"{money[kind, currency]:,.2f} {currency}" if currency else "")
        return table

    def _counted(self, counts: Mapping[str, int]) -> str:
        return "orders: " + ", ".join(f"{count:,} {state}" for state, count in counts.items() if count)

    def _heading(self, text: str) -> None:
        seconds = self._clock.monotonic() - self._began
        self._console.print(f"\n[bold]{escape(text)}[/]  [dim]{seconds:.0f} s[/]")

    def _say(self, text: str) -> None:
        self._console.print(f"  {escape(text)}", highlight=False)


def _moved(row: TitleRow, by: str) -> str:
    return str(Decimal(row.price or "0") + Decimal(by))


def _became(line: Mapping[str, Any], state: str) -> bool:
    return any(field["field"] == "offer" and field["new"] == state for field in line["fields"])


def _release_of(rows: Iterable[TitleRow], wanted: TitleRow) -> datetime:
    for row in rows:
        if (row.isbn, row.market) == (wanted.isbn, wanted.market) and row.release_at:
            return datetime.fromisoformat(row.release_at)
    return datetime.min.replace(tzinfo=UTC)


def _attention_table(orders: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("waits for a person", "orders", "why"):
        table.add_column(column, overflow="fold")
    why: dict[tuple[str, str], list[str]] = defaultdict(list)
    for order in orders:
        why[order["isbn"], order["reason"]].append(order["note"])
    for (isbn, reason), notes in sorted(why.items()):
        table.add_row(isbn, str(len(notes)), shorten(f"{reason}: {notes[0]}", 90, placeholder=" …"))
    return table
