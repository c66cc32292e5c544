"""A product record as facts for decisions: what one frame says, without its presentation."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from syncengine.domain.codes import ProductIdType
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import Isbn, RecordReference, normalise_isbn
from syncengine.domain.territory import Territory


class _Facts(Struct, frozen=True, kw_only=True, gc=False):
    """Values of facts: feeds bring dozens with each record, so they are made, compared and encoded at the speed of C."""


class ProductIdentifier(_Facts, frozen=True, kw_only=True, gc=False):
    """`ProductIdentifier`: list 5 type, value, and the type's name where it is proprietary."""

    type: str
    value: str
    type_name: str | None = None


class DatedRole(_Facts, frozen=True, kw_only=True, gc=False):
    """A `PublishingDate`, `MarketDate`, `SupplyDate` or `PriceDate`: its role (lists 163, 166, 173) and its date."""

    role: str
    date: OnixDate


class SalesRights(_Facts, frozen=True, kw_only=True, gc=False):
    """`SalesRights`: list 46 type, territory, and the restrictions (list 71) that 3.1 puts inside."""

    type: str
    territory: Territory
    restrictions: tuple[str, ...] = ()


class Tax(_Facts, frozen=True, kw_only=True, gc=False):
    """`Tax`: list 171 type, list 62 rate code, percent, and the amounts where they are given."""

    type: str | None = None
    rate_code: str | None = None
    rate_percent: Decimal | None = None
    taxable_amount: Decimal | None = None
    tax_amount: Decimal | None = None


class Price(_Facts, frozen=True, kw_only=True, gc=False):
    """`Price`, with the message's defaults applied; exactly one of `amount` and `unpriced` is normally given.

    `conditions` is true where the price hangs on terms that a plain sale does not meet: PriceCondition, PriceConstraint,
    MinimumOrderQuantity over 1, BatchBonus, PricePer of a part, EpubLicense, rental.
    """

    type: str | None = None
    qualifier: str | None = None
    status: str | None = None
    amount: Decimal | None = None
    currency: str | None = None
    territory: Territory | None = None
    taxes: tuple[Tax, ...] = ()
    dates: tuple[DatedRole, ...] = ()
    unpriced: str | None = None
    identifiers: tuple[str, ...] = ()
    protections: tuple[str, ...] = ()
    conditions: bool = False


class SupplyDetail(_Facts, frozen=True, kw_only=True, gc=False):
    """`SupplyDetail`: supplier, list 65 availability, dates, and prices or the reason (list 57) why there are none."""

    supplier_role: str | None = None
    supplier_name: str | None = None
    supplier_identifiers: tuple[str, ...] = ()
    availability: str | None = None
    dates: tuple[DatedRole, ...] = ()
    unpriced: str | None = None
    prices: tuple[Price, ...] = ()


class ProductSupply(_Facts, frozen=True, kw_only=True, gc=False):
    """`ProductSupply`: the markets it is for (none = the area of the sales rights), their status and dates, and the supplies.

    `market_outlets` are the identifiers and names of the shops (`SalesOutlet`) that the restrictions name.
    """

    market_reference: str | None = None
    markets: tuple[Territory, ...] = ()
    market_restrictions: tuple[str, ...] = ()
    market_outlets: tuple[str, ...] = ()
    market_status: str | None = None
    market_dates: tuple[DatedRole, ...] = ()
    details: tuple[SupplyDetail, ...] = ()


class Product(_Facts, frozen=True, kw_only=True, gc=False):
    """One `Product`. Codes are kept as the feed wrote them, stripped of stray blanks; unknown ones too.

    `row` is what a record of a stream of rows says, and all that it says besides its reference and its ISBN: the texts of its
    elements without children in their order, each with its path of local names below the record (`RetailPrice/Amount`).
    """

    reference: RecordReference
    notification_type: str
    identifiers: tuple[ProductIdentifier, ...] = ()
    composition: str | None = None
    form: str | None = None
    form_details: tuple[str, ...] = ()
    form_features: tuple[tuple[str, str], ...] = ()
    protections: tuple[str, ...] = ()
    title: str | None = None
    publisher: str | None = None
    publishing_status: str | None = None
    publishing_dates: tuple[DatedRole, ...] = ()
    sales_rights: tuple[SalesRights, ...] = ()
    rest_of_world_rights: str | None = None
    sales_restrictions: tuple[str, ...] = ()
    supplies: tuple[ProductSupply, ...] = ()
    row: tuple[tuple[str, str], ...] = ()

    @property
    def isbn(self) -> Isbn | None:
        """The ISBN-13, else the GTIN-13, else the ISBN-10 as 13 digits; none where the record has none of them."""
        for wanted in (ProductIdType.ISBN_13, ProductIdType.GTIN_13, ProductIdType.ISBN_10):
            for identifier in self.identifiers:
                if identifier.type == wanted:
                    return normalise_isbn(identifier.value)
        return None
