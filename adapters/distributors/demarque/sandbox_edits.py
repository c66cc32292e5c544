"""Edits of the stub's titles: what a steering row asks for, done to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import UNSET

from adapters.distributors.demarque.sandbox_titles import Charge, Convention, Line, LineStatus, Title
from adapters.sandbox.catalogue import EditInvalid, Moment, TitleEdit, read_amount
from syncengine.domain.money import from_hundredths, to_hundredths, without_tax
from syncengine.domain.offer import OfferState
from syncengine.domain.territory import Market
from syncengine.errors import UsageInvalid

_PRICE_TYPES = frozenset({"01", "02", "03", "04", "41", "42"})
_PROTECTIONS = frozenset({"00", "02", "03", "06"})
_EUROPE = ("FR", "BE", "CH", "LU", "MC", "AD", "GP", "GF", "MQ", "RE")
_NEW_TITLE_AMOUNT = 999


def standard_line(market: str, *, amount: int, type: str | None = None) -> Line:  # noqa: A002 - the field's name
    """A market's usual terms: tax-inclusive prices, recommended (02) in Canada and the States, fixed by law (04) in euro."""
    read = read_market(market)
    countries = _EUROPE if (read.country, read.currency) == ("FR", "EUR") else (read.country,)
    usual = "04" if read.currency == "EUR" else "02"
    return Line(countries=countries, currency=read.currency, charges=(Charge(amount=amount, type=type or usual),))


def read_market(text: str) -> Market:
    """Read `CA/CAD`; raises EditInvalid."""
    try:
        return Market.parse(text)
    except UsageInvalid as error:
        raise EditInvalid(str(error)) from error


def edit_title(title: Title, edit: TitleEdit, at: datetime, zone: ZoneInfo) -> Title:
    """The title as the edit wants it, changed at `at`; raises EditInvalid for what cannot be."""
    return _Edit(edit=edit, at=at, zone=zone).apply(title)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    edit: TitleEdit
    at: datetime
    zone: ZoneInfo

    def apply(self, title: Title) -> Title:
        edited = self._facts(replace(title, modified_at=self.at))
        edited = self._on_lines(self._with_market(edited), self._terms)
        if isinstance(self.edit.state, OfferState):
            edited = self._state(edited, self.edit.state)
        return edited

    def _facts(self, title: Title) -> Title:
        """What does not belong to a market."""
        edit = self.edit
        if isinstance(edit.title, str):
            title = replace(title, name=edit.title)
        if isinstance(edit.agreement, bool):
            title = replace(title, agreement=edit.agreement)
        if isinstance(edit.convention, str):
            title = replace(title, convention=Convention(edit.convention))
        if isinstance(edit.protection, list):
            title = replace(title, protections=_protections(edit.protection))
        if edit.preorder_at is not UNSET:
            title = replace(title, preorder_at=Moment.read(edit.preorder_at, self.zone))
        return title

    def _with_market(self, title: Title) -> Title:
        """The title with a line for the edit's market, if it names one it did not have."""
        if not isinstance(self.edit.market, str):
            return title
        market = read_market(self.edit.market)
        if title.line(market.country, market.currency) is not None:
            return title
        release = title.release_of(title.lines[0]) if title.lines else None
        line = replace(standard_line(self.edit.market, amount=_NEW_TITLE_AMOUNT), release=release)
        return title.with_lines((*title.lines, line))

    def _concerns(self, title: Title, line: Line) -> bool:
        if not isinstance(self.edit.market, str):
            return True
        market = read_market(self.edit.market)
        return line is title.line(market.country, market.currency)

    def _on_lines(self, title: Title, change: Callable[[Line], Line]) -> Title:
        return title.with_lines(change(line) if self._concerns(title, line) else line for line in title.lines)

    def _terms(self, line: Line) -> Line:
        edit = self.edit
        if edit.release_at is not UNSET:
            line = replace(line, release=Moment.read(edit.release_at, self.zone))
        if isinstance(edit.price_type, str):
            if edit.price_type not in _PRICE_TYPES:
                raise EditInvalid(f"{edit.price_type!r} is no price type; there is {', '.join(sorted(_PRICE_TYPES))}")
            line = replace(line, charges=tuple(replace(charge, type=edit.price_type) for charge in line.charges))
        if isinstance(edit.price, str | float | int):
            line = replace(line, charges=self._charges(line, read_amount(edit.price)))
        elif edit.price_from is not UNSET:
            raise EditInvalid("price_from needs a price")
        return line

    def _charges(self, line: Line, gross: int) -> tuple[Charge, ...]:
        model = line.shown_charge(self.at) or standard_line(line.market, amount=gross).charges[0]
        amount = gross
        if model.tax_percent is not None and model.type in {"01", "03", "41"}:
            amount = to_hundredths(without_tax(from_hundredths(gross), Decimal(model.tax_percent)))
        new = replace(model, amount=amount, since=None, until=None, closed=False)
        if self.edit.price_from is UNSET:
            return (new,)
        start = Moment.read(self.edit.price_from, self.zone)
        if start is None:
            return (new,)
        return (replace(model, until=start, closed=False), replace(new, since=start))

    # --- states

    def _state(self, title: Title, state: OfferState) -> Title:
        makers: dict[OfferState, Callable[[Title], Title]] = {
            OfferState.FOR_SALE: self._for_sale,
            OfferState.PREORDER: self._preorder,
            OfferState.ANNOUNCED: self._announced,
            OfferState.NOT_YET: self._not_yet,
            OfferState.UNAVAILABLE: self._unavailable,
            OfferState.WITHDRAWN: self._withdrawn,
            OfferState.REMOVED: lambda t: replace(t, deleted=True),
        }
        if state not in makers:
            raise EditInvalid(
                f"state {state} cannot be steered; a market that was live and is not any more is WITHDRAWN (contract 9.3)"
            )
        return makers[state](title)

    def _live(self, title: Title) -> Title:
        title = replace(title, active=True, withdrawn=False, deleted=False, premature=False)
        return self._on_lines(title, lambda line: replace(line, status=LineStatus.LIVE))

    def _for_sale(self, title: Title) -> Title:
        now = Moment(at=self.at.replace(microsecond=0))

        def release(line: Line) -> Line:
            if line.release is None or line.release.passed(self.at):
                return line
            if self.edit.release_at is not UNSET:
                raise EditInvalid("a title for sale cannot have a release in the future")
            return replace(line, release=now)

        return self._on_lines(self._live(title), release)

    def _waiting(self, title: Title) -> tuple[Title, Moment]:
        """The title live, with the last of its future releases; raises EditInvalid where there is none."""
        title = self._live(title)
        releases = [line.release for line in title.lines if self._concerns(title, line) and line.release is not None]
        if not releases or max(releases).passed(self.at):
            raise EditInvalid("that state needs a release_at in the future")
        return title, max(releases)

    def _preorder(self, title: Title) -> Title:
        title, _ = self._waiting(title)
        known = title.preorder_at
        if (known is None and title.convention is Convention.NEW) or (known is not None and known.passed(self.at)):
            return title
        if self.edit.preorder_at is not UNSET:
            raise EditInvalid("a title on preorder cannot have a preorder_at in the future")
        return replace(title, preorder_at=Moment(at=self.at.replace(microsecond=0) - timedelta(days=1)))

    def _announced(self, title: Title) -> Title:
        title, release = self._waiting(title)
        if title.preorder_at is not None and not title.preorder_at.passed(self.at):
            return title
        return replace(title, preorder_at=release)

    def _not_yet(self, title: Title) -> Title:
        title, _ = self._waiting(title)
        if title.convention is not Convention.OLD:
            raise EditInvalid("NOT_YET exists in the old convention only (contract 9.1)")
        return replace(title, premature=True)

    def _unavailable(self, title: Title) -> Title:
        """Per market in the NEW convention; the OLD one can say it of the whole title only, by having no preorder start."""
        if title.convention is Convention.OLD:
            return replace(title, active=False, preorder_at=None)
        return self._on_lines(title, lambda line: replace(line, status=LineStatus.UNAVAILABLE))

    def _withdrawn(self, title: Title) -> Title:
        gone = self.edit.block == "gone"
        if not isinstance(self.edit.market, str) and not gone:
            return replace(title, withdrawn=True)
        status = LineStatus.GONE if gone else LineStatus.WITHDRAWN
        return self._on_lines(title, lambda line: replace(line, status=status))


def _protections(codes: list[str]) -> tuple[str, ...]:
    if not codes or not _PROTECTIONS.issuperset(codes):
        raise EditInvalid(f"protection is a list of {', '.join(sorted(_PROTECTIONS))}")
    return tuple(codes)
