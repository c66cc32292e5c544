"""The stub's titles: kept by reference, found by ISBN, shown and edited as rows, written as records once per change."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec import UNSET

from adapters.distributors.demarque.sandbox_catalogue import MARKETS, Catalogue
from adapters.distributors.demarque.sandbox_edits import edit_title, standard_line
from adapters.distributors.demarque.sandbox_onix import Platform, RecordWriter
from adapters.distributors.demarque.sandbox_titles import Kind, Title
from adapters.sandbox.catalogue import (
    BookMaker,
    EditInvalid,
    Moment,
    TitleEdit,
    TitleRow,
    amount_text,
    instant_text,
    pick_where,
)
from syncengine.domain.ids import is_valid_isbn

_FORMATS = frozenset({"epub", "pdf", "mobi", "audio"})
_NEW_TITLE_AMOUNT = 1299


@dataclass(slots=True, kw_only=True)
class _Written:
    """A record's bytes, and what they were written from."""

    title: Title
    changed_at: datetime
    lcp: bool
    record: bytes


class Shelf:
    """All titles of one platform. A publication (a number) has one title per format."""

    def __init__(self, *, distributor: str, platform: Platform, maker: BookMaker, catalogue: Catalogue) -> None:
        self._distributor = distributor
        self._platform = platform
        self._maker = maker
        self._writer = RecordWriter(platform=platform, maker=maker)
        self._titles: dict[str, Title] = {}
        self._by_isbn: dict[str, str] = {}
        self._by_number: dict[int, list[str]] = {}
        self._numbers: list[int] = []
        self._written: dict[str, _Written] = {}
        self.scenarios = dict(catalogue.scenarios)
        for title in catalogue.titles:
            self._put(title)

    @property
    def prefix(self) -> str:
        """The platform's, as in `ENQC12`."""
        return self._platform.prefix

    @property
    def numbers(self) -> Sequence[int]:
        """The numbers of all publications, rising in the order in which they came."""
        return self._numbers

    def __len__(self) -> int:
        return len(self._titles)

    def find(self, identifier: str) -> Title | None:
        """The title of an ISBN (a retail one before a library one), or of an internal key such as `ENQC12`."""
        if reference := self._by_isbn.get(identifier):
            return self._titles[reference]
        number = identifier.removeprefix(self.prefix)
        if number != identifier and number.isdecimal() and (references := self._by_number.get(int(number))):
            return self._titles[references[0]]
        return None

    def titles_of(self, number: int) -> list[Title]:
        """The publication's titles that the feed tells of."""
        titles = (self._titles[reference] for reference in self._by_number[number])
        return [title for title in titles if title.agreement]

    # --- as records

    def is_told(self, number: int) -> bool:
        """Whether the feed has anything of that publication: not without an agreement."""
        return bool(self.titles_of(number))

    def changed_at(self, number: int, at: datetime) -> datetime:
        """When any record of the publication last became different."""
        return max(self._titles[reference].changed_at(at) for reference in self._by_number[number])

    def records(self, number: int, at: datetime, *, lcp: bool) -> bytes:
        """The publication's records as they are at that instant."""
        return b"".join(self.record(title, at, lcp=lcp) for title in self.titles_of(number))

    def record(self, title: Title, at: datetime, *, lcp: bool) -> bytes:
        """One record; written anew only when its title has changed."""
        writer = replace(self._writer, platform=replace(self._platform, lcp=lcp))
        reference = writer.reference(title)
        changed_at = title.changed_at(at)
        known = self._written.get(reference)
        if known and known.title is title and (known.changed_at, known.lcp) == (changed_at, lcp):
            return known.record
        record = writer.record(title, changed_at)
        self._written[reference] = _Written(title=title, changed_at=changed_at, lcp=lcp, record=record)
        return record

    # --- as rows

    def rows(self, at: datetime) -> list[TitleRow]:
        """The truth about every title that has an ISBN of its own."""
        return [row for isbn in self._by_isbn for row in self.rows_of(isbn, at)]

    def rows_of(self, isbn: str, at: datetime) -> list[TitleRow]:
        """A row for each of its markets."""
        return _rows(self._distributor, self._titles[self._by_isbn[isbn]], at)

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        """Make all edits or, raising EditInvalid, none; gives the rows of the titles they touched."""
        overlay: dict[str, Title] = {}
        rows: list[TitleRow] = []
        for place, edit in enumerate(edits):
            try:
                for isbn in self._named(edit, at, rows):
                    overlay[isbn] = self._edited(overlay.get(isbn), isbn, edit, at, added=len(overlay))
            except EditInvalid as error:
                raise EditInvalid(f"row {place}: {error}") from error
        for title in overlay.values():
            self._put(title)
        return [row for isbn in overlay for row in self.rows_of(isbn, at)]

    def _named(self, edit: TitleEdit, at: datetime, rows: list[TitleRow]) -> Iterable[str]:
        if isinstance(edit.isbn, str):
            return [edit.isbn]
        if edit.where is UNSET:
            raise EditInvalid("an edit needs an isbn, or where with a state")
        if not rows:
            rows.extend(self.rows(at))
        return pick_where(rows, edit, spare=frozenset(self.scenarios.values()))

    def _edited(self, title: Title | None, isbn: str, edit: TitleEdit, at: datetime, *, added: int) -> Title:
        if title is None and (reference := self._by_isbn.get(isbn)):
            title = self._titles[reference]
        if title is None:
            title = self._new(isbn, edit, at, number=self._numbers[-1] + 1 + added)
        elif isinstance(edit.format, str) and edit.format != title.format:
            raise EditInvalid(f"{isbn} is {title.format}, not {edit.format}")
        return edit_title(title, edit, at, self._platform.zone)

    def _new(self, isbn: str, edit: TitleEdit, at: datetime, *, number: int) -> Title:
        if not is_valid_isbn(isbn):
            raise EditInvalid(f"{isbn!r} is no ISBN-13 with the right check digit")
        form = edit.format if isinstance(edit.format, str) else "epub"
        if form not in _FORMATS:
            raise EditInvalid(f"{form!r} is no format; there is {', '.join(sorted(_FORMATS))}")
        started = Moment(at=at.replace(microsecond=0) - timedelta(days=1))
        markets = [edit.market] if isinstance(edit.market, str) else MARKETS
        lines = [replace(standard_line(market, amount=_NEW_TITLE_AMOUNT), release=started) for market in markets]
        return Title(
            isbn=isbn,
            format=form,
            book=self._maker.book(number),
            lines=tuple(lines),
            protections=("02",),
            modified_at=at,
            published=started,
            preorder_at=Moment(at=started.at - timedelta(days=30)),
        )

    def _put(self, title: Title) -> None:
        reference = self._writer.reference(title)
        self._titles[reference] = title
        references = self._by_number.setdefault(title.number, [])
        if not references:
            self._numbers.append(title.number)
        if reference not in references:
            references.append(reference)
        if title.isbn and (title.kind is Kind.RETAIL or title.isbn not in self._by_isbn):
            self._by_isbn[title.isbn] = reference


def _rows(distributor: str, title: Title, at: datetime) -> list[TitleRow]:
    rows = []
    for line in title.lines:
        charge = line.shown_charge(at)
        release = title.release_of(line)
        rows.append(
            TitleRow(
                distributor=distributor,
                isbn=title.isbn,
                format=title.format,
                market=line.market,
                price=None if charge is None else amount_text(charge.gross),
                release_at=None if release is None else instant_text(release.at),
                state=title.state(line, at),
            )
        )
    return rows
