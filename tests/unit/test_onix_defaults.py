"""What a header says for its records means the same as if each said it (reference/onix.md 2.2)."""

from __future__ import annotations

import pytest

from syncengine.domain.frame import MessageHeader
from syncengine.onix.defaults import defaulted
from syncengine.onix.dialect import read_product
from syncengine.onix.digest import digests_of
from tests.records import CLOSING, REFERENCE_30, record

HEADER = MessageHeader(default_price_type="02", default_currency="GBP", default_language="eng")
FORM = "<ProductForm>EA</ProductForm>"
LANGUAGE = "<Language><LanguageRole>{}</LanguageRole><LanguageCode>{}</LanguageCode></Language>"


def priced(inside: str) -> str:
    return f"<ProductSupply><SupplyDetail><Price>{inside}</Price></SupplyDetail></ProductSupply>"


def described(inside: str) -> str:
    return f"<DescriptiveDetail>{inside}</DescriptiveDetail>"


def digests(inside: str, header: MessageHeader = HEADER):
    return digests_of(REFERENCE_30, record(inside), CLOSING, header)


@pytest.mark.parametrize(
    ("unsaid", "said"),
    [
        (
            priced("<PriceAmount>1</PriceAmount>"),
            priced("<PriceType>02</PriceType><PriceAmount>1</PriceAmount><CurrencyCode>GBP</CurrencyCode>"),
        ),
        (
            priced("<PriceType>04</PriceType><PriceAmount>1</PriceAmount>"),
            priced("<PriceType>04</PriceType><PriceAmount>1</PriceAmount><CurrencyCode>GBP</CurrencyCode>"),
        ),
        (
            priced("<PriceType/><PriceAmount>1</PriceAmount>"),
            priced("<PriceType/><PriceType>02</PriceType><PriceAmount>1</PriceAmount><CurrencyCode>GBP</CurrencyCode>"),
        ),
        (
            priced("<UnpricedItemType>01</UnpricedItemType>"),
            priced("<PriceType>02</PriceType><UnpricedItemType>01</UnpricedItemType>"),
        ),
        (described(FORM), described(FORM + LANGUAGE.format("01", "eng"))),
        (
            described(FORM + LANGUAGE.format("02", "fre")),
            described(FORM + LANGUAGE.format("01", "eng") + LANGUAGE.format("02", "fre")),
        ),
    ],
    ids=[
        "price type and currency",
        "currency",
        "an empty price type",
        "unpriced",
        "language",
        "language beside the original's",
    ],
)
def test_a_record_that_says_a_default_equals_one_that_leaves_it_to_the_header(unsaid, said):
    assert digests(unsaid) == digests(said)
    assert digests(unsaid) == digests(said, MessageHeader())
    assert digests(unsaid) != digests(unsaid, MessageHeader())


@pytest.mark.parametrize(
    "inside",
    [
        priced("<PriceType>04</PriceType><PriceAmount>1</PriceAmount><CurrencyCode>EUR</CurrencyCode>"),
        described(FORM + LANGUAGE.format("01", "fre")),
        described(""),
        "<PublishingDetail><PublishingStatus>04</PublishingStatus></PublishingDetail>",
    ],
    ids=["price", "language", "an empty block", "no place for any"],
)
def test_what_a_record_says_itself_goes_before_its_header(inside):
    assert digests(inside) == digests(inside, MessageHeader())


def test_without_defaults_a_record_stays_the_very_same():
    product, _ = read_product(REFERENCE_30, record(priced("<PriceAmount>1</PriceAmount>")), CLOSING)
    assert defaulted(product, MessageHeader(sender="S", number="7")) is product
