"""A title as its page shows it: facts, description and offers of every live record, for programs and for people."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from adapters.files import FileSource, OnixRules
from adapters.shop.terminal import show
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import PassMode
from syncengine.domain.territory import Market
from syncengine.errors import UsageInvalid
from syncengine.ports import Account, Distributor
from tests.flow.engine import Setup, Shop, opened_shop
from tests.flow.files import ISBNS, message, record, sent, supply

ISBN = ISBNS[0]
GB, IE = Market(country="GB", currency="GBP"), Market(country="IE", currency="EUR")
KEYS = ["isbn", "format", "source", "record_reference", "release", "status", "facts", "description", "offers"]
EVERYWHERE = (
    "<PublishingDetail><PublishingStatus>04</PublishingStatus>"
    "<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date>20200101</Date></PublishingDate>"
    "<SalesRights><SalesRightsType>01</SalesRightsType><Territory><RegionsIncluded>WORLD</RegionsIncluded>"
    "<CountriesExcluded>US</CountriesExcluded></Territory></SalesRights></PublishingDetail>"
)


def titled(title: str) -> str:
    return (
        "<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm><ProductFormDetail>E101</ProductFormDetail>"
        f"<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>{title}</TitleText></TitleElement></TitleDetail>"
        "<Contributor><ContributorRole>A01</ContributorRole><PersonName>Jane Austen</PersonName></Contributor></DescriptiveDetail>"
    )


def told(text: str) -> str:
    content = (
        f"<TextContent><TextType>03</TextType><ContentAudience>00</ContentAudience><Text>{text}</Text></TextContent>"
    )
    return f"<CollateralDetail>{content}</CollateralDetail>"


def whole(title: str = "Emma", text: str = "A comedy.") -> str:
    return titled(title) + told(text) + EVERYWHERE + supply("4.99")


def files(name: str, folder: Path, markets: Sequence[Market] = (GB, IE)) -> Distributor:
    folder.mkdir(exist_ok=True)
    return Distributor(
        source=FileSource(SourceName(name), (folder / "*.xml",), mode=PassMode.DELTA),
        rules=OnixRules(markets=tuple(markets), zone=ZoneInfo("Europe/London")),
        calls=None,
        account=Account(kind="onix", address=str(folder), organisation=""),
    )


@pytest.fixture
async def shop(tmp_path):
    """A shop that sells from two folders of files."""
    setup = Setup(
        is_named=False, besides=[files("first", tmp_path / "first"), files("second", tmp_path / "second", [GB])]
    )
    async with opened_shop(tmp_path, None, setup) as shop:
        yield shop


async def put(shop: Shop, source: str, *records: str, number: int = 1) -> None:
    """A message in a source's folder, read."""
    header = sent("20261101", number, more="<DefaultLanguageOfText>eng</DefaultLanguageOfText>")
    (shop.directory / source / f"{number:03}.xml").write_bytes(message(*records, header=header))
    answer = await shop.answer("resync", sources=[source])
    assert "errors" not in answer.document


async def test_a_title_comes_with_facts_description_and_offers(shop):
    await put(shop, "first", record("r1", whole()))
    (title,) = (await shop.answer("title", isbn=f"{ISBN[:3]}-{ISBN[3:]}")).document["titles"]
    assert KEYS == list(title)
    assert (ISBN, "epub", "first", "r1", "3.0", "live") == tuple(title[key] for key in KEYS[:6])
    assert "Emma" == title["description"]["title"]["text"]
    (text,) = title["description"]["texts"]["descriptions"]
    assert {"html": "A comedy.", "plain": "A comedy.", "language": "eng"} == text["text"]
    assert {
        "notification_type": {"code": "03", "name": "Notification confirmed on publication"},
        "publishing_status": {"code": "04", "name": "Active"},
        "dates": [{"role": {"code": "01", "name": "Publication date"}, "text": "20200101", "format": None}],
        "sales_rights": [
            {
                "type": {
                    "code": "01",
                    "name": "For sale, based on publisher\u2019s exclusive publishing rights in the specified territory",
                },
                "territory": "WORLD without US",
                "restrictions": [],
            }
        ],
        "rest_of_world_rights": None,
        "sales_restrictions": [],
        "supplies": [
            {
                "markets": [],
                "market_restrictions": [],
                "market_outlets": [],
                "market_status": None,
                "market_dates": [],
                "details": [
                    {
                        "supplier": None,
                        "availability": {"code": "20", "name": "Available"},
                        "dates": [],
                        "unpriced": None,
                        "prices": [
                            {
                                "amount": "4.99",
                                "currency": "GBP",
                                "type": {"code": "02", "name": "RRP including tax"},
                                "qualifier": None,
                                "unpriced": None,
                                "territory": None,
                                "dates": [],
                                "has_conditions": False,
                            }
                        ],
                    }
                ],
            }
        ],
        "row": [],
    } == title["facts"]
    assert [("GB/GBP", "FOR_SALE"), ("IE/EUR", "UNPRICED")] == [
        (offer["market"], offer["state"]) for offer in title["offers"]
    ]
    assert json.loads(json.dumps(title)) == title


async def test_every_source_that_has_the_isbn_is_shown_or_the_one_that_is_named(shop):
    await put(shop, "first", record("r1", whole("Emma")))
    await put(shop, "second", record("r9", whole("EMMA")), record("r8", whole("Persuasion"), isbn=ISBNS[1]))
    both = (await shop.answer("title", isbn=ISBN)).document["titles"]
    assert [("first", "r1", 2), ("second", "r9", 1)] == [
        (title["source"], title["record_reference"], len(title["offers"])) for title in both
    ]
    (one,) = (await shop.answer("title", isbn=ISBN, source="second")).document["titles"]
    assert both[1] == {**one, "offers": both[1]["offers"]}


async def test_the_description_is_that_of_the_record_as_merged(shop):
    await put(shop, "first", record("r1", whole()))
    await put(shop, "first", record("r1", told("&lt;p&gt;Better.&lt;/p&gt;"), notification="04"), number=2)
    (title,) = (await shop.answer("title", isbn=ISBN)).document["titles"]
    assert "Emma" == title["description"]["title"]["text"]
    assert ["<p>Better.</p>"] == [text["text"]["html"] for text in title["description"]["texts"]["descriptions"]]


async def test_what_is_not_there_is_said_with_what_to_do(shop):
    await put(shop, "first", record("r1", whole()))
    with pytest.raises(UsageInvalid, match="not known from any source") as unknown:
        await shop.answer("title", isbn=ISBNS[1])
    assert "resync" in unknown.value.hint
    with pytest.raises(UsageInvalid, match="not known from second"):
        await shop.answer("title", isbn=ISBN, source="second")
    with pytest.raises(UsageInvalid, match="is no ISBN"):
        await shop.answer("title", isbn="9780306406158")
    with pytest.raises(UsageInvalid, match="no source third"):
        await shop.answer("title", isbn=ISBN, source="third")


async def test_a_removed_record_is_shown_no_more(shop):
    await put(shop, "first", record("r1", whole()), record("r2", whole("Persuasion"), isbn=ISBNS[1]))
    await put(shop, "first", record("r1", notification="05"), number=2)
    with pytest.raises(UsageInvalid, match="not known"):
        await shop.answer("title", isbn=ISBN)
    assert 1 == len((await shop.answer("title", isbn=ISBNS[1])).document["titles"])


async def test_a_distributors_title_is_described_and_offered_in_its_markets(tmp_path):
    async with opened_shop(tmp_path, None) as shop:
        await shop.resync()
        titles = (await shop.answer("title", isbn=shop.isbn("on_sale"))).document["titles"]
        assert {"demarque"} == {title["source"] for title in titles}
        assert all(title["description"]["title"]["text"] for title in titles)
        assert {"CA/CAD", "US/USD", "FR/EUR"} == {offer["market"] for title in titles for offer in title["offers"]}


# --- on a terminal


def page(document, width: int = 100) -> str:
    written = io.StringIO()
    show("title", document, Console(file=written, width=width, force_terminal=True, color_system=None))
    return written.getvalue()


async def test_the_page_fits_a_terminal_and_shortens_what_is_long(shop):
    await put(shop, "first", record("r1", whole("Emma [bold]", "word " * 1000)))
    shown = page((await shop.answer("title", isbn=ISBN)).document)
    assert 100 >= max(map(len, shown.splitlines()))
    assert "Emma [bold]\nJane Austen\n" in shown
    assert "\u2026 (4,999 characters)" in " ".join(shown.split())
    assert 150 > shown.count("word")
    for line in ("status       Active", "GB/GBP FOR_SALE at 4.99 GBP (tax included)", "--json shows everything"):
        assert line in shown


async def test_a_bare_record_has_a_page_too(shop):
    await put(shop, "first", record("r1"))
    shown = page((await shop.answer("title", isbn=ISBN)).document)
    assert "without a title" in shown
    assert ISBN in shown


def test_a_record_that_holds_no_onix_is_shown_by_its_facts():
    facts: dict[str, object] = {"publishing_status": None, "dates": [], "sales_rights": [], "supplies": []}
    title: dict[str, object] = dict(
        zip(KEYS, (ISBN, "epub", "first", "r1", "3.0", "live", facts, None, []), strict=True)
    )
    assert f"{ISBN} epub" in page({"titles": [title]})


def test_the_command_shows_the_pages_of_a_real_file(root, tmp_path, onix_samples):
    def run(*words: object) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "COLUMNS": "100"}
        command = [sys.executable, str(root / "run.py"), *map(str, words)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    assert 0 == run("resync", "--file", onix_samples / "jonix/Onix3.1-single-ref.xml").returncode
    shown = run("title", "9780007232833")
    assert (0, "Roseanna") == (shown.returncode, shown.stdout.splitlines()[0])
    (title,) = json.loads(run("title", "9780007232833", "--json").stdout)["titles"]
    assert ("3.1", "The Martin Beck series") == (title["release"], title["description"]["collections"][0]["title"])
    unknown = run("title", ISBN)
    assert (2, "") == (unknown.returncode, unknown.stdout)
    assert "run.py resync" in unknown.stderr
