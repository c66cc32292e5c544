"""The defects of real feeds (reference/onix.md 2.17), a row each: from a message's bytes through framing to facts and warnings.

Details of each are tested with the part that deals with it. A file that comes twice or out of order is the intake's affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.dates import OnixDate
from syncengine.domain.frame import FrameIndex
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import Reading, parse
from syncengine.onix.shapes import odd_date
from tests.records import samples_folder

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'
NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
HEADER = "<Header><Sender><SenderName>A</SenderName></Sender><SentDateTime>20261101</SentDateTime></Header>"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a message comes to: the products that were read, the reasons for those that were not, and all that was told."""

    products: tuple[Product, ...]
    refused: tuple[str, ...]
    told: tuple[tuple[WarningKind, str], ...]
    complete: bool
    duplicates: int

    @property
    def kinds(self) -> set[WarningKind]:
        return {kind for kind, _ in self.told}

    @property
    def titles(self) -> tuple[str | None, ...]:
        return tuple(product.title for product in self.products)


def read(content: bytes, reading: Reading | None = None) -> Outcome:
    framer = Framer(seed=1, index=FrameIndex())
    batch, end = framer.feed(content), framer.close()
    assert framer.context is not None
    products, refused, told = [], [], [*framer.defects, *framer.warnings]
    for frame in (*batch.frames, *end.frames):
        try:
            parsed = parse(frame.body, framer.context, reading)
        except RecordInvalid as error:
            refused.append(str(error))
        else:
            products.append(parsed.product)
            told.extend(parsed.warnings)
    return Outcome(
        products=tuple(products),
        refused=tuple(refused),
        told=tuple((noted.kind, noted.says) for noted in told),
        complete=framer.complete,
        duplicates=framer.duplicates,
    )


def sample(name: str, reading: Reading | None = None) -> Outcome:
    return read((samples_folder() / name).read_bytes(), reading)


def product(
    title: str = "Café",
    *,
    reference: str = "r1",
    identifier: str = "9780306406157",
    inside: str = "",
    name: str = "PublisherName",
    publisher: str = "Maison",
) -> str:
    """A record without a fault, but for what the caller puts in."""
    block_zero = f"<RecordReference>{reference}</RecordReference>" if reference else ""
    return (
        f"<Product>{block_zero}<NotificationType>03</NotificationType>"
        f"<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{identifier}</IDValue></ProductIdentifier>"
        f"<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm>"
        f"<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel>"
        f"<TitleText>{title}</TitleText></TitleElement></TitleDetail></DescriptiveDetail>"
        f"<PublishingDetail><Publisher><PublishingRole>01</PublishingRole><{name}>{publisher}</{name}></Publisher></PublishingDetail>"
        f"{inside}</Product>"
    )


def message(
    *records: str,
    declaration: str = DECLARATION,
    root: str = f'ONIXMessage xmlns="{NAMESPACE}" release="3.0"',
    header: str = HEADER,
) -> str:
    return f"{declaration}<{root}>{header}{''.join(records or (product(),))}</{root.partition(' ')[0]}>"


def supply(inside: str) -> str:
    return f"<ProductSupply><SupplyDetail><ProductAvailability>20</ProductAvailability>{inside}</SupplyDetail></ProductSupply>"


def price(inside: str) -> str:
    return supply(f"<Price><PriceType>02</PriceType>{inside}</Price>")


def test_a_message_without_defects_is_told_nothing_of():
    found = read(message().encode())
    assert (("Café",), (), (), True) == (found.titles, found.refused, found.told, found.complete)


# --- characters


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        pytest.param(b"\xef\xbb\xbf" + message().encode(), set(), id="UTF-8 BOM"),
        pytest.param(message().replace("UTF-8", "UTF-16").encode("utf-16"), set(), id="UTF-16 with a mark"),
        pytest.param(message().replace("UTF-8", "UTF-16").encode("utf-16-be"), set(), id="UTF-16 without a mark"),
        pytest.param(message(declaration='<?xml version="1.0"?>').encode(), set(), id="no encoding"),
        pytest.param(message(declaration="").encode(), set(), id="no XML declaration"),
        pytest.param(
            message(declaration="").encode("cp1252"),
            {WarningKind.ENCODING},
            id="no XML declaration, bytes windows-1252",
        ),
        pytest.param(message().encode("cp1252"), {WarningKind.ENCODING}, id="label utf-8, bytes windows-1252"),
        pytest.param(
            message().replace("UTF-8", "ISO-8859-1").encode("latin-1"), set(), id="label iso-8859-1, bytes iso-8859-1"
        ),
        pytest.param(
            message(product("Caf\xe9\x0b&#x10;")).encode(),
            {WarningKind.CONTROL_CHARACTERS, WarningKind.ENTITIES},
            id="control characters",
        ),
    ],
)
def test_characters_are_read_as_they_were_meant(content, kinds):
    found = read(content)
    assert (("Café",), kinds, True) == (found.titles, found.kinds, found.complete)


def test_a_wrong_label_is_made_good_for_the_record_alone_and_not_for_its_file():
    good, bad = product("élève", reference="r1").encode(), product("élève", reference="r2").encode("cp1252")
    found = read(message("RECORDS").encode().replace(b"RECORDS", good + bad + good.replace(b"r1", b"r3")))
    assert ("élève",) * 3 == found.titles
    assert [(WarningKind.ENCODING, "bytes that are not UTF-8 read as windows-1252")] == list(found.told)


def test_bytes_80_to_9f_under_iso_8859_1_are_windows_1252():
    content = message(product("“5 €”")).replace("UTF-8", "ISO-8859-1").encode("cp1252")
    found = read(content)
    assert (("“5 €”",), {WarningKind.ENCODING}) == (found.titles, found.kinds)


# --- entities


def test_a_doctype_is_never_fetched_and_its_entities_are_those_of_onix(tmp_path):
    (tmp_path / "onix.dtd").write_text('<!ENTITY eacute "fetched">', encoding="utf-8")
    doctype = f'<!DOCTYPE ONIXMessage SYSTEM "{(tmp_path / "onix.dtd").as_uri()}" [<!ENTITY agrave "inside">]>'
    found = read(message(product("Caf&eacute; &agrave;"), declaration=DECLARATION + doctype).encode())
    assert (("Café à",), {WarningKind.ENTITIES}) == (found.titles, found.kinds)


@pytest.mark.parametrize(
    ("written", "title", "says"),
    [
        ("Acme&reg;", "Acme®", "&reg; resolved"),
        ("Acme&brand;", "Acme&brand;", "&brand; kept as text"),
        ("A & B", "A & B", "stray & kept as text"),
        ("A &amp;amp; B", "A &amp; B", "double-escaped &amp; in TitleText kept as text"),
        ("Caf&amp;eacute;", "Caf&eacute;", "double-escaped &eacute; in TitleText kept as text"),
        ("Caf&amp;#233;", "Caf&#233;", "double-escaped &#233; in TitleText kept as text"),
        ("<![CDATA[Caf&eacute;]]>", "Caf&eacute;", "double-escaped &eacute; in TitleText kept as text"),
    ],
)
def test_undefined_and_double_escaped_entities_stay_text_and_are_told(written, title, says):
    found = read(message(product(written)).encode())
    assert ((title,), ((WarningKind.ENTITIES, says),)) == (found.titles, found.told)


@pytest.mark.parametrize("title", ["Q&amp;A; or not", "R&amp;D", "&amp;c.", "M&amp;Ms; more"])
def test_an_ampersand_of_a_title_is_no_double_escape(title):
    assert () == read(message(product(title)).encode()).told


def test_escaped_markup_is_right_in_a_text_that_says_it_is_html():
    text = '<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience><Text textformat="02">&lt;p&gt;A &amp;amp; B&lt;/p&gt;</Text></TextContent>'
    assert () == read(message(product(inside=f"<CollateralDetail>{text}</CollateralDetail>")).encode()).told


@pytest.mark.parametrize(
    "text",
    [
        '<Text textformat="05"><![CDATA[<p>Fine<br>text</p>]]></Text>',
        '<Text textformat="05">no markup at all</Text>',
        '<Text textformat="02"><p>markup</p> beside text</Text>',
        "<Text><![CDATA[<div><b>no end]]></Text>",
    ],
)
def test_html_in_cdata_and_wrong_text_formats_are_text(text):
    content = f"<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience>{text}</TextContent>"
    found = read(message(product(inside=f"<CollateralDetail>{content}</CollateralDetail>")).encode())
    assert (("Café",), ()) == (found.titles, found.told)


# --- the shape of the message


@pytest.mark.parametrize(
    ("content", "kinds"),
    [
        pytest.param(message(root='ONIXMessage release="3.0"'), set(), id="namespace missing"),
        pytest.param(
            message(root='ONIXMessage xmlns="http://www.editeur.org/onix/3.0/reference" release="3.0"'),
            set(),
            id="namespace of the wrong host",
        ),
        pytest.param(message(root='ONIXmessage release="3.0"'), set(), id="root short, the rest long"),
        pytest.param(
            message(product(name="b081"), root='ONIXMessage release="3.0"'), set(), id="a short tag among long ones"
        ),
        pytest.param(message(root=f'ONIXMessage xmlns="{NAMESPACE}"'), {WarningKind.RELEASE}, id="release missing"),
        pytest.param(message(root="ONIXMessage"), {WarningKind.RELEASE}, id="release and namespace missing"),
        pytest.param(
            message(root='ONIXMessage xmlns="http://ns.editeur.org/onix/3.1/reference" release="3.0"'),
            {WarningKind.RELEASE},
            id="release 3.0 in the namespace of 3.1",
        ),
        pytest.param(
            product().replace("<Product>", f'{DECLARATION}<Product xmlns="{NAMESPACE}">'),
            {WarningKind.ROOT},
            id="bare Product",
        ),
        pytest.param(message(root='ONIXMESAGE release="3.0"'), {WarningKind.ROOT}, id="root misspelled"),
    ],
)
def test_the_root_may_be_wrong_in_many_ways(content, kinds):
    found = read(content.encode())
    assert (("Café",), ("Maison",), kinds, True) == (
        found.titles,
        tuple(product.publisher for product in found.products),
        found.kinds,
        found.complete,
    )


def test_elements_of_31_in_a_message_of_30_are_read_and_told_once_a_record():
    inside = "<ProductSupply><MarketReference>FR</MarketReference></ProductSupply><ProductSupply><MarketReference>BE</MarketReference></ProductSupply>"
    found = read(message(product(inside=inside)).encode())
    assert ["FR", "BE"] == [supply.market_reference for supply in found.products[0].supplies]
    assert ((WarningKind.RELEASE, "MarketReference of release 3.1 in a message of release 3.0"),) == found.told
    newer = message(product(inside=inside), root='ONIXMessage release="3.1"')
    assert () == read(newer.encode()).told


def test_of_a_duplicate_reference_the_last_is_taken():
    found = read(message(product("first"), product("other", reference="r2"), product("last")).encode())
    assert ({"first", "other", "last"}, 0) == (set(found.titles), found.duplicates)
    found = read(message(product("one"), product("two"), product("three")).encode())
    assert (("one", "three"), 1) == (found.titles, found.duplicates)


def test_a_truncated_file_gives_its_complete_records_and_is_incomplete():
    content = message(product("whole"), product("cut", reference="r2")).encode()
    found = read(content[: content.index(b"cut")])
    assert (("whole",), False, {WarningKind.TRUNCATED}) == (found.titles, found.complete, found.kinds)


def test_the_order_of_elements_and_what_is_missing_do_not_matter():
    blocks = "<PublishingDetail><PublishingStatus>04</PublishingStatus></PublishingDetail>"
    record = f"<Product>{blocks}<NotificationType>03</NotificationType><RecordReference>r1</RecordReference></Product>"
    (found,) = read(message(record, header="").encode()).products
    assert ("r1", "03", "04") == (found.reference, found.notification_type, found.publishing_status)


# --- the reference


MISSING = product(reference="")


def test_a_record_without_reference_is_refused_by_default():
    found = read(message(MISSING, product(reference="r2")).encode())
    assert (("no RecordReference",), ("r2",)) == (found.refused, tuple(each.reference for each in found.products))


@pytest.mark.parametrize(
    ("identifiers", "reference"),
    [
        ((("03", "9780306406157"), ("15", "978-0-306-40615-7"), ("01", "7")), "15:9780306406157"),
        ((("01", "7"), ("03", "9780306406157")), "03:9780306406157"),
        ((("06", "10.1000/182"), ("02", "0-306-40615-2")), "02:0306406152"),
        ((("01", "7"), ("06", "10.1000/182")), "06:10.1000/182"),
        ((("01", "A-7"),), "01:A-7"),
    ],
)
def test_a_record_without_reference_gets_one_of_its_best_identifier_where_that_is_the_policy(identifiers, reference):
    composites = "".join(
        f"<ProductIdentifier><ProductIDType>{scheme}</ProductIDType><IDValue>{value}</IDValue></ProductIdentifier>"
        for scheme, value in identifiers
    )
    record = f"<Product><NotificationType>03</NotificationType>{composites}<DescriptiveDetail/></Product>"
    found = read(message(record).encode(), Reading(derives_reference=True))
    assert (reference,) == tuple(each.reference for each in found.products)
    assert ((WarningKind.MISSING_REFERENCE, f"no RecordReference; {reference} stands in for it"),) == found.told


def test_a_record_without_reference_and_identifier_is_refused_by_any_policy():
    found = read(
        message("<Product><NotificationType>03</NotificationType></Product>").encode(), Reading(derives_reference=True)
    )
    assert ("no RecordReference, and no identifier to stand in for it",) == found.refused


# --- single facts


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("9780306", "ISBN-13 '9780306' has 7 characters, not 13"),
        ("9780306406150", "ISBN-13 '9780306406150' is not valid: its check digit or its prefix is wrong"),
        ("5901234123457", "ISBN-13 '5901234123457' is not valid: its check digit or its prefix is wrong"),
    ],
)
def test_an_invalid_isbn_is_kept_and_told(value, says):
    found = read(message(product(identifier=value)).encode())
    assert value == found.products[0].isbn
    assert ((WarningKind.INVALID_IDENTIFIER, says),) == found.told


def test_hyphens_make_no_isbn_invalid():
    assert () == read(message(product(identifier="978-0-306-40615-7")).encode()).told


@pytest.mark.parametrize("written", ["20 ", "\n20\n", "20\u200b", "\ufeff20", "\u00a020"])
def test_blanks_seen_and_unseen_are_stripped_from_codes(written):
    inside = f"<ProductSupply><SupplyDetail><ProductAvailability>{written}</ProductAvailability></SupplyDetail></ProductSupply>"
    found = read(message(product(inside=inside)).encode())
    assert "20" == found.products[0].supplies[0].details[0].availability
    assert ((WarningKind.STRIPPED_CODE, "blanks stripped from ProductAvailability"),) == found.told


def test_an_unknown_code_is_kept_and_told():
    inside = "<ProductSupply><SupplyDetail><ProductAvailability>77</ProductAvailability></SupplyDetail></ProductSupply>"
    found = read(message(product(inside=inside)).encode())
    assert "77" == found.products[0].supplies[0].details[0].availability
    assert ((WarningKind.UNKNOWN_CODE, "code '77' is not in list 65 (ProductAvailability), Issue 75"),) == found.told


@pytest.mark.parametrize("filler", ["N/A", "n/a", "TBC", "tba", "Unknown", "none", "-", " N/A ", "\u2013"])
def test_a_filler_stays_a_fact_and_is_told(filler):
    found = read(message(product(filler, publisher=filler)).encode())
    assert (filler.strip(), filler.strip()) == (found.products[0].title, found.products[0].publisher)
    assert {
        (WarningKind.FILLER, f"{name} {filler.strip()!r} is a filler, no fact")
        for name in ("TitleText", "PublisherName")
    } == set(found.told)


@pytest.mark.parametrize("title", ["The Unknown", "None of the Above", "A - B", "NA"])
def test_a_title_that_only_holds_a_filler_s_word_is_none(title):
    assert () == read(message(product(title)).encode()).told


@pytest.mark.parametrize(
    ("inside", "kept", "says"),
    [
        (
            "<PriceAmount>-9.99</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
            None,
            "PriceAmount -9.99 is negative and was left out",
        ),
        (
            "<PriceAmount>NaN</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
            None,
            "PriceAmount 'NaN' is no amount and was left out",
        ),
        (
            "<PriceAmount>Infinity</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
            None,
            "PriceAmount 'Infinity' is no amount and was left out",
        ),
        (
            "<PriceAmount>1000000000000</PriceAmount><CurrencyCode>EUR</CurrencyCode>",
            "1000000000000",
            "PriceAmount 1000000000000 can hardly be meant; kept for the guards to judge",
        ),
        ("<PriceAmount>9.99</PriceAmount>", "9.99", "a price without currency, of which the header says none either"),
    ],
)
def test_amounts_that_cannot_be_meant_are_told(inside, kept, says):
    found = read(message(product(inside=price(inside))).encode())
    amount = found.products[0].supplies[0].details[0].prices[0].amount
    assert kept == (str(amount) if amount is not None else None)
    assert ((WarningKind.AMOUNT, says),) == found.told


def test_the_header_s_currency_is_the_price_s():
    header = HEADER.replace(
        "</Header>", "<DefaultPriceType>01</DefaultPriceType><DefaultCurrencyCode>GBP</DefaultCurrencyCode></Header>"
    )
    found = read(
        message(product(inside=supply("<Price><PriceAmount>9.99</PriceAmount></Price>")), header=header).encode()
    )
    (offered,) = found.products[0].supplies[0].details[0].prices
    assert ("01", "GBP", ()) == (offered.type, offered.currency, found.told)


@pytest.mark.parametrize(
    ("date", "says"),
    [
        ('<Date dateformat="05">20260101</Date>', "date '20260101' is not of format 05"),
        ("<Date>2016</Date>", "date '2016' is not of format 00"),
        ("<DateFormat>01</DateFormat><Date>20260101</Date>", "date '20260101' is not of format 01"),
        ("<Date>20260230</Date>", "date '20260230' is on no calendar"),
        ('<Date dateformat="06">2026010120260231</Date>', "date '2026010120260231' is on no calendar"),
        ('<Date dateformat="02">202654</Date>', "date '202654' is not of format 02"),
        ("<Date>soon</Date>", "date 'soon' is not of format 00"),
    ],
)
def test_a_date_whose_digits_contradict_its_format_is_kept_and_told(date, says):
    inside = f"<PublishingDetail><PublishingDate><PublishingDateRole>01</PublishingDateRole>{date}</PublishingDate></PublishingDetail>"
    found = read(
        message(
            f"<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType>{inside}</Product>"
        ).encode()
    )
    assert 1 == len(found.products[0].publishing_dates)
    assert ((WarningKind.DATE, says),) == found.told


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("202753", "02"),
        ("20260901T2400", "13"),
        ("20260901T006000", "14"),
        ("20260901T0800+9900", "13"),
        ("2026091520260901", "06"),
        ("202609202608", "07"),
        ("202601202753", "08"),
        ("20272026", "11"),
    ],
)
def test_a_date_that_looks_right_and_cannot_be_read_is_told(text, form):
    assert None is OnixDate(text=text, format=form).starts_at(ZoneInfo("UTC"))
    assert Noted(WarningKind.DATE, f"date {text!r} is on no calendar") == odd_date(text, form)


@pytest.mark.parametrize(
    "date",
    [
        "<Date>20260101</Date>",
        "<Date>2026-01-01</Date>",
        '<Date dateformat="01">202601</Date>',
        '<Date dateformat="02">2026-W36</Date>',
        '<Date dateformat="03">20264</Date>',
        '<Date dateformat="04">20264</Date>',
        '<Date dateformat="05">2026</Date>',
        '<Date dateformat="06">2026010120260131</Date>',
        '<Date dateformat="08">202601202653</Date>',
        '<Date dateformat="12">in spring</Date>',
        '<Date dateformat="13">20260101T0000</Date>',
        '<Date dateformat="14">20260101T000000-0500</Date>',
        '<Date dateformat="14">2026-01-01T00:00:00Z</Date>',
        '<Date dateformat="20">14470712</Date>',
    ],
)
def test_a_date_that_is_what_it_says_is_told_nothing_of(date):
    inside = f"<PublishingDetail><PublishingDate><PublishingDateRole>01</PublishingDateRole>{date}</PublishingDate></PublishingDetail>"
    record = f"<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType>{inside}</Product>"
    assert () == read(message(record).encode()).told


# --- real files


DERIVED = Reading(derives_reference=True)


@pytest.mark.parametrize(
    ("name", "records", "kinds"),
    [
        ("yob/utf_16.xml", 1, set()),
        ("yob/aau.xml", 1, {WarningKind.ENCODING}),
        ("yob/no_xml_declaration.xml", 1, {WarningKind.ENCODING}),
        ("yob/control_chars.xml", 1, {WarningKind.CONTROL_CHARACTERS}),
        ("yob/extra_entities.xml", 1, {WarningKind.ENTITIES}),
        (
            "onix-data/Onix3sample_refnames_badchar.xml",
            3,
            {WarningKind.CONTROL_CHARACTERS, WarningKind.MISSING_REFERENCE},
        ),
        ("im_onix/invalid_textformat.xml", 1, set()),
        ("im_onix/invalid_textformat_cdata.xml", 1, set()),
        ("im_onix/invalid_textformat_cdata_xhtml.xml", 1, set()),
        ("im_onix/invalid_textformat_text.xml", 1, set()),
        ("yy-onix-php/sample.v.3.0.tag.xml", 1, set()),
        ("elibri/eisbn-pl-sample.xml", 1, set()),
        ("im_onix/shared_promotional.xml", 1, {WarningKind.ROOT, WarningKind.RELEASE, WarningKind.FILLER}),
        ("im_onix/test_prices1.xml", 1, {WarningKind.INVALID_IDENTIFIER}),
        ("im_onix/test_prices2.xml", 1, {WarningKind.AMOUNT}),
        ("im_onix/test_prices5.xml", 1, {WarningKind.DATE}),
        ("onixcheck/win_console_issue.xml", 1, {WarningKind.STRIPPED_CODE}),
        ("onixcheck/invalid_google_onix_3.xml", 1, {WarningKind.UNKNOWN_CODE}),
        ("onixcheck/invalid_onix_root.xml", 1, {WarningKind.ROOT}),
    ],
)
def test_real_files_are_read_with_their_defects_told(name, records, kinds):
    found = sample(name, DERIVED)
    assert (records, (), True) == (len(found.products), found.refused, found.complete)
    assert kinds <= found.kinds


def test_a_real_message_of_one_reference_gives_its_first_and_its_last_record():
    found = sample("onix-data/Sample-50-Products.xml")
    assert (2, 48) == (len(found.products), found.duplicates)


@pytest.mark.parametrize(
    "name", ["jonix/onix3-multiple.xml", "mirays/onix-3.1-blockupdate.xml", "jonix/Onix3.1-single-short.xml"]
)
def test_clean_files_are_told_nothing_of(name):
    assert () == sample(name).told
