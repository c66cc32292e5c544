"""One publisher's 21 records in ONIX 2.1 and in 3.0: the same identities, statuses, rights, prices and availability.

What differs is in the files themselves, and is asserted to the letter: release 2 has no element for it.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from adapters.files import FileSource, OnixRules
from state.sqlite import open_store
from syncengine.domain.ids import Format, SourceName, TitleKey
from syncengine.domain.offer import Offer
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.domain.product import Product
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.ports import Account, Distributor
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.tables.macmillan import FIELDS, as_far_as_2_1_can_say, details, pairs

FILE = SourceName("file")
NEVER_EMBARGOED_AS_A_WHOLE = {"9781447230533", "9781447223740"}
TWICE = "9781760554712"
MARKETS = (Market.parse("AU/AUD"), Market.parse("NZ/NZD"))
RULES = OnixRules(markets=MARKETS, zone=ZoneInfo("Australia/Sydney"))
DAYS = [datetime(2018, 6, 21, tzinfo=UTC), datetime(2018, 9, 11, tzinfo=UTC), datetime(2019, 6, 2, tzinfo=UTC)]
OPTIONS = PassOptions(wanted=PassMode.DELTA, stage_deltas=True, stop_on_older=False)

pytestmark = pytest.mark.usefixtures("onix_samples")


def tree_of(onix_samples, name: str) -> etree._Element:
    return etree.fromstring((onix_samples / "jonix" / name).read_bytes(), etree.XMLParser(load_dtd=False))


def texts(onix_samples, name: str, tag: str) -> list[str | None]:
    return [element.text for element in tree_of(onix_samples, name).iter("{*}" + tag)]


@pytest.mark.parametrize("name", ["onix2-multiple.xml", "onix3-multiple.xml"])
def test_both_files_hold_the_21_records_that_are_compared(onix_samples, name):
    references = texts(onix_samples, name, "RecordReference")
    assert sorted(map(str, references)) == sorted(old.reference for old, _ in pairs())
    assert {reference: count for reference, count in Counter(references).items() if count > 1} == {TWICE: 2}
    assert len(references) == 21


@pytest.mark.parametrize("field", FIELDS)
def test_what_both_files_say_is_the_same_in_every_record(field):
    read = FIELDS[field]
    assert [read(old) for old, _ in pairs()] == [read(as_far_as_2_1_can_say(new)) for _, new in pairs()]


def test_no_other_fact_differs():
    assert [old for old, _ in pairs()] == [as_far_as_2_1_can_say(new) for _, new in pairs()]


def test_only_3_0_says_what_kind_of_tax_it_is(onix_samples):
    """Release 2 has TaxRateCode1, TaxRatePercent1, TaxableAmount1 and TaxAmount1, but no TaxType (list 171)."""
    kinds = [
        {tax.type for detail in details(product) for price in detail.prices for tax in price.taxes}
        for both in pairs()
        for product in both
    ]
    assert kinds == [{None}, {"01"}] * 21
    assert not [
        tag
        for tag in {element.tag for element in tree_of(onix_samples, "onix2-multiple.xml").iter("*")}
        if "TaxType" in tag
    ]


def test_only_3_0_says_an_embargo_above_all_markets(onix_samples):
    """In 2.1 a date of sale stands in a supply; the export repeats the first as PublishingDate 02, save for two records."""
    for old, new in pairs():
        above = [dated.date.text for dated in new.publishing_dates if dated.role == "02"]
        in_supplies = [[dated.date.text for dated in detail.dates if dated.role == "02"] for detail in details(old)]
        assert in_supplies == [
            [dated.date.text for dated in detail.dates if dated.role == "02"] for detail in details(new)
        ]
        assert above == ([] if old.reference in NEVER_EMBARGOED_AS_A_WHOLE else in_supplies[0])
        assert not [dated for dated in old.publishing_dates if dated.role == "02"]
    stated = [
        dated.date.text for old, _ in pairs() for detail in details(old) for dated in detail.dates if dated.role == "02"
    ]
    assert sorted(map(str, texts(onix_samples, "onix2-multiple.xml", "OnSaleDate"))) == sorted(stated)


def offer(product: Product, market: Market, at: datetime) -> Offer:
    isbn, form = RULES.identify(product) or (None, Format(""))
    assert isbn is not None
    return RULES.offer(Title(key=TitleKey(source=FILE, isbn=isbn, format=form), records=(product,)), market, at)


@pytest.mark.parametrize("at", DAYS, ids=lambda at: at.date().isoformat())
def test_in_australia_the_same_may_be_sold_at_the_same_price(at):
    offers = [(offer(old, MARKETS[0], at), offer(new, MARKETS[0], at)) for old, new in pairs()]
    assert [(one.state, one.price, one.starts_at) for one, _ in offers] == [
        (other.state, other.price, other.starts_at) for _, other in offers
    ]
    assert len({one.state for one, _ in offers}) > 1


@pytest.mark.parametrize("at", DAYS, ids=lambda at: at.date().isoformat())
def test_in_new_zealand_the_embargo_above_all_markets_is_the_only_difference(at):
    for old, new in pairs():
        one, other = offer(old, MARKETS[1], at), offer(as_far_as_2_1_can_say(new), MARKETS[1], at)
        assert (one.state, one.price, one.starts_at) == (other.state, other.price, other.starts_at)


async def test_the_engine_reads_2_1_once_knows_it_again_and_finds_the_same_records_in_3_0(onix_samples, tmp_path):
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=clock)
    account = Account(kind="onix", address="files", organisation="")

    async def read(name: str) -> PassReport:
        source = FileSource(FILE, [onix_samples / "jonix" / name])
        distributor = Distributor(source=source, rules=RULES, calls=None, account=account)
        intake = Intake(distributor, store, clock, Parsers(), GuardSettings())
        return await intake.run(intake.streams[0], OPTIONS)

    first, again = await read("onix2-multiple.xml"), await read("onix2-multiple.xml")
    newer = await read("onix3-multiple.xml")
    await store.aclose()

    assert (first.complete, first.records, first.outcomes[RecordOutcome.QUARANTINED]) == (True, 21, 0)
    assert first.outcomes[RecordOutcome.ADDED] == 20
    assert (again.outcomes[RecordOutcome.ADDED], again.outcomes[RecordOutcome.CHANGED]) == (0, 0)
    assert (newer.outcomes[RecordOutcome.ADDED], newer.outcomes[RecordOutcome.QUARANTINED]) == (0, 0)
