"""ONIX dates: read by their shape, turned into instants by a zone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from syncengine.domain.codes import DateFormat

_INSTANT = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})[T ](\d{2}):?(\d{2})(?::?(\d{2})(?:[.,](\d+))?)?\s*(Z|[+-]\d{2}(?::?\d{2})?)?",
    re.IGNORECASE | re.ASCII,
)
_DAY = re.compile(r"(\d{4})-?(\d{2})-?(\d{2})", re.ASCII)
_PART_OF_YEAR = re.compile(r"(\d{4})-?(\d{1,2})", re.ASCII)
_WEEK_OF_YEAR = re.compile(r"(\d{4})-?W(\d{2})", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)

_RANGES: Mapping[str, tuple[DateFormat, re.Pattern[str]]] = {
    form: (half, re.compile(rf"(\d{{{digits}}})[-/]?(\d{{{digits}}})", re.ASCII))
    for form, half, digits in (
        (DateFormat.DAY_RANGE, DateFormat.DAY, 8),
        (DateFormat.MONTH_RANGE, DateFormat.MONTH, 6),
        (DateFormat.WEEK_RANGE, DateFormat.WEEK, 6),
        (DateFormat.QUARTER_RANGE, DateFormat.QUARTER, 5),
        (DateFormat.YEAR_RANGE, DateFormat.YEAR, 4),
    )
}
"""Formats of two dates: the format of each, and how they stand together."""

_READABLE_FORMATS = frozenset(
    {
        DateFormat.DAY,
        DateFormat.MONTH,
        DateFormat.WEEK,
        DateFormat.QUARTER,
        DateFormat.YEAR,
        DateFormat.MINUTE,
        DateFormat.SECOND,
        *_RANGES,
    }
)
"""All others must never be read by their shape: free text; a calendar whose years look long past; a season, since nobody says
in which hemisphere it is spring; and a code of a newer issue, which may be any of these.
"""

_WIDEST_OFFSET = timedelta(hours=15)
_DAY_LENGTH = timedelta(days=1)
_FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
_LAST_INSTANT = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnixDate:
    """A date as the feed wrote it: its text, and the code of list 55 that came with it or none.

    It means an interval, [starts, ends). The text's shape decides how it is read, not the code: real feeds label ISO
    extended text as format 14 (contract demarque 8.1) and eight digits as format 05 (reference/onix.md 2.9). The code
    settles only what the shape leaves open (six digits are a month, or a week under code 02; eight are a day, or two years
    under code 11), and what is no date that a decision may rest on.

    A date or time without zone is local to the place and so begins at different instants in different zones; one with a
    zone is one instant everywhere (list 55, codes 13 and 14).
    """

    text: str
    format: str | None = None

    def starts_at(self, zone: ZoneInfo) -> datetime | None:
        """The first instant of it, in UTC; none where the text is no date.

        A date without time starts at local midnight of `zone`; a time without zone is local to `zone`.
        """
        reading = _read(self.text, self.format, zone)
        return reading.starts_at if reading else None

    def opens_at(self, zone: ZoneInfo) -> datetime | None:
        """The instant, in UTC, at which a gate that names it is surely open; none where the text is no date.

        That is its first instant, or of a month or longer the start of its last day (reference/onix.md 2.9).
        """
        reading = _read(self.text, self.format, zone)
        return reading.opens_at if reading else None

    def ends_at(self, zone: ZoneInfo) -> datetime | None:
        """The first instant after it, in UTC: the next midnight for a day, the instant itself for a date with a time."""
        reading = _read(self.text, self.format, zone)
        return reading.ends_at if reading else None

    @property
    def has_time(self) -> bool:
        """Whether it names an instant or a local time rather than a day or longer."""
        return _INSTANT.fullmatch(self.text.strip()) is not None


def spell(at: datetime) -> str:
    """An instant as people read it in the trail of rules: `2026-09-01T04:00:00Z`."""
    return at.isoformat().replace("+00:00", "Z")


def local_start(moment: datetime, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, that a naive local time of `zone` means for a start or an end.

    A time that does not exist starts at the next existing minute; one that occurs twice starts at the second occurrence, so
    that nothing is sold early (design section 6). What lies outside the calendar becomes its first or last instant.
    """
    try:
        late = moment.replace(tzinfo=zone, fold=1).astimezone(UTC)
        early = moment.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if late.astimezone(zone).replace(tzinfo=None) == moment:
            return late
    except OverflowError:
        return _FIRST_INSTANT if moment.year == 1 else _LAST_INSTANT
    return _end_of_gap(late, early, zone)


def _end_of_gap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant the clocks jump forward: it lies after the one reading of a missing local time, at or before the other.

    Zones change at whole seconds, which is as near as the search comes.
    """
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) / 2
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after.replace(microsecond=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    starts_at: datetime
    opens_at: datetime
    ends_at: datetime


@lru_cache(maxsize=65536)
def _read(text: str, form: str | None, zone: ZoneInfo) -> _Reading | None:
    stripped = text.strip()
    if form and form not in _READABLE_FORMATS:
        return None
    try:
        if match := _INSTANT.fullmatch(stripped):
            at = _instant(match, zone)
            return _Reading(starts_at=at, opens_at=at, ends_at=at)
        first, last = _days(stripped, form)
    except (ValueError, OverflowError):
        return None
    return _Reading(
        starts_at=_midnight(first, zone),
        opens_at=_midnight(last, zone),
        ends_at=_LAST_INSTANT if last == date.max else _midnight(last + _DAY_LENGTH, zone),
    )


def _instant(match: re.Match[str], zone: ZoneInfo) -> datetime:
    year, month, day, hour, minute, second = (int(digits or 0) for digits in match.groups()[:6])
    microsecond = int((match[7] or "")[:6].ljust(6, "0"))
    naive = datetime(year, month, day, hour, minute, second, microsecond)  # noqa: DTZ001 - its zone is decided below
    offset = match[8]
    if not offset:
        return local_start(naive, zone)
    if offset in "Zz":
        return naive.replace(tzinfo=UTC)
    digits = offset[1:].replace(":", "").ljust(4, "0")
    shift = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    if shift > _WIDEST_OFFSET or int(digits[2:]) > 59:
        raise ValueError(f"no zone is {offset} from UTC")
    return naive.replace(tzinfo=UTC) + (shift if offset[0] == "-" else -shift)


def _days(text: str, form: str | None) -> tuple[date, date]:
    """The first and the last day of a date without time; raises ValueError where the text is none."""
    if two := _two_dates(text, form):
        return two
    if match := _DAY.fullmatch(text):
        day = date(int(match[1]), int(match[2]), int(match[3]))
        return day, day
    if match := _WEEK_OF_YEAR.fullmatch(text):
        return _part_of_year(int(match[1]), match[2], DateFormat.WEEK)
    if match := _PART_OF_YEAR.fullmatch(text):
        return _part_of_year(int(match[1]), match[2], form)
    if _YEAR.fullmatch(text):
        return date(int(text), 1, 1), date(int(text), 12, 31)
    raise ValueError(f"{text!r} is no date")


def _two_dates(text: str, form: str | None) -> tuple[date, date] | None:
    """From the first day of the first to the last day of the second; none where the text is not two dates in their order.

    Sixteen digits are two days under any code; under code 11 eight digits may still be a day that is labelled wrongly, for
    of a real day the last four digits are less than the year.
    """
    for half, together in [_RANGES[kind] for kind in (form or "", DateFormat.DAY_RANGE) if kind in _RANGES]:
        if match := together.fullmatch(text):
            first, last = _days(match[1], half)[0], _days(match[2], half)[1]
            return (first, last) if first <= last else None
    return None


def _part_of_year(year: int, part: str, form: str | None) -> tuple[date, date]:
    if form == DateFormat.WEEK and len(part) == 2:
        return date.fromisocalendar(year, int(part), 1), date.fromisocalendar(year, int(part), 7)
    if form == DateFormat.QUARTER and len(part) == 1 and 1 <= int(part) <= 4:
        return date(year, 3 * int(part) - 2, 1), _last_of_month(year, 3 * int(part))
    if len(part) == 2:
        return date(year, int(part), 1), _last_of_month(year, int(part))
    raise ValueError(f"nobody knows which part of {year} {part} is")


def _last_of_month(year: int, month: int) -> date:
    return date(year, 12, 31) if month == 12 else date(year, month + 1, 1) - _DAY_LENGTH


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return local_start(datetime.combine(day, time()), zone)
