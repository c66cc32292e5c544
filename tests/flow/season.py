"""One shop that sells for three distributors: one file of orders, a release at each of them, one verdict."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from tests.flow.expectation import COLUMNS, Order
from tests.flow.harness import Engine, Row, Sandbox
from tests.flow.market_story import BokbasenStory, CbStory
from tests.flow.story import Story

DISTRIBUTORS = ("demarque", "cb", "bokbasen")


class Season:
    """The three stories told at once; `orders` for each of them."""

    def __init__(self, sandbox: Sandbox, seed: int, *, orders: int) -> None:
        self.demarque = Story(sandbox.of("demarque"), seed, orders=orders)
        self.others = (CbStory(sandbox, seed, orders=orders), BokbasenStory(sandbox, seed, orders=orders))

    @property
    def stories(self) -> Sequence[Story | CbStory | BokbasenStory]:
        """Each of them."""
        return (self.demarque, *self.others)

    @property
    def orders(self) -> list[Order]:
        """All orders, those of the three distributors by turns."""
        return [order for three in zip(*(story.orders for story in self.stories), strict=True) for order in three]

    def write_orders(self, path: Path) -> Path:
        """The orders file."""
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(asdict(order) for order in self.orders)
        return path

    def bring_release(self, in_seconds: float) -> datetime:
        """All fix their release; returns the instant of the last."""
        return max(story.bring_release(in_seconds) for story in self.stories)

    def postpone(self) -> None:
        """At each of them one release is put off."""
        for story in self.stories:
            story.postpone()

    def is_released(self) -> bool:
        """Whether all stubs sell what is released."""
        return all(story.is_released() for story in self.stories)

    def confirm_payments(self, engine: Engine) -> None:
        """The shop confirms what was asked for."""
        payable = engine.orders("PAYABLE")
        if wanted := [order_id for story in self.stories for order_id in story.to_confirm(payable)]:
            engine.run("orders", "confirm", *wanted)

    def judge(self, engine: Engine) -> frozenset[str]:
        """Every ledger is what it must be, and the register says the same; returns the orders in doubt, which all stand parked."""
        register: Sequence[Row] = engine.orders()
        self.demarque.judge(register)
        in_doubt = frozenset[str]().union(*(story.judge(register) for story in self.others))
        delivery = engine.status()["delivery"]
        owed = {state: count for state, count in delivery.items() if count and state != "settled"}
        assert ({"parked": len(in_doubt)} if in_doubt else {}) == owed
        return in_doubt
