"""The envelope: encodings, roots, headers, contexts, and everything that is no ONIX message."""

from __future__ import annotations

import pytest
from lxml import etree

from syncengine.domain.frame import Context, FrameIndex, TagStyle
from syncengine.domain.passes import Noted, WarningKind
from syncengine.errors import NotOnix
from syncengine.onix.encoding import Decoder, decode_text, plain_text
from syncengine.onix.fingerprint import fingerprint, seed_for
from syncengine.onix.framing import Framer

RECORD = "<Product><RecordReference>r-é</RecordReference><DescriptiveDetail/></Product>"
ROOT = '<ONIXMessage release="3.0" xmlns="http://ns.editeur.org/onix/3.0/reference">'
MESSAGE = ROOT + "<Header><Sender><SenderName>Søren</SenderName></Sender></Header>" + RECORD + "</ONIXMessage>"


def frame(message: bytes, chunk_size: int = 1 << 20) -> Framer:
    framer = Framer(seed=7, index=FrameIndex())
    for start in range(0, len(message), chunk_size):
        framer.feed(message[start : start + chunk_size])
    framer.close()
    return framer


def says(noted: list[Noted]) -> list[str]:
    return [one.says for one in noted]


def context_of(message: bytes) -> Context:
    context = frame(message).context
    assert context is not None
    return context


def refusal(message: bytes, chunk_size: int = 1 << 20) -> NotOnix:
    with pytest.raises(NotOnix) as caught:
        frame(message, chunk_size)
    assert caught.value.hint
    return caught.value


class TestEncoding:
    @pytest.mark.parametrize(
        "codec",
        ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
    )
    @pytest.mark.parametrize("prefix", ["", '<?xml version="1.0" encoding="{}"?>', "\n\t"])
    def test_marked_or_recognisable_encodings_become_utf8(self, codec, prefix):
        message = (prefix.format(codec.removesuffix("-sig").upper()) + MESSAGE).encode(codec)
        framer = frame(message)
        assert (framer.records, framer.complete, framer.defects) == (1, True, [])
        assert framer.context is not None
        assert (framer.context.encoding, framer.context.header.sender) == ("UTF-8", "Søren")

    @pytest.mark.parametrize("mark", ["\ufeff"])
    def test_wide_encodings_with_their_marks(self, mark):
        for codec in ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"):
            assert context_of((mark + MESSAGE).encode(codec)).header.sender == "Søren"

    @pytest.mark.parametrize("codec", ["iso-8859-1", "windows-1252", "iso-8859-15"])
    def test_encodings_with_plain_markup_pass_through(self, codec):
        decoder = Decoder()
        message = f'<?xml version="1.0" encoding="{codec}"?>{MESSAGE}'.encode(codec)
        assert message == decoder.feed(message) + decoder.feed(b"", last=True)
        assert codec.upper() == decoder.encoding

    @pytest.mark.parametrize("codec", ["shift_jis", "iso-2022-jp", "gbk", "utf-7", "big5", "mac-roman"])
    def test_encodings_whose_markup_is_not_plain_become_utf8(self, codec):
        text = f"<?xml version='1.0' encoding='{codec}'?>{MESSAGE}".replace("ø", "表" if codec != "mac-roman" else "ø")
        text = text.replace("é", "e")
        context = context_of(text.encode(codec))
        assert ("UTF-8", "S表ren" if codec != "mac-roman" else "Søren") == (context.encoding, context.header.sender)

    def test_an_unknown_encoding_is_named(self):
        assert "'x-nonsense'" in str(
            refusal(b'<?xml version="1.0" encoding="x-nonsense"?><ONIXMessage release="3.0"/>')
        )

    @pytest.mark.parametrize("name", ["rot13", "hex", "idna", "unicode_escape"])
    def test_codecs_that_are_no_encodings_are_unknown(self, name):
        assert name in str(refusal(f'<?xml version="1.0" encoding="{name}"?><ONIXMessage release="3.0"/>'.encode()))

    def test_a_label_of_utf16_on_plain_bytes_is_read_as_utf8_with_a_warning(self):
        framer = frame(b'<?xml version="1.0" encoding="utf-16"?>' + MESSAGE.encode())
        assert framer.context is not None
        assert framer.context.header.sender == "Søren"
        assert "utf-16" in framer.warnings[0].says

    def test_a_mark_wins_over_the_declaration_with_a_warning(self):
        framer = frame(b'\xef\xbb\xbf<?xml version="1.0" encoding="iso-8859-1"?>' + MESSAGE.encode())
        assert framer.context is not None
        assert framer.context.header.sender == "Søren"
        assert "iso-8859-1" in framer.warnings[0].says

    def test_broken_utf16_is_read_on_with_a_warning(self):
        message = ("\ufeff" + MESSAGE).encode("utf-16-le").replace("ø".encode("utf-16-le"), b"\x00\xdc")
        framer = frame(message)
        assert framer.records == 1
        assert ["utf-16-le" in warning for warning in says(framer.warnings)] == [True]

    def test_text_of_a_mislabelled_record_is_read_as_windows_1252(self):
        assert decode_text(b"caf\xe9 \x96", "UTF-8") == "café \u2013"
        assert decode_text(b"caf\xe9 \x96", "ISO-8859-1") == "café \u2013"
        assert decode_text(b"\x81", "UTF-8") == "\x81"

    @pytest.mark.parametrize(
        ("raw", "text"),
        [
            (b"a&amp;b", "a&b"),
            (b"\xe2\x80\x8b 16\xe2\x80\x8b\n", "16"),
            (b"\xef\xbb\xbfx", "x"),
            (b"<![CDATA[a&amp;b]]>c", "a&amp;bc"),
            (b"a<!-- not this -->b<?nor this?>", "ab"),
            (b"&#65;&#x42;&eacute;&nonsense;&#0;&#xD800;", "ABé&nonsense;&#0;&#xD800;"),
        ],
    )
    def test_plain_text_is_what_a_reader_sees(self, raw, text):
        assert text == plain_text(raw, "UTF-8")


class TestNotOnix:
    @pytest.mark.parametrize("chunk_size", [1, 3, 1 << 20])
    @pytest.mark.parametrize(
        ("message", "says"),
        [
            (b"", "empty"),
            (b" \r\n\t", "empty"),
            (b"\xef\xbb\xbf", "empty"),
            (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "gzip"),
            (b"PK\x03\x04abcdef", "zip archive"),
            (b"\x89PNG\r\n\x1a\n\x00", "PNG"),
            (b'{"error": "unauthorized"}', "JSON"),
            (b"Bad gateway", "'Bad gateway'"),
            (b"\x01\x02\x03\x04\x05", "binary"),
            (b"<!DOCTYPE html><html><body>Down</body></html>", "HTML page"),
            (b"<!doctype HTML PUBLIC 'x'><p>", "HTML page"),
            (b"<html><title>Shop</title></html>", "'Shop'"),
            (b"<html><form><input type='password'></form></html>", "login page"),
            (b"<HTML><h1>Please sign in</h1></HTML>", "login page"),
            (
                b'<?xml version="1.0"?><feed xmlns="http://www.w3.org/2005/Atom"/>',
                "<feed> (http://www.w3.org/2005/Atom)",
            ),
            (b"<ONIXMESAGE/>", "<ONIXMESAGE>"),
            (b"<ONIXMessageAcknowledgement release='3.0'/>", "acknowledgement"),
            (b"<ONIXMessage xmlns='http://ns.editeur.org/onix/acknowledgement/3.0/reference'/>", "acknowledgement"),
            (b"<ONIXMessage release='1.2.1'/>", "1.2.1 (by its release)"),
            (b"<ONIXMessage release='01.1'/>", "01.1 (by its release)"),
            (b"<ONIXMessage release='4.0'/>", "4.0 (by its release)"),
            (b"<ONIXMessage release='21'/>", "21 (by its release)"),
            (b"<ONIXMessage xmlns='http://www.editeur.org/onix/1.1/reference'/>", "1.1 (by its namespace)"),
            (b"<ONIXMessage release='2.1' xmlns='http://www.editeur.org/onix/1.1'/>", "1.1 (by its namespace)"),
            (b"<ONIXMessage release='3.0", "inside a tag"),
            (b"<!-- a comment", "inside a comment"),
            (b"<!-- a comment -->", "before the root"),
            (b"<!DOCTYPE ONIXMessage [ <!ENTITY", "inside the DOCTYPE"),
            (b"<ONIXMessage release='3.0' <Header/>", "broken"),
            (b"<![CDATA[x]]>", "no XML"),
        ],
    )
    def test_it_says_what_came_instead(self, message, says, chunk_size):
        assert says in str(refusal(message, chunk_size))


class TestRoot:
    @pytest.mark.parametrize(
        ("opening", "release", "style", "warned"),
        [
            ('<ONIXMessage release="3.0">', "3.0", TagStyle.REFERENCE, False),
            ("<ONIXMessage release=' 3.1 '>", "3.1", TagStyle.REFERENCE, False),
            ('<ONIXmessage release="3.1" xmlns="http://ns.editeur.org/onix/3.1/short">', "3.1", TagStyle.SHORT, False),
            ('<ONIXMessage xmlns="http://ns.editeur.org/onix/3.1/reference">', "3.1", TagStyle.REFERENCE, True),
            ('<ONIXMessage xmlns="http://www.editeur.org/onix/3.0/reference">', "3.0", TagStyle.REFERENCE, True),
            (
                '<ONIXMessage release="3.0" xmlns="http://ns.editeur.org/onix/3.1/reference">',
                "3.0",
                TagStyle.REFERENCE,
                True,
            ),
            (
                '<o:ONIXMessage xmlns:o="http://ns.editeur.org/onix/3.0/reference" release="3.0">',
                "3.0",
                TagStyle.REFERENCE,
                False,
            ),
            ("<ONIXMessage>", "3.0", TagStyle.REFERENCE, True),
            ('<ONIXMessage xmlns="urn:anything">', "3.0", TagStyle.REFERENCE, True),
        ],
    )
    @pytest.mark.parametrize("record", [RECORD, "<product><a001>1</a001><productsupply/></product>"])
    def test_release_and_style_of_a_root(self, opening, release, style, warned, record):
        name = opening[1:].partition(" ")[0].rstrip(">")
        framer = frame(f"{opening}{record}</{name}>".encode())
        assert framer.context is not None
        assert (release, style, warned) == (framer.context.release, framer.context.style, bool(framer.warnings))
        assert (framer.records, framer.complete, framer.defects) == (1, True, [])

    @pytest.mark.parametrize(
        ("root", "told"),
        [
            ('<ONIXMessage release="2.1">', []),
            ('<ONIXMessage release="2.0">', ["the root's release is 2.0; read as 2.1"]),
            ('<ONIXMessage release="02.1">', ["the root's release is 02.1; read as 2.1"]),
            ('<ONIXMessage release="2.1.3">', ["the root's release is 2.1.3; read as 2.1"]),
            (
                '<ONIXMessage xmlns="http://www.editeur.org/onix/2.1/reference">',
                ["the root has no release; 2.1 by its namespace"],
            ),
            ('<ONIXMessage release="2.1" xmlns="http://www.editeur.org/onix/2.1/reference">', []),
            ("<ONIXMessage>", ["neither release nor namespace tell the release; 2.1 by the content"]),
            ('<ONIXMessage xmlns="urn:a">', ["neither release nor namespace tell the release; 2.1 by the content"]),
            (
                '<!DOCTYPE ONIXMessage SYSTEM "http://www.editeur.org/onix/2.1/reference/onix.dtd"><ONIXMessage>',
                ["neither release nor namespace tell the release; 2.1 by the content"],
            ),
            (
                '<ONIXMessage release="3.0" xmlns="http://www.editeur.org/onix/2.1/reference">',
                [
                    "the root's release is 3.0, its namespace that of 2.1",
                    "neither release nor namespace tell the release; 2.1 by the content",
                ],
            ),
        ],
    )
    @pytest.mark.parametrize(
        "record",
        [
            "<Product><RecordReference>1</RecordReference><Title/></Product>",
            "<product><a001>1</a001><!-- <descriptivedetail> --><title/></product>",
            "",
        ],
    )
    def test_release_2_is_known_by_release_or_namespace_or_by_having_no_blocks(self, root, told, record):
        framer = frame(f"{root}{record}</ONIXMessage>".encode())
        assert framer.context is not None
        assert (framer.context.release, framer.complete, framer.defects) == ("2.1", True, [])
        told_of_it = [noted for noted in framer.warnings if noted.kind is not WarningKind.EMPTY]
        assert [f"line 1: {warning}" for warning in told] == says(told_of_it)
        assert {WarningKind.RELEASE} >= {noted.kind for noted in told_of_it}

    def test_blocks_win_where_release_and_namespace_contradict_each_other(self):
        root = '<ONIXMessage release="2.1" xmlns="http://ns.editeur.org/onix/3.0/reference">'
        framer = frame(f"{root}{RECORD}</ONIXMessage>".encode())
        assert framer.context is not None
        assert framer.context.release == "3.0"

    def test_a_misspelled_root_of_release_2_is_one(self):
        context = context_of(b'<ONIXMESSAGE release="2.1"><Product/></ONIXMESSAGE>')
        assert context.release == "2.1"

    @pytest.mark.parametrize(
        ("record", "style"),
        [
            ("<Product><RecordReference>1</RecordReference><Title/></Product>", "reference"),
            ("<product><a001>1</a001><title/></product>", "short"),
            (
                '<Product xmlns="http://ns.editeur.org/onix/3.1/reference"><RecordReference>1</RecordReference></Product>',
                "reference",
            ),
            (
                '<o:Product xmlns:o="http://ns.editeur.org/onix/3.0/reference"><o:RecordReference>1</o:RecordReference></o:Product>',
                "reference",
            ),
            ("<product><a001>1</a001><descriptivedetail/></product>", "short"),
        ],
    )
    def test_a_single_record_is_a_message(self, record, style):
        framer = Framer(seed=1, index=FrameIndex())
        frames = framer.feed(f"<?xml version='1.0'?>\n{record}\n".encode()).frames + framer.close().frames
        assert framer.context is not None
        assert ([frame.reference for frame in frames], framer.complete, framer.defects) == (["1"], True, [])
        assert style == framer.context.style
        tree = etree.fromstring(framer.context.opening + frames[0].body + framer.context.closing)
        assert framer.context.release == tree.get("release")
        assert len(tree) == 1

    def test_no_product_tells_the_release(self):
        framer = frame(b"<ONIXMessage><Header/><NoProduct/></ONIXMessage>")
        assert framer.context is not None
        assert (framer.context.release, framer.records, framer.complete) == ("3.0", 0, True)

    @pytest.mark.parametrize("chunk_size", [1, 1 << 20])
    @pytest.mark.parametrize(
        "doctype",
        [
            "<!DOCTYPE ONIXMessage SYSTEM 'http://www.editeur.org/onix.dtd'>",
            '<!DOCTYPE ONIXMessage [<!ENTITY a "]>"> <!-- it\'s ]> --> <?p ]>?> <!ELEMENT x ANY>]\n>',
            "<!DOCTYPE ONIXMessage PUBLIC '-//a>b' \"x]>\" [ ] >",
        ],
    )
    def test_a_doctype_is_skipped_and_never_kept(self, doctype, chunk_size):
        framer = frame(('<?xml version="1.0"?>' + doctype + "<!-- <html> -->" + MESSAGE).encode(), chunk_size)
        assert framer.context is not None
        assert (framer.records, framer.complete) == (1, True)
        assert b"DOCTYPE" not in framer.context.opening


class TestHeader:
    def test_reference_names(self):
        header = context_of(
            ROOT.encode()
            + b"""<Header><Sender><SenderIdentifier><SenderIDType>06</SenderIDType><IDValue>123</IDValue></SenderIdentifier>
            <SenderName> Global &amp; Co </SenderName></Sender><Addressee><AddresseeName>Us</AddresseeName></Addressee>
            <MessageNumber>231</MessageNumber><SentDateTime>20100510T1115-0400</SentDateTime><!-- c -->
            <DefaultLanguageOfText>eng</DefaultLanguageOfText><DefaultPriceType>01</DefaultPriceType>
            <DefaultCurrencyCode>CAD</DefaultCurrencyCode></Header></ONIXMessage>"""
        ).header
        assert (header.sender, header.number, header.sent_at_text) == ("Global & Co", "231", "20100510T1115-0400")
        assert (header.default_price_type, header.default_currency, header.default_language) == ("01", "CAD", "eng")

    def test_short_tags_and_a_sender_known_by_number_only(self):
        header = context_of(
            b"""<ONIXmessage release="3.0"><header><sender><senderidentifier><m379>06</m379><b244>0614</b244></senderidentifier>
            </sender><m180>7</m180><x307>20260101</x307><m184>fre</m184><x310>02</x310><m186>EUR</m186></header></ONIXmessage>"""
        ).header
        assert (header.sender, header.number, header.sent_at_text) == ("0614", "7", "20260101")
        assert (header.default_price_type, header.default_currency, header.default_language) == ("02", "EUR", "fre")

    def test_prefixed_names(self):
        message = (
            '<o:ONIXMessage xmlns:o="http://ns.editeur.org/onix/3.0/reference" release="3.0">'
            "<o:Header><o:Sender><o:SenderName>A</o:SenderName></o:Sender></o:Header></o:ONIXMessage>"
        )
        assert context_of(message.encode()).header.sender == "A"

    def test_defects_are_a_warning(self):
        message = (
            ROOT
            + "\n<Header><Sender><SenderName>A &reg; B</Sendername></Sender><SentDateTime>2026</SentDateTime></Header>"
        )
        framer = frame((message + RECORD + "</ONIXMessage>").encode())
        assert framer.context is not None
        assert framer.context.header.sent_at_text == "2026"
        assert (framer.records, framer.defects) == (1, [])
        assert framer.warnings[0].says.startswith("line 2: the header is not well-formed")

    def test_bytes_of_another_encoding_are_a_warning(self):
        header = "<Header><Sender><SenderName>Éditions</SenderName></Sender></Header>"
        framer = frame((ROOT + header + RECORD + "</ONIXMessage>").encode("windows-1252"))
        assert framer.context is not None
        assert framer.context.header.sender == "Éditions"
        assert says(framer.warnings) == ["line 1: the header is not UTF-8; read as windows-1252"]

    def test_a_header_without_end_ends_at_the_first_record(self):
        message = ROOT + "\n<Header><Sender><SenderName>A</SenderName></Sender>\n" + RECORD + "</ONIXMessage>"
        framer = frame(message.encode())
        assert framer.context is not None
        assert (framer.records, framer.context.header.sender) == (1, "A")
        assert says(framer.defects) == ["line 2: the header has no end tag"]

    def test_release_2(self):
        header = context_of(
            b"""<ONIXMessage release="2.1"><Header><SenderIdentifier><SenderIDType>06</SenderIDType><IDValue>5030670141531</IDValue>
            </SenderIdentifier><FromCompany>A &amp; U</FromCompany><FromPerson>Ann</FromPerson><ToCompany>Us</ToCompany>
            <MessageNumber>231</MessageNumber><MessageRepeat>2</MessageRepeat><SentDate>200405101115</SentDate>
            <DefaultLanguageOfText>eng</DefaultLanguageOfText><DefaultPriceTypeCode>01</DefaultPriceTypeCode>
            <DefaultCurrencyCode>CAD</DefaultCurrencyCode></Header></ONIXMessage>"""
        ).header
        assert (header.sender, header.number, header.repeat, header.sent_at_text) == (
            "A & U",
            "231",
            "2",
            "20040510T1115",
        )
        assert (header.default_price_type, header.default_currency, header.default_language) == ("01", "CAD", "eng")

    def test_release_2_in_short_tags(self):
        header = context_of(
            b"""<ONIXmessage release="2.1"><header><m174>A</m174><m175>Ann</m175><m178>Us</m178><m180>231</m180><m181>2</m181>
            <m182>20040510</m182><m184>eng</m184><m185>02</m185><m186>EUR</m186></header></ONIXmessage>"""
        ).header
        assert (header.sender, header.number, header.repeat, header.sent_at_text) == ("A", "231", "2", "20040510")
        assert (header.default_price_type, header.default_currency, header.default_language) == ("02", "EUR", "eng")

    @pytest.mark.parametrize(
        ("inside", "sender"),
        [
            ("<AddresseeIdentifier><IDValue>us</IDValue></AddresseeIdentifier>", None),
            ("<FromSAN>2003372</FromSAN><FromPerson>Ann</FromPerson>", "2003372"),
            ("<FromPerson>Ann</FromPerson>", "Ann"),
            (
                "<FromSAN>2003372</FromSAN><SenderIdentifier><IDValue>503</IDValue></SenderIdentifier>",
                "503",
            ),
        ],
    )
    def test_a_sender_of_release_2_without_a_company(self, inside, sender):
        context = context_of(f'<ONIXMessage release="2.1"><Header>{inside}</Header></ONIXMessage>'.encode())
        assert sender == context.header.sender


class TestContext:
    def test_opening_holds_declaration_release_and_namespaces(self):
        message = MESSAGE.replace(
            "<ONIXMessage",
            '<ONIXMessage xmlns:x="urn:x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="a b" x:next="9"',
        )
        context = context_of(message.encode())
        assert context.opening == (
            b'<?xml version="1.0" encoding="UTF-8"?><ONIXMessage xmlns:x="urn:x"'
            b' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" release="3.0"'
            b' xmlns="http://ns.editeur.org/onix/3.0/reference">'
        )
        assert context.closing == b"</ONIXMessage>"

    def test_an_opening_of_release_2_holds_what_its_records_take_from_the_header(self):
        inside = (
            "<DefaultClassOfTrade>Écoles &amp; <b>Co</b></DefaultClassOfTrade><DefaultLinearUnit>in</DefaultLinearUnit>"
        )
        message = f"<ONIXMessage><Header><FromCompany>A</FromCompany>{inside}</Header><Product/></ONIXMessage>"
        root = etree.fromstring(context_of(message.encode()).opening + b"</ONIXMessage>")
        expected = {"read-as": "2.1", "DefaultClassOfTrade": "Écoles & Co", "DefaultLinearUnit": "in"}
        assert expected == {str(name): str(value) for name, value in root.attrib.items()}

    def test_an_opening_of_release_3_holds_nothing_of_release_2(self):
        message = ROOT + "<Header><DefaultClassOfTrade>x</DefaultClassOfTrade></Header>" + RECORD + "</ONIXMessage>"
        assert context_of(MESSAGE.encode()).opening == context_of(message.encode()).opening

    def test_a_namespace_that_is_no_uri_does_not_spoil_the_document(self):
        context = context_of(MESSAGE.replace("<ONIXMessage", '<ONIXMessage xmlns:s="a b"').encode())
        assert len(etree.fromstring(context.opening + context.closing)) == 0

    def test_the_seed_follows_store_and_meaning_but_not_the_message(self):
        def seed(message: str, store: int = 1) -> int:
            return seed_for(store, context_of(message.encode()))

        numbered = MESSAGE.replace(
            "</Header>", "<MessageNumber>9</MessageNumber><SentDateTime>2026</SentDateTime></Header>"
        )
        priced = MESSAGE.replace("</Header>", "<DefaultCurrencyCode>CAD</DefaultCurrencyCode></Header>")
        assert seed(MESSAGE) == seed(numbered)
        others = [seed(MESSAGE, 2), seed(priced), seed(MESSAGE.replace('"3.0"', '"3.1"')), seed(MESSAGE, -1)]
        assert len({seed(MESSAGE), *others}) == 5

    def test_a_fingerprint_is_16_bytes_of_content_and_seed(self):
        assert len(fingerprint(b"abc", 1)) == 16
        assert fingerprint(b"abc", 1) == fingerprint(memoryview(b"xabc")[1:], 1)
        assert len({fingerprint(b"abc", 1), fingerprint(b"abd", 1), fingerprint(b"abc", 2)}) == 3
