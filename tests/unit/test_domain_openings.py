"""Gates: when sale, preorders and a supplier's share begin and end (reference/onix.md 2.11)."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.openings import (
    Closing,
    Opening,
    announcement_opening,
    expected_opening,
    latest,
    preorder_opening,
    publication_start,
    return_opening,
    sale_closing,
    sale_opening,
    supply_closing,
    unknown_opening,
)
from syncengine.domain.product import DatedRole, Product, ProductSupply, SupplyDetail
from syncengine.onix.codelists import standard

PARIS = ZoneInfo("Europe/Paris")
JULY, AUGUST, SEPTEMBER = "20260701", "20260801", "20260901"
INSTANTS = {
    JULY: datetime(2026, 6, 30, 22, tzinfo=UTC),
    AUGUST: datetime(2026, 7, 31, 22, tzinfo=UTC),
    SEPTEMBER: datetime(2026, 8, 31, 22, tzinfo=UTC),
}
"""The midnights of Paris at which they begin."""
DAY = timedelta(days=1)


def dates(*pairs: tuple[str, str]) -> tuple[DatedRole, ...]:
    return tuple(DatedRole(role=role, date=OnixDate(text=text)) for role, text in pairs)


def product(*pairs: tuple[str, str]) -> Product:
    return Product(reference=RecordReference("R1"), notification_type="03", publishing_dates=dates(*pairs))


def block(*pairs: tuple[str, str]) -> ProductSupply:
    return ProductSupply(market_dates=dates(*pairs))


def detail(*pairs: tuple[str, str]) -> SupplyDetail:
    return SupplyDetail(dates=dates(*pairs))


# --- openings -----------------------------------------------------------------------------------------------------------


def test_without_a_date_it_opens_at_once():
    assert not Opening().is_announced
    assert not Opening().is_ahead(datetime.min.replace(tzinfo=UTC))
    assert Opening() == latest([], PARIS)


def test_at_its_date_it_is_open():
    opening = Opening(at=INSTANTS[JULY])
    assert opening.is_announced
    assert opening.is_ahead(INSTANTS[JULY] - timedelta(microseconds=1))
    assert not opening.is_ahead(INSTANTS[JULY])


def test_of_several_dates_the_latest_counts_and_is_told():
    found = latest([("A", OnixDate(text=AUGUST)), ("B", OnixDate(text=SEPTEMBER)), ("C", OnixDate(text=JULY))], PARIS)
    assert Opening(at=INSTANTS[SEPTEMBER], says="2026-08-31T22:00:00Z (B 20260901)") == found


def test_what_cannot_be_read_never_opens():
    found = latest([("A", OnixDate(text=JULY)), ("B", OnixDate(text="soon")), ("C", OnixDate(text=JULY))], PARIS)
    assert Opening(says="B 'soon' cannot be read", is_unreadable=True) == found
    assert found.is_announced
    assert found.is_ahead(datetime.max.replace(tzinfo=UTC))


def test_a_month_opens_on_its_last_day():
    assert datetime(2026, 9, 29, 22, tzinfo=UTC) == latest([("A", OnixDate(text="202609"))], PARIS).at


# --- sale ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, 2])
def test_the_latest_embargo_of_product_market_and_supplier_holds(level):
    days = [JULY, JULY, JULY]
    days[level] = AUGUST
    found = sale_opening(product(("02", days[0])), block(("02", days[1])), detail(("02", days[2])), PARIS)
    assert INSTANTS[AUGUST] == found.at
    element = ("PublishingDate", "MarketDate", "SupplyDate")[level]
    assert found.says == f"2026-07-31T22:00:00Z ({element} 02 20260801)"


@pytest.mark.parametrize(
    ("role", "gates"),
    [
        ("02", True),
        ("32", True),
        ("33", True),
        ("40", True),
        *(
            (role, False)
            for role in (
                *("01", "09", "10", "11", "12", "13", "16", "19", "20", "21", "22", "23", "25", "26", "27"),
                *("28", "29", "30", "31", "35", "36", "37", "38", "39", "41", "42", "ZZ"),
            )
        ),
    ],
)
def test_list_163_what_a_sale_of_downloads_waits_for(role, gates):
    for found in (
        sale_opening(product((role, JULY)), block(), detail(), PARIS),
        sale_opening(product(), block((role, JULY)), detail(), PARIS),
    ):
        assert gates is found.is_announced


@pytest.mark.parametrize(
    ("role", "gates"), [("02", True), *((r, False) for r in ("08", "18", "25", "29", "30", "34", "50", "51", "ZZ"))]
)
def test_list_166_what_a_supplier_s_sale_waits_for(role, gates):
    assert gates is sale_opening(product(), block(), detail((role, JULY)), PARIS).is_announced


def test_the_publication_date_is_an_embargo_for_senders_who_mean_it_so():
    of = (product(("01", AUGUST), ("02", JULY)), block(("01", SEPTEMBER)), detail(("08", JULY)), PARIS)
    for opening in (sale_opening, expected_opening):
        assert INSTANTS[JULY] == opening(*of).at
        assert INSTANTS[SEPTEMBER] == opening(*of, publication_counts=True).at


@pytest.mark.parametrize(
    ("of_product", "of_supplier", "expected"),
    [
        ([("01", JULY)], [], JULY),
        ([("01", SEPTEMBER)], [("08", JULY)], JULY),
        ([("01", JULY), ("02", SEPTEMBER)], [("08", AUGUST)], SEPTEMBER),
        ([("02", JULY)], [("02", AUGUST)], AUGUST),
        ([], [], None),
    ],
)
def test_a_title_is_expected_by_its_supplier_else_at_publication_and_never_before_an_embargo(
    of_product, of_supplier, expected
):
    found = expected_opening(product(*of_product), block(), detail(*of_supplier), PARIS)
    assert (INSTANTS[expected] if expected else None) == found.at


@pytest.mark.parametrize(
    ("of_product", "of_market", "of_supplier", "expected"),
    [
        ([("22", JULY)], [], [("08", AUGUST)], JULY),
        ([("22", JULY)], [("22", AUGUST)], [], AUGUST),
        ([("01", JULY)], [], [("08", AUGUST)], AUGUST),
        ([("01", JULY)], [], [], None),
    ],
)
def test_what_was_withdrawn_for_a_time_is_expected_again(of_product, of_market, of_supplier, expected):
    found = return_opening(product(*of_product), block(*of_market), detail(*of_supplier), PARIS)
    assert (INSTANTS[expected] if expected else None) == found.at


@pytest.mark.parametrize(
    ("of_product", "of_market", "expected"),
    [
        ([], [], None),
        ([("09", AUGUST)], [], AUGUST),
        ([("27", JULY), ("09", AUGUST)], [], JULY),
        ([("09", AUGUST)], [("27", JULY)], JULY),
        ([("27", JULY)], [("27", AUGUST)], AUGUST),
        ([("10", AUGUST), ("01", AUGUST), ("02", AUGUST)], [], None),
    ],
)
def test_preorders_wait_for_27_else_for_09_else_for_nothing(of_product, of_market, expected):
    found = preorder_opening(product(*of_product), block(*of_market), PARIS)
    assert (INSTANTS[expected] if expected else None) == found.at


@pytest.mark.parametrize(
    ("of_product", "of_market", "expected"),
    [
        ([], [], None),
        ([("09", AUGUST)], [], AUGUST),
        ([("09", JULY)], [("09", AUGUST)], AUGUST),
        ([("10", AUGUST)], [], AUGUST),
        ([("09", JULY), ("10", AUGUST)], [], JULY),
        ([("27", AUGUST), ("01", AUGUST), ("02", AUGUST)], [], None),
    ],
)
def test_the_public_sees_it_from_09_else_the_trade_from_10(of_product, of_market, expected):
    found = announcement_opening(product(*of_product), block(*of_market), PARIS)
    assert (INSTANTS[expected] if expected else None) == found.at


@pytest.mark.parametrize(
    ("of_product", "of_market", "of_supplier", "expected"),
    [
        ([("ZZ", JULY)], [], [], JULY),
        ([("ZZ", JULY)], [("43", AUGUST)], [], AUGUST),
        ([], [("08", JULY)], [("01", SEPTEMBER)], SEPTEMBER),
        ([("", JULY)], [], [], JULY),
    ],
)
def test_a_date_in_a_role_that_nobody_knows_may_be_an_embargo(of_product, of_market, of_supplier, expected):
    found = unknown_opening(product(*of_product), block(*of_market), detail(*of_supplier), PARIS)
    assert INSTANTS[expected] == found.at


def test_every_role_of_lists_163_and_166_is_known():
    of_163, of_166 = ([(code, JULY) for code in standard().lists[number].codes] for number in (163, 166))
    assert Opening() == unknown_opening(product(*of_163), block(*of_163), detail(*of_166), PARIS)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (Opening(), Opening(), Opening()),
        (Opening(), Opening(at=INSTANTS[JULY]), Opening(at=INSTANTS[JULY])),
        (Opening(at=INSTANTS[AUGUST]), Opening(at=INSTANTS[JULY]), Opening(at=INSTANTS[AUGUST])),
        (Opening(at=INSTANTS[AUGUST]), Opening(is_unreadable=True), Opening(is_unreadable=True)),
        (Opening(says="it", is_unreadable=True), Opening(at=INSTANTS[JULY]), Opening(says="it", is_unreadable=True)),
    ],
)
def test_of_two_openings_the_later_holds(one, other, expected):
    assert expected == one.or_later(other)


# --- the end ------------------------------------------------------------------------------------------------------------


def test_without_a_date_nothing_ends():
    assert not Closing().has_passed(datetime.max.replace(tzinfo=UTC))


def test_on_the_day_it_goes_out_of_print_it_is_not_sold():
    found = sale_closing(product(("13", AUGUST)), block(("13", JULY)), PARIS)
    assert INSTANTS[JULY] == found.at
    assert not found.has_passed(INSTANTS[JULY] - timedelta(microseconds=1))
    assert found.has_passed(INSTANTS[JULY])
    assert found.says == "2026-06-30T22:00:00Z (MarketDate 13 20260701)"


def test_an_end_that_cannot_be_read_has_come():
    found = sale_closing(product(("13", "soon"), ("13", JULY)), block(), PARIS)
    assert found.has_passed(datetime.min.replace(tzinfo=UTC))
    assert found.says == "PublishingDate 13 'soon' cannot be read"


@pytest.mark.parametrize(
    ("of_supplier", "expected"),
    [
        ([("51", JULY)], INSTANTS[JULY] + DAY),
        ([("50", JULY)], INSTANTS[JULY]),
        ([("50", JULY), ("51", AUGUST)], INSTANTS[AUGUST] + DAY),
        ([("51", AUGUST), ("51", JULY)], INSTANTS[JULY] + DAY),
        ([("08", JULY)], None),
    ],
)
def test_a_supplier_takes_orders_to_its_last_day_else_until_the_next_begins(of_supplier, expected):
    assert expected == supply_closing(detail(*of_supplier), PARIS).at


@pytest.mark.parametrize(
    ("of_product", "of_market", "expected"),
    [
        ([("01", JULY)], [], JULY),
        ([("01", JULY)], [("01", AUGUST)], AUGUST),
        ([("01", AUGUST), ("01", JULY)], [], JULY),
        ([("01", JULY), ("01", "soon")], [], None),
        ([("02", JULY)], [], None),
    ],
)
def test_publication_is_the_market_s_own_and_known_or_not(of_product, of_market, expected):
    found = publication_start(product(*of_product), block(*of_market), PARIS)
    assert (INSTANTS[expected] if expected else None) == found
