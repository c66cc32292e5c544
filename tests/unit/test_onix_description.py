"""A record's description: every part of a product page from its elements."""

from __future__ import annotations

import pytest

from syncengine.domain.description import Coded, Description
from syncengine.onix.codelists import standard
from syncengine.onix.describe import describe, description_document
from syncengine.onix.dialect import read_product
from tests.records import CLOSING, REFERENCE_30, record


def describing(inside: str, language: str | None = None) -> Description:
    product, _ = read_product(REFERENCE_30, record(inside), CLOSING)
    return describe(product, default_language=language, name_of=standard().name)


def descriptive(inside: str) -> Description:
    return describing(f"<DescriptiveDetail>{inside}</DescriptiveDetail>")


def collateral(inside: str, language: str | None = None) -> Description:
    return describing(f"<CollateralDetail>{inside}</CollateralDetail>", language)


def element(level: str, inside: str) -> str:
    return f"<TitleElement><TitleElementLevel>{level}</TitleElementLevel>{inside}</TitleElement>"


def titled(*elements: str, kind: str = "01", more: str = "") -> str:
    return f"<TitleDetail><TitleType>{kind}</TitleType>{''.join(elements)}{more}</TitleDetail>"


def named(*codes: Coded | None) -> list[str | None]:
    return [code.name if code else None for code in codes]


# --- titles


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        pytest.param(
            [element("01", "<TitleText>Emma</TitleText><Subtitle>A Novel</Subtitle>")], "Emma: A Novel", id="subtitle"
        ),
        pytest.param(
            [element("01", "<TitleText>What now?</TitleText><Subtitle>Hope</Subtitle>")],
            "What now? Hope",
            id="subtitle behind a question",
        ),
        pytest.param(
            [element("01", "<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Hobbit</TitleWithoutPrefix>")],
            "The Hobbit",
            id="prefix",
        ),
        pytest.param(
            [element("01", "<TitlePrefix>L'</TitlePrefix><TitleWithoutPrefix>Avare</TitleWithoutPrefix>")],
            "L'Avare",
            id="elided prefix",
        ),
        pytest.param(
            [element("01", "<NoPrefix/><TitleWithoutPrefix>Roseanna</TitleWithoutPrefix>")], "Roseanna", id="no prefix"
        ),
        pytest.param(
            [element("01", "<PartNumber>Vol. 2</PartNumber><TitleText>Annals</TitleText>")],
            "Annals, Vol. 2",
            id="part number",
        ),
        pytest.param(
            [
                element("02", "<PartNumber>33</PartNumber><TitleText>Thorgal</TitleText>"),
                element("01", "<TitleText>Le Bateau-Sabre</TitleText>"),
            ],
            "Thorgal, 33. Le Bateau-Sabre",
            id="collection and product",
        ),
        pytest.param(
            [element("02", "<TitleText>Annals</TitleText>"), element("01", "<PartNumber>Vol. 2</PartNumber>")],
            "Annals, Vol. 2",
            id="product with a number alone",
        ),
        pytest.param(
            [
                element("01", "<SequenceNumber>2</SequenceNumber><TitleText>Second</TitleText>"),
                element("02", "<SequenceNumber>1</SequenceNumber><TitleText>First</TitleText>"),
            ],
            "First. Second",
            id="numbered",
        ),
        pytest.param(
            [element("01", "<TitleText>Almanac</TitleText><YearOfAnnual>2026</YearOfAnnual>")],
            "Almanac, 2026",
            id="annual",
        ),
        pytest.param(["<TitleElement><TitleText>  No\n level </TitleText></TitleElement>"], "No level", id="no level"),
    ],
)
def test_the_title_for_display_is_put_together_of_its_elements(elements, expected):
    title = descriptive(titled(*elements)).title
    assert title is not None
    assert expected == title.text


def test_a_statement_says_how_the_title_is_to_be_shown():
    whole = titled(
        element("01", "<TitleText>Emma</TitleText>"),
        more="<TitleStatement>EMMA: &lt;i&gt;a novel&lt;/i&gt;</TitleStatement>",
    )
    title = descriptive(whole).title
    assert title is not None
    assert ("EMMA: a novel", "Emma") == (title.text, title.title)


def test_the_parts_of_a_title_stand_beside_the_whole():
    collection = element("02", "<PartNumber>3</PartNumber><TitleText>Novels</TitleText>")
    own = element(
        "01",
        '<TitlePrefix language="eng">The</TitlePrefix><TitleWithoutPrefix>Watsons</TitleWithoutPrefix><Subtitle>A Fragment</Subtitle>',
    )
    title = descriptive(titled(collection, own)).title
    assert title is not None
    assert ("The Watsons", "Watsons", "A Fragment", "3", "eng") == (
        title.title,
        title.sort_title,
        title.subtitle,
        title.part_number,
        title.language,
    )
    assert ["Collection level", "Product"] == named(*(part.level for part in title.elements))


def test_a_product_is_sold_under_its_distinctive_title_and_keeps_the_others():
    other = titled(element("01", "<TitleText>EMMA HB</TitleText>"), kind="10")
    original = titled(element("01", "<TitleText>Emma</TitleText>"))
    found = descriptive(other + original + titled())
    assert found.title is not None
    assert "Emma" == found.title.text
    assert ["EMMA HB", "Emma"] == [title.text for title in found.titles]


def test_a_record_without_a_title_has_none():
    assert descriptive("").title is None


# --- collections


def test_a_series_is_named_without_the_products_own_part():
    inside = titled(
        element("02", "<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Martin Beck series</TitleWithoutPrefix>"),
        element("03", "<TitleText>Early cases</TitleText>"),
        element("01", "<PartNumber>1</PartNumber>"),
    )
    issn = "<CollectionIdentifier><CollectionIDType>02</CollectionIDType><IDValue>1234-5679</IDValue></CollectionIdentifier>"
    order = "<CollectionSequence><CollectionSequenceType>03</CollectionSequenceType><CollectionSequenceNumber>1</CollectionSequenceNumber></CollectionSequence>"
    (found,) = descriptive(
        f"<Collection><CollectionType>10</CollectionType>{issn}{order}{inside}</Collection>"
    ).collections
    assert ("The Martin Beck series. Early cases", "1") == (found.title, found.part_number)
    assert [("ISSN", "1234-5679")] == [(one.type and one.type.name, one.value) for one in found.identifiers]
    assert [("Publication order", "1")] == [(one.type and one.type.name, one.number) for one in found.sequences]
    assert ["Publisher collection"] == named(found.type)


# --- contributors


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        pytest.param(
            "<PersonName>Maj Sjöwall</PersonName><PersonNameInverted>Sjöwall, Maj</PersonNameInverted>",
            ("person", "Maj Sjöwall", "Sjöwall, Maj"),
            id="both names",
        ),
        pytest.param(
            "<NamesBeforeKey>Maj</NamesBeforeKey><KeyNames>Sjöwall</KeyNames>",
            ("person", "Maj Sjöwall", "Sjöwall, Maj"),
            id="parts",
        ),
        pytest.param(
            "<TitlesBeforeNames>Prof.</TitlesBeforeNames><NamesBeforeKey>Ludwig</NamesBeforeKey><PrefixToKey>van</PrefixToKey>"
            "<KeyNames>Beethoven</KeyNames><SuffixToKey>Jr</SuffixToKey><LettersAfterNames>MBE</LettersAfterNames>",
            ("person", "Prof. Ludwig van Beethoven Jr MBE", "Beethoven Jr, Ludwig van"),
            id="all parts",
        ),
        pytest.param(
            "<PersonNameInverted>Sjöwall, Maj</PersonNameInverted>",
            ("person", "Maj Sjöwall", "Sjöwall, Maj"),
            id="inverted alone",
        ),
        pytest.param(
            "<PersonNameInverted>King, Martin Luther, Jr</PersonNameInverted>",
            ("person", "King, Martin Luther, Jr", "King, Martin Luther, Jr"),
            id="inverted with two commas",
        ),
        pytest.param(
            "<PersonName>Homer</PersonName><KeyNames>Homer</KeyNames>", ("person", "Homer", "Homer"), id="one name"
        ),
        pytest.param(
            "<CorporateName>The Associated Press</CorporateName><CorporateNameInverted>Associated Press, The</CorporateNameInverted>",
            ("organisation", "The Associated Press", "Associated Press, The"),
            id="organisation",
        ),
        pytest.param("<UnnamedPersons>04</UnnamedPersons>", ("unnamed", "Various", None), id="various"),
        pytest.param("<UnnamedPersons>ZZ</UnnamedPersons>", ("unnamed", None, None), id="unnamed by an unknown code"),
        pytest.param("", ("unnamed", None, None), id="nothing"),
    ],
)
def test_a_contributor_has_a_name_to_show_and_one_to_sort_by(inside, expected):
    (found,) = descriptive(f"<Contributor><ContributorRole>A01</ContributorRole>{inside}</Contributor>").contributors
    assert expected == (found.kind, found.name, found.sort_name)


def people(*numbers: str) -> list[str | None]:
    """The contributors named after their places in the record, in the order that is found."""
    composites = "".join(
        f"<Contributor>{f'<SequenceNumber>{number}</SequenceNumber>' if number else ''}<PersonName>P{place}</PersonName></Contributor>"
        for place, number in enumerate(numbers, 1)
    )
    return [found.name for found in descriptive(composites).contributors]


def test_contributors_stand_in_their_sequence_where_all_are_numbered():
    assert ["P2", "P3", "P1"] == people("10", "2", "9")
    assert ["P1", "P2", "P3"] == people("3", "", "1")
    assert ["P1", "P2"] == people("x", "1")


def test_a_contributor_comes_with_roles_identifiers_and_life():
    (found,) = descriptive(
        "<Contributor><ContributorRole>B06</ContributorRole><ContributorRole>A24</ContributorRole>"
        "<FromLanguage>swe</FromLanguage><ToLanguage>eng</ToLanguage><NameType>02</NameType>"
        "<NameIdentifier><NameIDType>16</NameIDType><IDValue>0000000121479135</IDValue></NameIdentifier>"
        "<NameIdentifier><NameIDType>21</NameIDType><IDValue>0000-0001-2345-6789</IDValue></NameIdentifier>"
        "<NameIdentifier><NameIDType>01</NameIDType><IDTypeName>House</IDTypeName><IDValue>7</IDValue></NameIdentifier>"
        "<PersonName>Lois Roth</PersonName>"
        "<AlternativeName><NameType>04</NameType><PersonName>L. R.</PersonName></AlternativeName><AlternativeName/>"
        "<ContributorDate><ContributorDateRole>50</ContributorDateRole><Date dateformat='05'>1930</Date></ContributorDate>"
        "<ProfessionalAffiliation><ProfessionalPosition>Reader</ProfessionalPosition><Affiliation>Uppsala</Affiliation></ProfessionalAffiliation>"
        '<BiographicalNote textformat="05"><p onclick="x()">Born <em>there</em>.</p></BiographicalNote>'
        "<BiographicalNote language='swe'>F\xf6dd.</BiographicalNote>"
        "<Website><WebsiteRole>06</WebsiteRole><WebsiteLink>https://roth.example/</WebsiteLink></Website>"
        "<Website><WebsiteLink>javascript:alert(1)</WebsiteLink></Website>"
        "<ContributorDescription>Translator</ContributorDescription>"
        "<ContributorPlace><ContributorPlaceRelator>04</ContributorPlaceRelator><CountryCode>US</CountryCode></ContributorPlace>"
        "</Contributor>"
    ).contributors
    assert ["Translated by", "Introduction by"] == named(*found.roles)
    assert (["Swedish"], ["English"]) == (named(*found.from_languages), named(*found.to_languages))
    assert [("ISNI", "0000000121479135", None), ("ORCID", "0000-0001-2345-6789", None), ("01", "7", "House")] == [
        (one.type and (one.type.code if one.type_name else one.type.name), one.value, one.type_name)
        for one in found.identifiers
    ]
    assert ["L. R."] == [one.name for one in found.alternative_names]
    assert [("<p>Born <em>there</em>.</p>", None), ("F\xf6dd.", "swe")] == [
        (one.html, one.language) for one in found.biographies
    ]
    assert [("1930", "1930")] == [(one.text, one.iso) for one in found.dates]
    assert [(("Reader",), "Uppsala")] == [(one.positions, one.organisation) for one in found.affiliations]
    assert ["https://roth.example/"] == [one.link for one in found.websites]
    assert ["United States"] == [name for one in found.places for name in named(one.country)]
    assert ("Translator",) == found.descriptions


# --- content


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        ("0052000", "16", 320),
        ("52000", "16", 320),
        ("005200090", "16", 320),
        ("0012959", "16", 90),
        ("00520", "15", 320),
        ("520", "15", 320),
        ("005", "14", 300),
        ("5.5", "04", 330),
        ("89.6", "05", 90),
        ("29", "06", 1),
        ("5400", "06", 90),
        ("5 h", "16", None),
        ("117", "11", None),
        ("-5", "05", None),
    ],
)
def test_a_duration_is_minutes_however_it_is_written(value, unit, expected):
    extent = (
        f"<Extent><ExtentType>09</ExtentType><ExtentValue>{value}</ExtentValue><ExtentUnit>{unit}</ExtentUnit></Extent>"
    )
    found = descriptive(extent).extents
    assert (expected, value) == (found.duration_minutes, found.all[0].value)


def extent(kind: str, value: str, unit: str) -> str:
    return f"<Extent><ExtentType>{kind}</ExtentType><ExtentValue>{value}</ExtentValue><ExtentUnit>{unit}</ExtentUnit></Extent>"


def test_sizes_come_in_one_unit_each():
    found = descriptive(
        extent("08", "320", "03")
        + extent("00", "300", "03")
        + extent("02", "81000", "02")
        + extent("02", "480000", "01")
        + extent("22", "1.25", "19")
        + extent("09", "90", "05")
    ).extents
    assert (300, 81000, 1_250_000, 90) == (
        found.page_count,
        found.word_count,
        found.file_size_bytes,
        found.duration_minutes,
    )
    assert 6 == len(found.all)


@pytest.mark.parametrize(
    ("value", "unit", "expected"), [("480211", "17", 480211), ("12.5", "18", 12500), ("x", "19", None)]
)
def test_a_file_size_is_bytes(value, unit, expected):
    assert expected == descriptive(extent("22", value, unit)).extents.file_size_bytes


def test_languages_have_roles_scripts_and_countries():
    (found,) = descriptive(
        "<Language><LanguageRole>01</LanguageRole><LanguageCode>chi</LanguageCode><CountryCode>TW</CountryCode><ScriptCode>Hant</ScriptCode></Language>"
        "<Language><LanguageRole>02</LanguageRole></Language>"
    ).languages
    assert ["Language of text", "Chinese", "Taiwan, Province of China"] == named(
        found.role, found.language, found.country
    )
    assert found.script is not None
    assert "Hant" == found.script.code


def test_illustrations_are_counted_and_told_of():
    found = descriptive(
        "<Illustrated>02</Illustrated><NumberOfIllustrations>12</NumberOfIllustrations><IllustrationsNote>12 maps</IllustrationsNote>"
        "<AncillaryContent><AncillaryContentType>14</AncillaryContentType><Number>12</Number></AncillaryContent>"
    ).illustrations
    assert (["Yes"], "12", ["12 maps"]) == (
        named(found.illustrated),
        found.number,
        [note.plain for note in found.notes],
    )
    assert [("Maps", "12")] == [(one.type and one.type.name, one.number) for one in found.ancillary_contents]


# --- subjects and audience


def subject(scheme: str, inside: str) -> str:
    return f"<Subject>{inside}<SubjectSchemeIdentifier>{scheme}</SubjectSchemeIdentifier></Subject>"


def test_subjects_keep_scheme_code_heading_and_which_is_main():
    found = descriptive(
        subject("93", "<MainSubject/><SubjectSchemeVersion>1.5</SubjectSchemeVersion><SubjectCode>FFP</SubjectCode>")
        + subject(
            "10", "<SubjectCode>FIC022000</SubjectCode><SubjectHeadingText>FICTION / Mystery</SubjectHeadingText>"
        )
        + subject("24", "<SubjectSchemeName>House</SubjectSchemeName><SubjectCode>7</SubjectCode>")
        + subject("20", "<SubjectHeadingText>never here</SubjectHeadingText>")
    ).subjects
    assert [
        ("Thema subject category", None, "1.5", "FFP", (), True),
        ("BISAC Subject Heading", None, None, "FIC022000", ("FICTION / Mystery",), False),
        ("Proprietary subject scheme", "House", None, "7", (), False),
    ] == [
        (one.scheme and one.scheme.name, one.scheme_name, one.scheme_version, one.code, one.headings, one.is_main)
        for one in found
    ]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (["police, Swedish; canal ;; Police, Swedish"], ("police, Swedish", "canal")),
        (["canal, summer"], ("canal", "summer")),
        (["canal", "summer; canal"], ("canal", "summer")),
        ([" ; "], ()),
    ],
)
def test_keywords_are_split_and_stand_once(inside, expected):
    composites = (subject("20", f"<SubjectHeadingText>{text}</SubjectHeadingText>") for text in inside)
    assert expected == descriptive("".join(composites)).keywords


def test_keywords_sent_as_a_code_are_keywords():
    assert ("Pomorze Zachodnie",) == descriptive(subject("20", "<SubjectCode>Pomorze Zachodnie</SubjectCode>")).keywords


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("03", "7"), ("04", "10")], ("7", "10")),
        ([("04", "10"), ("03", "7")], ("7", "10")),
        ([("01", "8")], ("8", "8")),
        ([("03", "7")], ("7", None)),
        ([("04", "10")], (None, "10")),
        ([("99", "7")], (None, None)),
    ],
)
def test_an_age_range_has_two_ends_both_included(pairs, expected):
    ends = "".join(
        f"<AudienceRangePrecision>{precision}</AudienceRangePrecision><AudienceRangeValue>{value}</AudienceRangeValue>"
        for precision, value in pairs
    )
    whole = f"<AudienceRange><AudienceRangeQualifier>17</AudienceRangeQualifier>{ends}</AudienceRange>"
    (found,) = descriptive(whole).audience.ranges
    assert ["Interest age, years"] == named(found.qualifier)
    assert expected == (found.lowest, found.highest)


def test_half_ranges_in_composites_of_their_own_are_one():
    def half(qualifier: str, precision: str, value: str) -> str:
        return (
            f"<AudienceRange><AudienceRangeQualifier>{qualifier}</AudienceRangeQualifier>"
            f"<AudienceRangePrecision>{precision}</AudienceRangePrecision><AudienceRangeValue>{value}</AudienceRangeValue></AudienceRange>"
        )

    found = descriptive(half("18", "03", "7") + half("18", "04", "10") + half("17", "04", "12")).audience.ranges
    assert [("18", "7", "10"), ("17", None, "12")] == [
        (one.qualifier and one.qualifier.code, one.lowest, one.highest) for one in found
    ]


def test_audience_codes_are_named_by_their_scheme():
    found = descriptive(
        "<AudienceCode>02</AudienceCode>"
        "<Audience><AudienceCodeType>01</AudienceCodeType><AudienceCodeValue>01</AudienceCodeValue></Audience>"
        "<Audience><AudienceCodeType>22</AudienceCodeType><AudienceCodeValue>01</AudienceCodeValue></Audience>"
        "<Audience><AudienceCodeType>02</AudienceCodeType><AudienceCodeTypeName>House</AudienceCodeTypeName><AudienceCodeValue>01</AudienceCodeValue></Audience>"
        "<Audience><AudienceCodeType>01</AudienceCodeType></Audience>"
        "<AudienceDescription>For all</AudienceDescription>"
        "<Complexity><ComplexitySchemeIdentifier>06</ComplexitySchemeIdentifier><ComplexityCode>880L</ComplexityCode></Complexity>"
    ).audience
    assert ["Children", "General / adult", "Any adult audience", None] == named(
        *(code.audience for code in found.codes)
    )
    assert [None, None, None, "House"] == [code.type_name for code in found.codes]
    assert (["For all"], ["880L"]) == (
        [text.plain for text in found.descriptions],
        [one.value for one in found.complexities],
    )


# --- form


def test_the_form_tells_what_the_product_is():
    form = descriptive(
        "<ProductComposition>10</ProductComposition><ProductForm>ED</ProductForm><ProductFormDetail>E101</ProductFormDetail>"
        "<ProductFormDetail>E200</ProductFormDetail><ProductFormDescription>avec &lt;em&gt;Tatouage&lt;/em&gt;</ProductFormDescription>"
        "<PrimaryContentType>10</PrimaryContentType><EpubTechnicalProtection>02</EpubTechnicalProtection>"
        "<EpubUsageConstraint><EpubUsageType>02</EpubUsageType><EpubUsageStatus>02</EpubUsageStatus>"
        "<EpubUsageLimit><Quantity>10</Quantity><EpubUsageUnit>04</EpubUsageUnit></EpubUsageLimit></EpubUsageConstraint>"
        "<EpubLicense><EpubLicenseName>CC BY</EpubLicenseName><EpubLicenseExpression><EpubLicenseExpressionType>02</EpubLicenseExpressionType>"
        "<EpubLicenseExpressionLink>https://creativecommons.example/by</EpubLicenseExpressionLink></EpubLicenseExpression></EpubLicense>"
        "<Measure><MeasureType>01</MeasureType><Measurement>197</Measurement><MeasureUnitCode>mm</MeasureUnitCode></Measure>"
        "<ProductPart><ProductIdentifier><ProductIDType>03</ProductIDType><IDValue>3019002489901</IDValue></ProductIdentifier>"
        "<ProductForm>ED</ProductForm><NumberOfCopies>1</NumberOfCopies></ProductPart>"
    ).form
    assert ["Multiple-component retail product", "Digital download", "Text"] == named(
        form.composition, form.form, form.primary_content
    )
    assert ["EPUB", "Reflowable"] == named(*form.details)
    assert ("avec Tatouage",) == form.descriptions
    assert ["Digital watermarking"] == named(*form.protections)
    (constraint,), (license_,), (part,) = form.usage_constraints, form.licenses, form.parts
    assert ["Print", "Permitted subject to limit"] == named(constraint.type, constraint.status)
    assert [("10", "Pages")] == [(limit.quantity, limit.unit and limit.unit.name) for limit in constraint.limits]
    assert (("CC BY",), ("https://creativecommons.example/by",)) == (license_.names, license_.links)
    assert [("197", "Millimeters")] == [(one.value, one.unit and one.unit.name) for one in form.measures]
    assert (["3019002489901"], "1") == ([one.value for one in part.identifiers], part.copy_count)


def test_accessibility_stands_apart_from_other_features():
    def feature(kind: str, inside: str) -> str:
        return (
            f"<ProductFormFeature><ProductFormFeatureType>{kind}</ProductFormFeatureType>{inside}</ProductFormFeature>"
        )

    found = descriptive(
        feature("15", "<ProductFormFeatureValue>101B</ProductFormFeatureValue>")
        + feature("09", "<ProductFormFeatureValue>04</ProductFormFeatureValue>")
        + feature(
            "09",
            "<ProductFormFeatureValue>00</ProductFormFeatureValue><ProductFormFeatureDescription>See us</ProductFormFeatureDescription>",
        )
        + feature("23", "<ProductFormFeatureDescription>2-5 players</ProductFormFeatureDescription>")
    )
    assert [("101B", "EPUB 3.0"), (None, None)] == [(one.value, one.value_name) for one in found.form.features]
    assert [("04", "EPUB Accessibility Specification 1.1"), ("00", "Accessibility summary")] == [
        (one.value, one.value_name) for one in found.accessibility
    ]
    assert ("See us",) == found.accessibility[1].descriptions


def test_an_edition_has_types_a_number_and_words():
    edition = descriptive(
        "<EditionType>REV</EditionType><EditionType>ILL</EditionType><EditionNumber>2</EditionNumber>"
        "<EditionVersionNumber>2.1</EditionVersionNumber><EditionStatement>2nd ed., revised</EditionStatement>"
    ).edition
    assert ["Revised edition", "Illustrated edition"] == named(*edition.types)
    assert ("2", "2.1", ("2nd ed., revised",)) == (edition.number, edition.version, edition.statements)


# --- texts


def content(kind: str, inside: str, audience: str = "00") -> str:
    return f"<TextContent>{inside.replace('TEXT', f'<Text>{kind}</Text>')}<TextType>{kind}</TextType><ContentAudience>{audience}</ContentAudience></TextContent>"


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("02", "short_descriptions"),
        ("03", "descriptions"),
        ("04", "contents"),
        ("05", "cover_copy"),
        ("06", "reviews"),
        ("08", "reviews"),
        ("09", "endorsements"),
        ("10", "headlines"),
        ("11", "features"),
        ("12", "biographies"),
        ("14", "excerpts"),
        ("13", "others"),
        ("ZZ", "others"),
    ],
)
def test_every_text_stands_once_in_the_list_of_its_type(code, group):
    texts = description_document(collateral(content(code, "TEXT")))["texts"]
    assert {group: [code]} == {name: [one["text"]["plain"] for one in found] for name, found in texts.items() if found}


def test_a_review_comes_with_its_source():
    (review,) = collateral(
        content(
            "06",
            "TEXT<TextAuthor>Ann</TextAuthor><TextSourceCorporate>Guild</TextSourceCorporate><SourceTitle>The &lt;i&gt;Guardian&lt;/i&gt;</SourceTitle>"
            "<ContentDate><ContentDateRole>01</ContentDateRole><DateFormat>01</DateFormat><Date>202602</Date></ContentDate>",
        )
    ).texts.reviews
    assert (("Ann",), "Guild", ("The Guardian",)) == (review.authors, review.source_corporate, review.source_titles)
    assert [("202602", "01", "2026-02")] == [(date.text, date.format, date.iso) for date in review.dates]


@pytest.mark.parametrize(
    ("audience", "expected"), [("00", True), ("03", True), ("02", False), ("07", False), ("", True)]
)
def test_what_is_meant_for_the_trade_is_marked(audience, expected):
    (found,) = collateral(content("03", "TEXT", audience)).texts.descriptions
    assert expected is found.is_public


def test_a_text_may_be_for_a_territory_alone():
    where = (
        "<Territory><RegionsIncluded>WORLD</RegionsIncluded><CountriesExcluded>US CA</CountriesExcluded></Territory>"
    )
    found = collateral(content("03", f"TEXT{where}") + content("02", "TEXT")).texts
    assert ("WORLD without US CA", None) == (found.descriptions[0].territory, found.short_descriptions[0].territory)


def test_a_text_has_its_own_language_or_the_messages():
    texts = "<Text language='fre'>Un</Text><Text>One</Text><Text> </Text>"
    found = collateral(content("03", texts), language="eng").texts.descriptions
    assert [("Un", "fre"), ("One", "eng")] == [(one.text.plain, one.text.language) for one in found]


def test_texts_of_one_type_stand_in_their_sequence():
    def numbered(number: int) -> str:
        return content("06", f"<SequenceNumber>{number}</SequenceNumber><Text>{number}</Text>")

    found = collateral(numbered(2) + content("03", "TEXT") + numbered(1)).texts
    assert ["1", "2"] == [one.text.plain for one in found.reviews]


# --- resources


def test_a_cover_tells_where_it_is_and_what_is_known_of_it():
    def feature(kind: str, value: str) -> str:
        return f"<ResourceVersionFeature><ResourceVersionFeatureType>{kind}</ResourceVersionFeatureType><FeatureValue>{value}</FeatureValue></ResourceVersionFeature>"

    (cover,) = collateral(
        "<SupportingResource><ResourceContentType>01</ResourceContentType><ContentAudience>00</ContentAudience><ResourceMode>03</ResourceMode>"
        "<ResourceFeature><ResourceFeatureType>01</ResourceFeatureType><FeatureNote>Photo: A. Bee</FeatureNote></ResourceFeature>"
        "<ResourceFeature><ResourceFeatureType>02</ResourceFeatureType><FeatureValue>The cover</FeatureValue></ResourceFeature>"
        "<ResourceVersion><ResourceForm>02</ResourceForm>"
        + feature("01", "D502")
        + feature("02", "341")
        + feature("03", "222")
        + feature("04", "cover.jpg")
        + feature("05", "1.7")
        + "<ResourceLink>https://x.example/a.jpg</ResourceLink><ResourceLink>javascript:alert(1)</ResourceLink><ResourceLink>cover.jpg</ResourceLink>"
        "<ContentDate><ContentDateRole>17</ContentDateRole><Date dateformat='13'>20260412T0900Z</Date></ContentDate>"
        "</ResourceVersion></SupportingResource>"
    ).resources.front_covers
    (version,) = cover.versions
    assert (["Image"], "Photo: A. Bee", "The cover") == (
        named(cover.mode),
        cover.credit and cover.credit.plain,
        cover.caption and cover.caption.plain,
    )
    assert (["Downloadable file", "JPEG"], "cover.jpg") == (named(version.form, version.file_format), version.file_name)
    assert (341, 222, 1_700_000) == (version.height_pixels, version.width_pixels, version.file_size_bytes)
    assert ("https://x.example/a.jpg",) == version.links
    assert version.updated is not None
    assert "2026-04-12" == version.updated.iso


@pytest.mark.parametrize(
    ("code", "group"),
    [
        ("02", "back_covers"),
        ("15", "samples"),
        ("16", "samples"),
        ("19", "guides"),
        ("26", "trailers"),
        ("27", "thumbnails"),
        ("04", "others"),
    ],
)
def test_every_resource_stands_once_in_the_list_of_its_kind(code, group):
    resource = f"<SupportingResource><ResourceContentType>{code}</ResourceContentType></SupportingResource>"
    resources = description_document(collateral(resource))["resources"]
    assert {group: 1} == {name: len(found) for name, found in resources.items() if found}


def test_prizes_and_citations_are_told():
    found = collateral(
        "<CitedContent><CitedContentType>03</CitedContentType><SourceType>01</SourceType><SourceTitle>Observer</SourceTitle>"
        "<CitationNote>Interview</CitationNote><ResourceLink>https://x.example/</ResourceLink></CitedContent>"
        "<Prize><PrizeName>Femina</PrizeName><PrizeYear>2012</PrizeYear><PrizeCountry>FR</PrizeCountry><PrizeCode>01</PrizeCode><PrizeJury>A jury</PrizeJury></Prize>"
    )
    (cited,), (prize,) = found.citations, found.prizes
    assert (["Media mention"], ("Observer",), ["Interview"], ("https://x.example/",)) == (
        named(cited.type),
        cited.source_titles,
        [note.plain for note in cited.notes],
        cited.links,
    )
    assert (("Femina",), "2012", ["France", "Winner"], ["A jury"]) == (
        prize.names,
        prize.year,
        named(prize.country, prize.achievement),
        [jury.plain for jury in prize.juries],
    )


# --- publishing and relations


def test_publishing_tells_who_where_and_when():
    found = describing(
        "<PublishingDetail><Imprint><ImprintIdentifier><ImprintIDType>01</ImprintIDType><IDValue>P4</IDValue></ImprintIdentifier><ImprintName>Perennial</ImprintName></Imprint>"
        "<Publisher><PublishingRole>01</PublishingRole><PublisherName>HarperCollins</PublisherName></Publisher>"
        "<CityOfPublication>London</CityOfPublication><CountryOfPublication>GB</CountryOfPublication>"
        "<PublishingDate><PublishingDateRole>11</PublishingDateRole><Date dateformat='05'>1968</Date></PublishingDate>"
        "<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date>20060807</Date></PublishingDate>"
        "<CopyrightStatement><CopyrightYear>1965</CopyrightYear><CopyrightOwner><PersonName>Maj Sjöwall</PersonName></CopyrightOwner>"
        "<CopyrightOwner><CorporateName>Norstedts</CorporateName></CopyrightOwner></CopyrightStatement></PublishingDetail>"
    ).publishing
    assert ["HarperCollins"] == [one.name for one in found.publishers]
    assert [("Perennial", ["P4"])] == [(one.name, [known.value for known in one.identifiers]) for one in found.imprints]
    assert (("London",), ["United Kingdom"]) == (found.cities, named(found.country))
    assert found.date is not None
    assert ("20060807", "2006-08-07") == (found.date.text, found.date.iso)
    assert ["1968", "2006-08-07"] == [date.iso for date in found.dates]
    assert [(("1965",), ("Maj Sjöwall", "Norstedts"))] == [(one.years, one.owners) for one in found.copyrights]


@pytest.mark.parametrize(
    ("attributes", "text", "expected"),
    [
        ("", "20260901", "2026-09-01"),
        ("", "2026-09-01", "2026-09-01"),
        (" dateformat='01'", "202609", "2026-09"),
        (" dateformat='05'", "2026", "2026"),
        (" dateformat='14'", "20260901T000000+0200", "2026-09-01"),
        (" dateformat='02'", "202609", None),
        (" dateformat='12'", "20260901", None),
        (" dateformat='20'", "14450101", None),
        ("", "autumn", None),
        ("", "20261301", None),
        ("", "20260231", None),
    ],
)
def test_a_date_is_iso_only_where_it_names_a_day_month_or_year(attributes, text, expected):
    date = (
        f"<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date{attributes}>{text}</Date></PublishingDate>"
    )
    found = describing(f"<PublishingDetail>{date}</PublishingDetail>").publishing.date
    assert found is not None
    assert (text, expected) == (found.text, found.iso)


def test_related_products_and_works_keep_relation_and_identifiers():
    found = describing(
        "<RelatedMaterial><RelatedWork><WorkRelationCode>01</WorkRelationCode><WorkIdentifier><WorkIDType>11</WorkIDType><IDValue>A02</IDValue></WorkIdentifier></RelatedWork>"
        "<RelatedProduct><ProductRelationCode>06</ProductRelationCode><ProductRelationCode>27</ProductRelationCode>"
        "<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9780007324378</IDValue></ProductIdentifier><ProductForm>ED</ProductForm></RelatedProduct></RelatedMaterial>"
    )
    (work,), (product,) = found.related_works, found.related_products
    assert (["Manifestation of"], ["A02"]) == (named(work.relation), [one.value for one in work.identifiers])
    assert ["Alternative format", "Electronic version available as"] == named(*product.relations)
    assert (["Digital download"], ["9780007324378"]) == (
        named(product.form),
        [one.value for one in product.identifiers],
    )


# --- the document


def keys(value: object) -> object:
    """A document without its values."""
    return {name: keys(inner) for name, inner in value.items()} if isinstance(value, dict) else type(value).__name__


def test_an_empty_record_has_every_key_and_every_list():
    empty, whole = description_document(describing("")), description_document(descriptive("<NoCollection/>"))
    assert keys(empty) == keys(whole)
    assert empty["title"] is None
    assert [] == empty["titles"] == empty["texts"]["descriptions"] == empty["resources"]["front_covers"]
    assert {
        "page_count": None,
        "duration_minutes": None,
        "word_count": None,
        "file_size_bytes": None,
        "all": [],
    } == empty["extents"]


def test_an_unknown_code_is_kept_without_a_name():
    document = description_document(
        descriptive("<ProductForm>QQ</ProductForm><ProductFormDetail> E101\u200b</ProductFormDetail>")
    )
    assert {"code": "QQ", "name": None} == document["form"]["form"]
    assert [{"code": "E101", "name": "EPUB"}] == document["form"]["details"]
