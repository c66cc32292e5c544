"""The French sample files: the price of every instant and the gates of sale, each read off the XML by hand.

Midnights are those of Paris: 22:00 UTC in summer, 23:00 in winter. A price date without time belongs to its period whole.
"""

import pytest

from tests.tables.french import FILES, openings, rows

EVER = ""

TIMELINES = {
    # 14 and 15 with times, so the end is the very instant; one supplier for euros, another for Canadian dollars.
    "test_prices1 FR/EUR": [
        (EVER, "2013-03-27T12:44:29Z", "gap"),
        ("2013-03-27T12:44:29Z", "2013-04-26T22:00:00Z", "4.99 (04)"),
        ("2013-04-26T22:00:00Z", EVER, "14.99 (04)"),
    ],
    "test_prices1 LU/EUR": [
        (EVER, "2013-03-27T12:44:29Z", "gap"),
        ("2013-03-27T12:44:29Z", "2013-04-26T22:00:00Z", "4.99 (04)"),
        ("2013-04-26T22:00:00Z", EVER, "14.99 (04)"),
    ],
    "test_prices1 CA/CAD": [(EVER, EVER, "14.99 (03)")],
    # Zero until the first of October and a price from that day on: the day is the follower's.
    "test_prices2 FR/EUR": [
        (EVER, "2013-09-30T22:00:00Z", "free_or_unpriced"),
        ("2013-09-30T22:00:00Z", EVER, "3.99 (04)"),
    ],
    "test_prices2 CA/CAD": [
        (EVER, "2013-09-30T22:00:00Z", "free_or_unpriced"),
        ("2013-09-30T22:00:00Z", EVER, "5.99 (03)"),
    ],
    "test_prices2 CH/CHF": [
        (EVER, "2013-09-30T22:00:00Z", "free_or_unpriced"),
        ("2013-09-30T22:00:00Z", EVER, "5.0 (04)"),
    ],
    "test_prices2 GB/GBP": [
        (EVER, "2013-09-30T22:00:00Z", "free_or_unpriced"),
        ("2013-09-30T22:00:00Z", EVER, "3.99 (04)"),
    ],
    # "11,20" is no amount.
    "test_prices2 BR/BRL": [(EVER, EVER, "gap")],
    # Pairs without and with tax, undated, and from 10 June: the pair's taxed price, by market.
    "test_prices3 FR/EUR": [
        (EVER, "2013-06-09T22:00:00Z", "2.99 (04)"),
        ("2013-06-09T22:00:00Z", EVER, "1.99 (04)"),
    ],
    "test_prices3 CH/CHF": [
        (EVER, "2013-06-09T22:00:00Z", "4.00 (04)"),
        ("2013-06-09T22:00:00Z", EVER, "2.50 (04)"),
    ],
    "test_prices3 GB/GBP": [
        (EVER, "2013-06-09T22:00:00Z", "2.49 (04)"),
        ("2013-06-09T22:00:00Z", EVER, "1.49 (04)"),
    ],
    "test_prices4 FR/EUR": [(EVER, EVER, "20.99 (04)")],
    # Eight digits under format 14.
    "test_prices5 FR/EUR": [
        (EVER, "2013-09-30T22:00:00Z", "gap"),
        ("2013-09-30T22:00:00Z", EVER, "20.99 (04)"),
    ],
    # Agency prices and a promotion from 17 to 31 August.
    "test_prices6 FR/EUR": [
        (EVER, "2020-08-16T22:00:00Z", "5.99 (42)"),
        ("2020-08-16T22:00:00Z", "2020-08-31T22:00:00Z", "1.99 (42)"),
        ("2020-08-31T22:00:00Z", EVER, "5.99 (42)"),
    ],
    "test_prices6 BE/EUR": [
        (EVER, "2020-08-16T22:00:00Z", "5.99 (42)"),
        ("2020-08-16T22:00:00Z", "2020-08-31T22:00:00Z", "1.99 (42)"),
        ("2020-08-31T22:00:00Z", EVER, "5.99 (42)"),
    ],
    "test_prices6 CH/CHF": [
        (EVER, "2020-08-16T22:00:00Z", "7.00 (42)"),
        ("2020-08-16T22:00:00Z", "2020-08-31T22:00:00Z", "2.50 (42)"),
        ("2020-08-31T22:00:00Z", EVER, "7.00 (42)"),
    ],
    "test_prices6 CA/CAD": [
        (EVER, "2020-08-16T22:00:00Z", "8.99 (41)"),
        ("2020-08-16T22:00:00Z", "2020-08-31T22:00:00Z", "2.99 (41)"),
        ("2020-08-31T22:00:00Z", EVER, "8.99 (41)"),
    ],
    # Eight suppliers in France, all free of charge; one with a price further south.
    "test_prices_unpriced FR/EUR": [(EVER, EVER, "free")],
    "test_prices_unpriced ES/EUR": [
        (EVER, "2013-09-30T22:00:00Z", "gap"),
        ("2013-09-30T22:00:00Z", EVER, "10.99 (04)"),
    ],
    # Two promotions cut two holes, the first of one day.
    "test_prices_with_multiple_periods FR/EUR": [
        (EVER, "2016-07-07T22:00:00Z", "8.99 (42)"),
        ("2016-07-07T22:00:00Z", "2016-07-08T22:00:00Z", "4.99 (42)"),
        ("2016-07-08T22:00:00Z", "2016-07-31T22:00:00Z", "8.99 (42)"),
        ("2016-07-31T22:00:00Z", "2016-08-15T22:00:00Z", "3.99 (42)"),
        ("2016-08-15T22:00:00Z", EVER, "8.99 (42)"),
    ],
    "test_prices_with_only_from_date FR/EUR": [
        (EVER, "2016-07-07T22:00:00Z", "8.99 (42)"),
        ("2016-07-07T22:00:00Z", EVER, "4.99 (42)"),
    ],
    # Until 7 July, that day included.
    "test_prices_with_only_until_date FR/EUR": [
        (EVER, "2016-07-07T22:00:00Z", "4.99 (42)"),
        ("2016-07-07T22:00:00Z", EVER, "8.99 (42)"),
    ],
    "unqualified-prices FR/EUR": [
        (EVER, "2016-07-07T22:00:00Z", "8.99 (42)"),
        ("2016-07-07T22:00:00Z", "2016-07-08T22:00:00Z", "4.99 (42)"),
        ("2016-07-08T22:00:00Z", EVER, "8.99 (42)"),
    ],
    # Normal prices by country group, one promotion in April for all of them.
    "shared_promotional FR/EUR": [
        (EVER, "2022-03-31T22:00:00Z", "8.49 (42)"),
        ("2022-03-31T22:00:00Z", "2022-04-30T22:00:00Z", "3.99 (42)"),
        ("2022-04-30T22:00:00Z", EVER, "8.49 (42)"),
    ],
    "shared_promotional BL/EUR": [
        (EVER, "2022-03-31T22:00:00Z", "8.99 (42)"),
        ("2022-03-31T22:00:00Z", "2022-04-30T22:00:00Z", "3.99 (42)"),
        ("2022-04-30T22:00:00Z", EVER, "8.99 (42)"),
    ],
    "shared_promotional CH/CHF": [
        (EVER, "2022-03-31T22:00:00Z", "12.00 (42)"),
        ("2022-03-31T22:00:00Z", "2022-04-30T22:00:00Z", "5.50 (42)"),
        ("2022-04-30T22:00:00Z", EVER, "12.00 (42)"),
    ],
    "shared_promotional GB/GBP": [
        (EVER, "2022-03-31T22:00:00Z", "6.99 (42)"),
        ("2022-03-31T22:00:00Z", "2022-04-30T22:00:00Z", "3.49 (42)"),
        ("2022-04-30T22:00:00Z", EVER, "6.99 (42)"),
    ],
    "price_to_be_announced FR/EUR": [(EVER, EVER, "unpriced")],
    "embargo-date FR/EUR": [(EVER, EVER, "3.99 (42)")],
    "preorder-embargo-date FR/EUR": [(EVER, EVER, "3.99 (42)")],
    "full-sender FR/EUR": [(EVER, EVER, "3.99 (42)")],
    "other-publication-date-format FR/EUR": [(EVER, EVER, "3.99 (42)")],
    "test_YYYY_date_format FR/EUR": [(EVER, EVER, "20.99 (04)")],
    "test_several_protections FR/EUR": [(EVER, EVER, "20.99 (04)")],
    # De Marque's own: 14 with a winter offset, and for America with a summer time of day.
    "audio1 FR/EUR": [
        (EVER, "2015-01-25T23:00:00Z", "gap"),
        ("2015-01-25T23:00:00Z", EVER, "15.99 (04)"),
    ],
    "audio1 CH/EUR": [
        (EVER, "2015-01-25T23:00:00Z", "gap"),
        ("2015-01-25T23:00:00Z", EVER, "15.99 (04)"),
    ],
    "audio1 CH/CHF": [
        (EVER, "2015-01-25T23:00:00Z", "gap"),
        ("2015-01-25T23:00:00Z", EVER, "21.00 (04)"),
    ],
    "audio1 GB/GBP": [
        (EVER, "2015-01-25T23:00:00Z", "gap"),
        ("2015-01-25T23:00:00Z", EVER, "13.99 (04)"),
    ],
    "audio1 US/USD": [
        (EVER, "2014-07-08T16:45:00Z", "gap"),
        ("2014-07-08T16:45:00Z", EVER, "26.99 (03)"),
    ],
    "audio1 CA/CAD": [
        (EVER, "2014-07-08T16:45:00Z", "gap"),
        ("2014-07-08T16:45:00Z", EVER, "26.99 (03)"),
    ],
    # A price in euros without tax for the whole market, one with tax for the countries that it names.
    "streaming FR/EUR": [(EVER, EVER, "5.99 (04)")],
    "streaming CH/EUR": [(EVER, EVER, "5.68 (03)")],
    "streaming CH/CHF": [(EVER, EVER, "7.50 (04)")],
    "streaming CA/CAD": [(EVER, EVER, "7.99 (04)")],
    "illustrations FR/EUR": [(EVER, EVER, "10.99 (04)")],
    "test_outlet FR/EUR": [(EVER, EVER, "unpriced")],
}

OPENINGS = {
    # PublishingDate 01 of 31 August 2011, 02 of 21 September 2012.
    "embargo-date FR/EUR": ("2012-09-20T22:00:00Z", "2012-09-20T22:00:00Z", "at once"),
    # PublishingDate 01 of 31 August 2011, 27 of 21 August 2011.
    "preorder-embargo-date FR/EUR": ("at once", "2011-08-30T22:00:00Z", "2011-08-20T22:00:00Z"),
    "full-sender FR/EUR": ("at once", "2011-08-30T22:00:00Z", "at once"),
    # The same day, with hyphens.
    "other-publication-date-format FR/EUR": ("at once", "2011-08-30T22:00:00Z", "at once"),
    # A year, which a gate counts as its last day.
    "test_YYYY_date_format FR/EUR": ("at once", "1989-12-30T23:00:00Z", "at once"),
    # The supplier's own embargo, SupplyDate 02 of 1 November 2019.
    "test_prices6 FR/EUR": ("2019-10-31T23:00:00Z", "2019-10-31T23:00:00Z", "at once"),
    # MarketDate and SupplyDate 02 of 4 May 2011, published on 1 June.
    "shared_promotional FR/EUR": ("2011-05-03T22:00:00Z", "2011-05-31T22:00:00Z", "at once"),
}


@pytest.mark.parametrize("of", TIMELINES)
def test_the_price_of_every_instant(of):
    assert TIMELINES[of] == rows(*of.split())


@pytest.mark.parametrize("of", OPENINGS)
def test_when_sale_and_preorders_may_begin(of):
    """From the embargo; where the publication date is taken for one; in advance."""
    assert OPENINGS[of] == openings(*of.split())


def test_the_printed_tables_are_those_that_were_checked():
    assert list(TIMELINES) == [f"{name} {market}" for name, markets in FILES.items() for market in markets.split()]
