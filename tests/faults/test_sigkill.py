"""Killed at any moment and started again: the distributor's ledger is what it would have been, nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEED
from tests.flow.harness import (
    FULL,
    STATUS_SECONDS,
    Daemon,
    Engine,
    Process,
    Sandbox,
    rate_violations,
    running_sandbox,
    wait_until,
)
from tests.flow.story import Story

KILLS = int(os.environ.get("SYNCENGINE_KILLS") or 6)
TITLES, ORDERS = (3000, 2000) if FULL else (400, 200)
SALES_PER_SECOND = 25 if FULL else 10
"""Slow enough that the kills of the release find sales under way."""
SHARES = {"crawl": 1, "import": 1, "placing": 1, "delta": 1, "release": 2}
"""How the kills are spread over the run."""
RELEASE_IN_SECONDS = 12.0
IN_DOUBT = "looked up first"
"""What the daemon's log says at its start where calls were under way."""
EAGER = timedelta(seconds=1)
"""How long before the release its kills begin."""
LONGEST_LIFE = 4.0
"""Seconds that a daemon lives before it is killed; its start is a part of them."""

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
        killer = _Killer(daemon, engine)
        killer.strike("crawl")
        _wait_for_first_pass(engine, daemon)
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
    print(f"{len(killer.told)} kills, each after so many seconds: {', '.join(killer.told)}")
    print(f"calls in doubt after {daemon.process.log().count(IN_DOUBT)} of them")
    assert KILLS == len(killer.told)
    story.check(engine)
    sales = [row for row in sandbox.calls() if row["endpoint"] == "sale"]
    assert [] == rate_violations(sales, engine.rates()["sale"], in_flight=engine.concurrency * 2)


def test_a_faulty_distributor_loses_and_doubles_nothing(sandbox: Sandbox, engine: Engine, tmp_path: Path) -> None:
    """Errors and broken connections after the effect, refusals of the rate and delays leave the same ledger."""
    engine.configure(limits={"sale": "50/s burst 5"})
    story = Story(sandbox, SEED, orders=ORDERS)
    with Daemon(engine) as daemon:
        _wait_for_first_pass(engine, daemon)
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


def _wait_for_first_pass(engine: Engine, daemon: Daemon) -> None:
    def has_completed() -> bool:
        [source] = engine.status()["sources"]
        return all(stream["last_complete_at"] for stream in source["streams"].values())

    wait_until(has_completed, "the first pass ends", pause=STATUS_SECONDS, tail=daemon.tail)


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


class _Killer:
    """Kills the daemon at seeded moments of each phase, with whoever carries out a command; and starts it again."""

    def __init__(self, daemon: Daemon, engine: Engine) -> None:
        self._daemon = daemon
        self._engine = engine
        self._chance = random.Random(f"kills {SEED}")
        self.told: list[str] = []

    def strike(self, phase: str) -> None:
        """The kills of a phase, each within the daemon's first seconds, which may be before it serves."""
        for _ in range(_share(phase)):
            self._let_live(life := self._chance.uniform(0.0, LONGEST_LIFE))
            self._kill(phase, life)
            self._daemon.spawn()
        self._daemon.wait_until_serving()

    def strike_during(self, phase: str, *command: str) -> None:
        """The kills of a phase while a command is under way; every other time it is killed as well."""
        for _ in range(_share(phase)):
            with self._engine.start(*command) as process:
                self._let_live(life := self._chance.uniform(0.0, LONGEST_LIFE), process)
                self._kill(phase, life)
                if self._chance.random() < 0.5:
                    process.kill()
                self._daemon.start()
                process.wait()

    def _let_live(self, seconds: float, process: Process | None = None) -> None:
        """Until its moment, or until the command has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and (process is None or process.is_running):
            time.sleep(0.01)

    def _kill(self, phase: str, life: float) -> None:
        assert self._daemon.process.is_running, self._daemon.tail()
        self._daemon.kill()
        self.told.append(f"{phase} {life:.2f}")


def _share(phase: str) -> int:
    """How many of the kills fall into a phase; the last one takes what is left."""
    whole = sum(SHARES.values())
    shares = {name: KILLS * weight // whole for name, weight in SHARES.items()}
    shares["release"] += KILLS - sum(shares.values())
    return shares[phase]
