"""What became of a record, told field by field."""

from decimal import Decimal
from itertools import pairwise

import pytest

from syncengine.catalogue.compare import Comparison, compare
from syncengine.domain.dates import OnixDate
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import (
    DatedRole,
    Price,
    Product,
    ProductIdentifier,
    ProductSupply,
    SalesRights,
    SupplyDetail,
    Tax,
)
from syncengine.domain.tags import Block
from syncengine.domain.territory import Territory
from syncengine.onix.difference import Difference, Written
from syncengine.onix.parsing import parse
from tests.records import Record, sample
from tests.values import replace

CA, US = Territory(countries_included=("CA",)), Territory(countries_included=("US",))
LONG = Territory(countries_included=("AT", "BE", "DE", "ES", "FR", "IT"))
CAD = Price(type="02", amount=Decimal("19.99"), currency="CAD", territory=CA)
USD = Price(type="01", amount=Decimal("14.99"), currency="USD", territory=US)
DETAIL = SupplyDetail(supplier_role="06", supplier_name="Hub", availability="20", prices=(CAD, USD))
SUPPLY = ProductSupply(markets=(CA,), market_status="04", details=(DETAIL,))
PRODUCT = Product(
    reference=RecordReference("r1"),
    notification_type="03",
    identifiers=(ProductIdentifier(type="15", value="9780000000002"),),
    form="EA",
    form_details=("E101",),
    protections=("02",),
    title="A Tale",
    publisher="House",
    publishing_status="04",
    publishing_dates=(DatedRole(role="01", date=OnixDate(text="20260101")),),
    sales_rights=(SalesRights(type="01", territory=LONG),),
    supplies=(SUPPLY,),
)


def compared(new: Product = PRODUCT, old: Product = PRODUCT, *differing: Block) -> Comparison:
    return compare(old, new, lambda block: block in differing)


def told(
    new: Product, old: Product = PRODUCT, blocks: tuple[Block, ...] = ()
) -> list[tuple[str, str | None, str | None]]:
    return [(change.field, change.old, change.new) for change in compared(new, old, *blocks).fields]


def with_detail(**facts) -> Product:
    return replace(PRODUCT, supplies=(replace(SUPPLY, details=(replace(DETAIL, **facts),)),))


def with_supply(**facts) -> Product:
    return replace(PRODUCT, supplies=(replace(SUPPLY, **facts),))


# --- outcomes


def test_a_record_that_was_not_known_is_added():
    found = compare(None, PRODUCT, lambda block: True)
    assert (RecordOutcome.ADDED, ()) == (found.outcome, found.fields)


def test_equal_content_is_touched():
    found = compared()
    assert (RecordOutcome.TOUCHED, ()) == (found.outcome, found.fields)


def test_order_of_repeats_is_no_change():
    turned = with_detail(prices=(USD, CAD))
    assert turned != PRODUCT
    assert RecordOutcome.TOUCHED is compared(turned).outcome


def test_a_fact_that_the_blocks_do_not_show_is_a_change():
    found = compared(with_detail(prices=(replace(CAD, currency="EUR"), USD)))
    assert (RecordOutcome.CHANGED, {"price"}) == (found.outcome, {change.field for change in found.fields})


def test_a_block_without_facts_is_named_alone():
    found = compared(PRODUCT, PRODUCT, Block.COLLATERAL_DETAIL)
    assert [("collateral_detail", None, None)] == [(c.field, c.old, c.new) for c in found.fields]


def test_a_block_whose_facts_tell_the_change_is_not_named():
    found = compared(replace(PRODUCT, title="Another"), PRODUCT, Block.DESCRIPTIVE_DETAIL, Block.COLLATERAL_DETAIL)
    assert ["title", "collateral_detail"] == [change.field for change in found.fields]


def test_a_block_whose_facts_tell_the_change_is_not_looked_at():
    asked: list[Block] = []

    def differs(block: Block) -> bool:
        asked.append(block)
        return False

    compare(PRODUCT, with_detail(availability="40"), differs)
    assert [block for block in Block if block is not Block.PRODUCT_SUPPLY] == asked


# --- fields


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (replace(PRODUCT, notification_type="02"), ("notification_type", "03", "02")),
        (replace(PRODUCT, title="B"), ("title", "A Tale", "B")),
        (replace(PRODUCT, title=None), ("title", "A Tale", None)),
        (replace(PRODUCT, publisher="Other"), ("publisher", "House", "Other")),
        (replace(PRODUCT, publishing_status="08"), ("publishing_status", "04", "08")),
        (replace(PRODUCT, form="AJ"), ("form", "EA E101", "AJ E101")),
        (replace(PRODUCT, composition="10"), ("form", "EA E101", "EA E101; composition 10")),
        (replace(PRODUCT, form_features=(("15", "101"),)), ("form", "EA E101", "EA E101; 15 101")),
        (replace(PRODUCT, protections=("03", "06")), ("protection", "02", "03 06")),
        (
            replace(PRODUCT, identifiers=(ProductIdentifier(type="15", value="9780000000019"),)),
            ("identifiers", "15 9780000000002", "15 9780000000019"),
        ),
        (
            replace(PRODUCT, publishing_dates=(DatedRole(role="01", date=OnixDate(text="20260201")),)),
            ("publishing_date", "01 20260101", "01 20260201"),
        ),
        (
            replace(
                PRODUCT, publishing_dates=(*PRODUCT.publishing_dates, DatedRole(role="02", date=OnixDate(text="2027")))
            ),
            ("publishing_date", None, "02 2027"),
        ),
        (
            replace(PRODUCT, sales_rights=(SalesRights(type="03", territory=LONG),)),
            ("sales_rights", "01 AT BE DE … 6", "03 AT BE DE … 6"),
        ),
        (replace(PRODUCT, rest_of_world_rights="03"), ("sales_rights", None, "03 elsewhere")),
        (replace(PRODUCT, sales_restrictions=("06",)), ("sales_restriction", None, "06")),
        (with_supply(market_restrictions=("04",)), ("sales_restriction", None, "CA 04")),
        (with_supply(market_outlets=("AMZ",)), ("sales_restriction", None, "CA outlet AMZ")),
        (with_supply(market_status="11"), ("market_status", "CA 04", "CA 11")),
        (
            with_supply(market_dates=(DatedRole(role="01", date=OnixDate(text="20260101")),)),
            ("market_date", None, "CA 01 20260101"),
        ),
        (with_supply(market_reference="M1"), ("market", "CA", "M1 CA")),
        (with_detail(availability="40"), ("availability", "CA 20", "CA 40")),
        (
            with_detail(dates=(DatedRole(role="08", date=OnixDate(text="20260101")),)),
            ("supply_date", None, "CA 08 20260101"),
        ),
        (with_detail(supplier_name="Depot"), ("supplier", "CA 06 Hub", "CA 06 Depot")),
        (with_detail(unpriced="02"), ("unpriced", None, "CA 02")),
        (
            with_detail(prices=(replace(CAD, amount=Decimal("17.99")), USD)),
            ("price", "CA/CAD 02 19.99", "CA/CAD 02 17.99"),
        ),
        (with_detail(prices=(CAD,)), ("price", "US/USD 01 14.99", None)),
        (
            with_detail(prices=(replace(CAD, qualifier="05", amount=None, unpriced="02", conditions=True), USD)),
            ("price", "CA/CAD 02 19.99", None),
        ),
        (
            with_detail(prices=(replace(CAD, taxes=(Tax(type="01", rate_percent=Decimal(5)),)), USD)),
            ("price", "CA/CAD 02 19.99", "CA/CAD 02 19.99 tax 01 5 %"),
        ),
        (
            with_detail(prices=(replace(CAD, dates=(DatedRole(role="15", date=OnixDate(text="20260601")),)), USD)),
            ("price", "CA/CAD 02 19.99", "CA/CAD 02 19.99 until 20260601"),
        ),
    ],
)
def test_a_change_is_told_with_old_and_new(new, expected):
    changes = told(new)
    assert expected == changes[0]
    assert {expected[0]} == {field for field, _, _ in changes}


def test_only_the_price_that_differs_is_told():
    assert 1 == len(told(with_detail(prices=(CAD, replace(USD, amount=Decimal(1))))))


def test_an_amount_spelled_otherwise_is_none_of_it():
    assert [] == told(with_detail(prices=(replace(CAD, amount=Decimal("19.990")), USD)))


def test_the_same_price_twice_is_not_the_same_as_once():
    assert [("price", None, "CA/CAD 02 19.99")] == told(with_detail(prices=(CAD, CAD, USD)))


def test_a_price_without_territory_is_told_in_its_market():
    old, new = replace(CAD, territory=None), replace(CAD, territory=None, amount=Decimal(5))
    assert [("price", "CA/CAD 02 19.99", "CA/CAD 02 5")] == told(with_detail(prices=(new,)), with_detail(prices=(old,)))


def test_the_supplier_is_told_where_there_are_several():
    other = replace(DETAIL, supplier_name="Depot", prices=())
    old = replace(PRODUCT, supplies=(replace(SUPPLY, details=(DETAIL, other)),))
    new = replace(PRODUCT, supplies=(replace(SUPPLY, details=(DETAIL, replace(other, availability="40"))),))
    assert [("availability", "CA 20 from Depot", "CA 40 from Depot")] == told(new, old)


def test_moves_in_a_long_territory_are_told():
    shorter = Territory(countries_included=("AT", "BE", "DE", "ES", "FR", "LU"))
    changes = told(replace(PRODUCT, sales_rights=(SalesRights(type="01", territory=shorter),)))
    assert [("sales_rights", "01 AT BE DE … 6", "01 AT BE DE … 6 (+LU -IT)")] == changes


def test_an_exclusion_that_ends_counts_as_coming_in():
    def rights(*without: str) -> Product:
        world = Territory(regions_included=("WORLD",), countries_excluded=without)
        return replace(PRODUCT, sales_rights=(SalesRights(type="01", territory=world),))

    changes = told(rights("AU", "CA", "GB", "US"), rights("AU", "CA", "GB", "NZ", "US"))
    assert [("sales_rights", "01 WORLD without AU CA GB … 5", "01 WORLD without AU CA GB US (+NZ)")] == changes


def test_dates_of_different_roles_are_not_taken_for_one_that_moved():
    new = replace(PRODUCT, publishing_dates=(DatedRole(role="02", date=OnixDate(text="20260101")),))
    assert [("publishing_date", "01 20260101", None), ("publishing_date", None, "02 20260101")] == told(new)


def test_long_texts_are_cut():
    ((_, _, new),) = told(replace(PRODUCT, title="x" * 5000))
    assert (200, "…") == (len(new or ""), (new or "")[-1])


def test_facts_that_no_line_tells_apart_still_give_a_change():
    """Two supplies of one market swap their suppliers' prices: each line is still there."""
    one, other = replace(DETAIL, prices=(CAD,)), replace(DETAIL, availability="40", prices=(USD,))
    old = replace(PRODUCT, supplies=(replace(SUPPLY, details=(one, other)),))
    swapped = (replace(one, prices=(USD,)), replace(other, prices=(CAD,)))
    new = replace(PRODUCT, supplies=(replace(SUPPLY, details=swapped),))
    assert [("product_supply", None, None)] == told(new, old)


def test_many_prices_are_compared_quickly():
    old = with_detail(
        prices=tuple(replace(CAD, amount=Decimal(number), qualifier=str(number)) for number in range(5000))
    )
    new = with_detail(
        prices=tuple(replace(CAD, amount=Decimal(number + 1), qualifier=str(number)) for number in range(5000))
    )
    assert 5000 == len(told(new, old))


# --- real records


def compared_as_read(old: Record, new: Record) -> Comparison:
    before, after = (parse(found.body, found.context).product for found in (old, new))
    written = (Written(found.body, found.context) for found in (old, new))
    return compare(before, after, Difference(*written))


def test_successive_versions_of_a_real_record():
    versions = [sample(f"sequences/yy-3.0-ref/{number:02}.xml")[0] for number in range(1, 14)]
    changes = [compared_as_read(old, new).fields for old, new in pairwise(versions)]
    fields = [[change.field for change in found] for found in changes]
    assert ["descriptive_detail"] == fields[0]
    assert ["related_material"] == fields[2]
    assert ["sales_rights"] * 3 == [*fields[7], *fields[10], *fields[11]]
    assert [(None, "06 elsewhere"), ("01 WORLD", "01 WORLD without CA US")] == [
        (changes[7][0].old, changes[7][0].new),
        (changes[10][0].old, changes[10][0].new),
    ]


def test_a_preorder_that_is_published():
    old, new = (sample(f"elibri/onix_{state}_product_example.xml")[0] for state in ("preorder", "published"))
    fields = {change.field: (change.old, change.new) for change in compared_as_read(old, new).fields}
    assert ("02", "04") == fields["publishing_status"]
    assert ("02", "03") == fields["notification_type"]
    assert ("27 20110201", None) == fields["publishing_date"]
