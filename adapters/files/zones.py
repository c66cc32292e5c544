"""The local time of a country, for dates that roll around the world: without a zone they mean midnight in each place (reference/onix.md 2.9)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import tzdata

_WINTER = datetime(2026, 1, 1, tzinfo=UTC)


@lru_cache
def local_zone(country: str) -> ZoneInfo:
    """The zone of a country; of several the one where a day begins last, so that nothing is sold early anywhere in it.

    Countries are those of ISO 3166-1; one that has no zone of its own gets UTC.
    """
    return min(map(ZoneInfo, _names().get(country, ["UTC"])), key=_offset)


@lru_cache(maxsize=1)
def _names() -> Mapping[str, Sequence[str]]:
    """The zones of each country, from the table that comes with the zone data."""
    table = Path(tzdata.__file__).with_name("zoneinfo").joinpath("zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    names: dict[str, list[str]] = {}
    for country, _, name, *_ in rows:
        names.setdefault(country, []).append(name)
    return names


def _offset(zone: ZoneInfo) -> float:
    """Hours ahead of UTC in the northern winter, when clocks show what their zone is named for."""
    offset = zone.utcoffset(_WINTER)
    return offset.total_seconds() / 3600 if offset is not None else 0.0
