"""De Marque's conventions: how product facts become an offer (contract demarque 5, 9, 10, 11)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal, assert_never
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.market_blocks import (
    announces_sale_starts,
    has_sales_rights,
    live_markets,
    preorder_start,
    retail_gate,
    view,
)
from adapters.distributors.demarque.prices import Choice, DatedPrice, choose, timeline, why_unpriced
from adapters.distributors.demarque.tables import Facts, new_convention, old_convention
from syncengine.domain.codes import EpubTechnicalProtection, ProductForm, ProductFormDetail
from syncengine.domain.ids import Format, Isbn
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.prices import ConsumerPrice
from syncengine.domain.product import Product
from syncengine.domain.territory import Market
from syncengine.domain.timeline import next_after
from syncengine.domain.title import Remembered, Title

REVISION = 2
"""Raised with every change of a decision, so that every title is decided again."""

EPUB, PDF, MOBI, AUDIO = Format("epub"), Format("pdf"), Format("mobi"), Format("audio")

_FORMATS: Mapping[ProductFormDetail, Format] = {
    ProductFormDetail.EPUB: EPUB,
    ProductFormDetail.PDF: PDF,
    ProductFormDetail.MOBI: MOBI,
    ProductFormDetail.MP3: AUDIO,
}
_SOLD_FORMATS = frozenset(_FORMATS.values())
_DECLARED_FORMATS = frozenset({EPUB, PDF})
_UNDEFINED_FORM = Format("00")

_STATES_WITH_TERMS = frozenset({OfferState.FOR_SALE, OfferState.PREORDER, OfferState.ANNOUNCED, OfferState.NOT_YET})
_STATES_THAT_STOP = frozenset({OfferState.WITHDRAWN, OfferState.OUT_OF_TERRITORY, OfferState.REMOVED})


class Convention(StrEnum):
    """The two ways in which the platform announces preorders (contract 9)."""

    OLD = "old"
    NEW = "new"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """One retail record in one market: all that a decision rests on, but the instant."""

    facts: Facts
    convention: Convention
    prices: tuple[DatedPrice, ...]
    format: Format
    protections: tuple[str, ...]
    preamble: tuple[RuleApplied, ...]
    vanished: bool

    def instants(self) -> Iterator[datetime | None]:
        """Every instant at which a decision may turn."""
        yield self.facts.preorders.at
        yield self.facts.start.at
        for price in self.prices:
            yield price.period.since
            yield price.period.until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    state: OfferState
    rules: tuple[RuleApplied, ...]
    price: ConsumerPrice | None = None

    @property
    def essence(self) -> tuple[OfferState, ConsumerPrice | None]:
        """What an offer shows of it; two periods with one price look the same."""
        return self.state, self.price

    def but(self, state: OfferState, rule: RuleApplied) -> _Decision:
        """The same, overruled: what is overruled to a state without terms shows no price."""
        price = self.price if state in _STATES_WITH_TERMS else None
        return _Decision(state=state, rules=(*self.rules, rule), price=price)


class DeMarqueRules:
    """The rules of one platform and organisation.

    `zone` is the platform's, for dates without one; `tax_rates` are percents by country, for prices that state none; `lcp`
    tells that the organisation is enabled for LCP, which then comes before Adobe where a title is offered with both.
    """

    def __init__(
        self,
        *,
        markets: tuple[Market, ...],
        zone: ZoneInfo,
        convention: Literal["auto", "new", "old"] = "auto",
        tax_rates: Mapping[str, Decimal] | None = None,
        lcp: bool = False,
    ) -> None:
        self._markets = markets
        self._zone = zone
        self._forced = None if convention == "auto" else Convention(convention)
        self._tax_rates = {country.upper(): rate for country, rate in (tax_rates or {}).items()}
        self._lcp = lcp

    @property
    def version(self) -> str:
        """Everything that a decision rests on besides the facts."""
        markets = ",".join(sorted(map(str, self._markets)))
        rates = ",".join(f"{country}:{rate.normalize():f}" for country, rate in sorted(self._tax_rates.items()))
        return (
            f"demarque {REVISION}; markets={markets}; zone={self._zone.key}; convention={self._forced or 'auto'}; "
            f"tax_rates={rates}; lcp={self._lcp}"
        )

    @property
    def markets(self) -> tuple[Market, ...]:
        return self._markets

    def identify(self, product: Product) -> tuple[Isbn, Format] | None:
        isbn = product.isbn
        return (isbn, _format(product)) if isbn else None

    def offer(self, title: Title, market: Market, at: datetime) -> Offer:
        """Decide by steps 0 to 2, the table of the record's convention, then section 10 for the price.

        `next_change_at` is the very next instant at which state or price differ, not merely one at which they might.
        """
        product = _retail_record(title)
        if isinstance(product, _Decision):
            return _refused(title, market, at, product)
        case = self._case(title, product, market)
        decision = _decide(case, at)
        return Offer(
            key=title.key,
            market=market,
            at=at,
            state=decision.state,
            record_reference=product.reference,
            accepts_orders=decision.state is OfferState.FOR_SALE,
            accepts_preorders=decision.state is OfferState.PREORDER,
            declares_preorders=decision.state is OfferState.PREORDER and case.format in _DECLARED_FORMATS,
            held_orders=_held(decision.state),
            check_first=decision.state is OfferState.FOR_SALE,
            price=decision.price.to_offer_price(self._tax_rates.get(market.country)) if decision.price else None,
            terms=_terms(case),
            starts_at=case.facts.start.at,
            next_change_at=_next_change(case, decision, at),
            rules=decision.rules,
        )

    @property
    def remembers(self) -> bool:
        return True

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:
        """Add the markets that were live in `old` and are not in `new`, forget those that are live again (contract 9.3).

        A record that goes away, is deleted or becomes a library offer withdraws no market: its title answers for itself.
        """
        nothing_was_live = old is None and not remembered.withdrawn
        if new is None or nothing_was_live or retail_gate(new) is not None:
            return remembered
        before = live_markets(old) if old is not None else {}
        now = live_markets(new)
        withdrawn = {
            currency: (remembered.withdrawn.get(currency, frozenset()) | before.get(currency, frozenset()))
            - now.get(currency, frozenset())
            for currency in sorted({*remembered.withdrawn, *before})
        }
        return Remembered(withdrawn={currency: countries for currency, countries in withdrawn.items() if countries})

    def _case(self, title: Title, product: Product, market: Market) -> _Case:
        seen = view(product, market, self._zone)
        convention, rule = self._convention(product)
        facts = Facts(
            market=market,
            status=product.publishing_status,
            has_rights=has_sales_rights(product, market.country),
            view=seen,
            preorders=preorder_start(product, self._zone),
        )
        once = market.country in title.remembered.withdrawn.get(market.currency, frozenset())
        return _Case(
            facts=facts,
            convention=convention,
            prices=timeline(seen.prices, market.currency, self._zone),
            format=title.key.format,
            protections=_protections(product, lcp=self._lcp),
            preamble=(rule,),
            vanished=once and market.country not in live_markets(product).get(market.currency, frozenset()),
        )

    def _convention(self, product: Product) -> tuple[Convention, RuleApplied]:
        if self._forced is not None:
            return self._forced, _rule("9.convention", f"the settings force the {self._forced} convention")
        if sign := announces_sale_starts(product):
            return Convention.NEW, _rule("9.convention", f"new convention: {sign}")
        return Convention.OLD, _rule("9.convention", "old convention: neither PublishingDate 02 nor a MarketDate")


def _format(product: Product) -> Format:
    for detail, word in _FORMATS.items():
        if detail in product.form_details:
            return word
    if product.form == ProductForm.AUDIO_DOWNLOAD:
        return AUDIO
    return Format(product.form.lower()) if product.form else _UNDEFINED_FORM


def _protections(product: Product, *, lcp: bool) -> tuple[str, ...]:
    """The sale's words for what the record is offered with, the preferred first (contract 5.1): the lightest lock leads.

    A record that states no protection is asked for as `none`, and the simulation decides; codes without a word (list 144)
    are left out.
    """
    if not product.protections:
        return ("none",)
    locks = ((EpubTechnicalProtection.ADOBE, "acs4"), (EpubTechnicalProtection.LCP, "drm:lcp"))
    words = (
        (EpubTechnicalProtection.NONE, "none"),
        (EpubTechnicalProtection.WATERMARK, "watermark"),
        *(reversed(locks) if lcp else locks),
    )
    return tuple(word for code, word in words if code in product.protections)


def _retail_record(title: Title) -> Product | _Decision:
    """The one live record that is sold at retail, else what it means that there is none or more than one."""
    gates = [(product, retail_gate(product)) for product in title.records]
    retail = [product for product, gate in gates if gate is None]
    refused = [gate for _, gate in gates if gate is not None]
    if len(retail) == 1:
        return retail[0]
    if retail:
        names = ", ".join(sorted(product.reference for product in retail))
        rule = RuleApplied(id="title.ambiguous", says=f"several live records carry this ISBN and format: {names}")
        return _Decision(state=OfferState.UNKNOWN, rules=(rule,))
    if refused:
        states = {state for state, _ in refused}
        state = OfferState.UNAVAILABLE if OfferState.UNAVAILABLE in states else OfferState.REMOVED
        return _Decision(state=state, rules=tuple(rule for _, rule in sorted(refused, key=lambda gate: gate[0])))
    if title.was_removed:
        rule = RuleApplied(id="title.removed", says="its records were removed or vanished, and none is live")
        return _Decision(state=OfferState.REMOVED, rules=(rule,))
    rule = RuleApplied(id="title.unknown", says="no record ever named it")
    return _Decision(state=OfferState.UNKNOWN, rules=(rule,))


def _refused(title: Title, market: Market, at: datetime, decision: _Decision) -> Offer:
    return Offer(
        key=title.key,
        market=market,
        at=at,
        state=decision.state,
        record_reference=title.records[0].reference if len(title.records) == 1 else None,
        held_orders=_held(decision.state),
        rules=decision.rules,
    )


def _decide(case: _Case, at: datetime) -> _Decision:
    decision = _price(case, _by_table(case, at), at)
    if decision.state not in _STATES_WITH_TERMS:
        return decision
    if case.format not in _SOLD_FORMATS:
        says = f"a sale has no word for the format {case.format!r}"
        return decision.but(OfferState.UNAVAILABLE, _rule("4.1.format", says))
    if not case.protections:
        return decision.but(OfferState.UNAVAILABLE, _rule("5.1", "none of its protections has a word in a sale"))
    return decision


def _by_table(case: _Case, at: datetime) -> _Decision:
    facts = case.facts
    match case.convention:
        case Convention.OLD:
            row = old_convention(facts, at)
        case Convention.NEW:
            row = new_convention(facts, at)
        case _:
            assert_never(case.convention)
    decision = _Decision(state=row.state, rules=(*case.preamble, row.rule))
    if case.vanished and row.state is not OfferState.WITHDRAWN:
        says = f"{facts.market} was live once and its record lists it no longer"
        return _Decision(state=OfferState.WITHDRAWN, rules=(*case.preamble, _rule("9.3", says)))
    if row.state is OfferState.PREORDER and facts.start.is_unreadable:
        return decision.but(
            OfferState.NOT_YET, _rule("8.1", f"held, for its start of sale is not known: {facts.start.says}")
        )
    return decision


def _price(case: _Case, decision: _Decision, at: datetime) -> _Decision:
    """Section 10: the price in force now, or at the start where that is to come."""
    if decision.state not in _STATES_WITH_TERMS:
        return decision
    if decision.state is OfferState.FOR_SALE:
        choice = _choice(case, at)
        if choice.price is None:
            return decision.but(OfferState.UNPRICED, choice.rule)
        return _Decision(state=decision.state, rules=(*decision.rules, choice.rule), price=choice.price)
    choice = _choice(case, case.facts.start.at)
    priced = _Decision(state=decision.state, rules=(*decision.rules, choice.rule), price=choice.price)
    return _preorder(case, priced) if decision.state is OfferState.PREORDER else priced


def _preorder(case: _Case, decision: _Decision) -> _Decision:
    """What a preorder asks of the prices, of any period: in a currency that the title is not sold in it is none."""
    seen, market = case.facts.view, case.facts.market
    if case.convention is Convention.OLD and not seen.names_country:
        says = f"display only: no price names {market.country} in {market.currency}"
        return decision.but(OfferState.ANNOUNCED, _rule("9.1.price", says))
    if not seen.prices and seen.has_other_currency:
        says = f"{market.country} has prices, but none in {market.currency}"
        return decision.but(OfferState.UNPRICED, _rule("10.currency", says))
    return decision


def _choice(case: _Case, at: datetime | None) -> Choice:
    if not case.prices:
        return Choice(price=None, rule=why_unpriced(len(case.facts.view.prices), case.facts.view.unpriced))
    if at is None:
        return Choice(price=None, rule=_rule("10.none", "which price is in force at the start of sale is not known"))
    return choose(case.prices, at)


def _next_change(case: _Case, now: _Decision, at: datetime) -> datetime | None:
    instants: Sequence[datetime] = sorted({instant for instant in case.instants() if instant is not None})
    following = next_after(instants, at)
    while following is not None and _decide(case, following).essence == now.essence:
        following = next_after(instants, following)
    return following


def _held(state: OfferState) -> HeldOrders:
    return HeldOrders.STOP if state in _STATES_THAT_STOP else HeldOrders.KEEP


def _terms(case: _Case) -> Mapping[str, str]:
    """What a sale must name besides the price, whatever the state: an order may ask long before the start."""
    terms = {"format": str(case.format)}
    if case.protections:
        terms["protection"] = case.protections[0]
        terms["protections"] = ",".join(case.protections)
    return terms


def _rule(name: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"demarque.{name}", says=says)
