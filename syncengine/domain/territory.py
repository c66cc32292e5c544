"""Countries, markets, and ONIX territories as sets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from syncengine.errors import UsageInvalid

_MARKET = re.compile(r"([A-Z]{2})/([A-Z]{3})")

ISO_COUNTRIES: frozenset[str] = frozenset(
    [
        "AD",
        "AE",
        "AF",
        "AG",
        "AI",
        "AL",
        "AM",
        "AO",
        "AQ",
        "AR",
        "AS",
        "AT",
        "AU",
        "AW",
        "AX",
        "AZ",
        "BA",
        "BB",
        "BD",
        "BE",
        "BF",
        "BG",
        "BH",
        "BI",
        "BJ",
        "BL",
        "BM",
        "BN",
        "BO",
        "BQ",
        "BR",
        "BS",
        "BT",
        "BV",
        "BW",
        "BY",
        "BZ",
        "CA",
        "CC",
        "CD",
        "CF",
        "CG",
        "CH",
        "CI",
        "CK",
        "CL",
        "CM",
        "CN",
        "CO",
        "CR",
        "CU",
        "CV",
        "CW",
        "CX",
        "CY",
        "CZ",
        "DE",
        "DJ",
        "DK",
        "DM",
        "DO",
        "DZ",
        "EC",
        "EE",
        "EG",
        "EH",
        "ER",
        "ES",
        "ET",
        "FI",
        "FJ",
        "FK",
        "FM",
        "FO",
        "FR",
        "GA",
        "GB",
        "GD",
        "GE",
        "GF",
        "GG",
        "GH",
        "GI",
        "GL",
        "GM",
        "GN",
        "GP",
        "GQ",
        "GR",
        "GS",
        "GT",
        "GU",
        "GW",
        "GY",
        "HK",
        "HM",
        "HN",
        "HR",
        "HT",
        "HU",
        "ID",
        "IE",
        "IL",
        "IM",
        "IN",
        "IO",
        "IQ",
        "IR",
        "IS",
        "IT",
        "JE",
        "JM",
        "JO",
        "JP",
        "KE",
        "KG",
        "KH",
        "KI",
        "KM",
        "KN",
        "KP",
        "KR",
        "KW",
        "KY",
        "KZ",
        "LA",
        "LB",
        "LC",
        "LI",
        "LK",
        "LR",
        "LS",
        "LT",
        "LU",
        "LV",
        "LY",
        "MA",
        "MC",
        "MD",
        "ME",
        "MF",
        "MG",
        "MH",
        "MK",
        "ML",
        "MM",
        "MN",
        "MO",
        "MP",
        "MQ",
        "MR",
        "MS",
        "MT",
        "MU",
        "MV",
        "MW",
        "MX",
        "MY",
        "MZ",
        "NA",
        "NC",
        "NE",
        "NF",
        "NG",
        "NI",
        "NL",
        "NO",
        "NP",
        "NR",
        "NU",
        "NZ",
        "OM",
        "PA",
        "PE",
        "PF",
        "PG",
        "PH",
        "PK",
        "PL",
        "PM",
        "PN",
        "PR",
        "PS",
        "PT",
        "PW",
        "PY",
        "QA",
        "RE",
        "RO",
        "RS",
        "RU",
        "RW",
        "SA",
        "SB",
        "SC",
        "SD",
        "SE",
        "SG",
        "SH",
        "SI",
        "SJ",
        "SK",
        "SL",
        "SM",
        "SN",
        "SO",
        "SR",
        "SS",
        "ST",
        "SV",
        "SX",
        "SY",
        "SZ",
        "TC",
        "TD",
        "TF",
        "TG",
        "TH",
        "TJ",
        "TK",
        "TL",
        "TM",
        "TN",
        "TO",
        "TR",
        "TT",
        "TV",
        "TW",
        "TZ",
        "UA",
        "UG",
        "UM",
        "US",
        "UY",
        "UZ",
        "VA",
        "VC",
        "VE",
        "VG",
        "VI",
        "VN",
        "VU",
        "WF",
        "WS",
        "YE",
        "YT",
        "ZA",
        "ZM",
        "ZW",
    ]
)
"""ISO 3166-1 alpha-2, as in ONIX list 91; a test holds it against the list of a maintained package."""

EUROZONE: frozenset[str] = frozenset(
    [
        "AD",
        "AT",
        "BE",
        "BG",
        "CY",
        "DE",
        "EE",
        "ES",
        "FI",
        "FR",
        "GR",
        "HR",
        "IE",
        "IT",
        "LT",
        "LU",
        "LV",
        "MC",
        "ME",
        "MT",
        "NL",
        "PT",
        "SI",
        "SK",
        "SM",
        "VA",
        "XK",
    ]
)
"""List 49 `ECZ`: the states that use the euro (with those that use it by agreement or custom)."""


_WITHDRAWN_CODES = "AN BU CS CT DD DY FQ FX HV JT MI NH NQ NT PC PU PZ RH SU TP VD WK YD YU ZR"
"""ISO 3166-3: codes of countries that are no more, which some senders go on excluding."""

_KNOWN_COUNTRIES = ISO_COUNTRIES.union(["XK"], _WITHDRAWN_CODES.split())
"""With Kosovo, whose code is not ISO's."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Market:
    """A country (ISO 3166-1 alpha-2) and a currency (ISO 4217): where and in what money a title is sold."""

    country: str
    currency: str

    @classmethod
    def parse(cls, text: str) -> Market:
        """Read `CA/CAD`; raises UsageInvalid for anything else."""
        match = _MARKET.fullmatch(text.strip().upper())
        if not match or match[1] not in ISO_COUNTRIES:
            raise UsageInvalid(f"{text!r} is no market", hint="write country/currency, for example CA/CAD")
        return cls(country=match[1], currency=match[2])

    def __str__(self) -> str:
        return f"{self.country}/{self.currency}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Territory:
    """An ONIX `Territory`: codes of list 91 (countries) and list 49 (regions), sorted, each once (reference/onix.md 2.12).

    It is a set in which a country and its subdivisions are kept apart: "CA without CA-QC" is neither CA nor nothing.
    """

    countries_included: tuple[str, ...] = ()
    regions_included: tuple[str, ...] = ()
    countries_excluded: tuple[str, ...] = ()
    regions_excluded: tuple[str, ...] = ()

    def covers(self, country: str) -> bool:
        """Whether the whole country belongs to it.

        A country of which only some regions are named, or one with a region excluded, is not wholly covered and counts as
        not covered: a shop knows its customer's country, not the province.
        """
        return _covers(self._codes, country)

    def touches(self, country: str) -> bool:
        """Whether the country or any region of it belongs to it: where a ban on a part must be read as a ban on the whole.

        A region or a country that nobody knows may be anywhere.
        """
        return _touches(self._codes, country)

    def countries(self) -> frozenset[str]:
        """Every country that is named or lies in a named supra-national region, less those excluded."""
        return _expand(self._codes)

    @property
    def named(self) -> Territory:
        """The same without 2.1's ROW, which means whatever the record's other territories do not name."""
        if _REST_OF_WORLD not in self.regions_included:
            return self
        return replace(self, regions_included=tuple(code for code in self.regions_included if code != _REST_OF_WORLD))

    @property
    def _codes(self) -> _Codes:
        """What answers are remembered by: plain tuples are found faster than what they make up."""
        return self.countries_included, self.regions_included, self.countries_excluded, self.regions_excluded

    @property
    def is_empty(self) -> bool:
        """Whether nothing is included."""
        return not self.countries_included and not self.regions_included


_Codes = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""The codes of a territory, in the order of its fields."""


def covered(territories: Iterable[Territory], country: str) -> bool:
    """Whether the territories together hold the whole country: a region that one excludes another may include.

    One that excludes a region or a country nobody knows holds nothing.
    """
    known = [each for each in territories if not _are_unknown(each.countries_excluded, each.regions_excluded)]
    lacking = [_lacks(territory, country) for territory in known if country in territory.countries()]
    regions = {region for each in known for region in each.regions_included if region not in each.regions_excluded}
    return bool(lacking) and frozenset.intersection(*lacking) <= regions


def _lacks(territory: Territory, country: str) -> frozenset[str]:
    """The regions of the country that are excluded."""
    return frozenset(region for region in territory.regions_excluded if _lies_in(region, country))


@lru_cache(maxsize=16384)
def _covers(codes: _Codes, country: str) -> bool:
    included, regions, excluded, regions_excluded = codes
    alone = Territory(
        countries_included=included,
        regions_included=regions,
        countries_excluded=excluded,
        regions_excluded=regions_excluded,
    )
    return covered([alone], country)


@lru_cache(maxsize=16384)
def _touches(codes: _Codes, country: str) -> bool:
    included, regions, _, _ = codes
    parts = (_lies_in(region, country) for region in regions)
    return country in _expand(codes) or any(parts) or _are_unknown(included, regions)


@lru_cache(maxsize=4096)
def _are_unknown(countries: tuple[str, ...], regions: tuple[str, ...]) -> bool:
    """Whether a code is among them that nobody knows: UK, `fr`, or `FR,BE` may be meant for any country."""
    named = (region.partition("-")[0] for region in regions if region not in _SUPRANATIONAL)
    return not _KNOWN_COUNTRIES.issuperset(countries) or not ISO_COUNTRIES.issuperset(named)


def _lies_in(region: str, country: str) -> bool:
    return region == country or region.startswith(f"{country}-")


_REST_OF_WORLD = "ROW"
_SUPRANATIONAL = {"WORLD": ISO_COUNTRIES, _REST_OF_WORLD: ISO_COUNTRIES, "ECZ": EUROZONE}
"""List 49, with 2.1's ROW; its other regions are each a country's."""


@lru_cache(maxsize=4096)
def _expand(codes: _Codes) -> frozenset[str]:
    included, excluded = set(codes[0]), set(codes[2])
    for region in codes[1]:
        included |= _SUPRANATIONAL.get(region, frozenset())
    for region in codes[3]:
        excluded |= _SUPRANATIONAL.get(region, {region})
    return frozenset(included - excluded)
