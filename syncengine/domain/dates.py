"""ONIX dates: read by their shape, turned into instants by a zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_INSTANT = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})")
_MONTH = re.compile(r"(\d{4})-?(\d{2})")
_YEAR = re.compile(r"\d{4}")
_DAY_RANGE = re.compile(r"(\d{8})(\d{8})")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnixDate:
    """A date as the feed wrote it: its text, and the code of list 55 that came with it or none.

    The text's shape decides how it is read, not the code: real feeds label ISO extended text as format 14
    (contract demarque 8.1) and eight digits as format 05 (reference/onix.md 2.9).
    """

    text: str
    format: str | None = None

    def starts_at(self, zone: ZoneInfo) -> datetime | None:
        """The first instant of it, in UTC; none where the text is no date.

        A date without time starts at local midnight of `zone`; a time without zone is local to `zone`.
        """
        return _read(self.text, zone)[0]

    def ends_at(self, zone: ZoneInfo) -> datetime | None:
        """The first instant after it, in UTC: the next midnight for a day, the instant itself for a date with a time."""
        return _read(self.text, zone)[1]

    @property
    def has_time(self) -> bool:
        """Whether it names an instant or a local time rather than a day or longer."""
        return _INSTANT.fullmatch(self.text.strip()) is not None


def local_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, at which a zone's wall clock first shows a naive local time that it will not show again earlier.

    A time that does not exist starts at the next existing minute; one that occurs twice starts at the second occurrence, so
    that nothing is sold early (design section 6).
    """
    late = moment.replace(tzinfo=zone, fold=1)
    early = moment.replace(tzinfo=zone, fold=0)
    late_utc, early_utc = late.astimezone(UTC), early.astimezone(UTC)
    if late_utc.astimezone(zone).replace(tzinfo=None) == moment:
        return max(late_utc, early_utc)
    return _end_of_gap(early_utc, late_utc, zone)


def _end_of_gap(one: datetime, other: datetime, zone: ZoneInfo) -> datetime:
    """The instant the clocks jump forward, which lies between the two readings of a missing local time."""
    low, high = sorted((one, other))
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


@lru_cache(maxsize=65536)
def _read(text: str, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
    stripped = text.strip()
    try:
        if match := _INSTANT.fullmatch(stripped):
            at = _instant(match, zone)
            return at, at
        if match := _DAY.fullmatch(stripped):
            return _days(date(int(match[1]), int(match[2]), int(match[3])), 1, zone)
        if match := _DAY_RANGE.fullmatch(stripped):
            return _read(match[1], zone)[0], _read(match[2], zone)[1]
        if match := _MONTH.fullmatch(stripped):
            first = date(int(match[1]), int(match[2]), 1)
            following = (first + timedelta(days=32)).replace(day=1)
            return _days(first, (following - first).days, zone)
        if _YEAR.fullmatch(stripped):
            first = date(int(stripped), 1, 1)
            return _days(first, (first.replace(year=first.year + 1) - first).days, zone)
    except (ValueError, OverflowError):
        pass
    return None, None


def _instant(match: re.Match[str], zone: ZoneInfo) -> datetime:
    year, month, day, hour, minute = (int(match[group]) for group in range(1, 6))
    second = int(match[6] or 0)
    naive = datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - its zone is decided below
    offset = match[7]
    if not offset:
        return local_start(naive, zone)
    if offset in "Zz":
        return naive.replace(tzinfo=UTC)
    sign = -1 if offset[0] == "-" else 1
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return naive.replace(tzinfo=UTC) - sign * timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))


def _days(first: date, count: int, zone: ZoneInfo) -> tuple[datetime, datetime]:
    start = datetime.combine(first, time())
    return local_start(start, zone), local_start(start + timedelta(days=count), zone)
