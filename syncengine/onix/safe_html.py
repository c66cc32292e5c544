"""Texts of a record as safe HTML and as plain text, whatever their senders call HTML, XHTML or plain.

What `textformat` (list 34) says is often wrong (reference/onix.md 2.17), so it only settles what the text itself leaves open.
Every text that holds markup goes through one sanitiser, whose output alone is trusted.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Final, NamedTuple

import nh3

from syncengine.domain.tags import XHTML_NAMES
from syncengine.onix.element import Element, bare_code

_MARKUP_FORMATS: Final = frozenset(["02", "03", "05"])
_PLAIN_FORMATS: Final = frozenset(["06", "07"])

_BLOCK_NAMES: Final = """
address article aside blockquote center dd div dl dt figcaption figure footer h1 h2 h3 h4 h5 h6 header hr li main ol p pre
section table tbody td tfoot th thead tr ul
"""
_SHOWN_NAMES: Final = """
a abbr b blockquote br caption cite code dd dfn div dl dt em h1 h2 h3 h4 h5 h6 hr i kbd li ol p q rb rp rt ruby s samp small
strong sub sup table tbody td tfoot th thead tr u ul var
"""
_BLOCKS: Final = frozenset(_BLOCK_NAMES.split())
_SHOWN: Final = frozenset(_SHOWN_NAMES.split())
_HIDDEN: Final = frozenset(["script", "style"])
_VOID: Final = frozenset(["br", "col", "hr", "img", "wbr"])
_DEEPEST: Final = 2000
"""Deeper nesting costs the sanitiser time that grows with its square; no text has it."""

_NAMES = "|".join(sorted(XHTML_NAMES | _BLOCKS | _SHOWN | _HIDDEN | {"font"}))
_TAG = re.compile(rf"</?(?:{_NAMES})(?:[\s/][^<>]*)?>", re.IGNORECASE)
_ESCAPED_TAG = re.compile(rf"&lt;/?(?:{_NAMES})(?:[\s/][^<>]*?)?&gt;", re.IGNORECASE)
_LAYOUT_TAG = re.compile(rf"</?(?:br|{'|'.join(sorted(_BLOCKS))})(?:[\s/][^<>]*)?>", re.IGNORECASE)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ANY_TAG = re.compile(r"</?([A-Za-z][\w:.-]*)(?:[\s/][^<>]*)?>")
_STRAY = re.compile(rf"<(?!{_ANY_TAG.pattern[1:]})")

# A reference in HTML can name what XML does not let through, and what makes a terminal do things.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_BLANKS = re.compile(r"[ \t\r\n\f\v]+")
# A run of blanks is looked at from its beginning alone, so that a long one costs no more than its length.
_BLANK_LINES = re.compile(r"(?:(?<![ \t])[ \t]++)?\n(?:[ \t]*+\n)++[ \t]*+")
_LINE_END = re.compile(r"(?:(?<![ \t])[ \t]++)?\n[ \t]*+")
_NO_CHARACTER = re.compile(r"&#(?:[0-9]{8,}|[xX][0-9A-Fa-f]{8,});?")
_SAFE_PARAGRAPH = re.compile(r"</?(?:blockquote|dl|h[2-6]|ol|p|table|ul)>")
_SAFE_LINE = re.compile(r"<br>|<hr>|</?(?:caption|dd|div|dt|li|tr)>")
_SAFE_CELL = re.compile(r"</t[dh]>")
_SAFE_TAG = re.compile(r'<(?:[^<>"]|"[^"]*")*>')

_CLEANER = nh3.Cleaner(
    tags=_SHOWN,
    clean_content_tags=_HIDDEN,
    # Without the star the sanitiser lets its own choice through on every tag.
    attributes={"a": {"href"}, "*": set()},
    link_rel="nofollow noopener",
    url_schemes={"http", "https", "mailto"},
    url_relative="deny",
)


class SafeText(NamedTuple):
    """A text as HTML that is safe to put into any page, and as plain text with its line breaks; both empty where it says nothing."""

    html: str
    plain: str


def safe_text(element: Element) -> SafeText:
    """The text inside an element, by its markup first and its `textformat` second.

    A text that is declared plain is shown as it stands, tags and all. HTML that was escaped twice is read as HTML where the
    format says that it is some.
    """
    if element.children:
        return _from_markup(_inside(element))
    text = element.text or ""
    declared = bare_code(element.attribute("textformat") or "")
    if declared in _MARKUP_FORMATS and not _TAG.search(text) and _ESCAPED_TAG.search(text):
        text = _unescaped(text)
    if declared not in _PLAIN_FORMATS and _TAG.search(text):
        return _from_markup(text if declared in _MARKUP_FORMATS else _with_breaks(text))
    return _from_plain(_unescaped(text) if declared in _MARKUP_FORMATS else text)


def safe_html(markup: str) -> str:
    """HTML with nothing but text tags and links to http, https and mail addresses.

    What only looks like a tag stays as text. The text of tags that are not shown stays; scripts and styles go altogether.
    """
    marked = _without_comments(markup)
    if _depth(marked) > _DEEPEST:
        marked = _ANY_TAG.sub(" ", marked)
    cleaned = _CLEANER.clean(_STRAY.sub("&lt;", marked))
    # The page has a heading of its own. Text holds no angle bracket any more, so these can only be tags.
    cleaned = cleaned.replace("<h1>", "<h2>").replace("</h1>", "</h2>")
    return _BLANKS.sub(" ", _CONTROLS.sub("", cleaned)).strip(" ")


def plain_text(safe: str) -> str:
    """The text of what `safe_html` gave; a paragraph is set off by an empty line."""
    text = _SAFE_PARAGRAPH.sub("\n\n", safe)
    text = _SAFE_CELL.sub(" ", _SAFE_LINE.sub("\n", text))
    return _tidy(_unescaped(_SAFE_TAG.sub("", text)))


def _from_markup(markup: str) -> SafeText:
    html = safe_html(markup)
    plain = plain_text(html)
    return SafeText(html, plain) if plain else SafeText("", "")


def _unescaped(text: str) -> str:
    """The text with its references resolved; numbers too long for any character become the mark for one that is missing."""
    return unescape(_NO_CHARACTER.sub("\ufffd", text))


def _from_plain(text: str) -> SafeText:
    plain = _tidy(text)
    return SafeText(escape(plain, quote=False).replace("\n", "<br>"), plain)


def _tidy(text: str) -> str:
    """Lines without blanks around them, never more than one empty line in a row."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    lines = _LINE_END.sub("\n", text)
    return re.sub(r"[ \t\f\v]+", " ", _BLANK_LINES.sub("\n\n", lines)).strip()


def _with_breaks(markup: str) -> str:
    """Markup whose only layout is its line breaks, as senders write who put a few tags into a plain text."""
    if _LAYOUT_TAG.search(markup):
        return markup
    return _tidy(markup).replace("\n", "<br>")


def _without_comments(markup: str) -> str:
    """Only what comes before the last end of a comment is searched, so that no search runs to the end in vain."""
    head, end, tail = markup.rpartition("-->")
    return _COMMENT.sub("", head + end) + tail


def _depth(markup: str) -> int:
    """How deep tags are nested at most; one that is never closed counts to the end."""
    depth = deepest = 0
    for tag in _ANY_TAG.finditer(markup):
        depth = max(depth - 1, 0) if tag[0][1] == "/" else depth + (tag[1].lower() not in _VOID)
        deepest = max(deepest, depth)
    return deepest


def _inside(element: Element) -> str:
    """What stands inside an element, as HTML."""
    parts = [escape(element.text or "", quote=False)]
    for child in element.children:
        parts += (_tagged(child), escape(child.tail or "", quote=False))
    return "".join(parts)


def _tagged(element: Element) -> str:
    """An element as HTML; of its attributes only an address matters."""
    address = element.attribute("href")
    opening = f'<{element.name} href="{escape(address)}">' if address else f"<{element.name}>"
    closing = "" if element.name.lower() in _VOID else f"</{element.name}>"
    return f"{opening}{_inside(element)}{closing}"
