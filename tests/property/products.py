"""Generated products: facts of every kind, in few values, so that two of them often share some."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SalesRights,
    SupplyDetail,
    Tax,
)
from syncengine.domain.territory import Territory
from tests.values import field_names, replace

_CODES = st.sampled_from(["01", "02", "11"])
_OPTIONAL = st.none() | _CODES
_AMOUNTS = st.none() | st.sampled_from([Decimal(0), Decimal("9.99"), Decimal("9.990"), Decimal(10)])


def _few(values: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(values, max_size=2).map(tuple)


_LONG = ("AT", "BE", "CA", "CH", "DE", "FR")
_COUNTRIES = st.sampled_from([(), ("CA",), ("CA", "US"), _LONG, (*_LONG, "GB"), (*_LONG, "US")])
"""Few enough to be shown, and too many."""

_TERRITORIES = st.builds(
    Territory,
    countries_included=_COUNTRIES,
    regions_included=st.sampled_from([(), ("WORLD",)]),
    countries_excluded=_COUNTRIES,
)
_DATES = _few(
    st.builds(
        DatedRole, role=_CODES, date=st.sampled_from([OnixDate(text="20260101", format="00"), OnixDate(text="2027")])
    )
)
_TAXES = st.builds(
    Tax, type=_OPTIONAL, rate_code=_OPTIONAL, rate_percent=_AMOUNTS, taxable_amount=_AMOUNTS, tax_amount=_AMOUNTS
)
_PRICES = st.builds(
    Price,
    type=_OPTIONAL,
    qualifier=_OPTIONAL,
    status=_OPTIONAL,
    amount=_AMOUNTS,
    currency=st.sampled_from([None, "CAD", "EUR"]),
    territory=st.none() | _TERRITORIES,
    taxes=_few(_TAXES),
    dates=_DATES,
    unpriced=_OPTIONAL,
    identifiers=_few(_CODES),
    protections=_few(_CODES),
    conditions=st.booleans(),
)
_DETAILS = st.builds(
    SupplyDetail,
    supplier_role=_OPTIONAL,
    supplier_name=_OPTIONAL,
    supplier_identifiers=_few(_CODES),
    availability=_OPTIONAL,
    dates=_DATES,
    unpriced=_OPTIONAL,
    prices=_few(_PRICES),
)
_SUPPLIES = st.builds(
    ProductSupply,
    market_reference=_OPTIONAL,
    markets=_few(_TERRITORIES),
    market_restrictions=_few(_CODES),
    market_outlets=_few(_CODES),
    market_status=_OPTIONAL,
    market_dates=_DATES,
    details=_few(_DETAILS),
)
PRODUCTS = st.builds(
    Product,
    reference=st.just(RecordReference("r1")),
    notification_type=_CODES,
    identifiers=_few(st.builds(ProductIdentifier, type=_CODES, value=_CODES, type_name=_OPTIONAL)),
    composition=st.sampled_from([None, "10"]),
    form=_OPTIONAL,
    form_details=_few(_CODES),
    form_features=_few(st.tuples(_CODES, _CODES)),
    protections=_few(_CODES),
    title=_OPTIONAL,
    publisher=_OPTIONAL,
    publishing_status=_OPTIONAL,
    publishing_dates=_DATES,
    sales_rights=_few(st.builds(SalesRights, type=_CODES, territory=_TERRITORIES, restrictions=_few(_CODES))),
    rest_of_world_rights=_OPTIONAL,
    sales_restrictions=_few(_CODES),
    supplies=_few(_SUPPLIES),
)


def turned(value: Any) -> Any:
    """The same value with every sequence the other way round."""
    if names := field_names(value):
        return replace(value, **{name: turned(getattr(value, name)) for name in names})
    if isinstance(value, tuple) and value and field_names(value[0]):
        return tuple(turned(each) for each in reversed(value))
    return value


def changed_somewhere(value: Any, data: st.DataObject) -> Any:
    """The same value but for one field, somewhere inside."""
    names = [name for name in field_names(value) if name != "reference"]
    name = data.draw(st.sampled_from(names))
    inner = getattr(value, name)
    if isinstance(inner, tuple) and inner and field_names(inner[0]) and data.draw(st.booleans()):
        return replace(value, **{name: (changed_somewhere(inner[0], data), *inner[1:])})
    return replace(value, **{name: getattr(data.draw(_ANY[type(value)]), name)})


_ANY = {
    Product: PRODUCTS,
    ProductSupply: _SUPPLIES,
    SupplyDetail: _DETAILS,
    Price: _PRICES,
    Tax: _TAXES,
    SalesRights: st.builds(SalesRights, type=_CODES, territory=_TERRITORIES, restrictions=_few(_CODES)),
    Territory: _TERRITORIES,
    ProductIdentifier: st.builds(ProductIdentifier, type=_CODES, value=_CODES, type_name=_OPTIONAL),
    DatedRole: st.builds(DatedRole, role=_CODES, date=st.just(OnixDate(text="20280101"))),
}


def settled(value: Any) -> Any:
    """The same value with repeats in one order and numbers in one spelling: equal for products that say the same."""
    if names := field_names(value):
        return replace(value, **{name: settled(getattr(value, name)) for name in names})
    if isinstance(value, tuple):
        # A tuple in a tuple is a pair, whose parts have their places.
        return tuple(sorted((each if isinstance(each, tuple) else settled(each) for each in value), key=repr))
    return value.normalize() if isinstance(value, Decimal) else value
