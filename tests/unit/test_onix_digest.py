"""Digests: equal for equal content however it is spelled, unequal for the rest."""

from collections.abc import Mapping

import pytest

from syncengine.errors import RecordInvalid
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import parse
from tests.records import CLOSING, REFERENCE_30, Record, record, sample


def digests(inside: str) -> Mapping[str, bytes]:
    return digests_of(REFERENCE_30, record(inside), CLOSING)


def of(found: Record) -> Mapping[str, bytes]:
    return digests_of(found.context.opening, found.body, found.context.closing)


def differing(one: Record, other: Record) -> set[str]:
    left, right = of(one), of(other)
    return {block for block in {**left, **right} if left.get(block) != right.get(block)}


def collateral(inside: str) -> bytes | None:
    return digests(f"<CollateralDetail>{inside}</CollateralDetail>").get("collateral_detail")


def test_one_digest_for_each_block_that_is_there():
    found = digests(
        "<DescriptiveDetail><A/></DescriptiveDetail><CollateralDetail><A/></CollateralDetail><PromotionDetail><A/></PromotionDetail>"
        "<ContentDetail><A/></ContentDetail><PublishingDetail><A/></PublishingDetail><RelatedMaterial><A/></RelatedMaterial>"
        "<ProductionDetail><A/></ProductionDetail><ProductSupply><A/></ProductSupply><ProductSupply><B/></ProductSupply>"
    )
    assert [
        "record",
        "descriptive_detail",
        "collateral_detail",
        "promotion_detail",
        "content_detail",
        "publishing_detail",
        "related_material",
        "production_detail",
        "product_supply",
    ] == list(found)
    assert {16} == {len(digest) for digest in found.values()}


def test_an_empty_block_is_none():
    assert ["record"] == list(digests("<CollateralDetail/><RelatedMaterial> </RelatedMaterial>"))


@pytest.mark.parametrize(
    "other",
    [
        "<Text>one two</Text><TextType>03</TextType>",
        "\n  <TextType> 03 </TextType>\n  <Text>one\n\ttwo</Text>\n",
        "<!-- said --><TextType>03<?pi x?></TextType><Text><![CDATA[one]]> two</Text>",
        '<TextType datestamp="20260101" sourcename="me" sourcetype="01">03</TextType><Text refname="Text" shortname="d104">one two</Text>',
        "<TextType>03\u200b</TextType><Text>&#111;ne two</Text>",
        '<x426 xmlns="http://other">03</x426><d104>one two</d104>',
    ],
    ids=["order", "blanks", "comments and CDATA", "provenance", "zero-width and reference", "short tags"],
)
def test_spelling_is_no_content(other):
    assert collateral("<TextType>03</TextType><Text>one two</Text>") == collateral(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<Text>one two</Text>", "<Text>onetwo</Text>"),
        ("<Text>one</Text>", "<Text>one</Text><Text>one</Text>"),
        ("<Text>one</Text>", '<Text language="eng">one</Text>'),
        ("<Text>one</Text>", '<Text textformat="06">one</Text>'),
        ("<Text><p>a</p><p>b</p></Text>", "<Text><p>b</p><p>a</p></Text>"),
        ("<Text><P>a</P><P>b</P></Text>", "<Text><P>b</P><P>a</P></Text>"),
        ("<Text><font>a</font><font>b</font></Text>", "<Text><font>b</font><font>a</font></Text>"),
        ("<Text>a <em>b</em> c</Text>", "<Text>a<em>b</em> c</Text>"),
        ("<Text>a <em>b</em> c</Text>", "<Text>a b c</Text>"),
        ("<Text>&lt;p&gt;a&lt;/p&gt;</Text>", "<Text><p>a</p></Text>"),
        ('<Text textformat="07">a\n b</Text>', '<Text textformat="07">a b</Text>'),
        ("<A><B>1</B></A><A><C>2</C></A>", "<A><B>1</B><C>2</C></A><A/>"),
        ("<A>1</A>", "<A/>"),
    ],
)
def test_content_is_told_apart(one, other):
    assert collateral(one) != collateral(other)


def test_order_of_attributes_is_no_content():
    assert collateral('<Text language="eng" textformat="05"><p/></Text>') == collateral(
        '<Text textformat="05" language="eng"><p/></Text>'
    )


def test_contributors_keep_their_order_unless_they_are_numbered():
    def block(*contributors: str) -> bytes:
        inside = "".join(f"<Contributor>{contributor}</Contributor>" for contributor in contributors)
        return digests(f"<DescriptiveDetail>{inside}</DescriptiveDetail>")["descriptive_detail"]

    one, two = "<PersonName>A</PersonName>", "<PersonName>B</PersonName>"
    first, second = "<SequenceNumber>1</SequenceNumber>", "<SequenceNumber>2</SequenceNumber>"
    assert block(one, two) != block(two, one)
    assert block(first + one, second + two) == block(second + two, first + one)
    assert block(first + one, second + two) != block(second + one, first + two)


def test_precisions_and_values_of_a_range_stand_in_pairs():
    def block(*pairs: tuple[str, str]) -> bytes:
        inside = "".join(
            f"<AudienceRangePrecision>{precision}</AudienceRangePrecision><AudienceRangeValue>{value}</AudienceRangeValue>"
            for precision, value in pairs
        )
        whole = f"<AudienceRange><AudienceRangeQualifier>17</AudienceRangeQualifier>{inside}</AudienceRange>"
        return digests(f"<DescriptiveDetail>{whole}</DescriptiveDetail>")["descriptive_detail"]

    assert block(("03", "5"), ("04", "7")) == block(("03", " 5 "), ("04", "7"))
    assert block(("03", "5"), ("04", "7")) != block(("03", "7"), ("04", "5"))
    assert block(("03", "5"), ("04", "7")) != block(("04", "5"), ("03", "7"))


def test_territories_are_sets_and_amounts_are_numbers():
    def block(countries: str, amount: str) -> bytes:
        territory = f"<Territory><CountriesIncluded>{countries}</CountriesIncluded></Territory>"
        price = f"<Price><PriceAmount>{amount}</PriceAmount>{territory}</Price>"
        return digests(f"<ProductSupply><SupplyDetail>{price}</SupplyDetail></ProductSupply>")["product_supply"]

    assert block("FR BE", "9.9") == block("BE  FR BE", "9.90")
    assert block("FR BE", "9.9") != block("FR", "9.9")
    assert block("FR BE", "9.9") != block("FR BE", "9.09")
    assert block("FR", "100") != block("FR", "1")


def test_date_format_of_3_0_is_the_attribute_of_3_1():
    def block(inside: str) -> bytes:
        date = f"<PublishingDate><PublishingDateRole>01</PublishingDateRole>{inside}</PublishingDate>"
        return digests(f"<PublishingDetail>{date}</PublishingDetail>")["publishing_detail"]

    child = "<DateFormat>05</DateFormat>"
    assert block('<Date dateformat="05">2026</Date>') == block(f"{child}<Date>2026</Date>")
    assert block('<Date dateformat="01">2026</Date>') == block(f'{child}<Date dateformat="01">2026</Date>')
    assert block("<Date>2026</Date>") != block(f"{child}<Date>2026</Date>")


def test_notification_type_counts_as_block_zero():
    one = digests_of(REFERENCE_30, record("", notification="02"), CLOSING)
    other = digests_of(REFERENCE_30, record("", notification="03"), CLOSING)
    assert one["record"] != other["record"]


def test_what_belongs_to_no_block_counts_as_block_zero():
    assert digests("")["record"] != digests("<Vendor>1</Vendor>")["record"]


def test_defects_do_not_hide_equal_content():
    assert collateral("<Text>caf&eacute; &amp; R&D</Text>") == collateral("<Text>café &amp; R&amp;D</Text>")


def test_a_frame_that_cannot_be_read_is_refused():
    with pytest.raises(RecordInvalid):
        digests_of(REFERENCE_30, b"<Product>", CLOSING)


# --- real records


@pytest.mark.parametrize(
    ("reference", "short", "expected"),
    [
        ("jonix/Onix3.1-single-ref.xml", "jonix/Onix3.1-single-short.xml", set()),
        (
            "onix-data/Onix3SupportingResourceSample1.xml",
            "onix-data/Onix3SupportingResourceSample1ShortTags.xml",
            set(),
        ),
        # SubjectSchemeVersion 2017 / 2009 and PackQuantity 16 / 15.
        (
            "jonix/single-book-onix3.xml",
            "jonix/single-book-onix3-short.xml",
            {"descriptive_detail", "product_supply"},
        ),
        # PackQuantity 16 / 15.
        (
            "onix-data/Onix3sample_refnames_blockupdate.xml",
            "onix-data/Onix3sample_shorttags_blockupdate.xml",
            {"product_supply"},
        ),
    ],
)
def test_both_tag_styles_give_the_same(reference, short, expected):
    (one,), (other,) = sample(reference), sample(short)
    assert expected == differing(one, other)
    assert parse(one.body, one.context).product == parse(other.body, other.context).product


def test_the_known_differences_of_the_pair_are_the_only_ones():
    (one,), (other,) = sample("jonix/single-book-onix3.xml"), sample("jonix/single-book-onix3-short.xml")
    body = other.body.replace(b"<b068>2009</b068>", b"<b068>2017</b068>").replace(
        b"<j145>15</j145>", b"<j145>16</j145>"
    )
    assert set() == differing(one, Record(context=other.context, body=body))


def test_release_3_0_and_3_1_of_one_record_share_the_blocks_that_did_not_change():
    (one,), (other,) = sample("jonix/Onix3.1-single-ref.xml"), sample("jonix/single-book-onix3.xml")
    assert {"record", "related_material"} == set(of(one)) - differing(one, other)
