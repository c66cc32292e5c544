"""The stub's Luisterhuis feed, inventory and availability check (contract 2.1 to 2.3, with the modes of 11.2 and 11.3)."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta, timezone
from xml.sax.saxutils import escape

from adapters.distributors.cb.sandbox_knobs import StubSettings
from adapters.distributors.cb.sandbox_onix import RecordWriter, message
from adapters.distributors.cb.sandbox_shelf import Shelf
from adapters.distributors.cb.sandbox_titles import ZONE, Title
from adapters.sandbox.catalogue import instant_text
from adapters.sandbox.stub import Answer, Call

_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
_STEP_B = "step_b_"
SYNTAX = Answer(status=400, word="syntax error")


class Feed:
    """Answers what a shop asks of the catalogue."""

    def __init__(self, *, shelf: Shelf, writer: RecordWriter) -> None:
        self._shelf = shelf
        self._writer = writer
        self._messages = 0
        self._turned = 0

    def feed(self, call: Call, settings: StubSettings) -> Answer:
        """A page of the titles that were modified since an instant, in an order that nobody promises."""
        numbers = [call.query.get("limit", str(settings.page_default)), call.query.get("offset", "0")]
        since = _since(call.query.get("modifiedfrom"), settings)
        if since is None or not all(number.isdecimal() for number in numbers):
            return SYNTAX
        limit, offset = map(int, numbers)
        limit = settings.page_default if call.fault("ignored_limit") else min(limit, settings.page_cap)
        titles = self._ordered(call, settings, since)
        if call.fault("moving_records"):
            self._turned += max(1, limit // 2)
        turn = self._turned % len(titles) if titles else 0
        page = [*titles[turn:], *titles[:turn]][offset : offset + limit]
        return self._page(call, page)

    def _ordered(self, call: Call, settings: StubSettings, since: datetime) -> list[Title]:
        told = [title for title in self._shelf.audiobooks() if title.is_told and title.changed_at(call.at) >= since]
        if settings.order == "shuffled":
            return sorted(told, key=lambda title: hashlib.sha256(title.isbn.encode()).digest())
        return told

    def _page(self, call: Call, page: list[Title]) -> Answer:
        if call.fault("empty_page"):
            page = []
        if call.fault("short_page"):
            page = page[: len(page) // 2]
        records = [self._writer.record(title, call.at) for title in page]
        if records and call.fault("duplicate_records"):
            records.append(records[0])
        if records and call.fault("broken_record"):
            records[0] = records[0].replace(b"</NotificationType>", b"</ NotificationType>", 1)
        self._messages += 1
        body = message(records, number=self._messages, sent_at=call.at)
        if records and call.fault("cut_body"):
            body = body[: body.rindex(records[-1]) + len(records[-1]) // 2]
        return Answer(status=200, body=body, content_type="application/xml; charset=utf-8")

    def inventory(self, call: Call, _settings: StubSettings) -> Answer:
        """A line for each title that Luisterhuis has (2.2)."""
        missing: set[str] = set()
        if call.fault("missing_titles"):
            missing = {isbn for name, isbn in self._shelf.scenarios.items() if name.startswith(_STEP_B)}
        listed = [title for title in self._shelf.audiobooks() if title.is_listed and not title.is_deleted]
        lines = [
            f"{title.isbn};{title.availability_at(call.at) or ''};{instant_text(title.changed_at(call.at))}\n"
            for title in listed
            if title.isbn not in missing
        ]
        body = "EAN13;ProductAvailability;LastModified\n" + "".join(lines)
        return Answer(status=200, body=body.encode(), content_type="text/csv; charset=utf-8")

    def availability(self, call: Call, _settings: StubSettings) -> Answer:
        """Whether it may be ordered, and its code (2.3); a title that nobody knows is refused in the house style."""
        title = self._shelf.find(call.query.get("ean", ""))
        if title is None or not title.is_audio:
            return refusal("EBS-10003")
        code = title.availability_at(call.at) or ""
        said = "yes" if title.is_sold(call.at) else "no"
        return xml({"Available": said, "ProductAvailability": code}, root="Availability")


def xml(fields: dict[str, str], *, root: str = "Response", word: str = "") -> Answer:
    """A flat XML answer."""
    written = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in fields.items())
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root}>{written}</{root}>\n'
    return Answer(status=200, word=word, body=body.encode(), content_type="application/xml; charset=utf-8")


def refusal(code: str, text: str = "") -> Answer:
    """A refusal in CB's house style: status 200 with an error inside (2.9)."""
    fields = {"MessageType": "E", "MessageCode": code, "MessageText": text or f"refused: {code}"}
    return xml(fields, word=code)


def _since(text: str | None, settings: StubSettings) -> datetime | None:
    """`modifiedfrom` as this stub's zone reads it; none where it is no local time."""
    if text is None:
        return _LONG_AGO
    try:
        wall = datetime.fromisoformat(text)
    except ValueError:
        return None
    if wall.tzinfo is not None:
        return None
    match settings.zone:
        case "amsterdam":
            return wall.replace(tzinfo=ZONE, fold=int(settings.fold == "later")).astimezone(UTC)
        case fixed:
            return wall.replace(tzinfo=timezone(timedelta(hours=int(fixed[-1])))).astimezone(UTC)
