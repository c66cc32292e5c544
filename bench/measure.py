"""Measures scenarios, each run in a process of its own; rounds take turns, so that a busy minute meets all of them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from bench.scenarios import Account, Editions

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run: seconds by the wall and of the processor, the most memory the process ever held, and what it accounts for."""

    wall_seconds: float
    cpu_seconds: float
    peak_bytes: int
    account: Account


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All runs of a scenario, in order."""

    scenario: str
    samples: tuple[Sample, ...]

    @property
    def best(self) -> Sample:
        """The fastest run: what the code can do where nothing else disturbs it."""
        return min(self.samples, key=lambda sample: sample.wall_seconds)

    @property
    def spread(self) -> float:
        """How much longer the slowest run took than the fastest, as a share of the fastest."""
        return max(sample.wall_seconds for sample in self.samples) / self.best.wall_seconds - 1


def run_rounds(
    scenarios: Iterable[str],
    editions: Editions,
    *,
    rounds: int,
    on_run: Callable[[str], None] = lambda _: None,
) -> Mapping[str, Result]:
    """Run every scenario that many times and give the results by scenario; `on_run` hears of each run before it starts."""
    samples: dict[str, list[Sample]] = {scenario: [] for scenario in scenarios}
    for _ in range(rounds):
        for scenario, taken in samples.items():
            on_run(scenario)
            taken.append(run_apart(scenario, editions))
    return {scenario: Result(scenario=scenario, samples=tuple(taken)) for scenario, taken in samples.items()}


def run_apart(scenario: str, editions: Editions) -> Sample:
    """Run a scenario once in a fresh process; its complaints go to this process's standard error."""
    command = [sys.executable, "-m", "bench.once", scenario, str(editions.first), str(editions.second)]
    run = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True)  # noqa: S603 - our own command
    return msgspec.json.decode(run.stdout, type=Sample)
