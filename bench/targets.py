"""What the engine is to reach, as data: ratios in one run on one machine, and a few figures that are promises by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.rounds import Result
from bench.table import YARDSTICK

Term = tuple[str, str]
"""A scenario and a field of its samples, or one of its figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A figure, or the ratio of two, and where it has to lie. Of several terms above the line the largest counts."""

    name: str
    says: str
    over: tuple[Term, ...]
    under: Term | None = None
    at_least: float | None = None
    at_most: float | None = None
    unit: str = "x"

    @property
    def wants(self) -> str:
        """The bounds as people read them."""
        bounds = [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        return f"{' and '.join(bounds)} {self.unit}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A target and what was measured, round by round."""

    target: Target
    rounds: tuple[float, ...]

    @property
    def measured(self) -> float:
        """The median."""
        return median(self.rounds)

    @property
    def is_met(self) -> bool:
        """Whether the median lies where it has to."""
        least, most = self.target.at_least, self.target.at_most
        return (least is None or self.measured >= least) and (most is None or self.measured <= most)


def _times(name: str, says: str, base: Term, scenario: Term, least: float) -> Target:
    return Target(name=name, says=says, over=(base,), under=scenario, at_least=least)


def _unpacks(name: str, packing: str) -> Target:
    alone = f"decompress-{packing}"
    return Target(
        name=name,
        says=f"{packing}: share of the slower of unpacking and pass",
        over=((alone, "seconds"), ("warm", "seconds")),
        under=(f"warm-{packing}", "seconds"),
        at_least=0.8,
    )


def _frugal(scenario: str, says: str) -> Target:
    return Target(
        name=f"memory of {scenario}",
        says=f"{says}: memory, of 120 MB + 250 B a record",
        over=((scenario, "peak_bytes"),),
        under=(scenario, "allowed_bytes"),
        at_most=1.0,
    )


def _prompt(scenario: str, says: str) -> Target:
    return Target(
        name=scenario, says=f"loop lag, {says}: 99th percentile", over=((scenario, "p99_ms"),), at_most=20.0, unit="ms"
    )


_LXML = (YARDSTICK, "process_seconds")
_EXTRACT = ("lxml-extract", "process_seconds")

TARGETS: Sequence[Target] = (
    _times("warm pass", "unchanged, the pass: x lxml iterparse", _LXML, ("warm", "seconds"), 15),
    _times("warm command", "unchanged, the command: x lxml iterparse", _LXML, ("warm", "process_seconds"), 10),
    _times(
        "warm of hash",
        "unchanged, the pass: share of reading and hashing",
        ("read-hash", "seconds"),
        ("warm", "seconds"),
        0.5,
    ),
    _times("2 % pass", "2 % changed, the pass: x lxml iterparse", _LXML, ("warm-2-percent", "seconds"), 10),
    _times(
        "2 % command", "2 % changed, the command: x lxml iterparse", _LXML, ("warm-2-percent", "process_seconds"), 7
    ),
    _times("first load", "first load: x lxml with extraction", _EXTRACT, ("cold", "process_seconds"), 0.6),
    _times(
        "first load, all cores",
        "first load, all cores: x one process",
        ("cold", "process_seconds"),
        ("cold-all-cores", "process_seconds"),
        1.5,
    ),
    _times(
        "first load and Java",
        "first load, all cores: x Java StAX with extraction",
        ("java-stax", "process_seconds"),
        ("cold-all-cores", "process_seconds"),
        1.0,
    ),
    _unpacks("gzip", "gzip"),
    _unpacks("zstd", "zstd"),
    _frugal("cold", "first load"),
    _frugal("warm-2-percent", "2 % changed"),
    _frugal("memory", "100,000 known"),
    _frugal("memory-million", "1,000,000 known"),
    Target(
        name="memory by length",
        says="records 10 times longer: x memory",
        over=(("memory-long", "peak_bytes"),),
        under=("memory-short", "peak_bytes"),
        at_most=1.05,
    ),
    _prompt("lag-warm", "unchanged"),
    _prompt("lag-2-percent", "2 % changed"),
    _prompt("lag-cold", "first load"),
    Target(name="delivery", says="delivery: share of a bare client loop", over=(("delivery", "share"),), at_least=0.5),
    Target(
        name="rate, fullest second",
        says="delivery at 200/s: calls in any second",
        over=(("delivery-rate", "largest_window_sent"),),
        at_most=205,
        unit="calls",
    ),
    Target(
        name="rate, mean",
        says="delivery at 200/s: calls a second",
        over=(("delivery-rate", "mean_per_second"),),
        at_least=198,
        at_most=202,
        unit="calls/s",
    ),
    *(
        Target(
            name=name,
            says=f"{says}: seconds to the first call",
            over=((name, "seconds_to_first_call"),),
            at_most=2.0,
            unit="s",
        )
        for name, says in (("release", "release day"), ("release-million", "release day, 1,000,000 orders"))
    ),
    Target(
        name="start",
        says="run.py status, start to end",
        over=(("start-status", "process_seconds"),),
        at_most=0.25,
        unit="s",
    ),
)


def judge(results: Mapping[str, Result], targets: Sequence[Target] = TARGETS) -> Iterator[Verdict]:
    """The targets of which everything was measured; ratios are taken within a round, then their median."""
    for target in targets:
        terms = [*target.over, *([target.under] if target.under else [])]
        if all(scenario in results for scenario, _ in terms):
            yield Verdict(target=target, rounds=tuple(_rounds(target, results)))


def _rounds(target: Target, results: Mapping[str, Result]) -> Iterator[float]:
    above = [results[scenario].of(field) for scenario, field in target.over]
    for number, values in enumerate(zip(*above, strict=False)):
        if target.under is None:
            yield max(values)
        else:
            scenario, field = target.under
            below = results[scenario].of(field)
            if number < len(below):
                yield max(values) / below[number]
