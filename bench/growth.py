"""How time and memory grow with the number of known records: curves, each with its exponent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import log
from statistics import linear_regression

from bench.rounds import Result

_SAYS = {
    "warm": "unchanged, the pass",
    "cold": "first load, the pass",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """Medians of one kind of pass: seconds of the pass and peak memory of its process, by the number of records."""

    name: str
    says: str
    records: tuple[int, ...]
    seconds: tuple[float, ...]
    peak_bytes: tuple[float, ...]

    @property
    def exponent(self) -> float:
        """Of the seconds; 1 means that twice the records take twice the time."""
        return exponent(self.records, self.seconds)


def exponent(sizes: Sequence[float], values: Sequence[float]) -> float:
    """The exponent of the power law that fits best: least squares over the logarithms of at least two different sizes."""
    slope, _ = linear_regression([log(size) for size in sizes], [log(value) for value in values])
    return slope


def curves(results: Mapping[str, Result]) -> Iterator[Curve]:
    """The curves that scenarios called growth-KIND-RECORDS make, where there are at least two points."""
    for kind, says in _SAYS.items():
        points = [result for name, result in results.items() if name.startswith(f"growth-{kind}-")]
        points.sort(key=lambda result: result.samples[0].records or 0)
        if len(points) > 1:
            yield Curve(
                name=kind,
                says=says,
                records=tuple(result.samples[0].records or 0 for result in points),
                seconds=tuple(result.median("seconds") for result in points),
                peak_bytes=tuple(result.median("peak_bytes") for result in points),
            )
