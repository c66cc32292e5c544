"""Block 2: texts, covers and samples, citations, prizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields

from syncengine.domain.description import (
    Citation,
    Feature,
    Prize,
    Resource,
    Resources,
    ResourceVersion,
    RichText,
    TextContent,
    Texts,
)
from syncengine.onix.element import Element
from syncengine.onix.wording import Wording, all_words, in_sequence, links, number, plain_words, territory, words

_TEXT_GROUPS = {
    "02": "short_descriptions",
    "03": "descriptions",
    "04": "contents",
    "05": "cover_copy",
    "06": "reviews",
    "07": "reviews",
    "08": "reviews",
    "09": "endorsements",
    "10": "headlines",
    "11": "features",
    "12": "biographies",
    "14": "excerpts",
    "18": "features",
    "27": "cover_copy",
    "32": "contents",
}
"""List 153."""

_RESOURCE_GROUPS = {
    "01": "front_covers",
    "02": "back_covers",
    "15": "samples",
    "16": "samples",
    "19": "guides",
    "20": "guides",
    "26": "trailers",
    "27": "thumbnails",
    "33": "guides",
}
"""List 158."""

_FORMATS_OF_FILES = 178
_CREDIT, _CAPTION = "01", "02"
_FILE_FORMAT, _HEIGHT, _WIDTH, _FILE_NAME, _MEGABYTES, _BYTES = "01", "02", "03", "04", "05", "07"
_UPDATED = "17"


# --- texts


def texts(wording: Wording, collateral: Element) -> Texts:
    """Every text with its type and source; one that comes in several languages stands once for each."""
    groups: dict[str, list[TextContent]] = {field.name: [] for field in fields(Texts)}
    for content in _in_order(collateral.all("TextContent"), "TextType"):
        for text in wording.texts(content, "Text"):
            found = _text_content(wording, content, text)
            groups[_TEXT_GROUPS.get(found.type.code if found.type else "", "others")].append(found)
    return Texts(**{name: tuple(group) for name, group in groups.items()})


def _in_order(contents: Iterable[Element], type_name: str) -> list[Element]:
    """Senders number within a type, so each type is put in order by itself."""
    by_type: dict[str | None, list[Element]] = {}
    for content in contents:
        by_type.setdefault(words(content, type_name), []).append(content)
    return [content for alike in by_type.values() for content in in_sequence(alike)]


def _text_content(wording: Wording, content: Element, text: RichText) -> TextContent:
    audiences, is_public = wording.audiences(content)
    return TextContent(
        type=wording.coded(content, "TextType"),
        text=text,
        is_public=is_public,
        audiences=audiences,
        territory=territory(content),
        authors=plain_words(content, "TextAuthor"),
        source_corporate=words(content, "TextSourceCorporate"),
        source_titles=plain_words(content, "SourceTitle"),
        dates=wording.dates(content, "ContentDate"),
    )


# --- resources


def resources(wording: Wording, collateral: Element) -> Resources:
    """Every resource with its files."""
    groups: dict[str, list[Resource]] = {field.name: [] for field in fields(Resources)}
    for element in _in_order(collateral.all("SupportingResource"), "ResourceContentType"):
        found = _resource(wording, element)
        groups[_RESOURCE_GROUPS.get(found.type.code if found.type else "", "others")].append(found)
    return Resources(**{name: tuple(group) for name, group in groups.items()})


def _resource(wording: Wording, resource: Element) -> Resource:
    audiences, is_public = wording.audiences(resource)
    features = resource.all("ResourceFeature")
    return Resource(
        type=wording.coded(resource, "ResourceContentType"),
        mode=wording.coded(resource, "ResourceMode"),
        is_public=is_public,
        audiences=audiences,
        territory=territory(resource),
        caption=_note(wording, features, _CAPTION),
        credit=_note(wording, features, _CREDIT),
        features=tuple(_feature(wording, feature, "ResourceFeatureType") for feature in features),
        versions=tuple(_version(wording, version) for version in resource.all("ResourceVersion")),
    )


def _note(wording: Wording, features: Iterable[Element], wanted: str) -> RichText | None:
    """The text of a feature; some senders put it where its value belongs."""
    for feature in features:
        if words(feature, "ResourceFeatureType") == wanted:
            found = wording.texts(feature, "FeatureNote") or wording.texts(feature, "FeatureValue")
            return next(iter(found), None)
    return None


def _feature(wording: Wording, feature: Element, type_name: str) -> Feature:
    kind = wording.coded(feature, type_name)
    is_format = type_name == "ResourceVersionFeatureType" and kind is not None and kind.code == _FILE_FORMAT
    value = words(feature, "FeatureValue")
    return Feature(
        type=kind,
        value=value,
        value_name=wording.name(_FORMATS_OF_FILES if is_format else None, value),
        descriptions=plain_words(feature, "FeatureNote"),
    )


def _version(wording: Wording, version: Element) -> ResourceVersion:
    features = [
        _feature(wording, feature, "ResourceVersionFeatureType") for feature in version.all("ResourceVersionFeature")
    ]
    values = {feature.type.code: feature.value for feature in features if feature.type and feature.value}
    dates = wording.dates(version, "ContentDate")
    return ResourceVersion(
        form=wording.coded(version, "ResourceForm"),
        links=links(version, "ResourceLink"),
        file_format=wording.code(_FORMATS_OF_FILES, values[_FILE_FORMAT]) if _FILE_FORMAT in values else None,
        file_name=values.get(_FILE_NAME),
        file_size_bytes=_whole(values, _BYTES) or _whole(values, _MEGABYTES, 1_000_000),
        height_pixels=_whole(values, _HEIGHT),
        width_pixels=_whole(values, _WIDTH),
        features=tuple(features),
        updated=next((date for date in dates if date.role and date.role.code == _UPDATED), None),
        dates=dates,
    )


def _whole(values: Mapping[str, str], wanted: str, factor: int = 1) -> int | None:
    found = number(values.get(wanted))
    return None if found is None else int(found * factor)


# --- citations and prizes


def citations(wording: Wording, collateral: Element) -> tuple[Citation, ...]:
    """What others published about the product."""
    return tuple(_citation(wording, cited) for cited in collateral.all("CitedContent"))


def _citation(wording: Wording, cited: Element) -> Citation:
    audiences, is_public = wording.audiences(cited)
    return Citation(
        type=wording.coded(cited, "CitedContentType"),
        source_type=wording.coded(cited, "SourceType"),
        is_public=is_public,
        audiences=audiences,
        territory=territory(cited),
        source_titles=plain_words(cited, "SourceTitle"),
        notes=wording.texts(cited, "CitationNote"),
        links=links(cited, "ResourceLink"),
        dates=wording.dates(cited, "ContentDate"),
    )


def prizes(wording: Wording, collateral: Element) -> tuple[Prize, ...]:
    """Prizes, in document order."""
    return tuple(
        Prize(
            names=all_words(prize, "PrizeName"),
            year=words(prize, "PrizeYear"),
            country=wording.coded(prize, "PrizeCountry"),
            achievement=wording.coded(prize, "PrizeCode"),
            statements=wording.texts(prize, "PrizeStatement"),
            juries=wording.texts(prize, "PrizeJury"),
        )
        for prize in collateral.all("Prize")
    )
