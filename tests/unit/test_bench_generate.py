"""The bench's feeds are what their plans say: well-formed, exact in what differs, the same again for the same plan."""

import gzip
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import zstandard
from lxml import etree

from bench.feeds import feed, forget_others
from bench.generate import Feed, edits_of, sequence, write, write_feed
from bench.plan import Change, Compression, Edit, Encoding, FeedPlan, Order, Shape, Tags
from bench.records import Maker, reference
from syncengine.domain.tags import REFERENCE_NAMES

RECORDS = 60
PLAN = FeedPlan(records=RECORDS, seed=7)

UNPACKED: Mapping[Compression, Callable[[Path], bytes]] = {
    Compression.PLAIN: Path.read_bytes,
    Compression.GZIP: lambda path: gzip.decompress(path.read_bytes()),
    Compression.ZSTD: lambda path: zstandard.ZstdDecompressor().decompressobj().decompress(path.read_bytes()),
    Compression.ZIP: lambda path: zipfile.ZipFile(path).read("feed.xml"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bench")


def made(folder: Path, **choices: Any) -> Feed:
    return feed(replace(PLAN, **choices), folder)


def named(element: etree._Element) -> str:
    local = etree.QName(element).localname
    return REFERENCE_NAMES.get(local, local)


def products(path: Path) -> list[etree._Element]:
    return [child for child in etree.parse(str(path)).getroot() if named(child) == "Product"]


def said(product: etree._Element, name: str) -> list[str]:
    return [element.text or "" for element in product.iter(etree.Element) if named(element) == name]


def records_of(path: Path) -> dict[str, bytes]:
    """Each record in canonical form, by its reference."""
    return {said(product, "RecordReference")[0]: etree.tostring(product, method="c14n") for product in products(path)}


def texts_of(path: Path) -> list[list[str]]:
    """What the elements of each record say, whatever they are called; the traps in it follow the tag style."""
    return [
        [
            text.replace("</product>", "</Product>")
            for element in product.iter()
            if (text := (element.text or "").strip())
        ]
        for product in products(path)
    ]


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("tags", Tags)
@pytest.mark.parametrize("encoding", Encoding)
def test_a_feed_is_well_formed_and_holds_the_records_it_claims(
    shape: Shape, tags: Tags, encoding: Encoding, folder: Path
) -> None:
    plan = replace(PLAN, shape=shape, tags=tags, encoding=encoding)
    found = made(folder, shape=shape, tags=tags, encoding=encoding)

    references = [said(product, "RecordReference")[0] for product in products(found.path)]

    assert [reference(number, plan) for number in range(RECORDS)] == references
    assert (RECORDS, RECORDS) == (found.records, found.live)
    assert found.bytes == found.file_bytes == found.path.stat().st_size


@pytest.mark.parametrize(
    "choice", [{"encoding": Encoding.LATIN_1}, {"encoding": Encoding.UTF_16}, {"tags": Tags.SHORT}]
)
def test_the_same_records_are_written_in_every_encoding_and_tag_style(choice: dict[str, Any], folder: Path) -> None:
    assert texts_of(made(folder).path) == texts_of(made(folder, **choice).path)


@pytest.mark.parametrize("compression", Compression)
def test_every_packing_holds_the_same_bytes(compression: Compression, folder: Path) -> None:
    packed = made(folder, compression=compression)
    assert made(folder).path.read_bytes() == UNPACKED[compression](packed.path)
    assert made(folder).bytes == packed.bytes
    assert made(folder).digest == packed.digest


@pytest.mark.parametrize("choice", [{}, {"compression": Compression.GZIP}, {"compression": Compression.ZIP}])
def test_the_same_plan_gives_the_same_bytes_and_another_seed_does_not(choice: dict[str, Any], tmp_path: Path) -> None:
    plan = replace(PLAN, **choice)
    once, again, other = (tmp_path / name / "feed" for name in ("once", "again", "other"))
    for path, seed in ((once, 7), (again, 7), (other, 8)):
        path.parent.mkdir()
        write(path, replace(plan, seed=seed))
    assert once.read_bytes() == again.read_bytes()
    assert once.read_bytes() != other.read_bytes()


@pytest.mark.parametrize("size", [10_000, 30_000])
@pytest.mark.parametrize("shape", [Shape.HUB, Shape.CB, Shape.BOKBASEN])
def test_records_are_as_long_as_is_asked_for(shape: Shape, size: int, folder: Path) -> None:
    found = made(folder, shape=shape, record_bytes=size)
    assert pytest.approx(size, rel=0.1) == found.bytes / RECORDS


def test_records_hold_traps_for_careless_readers(folder: Path) -> None:
    text = made(folder).path.read_bytes()
    assert text.count(b"<![CDATA[") > RECORDS / 2
    assert text.count(b"</Product>") > RECORDS


@pytest.mark.parametrize("length", [8, 30, 60])
def test_references_have_the_length_that_is_asked_for(length: int) -> None:
    plan = replace(PLAN, reference_bytes=length)
    assert {length} == {len(reference(number, plan)) for number in (0, 5, 99_999)}


@pytest.mark.parametrize("change", [change for change in Change if change is not Change.NONE])
def test_exactly_the_share_of_records_has_an_edit(change: Change, folder: Path) -> None:
    old, new = records_of(made(folder).path), records_of(made(folder, change=change, share=0.5).path)
    plan = replace(PLAN, change=change, share=0.5)
    edits = edits_of(plan)

    assert len(edits) == RECORDS / 2
    assert set(change.edits) == set(edits.values())
    vanished = {reference(number, plan) for number, edit in edits.items() if edit is Edit.VANISHED}
    added = sum(edit is Edit.ADDED for edit in edits.values())
    edited = {reference(number, plan) for number, edit in edits.items() if edit not in (Edit.VANISHED, Edit.ADDED)}
    assert vanished == old.keys() - new.keys()
    assert {reference(RECORDS + place, plan) for place in range(added)} == new.keys() - old.keys()
    assert edited == {name for name in old.keys() & new.keys() if old[name] != new[name]}


@pytest.mark.parametrize(
    ("change", "name"),
    [(Change.PRICE, "PriceAmount"), (Change.AVAILABILITY, "ProductAvailability"), (Change.REMOVED, "NotificationType")],
)
@pytest.mark.parametrize("shape", Shape)
def test_an_edit_changes_what_it_is_named_after(change: Change, name: str, shape: Shape, folder: Path) -> None:
    first = products(made(folder, shape=shape).path)
    second = products(made(folder, shape=shape, change=change, share=1.0).path)
    for old, new in zip(first, second, strict=True):
        assert said(old, name)
        assert all(before != after for before, after in zip(said(old, name), said(new, name), strict=True))


def test_a_touched_record_says_the_same_in_other_bytes(folder: Path) -> None:
    old, new = made(folder), made(folder, change=Change.TOUCHED, share=1.0)
    assert texts_of(old.path) == texts_of(new.path)
    assert new.bytes == old.bytes + RECORDS


def test_prices_change_without_changing_the_length_of_the_feed(folder: Path) -> None:
    assert made(folder).bytes == made(folder, change=Change.PRICE, share=1.0).bytes


@pytest.mark.parametrize("order", Order)
def test_an_order_is_one_of_the_same_records(order: Order, folder: Path) -> None:
    plan = replace(PLAN, order=order)
    numbers = [number for number, _ in sequence(plan)]
    assert sorted(numbers) == list(range(RECORDS))
    assert (order is Order.SAME) == (numbers == list(range(RECORDS)))
    assert (order is Order.REVERSED) == (numbers == list(reversed(range(RECORDS))))
    assert made(folder).digest == made(folder, order=order).digest


def test_a_feed_that_is_there_is_not_made_again(folder: Path) -> None:
    found = made(folder)
    found.path.write_bytes(b"left alone")
    try:
        assert found == made(folder)
        assert b"left alone" == found.path.read_bytes()
    finally:
        write(found.path, PLAN)


def test_only_feeds_of_the_present_generator_are_kept(tmp_path: Path) -> None:
    for version in ("now", "before"):
        (tmp_path / version).mkdir()
        (tmp_path / version / "feed.xml").touch()
    forget_others(tmp_path / "now")
    assert [tmp_path / "now" / "feed.xml"] == sorted(tmp_path.rglob("*.xml"))


def test_a_record_is_the_same_whatever_was_made_before_it() -> None:
    maker, other = Maker(PLAN), Maker(PLAN)
    for number in (3, 4, 50):
        other.make(number, Edit.PRICE)
    assert maker.make(9) == other.make(9)


def test_a_usual_feed_has_the_share_of_edits_that_is_asked_for(tmp_path: Path) -> None:
    found = write_feed(tmp_path / "feed.xml", records=RECORDS, seed=7, changed_share=0.1)
    assert RECORDS / 10 == found.changed
    assert {Edit.PRICE, Edit.AVAILABILITY, Edit.TEXT} == found.edits.keys()


def test_plans_that_differ_have_names_that_differ() -> None:
    plans = [PLAN, replace(PLAN, seed=8), replace(PLAN, order=Order.REVERSED), replace(PLAN, tags=Tags.SHORT)]
    assert len(plans) == len({plan.name for plan in plans})
