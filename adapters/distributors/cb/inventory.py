"""The nightly inventory as rows: what is listed, and what has gone and was asked about (contract cb 2.2, and 5, pre-step B)."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from adapters.distributors.cb.facts import AVAILABILITY, CHECKED, EAN, LISTED, Checked
from syncengine.domain.dates import local_start
from syncengine.domain.rows import Rows
from syncengine.errors import SourceFailed

ROWS = Rows(root="Inventory", record="Title", reference=EAN, prefix="inventory:")
_EAN = re.compile(r"\d{13}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One title of an inventory."""

    ean: str
    availability: str
    modified: str


def read_lines(body: bytes, separator: str, names: Mapping[str, str]) -> list[Line]:
    """The titles of an inventory, a line each below a head that names its columns; a title that stands twice counts once.

    Raises SourceFailed where the head lacks a column or a line has no EAN: an inventory that is not understood is none, since
    absence from it stops sales.
    """
    reader = csv.DictReader(io.StringIO(body.decode("utf-8-sig", "replace")), delimiter=separator)
    columns = [names["inventory_ean"], names["inventory_availability"]]
    if missing := [column for column in columns if column not in (reader.fieldnames or ())]:
        raise SourceFailed(
            f"the inventory has no column {', '.join(missing)}",
            hint="check luisterhuis.inventory_separator and the names in the settings, or set inventory = false",
        )
    lines: dict[str, Line] = {}
    for row in reader:
        ean = (row.get(names["inventory_ean"]) or "").strip()
        if not _EAN.fullmatch(ean):
            raise SourceFailed(f"line {reader.line_num} of the inventory names no EAN", hint="it may be cut short")
        availability = (row.get(names["inventory_availability"]) or "").strip()
        lines[ean] = Line(
            ean=ean, availability=availability, modified=(row.get(names["inventory_modified"]) or "").strip()
        )
    return list(lines.values())


def is_due(read_at: datetime | None, now: datetime, hour: int, zone: ZoneInfo) -> bool:
    """Whether an inventory is to be read: none was since that hour of the Dutch day last came."""
    if read_at is None:
        return True
    today = now.astimezone(zone).date()
    last = local_start(datetime.combine(today, time(hour)), zone)
    if last > now:
        last = local_start(datetime.combine(today - timedelta(days=1), time(hour)), zone)
    return read_at < last


def message(lines: Iterable[Line], checked: Mapping[str, Checked], codes: Mapping[str, str]) -> bytes:
    """The rows of an inventory; `checked` are those that have gone, with the answer about them, `codes` what it said besides."""
    return b"".join(_rows(lines, checked, codes))


def _rows(lines: Iterable[Line], checked: Mapping[str, Checked], codes: Mapping[str, str]) -> Iterator[bytes]:
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<Inventory>\n'
    for line in lines:
        yield _row({EAN: line.ean, LISTED: "Y", AVAILABILITY: line.availability})
    for ean, answer in checked.items():
        yield _row({EAN: ean, LISTED: "N", CHECKED: answer.value, AVAILABILITY: codes.get(ean, "")})
    yield b"</Inventory>\n"


def _row(fields: Mapping[str, str]) -> bytes:
    written = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    return f"<Title>{written}</Title>\n".encode()
