"""What HTML may hold that is put into a shop's page unseen."""

from __future__ import annotations

from html.parser import HTMLParser

from lxml import html

_ALLOWED_NAMES = """
a abbr b blockquote br caption cite code dd dfn div dl dt em h2 h3 h4 h5 h6 hr i kbd li ol p q rb rp rt ruby s samp small strong
sub sup table tbody td tfoot th thead tr u ul var
"""
_ALLOWED = frozenset(_ALLOWED_NAMES.split())
_REL = ("rel", "nofollow noopener")


class _Tags(HTMLParser):
    """Collects what a browser would see as tags."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))

    def handle_comment(self, data: str) -> None:
        self.found.append((f"comment {data}", []))


def assert_harmless(text: str) -> None:
    """Two parsers, lenient in different ways, find nothing but text tags, and links to where people may go."""
    wrapped = html.fragment_fromstring(text, "div")
    by_lxml = [(str(node.tag), list(node.items())) for node in wrapped.iterdescendants()]
    for tag, attributes in [*_Tags(text).found, *by_lxml]:
        assert tag in _ALLOWED
        addresses = [(name, value) for name, value in attributes if name == "href"]
        assert addresses + [_REL] * (tag == "a") == attributes
        assert all(str(value).lower().startswith(("http://", "https://", "mailto:")) for _, value in addresses)
