"""What the digests and the parsing promise for every record."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.files import OnixRules
from syncengine.catalogue.compare import compare
from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.errors import RecordInvalid
from syncengine.onix.difference import Difference, Written
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import parse
from tests.property.trees import (
    CLOSING_SHORT,
    OPENING_SHORT,
    WHOLE_RECORDS,
    Tree,
    digests,
    records,
    respell,
    write,
)
from tests.records import REFERENCE_30, context, digests_in

ODD_TEXTS = (
    *(
        "",
        " ",
        "\u200b01\u00a0",
        "9" * 5000,
        "0" * 40,
        "-1",
        "+1.5",
        "1.",
        ".",
        "1e9",
        "NaN",
        "Infinity",
        "0x10",
        "1,5",
    ),
    *("\u0663\u0664", "\u00b2", "\uff11", "20261345", "20260230", "00000101", "99991231", "2026-1-1", "20260101T2561"),
    *("20260101T120000+9999", "2026W99", "20261231T240000Z", "9999", "0000", "WORLD", "WORLD CA", "ca", "CA-QC " * 50),
    *("&#65;", "&nope;", "<b>x</b>", "]]>", "\u202e", "\U0001f4d6" * 20, "97827644100040", "978276441000X", "04", "99"),
)
"""What senders write, or might, where a number, a date or a code belongs."""

MARKETS = (Market(country="CA", currency="CAD"), Market(country="DE", currency="EUR"))
RULES = OnixRules(markets=MARKETS, zone=ZoneInfo("Europe/Paris"))
KEY = TitleKey(source=SourceName("file"), isbn=Isbn("9782764410004"), format=Format("epub"))
INSTANTS = (datetime(1, 1, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


@given(tree=records(), data=st.data())
def test_digests_do_not_see_how_a_record_is_spelled(tree: Tree, data: st.DataObject):
    other = write(tree)
    respell(data, other)
    assert digests(tree) == digests_of(OPENING_SHORT, etree.tostring(other), CLOSING_SHORT)


@given(one=records(), other=records())
def test_equal_digests_mean_equal_content(one: Tree, other: Tree):
    """Trees are compared as multisets, which is what the digests promise."""

    def settled(tree: Tree) -> tuple[str, object]:
        name, inside = tree
        if isinstance(inside, str):
            return name, " ".join(inside.split())
        return name, tuple(sorted(map(settled, inside), key=repr))

    assert (settled(one) == settled(other)) is (digests(one) == digests(other))


@given(
    bytes_in=st.binary(max_size=40),
    at=st.integers(0, 400),
    taken=st.integers(0, 40),
    label=st.sampled_from([b"UTF-8", b"ISO-8859-1", b"windows-1252", b"us-ascii"]),
)
def test_damaged_bytes_are_read_or_refused(bytes_in: bytes, at: int, taken: int, label: bytes):
    body = (
        b"<Product><RecordReference>r1</RecordReference><NotificationType>03</NotificationType><DescriptiveDetail>"
        b"<TitleDetail><TitleElement><TitleText>Caf&eacute; &amp; <![CDATA[x]]></TitleText></TitleElement></TitleDetail>"
        b"</DescriptiveDetail><ProductSupply><SupplyDetail><Price><PriceAmount>1.00</PriceAmount><Territory>"
        b"<CountriesIncluded>CA US</CountriesIncluded></Territory></Price></SupplyDetail></ProductSupply></Product>"
    )
    damaged = body[:at] + bytes_in + body[at + taken :]
    with suppress(RecordInvalid):
        assert parse(damaged, context(REFERENCE_30.replace(b"UTF-8", label))).product.reference


@given(tree=WHOLE_RECORDS, data=st.data())
def test_any_text_anywhere_is_read_or_refused_and_can_be_compared_and_offered(tree: Tree, data: st.DataObject):
    plain, odd = write(tree), write(tree)
    leaves = [node for node in odd.iterdescendants("*") if not len(node) and node.tag != "RecordReference"]
    for node in data.draw(st.lists(st.sampled_from(leaves), min_size=1, max_size=6)):
        node.text = data.draw(st.sampled_from(ODD_TEXTS))
    known = parse(etree.tostring(plain), context())
    with suppress(RecordInvalid):
        found = parse(etree.tostring(odd), context())
        old, new = (Written(etree.tostring(node), context()) for node in (plain, odd))
        before, after = (digests_in(one.context, one.body) for one in (old, new))
        assert compare(known.product, found.product, Difference(old, new)).fields or before == after
        for market in MARKETS:
            for at in INSTANTS:
                assert RULES.offer(Title(key=KEY, records=(found.product,)), market, at).at == at
