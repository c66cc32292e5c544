"""What must stand in the distributor's ledger: computed from the sandbox's own titles and the orders alone.

Nothing of the engine takes part: states and prices are the stub's truth, read over HTTP before orders are taken and after
the release; the rules are those of the design (section 7) told once more in their shortest form.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from tests.flow.harness import Row

WAITS = frozenset({"PREORDER", "ANNOUNCED", "NOT_YET"})
"""States in which an order is held; in every other one but FOR_SALE it is refused on the spot."""
DECLARED_FORMATS = frozenset({"epub", "pdf"})
_PLAIN = re.compile(r"[A-Za-z0-9_-]+")
_SPELLED = "x--"
"""How a spelled-out id begins; a customer whose own id begins so is spelled out too."""

Place = tuple[str, str]
"""An ISBN and a market."""
Titles = Mapping[Place, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One row of an orders file."""

    order_id: str
    isbn: str
    format: str
    market: str
    customer_id: str
    agreed_price: str = ""
    price_rule: str = ""
    payment: str = ""
    protection: str = ""
    first_name: str = ""
    last_name: str = ""
    consumer_id: str = ""
    source: str = "demarque"

    @property
    def place(self) -> Place:
        """Where it stands in the titles."""
        return self.isbn.replace("-", ""), self.market


COLUMNS = tuple(column.name for column in fields(Order))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sale:
    """What a sale's row must say."""

    customer_id: str
    isbn: str
    format: str
    country: str
    currency: str
    amount: str
    price_type: str
    protection: str | None
    """None: the order names none, and any will do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """The stub's titles at one instant, and what their rows do not tell.

    `terms` are amount and price type where they are not the gross price and the market's usual type; `offered` the words of
    the protections of titles for which orders name one.
    """

    titles: Titles
    terms: Mapping[Place, tuple[str, str]]
    offered: Mapping[str, Collection[str]]

    def now(self, rows: Iterable[Row]) -> Truth:
        """The same at another instant."""
        return Truth(titles=by_place(rows), terms=self.terms, offered=self.offered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """Sales by order id; the preorders that must have been declared, as (ISBN, format, customer)."""

    sales: Mapping[str, Sale]
    declared: frozenset[tuple[str, str, str]]


def by_place(rows: Iterable[Row]) -> Titles:
    """Rows by ISBN and market."""
    return {(row["isbn"], row["market"]): row for row in rows}


def expect(orders: Iterable[Order], before: Truth, after: Truth, *, paid: Collection[str] = ()) -> Expectation:
    """The ledger of these orders, taken when `before` held, once all is done by `after`.

    `paid` names the orders with payment on release whose payment the shop has confirmed.
    """
    sales = {}
    declared = set()
    for order in orders:
        first = _known(order, before)
        if first is None:
            continue
        if first["state"] == "PREORDER" and first["format"] in DECLARED_FORMATS:
            declared.add((first["isbn"], first["format"], order.customer_id))
        sold = sold_row(order, first, after.titles[order.place])
        if sold is not None and (order.payment != "on_release" or order.order_id in paid):
            sales[order.order_id] = _sale(order, sold, before)
    return Expectation(sales=sales, declared=frozenset(declared))


def _known(order: Order, truth: Truth) -> Row | None:
    """The row an order means; none where it is refused: no such title, format, price or protection."""
    row = truth.titles.get(order.place)
    if row is None or order.format not in {"", row["format"]}:
        return None
    if order.protection and order.protection not in truth.offered[row["isbn"]]:
        return None
    return row if row["state"] in WAITS | {"FOR_SALE"} else None


def sold_row(order: Order, first: Row, last: Row) -> Row | None:
    """The row whose price is charged, or none: a title on sale is sold at once, one that waits once it is."""
    row = first if first["state"] == "FOR_SALE" else last
    if row["state"] != "FOR_SALE":
        return None
    agreed = order.agreed_price or first["price"] or row["price"]
    return row if _is_agreed(order.price_rule, Decimal(agreed), Decimal(row["price"])) else None


def bought(
    order: Order, before: Titles, after: Titles, *, waits: Collection[str], paid: Collection[str]
) -> tuple[Row, Row] | None:
    """The row that was ordered and the row that is charged, where the order must come to a sale; `waits` are the states that hold."""
    first = before.get(order.place)
    if first is None or order.format not in {"", first["format"]} or first["state"] not in {*waits, "FOR_SALE"}:
        return None
    charged = sold_row(order, first, after[order.place])
    if charged is None or (order.payment == "on_release" and order.order_id not in paid):
        return None
    return first, charged


def _is_agreed(rule: str, agreed: Decimal, price: Decimal) -> bool:
    return rule == "current" or (price == agreed if rule == "exact" else price <= agreed)


def _sale(order: Order, row: Row, truth: Truth) -> Sale:
    country, currency = order.market.split("/")
    usual = (row["price"], "04" if currency == "EUR" else "02")
    amount, price_type = truth.terms.get(order.place, usual)
    return Sale(
        customer_id=order.customer_id,
        isbn=row["isbn"],
        format=row["format"],
        country=country,
        currency=currency,
        amount=amount,
        price_type=price_type,
        protection=order.protection.replace(":", "+") or None,
    )


# --- the comparison -----------------------------------------------------------------------------------------------------


def differences(expected: Expectation, ledger: Sequence[Row]) -> list[str]:
    """Everything in which De Marque's ledger differs: lost, doubled, wrong, and what nobody asked for. Empty where it is right.

    Refunds are not this checker's business. A sale belongs to the order whose id ends its reference.
    """
    sales = [row for row in ledger if row["kind"] == "sale"]
    preorders = [row for row in ledger if row["kind"] == "preorder"]
    customers = Customers()
    return [
        *_sales(expected.sales, sales, customers),
        *_preorders(expected.declared, preorders, customers),
        *customers.confused(),
    ]


def _sales(expected: Mapping[str, Sale], rows: Sequence[Row], customers: Customers) -> Iterator[str]:
    yield from counted(expected, rows)
    for order_id, row in by_order(rows):
        if sale := expected.get(order_id):
            yield from (f"order {order_id}: {wrong}" for wrong in _wrong(sale, row, customers))


def by_order(rows: Iterable[Row]) -> Iterator[tuple[str, Row]]:
    """Sales with the order each belongs to: its id ends the reference."""
    return ((row["reference"].partition("-")[2], row) for row in rows)


def counted(expected: Mapping[str, object], rows: Sequence[Row], *, spared: Collection[str] = ()) -> Iterator[str]:
    """What is lost, doubled or sold without need; the orders in `spared` may be missing."""
    references = Counter(row["reference"] for row in rows)
    yield from (
        f"the reference {reference} was used {times} times" for reference, times in references.items() if times > 1
    )
    found = Counter(order_id for order_id, _ in by_order(rows))
    for order_id, sale in expected.items():
        times = found.pop(order_id, 0)
        if times > 1 or (times == 0 and order_id not in spared):
            yield f"order {order_id} must be sold once, and was {times} times: {sale}"
    yield from (f"order {order_id} must not be sold, and was {times} times" for order_id, times in found.items())


def _wrong(sale: Sale, row: Row, customers: Customers) -> Iterator[str]:
    customers.see(sale.customer_id, row["customer_id"])
    for name in ("isbn", "format", "country", "currency", "amount", "price_type", "protection"):
        wanted = getattr(sale, name)
        if wanted is not None and row[name] != wanted:
            yield f"{name} must be {wanted}, and is {row[name]}"


def _preorders(expected: Collection[tuple[str, str, str]], rows: Sequence[Row], customers: Customers) -> Iterator[str]:
    wanted = {(isbn, form, customers.seen_as(customer)): customer for isbn, form, customer in expected}
    found = Counter((row["isbn"], row["format"], row["customer_id"]) for row in rows)
    yield from (f"the preorder {key} was declared {times} times" for key, times in found.items() if times > 1)
    yield from (f"the preorder {key} was never declared" for key in wanted if key not in found)
    yield from (f"the preorder {key} must not be declared" for key in found if key not in wanted)


class Customers:
    """How the distributor knows each customer: by one id in its alphabet, never shared; a plain id stays as it is."""

    def __init__(self) -> None:
        self._ids: defaultdict[str, set[str]] = defaultdict(set)

    def see(self, customer: str, sent: str) -> None:
        self._ids[customer].add(sent)

    def seen_as(self, customer: str) -> str:
        """The id sent for a customer; a plain one is known without any sale."""
        return next(iter(self._ids.get(customer, {customer})))

    def confused(self) -> Iterator[str]:
        owners: defaultdict[str, set[str]] = defaultdict(set)
        for customer, sent in self._ids.items():
            if len(sent) > 1:
                yield f"customer {customer!r} was called {sorted(sent)}"
            if _PLAIN.fullmatch(customer) and not customer.startswith(_SPELLED) and sent != {customer}:
                yield f"customer {customer!r} was called {sorted(sent)}"
            for one in sent:
                owners[one].add(customer)
        yield from (f"{sorted(those)} were all called {one!r}" for one, those in owners.items() if len(those) > 1)
        yield from (f"the id {one!r} is not in the alphabet" for one in owners if not _PLAIN.fullmatch(one))
