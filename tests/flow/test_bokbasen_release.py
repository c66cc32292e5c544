"""Bokbasen by real processes: orders held while a title is unpublished, placed once it is; the distributor's ledger is the judge."""

from __future__ import annotations

import csv
import json
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEED
from tests.flow.harness import PATIENCE, Engine, Row, Sandbox, running_sandbox, wait_until

TITLES = 120
HOUR, SOON = 3600.0, 3.0
"""Seconds to the release: first long enough for everything before it however busy the machine is, then short."""
HELD = frozenset({"PREORDER"})
CONSUMER = "5f0c7e0e-3c7e-4a5e-8d54-1c2f5b6a7d80"

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A row of an orders file; what it must come to is told by the stub's titles alone."""

    order_id: str
    isbn: str
    format: str = "epub"
    source: str = "bokbasen"
    market: str = "NO/NOK"
    customer_id: str = "reader"
    agreed_price: str = ""
    price_rule: str = ""
    first_name: str = "Kari"
    last_name: str = "Nordmann"
    consumer_id: str = ""


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """Bokbasen's stub, with a seed that is shown, in its strict modes."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=TITLES, only=("bokbasen",)) as running:
        steer(running, "faults", {"bokbasen": {"settings": {"strict_resid": True}}})
        yield running


@pytest.fixture
def engine(sandbox: Sandbox, tmp_path: Path) -> Engine:
    """An engine over the sandbox's settings, to which no feed comes unasked."""
    made = Engine(sandbox.settings, tmp_path / "engine")
    made.configure(schedule="6h")
    return made


def steer(sandbox: Sandbox, path: str, document: object = None) -> Any:
    """What the stub's steering routes answer."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(f"{sandbox.url}/_sandbox/{path}", data=body)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read())


def scenarios(sandbox: Sandbox) -> Mapping[str, str]:
    found: Mapping[str, str] = steer(sandbox, "scenarios")["bokbasen"]
    return found


def truth(sandbox: Sandbox) -> Mapping[str, Row]:
    """The stub's titles now, by ISBN."""
    return {row["isbn"]: row for row in sandbox.titles()}


def write(path: Path, orders: Sequence[Order]) -> str:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [column.name for column in fields(Order)])
        writer.writeheader()
        writer.writerows(map(asdict, orders))
    return str(path)


def sold(order: Order, before: Row, after: Row) -> tuple[str, str, str | None] | None:
    """ISBN, amount and buyer of the sale that an order must come to, or none: told by the rules of the design alone."""
    lock = before["state"] in {"FOR_SALE", *HELD} and len(order.first_name) < 2
    row = before if before["state"] == "FOR_SALE" else after
    if lock or before["state"] not in {"FOR_SALE", *HELD} or row["state"] != "FOR_SALE":
        return None
    agreed = Decimal(order.agreed_price or before["price"])
    if order.price_rule == "current":
        return order.isbn, row["price"], order.consumer_id or None
    return (order.isbn, f"{agreed:.2f}", order.consumer_id or None) if Decimal(row["price"]) <= agreed else None


def placed(sandbox: Sandbox) -> dict[str, tuple[str, str, str | None]]:
    """The same of every sale in the ledger, by order id; an order that was sold twice fails."""
    found: dict[str, tuple[str, str, str | None]] = {}
    for row in sandbox.ledger("sale"):
        order_id = row["reference"].partition("-")[2]
        assert order_id not in found, f"order {order_id} was sold twice"
        assert ("NO", "NOK") == (row["country"], row["currency"])
        found[order_id] = (row["isbn"], row["amount"], row["customer_id"])
    return found


def make_orders(known: Mapping[str, str], released: Sequence[str], before: Mapping[str, Row]) -> list[Order]:
    """Orders of every kind for titles on sale, titles to be released, and titles that must not be sold."""
    orders: list[Order] = []

    def add(isbn: str, **facts: str) -> None:
        form = before[isbn]["format"] if isbn in before else "epub"
        orders.append(Order(order_id=f"B{len(orders):03}", isbn=isbn, format=form, **facts))

    for isbn in released:
        for number in range(5):
            add(isbn, customer_id=f"reader-{number}", consumer_id=CONSUMER if number == 2 else "")
        add(isbn, agreed_price="999.00")
        add(isbn, agreed_price="1.00")
        add(isbn, agreed_price="1.00", price_rule="current")
        add(isbn, first_name="")
    for name in (
        "row_12_on_sale",
        "pdf",
        "ebp",
        "audio",
        "adobe",
        "lcp",
        "second_version",
        "row_6_own_outlet",
        "fixed_price",
    ):
        add(known[name])
        add(known[name], agreed_price="500.00", consumer_id=CONSUMER)
    for name, isbn in known.items():
        if name.startswith("row_") and (
            isbn not in before or before[isbn]["state"] not in {"FOR_SALE", *HELD, "ANNOUNCED"}
        ):
            add(isbn)
    add(known["row_14_preorder"])
    add(known["row_15_late"])
    add(known["row_8_postponed"])
    return orders


def test_orders_wait_for_publication_and_are_placed_once(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Whole load, orders, a release crossed, a delta: the ledger is what the stub's titles and the orders make of it."""
    known = scenarios(sandbox)
    chosen = [
        row["isbn"]
        for row in sandbox.titles()
        if row["state"] in {"PREORDER", "FOR_SALE"} and row["format"] == "epub" and row["isbn"] not in known.values()
    ]
    released, cheaper, replaced, cancelled = chosen[:5], chosen[0], chosen[1], chosen[5]
    sandbox.edit(
        [{"isbn": isbn, "price": "249.00", "protection": ["02"], "release_at": {"in_seconds": HOUR}, "state": "PREORDER"} for isbn in chosen[:6]]
    )  # fmt: skip
    passes = engine.ask("resync")["passes"]
    assert [("metadata", "full", True), ("inventory", "full", True)] == [
        (one["stream"], one["mode"], one["complete"]) for one in passes
    ]

    before = truth(sandbox)
    orders = make_orders(known, released, before)
    doomed = Order(order_id="DOOMED", isbn=cancelled)
    engine.run("orders", "import", write(tmp_path / "orders.csv", [*orders, doomed]))
    engine.run("orders", "cancel", "DOOMED")
    engine.ask("resync")
    on_sale = {
        order.order_id: sale
        for order in orders
        if before.get(order.isbn, {"state": ""})["state"] == "FOR_SALE"
        and (sale := sold(order, before[order.isbn], before[order.isbn]))
    }
    assert on_sale == placed(sandbox), "what is on sale is placed at once, and nothing else"
    waiting = {order["isbn"] for order in engine.orders("WAITING")}
    assert {*released, known["row_14_preorder"]} == waiting

    sandbox.edit([{"isbn": cheaper, "price": "199.00"}, {"isbn": replaced, "new_version": True}])
    crossed = sandbox.edit([{"isbn": isbn, "release_at": {"in_seconds": SOON}} for isbn in released])
    release_at = max(datetime.fromisoformat(row["release_at"]) for row in crossed)
    wait_until(lambda: datetime.now(UTC) > release_at, "the titles are published")
    after = truth(sandbox)
    assert {"FOR_SALE"} == {after[isbn]["state"] for isbn in released}
    passes = engine.ask("resync")["passes"]
    assert ["delta", "delta"] == [one["mode"] for one in passes]
    assert passes[0]["records"] < 20

    expected = {
        order.order_id: sale
        for order in orders
        if order.isbn in before and (sale := sold(order, before[order.isbn], after[order.isbn]))
    }
    assert expected == placed(sandbox)
    assert 5 * 7 < len(expected)
    assert {(cheaper, "249.00"), (cheaper, "999.00"), (cheaper, "199.00")} == {
        sale[:2] for sale in expected.values() if sale[0] == cheaper
    }, "who has paid is reported as he paid, who takes the current price as it is now"
    reasons = {order["order_id"]: order["reason"] for order in engine.orders("REFUSED", "ATTENTION")}
    assert {"NAMES_MISSING", "PRICE_ABOVE_AGREED", "UNAVAILABLE", "WITHDRAWN"} <= set(reasons.values())
    assert known["row_14_preorder"] in {order["isbn"] for order in engine.orders("WAITING")}

    engine.ask("resync")
    assert expected == placed(sandbox), "another pass sells nothing again"


def test_a_lost_answer_goes_to_a_person_and_is_never_sold_twice(sandbox: Sandbox, engine: Engine) -> None:
    """The contract's choice for an order that cannot be read back: it is parked, and said to be placed by a person."""
    isbn = scenarios(sandbox)["row_12_on_sale"]
    engine.ask("resync")
    steer(sandbox, "faults", {"bokbasen": {"sale": {"drop_after": 1}}})
    engine.run("orders", "add", "--source", "bokbasen", "--isbn", isbn, "--format", "epub", "--market", "NO/NOK",
               "--customer-id", "reader", "--order-id", "L1", "--first-name", "Kari", "--last-name", "Nordmann")  # fmt: skip
    engine.ask("resync")
    (order,) = engine.orders("ATTENTION")
    assert ("L1", "OUTCOME_UNKNOWN") == (order["order_id"], order["reason"])
    assert 1 == len(placed(sandbox))
    engine.run("orders", "resolve", "L1", "--placed", sandbox.ledger("sale")[0]["response"].rpartition("/")[2])
    link = engine.ask("orders", "link", "L1")["url"]
    with urllib.request.urlopen(link, timeout=PATIENCE) as answer:
        assert answer.read().startswith(b"file of ")
    engine.ask("resync")
    assert 1 == len(placed(sandbox))

    engine.run("orders", "refund", "L1")
    engine.ask("resync")
    (order,) = engine.orders("PLACED")
    assert ("L1", "REFUND_REFUSED") == (order["order_id"], order["reason"]), "a placed order is final"


def test_the_sandbox_starts_it_beside_the_others(tmp_path: Path) -> None:
    with running_sandbox(tmp_path, seed=SEED, titles=60, only=()) as sandbox:
        said = json.loads(sandbox.process.output())
        assert f"{said['url']}/bokbasen" == said["bokbasen"]
        assert f"{said['url']}/demarque/api" == said["demarque"]
        engine = Engine(sandbox.settings, tmp_path / "engine")
        passes = engine.ask("resync", "bokbasen", "demarque")["passes"]
        assert {("bokbasen", "metadata"), ("bokbasen", "inventory"), ("demarque", "publications")} == {
            (one["source"], one["stream"]) for one in passes
        }
        sandbox.edit([{"isbn": "9782000000006", "price": "9.99"}])
        assert {"demarque"} == {row["distributor"] for row in sandbox.titles() if row["isbn"] == "9782000000006"}


def test_a_stub_that_does_not_exist(tmp_path: Path) -> None:
    engine = Engine(tmp_path / "none.toml", tmp_path)
    with engine.start("sandbox", "--dir", str(tmp_path), "--only", "nobody") as process:
        assert 2 == process.wait()
        assert "there is no stub of nobody" in process.log()
