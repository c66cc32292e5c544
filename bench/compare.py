"""Two documents of the bench side by side: ratios and memory, never seconds, since those belong to the machine and the hour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

WORSE = 0.10
"""From this share on a ratio is said to have got worse."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One ratio in both documents; where `lower_is_better`, a rise is worse."""

    name: str
    before: float
    after: float
    lower_is_better: bool

    @property
    def worse_by(self) -> float:
        """By what share it got worse; below 0 it got better."""
        if not self.before or not self.after:
            return 0.0 if self.before == self.after else float("inf")
        ratio = self.after / self.before if self.lower_is_better else self.before / self.after
        return ratio - 1


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Compared]:
    """Every ratio that both documents have."""
    old, new = dict(_ratios(before)), dict(_ratios(after))
    return [
        Compared(name=name, before=old[name][0], after=value, lower_is_better=lower)
        for name, (value, lower) in new.items()
        if name in old
    ]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """What makes the two hard to compare: another machine, or other feeds."""
    found = []
    for part, names in (("setting", ("records", "record_bytes")), ("machine", ("python", "system", "processors"))):
        found += [
            f"{name}: {before[part][name]} and {after[part][name]}"
            for name in names
            if before[part][name] != after[part][name]
        ]
    return found


def draw(compared: Sequence[Compared], console: Console, threshold: float) -> None:
    """Show them, the worst first."""
    table = Table("", "before", "after", "worse by", title="Ratios, before and after", title_justify="left", box=None)
    for one in sorted(compared, key=lambda one: -one.worse_by):
        style = "bold red" if one.worse_by > threshold else ""
        table.add_row(one.name, f"{one.before:,.3g}", f"{one.after:,.3g}", f"{one.worse_by:+.1%}", style=style)
    console.print(table)


def _ratios(document: Mapping[str, Any]) -> Iterator[tuple[str, tuple[float, bool]]]:
    """Each with whether less of it is better: speeds beside lxml, memory, and what the targets are about."""
    for row in document["scenarios"]:
        if row["times_lxml"]:
            yield f"{row['says']}: x lxml", (row["times_lxml"], False)
            yield f"{row['says']}: x lxml, the command", (row["command_times_lxml"], False)
        if row["bytes"]:
            yield f"{row['says']}: memory", (row["peak_bytes"]["median"], True)
    for target in document["targets"]:
        if target["unit"] == "x":
            yield target["says"], (target["measured"], target["at_least"] is None)
