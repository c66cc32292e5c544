"""Titles as a shop's page needs them: what is known of an ISBN now, its description, and its offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.offer import Offer
from syncengine.domain.product import DatedRole, Price, Product, ProductSupply, SalesRights, SupplyDetail
from syncengine.domain.territory import Territory
from syncengine.errors import RecordInvalid
from syncengine.ports import Distributor, KnownRecord, Transaction
from syncengine.service.documents import Document, offer_document

if TYPE_CHECKING:
    from syncengine.onix.wording import NameOf


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownTitle:
    """A title with its live records and with its offers in the markets of its source."""

    key: TitleKey
    records: tuple[KnownRecord, ...]
    offers: tuple[Offer, ...]


async def known_titles(
    tx: Transaction,
    distributors: Mapping[SourceName, Distributor],
    isbn: Isbn,
    source: SourceName | None,
    at: datetime,
) -> list[KnownTitle]:
    """Every title of the ISBN, of one source or of all, that has a live record; sources without settings have no offers."""
    found = []
    for key in sorted(await tx.titles.find(isbn)):
        if source in {None, key.source}:
            of_isbn = replace(key, format=Format(""))
            named = await tx.records.references(key.source, [key, of_isbn])
            references = [*named.get(key, ()), *named.get(of_isbn, ())]
            records = await tx.records.known(key.source, references)
            offers = await _offers(tx, distributors.get(key.source), key, at)
            live = tuple(records[reference] for reference in references if reference in records)
            found.append(KnownTitle(key=key, records=live, offers=offers))
    return [title for title in found if any(record.key == title.key for record in title.records)]


async def _offers(tx: Transaction, distributor: Distributor | None, key: TitleKey, at: datetime) -> tuple[Offer, ...]:
    if distributor is None:
        return ()
    rules, titles = distributor.rules, await tx.titles.read(key)
    return tuple(rules.offer(title, market, at) for title in titles for market in rules.markets)


def title_documents(titles: Iterable[KnownTitle], name_of: NameOf) -> list[Document]:
    """One document for each live record, with stable keys; `name_of` names codes, by the number of their list."""
    return [_document(title, record, name_of) for title in titles for record in title.records]


def _document(title: KnownTitle, record: KnownRecord, name_of: NameOf) -> Document:
    return {
        "isbn": title.key.isbn,
        "format": title.key.format,
        "source": title.key.source,
        "record_reference": record.reference,
        "release": record.context.release or None,
        "status": record.status.value,
        "facts": _Facts(name_of).document(record.product),
        "description": _description(record, name_of),
        "offers": [offer_document(offer) for offer in title.offers],
    }


def _description(record: KnownRecord, name_of: NameOf) -> Document | None:
    """None for a record that holds no ONIX product: a source may tell of prices or stock alone."""
    if record.context.rows is not None:
        return None
    from syncengine.onix.describe import describe, description_document
    from syncengine.onix.dialect import read_product

    context = record.context
    try:
        product, _ = read_product(context.opening, record.body, context.closing)
    except RecordInvalid:
        return None
    return description_document(describe(product, default_language=context.header.default_language, name_of=name_of))


class _Facts:
    """What decides about selling a product, in short and with the names of codes."""

    def __init__(self, name_of: NameOf) -> None:
        self._name_of = name_of

    def document(self, product: Product) -> Document:
        return {
            "notification_type": self._coded(1, product.notification_type),
            "publishing_status": self._coded(64, product.publishing_status),
            "dates": self._dates(163, product.publishing_dates),
            "sales_rights": [self._rights(rights) for rights in product.sales_rights],
            "rest_of_world_rights": self._coded(46, product.rest_of_world_rights),
            "sales_restrictions": self._all_coded(71, product.sales_restrictions),
            "supplies": [self._supply(supply) for supply in product.supplies],
            "row": [{"path": path, "text": text} for path, text in product.row],
        }

    def _rights(self, rights: SalesRights) -> Document:
        return {
            "type": self._coded(46, rights.type),
            "territory": _territory(rights.territory),
            "restrictions": self._all_coded(71, rights.restrictions),
        }

    def _supply(self, supply: ProductSupply) -> Document:
        return {
            "markets": [_territory(market) for market in supply.markets],
            "market_restrictions": self._all_coded(71, supply.market_restrictions),
            "market_outlets": list(supply.market_outlets),
            "market_status": self._coded(68, supply.market_status),
            "market_dates": self._dates(163, supply.market_dates),
            "details": [self._detail(detail) for detail in supply.details],
        }

    def _detail(self, detail: SupplyDetail) -> Document:
        return {
            "supplier": detail.supplier_name,
            "availability": self._coded(65, detail.availability),
            "dates": self._dates(166, detail.dates),
            "unpriced": self._coded(57, detail.unpriced),
            "prices": [self._price(price) for price in detail.prices],
        }

    def _price(self, price: Price) -> Document:
        return {
            "amount": None if price.amount is None else str(price.amount),
            "currency": price.currency,
            "type": self._coded(58, price.type),
            "qualifier": self._coded(59, price.qualifier),
            "unpriced": self._coded(57, price.unpriced),
            "territory": None if price.territory is None else _territory(price.territory),
            "dates": self._dates(173, price.dates),
            "has_conditions": price.conditions,
        }

    def _dates(self, number: int, dates: Sequence[DatedRole]) -> list[Document]:
        return [
            {"role": self._coded(number, dated.role), "text": dated.date.text, "format": dated.date.format}
            for dated in dates
        ]

    def _all_coded(self, number: int, codes: Iterable[str]) -> list[Document | None]:
        return [self._coded(number, code) for code in codes]

    def _coded(self, number: int, code: str | None) -> Document | None:
        return None if code is None else {"code": code, "name": self._name_of(number, code)}


def _territory(territory: Territory) -> str:
    """Codes as the record has them: `WORLD without CA US`."""
    included = " ".join((*territory.regions_included, *territory.countries_included))
    excluded = " ".join((*territory.regions_excluded, *territory.countries_excluded))
    return f"{included} without {excluded}" if excluded else included
