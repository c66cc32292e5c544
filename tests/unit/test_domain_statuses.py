"""Statuses: every row of the tables of lists 64, 68 and 65, and every pair of words combined (reference/onix.md 2.10)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.domain.statuses import Standing, combine, of_market, of_publisher, of_supplier

SELL, PRE, BACK, DEFER = Standing.SELL, Standing.PRE, Standing.BACK, Standing.DEFER
HOLD, STOP, STOP_NOW, UNKNOWN = Standing.HOLD, Standing.STOP, Standing.STOP_NOW, Standing.UNKNOWN

# 13 and 18, 45 and 50 as they stand for one thing sold by itself; the composition's part is further down.
LIST_64 = {
    "00": UNKNOWN,
    "01": STOP,
    "02": PRE,
    "03": HOLD,
    "04": DEFER,
    "05": STOP,
    "06": STOP,
    "07": STOP,
    "08": STOP,
    "09": UNKNOWN,
    "10": STOP,
    "11": STOP_NOW,
    "12": STOP_NOW,
    "13": STOP,
    "15": STOP_NOW,
    "16": HOLD,
    "17": STOP,
    "18": STOP,
}
LIST_68 = {**LIST_64, "12": STOP, "14": DEFER}
LIST_65 = {
    "01": STOP,
    "09": HOLD,
    "10": PRE,
    "11": PRE,
    "12": PRE,
    "20": SELL,
    "21": SELL,
    "22": SELL,
    "23": SELL,
    "30": BACK,
    "31": BACK,
    "32": BACK,
    "33": BACK,
    "34": HOLD,
    "40": STOP,
    "41": STOP,
    "42": STOP,
    "43": STOP,
    "44": STOP,
    "45": STOP,
    "46": STOP_NOW,
    "47": STOP,
    "48": STOP,
    "49": STOP_NOW,
    "50": STOP,
    "51": STOP,
    "52": STOP,
    "97": UNKNOWN,
    "98": UNKNOWN,
    "99": UNKNOWN,
}
TABLES = {"64": (of_publisher, LIST_64), "68": (of_market, LIST_68), "65": (of_supplier, LIST_65)}


def rows(*numbers):
    """The rows of the lists, each named as its list and code: 64-07."""
    return [
        pytest.param(number, code, expected, id=f"{number}-{code}")
        for number in numbers
        for code, expected in TABLES[number][1].items()
    ]


@pytest.mark.parametrize(("number", "code", "expected"), rows("64", "68", "65"))
def test_each_code_has_its_class(number, code, expected):
    assert expected is TABLES[number][0](code)


@pytest.mark.parametrize("number", TABLES)
@pytest.mark.parametrize("code", ["ZZ", "4", "004", "77", "04 "])
def test_what_no_issue_knows_is_unknown(number, code):
    assert UNKNOWN is TABLES[number][0](code)


@pytest.mark.parametrize("number", TABLES)
@pytest.mark.parametrize("code", [None, ""])
def test_what_is_absent_is_unknown(number, code):
    """List 64: absent is 00, unspecified."""
    assert UNKNOWN is TABLES[number][0](code)


def test_14_is_no_code_of_list_64():
    assert UNKNOWN is of_publisher("14")


# --- the three combined -------------------------------------------------------------------------------------------------


def may(status=None, market=None, availability="20", **facts):
    return combine(publishing_status=status, market_status=market, availability=availability, **facts)


# What comes of a class of the publisher's or the market's word (rows) and one of the supplier's (columns).
COLUMNS = (SELL, PRE, BACK, HOLD, STOP, STOP_NOW, UNKNOWN)
MATRIX = {
    DEFER: (SELL, PRE, BACK, HOLD, STOP, STOP_NOW, UNKNOWN),
    PRE: (PRE, PRE, BACK, HOLD, STOP, STOP_NOW, UNKNOWN),
    HOLD: (HOLD, HOLD, HOLD, HOLD, STOP, STOP_NOW, HOLD),
    STOP: (STOP, STOP, STOP, STOP, STOP, STOP_NOW, STOP),
    STOP_NOW: (STOP_NOW,) * 7,
    UNKNOWN: (UNKNOWN, UNKNOWN, UNKNOWN, HOLD, STOP, STOP_NOW, UNKNOWN),
}


@pytest.mark.parametrize(("number", "code", "standing"), rows("64", "68"))
def test_every_word_with_every_supplier_s(number, code, standing):
    """Unspecified (00) is silence and not a word: it defers."""
    row = MATRIX[DEFER if code == "00" else standing]
    expected = {availability: row[COLUMNS.index(supplier)] for availability, supplier in LIST_65.items()}
    words = {"status": code} if number == "64" else {"market": code}
    assert expected == {availability: may(**words, availability=availability) for availability in LIST_65}


@pytest.mark.parametrize("market", LIST_68)
def test_the_market_stands_in_for_the_publisher(market):
    """Code 00 of list 68 stands in for nobody."""
    statuses = ("02", "04", "07", "09", None)
    expected = [may(status) if market == "00" else may(None, market) for status in statuses]
    assert expected == [may(status, market) for status in statuses]


@pytest.mark.parametrize("market", ["02", "04", "12", "14", "17"])
@pytest.mark.parametrize("status", ["11", "12", "15"])
def test_no_market_outweighs_a_recall(status, market):
    assert STOP_NOW is may(status, market)


@pytest.mark.parametrize(("status", "market"), [(None, None), ("00", None), (None, "00"), ("00", "00"), ("", "")])
def test_unspecified_leaves_the_word_to_the_supplier(status, market):
    """Unspecified is distinct from unknown (09), which sells nothing."""
    assert LIST_65 == {availability: may(status, market, availability) for availability in LIST_65}


@pytest.mark.parametrize(("market", "availability"), [("04", "20"), ("04", "46"), ("07", "20")])
def test_a_global_status_that_nobody_knows_is_not_outweighed_by_a_market(market, availability):
    expected = STOP_NOW if availability == "46" else UNKNOWN
    assert expected is may("ZZ", market, availability)


@pytest.mark.parametrize(
    ("status", "availability", "has_embargo", "expected"),
    [
        ("02", "20", True, SELL),
        ("02", "20", False, PRE),
        ("02", "10", True, PRE),
        ("02", "31", True, BACK),
        ("04", "10", True, PRE),
        ("04", "20", True, SELL),
        ("03", "20", True, HOLD),
    ],
)
def test_a_forthcoming_title_that_is_available_obeys_its_embargo(status, availability, has_embargo, expected):
    assert expected is may(status, None, availability, has_embargo=has_embargo)
    assert expected is may("04", status, availability, has_embargo=has_embargo)


@pytest.mark.parametrize(
    ("composition", "code_13", "code_18", "code_45", "code_50"),
    [
        (None, STOP, STOP, STOP, STOP),
        ("00", STOP, UNKNOWN, STOP, UNKNOWN),
        ("01", STOP, STOP, STOP, STOP),
        ("10", SELL, STOP, UNKNOWN, STOP),
        ("11", STOP, STOP, STOP, STOP),
        ("20", STOP, STOP, STOP, STOP),
        ("30", STOP, STOP, STOP, STOP),
        ("31", SELL, STOP, UNKNOWN, STOP),
        ("ZZ", STOP, STOP, STOP, STOP),
    ],
)
def test_the_composition_tells_what_sold_separately_means(composition, code_13, code_18, code_45, code_50):
    """One thing is not sold alone (13, 45), a set not as a set (18, 50); a set's parts (13) say nothing against the set."""
    for status, expected in (("13", code_13), ("18", code_18)):
        assert expected is may(status, None, "20", composition=composition)
        assert expected is may("04", status, "20", composition=composition)
    for availability, expected in (("45", code_45), ("50", code_50)):
        assert expected is may("04", None, availability, composition=composition)


@pytest.mark.parametrize(
    ("composition", "expected"),
    [
        *((retailed, SELL) for retailed in (None, "", "00", "10", "31")),
        *((part, STOP) for part in ("01", "11", "20", "30")),
        ("ZZ", UNKNOWN),
    ],
)
def test_what_is_not_retailed_as_such_is_not_sold(composition, expected):
    """List 2: components and collections that only have a record, and what is for the trade."""
    assert expected is may("04", None, "20", composition=composition)


codes = st.one_of(st.sampled_from([None, "", *LIST_68, *LIST_65]), st.text(max_size=3))


@given(codes, codes, codes, st.sampled_from([None, "00", "01", "10", "11", "31", "ZZ"]), st.booleans())
def test_nothing_is_sold_but_what_the_supplier_has(status, market, availability, composition, has_embargo):
    found = may(status, market, availability, composition=composition, has_embargo=has_embargo)
    assert found is not DEFER
    if found is SELL:
        assert availability in {"20", "21", "22", "23"}
        assert (status or "00") in LIST_64
        assert (market or "00") in LIST_68
