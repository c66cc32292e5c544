"""Territories: sets of countries, in which a part of a country is never taken for the whole."""

from importlib.resources import files

import pytest

from syncengine.domain.territory import EUROZONE, ISO_COUNTRIES, Market, Territory, covered
from syncengine.errors import UsageInvalid

WORLD = Territory(regions_included=("WORLD",))


def test_the_countries_are_those_of_the_time_zone_database():
    lines = (files("tzdata") / "zoneinfo" / "iso3166.tab").read_text(encoding="utf-8").splitlines()
    known = {line.split("\t")[0] for line in lines if line and not line.startswith("#")}
    assert known == ISO_COUNTRIES
    assert 249 == len(ISO_COUNTRIES)


def test_the_eurozone_is_the_list_s_own_count():
    """List 49: the 21 states of the euro since 2026, then Andorra, Monaco, San Marino, the Vatican, Montenegro, Kosovo."""
    states = "AT BE BG CY DE EE ES FI FR GR HR IE IT LT LU LV MT NL PT SI SK"
    others = "AD MC SM VA ME XK"
    assert f"{states} {others}".split() == sorted(EUROZONE, key=f"{states} {others}".find)


@pytest.mark.parametrize("text", ["CA/CAD", " ca/cad ", "Ca/Cad"])
def test_markets_are_read(text):
    assert Market(country="CA", currency="CAD") == Market.parse(text)
    assert "CA/CAD" == str(Market.parse(text))


@pytest.mark.parametrize(
    "text", ["", "CA", "CA-CAD", "CAN/CAD", "CA/CA", "XX/CAD", "CA/CAD/", "CA/CAD\nUS/USD", "C4/CAD"]
)
def test_anything_else_is_no_market(text):
    with pytest.raises(UsageInvalid):
        Market.parse(text)


@pytest.mark.parametrize(
    ("territory", "covered", "not_covered"),
    [
        (Territory(countries_included=("CA", "FR")), ["CA", "FR"], ["US", "C", "A", "AF"]),
        (WORLD, ["CA", "FR", "ZW"], ["XX"]),
        (Territory(regions_included=("WORLD",), countries_excluded=("US",)), ["CA"], ["US"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("CA-QC",)), ["US"], ["CA"]),
        (Territory(countries_included=("CA",), regions_excluded=("CA-QC",)), [], ["CA"]),
        (Territory(regions_included=("CA-QC",)), [], ["CA"]),
        (Territory(countries_included=("FR",), regions_included=("CA-QC",)), ["FR"], ["CA"]),
        (Territory(regions_included=("ECZ",)), ["FR", "DE", "BG"], ["CH", "GB"]),
        (Territory(regions_included=("ECZ",), countries_excluded=("FR",)), ["DE"], ["FR"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("US",)), ["CA"], ["US"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("ECZ",)), ["CA", "GB"], ["FR", "DE"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("ATLANTIS",)), [], ["CA", "FR"]),
        (Territory(regions_included=("ATLANTIS",)), [], ["CA"]),
        (Territory(countries_included=("CA",), regions_included=("ATLANTIS",)), ["CA"], ["US"]),
        (Territory(regions_included=("WORLD",), countries_excluded=("UK",)), [], ["CA", "GB"]),
        (Territory(regions_included=("WORLD",), countries_excluded=("FR,BE",)), [], ["CA", "FR"]),
        (Territory(regions_included=("WORLD",), countries_excluded=("AN", "FX", "TP", "XK", "ZR")), ["CA", "FR"], []),
        (Territory(countries_included=("CA", "UK")), ["CA"], ["GB"]),
        (Territory(regions_included=("FR",)), [], ["FR"]),
        (Territory(regions_included=("ROW",)), ["CA", "FR"], ["XX"]),
        (Territory(), [], ["CA"]),
    ],
)
def test_coverage(territory, covered, not_covered):
    assert covered == [country for country in covered + not_covered if territory.covers(country)]


@pytest.mark.parametrize(
    ("territory", "touched", "untouched"),
    [
        (Territory(regions_included=("CA-QC",)), ["CA"], ["US"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("CA-QC",)), ["CA", "US"], []),
        (Territory(regions_included=("WORLD",), countries_excluded=("CA",)), ["US"], ["CA"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("ECZ",)), ["CA"], ["FR"]),
        (Territory(regions_included=("WORLD",), regions_excluded=("ATLANTIS",)), ["CA"], []),
        (Territory(regions_included=("FR",)), ["FR"], ["CA"]),
        (Territory(regions_included=("ATLANTIS",)), ["CA", "FR"], []),
        (Territory(countries_included=("UK",)), ["CA", "GB"], []),
        (Territory(countries_included=("FR,BE",)), ["CA", "FR"], []),
        (Territory(countries_included=("AN", "FX", "XK")), [], ["CA", "FR"]),
        (Territory(regions_included=("WORLD",), countries_excluded=("UK",)), ["CA", "GB"], []),
        (Territory(countries_included=("FR",)), ["FR"], ["CA", "F"]),
        (Territory(), [], ["CA"]),
    ],
)
def test_a_part_touches_its_country(territory, touched, untouched):
    assert touched == [country for country in touched + untouched if territory.touches(country)]


CANADA = Territory(countries_included=("CA",))
WITHOUT_QUEBEC = Territory(countries_included=("CA",), regions_excluded=("CA-QC",))
WITHOUT_ONTARIO = Territory(regions_included=("WORLD",), regions_excluded=("CA-ON", "CA-QC"))
QUEBEC = Territory(regions_included=("CA-QC",))


@pytest.mark.parametrize(
    ("territories", "expected"),
    [
        ([], False),
        ([CANADA], True),
        ([WITHOUT_QUEBEC], False),
        ([QUEBEC], False),
        ([WITHOUT_QUEBEC, QUEBEC], True),
        ([WITHOUT_ONTARIO, QUEBEC], False),
        ([WITHOUT_ONTARIO, WITHOUT_QUEBEC], False),
        ([WITHOUT_QUEBEC, Territory(countries_included=("CA",), regions_excluded=("CA-ON",))], True),
        ([WITHOUT_QUEBEC, CANADA], True),
        ([Territory(countries_included=("CA",), regions_included=("CA-QC",), regions_excluded=("CA-QC",))], False),
        ([WITHOUT_QUEBEC, Territory(regions_included=("CA-QC",), regions_excluded=("ATLANTIS",))], False),
    ],
)
def test_territories_hold_a_country_together(territories, expected):
    """Canada without Quebec is neither Canada nor nothing: beside Quebec it is all of it."""
    assert expected is covered(territories, "CA")
    assert expected is covered(reversed(territories), "CA")


def test_the_rest_of_the_world_is_what_a_territory_does_not_name():
    assert (
        Territory(countries_included=("FR",)) == Territory(countries_included=("FR",), regions_included=("ROW",)).named
    )
    assert CANADA == CANADA.named


def test_countries_are_those_named_less_those_excluded():
    assert frozenset({"CA", "FR"}) == Territory(countries_included=("CA", "FR")).countries()
    assert ISO_COUNTRIES - {"US"} == Territory(regions_included=("WORLD",), countries_excluded=("US",)).countries()
    assert ISO_COUNTRIES - {"US"} == Territory(regions_included=("WORLD",), regions_excluded=("US",)).countries()
    assert frozenset() == Territory(regions_included=("CA-QC",)).countries()


def test_a_country_that_is_covered_is_among_the_countries():
    for territory in (WORLD, Territory(regions_included=("ECZ",)), Territory(countries_included=("CA", "XK"))):
        assert territory.countries() == {c for c in ISO_COUNTRIES | {"XK"} if territory.covers(c)}


def test_only_what_includes_nothing_is_empty():
    assert Territory().is_empty
    assert Territory(countries_excluded=("US",)).is_empty
    assert not WORLD.is_empty
    assert not Territory(countries_included=("CA",)).is_empty
