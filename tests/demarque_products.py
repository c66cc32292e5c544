"""Small De Marque records for tests: each builder gives something ordinary, and a test states only what matters to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal
from zoneinfo import ZoneInfo

from adapters.distributors.demarque.rules import DeMarqueRules
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
)
from syncengine.domain.territory import Market, Territory
from syncengine.domain.title import Remembered, Title
from tests.values import replace

TORONTO = ZoneInfo("America/Toronto")
CA_CAD = Market(country="CA", currency="CAD")
CA_USD = Market(country="CA", currency="USD")
US_USD = Market(country="US", currency="USD")
ISBN = "9782764418772"
KEY = TitleKey(source=SourceName("enq"), isbn=Isbn(ISBN), format=Format("epub"))
WORLD = Territory(regions_included=("WORLD",))
CANADA = Territory(countries_included=("CA",))

NOW = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
PAST, FUTURE, LATER = "20260101", "20260901", "20261101"
FUTURE_START = datetime(2026, 9, 1, 4, 0, tzinfo=UTC)
LATER_START = datetime(2026, 11, 1, 4, 0, tzinfo=UTC)


def countries(*codes: str) -> Territory:
    return Territory(countries_included=codes)


def dated(role: str, text: str, form: str | None = None) -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text, format=form))


def price(
    amount: str | None = "14.99",
    currency: str | None = "CAD",
    *,
    kind: str | None = "02",
    since: str | None = None,
    until: str | None = None,
    **facts: Any,
) -> Price:
    dates = [dated(role, text) for role, text in (("14", since), ("15", until)) if text is not None]
    return Price(
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        type=kind,
        dates=(*dates, *facts.pop("dates", ())),
        **{"territory": CANADA, "qualifier": "05", **facts},
    )


def block(
    *prices: Price,
    market: Territory | None = CANADA,
    status: str | None = "04",
    availability: str | None = "20",
    market_date: str | None = None,
    supply_date: tuple[str, str] | None = None,
    unpriced: str | None = None,
    **facts: Any,
) -> ProductSupply:
    return ProductSupply(
        markets=() if market is None else (market,),
        market_status=status,
        market_dates=() if market_date is None else (dated("01", market_date),),
        details=(
            SupplyDetail(
                availability=availability,
                dates=() if supply_date is None else (dated(*supply_date),),
                unpriced=unpriced,
                prices=prices,
            ),
        ),
        **facts,
    )


def record(
    *blocks: ProductSupply,
    status: str | None = "04",
    rights: Territory | None = CANADA,
    sale: str | None = None,
    preorder: str | None = None,
    **facts: Any,
) -> Product:
    """A record with sales rights (none = not for sale anywhere), PublishingDate 02 (`sale`) and 09 (`preorder`)."""
    given = [dated(role, text) for role, text in (("02", sale), ("09", preorder)) if text is not None]
    sold = SalesRights(type="01", territory=rights) if rights else SalesRights(type="03", territory=WORLD)
    ordinary = Product(
        reference=RecordReference("ENQC1-epub"),
        notification_type="03",
        identifiers=(ProductIdentifier(type="15", value=ISBN),),
        form="EA",
        form_details=("E101",),
        protections=("02",),
        publishing_status=status,
        publishing_dates=tuple(given),
        sales_rights=(sold,),
        supplies=blocks or (block(price()),),
    )
    return replace(ordinary, **facts)


def title(*records: Product, remembered: Remembered | None = None, was_removed: bool = False) -> Title:
    return Title(key=KEY, records=records, remembered=remembered or Remembered(), was_removed=was_removed)


def rules(
    *,
    zone: ZoneInfo = TORONTO,
    convention: Literal["auto", "new", "old"] = "auto",
    markets: tuple[Market, ...] = (CA_CAD, CA_USD, US_USD),
    **settings: Any,
) -> DeMarqueRules:
    return DeMarqueRules(markets=markets, zone=zone, convention=convention, **settings)


def offered(
    of: Product | Title,
    market: Market = CA_CAD,
    at: datetime = NOW,
    *,
    by: DeMarqueRules | None = None,
) -> Offer:
    """The offer of a record or a title, by ordinary rules where none are given."""
    return (by or rules()).offer(of if isinstance(of, Title) else title(of), market, at)


def charged(offer: Offer) -> OfferPrice:
    """The price of an offer that must have one."""
    assert offer.price is not None, offer.rules
    return offer.price


def rule_ids(offer: Offer) -> list[str]:
    return [rule.id for rule in offer.rules]
