"""The CB stub's titles: found by EAN, shown and edited as rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from msgspec import UNSET

from adapters.distributors.cb.sandbox_catalogue import Catalogue
from adapters.distributors.cb.sandbox_titles import (
    ANNOUNCED,
    AUDIO,
    AVAILABLE,
    WITHDRAWN,
    ZONE,
    Agreement,
    Charge,
    Title,
)
from adapters.sandbox.catalogue import (
    BookMaker,
    EditInvalid,
    Moment,
    TitleEdit,
    TitleRow,
    amount_text,
    instant_text,
    pick_where,
    read_amount,
)
from syncengine.domain.ids import is_valid_isbn
from syncengine.domain.offer import OfferState

MARKET = "NL/EUR"
_FORMATS = frozenset({AUDIO, "epub"})
_NEW_BOOK = 500_000
_PRICE_TYPES = frozenset({"02", "04", "12", "14"})


class Shelf:
    """All titles of one shop's relation with CB."""

    def __init__(self, *, distributor: str, maker: BookMaker, catalogue: Catalogue) -> None:
        self._distributor = distributor
        self._maker = maker
        self._titles = {title.isbn: title for title in catalogue.titles}
        self.scenarios = dict(catalogue.scenarios)

    def find(self, isbn: str) -> Title | None:
        """The title of an EAN, told or not."""
        return self._titles.get(isbn)

    def audiobooks(self) -> Iterable[Title]:
        """Those of Luisterhuis, in the order of their making."""
        return (title for title in self._titles.values() if title.is_audio)

    def ebooks(self) -> Iterable[Title]:
        """Those of the e-book service."""
        return (title for title in self._titles.values() if not title.is_audio)

    def rows(self, at: datetime) -> list[TitleRow]:
        """The truth about every title."""
        return [self._row(title, at) for title in self._titles.values()]

    def edit(self, edits: Sequence[TitleEdit], at: datetime) -> list[TitleRow]:
        """Make all edits or, raising EditInvalid, none; gives the rows of the titles they touched."""
        overlay: dict[str, Title] = {}
        for place, edit in enumerate(edits):
            try:
                for isbn in self._named(edit, at):
                    overlay[isbn] = self._edited(overlay.get(isbn) or self._titles.get(isbn), isbn, edit, at)
            except EditInvalid as error:
                raise EditInvalid(f"row {place}: {error}") from error
        self._titles.update(overlay)
        return [self._row(title, at) for title in overlay.values()]

    def put(self, title: Title) -> None:
        """Take a title as it is; for tests of single cases."""
        self._titles[title.isbn] = title

    def _named(self, edit: TitleEdit, at: datetime) -> Iterable[str]:
        if isinstance(edit.isbn, str):
            return [edit.isbn]
        if edit.where is UNSET:
            raise EditInvalid("an edit needs an isbn, or where with a state")
        return pick_where(self.rows(at), edit, spare=frozenset(self.scenarios.values()))

    def _edited(self, title: Title | None, isbn: str, edit: TitleEdit, at: datetime) -> Title:
        if edit.market not in {UNSET, MARKET}:
            raise EditInvalid(f"CB sells in {MARKET} only, not in {edit.market}")
        if title is None:
            title = self._new(isbn, edit, at)
        elif isinstance(edit.format, str) and edit.format != title.format:
            raise EditInvalid(f"{isbn} is {title.format}, not {edit.format}")
        title = replace(title, modified_at=at)
        if isinstance(edit.title, str):
            title = replace(title, name=edit.title)
        if isinstance(edit.price, str | float | int):
            title = _priced(title, edit)
        elif edit.price_from is not UNSET or edit.price_type is not UNSET:
            raise EditInvalid("price_from and price_type need a price")
        if edit.release_at is not UNSET:
            title = replace(title, release=Moment.read(edit.release_at, ZONE))
        if isinstance(edit.agreement, bool):
            title = replace(title, agreement=replace(title.agreement or Agreement(), allowed=edit.agreement))
        return _in_state(title, edit, at) if isinstance(edit.state, OfferState) else title

    def _new(self, isbn: str, edit: TitleEdit, at: datetime) -> Title:
        if not is_valid_isbn(isbn):
            raise EditInvalid(f"{isbn!r} is no EAN with the right check digit")
        form = edit.format if isinstance(edit.format, str) else "epub"
        if form not in _FORMATS:
            raise EditInvalid(f"{form!r} is no format; there is {', '.join(sorted(_FORMATS))}")
        book = self._maker.book(_NEW_BOOK + len(self._titles))
        day = at.astimezone(ZONE).date()
        return Title(
            isbn=isbn,
            format=form,
            book=book,
            availability=AVAILABLE,
            modified_at=at,
            published=day - timedelta(days=1),
            supplied=day - timedelta(days=30),
            charges=(Charge(amount=book.amount),),
            agreement=None if form == AUDIO else Agreement(amount=book.amount),
        )

    def _row(self, title: Title, at: datetime) -> TitleRow:
        amount = title.amount_at(at)
        return TitleRow(
            distributor=self._distributor,
            isbn=title.isbn,
            format=title.format,
            market=MARKET,
            price=None if amount is None else amount_text(amount),
            release_at=None if title.release is None else instant_text(title.release.at),
            state=title.state(at),
        )


def _priced(title: Title, edit: TitleEdit) -> Title:
    """Another price, at once or from a Dutch day; the agreement has no days, so an e-book's price changes at once only."""
    kind = edit.price_type if isinstance(edit.price_type, str) else "02"
    if kind not in _PRICE_TYPES:
        raise EditInvalid(f"{kind!r} is no consumer price; there is {', '.join(sorted(_PRICE_TYPES))}")
    charge = Charge(
        amount=read_amount(edit.price if isinstance(edit.price, str | float) else str(edit.price)), type=kind
    )
    start = None if edit.price_from is UNSET else Moment.read(edit.price_from, ZONE)
    if start is None:
        agreement = title.agreement and replace(title.agreement, amount=charge.amount)
        return replace(title, charges=(charge,), agreement=agreement)
    if not title.is_audio:
        raise EditInvalid("an agreement's price has no day to begin on; leave price_from out")
    day = start.at.astimezone(ZONE).date()
    before = tuple(replace(each, until=day - timedelta(days=1)) for each in title.charges)
    return replace(title, charges=(*before, replace(charge, since=day)))


def _in_state(title: Title, edit: TitleEdit, at: datetime) -> Title:
    """The title in that state, whatever it was in before."""
    title = replace(title, is_deleted=False, is_told=True, is_listed=True, is_sellable=None, status=None)
    match edit.state:
        case OfferState.FOR_SALE:
            return _for_sale(title, edit, at)
        case OfferState.PREORDER | OfferState.ANNOUNCED:
            if title.release is not None and title.release.passed(at):
                title = replace(title, release=None)
            return replace(title, availability=ANNOUNCED)
        case OfferState.NOT_YET:
            if title.is_audio:
                return replace(title, availability=ANNOUNCED, status="04")
            return replace(title, is_told=False)
        case OfferState.UNAVAILABLE:
            if title.is_audio:
                return replace(title, availability="31")
            return replace(title, agreement=replace(title.agreement or Agreement(), webshop=False))
        case OfferState.UNPRICED:
            return replace(title, charges=(), agreement=title.agreement and replace(title.agreement, amount=None))
        case OfferState.WITHDRAWN if edit.block == "gone":
            return replace(title, is_told=False, is_listed=False, is_sellable=False)
        case OfferState.WITHDRAWN:
            return replace(title, availability=WITHDRAWN)
        case OfferState.REMOVED:
            return replace(title, is_deleted=True)
        case _:
            raise EditInvalid(f"state {edit.state} cannot be steered at CB")


def _for_sale(title: Title, edit: TitleEdit, at: datetime) -> Title:
    """Out at once; an e-book's record then says that it came out today at the latest."""
    if title.release is not None and not title.release.passed(at):
        if edit.release_at is not UNSET:
            raise EditInvalid("a title for sale cannot have a release in the future")
        title = replace(title, release=None)
    if not title.is_audio and title.published is not None:
        title = replace(title, published=min(title.published, at.astimezone(ZONE).date()), held_until=None)
    return replace(title, availability=AVAILABLE)
