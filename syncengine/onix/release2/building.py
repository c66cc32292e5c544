"""Small parts that the shape of ONIX 3 is built from."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from syncengine.onix.element import Element, bare_code

_DATE_FORMATS: Final = {8: "00", 6: "01", 4: "05"}
_WORLD, _REST = "WORLD", "ROW"


def leaf(name: str, text: str, **attributes: str) -> Element:
    """An element with a text."""
    return Element(name, tuple(attributes.items()), text, (), None)


def composite(name: str, parts: Iterable[Element]) -> Element:
    """An element with children."""
    return Element(name, (), None, tuple(parts), None)


def filled(name: str, parts: Iterable[Element]) -> Iterator[Element]:
    """The composite, if it has any children."""
    if children := tuple(parts):
        yield composite(name, children)


def code(element: Element, name: str) -> str:
    """The code in a child, empty where there is none."""
    found = element.child(name)
    return bare_code(found.content()) if found is not None else ""


def codes(element: Element, *names: str) -> str:
    """The codes of all children of these names, with blanks between."""
    return " ".join(bare_code(child.content()) for name in names for child in element.all(name))


def chosen(element: Element, shape: str) -> Iterator[Element]:
    """The children that the shape names, in its order; `Old=New` renames one."""
    for old, new in _names(shape):
        for child in element.all(old):
            yield child if old == new else child._replace(name=new)


def reshaped(element: Element, name: str, shape: str) -> Element:
    """The composite under another name with the children that the shape names."""
    return element._replace(name=name, children=tuple(chosen(element, shape)))


def recoded(element: Element, name: str, table: Mapping[str, str]) -> Element:
    """The coded element under another name, its code by the table where that has it."""
    return element._replace(name=name, text=table.get(bare_code(element.content()), element.text))


def dated(name: str, role: str, day: Element | None, date_format: str = "") -> Iterator[Element]:
    """A date with its role; release 2 has the format beside some dates only, else the digits tell it (list 55)."""
    text = bare_code(day.content()) if day is not None else ""
    if not text:
        return
    known = date_format or (_DATE_FORMATS.get(len(text), "") if text.isdecimal() else "")
    date = leaf("Date", text, dateformat=known) if known else leaf("Date", text)
    yield composite(name, [leaf(f"{name}Role", role), date])


def territory(
    included: str,
    excluded: str = "",
    *,
    regions: str = "",
    no_regions: str = "",
    named_elsewhere: Collection[str] = (),
) -> Element | None:
    """A `Territory` from lists of codes with blanks between; none where there are none.

    ROW, which ONIX 3 has not, is the world without the countries that stand elsewhere. Exclusions alone are from the world.
    """
    countries, areas = set(included.split()), set(regions.split())
    no_countries, no_areas = set(excluded.split()), set(no_regions.split())
    if _REST in areas:
        areas = areas - {_REST} | {_WORLD}
        no_countries.update(set(named_elsewhere) - countries)
    elif not countries and not areas:
        if not no_countries and not no_areas:
            return None
        areas = {_WORLD}
    parts = {
        "CountriesIncluded": countries,
        "RegionsIncluded": areas,
        "CountriesExcluded": no_countries,
        "RegionsExcluded": no_areas,
    }
    return composite("Territory", [leaf(name, " ".join(sorted(found))) for name, found in parts.items() if found])


@lru_cache(maxsize=256)
def _names(shape: str) -> tuple[tuple[str, str], ...]:
    pairs = (word.partition("=") for word in shape.split())
    return tuple((old, new or old) for old, _, new in pairs)
