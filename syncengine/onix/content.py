"""What is in a product and for whom: languages, extents, illustrations, subjects, audience."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from syncengine.domain.description import (
    AncillaryContent,
    Audience,
    AudienceCode,
    AudienceRange,
    Extent,
    Extents,
    Identifier,
    Illustrations,
    Language,
    Subject,
)
from syncengine.onix.element import Element
from syncengine.onix.wording import Wording, all_words, codes, number, plain_words, words

_KEYWORDS = "20"
"""List 27."""

_AUDIENCE_LISTS = {"01": 28, "22": 203, "27": 74}
"""The same of an audience code, by its type (list 29)."""

_EXACTLY, _FROM, _TO = "01", "03", "04"
"""List 31."""

_PAGE_COUNTS = ("00", "11", "05", "10", "08", "07", "06")
"""Of list 23, those that count pages of the content first: for the reader, then as printed, then as produced."""

_DURATIONS = ("09", "14", "16")
_TEXT_LENGTH, _FILE_SIZE = ("02",), ("22", "23")
_WORDS, _PAGES = "02", "03"
_SECONDS_OF_UNIT = {"04": 3600, "05": 60, "06": 1}
_CLOCK_UNITS = {"14": 3, "15": 5, "16": 7}
"""Of list 24, those that write hours, minutes and seconds in one number, with its width."""

_BYTES_OF_UNIT = {"17": 1, "18": 1_000, "19": 1_000_000}

Measuring = Callable[[Extent], int | None]
"""An extent in the unit wanted; none where it is in no unit that can be turned into it."""


# --- content


def languages(wording: Wording, descriptive: Element) -> tuple[Language, ...]:
    """Languages by their roles, in document order."""
    return tuple(
        Language(
            role=wording.coded(found, "LanguageRole"),
            language=language,
            country=wording.coded(found, "CountryCode"),
            script=wording.coded(found, "ScriptCode"),
        )
        for found in descriptive.all("Language")
        if (language := wording.coded(found, "LanguageCode"))
    )


def extents(wording: Wording, descriptive: Element) -> Extents:
    """All sizes, and those that shops show in one unit each."""
    found = tuple(
        Extent(type=wording.coded(extent, "ExtentType"), value=value, unit=wording.coded(extent, "ExtentUnit"))
        for extent in descriptive.all("Extent")
        if (value := words(extent, "ExtentValue") or words(extent, "ExtentValueRoman"))
    )
    seconds = _measured(found, _DURATIONS, _seconds)
    return Extents(
        page_count=_measured(found, _PAGE_COUNTS, lambda extent: _in_unit(extent, {_PAGES: 1})),
        duration_minutes=None if seconds is None else max(1, (seconds + 30) // 60),
        word_count=_measured(found, _TEXT_LENGTH, lambda extent: _in_unit(extent, {_WORDS: 1})),
        file_size_bytes=_measured(found, _FILE_SIZE, lambda extent: _in_unit(extent, _BYTES_OF_UNIT)),
        all=found,
    )


def _measured(extents: Iterable[Extent], types: Sequence[str], measure: Measuring) -> int | None:
    """The first extent of the best type that is a number in a unit which the measure knows."""
    of_types = [extent for extent in extents if extent.type and extent.type.code in types]
    ranked = sorted(of_types, key=lambda extent: types.index(extent.type.code if extent.type else ""))
    return next(filter(None, map(measure, ranked)), None)


def _in_unit(extent: Extent, factors: Mapping[str, int]) -> int | None:
    factor = factors.get(extent.unit.code) if extent.unit else None
    value = number(extent.value)
    return None if factor is None or value is None else int(value * factor)


def _seconds(extent: Extent) -> int | None:
    """A duration; of a number like HHHMMSS leading zeroes may be missing."""
    width = _CLOCK_UNITS.get(extent.unit.code) if extent.unit else None
    if width is None:
        return _in_unit(extent, _SECONDS_OF_UNIT)
    digits = extent.value.zfill(width)
    if not digits.isdecimal():
        return None
    # Hours come first and have three digits; what follows the seconds are their hundredths.
    hours, minutes, seconds = digits[:3], digits[3:5] or "0", digits[5:7] or "0"
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds)


def illustrations(wording: Wording, descriptive: Element) -> Illustrations:
    """Pictures and other content beside the text."""
    return Illustrations(
        illustrated=wording.coded(descriptive, "Illustrated"),
        number=words(descriptive, "NumberOfIllustrations"),
        notes=wording.texts(descriptive, "IllustrationsNote"),
        ancillary_contents=tuple(
            AncillaryContent(
                type=wording.coded(found, "AncillaryContentType"),
                number=words(found, "Number"),
                descriptions=plain_words(found, "AncillaryContentDescription"),
            )
            for found in descriptive.all("AncillaryContent")
        ),
    )


# --- subjects


def subjects(wording: Wording, descriptive: Element) -> tuple[Subject, ...]:
    """Subjects in the schemes they are written in; keywords are apart."""
    return tuple(
        Subject(
            scheme=wording.coded(found, "SubjectSchemeIdentifier"),
            scheme_name=words(found, "SubjectSchemeName"),
            scheme_version=words(found, "SubjectSchemeVersion"),
            code=words(found, "SubjectCode"),
            headings=plain_words(found, "SubjectHeadingText"),
            is_main=found.child("MainSubject") is not None,
        )
        for found in descriptive.all("Subject")
        if _KEYWORDS not in codes(found, "SubjectSchemeIdentifier")
    )


def keywords(descriptive: Element) -> tuple[str, ...]:
    """The keywords one by one, each once, in whatever element they are sent.

    Semicolons part them (list 27, code 20), or commas where there is no semicolon.
    """
    found: dict[str, str] = {}
    for subject in descriptive.all("Subject"):
        if _KEYWORDS in codes(subject, "SubjectSchemeIdentifier"):
            for text in plain_words(subject, "SubjectHeadingText") or plain_words(subject, "SubjectCode"):
                for keyword in map(str.strip, text.split(";" if ";" in text else ",")):
                    found.setdefault(keyword.casefold(), keyword)
    return tuple(filter(None, found.values()))


# --- audience


def audience(wording: Wording, descriptive: Element) -> Audience:
    """Whom the product is for, in codes, ranges and words."""
    return Audience(
        codes=_audience_codes(wording, descriptive),
        ranges=_audience_ranges(wording, descriptive),
        descriptions=wording.texts(descriptive, "AudienceDescription"),
        complexities=_complexities(wording, descriptive),
    )


def _audience_codes(wording: Wording, descriptive: Element) -> tuple[AudienceCode, ...]:
    plain = tuple(
        AudienceCode(type=None, type_name=None, audience=code)
        for code in wording.all_coded(descriptive, "AudienceCode")
    )
    typed = (_audience_code(wording, found) for found in descriptive.all("Audience"))
    return plain + tuple(filter(None, typed))


def _audience_code(wording: Wording, found: Element) -> AudienceCode | None:
    kind, value = wording.coded(found, "AudienceCodeType"), words(found, "AudienceCodeValue")
    if value is None:
        return None
    code = wording.code(_AUDIENCE_LISTS.get(kind.code) if kind else None, value)
    return AudienceCode(type=kind, type_name=words(found, "AudienceCodeTypeName"), audience=code)


def _audience_ranges(wording: Wording, descriptive: Element) -> tuple[AudienceRange, ...]:
    """The ranges as sent; a "from" and the "to" that follows it in a composite of its own are one range."""
    ranges: list[AudienceRange] = []
    for element in descriptive.all("AudienceRange"):
        found, before = _audience_range(wording, element), ranges[-1] if ranges else None
        if before and before.qualifier == found.qualifier and before.highest is None and found.lowest is None:
            ranges[-1] = replace(before, highest=found.highest)
        else:
            ranges.append(found)
    return tuple(ranges)


def _audience_range(wording: Wording, found: Element) -> AudienceRange:
    """Precisions and values stand in pairs."""
    ends = dict(zip(codes(found, "AudienceRangePrecision"), all_words(found, "AudienceRangeValue"), strict=False))
    return AudienceRange(
        qualifier=wording.coded(found, "AudienceRangeQualifier"),
        lowest=ends.get(_EXACTLY) or ends.get(_FROM),
        highest=ends.get(_EXACTLY) or ends.get(_TO),
    )


def _complexities(wording: Wording, descriptive: Element) -> tuple[Identifier, ...]:
    return tuple(
        Identifier(type=wording.coded(found, "ComplexitySchemeIdentifier"), value=value)
        for found in descriptive.all("Complexity")
        if (value := words(found, "ComplexityCode"))
    )
