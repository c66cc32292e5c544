"""What a record says about a book for people to read: one shape for all releases, in the order of a product page.

Every text for display is here twice, as safe HTML and as plain text; nothing in it can act on the page that shows it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Coded:
    """A code as written, and its name where the code list at hand has one."""

    code: str
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RichText:
    """A text for display; `html` holds text tags only, and links only to http, https and mail addresses."""

    html: str
    plain: str
    language: str | None = None
    """Its code of list 74: its own, else the message's default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identifier:
    """An identifier; `type_name` names a scheme that has no code of its own."""

    type: Coded | None
    value: str
    type_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoledDate:
    """A date with its role: as written, its format (list 55), and as ISO 8601 to the day, month or year where it names one."""

    role: Coded | None
    text: str
    format: str | None = None
    iso: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Website:
    """A website by its role (list 73); only http and https addresses are kept."""

    link: str
    role: Coded | None = None
    descriptions: tuple[str, ...] = ()


# --- titles -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleElement:
    """A part of a title by its level (list 149); `title` begins with its prefix, `sort_title` does without."""

    level: Coded | None
    title: str | None
    sort_title: str | None
    prefix: str | None
    subtitle: str | None
    part_number: str | None
    year: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleDetail:
    """A title by its type (list 15): `text` is the whole of it for display, the rest is what it is made of."""

    type: Coded | None
    text: str
    title: str
    sort_title: str
    subtitle: str | None
    part_number: str | None
    language: str | None
    elements: tuple[TitleElement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSequence:
    """A place in a collection by its kind of order (list 197)."""

    type: Coded | None
    number: str
    type_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A series or set (list 148) that the product belongs to; `part_number` is the product's place as it is printed."""

    type: Coded | None
    title: str | None
    part_number: str | None
    source_name: str | None
    identifiers: tuple[Identifier, ...]
    sequences: tuple[CollectionSequence, ...]
    titles: tuple[TitleDetail, ...]
    contributors: tuple[Contributor, ...]


# --- people -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeName:
    """Another name of a contributor by its type (list 18)."""

    type: Coded | None
    name: str
    sort_name: str | None
    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A contributor's tie (list 151) to a country, a region or a place."""

    relator: Coded | None
    country: Coded | None
    region: Coded | None
    locations: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Affiliation:
    """A contributor's position and where it is held."""

    positions: tuple[str, ...]
    organisation: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributor:
    """Who made the product, in which roles (list 17). Whom the sender names once for each role stands here as often.

    `kind` is person, organisation or unnamed. Of unnamed persons `name` is the name of their code of list 19, if any.
    """

    kind: str
    name: str | None
    sort_name: str | None
    roles: tuple[Coded, ...]
    name_type: Coded | None
    unnamed: Coded | None
    from_languages: tuple[Coded, ...]
    to_languages: tuple[Coded, ...]
    identifiers: tuple[Identifier, ...]
    alternative_names: tuple[AlternativeName, ...]
    biographies: tuple[RichText, ...]
    descriptions: tuple[str, ...]
    affiliations: tuple[Affiliation, ...]
    places: tuple[Place, ...]
    dates: tuple[RoledDate, ...]
    websites: tuple[Website, ...]


# --- texts and resources ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class TextContent:
    """A text by its type (list 153) with its source.

    `is_public` says that it is for everybody or for end customers (list 154); the others are for the trade or the press.
    `territory`, where there is one, is where it may be shown: `WORLD without CA US`.
    """

    type: Coded | None
    text: RichText
    is_public: bool
    audiences: tuple[Coded, ...]
    territory: str | None
    authors: tuple[str, ...]
    source_corporate: str | None
    source_titles: tuple[str, ...]
    dates: tuple[RoledDate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Every text once, each list in the sender's order."""

    headlines: tuple[TextContent, ...]
    short_descriptions: tuple[TextContent, ...]
    descriptions: tuple[TextContent, ...]
    cover_copy: tuple[TextContent, ...]
    features: tuple[TextContent, ...]
    contents: tuple[TextContent, ...]
    reviews: tuple[TextContent, ...]
    endorsements: tuple[TextContent, ...]
    biographies: tuple[TextContent, ...]
    excerpts: tuple[TextContent, ...]
    others: tuple[TextContent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """A feature of a form or a resource; `value_name` is that of a value which is a code of a list."""

    type: Coded | None
    value: str | None
    value_name: str | None
    descriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceVersion:
    """One file of a resource: how it is linked (list 161), where, and what is known of it (list 162).

    Only http, https and ftp links are kept.
    """

    form: Coded | None
    links: tuple[str, ...]
    file_format: Coded | None
    file_name: str | None
    file_size_bytes: int | None
    height_pixels: int | None
    width_pixels: int | None
    features: tuple[Feature, ...]
    updated: RoledDate | None
    dates: tuple[RoledDate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A cover, sample, trailer … by its content (list 158) and mode (list 159), with its files."""

    type: Coded | None
    mode: Coded | None
    is_public: bool
    audiences: tuple[Coded, ...]
    territory: str | None
    caption: RichText | None
    credit: RichText | None
    features: tuple[Feature, ...]
    versions: tuple[ResourceVersion, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """Every resource once, each list in the sender's order."""

    front_covers: tuple[Resource, ...]
    back_covers: tuple[Resource, ...]
    thumbnails: tuple[Resource, ...]
    samples: tuple[Resource, ...]
    trailers: tuple[Resource, ...]
    guides: tuple[Resource, ...]
    others: tuple[Resource, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Citation:
    """What others published about the product (list 156), by its kind of source (list 157)."""

    type: Coded | None
    source_type: Coded | None
    is_public: bool
    audiences: tuple[Coded, ...]
    territory: str | None
    source_titles: tuple[str, ...]
    notes: tuple[RichText, ...]
    links: tuple[str, ...]
    dates: tuple[RoledDate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prize:
    """A prize and what was achieved (list 41)."""

    names: tuple[str, ...]
    year: str | None
    country: Coded | None
    achievement: Coded | None
    statements: tuple[RichText, ...]
    juries: tuple[RichText, ...]


# --- form and content ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure by its type (list 48) with its unit (list 50)."""

    type: Coded | None
    value: str
    unit: Coded | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLimit:
    """So many units (list 147)."""

    quantity: str
    unit: Coded | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageConstraint:
    """Whether a use (list 145) of a digital product is allowed, limited or prohibited (list 146)."""

    type: Coded | None
    status: Coded | None
    limits: tuple[UsageLimit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class License:
    """The terms of a digital product, with links to where they stand."""

    names: tuple[str, ...]
    links: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One of the things that a product with several is made of, and how many there are."""

    identifiers: tuple[Identifier, ...]
    form: Coded | None
    details: tuple[Coded, ...]
    descriptions: tuple[str, ...]
    contents: tuple[Coded, ...]
    item_count: str | None
    copy_count: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What the product is: composition (list 2), form (150), details (175), features (79), contents (81), locks (144)."""

    composition: Coded | None
    form: Coded | None
    details: tuple[Coded, ...]
    features: tuple[Feature, ...]
    descriptions: tuple[str, ...]
    packaging: Coded | None
    primary_content: Coded | None
    contents: tuple[Coded, ...]
    measures: tuple[Measure, ...]
    country_of_manufacture: Coded | None
    protections: tuple[Coded, ...]
    usage_constraints: tuple[UsageConstraint, ...]
    licenses: tuple[License, ...]
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """Types (list 21), number and version of the edition, and what is printed about it."""

    types: tuple[Coded, ...]
    number: str | None
    version: str | None
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """A language (list 74) in its role (list 22), with script (121) and country (91)."""

    role: Coded | None
    language: Coded
    country: Coded | None
    script: Coded | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """A size by its type (list 23) and unit (list 24)."""

    type: Coded | None
    value: str
    unit: Coded | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extents:
    """All sizes as written, and those that shops show, in one unit each; `duration_minutes` is rounded."""

    page_count: int | None
    duration_minutes: int | None
    word_count: int | None
    file_size_bytes: int | None
    all: tuple[Extent, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AncillaryContent:
    """Maps, tables, an index … (list 25), how many, and what they are."""

    type: Coded | None
    number: str | None
    descriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Illustrations:
    """Whether it is illustrated (list 152), and by what."""

    illustrated: Coded | None
    number: str | None
    notes: tuple[RichText, ...]
    ancillary_contents: tuple[AncillaryContent, ...]


# --- for whom and about what --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A subject in a scheme (list 27); `is_main` marks the sender's main one of its scheme."""

    scheme: Coded | None
    scheme_name: str | None
    scheme_version: str | None
    code: str | None
    headings: tuple[str, ...]
    is_main: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceCode:
    """An audience in a scheme (list 29)."""

    type: Coded | None
    type_name: str | None
    audience: Coded


@dataclass(frozen=True, slots=True, kw_only=True)
class AudienceRange:
    """From the lowest to the highest age, grade or speed (list 30), both included; none where that end is open."""

    qualifier: Coded | None
    lowest: str | None
    highest: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audience:
    """Whom the product is for."""

    codes: tuple[AudienceCode, ...]
    ranges: tuple[AudienceRange, ...]
    descriptions: tuple[RichText, ...]
    complexities: tuple[Identifier, ...]


# --- publishing and relations -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A publisher by its role (list 45), or an imprint."""

    role: Coded | None
    name: str | None
    identifiers: tuple[Identifier, ...]
    websites: tuple[Website, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copyright:
    """A copyright statement."""

    years: tuple[str, ...]
    owners: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Publishing:
    """Who published it, where and when; `date` is the nominal publication date (list 163 role 01)."""

    publishers: tuple[Publisher, ...]
    imprints: tuple[Publisher, ...]
    cities: tuple[str, ...]
    country: Coded | None
    date: RoledDate | None
    dates: tuple[RoledDate, ...]
    copyrights: tuple[Copyright, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedProduct:
    """Another product and how it is related (list 51)."""

    relations: tuple[Coded, ...]
    identifiers: tuple[Identifier, ...]
    form: Coded | None
    details: tuple[Coded, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RelatedWork:
    """A work and how it is related (list 164)."""

    relation: Coded | None
    identifiers: tuple[Identifier, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """One record's description; `title` is the one of `titles` that the product is sold under."""

    title: TitleDetail | None
    titles: tuple[TitleDetail, ...]
    collections: tuple[Collection, ...]
    contributors: tuple[Contributor, ...]
    contributor_statements: tuple[RichText, ...]
    edition: Edition
    texts: Texts
    resources: Resources
    citations: tuple[Citation, ...]
    prizes: tuple[Prize, ...]
    form: Form
    accessibility: tuple[Feature, ...]
    languages: tuple[Language, ...]
    extents: Extents
    illustrations: Illustrations
    subjects: tuple[Subject, ...]
    keywords: tuple[str, ...]
    audience: Audience
    publishing: Publishing
    identifiers: tuple[Identifier, ...]
    related_products: tuple[RelatedProduct, ...]
    related_works: tuple[RelatedWork, ...]
