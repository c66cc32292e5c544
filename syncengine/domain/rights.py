"""Rights to sell in a country, and the restrictions beside them: lists 46 and 71 (reference/onix.md 2.12)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from syncengine.domain.codes import SalesRestrictionType, SalesRightsType
from syncengine.domain.product import Product, SalesRights
from syncengine.domain.territory import covered

_FOR_SALE = frozenset({SalesRightsType.EXCLUSIVE, SalesRightsType.NON_EXCLUSIVE})
_RESTRICTED = frozenset({SalesRightsType.EXCLUSIVE_RESTRICTED, SalesRightsType.NON_EXCLUSIVE_RESTRICTED})
_NOT_FOR_SALE = frozenset(
    {
        SalesRightsType.NOT_FOR_SALE,
        SalesRightsType.NOT_FOR_SALE_THOUGH_EXCLUSIVE,
        SalesRightsType.NOT_FOR_SALE_THOUGH_NON_EXCLUSIVE,
        SalesRightsType.NO_RIGHTS,
    }
)

_HARMLESS = frozenset(
    {
        SalesRestrictionType.NOT_TO_LIBRARIES,
        SalesRestrictionType.NOT_TO_SUBSCRIPTIONS,
        SalesRestrictionType.ONLINE_ONLY,
        SalesRestrictionType.NOT_TO_SCHOOLS,
        SalesRestrictionType.NOT_BY_POD,
        SalesRestrictionType.NOT_TO_SOME_SUBSCRIPTIONS,
        SalesRestrictionType.NOT_TO_EDUCATION,
        SalesRestrictionType.NONE,
    }
)
_KNOWN_RESTRICTIONS: frozenset[str] = frozenset(SalesRestrictionType)


class Rights(Enum):
    """What the rights allow in a country."""

    FOR_SALE = "for sale"
    RESTRICTED = "for sale under restrictions that must be stated beside it"
    NOT_FOR_SALE = "not for sale"
    UNKNOWN = "not stated, or in words nobody knows"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightsInCountry:
    """The verdict on a country, its reason, and the statements that grant it.

    `grants` is empty where ROWSalesRightsType grants it, and where nothing does.
    """

    verdict: Rights
    says: str
    grants: tuple[SalesRights, ...] = ()


class Access(Enum):
    """What restrictions leave to a shop that sells to anyone on the web."""

    OPEN = "does not concern this shop"
    INTERNAL = "is internal to the publisher: not to be listed"
    CLOSED = "shuts this shop out"
    UNKNOWN = "is in words nobody knows"


def rights_in(product: Product, country: str) -> RightsInCountry:
    """What SalesRights and ROWSalesRightsType say of the country.

    - Of what contradicts itself nothing is for sale. A ban that touches a part of the country is a ban on all of it; grants
      must together hold the whole.
    - ROWSalesRightsType speaks for countries that no statement names, and so does 2.1's territory ROW.
    - No rights at all are unknown, which is not worldwide.
    """
    return _rights_in(product.sales_rights, product.rest_of_world_rights, country)


@lru_cache(maxsize=4096)
def _rights_in(statements: tuple[SalesRights, ...], rest_of_world: str | None, country: str) -> RightsInCountry:
    """Most records of a catalogue state the same rights."""
    concerned = _concerned(statements, country)
    if not concerned:
        return _rest_of_world(statements, rest_of_world, country)
    types = ", ".join(sorted({rights.type or "without type" for rights in concerned}))
    verdict = _weakest([_verdict(rights.type) for rights in concerned])
    if verdict is Rights.NOT_FOR_SALE or verdict is Rights.UNKNOWN:
        return RightsInCountry(verdict=verdict, says=f"SalesRights {types} touch {country}: {verdict.value}")
    if not covered((rights.territory for rights in concerned), country):
        return RightsInCountry(verdict=Rights.NOT_FOR_SALE, says=f"only a part of {country} has sales rights")
    return RightsInCountry(verdict=verdict, says=f"SalesRights {types} cover {country}", grants=concerned)


def access(restrictions: Collection[str]) -> tuple[Access, str]:
    """What the restrictions (list 71) together leave to this shop, and the codes that decide it.

    Who is named beside a code is not among the facts, so "only by these retailers" and "by others than these" both shut it out.
    """
    if not restrictions:
        return Access.OPEN, ""
    found = {code: _access(code) for code in restrictions}
    for worst in (Access.INTERNAL, Access.CLOSED, Access.UNKNOWN):
        if codes := sorted(code for code, left in found.items() if left is worst):
            return worst, f"SalesRestriction {', '.join(codes)} {worst.value}"
    return Access.OPEN, ""


def _concerned(statements: Sequence[SalesRights], country: str) -> tuple[SalesRights, ...]:
    """Those that name the country or a part of it; where none does, those for the rest of the world."""
    named = tuple(rights for rights in statements if rights.territory.named.touches(country))
    return named or tuple(rights for rights in statements if rights.territory.touches(country))


def _rest_of_world(statements: Sequence[SalesRights], code: str | None, country: str) -> RightsInCountry:
    if code:
        verdict = _verdict(code)
        return RightsInCountry(verdict=verdict, says=f"ROWSalesRightsType {code} for {country}: {verdict.value}")
    if statements:
        return RightsInCountry(verdict=Rights.NOT_FOR_SALE, says=f"no SalesRights name {country}")
    says = f"the rights in {country} are not stated, which is not worldwide"
    return RightsInCountry(verdict=Rights.UNKNOWN, says=says)


def _verdict(code: str) -> Rights:
    if code in _FOR_SALE:
        return Rights.FOR_SALE
    if code in _NOT_FOR_SALE:
        return Rights.NOT_FOR_SALE
    return Rights.RESTRICTED if code in _RESTRICTED else Rights.UNKNOWN


def _weakest(verdicts: Sequence[Rights]) -> Rights:
    for verdict in (Rights.NOT_FOR_SALE, Rights.UNKNOWN, Rights.RESTRICTED):
        if verdict in verdicts:
            return verdict
    return Rights.FOR_SALE


def _access(code: str) -> Access:
    if code in _HARMLESS:
        return Access.OPEN
    if code == SalesRestrictionType.INTERNAL:
        return Access.INTERNAL
    return Access.CLOSED if code in _KNOWN_RESTRICTIONS else Access.UNKNOWN
