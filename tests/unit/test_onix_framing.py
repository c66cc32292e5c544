"""Framing: what is skipped, what is scanned, what is kept back, and what is told of a broken message."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from lxml import etree

from syncengine.domain.frame import Frame, FrameIndex, KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import WarningKind
from syncengine.errors import NotOnix
from syncengine.onix.fingerprint import fingerprint, seed_for
from syncengine.onix.framing import FramedBatch, Framer

SEED = 20_261_121
HEAD = (
    '<?xml version="1.0"?>\n<ONIXMessage release="3.0" xmlns="http://ns.editeur.org/onix/3.0/reference">\n<Header/>\n'
)
TAIL = "\n</ONIXMessage>\n"
SAMPLES = Path(os.environ.get("ONIX_SAMPLES", Path(__file__).parents[2] / "../shared/onix-samples"))
CHUNK_SIZES = [1, 2, 7, 64, 1 << 20]


@dataclass
class Reading:
    framer: Framer
    frames: list[Frame] = field(default_factory=list)
    unchanged: list[int] = field(default_factory=list)
    """Positions in the index."""

    def take(self, batch: FramedBatch) -> None:
        self.frames += batch.frames
        self.unchanged += [at for run in batch.unchanged for at in run]
        assert batch.unchanged_count == sum(map(len, batch.unchanged))

    @property
    def references(self) -> list[str | None]:
        return [frame.reference for frame in self.frames]

    @property
    def bodies(self) -> list[bytes]:
        return [frame.body for frame in self.frames]

    @property
    def defects(self) -> list[str]:
        return [noted.says for noted in self.framer.defects]

    @property
    def warnings(self) -> list[str]:
        return [noted.says for noted in self.framer.warnings]


def read(message: str | bytes, index: FrameIndex | None = None, chunk_size: int = 1 << 20) -> Reading:
    content = message.encode() if isinstance(message, str) else message
    reading = Reading(Framer(seed=SEED, index=index or FrameIndex()))
    for start in range(0, len(content), chunk_size):
        reading.take(reading.framer.feed(content[start : start + chunk_size]))
    reading.take(reading.framer.close())
    return reading


def index_of(frames: list[Frame]) -> FrameIndex:
    return FrameIndex.of({RecordReference(frame.reference or ""): known_of(frame) for frame in frames})


def known_of(frame: Frame) -> KnownFrame:
    lines = frame.body.count(b"\n")
    return KnownFrame(len(frame.body), frame.fingerprint, lines, repeated=frame.repeated)


def record(reference: str, content: str = "<NotificationType>03</NotificationType>") -> str:
    return f"<Product>\n<RecordReference>{reference}</RecordReference>{content}</Product>"


def message(*parts: str) -> str:
    return HEAD + "\n".join(parts) + TAIL


@pytest.fixture(params=CHUNK_SIZES)
def chunk_size(request) -> int:
    return int(request.param)


class TestUnchanged:
    def test_known_records_come_out_as_known(self, chunk_size):
        text = message(*(record(f"r{number}", "<b>x</b>" * number) for number in range(20)))
        index = index_of(read(text).frames)
        again = read(text, index, chunk_size)
        assert [] == again.frames
        assert list(range(len(index))) == again.unchanged
        assert (again.framer.records, again.framer.complete, again.defects) == (20, True, [])

    def test_one_changed_byte_gives_exactly_that_record(self, chunk_size):
        before = message(*(record(f"r{number}") for number in range(9)))
        index = index_of(read(before).frames)
        after = before.replace(record("r4"), record("r4", "<NotificationType>05</NotificationType>"))
        again = read(after, index, chunk_size)
        assert again.references == ["r4"]
        assert [number for number in range(9) if number != 4] == again.unchanged

    @pytest.mark.parametrize("content", ["", "<much>longer</much>" * 9])
    def test_a_record_that_shrank_or_grew_is_read_anew(self, content, chunk_size):
        before = message(record("a"), record("b", "<i>" + "x" * 500 + "</i>"), record("c"))
        index = index_of(read(before).frames)
        again = read(message(record("a"), record("b", content), record("c")), index, chunk_size)
        assert again.bodies == [record("b", content).encode()]
        assert (len(again.unchanged), again.framer.records, again.framer.complete) == (2, 3, True)

    def test_the_last_record_may_be_shorter_than_predicted(self, chunk_size):
        index = index_of(read(message(record("a", "x" * 5000))).frames)
        again = read(message(record("a", "x")), index, chunk_size)
        assert (again.references, again.unchanged, again.framer.complete) == (["a"], [], True)

    def test_another_context_distrusts_every_prediction(self):
        index = index_of(read(message(record("a"))).frames)
        other = message(record("a")).replace(
            "<Header/>", "<Header><DefaultCurrencyCode>CAD</DefaultCurrencyCode></Header>"
        )
        assert read(other, index).references == ["a"]

    def test_the_fingerprint_is_that_of_the_body_in_its_context(self):
        reading = read(message(record("a")))
        assert reading.framer.context is not None
        seed = seed_for(SEED, reading.framer.context)
        assert fingerprint(reading.frames[0].body, seed) == reading.frames[0].fingerprint

    @pytest.mark.parametrize(
        "body",
        [
            "<Product><!-- first --><RecordReference>k</RecordReference></Product>",
            "<Product><RecordReference><![CDATA[k]]></RecordReference></Product>",
            "<Product><Other/><RecordReference>k</RecordReference></Product>",
            "<Product><RecordReference>&#107;</RecordReference></Product>",
        ],
    )
    def test_a_record_that_cannot_be_predicted_is_still_known(self, body, chunk_size):
        index = index_of(read(message(body)).frames)
        again = read(message(body), index, chunk_size)
        assert ([], 1) == (again.frames, len(again.unchanged))

    def test_a_known_record_without_a_message_is_complete_in_itself(self, chunk_size):
        bare = record("a").replace("<Product>", '<Product xmlns="http://ns.editeur.org/onix/3.0/reference">', 1)
        index = index_of(read(bare).frames)
        again = read(bare, index, chunk_size)
        assert (again.frames, len(again.unchanged), again.framer.complete) == ([], 1, True)
        assert again.defects == []

    def test_a_short_chunk_never_hides_what_stands_between_known_records(self, chunk_size):
        index = index_of(read(message(record("a"), record("b"))).frames)
        again = read(message(record("a"), "stray", record("b")), index, chunk_size)
        assert (len(again.unchanged), len(again.defects)) == (2, 1)


class TestMisspelledRoot:
    TEXT = f'<ONIXMESAGE release="3.0"><Header/>{record("a")}{record("b")}</ONIXMESAGE>'

    def test_is_read_where_its_release_says_what_it_is(self, chunk_size):
        reading = read(self.TEXT, chunk_size=chunk_size)
        assert (reading.references, reading.framer.complete, reading.defects) == (["a", "b"], True, [])
        assert any("<ONIXMESAGE>" in says for says in reading.warnings)
        context = reading.framer.context
        assert context is not None
        for body in reading.bodies:
            assert etree.fromstring(context.opening + body + context.closing)[0].tag == "Product"

    @pytest.mark.parametrize("root", ["ONIXMESAGE", 'ONIXMESAGE release="1.2"', 'catalogue release="3.0"'])
    def test_is_refused_where_it_does_not(self, root):
        with pytest.raises(NotOnix):
            read(f"<{root}>{record('a')}</{root.split()[0]}>")


class TestScanned:
    @pytest.mark.parametrize(
        "content",
        [
            "<!-- </Product> -->",
            "<T><![CDATA[</Product>]]></T>",
            "<T><![CDATA[]]]]><![CDATA[></Product>]]></T>",
            "<?note </Product> ?>",
            "<!-- > ' \" <![CDATA[ -->",
            "<ProductIdentifier/><ProductSupply></ProductSupply>",
            "<x:Product xmlns:x='urn:x'>not a record</x:Product>",
            "<T a=\"</\" b='>'/>".replace("</", "&lt;/"),
        ],
    )
    def test_what_looks_like_an_end_is_none(self, content, chunk_size):
        reading = read(message(record("a", content), record("b")), chunk_size=chunk_size)
        assert reading.bodies == [record("a", content).encode(), record("b").encode()]
        assert (reading.framer.complete, reading.defects, reading.warnings) == (True, [], [])

    @pytest.mark.parametrize(
        ("body", "reference"),
        [
            ("<Product><RecordReference>a</RecordReference></Product \n>", "a"),
            ("<Product/>", None),
            ("<Product />", None),
            ("<Product></Product>", None),
            ("<Product><RecordReference/></Product>", None),
            ("<Product><RecordReference /><N>x</N></Product>", None),
            ("<Product><RecordReference> \n</RecordReference></Product>", None),
            (
                "<Product datestamp='>'>\n<RecordReference sourcename=\"a>b\"> a&amp;b\u200b </RecordReference></Product>",
                "a&b",
            ),
            ("<Product><RecordReference>\ufeffé</RecordReference></Product>", "é"),
            ("<Product><RecordReference>&eacute;&#x31;</RecordReference></Product>", "é1"),
            ("<Product><N/><RecordReference>late</RecordReference></Product>", "late"),
            (
                "<Product><!--<RecordReference>no</RecordReference>--><RecordReference>yes</RecordReference></Product>",
                "yes",
            ),
            ("<Product><RecordReference>a<!-- b -->c<![CDATA[&]]></RecordReference></Product>", "ac&"),
            ("<product><a001>s</a001></product>", "s"),
            ("<product><RecordReference>mixed</RecordReference></product>", "mixed"),
            ("<o:Product xmlns:o='urn:o'><o:RecordReference>p</o:RecordReference></o:Product>", "p"),
        ],
    )
    def test_record_and_reference(self, body, reference, chunk_size):
        reading = read(message(body, record("next")), chunk_size=chunk_size)
        assert [body.encode(), record("next").encode()] == reading.bodies
        assert [reference, "next"] == reading.references
        assert (reading.framer.records, reading.defects) == (2, [])

    def test_offsets_and_lines_are_exact(self, chunk_size):
        text = "\ufeff" + message(record("a"), "<!--\n\n-->", record("b"), "\n\n", record("c"))
        content = text.encode()
        reading = read(content, chunk_size=chunk_size)
        for frame in reading.frames:
            assert content[frame.offset : frame.offset + len(frame.body)] == frame.body
            assert frame.line == content[: frame.offset].count(b"\n") + 1

    def test_opening_body_and_closing_are_a_document_of_exactly_the_record(self):
        reading = read(message(record("a"), record("b", "<T>é</T>")))
        context = reading.framer.context
        assert context is not None
        for frame in reading.frames:
            tree = etree.fromstring(context.opening + frame.body + context.closing)
            assert [etree.QName(child).localname for child in tree] == ["Product"]
            assert frame.reference == tree[0][0].text

    def test_a_prefixed_message(self, chunk_size):
        text = (
            '<o:ONIXMessage xmlns:o="http://ns.editeur.org/onix/3.0/reference" release="3.0"><o:Header/>'
            "<o:Product><o:RecordReference>1</o:RecordReference><Product/></o:Product>"
            "<o:Product><o:RecordReference>2</o:RecordReference></o:Product ></o:ONIXMessage >"
        )
        reading = read(text, chunk_size=chunk_size)
        assert (reading.references, reading.framer.complete, reading.defects) == (["1", "2"], True, [])

    def test_a_latin1_reference_is_read_by_its_encoding(self):
        text = '<?xml version="1.0" encoding="ISO-8859-1"?>' + message(record("é")).partition("?>")[2]
        reading = read(text.encode("iso-8859-1"))
        assert reading.references == ["é"]
        assert len(read(text.encode("iso-8859-1"), index_of(reading.frames)).unchanged) == 1

    def test_a_broken_record_stays_its_own_problem(self, chunk_size):
        broken = "<Product><RecordReference>x</RecordReference><A b='></A> & <B></Product>"
        reading = read(message(record("a"), broken, record("b")), chunk_size=chunk_size)
        assert reading.bodies == [record("a").encode(), broken.encode(), record("b").encode()]
        assert (reading.framer.complete, reading.defects) == (True, [])

    def test_a_message_without_products(self, chunk_size):
        reading = read(message("<NoProduct/>"), chunk_size=chunk_size)
        assert (reading.framer.records, reading.framer.complete) == (0, True)
        assert (reading.defects, reading.warnings) == ([], [])
        assert reading.framer.context is not None

    @pytest.mark.parametrize("between", ["", "<!-- <NoProduct/> -->", "<Foo/>"])
    def test_a_message_with_neither_a_record_nor_the_word_that_there_is_none_is_told(self, between, chunk_size):
        reading = read(message(between), chunk_size=chunk_size)
        assert (reading.framer.records, reading.framer.complete, reading.defects) == (0, True, [])
        empty = [noted.says for noted in reading.framer.warnings if noted.kind is WarningKind.EMPTY]
        assert empty == ["line 6: the message holds neither a record nor NoProduct"]

    @pytest.mark.parametrize("text", [message(record("a")), message("<x507/>"), HEAD, HEAD + record("a")])
    def test_one_that_has_either_or_is_cut_off_is_not_called_empty(self, text, chunk_size):
        reading = read(text, chunk_size=chunk_size)
        assert [] == [noted for noted in reading.framer.warnings if noted.kind is WarningKind.EMPTY]

    def test_an_empty_root_is_told(self):
        assert read('<ONIXMessage release="3.0"/>').warnings == [
            "line 1: the message holds neither a record nor NoProduct"
        ]

    def test_many_small_constructs_and_long_blanks_are_followed(self, chunk_size):
        content = "<!-- c --><?p?><![CDATA[x]]>" * 200 + " " * 3000
        reading = read(message(record("a", content), " " * 2000, record("b")), chunk_size=chunk_size)
        assert (reading.references, reading.defects) == (["a", "b"], [])

    def test_what_is_kept_is_bounded_by_a_record_and_a_chunk(self):
        framer = Framer(seed=SEED, index=FrameIndex())
        framer.feed(HEAD.encode())
        longest = 0
        for number in range(300):
            framer.feed((record(f"r{number}", "x" * 1000) + "<!--" + "y" * 3000 + "-->" + " " * 3000).encode())
            longest = max(longest, len(framer._window.buffer))
        assert longest < 9000


class TestRepeated:
    def test_later_frames_of_a_reference_come_last_and_only_the_last_of_them(self, chunk_size):
        first, second, third = (record("a", f"<N>{number}</N>") for number in range(3))
        reading = read(message(first, record("b"), second, third, record("c")), chunk_size=chunk_size)
        assert [first, record("b"), record("c"), third] == [body.decode() for body in reading.bodies]
        assert [frame.repeated for frame in reading.frames] == [False, False, False, True]
        assert (reading.framer.records, reading.framer.duplicates) == (5, 1)

    def test_two_spellings_are_one_reference(self, chunk_size):
        spellings = ["a&amp;b", "a&#38;b", "<![CDATA[a&b]]>", "\u200ba&amp;b"]
        reading = read(message(*map(record, spellings)), chunk_size=chunk_size)
        assert (reading.references, reading.framer.duplicates) == (["a&b", "a&b"], 2)

    def test_a_repeat_of_an_unchanged_record_is_kept_back(self, chunk_size):
        index = index_of(read(message(record("a"), record("b"))).frames)
        reading = read(message(record("a"), record("b"), record("a")), index, chunk_size)
        assert (len(reading.unchanged), reading.references, reading.frames[0].repeated) == (2, ["a"], True)

    def test_a_reference_known_as_repeated_is_never_predicted(self, chunk_size):
        text = message(record("a"), record("b"), record("a"))
        index = index_of(read(text).frames)
        reading = read(text, index, chunk_size)
        assert (len(reading.unchanged), reading.references, reading.framer.duplicates) == (1, ["a"], 1)
        once = read(message(record("a"), record("b")), index, chunk_size)
        assert (once.references, once.frames[0].repeated, once.framer.duplicates) == (["a"], True, 0)

    @pytest.mark.parametrize("tag", ["NotificationType", "x:NotificationType", "a002", 'a002 refname="x"'])
    @pytest.mark.parametrize("kind", ["04", "08", "09", "88", "89", " 04 ", "04\u200b"])
    def test_what_is_no_whole_record_puts_none_aside_that_came_before_it(self, kind, tag, chunk_size):
        whole = [record("a", f"<NotificationType>03</NotificationType><N>{number}</N>") for number in range(3)]
        said = f"<{tag}>{kind}</{tag.partition(' ')[0]}>"
        first, second = (record("a", f"{said}<N>{number}</N>") for number in range(2))
        reading = read(message(*whole, first, record("b"), second), chunk_size=chunk_size)
        assert [whole[0], record("b"), whole[2], first, second] == [body.decode() for body in reading.bodies]
        assert [False, False, True, True, True] == [frame.repeated for frame in reading.frames]
        assert (reading.framer.records, reading.framer.duplicates) == (6, 1)

    def test_a_whole_record_takes_the_place_of_all_that_came_before_it(self, chunk_size):
        update = "<NotificationType>04</NotificationType>"
        parts = [record("a", update), record("a", f"{update}<N/>"), record("a"), record("a", update)]
        index = index_of(read(message(record("a"), record("a"))).frames)
        reading = read(message(*parts), index, chunk_size)
        assert [parts[2], parts[3]] == [body.decode() for body in reading.bodies]
        assert (reading.framer.records, reading.framer.duplicates) == (4, 2)

    def test_records_without_reference_are_never_repeated(self):
        reading = read(message("<Product/>", "<Product/>"))
        assert [frame.repeated for frame in reading.frames] == [False, False]


class TestDefects:
    @pytest.mark.parametrize(
        ("text", "references", "defect"),
        [
            (HEAD, [], "line 4: the message ends without </ONIXMessage>; no complete record came"),
            (HEAD[:-4], [], "line 3: the message ends inside a tag; no complete record came"),
            (
                HEAD.replace("<Header/>", "<Header><Sender>"),
                [],
                "line 4: the message ends inside the header; no complete record came",
            ),
            (
                HEAD + record("a"),
                ["a"],
                "line 5: the message ends without </ONIXMessage>; the last complete record is 'a'",
            ),
            (
                HEAD + record("a") + "\n" + record("b")[:-3],
                ["a"],
                "line 7: the message ends inside a record that begins in line 6; the last complete record is 'a'",
            ),
            (
                HEAD + record("a") + "<!-- ",
                ["a"],
                "line 5: the message ends inside a comment; the last complete record is 'a'",
            ),
            (
                HEAD + record("a") + "</ONIXMess",
                ["a"],
                "line 5: the message ends inside a tag; the last complete record is 'a'",
            ),
            (
                HEAD + record("a") + "<Foo>" + record("b") + TAIL,
                ["a"],
                "line 8: the message ends inside the element <Foo> of line 5; the last complete record is 'a'",
            ),
        ],
    )
    def test_a_message_that_is_cut_off(self, text, references, defect, chunk_size):
        reading = read(text, chunk_size=chunk_size)
        assert references == reading.references
        assert [defect] == reading.defects
        assert not reading.framer.complete

    @pytest.mark.parametrize("missing", ["</Product>", "/Product>"])
    def test_a_missing_end_tag_swallows_nothing(self, missing, chunk_size):
        open_ended = record("b")[: -len("</Product>")]
        reading = read(message(record("a"), open_ended, record("c"), record("d")), chunk_size=chunk_size)
        assert reading.bodies == [text.encode() for text in (record("a"), open_ended, record("c"), record("d"))]
        assert reading.defects == ["line 6: the record 'b' has no end tag; cut at line 8"]
        assert reading.framer.records == 4

    def test_an_end_tag_without_its_angle_takes_nothing_of_the_next_record(self, chunk_size):
        reading = read(message(record("a")[:-1], record("b")), chunk_size=chunk_size)
        assert reading.references == ["a", "b"]

    def test_the_last_record_without_end_is_cut_at_the_end_of_the_message(self, chunk_size):
        reading = read(message(record("a"), record("b")[: -len("</Product>")]), chunk_size=chunk_size)
        assert reading.references == ["a", "b"]
        assert len(reading.defects) == 1
        assert "'b' has no end tag" in reading.defects[0]

    def test_a_comment_that_is_never_closed_is_told(self, chunk_size):
        broken = record("a", "<!-- oh")
        reading = read(message(broken, record("b"), record("c", "<!-- x -->"), record("d")), chunk_size=chunk_size)
        assert reading.references == ["d", "a"]
        again = read(message(broken, record("b"), record("c", "<!-- x -->"), record("d")), index_of(reading.frames))
        assert again.defects == reading.defects
        assert reading.defects == ["line 6: a comment or CDATA section in the record 'a' holds another record"]

    @pytest.mark.parametrize(
        ("stranger", "says"),
        [
            ("stray &amp; text", "text that belongs to no record: 'stray &amp; text'"),
            ("x" * 500, f"text that belongs to no record: {'x' * 40!r}"),
            ("</Product>", "an end tag </Product> without its start"),
            ("<![CDATA[ <Product> ]]>", "a CDATA section that belongs to no record"),
            ("<!ENTITY a 'b'>", "text that belongs to no record"),
            ("< >", "text that belongs to no record"),
            ("<Foo bar='", "text that belongs to no record"),
            ("<Foo><Product><a001>x</a001></Product></Foo>", "<Foo> was skipped with 1 records inside of it"),
        ],
    )
    def test_strangers_between_records(self, stranger, says, chunk_size):
        reading = read(message(record("a"), stranger, record("b")), chunk_size=chunk_size)
        assert reading.references == ["a", "b"]
        assert [f"line 6: {says}"] == [defect[: len(f"line 6: {says}")] for defect in reading.defects]
        assert reading.framer.complete

    @pytest.mark.parametrize(
        "stranger",
        [
            "<Foo/>",
            "<Foo><Foo/><Foo a='/>'></Foo>text<!-- </Foo> --></Foo >",
            "<x:Catalogue xmlns:x='urn:x'><x:Cataloguer/><![CDATA[</x:Catalogue>]]></x:Catalogue>",
        ],
    )
    def test_unknown_elements_are_skipped_whole_with_a_warning(self, stranger, chunk_size):
        reading = read(message(record("a"), stranger, record("b")), chunk_size=chunk_size)
        assert (reading.references, reading.defects, reading.framer.complete) == (["a", "b"], [], True)
        name = stranger[1:].partition(" ")[0].partition(">")[0].rstrip("/")
        assert reading.warnings == [f"line 6: an unknown element <{name}> was skipped"]

    @pytest.mark.parametrize("behind", ["\n", " <!-- bye --> <?bye?>\r\n"])
    def test_blanks_comments_and_instructions_may_follow(self, behind, chunk_size):
        reading = read(message(record("a")) + behind, chunk_size=chunk_size)
        assert (reading.framer.complete, reading.defects) == (True, [])

    @pytest.mark.parametrize(
        ("behind", "references"),
        [
            ("junk", ["a"]),
            ("</ONIXMessage>", ["a"]),
            ("<Foo/>", ["a"]),
            (record("late"), ["a", "late"]),
            (message(record("late")), ["a", "late"]),
            ("<ONIXMessage release='3.1'><Product><a001>other</a001></Product></ONIXMessage>", ["a"]),
        ],
    )
    def test_content_behind_the_end_is_one_defect_and_loses_no_record_of_the_same_root(
        self, behind, references, chunk_size
    ):
        reading = read(message(record("a")) + behind, chunk_size=chunk_size)
        assert references == reading.references
        assert [True] == ["the message goes on behind its end: " in says for says in reading.defects]
        assert not reading.framer.complete

    def test_another_header_that_says_the_same_of_prices_is_skipped(self, chunk_size):
        header = "<Header><Sender><SenderName>S</SenderName></Sender></Header>"
        reading = read(message(header, record("a"), header, record("b")), chunk_size=chunk_size)
        assert (reading.references, reading.defects, reading.framer.complete) == (["a", "b"], [], True)
        assert reading.warnings == ["line 4: another header was skipped", "line 7: another header was skipped"]

    @pytest.mark.parametrize(
        "default",
        [
            "<DefaultCurrencyCode>CAD</DefaultCurrencyCode>",
            "<x310>02</x310>",
            "<DefaultLanguageOfText>fre</DefaultLanguageOfText>",
        ],
    )
    def test_nothing_is_read_behind_a_header_that_gives_prices_another_meaning(self, default, chunk_size):
        parts = (record("a"), f"<Header>{default}</Header>", record("b"), "<NoProduct/>")
        reading = read(message(*parts), chunk_size=chunk_size)
        assert (["a"], False) == (reading.references, reading.framer.complete)
        says = "line 6: another header, with other defaults; what follows it was not read"
        assert [says] == reading.defects

    def test_an_empty_header_behind_one_with_defaults_ends_what_is_read_too(self, chunk_size):
        given = message(record("a"), "<Header/>", record("b")).replace(
            "<Header/>", "<Header><m186>CAD</m186></Header>", 1
        )
        reading = read(given, chunk_size=chunk_size)
        assert (["a"], False) == (reading.references, reading.framer.complete)
        assert ["line 6: another header, with other defaults; what follows it was not read"] == reading.defects

    def test_a_second_message_of_the_same_root_is_not_read_by_the_defaults_of_the_first(self, chunk_size):
        second = message(record("b")).replace("<Header/>", "<Header><m186>CAD</m186></Header>")
        reading = read(message(record("a")) + second.partition("\n")[2], chunk_size=chunk_size)
        assert (["a"], False) == (reading.references, reading.framer.complete)
        assert "what follows it was not read" in reading.defects[-1]

    def test_a_root_closed_under_another_spelling_is_told(self):
        reading = read(message(record("a")).replace("</ONIXMessage>", "</ONIXmessage>"))
        assert (reading.references, reading.framer.complete) == (["a"], True)
        assert reading.defects == ["line 6: <ONIXMessage> is closed by </ONIXmessage>"]

    def test_only_the_first_of_very_many_defects_are_kept(self):
        reading = read(message(*("x<!-- -->" for _ in range(250))))
        assert len(reading.defects) == 101
        assert reading.defects[-1] == "and 150 more like these"


def local_name(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


SAMPLES_OF_2_1 = {
    "im_onix/onix2.xml",
    "im_onix/onix2_product.xml",
    "im_onix/test_wiley_data.xml",
    "jonix/onix2-multiple.xml",
    "jonix/onix2-single.xml",
    "jonix/single-book-onix2.xml",
    "onix-data/Onix2CoreDataSample1.xml",
    "onix-data/Onix2CoreDataSample1ShortTags.xml",
    "onixcheck/Google_Sample_ONIX_2.1.xml",
    "onixcheck/valid_onix2_ref.xml",
    "watcher/onix.xml",
    *(
        f"yob/{name}.xml"
        for name in (
            *("aau", "control_chars", "entities", "extra_entities", "iso_8859_1", "no_encoding"),
            *("no_xml_declaration", "product", "reference_with_release_attrib"),
            *("short_tags", "short_tags_ivp", "two_products", "utf_16"),
        )
    ),
    "yy-onix-php/sample.v.2.1.ref.onx",
    "yy-onix-php/sample.v.2.1.tag.onx",
}


def read_or_none(path: Path) -> Reading | None:
    try:
        return read(path.read_bytes())
    except NotOnix:
        return None


def sample_files() -> list[Path]:
    return sorted(path for path in SAMPLES.rglob("*") if path.suffix in {".xml", ".onx"})


@pytest.mark.skipif(not SAMPLES.is_dir(), reason=f"no ONIX samples at {SAMPLES}; set ONIX_SAMPLES")
class TestSamples:
    def test_every_sample_is_framed_as_lxml_counts_or_refused(self):
        framed_count = 0
        for path in sample_files():
            content = path.read_bytes()
            try:
                readings = [read(content), read(content, chunk_size=3)]
            except NotOnix:
                continue
            assert readings[0].frames == readings[1].frames, path
            self.check(path, content, readings[0])
            framed_count += 1
        assert framed_count > 140

    def check(self, path: Path, content: bytes, reading: Reading) -> None:
        framer = reading.framer
        assert (framer.complete, framer.defects) == (True, []), path
        assert framer.context is not None
        assert framer.context.release in {"2.1", "3.0", "3.1"}, path
        try:
            tree = etree.fromstring(content)
        except etree.XMLSyntaxError:
            return
        elements = (
            [tree]
            if local_name(tree) in {"Product", "product"}
            else [child for child in tree if local_name(child) in {"Product", "product"}]
        )
        assert len(elements) == framer.records, path
        parsed = {
            canonical(etree.fromstring(framer.context.opening + body + framer.context.closing)[0])
            for body in reading.bodies
        }
        assert parsed <= {canonical(element) for element in elements}, path

    def test_samples_of_2_1_are_known_for_what_they_are(self):
        found = {
            str(path.relative_to(SAMPLES)): reading
            for path in sample_files()
            if (reading := read_or_none(path)) is not None
        }
        releases = {name: reading.framer.context.release for name, reading in found.items() if reading.framer.context}
        old = {name for name, release in releases.items() if release == "2.1"}
        assert SAMPLES_OF_2_1 == old
        silent = {name for name in old if b"release=" in (SAMPLES / name).read_bytes()}
        assert silent == {name for name in old if not found[name].warnings}

    def test_a_second_reading_of_every_sample_is_all_unchanged(self):
        for path in sample_files():
            content = path.read_bytes()
            try:
                first = read(content)
            except NotOnix:
                continue
            kept_back = sum(frame.repeated for frame in first.frames)
            again = read(content, index_of(first.frames), 4096)
            named = [frame for frame in first.frames if frame.reference]
            if kept_back == 0 and named:
                assert len(named) == len(again.unchanged), path


def canonical(element: etree._Element) -> bytes:
    element.tail = None
    return etree.tostring(element, method="c14n", exclusive=True)
