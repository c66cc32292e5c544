"""What the fuzzer starts from: small messages with every construct the framing knows, and the words it may put together."""

from __future__ import annotations

from collections.abc import Iterator

_NAMESPACE = "http://ns.editeur.org/onix/3.0/reference"
_RECORD = "<Product><RecordReference>{}</RecordReference><NotificationType>03</NotificationType>{}</Product>"
_BLOCK = "<DescriptiveDetail><ProductForm>EA</ProductForm></DescriptiveDetail>"
_HEADER = (
    "<Header><Sender><SenderName>A &amp; B</SenderName></Sender><MessageNumber>7</MessageNumber>"
    "<SentDateTime>20260101T1200Z</SentDateTime><DefaultCurrencyCode>EUR</DefaultCurrencyCode></Header>"
)
_OLD_HEADER = (
    "<Header><FromCompany>A</FromCompany><SentDate>20260101</SentDate><DefaultClassOfTrade>'b\"</DefaultClassOfTrade>"
    "<DefaultPriceTypeCode>02</DefaultPriceTypeCode></Header>"
)
_SHORT_HEADER = "<header><sender><x298>A</x298></sender><m180>7</m180><x307>20260101</x307><m186>CAD</m186></header>"

WORDS = (
    *("<ONIXMessage", "<ONIXmessage", "</ONIXMessage>", "</ONIXmessage>", ' release="3.0"', " release='3.1'"),
    *(f' xmlns="{_NAMESPACE}"', " xmlns:o='http://ns.editeur.org/onix/3.1/short'", "onix/2.1", "xmlns:", "o:"),
    *("<Product>", "</Product>", "<product>", "</product>", "<Product/>", "<o:Product>", "</o:Product>", "</Product"),
    *("<RecordReference>", "</RecordReference>", "<a001>", "</a001>", "<RecordReference/>", "r1", "&#x72;1"),
    *("<Header>", "</Header>", "<header>", "</header>", "<NoProduct/>", "<x507/>", "<Header/>", "<Foo>", "</Foo>"),
    *("<SenderName>", "</SenderName>", "<x298>", "<MessageNumber>", "</MessageNumber>", "<m180>", "<x307>", "<m186>"),
    *("<FromCompany>", "<m174>", "<SentDate>", "<m182>", "<DefaultClassOfTrade>", "<m193>", "release='2.1'", "<Title>"),
    *("<!--", "-->", "<![CDATA[", "]]>", "<?", "?>", "<!DOCTYPE", "[", "]>", "<!ENTITY a ']>'>", "<", ">", "/>", "</"),
    *("<?xml version='1.0' encoding='utf-8'?>", "encoding=", "'iso-8859-1'", '"windows-1252"', "utf-16", "&amp;", "&"),
    *(
        "<html>",
        "<title>",
        "login",
        "DescriptiveDetail",
        "<DescriptiveDetail/>",
        "<PublishingDetail>",
        " ",
        "\r\n",
        "\t",
    ),
    *("\ufeff", "\x00", "\u00e9", "\u200b", "&#0;", "&eacute;", "&nope;"),
)
"""Bytes that random changes would hardly come upon."""


def of(target: str) -> Iterator[bytes]:
    """The seeds of a fuzz target."""
    yield from messages()
    if target == "envelope":
        yield from (b"h" + inside for inside in headers())
        yield from (b"r" + inside for inside in attributes())


def messages() -> Iterator[bytes]:
    """Whole messages."""
    plain = _RECORD.format("r1", _BLOCK) + "\n" + _RECORD.format("r2", "")
    yield _message(_HEADER + plain).encode()
    yield _message(_HEADER + plain, style="ONIXmessage", namespace="").encode("utf-8-sig")
    yield _message(_short(_SHORT_HEADER + plain), style="ONIXmessage").encode()
    yield _message(_RECORD.format("r1", "") + _short(_RECORD.format("r2", ""))).encode()
    yield _message(_RECORD.format("r1", "") + _RECORD.format("&#114;1", "<T/>") + _RECORD.format("r2", "")).encode()
    yield from _prefixed(plain)
    yield from _constructs()
    yield from _encoded(plain)
    yield from _broken(plain)
    yield from _strangers(plain)


def headers() -> Iterator[bytes]:
    """The inside of a header."""
    yield _HEADER.removeprefix("<Header>").removesuffix("</Header>").encode()
    yield _SHORT_HEADER.removeprefix("<header>").removesuffix("</header>").encode()
    yield b"<Sender><SenderIdentifier><SenderIDType>01</SenderIDType><IDValue>9</IDValue></SenderIdentifier></Sender>"
    yield b"<!-- </Header> --><MessageNumber><![CDATA[</Header>]]>7</MessageNumber><?x </Header>?>"
    yield b"<SenderName>A & B</SenderName><MessageNumber>7<SentDateTime>2026</SentDateTime>"
    yield b"<FromCompany>A</FromCompany><SentDate>20260101</SentDate><DefaultPriceTypeCode>01</DefaultPriceTypeCode>"
    yield b"<m172>9</m172><m174> </m174><m182>20260101</m182><m193>x&y</m193><m187>in</m187><m185>02</m185>"
    yield "<SenderName>caf\u00e9</SenderName><DefaultPriceType> 02\u200b</DefaultPriceType>".encode()


def attributes() -> Iterator[bytes]:
    """The inside of a root's start tag."""
    yield f'xmlns="{_NAMESPACE}" release="3.0"'.encode()
    yield b"release='3.1' xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation='a b>c'"
    yield b"xmlns='http://www.editeur.org/onix/3.0/reference'"
    yield b"xmlns:o='http://ns.editeur.org/onix/3.1/short' release = ' 3.1 ' datestamp=\"2026'01\""
    yield b"release='2.1'"
    yield b"release=3.0"


def _message(
    inside: str, *, style: str = "ONIXMessage", namespace: str = f' xmlns="{_NAMESPACE}"', release: str = "3.0"
) -> str:
    return f'<?xml version="1.0"?>\n<{style}{namespace} release="{release}">{inside}</{style}>\n'


def _short(text: str) -> str:
    return (
        text.replace("Product>", "product>").replace("RecordReference>", "a001>").replace("NotificationType>", "a002>")
    )


def _prefixed(plain: str) -> Iterator[bytes]:
    prefixed = plain.replace("</", "\0").replace("<", "<o:").replace("\0", "</o:")
    yield f"<o:ONIXMessage xmlns:o='{_NAMESPACE}' release='3.0'>{prefixed}</o:ONIXMessage>".encode()
    yield f"<ONIXMessage xmlns:o='x' release='3.1'>{prefixed}{plain}</ONIXMessage>".encode()


def _constructs() -> Iterator[bytes]:
    for inside in (
        "<!--</Product><Product>--><T><![CDATA[</Product>]]></T><?pi </Product>?>",
        "<T a='>' b=\"'/>\" c='&lt;/Product>'/><T>\u00e9 &amp; &#233;</T>",
        "<T><![CDATA[ ]] > <b> ]]]]></T><!----><?x?>",
    ):
        yield _message(_RECORD.format("r1", inside) + "<!-- between --><?x?>\n" + _RECORD.format("r2", inside)).encode()
    yield _message(
        "<!-- <Product> -->" + _RECORD.format("<![CDATA[r1]]>", "") + _RECORD.format("r<!-- -->2", "")
    ).encode()
    yield _message("<NoProduct/>").encode()
    yield _message(_HEADER + _RECORD.format("r1", "") + _HEADER + _RECORD.format("r2", "")).encode()
    yield _message(_HEADER + _RECORD.format("r1", "") + "<Header/>" + _RECORD.format("r2", "")).encode()
    update = _RECORD.format("r1", "").replace("03", "04")
    yield _message(update + _RECORD.format("r1", "") + update + update + _RECORD.format("r2", "")).encode()
    yield _message(_HEADER).encode()
    yield b"<ONIXMessage release='3.0'/>"
    yield _message("<Foo><Foo/>x</Foo><Product/><Product a='1'/>" + _RECORD.format("", "")).encode()
    yield (
        "<!DOCTYPE x SYSTEM 'a.dtd' [<!ENTITY y ']>'> <!-- ' ]> -->]>"
        + _message("").removeprefix('<?xml version="1.0"?>')
    ).encode()


def _encoded(plain: str) -> Iterator[bytes]:
    text = plain.replace("r2", "\u00e9")
    for codec, label in (
        ("iso-8859-1", "ISO-8859-1"),
        ("cp1252", "windows-1252"),
        ("utf-16", "UTF-16"),
        ("utf-16-le", "UTF-16LE"),
        ("utf-16-be", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("shift_jis", "Shift_JIS"),
        ("cp037", "cp037"),
    ):
        message = _message(text).replace('"1.0"?', f'"1.0" encoding="{label}"?', 1)
        yield message.encode(codec, "xmlcharrefreplace")
    yield _message(text).encode("iso-8859-1")


def _broken(plain: str) -> Iterator[bytes]:
    whole = _message(_HEADER + plain)
    yield whole[: len(whole) // 2].encode()
    yield whole[: whole.rindex("</ONIX")].encode()
    for torn, mended in (("</Product>", ""), ("</Product>", "</Product"), ("</Header>", ""), ("?>", ""), ("r1<", "r1")):
        yield whole.replace(torn, mended, 1).encode()
    yield _message(_RECORD.format("r1", "<!-- open") + plain).encode()
    yield (whole + whole).encode()
    yield whole.replace("<Product>", "text &amp; <![CDATA[x]]></Foo><Product>", 1).encode()
    yield whole.replace("<ONIXMessage", "<ONIXMESAGE", 1).encode()


def _strangers(plain: str) -> Iterator[bytes]:
    yield plain.encode()
    yield _RECORD.format("r1", _BLOCK).encode()
    yield f"<ONIXMessage>{_RECORD.format('r1', _BLOCK)}</ONIXMessage>".encode()
    yield b"<ONIXMessage><Product><RecordReference>r1</RecordReference><Title/></Product></ONIXMessage>"
    yield _message(_OLD_HEADER + plain, namespace="", release="2.1").encode()
    yield b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><input type='password'></body></html>"
    yield b"<ONIXMessageAcknowledgement release='3.0'/>"
    yield from (b"\x1f\x8b\x08", b"PK\x03\x04", b"{}", b"", b" \n", b"\xff\xfe", b"<", b"<!")
