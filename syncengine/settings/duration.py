"""Spans of time as people write them."""

from __future__ import annotations

import re
from datetime import timedelta

from syncengine.errors import UsageInvalid

_DURATION = re.compile(r"(?:(\d+)\s*d)?\s*(?:(\d+)\s*h)?\s*(?:(\d+)\s*min)?\s*(?:(\d+)\s*s)?")
_HINT = 'write days, hours, minutes and seconds, for example "7d", "6h", "1h30min", "15s"'


def parse_duration(text: str) -> timedelta:
    """Read `7d`, `6h`, `90min`, `15s` or several of them in that order; raises UsageInvalid for anything else."""
    match = _DURATION.fullmatch(text.strip())
    if not match or not any(match.groups()):
        raise UsageInvalid(f"{text!r} is no span of time", hint=_HINT)
    days, hours, minutes, seconds = (int(group or 0) for group in match.groups())
    try:
        return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError as error:
        raise UsageInvalid(f"{text!r} is longer than any calendar", hint=_HINT) from error
