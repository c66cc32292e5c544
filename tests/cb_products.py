"""Small CB records and rows for tests: each builder gives something ordinary, and a test states only what matters to it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from adapters.distributors.cb.routing import Routing, Service
from adapters.distributors.cb.rules import CbRules
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import Format, Isbn, RecordReference, SourceName, TitleKey
from syncengine.domain.offer import Offer
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SupplyDetail,
    Tax,
)
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from tests.values import replace

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NL_EUR = Market(country="NL", currency="EUR")
EAN = "9789000000008"
AUDIO_KEY = TitleKey(source=SourceName("cb"), isbn=Isbn(EAN), format=Format("audio"))
EBOOK_KEY = replace(AUDIO_KEY, format=Format("epub"))
NOW = datetime(2026, 6, 15, 10, 0, tzinfo=UTC)
BOTH = Routing(services=frozenset(Service))


def dated(role: str, text: str, form: str | None = "00") -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text, format=form))


def price(
    amount: str | None = "9.99",
    *,
    kind: str | None = "02",
    currency: str | None = "EUR",
    since: str | None = None,
    until: str | None = None,
    tax: str | None = None,
    **facts: Any,
) -> Price:
    dates = [dated(role, text) for role, text in (("14", since), ("15", until)) if text is not None]
    return Price(
        amount=None if amount is None else Decimal(amount),
        currency=currency,
        type=kind,
        dates=(*dates, *facts.pop("dates", ())),
        taxes=() if tax is None else (Tax(rate_percent=Decimal(tax)),),
        **facts,
    )


def detail(*prices: Price, availability: str | None = "20", supplier: str | None = "CB", **facts: Any) -> SupplyDetail:
    return SupplyDetail(availability=availability, supplier_name=supplier, prices=prices or (price(),), **facts)


def record(
    *details: SupplyDetail, status: str | None = "04", form: str = "AJ", published: str | None = None, **facts: Any
) -> Product:
    """An audiobook; `form` "EA" makes it an e-book."""
    ordinary = Product(
        reference=RecordReference(EAN),
        notification_type="04",
        identifiers=(ProductIdentifier(type="03", value=EAN),),
        form=form,
        form_details=("A103",) if form == "AJ" else ("E101",),
        publishing_status=status,
        publishing_dates=() if published is None else (dated("01", published),),
        supplies=(ProductSupply(details=details),),
    )
    return replace(ordinary, **facts)


def agreed(*, allowed: str = "Y", webshop: str = "Y", amount: str | None = "7.99", currency: str = "EUR") -> Product:
    """A row of the agreement message."""
    pairs = {"Ean": EAN, "RetailPrice/Amount": amount, "RetailPrice/Currency": currency}
    return _row({**pairs, "DiscountPercentage": "30.00", "AllowedToOrder": allowed, "Webshop": webshop})


def listed(flag: str = "Y", *, availability: str = "20", checked: str | None = None) -> Product:
    """A row of the inventory."""
    return _row({"Ean": EAN, "Listed": flag, "Availability": availability, "Checked": checked})


def _row(pairs: dict[str, str | None]) -> Product:
    return Product(
        reference=RecordReference(EAN),
        notification_type="03",
        identifiers=(ProductIdentifier(type="03", value=EAN),),
        row=tuple((name, text) for name, text in pairs.items() if text is not None),
    )


def title(*records: Product, key: TitleKey = AUDIO_KEY, was_removed: bool = False) -> Title:
    return Title(key=key, records=records, was_removed=was_removed)


def rules(*, routing: Routing = BOTH, **settings: Any) -> CbRules:
    return CbRules(markets=(NL_EUR,), zone=AMSTERDAM, routing=routing, **settings)


def offered(
    *records: Product,
    key: TitleKey = AUDIO_KEY,
    at: datetime = NOW,
    by: CbRules | None = None,
    was_removed: bool = False,
) -> Offer:
    """The offer of a title with these records."""
    return (by or rules()).offer(title(*records, key=key, was_removed=was_removed), NL_EUR, at)


def rule_ids(offer: Offer) -> list[str]:
    return [rule.id for rule in offer.rules]
