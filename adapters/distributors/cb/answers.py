"""What CB's services answer, as JSON or XML: named values, messages beside them, and nothing that opens a customer's file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import orjson
from lxml import etree

from syncengine.domain.delivery import Receipt

_LINK = re.compile(rb"(https?:(?:\\?/){2})(?:[^\s\"'<>/\\?#@]*+@)?([^\s\"'<>/\\?#@]++)[^\s\"'<>]*", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]{3}-\d{3,5}")
_CODE_NAMES = frozenset({"messagecode", "errorcode", "code", "error"})
_TYPE_NAMES = frozenset({"messagetype", "type"})
_INFORMATION = "I"
_HTML_OPENINGS = (b"<!doctype html", b"<html", b"<head", b"<body")
_DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A body, read: its groups are objects or elements with the plain values directly in them, outermost first.

    `errors` are the codes of messages that are no mere information: those may stand beside a good answer (contract cb 8.2).
    `is_understood` tells that the body is JSON or XML at all.
    """

    groups: tuple[Mapping[str, str], ...] = ()
    errors: tuple[str, ...] = ()
    is_understood: bool = False

    def text(self, name: str) -> str:
        """The first value of that name; empty where there is none."""
        return next((group[name] for group in self.groups if group.get(name)), "")

    def texts(self, name: str) -> tuple[str, ...]:
        """Every value of that name: a product may be delivered in several parts (contract cb 8.4)."""
        return tuple(group[name] for group in self.groups if group.get(name))


def read(body: bytes) -> Answer:
    """The answer in the body; a page for people, and what is cut short, is not understood."""
    tree = None if is_html(body) else _tree(body)
    if tree is None:
        return Answer()
    groups = tuple(_groups(tree))
    return Answer(groups=groups, errors=tuple(dict.fromkeys(_errors(groups))), is_understood=True)


def without_links(receipt: Receipt) -> Receipt:
    """The receipt with every link cut after its host, for links are secrets and receipts are kept (contract cb 6)."""
    body = _LINK.sub(rb"\1\2/", receipt.body)
    return receipt if body == receipt.body else replace(receipt, body=body)


def is_html(body: bytes) -> bool:
    """Whether it is a page for people: a login form, a proxy's error."""
    return body[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_HTML_OPENINGS)


def _tree(body: bytes) -> object:
    """The body as nested mappings and lists; none where it is neither JSON nor XML."""
    if body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        try:
            root = etree.fromstring(body, etree.XMLParser(no_network=True, resolve_entities=False, huge_tree=False))
        except (etree.XMLSyntaxError, ValueError):
            return None
        return _of_element(root, _DEEPEST)
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None


def _of_element(element: etree._Element, depth: int) -> dict[str, list[object]]:
    """An element as JSON would have it: its children by name, each name a list."""
    children: dict[str, list[object]] = {}
    for child in element.iterchildren(etree.Element) if depth else ():
        value = _of_element(child, depth - 1) if len(child) else (child.text or "").strip()
        children.setdefault(etree.QName(child).localname, []).append(value)
    return children


def _groups(tree: object, depth: int = _DEEPEST) -> Iterator[Mapping[str, str]]:
    """Each object's plain values; of a name with several values each but the first is a group of its own."""
    if depth == 0:
        return
    if isinstance(tree, list):
        for value in tree:
            yield from _groups(value, depth - 1)
    elif isinstance(tree, dict):
        values = {name: value if isinstance(value, list) else [value] for name, value in tree.items()}
        plain = {name: [_plain(each) for each in found if _is_plain(each)] for name, found in values.items()}
        yield {name: found[0] for name, found in plain.items() if found}
        yield from ({name: other} for name, found in plain.items() for other in found[1:])
        for found in values.values():
            yield from _groups(found, depth - 1)


def _errors(groups: tuple[Mapping[str, str], ...]) -> Iterator[str]:
    for group in groups:
        lowered = {name.lower(): text.strip() for name, text in group.items()}
        if any(lowered.get(name, "").upper() == _INFORMATION for name in _TYPE_NAMES):
            continue
        yield from (lowered[name] for name in sorted(_CODE_NAMES & lowered.keys()) if _CODE.fullmatch(lowered[name]))


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
