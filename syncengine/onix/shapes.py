"""Whether a number or a date is written as what it says it is (reference/onix.md 2.3, 2.9)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from syncengine.domain.codes import DateFormat, ProductIdType
from syncengine.domain.dates import OnixDate
from syncengine.domain.passes import Noted, WarningKind

_EXCERPT: Final = 40


def _is_isbn(digits: str) -> bool:
    from stdnum import isbn

    return isbn.is_valid(digits)


def _is_ean(digits: str) -> bool:
    from stdnum import ean

    return ean.is_valid(digits)


_CHECKED: Final[Mapping[str, tuple[str, int, Callable[[str], bool]]]] = {
    ProductIdType.ISBN_10: ("ISBN-10", 10, _is_isbn),
    ProductIdType.GTIN_13: ("GTIN-13", 13, _is_ean),
    ProductIdType.ISBN_13: ("ISBN-13", 13, _is_isbn),
}
"""List 5, as far as its numbers carry a check digit: what they are called, and how long they are."""

_DAY: Final = r"[0-9]{4}-?[0-9]{2}-?[0-9]{2}"
_MONTH: Final = r"[0-9]{4}-?(?:0[1-9]|1[0-2])"
_WEEK: Final = r"[0-9]{4}-?W?(?:0[1-9]|[1-4][0-9]|5[0-3])"
_QUARTER: Final = r"[0-9]{4}-?[1-4]"
_SEASON: Final = _QUARTER
_YEAR: Final = r"[0-9]{4}"
_MINUTE: Final = _DAY + r"T[0-9]{2}:?[0-9]{2}"
_SECOND: Final = _MINUTE + r":?[0-9]{2}(?:\.[0-9]+)?"
_ZONE: Final = r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
_DATES: Final = {
    code: re.compile(pattern)
    for code, pattern in {
        "00": _DAY,
        "01": _MONTH,
        "02": _WEEK,
        "03": _QUARTER,
        "04": _SEASON,
        "05": _YEAR,
        "06": _DAY * 2,
        "07": _MONTH * 2,
        "08": _WEEK * 2,
        "09": _QUARTER * 2,
        "10": _SEASON * 2,
        "11": _YEAR * 2,
        "13": _MINUTE + _ZONE,
        "14": _SECOND + _ZONE,
    }.items()
}
"""List 55: the digits of each format; hyphens and colons where ISO 8601 has them do not matter. Texts and Hijri dates are free."""

_SEASONS: Final = frozenset({DateFormat.SEASON, DateFormat.SEASON_RANGE})
"""On a calendar, but where they begin nobody knows."""

_ANY_ZONE: Final = ZoneInfo("UTC")


@lru_cache(maxsize=4096)
def odd_identifier(scheme: str, value: str) -> Noted | None:
    """The warning of an ISBN or GTIN that cannot be one, by its length, its prefix or its check digit."""
    if scheme not in _CHECKED or (scheme != ProductIdType.ISBN_10 and _is_sound_isbn(value)):
        return None
    from stdnum import isbn

    name, length, is_valid = _CHECKED[scheme]
    digits = isbn.compact(value)
    if len(digits) != length:
        says = f"{name} {value[:_EXCERPT]!r} has {len(digits)} characters, not {length}"
    elif is_valid(digits):
        return None
    else:
        says = f"{name} {value!r} is not valid: its check digit or its prefix is wrong"
    return Noted(WarningKind.INVALID_IDENTIFIER, says)


def _is_sound_isbn(value: str) -> bool:
    """Whether the text is an ISBN-13 in plain digits, as nearly all are; of anything else the library has to judge.

    The digits' codes are those of `0` and up, whose weighted sum is a multiple of ten.
    """
    if len(value) != 13 or not value.startswith(("978", "979")) or not (value.isascii() and value.isdigit()):
        return False
    codes = value.encode()
    return (sum(codes[::2]) + 3 * sum(codes[1::2])) % 10 == 0


@lru_cache(maxsize=4096)
def odd_date(text: str, form: str | None) -> Noted | None:
    """The warning of a date whose digits contradict its format (none is 00), or that is on no calendar."""
    code = form or DateFormat.DAY.value
    if code not in _DATES:
        return None
    if not _DATES[code].fullmatch(text):
        return Noted(WarningKind.DATE, f"date {text[:_EXCERPT]!r} is not of format {code}")
    if code not in _SEASONS and OnixDate(text=text, format=form).starts_at(_ANY_ZONE) is None:
        return Noted(WarningKind.DATE, f"date {text[:_EXCERPT]!r} is on no calendar")
    return None
