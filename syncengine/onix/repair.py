"""From the bytes of one record to an XML tree, whatever the record's sender did wrong (reference/onix.md 2.17).

A record is parsed as it stands first; only what the parser refuses is repaired, since a repair reads every character.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from html.entities import html5

from lxml import etree

from syncengine.domain.passes import Noted, WarningKind
from syncengine.errors import RecordInvalid

_DECLARATION = re.compile(rb"\s*<\?xml\b(?:[^?]|\?(?!>))*\?>")
_ENCODING = re.compile(rb"""encoding\s*=\s*["']([A-Za-z][\w.:-]*)["']""")
_C1_BYTES = re.compile(rb"[\x80-\x9f]")
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
# What is left alone comes first; an unclosed comment or section runs to the end, so that the search stays linear.
_REFERENCE = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[.*?(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|&(?:(#[0-9]{1,10}|#x[0-9A-Fa-f]{1,8}|[A-Za-z][A-Za-z0-9]{0,31});)?",
    re.DOTALL,
)
_PREDEFINED = frozenset(["amp", "lt", "gt", "quot", "apos"])
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"})
_FALLBACK = "onix-windows-1252"


def _parser_that(*, recovers: bool) -> etree.XMLParser:
    """No network, no unbounded text or depth, no comments; entities are left to the default, which bounds their growth."""
    return etree.XMLParser(
        recover=recovers, no_network=True, huge_tree=False, remove_comments=True, remove_pis=True, collect_ids=False
    )


class _Deaf:
    """Hears nothing of what is parsed."""

    def close(self) -> None:
        """Give nothing at the end."""


_PARSER = _parser_that(recovers=False)
_VERIFIER = etree.XMLParser(target=_Deaf(), no_network=True, huge_tree=False, collect_ids=False)  # type: ignore[arg-type]  # every handler is optional


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """The root of a record's document, and what had to be done to its bytes."""

    root: etree._Element
    warnings: tuple[Noted, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrapper:
    """What stands around a record: its opening on one line, so that the record's first line is line 1, and its codec."""

    label: str
    codec: str
    opening: bytes
    bare_opening: str
    closing: bytes


def repair(opening: bytes, body: bytes, closing: bytes) -> Repaired:
    """Parse one record inside its wrapper; raises RecordInvalid, with line and column within the record, where nothing helps."""
    wrapper = wrapper_of(opening, closing)
    plain = tree(body, wrapper)
    if plain is not None:
        return Repaired(root=plain)
    text, warnings = _decode(body, wrapper)
    text = _without_control_characters(text, warnings)
    text = _with_known_references(text, warnings)
    document = "".join((wrapper.bare_opening, text, wrapper.closing.decode(wrapper.codec, "replace")))
    try:
        root = _parse_any_namespace(document.encode("utf-8", "replace"), warnings)
    except etree.XMLSyntaxError as error:
        raise RecordInvalid(_reason(error, len(wrapper.bare_opening.encode()))) from error
    unsaid = Noted(WarningKind.ENCODING, f"{wrapper.label} read as {wrapper.codec}")
    return Repaired(root=root, warnings=tuple(warnings) or (unsaid,))


def tree(body: bytes, wrapper: Wrapper) -> etree._Element | None:
    """The root of a record's document as it stands; none where it needs a repair."""
    if is_windows_1252(body, wrapper):
        return None
    try:
        return etree.fromstring(wrapper.opening + body + wrapper.closing, _PARSER)
    except etree.XMLSyntaxError:
        return None


def is_well_formed(body: bytes, wrapper: Wrapper) -> bool:
    """Whether the parser has nothing to complain of in a record; at twice the speed of parsing, since it builds no tree.

    For one thread of a process: what was complained of is kept in the parser.
    """
    try:
        etree.fromstring(wrapper.opening + body + wrapper.closing, _VERIFIER)
    except etree.XMLSyntaxError:
        return False
    return not len(_VERIFIER.error_log)


def mended(opening: bytes, body: bytes, closing: bytes) -> bytes:
    """One record as a whole, well-formed document: its bytes as they stand, or repaired and spelled in ASCII.

    For readers that know no repairs; what was repaired has no namespaces. ASCII suits every declared encoding, so that a part
    of it can go back into its message. Raises RecordInvalid.
    """
    found = repair(opening, body, closing)
    if not found.warnings:
        return opening.lstrip() + body + closing
    for node in found.root.iter():
        node.tag = local_name(node.tag)
        for name in [str(name) for name in node.attrib]:
            if local_name(name) != name:
                del node.attrib[name]
    etree.cleanup_namespaces(found.root)
    return etree.tostring(found.root, encoding="us-ascii", xml_declaration=True)


def local_name(name: str) -> str:
    """A name without its namespace, be that in braces or a prefix that nobody declared."""
    return name[max(name.rfind("}"), name.rfind(":")) + 1 :]


def _parse_any_namespace(document: bytes, warnings: list[Noted]) -> etree._Element:
    """Parse; wrong or missing namespace declarations, which only names hang on, do no harm. Raises XMLSyntaxError."""
    try:
        return etree.fromstring(document, _PARSER)
    except etree.XMLSyntaxError:
        lenient = _parser_that(recovers=True)
        root = etree.fromstring(document, lenient)
        if root is None or any(entry.domain != etree.ErrorDomains.NAMESPACE for entry in lenient.error_log):
            raise
    warnings.append(Noted(WarningKind.NAMESPACE, "namespaces misdeclared; elements read by their local names"))
    return root


@lru_cache(maxsize=64)
def wrapper_of(opening: bytes, closing: bytes) -> Wrapper:
    """What stands around the records of a message, as the parser is to see it."""
    flat = opening.replace(b"\r", b" ").replace(b"\n", b" ")
    declaration = _DECLARATION.match(flat)
    label = _ENCODING.search(declaration[0]) if declaration else None
    encoding = label[1].decode("ascii") if label else "UTF-8"
    try:
        codec = codecs.lookup(encoding).name
    except LookupError:
        codec = "utf-8"
    bare = flat[declaration.end() :] if declaration else flat
    return Wrapper(
        label=encoding,
        codec=codec,
        opening=flat.lstrip(),
        bare_opening=bare.lstrip().decode(codec, "replace"),
        closing=closing,
    )


def is_windows_1252(body: bytes, wrapper: Wrapper) -> bool:
    """Whether bytes that ISO 8859-1 has no characters for stand under its label."""
    return wrapper.codec == "iso8859-1" and not body.isascii() and _C1_BYTES.search(body) is not None


def _decode(body: bytes, wrapper: Wrapper) -> tuple[str, list[Noted]]:
    if is_windows_1252(body, wrapper):
        says = f"bytes 0x80 to 0x9F under {wrapper.label} read as windows-1252"
        return body.decode("cp1252", "replace"), [Noted(WarningKind.ENCODING, says)]
    try:
        return body.decode(wrapper.codec), []
    except UnicodeDecodeError:
        says = f"bytes that are not {wrapper.label} read as windows-1252"
        return _decode_mislabelled(body), [Noted(WarningKind.ENCODING, says)]


def _decode_mislabelled(body: bytes) -> str:
    """Read as UTF-8 with stray bytes of windows-1252 where UTF-8 prevails, else wholly as windows-1252."""
    valid = body.decode("utf-8", "ignore")
    stray_count = len(body.decode("utf-8", "surrogateescape")) - len(valid)
    wide_count = sum(not character.isascii() for character in valid)
    return body.decode("utf-8", _FALLBACK) if wide_count >= stray_count else body.decode("cp1252", "replace")


def _read_stray(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error(_FALLBACK, _read_stray)


def _without_control_characters(text: str, warnings: list[Noted]) -> str:
    cleaned, count = _NOT_XML.subn("", text)
    if count:
        says = f"{count} control {'character' if count == 1 else 'characters'} dropped"
        warnings.append(Noted(WarningKind.CONTROL_CHARACTERS, says))
    return cleaned


def _with_known_references(text: str, warnings: list[Noted]) -> str:
    """Resolve the named entities of HTML, spell unknown ones and stray ampersands out, drop references to no character."""
    done: Counter[str] = Counter()

    def replace(match: re.Match[str]) -> str:
        found, name = match[0], match[1]
        if found[0] == "<" or name in _PREDEFINED:
            return found
        if name is None:
            done["stray & kept as text"] += 1
            return "&amp;"
        if name.startswith("#"):
            if _is_character(name):
                return found
            done[f"{found} dropped"] += 1
            return ""
        if character := html5.get(f"{name};"):
            done[f"{found} resolved"] += 1
            return character.translate(_ESCAPES)
        done[f"{found} kept as text"] += 1
        return f"&amp;{name};"

    resolved = _REFERENCE.sub(replace, text)
    sentences = (f"{what} ({count} times)" if count > 1 else what for what, count in done.items())
    warnings.extend(Noted(WarningKind.ENTITIES, says) for says in sentences)
    return resolved


def _is_character(name: str) -> bool:
    number = int(name[2:], 16) if name[1] == "x" else int(name[1:])
    return number in (9, 10, 13) or (32 <= number <= 0x10FFFF and not _NOT_XML.match(chr(number)))


def _reason(error: etree.XMLSyntaxError, column_offset: int) -> str:
    line, column = error.position
    if line == 1:
        column = max(column - column_offset, 0)
    said = re.sub(r", line \d+, column \d+(?: \(.*\))?$", "", error.msg or "not well-formed")
    return f"not well-formed XML: {said}, line {line}, column {column} of the record"
