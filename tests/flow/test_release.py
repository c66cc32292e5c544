"""The main job by real processes: catalogue, orders, changes, a release crossed; the distributor's ledger is the judge."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import SEED
from tests.flow.expectation import differences, expect
from tests.flow.harness import (
    FULL,
    Daemon,
    Engine,
    Row,
    Sandbox,
    arrived_at,
    rate_violations,
    running_sandbox,
    wait_until,
)
from tests.flow.story import MARKETS, Story

TITLES, ORDERS = (3000, 2000) if FULL else (400, 300)
RELEASE_IN_SECONDS = 60.0 if FULL else 25.0
"""Long enough for two deltas on a busy machine."""
FIRST_CALL_SECONDS = 2.0
FEEDS = frozenset({"full", "delta", "publication"})

pytestmark = pytest.mark.timeout(1200 if FULL else 300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """The stub distributors, with a seed that is shown."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=TITLES) as running:
        yield running


@pytest.fixture
def engine(sandbox: Sandbox, tmp_path: Path) -> Engine:
    """An engine over the sandbox's settings, to which no feed comes unasked."""
    made = Engine(sandbox.settings, tmp_path / "engine")
    made.configure(schedule="6h")
    return made


def test_one_shot_passes_turn_preorders_into_sales(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Full pass, orders, delta, release: passes before and after it leave exactly the right ledger."""
    story = Story(sandbox, SEED, orders=ORDERS)
    [full] = engine.ask("resync")["passes"]
    assert ("full", True, len({row["isbn"] for row in sandbox.titles()})) <= (
        full["mode"],
        full["complete"],
        full["records"],
    )
    orders = story.write_orders(tmp_path / "orders.csv")
    assert ORDERS == engine.ask("orders", "import", str(orders))["added"]
    assert 0 == engine.ask("orders", "import", str(orders))["added"]
    engine.run("resync", "--delta")
    release_at = story.bring_release(RELEASE_IN_SECONDS)
    engine.run("resync")
    story.postpone()
    engine.run("resync", "--delta")
    assert datetime.now(UTC) < release_at, "this machine is too slow: the release came before its last delta had ended"
    sold_before = len(sandbox.ledger("sale"))
    wait_until(story.is_released, "the release passes")
    engine.run("resync")
    assert len(sandbox.ledger("sale")) > sold_before
    story.confirm_payments(engine)
    engine.run("resync")
    story.check(engine)


def test_daemon_sells_a_release_by_the_clock_alone(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Between the last feed and the last sale nothing is read; the first call is in time; the rate holds; SIGTERM drains."""
    engine.configure(schedule="6h", limits={"sale": "25/s burst 5"})
    story = Story(sandbox, SEED, orders=ORDERS)
    with Daemon(engine) as daemon:
        wait_until(lambda: "pass ended" in daemon.new_log(), "the first pass ends", tail=daemon.tail)
        assert ORDERS == engine.ask("orders", "import", str(story.write_orders(tmp_path / "orders.csv")))["added"]
        engine.wait_for_rest(daemon.tail)
        release_at = story.bring_release(RELEASE_IN_SECONDS)
        engine.run("resync", "--delta")
        story.postpone()
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        assert datetime.now(UTC) < release_at, (
            "this machine is too slow: the release came before its last delta had ended"
        )
        sold_before, last_call = len(sandbox.ledger("sale")), sandbox.last_call()
        wait_until(lambda: len(sandbox.ledger("sale")) > sold_before + 10, "sales are made", tail=daemon.tail)
        _drains(daemon)
        daemon.start()
        assert "looked up first" not in daemon.new_log(), f"a call was cut off\n{daemon.tail()}"
        engine.wait_for_rest(daemon.tail)
        _judge_release(sandbox.calls(since=last_call), engine, story, release_at)
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        story.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
        _drains(daemon)
    story.check(engine)


def test_commands_work_beside_a_daemon(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """What an operator types reaches the daemon that owns the store, and does there what it does without one."""
    story = Story(sandbox, SEED, orders=80)
    with Daemon(engine) as daemon:
        wait_until(lambda: "pass ended" in daemon.new_log(), "the first pass ends", tail=daemon.tail)
        row = story.truth.titles[story.cast.on_sale[0], MARKETS[0]]
        [offer] = engine.ask("offer", row["isbn"], "--market", MARKETS[0])["offers"]
        assert ("FOR_SALE", row["price"]) == (offer["state"], offer["price"]["amount"])

        assert {"demarque"} == engine.ask("pause", "demarque", "--reason", "stocktaking")["paused"].keys()
        assert 80 == engine.ask("orders", "import", str(story.write_orders(tmp_path / "orders.csv")))["added"]
        status = engine.status()
        assert {"demarque": "stocktaking"} == status["paused"]
        assert status["delivery"]["pending"] > 0
        assert [] == sandbox.ledger()
        assert {} == engine.ask("resume", "demarque")["paused"]
        status = engine.wait_for_rest(daemon.tail)
        assert status["orders"]["PLACED"] == len(sandbox.ledger("sale")) > 0
        assert 80 == len(engine.orders())
        assert status["orders"]["REFUSED"] == len(engine.orders("REFUSED")) > 0

        sandbox.edit([{"isbn": isbn, "price": "77.00"} for isbn in story.cast.on_sale[:3]])
        lines = [json.loads(line) for line in engine.run("changes").splitlines()]
        [delta] = engine.ask("resync", "--delta", "demarque")["passes"]
        assert ("delta", True, 3) == (delta["mode"], delta["complete"], delta["changed"])
        new = [json.loads(line) for line in engine.run("changes", "--since", str(lines[-1]["seq"])).splitlines()]
        assert set(story.cast.on_sale[:3]) == {line["isbn"] for line in new}
        assert sorted(line["seq"] for line in new) == [line["seq"] for line in new]

        copy = tmp_path / "copy.db"
        engine.run("backup", str(copy))
        assert 80 == _count_orders(copy)
        assert daemon.process.is_running, daemon.tail()
        _drains(daemon)
    assert differences(expect(story.orders, story.truth, story.truth, paid=()), sandbox.ledger()) == []


# --- parts --------------------------------------------------------------------------------------------------------------


def _drains(daemon: Daemon) -> None:
    assert 0 == daemon.terminate(), daemon.tail()


def _judge_release(calls: Sequence[Row], engine: Engine, story: Story, release_at: datetime) -> None:
    """No feed, the first call in time and none early, and no rate exceeded."""
    assert [] == [row for row in calls if row["endpoint"] in FEEDS and arrived_at(row) >= release_at.timestamp()]
    timed = [row for row in calls if row["endpoint"] in {"simulate", "sale"}]
    late = min(map(arrived_at, timed)) - release_at.timestamp()
    assert 0 <= late <= FIRST_CALL_SECONDS, f"the first call came {late:.3f} s after the release"
    for endpoint, rate in engine.rates().items():
        those = [row for row in calls if row["endpoint"] == endpoint]
        assert [] == rate_violations(those, rate, in_flight=engine.concurrency), endpoint
    last = max(map(arrived_at, timed)) - release_at.timestamp()
    print(
        f"first call {late:.3f} s after the release of {len(story.cast.timed)} titles, the last {last:.1f} s, {len(timed)} calls"
    )


def _count_orders(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        assert ("ok",) == connection.execute("PRAGMA integrity_check").fetchone()
        [count] = connection.execute("SELECT count(*) FROM orders").fetchone()
        return int(count)
    finally:
        connection.close()
