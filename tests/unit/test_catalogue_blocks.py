"""Block updates put into the known record."""

import pytest
from lxml import etree

from syncengine.catalogue.blocks import merge, with_explicit_defaults
from syncengine.domain.frame import MessageHeader
from syncengine.domain.passes import WarningKind
from syncengine.errors import RecordInvalid
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import parse
from syncengine.onix.repair import mended
from tests.records import CLOSING, REFERENCE_30, context, digests_in, record, sample

SHORT_31 = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<ONIXmessage xmlns="http://ns.editeur.org/onix/3.1/short" release="3.1">'
)
IDENTIFIER = "<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{}</IDValue></ProductIdentifier>"
DESCRIPTIVE = "<DescriptiveDetail><ProductForm>EA</ProductForm></DescriptiveDetail>"
COLLATERAL = "<CollateralDetail><TextContent><Text>a</Text></TextContent></CollateralDetail>"
PUBLISHING = "<PublishingDetail><PublishingStatus>04</PublishingStatus></PublishingDetail>"
BASE = IDENTIFIER.format("1") + DESCRIPTIVE + COLLATERAL + PUBLISHING


def document(inside: str, **block_zero: str) -> bytes:
    return REFERENCE_30 + record(inside, **block_zero) + CLOSING


def update(inside: str) -> bytes:
    return document(inside, notification="04")


def merged_body(base: bytes, update: bytes) -> bytes:
    return merge(base, update).body


def names(merged: bytes) -> list[str]:
    return [str(etree.QName(node).localname) for node in etree.fromstring(merged)]


def supply(market: str, inside: str) -> str:
    reference = f"<MarketReference>{market}</MarketReference>" if market else ""
    return f"<ProductSupply>{reference}{inside}</ProductSupply>"


def detail(availability: str) -> str:
    return f"<SupplyDetail><ProductAvailability>{availability}</ProductAvailability></SupplyDetail>"


def availabilities(merged: bytes) -> dict[str | None, list[str | None]]:
    product = parse(merged, context()).product
    return {found.market_reference: [each.availability for each in found.details] for found in product.supplies}


def test_a_block_that_is_sent_replaces_the_known_one_and_others_stay():
    merged = merged_body(
        document(BASE), update("<PublishingDetail><PublishingStatus>08</PublishingStatus></PublishingDetail>")
    )
    before, after = digests_of(REFERENCE_30, record(BASE), CLOSING), digests_of(REFERENCE_30, merged, CLOSING)
    assert {"publishing_detail"} == {block for block in {**before, **after} if before.get(block) != after.get(block)}
    assert "08" == parse(merged, context()).product.publishing_status


def test_notification_type_stays_that_of_the_known_record():
    assert "03" == parse(merged_body(document(BASE), update(PUBLISHING)), context()).product.notification_type


def test_blocks_stand_in_the_order_of_the_standard():
    everything = (
        "<ProductSupply><SupplyDetail/></ProductSupply><ProductionDetail><x/></ProductionDetail>"
        "<RelatedMaterial><x/></RelatedMaterial><ContentDetail><x/></ContentDetail><PromotionDetail><x/></PromotionDetail>"
    )
    assert [
        "RecordReference",
        "NotificationType",
        "ProductIdentifier",
        "DescriptiveDetail",
        "CollateralDetail",
        "PromotionDetail",
        "ContentDetail",
        "PublishingDetail",
        "RelatedMaterial",
        "ProductionDetail",
        "ProductSupply",
    ] == names(merged_body(document(BASE), update(everything)))


@pytest.mark.parametrize(
    "block", ["CollateralDetail", "PromotionDetail", "ContentDetail", "RelatedMaterial", "ProductionDetail"]
)
def test_an_empty_block_removes_the_known_one(block):
    base = document(f"{DESCRIPTIVE}<{block}><x/></{block}>")
    assert block in names(merged_body(base, update(PUBLISHING)))
    assert block not in names(merged_body(base, update(f"<{block}/>")))


@pytest.mark.parametrize("block", ["DescriptiveDetail", "PublishingDetail", "ProductSupply"])
def test_a_mandatory_block_cannot_be_emptied(block):
    with pytest.raises(RecordInvalid, match=f"may not empty {block}"):
        merged_body(document(BASE), update(f"<{block}/>"))


def test_identifiers_are_those_of_the_update_in_their_place():
    merged = merged_body(document(BASE), update(IDENTIFIER.format("2") + IDENTIFIER.format("3") + PUBLISHING))
    assert ["2", "3"] == [found.value for found in parse(merged, context()).product.identifiers]
    assert ["RecordReference", "NotificationType", "ProductIdentifier", "ProductIdentifier"] == names(merged)[:4]


def test_identifiers_stay_where_the_update_has_none():
    assert ["1"] == [
        found.value for found in parse(merged_body(document(BASE), update(PUBLISHING)), context()).product.identifiers
    ]


def test_an_update_without_blocks_changes_nothing():
    merged = merged_body(document(BASE), update(IDENTIFIER.format("2")))
    assert digests_of(REFERENCE_30, record(BASE), CLOSING) == digests_of(REFERENCE_30, merged, CLOSING)


def test_other_elements_of_block_zero_stay():
    base = "<RecordSourceName>S</RecordSourceName>" + BASE + "<Vendor>v</Vendor>"
    assert {"RecordSourceName", "Vendor"} <= set(names(merged_body(document(base), update(PUBLISHING))))


# --- block 6


def test_without_market_references_all_supplies_are_replaced():
    base = document(supply("", detail("20")) + supply("", detail("21")))
    assert {None: ["40"]} == availabilities(merged_body(base, update(supply("", detail("40")))))


@pytest.mark.parametrize("without", ["base", "update"])
def test_one_missing_market_reference_replaces_all(without):
    base = supply("A", detail("20")) + supply("" if without == "base" else "B", detail("21"))
    sent = supply("A", detail("40")) + (supply("", detail("10")) if without == "update" else "")
    found = availabilities(merged_body(document(base), update(sent)))
    assert ({"A": ["40"]} if without == "base" else {"A": ["40"], None: ["10"]}) == found


def test_with_market_references_each_market_is_its_own():
    base = document(supply("A", detail("20")) + supply("B", detail("21")))
    found = availabilities(merged_body(base, update(supply("C", detail("10")) + supply("B", detail("40")))))
    assert {"A": ["20"], "B": ["40"], "C": ["10"]} == found


def test_a_market_without_supply_detail_loses_its_supplies_and_keeps_what_else_is_known():
    market = "<Market><Territory><CountriesIncluded>CA</CountriesIncluded></Territory></Market>"
    status = "<MarketPublishingDetail><MarketPublishingStatus>11</MarketPublishingStatus></MarketPublishingDetail>"
    base = document(supply("A", market + detail("20")) + supply("B", detail("21")))
    merged = merged_body(base, update(supply("A", status)))
    first, second = parse(merged, context()).product.supplies
    assert ("A", True, "11", ()) == (
        first.market_reference,
        first.markets[0].covers("CA"),
        first.market_status,
        first.details,
    )
    assert ("B", 1) == (second.market_reference, len(second.details))
    assert ["MarketReference", "Market", "MarketPublishingDetail"] == names(etree.tostring(etree.fromstring(merged)[2]))


def test_the_last_of_a_market_sent_twice_holds():
    merged = merged_body(
        document(supply("A", detail("20"))), update(supply("A", detail("40")) + supply("A", detail("21")))
    )
    assert {"A": ["21"]} == availabilities(merged)


# --- names, namespaces, encodings


def short_update(inside: bytes) -> bytes:
    return SHORT_31 + b"<product><a001>r1</a001><a002>04</a002>" + inside + b"</product></ONIXmessage>"


def test_an_update_in_short_tags_takes_the_names_of_the_base():
    merged = merged_body(document(BASE), short_update(b"<publishingdetail><b394>08</b394></publishingdetail>"))
    reference = merged_body(
        document(BASE), update("<PublishingDetail><PublishingStatus>08</PublishingStatus></PublishingDetail>")
    )
    assert etree.tostring(etree.fromstring(reference), method="c14n") == etree.tostring(
        etree.fromstring(merged), method="c14n"
    )
    assert b"xmlns" not in merged


def test_an_update_in_reference_names_takes_the_short_tags_of_the_base():
    base = short_update(b"<collateraldetail><textcontent><x426>03</x426></textcontent></collateraldetail>")
    sent = update(
        '<CollateralDetail><TextContent><Text language="fre"><p>a</p> b</Text></TextContent></CollateralDetail>'
    )
    merged = merged_body(base, sent)
    assert (
        b'<collateraldetail><textcontent><d104 language="fre"><p>a</p> b</d104></textcontent></collateraldetail>'
        in merged
    )
    assert b"xmlns" not in merged


def test_prefixes_of_the_base_are_taken_up():
    base = (
        b'<o:ONIXMessage xmlns:o="urn:o" release="3.0"><o:Product><o:RecordReference>r1</o:RecordReference>'
        b"</o:Product></o:ONIXMessage>"
    )
    merged = merged_body(base, update(PUBLISHING))
    assert (
        b"<o:Product><o:RecordReference>r1</o:RecordReference><o:PublishingDetail>"
        b"<o:PublishingStatus>04</o:PublishingStatus></o:PublishingDetail></o:Product>"
    ) == merged


def test_a_base_without_namespace_stays_without():
    base = b"<ONIXMessage>" + record(BASE) + b"</ONIXMessage>"
    assert b"xmlns" not in merged_body(base, update(PUBLISHING))


def test_a_bare_record_is_its_own_document():
    merged = merged_body(record(BASE), update("<CollateralDetail/>"))
    assert "CollateralDetail" not in names(merged)
    assert merged.startswith(b"<Product><RecordReference>r1<")


def test_bytes_are_in_the_encoding_of_the_base():
    latin = REFERENCE_30.replace(b"UTF-8", b"ISO-8859-1")
    base = latin + record(DESCRIPTIVE) + CLOSING
    merged = merged_body(base, update("<CollateralDetail><Text>é €</Text></CollateralDetail>"))
    assert b"<Text>\xe9 &#8364;</Text>" in merged


def test_repaired_records_can_be_merged():
    opening = REFERENCE_30.replace(b"UTF-8", b"ISO-8859-1")
    body = record(
        "<DescriptiveDetail><TitleDetail><TitleElement><TitleText>5 X&eacute;</TitleText></TitleElement></TitleDetail></DescriptiveDetail>"
    )
    base = mended(opening, body.replace(b"X", b"\x80"), CLOSING)
    merged = merged_body(base, update(PUBLISHING))
    product = parse(merged, context(opening)).product
    assert ("5 €é", "04") == (product.title, product.publishing_status)


# --- refusals


@pytest.mark.parametrize(
    ("base", "sent", "reason"),
    [
        (b"<Product>", update(""), "the known record is not well-formed XML"),
        (document(""), b"<ONIXMessage><Product/><Product/></ONIXMessage>", "the block update has 2 Product elements"),
        (document(""), document("", reference="r2"), "a block update for r2 cannot be applied to r1"),
    ],
)
def test_what_cannot_be_merged_is_refused(base, sent, reason):
    with pytest.raises(RecordInvalid, match=reason):
        merged_body(base, sent)


# --- real records


@pytest.mark.parametrize(
    ("base", "sent"),
    [
        ("jonix/Onix3.1-single-ref.xml", "mirays/onix-3.1-blockupdate.xml"),
        ("jonix/Onix3.1-single-short.xml", "mirays/onix-3.1-blockupdate.xml"),
        ("jonix/single-book-onix3.xml", "onix-data/Onix3sample_refnames_blockupdate.xml"),
        ("jonix/single-book-onix3-short.xml", "onix-data/Onix3sample_refnames_blockupdate.xml"),
        ("jonix/single-book-onix3.xml", "onix-data/Onix3sample_shorttags_blockupdate.xml"),
    ],
)
def test_the_official_block_updates(base, sent):
    (known,), (news,) = sample(base), sample(sent)
    merged = merged_body(known.document, news.document)
    before, after = digests_in(known.context, known.body), digests_in(known.context, merged)
    update_alone = digests_in(news.context, news.body)
    assert {"product_supply"} == {block for block in before if before[block] != after.get(block)}
    assert update_alone["product_supply"] == after["product_supply"]
    assert parse(news.body, news.context).product.supplies == parse(merged, known.context).product.supplies
    assert set(before) == set(after)


def test_an_update_without_blocks_as_really_sent():
    (known,), (news,) = sample("academic-observatory/full_test.xml"), sample("academic-observatory/update_test.xml")
    assert "04" == parse(news.body, news.context).product.notification_type
    merged = merged_body(known.document, news.document)
    assert digests_in(known.context, known.body) == digests_in(known.context, merged)


def test_other_identifiers_than_the_known_are_told():
    merged = merge(document(BASE), update(IDENTIFIER.format("2") + PUBLISHING))
    assert ["the block update brings other identifiers than the known record had"] == [n.says for n in merged.noted]
    assert () == merge(document(BASE), update(IDENTIFIER.format("1") + PUBLISHING)).noted


@pytest.mark.parametrize(
    ("known", "sent", "is_told"),
    [
        (supply("", detail("20")) * 3, supply("", detail("40")), True),
        (supply("a", detail("20")) + supply("b", detail("20")), supply("", detail("40")), True),
        (supply("", detail("20")), supply("", detail("40")), False),
        (supply("a", detail("20")) + supply("b", detail("20")), supply("a", detail("40")), False),
    ],
    ids=["three for one", "named for nameless", "one for one", "one of two named"],
)
def test_markets_that_went_unsaid_are_told(known, sent, is_told):
    kinds = [noted.kind for noted in merge(document(BASE + known), update(sent)).noted]
    assert ([WarningKind.BLOCK_UPDATE] if is_told else []) == kinds


def test_defaults_of_a_message_are_written_into_its_prices():
    prices = "<Price><PriceAmount>1</PriceAmount></Price><Price><PriceType>04</PriceType><PriceAmount>2</PriceAmount></Price>"
    header = MessageHeader(default_price_type="02", default_currency="GBP")
    said = with_explicit_defaults(document(BASE + supply("", f"<SupplyDetail>{prices}</SupplyDetail>")), header)
    product = etree.fromstring(said)[0]
    found = [
        (price.findtext("{*}PriceType"), price.findtext("{*}CurrencyCode"), price.findtext("{*}PriceAmount"))
        for price in product.iter("{*}Price")
    ]
    assert [("02", "GBP", "1"), ("04", "GBP", "2")] == found


def test_a_price_takes_from_its_message_what_it_would_say_if_it_said_it():
    """A currency only with an amount; an empty element says nothing."""
    prices = (
        "<Price><UnpricedItemType>02</UnpricedItemType></Price>"
        "<Price><PriceAmount>5</PriceAmount><CurrencyCode> </CurrencyCode></Price>"
    )
    header = MessageHeader(default_price_type="02", default_currency="GBP", default_language="fre")
    body = record(DESCRIPTIVE + supply("", f"<SupplyDetail>{prices}</SupplyDetail>"))
    said = with_explicit_defaults(REFERENCE_30 + body + CLOSING, header)
    assert digests_of(REFERENCE_30, body, CLOSING, header) == digests_of(b"", said, b"")


@pytest.mark.parametrize(
    ("languages", "expected"),
    [
        ([], ["01fre"]),
        (["<Language><LanguageRole>02</LanguageRole><LanguageCode>eng</LanguageCode></Language>"], ["02eng", "01fre"]),
        (["<Language><LanguageRole>01</LanguageRole><LanguageCode>eng</LanguageCode></Language>"], ["01eng"]),
    ],
    ids=["none", "another role", "its own"],
)
def test_the_language_of_a_message_is_written_into_its_texts(languages, expected):
    described = f"<DescriptiveDetail><ProductForm>EA</ProductForm>{''.join(languages)}</DescriptiveDetail>"
    said = with_explicit_defaults(document(described), MessageHeader(default_language="fre"))
    found = etree.fromstring(said).iter("{*}Language")
    assert expected == ["".join(map(str, node.itertext())) for node in found]


def test_an_emptied_block_is_not_filled_with_the_language_of_its_message():
    said = with_explicit_defaults(update("<DescriptiveDetail/>"), MessageHeader(default_language="fre"))
    with pytest.raises(RecordInvalid, match="may not empty"):
        merge(document(BASE), said)


def test_defaults_are_written_in_short_tags_into_a_record_of_short_tags():
    body = b"<product><a001>A</a001><productsupply><supplydetail><price><j151>1</j151></price></supplydetail></productsupply></product>"
    said = with_explicit_defaults(SHORT_31 + body + b"</ONIXmessage>", MessageHeader(default_currency="GBP"))
    assert b"<price><j152>GBP</j152><j151>1</j151></price>" in said
    described = (
        SHORT_31
        + b"<product><a001>A</a001><descriptivedetail><b012>EA</b012></descriptivedetail></product></ONIXmessage>"
    )
    said = with_explicit_defaults(described, MessageHeader(default_language="fre"))
    assert b"<language><b253>01</b253><b252>fre</b252></language></descriptivedetail>" in said
