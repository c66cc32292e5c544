"""The stub's two feeds: the inventory (ATOM) and the ONIX export, by one cursor rule (contract 3, 4 and 9)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from urllib.parse import urlencode
from xml.sax.saxutils import escape

from adapters.distributors.bokbasen.sandbox_knobs import MOST_RECORDS, MOST_ROWS, StubSettings
from adapters.distributors.bokbasen.sandbox_onix import RecordWriter, message
from adapters.distributors.bokbasen.sandbox_shelf import Log, Shelf
from adapters.distributors.bokbasen.sandbox_titles import ZONE, Resource, Title
from adapters.sandbox.stub import Answer, Call

ATOM = "http://www.w3.org/2005/Atom"
INVENTORY = "http://bokbasen.no/module/inventory/1.0"

_ATOM_TYPE = "application/atom+xml;charset=UTF-8"
_XML_TYPE = "application/xml;charset=UTF-8"
_NOTIFICATIONS = frozenset({"", "updated", "deleted"})
_SUBSCRIPTIONS = frozenset({"basic", "extended", "school"})
_PUBLISHER_BASE = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cursor:
    """A place behind the change of that number; `text` as the caller sent it, none where it came by `after`."""

    number: int
    text: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    """What one answer tells, and the places behind it."""

    isbns: Sequence[str]
    next: str | None
    link: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """How the cursor rule is applied to a feed: how far back, how many at most, and what its errors look like."""

    oldest: timedelta | None
    most: int
    refuse: Callable[[str], Answer]


class Feed:
    """Answers the calls of sections 4 and 9.1."""

    def __init__(self, *, shelf: Shelf, writer: RecordWriter) -> None:
        self._shelf = shelf
        self._writer = writer
        self._written: dict[tuple[str, str], tuple[Title, bytes]] = {}
        self._endless = count(1)

    # --- the inventory

    def inventory(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 4: the latest version of each book that changed."""
        self._shelf.pass_time(call.at)
        days = settings.inventory_oldest_days
        rule = _Rule(
            oldest=None if days is None else timedelta(days=days),
            most=min(settings.inventory_page, MOST_ROWS),
            refuse=lambda word: Answer(status=400, word=word),
        )
        page = self._page(call, self._shelf.inventory, rule, settings, lambda _: True)
        if isinstance(page, Answer):
            return page
        entries = [self._entry(isbn, resource) for isbn in page.isbns if (resource := self._resource(isbn))]
        return Answer(status=200, body=self._atom(call, entries), content_type=_ATOM_TYPE, headers=_headers(page))

    def look_up(self, call: Call, settings: StubSettings) -> Answer:  # noqa: ARG002 - a look-up has no choices
        """One title by its ISBN: all versions of its file; a feed without entry where there is none."""
        self._shelf.pass_time(call.at)
        isbn = call.path["isbn"]
        title = self._shelf.find(isbn)
        versions = [*title.earlier, title.resource] if title else []
        entries = [self._entry(isbn, resource) for resource in versions if resource is not None]
        return Answer(status=200, body=self._atom(call, entries), content_type=_ATOM_TYPE)

    def _resource(self, isbn: str) -> Resource | None:
        title = self._shelf.find(isbn)
        return title.resource if title else None

    def _entry(self, isbn: str, resource: Resource) -> str:
        title = self._shelf.find(isbn)
        publisher = _PUBLISHER_BASE + title.book.publisher.number if title else _PUBLISHER_BASE
        updated = self._shelf.inventory.changed_at(isbn)
        deleted = f"{resource.deleted:%Y-%m-%d}" if resource.deleted else ""
        facts = (
            ("isbn", isbn),
            ("publisher", str(publisher)),
            ("format", resource.kind),
            ("drm", resource.drm),
            ("version", str(resource.version)),
            ("deleted", deleted),
            ("published", _flag(resource.published)),
            ("access", _flag(resource.access)),
            ("excerpt", _flag(resource.excerpt)),
        )
        written = "".join(f"<inv:{name}>{escape(text)}</inv:{name}>" for name, text in facts)
        return f"<entry><id>urn:uuid:{resource.resid}</id><updated>{_utc(updated)}</updated>{written}</entry>\n"

    def _atom(self, call: Call, entries: Sequence[str]) -> bytes:
        head = (
            f'<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="{ATOM}" xmlns:inv="{INVENTORY}">\n'
            f'<title>DDS Inventory</title><link rel="self" href="{escape(call.origin + call.target)}"/>'
            f"<updated>{_utc(call.at)}</updated>\n"
        )
        return (head + "".join(entries) + "</feed>\n").encode()

    # --- the ONIX export

    def export(self, call: Call, settings: StubSettings) -> Answer:
        """Contract 9.1: the whole trade's records as they change."""
        if refused := self._refused(call, settings):
            return refused
        self._shelf.pass_time(call.at)
        wanted = call.query.get("notificationType", "")
        if wanted not in _NOTIFICATIONS:
            return _bad_export("notificationType")
        rule = _Rule(
            oldest=timedelta(days=settings.oldest_days),
            most=min(settings.onix_page, MOST_RECORDS),
            refuse=_bad_export,
        )
        page = self._page(call, self._shelf.export, rule, settings, lambda isbn: self._is_wanted(isbn, wanted))
        if isinstance(page, Answer):
            return page
        if self._is_too_large(call, rule, settings):
            return Answer(status=413, word="too large")
        return self._message(call, page.isbns, settings, _headers(page))

    def record(self, call: Call, settings: StubSettings) -> Answer:
        """One record, for debugging."""
        if call.path["version"] not in settings.versions:
            return Answer(status=404, word="not found")
        self._shelf.pass_time(call.at)
        isbn = call.path["isbn"]
        if not self._shelf.exported(isbn):
            return Answer(status=404, word="not found")
        return self._message(call, [isbn], settings, {})

    def _refused(self, call: Call, settings: StubSettings) -> Answer | None:
        if call.path["version"] not in settings.versions:
            return Answer(status=404, word="not found")
        subscription = call.query.get("subscription", "")
        if subscription not in _SUBSCRIPTIONS:
            return _bad_export("subscription")
        return None if subscription in settings.subscriptions else Answer(status=403, word="subscription")

    def _is_wanted(self, isbn: str, wanted: str) -> bool:
        return not wanted or (wanted == "deleted") is self._shelf.shown(isbn).removed

    def _is_too_large(self, call: Call, rule: _Rule, settings: StubSettings) -> bool:
        if call.fault("too_large"):
            return True
        size = int(call.query.get("pagesize") or rule.most)
        return settings.largest_onix_page is not None and size > settings.largest_onix_page

    def _message(self, call: Call, isbns: Sequence[str], settings: StubSettings, headers: dict[str, str]) -> Answer:
        version = call.path["version"]
        release = {"v1": "3.0", "v2": settings.namespace}.get(version, "3.1")
        records = [self._record(isbn, version) for isbn in isbns]
        body = message(records, version=release, sent_at=call.at)
        return Answer(status=200, body=body, content_type=_XML_TYPE, headers=headers)

    def _record(self, isbn: str, version: str) -> bytes:
        """Written once for each change."""
        title = self._shelf.shown(isbn)
        known = self._written.get((isbn, version))
        if known is None or known[0] is not title:
            known = (title, self._writer.record(title, self._shelf.export.changed_at(isbn), version=version))
            self._written[isbn, version] = known
        return known[1]

    # --- the cursor rule

    def _page(
        self, call: Call, log: Log, rule: _Rule, settings: StubSettings, is_wanted: Callable[[str], bool]
    ) -> _Page | Answer:
        cursor = self._cursor(call, log, rule)
        if isinstance(cursor, Answer):
            return cursor
        size = call.query.get("pagesize", "")
        if size and not (size.isdecimal() and 1 <= int(size) <= rule.most):
            return rule.refuse("pagesize")
        limit = int(size or rule.most)
        found = [(number, isbn) for number, isbn in log.since(cursor.number) if is_wanted(isbn)]
        page = list(islice(found, limit))
        return self._with_places(call, cursor, page, more=len(found) > len(page), settings=settings)

    def _with_places(
        self, call: Call, cursor: _Cursor, page: Sequence[tuple[int, str]], *, more: bool, settings: StubSettings
    ) -> _Page:
        """The page with Next, and with Link where more rows follow; an empty page leaves the cursor as it was sent."""
        isbns = [isbn for _, isbn in page]
        behind = _text(page[-1][0], call.at) if page else cursor.text or _text(cursor.number, call.at)
        if call.fault("same_next"):
            behind = cursor.text or behind
        if call.fault("endless"):
            behind, more = _text(cursor.number, call.at + timedelta(milliseconds=next(self._endless))), True
        if call.fault("no_next") or (not page and cursor.text is None and not settings.next_on_empty):
            return _Page(isbns=isbns, next=None, link=None)
        if not more or call.fault("no_link"):
            return _Page(isbns=isbns, next=behind, link=None)
        query = {name: text for name, text in call.query.items() if name not in {"after", "next"}}
        target = f"{call.origin}{call.target.partition('?')[0]}?{urlencode({**query, 'next': behind})}"
        return _Page(isbns=isbns, next=behind, link=target)

    def _cursor(self, call: Call, log: Log, rule: _Rule) -> _Cursor | Answer:
        """Exactly one of `after` and `next`, neither of them too old."""
        after, following = call.query.get("after", ""), call.query.get("next", "")
        if bool(after) is bool(following):
            return rule.refuse("after or next")
        earliest = None if rule.oldest is None else call.at - rule.oldest
        if after:
            since = _after(after)
            if since is None or (earliest is not None and since < earliest):
                return rule.refuse("after")
            return _Cursor(number=log.before(since))
        read = _read(following)
        if read is None or (earliest is not None and read[1] < earliest):
            return rule.refuse("next")
        return _Cursor(number=read[0], text=following)


def _after(text: str) -> datetime | None:
    """`yyyyMMddHHmmss` in Norway's civil time (a choice: contract 14)."""
    try:
        moment = datetime.strptime(text, "%Y%m%d%H%M%S") if len(text) == 14 else None  # noqa: DTZ007 - Norway's, below
    except ValueError:
        return None
    return moment.replace(tzinfo=ZONE).astimezone(UTC) if moment else None


def _text(number: int, at: datetime) -> str:
    """A cursor: the number of a change, and when it was handed out, in base64."""
    return base64.b64encode(f"{number}:{int(at.timestamp() * 1000)}".encode()).decode()


def _read(text: str) -> tuple[int, datetime] | None:
    try:
        number, _, handed_out = base64.b64decode(text, validate=True).decode().partition(":")
        return int(number), datetime.fromtimestamp(int(handed_out) / 1000, UTC)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _headers(page: _Page) -> dict[str, str]:
    headers = {} if page.next is None else {"Next": page.next}
    return headers if page.link is None else {**headers, "Link": f'<{page.link}>; rel="next"'}


def _bad_export(what: str) -> Answer:
    """The error form of the export services (contract 3)."""
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<errors><error><code>PARAMETER_ERROR</code>'
        f"<message>{escape(what)} is missing or wrong</message></error></errors>\n"
    )
    return Answer(status=400, word=what, body=body.encode(), content_type=_XML_TYPE)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _utc(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
