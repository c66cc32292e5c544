"""Any bytes around the records of a message: as all of it, as the inside of its header, as the attributes of its root."""

from __future__ import annotations

from lxml import etree

from syncengine.domain.frame import MessageHeader
from syncengine.domain.tags import REFERENCE_NAMES, RELEASE_2_NAMES
from syncengine.onix.encoding import strip_blanks
from tests.fuzz.fuzz_framing import check_same_however_cut, is_flat, is_surely_onix, tree_of
from tests.property.readings import RECORDS, Reading, local_name, read

_RECORD = b"<Product><RecordReference>r1</RecordReference><PublishingDetail/></Product>"
_AROUND = {
    b"h": (b'<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0"><Header>', b"</Header>"),
    b"r": (b"<ONIXMessage ", b">"),
}
"""By the first byte of the input, what its rest stands between; any other byte belongs to a whole message."""

_FIELDS = {
    "MessageNumber": "number",
    "MessageRepeat": "repeat",
    "SentDateTime": "sent_at_text",
    "SentDate": "sent_at_text",
    "DefaultLanguageOfText": "default_language",
    "DefaultPriceType": "default_price_type",
    "DefaultPriceTypeCode": "default_price_type",
    "DefaultCurrencyCode": "default_currency",
}
_SENDERS = ("FromCompany", "SenderIdentifier", "FromEANNumber", "FromSAN", "FromPerson")
"""Who sends a message of release 2, the best first."""

_NAMES = {**RELEASE_2_NAMES, **REFERENCE_NAMES}
_HEADERS = frozenset({"Header", "header"})


def check(content: bytes) -> None:
    """Raise AssertionError where root, header or encoding are not read as a full parse reads them."""
    message = message_of(content)
    whole = read([message])
    check_same_however_cut(message, whole)
    root = tree_of(message)
    if root is None or not is_flat(root):
        return
    if whole.refused is not None:
        assert not is_surely_onix(root), whole.refused
        return
    assert whole.context is not None
    _check_root(root, whole)
    if (header := _header_of(root)) is None or _is_plain(header):
        assert _fields_of(header) == whole.context.header


def message_of(content: bytes) -> bytes:
    """The input in the place it is meant for."""
    if content[:1] not in _AROUND:
        return content
    before, behind = _AROUND[content[:1]]
    return before + content[1:] + behind + _RECORD + b"</ONIXMessage>"


def _check_root(root: etree._Element, whole: Reading) -> None:
    """What records are wrapped in has the root's name, release and namespaces, and tells one of release 2."""
    context = whole.context
    assert context is not None
    wrapper = etree.fromstring(context.opening + context.closing)
    assert (root.tag, root.nsmap) == (wrapper.tag, wrapper.nsmap)
    assert root.get("release") == wrapper.get("release")
    if (stated := root.get("release")) in {"3.0", "3.1"} and "2" not in (root.nsmap.get(root.prefix) or ""):
        assert stated == context.release
    assert (context.release == "2.1") is (wrapper.get("read-as") == "2.1")


def _header_of(root: etree._Element) -> etree._Element | None:
    """The first header before the first record."""
    for child in root.iterchildren("*"):
        if local_name(child) in _HEADERS:
            return child
        if local_name(child) in RECORDS:
            break
    return None


def _is_plain(header: etree._Element) -> bool:
    """Whether what is read from a header stands at its proper place only."""
    inner = [element for child in header.iterchildren("*") for element in child.iterdescendants("*")]
    proper = {*_FIELDS, *_SENDERS, "Sender", "Header"}
    if _composite(header, "Sender") is not None:
        proper.remove("SenderIdentifier")
    return all(_name(element) not in proper for element in inner) and not any(map(_is_header, header.iterchildren("*")))


def _is_header(element: etree._Element) -> bool:
    return local_name(element) in _HEADERS


def _fields_of(header: etree._Element | None) -> MessageHeader:
    if header is None:
        return MessageHeader()
    found: dict[str, str] = {}
    for child in header.iterchildren("*"):
        if _name(child) in _FIELDS and (text := _text(child)):
            found.setdefault(_FIELDS[_name(child)], text)
    return MessageHeader(sender=_sender_of(header), **found)


def _sender_of(header: etree._Element) -> str | None:
    if (sender := _composite(header, "Sender")) is not None:
        return _first(sender, "SenderName") or _first(sender, "IDValue")
    identifier = _composite(header, "SenderIdentifier")
    number = None if identifier is None else _first(identifier, "IDValue")
    said = {name: _first(header, name) for name in _SENDERS} | {"SenderIdentifier": number}
    return next((said[name] for name in _SENDERS if said[name]), None)


def _composite(header: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in header.iterchildren("*") if _name(child) == name), None)


def _first(element: etree._Element, name: str) -> str | None:
    """The first text of that name that says something."""
    texts = (_text(inner) for inner in element.iterdescendants("*") if _name(inner) == name)
    return next(filter(None, texts), None)


def _name(element: etree._Element) -> str:
    return _NAMES.get(local_name(element), local_name(element))


def _text(element: etree._Element) -> str:
    return strip_blanks("".join(str(part) for part in element.itertext()))
