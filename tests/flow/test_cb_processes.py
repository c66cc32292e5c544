"""CB by real processes: the sandbox beside the others, its settings as written, announced titles bought when they are out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flow.harness import Engine, Sandbox, running_sandbox

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The CB stub alone."""
    with running_sandbox(tmp_path, seed=3, titles=240, only=("cb",)) as running:
        yield running


def test_announced_titles_are_bought_once_they_are_out(sandbox: Sandbox, tmp_path: Path) -> None:
    """By the commands of an operator, with an orders file; the ledger has exactly the orders of what was released."""
    engine = Engine(sandbox.settings, tmp_path / "engine")
    engine.configure(schedule="6h")
    passes = {each["stream"]: each for each in engine.ask("resync")["passes"]}
    assert {"luisterhuis", "agreement", "articles", "inventory"} == passes.keys()
    assert all(each["complete"] for each in passes.values())

    odd = set(sandbox.scenarios().values())
    truth = [row for row in sandbox.titles() if row["isbn"] not in odd]
    announced = [row for row in truth if row["state"] == "ANNOUNCED"][:8]
    sold = [row for row in truth if row["state"] == "FOR_SALE"][:8]
    orders = tmp_path / "orders.csv"
    wishes = [
        f"O{number},cb,{row['isbn']},{row['format']},NL/EUR,C{number}" for number, row in enumerate([*sold, *announced])
    ]
    orders.write_text("order_id,source,isbn,format,market,customer_id\n" + "\n".join(wishes) + "\n")
    assert len(wishes) == engine.ask("orders", "import", str(orders))["added"]
    engine.run("resync", "--delta")
    assert sorted(row["isbn"] for row in sold) == sorted(row["isbn"] for row in sandbox.ledger("sale"))

    released = announced[:5]
    sandbox.edit([{"isbn": row["isbn"], "state": "FOR_SALE"} for row in released])
    engine.run("resync", "--delta")
    assert sorted(row["isbn"] for row in [*sold, *released]) == sorted(row["isbn"] for row in sandbox.ledger("sale"))
    states = {order["order_id"]: order["state"] for order in engine.orders()}
    assert 16 == len(wishes)
    assert ["PLACED"] * 13 + ["WAITING"] * 3 == [states[f"O{number}"] for number in range(16)]
    placed = next(order for order in engine.orders("PLACED"))
    link = engine.ask("orders", "link", placed["order_id"])["url"]
    assert link.startswith("https://")
    assert link not in engine.run("orders", "show", placed["order_id"])
