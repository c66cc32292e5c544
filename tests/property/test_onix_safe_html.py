"""Whatever a feed calls HTML, what is made of it is harmless, and cleaning it again changes nothing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from syncengine.onix.element import Element
from syncengine.onix.safe_html import plain_text, safe_html, safe_text
from tests.harmless import assert_harmless

PIECES = [
    *(
        "<",
        ">",
        "</",
        "/>",
        "&",
        ";",
        '"',
        "'",
        "=",
        " ",
        "\n",
        "!--",
        "-->",
        "<![CDATA[",
        "]]>",
        "<?",
        "&lt;",
        "&#60;",
        "\x00",
    ),
    *(
        "a",
        "b",
        "p",
        "br",
        "svg",
        "math",
        "style",
        "script",
        "img",
        "table",
        "td",
        "title",
        "noscript",
        "textarea",
        "template",
    ),
    *("href", "src", "onerror", "style", "alert(1)", "javascript:", "data:", "http://x.example/", "word"),
    *(
        "<p>",
        "</p>",
        "<a href=",
        "<script>",
        "</script>",
        "<style>",
        "<svg>",
        "<math>",
        "<img src=x onerror=alert(1)>",
        "<h1>",
    ),
]
MARKUP = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cc", "Cs"], exclude_characters="\ufffe\uffff") | st.sampled_from("\n\t")
)
FORMATS = st.sampled_from([(), (("textformat", "02"),), (("textformat", "05"),), (("textformat", "06"),)])


@given(MARKUP)
def test_it_is_harmless_and_stays_as_it_is(markup):
    found = safe_html(markup)
    assert_harmless(found)
    assert found == safe_html(found)


@given(MARKUP, FORMATS)
def test_a_text_of_any_format_is_harmless(markup, attributes):
    assert_harmless(safe_text(Element("Text", attributes, markup, (), None)).html)


@given(XML_TEXT, st.sampled_from(["06", "07"]))
def test_a_plain_text_keeps_every_letter(written, form):
    found = safe_text(Element("Text", (("textformat", form),), written, (), None))
    assert written.split() == found.plain.split()
    assert found.plain.split() == plain_text(found.html).split()


@given(
    st.lists(st.sampled_from(["p", "b", "em", "br", "ul", "li", "script", "Text"]), max_size=4), st.text(), st.text()
)
def test_elements_are_as_harmless_as_markup(names, inside, tail):
    element = Element("Text", (), inside, (), tail)
    for name in names:
        element = Element(name, (("href", inside), ("onclick", tail)), inside, (element,), tail)
    assert_harmless(safe_text(Element("Text", (), None, (element,), None)).html)
