"""The stub's titles: kept by ISBN, changed by edits and by time, each change at the end of the feed that tells of it."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from msgspec import UNSET

from adapters.distributors.bokbasen.sandbox_catalogue import Catalogue, resource_id
from adapters.distributors.bokbasen.sandbox_edits import edit_title
from adapters.distributors.bokbasen.sandbox_titles import MARKET, Charge, Plan, Resource, Title
from adapters.sandbox.catalogue import (
    BookMaker,
    EditInvalid,
    TitleEdit,
    TitleRow,
    amount_text,
    instant_text,
    pick_where,
)
from syncengine.domain.ids import is_valid_isbn
from syncengine.domain.offer import OfferState

FORMATS = frozenset({"epub", "pdf", "ebp", "audio"})
_NEW_TITLE_AMOUNT = 19900
_LISTED_YEARS = timedelta(days=400)


@dataclass(slots=True)
class Log:
    """What a feed tells, in the order of its changes: of each ISBN the latest only. Numbers start at 1 and never repeat."""

    _numbers: list[int] = field(default_factory=list)
    _instants: list[datetime] = field(default_factory=list)
    _isbns: list[str] = field(default_factory=list)
    _latest: dict[str, int] = field(default_factory=dict)

    def note(self, isbn: str, at: datetime) -> None:
        """The title changed at that instant."""
        number = len(self._numbers) + 1
        self._numbers.append(number)
        self._instants.append(max([at, *self._instants[-1:]]))
        self._isbns.append(isbn)
        self._latest[isbn] = number

    def changed_at(self, isbn: str) -> datetime:
        """When the feed last had a change of the title."""
        return self._instants[self._latest[isbn] - 1]

    def since(self, number: int) -> Iterator[tuple[int, str]]:
        """The changes behind that number, each title once, at its latest."""
        for place in range(bisect_right(self._numbers, number), len(self._numbers)):
            if self._latest[self._isbns[place]] == self._numbers[place]:
                yield self._numbers[place], self._isbns[place]

    def before(self, at: datetime) -> int:
        """The number of the last change before that instant; 0 where there is none."""
        return bisect_left(self._instants, at)

    def changed_number(self, number: int) -> datetime | None:
        """When the change of that number was; none where there is no such change."""
        return self._instants[number - 1] if 1 <= number <= len(self._instants) else None


class Shelf:
    """All titles, those for sale by the warehouse and those that the ONIX export tells of besides."""

    def __init__(self, *, distributor: str, maker: BookMaker, catalogue: Catalogue) -> None:
        self._distributor = distributor
        self._maker = maker
        self._titles: dict[str, Title] = {}
        self._noise: dict[str, Title] = {}
        self._by_resource: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._lag = timedelta()
        self._lagging: list[tuple[datetime, str]] = []
        self._shown: dict[str, Title] = {}
        self.inventory = Log()
        self.export = Log()
        self.scenarios: Mapping[str, str] = dict(catalogue.scenarios)
        for title, at in catalogue.titles:
            self._put(title, at, export_at=at)
        for title, at in catalogue.noise:
            self._noise[title.isbn] = title
            self._shown[title.isbn] = title
            self.export.note(title.isbn, at)

    def find(self, isbn: str) -> Title | None:
        """The title of an ISBN as it is now, noise left aside."""
        return self._titles.get(isbn)

    def shown(self, isbn: str) -> Title:
        """The title as the ONIX export tells it, which may lag behind."""
        return self._shown[isbn]

    def exported(self, isbn: str) -> bool:
        """Whether the ONIX export has a record of the ISBN."""
        return isbn in self._shown and self._shown[isbn].in_export

    def by_resource(self, resid: str) -> tuple[Title, Resource] | None:
        """The title and the file version of a resource id, in either letter case."""
        isbn = self._by_resource.get(resid.lower())
        if isbn is None:
            return None
        title = self._titles[isbn]
        held = next(one for one in _resources(title) if one.resid == resid.lower())
        return title, held

    def pass_time(self, at: datetime) -> None:
        """Release what is due, and let the export catch up with what lagged behind."""
        due = [
            (title.publishes_at.at, title.isbn)
            for title in map(self._titles.__getitem__, self._waiting)
            if title.publishes_at is not None and title.publishes_at.at <= at
        ]
        for released_at, isbn in sorted(due):
            title = self._titles[isbn].released()
            self._put(title, released_at, export_at=released_at + self._lag)
        ready = sorted(entry for entry in self._lagging if entry[0] <= at)
        self._lagging = [entry for entry in self._lagging if entry[0] > at]
        for caught_up_at, isbn in ready:
            self._show(self._titles[isbn], caught_up_at)

    def lag_export(self, seconds: float) -> None:
        """How much later than the inventory the export tells of changes from now on."""
        self._lag = timedelta(seconds=seconds)

    # --- as rows

    def rows(self, at: datetime) -> list[TitleRow]:
        """The truth about every title that has a record: without one nobody can order it (contract 10.1, 2)."""
        self.pass_time(at)
        return [self.row_of(isbn, at) for isbn, title in self._titles.items() if title.in_export]

    def row_of(self, isbn: str, at: datetime) -> TitleRow:
        """The truth about one title in the one market there is."""
        title = self._titles[isbn]
        return TitleRow(
            distributor=self._distributor,
            isbn=isbn,
            format=title.format,
            market=MARKET,
            price=None if title.price is None else amount_text(title.price),
            release_at=instant_text(title.publishes_at.at) if title.publishes_at else None,
            state=title.state(at),
        )

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        """Make all edits or, raising EditInvalid, none; gives the rows of the titles they touched."""
        self.pass_time(at)
        overlay: dict[str, Title] = {}
        for place, edit in enumerate(edits):
            try:
                for isbn in self._named(edit, at):
                    known = overlay.get(isbn) or self._titles.get(isbn) or self._new(isbn, edit, at, added=len(overlay))
                    overlay[isbn] = edit_title(known, edit, at)
            except EditInvalid as error:
                raise EditInvalid(f"row {place}: {error}") from error
        for title in overlay.values():
            self._put(title, at, export_at=at + self._lag)
        return [self.row_of(isbn, at) for isbn in overlay]

    def _named(self, edit: TitleEdit, at: datetime) -> Iterable[str]:
        if isinstance(edit.isbn, str):
            return [edit.isbn]
        if edit.where is UNSET:
            raise EditInvalid("an edit needs an isbn, or where with a state")
        return pick_where(self.rows(at), edit, spare=frozenset(self.scenarios.values()))

    def _new(self, isbn: str, edit: TitleEdit, at: datetime, *, added: int) -> Title:
        if not is_valid_isbn(isbn):
            raise EditInvalid(f"{isbn!r} is no ISBN-13 with the right check digit")
        form = edit.format if isinstance(edit.format, str) else "epub"
        if form not in FORMATS:
            raise EditInvalid(f"{form!r} is no format; there is {', '.join(sorted(FORMATS))}")
        number = 1 + added + max(title.number for title in (*self._titles.values(), *self._noise.values()))
        published = (at - _LISTED_YEARS).date()
        return Title(
            isbn=isbn,
            number=number,
            book=self._maker.book(number),
            format=form,
            plan=Plan.ON_SALE,
            first_published=published,
            year=published.year,
            charges=(Charge(amount=_NEW_TITLE_AMOUNT),),
            resource=Resource(resid=resource_id(isbn, 1), kind="MP3" if form == "audio" else form.upper()),
            was_sold=True,
        )

    # --- changes

    def _put(self, title: Title, at: datetime, *, export_at: datetime) -> None:
        """Take a title as it is from `at` on; each feed is told where what it tells of has changed."""
        before = self._titles.get(title.isbn)
        if title.state(at) is OfferState.FOR_SALE:
            title = replace(title, was_sold=True)
        self._titles[title.isbn] = title
        (self._waiting.add if title.publishes_at else self._waiting.discard)(title.isbn)
        self._by_resource.update((resource.resid, title.isbn) for resource in _resources(title))
        if title.resource is not None and (before is None or before.resource != title.resource):
            self.inventory.note(title.isbn, at)
        if export_at > at:
            self._lagging.append((export_at, title.isbn))
        else:
            self._show(title, at)

    def _show(self, title: Title, at: datetime) -> None:
        shown = self._shown.get(title.isbn)
        self._shown[title.isbn] = title
        if title.in_export and (shown is None or _told(shown) != _told(title)):
            self.export.note(title.isbn, at)


def _resources(title: Title) -> list[Resource]:
    """Its file versions, the latest first."""
    return [resource for resource in (title.resource, *title.earlier) if resource is not None]


def _told(title: Title) -> Title:
    """What the ONIX export tells of a title: all but what the warehouse holds."""
    return replace(title, resource=None, earlier=(), publishes_at=None, was_sold=False)
