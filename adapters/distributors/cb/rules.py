"""CB's conventions: how records, agreements and the inventory become an offer (contract cb 4, 5, 8.4, 8.5, 9)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from adapters.distributors.cb import facts, tables
from adapters.distributors.cb.choices import CHECK_HOLDS, FOR_SALE_CODES, NOT_YET_CODES, SUPPLIERS
from adapters.distributors.cb.facts import Agreement
from adapters.distributors.cb.prices import Choice, choose, consumer_prices, turns
from adapters.distributors.cb.routing import AUDIO, Routing, Service
from adapters.distributors.cb.tables import EbookCodes, Row, Supply
from syncengine.domain.codes import (
    DateFormat,
    NotificationType,
    PriceType,
    ProductForm,
    ProductFormDetail,
    PublishingDateRole,
    SupplyDateRole,
)
from syncengine.domain.ids import Format, Isbn
from syncengine.domain.offer import HeldOrders, Offer, OfferPrice, OfferState, RuleApplied, TaxBasis
from syncengine.domain.openings import Opening, dates_of, latest
from syncengine.domain.product import DatedRole, Product, SupplyDetail
from syncengine.domain.rights import Rights, rights_in
from syncengine.domain.territory import Market
from syncengine.domain.timeline import next_after
from syncengine.domain.title import Remembered, Title

REVISION = 2
"""Raised with every change of a decision, so that every title is decided again."""

_FORMATS: Mapping[ProductFormDetail, Format] = {
    ProductFormDetail.EPUB: Format("epub"),
    ProductFormDetail.PDF: Format("pdf"),
    ProductFormDetail.MOBI: Format("mobi"),
    ProductFormDetail.MP3: AUDIO,
}
_AUDIO_FORMS = frozenset({ProductForm.AUDIO_DOWNLOAD})
_EVERY_FORMAT = Format("")
_UNDEFINED_FORM = Format("00")
_DAYS = frozenset({None, "", DateFormat.DAY.value})
_STATES_WITH_PRICE = frozenset({OfferState.FOR_SALE, OfferState.ANNOUNCED, OfferState.NOT_YET})
_PUBLICATION = frozenset({PublishingDateRole.PUBLICATION})
_EXPECTED = frozenset({SupplyDateRole.EXPECTED_AVAILABILITY})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A title at its service in one market: all that a decision rests on, but the instant."""

    service: Service
    record: Product | None
    details: Sequence[SupplyDetail] = ()
    supplies: tuple[Supply, ...] = ()
    preamble: tuple[RuleApplied, ...] = ()
    agreement: Agreement | None = None
    listings: Sequence[facts.Listing] = ()
    published: Opening
    expected: Opening
    """`published` by its PublishingDate alone, or by the supplier's word where there is none."""

    def instants(self) -> Iterator[datetime | None]:
        """Every instant at which a decision may turn."""
        for supply in self.supplies:
            yield from turns(supply.prices)
        if self.service is Service.EBOOKS:
            yield self.published.at


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    row: Row
    price: OfferPrice | None = None

    @property
    def essence(self) -> tuple[OfferState, bool, OfferPrice | None]:
        """What an offer shows of it."""
        return self.row.state, self.row.sells, self.price


class CbRules:
    """The rules of one shop's relation with CB.

    `zone` is the Dutch one, whose days the contract means; `suppliers` are the names and numbers by which CB's own SupplyDetail
    is known; `holds_until_publication` keeps e-books back that CB releases a day ahead (contract cb 8.4); `check_holds` is how long
    a positive check may be relied on (6); `tax_rates` are percents by country, for prices that state none.
    """

    def __init__(
        self,
        *,
        markets: tuple[Market, ...],
        zone: ZoneInfo,
        routing: Routing,
        suppliers: Collection[str] = SUPPLIERS,
        for_sale_codes: Collection[str] = FOR_SALE_CODES,
        not_yet_codes: Collection[str] = NOT_YET_CODES,
        holds_until_publication: bool = True,
        check_holds: timedelta = CHECK_HOLDS,
        tax_rates: Mapping[str, Decimal] | None = None,
    ) -> None:
        self._markets = markets
        self._zone = zone
        self._routing = routing
        self._suppliers = frozenset(suppliers)
        self._codes = EbookCodes(for_sale=frozenset(for_sale_codes), not_yet=frozenset(not_yet_codes))
        self._holds = holds_until_publication
        self._check_holds = check_holds
        self._tax_rates = {country.upper(): rate for country, rate in (tax_rates or {}).items()}

    @property
    def version(self) -> str:
        """Everything that a decision rests on besides the facts."""
        parts = {
            "markets": self._markets,
            "zone": [self._zone.key],
            "services": self._routing.services,
            "route": [f"{ean}:{service}" for ean, service in self._routing.overrides.items()],
            "suppliers": self._suppliers,
            "for_sale": self._codes.for_sale,
            "not_yet": self._codes.not_yet,
            "holds": [self._holds],
            "check_holds": [self._check_holds],
            "tax_rates": [f"{country}:{rate.normalize():f}" for country, rate in self._tax_rates.items()],
        }
        told = "; ".join(f"{name}={','.join(sorted(map(str, values)))}" for name, values in parts.items())
        return f"cb {REVISION}; {told}"

    @property
    def markets(self) -> tuple[Market, ...]:
        return self._markets

    def identify(self, product: Product) -> tuple[Isbn, Format] | None:
        """Rows name an EAN and no format: they are about every format of it."""
        isbn = product.isbn
        if isbn is None:
            return None
        return (isbn, _EVERY_FORMAT) if facts.is_row(product) else (isbn, _format(product))

    def offer(self, title: Title, market: Market, at: datetime) -> Offer:
        """Decide by the table of the title's service: section 5 for Luisterhuis, section 9 for e-books."""
        case = self._case(title, market)
        if isinstance(case, Row):
            return self._offer(title, market, at, _Decision(row=case))
        decision = self._decide(case, market, at)
        return replace(
            self._offer(title, market, at, decision),
            record_reference=case.record.reference if case.record else None,
            terms={"format": str(title.key.format), "service": case.service.value},
            starts_at=case.expected.at,
            next_change_at=self._next_change(case, market, decision, at),
        )

    @property
    def remembers(self) -> bool:
        """Nothing of the past decides: what has gone from the inventory is said by its row."""
        return False

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:  # noqa: ARG002 - see `remembers`
        return remembered

    # --- what a title is ------------------------------------------------------------------------------------------------

    def _case(self, title: Title, market: Market) -> _Case | Row:
        """The case, or the row that is met whatever the instant."""
        key = title.key
        service = self._routing.service(key.isbn, key.format)
        records = facts.onix_records(title.records)
        if service is None:
            wanted = self._routing.wanted(key.isbn, key.format)
            return _settled("8.5", OfferState.UNAVAILABLE, f"the settings have no service {wanted.value}")
        if len(records) > 1:
            names = ", ".join(sorted(product.reference for product in records))
            rule = RuleApplied(id="title.ambiguous", says=f"several live records carry this EAN and format: {names}")
            return Row(name="ambiguous", state=OfferState.UNKNOWN, rules=(rule,))
        record = records[0] if records else None
        agreed = facts.agreements(title.records)
        if record is None and (title.was_removed or not (service is Service.EBOOKS and agreed)):
            return _absent(title)
        if record is not None and record.notification_type == NotificationType.DELETE:
            return tables.deleted()
        if record is not None and service is Service.LUISTERHUIS and (problem := _unreadable_dates(record)):
            return _settled("4.dates", OfferState.UNKNOWN, f"alert: {problem}")
        if record is not None and (why := _no_rights(record, market)):
            return replace(_settled("rights", OfferState.OUT_OF_TERRITORY, why), stops=True)
        details = [detail for block in record.supplies for detail in block.details] if record else []
        judged, says = tables.judged(details, self._suppliers)
        chosen = (RuleApplied(id="cb.5.A", says=says),) if len(details) > 1 else ()
        supplies = tuple(
            Supply(
                availability=detail.availability or None,
                prices=consumer_prices(detail.prices, market, self._zone),
            )
            for detail in judged
        )
        return _Case(
            service=service,
            record=record,
            details=judged,
            supplies=supplies,
            preamble=chosen,
            agreement=_only(agreed),
            listings=facts.listings(title.records),
            published=(published := _published(record, self._zone)),
            expected=published if published.is_announced else _supplied(judged, self._zone),
        )

    # --- what may be done with it ---------------------------------------------------------------------------------------

    def _decide(self, case: _Case, market: Market, at: datetime) -> _Decision:
        decision = (
            self._audiobook(case, market, at) if case.service is Service.LUISTERHUIS else self._ebook(case, market, at)
        )
        row = decision.row
        expected = _says_expected(case) if row.takes_preorders else ()
        return replace(decision, row=replace(row, rules=(*case.preamble, *row.rules, *expected)))

    def _audiobook(self, case: _Case, market: Market, at: datetime) -> _Decision:
        status = case.record.publishing_status if case.record else None
        row = tables.by_availability(case.supplies, status, at)
        for listing in case.listings:
            row = tables.by_inventory(row, listing)
        shown = row.choice if row.sells or row.takes_preorders else None
        return _Decision(row=row, price=self._price(shown, market))

    def _ebook(self, case: _Case, market: Market, at: datetime) -> _Decision:
        """Table 9, the price, and the day's hold. Several suppliers: the first row that does not sell goes before one that does."""
        codes = self._codes
        availabilities = [supply.availability for supply in case.supplies] or [None]
        rows = [
            tables.by_agreement(availability, case.agreement, codes, has_record=case.record is not None)
            for availability in availabilities
        ]
        row = min(rows, key=lambda row: (not row.stops, row.sells, row.takes_preorders))
        if row.state not in _STATES_WITH_PRICE:
            return _Decision(row=row)
        price, rule = self._ebook_price(case, market, at)
        row = replace(row, rules=(*row.rules, rule))
        if row.sells and price is None:
            return _Decision(row=replace(row, state=OfferState.UNPRICED, sells=False))
        if row.sells and self._holds and case.published.is_ahead(at):
            says = f"held although CB has it: orders are not taken before {case.published.says}"
            hold = RuleApplied(id="cb.8.4", says=says)
            row = replace(row, state=OfferState.NOT_YET, sells=False, takes_preorders=True, rules=(*row.rules, hold))
        return _Decision(row=row, price=price)

    def _ebook_price(self, case: _Case, market: Market, at: datetime) -> tuple[OfferPrice | None, RuleApplied]:
        """Section 9: the agreement's price goes before the record's, which stands in where the agreement states none."""
        agreed = case.agreement
        if agreed is not None and agreed.amount is not None and agreed.currency == market.currency:
            price = OfferPrice(
                amount=agreed.amount,
                currency=market.currency,
                type=PriceType.RRP_INCLUDING_TAX.value,
                tax=TaxBasis.INCLUDED,
                tax_percent=self._tax_rates.get(market.country),
            )
            return price, RuleApplied(id="cb.9.price", says=f"{price.amount} {price.currency} by the agreement")
        if agreed is not None and agreed.states_price:
            stated = f"{agreed.amount} {agreed.currency}" if agreed.amount else "one that cannot be read, or several"
            says = f"alert: the agreement's price cannot be charged in {market.currency}: {stated}"
            return None, RuleApplied(id="cb.9.price", says=says)
        choices = [choose(supply.prices, at) for supply in case.supplies] or [choose((), at)]
        amounts = {choice.price.amount for choice in choices if choice.price}
        if len(amounts) == 1:
            choice = next(choice for choice in choices if choice.price)
            return self._price(choice, market), choice.rule
        return None, choices[0].rule

    def _price(self, choice: Choice | None, market: Market) -> OfferPrice | None:
        return choice.to_offer_price(market, self._tax_rates.get(market.country)) if choice else None

    def _next_change(self, case: _Case, market: Market, now: _Decision, at: datetime) -> datetime | None:
        """Step 5 of section 5.1: the next instant at which the decision differs, though no record may arrive then."""
        instants = sorted({instant for instant in case.instants() if instant is not None})
        following = next_after(instants, at)
        while following is not None and self._decide(case, market, following).essence == now.essence:
            following = next_after(instants, following)
        return following

    def _offer(self, title: Title, market: Market, at: datetime, decision: _Decision) -> Offer:
        row = decision.row
        return Offer(
            key=title.key,
            market=market,
            at=at,
            state=row.state,
            accepts_orders=row.sells,
            accepts_preorders=row.takes_preorders,
            held_orders=HeldOrders.STOP if row.stops else HeldOrders.KEEP,
            check_first=row.sells,
            check_holds=self._check_holds,
            price=decision.price,
            rules=row.rules,
        )


# --- small things -----------------------------------------------------------------------------------------------------------


def _format(product: Product) -> Format:
    for detail, word in _FORMATS.items():
        if detail in product.form_details:
            return word
    if product.form in _AUDIO_FORMS:
        return AUDIO
    return Format(product.form.lower()) if product.form else _UNDEFINED_FORM


def _absent(title: Title) -> Row:
    """No ONIX record: deleted (row 1 of section 5), or not come yet."""
    if title.was_removed:
        return tables.deleted()
    if title.records:
        return _settled("5.row9", OfferState.UNAVAILABLE, "there is no ONIX record of it")
    rule = RuleApplied(id="title.unknown", says="no record ever named it")
    return Row(name="unknown", state=OfferState.UNKNOWN, rules=(rule,))


def _only(agreed: Sequence[Agreement]) -> Agreement | None:
    """The agreement; of several, which no message makes, what all of them allow."""
    if not agreed:
        return None
    amounts = {(agreement.amount, agreement.currency) for agreement in agreed}
    return replace(
        agreed[0],
        states_price=any(agreement.states_price for agreement in agreed),
        allowed_to_order=all(agreement.allowed_to_order for agreement in agreed),
        webshop=all(agreement.webshop for agreement in agreed),
        amount=agreed[0].amount if len(amounts) == 1 else None,
    )


def _unreadable_dates(record: Product) -> str:
    """Section 4: a date in another format than a day is refused; empty where all are days."""
    dated: list[DatedRole] = list(record.publishing_dates)
    for block in record.supplies:
        dated += block.market_dates
        for detail in block.details:
            dated += detail.dates
    odd = sorted(
        {f"{each.date.text!r} in format {each.date.format}" for each in dated if each.date.format not in _DAYS}
    )
    return f"dates that are no days are not understood: {', '.join(odd)}" if odd else ""


def _no_rights(record: Product, market: Market) -> str:
    """What SalesRights say against the country; the tables are silent about them, and none stated is no ban."""
    found = rights_in(record, market.country)
    is_stated = record.sales_rights or record.rest_of_world_rights
    return found.says if is_stated and found.verdict is Rights.NOT_FOR_SALE else ""


def _published(record: Product | None, zone: ZoneInfo) -> Opening:
    """PublishingDate 01, for the page: for audiobooks it switches no sale on (contract cb 4)."""
    return latest(dates_of("PublishingDate", record.publishing_dates if record else (), _PUBLICATION), zone)


def _supplied(details: Sequence[SupplyDetail], zone: ZoneInfo) -> Opening:
    """SupplyDate 08, the day by which CB expects to have it, which stands in on the page (contract cb 5)."""
    return latest([date for detail in details for date in dates_of("SupplyDate", detail.dates, _EXPECTED)], zone)


def _says_expected(case: _Case) -> tuple[RuleApplied, ...]:
    if not case.expected.is_announced:
        return ()
    return (RuleApplied(id="cb.5.expected", says=f"expected {case.expected.says}; the day switches nothing by itself"),)


def _settled(name: str, state: OfferState, says: str) -> Row:
    return Row(name=name, state=state, rules=(RuleApplied(id=f"cb.{name}", says=says),))
