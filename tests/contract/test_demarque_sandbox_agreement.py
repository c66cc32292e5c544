"""The De Marque stub's feed says what the stub does: read by the engine's own parser and rules, every row agrees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from adapters.distributors.demarque.rules import DeMarqueRules
from adapters.sandbox.catalogue import TitleRow
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.money import with_tax
from syncengine.domain.offer import Offer, OfferState, TaxBasis
from syncengine.domain.product import Product
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from tests.contract.demarque_sandbox import Shop, opened_shop

MARKETS = tuple(Market.parse(market) for market in ("CA/CAD", "US/USD", "FR/EUR", "CA/USD"))
RULES = DeMarqueRules(markets=MARKETS, zone=ZoneInfo("America/Toronto"))
TITLES = 250
DAYS = (0.0, 1.0, 9.99, 10.5, 14.2, 21.9, 25.3, 45.0, 61.0, 130.0)
_WAITING = {OfferState.PREORDER, OfferState.ANNOUNCED, OfferState.NOT_YET}

Known = Mapping[tuple[Isbn, Format], Sequence[Product]]


async def read_feed(shop: Shop, parsed: dict[bytes, Product] | None = None) -> Known:
    """Every record of a full crawl, as the engine takes it; `parsed` remembers those read before."""
    parsed = {} if parsed is None else parsed
    known: dict[tuple[Isbn, Format], list[Product]] = defaultdict(list)
    async for page in shop.crawl("full"):
        framer = Framer(seed=1, index=FrameIndex())
        frames = [*framer.feed(page.body).frames, *framer.close().frames]
        assert framer.complete
        assert ([], []) == (framer.defects, framer.warnings)
        for frame in frames:
            assert framer.context is not None
            if frame.body not in parsed:
                record = parse(frame.body, framer.context)
                assert () == record.warnings
                parsed[frame.body] = record.product
            product = parsed[frame.body]
            if key := RULES.identify(product):
                known[key].append(product)
    return known


def differences(rows: Sequence[TitleRow], known: Known, at: datetime) -> Iterator[str]:
    for row in rows:
        records = tuple(p for p in known.get((Isbn(row.isbn), Format(row.format)), ()) if p.notification_type != "05")
        key = TitleKey(source=SourceName("enq"), isbn=Isbn(row.isbn), format=Format(row.format))
        title = Title(key=key, records=records, was_removed=not records)
        offer = RULES.offer(title, Market.parse(row.market), at)
        if offer.state != row.state:
            yield f"{row}: the feed says {offer.state}"
        if row.state in {OfferState.FOR_SALE, *_WAITING} and consumer_price(offer) != row.price:
            yield f"{row}: the feed says {offer.price}"
        if row.state in _WAITING and (offer.starts_at is None or offer.starts_at.isoformat() != _short(row.release_at)):
            yield f"{row}: the feed says {offer.starts_at}"


def consumer_price(offer: Offer) -> str | None:
    if offer.price is None:
        return None
    amount, percent = offer.price.amount, offer.price.tax_percent
    gross = amount if offer.price.tax is TaxBasis.INCLUDED else with_tax(amount, percent or Decimal(0))
    return f"{gross:.2f}"


def _short(instant: str | None) -> str | None:
    return None if instant is None else instant.replace(".000000", "")


async def read_rows(shop: Shop) -> list[TitleRow]:
    return list(shop.stub.titles(shop.clock.now()))


@pytest.mark.parametrize("seed", [1, 2])
async def test_at_every_instant_a_fresh_feed_agrees_with_every_row(tmp_path: Path, seed: int) -> None:
    async with opened_shop(tmp_path, titles=TITLES, seed=seed) as shop:
        began_at = shop.clock.now()
        parsed: dict[bytes, Product] = {}
        states: Counter[str] = Counter()
        for days in DAYS:
            shop.clock.advance_to(began_at + timedelta(days=days))
            rows = await read_rows(shop)
            assert [] == list(differences(rows, await read_feed(shop, parsed), shop.clock.now()))
            states.update(row.state for row in rows)
        assert set(OfferState) - {OfferState.UNKNOWN} == set(states)


async def test_edits_of_every_kind_are_told_by_the_feed(tmp_path: Path) -> None:
    soon = {"release_at": {"in_seconds": 90}}
    async with opened_shop(tmp_path) as shop:
        isbns = iter([row["isbn"] for row in await shop.edit({"where": "FOR_SALE", "count": 14})][::3])
        await shop.edit(
            {"isbn": next(isbns), **soon, "state": "PREORDER"},
            {"isbn": next(isbns), **soon, "state": "PREORDER", "convention": "old"},
            {"isbn": next(isbns), **soon, "state": "ANNOUNCED"},
            {"isbn": next(isbns), **soon, "state": "ANNOUNCED", "convention": "old"},
            {"isbn": next(isbns), **soon, "state": "NOT_YET", "convention": "old"},
            {"isbn": next(isbns), **soon, "market": "FR/EUR"},
            {"isbn": next(isbns), "state": "UNAVAILABLE"},
            {"isbn": next(isbns), "state": "UNAVAILABLE", "market": "US/USD"},
            {"isbn": next(isbns), "state": "UNAVAILABLE", "convention": "old"},
            {"isbn": next(isbns), "state": "WITHDRAWN"},
            {"isbn": next(isbns), "state": "WITHDRAWN", "market": "US/USD", "convention": "old"},
            {"isbn": next(isbns), "state": "REMOVED"},
            {"isbn": next(isbns), "market": "CA/USD", "price": "8.25"},
            {"isbn": next(isbns), "price": "3.75", "price_from": {"in_seconds": 30}},
        )
        for seconds in (0, 30, 59, 1, 60):
            shop.clock.advance(seconds)
            assert [] == list(differences(await read_rows(shop), await read_feed(shop), shop.clock.now()))


async def test_an_old_record_in_hand_is_not_sold_past_its_release_until_the_delta_brings_the_next(
    tmp_path: Path,
) -> None:
    """Contract 9.1: what the engine holds is UNAVAILABLE, though the stub would sell."""
    async with opened_shop(tmp_path) as shop:
        isbn = shop.isbn("old_preorder")
        in_hand = await read_feed(shop)
        shop.clock.advance_to(datetime.fromisoformat(shop.row(isbn)["release_at"]))
        rows = [row for row in await read_rows(shop) if row.isbn == isbn]
        assert {OfferState.FOR_SALE} == {row.state for row in rows}
        stale = list(differences(rows, in_hand, shop.clock.now()))
        assert stale
        assert all("UNAVAILABLE" in line or "None" in line for line in stale)
        assert [] == list(differences(rows, await read_feed(shop), shop.clock.now()))


async def test_the_comparison_notices_a_feed_that_lies(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        feed = await read_feed(shop)
        await shop.edit(
            {"isbn": shop.isbn("on_sale"), "price": "1.11"}, {"isbn": shop.isbn("free"), "state": "WITHDRAWN"}
        )
        assert 6 == len(list(differences(await read_rows(shop), feed, shop.clock.now())))
