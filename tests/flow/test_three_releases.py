"""Three distributors in one store, a release crossed at each: every ledger is what its own stub's titles and the orders make of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.flow.harness import FULL, Daemon, Engine, Sandbox, running_sandbox, wait_until
from tests.flow.season import DISTRIBUTORS, Season

TITLES, ORDERS = (3000, 1000) if FULL else (400, 80)
"""Of each distributor."""
RELEASE_IN_SECONDS = 60.0 if FULL else 15.0
"""Long enough for two deltas on a busy machine."""

pytestmark = pytest.mark.timeout(1200 if FULL else 300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """All stubs, with a seed that is shown."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=TITLES, only=DISTRIBUTORS) as running:
        yield running


def test_orders_of_three_distributors_cross_their_releases(sandbox: Sandbox, tmp_path: Path) -> None:
    """A full pass and orders by commands; the release, its deltas and the sales by a daemon; a last pass finds nothing to sell."""
    engine = Engine(sandbox.settings, tmp_path / "engine")
    engine.configure(schedule="6h")
    season = Season(sandbox, SEED, orders=ORDERS)
    passes = engine.ask("resync")["passes"]
    assert set(DISTRIBUTORS) == {each["source"] for each in passes}
    assert all(each["complete"] for each in passes)
    orders = season.write_orders(tmp_path / "orders.csv")
    assert 3 * ORDERS == engine.ask("orders", "import", str(orders))["added"]
    assert 0 == engine.ask("orders", "import", str(orders))["added"]

    with Daemon(engine) as daemon:
        engine.wait_for_rest(daemon.tail)
        sold_before = _sold(sandbox)
        release_at = season.bring_release(RELEASE_IN_SECONDS)
        engine.run("resync", "--delta")
        season.postpone()
        engine.run("resync", "--delta")
        assert datetime.now(UTC) < release_at, (
            "this machine is too slow: the release came before its last delta had ended"
        )
        wait_until(season.is_released, "the releases pass")
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        sold = _sold(sandbox)
        assert [] == [name for name in DISTRIBUTORS if sold[name] <= sold_before[name]]
        season.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
        assert 0 == daemon.terminate(), daemon.tail()
    assert frozenset() == season.judge(engine)
    sold = _sold(sandbox)
    engine.run("resync")
    assert sold == _sold(sandbox)


def _sold(sandbox: Sandbox) -> dict[str, int]:
    """How much each distributor has sold."""
    return {name: len(sandbox.of(name).ledger("sale")) for name in DISTRIBUTORS}
