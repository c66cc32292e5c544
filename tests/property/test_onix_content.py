"""What the digests and the parsing promise for every record."""

from __future__ import annotations

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syncengine.errors import RecordInvalid
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import parse
from tests.property.trees import CLOSING_SHORT, OPENING_SHORT, Tree, digests, records, respell, write
from tests.records import REFERENCE_30, context


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
