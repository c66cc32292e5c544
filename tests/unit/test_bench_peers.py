"""The programs that the engine is compared with: each reads every record, and those that extract take the engine's own facts."""

import gzip
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zstandard
from lxml import etree
from msgspec import to_builtins

from bench.generate import write_feed
from bench.peers.__main__ import listed, main
from bench.peers.lxml_extract import extracted
from bench.peers.registry import PEERS
from syncengine.domain.frame import FrameIndex
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse

RECORDS = 40
BARE = ("expat", "elementtree", "lxml-iterparse")
needs_java = pytest.mark.skipif(shutil.which("javac") is None, reason="no JDK to compile and run the Java peer with")

# A record with everything that facts are made of; its message has defaults for prices that do not say themselves.
RICH = """<?xml version="1.0" encoding="UTF-8"?>
<ONIXMessage xmlns="http://ns.editeur.org/onix/3.1/reference" release="3.1">
<Header>
  <Sender><SenderName>Éditions</SenderName></Sender>
  <SentDateTime>20261121T0300Z</SentDateTime>
  <DefaultPriceType>02</DefaultPriceType>
  <DefaultCurrencyCode>CAD</DefaultCurrencyCode>
</Header>
<Product>
  <RecordReference>rich.1</RecordReference>
  <NotificationType>03</NotificationType>
  <ProductIdentifier><ProductIDType>01</ProductIDType><IDTypeName>house  key</IDTypeName><IDValue>17</IDValue></ProductIdentifier>
  <ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>9780306406157</IDValue></ProductIdentifier>
  <DescriptiveDetail>
    <ProductComposition>00</ProductComposition>
    <ProductForm>ED</ProductForm>
    <ProductFormDetail>E101</ProductFormDetail>
    <ProductFormDetail>E201</ProductFormDetail>
    <ProductFormFeature><ProductFormFeatureType>09</ProductFormFeatureType><ProductFormFeatureValue>02</ProductFormFeatureValue></ProductFormFeature>
    <ProductFormFeature><ProductFormFeatureType>07</ProductFormFeatureType><ProductFormFeatureDescription>a "reader"
      needs\\it</ProductFormFeatureDescription></ProductFormFeature>
    <EpubTechnicalProtection>02</EpubTechnicalProtection>
    <TitleDetail><TitleType>03</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>Another</TitleText></TitleElement></TitleDetail>
    <TitleDetail>
      <TitleType>01</TitleType>
      <TitleElement><TitleElementLevel>02</TitleElementLevel><TitleText>Collection</TitleText></TitleElement>
      <TitleElement><TitleElementLevel>01</TitleElementLevel><PartNumber>2</PartNumber><TitlePrefix>L&#8217;</TitlePrefix><TitleWithoutPrefix>Été <!-- relu -->
        noir</TitleWithoutPrefix><Subtitle>récit</Subtitle></TitleElement>
    </TitleDetail>
  </DescriptiveDetail>
  <CollateralDetail>
    <TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience><Text textformat="05"><p>Price <em>and</em> more</p></Text></TextContent>
  </CollateralDetail>
  <PublishingDetail>
    <Imprint><ImprintName>Imprint</ImprintName></Imprint>
    <Publisher><PublishingRole>02</PublishingRole><PublisherName>Co-publisher</PublisherName></Publisher>
    <Publisher><PublishingRole>01</PublishingRole><PublisherName>Publisher &amp; Cie</PublisherName></Publisher>
    <PublishingStatus>04</PublishingStatus>
    <PublishingDate><PublishingDateRole>01</PublishingDateRole><Date dateformat="00">20261205</Date></PublishingDate>
    <PublishingDate><PublishingDateRole>02</PublishingDateRole><DateFormat>05</DateFormat><Date>2026</Date></PublishingDate>
    <SalesRights>
      <SalesRightsType>01</SalesRightsType>
      <Territory><CountriesIncluded>FR  CA BE</CountriesIncluded></Territory>
      <SalesRestriction><SalesRestrictionType>01</SalesRestrictionType></SalesRestriction>
    </SalesRights>
    <SalesRights><SalesRightsType>03</SalesRightsType><Territory><RegionsIncluded>WORLD</RegionsIncluded><CountriesExcluded>BE CA FR</CountriesExcluded></Territory></SalesRights>
    <ROWSalesRightsType>03</ROWSalesRightsType>
    <SalesRestriction><SalesRestrictionType>09</SalesRestrictionType></SalesRestriction>
  </PublishingDetail>
  <ProductSupply>
    <MarketReference>m1</MarketReference>
    <Market><Territory><CountriesIncluded>CA</CountriesIncluded></Territory></Market>
    <Market><Territory><CountriesIncluded>FR</CountriesIncluded></Territory><SalesRestriction><SalesRestrictionType>06</SalesRestrictionType></SalesRestriction></Market>
    <Market><Territory><RegionsIncluded>CA-QC</RegionsIncluded></Territory></Market>
    <MarketPublishingDetail>
      <MarketPublishingStatus>04</MarketPublishingStatus>
      <MarketDate><MarketDateRole>01</MarketDateRole><Date dateformat="13">20261205T0500</Date></MarketDate>
    </MarketPublishingDetail>
    <SupplyDetail>
      <Supplier>
        <SupplierRole>03</SupplierRole>
        <SupplierIdentifier><SupplierIDType>06</SupplierIDType><IDValue>3012600000000</IDValue></SupplierIdentifier>
        <SupplierName>Supplier</SupplierName>
      </Supplier>
      <ProductAvailability>20</ProductAvailability>
      <SupplyDate><SupplyDateRole>08</SupplyDateRole><Date>20261204</Date></SupplyDate>
      <Price>
        <PriceIdentifier><PriceIDType>01</PriceIDType><IDValue>p1</IDValue></PriceIdentifier>
        <PriceQualifier>05</PriceQualifier>
        <EpubTechnicalProtection>03</EpubTechnicalProtection>
        <PriceStatus>02</PriceStatus>
        <PriceAmount>19.90</PriceAmount>
        <Tax><TaxType>02</TaxType><TaxRateCode>R</TaxRateCode><TaxRatePercent>5</TaxRatePercent><TaxableAmount>18.95</TaxableAmount><TaxAmount>0.95</TaxAmount></Tax>
        <Territory><CountriesIncluded>CA</CountriesIncluded></Territory>
        <PriceDate><PriceDateRole>14</PriceDateRole><Date dateformat="00">20261205</Date></PriceDate>
      </Price>
      <Price><PriceType>06</PriceType><PriceAmount>3.00</PriceAmount><TaxExempt/><CurrencyCode>EUR</CurrencyCode></Price>
      <Price><PriceType>01</PriceType><PriceCondition><PriceConditionType>00</PriceConditionType></PriceCondition><MinimumOrderQuantity>1</MinimumOrderQuantity><PriceAmount>4</PriceAmount></Price>
      <Price><PriceType>01</PriceType><PriceConstraint><PriceConstraintType>07</PriceConstraintType></PriceConstraint><PriceAmount>4.5</PriceAmount></Price>
      <Price><PriceType>01</PriceType><MinimumOrderQuantity>5</MinimumOrderQuantity><PricePer>00</PricePer><PriceAmount>0</PriceAmount></Price>
      <Price><PriceType>01</PriceType><BatchBonus><BatchQuantity>10</BatchQuantity><FreeQuantity>1</FreeQuantity></BatchBonus><UnpricedItemType>02</UnpricedItemType></Price>
    </SupplyDetail>
    <SupplyDetail><Supplier><SupplierRole>01</SupplierRole></Supplier><ProductAvailability>40</ProductAvailability><UnpricedItemType>01</UnpricedItemType></SupplyDetail>
  </ProductSupply>
</Product>
</ONIXMessage>
"""


@pytest.fixture(scope="module")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_feed(tmp_path_factory.mktemp("feeds") / "feed.xml", records=RECORDS, seed=7).path


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("feeds") / "rich.xml"
    path.write_text(RICH, encoding="utf-8")
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> dict[str, Any]:
    """What a peer says of itself."""
    assert 0 == main([str(argument) for argument in arguments])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


def facts_of_engine(path: Path) -> Iterator[dict[str, Any]]:
    """But for what rows say and which outlets a restriction names, of which peers know nothing."""
    framer = Framer(seed=1, index=FrameIndex())
    frames = [*framer.feed(path.read_bytes()).frames, *framer.close().frames]
    assert framer.context is not None
    for frame in frames:
        facts = to_builtins(parse(frame.body, framer.context).product, builtin_types=[Decimal])
        assert () == facts.pop("row")
        assert all(() == supply.pop("market_outlets") for supply in facts["supplies"])
        yield facts


def test_the_list_says_of_every_peer_whether_it_can_run() -> None:
    rows = listed()
    assert list(PEERS) == [row["name"] for row in rows]
    assert all((row["why_not"] is None) == row["available"] for row in rows)
    assert {True} == {row["available"] for row in rows if row["name"] != "java-stax"}


def test_a_peer_whose_program_is_missing_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    java = next(row for row in listed() if row["name"] == "java-stax")
    assert (False, "no JDK on the path: java and javac missing") == (java["available"], java["why_not"])


@pytest.mark.parametrize("name", BARE)
def test_a_reader_that_takes_nothing_out_counts_every_record(
    name: str, feed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = run(capsys, name, feed)
    assert (name, RECORDS, feed.stat().st_size) == (said["name"], said["records"], said["bytes"])
    assert f"{RECORDS} records" == said["digest"]
    assert min(said["seconds"], said["cpu_seconds"], said["peak_bytes"]) > 0


def test_reading_and_hashing_sees_every_byte(feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.xml"
    other.write_bytes(feed.read_bytes()[:-1] + b" ")
    said, of_other = run(capsys, "read-hash", feed), run(capsys, "read-hash", other)
    assert (None, feed.stat().st_size) == (said["records"], said["bytes"])
    assert said["digest"] != of_other["digest"]


def test_unpacking_gives_all_bytes_of_every_member(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = feed.read_bytes()
    packed = {"gz": gzip.compress(plain), "zst": zstandard.compress(plain)}
    for name, once in packed.items():
        path = tmp_path / f"feed.xml.{name}"
        path.write_bytes(once + once)
        assert 2 * len(plain) == run(capsys, f"decompress-{name}", path)["bytes"]


def test_a_gzip_feed_that_is_cut_off_has_no_figures(feed: Path, tmp_path: Path) -> None:
    path = tmp_path / "feed.xml.gz"
    path.write_bytes(gzip.compress(feed.read_bytes())[:-100])
    with pytest.raises(EOFError):
        main(["decompress-gz", str(path)])


@pytest.mark.parametrize("which", ["feed", "rich"])
def test_extraction_with_lxml_takes_the_facts_that_the_engine_takes(which: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)
    expected = list(facts_of_engine(path))
    assert expected
    assert expected == list(extracted(path))


@needs_java
@pytest.mark.parametrize("which", ["feed", "rich"])
def test_extraction_with_java_takes_them_too(
    which: str, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    path = request.getfixturevalue(which)
    by_lxml, by_java = run(capsys, "lxml-extract", path), run(capsys, "java-stax", path)
    assert (by_lxml["records"], by_lxml["digest"]) == (by_java["records"], by_java["digest"])
    assert by_java["process_seconds"] > by_java["seconds"] > 0


def test_the_digest_of_extraction_tells_other_facts_apart(
    rich: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.xml"
    other.write_text(RICH.replace("19.90", "19.91"), encoding="utf-8")
    assert run(capsys, "lxml-extract", rich)["digest"] != run(capsys, "lxml-extract", other)["digest"]


def test_the_shop_s_program_writes_everything_once_and_then_what_differs(
    feed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "products.db"
    later = write_feed(tmp_path / "later.xml", records=RECORDS, seed=7, changed_share=0.1)
    written = [
        run(capsys, "plain-upsert", path, "--db", database)["written"] for path in (feed, feed, later.path, later.path)
    ]
    assert [RECORDS, 0, RECORDS // 10, 0] == written


def test_without_a_database_the_shop_s_program_begins_anew(feed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert [RECORDS, RECORDS] == [run(capsys, "plain-upsert", feed)["written"] for _ in range(2)]


def test_the_shop_s_program_keeps_title_price_and_record(
    rich: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = tmp_path / "products.db"
    run(capsys, "plain-upsert", rich, "--db", database)
    with closing(sqlite3.connect(database)) as db:
        rows = db.execute("SELECT reference, title, price, xml FROM products").fetchall()
    ((reference, title, price, xml),) = rows
    assert ("rich.1", "Another", "19.90") == (reference, title, price)
    assert "rich.1" == etree.fromstring(xml).findtext("{*}RecordReference")


def test_a_feed_without_records_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "empty.xml"
    path.write_text("<ONIXMessage/>", encoding="utf-8")
    assert 1 == main(["lxml-iterparse", str(path)])


@pytest.mark.parametrize("arguments", [[], ["nobody", "feed.xml"], ["expat", "feed.xml", "--db", "products.db"]])
def test_arguments_that_mean_nothing_are_refused(arguments: list[str]) -> None:
    assert 2 == main(arguments)


def test_a_peer_starts_without_the_engine(root: Path, feed: Path) -> None:
    """The whole process is timed, so nothing may be imported that such a program would not have."""
    command = [sys.executable, "-X", "importtime", "-m", "bench.peers", "read-hash", str(feed)]
    lines = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stderr.splitlines()
    imported = {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}
    assert "xxhash" in imported
    assert set() == {"syncengine", "adapters", "state", "rich", "lxml", "asyncio"} & imported
