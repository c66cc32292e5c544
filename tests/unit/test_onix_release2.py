"""ONIX 2.1 in the words of ONIX 3: each mapping by itself, then every real file of 2.1 (reference/onix.md 2.16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from syncengine.domain.frame import Context, Frame, FrameIndex
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.product import Price, Product
from syncengine.domain.tags import REFERENCE_NAMES, RELEASE_2_NAMES, SHORT_TAGS, XHTML_NAMES
from syncengine.domain.territory import ISO_COUNTRIES
from syncengine.errors import NotOnix, RecordInvalid
from syncengine.onix.codelists import standard
from syncengine.onix.dialect import Element, read_product
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import ParsedRecord, parse
from syncengine.onix.release2 import codes
from tests.records import digests_in, sample_paths, samples_folder


def framed(content: bytes) -> tuple[Context, list[Frame]]:
    framer = Framer(seed=1, index=FrameIndex())
    frames = [*framer.feed(content).frames, *framer.close().frames]
    assert framer.context is not None
    return framer.context, frames


def message(inside: str, *, header: str = "", notification: str = "03") -> bytes:
    return (
        f'<ONIXMessage release="2.1"><Header><FromCompany>A</FromCompany>{header}</Header><Product>'
        f"<RecordReference>r1</RecordReference><NotificationType>{notification}</NotificationType>{inside}"
        "</Product></ONIXMessage>"
    ).encode()


def product_of(content: bytes) -> Element:
    context, [frame] = framed(content)
    return read_product(context.opening, frame.body, context.closing)[0]


def parsed(inside: str, *, header: str = "", notification: str = "03") -> ParsedRecord:
    context, [frame] = framed(message(inside, header=header, notification=notification))
    return parse(frame.body, context)


def digests(inside: str) -> Mapping[str, bytes]:
    context, [frame] = framed(message(inside))
    return digests_in(context, frame.body)


def facts(inside: str, *, header: str = "") -> Product:
    return parsed(inside, header=header).product


def spelled(element: Element) -> str:
    inside = (element.text or "").strip() + "".join(map(spelled, element.children))
    attributes = "".join(f" {name}={value}" for name, value in element.attributes)
    return f"<{element.name}{attributes}>{inside}</{element.name}>" if inside else f"<{element.name}{attributes}/>"


def said(product: Element, path: str) -> str:
    """The children of a composite, spelled without blanks; `Block/Name` are those of that name."""
    block, _, name = path.partition("/")
    parts = [child for found in product.all(block) for child in found.children if name in ("", child.name)]
    return "".join(map(spelled, parts))


def date(name: str, role: str, day: str, form: str = "00") -> str:
    return f"<{name}><{name}Role>{role}</{name}Role><Date dateformat={form}>{day}</Date></{name}>"


def identifier(kind: str, value: str, name: str = "ProductIdentifier", type_name: str = "ProductIDType") -> str:
    return f"<{name}><{type_name}>{kind}</{type_name}><IDValue>{value}</IDValue></{name}>"


class TestNames:
    def test_no_short_tag_means_one_thing_in_release_2_and_another_in_3(self):
        assert set() == set(RELEASE_2_NAMES) & set(REFERENCE_NAMES)
        assert set() == set(RELEASE_2_NAMES) & (set(SHORT_TAGS) | XHTML_NAMES)

    def test_elements_of_one_name_may_have_two_short_tags(self):
        twice = {name: (short, SHORT_TAGS[name]) for short, name in RELEASE_2_NAMES.items() if name in SHORT_TAGS}
        assert twice == {
            "Barcode": ("b246", "barcode"),
            "MainSubject": ("mainsubject", "x425"),
            "RecordSourceIdentifier": ("a196", "recordsourceidentifier"),
            "Territory": ("j303", "territory"),
        }

    def test_short_tags_and_reference_names_give_the_same_record(self):
        long = product_of(message("<EAN13>9780000000002</EAN13><Title><TitleText>T</TitleText></Title>"))
        short = product_of(
            b'<ONIXmessage release="2.1"><product><a001>r1</a001><a002>03</a002><b005>9780000000002</b005>'
            b"<title><b203>T</b203></title></product></ONIXmessage>"
        )
        assert long == short


IDENTIFIERS = [
    pytest.param("<ISBN>0-19-435189-0</ISBN>", "02 0194351890", id="ISBN-10"),
    pytest.param("<ISBN>9780194351898</ISBN>", "15 9780194351898", id="ISBN of 13 digits"),
    pytest.param("<ISBN>1234567</ISBN>", "02 1234567", id="an ISBN that is none is kept"),
    pytest.param("<EAN13>9780194351898</EAN13>", "03 9780194351898", id="EAN13"),
    pytest.param("<UPC>012345678905</UPC>", "04 012345678905", id="UPC"),
    pytest.param("<ISMN>M571100511</ISMN>", "05 M571100511", id="ISMN"),
    pytest.param("<DOI>10.1006/jmbi.1998-2354</DOI>", "06 10.1006/jmbi.1998-2354", id="DOI"),
]


@pytest.mark.parametrize(("inside", "pair"), IDENTIFIERS)
def test_single_identifiers_become_typed_ones(inside, pair):
    kind, value = pair.split()
    [found] = product_of(message(inside)).all("ProductIdentifier")
    assert identifier(kind, value) == spelled(found)


def test_an_identifier_that_stands_there_twice_is_one():
    inside = (
        identifier("15", "9780194351898")
        + identifier("01", "x")
        + "<EAN13>9780194351898</EAN13><ISBN>9780194351898</ISBN>"
    )
    product = product_of(message(inside))
    expected = [identifier("15", "9780194351898"), identifier("01", "x"), identifier("03", "9780194351898")]
    assert expected == [spelled(found) for found in product.all("ProductIdentifier")]


def test_a_record_source_and_a_deletion_keep_their_words():
    inside = (
        "<DeletionCode>1</DeletionCode><DeletionText>twice</DeletionText><RecordSourceType>01</RecordSourceType>"
        "<RecordSourceIdentifierType>07</RecordSourceIdentifierType><RecordSourceIdentifier>9021000</RecordSourceIdentifier>"
        "<RecordSourceName>A</RecordSourceName>"
    )
    assert [spelled(child) for child in product_of(message(inside, notification="05")).children] == [
        "<RecordReference>r1</RecordReference>",
        "<NotificationType>05</NotificationType>",
        "<DeletionText>twice</DeletionText>",
        "<RecordSourceType>01</RecordSourceType>",
        identifier("07", "9021000", "RecordSourceIdentifier", "RecordSourceIDType"),
        "<RecordSourceName>A</RecordSourceName>",
    ]


DESCRIBED = [
    # --- form
    pytest.param(
        "<ProductForm>BC</ProductForm><ProductFormDetail>B105</ProductFormDetail>",
        "<ProductComposition>00</ProductComposition><ProductForm>BC</ProductForm><ProductFormDetail>B105</ProductFormDetail>",
        id="what both lists have",
    ),
    pytest.param(
        "<ProductForm>DG</ProductForm><EpubType>029</EpubType><EpubTypeVersion>3.0</EpubTypeVersion>"
        "<EpubTypeDescription>a</EpubTypeDescription><EpubTypeNote>b</EpubTypeNote>",
        "<ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm><ProductFormDetail>E101</ProductFormDetail>"
        "<ProductFormFeature><ProductFormFeatureType>10</ProductFormFeatureType>"
        "<ProductFormFeatureValue>3.0</ProductFormFeatureValue></ProductFormFeature>"
        "<ProductFormDescription>a</ProductFormDescription><ProductFormDescription>b</ProductFormDescription>",
        id="an EPUB",
    ),
    pytest.param(
        "<ProductForm>DG</ProductForm><ProductFormDetail>E101</ProductFormDetail><EpubType>029</EpubType>",
        "<ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm><ProductFormDetail>E101</ProductFormDetail>",
        id="a format that is said twice",
    ),
    pytest.param(
        "<ProductForm>DG</ProductForm><EpubType>098</EpubType><EpubFormat>11</EpubFormat>",
        "<ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm><ProductFormDetail>E127</ProductFormDetail>",
        id="a format where the type names none",
    ),
    pytest.param(
        "<ProductForm>BB</ProductForm><EpubType>002</EpubType>",
        "<ProductComposition>00</ProductComposition><ProductForm>BB</ProductForm>",
        id="a printed book with the type of a PDF",
    ),
    pytest.param(
        "<ProductForm>WW</ProductForm><ContainedItem><ISBN>0194351890</ISBN><ProductForm>DG</ProductForm>"
        "<EpubType>002</EpubType><ItemQuantity>2</ItemQuantity></ContainedItem>"
        "<ContainedItem><ProductForm>BB</ProductForm><NumberOfPieces>3</NumberOfPieces></ContainedItem>",
        "<ProductComposition>10</ProductComposition><ProductForm>SA</ProductForm><ProductPart>"
        + identifier("02", "0194351890")
        + "<ProductForm>EA</ProductForm><ProductFormDetail>E107</ProductFormDetail><NumberOfCopies>2</NumberOfCopies>"
        "</ProductPart><ProductPart><ProductForm>BB</ProductForm><NumberOfItemsOfThisForm>3</NumberOfItemsOfThisForm>"
        "</ProductPart>",
        id="mixed media",
    ),
    pytest.param(
        "<Measure><MeasureTypeCode>01</MeasureTypeCode><Measurement>9</Measurement><MeasureUnitCode>in</MeasureUnitCode></Measure>",
        "<Measure><MeasureType>01</MeasureType><Measurement>9</Measurement><MeasureUnitCode>in</MeasureUnitCode></Measure>",
        id="a measure",
    ),
    pytest.param("<Height>9</Height><Dimensions>9x6</Dimensions>", "", id="a measure without a unit"),
    # --- titles
    pytest.param(
        "<DistinctiveTitle>The Book</DistinctiveTitle><Subtitle>Or not</Subtitle><FormerTitle>Old</FormerTitle>"
        "<TranslationOfTitle>Le livre</TranslationOfTitle>",
        "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<TitleText>The Book</TitleText><Subtitle>Or not</Subtitle></TitleElement></TitleDetail>"
        "<TitleDetail><TitleType>06</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<TitleText>Le livre</TitleText></TitleElement></TitleDetail>"
        "<TitleDetail><TitleType>08</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<TitleText>Old</TitleText></TitleElement></TitleDetail>",
        id="single titles",
    ),
    pytest.param(
        "<Title><TitleType>01</TitleType><TitleText textcase='02'>The Book</TitleText><TitlePrefix>The</TitlePrefix>"
        "<TitleWithoutPrefix>Book</TitleWithoutPrefix></Title>",
        "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Book</TitleWithoutPrefix></TitleElement></TitleDetail>",
        id="a title with its prefix apart",
    ),
    pytest.param(
        "<Title><TitleType>05</TitleType><TitleText textcase='02'>A Book</TitleText><TitlePrefix>The</TitlePrefix>"
        "<TitleWithoutPrefix>Book</TitleWithoutPrefix></Title>",
        "<TitleDetail><TitleType>05</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<TitleText textcase=02>A Book</TitleText></TitleElement></TitleDetail>",
        id="a prefix that is not the title's",
    ),
    # --- series and sets
    pytest.param(
        "<Series><SeriesISSN>12345678</SeriesISSN><SeriesIdentifier><SeriesIDType>01</SeriesIDType><IDValue>7</IDValue>"
        "</SeriesIdentifier><TitleOfSeries>S</TitleOfSeries><NumberWithinSeries>7</NumberWithinSeries></Series>",
        "<Collection><CollectionType>10</CollectionType>"
        + identifier("01", "7", "CollectionIdentifier", "CollectionIDType")
        + identifier("02", "12345678", "CollectionIdentifier", "CollectionIDType")
        + "<CollectionSequence><CollectionSequenceType>02</CollectionSequenceType>"
        "<CollectionSequenceNumber>7</CollectionSequenceNumber></CollectionSequence>"
        "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>02</TitleElementLevel>"
        "<TitleText>S</TitleText></TitleElement></TitleDetail></Collection>",
        id="a series",
    ),
    pytest.param(
        "<Set><ISBNOfSet>9780194351898</ISBNOfSet><TitleOfSet>S</TitleOfSet><SetPartNumber>Part 2</SetPartNumber>"
        "<SetPartTitle>P</SetPartTitle></Set>",
        "<Collection><CollectionType>10</CollectionType>"
        + identifier("15", "9780194351898", "CollectionIdentifier", "CollectionIDType")
        + "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>02</TitleElementLevel>"
        "<TitleText>S</TitleText></TitleElement><TitleElement><TitleElementLevel>03</TitleElementLevel>"
        "<TitleText>P</TitleText></TitleElement><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        "<PartNumber>Part 2</PartNumber></TitleElement></TitleDetail></Collection>",
        id="a set, with a number in words",
    ),
    pytest.param("<NoSeries/>", "<NoCollection/>", id="no series"),
    # --- people
    pytest.param(
        "<Contributor><SequenceNumber>1</SequenceNumber><ContributorRole>B06</ContributorRole><LanguageCode>ger</LanguageCode>"
        "<PersonName>A B</PersonName><PersonNameInverted>B, A</PersonNameInverted><KeyNames>B</KeyNames>"
        "<Name><PersonNameType>01</PersonNameType><PersonName>C</PersonName></Name>"
        "<PersonNameIdentifier><PersonNameIDType>02</PersonNameIDType><IDValue>1</IDValue></PersonNameIdentifier>"
        "<PersonDate><PersonDateRole>007</PersonDateRole><Date>1961</Date></PersonDate>"
        "<BiographicalNote>Born <i>then</i>.</BiographicalNote><ProfessionalPosition>P</ProfessionalPosition>"
        "<CountryCode>AU</CountryCode></Contributor><ContributorStatement>A B</ContributorStatement>",
        "<Contributor><SequenceNumber>1</SequenceNumber><ContributorRole>B06</ContributorRole><FromLanguage>ger</FromLanguage>"
        + identifier("17", "1", "NameIdentifier", "NameIDType")
        + "<PersonName>A B</PersonName><PersonNameInverted>B, A</PersonNameInverted><KeyNames>B</KeyNames>"
        "<AlternativeName><NameType>01</NameType><PersonName>C</PersonName></AlternativeName>"
        "<ContributorDate><ContributorDateRole>50</ContributorDateRole><Date>1961</Date></ContributorDate>"
        "<ProfessionalAffiliation><ProfessionalPosition>P</ProfessionalPosition></ProfessionalAffiliation>"
        "<BiographicalNote>Born<i>then</i></BiographicalNote>"
        "<ContributorPlace><ContributorPlaceRelator>00</ContributorPlaceRelator><CountryCode>AU</CountryCode>"
        "</ContributorPlace></Contributor><ContributorStatement>A B</ContributorStatement>",
        id="a translator",
    ),
    pytest.param(
        "<Contributor><ContributorRole>A01</ContributorRole><UnnamedPersons>04</UnnamedPersons></Contributor>"
        "<Contributor><ContributorRole>B01</ContributorRole><CorporateName>C</CorporateName></Contributor>",
        "<Contributor><ContributorRole>A01</ContributorRole><UnnamedPersons>04</UnnamedPersons></Contributor>"
        "<Contributor><ContributorRole>B01</ContributorRole><CorporateName>C</CorporateName></Contributor>",
        id="unnamed persons and a body",
    ),
    # --- the rest
    pytest.param(
        "<EditionTypeCode>REV</EditionTypeCode><EditionNumber>3</EditionNumber><NoContributor/>",
        "<NoContributor/><EditionType>REV</EditionType><EditionNumber>3</EditionNumber>",
        id="an edition",
    ),
    pytest.param(
        "<LanguageOfText>eng</LanguageOfText><OriginalLanguage>ger</OriginalLanguage>"
        "<Language><LanguageRole>01</LanguageRole><LanguageCode>eng</LanguageCode></Language>"
        "<Language><LanguageRole>05</LanguageRole><LanguageCode>fre</LanguageCode></Language>",
        "<Language><LanguageRole>01</LanguageRole><LanguageCode>eng</LanguageCode></Language>"
        "<Language><LanguageRole>02</LanguageRole><LanguageCode>ger</LanguageCode></Language>",
        id="languages, each once, those of rights left out",
    ),
    pytest.param(
        "<NumberOfPages>300</NumberOfPages><PagesRoman>xii</PagesRoman><PagesArabic>288</PagesArabic>",
        "<Extent><ExtentType>00</ExtentType><ExtentValue>300</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>"
        "<Extent><ExtentType>03</ExtentType><ExtentValueRoman>xii</ExtentValueRoman><ExtentUnit>03</ExtentUnit></Extent>",
        id="pages",
    ),
    pytest.param(
        "<NumberOfPages>300</NumberOfPages>"
        "<Extent><ExtentType>00</ExtentType><ExtentValue>288</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>",
        "<Extent><ExtentType>00</ExtentType><ExtentValue>288</ExtentValue><ExtentUnit>03</ExtentUnit></Extent>",
        id="pages that an extent states",
    ),
    pytest.param(
        "<Illustrations><IllustrationType>14</IllustrationType><Number>4</Number></Illustrations>",
        "<AncillaryContent><AncillaryContentType>14</AncillaryContentType><Number>4</Number></AncillaryContent>",
        id="illustrations",
    ),
    pytest.param(
        "<BASICMainSubject>BUS004000</BASICMainSubject><BASICVersion>2015</BASICVersion><BICMainSubject>WH</BICMainSubject>"
        "<MainSubject><MainSubjectSchemeIdentifier>93</MainSubjectSchemeIdentifier><SubjectCode>FFP</SubjectCode></MainSubject>"
        "<Subject><SubjectSchemeIdentifier>20</SubjectSchemeIdentifier><SubjectHeadingText>k</SubjectHeadingText></Subject>"
        "<PersonAsSubject><PersonName>A</PersonName></PersonAsSubject><CorporateBodyAsSubject>B</CorporateBodyAsSubject>",
        "<Subject><MainSubject/><SubjectSchemeIdentifier>10</SubjectSchemeIdentifier>"
        "<SubjectSchemeVersion>2015</SubjectSchemeVersion><SubjectCode>BUS004000</SubjectCode></Subject>"
        "<Subject><MainSubject/><SubjectSchemeIdentifier>12</SubjectSchemeIdentifier><SubjectCode>WH</SubjectCode></Subject>"
        "<Subject><MainSubject/><SubjectSchemeIdentifier>93</SubjectSchemeIdentifier><SubjectCode>FFP</SubjectCode></Subject>"
        "<Subject><SubjectSchemeIdentifier>20</SubjectSchemeIdentifier><SubjectHeadingText>k</SubjectHeadingText></Subject>"
        "<NameAsSubject><PersonName>A</PersonName></NameAsSubject><NameAsSubject><CorporateName>B</CorporateName></NameAsSubject>",
        id="subjects",
    ),
    pytest.param(
        "<AudienceCode>01</AudienceCode>"
        "<Audience><AudienceCodeType>17</AudienceCodeType><AudienceCodeValue>UP</AudienceCodeValue></Audience>",
        "<Audience><AudienceCodeType>01</AudienceCodeType><AudienceCodeValue>01</AudienceCodeValue></Audience>"
        "<Audience><AudienceCodeType>17</AudienceCodeType><AudienceCodeValue>UP</AudienceCodeValue></Audience>",
        id="audiences",
    ),
]


@pytest.mark.parametrize(("inside", "expected"), DESCRIBED)
def test_descriptive_detail(inside, expected):
    assert expected == said(product_of(message(inside)), "DescriptiveDetail")


def test_single_measures_take_the_units_of_the_header():
    header = "<DefaultLinearUnit>in</DefaultLinearUnit><DefaultWeightUnit>oz</DefaultWeightUnit>"
    stated = "<Measure><MeasureTypeCode>08</MeasureTypeCode><Measurement>1</Measurement><MeasureUnitCode>lb</MeasureUnitCode></Measure>"
    product = product_of(message(f"{stated}<Width>6</Width><Weight>16</Weight>", header=header))
    assert said(product, "DescriptiveDetail") == (
        "<Measure><MeasureType>08</MeasureType><Measurement>1</Measurement><MeasureUnitCode>lb</MeasureUnitCode></Measure>"
        "<Measure><MeasureType>02</MeasureType><Measurement>6</Measurement><MeasureUnitCode>in</MeasureUnitCode></Measure>"
    )


class TestForm:
    """What a title is sold as hangs on these."""

    @pytest.mark.parametrize(
        ("form", "epub_type", "expected", "details"),
        [
            ("DG", "029", "EA", ("E101",)),
            ("DG", "002", "EA", ("E107",)),
            ("DG", "003", "EA", ("E107",)),
            ("DG", "004", "EA", ("E107",)),
            ("DG", "022", "EA", ("E127",)),
            ("DG", "031", "EA", ("E116",)),
            ("DG", "023", "EA", ("E102",)),
            ("DG", "032", "EA", ("E133",)),
            ("DG", "016", "EC", ()),
            ("DG", "000", "EA", ()),
            ("DG", "099", "EA", ()),
            ("DG", "999", "EA", ()),
            ("DG", "", "EA", ()),
            ("DH", "029", "EC", ("E101",)),
            ("DH", "", "EC", ()),
            ("DA", "029", "EA", ("E101",)),
            ("DA", "", "DA", ()),
            ("DB", "029", "DB", ()),
            ("DO", "", "LB", ()),
            ("AJ", "", "AJ", ()),
            ("AC", "", "AC", ()),
            ("BC", "029", "BC", ()),
            ("WW", "", "SA", ()),
            ("ZZZ", "", "ZZZ", ()),
        ],
    )
    def test_form_and_file_format(self, form, epub_type, expected, details):
        kind = f"<EpubType>{epub_type}</EpubType>" if epub_type else ""
        product = facts(f"<ProductForm>{form}</ProductForm>{kind}")
        assert (expected, details) == (product.form, product.form_details)

    def test_an_audio_download_keeps_its_format(self):
        product = facts("<ProductForm>AJ</ProductForm><ProductFormDetail>A103</ProductFormDetail>")
        assert (product.form, product.form_details) == ("AJ", ("A103",))

    @pytest.mark.parametrize("gone", ["B203", "B211", "B407", "B408"])
    def test_details_that_have_another_meaning_now_are_left_out(self, gone):
        product = facts(f"<ProductForm>BC</ProductForm><ProductFormDetail>{gone}</ProductFormDetail>")
        assert product.form_details == ()

    @pytest.mark.parametrize(
        ("epub_type", "expected"), [("003", ("01",)), ("004", ("03",)), ("006", ("01",)), ("002", ()), ("029", ())]
    )
    def test_only_types_that_are_locks_tell_a_protection(self, epub_type, expected):
        product = facts(f"<ProductForm>DG</ProductForm><EpubType>{epub_type}</EpubType>")
        assert expected == product.protections

    def test_a_stated_protection_is_kept(self):
        inside = (
            "<ProductForm>DG</ProductForm><EpubType>004</EpubType><EpubTechnicalProtection>02</EpubTechnicalProtection>"
        )
        assert facts(inside).protections == ("02",)

    @pytest.mark.parametrize(
        ("form", "composition"), [("BB", "00"), ("WX", "10"), ("XC", "30"), ("XL", "30"), ("XB", "20"), ("DG", "00")]
    )
    def test_composition(self, form, composition):
        assert composition == facts(f"<ProductForm>{form}</ProductForm>").composition

    def test_a_book_with_something_in_it_is_of_several_parts(self):
        inside = "<ProductForm>BB</ProductForm><ContainedItem><ProductForm>AC</ProductForm></ContainedItem>"
        assert (facts(inside).composition, facts(inside).form) == ("10", "BB")


def text_content(kind: str, text: str, audience: str = "00", rest: str = "") -> str:
    return f"<TextContent><TextType>{kind}</TextType><ContentAudience>{audience}</ContentAudience>{text}{rest}</TextContent>"


def resource(kind: str, mode: str, version: str, features: str = "") -> str:
    return (
        f"<SupportingResource><ResourceContentType>{kind}</ResourceContentType><ContentAudience>00</ContentAudience>"
        f"<ResourceMode>{mode}</ResourceMode>{features}"
        f"<ResourceVersion><ResourceForm>01</ResourceForm>{version}</ResourceVersion></SupportingResource>"
    )


def file_format(value: str) -> str:
    feature = "<ResourceVersionFeatureType>01</ResourceVersionFeatureType>"
    return f"<ResourceVersionFeature>{feature}<FeatureValue>{value}</FeatureValue></ResourceVersionFeature>"


COLLATERAL = [
    pytest.param(
        "<OtherText><TextTypeCode>01</TextTypeCode><TextFormat>02</TextFormat><Text>&lt;p>a</Text></OtherText>",
        text_content("03", "<Text textformat=02><p>a</Text>"),
        id="a description in HTML",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>02</TextTypeCode><TextFormat>06</TextFormat><Text>a</Text></OtherText>",
        text_content("02", "<Text>a</Text>"),
        id="a short one in the default format",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>18</TextTypeCode><TextFormat>02</TextFormat><Text><p>a</p></Text></OtherText>",
        text_content("05", "<Text textformat=05><p>a</p></Text>"),
        id="elements are XHTML whatever is said",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>01</TextTypeCode><TextFormat>02</TextFormat><Text textformat='05'>a</Text></OtherText>",
        text_content("03", "<Text textformat=05>a</Text>"),
        id="the attribute before the element",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>08</TextTypeCode><Text>q</Text><TextAuthor>A</TextAuthor>"
        "<TextSourceCorporate>B</TextSourceCorporate><TextSourceTitle>C</TextSourceTitle>"
        "<TextPublicationDate>20180718</TextPublicationDate><StartDate>20200101</StartDate></OtherText>",
        text_content(
            "06",
            "<Text>q</Text>",
            rest="<TextAuthor>A</TextAuthor><TextSourceCorporate>B</TextSourceCorporate><SourceTitle>C</SourceTitle>"
            + date("ContentDate", "01", "20180718")
            + date("ContentDate", "14", "20200101"),
        ),
        id="a review with its source",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>28</TextTypeCode><Text>t</Text></OtherText>",
        text_content("03", "<Text>t</Text>", "05"),
        id="a description for teachers",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>16</TextTypeCode><Text>rivals</Text></OtherText>"
        "<OtherText><TextTypeCode>34</TextTypeCode><Text>all of it</Text></OtherText>",
        "",
        id="what is not for customers",
    ),
    pytest.param(
        "<Annotation>a</Annotation><MainDescription>b</MainDescription><ReviewQuote>c</ReviewQuote>",
        text_content("02", "<Text>a</Text>")
        + text_content("03", "<Text>b</Text>")
        + text_content("06", "<Text>c</Text>"),
        id="single texts",
    ),
    pytest.param(
        "<OtherText><TextTypeCode>23</TextTypeCode><TextFormat>14</TextFormat><TextLinkType>01</TextLinkType>"
        "<TextLink>https://a/b</TextLink></OtherText>"
        "<OtherText><TextTypeCode>23</TextTypeCode><TextLinkType>06</TextLinkType><TextLink>b.txt</TextLink></OtherText>",
        resource("15", "04", "<ResourceLink>https://a/b</ResourceLink>"),
        id="an excerpt elsewhere; a file name is nowhere",
    ),
    pytest.param(
        "<MediaFile><MediaFileTypeCode>04</MediaFileTypeCode><MediaFileFormatCode>03</MediaFileFormatCode>"
        "<MediaFileLinkTypeCode>01</MediaFileLinkTypeCode><MediaFileLink>https://a/b</MediaFileLink>"
        "<DownloadCredit>C</DownloadCredit><MediaFileDate>20171101</MediaFileDate></MediaFile>",
        resource(
            "01",
            "03",
            file_format("D502") + "<ResourceLink>https://a/b</ResourceLink>" + date("ContentDate", "17", "20171101"),
            "<ResourceFeature><ResourceFeatureType>01</ResourceFeatureType><FeatureNote>C</FeatureNote></ResourceFeature>",
        ),
        id="a cover",
    ),
    pytest.param(
        "<MediaFile><MediaFileTypeCode>36</MediaFileTypeCode><MediaFileLinkTypeCode>01</MediaFileLinkTypeCode>"
        "<MediaFileLink>https://a/v</MediaFileLink></MediaFile>"
        "<MediaFile><MediaFileTypeCode>44</MediaFileTypeCode><MediaFileLinkTypeCode>01</MediaFileLinkTypeCode>"
        "<MediaFileLink>https://a/s</MediaFileLink></MediaFile>"
        "<MediaFile><MediaFileTypeCode>51</MediaFileTypeCode><MediaFileLinkTypeCode>01</MediaFileLinkTypeCode>"
        "<MediaFileLink>https://a/w</MediaFileLink></MediaFile>",
        resource("26", "05", "<ResourceLink>https://a/v</ResourceLink>")
        + resource("15", "02", "<ResourceLink>https://a/s</ResourceLink>")
        + resource("16", "01", "<ResourceLink>https://a/w</ResourceLink>"),
        id="a trailer, a sound and a widget",
    ),
    pytest.param(
        "<MediaFile><MediaFileTypeCode>01</MediaFileTypeCode><MediaFileLinkTypeCode>01</MediaFileLinkTypeCode>"
        "<MediaFileLink>https://a/whole.epub</MediaFileLink></MediaFile>",
        "",
        id="the whole product is not for customers",
    ),
    pytest.param(
        "<CoverImageFormatCode>02</CoverImageFormatCode><CoverImageLinkTypeCode>01</CoverImageLinkTypeCode>"
        "<CoverImageLink>https://a/b</CoverImageLink>",
        resource("01", "03", file_format("D501") + "<ResourceLink>https://a/b</ResourceLink>"),
        id="a single cover",
    ),
    pytest.param(
        "<Prize><PrizeName>P</PrizeName><PrizeYear>2018</PrizeYear></Prize>",
        "<Prize><PrizeName>P</PrizeName><PrizeYear>2018</PrizeYear></Prize>",
        id="a prize",
    ),
]


@pytest.mark.parametrize(("inside", "expected"), COLLATERAL)
def test_collateral_detail(inside, expected):
    assert expected == said(product_of(message(inside)), "CollateralDetail")


PUBLISHED = [
    pytest.param(
        "<ImprintName>I</ImprintName><PublisherName>P</PublisherName><CopublisherName>C</CopublisherName>",
        "<Imprint><ImprintName>I</ImprintName></Imprint>"
        "<Publisher><PublishingRole>01</PublishingRole><PublisherName>P</PublisherName></Publisher>"
        "<Publisher><PublishingRole>02</PublishingRole><PublisherName>C</PublisherName></Publisher>",
        id="single names",
    ),
    pytest.param(
        "<Imprint><NameCodeType>01</NameCodeType><NameCodeTypeName>N</NameCodeTypeName><NameCodeValue>1</NameCodeValue>"
        "<ImprintName>I</ImprintName></Imprint><Publisher><PublisherName>P</PublisherName></Publisher>",
        "<Imprint><ImprintIdentifier><ImprintIDType>01</ImprintIDType><IDTypeName>N</IDTypeName><IDValue>1</IDValue>"
        "</ImprintIdentifier><ImprintName>I</ImprintName></Imprint>"
        "<Publisher><PublishingRole>01</PublishingRole><PublisherName>P</PublisherName></Publisher>",
        id="composites",
    ),
    pytest.param(
        "<PublishingStatus>04</PublishingStatus><PublicationDate>201009</PublicationDate>"
        "<AnnouncementDate>20100101</AnnouncementDate><TradeAnnouncementDate>20091201</TradeAnnouncementDate>"
        "<YearFirstPublished>1998</YearFirstPublished><OutOfPrintDate>20200101</OutOfPrintDate>",
        "<PublishingStatus>04</PublishingStatus>"
        + date("PublishingDate", "01", "201009", "01")
        + date("PublishingDate", "09", "20100101")
        + date("PublishingDate", "10", "20091201")
        + date("PublishingDate", "11", "1998", "05")
        + date("PublishingDate", "13", "20200101"),
        id="status and dates",
    ),
    pytest.param(
        "<PublicationDate>soon</PublicationDate>",
        "<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date>soon</Date></PublishingDate>",
        id="a date that is none",
    ),
    pytest.param(
        "<CopyrightYear>1984</CopyrightYear>",
        "<CopyrightStatement><CopyrightYear>1984</CopyrightYear></CopyrightStatement>",
        id="a copyright year",
    ),
    pytest.param(
        "<SalesRestriction><SalesRestrictionType>01</SalesRestrictionType><SalesOutlet><SalesOutletName>N</SalesOutletName>"
        "</SalesOutlet><SalesRestrictionDetail>D</SalesRestrictionDetail></SalesRestriction>",
        "<SalesRestriction><SalesRestrictionType>01</SalesRestrictionType><SalesOutlet><SalesOutletName>N</SalesOutletName>"
        "</SalesOutlet><SalesRestrictionNote>D</SalesRestrictionNote></SalesRestriction>",
        id="a restriction",
    ),
]


@pytest.mark.parametrize(("inside", "expected"), PUBLISHED)
def test_publishing_detail(inside, expected):
    assert expected == said(product_of(message(inside)), "PublishingDetail")


def rights(kind: str, **where: str) -> str:
    inside = "".join(f"<{name}>{codes}</{name}>" for name, codes in where.items())
    return f"<SalesRights><SalesRightsType>{kind}</SalesRightsType>{inside}</SalesRights>"


NOT_IN_US = "<NotForSale><RightsCountry>US</RightsCountry></NotForSale>"


class TestRights:
    @pytest.mark.parametrize(
        ("inside", "expected", "rest"),
        [
            pytest.param(rights("01", RightsCountry="AU NZ"), {"01": {"AU", "NZ"}}, "00", id="named countries"),
            pytest.param(rights("01", RightsTerritory="WORLD"), {"01": set(ISO_COUNTRIES)}, None, id="world"),
            pytest.param(
                rights("02", RightsRegion="000"), {"02": set(ISO_COUNTRIES)}, None, id="the old code for world"
            ),
            pytest.param(
                rights("01", RightsTerritory="WORLD") + NOT_IN_US,
                {"01": set(ISO_COUNTRIES) - {"US"}, "03": {"US"}},
                None,
                id="world but one country",
            ),
            pytest.param(
                rights("01", RightsCountry="US") + rights("02", RightsTerritory="WORLD"),
                {"01": {"US"}, "02": set(ISO_COUNTRIES) - {"US"}},
                None,
                id="a country of its own in the world",
            ),
            pytest.param(
                rights("01", RightsCountry="US", RightsTerritory="ROW")
                + "<NotForSale><RightsCountry>GB</RightsCountry></NotForSale>",
                {"01": {"US"}, "03": {"GB"}},
                "01",
                id="the rest of the world is for sale",
            ),
            pytest.param(
                rights("01", RightsCountry="US") + rights("03", RightsRegion="001"),
                {"01": {"US"}},
                "03",
                id="the rest is not",
            ),
            pytest.param(
                rights("01", RightsTerritory="ROW") + rights("06", RightsTerritory="ROW"),
                {},
                "06",
                id="both: it is not",
            ),
            pytest.param(
                rights("01", RightsCountry="US") + "<NotForSale><RightsTerritory>WORLD</RightsTerritory></NotForSale>",
                {"01": {"US"}, "03": set(ISO_COUNTRIES)},
                None,
                id="a ban on the world stays one",
            ),
            pytest.param(rights("01", RightsTerritory="ECZ"), {"01": {"DE", "FR", "IE"}}, "00", id="the eurozone"),
            pytest.param(
                rights("01", RightsRegion="003"), {"01": set()}, "00", id="an area without borders covers nothing"
            ),
            pytest.param("", {}, None, id="nothing said"),
        ],
    )
    def test_where_it_may_be_sold(self, inside, expected, rest):
        product = facts(inside)
        found = {stated.type: set(stated.territory.countries()) for stated in product.sales_rights}
        assert rest == product.rest_of_world_rights
        if "ECZ" in inside:
            assert expected["01"] < found["01"] < ISO_COUNTRIES | {"XK"}
        else:
            assert expected == found

    def test_countries_may_stand_in_several_elements(self):
        inside = "<SalesRights><SalesRightsType>01</SalesRightsType><RightsCountry>AU NZ</RightsCountry><RightsCountry>CK</RightsCountry></SalesRights>"
        assert facts(inside).sales_rights[0].territory.countries_included == ("AU", "CK", "NZ")

    def test_a_ban_keeps_who_sells_instead(self):
        inside = "<NotForSale><RightsCountry>US</RightsCountry><ISBN>0194351890</ISBN><PublisherName>P</PublisherName></NotForSale>"
        assert said(product_of(message(inside)), "PublishingDetail/SalesRights") == (
            "<SalesRights><SalesRightsType>03</SalesRightsType><Territory><CountriesIncluded>US</CountriesIncluded></Territory>"
            + identifier("02", "0194351890")
            + "<PublisherName>P</PublisherName></SalesRights>"
        )


def test_related_material():
    inside = (
        "<WorkIdentifier><WorkIDType>01</WorkIDType><IDValue>7</IDValue></WorkIdentifier>"
        "<RelatedProduct><RelationCode>13</RelationCode><EAN13>9780194351898</EAN13><ProductForm>DG</ProductForm>"
        "<EpubType>029</EpubType></RelatedProduct>"
        "<RelatedProduct><RelationCode>06</RelationCode><ProductForm>BB</ProductForm></RelatedProduct>"
        "<RelatedProduct><RelationCode>14</RelationCode><EAN13>9780194351898</EAN13></RelatedProduct>"
        "<ReplacedByISBN>0194351890</ReplacedByISBN>"
    )
    assert said(product_of(message(inside)), "RelatedMaterial") == (
        "<RelatedWork><WorkRelationCode>01</WorkRelationCode><WorkIdentifier><WorkIDType>01</WorkIDType><IDValue>7</IDValue>"
        "</WorkIdentifier></RelatedWork><RelatedProduct><ProductRelationCode>13</ProductRelationCode>"
        + identifier("03", "9780194351898")
        + "<ProductForm>EA</ProductForm><ProductFormDetail>E101</ProductFormDetail></RelatedProduct>"
        "<RelatedProduct><ProductRelationCode>05</ProductRelationCode>"
        + identifier("02", "0194351890")
        + "</RelatedProduct>"
    )


def supply(inside: str) -> str:
    return f"<SupplyDetail><SupplierName>S</SupplierName>{inside}</SupplyDetail>"


class TestSupply:
    @pytest.mark.parametrize(
        ("code", "expected"),
        [
            ("AB", "01"),
            ("AD", "44"),
            ("CS", "99"),
            ("EX", "43"),
            ("IP", "21"),
            ("MD", "23"),
            ("NP", "10"),
            ("NY", "11"),
            ("OF", "42"),
            ("OI", "40"),
            ("OP", "51"),
            ("OR", "41"),
            ("PP", "09"),
            ("RF", "43"),
            ("RM", "47"),
            ("RP", "32"),
            ("RU", "32"),
            ("TO", "22"),
            ("TP", "31"),
            ("TU", "30"),
            ("UR", "33"),
            ("WR", "99"),
            ("WS", "46"),
            ("XX", "XX"),
            ("20", None),
        ],
    )
    def test_the_older_availability(self, code, expected):
        """Only IP, MD and TO are for sale; an unknown code stays, and one of the newer list here is none."""
        [block] = facts(supply(f"<AvailabilityCode>{code}</AvailabilityCode>")).supplies
        assert expected == block.details[0].availability

    def test_every_code_of_the_older_list_has_its_row(self):
        assert set(standard().lists[54].codes) == set(codes.AVAILABILITIES)

    def test_the_newer_availability_holds(self):
        inside = "<AvailabilityCode>IP</AvailabilityCode><ProductAvailability>40</ProductAvailability>"
        assert facts(supply(inside)).supplies[0].details[0].availability == "40"

    def test_a_supplier_and_its_dates(self):
        inside = (
            "<SupplierSAN>9021000</SupplierSAN><SupplierEANLocationNumber>503</SupplierEANLocationNumber>"
            "<ReturnsCodeType>02</ReturnsCodeType><ReturnsCode>C</ReturnsCode><ProductAvailability>10</ProductAvailability>"
            "<DateFormat>01</DateFormat><ExpectedShipDate>201906</ExpectedShipDate><OnSaleDate>20190601</OnSaleDate>"
            "<LastDateForReturns>20200601</LastDateForReturns><NewSupplier><SupplierName>N</SupplierName></NewSupplier>"
        )
        assert said(product_of(message(supply(inside))), "ProductSupply") == (
            "<SupplyDetail><Supplier><SupplierRole>00</SupplierRole>"
            + identifier("06", "503", "SupplierIdentifier", "SupplierIDType")
            + identifier("07", "9021000", "SupplierIdentifier", "SupplierIDType")
            + "<SupplierName>S</SupplierName></Supplier><ReturnsConditions><ReturnsCodeType>02</ReturnsCodeType>"
            "<ReturnsCode>C</ReturnsCode></ReturnsConditions><ProductAvailability>10</ProductAvailability>"
            + date("SupplyDate", "02", "20190601")
            + date("SupplyDate", "08", "201906", "01")
            + date("SupplyDate", "18", "20200601")
            + "<NewSupplier><SupplierName>N</SupplierName></NewSupplier></SupplyDetail>"
        )

    def test_the_day_of_remaindering_is_no_day_of_supply(self):
        inside = "<AvailabilityCode>WR</AvailabilityCode><ExpectedShipDate>20200101</ExpectedShipDate>"
        assert facts(supply(inside)).supplies[0].details[0].dates == ()

    @pytest.mark.parametrize(
        ("inside", "restrictions"),
        [
            ("<SupplyRestrictionDetail>schools only</SupplyRestrictionDetail>", ("00",)),
            ("<AudienceRestrictionFlag>X</AudienceRestrictionFlag>", ("08",)),
            (
                "<AudienceRestrictionFlag>R</AudienceRestrictionFlag><AudienceRestrictionNote>n</AudienceRestrictionNote>",
                ("00",),
            ),
            ("", ()),
        ],
    )
    def test_restrictions_in_words_restrict(self, inside, restrictions):
        assert restrictions == facts(supply(inside)).supplies[0].market_restrictions


def markets(product: Product) -> list[set[str]]:
    return [set().union(*(market.countries() for market in block.markets)) for block in product.supplies]


def represented(inside: str) -> str:
    return f"<MarketRepresentation><AgentName>A</AgentName>{inside}</MarketRepresentation>"


AU_LATER = represented(
    "<MarketCountry>AU</MarketCountry><MarketPublishingStatus>02</MarketPublishingStatus>"
    "<MarketDate><MarketDateRole>02</MarketDateRole><Date>20300101</Date></MarketDate>"
)


class TestMarkets:
    def test_supplies_of_one_territory_are_one_block(self):
        inside = supply("<SupplyToCountry>AU NZ</SupplyToCountry>") + supply("<SupplyToCountry>NZ AU</SupplyToCountry>")
        product = facts(inside + supply("<SupplyToCountry>GB</SupplyToCountry>"))
        assert markets(product) == [{"AU", "NZ"}, {"GB"}]
        assert [len(block.details) for block in product.supplies] == [2, 1]

    @pytest.mark.parametrize(
        ("inside", "expected"),
        [
            ("<SupplyToTerritory>WORLD</SupplyToTerritory>", set(ISO_COUNTRIES)),
            (
                "<SupplyToTerritory>WORLD</SupplyToTerritory><SupplyToCountryExcluded>US</SupplyToCountryExcluded>",
                set(ISO_COUNTRIES) - {"US"},
            ),
            ("<SupplyToCountryExcluded>US CA</SupplyToCountryExcluded>", set(ISO_COUNTRIES) - {"US", "CA"}),
            ("<SupplyToRegion>004</SupplyToRegion>", set()),
        ],
    )
    def test_where_a_supplier_supplies(self, inside, expected):
        assert [expected] == markets(facts(supply(inside)))

    def test_the_rest_of_the_world_is_what_no_other_supplier_names(self):
        inside = supply("<SupplyToCountry>US CA</SupplyToCountry>") + supply(
            "<SupplyToTerritory>ROW</SupplyToTerritory>"
        )
        assert markets(facts(inside)) == [{"US", "CA"}, set(ISO_COUNTRIES) - {"US", "CA"}]

    def test_without_a_territory_it_is_wherever_the_rights_are(self):
        assert facts(supply("")).supplies[0].markets == ()

    def test_an_embargo_of_a_market_holds_for_every_supply_in_it(self):
        product = facts(supply("<SupplyToCountry>AU NZ</SupplyToCountry>") + supply("") + AU_LATER)
        by_country = {
            country: [
                block.market_status for block in product.supplies if any(m.covers(country) for m in block.markets)
            ]
            for country in ("AU", "NZ", "GB")
        }
        assert by_country == {"AU": ["02", "02"], "NZ": [None, None], "GB": [None]}
        assert [block.market_dates[0].role for block in product.supplies if block.market_status] == ["02", "02"]
        assert all(len(block.details) == 1 for block in product.supplies)

    def test_a_representation_everywhere_leaves_no_rest(self):
        for where in ("<MarketTerritory>WORLD</MarketTerritory>", ""):
            product = facts(supply("") + represented(f"{where}<MarketPublishingStatus>04</MarketPublishingStatus>"))
            assert markets(product) == [set(ISO_COUNTRIES)]
            assert product.supplies[0].market_status == "04"

    def test_a_part_of_a_country_takes_all_of_it_out_of_the_rest(self):
        scotland = represented(
            "<MarketTerritory>GB-SCT</MarketTerritory><MarketPublishingStatus>01</MarketPublishingStatus>"
        )
        product = facts(supply("<SupplyToCountry>GB IE</SupplyToCountry>") + scotland)
        assert [block.markets[0].regions_included for block in product.supplies] == [("GB-SCT",), ()]
        assert markets(product) == [set(), {"IE"}]

    def test_the_rest_of_the_markets_is_what_no_other_representation_names(self):
        rest = represented("<MarketTerritory>ROW</MarketTerritory><MarketPublishingStatus>04</MarketPublishingStatus>")
        product = facts(supply("") + AU_LATER + rest)
        assert [
            (block.market_status, len(found)) for block, found in zip(product.supplies, markets(product), strict=True)
        ] == [
            ("02", 1),
            ("04", len(ISO_COUNTRIES) - 1),
        ]

    def test_a_market_without_a_supplier_is_kept(self):
        product = facts(supply("<SupplyToCountry>GB</SupplyToCountry>") + AU_LATER)
        assert [(block.market_status, len(block.details)) for block in product.supplies] == [(None, 1), ("02", 0)]

    def test_an_agent_alone_says_nothing_of_the_market(self):
        assert markets(facts(supply("") + represented("<MarketCountry>AU</MarketCountry>"))) == [set()]

    def test_words_of_restriction_restrict_the_market(self):
        words = "<MarketCountry>AU</MarketCountry><MarketRestrictionDetail>not to libraries</MarketRestrictionDetail>"
        product = facts(supply("<SupplyToCountry>AU NZ</SupplyToCountry>") + represented(words))
        assert [
            (found, block.market_restrictions) for found, block in zip(markets(product), product.supplies, strict=True)
        ] == [
            ({"AU"}, ("00",)),
            ({"NZ"}, ()),
        ]


def prices(inside: str, *, header: str = "") -> tuple[Price, ...]:
    return facts(supply(inside), header=header).supplies[0].details[0].prices


def price(inside: str, *, header: str = "") -> Price:
    [found] = prices(f"<Price>{inside}<PriceAmount>19.99</PriceAmount></Price>", header=header)
    return found


class TestPrices:
    def test_a_price_with_all_its_parts(self):
        found = price(
            "<PriceTypeCode>02</PriceTypeCode><PriceQualifier>05</PriceQualifier><PriceStatus>01</PriceStatus>"
            "<CurrencyCode>AUD</CurrencyCode><CountryCode>AU</CountryCode><CountryCode>NZ</CountryCode>"
            "<TaxRateCode1>S</TaxRateCode1><TaxRatePercent1>10</TaxRatePercent1><TaxableAmount1>18.17</TaxableAmount1>"
            "<TaxAmount1>1.82</TaxAmount1><TaxRateCode2>Z</TaxRateCode2>"
            "<PriceEffectiveFrom>20200101</PriceEffectiveFrom><PriceEffectiveUntil>20200131</PriceEffectiveUntil>"
        )
        assert (found.type, found.qualifier, found.status) == ("02", "05", "01")
        assert (found.amount, found.currency) == (Decimal("19.99"), "AUD")
        assert found.territory is not None
        assert found.territory.countries_included == ("AU", "NZ")
        assert [(tax.rate_code, tax.rate_percent, tax.taxable_amount, tax.tax_amount) for tax in found.taxes] == [
            ("S", Decimal(10), Decimal("18.17"), Decimal("1.82")),
            ("Z", None, None, None),
        ]
        assert [(dated.role, dated.date.text) for dated in found.dates] == [("14", "20200101"), ("15", "20200131")]
        assert not found.conditions

    def test_what_a_price_does_not_say_the_header_does(self):
        header = "<DefaultPriceTypeCode>01</DefaultPriceTypeCode><DefaultCurrencyCode>CAD</DefaultCurrencyCode>"
        found = price("", header=header)
        assert (found.type, found.currency) == ("01", "CAD")

    def test_an_amount_by_itself_is_a_price(self):
        header = "<DefaultPriceTypeCode>01</DefaultPriceTypeCode><DefaultCurrencyCode>CAD</DefaultCurrencyCode>"
        [found] = prices("<PriceAmount>9.99</PriceAmount>", header=header)
        assert (found.type, found.amount, found.currency, found.territory) == ("01", Decimal("9.99"), "CAD", None)

    @pytest.mark.parametrize("where", ["Territory", "none"])
    def test_a_world_without_some_countries(self, where):
        included = "<Territory>WORLD</Territory>" if where == "Territory" else ""
        found = price(f"{included}<CountryExcluded>ES PT</CountryExcluded><TerritoryExcluded>CA-QC</TerritoryExcluded>")
        assert found.territory is not None
        assert found.territory.countries() == ISO_COUNTRIES - {"ES", "PT"}
        assert not found.territory.covers("CA")

    def test_the_rest_of_the_world_is_what_no_other_price_names(self):
        named = "<Price><PriceAmount>1</PriceAmount><CountryCode>US</CountryCode></Price>"
        rest = "<Price><PriceAmount>2</PriceAmount><Territory>ROW</Territory></Price>"
        first, second = prices(named + rest)
        assert first.territory is not None
        assert second.territory is not None
        assert first.territory.countries() == {"US"}
        assert second.territory.countries() == ISO_COUNTRIES - {"US"}

    @pytest.mark.parametrize(
        ("stated", "default", "conditional"),
        [
            ("", "", False),
            ("gen", "", False),
            ("General  Trade", "", False),
            ("Institutional", "", True),
            ("", "General Trade", False),
            ("", "Wholesale distributor", True),
            ("Retail", "Wholesale distributor", False),
        ],
    )
    def test_a_price_for_another_class_of_trade_is_conditional(self, stated, default, conditional):
        header = f"<DefaultClassOfTrade>{default}</DefaultClassOfTrade>" if default else ""
        inside = f"<ClassOfTrade>{stated}</ClassOfTrade>" if stated else ""
        assert conditional == price(inside, header=header).conditions

    def test_a_price_for_many_is_conditional(self):
        assert price("<MinimumOrderQuantity>10</MinimumOrderQuantity>").conditions

    def test_why_there_is_no_price(self):
        assert facts(supply("<UnpricedItemType>02</UnpricedItemType>")).supplies[0].details[0].unpriced == "02"

    def test_discounts_keep_their_schemes(self):
        inside = (
            "<Price><BICDiscountGroupCode>ABC</BICDiscountGroupCode><DiscountPercent>40</DiscountPercent>"
            "<PriceAmount>1</PriceAmount></Price>"
        )
        assert (
            "<Price><DiscountCoded><DiscountCodeType>01</DiscountCodeType><DiscountCode>ABC</DiscountCode></DiscountCoded>"
            "<Discount><DiscountPercent>40</DiscountPercent></Discount><PriceAmount>1</PriceAmount></Price>"
        ) in said(product_of(message(supply(inside))), "ProductSupply/SupplyDetail")


class TestRecords:
    @pytest.mark.parametrize(
        ("notification", "says"),
        [
            ("04", "ONIX 2.1 has no block updates; ask for a full record"),
            (" 04\u200b", "ONIX 2.1 has no block updates"),
            ("12", "only the supply"),
            ("13", "only the markets"),
            ("14", "only supply and markets"),
            ("06", "'06' is not in list 1"),
        ],
    )
    def test_a_record_that_is_not_whole_is_refused_with_the_reason(self, notification, says):
        with pytest.raises(RecordInvalid, match=says):
            parsed("", notification=notification)

    @pytest.mark.parametrize("notification", ["01", "02", "03", "05", "08", "09", "89"])
    def test_the_other_notifications_are_as_in_release_3(self, notification):
        assert notification == parsed("", notification=notification).product.notification_type

    def test_a_record_with_blocks_is_one_of_release_3(self):
        """A 04 among them is a block update, which goes its own way."""
        inside = "<DescriptiveDetail><ProductForm>ED</ProductForm></DescriptiveDetail><ProductForm>DG</ProductForm>"
        assert parsed(inside, notification="04").product.form == "ED"

    def test_digests_tell_which_part_changed(self):
        base = "<ProductForm>BB</ProductForm><PublishingStatus>04</PublishingStatus>" + supply("")
        before, after = digests(base), digests(base.replace(">04<", ">07<"))
        assert [word for word in before if before[word] != after[word]] == ["publishing_detail"]

    def test_a_record_means_the_same_in_2_1_and_in_3_0(self):
        old = "<ProductForm>BB</ProductForm><NumberOfPages>10</NumberOfPages><AudienceCode>01</AudienceCode>"
        new = (
            b'<ONIXMessage release="3.0"><Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType>'
            b"<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>BB</ProductForm><Extent>"
            b"<ExtentType>00</ExtentType><ExtentValue>10</ExtentValue><ExtentUnit>03</ExtentUnit></Extent><Audience>"
            b"<AudienceCodeType>01</AudienceCodeType><AudienceCodeValue>01</AudienceCodeValue></Audience></DescriptiveDetail>"
            b"</Product></ONIXMessage>"
        )
        context, [frame] = framed(new)
        assert (parsed(old).product, digests(old)) == (
            parse(frame.body, context).product,
            digests_in(context, frame.body),
        )

    def test_a_whole_message_is_never_read_as_release_3(self):
        """A product form of 2.1 that 3.x gives another meaning: DO is a licence key in one, a disc in the other."""
        context, [frame] = framed(message("<ProductForm>DO</ProductForm>").replace(b' release="2.1"', b""))
        assert (context.release, parse(frame.body, context).product.form) == ("2.1", "LB")


class TestTables:
    """Every code that a table gives is one of its list of ONIX 3, and every code without a row means there what it meant."""

    @pytest.mark.parametrize(
        ("table", "old", "new"),
        [
            (codes.FORMS, 7, 150),
            (codes.COMPOSITIONS, 7, 2),
            (codes.EPUB_TYPES, 10, 175),
            (codes.EPUB_FORMATS, 11, 175),
            (codes.EPUB_PROTECTIONS, 10, 144),
            (codes.PERSON_ID_TYPES, 101, 44),
            (codes.PERSON_DATE_ROLES, 75, 177),
            (codes.TEXT_TYPES, 33, 153),
            (codes.TEXT_AUDIENCES, 33, 154),
            (codes.TEXT_FORMATS, 34, 34),
            (codes.LINKED_TEXTS, 33, 158),
            (codes.RESOURCES, 38, 158),
            (codes.RESOURCE_MODES, 38, 159),
            (codes.FILE_FORMATS, 39, 178),
            (codes.AVAILABILITIES, 54, 65),
        ],
        ids=lambda value: str(value) if isinstance(value, int) else "",
    )
    def test_codes_are_of_their_lists(self, table, old, new):
        assert set() == set(table) - set(standard().lists[old].codes)
        assert set() == set(table.values()) - set(standard().lists[new].codes)

    def test_forms_without_a_row_are_in_the_list_of_release_3(self):
        same = set(standard().lists[7].codes) - set(codes.FORMS)
        assert set() == same - set(standard().lists[150].codes)

    def test_details_without_a_row_are_in_the_list_of_release_3(self):
        same = set(standard().lists[78].codes) - codes.FORM_DETAILS_GONE
        assert set() == same - set(standard().lists[175].codes)


def samples_of_2_1() -> Iterator[tuple[Path, Context, list[Frame]]]:
    samples_folder()
    for path in sample_paths():
        try:
            context, frames = framed(path.read_bytes())
        except NotOnix:
            continue
        if context.release == "2.1":
            yield path, context, frames


def record_count(content: bytes) -> int:
    tree = etree.fromstring(content, etree.XMLParser(recover=True, resolve_entities=False, no_network=True))
    names = [str(node.tag).rpartition("}")[2].lower() for node in tree.iter("*")]
    return names.count("product")


class TestSamples:
    def test_no_record_of_2_1_is_lost(self):
        counts = {path.name: len(frames) for path, _, frames in samples_of_2_1()}
        assert {path.name: record_count(path.read_bytes()) for path, _, _ in samples_of_2_1()} == counts
        assert sum(counts.values()) == 46

    def test_every_record_is_read_but_one_without_a_reference(self):
        refused = []
        for path, context, frames in samples_of_2_1():
            for frame in frames:
                try:
                    parse(frame.body, context)
                except RecordInvalid as error:
                    refused.append((path.name, str(error)))
        assert [name for name, _ in refused] == ["Onix2CoreDataSample1.xml"]
        assert "RecordReference" in refused[0][1]

    def test_every_record_has_what_a_catalogue_needs(self):
        """One record names its publisher by a code only, one says nothing of a supply."""
        bare = {}
        for path, context, frames in samples_of_2_1():
            for frame in frames if path.name != "Onix2CoreDataSample1.xml" else []:
                product = parse(frame.body, context).product
                wanted = {
                    "isbn": product.isbn,
                    "form": product.form,
                    "title": product.title,
                    "publisher": product.publisher,
                    "supply": product.supplies,
                }
                if missing := {name for name, value in wanted.items() if not value}:
                    bare[path.name] = missing
        assert bare == {"Google_Sample_ONIX_2.1.xml": {"publisher"}, "valid_onix2_ref.xml": {"supply"}}

    def test_warnings_are_of_what_is_odd_in_the_files(self):
        found: dict[WarningKind, set[str]] = {}
        for path, context, frames in samples_of_2_1():
            for noted in [one for frame in frames for one in warnings_of(frame, context)]:
                found.setdefault(noted.kind, set()).add(path.name)
        assert found[WarningKind.ENTITIES] == {"entities.xml", "extra_entities.xml"}
        assert found[WarningKind.CONTROL_CHARACTERS] == {"control_chars.xml"}
        assert found[WarningKind.ENCODING] == {"aau.xml", "no_xml_declaration.xml"}
        assert found[WarningKind.UNKNOWN_CODE] == {"short_tags.xml"}

    def test_an_e_book_with_an_on_sale_date(self):
        product = first_of("jonix/single-book-onix2.xml")
        assert (product.isbn, product.title, product.publisher) == (
            "9781576753422",
            "Be the Hero",
            "Berrett-Koehler Publishers",
        )
        assert (product.form, product.form_details, product.protections) == ("EA", ("E101",), ())
        assert [(rights.type, rights.territory.regions_included) for rights in product.sales_rights] == [
            ("01", ("WORLD",))
        ]
        [block] = product.supplies
        [detail] = block.details
        assert (detail.availability, [(dated.role, dated.date.text) for dated in detail.dates]) == (
            "21",
            [("02", "20090801")],
        )
        [found] = detail.prices
        assert (found.type, found.amount, found.currency) == ("01", Decimal("19.95"), "USD")

    def test_a_market_with_an_embargo(self):
        product = first_of("yob/extra_entities.xml")
        australia, elsewhere = product.supplies
        assert (markets(product)[0], australia.market_status) == ({"AU"}, "02")
        assert [(dated.role, dated.date.text) for dated in australia.market_dates] == [("02", "20061101")]
        assert (markets(product)[1], elsewhere.market_status) == (set(ISO_COUNTRIES) - {"AU"}, None)
        assert australia.details == elsewhere.details
        assert [(found.amount, found.currency) for found in australia.details[0].prices] == [
            (Decimal("33.95"), "AUD"),
            (Decimal("38.95"), "NZD"),
        ]

    def test_short_tags_with_defaults_in_the_header(self):
        product = first_of("onix-data/Onix2CoreDataSample1ShortTags.xml")
        assert (product.isbn, product.title) == ("9781234567890", "Generic Title: Bland and Boring")
        [detail] = product.supplies[0].details
        assert (detail.availability, [(dated.role, dated.date.text) for dated in detail.dates]) == (
            "20",
            [("02", "20200216")],
        )
        [found] = detail.prices
        assert (found.type, found.amount, found.currency, found.conditions) == ("01", Decimal("19.95"), "USD", False)
        assert [(dated.role, dated.date.text) for dated in found.dates] == [("14", "20191003")]


def first_of(name: str) -> Product:
    context, frames = framed((samples_folder() / name).read_bytes())
    return parse(frames[0].body, context).product


def warnings_of(frame: Frame, context: Context) -> tuple[Noted, ...]:
    try:
        return parse(frame.body, context).warnings
    except RecordInvalid:
        return ()
