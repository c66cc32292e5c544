"""CB's two decision tables, row by row: audiobooks at Luisterhuis (contract cb 5) and e-books (contract cb 9)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from adapters.distributors.cb.facts import Agreement, Checked, Listing
from adapters.distributors.cb.prices import Choice, DatedPrice, choose
from syncengine.domain.codes import ProductAvailability, PublishingStatus
from syncengine.domain.offer import OfferState, RuleApplied
from syncengine.domain.product import SupplyDetail
from syncengine.domain.statuses import Standing, of_supplier

_NOT_YET = ProductAvailability.NOT_YET_AVAILABLE
_AVAILABLE = ProductAvailability.AVAILABLE
_NOT_AVAILABLE = ProductAvailability.NOT_AVAILABLE

_RESTRICTIVE_FIRST = ("row2", "row9", "row8", "row4", "row3", "row7", "row6", "row5")
"""What pre-step A goes by where several suppliers' words stand beside each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row of a table that was met, with its rules; `stops` closes what waits for the title."""

    name: str
    state: OfferState
    rules: tuple[RuleApplied, ...]
    sells: bool = False
    takes_preorders: bool = False
    stops: bool = False
    choice: Choice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """One SupplyDetail with its consumer prices; `availability` is none where it says nothing."""

    availability: str | None
    prices: tuple[DatedPrice, ...] = ()


# --- section 5 ------------------------------------------------------------------------------------------------------------


def deleted() -> Row:
    """Row 1: notification 05."""
    return _audio("row1", OfferState.WITHDRAWN, "the record was deleted (NotificationType 05)", stops=True)


def judged(details: Sequence[SupplyDetail], suppliers: Collection[str]) -> tuple[Sequence[SupplyDetail], str]:
    """Pre-step A: the one detail of CB itself, by a name or number in `suppliers`; else all that could be it. With the reason."""
    known = {name.casefold() for name in suppliers}
    own = [detail for detail in details if _names(detail) & known]
    if len(own) == 1:
        return own, "of several SupplyDetails the one of CB is judged"
    return own or details, "no single SupplyDetail is CB's: the most restrictive is judged"


def by_availability(supplies: Sequence[Supply], publishing_status: str | None, at: datetime) -> Row:
    """Rows 2 to 9 for the details that pre-step A left; of several the most restrictive."""
    rows = [_by_supply(supply, publishing_status, at) for supply in supplies] or [
        _by_supply(Supply(availability=None), publishing_status, at)
    ]
    return min(rows, key=lambda row: _RESTRICTIVE_FIRST.index(row.name))


def by_inventory(row: Row, listing: Listing) -> Row:
    """Pre-step B: what is for sale and has gone from the inventory waits for the availability check; its answer decides."""
    if not row.sells:
        return row
    if listing.is_listed:
        return _compared(row, listing)
    match listing.checked:
        case Checked.NO:
            says = "it has gone from the inventory, and the availability check says no: as row 2"
            return Row(name="row2", state=OfferState.WITHDRAWN, rules=(*row.rules, _rule("5.B", says)), stops=True)
        case Checked.YES:
            says = "alert: it has gone from the inventory, yet the availability check says yes: sold on"
            return replace(row, rules=(*row.rules, _rule("5.B", says)))
        case _:
            says = "suspended: it has gone from the inventory, and the availability check gave no answer yet"
            return Row(
                name="B", state=OfferState.UNAVAILABLE, rules=(*row.rules, _rule("5.B", says)), choice=row.choice
            )


def _compared(row: Row, listing: Listing) -> Row:
    """The inventory decides nothing about what it lists (contract cb 2.2): the availability check does, before each sale."""
    if listing.availability in {"", _AVAILABLE}:
        return row
    says = f"alert: the last inventory said ProductAvailability {listing.availability}"
    return replace(row, rules=(*row.rules, _rule("2.2", says)))


def _by_supply(supply: Supply, status: str | None, at: datetime) -> Row:
    says = f"ProductAvailability {supply.availability or 'absent'}, PublishingStatus {status or 'absent'}"
    choice = choose(supply.prices, at)
    if supply.availability == _NOT_AVAILABLE:
        return _audio("row2", OfferState.WITHDRAWN, says, stops=True)
    if supply.availability == _NOT_YET:
        if status == PublishingStatus.FORTHCOMING:
            return _audio("row3", OfferState.ANNOUNCED, says, takes_preorders=True, choice=choice)
        odd = f"alert: {says}, where an announced title has 02"
        return _audio("row4", OfferState.NOT_YET, odd, takes_preorders=True, choice=choice)
    if supply.availability == _AVAILABLE:
        if choice.price is None:
            return _audio("row7", OfferState.UNPRICED, f"{says}, without one active price", choice=choice)
        if status == PublishingStatus.ACTIVE:
            return _audio("row5", OfferState.FOR_SALE, says, sells=True, choice=choice)
        odd = f"alert: {says}, where a title for sale has 04; sold after a positive check only"
        return _audio("row6", OfferState.FOR_SALE, odd, sells=True, choice=choice)
    if supply.availability:
        return _audio("row8", OfferState.UNAVAILABLE, f"{says}: only 20 is sold")
    return _audio("row9", OfferState.UNAVAILABLE, f"{says}: nothing says that it may be sold")


def _audio(
    name: str,
    state: OfferState,
    says: str,
    *,
    sells: bool = False,
    takes_preorders: bool = False,
    stops: bool = False,
    choice: Choice | None = None,
) -> Row:
    rules = (_rule(f"5.{name}", says), *((choice.rule,) if choice else ()))
    return Row(
        name=name,
        state=state,
        rules=rules,
        sells=sells,
        takes_preorders=takes_preorders,
        stops=stops,
        choice=choice,
    )


def _names(detail: SupplyDetail) -> set[str]:
    return {name.casefold() for name in (detail.supplier_name, *detail.supplier_identifiers) if name}


# --- section 9 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class EbookCodes:
    """Which availabilities (list 65) the first column of table 9 means; whatever is in neither is not sold."""

    for_sale: frozenset[str]
    not_yet: frozenset[str]


def by_agreement(availability: str | None, agreement: Agreement | None, codes: EbookCodes, *, has_record: bool) -> Row:
    """Table 9; `has_record` tells whether an ONIX record has come, `availability` what it says."""
    if agreement is None:
        return _ebook("row5", OfferState.UNAVAILABLE, "no agreement record: not sold")
    allowed = f"AllowedToOrder {_flag(agreement.allowed_to_order)}, Webshop {_flag(agreement.webshop)}"
    says = f"ProductAvailability {availability or 'absent'}, {allowed}"
    if not agreement.allowed_to_order:
        return _ebook("row2", OfferState.UNAVAILABLE, f"{says}: may not be ordered")
    if not agreement.webshop:
        return _ebook("row3", OfferState.UNAVAILABLE, f"{says}: not listed in the shop")
    if not has_record:
        return _ebook("row6", OfferState.NOT_YET, f"{allowed}: held until its ONIX record arrives")
    if availability in codes.for_sale:
        return _ebook("row1", OfferState.FOR_SALE, says, sells=True)
    if availability in codes.not_yet:
        return _ebook("row4", OfferState.ANNOUNCED, says, takes_preorders=True)
    stops = of_supplier(availability) in {Standing.STOP, Standing.STOP_NOW}
    state = OfferState.WITHDRAWN if stops else OfferState.UNAVAILABLE
    return _ebook("unlisted", state, f"{says}: no row lists this", stops=stops)


def _ebook(
    name: str, state: OfferState, says: str, *, sells: bool = False, takes_preorders: bool = False, stops: bool = False
) -> Row:
    return Row(
        name=name,
        state=state,
        rules=(_rule(f"9.{name}", says),),
        sells=sells,
        takes_preorders=takes_preorders,
        stops=stops,
    )


def _flag(value: bool) -> str:
    return "Y" if value else "N"


def _rule(name: str, says: str) -> RuleApplied:
    return RuleApplied(id=f"cb.{name}", says=says)
