"""What rows say of a title: CB's agreement about it (contract cb 9), and its place in the inventory (contract cb 5, pre-step B)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from syncengine.domain.product import Product

EAN = "Ean"
ALLOWED = "AllowedToOrder"
WEBSHOP = "Webshop"
AMOUNT = "RetailPrice/Amount"
CURRENCY = "RetailPrice/Currency"
LISTED = "Listed"
CHECKED = "Checked"
AVAILABILITY = "Availability"

_YES = "Y"


class Checked(StrEnum):
    """What the availability check said of a title that the inventory does not list any more."""

    YES = "yes"
    NO = "no"
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """May this shop order it, may it list it, and at which consumer price including VAT; none where no price can be read.

    `states_price` tells that it names one all the same, which no other may stand in for.
    """

    allowed_to_order: bool
    webshop: bool
    amount: Decimal | None
    currency: str
    states_price: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A title in the inventory, or one that has gone from it and was asked about."""

    is_listed: bool
    availability: str
    checked: Checked | None


def agreements(records: Iterable[Product]) -> list[Agreement]:
    """The agreement rows among the records of a title."""
    return [_agreement(row) for row in map(_row, records) if ALLOWED in row or WEBSHOP in row]


def listings(records: Iterable[Product]) -> list[Listing]:
    """The inventory rows among the records of a title."""
    return [_listing(row) for row in map(_row, records) if LISTED in row]


def is_row(product: Product) -> bool:
    """Whether the record is a row and no ONIX product."""
    return bool(product.row)


def onix_records(records: Collection[Product]) -> list[Product]:
    """The ONIX products among the records of a title."""
    return [product for product in records if not is_row(product)]


def _row(product: Product) -> Mapping[str, str]:
    return dict(product.row)


def _agreement(row: Mapping[str, str]) -> Agreement:
    """Whatever is not plainly Y is no permission."""
    return Agreement(
        allowed_to_order=_said(row, ALLOWED).upper() == _YES,
        webshop=_said(row, WEBSHOP).upper() == _YES,
        amount=_amount(_said(row, AMOUNT)),
        currency=_said(row, CURRENCY).upper(),
        states_price=bool(_said(row, AMOUNT)),
    )


def _listing(row: Mapping[str, str]) -> Listing:
    said = _said(row, CHECKED)
    return Listing(
        is_listed=_said(row, LISTED).upper() == _YES,
        availability=_said(row, AVAILABILITY),
        checked=Checked(said) if said in set(Checked) else None,
    )


def _said(row: Mapping[str, str], name: str) -> str:
    return row.get(name, "").strip()


def _amount(text: str) -> Decimal | None:
    """A positive amount; what is free is not sold at zero by accident, and what is no number is no price."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount > 0 else None
