"""The instant from which a delta is asked for, as the feed reads it: local Dutch time without an offset (contract cb 3.1, 3.2)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from adapters.distributors.cb.choices import MODIFIED_FROM_FORMAT, OVERLAP
from syncengine.domain.dates import local_start


def modified_from(
    began_at: datetime, zone: ZoneInfo, overlap: timedelta = OVERLAP, form: str = MODIFIED_FROM_FORMAT
) -> str:
    """In that form the wall clock of `zone`, `overlap` before the last good pass began.

    A time that the clock skips in spring becomes the last second before the gap. One that it shows twice in autumn stands for the
    earlier instant; a reader that takes it for the later one is an hour behind, for which the overlap makes up.
    """
    wall = began_at.astimezone(zone).replace(tzinfo=None, microsecond=0) - overlap
    if not _exists(wall, zone):
        jump = local_start(wall, zone)
        wall = (jump - timedelta(seconds=1)).astimezone(zone).replace(tzinfo=None)
    return wall.strftime(form)


def _exists(wall: datetime, zone: ZoneInfo) -> bool:
    """Whether the clock of the zone ever shows that time."""
    return wall.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == wall
