"""Killed, or failed by three distributors in one store: nothing doubled, and missing is only what stands before a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import SEED
from tests.faults.killer import KILLS, Killer, spread
from tests.flow.harness import FULL, Daemon, Engine, Sandbox, rate_violations, running_sandbox, wait_until
from tests.flow.season import DISTRIBUTORS, Season

TITLES, ORDERS = (3000, 1000) if FULL else (400, 80)
"""Of each distributor."""
CALLS_PER_SECOND = 25 if FULL else 8
"""Slow enough that the kills find sales under way."""
SHARES = {"crawl": 1, "import": 1, "placing": 1, "delta": 1, "release": 1, "sales": 1}
"""How the kills are spread over the run; `release` is that of the titles sold by the clock, `sales` that of what a feed releases."""
RELEASE_IN_SECONDS = 10.0 + 5.0 * spread(KILLS, SHARES)["delta"]
EAGER = timedelta(seconds=1)
"""How long before the release its kills begin."""

pytestmark = pytest.mark.timeout(2400 if FULL or KILLS > 10 else 300)


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    """All stubs, which outlive the engine."""
    print(f"SEED={SEED}")
    with running_sandbox(tmp_path, seed=SEED, titles=TITLES, only=DISTRIBUTORS) as running:
        yield running


@pytest.fixture
def engine(sandbox: Sandbox, tmp_path: Path) -> Engine:
    """An engine to which no feed comes unasked, and which sells slowly."""
    made = Engine(sandbox.settings, tmp_path / "engine")
    made.configure(
        schedule="6h", limits=dict.fromkeys(("sale", "placeorder", "luisterhuis"), f"{CALLS_PER_SECOND}/s burst 5")
    )
    return made


def test_kills_lose_nothing_that_can_be_asked_for_and_double_nothing(
    sandbox: Sandbox, engine: Engine, tmp_path: Path
) -> None:
    """Sales that can be looked up are all there; of those that cannot, every one that is missing stands in ATTENTION."""
    season = Season(sandbox, SEED, orders=ORDERS)
    orders = str(season.write_orders(tmp_path / "orders.csv"))
    for name, knobs in _SLOWNESS.items():
        sandbox.of(name).set_faults(**knobs)
    with Daemon(engine) as daemon:
        killer = Killer(daemon, engine, SHARES)
        killer.strike("crawl")
        engine.wait_for_first_passes(daemon.tail)
        killer.strike_during("import", "orders", "import", orders)
        engine.run("orders", "import", orders)
        killer.strike("placing")
        engine.wait_for_rest(daemon.tail)
        release_at = season.bring_release(RELEASE_IN_SECONDS)
        season.postpone()
        killer.strike_during("delta", "resync", "--delta")
        engine.run("resync", "--delta")
        wait_until(lambda: datetime.now(UTC) >= release_at - EAGER, "the release is near")
        killer.strike("release")
        wait_until(season.is_released, "the releases pass")
        killer.strike_during("sales", "resync", "--delta")
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        season.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
    killer.account()
    assert [] == _rates_exceeded(sandbox, engine)
    sandbox.clear_faults()
    in_doubt = season.judge(engine)
    print(f"{len(in_doubt)} orders stand before a person")


def test_faulty_distributors_lose_nothing_that_can_be_asked_for_and_double_nothing(
    sandbox: Sandbox, engine: Engine, tmp_path: Path
) -> None:
    """Errors and broken connections before and after the effect, spoilt answers and refusals of the rate, at all three."""
    engine.configure(limits=dict.fromkeys(("sale", "placeorder", "luisterhuis"), "50/s burst 5"))
    season = Season(sandbox, SEED, orders=ORDERS)
    with Daemon(engine) as daemon:
        engine.wait_for_first_passes(daemon.tail)
        for name, knobs in _FAULTS.items():
            sandbox.of(name).set_faults(**knobs)
        engine.run("orders", "import", str(season.write_orders(tmp_path / "orders.csv")))
        engine.wait_for_rest(daemon.tail)
        season.bring_release(10.0)
        season.postpone()
        engine.run("resync", "--delta")
        wait_until(season.is_released, "the releases pass")
        engine.run("resync", "--delta")
        engine.wait_for_rest(daemon.tail)
        season.confirm_payments(engine)
        engine.wait_for_rest(daemon.tail)
    fired = {name: sum(sandbox.of(name).faults_fired().values()) for name in DISTRIBUTORS}
    print(f"faults that struck: {fired}")
    assert all(fired.values()), fired
    sandbox.clear_faults()
    in_doubt = season.judge(engine)
    assert in_doubt, "no answer was lost"
    print(f"{len(in_doubt)} orders stand before a person")


def _often(count: int, **how: Any) -> Mapping[str, Any]:
    """A fault that strikes one call in ten until it has struck so often."""
    return {"probability": 0.1, "count": count, **how}


_SPOILT: Mapping[str, Mapping[str, Any]] = {
    "error_after": _often(2),
    "drop_after": _often(2),
    "error_before": _often(1),
    "drop_before": _often(1),
    "torn": _often(1),
    "garbage": _often(1),
    "empty": _often(1),
    "login_page": _often(1),
    "throttle": _often(1, retry_after="1"),
    "unavailable": _often(1, retry_after="1"),
}
_UNCERTAIN: Mapping[str, Mapping[str, Any]] = {
    "drop_before": _often(1),
    "error_before": _often(1),
    "garbage": _often(1),
}
_FAULTS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "demarque": {"sale": _SPOILT, "preorder": _UNCERTAIN, "simulate": _UNCERTAIN, "lookup": {"drop_before": _often(1)}},
    "cb": {
        "order": _SPOILT,
        "availability": _UNCERTAIN,
        "placeorder": {**_SPOILT, "unpriced_registered": _often(1)},
        "checkorderable": _UNCERTAIN,
        "getcontenturl": {"drop_before": _often(1)},
    },
    "bokbasen": {"sale": _SPOILT, "lookup": _UNCERTAIN},
}


_SLOW: Mapping[str, Any] = {
    "delay_before": {"probability": 0.5, "seconds": 0.4},
    "delay_after": {"probability": 0.5, "seconds": 0.4},
}
_SLOW_PAGES: Mapping[str, Any] = {"delay_before": {"seconds": 0.2}}
_SLOWNESS: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "demarque": {"sale": _SLOW, "preorder": _SLOW, "simulate": _SLOW, "full": _SLOW_PAGES, "delta": _SLOW_PAGES},
    "cb": {"order": _SLOW, "placeorder": _SLOW, "checkorderable": _SLOW, "feed": _SLOW_PAGES},
    "bokbasen": {"sale": _SLOW, "lookup": _SLOW, "metadata": _SLOW_PAGES, "inventory": _SLOW_PAGES},
}
"""So slow that nearly every kill finds calls in flight, before their effect or after it."""
_RATED: Mapping[tuple[str, str], frozenset[str]] = {
    ("demarque", "sale"): frozenset({"sale"}),
    ("cb", "luisterhuis"): frozenset({"feed", "inventory", "availability", "order"}),
    ("cb", "placeorder"): frozenset({"placeorder"}),
    ("bokbasen", "sale"): frozenset({"sale"}),
}
"""The calls that count against a rate."""


def _rates_exceeded(sandbox: Sandbox, engine: Engine) -> list[str]:
    found = []
    for (name, limit), endpoints in _RATED.items():
        calls = [row for row in sandbox.of(name).calls() if row["endpoint"] in endpoints]
        found += rate_violations(calls, engine.rates(name)[limit], in_flight=engine.concurrency * 2)
    return found
