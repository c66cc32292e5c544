"""Runs scenarios in rounds that take turns, so that a busy minute meets all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from statistics import median

from bench.apart import RunFailed
from bench.scenarios import Sample, Scenario, Setting

SAME_DIGEST = (("lxml-extract", "java-stax"),)
"""Programs that take the same facts out of the same feed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All runs of a scenario, by round."""

    name: str
    says: str
    samples: tuple[Sample, ...]

    def of(self, field: str) -> tuple[float, ...]:
        """A field of the samples, or one of their figures, round by round."""
        return tuple(_value(sample, field) for sample in self.samples)

    def median(self, field: str) -> float:
        """The median of its rounds."""
        return median(self.of(field))


def run_rounds(
    scenarios: Mapping[str, Scenario],
    setting: Setting,
    *,
    rounds: int,
    on_step: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Prepare all, run each that many times and give the results; `on_step` hears what comes next.

    The outcome of each scenario is verified in its last round. Raises RunFailed where one is wrong.
    """
    for name, scenario in scenarios.items():
        on_step(f"preparing {name}")
        scenario.prepare(setting)
    samples: dict[str, list[Sample]] = {name: [] for name in scenarios}
    for number in range(1, rounds + 1):
        for name, scenario in scenarios.items():
            on_step(f"round {number} of {rounds}: {name}")
            samples[name].append(scenario.run(setting, verifies=number == rounds))
    results = [Result(name=name, says=scenarios[name].says, samples=tuple(taken)) for name, taken in samples.items()]
    check_digests(results)
    return results


def check_digests(results: Iterable[Result]) -> None:
    """Raise RunFailed where rounds of one scenario, or programs that do the same, came to different results."""
    by_name = {result.name: result for result in results}
    for result in by_name.values():
        _check_same(result.name, [result])
    for names in SAME_DIGEST:
        _check_same(" and ".join(names), [by_name[name] for name in names if name in by_name])


def _check_same(who: str, results: Iterable[Result]) -> None:
    digests = [sample.digest for result in results for sample in result.samples if sample.digest]
    if len(list(groupby(digests))) > 1:
        raise RunFailed(f"{who} came to different results on the same feed: {', '.join(sorted(set(digests)))}")


def _value(sample: Sample, field: str) -> float:
    if field in sample.figures:
        return sample.figures[field]
    return float(getattr(sample, field))
