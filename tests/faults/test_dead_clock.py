"""A distributor whose clock is late on release night: few probes, no order before a person, every sale in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.flow.harness import Daemon, Engine, Sandbox, running_sandbox, wait_until
from tests.flow.story import Story

RELEASE_IN_SECONDS = 15.0
LATE_SECONDS = 8.0
ORDERS = 200

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The stub distributors."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=400) as running:
        yield running


def test_a_late_clock_costs_probes_and_no_sale(sandbox: Sandbox, tmp_path: Path) -> None:
    """Until the distributor sells, each title and market is asked for by one probe at a time, and no sale is tried."""
    engine = Engine(sandbox.settings, tmp_path / "engine")
    engine.configure(schedule="6h")
    story = Story(sandbox, SEED, orders=ORDERS)
    with Daemon(engine) as daemon:
        wait_until(lambda: "pass ended" in daemon.new_log(), "the first pass ends", tail=daemon.tail)
        engine.run("orders", "import", str(story.write_orders(tmp_path / "orders.csv")))
        engine.wait_for_rest(daemon.tail)
        story.bring_release(RELEASE_IN_SECONDS)
        story.postpone()
        sandbox.set_faults(settings={"dead_clock": {"*": LATE_SECONDS}})
        engine.run("resync", "--delta")
        before = sandbox.last_call()
        wait_until(story.is_released, "the release passes")
        engine.wait_for_rest(daemon.tail)
        calls = sandbox.calls(since=before)
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        story.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
    assert [] == [call for call in calls if call["endpoint"] == "sale" and call["word"] == "cannot_sell"]
    probes = Counter((call["path"], call["query"]) for call in calls if call["word"] == "cannot_sell")
    assert probes
    assert max(probes.values()) <= 3, f"a title was asked for {max(probes.values())} times in {LATE_SECONDS:g} s"
    story.check(engine)
