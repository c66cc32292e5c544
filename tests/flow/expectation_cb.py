"""What must stand in CB's ledger and in Luisterhuis' settlement: computed from the stub's own titles and the orders alone.

Luisterhuis is told the title, the customer and our reference; the e-book service the title and our reference. Neither hears of a
price: that stands in the settlement, as what CB charges for it.
"""

from __future__ import annotations

import base64
import urllib.request
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from lxml import etree

from tests.flow.expectation import Customers, Order, Titles, bought, by_order, counted
from tests.flow.harness import PATIENCE, Row, Sandbox

WAITS = frozenset({"ANNOUNCED", "NOT_YET"})
AUDIO = "audio"
UNSELLABLE = frozenset({"step_b_gone_no", "ebook_row6_no_record"})
"""Named titles that look as if they were for sale and cannot be bought: CB says no to the one, and has no record of the other."""
_UNSAID = ("amount", "currency", "country", "price_type", "protection")
_SHARE = Decimal("0.70")
"""Of a price that CB charges."""
_ZONE = ZoneInfo("Europe/Amsterdam")


def expect(
    orders: Iterable[Order],
    before: Titles,
    after: Titles,
    *,
    paid: Collection[str] = (),
    unsellable: Collection[str] = (),
) -> Mapping[str, Row]:
    """By order id the row that is ordered, of all that must be sold; `price` is what it costs in the end."""
    found = {}
    for order in orders:
        rows = bought(order, before, after, waits=WAITS, paid=paid)
        if rows is not None and order.place[0] not in unsellable:
            first, charged = rows
            found[order.order_id] = {**first, "price": charged["price"], "customer": order.customer_id}
    return found


def differences(expected: Mapping[str, Row], ledger: Sequence[Row], *, in_doubt: Collection[str] = ()) -> list[str]:
    """Everything in which the ledger differs; of the orders `in_doubt` an audiobook may be missing."""
    customers = Customers()
    spared = {order_id for order_id in in_doubt if order_id in expected and expected[order_id]["format"] == AUDIO}
    found = [f"a row of kind {row['kind']}" for row in ledger if row["kind"] != "sale"]
    found += counted(expected, ledger, spared=spared)
    for order_id, row in by_order(ledger):
        if wanted := expected.get(order_id):
            found += (f"order {order_id}: {wrong}" for wrong in _wrong(wanted, row, customers))
    return [*found, *customers.confused()]


def _wrong(wanted: Row, row: Row, customers: Customers) -> Iterator[str]:
    if wanted["format"] == AUDIO:
        customers.see(wanted["customer"], row["customer_id"] or "")
    elif row["customer_id"] is not None:
        yield f"an e-book's order names the customer {row['customer_id']}"
    facts = {"isbn": wanted["isbn"], "format": wanted["format"], **dict.fromkeys(_UNSAID)}
    yield from (f"{name} must be {fact}, and is {row[name]}" for name, fact in facts.items() if row[name] != fact)


# --- the settlement -----------------------------------------------------------------------------------------------------


def settlement(sandbox: Sandbox, months: Collection[str]) -> list[Row]:
    """The lines of Luisterhuis' settlements of those months, asked for as a shop would."""
    secret = (sandbox.settings.parent / "cb.luisterhuis").read_text().strip()
    credentials = base64.b64encode(f"luisterwinkel:{secret}".encode()).decode()
    lines = []
    for month in sorted(months):
        request = urllib.request.Request(
            f"{sandbox.url}/cb/luisterhuis/v3/settlement?month={month}",
            headers={"Authorization": f"Basic {credentials}"},
        )
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            document = etree.fromstring(answer.read())
        lines += [{str(fact.tag): fact.text or "" for fact in line} for line in document]
    return lines


def settlement_differences(sandbox: Sandbox, expected: Mapping[str, Row], ledger: Sequence[Row]) -> list[str]:
    """Where the settlement is not what the ledger says of audiobooks, at the prices that were expected."""
    sold = [(order_id, row) for order_id, row in by_order(ledger) if row["format"] == AUDIO]
    wanted = sorted(_line(row, expected[order_id]["price"]) for order_id, row in sold if order_id in expected)
    lines = settlement(sandbox, {_local(row)[:7] for _, row in sold})
    told = sorted((line["OrderID"], line["EAN13"], line["OrderedAt"], line["NetAmount"]) for line in lines)
    return [f"not settled: {line}" for line in wanted if line not in told] + [
        f"settled, and not in the ledger: {line}" for line in told if line not in wanted
    ]


def _line(row: Row, price: str) -> tuple[str, str, str, str]:
    cents = int(Decimal(price) * _SHARE * 100)
    return row["response"], row["isbn"], _local(row), f"{Decimal(cents) / 100:.2f}"


def _local(row: Row) -> str:
    return f"{datetime.fromisoformat(row['at']).astimezone(_ZONE):%Y-%m-%dT%H:%M:%S}"
