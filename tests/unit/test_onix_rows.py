"""Rows: cut out of their messages like records of ONIX, known again by their bytes, and read as leaves with paths."""

from __future__ import annotations

from dataclasses import replace

import pytest

from syncengine.catalogue.compare import compare
from syncengine.domain.change import FieldChange
from syncengine.domain.frame import Context, Frame, FrameIndex, KnownFrame
from syncengine.domain.ids import Isbn, RecordReference
from syncengine.domain.passes import RecordOutcome, WarningKind
from syncengine.domain.product import Product
from syncengine.domain.rows import Rows
from syncengine.domain.tags import Block
from syncengine.errors import NotOnix, RecordInvalid
from syncengine.onix.difference import Difference, Written
from syncengine.onix.framing import Framer
from syncengine.onix.parsing import ParsedRecord, parse
from syncengine.onix.parsing import Reading as Reads
from syncengine.service.parsing import Base, Compared, Task
from syncengine.service.parsing import read as read_task
from tests.rows import AGREEMENT_ROWS, STOCK_ROWS, agreement, agreements, entry, stock

CHUNK_SIZES = (1, 7, 64, 1 << 20)
ISBNS = [f"978000000000{digit}" for digit in range(6)]
HEAD = '<feed xmlns="http://www.w3.org/2005/Atom">'


class Reading:
    """What framing gave, in order."""

    def __init__(self, content: bytes, rows: Rows, index: FrameIndex | None = None, chunk_size: int = 1 << 20) -> None:
        self.framer = Framer(seed=7, index=index or FrameIndex(), rows=rows)
        self.frames: list[Frame] = []
        self.unchanged: list[int] = []
        pieces = [content[start : start + chunk_size] for start in range(0, len(content), chunk_size)]
        for batch in (*map(self.framer.feed, pieces), self.framer.close()):
            self.frames += batch.frames
            self.unchanged += [at for run in batch.unchanged for at in run]

    @property
    def references(self) -> list[str | None]:
        return [frame.reference for frame in self.frames]

    @property
    def context(self) -> Context:
        assert self.framer.context is not None
        return self.framer.context

    @property
    def told(self) -> list[str]:
        return [noted.says for noted in (*self.framer.warnings, *self.framer.defects)]

    def index(self) -> FrameIndex:
        return FrameIndex.of(
            {
                frame.reference: KnownFrame(len(frame.body), frame.fingerprint, frame.body.count(b"\n"))
                for frame in self.frames
                if frame.reference
            }
        )

    def parsed(self, number: int = 0) -> ParsedRecord:
        return parse(self.frames[number].body, self.context)


@pytest.fixture(params=CHUNK_SIZES)
def chunk_size(request) -> int:
    return int(request.param)


def reading_of(body: str, rows: Rows = STOCK_ROWS, head: str = HEAD) -> Reading:
    return Reading(f"{head}{body}</feed>".encode(), rows)


class TestFraming:
    def test_entries_of_a_feed(self, chunk_size):
        found = Reading(stock(*map(entry, ISBNS)), STOCK_ROWS, chunk_size=chunk_size)
        assert [f"stock:{isbn}" for isbn in ISBNS] == found.references
        assert [entry(isbn).strip().encode() for isbn in ISBNS] == [frame.body for frame in found.frames]
        assert (True, []) == (found.framer.complete, found.told)

    def test_products_of_an_agreement(self, chunk_size):
        found = Reading(agreements(*map(agreement, ISBNS)), AGREEMENT_ROWS, chunk_size=chunk_size)
        assert [f"agreement:{isbn}" for isbn in ISBNS] == found.references
        assert (True, []) == (found.framer.complete, found.told)
        assert "2026-11-01T06:00:00" == found.context.header.sent_at_text

    def test_an_element_of_the_feed_itself_may_tell_when_it_was_sent(self, chunk_size):
        rows = replace(STOCK_ROWS, header="updated", sent_at="updated")
        found = Reading(stock(entry(ISBNS[0]), day=3), rows, chunk_size=chunk_size)
        assert "2026-11-03T00:00:00Z" == found.context.header.sent_at_text
        assert [f"stock:{ISBNS[0]}"] == found.references

    def test_those_that_are_known_come_out_as_known(self, chunk_size):
        """In another page of the feed, under another cursor, in another order, with one that has changed."""
        known = Reading(stock(*map(entry, ISBNS)), STOCK_ROWS).index()
        order = [0, 1, 4, 3, 2, 5]
        rows = [entry(ISBNS[at], published="false" if at == 3 else "true") for at in order]
        again = Reading(stock(*rows, cursor="b", day=2), STOCK_ROWS, known, chunk_size)
        assert [f"stock:{ISBNS[3]}"] == again.references
        assert [0, 1, 4, 2, 5] == again.unchanged
        known = Reading(agreements(*map(agreement, ISBNS)), AGREEMENT_ROWS).index()
        rows = [agreement(ISBNS[at], "8.99" if at == 3 else "9.99") for at in order]
        again = Reading(agreements(*rows, sent_at="2026-11-02T06:00:00"), AGREEMENT_ROWS, known, chunk_size)
        assert [f"agreement:{ISBNS[3]}"] == again.references
        assert [0, 1, 4, 2, 5] == again.unchanged

    def test_a_row_that_was_read_otherwise_is_read_anew(self):
        """Under a declaration that gives its bytes another meaning, and as a row of another stream."""
        content = stock(*map(entry, ISBNS))
        known = Reading(content, STOCK_ROWS).index()
        assert not Reading(content.replace(b"UTF-8", b"ISO-8859-1"), STOCK_ROWS, known).unchanged
        other = Rows(root="feed", record="entry", reference="isbn", prefix="other:")
        assert not Reading(content, other, known).unchanged

    @pytest.mark.parametrize(
        ("content", "rows"),
        [
            (stock(), STOCK_ROWS),
            (b"<feed/>", STOCK_ROWS),
            (agreements(), AGREEMENT_ROWS),
            (agreements().replace(b"<Products/>", b"<Products> </Products>"), AGREEMENT_ROWS),
        ],
    )
    def test_a_message_without_rows_says_that_there_is_nothing_new(self, content, rows, chunk_size):
        found = Reading(content, rows, chunk_size=chunk_size)
        assert ([], True, []) == (found.frames, found.framer.complete, found.told)

    def test_any_prefix_and_any_namespace(self):
        head = '<a:feed xmlns:a="http://www.w3.org/2005/Atom" xmlns:s="urn:other">'
        found = Reading(f"{head}<a:entry><s:isbn>978</s:isbn><a:x>1</a:x></a:entry></a:feed>".encode(), STOCK_ROWS)
        assert ["stock:978"] == found.references
        assert (("isbn", "978"), ("x", "1")) == found.parsed().product.row

    def test_a_namespace_that_the_container_declares(self):
        body = "<p:Products xmlns:p='urn:p'><p:Product><p:Ean>978</p:Ean></p:Product></p:Products>"
        found = Reading(f"<Message>{body}</Message>".encode(), AGREEMENT_ROWS)
        assert ["agreement:978"] == found.references
        assert () == found.parsed().warnings
        assert found.framer.complete

    @pytest.mark.parametrize(
        ("row", "reference"),
        [
            ("<entry><author><name>x</name></author><isbn>978</isbn></entry>", "stock:978"),
            ("<entry><!-- <isbn>1</isbn> --><isbn>978</isbn></entry>", "stock:978"),
            ("<entry><title/><isbn> 978\n</isbn></entry>", "stock:978"),
            ("<entry><isbn><![CDATA[978]]></isbn></entry>", "stock:978"),
            ("<entry><isbn>97&#56;</isbn></entry>", "stock:978"),
            ("<entry><isbns>1</isbns><isbn>978</isbn></entry>", "stock:978"),
            ('<entry n="1"><x a="&lt;isbn>"/><isbn b="2">978</isbn></entry>', "stock:978"),
            ("<entry><isbn/></entry>", None),
            ("<entry><isbn> </isbn></entry>", None),
            ("<entry/>", None),
        ],
    )
    def test_the_reference_wherever_it_stands(self, row, reference, chunk_size):
        content = f"{HEAD}{row}</feed>".encode()
        found = Reading(content, STOCK_ROWS, chunk_size=chunk_size)
        assert [reference] == found.references
        assert [row.encode()] == [frame.body for frame in found.frames]
        if reference is not None:
            assert reference == found.parsed().product.reference

    def test_a_reference_twice_counts_as_it_stands_last(self, chunk_size):
        rows = [entry(ISBNS[0], version=1), entry(ISBNS[1]), entry(ISBNS[0], version=2)]
        found = Reading(stock(*rows), STOCK_ROWS, chunk_size=chunk_size)
        assert [False, False, True] == [frame.repeated for frame in found.frames]
        assert rows[2].strip().encode() == found.frames[-1].body

    def test_a_row_without_its_end_is_cut_where_the_next_thing_begins(self, chunk_size):
        first, last = agreement(ISBNS[0]), agreement(ISBNS[1]).replace("</Product>", "")
        content = agreements(first.replace("</Product>", ""), last)
        found = Reading(content, AGREEMENT_ROWS, chunk_size=chunk_size)
        assert [f"agreement:{isbn}" for isbn in ISBNS[:2]] == found.references
        assert [last.strip().encode()] == [frame.body for frame in found.frames[1:]]
        assert [WarningKind.CUT_RECORD] * 2 == [noted.kind for noted in found.framer.defects]

    @pytest.mark.parametrize(
        ("cut", "says"),
        [(b"</Products></Message>", "without </Message>"), (b"</Message>", "without </Message>")],
    )
    def test_a_message_that_ends_too_soon(self, cut, says, chunk_size):
        content = agreements(agreement(ISBNS[0]))
        found = Reading(content.removesuffix(cut), AGREEMENT_ROWS, chunk_size=chunk_size)
        assert not found.framer.complete
        assert [True] == [says in defect.says for defect in found.framer.defects]

    def test_a_container_without_its_end(self):
        found = Reading(agreements(agreement(ISBNS[0])).replace(b"</Products>", b""), AGREEMENT_ROWS)
        assert [f"agreement:{ISBNS[0]}"] == found.references
        assert ["<Products> has no end tag"] == [defect.says.partition(": ")[2] for defect in found.framer.defects]

    @pytest.mark.parametrize(
        ("content", "says"),
        [
            (b"<ONIXMessage release='3.0'/>", "the root element is <ONIXMessage>, not <feed>"),
            (b"<entry><isbn>978</isbn></entry>", "the root element is <entry>, not <feed>"),
            (b"<html><title>Log in</title></html>", "login page"),
            (b"<errors><error><code>1</code></error></errors>", "<errors>"),
            (b'{"data":"NO"}', "JSON"),
            (b"", "empty"),
        ],
    )
    def test_what_is_no_such_message(self, content, says):
        with pytest.raises(NotOnix, match=says):
            Reading(content, STOCK_ROWS)

    def test_rows_are_no_onix(self):
        framer = Framer(seed=7, index=FrameIndex())
        with pytest.raises(NotOnix):
            framer.feed(stock(entry(ISBNS[0])))


class TestReading:
    def test_an_entry(self):
        record = Reading(stock(entry(ISBNS[0], deleted="")), STOCK_ROWS).parsed()
        assert () == record.warnings
        assert RecordReference(f"stock:{ISBNS[0]}") == record.product.reference
        assert ("03", Isbn(ISBNS[0])) == (record.product.notification_type, record.product.isbn)
        assert (
            ("id", "urn:uuid:0000-1"),
            ("updated", "2026-11-01T00:00:00Z"),
            ("isbn", ISBNS[0]),
            ("format", "EPUB"),
            ("drm", "SDRM"),
            ("version", "1"),
            ("deleted", ""),
            ("published", "true"),
            ("access", "true"),
        ) == record.product.row

    def test_an_agreement_with_the_paths_of_its_elements(self):
        product = Reading(agreements(agreement(ISBNS[0])), AGREEMENT_ROWS).parsed().product
        assert (
            ("Ean", ISBNS[0]),
            ("RetailPrice/Amount", "9.99"),
            ("RetailPrice/Currency", "EUR"),
            ("DiscountPercentage", "30.00"),
            ("AllowedToOrder", "Y"),
        ) == product.row

    def test_several_references_in_one_row(self):
        record = reading_of("<entry><isbn>1</isbn><isbn>2</isbn></entry>").parsed()
        assert "stock:1" == record.product.reference
        assert [WarningKind.INVALID_IDENTIFIER] == [noted.kind for noted in record.warnings]
        assert "2 left out" in record.warnings[0].says

    def test_what_is_wrong_with_its_bytes_is_put_right_and_told(self):
        record = reading_of("<entry><isbn>978</isbn><x>a & b\x01 &eacute;</x></entry>").parsed()
        assert (("isbn", "978"), ("x", "a & b é")) == record.product.row
        assert {WarningKind.ENTITIES, WarningKind.CONTROL_CHARACTERS} == {noted.kind for noted in record.warnings}

    @pytest.mark.parametrize(
        ("row", "says"),
        [
            ("<entry><isbn>978</isbn><x><y></x></entry>", "not well-formed"),
            ("<entry><z><isbn>978</isbn></z></entry>", "the row has no isbn"),
            ("<entry><z><isbn>978</isbn></z><isbn>979</isbn></entry>", "its first isbn stands in z"),
            (f"<entry><isbn>978</isbn>{'<x>' * 120}{'</x>' * 120}</entry>", "nested more than"),
            (f"<entry><isbn>978</isbn>{'<x/>' * 1001}</entry>", "more than 1000 elements"),
        ],
    )
    def test_a_row_that_cannot_be_read(self, row, says):
        with pytest.raises(RecordInvalid, match=says):
            reading_of(row).parsed()


def compared(before: str, after: str) -> Compared:
    """As a worker process reads and compares it."""
    old, new = reading_of(before), reading_of(after)
    base = Base(product=old.parsed().product, body=old.frames[0].body, context=old.context)
    result = read_task(Task(body=new.frames[0].body, base=base), new.context, Reads())
    assert isinstance(result, Compared)
    return result


class TestComparing:
    def test_each_changed_leaf_is_a_field(self):
        before = "<entry><isbn>978</isbn><a><b>1</b></a><c>x</c><d>same</d></entry>"
        after = "<entry><isbn>978</isbn><a><b>2</b></a><d>same</d><e></e></entry>"
        comparison = compared(before, after).comparison
        assert comparison is not None
        assert RecordOutcome.CHANGED is comparison.outcome
        assert (
            FieldChange(field="row/a/b", old="1", new="2"),
            FieldChange(field="row/c", old="x", new=None),
            FieldChange(field="row/e", old=None, new=""),
        ) == comparison.fields

    @pytest.mark.parametrize(
        "after",
        [
            "<entry><isbn>978</isbn>\n  <a>1</a><a>2</a></entry>",
            "<entry><a>2</a><isbn>978</isbn><a>1</a></entry>",
            '<entry k="v"><isbn>978</isbn><a>1</a><!-- x --><a>2</a></entry>',
        ],
    )
    def test_the_same_content_in_other_bytes_is_no_change(self, after):
        comparison = compared("<entry><isbn>978</isbn><a>1</a><a>2</a></entry>", after).comparison
        assert comparison is not None
        assert (RecordOutcome.TOUCHED, ()) == (comparison.outcome, comparison.fields)

    def test_repeated_leaves_are_paired_as_they_stand(self):
        before = "<entry><isbn>978</isbn><a>1</a><a>2</a></entry>"
        comparison = compared(before, "<entry><isbn>978</isbn><a>1</a><a>3</a><a>4</a></entry>").comparison
        assert comparison is not None
        assert (
            FieldChange(field="row/a", old="2", new="3"),
            FieldChange(field="row/a", old=None, new="4"),
        ) == comparison.fields

    def test_onix_has_no_rows(self):
        product = Product(reference=RecordReference("r"), notification_type="03")
        assert RecordOutcome.TOUCHED is compare(product, product, lambda block: False).outcome

    def test_rows_have_no_blocks(self):
        found = reading_of("<entry><isbn>978</isbn></entry>")
        written = Written(found.frames[0].body, found.context)
        other = Written(b"<entry><isbn>978</isbn><ProductSupply><x/></ProductSupply></entry>", found.context)
        assert not any(Difference(written, other)(block) for block in Block)
