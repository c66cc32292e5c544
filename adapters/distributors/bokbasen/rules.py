"""Bokbasen's conventions: how inventory and ONIX together become an offer (contract bokbasen 10).

To sell, both must agree; to stop, one is enough. The inventory tells what can be delivered, ONIX tells price, date, market and
restrictions, and no order between the two feeds is assumed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from adapters.distributors.bokbasen.colours import COLOURS, ColourTable
from adapters.distributors.bokbasen.inventory import LEAST_NAME, InventoryRow, newest
from adapters.distributors.bokbasen.prices import Choice, choose
from adapters.distributors.bokbasen.supply import RecordView, Shop, view
from adapters.distributors.bokbasen.tables import Choices, Facts, Row, decide
from syncengine.domain.codes import NotificationType, ProductForm
from syncengine.domain.ids import Format, Isbn
from syncengine.domain.offer import HeldOrders, Offer, OfferState, RuleApplied
from syncengine.domain.prices import ConsumerPrice
from syncengine.domain.product import Product
from syncengine.domain.territory import Market
from syncengine.domain.timeline import next_after
from syncengine.domain.title import Remembered, Title

REVISION = 2
"""Raised with every change of a decision, so that every title is decided again."""

NORWAY = Market(country="NO", currency="NOK")
"""The one market there is: an order's price is always in Norwegian øre (contract 5)."""

EVERY_FORMAT = Format("")
"""Of a row, which belongs to its ISBN whatever the format."""


class FileFormat(StrEnum):
    """List 175, as far as the warehouse has files (contract 9.2)."""

    MP3 = "A103"
    EPUB = "E101"
    PDF = "E107"
    EBP = "E144"


_FORMATS: Mapping[FileFormat, Format] = {
    FileFormat.EPUB: Format("epub"),
    FileFormat.PDF: Format("pdf"),
    FileFormat.EBP: Format("ebp"),
    FileFormat.MP3: Format("audio"),
}
_UNDEFINED_FORM = Format("00")
_STATES_WITH_PRICE = frozenset({OfferState.FOR_SALE, OfferState.PREORDER, OfferState.ANNOUNCED})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Case:
    """A title in the market: all that a decision rests on, but the instant."""

    facts: Facts
    choices: Choices
    record: Product | None
    alerts: tuple[RuleApplied, ...]

    @property
    def view(self) -> RecordView:
        """The record as the table asks it; an empty one where there is none."""
        return self.facts.record or RecordView()

    def instants(self) -> Iterator[datetime | None]:
        """Every instant at which a decision may turn."""
        yield self.view.release.at
        for price in self.view.prices:
            yield price.period.since
            yield price.period.until


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decision:
    row: Row
    price: ConsumerPrice | None
    rules: tuple[RuleApplied, ...]

    @property
    def essence(self) -> tuple[OfferState, bool, bool, ConsumerPrice | None]:
        """What an offer shows of it."""
        return self.row.state, self.row.sells, self.row.takes_ahead, self.price


class BokbasenRules:
    """The rules of one shop.

    `zone` is where days begin; `outlets` are the shop's own names and numbers in restrictions; `supplier` is how ONIX names the
    warehouse; `checks_first` asks for a look-up before the sales of a release go out.
    """

    def __init__(
        self,
        *,
        markets: tuple[Market, ...],
        zone: ZoneInfo,
        outlets: tuple[str, ...] = (),
        supplier: str = "DDS",
        choices: Choices | None = None,
        checks_first: bool = True,
        tax_rates: Mapping[str, Decimal] | None = None,
        colours: ColourTable = COLOURS,
    ) -> None:
        self._markets = markets
        named = frozenset(outlet.strip().casefold() for outlet in outlets)
        self._shop = Shop(zone=zone, supplier=supplier, outlets=named, colours=colours)
        self._choices = choices or Choices()
        self._checks_first = checks_first
        self._tax_rates = dict(tax_rates or {})

    @property
    def version(self) -> str:
        """Everything that a decision rests on besides the facts."""
        shop, choices = self._shop, self._choices
        rates = ",".join(f"{country}:{rate.normalize():f}" for country, rate in sorted(self._tax_rates.items()))
        return (
            f"bokbasen {REVISION}; markets={','.join(sorted(map(str, self._markets)))}; zone={shop.zone.key}; "
            f"outlets={','.join(sorted(shop.outlets))}; supplier={shop.supplier}; checks_first={self._checks_first}; "
            f"preorders_without_right={choices.preorders_without_right}; access_is_early={choices.access_is_early}; "
            f"tax_rates={rates}; colours={_spell_table(shop.colours)}"
        )

    @property
    def markets(self) -> tuple[Market, ...]:
        return self._markets

    def identify(self, product: Product) -> tuple[Isbn, Format] | None:
        """A row belongs to every format of its ISBN, and a record to one."""
        isbn = product.isbn
        if isbn is None:
            return None
        return isbn, EVERY_FORMAT if product.row else _format(product)

    def offer(self, title: Title, market: Market, at: datetime) -> Offer:
        """Decide by the table; `next_change_at` is the very next instant at which the decision differs."""
        case = self._case(title, market)
        if isinstance(case, RuleApplied):
            return Offer(key=title.key, market=market, at=at, state=OfferState.UNKNOWN, rules=(case,))
        decision = _decide(case, at)
        row, price, held = decision.row, decision.price, case.facts.row
        return Offer(
            key=title.key,
            market=market,
            at=at,
            state=row.state,
            record_reference=case.record.reference if case.record else None,
            accepts_orders=row.sells,
            accepts_preorders=row.takes_ahead,
            takes_no_new=row.takes_no_new,
            held_orders=HeldOrders.STOP if row.stops else HeldOrders.KEEP,
            check_first=row.sells and self._checks_first,
            name_letters=LEAST_NAME if held is not None and held.needs_names else 0,
            price=price.to_offer_price(self._tax_rates.get(market.country)) if price else None,
            terms=_terms(case, row, title.key.format),
            starts_at=case.view.release.at,
            next_change_at=_next_change(case, decision, at),
            rules=decision.rules,
        )

    @property
    def remembers(self) -> bool:
        return True

    def remember(self, remembered: Remembered, old: Product | None, new: Product | None) -> Remembered:
        """That a title could be delivered before its right was taken back (row 5), until it comes back."""
        before, now = _row_of(old), _row_of(new)
        if now is None:
            return remembered
        if now.access is True:
            return replace(remembered, withdrawn={}) if remembered.withdrawn else remembered
        if before is not None and before.is_deliverable:
            return replace(remembered, withdrawn={NORWAY.currency: frozenset({NORWAY.country})})
        return remembered

    def _case(self, title: Title, market: Market) -> _Case | RuleApplied:
        """What the title's records say; a rule where more than one of them could be meant."""
        record = _record(title, market, self._shop)
        if isinstance(record, RuleApplied):
            return record
        row = newest(InventoryRow.of(product.row) for product in title.records if product.row)
        seen = view(record, market, self._shop) if record else None
        if seen is not None and market != NORWAY:
            seen = RecordView(shut=(OfferState.OUT_OF_TERRITORY, f"{market} is not {NORWAY}: orders are in øre"))
        return _Case(
            facts=Facts(
                removed=record is None and _was_removed(title),
                record=seen,
                row=row,
                was_deliverable=bool(title.remembered.withdrawn),
            ),
            choices=self._choices,
            record=record,
            alerts=tuple(_alerts(record, seen, row)),
        )


def _format(product: Product) -> Format:
    for detail, word in _FORMATS.items():
        if detail in product.form_details:
            return word
    if product.form == ProductForm.AUDIO_DOWNLOAD:
        return Format("audio")
    return Format(product.form.lower()) if product.form else _UNDEFINED_FORM


def _record(title: Title, market: Market, shop: Shop) -> Product | RuleApplied | None:
    """The one live ONIX record; of several those in scope go before others, and two of them are not told apart."""
    live = [p for p in title.records if not p.row and p.notification_type != NotificationType.DELETE]
    if len(live) < 2:
        return live[0] if live else None
    inside = [record for record in live if not view(record, market, shop).outside]
    if len(inside) == 1:
        return inside[0]
    names = ", ".join(sorted(record.reference for record in live))
    return RuleApplied(id="title.ambiguous", says=f"several live records carry this ISBN and format: {names}")


def _was_removed(title: Title) -> bool:
    return title.was_removed or any(p.notification_type == NotificationType.DELETE for p in title.records if not p.row)


def _row_of(product: Product | None) -> InventoryRow | None:
    return InventoryRow.of(product.row) if product is not None and product.row else None


def _alerts(record: Product | None, seen: RecordView | None, row: InventoryRow | None) -> Iterator[RuleApplied]:
    """Contradictions that decide nothing, and that a person should know of."""
    if record is None or seen is None:
        return
    for alert in seen.light.alerts:
        yield RuleApplied(id="bokbasen 10.1/colour", says=f"alert: {alert}")
    if row is not None and row.disagrees_with(record.protections):
        stated = ", ".join(record.protections)
        says = f"alert: the inventory says {row.drm}, EpubTechnicalProtection {stated}"
        yield RuleApplied(id="bokbasen 4/drm", says=says)


def _decide(case: _Case, at: datetime) -> _Decision:
    """The row at an instant, with the price then, or of the release where that is to come."""
    release = case.view.release.at
    choice = choose(case.view.prices, max(at, release) if release else at) if case.facts.record else Choice()
    row = decide(case.facts, choice, case.choices, at)
    price = choice.price if row.state in _STATES_WITH_PRICE else None
    told = choice.rules if row.state in _STATES_WITH_PRICE or row.state is OfferState.UNPRICED else ()
    return _Decision(row=row, price=price, rules=(*case.alerts, *told, *row.rules))


def _next_change(case: _Case, now: _Decision, at: datetime) -> datetime | None:
    instants = sorted({instant for instant in case.instants() if instant is not None})
    following = next_after(instants, at)
    while following is not None and _decide(case, following).essence == now.essence:
        following = next_after(instants, following)
    return following


def _terms(case: _Case, decided: Row, format: Format) -> Mapping[str, str]:
    """What an order must name besides the price, what its look-up is compared with, and whether there is a sample to show."""
    terms = {"format": str(format)}
    row = case.facts.row
    if row is not None:
        terms |= {"resid": row.resid, "drm": row.drm, "version": str(row.version)}
        if row.drm:
            terms |= {"protection": row.drm, "protections": row.drm}
        if row.excerpt and decided.shows_sample:
            terms["excerpt"] = "true"
    return terms


def _spell_table(table: ColourTable) -> str:
    """A table as a word of a few letters that differs where the table does."""
    pairs = sorted({**table.availability, **{f"m{code}": c for code, c in table.market_status.items()}}.items())
    silent = sorted({*table.silent_availability, *(f"m{code}" for code in table.silent_status)})
    return "standard" if table is COLOURS else f"{[(code, colour.value) for code, colour in pairs]}{silent}"
