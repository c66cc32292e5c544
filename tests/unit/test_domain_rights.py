"""Rights: what lists 46 and 71 allow in a country, and why not (reference/onix.md 2.12)."""

from typing import Any

import pytest

from syncengine.domain.ids import RecordReference
from syncengine.domain.product import Product, SalesRights
from syncengine.domain.rights import Access, Rights, access, rights_in
from syncengine.domain.territory import Territory

FOR_SALE, RESTRICTED, NOT_FOR_SALE, UNKNOWN = Rights.FOR_SALE, Rights.RESTRICTED, Rights.NOT_FOR_SALE, Rights.UNKNOWN
WORLD = {"regions_included": ("WORLD",)}
ROW = {"regions_included": ("ROW",)}


def rights(kind: str, *countries: str, restrictions: tuple[str, ...] = (), **territory: Any) -> SalesRights:
    where = Territory(countries_included=countries, **territory)
    return SalesRights(type=kind, territory=where, restrictions=restrictions)


def product(*statements: SalesRights, rest: str | None = None) -> Product:
    return Product(
        reference=RecordReference("R1"), notification_type="03", sales_rights=statements, rest_of_world_rights=rest
    )


LIST_46 = {
    "00": UNKNOWN,
    "01": FOR_SALE,
    "02": FOR_SALE,
    "03": NOT_FOR_SALE,
    "04": NOT_FOR_SALE,
    "05": NOT_FOR_SALE,
    "06": NOT_FOR_SALE,
    "07": RESTRICTED,
    "08": RESTRICTED,
    "09": UNKNOWN,
    "ZZ": UNKNOWN,
}


@pytest.mark.parametrize("code", LIST_46)
def test_each_type_of_rights(code):
    assert LIST_46[code] is rights_in(product(rights(code, "CA")), "CA").verdict
    assert LIST_46[code] is rights_in(product(rights(code, **WORLD)), "CA").verdict
    assert LIST_46[code] is rights_in(product(rights("01", "FR"), rest=code), "CA").verdict
    assert LIST_46[code] is rights_in(product(rest=code), "CA").verdict


def test_a_statement_without_type_says_nothing():
    assert UNKNOWN is rights_in(product(rights("", "CA")), "CA").verdict


def test_no_rights_at_all_are_unknown_and_not_worldwide():
    found = rights_in(product(), "CA")
    assert UNKNOWN is found.verdict
    assert "not worldwide" in found.says


def test_a_country_that_no_statement_names_is_not_for_sale():
    assert NOT_FOR_SALE is rights_in(product(rights("01", "FR")), "CA").verdict
    assert FOR_SALE is rights_in(product(rights("01", "FR")), "FR").verdict


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([rights("01", **WORLD), rights("03", "CA")], NOT_FOR_SALE),
        ([rights("01", "CA"), rights("06", **WORLD)], NOT_FOR_SALE),
        ([rights("01", **WORLD), rights("03", regions_included=("CA-QC",))], NOT_FOR_SALE),
        ([rights("01", **WORLD), rights("ZZ", "CA")], UNKNOWN),
        ([rights("03", **WORLD), rights("ZZ", "CA")], NOT_FOR_SALE),
        ([rights("01", **WORLD), rights("07", "CA")], RESTRICTED),
        ([rights("01", **WORLD), rights("03", regions_included=("ATLANTIS",))], NOT_FOR_SALE),
        ([rights("01", **WORLD), rights("02", regions_included=("ATLANTIS",))], FOR_SALE),
        ([rights("01", **WORLD), rights("03", "US")], FOR_SALE),
        ([rights("01", **WORLD), rights("ZZ", "US")], FOR_SALE),
        ([rights("01", **WORLD, countries_excluded=("CA",))], NOT_FOR_SALE),
        ([rights("01", "CA"), rights("02", **WORLD)], FOR_SALE),
    ],
)
def test_what_contradicts_itself_is_not_for_sale(statements, expected):
    assert expected is rights_in(product(*statements), "CA").verdict
    assert expected is rights_in(product(*reversed(statements)), "CA").verdict


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([rights("01", regions_included=("CA-QC",))], NOT_FOR_SALE),
        ([rights("01", "CA", regions_excluded=("CA-QC",))], NOT_FOR_SALE),
        ([rights("01", "CA", regions_excluded=("CA-QC",)), rights("02", regions_included=("CA-QC",))], FOR_SALE),
        ([rights("01", **WORLD, regions_excluded=("ATLANTIS",))], NOT_FOR_SALE),
        ([rights("01", regions_included=("ATLANTIS",))], NOT_FOR_SALE),
    ],
)
def test_grants_must_hold_the_whole_country(statements, expected):
    """The rest of the world's rights say nothing of a country that is named in part."""
    assert expected is rights_in(product(*statements), "CA").verdict
    assert expected is rights_in(product(*statements, rest="01"), "CA").verdict


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ([rights("01", "FR"), rights("03", **ROW)], NOT_FOR_SALE),
        ([rights("03", "FR"), rights("01", **ROW)], FOR_SALE),
        ([rights("01", "CA"), rights("03", **ROW)], FOR_SALE),
        ([rights("03", "CA"), rights("01", **ROW)], NOT_FOR_SALE),
        ([rights("03", regions_included=("CA-QC",)), rights("01", **ROW)], NOT_FOR_SALE),
        ([rights("01", "CA", regions_included=("ROW",)), rights("03", "FR")], FOR_SALE),
    ],
)
def test_2_1_s_rest_of_the_world_is_what_the_others_do_not_name(statements, expected):
    assert expected is rights_in(product(*statements), "CA").verdict


def test_the_verdict_tells_its_reason_and_its_grants():
    library, retail = rights("01", "CA", restrictions=("06",)), rights("02", **WORLD)
    found = rights_in(product(library, rights("03", "US"), retail), "CA")
    assert (library, retail) == found.grants
    assert found.says == "SalesRights 01, 02 cover CA"
    assert rights_in(product(rights("01", **WORLD), rights("03", "CA")), "CA").says == (
        "SalesRights 01, 03 touch CA: not for sale"
    )
    assert () == rights_in(product(rest="01"), "CA").grants


LIST_71 = {
    **dict.fromkeys(("09", "12", "15", "16", "19", "20", "23", "99"), Access.OPEN),
    **dict.fromkeys(("00", "01", "02", "04", "05", "06", "07", "08", "10", "11", "13", "14"), Access.CLOSED),
    **dict.fromkeys(("17", "18", "21", "22"), Access.CLOSED),
    "03": Access.INTERNAL,
    "24": Access.UNKNOWN,
    "ZZ": Access.UNKNOWN,
}


@pytest.mark.parametrize("code", LIST_71)
def test_each_restriction(code):
    left, says = access([code])
    assert LIST_71[code] is left
    assert bool(says) is (left is not Access.OPEN)
    assert left is access([code, "99"])[0]


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], (Access.OPEN, "")),
        (["06", "ZZ"], (Access.CLOSED, "SalesRestriction 06 shuts this shop out")),
        (["04", "06"], (Access.CLOSED, "SalesRestriction 04, 06 shuts this shop out")),
        (["06", "03"], (Access.INTERNAL, "SalesRestriction 03 is internal to the publisher: not to be listed")),
        (["ZZ", "09"], (Access.UNKNOWN, "SalesRestriction ZZ is in words nobody knows")),
    ],
)
def test_of_several_restrictions_the_worst_counts(codes, expected):
    assert expected == access(codes)
