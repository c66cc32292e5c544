"""Generated messages: everything that well-formed XML allows between and inside records, in every encoding that is sent."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from hypothesis import strategies as st

_BLANK = st.sampled_from(["", "", " ", "\n", "\r\n\t", "  \n \n"])
_PASSED = st.sampled_from(
    [
        "<!-- plain -->",
        "<!--</Product><product>-->",
        "<!-- <RecordReference>no</RecordReference> -->",
        "<!-- </ONIXMessage> ' \" -->",
        "<?pi </Product> ?>",
        "<?pi <![CDATA[ ?>",
        "<?x?>",
        "<!---->",
    ]
)
_ATTRIBUTES = st.sampled_from(
    ["", "", ' datestamp="2026"', " a='/>' ", " a='&lt;/Product>'", " a='>\"' b=\"'>\"", "\n\ta = '&lt;!--'\n"]
)
_TEXT = st.text("abc \n\u00e9\u20ac&<>]-'\"", max_size=12)
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_CONTENT = st.lists(
    st.one_of(
        _PASSED,
        st.sampled_from(
            [
                "<T><![CDATA[</Product>]]></T>",
                "<T><![CDATA[]]></T>",
                "<T><![CDATA[ ]] > <b> ]]]]></T>",
                "<T><![CDATA[<!-- ]]>--&gt;<![CDATA[ </product> ]]></T>",
                "<T><![CDATA[<?x ]]>?&gt;</T>",
                "<ProductIdentifier>\n<IDValue>978</IDValue></ProductIdentifier>",
                "<productidentifier><b244>978</b244></productidentifier>",
                "<ProductForm a='>' b=\"&lt;\"/>",
                "<Products/><ProductX></ProductX\n>",
                "<T>\u00e9 &amp; &#233; &#x1F4D6; &quot;</T>",
                "<T/>",
            ]
        ),
        _TEXT.map(lambda text: f"<T>{text.translate(_ESCAPES)}</T>"),
    ),
    max_size=5,
).map("".join)
_REFERENCES = st.sampled_from(
    [
        *("1", "1", "1", "2", "2", "3", "4", "5", "6", "\u00e9", "\u200b1", "9 8", "", ""),
        *("a&amp;b", "a&#38;b", "a&#x26;b", "<![CDATA[a&b]]>", "&lt;1&gt;", "&#233;", "&#x31;", "&#50;"),
        *("<![CDATA[3]]>", "<![CDATA[<4>]]>", "7<!-- x -->", "<!-- </a001> -->7", "<?x?>7", "<![CDATA[]]>7"),
    ]
)
_NAMESPACES = st.sampled_from(
    [
        "http://ns.editeur.org/onix/3.0/reference",
        "http://ns.editeur.org/onix/3.1/short",
        "http://www.editeur.org/onix/3.0/reference",
        "urn:other",
    ]
)
_JUNK = st.sampled_from(["junk", "&#74;unk", "<![CDATA[<Product>]]>", "<Foo><Product/></Foo>"])
"""What belongs to no record and is told as a defect."""

_STRANGERS = st.sampled_from(["<Foo/>", "<Foo><Foo/> x<!-- </Foo> --></Foo>", "<Foo a='>'></Foo>"])
_DECLARATIONS = {
    "utf-8": "UTF-8",
    "utf-8-sig": "utf-8",
    "iso-8859-1": "ISO-8859-1",
    "cp1252": "windows-1252",
    "utf-16": "UTF-16",
    "utf-16-le": "UTF-16LE",
    "utf-16-be": "UTF-16BE",
}


@dataclass(frozen=True)
class Message:
    """A generated message; `is_wide` tells that positions in it are not positions in what is framed."""

    content: bytes
    is_wide: bool
    has_junk: bool


@st.composite
def _records(draw: st.DrawFn, prefixes: list[str]) -> str:
    prefix, other = draw(st.sampled_from(prefixes)), draw(st.sampled_from(prefixes))
    record = draw(st.sampled_from(["Product", "product"]))
    reference = draw(st.sampled_from(["RecordReference", "a001"]))
    if draw(st.integers(0, 9)) == 0:
        return f"<{prefix}{record}{draw(_ATTRIBUTES)}/>"
    blank, before = draw(_BLANK), draw(st.one_of(st.just(""), st.just(""), _PASSED))
    named = f"<{other}{reference}{draw(_ATTRIBUTES)}>{blank}{draw(_REFERENCES)}{draw(_BLANK)}</{other}{reference}>"
    if draw(st.integers(0, 9)) == 0:
        named = draw(st.sampled_from(["", f"<{other}{reference}/>"]))
    code = draw(st.sampled_from(["", "", "03", "04", "04", " 88\n", "05"]))
    element = f"{other}{draw(st.sampled_from(['NotificationType', 'a002']))}"
    inside = f"{before}{blank}{named}{f'<{element}>{code}</{element}>' * bool(code)}{draw(_CONTENT)}"
    return f"<{prefix}{record}{draw(_ATTRIBUTES)}>{inside}</{prefix}{record}{draw(_BLANK)}>"


@st.composite
def _roots(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    """A root's name, its attributes, and the prefixes that its records may have; without a namespace a release is needed."""
    namespace = draw(st.none() | _NAMESPACES)
    prefixes = [""] if namespace is None else draw(st.sampled_from([[""], ["o:"], ["", "o:"]]))
    declared = [f"xmlns{':' * bool(prefix)}{prefix[:-1]}='{namespace}'" for prefix in prefixes if namespace]
    names_release = namespace is not None and "onix/" in namespace and namespace.rpartition("/")[2] == "reference"
    stated = ["release='3.0'", 'release="3.1"', "release='2.1'", *(["datestamp='>'"] if names_release else [])]
    release = draw(st.sampled_from(stated))
    name = draw(st.sampled_from(prefixes)) + draw(st.sampled_from(["ONIXMessage", "ONIXmessage"]))
    return name, draw(st.sampled_from([" ", "\n"])).join(draw(st.permutations([*declared, release]))), prefixes


@st.composite
def messages(draw: st.DrawFn, *, junk: bool = False) -> Message:
    """A complete message of any number of records, with duplicates among them; on demand with junk between."""
    codec = draw(st.sampled_from(["utf-8", "utf-8-sig", "iso-8859-1", "cp1252", "utf-16", "utf-16-le", "utf-16-be"]))
    name, attributes, prefixes = draw(_roots())
    declaration = f'<?xml version="1.0" encoding="{_DECLARATIONS[codec]}"?>{draw(_BLANK)}'
    doctype = draw(st.sampled_from(["", "", "<!DOCTYPE x [<!ENTITY y ']>'> <!-- ' ]> -->]>\n"]))
    between = st.one_of(_BLANK, _PASSED, _STRANGERS, *([_JUNK] if junk else []))
    parts = draw(st.lists(st.one_of(_records(prefixes), _records(prefixes), between), max_size=10))
    if not any("roduct" in part for part in parts) and draw(st.booleans()):
        parts.append(draw(st.sampled_from([f"<{prefixes[0]}NoProduct/>", f"<{prefixes[0]}x507></{prefixes[0]}x507>"])))
    header = draw(st.sampled_from(["", *_headers(prefixes[0])]))
    tail = draw(st.sampled_from(["", "\n", "<!-- end -->\n", " <?end?>"]))
    text = f"{declaration}{doctype}<{name} {attributes}>{header}{''.join(parts)}</{name}{draw(_BLANK)}>{tail}"
    mark = {"utf-16-le": codecs.BOM_UTF16_LE, "utf-16-be": codecs.BOM_UTF16_BE}.get(codec, b"")
    content = draw(st.sampled_from([b"", mark])) + text.encode(codec, "xmlcharrefreplace")
    return Message(content=content, is_wide="16" in codec, has_junk=junk)


def _headers(prefix: str) -> list[str]:
    return [
        f"<{prefix}Header><{prefix}Sender><{prefix}SenderName>\u00e9</{prefix}SenderName></{prefix}Sender></{prefix}Header>",
        f"<{prefix}header><!-- </{prefix}header> --><{prefix}m180><![CDATA[</Product>]]></{prefix}m180></{prefix}header>",
        f"<{prefix}Header/>",
    ]
