"""Plain ONIX to offers: the standard's own meaning, read so that nothing doubtful is sold (reference/onix.md 2.10 to 2.13).

What the codes, dates, territories and prices mean is said in `syncengine.domain`; here it is put together in its order of
precedence: a withdrawal, the rights, the market, the best of its suppliers.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from adapters.files.zones import local_zone
from syncengine.domain.codes import NotificationType, ProductForm, ProductFormDetail
from syncengine.domain.ids import Format, Isbn
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.openings import (
    Closing,
    Opening,
    announcement_opening,
    expected_opening,
    preorder_opening,
    publication_start,
    return_opening,
    sale_closing,
    sale_opening,
    supply_closing,
    unknown_opening,
)
from syncengine.domain.prices import ConsumerPrice, PriceTimeline, price_timeline
from syncengine.domain.product import Product, ProductSupply, SupplyDetail
from syncengine.domain.rights import Access, Rights, access, rights_in
from syncengine.domain.statuses import Standing, combine, of_publisher
from syncengine.domain.territory import Market, covered
from syncengine.domain.title import Remembered, Title

_FORMATS: Mapping[ProductFormDetail, Format] = {
    ProductFormDetail.EPUB: Format("epub"),
    ProductFormDetail.PDF: Format("pdf"),
    ProductFormDetail.MOBI: Format("mobi"),
}
_BEST_FIRST = (
    OfferState.FOR_SALE,
    OfferState.PREORDER,
    OfferState.UNPRICED,
    OfferState.ANNOUNCED,
    OfferState.NOT_YET,
    OfferState.UNAVAILABLE,
    OfferState.UNKNOWN,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    state: OfferState
    rules: tuple[RuleApplied, ...]
    price: ConsumerPrice | None = None
    starts_at: datetime | None = None
    stops: bool = False

    @property
    def essence(self) -> tuple[OfferState, ConsumerPrice | None]:
        """What time alone may change of an offer."""
        return self.state, self.price

    @property
    def order(self) -> tuple[bool, int]:
        """The best supplier's first; one that stops says the least of what another may do."""
        return self.stops, _BEST_FIRST.index(self.state)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Supply:
    """One supplier's terms in a market, with everything its decision hangs on."""

    standing: Standing
    embargo: Opening
    doubt: Opening
    expected: Opening
    returns: Opening
    preorders: Opening
    announcement: Opening
    closings: tuple[Closing, ...]
    prices: PriceTimeline
    says: str

    def instants(self) -> Iterator[datetime | None]:
        yield from (self.embargo.at, self.doubt.at, self.expected.at, self.preorders.at, self.announcement.at)
        yield from (closing.at for closing in self.closings)
        yield from self.prices.turns()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A title in a market: settled whatever the time, or a choice of supplies."""

    product: Product | None = None
    settled: _Decision | None = None
    supplies: tuple[_Supply, ...] = ()


class OnixRules:
    """The standard's rules, for senders without conventions of their own. There is nobody to order from.

    `zone` is where dates without zone begin; without one they begin in each market by its own local time (2.9).
    `publication_date_is_embargo` is for senders that put the start of sale into the publication date.
    """

    def __init__(
        self,
        *,
        markets: tuple[Market, ...],
        zone: ZoneInfo | None = None,
        tax_rates: Mapping[str, Decimal] | None = None,
        publication_date_is_embargo: bool = False,
    ) -> None:
        self._markets = markets
        self._zone = zone
        self._tax_rates = dict(tax_rates or {})
        self._publication_date_is_embargo = publication_date_is_embargo

    @property
    def version(self) -> str:
        markets = ",".join(sorted(map(str, self._markets)))
        rates = ",".join(f"{country}:{rate}" for country, rate in sorted(self._tax_rates.items()))
        embargo = "02,01" if self._publication_date_is_embargo else "02"
        zones = ",".join(sorted({self._zone_in(market.country).key for market in self._markets}))
        return f"onix 3; markets={markets}; zones={zones}; tax_rates={rates}; embargo={embargo}"

    @property
    def markets(self) -> tuple[Market, ...]:
        return self._markets

    def identify(self, product: Product) -> tuple[Isbn, Format] | None:
        isbn = product.isbn
        return (isbn, _format(product)) if isbn else None

    def offer(self, title: Title, market: Market, at: datetime) -> Offer:
        """Rights, then market, then the best supply; a withdrawal that covers the country goes before all (2.10)."""
        case = self._case(title, market)
        decision = _decide(case, at)
        rate = self._tax_rates.get(market.country)
        return Offer(
            key=title.key,
            market=market,
            at=at,
            state=decision.state,
            record_reference=case.product.reference if case.product else None,
            accepts_orders=decision.state is OfferState.FOR_SALE,
            accepts_preorders=decision.state is OfferState.PREORDER,
            held_orders=HeldOrders.STOP if decision.stops else HeldOrders.KEEP,
            price=decision.price.to_offer_price(rate) if decision.price else None,
            terms={"format": title.key.format},
            starts_at=decision.starts_at,
            next_change_at=_next_change(case, decision, at),
            rules=decision.rules,
        )

    @property
    def remembers(self) -> bool:
        return False

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:  # noqa: ARG002 - plain ONIX takes every record as it is
        """The standard gives the past no meaning."""
        return remembered

    def _zone_in(self, country: str) -> ZoneInfo:
        return self._zone or local_zone(country)

    def _case(self, title: Title, market: Market) -> _Case:
        product, settled = _record(title)
        if product is None:
            return _Case(settled=settled)
        blocks = [block for block in product.supplies if _is_for(block, market.country)]
        settled = (
            _withdrawn(product, market.country)
            or _rights(product, market.country)
            or _nowhere(product, blocks, market.country)
        )
        if settled is not None:
            return _Case(product=product, settled=settled)
        supplies = tuple(self._supply(product, block, detail, market) for block in blocks for detail in block.details)
        return _Case(product=product, supplies=supplies)

    def _supply(self, product: Product, block: ProductSupply, detail: SupplyDetail, market: Market) -> _Supply:
        zone = self._zone_in(market.country)
        counts = self._publication_date_is_embargo
        embargo = sale_opening(product, block, detail, zone, publication_counts=counts)
        standing = _standing(product, block, detail, has_embargo=embargo.is_announced)
        left, restricted = access(block.market_restrictions)
        return _Supply(
            standing=Standing.UNKNOWN if left is Access.UNKNOWN else standing,
            embargo=embargo,
            doubt=unknown_opening(product, block, detail, zone),
            expected=expected_opening(product, block, detail, zone, publication_counts=counts),
            returns=return_opening(product, block, detail, zone),
            preorders=preorder_opening(product, block, zone),
            announcement=announcement_opening(product, block, zone),
            closings=(sale_closing(product, block, zone), supply_closing(detail, zone)),
            prices=price_timeline(
                detail.prices,
                market,
                zone,
                protections=product.protections,
                published_at=publication_start(product, block, zone),
                unpriced=detail.unpriced,
            ),
            says=", ".join(filter(None, (_spell_statuses(product, block, detail), restricted))),
        )


# --- what time does not change --------------------------------------------------------------------------------------------


def _record(title: Title) -> tuple[Product | None, _Decision | None]:
    live = [record for record in title.records if record.notification_type != NotificationType.DELETE]
    if len(live) == 1:
        return live[0], None
    if live:
        names = ", ".join(sorted(record.reference for record in live))
        return None, _settled(OfferState.UNKNOWN, "2.3", f"several live records carry this ISBN and format: {names}")
    if title.records or title.was_removed:
        return None, _settled(OfferState.REMOVED, "2.6", "its records were removed or vanished", stops=True)
    return None, _settled(OfferState.UNKNOWN, "2.3", "no record ever named it")


def _is_for(block: ProductSupply, country: str) -> bool:
    """Whether the block's suppliers act for this kind of shop in the country."""
    return _is_for_shop(block) and _acts_in(block, country)


def _acts_in(block: ProductSupply, country: str) -> bool:
    """Whether the block's suppliers act in the country; without a market, wherever the rights are."""
    return not block.markets or covered(block.markets, country)


def _is_for_shop(block: ProductSupply) -> bool:
    """Whether the block may be for this kind of shop; where its restriction is unknown, its status is, too."""
    return access(block.market_restrictions)[0] in {Access.OPEN, Access.UNKNOWN}


def _standing(product: Product, block: ProductSupply, detail: SupplyDetail, *, has_embargo: bool = False) -> Standing:
    return combine(
        publishing_status=product.publishing_status,
        market_status=block.market_status,
        availability=detail.availability,
        composition=product.composition,
        has_embargo=has_embargo,
    )


def _spell_statuses(product: Product, block: ProductSupply, detail: SupplyDetail) -> str:
    return (
        f"PublishingStatus {product.publishing_status or 'absent'}, "
        f"MarketPublishingStatus {block.market_status or 'absent'}, "
        f"ProductAvailability {detail.availability or 'absent'} of {detail.supplier_name or 'the supplier'}"
    )


def _withdrawn(product: Product, country: str) -> _Decision | None:
    """A withdrawal or recall, by whoever says it; in a part of the country it is one in all of it."""
    if of_publisher(product.publishing_status) is Standing.STOP_NOW:
        says = f"PublishingStatus {product.publishing_status}"
        return _settled(OfferState.WITHDRAWN, "2.10", says, stops=True)
    for block in filter(_is_for_shop, product.supplies):
        if block.markets and not any(market.touches(country) for market in block.markets):
            continue
        for detail in block.details or (SupplyDetail(),):
            if _standing(product, block, detail) is Standing.STOP_NOW:
                says = _spell_statuses(product, block, detail)
                return _settled(OfferState.WITHDRAWN, "2.10", says, stops=True)
    return None


def _rights(product: Product, country: str) -> _Decision | None:
    """Why the sales rights, or the restrictions on them, forbid a sale there; none where they allow it."""
    rights = rights_in(product, country)
    if rights.verdict is Rights.NOT_FOR_SALE:
        return _settled(OfferState.OUT_OF_TERRITORY, "2.12", rights.says)
    if rights.verdict is Rights.UNKNOWN:
        return _settled(OfferState.UNKNOWN, "2.12", rights.says)
    stated = {code for grant in rights.grants for code in grant.restrictions} | set(product.sales_restrictions)
    if rights.verdict is Rights.RESTRICTED and not stated:
        return _settled(OfferState.UNAVAILABLE, "2.12", f"{rights.says}, and no restriction is stated")
    left, says = access(stated)
    if left is Access.OPEN:
        return None
    state = OfferState.UNKNOWN if left is Access.UNKNOWN else OfferState.UNAVAILABLE
    return _settled(state, "2.12", says, stops=left is Access.INTERNAL)


def _nowhere(product: Product, blocks: Collection[ProductSupply], country: str) -> _Decision | None:
    if any(block.details for block in blocks):
        return None
    if product.supplies and not blocks:
        return _settled(OfferState.OUT_OF_TERRITORY, "2.12", _why_nowhere(product, country))
    return _settled(OfferState.UNAVAILABLE, "2.12", "it has no supplier")


def _why_nowhere(product: Product, country: str) -> str:
    shut = {code for block in product.supplies if _acts_in(block, country) for code in block.market_restrictions}
    return f"{access(shut)[1]} in {country}" if shut else f"no supplier acts in {country}"


# --- what time changes ----------------------------------------------------------------------------------------------------


def _decide(case: _Case, at: datetime) -> _Decision:
    if case.settled is not None:
        return case.settled
    decisions = sorted((_by_supply(supply, at) for supply in case.supplies), key=lambda decision: decision.order)
    best = decisions[0]
    prices = {decision.price for decision in decisions if decision.state is best.state and decision.price is not None}
    amounts = {(price.amount, price.type) for price in prices}
    if len(amounts) > 1:
        listed = ", ".join(sorted(f"{amount} (type {kind.value})" for amount, kind in amounts))
        return _settled(OfferState.UNPRICED, "2.13", f"suppliers differ, and none is preferred: {listed}")
    return best


def _by_supply(supply: _Supply, at: datetime) -> _Decision:
    """The supply's own decision. Nobody waits for a download that is out of stock, so what a shop may order is not sold."""
    if supply.standing is Standing.SELL or supply.standing is Standing.PRE:
        passed = [closing.says for closing in supply.closings if closing.has_passed(at)]
        if passed:
            return _settled(OfferState.UNAVAILABLE, "2.11", f"its sale has ended: {passed[0]}", stops=True)
        if supply.doubt.is_ahead(at):
            return _in_doubt(supply)
        return _when_out(supply, at) if supply.standing is Standing.SELL else _when_announced(supply, at)
    if supply.standing is Standing.UNKNOWN:
        return _settled(OfferState.UNKNOWN, "2.10", f"{supply.says}: no conclusion")
    if supply.standing is Standing.STOP:
        return _settled(OfferState.UNAVAILABLE, "2.10", supply.says, stops=True)
    again = f"; expected again {supply.returns.says}" if supply.returns.is_announced else ""
    return _settled(OfferState.UNAVAILABLE, "2.10", f"{supply.says}{again}")


def _in_doubt(supply: _Supply) -> _Decision:
    """A date is to come whose role nobody knows: it may be an embargo, on preorders too."""
    rule = _rule("2.11", f"{supply.says}; a date in a role that nobody knows: {supply.doubt.says}")
    return _Decision(state=OfferState.NOT_YET, rules=(rule,), starts_at=supply.embargo.or_later(supply.doubt).at)


def _when_out(supply: _Supply, at: datetime) -> _Decision:
    if supply.embargo.is_ahead(at):
        return _ahead(supply, supply.embargo, at)
    if supply.announcement.at is not None and at < supply.announcement.at:
        rule = _rule("2.11", f"{supply.says}; not to be shown before {supply.announcement.says}")
        return _Decision(state=OfferState.NOT_YET, rules=(rule,), starts_at=supply.announcement.at)
    return _priced(OfferState.FOR_SALE, supply, supply.embargo, at)


def _when_announced(supply: _Supply, at: datetime) -> _Decision:
    """Not out by its codes: once the expected day has come only a new message can put it on sale."""
    if supply.expected.is_ahead(at):
        return _ahead(supply, supply.expected, at)
    state = OfferState.NOT_YET if supply.expected.at else OfferState.ANNOUNCED
    return _Decision(state=state, rules=(_rule("2.10", supply.says),), starts_at=supply.expected.at)


def _ahead(supply: _Supply, start: Opening, at: datetime) -> _Decision:
    if start.at is None:
        says = f"its start of sale cannot be read: {start.says}"
        return _Decision(state=OfferState.NOT_YET, rules=(_rule("2.11", says),))
    if supply.preorders.is_ahead(at):
        rule = _rule("2.11", f"{supply.says}; no preorders before {supply.preorders.says}")
        return _Decision(state=OfferState.ANNOUNCED, rules=(rule,), starts_at=start.at)
    return _priced(OfferState.PREORDER, supply, start, start.at)


def _priced(state: OfferState, supply: _Supply, start: Opening, at: datetime) -> _Decision:
    """That state with the price in force at `at`, or UNPRICED; what is free of charge is not sold at zero either."""
    tariff = supply.prices.in_force(at)
    says = str(tariff)
    if tariff.price is None and supply.prices.left_out:
        says += f"; left out are prices {'; '.join(supply.prices.left_out)}"
    return _Decision(
        state=state if tariff.price else OfferState.UNPRICED,
        rules=(
            _rule("2.10", supply.says),
            _rule("2.11", f"sale from {start.says or 'receipt: no embargo'}"),
            _rule("2.13", says),
        ),
        price=tariff.price,
        starts_at=start.at,
    )


def _next_change(case: _Case, now: _Decision, at: datetime) -> datetime | None:
    """The next instant at which the decision really differs."""
    instants = {instant for supply in case.supplies for instant in supply.instants() if instant and instant > at}
    return next((instant for instant in sorted(instants) if _decide(case, instant).essence != now.essence), None)


# --- small things ---------------------------------------------------------------------------------------------------------


def _format(product: Product) -> Format:
    for detail, name in _FORMATS.items():
        if detail in product.form_details:
            return name
    if product.form == ProductForm.AUDIO_DOWNLOAD:
        return Format("audio")
    return Format((product.form or "00").lower())


def _settled(state: OfferState, section: str, says: str, *, stops: bool = False) -> _Decision:
    return _Decision(state=state, rules=(_rule(section, says),), stops=stops)


def _rule(section: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"onix.{section}", says=says)
