"""Countries, markets, and ONIX territories as sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
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
    """An ONIX `Territory`: codes of list 91 (countries) and list 49 (regions), sorted, each once (reference/onix.md 2.12)."""

    countries_included: tuple[str, ...] = ()
    regions_included: tuple[str, ...] = ()
    countries_excluded: tuple[str, ...] = ()
    regions_excluded: tuple[str, ...] = ()

    def covers(self, country: str) -> bool:
        """Whether the whole country belongs to it.

        A country of which only some regions are named, or one with a region excluded, is not wholly covered and counts as
        not covered: a shop knows its customer's country, not the province.
        """
        return self._includes(country) and not any(_lies_in(region, country) for region in self.regions_excluded)

    def touches(self, country: str) -> bool:
        """Whether the country or any region of it belongs to it: where a ban on a part must be read as a ban on the whole."""
        return self._includes(country) or any(_lies_in(region, country) for region in self.regions_included)

    def countries(self) -> frozenset[str]:
        """Every country that is named or lies in a named supra-national region, less those excluded."""
        return _expand(self)

    def _includes(self, country: str) -> bool:
        if country in self.countries_excluded or country in self.regions_excluded:
            return False
        return country in self.countries_included or any(
            country in _SUPRANATIONAL.get(region, ()) for region in self.regions_included
        )

    @property
    def is_empty(self) -> bool:
        """Whether nothing is included."""
        return not self.countries_included and not self.regions_included


def _lies_in(region: str, country: str) -> bool:
    return region.startswith(f"{country}-")


_SUPRANATIONAL = {"WORLD": ISO_COUNTRIES, "ROW": ISO_COUNTRIES, "ECZ": EUROZONE}


@lru_cache(maxsize=4096)
def _expand(territory: Territory) -> frozenset[str]:
    included = set(territory.countries_included)
    for region in territory.regions_included:
        included |= _SUPRANATIONAL.get(region, frozenset())
    return frozenset(included.difference(territory.countries_excluded, territory.regions_excluded))
