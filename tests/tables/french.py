"""The price timelines and embargoes of the French sample files: `python -m tests.tables.french` prints them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo

from syncengine.domain.dates import spell
from syncengine.domain.openings import Opening, preorder_opening, publication_start, sale_opening
from syncengine.domain.prices import PriceTimeline, price_timeline
from syncengine.domain.product import Product, ProductSupply, SupplyDetail
from syncengine.domain.territory import Market, covered
from syncengine.onix.parsing import parse
from tests.records import sample

Row = tuple[str, str, str]
"""From, until (UTC; empty where there is no end) and the amount with its type, or why there is no price."""

PARIS = ZoneInfo("Europe/Paris")
"""Where the dates without zone of these senders begin, whatever the market."""

FILES: Mapping[str, str] = {
    "test_prices1": "FR/EUR LU/EUR CA/CAD",
    "test_prices2": "FR/EUR CA/CAD CH/CHF GB/GBP BR/BRL",
    "test_prices3": "FR/EUR CH/CHF GB/GBP",
    "test_prices4": "FR/EUR",
    "test_prices5": "FR/EUR",
    "test_prices6": "FR/EUR BE/EUR CH/CHF CA/CAD",
    "test_prices_unpriced": "FR/EUR ES/EUR",
    "test_prices_with_multiple_periods": "FR/EUR",
    "test_prices_with_only_from_date": "FR/EUR",
    "test_prices_with_only_until_date": "FR/EUR",
    "unqualified-prices": "FR/EUR",
    "shared_promotional": "FR/EUR BL/EUR CH/CHF GB/GBP",
    "price_to_be_announced": "FR/EUR",
    "embargo-date": "FR/EUR",
    "preorder-embargo-date": "FR/EUR",
    "full-sender": "FR/EUR",
    "other-publication-date-format": "FR/EUR",
    "test_YYYY_date_format": "FR/EUR",
    "test_several_protections": "FR/EUR",
    "audio1": "FR/EUR CH/EUR CH/CHF GB/GBP US/USD CA/CAD",
    "streaming": "FR/EUR CH/EUR CH/CHF CA/CAD",
    "illustrations": "FR/EUR",
    "test_outlet": "FR/EUR",
}
"""The files and the markets that are shown of them."""


def rows(name: str, market: str) -> list[Row]:
    """The timeline of a file's last product in a market; of suppliers who say the same one, of those with prices only."""
    product = _product(name)
    found = [_rows(_timeline(product, *supply, Market.parse(market))) for supply in _supplies(product, market)]
    spoken = [table for table in found if any(what != "gap" for *_, what in table)] or found
    (only,) = {tuple(table) for table in spoken}
    return list(only)


def openings(name: str, market: str) -> tuple[str, str, str]:
    """When sale may begin, the same where the publication date is taken for the embargo, and when preorders may."""
    product = _product(name)
    ((block, detail),) = set(_supplies(product, market))
    sale = sale_opening(product, block, detail, PARIS)
    nominal = sale_opening(product, block, detail, PARIS, publication_counts=True)
    return _spell(sale), _spell(nominal), _spell(preorder_opening(product, block, PARIS))


def _product(name: str) -> Product:
    record = sample(f"im_onix/{name}.xml")[-1]
    return parse(record.body, record.context).product


def _supplies(product: Product, market: str) -> Iterator[tuple[ProductSupply, SupplyDetail]]:
    for block in product.supplies:
        if not block.markets or covered(block.markets, Market.parse(market).country):
            for detail in block.details:
                yield block, detail


def _timeline(product: Product, block: ProductSupply, detail: SupplyDetail, market: Market) -> PriceTimeline:
    return price_timeline(
        detail.prices,
        market,
        PARIS,
        protections=product.protections,
        published_at=publication_start(product, block, PARIS),
        unpriced=detail.unpriced,
    )


def _rows(timeline: PriceTimeline) -> list[Row]:
    found = []
    for stretch in timeline.stretches:
        since, until = stretch.period.since, stretch.period.until
        price, none = stretch.tariff.price, stretch.tariff.none
        what = f"{price.amount} ({price.type.value})" if price else none.name.lower() if none else ""
        found.append((spell(since) if since else "", spell(until) if until else "", what))
    return found


def _spell(opening: Opening) -> str:
    return "never" if opening.is_unreadable else spell(opening.at) if opening.at else "at once"


def main() -> None:
    """Print every table."""
    for name, markets in FILES.items():
        for market in markets.split():
            print(f"{name}.xml  {market}")
            for since, until, what in rows(name, market):
                print(f"    {since or 'ever':22} {until or 'ever after':22} {what}")
    print("\nsale from / where the publication date is the embargo / preorders from")
    for name in ("embargo-date", "preorder-embargo-date", "full-sender", "test_YYYY_date_format", "test_prices6"):
        print(f"    {name:24} {'  '.join(openings(name, 'FR/EUR'))}")


if __name__ == "__main__":
    main()
