"""Tier 3: one record's bytes to facts, whatever its sender did wrong."""

from decimal import Decimal

import pytest

from syncengine.domain.dates import OnixDate
from syncengine.domain.frame import MessageHeader
from syncengine.domain.product import DatedRole, ProductIdentifier, SalesRights, Tax
from syncengine.domain.territory import Territory
from syncengine.errors import RecordInvalid
from syncengine.onix.parsing import ParsedRecord, parse
from syncengine.onix.repair import mended
from tests.records import REFERENCE_30, context, record, sample, sample_paths, samples_folder

SUPPLY = "<ProductSupply><SupplyDetail>{}</SupplyDetail></ProductSupply>"


def read(inside: str, header: MessageHeader | None = None) -> ParsedRecord:
    return parse(record(inside), context(header=header))


def said(parsed: ParsedRecord) -> tuple[str, ...]:
    return tuple(noted.says for noted in parsed.warnings)


def price(inside: str, header: MessageHeader | None = None):
    return read(SUPPLY.format(f"<Price>{inside}</Price>"), header).product.supplies[0].details[0].prices[0]


def title(elements: str) -> str | None:
    detail = f"<TitleDetail><TitleType>01</TitleType>{elements}</TitleDetail>"
    return read(f"<DescriptiveDetail>{detail}</DescriptiveDetail>").product.title


def titled(text: str) -> bytes:
    return record(
        f"<DescriptiveDetail><TitleDetail><TitleElement><TitleText>{text}</TitleText></TitleElement></TitleDetail></DescriptiveDetail>"
    )


def day(role: str, text: str, form: str | None = None) -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=text, format=form))


def codes(*countries: str, regions: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> Territory:
    return Territory(countries_included=countries, regions_included=regions, countries_excluded=without)


# --- facts


def test_block_zero_and_descriptive_detail():
    parsed = read(
        """<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9780000000002</IDValue></ProductIdentifier>
        <ProductIdentifier><ProductIDType>01</ProductIDType><IDTypeName>internal</IDTypeName><IDValue>7</IDValue></ProductIdentifier>
        <DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm>
        <ProductFormDetail>E101</ProductFormDetail><ProductFormDetail>E200</ProductFormDetail>
        <ProductFormFeature><ProductFormFeatureType>15</ProductFormFeatureType><ProductFormFeatureValue>101</ProductFormFeatureValue></ProductFormFeature>
        <ProductFormFeature><ProductFormFeatureType>07</ProductFormFeatureType><ProductFormFeatureDescription>SOGANEL</ProductFormFeatureDescription></ProductFormFeature>
        <EpubTechnicalProtection>03</EpubTechnicalProtection><EpubTechnicalProtection>06</EpubTechnicalProtection>
        </DescriptiveDetail>"""
    )
    product = parsed.product
    assert ("r1", "03", "9780000000002") == (product.reference, product.notification_type, product.isbn)
    assert ProductIdentifier(type="01", value="7", type_name="internal") == product.identifiers[1]
    assert ("00", "EA", ("E101", "E200")) == (product.composition, product.form, product.form_details)
    assert (("15", "101"), ("07", "SOGANEL")) == product.form_features
    assert ("03", "06") == product.protections
    assert () == said(parsed)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        (
            "<TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>A  Tale</TitleText></TitleElement>",
            "A Tale",
        ),
        (
            "<TitleElement><TitlePrefix>The</TitlePrefix><TitleWithoutPrefix>Sea</TitleWithoutPrefix><Subtitle>A Tale</Subtitle></TitleElement>",
            "The Sea: A Tale",
        ),
        (
            "<TitleElement><TitlePrefix>L'</TitlePrefix><TitleWithoutPrefix>Ami</TitleWithoutPrefix></TitleElement>",
            "L'Ami",
        ),
        (
            (
                "<TitleElement><TitleElementLevel>02</TitleElementLevel><TitleText>Saga</TitleText></TitleElement>"
                "<TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>Dawn</TitleText></TitleElement>"
            ),
            "Dawn",
        ),
        (
            (
                "<TitleElement><TitleElementLevel>02</TitleElementLevel><TitleText>Saga</TitleText></TitleElement>"
                "<TitleElement><TitleElementLevel>01</TitleElementLevel><PartNumber>2</PartNumber></TitleElement>"
            ),
            "Saga, 2",
        ),
        ("<TitleStatement>Only this</TitleStatement>", "Only this"),
        ("<TitleElement><TitleText>\ufeffA\u00a0Tale\u200b </TitleText></TitleElement>", "A Tale"),
        ("<TitleElement/>", None),
    ],
)
def test_title_is_the_product_s_own_on_one_line(elements, expected):
    assert expected == title(elements)


def test_distinctive_title_goes_before_one_that_stands_first():
    other = (
        "<TitleDetail><TitleType>10</TitleType><TitleElement><TitleText>SHORT</TitleText></TitleElement></TitleDetail>"
    )
    own = "<TitleDetail><TitleType>01</TitleType><TitleElement><TitleText>Long</TitleText></TitleElement></TitleDetail>"
    assert "Long" == read(f"<DescriptiveDetail>{other}{own}</DescriptiveDetail>").product.title


def test_publishing_detail():
    product = read(
        """<PublishingDetail><Imprint><ImprintName>Mark</ImprintName></Imprint>
        <Publisher><PublishingRole>02</PublishingRole><PublisherName>Second</PublisherName></Publisher>
        <Publisher><PublishingRole>01</PublishingRole><PublisherName>First</PublisherName></Publisher>
        <PublishingStatus>04</PublishingStatus>
        <PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="05">2026</Date></PublishingDate>
        <PublishingDate><PublishingDateRole>02</PublishingDateRole><DateFormat>14</DateFormat><Date>20260102T000000Z</Date></PublishingDate>
        <PublishingDate><PublishingDateRole>09</PublishingDateRole><DateFormat>05</DateFormat><Date dateformat="00">20260101</Date></PublishingDate>
        <SalesRights><SalesRightsType>01</SalesRightsType><Territory><CountriesIncluded>FR BE  FR CA</CountriesIncluded></Territory>
        <SalesRestriction><SalesRestrictionType>09</SalesRestrictionType></SalesRestriction></SalesRights>
        <SalesRights><SalesRightsType>03</SalesRightsType><Territory><RegionsIncluded>WORLD</RegionsIncluded><CountriesExcluded>CA BE FR</CountriesExcluded></Territory></SalesRights>
        <ROWSalesRightsType>00</ROWSalesRightsType>
        <SalesRestriction><SalesRestrictionType>06</SalesRestrictionType></SalesRestriction></PublishingDetail>"""
    ).product
    assert ("First", "04", "00", ("06",)) == (
        product.publisher,
        product.publishing_status,
        product.rest_of_world_rights,
        product.sales_restrictions,
    )
    assert (
        day("01", "2026", "05"),
        day("02", "20260102T000000Z", "14"),
        day("09", "20260101", "00"),
    ) == product.publishing_dates
    assert (
        SalesRights(type="01", territory=codes("BE", "CA", "FR"), restrictions=("09",)),
        SalesRights(type="03", territory=codes(regions=("WORLD",), without=("BE", "CA", "FR"))),
    ) == product.sales_rights


def test_imprint_stands_in_for_a_missing_publisher():
    assert (
        "Mark"
        == read(
            "<PublishingDetail><Imprint><ImprintName>Mark</ImprintName></Imprint></PublishingDetail>"
        ).product.publisher
    )


def test_product_supply():
    (supply,) = read(
        """<ProductSupply><MarketReference>M1</MarketReference>
        <Market><Territory><CountriesIncluded>CA</CountriesIncluded></Territory><SalesRestriction><SalesRestrictionType>04</SalesRestrictionType></SalesRestriction></Market>
        <Market><Territory><CountriesIncluded>US</CountriesIncluded></Territory><SalesRestriction><SalesRestrictionType>04</SalesRestrictionType></SalesRestriction></Market>
        <MarketPublishingDetail><MarketPublishingStatus>11</MarketPublishingStatus>
        <MarketDate><MarketDateRole>01</MarketDateRole><Date>20260101</Date></MarketDate></MarketPublishingDetail>
        <SupplyDetail><Supplier><SupplierRole>06</SupplierRole><SupplierIdentifier><SupplierIDType>06</SupplierIDType><IDValue>30124</IDValue></SupplierIdentifier><SupplierName>Hub</SupplierName></Supplier>
        <ProductAvailability>20</ProductAvailability><SupplyDate><SupplyDateRole>08</SupplyDateRole><Date>20260102</Date></SupplyDate>
        <UnpricedItemType>02</UnpricedItemType></SupplyDetail></ProductSupply>"""
    ).product.supplies
    assert ("M1", (codes("CA"), codes("US")), ("04",), "11") == (
        supply.market_reference,
        supply.markets,
        supply.market_restrictions,
        supply.market_status,
    )
    assert (day("01", "20260101"),) == supply.market_dates
    (detail,) = supply.details
    assert ("06", "Hub", ("06:30124",), "20") == (
        detail.supplier_role,
        detail.supplier_name,
        detail.supplier_identifiers,
        detail.availability,
    )
    assert ((day("08", "20260102"),), "02", ()) == (detail.dates, detail.unpriced, detail.prices)


def test_the_outlets_that_a_restriction_names():
    """Only for some shops: one market a shop, so that their supplies are told apart (contract bokbasen 9.2)."""

    def shop(outlet: str) -> str:
        area = "<Territory><CountriesIncluded>NO</CountriesIncluded></Territory>"
        return (
            f"<Market>{area}<SalesRestriction><SalesRestrictionType>04</SalesRestrictionType>"
            f"<SalesOutlet>{outlet}</SalesOutlet></SalesRestriction></Market>"
        )

    number = (
        "<SalesOutletIdentifier><SalesOutletIDType>03</SalesOutletIDType><IDValue>AMZ</IDValue></SalesOutletIdentifier>"
    )
    named = shop(f"{number}<SalesOutletName> Norli  AS </SalesOutletName>")
    supplies = read(f"<ProductSupply>{named}{shop(number)}{shop('')}</ProductSupply>").product.supplies
    assert [("AMZ", "Norli AS"), ("AMZ",), ()] == [supply.market_outlets for supply in supplies]
    assert [("04",)] * 3 == [supply.market_restrictions for supply in supplies]


def market(countries: str, *restrictions: str) -> str:
    parts = (
        f"<SalesRestriction><SalesRestrictionType>{code}</SalesRestrictionType></SalesRestriction>"
        for code in restrictions
    )
    area = f"<Territory><CountriesIncluded>{countries}</CountriesIncluded></Territory>"
    return f"<Market>{area}{''.join(parts)}</Market>"


def test_markets_that_are_different_channels_are_supplies_of_their_own():
    """What restricts one market says nothing of another (reference/onix.md 2.12)."""
    markets = (market("FR", "06"), market("GB"), market("FR BE"), market("CA", "06"), market("US", "06", "09"))
    detail = "<SupplyDetail><ProductAvailability>20</ProductAvailability></SupplyDetail>"
    said_once = f"<MarketReference>M</MarketReference>{''.join(markets)}<MarketPublishingDetail><MarketPublishingStatus>04</MarketPublishingStatus></MarketPublishingDetail>{detail}"
    supplies = read(f"<ProductSupply>{said_once}</ProductSupply>").product.supplies
    assert [
        (("06",), (codes("FR"), codes("CA"))),
        ((), (codes("GB"), codes("BE", "FR"))),
        (("06", "09"), (codes("US"),)),
    ] == [(supply.market_restrictions, supply.markets) for supply in supplies]
    assert {("M", "04", "20")} == {
        (supply.market_reference, supply.market_status, supply.details[0].availability) for supply in supplies
    }


@pytest.mark.parametrize("kind", ["", "<SalesRestrictionType/>", "<SalesRestrictionType> </SalesRestrictionType>"])
def test_a_restriction_without_a_type_is_an_unspecified_one(kind):
    restriction = f"<SalesRestriction>{kind}<SalesRestrictionNote>ask us</SalesRestrictionNote></SalesRestriction>"
    parsed = read(f"<PublishingDetail>{restriction}</PublishingDetail>")
    assert ("00",) == parsed.product.sales_restrictions
    assert "a SalesRestriction without its type read as 00, unspecified" in said(parsed)


@pytest.mark.parametrize(
    ("inside", "kept"),
    [
        ("<PublishingDateRole>02</PublishingDateRole><Date/>", (("02", ""),)),
        ("<PublishingDateRole>02</PublishingDateRole>", (("02", ""),)),
        ("<Date>20260101</Date>", (("", "20260101"),)),
        ("<PublishingDateRole/><Date>20260101</Date>", (("", "20260101"),)),
        ("<Date/>", ()),
        ("", ()),
    ],
)
def test_a_date_without_a_part_is_kept_with_the_other_since_it_may_be_a_gate(inside, kept):
    parsed = read(f"<PublishingDetail><PublishingDate>{inside}</PublishingDate></PublishingDetail>")
    assert kept == tuple((dated.role, dated.date.text) for dated in parsed.product.publishing_dates)
    assert ("a PublishingDate without role or date",) == said(parsed)


def test_a_price_that_is_exempt_from_tax_says_so():
    assert (Tax(rate_code="TaxExempt"),) == price("<PriceAmount>1</PriceAmount><TaxExempt/>").taxes
    assert (Tax(rate_code="TaxExempt"),) == price("<PriceAmount>1</PriceAmount><x546/>").taxes


def test_price_with_everything():
    found = price(
        """<PriceIdentifier><PriceIDType>01</PriceIDType><IDValue>p9</IDValue></PriceIdentifier><PriceType>02</PriceType>
        <PriceQualifier>05</PriceQualifier><EpubTechnicalProtection>02</EpubTechnicalProtection><PriceStatus>02</PriceStatus>
        <PriceAmount>19.90</PriceAmount><Tax><TaxType>01</TaxType><TaxRateCode>R</TaxRateCode><TaxRatePercent>5.5</TaxRatePercent>
        <TaxableAmount>18.86</TaxableAmount><TaxAmount>1.04</TaxAmount></Tax><CurrencyCode>EUR</CurrencyCode>
        <Territory><CountriesIncluded>FR</CountriesIncluded></Territory>
        <PriceDate><PriceDateRole>14</PriceDateRole><Date>20260101</Date></PriceDate>"""
    )
    assert ("02", "05", "02", Decimal("19.9"), "EUR", codes("FR")) == (
        found.type,
        found.qualifier,
        found.status,
        found.amount,
        found.currency,
        found.territory,
    )
    tax = Tax(
        type="01",
        rate_code="R",
        rate_percent=Decimal("5.5"),
        taxable_amount=Decimal("18.86"),
        tax_amount=Decimal("1.04"),
    )
    assert ((tax,), (day("14", "20260101"),), ("01:p9",), ("02",), None, False) == (
        found.taxes,
        found.dates,
        found.identifiers,
        found.protections,
        found.unpriced,
        found.conditions,
    )


def test_header_defaults_fill_only_what_a_price_leaves_open():
    header = MessageHeader(default_price_type="01", default_currency="GBP")
    left_open = price("<PriceAmount>1</PriceAmount>", header)
    said = price("<PriceType>02</PriceType><PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>", header)
    assert ("01", "GBP") == (left_open.type, left_open.currency)
    assert ("02", "EUR") == (said.type, said.currency)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("", False),
        ("<MinimumOrderQuantity>1</MinimumOrderQuantity>", False),
        ("<MinimumOrderQuantity>10</MinimumOrderQuantity>", True),
        ("<PriceCondition><PriceConditionType>01</PriceConditionType></PriceCondition>", True),
        ("<PriceCondition><PriceConditionType>00</PriceConditionType></PriceCondition>", False),
        ("<PriceConstraint><PriceConstraintType>06</PriceConstraintType></PriceConstraint>", True),
        ("<PriceConstraint><PriceConstraintType>00</PriceConstraintType></PriceConstraint>", False),
        ("<BatchBonus><BatchQuantity>10</BatchQuantity><FreeQuantity>1</FreeQuantity></BatchBonus>", True),
        ("<PriceType>06</PriceType>", True),
        ("<PricePer>00</PricePer>", False),
        ("<PricePer>01</PricePer>", True),
        ("<PricePer>ZZ</PricePer>", True),
        ("<EpubLicense><EpubLicenseName>campus</EpubLicenseName></EpubLicense>", True),
    ],
)
def test_terms_that_a_plain_sale_does_not_meet_are_conditions(inside, expected):
    assert expected is price(inside).conditions


@pytest.mark.parametrize("amount", ["free", "19,99", "1 000", "1e3", "NaN", "1_000", "9" * 40])
def test_amount_that_is_none_is_left_out_with_a_warning(amount):
    parsed = read(SUPPLY.format(f"<Price><PriceAmount>{amount}</PriceAmount></Price>"))
    assert None is parsed.product.supplies[0].details[0].prices[0].amount
    assert (f"PriceAmount {amount[:40]!r} is no amount and was left out",) == said(parsed)


@pytest.mark.parametrize("release", ["3.0", "3.1"])
@pytest.mark.parametrize("words", ["<Title><TitleText>Old</TitleText></Title>", "<b028>Old</b028>"])
def test_a_record_of_release_2_is_read_as_one_whatever_its_message_says(words, release):
    """Read as one of ONIX 3 it would say nothing at all, and without an error (reference/onix.md 1.2, 2.16)."""
    opening = REFERENCE_30.replace(b"3.0", release.encode())
    supply = "<SupplyDetail><ProductAvailability>20</ProductAvailability></SupplyDetail>"
    parsed = parse(record(f"<ISBN>0306406152</ISBN>{words}{supply}"), context(opening))
    assert ("Old", "9780306406157", "20") == (
        parsed.product.title,
        parsed.product.isbn,
        parsed.product.supplies[0].details[0].availability,
    )
    assert ("a record of ONIX 2 in a message of ONIX 3; read as 2.1",) == said(parsed)


def test_a_foreign_element_makes_no_record_of_release_2():
    assert "04" == parse(record("<x:Extra xmlns:x='urn:x'/>", notification="04"), context()).product.notification_type


def test_of_a_block_that_stands_there_twice_the_first_is_read_and_it_is_told():
    twice = "".join(
        f"<PublishingDetail><PublishingStatus>{status}</PublishingStatus></PublishingDetail>" for status in ("04", "11")
    )
    parsed = read(f"{twice}<ProductSupply/><ProductSupply/>")
    assert "04" == parsed.product.publishing_status
    assert ("PublishingDetail more than once; only the first was read",) == said(parsed)


@pytest.mark.parametrize(
    ("notification", "expected"),
    [*((whole, True) for whole in ("01", "02", "03")), *((part, False) for part in ("04", "05", "08", "88"))],
)
def test_a_whole_record_that_says_nothing_of_its_product_is_told(notification, expected):
    parsed = parse(record("", notification=notification), context())
    assert expected is ("a whole record without any block: nothing is said of its product" in said(parsed))


@pytest.mark.parametrize(
    ("opening", "closing", "body"),
    [
        (b"", b"", b"<Product><RecordReference>a</RecordReference><NotificationType>05</NotificationType></Product>"),
        (b"<ONIXmessage>", b"</ONIXmessage>", b"<product><a001>a</a001><a002>05</a002></product>"),
        (
            b"<ONIXMessage>",
            b"</ONIXMessage>",
            b"<product><RecordReference>a</RecordReference><a002>05</a002></product>",
        ),
        (
            b'<o:ONIXMessage xmlns:o="http://www.editeur.org/onix/3.0/reference">',
            b"</o:ONIXMessage>",
            b"<o:Product><o:RecordReference>a</o:RecordReference><o:NotificationType>05</o:NotificationType></o:Product>",
        ),
    ],
)
def test_names_are_matched_in_any_namespace_and_style(opening, closing, body):
    parsed = parse(body, context(opening, closing))
    assert ("a", "05", ()) == (parsed.product.reference, parsed.product.notification_type, said(parsed))


# --- defects


def test_bytes_of_windows_1252_under_a_utf8_label():
    parsed = parse(
        titled("X").replace(b">X<", b">Caf\xe9 \x93d\xe9j\xe0\x94<"),
        context(),
    )
    assert "Café “déjà”" == parsed.product.title
    assert ("bytes that are not UTF-8 read as windows-1252",) == said(parsed)


def test_a_stray_byte_does_not_garble_a_record_of_utf8():
    body = titled("élève à Orléans")
    parsed = parse(body.replace("à".encode(), b"\xe0"), context())
    assert "élève à Orléans" == parsed.product.title
    assert ("bytes that are not UTF-8 read as windows-1252",) == said(parsed)


@pytest.mark.parametrize(("label", "expected"), [("ISO-8859-1", 1), ("iso-8859-15", 0), ("windows-1252", 0)])
def test_bytes_80_to_9f_under_iso_8859_1_are_windows_1252(label, expected):
    opening = REFERENCE_30.replace(b"UTF-8", label.encode())
    byte = b"\x80" if label != "iso-8859-15" else b"\xa4"
    parsed = parse(
        titled("5 X").replace(b"X", byte),
        context(opening),
    )
    assert "5 €" == parsed.product.title
    assert expected == len(parsed.warnings)


def test_control_characters_are_dropped():
    parsed = parse(
        titled("A\x0bB&#16;C\x00"),
        context(),
    )
    assert "ABC" == parsed.product.title
    assert ("2 control characters dropped", "&#16; dropped") == said(parsed)


def test_named_entities_are_those_of_html_and_others_stay_as_text():
    parsed = parse(
        titled("Caf&eacute;&nbsp;&amp;&nbsp;&foo; R&D &lt;"),
        context(),
    )
    assert "Café & &foo; R&D <" == parsed.product.title
    assert (
        "&eacute; resolved",
        "&nbsp; resolved (2 times)",
        "&foo; kept as text",
        "stray & kept as text",
    ) == said(parsed)


def test_entities_in_cdata_and_comments_are_left_alone():
    parsed = parse(
        titled("<!-- &foo; --><![CDATA[&eacute;]]>&eacute;"),
        context(),
    )
    assert "&eacute;é" == parsed.product.title
    assert ("&eacute; resolved", "double-escaped &eacute; in TitleText kept as text") == said(parsed)


def test_blanks_and_zero_width_spaces_are_stripped_from_codes():
    parsed = read(
        SUPPLY.format("<ProductAvailability>20\u200b</ProductAvailability><Price><PriceType> 02 </PriceType></Price>")
    )
    detail = parsed.product.supplies[0].details[0]
    assert ("20", "02") == (detail.availability, detail.prices[0].type)
    assert ("blanks stripped from ProductAvailability", "blanks stripped from PriceType") == said(parsed)


def test_undeclared_prefixes_and_namespaces_that_are_no_uri_do_no_harm():
    opening = b'<ONIXMessage xmlns:s="http://a b" release="3.0">'
    body = b"<Product><RecordReference>a</RecordReference><NotificationType>05</NotificationType><v:Extra>1</v:Extra></Product>"
    parsed = parse(body, context(opening, b"</ONIXMessage>"))
    assert ("a", ("namespaces misdeclared; elements read by their local names",)) == (
        parsed.product.reference,
        said(parsed),
    )


def test_no_notification_type_is_read_as_03():
    parsed = parse(b"<Product><RecordReference>a</RecordReference><DescriptiveDetail/></Product>", context())
    assert ("03", ("no NotificationType; read as 03",)) == (parsed.product.notification_type, said(parsed))


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<Product><NotificationType>03</NotificationType></Product>", "no RecordReference"),
        (b"<Product><RecordReference> </RecordReference></Product>", "no RecordReference"),
        (record("", notification="12"), "NotificationType '12' is not in list 1"),
        (b"<Other/>", "no Product elements where one record was expected"),
        (b"<Product/><Product/>", "2 Product elements where one record was expected"),
        (
            b"<Product>\n<RecordReference>a</RecordReference>\n <Title>x</Product>",
            "not well-formed XML: Opening and ending tag mismatch: Title line 3 and Product, line 3, column 20 of the record",
        ),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(body, reason):
    with pytest.raises(RecordInvalid) as refused:
        parse(body, context(REFERENCE_30.replace(b"?>", b"?>\n\n")))
    assert reason == str(refused.value)


def test_column_counts_from_the_record_s_start():
    with pytest.raises(RecordInvalid, match=r"line 1, column 11 of the record$"):
        parse(b"<Product><1/></Product>", context())


@pytest.mark.parametrize(
    "body",
    [
        record("<x>" * 300 + "</x>" * 300),
        record("<x>" * 150 + "</x>" * 150),
        record("<x>" + "a" * 11_000_000 + "</x>"),
        b'<!DOCTYPE Product [<!ENTITY a "b">]><Product><RecordReference>&a;</RecordReference></Product>',
        b"",
    ],
    ids=["too deep for the parser", "too deep for ONIX", "too long", "doctype", "nothing"],
)
def test_hostile_records_are_refused(body):
    with pytest.raises(RecordInvalid):
        parse(body, context())


def test_mended_gives_what_is_well_formed_back_as_it_is():
    body = record("")
    assert REFERENCE_30 + body + b"</ONIXMessage>" == mended(REFERENCE_30, body, b"</ONIXMessage>")


def test_mended_spells_what_was_repaired_in_ascii():
    document = mended(REFERENCE_30, record("<X>&eacute;€</X>"), b"</ONIXMessage>")
    assert document.isascii()
    assert b"<X>&#233;&#8364;</X>" in document


# --- real records


def test_every_sample_record_is_read_or_refused():
    outcomes = {"read": 0, "refused": 0}
    folder = samples_folder()
    for path in sample_paths():
        for found in sample(str(path.relative_to(folder))):
            try:
                parse(found.body, found.context)
                outcomes["read"] += 1
            except RecordInvalid:
                outcomes["refused"] += 1
    # One record of ONIX 2.1 with short tags for its reference, and six made without a reference.
    assert (True, 7) == (outcomes["read"] > 200, outcomes["refused"])


def test_audio_record_of_de_marque():
    (found,) = sample("im_onix/audio1.xml")
    product = parse(found.body, found.context).product
    assert ("AJ", ("A103",), ("00",), "Gallimard Audio", "04") == (
        product.form,
        product.form_details,
        product.protections,
        product.publisher,
        product.publishing_status,
    )
    assert (
        day("01", "20140710T000000+0200", "14"),
        day("19", "20130131T000000+0100", "14"),
    ) == product.publishing_dates
    (detail,) = product.supplies[0].details
    assert ("20", "EDEN LIVRES", ("06:3012410002007",), 34) == (
        detail.availability,
        detail.supplier_name,
        detail.supplier_identifiers,
        len(detail.prices),
    )
    assert {("15.99", "EUR"), ("21.00", "CHF"), ("13.99", "GBP"), ("26.99", "USD"), ("26.99", "CAD")} == {
        (str(price.amount), price.currency) for price in detail.prices
    }
    assert [("26.99", "03")] == [
        (str(price.amount), price.type) for price in detail.prices if price.territory and price.territory.covers("CA")
    ]


def test_record_of_de_marque_without_a_price():
    (found,) = sample("im_onix/price_to_be_announced.xml")
    product = parse(found.body, found.context).product
    assert ("EDEN31175-pdf", "08", "08", ("09",)) == (
        product.reference,
        product.publishing_status,
        product.supplies[0].market_status,
        product.sales_restrictions,
    )
    assert (SalesRights(type="03", territory=codes(regions=("WORLD",))),) == product.sales_rights
    assert ("40", "02", ()) == (
        product.supplies[0].details[0].availability,
        product.supplies[0].details[0].unpriced,
        product.supplies[0].details[0].prices,
    )


def test_prices_with_periods():
    (found,) = sample("im_onix/test_prices1.xml")
    prices = parse(found.body, found.context).product.supplies[0].details[0].prices
    assert (
        Decimal("4.99"),
        codes("LU"),
        (day("14", "20130327T134429+0100", "14"), day("15", "20130427T000000+0200", "14")),
    ) == (
        prices[0].amount,
        prices[0].territory,
        prices[0].dates,
    )
    assert (Decimal("14.99"), (day("14", "20130427T000000+0200", "14"),)) == (prices[1].amount, prices[1].dates)


def test_three_markets_with_their_own_currencies():
    (found,) = sample("im_onix/test_prices3.xml")
    supplies = parse(found.body, found.context).product.supplies
    currencies = [{price.currency for price in supply.details[0].prices} for supply in supplies]
    assert [{"EUR"}, {"CHF"}, {"GBP"}] == currencies
    assert [False, True, True] == [
        supply.markets[0].covers("CH") or supply.markets[0].covers("GB") for supply in supplies
    ]


def test_promotion_beside_the_normal_price():
    (found,) = sample("im_onix/unqualified-prices.xml")
    prices = parse(found.body, found.context).product.supplies[0].details[0].prices
    assert [("00", Decimal("8.99"), 0), ("08", Decimal("4.99"), 2)] == [
        (price.qualifier, price.amount, len(price.dates)) for price in prices
    ]


def test_zero_width_spaces_of_a_real_record():
    (found,) = sample("onixcheck/win_console_issue.xml")
    parsed = parse(found.body, found.context)
    assert Decimal("25.99") == parsed.product.supplies[0].details[0].prices[0].amount


def test_windows_1252_of_a_real_record():
    (found,) = sample("yob/aau.xml")
    assert "bytes that are not UTF-8 read as windows-1252" in said(parse(found.body, found.context))


def test_misdeclared_namespace_of_a_real_message():
    (found,) = sample("elibri/eisbn-pl-sample.xml")
    parsed = parse(found.body, found.context)
    assert ("namespaces misdeclared; elements read by their local names",) == said(parsed)
    assert None is not parsed.product.isbn
