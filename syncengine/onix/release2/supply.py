"""`ProductSupply` and `SupplyDetail`: who supplies where, whether there is any, and at which prices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from syncengine.domain.codes import PriceDateRole, SupplyDateRole
from syncengine.onix.element import Element, bare_code
from syncengine.onix.release2 import codes as tables
from syncengine.onix.release2.building import chosen, code, codes, composite, dated, leaf, territory
from syncengine.onix.release2.identifiers import supplier_identifiers
from syncengine.onix.release2.markets import concerns, representations, represented_alone, restriction, supplies_in

_LAST_RETURNS: Final = "18"
_UNSPECIFIED: Final = "00"
_RESTRICTIONS: Final = {"X": "08", "R": _UNSPECIFIED}
"""List 56 to 71."""

_BIC_GROUP: Final = "01"
_CONTACT: Final = "TelephoneNumber FaxNumber EmailAddress"


def product_supplies(product: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    """`ProductSupply` for each market, with every supply in it."""
    details = product.all("SupplyDetail")
    represented = representations(product)
    groups: dict[Element | None, list[Element]] = {}
    for detail in details:
        groups.setdefault(_market(detail, details), []).append(_supply_detail(detail, defaults))
    for market, supplies in groups.items():
        yield from supplies_in(market, supplies, represented)
    for found in represented:
        if not any(concerns(found, market) for market in groups):
            yield represented_alone(found)


def _market(detail: Element, details: Sequence[Element]) -> Element | None:
    elsewhere = {
        country for other in details if other is not detail for country in codes(other, "SupplyToCountry").split()
    }
    area = territory(
        codes(detail, "SupplyToCountry"),
        codes(detail, "SupplyToCountryExcluded"),
        regions=codes(detail, "SupplyToTerritory", "SupplyToRegion"),
        named_elsewhere=elsewhere,
    )
    parts = [*filter(None, [area]), *_restrictions(detail)]
    return composite("Market", parts) if parts else None


def _restrictions(detail: Element) -> Iterator[Element]:
    """To whom the supplier does not sell: words that nobody can decide by, and a flag for minors."""
    if words := detail.all("SupplyRestrictionDetail"):
        yield restriction(_UNSPECIFIED, words)
    if flag := code(detail, "AudienceRestrictionFlag"):
        yield restriction(_RESTRICTIONS.get(flag, _UNSPECIFIED), detail.all("AudienceRestrictionNote"))


def _supply_detail(detail: Element, defaults: Mapping[str, str]) -> Element:
    return detail._replace(
        children=(
            _supplier(detail),
            *_returns(detail),
            *_availability(detail),
            *_dates(detail),
            *chosen(detail, "OrderTime"),
            *_new_supplier(detail),
            *chosen(detail, "Stock PackQuantity UnpricedItemType"),
            *_prices(detail, defaults),
        )
    )


def _supplier(detail: Element) -> Element:
    roles = list(chosen(detail, "SupplierRole")) or [leaf("SupplierRole", _UNSPECIFIED)]
    contact = chosen(detail, f"SupplierName {_CONTACT} Website")
    return composite("Supplier", [*roles, *supplier_identifiers(detail), *contact])


def _new_supplier(detail: Element) -> Iterator[Element]:
    for found in detail.all("NewSupplier"):
        contact = chosen(found, f"SupplierName {_CONTACT}")
        yield composite("NewSupplier", [*supplier_identifiers(found), *contact])


def _returns(detail: Element) -> Iterator[Element]:
    if detail.child("ReturnsCode") is not None:
        yield composite("ReturnsConditions", chosen(detail, "ReturnsCodeType ReturnsCode"))


def _availability(detail: Element) -> Iterator[Element]:
    """`ProductAvailability`, else what the older list has; of that, digits would be taken for codes of the newer one."""
    if code(detail, "ProductAvailability"):
        yield from chosen(detail, "ProductAvailability")
    elif (written := code(detail, "AvailabilityCode")) and not written.isdecimal():
        yield leaf("ProductAvailability", tables.AVAILABILITIES.get(written, written))


def _dates(detail: Element) -> Iterator[Element]:
    """`SupplyDate`; an on-sale date is an embargo by its definition."""
    yield from dated("SupplyDate", SupplyDateRole.SALES_EMBARGO, detail.child("OnSaleDate"))
    if code(detail, "AvailabilityCode") != tables.REMAINDERED_LATER:
        expected = detail.child("ExpectedShipDate")
        role = SupplyDateRole.EXPECTED_AVAILABILITY
        yield from dated("SupplyDate", role, expected, code(detail, "DateFormat"))
    yield from dated("SupplyDate", _LAST_RETURNS, detail.child("LastDateForReturns"))


# --- prices ---------------------------------------------------------------------------------------------------------------


def _prices(detail: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    """`Price`, the one that stands in the supply by itself too: its type and currency are the header's."""
    prices = detail.all("Price")
    for amount in detail.all("PriceAmount"):
        yield composite("Price", _price(composite("Price", [amount]), (), defaults))
    for price in prices:
        others = [other for other in prices if other is not price]
        yield price._replace(children=tuple(_price(price, others, defaults)))


def _price(price: Element, others: Sequence[Element], defaults: Mapping[str, str]) -> Iterator[Element]:
    yield from chosen(price, "PriceTypeCode=PriceType PriceQualifier PriceTypeDescription PricePer")
    yield from _class_of_trade(price, defaults)
    yield from chosen(price, "MinimumOrderQuantity BatchBonus")
    yield from _discounts(price)
    yield from chosen(price, "PriceStatus PriceAmount")
    for number in "12":
        yield from _tax(price, number)
    yield from chosen(price, "CurrencyCode")
    area = territory(
        codes(price, "CountryCode"),
        codes(price, "CountryExcluded"),
        regions=codes(price, "Territory"),
        no_regions=codes(price, "TerritoryExcluded"),
        named_elsewhere={country for other in others for country in codes(other, "CountryCode").split()},
    )
    yield from filter(None, [area])
    yield from dated("PriceDate", PriceDateRole.FROM, price.child("PriceEffectiveFrom"))
    yield from dated("PriceDate", PriceDateRole.UNTIL, price.child("PriceEffectiveUntil"))


def _class_of_trade(price: Element, defaults: Mapping[str, str]) -> Iterator[Element]:
    """A price for one kind of buyer only is a condition; ONIX 3 has no code for it, so its own word stands there."""
    named = code(price, "ClassOfTrade") or bare_code(defaults.get("DefaultClassOfTrade", ""))
    if named and " ".join(named.casefold().split()) not in tables.RETAIL_CLASSES:
        yield composite("PriceCondition", [leaf("PriceConditionType", named)])


def _discounts(price: Element) -> Iterator[Element]:
    if group := code(price, "BICDiscountGroupCode"):
        yield composite("DiscountCoded", [leaf("DiscountCodeType", _BIC_GROUP), leaf("DiscountCode", group)])
    yield from chosen(price, "DiscountCoded")
    for percent in price.all("DiscountPercent"):
        yield composite("Discount", [percent])


def _tax(price: Element, number: str) -> Iterator[Element]:
    names = ("TaxRateCode", "TaxRatePercent", "TaxableAmount", "TaxAmount")
    if parts := list(chosen(price, " ".join(f"{name}{number}={name}" for name in names))):
        yield composite("Tax", parts)
