"""The stub's feed: full, delta and single publications with their cursors and limits (contract section 3)."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.sandbox_knobs import StubSettings
from adapters.distributors.demarque.sandbox_onix import NAMESPACE, OLD_NAMESPACE, Platform, message
from adapters.distributors.demarque.sandbox_shelf import Shelf
from adapters.distributors.demarque.sandbox_xml import publications_xml
from adapters.sandbox.stub import Answer, Call

_HOUR = timedelta(hours=1)
_WINDOWS_KEPT = 256
_EPOCH_MILLISECONDS = 1420451425000
"""Where the made-up times of the full feed's cursors begin."""
_NOT_FOUND = Answer(status=404, word="not_found")


class SlidingWindow:
    """Counts calls in the last 60 minutes (contract 2.3)."""

    def __init__(self) -> None:
        self._arrivals: deque[datetime] = deque()

    def admits(self, at: datetime, limit: int) -> bool:
        """Whether another call is within the limit; it is counted if so."""
        while self._arrivals and self._arrivals[0] <= at - _HOUR:
            self._arrivals.popleft()
        if len(self._arrivals) >= limit:
            return False
        self._arrivals.append(at)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _Window:
    """A delta's frozen span, as its next links carry it."""

    since: str
    until: str
    since_at: datetime
    until_at: datetime


class Feed:
    """Answers the calls of section 3 for one organisation."""

    def __init__(self, *, shelf: Shelf, platform: Platform) -> None:
        self._shelf = shelf
        self._platform = platform
        self._first_pages = SlidingWindow()
        self._publications = SlidingWindow()
        self._synced_at: datetime | None = None
        self._messages = 0
        self._frozen: OrderedDict[tuple[str, str], Sequence[int]] = OrderedDict()

    # --- full

    def full(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 3.1: pages in the order of publication numbers, the cursor opaque, 404 after the last."""
        start = call.query.get("start")
        if refused := self._refused(call, settings, first=start is None):
            return refused
        after = 0 if start is None else _read_cursor(start, self._shelf.prefix)
        if after is None:
            return Answer(status=400, word="invalid_start")
        numbers = self._shelf.numbers
        further = islice(numbers, bisect_right(numbers, after), None)
        page = list(islice(filter(self._shelf.is_told, further), settings.page_size))
        if not page:
            return _NOT_FOUND
        link = self._link(call, {"start": _cursor(page[-1], self._shelf.prefix)})
        return self._page(call, page, settings, link)

    # --- delta

    def delta(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 3.2: what changed in a span that is frozen when its first page is asked for, by page number.

        A publication that changes after that is left to the next delta; pages keep their borders meanwhile.
        """
        start = call.query.get("start")
        since = self._synced_at
        if refused := self._refused(call, settings, first=start is None):
            return refused
        window = self._window(call, since)
        if window is None:
            return Answer(status=400, word="invalid_from")
        numbers = self._changed(window)
        if start is None and self._is_too_many(call, settings, len(numbers)):
            return Answer(status=400, word="too_many_results")
        if start is not None and not (start.isdecimal() and int(start) >= 1):
            return Answer(status=400, word="invalid_start")
        return self._delta_page(call, settings, window, numbers, int(start or 1))

    def _delta_page(
        self, call: Call, settings: StubSettings, window: _Window, numbers: Sequence[int], first: int
    ) -> Answer:
        size = settings.page_size
        for number in range(first, len(numbers) // size + 2):
            page = [
                n
                for n in numbers[(number - 1) * size : number * size]
                if self._shelf.changed_at(n, call.at) <= window.until_at and self._shelf.is_told(n)
            ]
            if page:
                query = {"from": window.since, "start": str(number + 1), "to": window.until}
                return self._page(call, page, settings, self._link(call, query))
        return _NOT_FOUND

    def _window(self, call: Call, synced_at: datetime | None) -> _Window | None:
        since_text, until_text = call.query.get("from"), call.query.get("to")
        since = (synced_at or _LONG_AGO) if since_text is None else _read_instant(since_text, self._platform.zone)
        until = call.at if until_text is None else _read_instant(until_text, self._platform.zone)
        if since is None or until is None:
            return None
        return _Window(since=since.isoformat(), until=until.isoformat(), since_at=since, until_at=until)

    def _changed(self, window: _Window) -> Sequence[int]:
        key = (window.since, window.until)
        if key not in self._frozen:
            changed = sorted(
                (changed_at, number)
                for number in self._shelf.numbers
                if window.since_at <= (changed_at := self._shelf.changed_at(number, window.until_at)) <= window.until_at
            )
            self._frozen[key] = [number for _, number in changed]
            while len(self._frozen) > _WINDOWS_KEPT:
                self._frozen.popitem(last=False)
        return self._frozen[key]

    def _is_too_many(self, call: Call, settings: StubSettings, count: int) -> bool:
        if call.fault("too_many_results"):
            return True
        return settings.too_many_results is not None and count > settings.too_many_results

    # --- one publication

    def publication(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 3.5: the record of that ISBN, without a Link."""
        if call.path["extension"] not in {"onix", "xml"}:
            return Answer(status=415, word="invalid_format")
        if not self._publications.admits(call.at, settings.publication_limit):
            return Answer(status=429)
        title = self._shelf.find(call.path["isbn"])
        if title is None or not title.agreement:
            return _NOT_FOUND
        if call.path["extension"] == "xml":
            return _xml(publications_xml([title], call.at, self._platform))
        return _xml(self._message([self._shelf.record(title, call.at, lcp=settings.lcp)], call, settings))

    # --- what the lists share

    def _refused(self, call: Call, settings: StubSettings, *, first: bool) -> Answer | None:
        """415, or 429 over the limit of first pages; a first page moves the server's own marker (3.2)."""
        if call.path.get("extension", "onix") not in {"onix", "xml"}:
            return Answer(status=415, word="invalid_format")
        if call.fault("not_found"):
            return _NOT_FOUND
        if first:
            if not self._first_pages.admits(call.at, settings.first_page_limit):
                return Answer(status=429)
            self._synced_at = call.at
        return None

    def _page(self, call: Call, numbers: Sequence[int], settings: StubSettings, link: str | None) -> Answer:
        headers = {} if link is None else {"Link": f"<{link}>; rel=next"}
        if call.fault("empty_page"):
            numbers = []
        if call.path.get("extension") == "xml":
            titles = [title for number in numbers for title in self._shelf.titles_of(number)]
            return _xml(publications_xml(titles, call.at, self._platform), headers)
        records = [self._shelf.records(number, call.at, lcp=settings.lcp) for number in numbers]
        return _xml(self._message(records, call, settings), headers)

    def _message(self, records: Sequence[bytes], call: Call, settings: StubSettings) -> bytes:
        self._messages += 1
        return message(
            records,
            platform=self._platform,
            namespace=NAMESPACE if settings.namespace == "2022" else OLD_NAMESPACE,
            number=self._messages,
            sent_at=call.at,
        )

    def _link(self, call: Call, query: dict[str, str]) -> str | None:
        """The absolute next address; every page has one, also the last (contract 3.3)."""
        if call.fault("no_link"):
            return None
        if call.fault("same_link"):
            return call.origin + call.target
        origin = "http://feeds.elsewhere.example" if call.fault("foreign_link") else call.origin
        path = call.target.partition("?")[0]
        return f"{origin}{path}?{urlencode(query)}"


_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _xml(body: bytes, headers: dict[str, str] | None = None) -> Answer:
    return Answer(status=200, body=body, content_type="application/xml; charset=utf-8", headers=headers or {})


def _cursor(number: int, prefix: str) -> str:
    """As captured: epoch milliseconds and the publication's id in base64 (contract 3.3)."""
    return base64.b64encode(f"{_EPOCH_MILLISECONDS + number * 1000} {prefix}{number}".encode()).decode()


def _read_cursor(text: str, prefix: str) -> int | None:
    try:
        decoded = base64.b64decode(text, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    number = decoded.partition(" ")[2].removeprefix(prefix)
    return int(number) if number.isdecimal() else None


def _read_instant(text: str, zone: ZoneInfo) -> datetime | None:
    """Basic or extended ISO with Z, an offset or none, which means the platform's zone (contract 3.4)."""
    try:
        at = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError:
        return None
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
