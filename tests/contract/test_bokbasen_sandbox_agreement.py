"""The Bokbasen stub's feeds say what the stub does: read by the engine's own parser and rules, every row agrees."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.distributors.bokbasen.rules import EVERY_FORMAT, NORWAY, BokbasenRules
from adapters.distributors.bokbasen.sandbox_catalogue import OWN_OUTLET
from adapters.distributors.bokbasen.sandbox_titles import ZONE
from adapters.distributors.bokbasen.source import ROWS
from adapters.sandbox.catalogue import TitleRow
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.offer import OfferState
from syncengine.domain.product import Product
from syncengine.domain.rows import Rows
from syncengine.domain.title import Remembered, Title
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from tests.contract.bokbasen_sandbox import Shop, opened_shop

RULES = BokbasenRules(markets=(NORWAY,), zone=ZONE, outlets=(OWN_OUTLET,))
TITLES = 200
DAYS = (0.0, 0.6, 4.9, 5.1, 11.9, 14.2, 20.5, 29.0)
"""The feeds begin 150 days before the first of them, so that a whole load reaches back far enough to the last."""
_WITH_PRICE = {OfferState.FOR_SALE, OfferState.PREORDER}


@dataclass
class Known:
    """What an engine has of both feeds."""

    records: defaultdict[tuple[Isbn, Format], list[Product]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[Isbn, Product] = field(default_factory=dict)


def products(body: bytes, rows: Rows | None = None) -> Iterator[Product]:
    """The records of a message, as the engine takes them: without a single warning."""
    framer = Framer(seed=1, index=FrameIndex(), rows=rows)
    frames = [*framer.feed(body).frames, *framer.close().frames]
    assert framer.complete
    assert ([], []) == (framer.defects, framer.warnings)
    for frame in frames:
        assert framer.context is not None
        record = parse(frame.body, framer.context)
        assert () == record.warnings
        yield record.product


async def read_feeds(shop: Shop, version: str) -> Known:
    """Every record of a whole load of both feeds."""
    known = Known()
    after = f"{(shop.clock.now() - timedelta(days=179.5)).astimezone(ZONE):%Y%m%d%H%M%S}"
    for product in products((await shop.export(version, after=after)).body):
        if (key := RULES.identify(product)) and product.notification_type != "05":
            known.records[key].append(product)
    for product in products((await shop.inventory(after=after)).body, ROWS):
        key = RULES.identify(product)
        assert key is not None
        assert EVERY_FORMAT == key[1]
        known.rows[key[0]] = product
    return known


def differences(shop: Shop, known: Known, at: datetime) -> Iterator[str]:
    for row in shop.stub.titles(at):
        offer = RULES.offer(title_of(shop, known, row), NORWAY, at)
        if offer.state != row.state:
            yield f"{row}: the feeds say {offer.state}, for {offer.rules[-1]}"
        price = None if offer.price is None else f"{offer.price.amount:.2f}"
        if row.state in _WITH_PRICE and price != row.price:
            yield f"{row}: the feeds say {offer.price}"
        if row.state is OfferState.PREORDER and not (offer.starts_at and row.release_at):
            yield f"{row}: the feeds say {offer.starts_at}"


def title_of(shop: Shop, known: Known, row: TitleRow) -> Title:
    """A title as the engine would have it, with what it would remember."""
    key = TitleKey(source=SourceName("dds"), isbn=Isbn(row.isbn), format=Format(row.format))
    records: Sequence[Product] = known.records.get((key.isbn, key.format), [])
    stocked = known.rows.get(key.isbn)
    held = shop.stub._shelf.find(row.isbn)
    withdrawn: Mapping[str, frozenset[str]] = {"NOK": frozenset({"NO"})} if held and held.was_sold else {}
    return Title(
        key=key,
        records=(*records, *([stocked] if stocked else [])),
        remembered=Remembered(withdrawn=withdrawn),
        was_removed=not records,
    )


@pytest.mark.parametrize(("seed", "version"), [(1, "v2"), (2, "v3")])
async def test_at_every_instant_fresh_feeds_agree_with_every_row(tmp_path: Path, seed: int, version: str) -> None:
    async with opened_shop(tmp_path, titles=TITLES, seed=seed) as shop:
        began_at = shop.clock.now()
        states: Counter[str] = Counter()
        for days in DAYS:
            shop.clock.advance_to(began_at + timedelta(days=days))
            now = shop.clock.now()
            known = await read_feeds(shop, version)
            assert [] == list(differences(shop, known, now))
            states.update(row.state for row in shop.stub.titles(now))
        assert set(OfferState) - {OfferState.UNKNOWN, OfferState.NOT_YET} == set(states)


async def test_every_scenario_of_a_row_is_decided_by_that_row(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        known, now = await read_feeds(shop, "v2"), shop.clock.now()
        rows = {row.isbn: row for row in shop.stub.titles(now)}
        wrong = {}
        for name, isbn in shop.stub.scenarios.items():
            if name.startswith("row_") and isbn in rows:
                decided = RULES.offer(title_of(shop, known, rows[isbn]), NORWAY, now).rules[-1].id
                expected = "12" if name in _OPEN else name.split("_")[1]
                if decided != f"bokbasen 10.1/{expected}":
                    wrong[name] = decided
        assert {} == wrong


_OPEN = {"row_6_own_outlet", "row_6_revenue_share", "row_6_not_to_subscriptions"}
"""Restrictions that do not shut this shop out."""


async def test_edits_of_every_kind_are_told_by_the_feeds(tmp_path: Path) -> None:
    soon = {"release_at": {"in_seconds": 90}}
    async with opened_shop(tmp_path) as shop:
        isbns = iter([row["isbn"] for row in await shop.edit({"where": "FOR_SALE", "count": 14, "price": "99.00"})])
        await shop.edit(
            {"isbn": next(isbns), **soon, "state": "PREORDER"},
            {"isbn": next(isbns), "state": "ANNOUNCED"},
            {"isbn": next(isbns), "state": "UNAVAILABLE"},
            {"isbn": next(isbns), "state": "WITHDRAWN"},
            {"isbn": next(isbns), "state": "WITHDRAWN", "block": "gone"},
            {"isbn": next(isbns), "state": "REMOVED"},
            {"isbn": next(isbns), "state": "UNPRICED"},
            {"isbn": next(isbns), "state": "OUT_OF_TERRITORY"},
            {"isbn": next(isbns), "agreement": False},
            {"isbn": next(isbns), "published": False},
            {"isbn": next(isbns), "new_version": True},
            {"isbn": next(isbns), "price_type": "04", "price": "349.00"},
        )
        for seconds in (0, 89, 1, 60):
            shop.clock.advance(seconds)
            assert [] == list(differences(shop, await read_feeds(shop, "v2"), shop.clock.now()))


async def test_a_release_that_one_feed_tells_first(tmp_path: Path) -> None:
    """Contract 14: until both have come, nothing is sold and nothing that waits is lost."""
    async with opened_shop(tmp_path) as shop:
        await shop.break_things(settings={"onix_lag_seconds": 600})
        isbn = shop.isbn("row_14_preorder")
        before = await read_feeds(shop, "v2")
        await shop.edit({"isbn": isbn, "state": "FOR_SALE"})
        at = shop.clock.now()
        (row,) = [row for row in shop.stub.titles(at) if row.isbn == isbn]
        after = await read_feeds(shop, "v2")
        told = RULES.offer(title_of(shop, after, row), NORWAY, at)
        assert (OfferState.ANNOUNCED, "bokbasen 10.1/10") == (told.state, told.rules[-1].id)
        shop.clock.advance(600)
        later = await read_feeds(shop, "v2")
        assert OfferState.FOR_SALE is RULES.offer(title_of(shop, later, row), NORWAY, shop.clock.now()).state
        crossed = Known(records=later.records, rows=before.rows)
        waits = RULES.offer(title_of(shop, crossed, row), NORWAY, at)
        assert (OfferState.UNAVAILABLE, "bokbasen 10.1/16") == (waits.state, waits.rules[-1].id)


async def test_prices_of_the_fixed_kind(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        known, now = await read_feeds(shop, "v2"), shop.clock.now()
        rows = {row.isbn: row for row in shop.stub.titles(now)}
        said = {}
        for name in (
            "fixed_price",
            "fixed_price_ended",
            "fixed_price_to_come",
            "publishers_price",
            "library_price_beside",
        ):
            offer = RULES.offer(title_of(shop, known, rows[shop.isbn(name)]), NORWAY, now)
            assert offer.price is not None
            said[name] = (offer.price.type, offer.price.amount)
        assert {
            "fixed_price": ("04", Decimal("279.00")),
            "fixed_price_ended": ("02", Decimal("279.00")),
            "fixed_price_to_come": ("04", Decimal("349.00")),
            "publishers_price": ("42", Decimal("99.00")),
            "library_price_beside": ("02", Decimal("199.00")),
        } == said


async def test_the_comparison_notices_feeds_that_lie(tmp_path: Path) -> None:
    async with opened_shop(tmp_path) as shop:
        known = await read_feeds(shop, "v2")
        await shop.edit(
            {"isbn": shop.isbn("row_12_on_sale"), "price": "1.11"}, {"isbn": shop.isbn("pdf"), "agreement": False}
        )
        assert 2 == len(list(differences(shop, known, shop.clock.now())))
