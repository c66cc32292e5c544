"""Small Bokbasen records and rows for tests: each builder gives something ordinary, and a test states only what matters to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.distributors.bokbasen.rules import NORWAY, BokbasenRules
from adapters.distributors.bokbasen.tables import Choices
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import Format, Isbn, RecordReference, SourceName, TitleKey
from syncengine.domain.offer import Offer, OfferPrice
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
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered, Title
from tests.values import replace

OSLO = ZoneInfo("Europe/Oslo")
ISBN = "9788202416164"
KEY = TitleKey(source=SourceName("dds"), isbn=Isbn(ISBN), format=Format("epub"))
IN_NORWAY = Territory(countries_included=("NO",))
RESID = "2f9b7a52-6c0e-4b55-9a53-0d6f1b0c9a11"

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
PAST, TODAY, FUTURE = "20260101", "20260615", "20260901"
FUTURE_START = datetime(2026, 8, 31, 22, 0, tzinfo=UTC)
"""Midnight of 1 September in Norway."""


def dated(role: str, text: str, form: str | None = "00") -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text, format=form))


def price(
    amount: str | None = "199.00", currency: str = "NOK", *, kind: str = "02", until: str | None = None, **facts: Any
) -> Price:
    return Price(
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        type=kind,
        dates=() if until is None else (dated("15", until),),
        taxes=(Tax(rate_code="Z", rate_percent=Decimal(0)),),
        **{"qualifier": "05", **facts},
    )


def supply(
    *prices: Price,
    pa: str | None = "21",
    mps: str | None = "04",
    expected: str | None = None,
    supplier: str = "DDS",
    **facts: Any,
) -> ProductSupply:
    detail = SupplyDetail(supplier_role="00", supplier_name=supplier, availability=pa, prices=prices or (price(),))
    ordinary = ProductSupply(
        market_status=mps,
        market_dates=() if expected is None else (dated("01", expected),),
        details=(detail,),
        markets=(IN_NORWAY,),
    )
    return replace(ordinary, **facts)


def unpriced(**facts: Any) -> ProductSupply:
    """A supply that names no price."""
    return supply(Price(unpriced="02"), **facts)


def record(
    *supplies: ProductSupply,
    first: str | None = PAST,
    embargo: str | None = None,
    year: str | None = "2026",
    **facts: Any,
) -> Product:
    """An ONIX record with PublishingDate 11 (`first`), 02 (`embargo`) and 01 (`year`)."""
    given = [
        *([dated("01", year, "05")] if year else []),
        *(dated(role, text) for role, text in (("11", first), ("02", embargo)) if text),
    ]
    ordinary = Product(
        reference=RecordReference("no.bokbasen.1"),
        notification_type="03",
        identifiers=(ProductIdentifier(type="15", value=ISBN),),
        form="ED",
        form_details=("E101",),
        protections=("02",),
        publishing_dates=tuple(given),
        sales_rights=(SalesRights(type="01", territory=IN_NORWAY),),
        supplies=supplies or (supply(),),
    )
    return replace(ordinary, **facts)


def forthcoming(
    *prices: Price, expected: str | None = FUTURE, pa: str | None = "10", mps: str | None = "02", **facts: Any
) -> Product:
    """A yellow record, expected on a day."""
    return record(supply(*prices, pa=pa, mps=mps, expected=expected), **{"first": None, **facts})


def row(**facts: str) -> Product:
    """A row of the inventory: published, with access."""
    said = {
        "id": f"urn:uuid:{RESID}",
        "updated": "2026-06-01T10:00:00.000Z",
        "isbn": ISBN,
        "publisher": "100007",
        "format": "EPUB",
        "drm": "SDRM",
        "version": "1",
        "deleted": "",
        "published": "true",
        "access": "true",
        "excerpt": "false",
        **facts,
    }
    return Product(
        reference=RecordReference(f"inventory:{ISBN}"),
        notification_type="03",
        identifiers=(ProductIdentifier(type="15", value=ISBN),),
        row=tuple(said.items()),
    )


def title(*records: Product, once_deliverable: bool = False, was_removed: bool = False) -> Title:
    withdrawn = {"NOK": frozenset({"NO"})} if once_deliverable else {}
    return Title(key=KEY, records=records, remembered=Remembered(withdrawn=withdrawn), was_removed=was_removed)


def rules(*, preorders_without_right: bool = False, access_is_early: bool = True, **settings: Any) -> BokbasenRules:
    choices = Choices(preorders_without_right=preorders_without_right, access_is_early=access_is_early)
    return BokbasenRules(markets=(NORWAY,), zone=OSLO, choices=choices, **settings)


def offered(
    *of: Product | Title, market: Market = NORWAY, at: datetime = NOW, by: BokbasenRules | None = None
) -> Offer:
    """The offer of records or a title, by ordinary rules where none are given."""
    (first, *_) = of
    whole = first if isinstance(first, Title) else title(*(one for one in of if isinstance(one, Product)))
    return (by or rules()).offer(whole, market, at)


def charged(offer: Offer) -> OfferPrice:
    """The price of an offer that must have one."""
    assert offer.price is not None, offer.rules
    return offer.price


def decided_by(offer: Offer) -> str:
    """The id of the rule that decided."""
    return offer.rules[-1].id


def alerts(offer: Offer) -> list[str]:
    """The ids of the rules that want a person's eye."""
    return [rule.id for rule in offer.rules if rule.says.startswith("alert")]
