"""The demonstration as a newcomer starts it: a whole day at every stub distributor, by a real process."""

from __future__ import annotations

import io
import json
import random
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.sandbox.demo import _Day
from run import make_sandbox
from tests.flow.harness import Engine, Process, Row, wait_until

LABELS = {"demarque": "De Marque", "cb": "CB", "bokbasen": "Bokbasen"}
INTERRUPTED = 130
OUT_OF_REACH = 4

pytestmark = pytest.mark.timeout(300)


def start(directory: Path, name: str = "demo") -> Process:
    return Process(arguments=["demo", "--titles", "200"], directory=directory, name=name)


def test_a_day_at_all_distributors_ends_with_register_and_ledgers_in_agreement(tmp_path):
    """Judged anew by the ledger's file and the store that the day leaves behind."""
    with start(tmp_path) as demo:
        assert 0 == demo.wait(), f"{demo.output()}\n{demo.tail()}"
    said = demo.output()
    assert "Register and ledgers agree." in said
    assert all(label in said for label in LABELS.values())
    assert "" == demo.log()

    folder = tmp_path / "var" / "demo"
    ledger: list[Row] = [json.loads(line) for line in (folder / "ledger.ndjson").read_text().splitlines()]
    orders = Engine(folder / "syncengine.toml", tmp_path / "engine").orders()
    sold = {(order["source"], order["reference"]) for order in orders if order["state"] in {"PLACED", "REFUNDED"}}
    sales = [(row["distributor"], row["reference"]) for row in ledger if row["kind"] == "sale"]
    assert sold == set(sales)
    assert len(sold) == len(sales)
    assert LABELS.keys() == {source for source, _ in sold}

    kinds = Counter((row["distributor"], row["kind"]) for row in ledger)
    assert {"demarque"} == {name for name, kind in kinds if kind == "preorder"}, "only De Marque is told of preorders"
    assert [("demarque", 1)] == [(name, count) for (name, kind), count in kinds.items() if kind == "refund"]
    assert {"WAITING", "PLACED", "REFUSED", "ATTENTION"} <= {order["state"] for order in orders}
    assert [] == [order for order in orders if order["state"] in {"RECEIVED", "DECLARING", "PLACING", "REFUNDING"}]


def test_a_day_that_is_interrupted_ends_in_good_order(tmp_path):
    """It says so and leaves with the code for it, and the next day begins anew in the same folder."""
    with start(tmp_path) as demo:
        wait_until(lambda: "Customers come" in demo.output(), "customers come", tail=demo.tail)
        with start(tmp_path, "other") as other:
            assert OUT_OF_REACH == other.wait(), "another demo would throw away what this one uses"
        assert "owned by another process" in other.log()
        demo.popen.send_signal(signal.SIGINT)
        assert INTERRUPTED == demo.wait()
    assert "the next one begins anew" in demo.log()
    assert "Traceback" not in demo.log()
    assert "Register and ledgers" not in demo.output()
    with start(tmp_path) as again:
        wait_until(lambda: "Customers come" in again.output(), "customers come again", tail=again.tail)
        again.popen.send_signal(signal.SIGTERM)
        assert INTERRUPTED == again.wait()


async def test_an_evening_on_which_a_ledger_lacks_a_sale_is_told_and_does_not_pass(tmp_path):
    """The day's verdict is the comparison's, for every distributor by itself."""
    order = {
        "order_id": "cb-001",
        "source": "cb",
        "reference": "shop-cb-001",
        "isbn": "9780306406157",
        "state": "PLACED",
        "reason": None,
        "note": "",
        "amount": "9.99",
        "agreed_price": "9.99",
        "payment": "paid",
        "price_rule": "not_above_agreed",
    }

    async def perform(command: str, arguments: dict[str, Any]) -> dict[str, Any]:
        assert "orders_list" == command
        return {"orders": [order] if arguments["source"] == "cb" else []}

    sandbox, written = make_sandbox(1, 200, tmp_path), io.StringIO()
    day = _Day(sandbox, perform, sandbox.clock, Console(file=written, width=160), random.Random(1))
    assert not await day.evening()
    said = written.getvalue()
    assert "cb: order cb-001 is sold by the register, and not by the ledger" in said
    assert "DISAGREE" in said
    [verdict] = [line.split() for line in said.splitlines() if line.startswith("they agree")]
    assert ["they", "agree", "yes", "yes", "NO"] == verdict
