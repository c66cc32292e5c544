"""Elements as values for people: codes with their names, words, texts, dates, identifiers, links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from decimal import Decimal

from syncengine.domain.codes import DateFormat
from syncengine.domain.description import Coded, Identifier, RichText, RoledDate, Website
from syncengine.onix.codelists import CodeLists
from syncengine.onix.element import Element, bare_code
from syncengine.onix.safe_html import safe_text

NameOf = Callable[[int, str], str | None]
"""The name of a code of a list, by the list's number."""

# Around codes and words in feeds; inside words they may mean something.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"
_WEB_LINK = re.compile(r"https?://[^\s<>\"]+", re.IGNORECASE)
_FILE_LINK = re.compile(r"(?:https?|ftp)://[^\s<>\"]+", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,15})?", re.ASCII)
_CALENDAR_DAY = re.compile(r"([0-9]{4})(?:-?([0-9]{2})(?:-?([0-9]{2}))?)?(?:[T ].*)?")
_CALENDAR_FORMATS = frozenset(
    [None, DateFormat.DAY, DateFormat.MONTH, DateFormat.YEAR, DateFormat.MINUTE, DateFormat.SECOND]
)
_PUBLIC_AUDIENCES = frozenset(["00", "03"])
"""List 154: unrestricted, end customers."""


class Wording:
    """Reads with the names of one issue of the code lists and a message's default language."""

    def __init__(self, default_language: str | None, name_of: NameOf) -> None:
        self._default_language = default_language
        self._name_of = name_of

    # --- codes

    def name(self, number: int | None, code: str | None) -> str | None:
        """What a code of a list is called; none where the list or the code is not known."""
        return None if number is None or code is None else self._name_of(number, code)

    def code(self, number: int | None, code: str) -> Coded:
        """A code with its name."""
        return Coded(code=code, name=self.name(number, code))

    def coded(self, element: Element, name: str) -> Coded | None:
        """The first child of that name, as a code of its list."""
        return next(iter(self.all_coded(element, name)), None)

    def all_coded(self, element: Element, name: str) -> tuple[Coded, ...]:
        """Every child of that name, as codes of its list."""
        number = CodeLists.list_of(name)
        return tuple(self.code(number, code) for code in codes(element, name))

    # --- texts

    def text(self, element: Element) -> RichText | None:
        """The text inside an element; none where it says nothing."""
        html, plain = safe_text(element)
        language = bare_code(element.attribute("language") or "") or self._default_language
        return RichText(html=html, plain=plain, language=language) if plain else None

    def texts(self, element: Element, name: str) -> tuple[RichText, ...]:
        """The texts inside the children of that name."""
        return tuple(filter(None, map(self.text, element.all(name))))

    # --- composites that stand in many places

    def identifiers(self, element: Element, name: str, scheme: str) -> tuple[Identifier, ...]:
        """Identifier composites of that name, whose scheme is in the child `scheme`; those without a value are left out."""
        return tuple(
            Identifier(type=self.coded(found, scheme), value=value, type_name=words(found, "IDTypeName"))
            for found in element.all(name)
            if (value := words(found, "IDValue"))
        )

    def dates(self, element: Element, name: str) -> tuple[RoledDate, ...]:
        """Date composites of that name; those without a date are left out."""
        return tuple(
            RoledDate(role=self.coded(found, f"{name}Role"), text=text, format=form, iso=_iso_date(text, form))
            for found in element.all(name)
            if (text := words(found, "Date"))
            for form in [_date_format(found)]
        )

    def websites(self, element: Element) -> tuple[Website, ...]:
        """Websites that have an address."""
        return tuple(
            Website(
                link=link, role=self.coded(found, "WebsiteRole"), descriptions=all_words(found, "WebsiteDescription")
            )
            for found in element.all("Website")
            for link in all_words(found, "WebsiteLink")
            if _WEB_LINK.fullmatch(link)
        )

    def audiences(self, element: Element) -> tuple[tuple[Coded, ...], bool]:
        """The audiences of a text or a resource (list 154), and whether customers are among them, which no audience means too."""
        audiences = self.all_coded(element, "ContentAudience")
        return audiences, not audiences or any(audience.code in _PUBLIC_AUDIENCES for audience in audiences)


def codes(element: Element, name: str) -> tuple[str, ...]:
    """The codes in the children of that name, without stray blanks."""
    return tuple(filter(None, (bare_code(found.content()) for found in element.all(name))))


def words(element: Element, name: str) -> str | None:
    """The first child of that name that says something, on one line."""
    return next(iter(all_words(element, name)), None)


def all_words(element: Element, name: str) -> tuple[str, ...]:
    """The children of that name that say something, each on one line."""
    return tuple(filter(None, (_on_one_line(found.content()) for found in element.all(name))))


def plain_words(element: Element, name: str) -> tuple[str, ...]:
    """The same where senders may have put markup, which is left out."""
    return tuple(filter(None, (_on_one_line(safe_text(found).plain) for found in element.all(name))))


def links(element: Element, name: str) -> tuple[str, ...]:
    """The addresses in the children of that name; nothing that a page must not link to."""
    return tuple(link for link in all_words(element, name) if _FILE_LINK.fullmatch(link))


def number(text: str | None) -> Decimal | None:
    """A plain decimal number."""
    return Decimal(text) if text and _NUMBER.fullmatch(text) else None


def in_sequence(elements: Sequence[Element]) -> list[Element]:
    """By their numbers where each has one, else as they stand (reference/onix.md 2.14)."""
    numbers = [number(words(element, "SequenceNumber")) for element in elements]
    if None in numbers:
        return list(elements)
    return [element for _, element in sorted(zip(numbers, elements, strict=True), key=lambda pair: pair[0] or 0)]


def joined(parts: Iterable[str | None], glue: str = " ") -> str | None:
    """The parts that are there; none where there is none."""
    return glue.join(filter(None, parts)) or None


def territory(element: Element) -> str | None:
    """The codes of the first `Territory`: `WORLD without CA US`; none where there is none."""
    found = element.child("Territory")
    if found is None:
        return None
    included, excluded = (
        joined(codes(found, f"Regions{part}") + codes(found, f"Countries{part}")) for part in ("Included", "Excluded")
    )
    return joined((included, excluded and f"without {excluded}"))


def _on_one_line(text: str) -> str:
    return " ".join(text.split()).strip(_INVISIBLE)


def _date_format(dated: Element) -> str | None:
    """The attribute of 3.1, else the child of 3.0 (reference/onix.md 2.9)."""
    written = dated.child("Date")
    attribute = written.attribute("dateformat") if written else None
    return bare_code(attribute or "") or next(iter(codes(dated, "DateFormat")), None)


def _iso_date(text: str, form: str | None) -> str | None:
    """The day, month or year that is written, whatever the zone."""
    found = _CALENDAR_DAY.fullmatch(text) if form in _CALENDAR_FORMATS else None
    if found is None:
        return None
    try:
        date(*(int(part or 1) for part in found.groups()))
    except ValueError:
        return None
    return joined(found.groups(), "-")
