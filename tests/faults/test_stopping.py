"""Stopped and started again with calls under way: what was sent is settled, what was not is sent, and every command ends."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.flow.harness import Daemon, Engine, Sandbox, running_sandbox, wait_until
from tests.flow.story import Story

IN_DOUBT = "looked up first"
SLOW_SECONDS = 2.0

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The stub distributors."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=400) as running:
        yield running


@pytest.fixture
def engine(sandbox: Sandbox, tmp_path: Path) -> Engine:
    """An engine to which no feed comes unasked, its catalogue read."""
    made = Engine(sandbox.settings, tmp_path / "engine")
    made.configure(schedule="6h")
    made.run("resync")
    return made


@pytest.fixture
def story(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> Story:
    """Thirty orders for titles on sale, taken and not yet delivered."""
    return _order(sandbox, engine, tmp_path, 30)


def test_sigterm_lets_calls_in_flight_end(sandbox: Sandbox, engine: Engine, story: Story) -> None:
    """The daemon waits for slow answers, starts no further call, and leaves nothing in doubt."""
    sandbox.set_faults(sale={"delay_after": {"seconds": SLOW_SECONDS}})
    with Daemon(engine) as daemon:
        wait_until(lambda: sandbox.ledger("sale"), "a sale is made", tail=daemon.tail)
        began = time.monotonic()
        assert 0 == daemon.terminate(), daemon.tail()
        assert time.monotonic() - began < SLOW_SECONDS + 10
        delivery = engine.status()["delivery"]
        assert (0, 0) == (delivery["sent"], delivery["unknown"])
        assert 0 < len(sandbox.ledger("sale")) < len(story.orders)
        sandbox.clear_faults()
        daemon.start()
        assert IN_DOUBT not in daemon.new_log()
        engine.wait_for_rest(daemon.tail)
    story.check(engine)


def test_sigterm_during_a_crawl_loses_no_page(sandbox: Sandbox, tmp_path: Path) -> None:
    """The first pass is stopped after a page and goes on there."""
    engine = Engine(sandbox.settings, tmp_path / "engine")
    engine.configure(schedule="6h")
    sandbox.set_faults(full={"delay_before": {"seconds": 0.5}})
    with Daemon(engine) as daemon:
        wait_until(lambda: _pages(sandbox) >= 3, "some pages are read", tail=daemon.tail)
        assert 0 == daemon.terminate(), daemon.tail()
        sandbox.clear_faults()
        daemon.start()
        wait_until(lambda: "pass ended" in daemon.new_log(), "the pass ends", tail=daemon.tail)
    first_pages = [row for row in sandbox.calls() if row["endpoint"] == "full" and "start=" not in row["query"]]
    assert 1 == len(first_pages)
    [report] = [report for report in engine.status()["passes"] if report["mode"] == "full"]
    assert (True, len({row["isbn"] for row in sandbox.titles()})) <= (report["complete"], report["records"])


def test_a_pass_ends_while_the_distributor_takes_no_calls(sandbox: Sandbox, engine: Engine, story: Story) -> None:
    """Calls that rest are left for the next time; once it is back, nothing was lost or doubled."""
    sandbox.set_faults(sale={"drop_before": True})
    answer = engine.ask("resync", "--delta", codes=(4,))
    assert answer["delivery"]["pending"] > 0
    assert "takes no calls" in answer["errors"][0]["message"]
    assert [] == sandbox.ledger("sale")
    sandbox.clear_faults()
    with Daemon(engine) as daemon:
        engine.wait_for_rest(daemon.tail)
    story.check(engine)


def test_a_pass_settles_what_a_kill_left_in_doubt(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Killed before the distributor took the calls: they are looked up, found absent and sent again before the pass ends."""
    story = _order(sandbox, engine, tmp_path, 4)
    slow = {"delay_before": {"seconds": SLOW_SECONDS}}
    sandbox.set_faults(sale={"drop_before": 4, **slow}, lookup=slow)
    with engine.start("resync", "--delta") as process:
        wait_until(lambda: sandbox.faults_fired()["sale delay_before"] == 4, "calls are under way", tail=process.tail)
        process.kill()
    wait_until(lambda: sandbox.faults_fired()["sale drop_before"] == 4, "they are gone")
    assert 0 == engine.ask("resync", "--delta")["delivery"]["pending"]
    story.check(engine)


def _order(sandbox: Sandbox, engine: Engine, tmp_path: Path, count: int) -> Story:
    story = Story(sandbox, SEED, orders=100)
    story.buy_at_once(count)
    engine.run("orders", "import", str(story.write_orders(tmp_path / "orders.csv")))
    return story


def _pages(sandbox: Sandbox) -> int:
    return len([row for row in sandbox.calls() if row["endpoint"] == "full"])
