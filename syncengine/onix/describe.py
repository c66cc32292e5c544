"""One record as a product page needs it: a description of one shape for all releases.

Codes come with their names, texts safe to show, order as the standard means it. What decides about selling is not here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from typing import Any

from syncengine.domain.description import (
    Copyright,
    Description,
    Edition,
    Feature,
    Form,
    License,
    Measure,
    Part,
    Publisher,
    Publishing,
    RelatedProduct,
    RelatedWork,
    UsageConstraint,
    UsageLimit,
)
from syncengine.onix.collateral import citations, prizes, resources, texts
from syncengine.onix.content import audience, extents, illustrations, keywords, languages, subjects
from syncengine.onix.element import Element
from syncengine.onix.naming import collections, contributors, main_title, names, title_details
from syncengine.onix.wording import NameOf, Wording, all_words, links, plain_words, words

_NOTHING = Element("", (), None, (), None)
_ACCESSIBILITY = "09"
_PUBLICATION = "01"
_FEATURE_LISTS = {
    "01": 98,
    "02": 98,
    "04": 99,
    "05": 76,
    "06": 176,
    "09": 196,
    "12": 143,
    "13": 184,
    "15": 220,
    "19": 242,
    "21": 243,
}
"""Which list the value of a ProductFormFeature is of, by its type (list 79)."""


def describe(product: Element, *, default_language: str | None, name_of: NameOf) -> Description:
    """The description of a record in the shape of ONIX 3; `name_of` names codes, by the number of their list.

    Nothing is refused: what cannot be made sense of is left out, and an unknown code has no name.
    """
    wording = Wording(default_language, name_of)
    descriptive = product.child("DescriptiveDetail") or _NOTHING
    collateral = product.child("CollateralDetail") or _NOTHING
    related = product.child("RelatedMaterial") or _NOTHING
    titles = title_details(wording, descriptive)
    features = [_form_feature(wording, feature) for feature in descriptive.all("ProductFormFeature")]
    return Description(
        title=main_title(titles),
        titles=titles,
        collections=collections(wording, descriptive),
        contributors=contributors(wording, descriptive),
        contributor_statements=wording.texts(descriptive, "ContributorStatement"),
        edition=_edition(wording, descriptive),
        texts=texts(wording, collateral),
        resources=resources(wording, collateral),
        citations=citations(wording, collateral),
        prizes=prizes(wording, collateral),
        form=_form(wording, descriptive, [feature for feature in features if not _is_accessibility(feature)]),
        accessibility=tuple(filter(_is_accessibility, features)),
        languages=languages(wording, descriptive),
        extents=extents(wording, descriptive),
        illustrations=illustrations(wording, descriptive),
        subjects=subjects(wording, descriptive),
        keywords=keywords(descriptive),
        audience=audience(wording, descriptive),
        publishing=_publishing(wording, product.child("PublishingDetail") or _NOTHING),
        identifiers=wording.identifiers(product, "ProductIdentifier", "ProductIDType"),
        related_products=_related_products(wording, related),
        related_works=_related_works(wording, related),
    )


def description_document(description: Description) -> dict[str, Any]:
    """The description as JSON values: the names of its fields are the keys, and every list is there, if empty."""
    return {field.name: _document(getattr(description, field.name)) for field in fields(description)}


def _document(value: object) -> object:
    if isinstance(value, tuple):
        return [_document(one) for one in value]
    if is_dataclass(value):
        return {field.name: _document(getattr(value, field.name)) for field in fields(value)}
    return value


# --- form


def _form(wording: Wording, descriptive: Element, features: Sequence[Feature]) -> Form:
    return Form(
        composition=wording.coded(descriptive, "ProductComposition"),
        form=wording.coded(descriptive, "ProductForm"),
        details=wording.all_coded(descriptive, "ProductFormDetail"),
        features=tuple(features),
        descriptions=plain_words(descriptive, "ProductFormDescription"),
        packaging=wording.coded(descriptive, "ProductPackaging"),
        primary_content=wording.coded(descriptive, "PrimaryContentType"),
        contents=wording.all_coded(descriptive, "ProductContentType"),
        measures=_measures(wording, descriptive),
        country_of_manufacture=wording.coded(descriptive, "CountryOfManufacture"),
        protections=wording.all_coded(descriptive, "EpubTechnicalProtection"),
        usage_constraints=_usage_constraints(wording, descriptive),
        licenses=_licenses(descriptive),
        parts=tuple(_part(wording, part) for part in descriptive.all("ProductPart")),
    )


def _part(wording: Wording, part: Element) -> Part:
    return Part(
        identifiers=wording.identifiers(part, "ProductIdentifier", "ProductIDType"),
        form=wording.coded(part, "ProductForm"),
        details=wording.all_coded(part, "ProductFormDetail"),
        descriptions=plain_words(part, "ProductFormDescription"),
        contents=wording.all_coded(part, "ProductContentType"),
        item_count=words(part, "NumberOfItemsOfThisForm"),
        copy_count=words(part, "NumberOfCopies"),
    )


def _form_feature(wording: Wording, feature: Element) -> Feature:
    kind, value = wording.coded(feature, "ProductFormFeatureType"), words(feature, "ProductFormFeatureValue")
    return Feature(
        type=kind,
        value=value,
        value_name=wording.name(_FEATURE_LISTS.get(kind.code) if kind else None, value),
        descriptions=plain_words(feature, "ProductFormFeatureDescription"),
    )


def _is_accessibility(feature: Feature) -> bool:
    return feature.type is not None and feature.type.code == _ACCESSIBILITY


def _measures(wording: Wording, descriptive: Element) -> tuple[Measure, ...]:
    return tuple(
        Measure(type=wording.coded(found, "MeasureType"), value=value, unit=wording.coded(found, "MeasureUnitCode"))
        for found in descriptive.all("Measure")
        if (value := words(found, "Measurement"))
    )


def _usage_constraints(wording: Wording, descriptive: Element) -> tuple[UsageConstraint, ...]:
    return tuple(
        UsageConstraint(
            type=wording.coded(found, "EpubUsageType"),
            status=wording.coded(found, "EpubUsageStatus"),
            limits=tuple(
                UsageLimit(quantity=quantity, unit=wording.coded(limit, "EpubUsageUnit"))
                for limit in found.all("EpubUsageLimit")
                if (quantity := words(limit, "Quantity"))
            ),
        )
        for found in descriptive.all("EpubUsageConstraint")
    )


def _licenses(descriptive: Element) -> tuple[License, ...]:
    return tuple(
        License(
            names=all_words(found, "EpubLicenseName"),
            links=tuple(
                link
                for expression in found.all("EpubLicenseExpression")
                for link in links(expression, "EpubLicenseExpressionLink")
            ),
        )
        for found in descriptive.all("EpubLicense")
    )


def _edition(wording: Wording, descriptive: Element) -> Edition:
    return Edition(
        types=wording.all_coded(descriptive, "EditionType"),
        number=words(descriptive, "EditionNumber"),
        version=words(descriptive, "EditionVersionNumber"),
        statements=plain_words(descriptive, "EditionStatement"),
    )


# --- publishing and relations


def _publishing(wording: Wording, publishing: Element) -> Publishing:
    dates = wording.dates(publishing, "PublishingDate")
    return Publishing(
        publishers=tuple(_publisher(wording, found, "Publisher") for found in publishing.all("Publisher")),
        imprints=tuple(_publisher(wording, found, "Imprint") for found in publishing.all("Imprint")),
        cities=all_words(publishing, "CityOfPublication"),
        country=wording.coded(publishing, "CountryOfPublication"),
        date=next((date for date in dates if date.role and date.role.code == _PUBLICATION), None),
        dates=dates,
        copyrights=tuple(_copyright(found) for found in publishing.all("CopyrightStatement")),
    )


def _publisher(wording: Wording, found: Element, kind: str) -> Publisher:
    """A publisher or an imprint; their children are named alike."""
    return Publisher(
        role=wording.coded(found, "PublishingRole"),
        name=words(found, f"{kind}Name"),
        identifiers=wording.identifiers(found, f"{kind}Identifier", f"{kind}IDType"),
        websites=wording.websites(found),
    )


def _copyright(found: Element) -> Copyright:
    owners = (names(owner)[0] for owner in found.all("CopyrightOwner"))
    return Copyright(years=all_words(found, "CopyrightYear"), owners=tuple(filter(None, owners)))


def _related_products(wording: Wording, related: Element) -> tuple[RelatedProduct, ...]:
    return tuple(
        RelatedProduct(
            relations=wording.all_coded(found, "ProductRelationCode"),
            identifiers=wording.identifiers(found, "ProductIdentifier", "ProductIDType"),
            form=wording.coded(found, "ProductForm"),
            details=wording.all_coded(found, "ProductFormDetail"),
        )
        for found in related.all("RelatedProduct")
    )


def _related_works(wording: Wording, related: Element) -> tuple[RelatedWork, ...]:
    return tuple(
        RelatedWork(
            relation=wording.coded(found, "WorkRelationCode"),
            identifiers=wording.identifiers(found, "WorkIdentifier", "WorkIDType"),
        )
        for found in related.all("RelatedWork")
    )
