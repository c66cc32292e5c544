"""What surrounds the records of a message: its encoding, its root, its header, and how all these may be spelled.

Names are matched by their local part in any namespace or none: real feeds have wrong hosts, prefixes, and both tag styles in
one message (reference/onix.md 2.1, 2.17).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from lxml import etree

from syncengine.domain.frame import Context, MessageHeader, TagStyle
from syncengine.domain.passes import Noted, WarningKind
from syncengine.domain.rows import Rows
from syncengine.errors import NotOnix
from syncengine.onix.dialect import reference_name
from syncengine.onix.encoding import BLANKS, decode_text, is_encoded, is_text, plain_text, strip_blanks
from syncengine.onix.markup import PASSED, Reader, Tag, Window
from syncengine.onix.release2 import DEFAULTS, MARK, RELEASE
from syncengine.onix.repair import local_name
from syncengine.onix.vocabulary import ONIX, Vocabulary

_HTML_NAMES: Final = frozenset(
    {b"html", b"head", b"body", b"title", b"meta", b"script", b"div", b"form", b"center", b"h1", b"p"}
)
_HTML_EXCERPT: Final = 16_384
"""How much of an HTML page is looked at to say what it is."""

_HTML_DOCTYPE: Final = re.compile(rb"<!DOCTYPE[ \t\r\n]+html\b", re.IGNORECASE)
_DOCTYPE_TOKENS: Final = (re.compile(rb"<!--|<\?|[\"'\[\]>]"), 4)
_EXCERPT: Final = 40
_LOGIN: Final = re.compile(rb"type\s*=\s*[\"']?password|\blog[ -]?in\b|\bsign[ -]?in\b|\bs?sologin\b", re.IGNORECASE)
_TITLE: Final = re.compile(rb"<title[^<>]*>([^<]*)<", re.IGNORECASE)
_NAMESPACES_KEPT: Final = 32
_LONGEST_URI: Final = 1024
_NAMED_RELEASE: Final = re.compile(r"onix/(?:[a-z]+/)*(\d+(?:\.\d+)*)", re.IGNORECASE)
_SIGNATURES: Final = (
    (b"\x1f\x8b", "gzip data"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x28\xb5\x2f\xfd", "zstandard data"),
    (b"BZh", "bzip2 data"),
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"{", "JSON"),
    (b"[", "JSON"),
)
_BLOCKS: Final = re.compile(
    PASSED + rb"|<(?:[^ \t\r\n<>/:]+:)?"
    rb"(?:(?:Descriptive|Collateral|Promotion|Content|Publishing|Production)Detail|RelatedMaterial|ProductSupply"
    rb"|(?:descriptive|collateral|promotion|content|publishing|production)detail|relatedmaterial|productsupply)[ \t\r\n/>]",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """The root element, with what can be told from its start tag alone.

    `release` is none where only the content can tell, and empty where the records are rows. A record that is its own root
    (`is_bare`) is wrapped in a root made up for it.
    """

    name: bytes
    style: TagStyle
    release: str | None
    attributes: bytes
    is_bare: bool
    is_empty: bool
    line: int
    warnings: tuple[Noted, ...] = ()

    @property
    def closing(self) -> bytes:
        return b"</" + self.name + b">"

    def is_opened_by(self, tag: Tag) -> bool:
        """Whether a start tag says the same as the root's."""
        return (self.name, self.attributes) == (tag.name, _kept_attributes(tag))

    def opening(self, release: str, more: Mapping[str, str] | None = None) -> bytes:
        """The start tag, with more attributes if there are any; a root that is made up carries the release."""
        said = {**({"release": release} if self.is_bare else {}), **(more or {})}
        spelled = "".join(f" {name}={_quoted(value)}" for name, value in said.items())
        return b"<" + self.name + self.attributes + spelled.encode("ascii", "xmlcharrefreplace") + b">"


def _quoted(value: str) -> str:
    from xml.sax.saxutils import quoteattr

    return quoteattr(value)


def read_root(tag: Tag, *, line: int, words: Vocabulary = ONIX) -> Root:
    """What the root's start tag says. Raises NotOnix for everything that is neither ONIX 3 nor 2, nor such rows as are expected."""
    if words.rows is not None:
        return _root_of_rows(tag, words.rows, line=line)
    _refuse_strangers(tag)
    stated, named = tag.attribute(b"release"), _named_release(tag.namespace)
    for release, where in ((stated, "release"), (named, "namespace")):
        if release and _major(release) not in {"2", "3"}:
            raise _other_release(release, f"by its {where}")
    is_bare = tag.local in words.records
    style = (words.records if is_bare else words.roots).get(tag.local, TagStyle.REFERENCE)
    misspelled = _misspelling(tag) if _is_misspelled(tag) else ()
    return Root(
        name=_root_name(style) if is_bare else tag.name,
        style=style,
        release=_settled_release(stated, named),
        attributes=b"" if is_bare else _kept_attributes(tag),
        is_bare=is_bare,
        is_empty=tag.is_empty and not is_bare,
        line=line,
        warnings=(*misspelled, *_release_warnings(stated, named, is_bare=is_bare)),
    )


def _root_of_rows(tag: Tag, rows: Rows, *, line: int) -> Root:
    _refuse_broken(tag)
    if tag.local != rows.root.encode():
        raise _other_root(tag, rows.root)
    return Root(
        name=tag.name,
        style=TagStyle.REFERENCE,
        release="",
        attributes=_kept_attributes(tag),
        is_bare=False,
        is_empty=tag.is_empty,
        line=line,
    )


def release_of_content(record: bytes | bytearray, *, is_no_product: bool) -> str:
    """The release where the root does not tell: blocks and NoProduct exist since 3.0 (reference/onix.md 2.16)."""
    if is_no_product or any(found["passed"] is None for found in _BLOCKS.finditer(record)):
        return "3.0"
    return RELEASE


def build_context(
    root: Root,
    *,
    release: str,
    encoding: str,
    header: HeaderReading,
    container: Tag | None = None,
    rows: Rows | None = None,
) -> Context:
    """The context of a message's records, which may stand in a container below the root."""
    opening = root.opening(release, {MARK: RELEASE, **header.defaults} if release == RELEASE else None)
    closing = root.closing
    if container is not None:
        opening += b"<" + container.name + _kept_attributes(container) + b">"
        closing = b"</" + container.name + b">" + closing
    return Context(
        encoding=encoding,
        release=release,
        style=root.style,
        opening=f'<?xml version="1.0" encoding="{encoding}"?>'.encode() + opening,
        closing=closing,
        header=header.header,
        rows=rows,
    )


class Prolog(Reader):
    """Reads up to the root: declaration, comments and a DOCTYPE are passed over, never kept and never followed.

    Afterwards the window stands behind the root's start tag, or at the only record of a message without one.
    """

    def __init__(self, window: Window, words: Vocabulary = ONIX) -> None:
        super().__init__(window, self._before_root)
        self.root: Root | None = None
        self._words = words
        self._is_in_subset = False
        self._is_blank = True

    def end(self) -> NotOnix:
        """The error for input that ended here."""
        if self._is_blank and not self.end_inside():
            return not_xml(b"")
        inside = self.end_inside()
        where = f"inside {inside}, before the root element" if inside else "before the root element"
        return NotOnix(f"the message ends {where}", hint="fetch it again; if it is still so, ask the sender")

    def _before_root(self) -> bool:
        opener = self.opener()
        self._is_blank = self._is_blank and opener is None
        match opener:
            case None:
                return False
            case b"<!--" | b"<?":
                return self.pass_over(opener, self._before_root)
            case b"<":
                return self._start_root()
            case _ if opener.startswith(b"<!"):
                return self._start_doctype()
            case _:
                return self._refuse()

    def _refuse(self) -> bool:
        window = self.window
        end = window.position + _EXCERPT
        if len(window.buffer) < end and not window.ended:
            return window.wait_for(end)
        raise not_xml(bytes(window.buffer[window.position : end]))

    def _start_root(self) -> bool:
        tag = self.tag()
        if tag is None:
            return False
        if tag.local.lower() in _HTML_NAMES:
            return self.enter(self._in_html, "an HTML page")
        self.root = read_root(tag, line=self.window.line(tag.start), words=self._words)
        self.window.position = tag.start if self.root.is_bare else tag.end
        return self.enter(self._behind_root)

    def _behind_root(self) -> bool:
        return False

    def _start_doctype(self) -> bool:
        window = self.window
        head = bytes(window.buffer[window.position : window.position + _EXCERPT])
        if len(head) < _EXCERPT and b">" not in head and not window.ended:
            return False
        if not head.upper().startswith(b"<!DOCTYPE"):
            return self._refuse()
        if _HTML_DOCTYPE.match(head):
            return self.enter(self._in_html, "an HTML page")
        self._is_in_subset = False
        return self.enter_walk(self._in_doctype, window.position + len(b"<!DOCTYPE"), _DOCTYPE_TOKENS, "the DOCTYPE")

    def _in_doctype(self) -> bool:
        window = self.window
        while found := self.walk.next(window.buffer):
            if found[0] != b">":
                self._is_in_subset = found[0] == b"["
            elif not self._is_in_subset:
                window.position = found.end()
                return self.enter(self._before_root)
        window.position = self.walk.at
        return False

    def _in_html(self) -> bool:
        window = self.window
        end = window.position + _HTML_EXCERPT
        if len(window.buffer) < end and not window.ended:
            return window.wait_for(end)
        raise html_page(bytes(window.buffer[window.position : end]), self._words.message)


def html_page(page: bytes, expected: str) -> NotOnix:
    """The error for an HTML page, from its first bytes, where something else was expected."""
    title = _TITLE.search(page)
    named = f" with the title {plain_text(title[1], 'utf-8')[:80]!r}" if title else ""
    if _LOGIN.search(page):
        return NotOnix(
            f"an HTML page{named} instead of {expected}; it looks like a login page",
            hint="the session or the credentials of this source have expired; renew them",
        )
    return NotOnix(
        f"an HTML page{named} instead of {expected}",
        hint="open the address of this source in a browser and see what it says",
    )


def not_xml(head: bytes) -> NotOnix:
    """The error for a message that does not begin with a tag, from its first bytes."""
    if not head.strip(BLANKS):
        return NotOnix("the message is empty", hint="ask the sender for the file, or fetch it again")
    found = next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)
    if found is None:
        found = f"text that begins with {head[:20].decode('ascii', 'replace')!r}" if is_text(head) else "binary data"
    return NotOnix(f"no XML but {found}", hint="check the path or address of this source, and how its files are packed")


def _refuse_broken(tag: Tag) -> None:
    if tag.is_broken:
        raise NotOnix(
            f"the start tag of the root <{_shown(tag.name)}> is broken", hint="ask the sender for a correct file"
        )


def _other_root(tag: Tag, expected: str) -> NotOnix:
    namespace = f" ({tag.namespace})" if tag.namespace else ""
    return NotOnix(
        f"the root element is <{_shown(tag.name)}>{namespace}, not <{expected}>",
        hint="check the path or address of this source",
    )


def _refuse_strangers(tag: Tag) -> None:
    _refuse_broken(tag)
    if tag.local.lower().startswith(b"onixmessageack") or "acknowledgement" in tag.namespace.lower():
        raise NotOnix(
            "an ONIX acknowledgement, not a message with products",
            hint="acknowledgements answer messages that were sent; take them out of this source's path",
        )
    if tag.local not in ONIX.roots and tag.local not in ONIX.records and not _is_misspelled(tag):
        raise _other_root(tag, "ONIXMessage")


def _is_misspelled(tag: Tag) -> bool:
    """Whether a root that is not spelled as it should be says by its release that it is meant as one."""
    is_strange = tag.local not in ONIX.roots and tag.local not in ONIX.records
    return is_strange and tag.local.lower().startswith(b"onix") and _major(tag.attribute(b"release")) in {"2", "3"}


def _misspelling(tag: Tag) -> tuple[Noted]:
    return (Noted(WarningKind.ROOT, f"the root element is <{_shown(tag.name)}>; read as <ONIXMessage>"),)


def _shown(name: bytes) -> str:
    return name[:60].decode("utf-8", "replace")


def _named_release(namespace: str) -> str:
    named = _NAMED_RELEASE.search(namespace)
    return named[1] if named else ""


def _other_release(release: str, how: str) -> NotOnix:
    return NotOnix(
        f"this is ONIX {release} ({how}); only ONIX 2.1, 3.0 and 3.1 are read",
        hint="ask the sender for ONIX 3.0 or 3.1",
    )


def _major(release: str) -> str:
    return release.lstrip("0").partition(".")[0]


def _settled_release(stated: str, named: str) -> str | None:
    """What root and namespace say together; none where they say nothing, or 2 and 3 at once."""
    if stated and named and _major(stated) != _major(named):
        return None
    release = stated or named
    return RELEASE if _major(release) == "2" else release.lstrip("0") or None


def _release_warnings(stated: str, named: str, *, is_bare: bool) -> Iterator[Noted]:
    if is_bare:
        yield Noted(WarningKind.ROOT, "a single record without a message around it")
    elif not stated and named:
        yield Noted(WarningKind.RELEASE, f"the root has no release; {named} by its namespace")
    elif stated and named and stated != named:
        yield Noted(WarningKind.RELEASE, f"the root's release is {stated}, its namespace that of {named}")
    elif _major(stated) == "2" and stated != RELEASE:
        yield Noted(WarningKind.RELEASE, f"the root's release is {stated}; read as {RELEASE}")


def _root_name(style: TagStyle) -> bytes:
    return next(name for name, spelled in ONIX.roots.items() if spelled is style)


def _kept_attributes(tag: Tag) -> bytes:
    """Release and namespaces, as written, each once; of very many or very long ones only the first.

    Others (a schema's location, a link to the next page) mean nothing for records but change from message to message, and so
    would every fingerprint. A namespace that is no URI makes the parser refuse the whole document. What is kept is parsed
    again with every record, and a prefix that nobody declared does no harm there.
    """
    once: dict[bytes, bytes] = {}
    for name, quoted in tag.attributes:
        once.setdefault(name, quoted)
    namespaces = (name for name, quoted in once.items() if _is_namespace(name, quoted))
    kept = {b"release", *islice(namespaces, _NAMESPACES_KEPT)}
    return b"".join(b" " + name + b"=" + quoted for name, quoted in once.items() if name in kept)


def _is_namespace(name: bytes, quoted: bytes) -> bool:
    return name.partition(b":")[0] == b"xmlns" and len(quoted) <= _LONGEST_URI and not re.search(rb"[ \t\r\n]", quoted)


_HEADER_FIELDS: Final = {
    "MessageNumber": "number",
    "MessageRepeat": "repeat",
    "SentDateTime": "sent_at_text",
    "SentDate": "sent_at_text",
    "DefaultLanguageOfText": "default_language",
    "DefaultPriceType": "default_price_type",
    "DefaultPriceTypeCode": "default_price_type",
    "DefaultCurrencyCode": "default_currency",
}


_SENT_DATE: Final = re.compile(r"^([0-9]{8})([0-9]{4}(?:[0-9]{2})?)$")
"""Day and time of day in release 2, between which ONIX 3 has a T."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderReading:
    """A header, what else records of release 2 take from it, and what was wrong with its bytes, if anything."""

    header: MessageHeader = field(default_factory=MessageHeader)
    defaults: Mapping[str, str] = field(default_factory=dict)
    says: str | None = None

    @property
    def meaning(self) -> tuple[object, ...]:
        """What records mean by it: two headers that say the same here may stand for each other."""
        header = self.header
        return header.default_price_type, header.default_currency, header.default_language, dict(self.defaults)


def read_header(root: Root, raw: bytes, encoding: str, rows: Rows | None = None) -> HeaderReading:
    """What the header's bytes say; before rows nothing but when it was sent."""
    document = decode_text(root.opening("3.0") + raw + root.closing, encoding).encode()
    tree = None
    says = None if is_encoded(raw, encoding) else f"the header is not {encoding}; read as windows-1252"
    try:
        tree = etree.fromstring(document, _parser(recover=False))
    except etree.XMLSyntaxError as error:
        says = f"the header is not well-formed ({error.msg}); read as far as possible"
        tree = etree.fromstring(document, _parser(recover=True))
    if tree is None:
        return HeaderReading(says=says)
    if rows is not None:
        texts = (text for name, text in _spelled_texts(tree) if name == rows.sent_at and text)
        return HeaderReading(header=MessageHeader(sent_at_text=next(texts, None)), says=says)
    defaults = {name: text for name, text in _named_texts(tree) if name in DEFAULTS and text}
    return HeaderReading(header=_header_fields(tree), defaults=defaults, says=says)


def _parser(*, recover: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8", recover=recover, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )


def _header_fields(tree: etree._Element) -> MessageHeader:
    found: dict[str, str] = {}
    for name, text in _named_texts(tree):
        if name in _HEADER_FIELDS and text:
            found.setdefault(_HEADER_FIELDS[name], _SENT_DATE.sub(r"\1T\2", text) if name == "SentDate" else text)
    return MessageHeader(sender=_sender(tree), **found)


def _sender(tree: etree._Element) -> str | None:
    """The sender's name, else the value of its first identifier; in release 2 both stand in the header itself."""
    if (sender := _composite(tree, "Sender")) is not None:
        return _first_text(sender, "SenderName", "IDValue")
    identifier = _composite(tree, "SenderIdentifier")
    number = _first_text(identifier, "IDValue") if identifier is not None else None
    return _first_text(tree, "FromCompany") or number or _first_text(tree, "FromEANNumber", "FromSAN", "FromPerson")


def _composite(tree: etree._Element, name: str) -> etree._Element | None:
    return next((element for element in tree.iter("*") if reference_name(str(element.tag)) == name), None)


def _first_text(tree: etree._Element, *names: str) -> str | None:
    texts = [(name, text) for name, text in _named_texts(tree) if text]
    return next((text for wanted in names for name, text in texts if name == wanted), None)


def _named_texts(tree: etree._Element) -> Iterator[tuple[str, str]]:
    """The text of every element by its reference name."""
    return ((reference_name(name), text) for name, text in _spelled_texts(tree))


def _spelled_texts(tree: etree._Element) -> Iterator[tuple[str, str]]:
    """The same by the local name as it is spelled."""
    for element in tree.iter("*"):
        yield local_name(str(element.tag)), strip_blanks("".join(str(part) for part in element.itertext()))
