"""The price of a Dutch day, step by step (contract cb 5.1), and the clock that a delta is asked by (contract cb 3)."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from adapters.distributors.cb.civil import modified_from
from adapters.distributors.cb.prices import choose, consumer_prices
from syncengine.domain.offer import OfferState
from syncengine.domain.territory import Territory
from tests.cb_products import AMSTERDAM, NL_EUR, NOW, dated, detail, offered, price, record, rule_ids


def charged(*prices, at=NOW):
    choice = choose(consumer_prices(prices, NL_EUR, AMSTERDAM), at)
    return choice.price.amount if choice.price else None


@pytest.mark.parametrize(
    "dropped",
    [
        price(None, unpriced="02"),
        price("9.99", currency="USD"),
        price("9.99", currency=None),
        price("0.00"),
        price("9.99", territory=Territory(countries_included=("BE",))),
        price("9.99", territory=Territory(regions_included=("WORLD",), countries_excluded=("NL",))),
        price("9.99", conditions=True),
    ],
)
def test_step_1_drops_what_is_no_price_here(dropped):
    assert charged(dropped) is None
    assert Decimal("8.99") == charged(dropped, price("8.99"))


@pytest.mark.parametrize("kind", ["02", "04", "12", "14"])
def test_step_2_keeps_consumer_prices_including_tax(kind):
    assert Decimal("9.99") == charged(price(kind=kind), price("5.00", kind="05"), price("7.00", kind="01", tax="9"))


def test_step_2_takes_the_net_price_with_its_stated_tax_only_where_there_is_nothing_else():
    assert Decimal("10.90") == charged(price("10.00", kind="01", tax="9.00"))
    assert charged(price("10.00", kind="01")) is None, "no rate is assumed"


@pytest.mark.parametrize("kind", ["05", "06", "07", "08", "09", None])
def test_step_2_never_shows_a_cost(kind):
    assert charged(price(kind=kind)) is None


@pytest.mark.parametrize(
    ("prices", "at", "expected"),
    [
        (price(since="20260615"), datetime(2026, 6, 14, 21, 59, tzinfo=UTC), None),
        (price(since="20260615"), datetime(2026, 6, 14, 22, 0, tzinfo=UTC), Decimal("9.99")),
        (price(until="20260615"), datetime(2026, 6, 15, 21, 59, tzinfo=UTC), Decimal("9.99")),
        (price(until="20260615"), datetime(2026, 6, 15, 22, 0, tzinfo=UTC), None),
        (
            price(dates=(dated("24", "2026061020260615", "06"),)),
            datetime(2026, 6, 9, 22, 0, tzinfo=UTC),
            Decimal("9.99"),
        ),
        (
            price(dates=(dated("24", "2026061020260615", "06"),)),
            datetime(2026, 6, 15, 21, 59, tzinfo=UTC),
            Decimal("9.99"),
        ),
        (price(dates=(dated("24", "2026061020260615", "06"),)), datetime(2026, 6, 15, 22, 0, tzinfo=UTC), None),
        (price(dates=(dated("14", "soon"),)), NOW, None),
        (price(dates=(dated("99", "20260101"),)), NOW, None),
    ],
)
def test_step_3_both_ends_of_a_period_belong_to_it_on_the_dutch_calendar(prices, at, expected):
    assert expected == charged(prices, at=at)


def test_step_4_a_bounded_price_beats_an_open_one():
    """Though the open one began later."""
    assert Decimal("5.99") == charged(price(since="20260614"), price("5.99", since="20260601", until="20260630"))


def test_step_4_then_the_latest_start_wins():
    assert Decimal("8.99") == charged(price(), price("7.99", since="20260101"), price("8.99", since="20260601"))


def test_step_4_two_amounts_that_nothing_tells_apart_are_row_7_and_an_alert():
    offer = offered(record(detail(price("8.99"), price("9.99"))))
    assert (OfferState.UNPRICED, ["cb.5.row7", "cb.5.1.step4"]) == (offer.state, rule_ids(offer))
    assert "alert" in offer.rules[-1].says
    assert Decimal("8.99") == charged(price("8.99"), price("8.99", kind="04"))


def test_step_5_the_next_day_that_differs_is_known_without_any_feed():
    action = price("5.99", since="20260701", until="20260710")
    offer = offered(record(detail(price(), action)))
    start, end = datetime(2026, 6, 30, 22, 0, tzinfo=UTC), datetime(2026, 7, 10, 22, 0, tzinfo=UTC)
    assert start == offer.next_change_at
    during = offered(record(detail(price(), action)), at=start)
    assert during.price is not None
    assert (Decimal("5.99"), end) == (during.price.amount, during.next_change_at)
    assert offered(record(detail(price(), action)), at=end).next_change_at is None


# --- section 3 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("began_at", "text"),
    [
        (datetime(2026, 1, 15, 12, 0, tzinfo=UTC), "2026-01-15T10:00:00"),
        (datetime(2026, 7, 15, 12, 0, tzinfo=UTC), "2026-07-15T11:00:00"),
        (datetime(2026, 7, 15, 12, 0, 0, 999999, tzinfo=UTC), "2026-07-15T11:00:00"),
        (datetime(2026, 3, 29, 3, 30, tzinfo=UTC), "2026-03-29T01:59:59"),
        (datetime(2026, 3, 29, 3, 59, 59, tzinfo=UTC), "2026-03-29T01:59:59"),
        (datetime(2026, 3, 29, 4, 0, tzinfo=UTC), "2026-03-29T03:00:00"),
        (datetime(2026, 10, 25, 4, 30, tzinfo=UTC), "2026-10-25T02:30:00"),
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "2026-10-24T23:30:00"),
    ],
)
def test_a_delta_is_asked_for_by_the_dutch_wall_clock(began_at, text):
    assert text == modified_from(began_at, AMSTERDAM)


@pytest.mark.parametrize("reads_as", ["real", "later", "+1", "+2"])
@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC), NOW])
def test_no_reading_of_the_zone_loses_anything(reads_as, day):
    """Whatever the feed takes the text for, it begins before the last pass did."""
    for minutes in range(-600, 1800, 7):
        began_at = day + timedelta(minutes=minutes)
        wall = datetime.fromisoformat(modified_from(began_at, AMSTERDAM))
        if reads_as in {"real", "later"}:
            read = wall.replace(tzinfo=AMSTERDAM, fold=int(reads_as == "later")).astimezone(UTC)
        else:
            read = (wall - timedelta(hours=int(reads_as))).replace(tzinfo=UTC)
        assert read <= began_at - timedelta(hours=1), began_at
