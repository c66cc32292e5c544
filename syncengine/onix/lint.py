"""What is odd inside a record that can be read all the same; it is told, and changes nothing (reference/onix.md 2.17)."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from html.entities import html5
from typing import Final

from syncengine.domain.passes import Noted, WarningKind
from syncengine.onix.codelists import LIST_OF_ELEMENT, CodeLists
from syncengine.onix.element import Element, bare_code

_EXCERPT: Final = 40

_TERRITORY_PARTS: Final = frozenset({"CountriesIncluded", "CountriesExcluded", "RegionsIncluded", "RegionsExcluded"})
"""Elements that hold many codes, with blanks between."""

_NAMES: Final = frozenset(
    {
        *("TitleText", "TitlePrefix", "TitleWithoutPrefix", "Subtitle", "TitleStatement"),
        *("PersonName", "PersonNameInverted", "NamesBeforeKey", "KeyNames", "CorporateName", "CorporateNameInverted"),
        *("ImprintName", "PublisherName", "SupplierName"),
    }
)
"""Titles and names: plain texts that say a fact in a few words."""

_FILLERS: Final = frozenset(
    {
        *("n/a", "n.a.", "n/a.", "#n/a", "tbc", "tba", "tbd", "unknown", "none", "null", "nil"),
        *("-", "--", "---", "\u2013", "\u2014", ".", "...", "?", "???", "xxx"),
        *("to be announced", "to be confirmed", "not available", "not applicable", "no title"),
    }
)
_LONGEST_FILLER: Final = max(map(len, _FILLERS))
_ENTITY: Final = re.compile(r"&(?:#[0-9]+|#x[0-9A-Fa-f]+|[A-Za-z][A-Za-z0-9]*);")

_NEW_IN_31: Final = frozenset(
    {
        *(
            "AffiliationIDType",
            "AffiliationIdentifier",
            "AwardingBody",
            "CollectionElementLevel",
            "CollectionFrequency",
        ),
        *("CopyrightStatementText", "EpubLicenseDate", "EpubLicenseDateRole", "ImprintNameInverted", "MainAudience"),
        *("MarketReference", "PostalCode", "PrizeIDType", "PrizeIdentifier", "PublisherNameInverted"),
        *("SubjectDescription", "TextSource", "TextSourceLink"),
    }
)
"""Elements of the schema of 3.1 revision 3 that the one of 3.0 revision 8 has not."""


def lint(product: Element, release: str, codes: CodeLists) -> list[Noted]:
    """Codes that are unknown or stand between blanks, elements of a later release, fillers and double escapes in names."""
    later = _later(release)
    plain = _plain_texts(codes, later)
    elements, odd = [product], []
    for element in elements:
        name, _, text, children, _ = element
        if children:
            elements.extend(children)
        if name in plain and text not in plain[name]:
            odd.append(element)
    if not odd:
        return []
    return [*_later_release(odd, release, later), *_in_codes(odd, codes), *_in_names(odd)]


def plain_texts(release: str, codes: CodeLists) -> Mapping[str, Container[str | None]]:
    """By reference names the texts about which `lint` has nothing to tell, in elements without children; any where a name has none."""
    plain = _plain_texts(codes, _later(release))
    territories = {name: _Territories(name, codes) for name in _TERRITORY_PARTS if name in plain}
    return {**plain, **territories, **dict.fromkeys(_NAMES, _PlainNames())}


def refused(release: str) -> Collection[str]:
    """The reference names of elements about which it always has."""
    return _later(release)


class _Territories:
    """Lists of codes that are all known."""

    def __init__(self, name: str, codes: CodeLists) -> None:
        self._name = name
        self._codes = codes

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and not _unknown(self._name, text, self._codes)[0]


class _PlainNames:
    """Names that are no fillers, and refer to nothing."""

    def __contains__(self, text: object) -> bool:
        if not isinstance(text, str) or ("&" in text and ";" in text):
            return False
        return len(text) > _LONGEST_FILLER or text.strip().casefold() not in _FILLERS


def _later(release: str) -> frozenset[str]:
    return _NEW_IN_31 if release.startswith("3.0") else frozenset()


@lru_cache(maxsize=8)
def _plain_texts(codes: CodeLists, later: frozenset[str]) -> Mapping[str, Container[str | None]]:
    """For each element that is looked at, the texts that need no second look: most of a record needs none."""
    known = {name: codes.lists[number].codes for name, number in LIST_OF_ELEMENT.items() if number in codes.lists}
    return {**known, **dict.fromkeys(_NAMES | later, ())}


def _later_release(odd: Sequence[Element], release: str, later: frozenset[str]) -> Iterator[Noted]:
    if strange := later.intersection(element.name for element in odd):
        says = f"{', '.join(sorted(strange))} of release 3.1 in a message of release {release}"
        yield Noted(WarningKind.RELEASE, says)


def _in_codes(odd: Sequence[Element], codes: CodeLists) -> Iterator[Noted]:
    told: set[tuple[int, str]] = set()
    for element in odd:
        number = codes.list_of(element.name)
        if number is None or number not in codes.lists or element.children or not element.text:
            continue
        unknown, is_stripped = _unknown(element.name, element.text, codes)
        if is_stripped:
            yield stripped_code(element.name)
        for code in unknown:
            if (number, code) not in told:
                told.add((number, code))
                yield unknown_code(code, number, element.name, codes)


def stripped_code(element: str) -> Noted:
    """The warning of blanks, seen or unseen, around a code."""
    return Noted(WarningKind.STRIPPED_CODE, f"blanks stripped from {element}")


def unknown_code(code: str, number: int, element: str, codes: CodeLists) -> Noted:
    """The warning of a code that its list does not have: most likely that of a later issue."""
    where = f"list {number} ({element}), Issue {codes.issue_of(number)}"
    return Noted(WarningKind.UNKNOWN_CODE, f"code {code[:_EXCERPT]!r} is not in {where}")


@lru_cache(maxsize=4096)
def _unknown(name: str, text: str, codes: CodeLists) -> tuple[tuple[str, ...], bool]:
    """The codes in an element's text that its list does not have, and whether blanks had to be stripped to read them."""
    bare, known = bare_code(text), codes.lists[LIST_OF_ELEMENT[name]].codes
    if name in _TERRITORY_PARTS:
        return tuple(code for code in bare.split() if code not in known), False
    return (() if not bare or bare in known else (bare,)), bare != text


def _in_names(odd: Sequence[Element]) -> Iterator[Noted]:
    for element in odd:
        if element.name in _NAMES and (text := element.content()):
            if len(text) <= _LONGEST_FILLER and text.strip().casefold() in _FILLERS:
                yield Noted(WarningKind.FILLER, f"{element.name} {text.strip()!r} is a filler, no fact")
            if "&" in text and element.attribute("textformat") is None:
                yield from _double_escaped(element.name, text)


def _double_escaped(name: str, text: str) -> Iterator[Noted]:
    for found in _ENTITY.findall(text):
        if found[1] == "#" or found[1:] in html5:
            yield Noted(WarningKind.ENTITIES, f"double-escaped {found} in {name} kept as text")
