"""Guards: counted record by record, judged as a whole."""

from decimal import Decimal

import pytest

from syncengine.catalogue.guards import Tallies, is_older, judge, normalised_sent_at, tally
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Price, Product, ProductSupply, SupplyDetail
from syncengine.domain.territory import Territory
from syncengine.errors import GuardStopped
from syncengine.settings import GuardSettings
from tests.values import replace

SETTINGS = GuardSettings()
CA, US = Territory(countries_included=("CA",)), Territory(countries_included=("US",))


def product(
    *amounts: str, status: str = "04", market: str = "04", availability: str = "20", markets=(CA,), **price
) -> Product:
    usual = Price(type="02", currency="CAD", territory=CA)
    prices = tuple(replace(usual, amount=Decimal(amount), **price) for amount in amounts)
    detail = SupplyDetail(availability=availability, prices=prices)
    return Product(
        reference=RecordReference("r"),
        notification_type="03",
        publishing_status=status,
        supplies=(ProductSupply(markets=markets, market_status=market, details=(detail,)),),
    )


def tallied(old: Product | None, new: Product | None, outcome: RecordOutcome = RecordOutcome.CHANGED) -> Tallies:
    tallies = Tallies()
    tally(tallies, old, new, outcome)
    return tallies


def judged(allowed=(), *, complete_full: bool = True, last: int | None = None, **counts: int) -> list[str]:
    return judge(
        Tallies(**({"records": 1000, "known": 1000} | counts)),
        SETTINGS,
        allowed=allowed,
        complete_full=complete_full,
        last_full_records=last,
    )


# --- counting


def test_a_new_record_moves_nothing():
    assert Tallies() == tallied(None, product("1"), RecordOutcome.ADDED)


def test_tallies_survive_the_store():
    tallies = Tallies(records=3, known=2, removed=1, price_jumps=4)
    assert tallies == Tallies.from_mapping({**tallies.as_mapping(), "unknown": 7})


def test_a_removal_counts_where_the_record_was_live():
    assert 1 == tallied(product(), None, RecordOutcome.REMOVED).removed
    assert 0 == tallied(None, None, RecordOutcome.REMOVED).removed


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (product(), product(status="11"), 1),
        (product(), product(status="15"), 1),
        (product(), product(status="08"), 0),
        (product(status="11"), product(status="11"), 0),
        (product(status="11"), product(), 0),
        (product(), product(market="11"), 1),
        (product(market="11"), product(market="11", markets=(CA, US)), 1),
        (product(market="11", markets=(CA, US)), product(market="11"), 0),
        (product(), product(availability="46"), 1),
        (product(), product(availability="49"), 1),
        (product(), product(availability="40"), 0),
        (product(), product(status="11", market="11", availability="46"), 1),
        (product(), product(market="11", markets=()), 1),
        (None, product(status="11"), 0),
    ],
)
def test_withdrawn_is_what_was_not_withdrawn_before(old, new, expected):
    assert expected == tallied(old, new).withdrawn


@pytest.mark.parametrize(
    ("old", "new", "moved", "jumped"),
    [
        (product("10"), product("10.00"), 0, 0),
        (product("10"), product("11"), 1, 0),
        (product("10"), product("0"), 1, 1),
        (product("0"), product("10"), 1, 0),
        (product("10"), product("100"), 1, 1),
        (product("10"), product("99.99"), 1, 0),
        (product("10"), product("1"), 1, 1),
        (product("10"), product("1.01"), 1, 0),
        (product("10"), product("10", "5"), 0, 0),
        (product("10"), product("10", "0"), 0, 1),
        (product("10", "5"), product("10"), 0, 0),
        (product("100", "5"), product("60", "6"), 1, 0),
        (product("10"), product("12", currency="USD"), 0, 0),
        (product("10"), product("12", type="01"), 0, 0),
        (product("10"), product("12", qualifier="05"), 0, 0),
        (product("10"), product("12", territory=US), 0, 0),
        (product("10", territory=None), product("12", territory=None), 1, 0),
        (product("10", territory=None), product("12", territory=None, markets=(US,)), 0, 0),
        (product("10"), product(), 0, 0),
    ],
)
def test_prices_are_compared_under_the_same_terms(old, new, moved, jumped):
    tallies = tallied(old, new)
    assert (1, moved, jumped) == (tallies.prices_known, tallies.prices_moved, tallies.price_jumps)


def test_several_prices_of_a_record_count_once():
    old, new = product("10"), product("1")
    twice = replace(old, supplies=old.supplies * 2), replace(new, supplies=new.supplies * 2)
    assert 1 == tallied(*twice).price_jumps


# --- judging


def test_nothing_fires_on_an_ordinary_pass():
    assert [] == judged(removed=100, vanished=100, withdrawn=100, prices_moved=300, price_jumps=3, last=1000)


@pytest.mark.parametrize(
    ("guard", "counts", "said"),
    [
        ("empty-feed", {"records": 0}, "the full pass has no record, 1000 are known"),
        (
            "shrunk",
            {"records": 699, "last": 1000},
            "the full pass has 699 records where the last one had 1000: 30.1 % fewer, the limit is 30 %",
        ),
        ("removed", {"removed": 101}, "101 of 1000 known records would be removed: 10.1 %, the limit is 10 %"),
        ("vanished", {"vanished": 101}, "101 of 1000 known records would vanish: 10.1 %, the limit is 10 %"),
        (
            "withdrawn",
            {"withdrawn": 101},
            "101 of 1000 known records would be withdrawn: 10.1 %, the limit is 10 %",
        ),
        (
            "prices-moved",
            {"prices_moved": 301},
            "301 of 1000 known records would change their price: 30.1 %, the limit is 30 %",
        ),
        ("price-jump", {"price_jumps": 4}, "prices of 4 records would fall to zero or move tenfold, the limit is 3"),
    ],
)
def test_a_guard_stops_and_says_what_would_have_happened(guard, counts, said):
    with pytest.raises(GuardStopped) as stopped:
        judged(**counts)
    assert (guard, said) == (stopped.value.guard, str(stopped.value))
    assert [f"guard {guard} let through: {said}"] == judged([guard], **counts)


def test_allowing_one_guard_does_not_allow_the_next():
    with pytest.raises(GuardStopped) as stopped:
        judged(["removed"], removed=500, withdrawn=500)
    assert "withdrawn" == stopped.value.guard


def test_shares_say_nothing_of_a_small_store():
    assert [] == judged(known=19, removed=19, vanished=19, withdrawn=19, prices_moved=19, records=19, last=19)
    assert [] == judged(known=0, records=0)
    with pytest.raises(GuardStopped):
        judged(known=20, removed=3)


def test_a_page_of_a_delta_is_neither_empty_nor_shrunk():
    assert [] == judged(complete_full=False, records=0, last=1000)


def test_limits_are_those_of_the_settings():
    settings = GuardSettings(removed_percent=50.0, minimum_records=1)
    tallies = Tallies(records=2, known=2, removed=1)
    assert [] == judge(tallies, settings, allowed=(), complete_full=False, last_full_records=None)


# --- older messages


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260102", "20260102"),
        ("20260102T0304", "20260102T030400"),
        ("20260102T030405", "20260102T030405"),
        ("20260102T0304Z", "20260102T030400Z"),
        ("20260102T0304-0400", "20260102T070400Z"),
        ("20260102T003000+0200", "20260101T223000Z"),
        (" 2026-01-02T03:04:05+01:00 ", "20260102T020405Z"),
        ("20260102T070400Z", "20260102T070400Z"),
        ("2026", None),
        ("20261302", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_sent_date_times_are_normalised(text, expected):
    assert expected == normalised_sent_at(text)


@pytest.mark.parametrize(
    ("sent", "last", "expected"),
    [
        ("20260101T1000Z", "20260101T1001Z", True),
        ("20260101T1001Z", "20260101T1001Z", False),
        ("20260101T1002Z", "20260101T1001Z", False),
        ("20260101T1200+0200", "20260101T1001Z", True),
        ("20260101T1000", "20260101T1001", True),
        ("20260101", "20260102", True),
        ("20260101", "20260101", False),
        ("20260101", "20260101T2359", False),
        ("20260101", "20260102T0000", True),
        ("20260101T2359", "20260102", True),
        ("20260101T2359Z", "20260102", False),
        ("20260101T1000", "20260101T1100Z", False),
        ("20260101T1000", "20260102T0001Z", True),
        ("20260101T1000Z", None, False),
        (None, "20260101T1000Z", False),
        ("now", "20260101T1000Z", False),
        ("99991231", "20260101", False),
        ("99991231T2359", "20260101T1000Z", False),
        ("20260101", "99991231", True),
        ("00010101", "00010101T0000Z", False),
    ],
)
def test_a_message_is_older_where_that_is_sure(sent, last, expected):
    assert expected is is_older(sent, last)
