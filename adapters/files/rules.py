"""Plain ONIX to offers: the standard's own meaning, read so that nothing doubtful is sold (reference/onix.md 2.10 to 2.13)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from adapters.files import statuses
from adapters.files.prices import Tariff, in_force, tariffs
from adapters.files.statuses import Standing
from syncengine.domain.codes import (
    NotificationType,
    ProductForm,
    ProductFormDetail,
    PublishingDateRole,
    SalesRestrictionType,
    SalesRightsType,
    SupplyDateRole,
)
from syncengine.domain.ids import Format, Isbn
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.product import DatedRole, Product, ProductSupply, SupplyDetail
from syncengine.domain.territory import Market, Territory
from syncengine.domain.timeline import next_after
from syncengine.domain.title import Remembered, Title

_FORMATS: Mapping[ProductFormDetail, Format] = {
    ProductFormDetail.EPUB: Format("epub"),
    ProductFormDetail.PDF: Format("pdf"),
    ProductFormDetail.MOBI: Format("mobi"),
}
_FOR_SALE_RIGHTS = frozenset({SalesRightsType.EXCLUSIVE, SalesRightsType.NON_EXCLUSIVE})
_HARMLESS_RESTRICTIONS = frozenset({SalesRestrictionType.NOT_TO_LIBRARIES, SalesRestrictionType.NONE})
_LONGEST_DAY = timedelta(hours=26)
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
    tariff: Tariff | None = None
    starts_at: datetime | None = None
    stops: bool = False

    @property
    def essence(self) -> tuple[OfferState, Decimal | None, str | None]:
        """What time alone may change of an offer; two periods with one price look the same."""
        return (self.state, self.tariff.amount, self.tariff.type) if self.tariff else (self.state, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """When something begins: never, if its date cannot be read; at once, if there is no date."""

    at: datetime | None = None
    is_unreadable: bool = False

    def is_ahead(self, now: datetime) -> bool:
        return self.is_unreadable or (self.at is not None and now < self.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Supply:
    """One supplier's terms in a market, with everything its decision hangs on."""

    publishing: Standing
    availability: Standing
    embargo: _Opening
    expected: _Opening
    preorders: _Opening
    tariffs: tuple[Tariff, ...]
    says: str

    def instants(self) -> Iterator[datetime | None]:
        yield from (self.embargo.at, self.expected.at, self.preorders.at)
        for tariff in self.tariffs:
            yield from (tariff.period.since, tariff.period.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A title in a market: settled whatever the time, or a choice of supplies."""

    product: Product | None = None
    settled: _Decision | None = None
    supplies: tuple[_Supply, ...] = ()


class OnixRules:
    """The standard's rules, for senders without conventions of their own. There is nobody to order from.

    `zone` is where dates without zone begin; `publication_date_is_embargo` is for senders that put the start of sale into
    the publication date.
    """

    def __init__(
        self,
        *,
        markets: tuple[Market, ...],
        zone: ZoneInfo,
        tax_rates: Mapping[str, Decimal] | None = None,
        publication_date_is_embargo: bool = False,
    ) -> None:
        self._markets = markets
        self._zone = zone
        self._tax_rates = dict(tax_rates or {})
        self._embargo_roles = frozenset(
            {PublishingDateRole.SALES_EMBARGO, PublishingDateRole.PUBLICATION}
            if publication_date_is_embargo
            else {PublishingDateRole.SALES_EMBARGO}
        )

    @property
    def version(self) -> str:
        markets = ",".join(sorted(map(str, self._markets)))
        rates = ",".join(f"{country}:{rate}" for country, rate in sorted(self._tax_rates.items()))
        roles = ",".join(sorted(self._embargo_roles))
        return f"onix 1; markets={markets}; zone={self._zone.key}; tax_rates={rates}; embargo={roles}"

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
        sells = decision.state in {OfferState.FOR_SALE, OfferState.PREORDER}
        return Offer(
            key=title.key,
            market=market,
            at=at,
            state=decision.state,
            record_reference=case.product.reference if case.product else None,
            accepts_orders=decision.state is OfferState.FOR_SALE,
            accepts_preorders=decision.state is OfferState.PREORDER,
            held_orders=HeldOrders.STOP if decision.stops else HeldOrders.KEEP,
            price=decision.tariff.shown(market, self._tax_rates) if sells and decision.tariff else None,
            terms={"format": title.key.format},
            starts_at=decision.starts_at,
            next_change_at=_next_change(case, decision, at),
            rules=decision.rules,
        )

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:  # noqa: ARG002 - plain ONIX takes every record as it is
        """The standard gives the past no meaning."""
        return remembered

    def _case(self, title: Title, market: Market) -> _Case:
        product, settled = _record(title)
        if product is None:
            return _Case(settled=settled)
        blocks = [supply for supply in product.supplies if _is_in_market(supply, market.country)]
        settled = (
            _withdrawn(product, blocks)
            or _rights(product, market.country)
            or _restricted(product)
            or _nowhere(product, blocks, market)
        )
        if settled is not None:
            return _Case(product=product, settled=settled)
        supplies = tuple(self._supply(product, block, detail, market) for block in blocks for detail in block.details)
        return _Case(product=product, supplies=supplies)

    def _supply(self, product: Product, block: ProductSupply, detail: SupplyDetail, market: Market) -> _Supply:
        general = (*product.publishing_dates, *block.market_dates)
        embargoes = (*_dates(general, self._embargo_roles), *_dates(detail.dates, {SupplyDateRole.SALES_EMBARGO}))
        expected = _dates(detail.dates, {SupplyDateRole.EXPECTED_AVAILABILITY}) or _dates(
            general, {PublishingDateRole.PUBLICATION}
        )
        announced = {PublishingDateRole.PREORDER_EMBARGO, PublishingDateRole.ANNOUNCEMENT}
        return _Supply(
            publishing=statuses.publishing(product.publishing_status, block.market_status),
            availability=statuses.availability(detail.availability),
            embargo=_latest(embargoes, self._zone),
            expected=_latest((*embargoes, *expected), self._zone),
            preorders=_latest(_dates(general, announced), self._zone),
            tariffs=tariffs(product, detail, market, self._zone),
            says=(
                f"PublishingStatus {product.publishing_status or 'absent'}, "
                f"MarketPublishingStatus {block.market_status or 'absent'}, "
                f"ProductAvailability {detail.availability or 'absent'} of {detail.supplier_name or 'the supplier'}"
            ),
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


def _rights(product: Product, country: str) -> _Decision | None:
    """Why the sales rights forbid a sale there; none where they allow it. Contradicting statements forbid it (2.12)."""
    concerned = [rights for rights in product.sales_rights if _touches(rights.territory, country)]
    for rights in concerned:
        if rights.type not in _FOR_SALE_RIGHTS:
            return _settled(OfferState.OUT_OF_TERRITORY, "2.12", f"SalesRights {rights.type} touch {country}")
        if not rights.territory.covers(country):
            return _settled(OfferState.OUT_OF_TERRITORY, "2.12", f"only a part of {country} has sales rights")
        if held := _unsuitable(rights.restrictions):
            return _settled(OfferState.UNAVAILABLE, "2.12", f"SalesRestriction {held} in {country}")
    if concerned or product.rest_of_world_rights in _FOR_SALE_RIGHTS:
        return None
    if product.sales_rights and product.rest_of_world_rights != SalesRightsType.UNKNOWN:
        return _settled(OfferState.OUT_OF_TERRITORY, "2.12", f"no SalesRights name {country}")
    return _settled(OfferState.UNKNOWN, "2.12", f"the rights in {country} are not stated, which is not worldwide")


def _withdrawn(product: Product, blocks: list[ProductSupply]) -> _Decision | None:
    for block in blocks:
        if statuses.publishing(product.publishing_status, block.market_status) is Standing.STOP_NOW:
            return _settled(OfferState.WITHDRAWN, "2.10", f"MarketPublishingStatus {block.market_status}", stops=True)
        for detail in block.details:
            if statuses.availability(detail.availability) is Standing.STOP_NOW:
                return _settled(OfferState.WITHDRAWN, "2.10", f"ProductAvailability {detail.availability}", stops=True)
    if statuses.is_withdrawn(product.publishing_status):
        return _settled(OfferState.WITHDRAWN, "2.10", f"PublishingStatus {product.publishing_status}", stops=True)
    return None


def _restricted(product: Product) -> _Decision | None:
    if held := _unsuitable(product.sales_restrictions):
        return _settled(OfferState.UNAVAILABLE, "2.12", f"SalesRestriction {held}")
    return None


def _nowhere(product: Product, blocks: list[ProductSupply], market: Market) -> _Decision | None:
    if any(block.details for block in blocks):
        return None
    if product.supplies and not blocks:
        return _settled(OfferState.OUT_OF_TERRITORY, "2.12", f"no supplier acts in {market.country}")
    return _settled(OfferState.UNAVAILABLE, "2.12", "it has no supplier")


def _is_in_market(supply: ProductSupply, country: str) -> bool:
    """Whether the supply is for the country; one without a market is for wherever the rights are."""
    if _unsuitable(supply.market_restrictions):
        return False
    return not supply.markets or any(market.covers(country) for market in supply.markets)


def _unsuitable(restrictions: tuple[str, ...]) -> str:
    """The restrictions of list 71 under which an open shop does not sell."""
    return ", ".join(code for code in restrictions if code not in _HARMLESS_RESTRICTIONS)


def _touches(territory: Territory, country: str) -> bool:
    """Whether any part of the country belongs to it."""
    return country in territory.countries() or any(
        region == country or region.startswith(f"{country}-") for region in territory.regions_included
    )


# --- what time changes ----------------------------------------------------------------------------------------------------


def _decide(case: _Case, at: datetime) -> _Decision:
    if case.settled is not None:
        return case.settled
    decisions = sorted((_by_supply(supply, at) for supply in case.supplies), key=lambda d: _BEST_FIRST.index(d.state))
    best = decisions[0]
    amounts = {
        (decision.tariff.amount, decision.tariff.type)
        for decision in decisions
        if decision.state is best.state and decision.tariff is not None
    }
    if len(amounts) > 1:
        listed = ", ".join(sorted(f"{amount} (type {kind.value})" for amount, kind in amounts))
        return _settled(OfferState.UNPRICED, "2.13", f"suppliers differ, and none is preferred: {listed}")
    return best


def _by_supply(supply: _Supply, at: datetime) -> _Decision:
    """The supply's own decision. An active publisher or none defers to the supplier; what they contradict is not sold."""
    match supply.publishing, supply.availability:
        case (Standing.STOP, _) | (_, Standing.STOP):
            return _settled(OfferState.UNAVAILABLE, "2.10", supply.says, stops=True)
        case (Standing.HOLD, _) | (_, Standing.HOLD):
            return _settled(OfferState.UNAVAILABLE, "2.10", supply.says)
        case (Standing.UNKNOWN, _) | (_, Standing.UNKNOWN):
            return _settled(OfferState.UNKNOWN, "2.10", f"{supply.says}: no conclusion")
        case (Standing.DEFER, Standing.SELL):
            return _when_out(supply, supply.embargo, at)
        case (Standing.AHEAD, Standing.SELL) if supply.embargo.at or supply.embargo.is_unreadable:
            return _when_out(supply, supply.embargo, at)
        case _:
            return _when_announced(supply, at)


def _when_out(supply: _Supply, start: _Opening, at: datetime) -> _Decision:
    if start.is_ahead(at):
        return _ahead(supply, start, at)
    return _priced(OfferState.FOR_SALE, supply, start, at)


def _when_announced(supply: _Supply, at: datetime) -> _Decision:
    """Not out by its codes: once the expected day has come only a new message can put it on sale."""
    if supply.expected.is_ahead(at):
        return _ahead(supply, supply.expected, at)
    state = OfferState.NOT_YET if supply.expected.at else OfferState.ANNOUNCED
    return _Decision(state=state, rules=(_rule("2.10", supply.says),), starts_at=supply.expected.at)


def _ahead(supply: _Supply, start: _Opening, at: datetime) -> _Decision:
    if start.at is None or start.is_unreadable:
        return _Decision(state=OfferState.NOT_YET, rules=(_rule("2.11", "its start of sale cannot be read"),))
    if supply.preorders.is_ahead(at):
        rule = _rule(
            "2.11", f"{supply.says}; no preorders before {supply.preorders.at or 'a date that cannot be read'}"
        )
        return _Decision(state=OfferState.ANNOUNCED, rules=(rule,), starts_at=start.at)
    return _priced(OfferState.PREORDER, supply, start, start.at)


def _priced(state: OfferState, supply: _Supply, start: _Opening, at: datetime) -> _Decision:
    """That state with the price in force at `at`, or UNPRICED."""
    rules = (_rule("2.10", supply.says), _rule("2.11", f"sale from {start.at or 'receipt: no embargo'}"))
    tariff = in_force(supply.tariffs, at)
    if tariff is None:
        none = _rule("2.13", f"of {len(supply.tariffs)} consumer prices in this market none is in force by itself")
        return _Decision(state=OfferState.UNPRICED, rules=(*rules, none), starts_at=start.at)
    found = _rule("2.13", f"{tariff.amount} (type {tariff.type.value}) is in force")
    return _Decision(state=state, rules=(*rules, found), tariff=tariff, starts_at=start.at)


def _next_change(case: _Case, now: _Decision, at: datetime) -> datetime | None:
    """The next instant at which the decision really differs."""
    instants = sorted({instant for supply in case.supplies for instant in supply.instants() if instant is not None})
    following = next_after(instants, at)
    while following is not None and _decide(case, following).essence == now.essence:
        following = next_after(instants, following)
    return following


# --- small things ---------------------------------------------------------------------------------------------------------


def _format(product: Product) -> Format:
    for detail, name in _FORMATS.items():
        if detail in product.form_details:
            return name
    if product.form == ProductForm.AUDIO_DOWNLOAD:
        return Format("audio")
    return Format((product.form or "00").lower())


def _dates(dates: tuple[DatedRole, ...], roles: Collection[str]) -> tuple[DatedRole, ...]:
    return tuple(dated for dated in dates if dated.role in roles)


def _latest(dates: tuple[DatedRole, ...], zone: ZoneInfo) -> _Opening:
    """The latest of the dates; a month or a year begins where it ends, so that nothing is sold early (2.9)."""
    instants = []
    for dated in dates:
        start, end = dated.date.starts_at(zone), dated.date.ends_at(zone)
        if start is None or end is None:
            return _Opening(is_unreadable=True)
        instants.append(start if end - start <= _LONGEST_DAY else end)
    return _Opening(at=max(instants, default=None))


def _settled(state: OfferState, section: str, says: str, *, stops: bool = False) -> _Decision:
    return _Decision(state=state, rules=(_rule(section, says),), stops=stops)


def _rule(section: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"onix.{section}", says=says)
