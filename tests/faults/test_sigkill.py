"""Killed at any moment and started again: the distributor's ledger is what it would have been, nothing lost, nothing doubled."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEED
from tests.faults.killer import KILLS, Killer
from tests.flow.harness import (
    FULL,
    Daemon,
    Engine,
    Sandbox,
    rate_violations,
    running_sandbox,
    wait_until,
)
from tests.flow.story import Story

TITLES, ORDERS = (3000, 2000) if FULL else (400, 200)
SALES_PER_SECOND = 25 if FULL else 10
"""Slow enough that the kills of the release find sales under way."""
SHARES = {"crawl": 1, "import": 1, "placing": 1, "delta": 1, "release": 2}
"""How the kills are spread over the run."""
RELEASE_IN_SECONDS = 12.0
EAGER = timedelta(seconds=1)
"""How long before the release its kills begin."""

pytestmark = pytest.mark.timeout(1800 if FULL or KILLS > 10 else 300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The stub distributors, which outlive the engine."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=TITLES) as running:
        yield running


@pytest.fixture
def engine(sandbox: Sandbox, tmp_path: Path) -> Engine:
    """An engine to which no feed comes unasked, and which sells slowly."""
    made = Engine(sandbox.settings, tmp_path / "engine")
    made.configure(schedule="6h", limits={"sale": f"{SALES_PER_SECOND}/s burst 5"})
    return made


def test_kills_at_random_moments_lose_and_double_nothing(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Full crawl, import, placing, delta and release, each with its kills; then the ledger is the expected one."""
    story = Story(sandbox, SEED, orders=ORDERS)
    orders = str(story.write_orders(tmp_path / "orders.csv"))
    sandbox.set_faults(**_SLOWNESS)
    with Daemon(engine) as daemon:
        killer = Killer(daemon, engine, SHARES)
        killer.strike("crawl")
        engine.wait_for_first_passes(daemon.tail)
        killer.strike_during("import", "orders", "import", orders)
        engine.run("orders", "import", orders)
        killer.strike("placing")
        engine.wait_for_rest(daemon.tail)
        release_at = story.bring_release(RELEASE_IN_SECONDS)
        story.postpone()
        killer.strike_during("delta", "resync", "--delta")
        engine.run("resync", "--delta")
        wait_until(lambda: datetime.now(UTC) >= release_at - EAGER, "the release is near")
        killer.strike("release")
        engine.wait_for_rest(daemon.tail)
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        story.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
    killer.account()
    story.check(engine)
    sales = [row for row in sandbox.calls() if row["endpoint"] == "sale"]
    assert [] == rate_violations(sales, engine.rates()["sale"], in_flight=engine.concurrency * 2)


def test_a_faulty_distributor_loses_and_doubles_nothing(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Errors and broken connections after the effect, refusals of the rate and delays leave the same ledger."""
    engine.configure(limits={"sale": "50/s burst 5"})
    story = Story(sandbox, SEED, orders=ORDERS)
    with Daemon(engine) as daemon:
        engine.wait_for_first_passes(daemon.tail)
        sandbox.set_faults(**_FAULTS)
        engine.run("orders", "import", str(story.write_orders(tmp_path / "orders.csv")))
        engine.wait_for_rest(daemon.tail)
        story.bring_release(RELEASE_IN_SECONDS)
        story.postpone()
        engine.run("resync", "--delta")
        wait_until(story.is_released, "the release passes")
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        story.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
        fired = sandbox.faults_fired()
    print(f"faults that struck: {fired}")
    assert all(fired.values()), fired
    story.check(engine)


_SLOW: Mapping[str, Any] = {
    "delay_before": {"probability": 0.5, "seconds": 0.4},
    "delay_after": {"probability": 0.5, "seconds": 0.4},
}
_SLOWNESS: Mapping[str, Mapping[str, Any]] = {
    "sale": _SLOW,
    "preorder": _SLOW,
    "simulate": _SLOW,
    "full": {"delay_before": {"seconds": 0.2}},
    "delta": {"delay_before": {"seconds": 0.2}},
}
"""So slow that nearly every kill finds calls in flight, before their effect or after it."""


def _often(count: int, **how: Any) -> Mapping[str, Any]:
    """A fault that strikes one call in ten until it has struck so often; hardly ever so many in a row that calls rest."""
    return {"probability": 0.1, "count": count, **how}


_FAULTS: Mapping[str, Mapping[str, Any]] = {
    "sale": {
        "error_after": _often(6),
        "drop_after": _often(6),
        "error_before": _often(3),
        "drop_before": _often(3),
        "torn": _often(3),
        "garbage": _often(3),
        "throttle": _often(2, retry_after="1"),
        "delay_after": _often(20, seconds=0.5),
    },
    "preorder": {"error_after": _often(4), "drop_after": _often(4), "delay_before": _often(10, seconds=0.3)},
    "simulate": {"drop_before": _often(3, probability=0.2), "delay_before": _often(10, seconds=0.3)},
    "lookup": {"drop_after": {"count": 1, "skip": 3}, "error_before": {"count": 1, "skip": 6}},
}
