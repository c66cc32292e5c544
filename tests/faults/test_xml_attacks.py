"""XML made to break its reader: each attack harms its own record at most, is told, and costs time and memory in proportion to it.

The bad records of a kind stand in one message, each with a good one behind it, and one command reads them; what depends on the
message as a whole has a message to itself.
"""

from __future__ import annotations

import codecs
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from stdnum import ean

from syncengine.domain.frame import FrameIndex
from syncengine.errors import RecordInvalid
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import parse
from tests.flow.harness import FULL, RUN
from tests.records import context

Row = dict[str, Any]

MEGABYTE = 1 << 20
NAMESPACE = b"http://ns.editeur.org/onix/3.0/reference"
DECLARATION = b'<?xml version="1.0" encoding="UTF-8"?>\n'
ROOT = b'<ONIXMessage xmlns="' + NAMESPACE + b'" release="3.0">'
HEADER = b"<Header><Sender><SenderName>A</SenderName></Sender><SentDateTime>20261101T1200Z</SentDateTime></Header>\n"
END = b"</ONIXMessage>\n"

# The command runs as the child of a process that does nothing else, so that the peak is its own.
PEAK = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
open(sys.argv[1], "w").write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(code)
"""


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a command said and left behind."""

    code: int
    out: str
    err: str
    folder: Path
    peak_bytes: int

    @property
    def report(self) -> Row:
        """The account of the only pass."""
        [found] = json.loads(self.out)["passes"]
        assert isinstance(found, dict)
        return found

    def warnings_of(self, name: str) -> list[str]:
        """What was told of a record, or of a message by the name of its file."""
        warnings: list[str] = self.report["warnings"]
        return [says for says in warnings if f" {name}: " in says or f"{name}.xml" in says]

    def quarantined(self) -> dict[str, str]:
        """Why each record was kept apart, by its reference."""
        rows = json.loads(run(self.folder, "quarantine", "list", "--json").out)["records"]
        return {row["record_reference"]: row["reason"] for row in rows if row["kind"] == "quarantined"}

    def changes(self) -> dict[str, str]:
        """What last became of each record, by its reference."""
        rows = [json.loads(line) for line in run(self.folder, "changes").out.splitlines()]
        return {row["record_reference"]: row["kind"] for row in rows if row["kind"] != "offer"}


def run(folder: Path, *words: str) -> Told:
    """Type a command in a folder and wait for its end, however long that takes; a test that takes too long leaves nothing."""
    peak = folder / "peak"
    pipes: Mapping[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    measured = [sys.executable, "-c", PEAK, str(peak), *RUN, *words]
    with subprocess.Popen(measured, cwd=folder, start_new_session=True, **pipes) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert "Traceback" not in err, err
    size = int(peak.read_text())
    peak.unlink()
    return Told(code=process.returncode, out=out, err=err, folder=folder, peak_bytes=size)


def resync(folder: Path, **messages: bytes | Iterable[bytes]) -> Told:
    """Read messages, given whole or piece by piece, in one pass; each is a file of its name."""
    for name, pieces in messages.items():
        with (folder / f"{name}.xml").open("wb") as file:
            file.writelines([pieces] if isinstance(pieces, bytes) else pieces)
    return run(folder, "resync", "--json", *(word for name in messages for word in ("--file", f"{name}.xml")))


def record(reference: str | bytes, inside: bytes = b"", notification: bytes = b"03") -> bytes:
    name = reference.encode() if isinstance(reference, str) else reference
    kind = b"<NotificationType>" + notification + b"</NotificationType>"
    return b"<Product><RecordReference>" + name + b"</RecordReference>" + kind + inside + b"</Product>\n"


def titled(title: bytes, attributes: bytes = b"") -> bytes:
    element = b"<TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText" + attributes + b">" + title
    detail = b"<TitleDetail><TitleType>01</TitleType>" + element + b"</TitleText></TitleElement></TitleDetail>"
    return b"<DescriptiveDetail><ProductForm>EA</ProductForm>" + detail + b"</DescriptiveDetail>"


def message(*records: bytes, before_root: bytes = b"") -> bytes:
    return DECLARATION + before_root + ROOT + HEADER + b"".join(records) + END


def good(name: str) -> bytes:
    return record(name, titled(b"good"))


# --- one record among good ones -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attack:
    """The bytes of a bad record, what becomes of it, and what is said of it, if anything."""

    body: bytes
    outcome: str
    says: str = ""


def inside(content: bytes, outcome: str, says: str = "") -> Attack:
    """An attack by what stands in its record; `@` is where its own name goes."""
    return Attack(record(b"@", content), outcome, says)


QUARANTINED, ADDED, IGNORED = "quarantined", "added", "ignored"

ATTACKS = {
    # 19: malformed
    "crossed-tags": inside(titled(b"<b>x</TitleText></b>"), QUARANTINED, "Opening and ending tag mismatch"),
    "unclosed": inside(b"<DescriptiveDetail>", QUARANTINED, "Opening and ending tag mismatch"),
    "stray-end": inside(b"</DescriptiveDetail>", QUARANTINED, "Opening and ending tag mismatch"),
    "bad-entity": inside(titled(b"&nope;"), ADDED, "&nope; kept as text"),
    "bare-ampersand": inside(titled(b"a & b"), ADDED, "stray & kept as text"),
    "no-character": inside(titled(b"&#0;&#xD800;"), ADDED, "&#0; dropped"),
    "number-without-end": inside(titled(b"&#" + b"9" * 5000 + b";"), ADDED, "stray & kept as text"),
    "control-characters": inside(titled(b"a\x0bb\x10"), ADDED, "2 control characters dropped"),
    "nul": inside(titled(b"a\0b"), ADDED, "1 control character dropped"),
    "latin-1": inside(titled(b"caf\xe9"), ADDED, "bytes that are not UTF-8 read as windows-1252"),
    "overlong-utf-8": inside(titled(b"\xc0\xaf"), ADDED, "bytes that are not UTF-8 read as windows-1252"),
    "half-a-surrogate": inside(titled(b"\xed\xa0\x80"), ADDED, "bytes that are not UTF-8 read as windows-1252"),
    "byte-order-mark": inside(titled(b"\xef\xbb\xbfx"), ADDED),
    "doctype-inside": inside(b"<!DOCTYPE x [<!ENTITY a 'b'>]>" + titled(b"&a;"), QUARANTINED, "not well-formed XML"),
    # 20: too much
    "deep": inside(b"<a>" * 100_000 + b"</a>" * 100_000, QUARANTINED, "Excessive depth in document: 256"),
    "deeper-than-onix": inside(b"<a>" * 120 + b"</a>" * 120, QUARANTINED, "nested more than 100 deep"),
    "instructions": inside(b"<?x?>" * 100_000 + titled(b"x"), ADDED),
    "comments": inside(b"<!---->" * 100_000 + titled(b"x"), ADDED),
    # 21: what looks like an end
    "end-in-cdata": inside(titled(b"<![CDATA[</Product>]]>"), ADDED),
    "end-in-comment": inside(b"<!-- </Product> -->" + titled(b"x"), ADDED),
    "end-in-instruction": inside(b"<?x </Product> ?>" + titled(b"x"), ADDED),
    "end-escaped-in-attribute": inside(titled(b"x", b" language='&lt;/Product>'"), ADDED),
    "angles-in-attributes": inside(titled(b"x", b" language='>\"' textcase=\"/>'\""), ADDED),
    "end-in-attribute": inside(titled(b"x", b" language='</Product>'"), QUARANTINED, "Unescaped '<' not allowed"),
    "prefix-without-namespace": inside(
        titled(b"x").replace(b"TitleText", b"o:TitleText"), ADDED, "namespaces misdeclared"
    ),
    "short-tags": inside(
        b"<descriptivedetail><b012>EA</b012><titledetail><b202>01</b202><titleelement><x409>01</x409><b203>x</b203>"
        b"</titleelement></titledetail></descriptivedetail>",
        ADDED,
    ),
    # 22: contradictions
    "two-notification-types": inside(b"<NotificationType>05</NotificationType>" + titled(b"x"), ADDED),
    "unknown-notification-type": Attack(record(b"@", titled(b"x"), b"77"), QUARANTINED, "'77' is not in list 1"),
    "delete-of-nothing": Attack(record(b"@", b"", b"05"), IGNORED, "never received"),
    # 23: drift
    "unknown-element": inside(b"<Frobnicate>1</Frobnicate>" + titled(b"x"), ADDED),
    "unknown-code": inside(titled(b"x").replace(b">EA<", b">Q9<"), ADDED, "Q9"),
}


def spelled(name: str) -> bytes:
    return ATTACKS[name].body.replace(b">@<", b">" + name.encode() + b"<", 1)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Told, Mapping[str, str], Mapping[str, str]]:
    """All attacks in one message: what was told, the quarantine and the changes."""
    records = (part for name in ATTACKS for part in (spelled(name), good(f"behind-{name}")))
    told = resync(tmp_path_factory.mktemp("mixed"), feed=message(good("first"), *records))
    return told, told.quarantined(), told.changes()


@pytest.mark.parametrize("name", ATTACKS)
def test_a_bad_record_harms_nothing_but_itself(name, mixed):
    told, quarantined, changes = mixed
    attack = ATTACKS[name]
    became = QUARANTINED if name in quarantined else changes.get(name, IGNORED)
    assert (attack.outcome, ADDED) == (became, changes.get(f"behind-{name}"))
    said = " ".join([*told.warnings_of(name), quarantined.get(name, "")])
    assert attack.says in said if attack.says else said == ""


def test_the_account_of_all_of_them_adds_up(mixed):
    told, quarantined, _ = mixed
    outcomes = [attack.outcome for attack in ATTACKS.values()]
    assert 1 == told.code
    assert {attack for attack, row in ATTACKS.items() if row.outcome == QUARANTINED} == set(quarantined)
    assert (len(outcomes) * 2 + 1, outcomes.count(ADDED) + len(outcomes) + 1) == (
        told.report["records"],
        told.report["added"],
    )
    assert (outcomes.count(QUARANTINED), outcomes.count(IGNORED)) == (
        told.report["quarantined"],
        told.report["ignored"],
    )


@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
def test_a_malformed_record_anywhere_leaves_the_others(place, tmp_path):
    records = [good("a"), good("b")]
    records.insert(place, record("bad", b"<x>"))
    told = resync(tmp_path, feed=message(*records))
    assert (1, True, 2, 1) == (told.code, told.report["complete"], told.report["added"], told.report["quarantined"])
    assert any("bad: quarantined: not well-formed XML" in says for says in told.report["warnings"])


def test_of_two_notifications_for_one_record_the_last_holds(tmp_path):
    first = resync(tmp_path, feed=message(good("there"), good("gone")))
    sent = (("there", b"05"), ("gone", b"03"), ("there", b"03"), ("gone", b"05"))
    told = resync(tmp_path, feed=message(*(record(name, titled(b"good"), kind) for name, kind in sent)))
    assert (0, 0, 4) == (first.code, told.code, told.report["records"])
    assert {"there": "added", "gone": "removed"} == told.changes()
    assert all("stands more than once" in told.warnings_of(name)[0] for name in ("there", "gone"))


# --- messages as a whole ------------------------------------------------------------------------------------------------

ACCENTED = message(record("\u00e9-@".encode(), titled("caf\u00e9 \u20ac".encode()))).decode()
BARE = ACCENTED.removeprefix(DECLARATION.decode())

ENCODINGS = {
    "utf8-marked": codecs.BOM_UTF8 + ACCENTED.encode(),
    "utf16-marked": ACCENTED.replace("UTF-8", "UTF-16").encode("utf-16"),
    "utf16-big-endian": codecs.BOM_UTF16_BE + ACCENTED.replace("UTF-8", "UTF-16").encode("utf-16-be"),
    "utf16-unmarked": ACCENTED.replace("UTF-8", "UTF-16LE").encode("utf-16-le"),
    "utf16-called-utf8": ACCENTED.encode("utf-16"),
    "utf32": ACCENTED.replace("UTF-8", "UTF-32").encode("utf-32"),
    "windows1252": ACCENTED.replace("UTF-8", "windows-1252").encode("cp1252"),
    "windows1252-called-latin1": ACCENTED.replace("UTF-8", "ISO-8859-1").encode("cp1252"),
    "windows1252-called-utf8": ACCENTED.encode("cp1252"),
    "utf8-called-utf16": ACCENTED.replace("UTF-8", "UTF-16").encode(),
    "undeclared": BARE.encode(),
}
MISLABELLED = {"windows1252-called-latin1", "windows1252-called-utf8", "utf8-called-utf16"}
"""What is told, since the sender should know; a mark or the look of wide characters leaves no doubt."""


def titles_in(content: bytes) -> dict[str, str | None]:
    """The title of each record, read in this process."""
    framer = Framer(seed=1, index=FrameIndex())
    frames = [*framer.feed(content).frames, *framer.close().frames]
    assert framer.context is not None
    products = [parse(frame.body, framer.context).product for frame in frames]
    return {product.reference: product.title for product in products}


def test_every_encoding_is_read(tmp_path):
    told = resync(tmp_path, **ENCODINGS)
    assert (len(ENCODINGS), 0) == (told.report["records"], told.report["quarantined"])
    assert {"\u00e9-@": "added"} == told.changes()
    assert {name for name in ENCODINGS if told.warnings_of(name)} == MISLABELLED


@pytest.mark.parametrize("name", ENCODINGS)
def test_every_encoding_gives_the_same_text(name):
    assert {"\u00e9-@": "caf\u00e9 \u20ac"} == titles_in(ENCODINGS[name])


@pytest.mark.parametrize(
    ("content", "code", "says"),
    [
        (message(good("a")).replace(b"UTF-8", b"klingon"), 4, "declares the encoding 'klingon', which is not known"),
        (codecs.BOM_UTF16_LE + b"<" + BARE.encode("utf-16-le"), 4, "no XML"),
        (b"\0" * 1000, 4, "no XML"),
        (b"<!DOCTYPE ONIXMessage [<!ENTITY a 'b'", 4, "ends inside the DOCTYPE"),
        (message(good("a")) + b"\0", 1, "goes on behind its end"),
        (message(good("a"), b"\0"), 1, "text that belongs to no record"),
        (BARE.encode("utf-16")[:-11], 1, "ends"),
    ],
    ids=[
        "unknown",
        "shifted-by-a-byte",
        "nothing-but-nul",
        "doctype-without-end",
        "nul-behind",
        "nul-between",
        "cut-utf-16",
    ],
)
def test_what_is_wrong_with_a_message_is_said(content, code, says, tmp_path):
    told = resync(tmp_path, feed=content)
    assert (code, False, 0) == (told.code, told.report["complete"], told.report["quarantined"])
    assert any("feed.xml" in line and says in line for line in told.report["warnings"]), told.report["warnings"]
    assert (1 if code == 1 else 0) == told.report["added"]


# --- what XML would fetch or swell --------------------------------------------------------------------------------------

CANARY = "canary-3c9e"


@pytest.fixture
def listener() -> Iterator[tuple[str, list[str]]]:
    """A server's address, and the paths it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def swelling(levels: int = 9) -> bytes:
    """Ten to the power of the levels."""
    entities = (f"<!ENTITY l{level} '{f'&l{level - 1};' * 10}'>" for level in range(1, levels + 1))
    return f"<!DOCTYPE x [<!ENTITY l0 'lol'>{''.join(entities)}]>".encode()


def traps(server: str, secret: str) -> dict[str, tuple[bytes, bytes, str | None]]:
    """Messages by what stands before their root and in their record, and the title that is read."""
    include = f"<xi:include xmlns:xi='http://www.w3.org/2001/XInclude' parse='text' href='{secret}'/>".encode()
    return {
        "billion-laughs": (swelling(), titled(b"&l9;"), "&l9;"),
        "quadratic": (b"<!DOCTYPE x [<!ENTITY a '" + b"a" * 50_000 + b"'>]>", titled(b"&a;" * 20_000), "&a;" * 20_000),
        "itself": (b"<!DOCTYPE x [<!ENTITY a '&b;'><!ENTITY b '&a;'>]>", titled(b"&a;"), "&a;"),
        "redefined": (b"<!DOCTYPE x [<!ENTITY eacute 'boo'>]>", titled(b"&eacute;&amp;"), "\u00e9&"),
        "file": (f"<!DOCTYPE x [<!ENTITY a SYSTEM '{secret}'>]>".encode(), titled(b"&a;"), "&a;"),
        "http": (f"<!DOCTYPE x [<!ENTITY a SYSTEM '{server}/entity'>]>".encode(), titled(b"&a;"), "&a;"),
        "parameter": (f"<!DOCTYPE x [<!ENTITY % p SYSTEM '{server}/p'> %p; %q;]>".encode(), titled(b"&a;"), "&a;"),
        "external": (f"<!DOCTYPE ONIXMessage SYSTEM '{server}/onix.dtd'>".encode(), titled(b"x"), "x"),
        "public": (f"<!DOCTYPE ONIXMessage PUBLIC '-//x' '{server}/onix.dtd'>".encode(), titled(b"x"), "x"),
        "stylesheet": (f"<?xml-stylesheet href='{server}/style'?>".encode(), titled(b"x"), "x"),
        "included": (b"", include + titled(b"x"), "x"),
        "included-title": (b"", titled(include), None),
        "schema": (b"", titled(b"x", f" xsi:schemaLocation='a {server}/schema'".encode()), "x"),
    }


def test_nothing_is_fetched_and_nothing_swells(listener, tmp_path):
    """Neither a request nor a file's content: a DOCTYPE is passed over, and its entities stay as they are written."""
    server, asked = listener
    (tmp_path / "secret").write_text(CANARY)
    set_up = traps(server, (tmp_path / "secret").as_uri())
    feeds = tmp_path / "feeds"
    feeds.mkdir()
    messages = {name: message(record(name, part), before_root=before) for name, (before, part, _) in set_up.items()}
    told = resync(feeds, **messages)
    assert (0, len(set_up)) == (told.code, told.report["added"])
    assert {name: title for name, (_, _, title) in set_up.items()} == {
        name: title for content in messages.values() for name, title in titles_in(content).items()
    }
    assert [] == asked
    said = told.out + told.err + run(feeds, "changes").out
    assert CANARY not in said
    assert [] == [
        path for path in (feeds / "var").rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()
    ]
    assert told.peak_bytes < 150 * MEGABYTE


# --- size ---------------------------------------------------------------------------------------------------------------

BASE_BYTES = 100 * MEGABYTE
"""What the engine needs for itself."""


def attributes(count: int) -> bytes:
    return b"".join(b" a%d=''" % number for number in range(count))


def namespaces(count: int) -> bytes:
    return b"".join(b" xmlns:n%d='urn:%d'" % (number, number) for number in range(count))


def test_heavy_records_are_refused_in_memory_proportional_to_them(tmp_path):
    """Each is held some four times: as it came, as a frame, and in its repair, which is tried before it is refused."""
    length = (100 if FULL else 15) * MEGABYTE
    heavy = {
        "attributes": b"<T" + attributes(1_000_000) + b"/>",
        "text": titled(b"a" * (20 if FULL else 11) * MEGABYTE),
        "attribute": b"<T a='" + b"a" * length + b"'/>",
        "comment": b"<!--" + b"a" * length + b"-->",
    }
    records = [part for name, content in heavy.items() for part in (record(name, content), good(f"behind-{name}"))]
    told = resync(tmp_path, feed=[DECLARATION, ROOT, HEADER, *records, END])
    assert (1, True, len(heavy)) == (told.code, told.report["complete"], told.report["added"])
    assert set(heavy) == set(told.quarantined())
    assert all("not well-formed XML" in reason for reason in told.quarantined().values())
    assert told.peak_bytes < BASE_BYTES + 7 * sum(map(len, records))


def test_many_heavy_records_need_no_more_than_one(tmp_path):
    heavy = titled(b"a" * 15 * MEGABYTE)
    records = (record(f"heavy-{number}", heavy) for number in range(5))
    told = resync(tmp_path, feed=[DECLARATION, ROOT, HEADER, *records, END])
    assert 5 == told.report["quarantined"]
    assert told.peak_bytes < BASE_BYTES + 6 * len(heavy)


def test_attributes_beyond_number_are_refused_before_they_are_read():
    """The parser takes them all; reading their values takes as many steps as there are, squared."""
    with pytest.raises(RecordInvalid, match="500000 attributes on one element"):
        parse(record("r", b"<T" + attributes(500_000) + b"/>"), context())


def test_what_is_heavy_outside_of_records_is_passed_over(tmp_path):
    """Comments and instructions between records are never held, and records are not parsed with all that a root declares."""
    length = (100 if FULL else 20) * MEGABYTE
    between = (
        b"<!--",
        *(b"a" * MEGABYTE for _ in range(length // MEGABYTE)),
        b"-->",
        b"<?x?>" * 200_000,
        b" " * length,
    )
    root = ROOT.replace(b" release", attributes(20_000) + namespaces(50_000) + b" release")
    records = [good(f"r{number}") for number in range(200)]
    told = resync(tmp_path, feed=[DECLARATION, *between, root, HEADER, *records, *between, good("last"), *between, END])
    assert (0, True, 201, []) == (told.code, told.report["complete"], told.report["added"], told.report["warnings"])
    assert told.peak_bytes < BASE_BYTES + length


def test_a_record_of_very_many_texts_is_read_in_memory_proportional_to_it(tmp_path):
    """200 MB where there is time for it: no single text is too long for the parser, so the record is as good as any."""
    texts = 220 if FULL else 25
    text = b"<TextContent><TextType>03</TextType><Text>" + b"lorem ipsum " * 80_000 + b"</Text></TextContent>"
    parts = [record("big", b"<CollateralDetail>@</CollateralDetail>").partition(b"@")]
    begun, _, ended = parts[0]
    told = resync(tmp_path, feed=[DECLARATION, ROOT, HEADER, good("a"), begun, *[text] * texts, ended, good("b"), END])
    assert (0, 3) == (told.code, told.report["added"])
    assert told.peak_bytes < BASE_BYTES + 6 * texts * len(text)


# --- drift --------------------------------------------------------------------------------------------------------------


def isbn(number: int) -> str:
    """A valid one."""
    digits = f"978276441{number:03}"
    return digits + str(ean.calc_check_digit(digits))


PRICE = b"<PriceType>02</PriceType><PriceAmount>9.99</PriceAmount><CurrencyCode>CAD</CurrencyCode>"


def sellable(number: int, prices: Collection[bytes], supply: bytes = b"") -> bytes:
    """A record on sale everywhere, at these prices."""
    identifier = (
        f"<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{isbn(number)}</IDValue></ProductIdentifier>"
    )
    form = b"<ProductComposition>00</ProductComposition><ProductForm>ED</ProductForm><ProductFormDetail>E101</ProductFormDetail>"
    territory = b"<Territory><RegionsIncluded>WORLD</RegionsIncluded></Territory>"
    rights = b"<SalesRights><SalesRightsType>01</SalesRightsType>" + territory + b"</SalesRights>"
    date = b"<PublishingDate><PublishingDateRole>01</PublishingDateRole><Date>20200101</Date></PublishingDate>"
    return b"".join(
        [
            identifier.encode(),
            b"<DescriptiveDetail>" + form + b"</DescriptiveDetail>",
            b"<PublishingDetail><PublishingStatus>04</PublishingStatus>" + date + rights + b"</PublishingDetail>",
            b"<ProductSupply>" + supply + b"<Market>" + territory + b"</Market><SupplyDetail>",
            b"<Supplier><SupplierRole>01</SupplierRole><SupplierName>S</SupplierName></Supplier>",
            b"<ProductAvailability>20</ProductAvailability>",
            *(b"<Price>" + price + b"</Price>" for price in prices),
            b"</SupplyDetail></ProductSupply>",
        ]
    )


@dataclass(frozen=True)
class Drift:
    """A record that says something odd, what is told of it when it comes, and how it is offered."""

    body: bytes
    says: str
    state: str
    amount: str | None = None
    rule: str = ""


DRIFTS = {
    "plain": Drift(sellable(0, [PRICE]), "", "FOR_SALE", "9.99"),
    "release-3.1": Drift(
        sellable(1, [PRICE], b"<MarketReference>m</MarketReference>"), "release 3.1", "FOR_SALE", "9.99"
    ),
    "no-currency": Drift(sellable(2, [PRICE.partition(b"<Curr")[0]]), "a price without currency", "UNPRICED"),
    "negative": Drift(sellable(3, [PRICE.replace(b"9.99", b"-9.99")]), "is negative and was left out", "UNPRICED"),
    "absurd": Drift(
        sellable(4, [PRICE.replace(b"9.99", b"1000000000000")]), "can hardly be meant", "FOR_SALE", "1000000000000"
    ),
    "no-number": Drift(sellable(5, [PRICE.replace(b"9.99", b"NaN")]), "is no amount and was left out", "UNPRICED"),
    "two-prices": Drift(
        sellable(6, [PRICE, PRICE.replace(b"9.99", b"8.99")]),
        "",
        "UNPRICED",
        rule="nothing tells them apart: 8.99, 9.99",
    ),
    "unknown-availability": Drift(
        sellable(7, [PRICE]).replace(b"Availability>20<", b"Availability>9X<"), "9X", "UNKNOWN"
    ),
    "unknown-status": Drift(sellable(8, [PRICE]).replace(b"Status>04<", b"Status>7X<"), "7X", "UNKNOWN"),
}


@pytest.fixture(scope="module")
def drifted(tmp_path_factory: pytest.TempPathFactory) -> Told:
    records = (record(name, drift.body) for name, drift in DRIFTS.items())
    return resync(tmp_path_factory.mktemp("drifted"), feed=message(*records))


@pytest.mark.parametrize("name", DRIFTS)
def test_what_drifts_is_told_and_sold_only_where_it_is_clear(name, drifted):
    drift = DRIFTS[name]
    said = " ".join(drifted.warnings_of(name))
    assert drift.says in said if drift.says else said == ""
    number = list(DRIFTS).index(name)
    [offer] = json.loads(run(drifted.folder, "offer", isbn(number), "--market", "CA/CAD", "--json").out)["offers"]
    assert (drift.state, drift.amount) == (offer["state"], (offer["price"] or {}).get("amount"))
    assert drift.rule in offer["rules"][-1]["says"]
