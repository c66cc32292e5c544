"""Texts become HTML that is safe on any page, and plain text; what people wrote stays."""

from __future__ import annotations

import pytest

from syncengine.onix.dialect import read_product
from syncengine.onix.element import Element
from syncengine.onix.safe_html import plain_text, safe_html, safe_text
from tests.harmless import assert_harmless
from tests.records import CLOSING, REFERENCE_30, record


def text(inside: str, form: str | None = None) -> Element:
    declared = f' textformat="{form}"' if form else ""
    product, _ = read_product(REFERENCE_30, record(f"<Text{declared}>{inside}</Text>"), CLOSING)
    found = product.child("Text")
    assert found is not None
    return found


# --- what is unsafe


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("<script>alert(1)</script>after", "after"),
        ("<SCRIPT SRC=//x.example/x.js></SCRIPT>after", "after"),
        ("<scr<script>ipt>alert(1)</scr</script>ipt>after", "&lt;script&gt;after"),
        ("<b><script>alert(1)</script>bold", "<b>bold</b>"),
        ("<style>p{background:url(javascript:alert(1))}</style>after", "after"),
        ("<img src=x onerror=alert(1)>after", "after"),
        ("<img/src/onerror=alert(1)>after", "after"),
        ('<IMG """><SCRIPT>alert(1)</SCRIPT>">after', '"&gt;after'),
        ('<p onclick="alert(1)" style="x:expression(alert(1))" class=c id=i>x</p>', "<p>x</p>"),
        ("<svg onload=alert(1)>x</svg>", "x"),
        ("<svg><script>alert(1)</script></svg>after", "after"),
        ('<svg><a xlink:href="javascript:alert(1)"></a></svg>after', "after"),
        ("<math><mtext><table><mglyph><style><!--</style><img title='--><img src=1 onerror=alert(1)>'>", ""),
        ('<iframe src="javascript:alert(1)">x</iframe>after', "xafter"),
        ("<object data=x></object><embed src=x>after", "after"),
        ("<form action=x><input name=y><button formaction=javascript:alert(1)>x</button></form>", "x"),
        ("<link rel=stylesheet href=x><base href=//x.example/><meta http-equiv=refresh content=0>after", "after"),
        ("<textarea></textarea><script>alert(1)</script></textarea>after", "after"),
        ("<xmp><script>alert(1)</script></xmp>x", "&lt;script&gt;alert(1)&lt;/script&gt;x"),
        ("<template><script>alert(1)</script></template>x", "x"),
        ("<video><source onerror=alert(1)></video>x", "x"),
        ("<details open ontoggle=alert(1)>x</details>", "x"),
        ('<!--<img src="--><img src=x onerror=alert(1)//">x', "x"),
        ("<!--[if gte mso 9]><xml>Normal</xml><![endif]-->x", "x"),
        ("<![CDATA[<script>alert(1)</script>]]>x", "&lt;![CDATA[]]&gt;x"),
        ("&lt;script&gt;alert(1)&lt;/script&gt;", "&lt;script&gt;alert(1)&lt;/script&gt;"),
    ],
)
def test_nothing_that_acts_gets_through(markup, expected):
    found = safe_html(markup)
    assert expected == found
    assert_harmless(found)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "&#1;javascript:alert(1)",
        "&#106;avascript:alert(1)",
        "java&#x09;script:alert(1)",
        "javascript&colon;alert(1)",
        "data:text/html;base64,PHNjcmlwdD4=",
        "vbscript:x",
        "file:///etc/passwd",
        "//elsewhere.example/",
        "/logout",
        "?do=logout",
        "",
    ],
)
def test_a_link_leads_only_to_web_and_mail_addresses(address):
    found = safe_html(f'<a href="{address}">x</a>')
    assert '<a rel="nofollow noopener">x</a>' == found
    assert_harmless(found)


@pytest.mark.parametrize("address", ["https://x.example/?a=1&amp;b=2", "HTTP://x.example/", "mailto:a@x.example"])
def test_other_links_stay_and_vouch_for_nothing(address):
    found = safe_html(f'<a href="{address}" target=_blank onmouseover=x title=t>x</a>')
    assert f'<a href="{address}" rel="nofollow noopener">x</a>' == found
    assert_harmless(found)


@pytest.mark.parametrize(
    "piece", ["<b>", "<div>", "<p>", "<i><p>", "<a href=x>", "<", "<!--", "&lt;p", "<table>", "--><!--"]
)
def test_a_text_that_never_ends_its_tags_is_no_trap(piece):
    assert_harmless(safe_html(piece * 5_000))


def test_what_is_nested_beyond_reason_keeps_its_words():
    assert "end" == safe_html("<div>" * 5_000 + "end" + "</div>" * 5_000)


# --- what people wrote


@pytest.mark.parametrize(
    ("markup", "expected"),
    [
        ("a < b and c <3 d", "a &lt; b and c &lt;3 d"),
        ("R&D, AT&T &amp; co", "R&amp;D, AT&amp;T &amp; co"),
        ("write to <anna@x.example>", "write to &lt;anna@x.example&gt;"),
        ("cut off <b", "cut off &lt;b"),
        ("<o:p>Word</o:p> <font color=red>red</font> <unknown>kept</unknown>", "Word red kept"),
        ("bell&#7; escape&#27;[31m", "bell escape[31m"),
        ("<h1>Head</h1><p>x", "<h2>Head</h2><p>x</p>"),
        ("<p>caf&eacute;&nbsp;&#8212;</p>", "<p>café&nbsp;—</p>"),
        ("<p>one\n   two</p>\n\n<p>three</p>", "<p>one two</p> <p>three</p>"),
        ("H<sub>2</sub>O <BR/> x<sup>2</sup>", "H<sub>2</sub>O <br> x<sup>2</sup>"),
    ],
)
def test_no_words_are_lost(markup, expected):
    found = safe_html(markup)
    assert expected == found
    assert_harmless(found)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
        ("before<ul><li>a</li><li>b</li></ul>after", "before\n\na\n\nb\n\nafter"),
        ("<table><tbody><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></tbody></table>", "a b\n\nc"),
        ('<a href="https://x.example/?a=1&amp;b=>" rel="nofollow noopener">x</a> &lt;b&gt; &amp;amp;', "x <b> &amp;"),
        ("<p> </p><p>x</p>", "x"),
    ],
)
def test_plain_text_has_the_lines_of_the_html(html, expected):
    assert expected == plain_text(html)


# --- what senders call it


@pytest.mark.parametrize(
    ("form", "inside", "expected"),
    [
        pytest.param("05", "<p>a <em>b</em><br/>c</p> d", "<p>a <em>b</em><br>c</p> d", id="XHTML"),
        pytest.param("05", "<P>a &amp; b &lt;c&gt;</P>", "<p>a &amp; b &lt;c&gt;</p>", id="XHTML in capitals"),
        pytest.param(None, "<p>a</p>", "<p>a</p>", id="XHTML undeclared"),
        pytest.param("06", "<p>a</p>", "<p>a</p>", id="XHTML declared plain"),
        pytest.param("05", "<script>alert(1)</script>a", "a", id="XHTML with a script"),
        pytest.param("05", '<a href="javascript:x">a</a>', '<a rel="nofollow noopener">a</a>', id="XHTML with a link"),
        pytest.param(
            "05",
            '<a href="https://x.example/?a&amp;b">a</a>',
            '<a href="https://x.example/?a&amp;b" rel="nofollow noopener">a</a>',
            id="XHTML with an address",
        ),
        pytest.param("02", "&lt;p&gt;a &amp;amp; b&lt;/p&gt;", "<p>a &amp; b</p>", id="HTML escaped"),
        pytest.param("02", "<![CDATA[<p>a<br>b</p>]]>", "<p>a<br>b</p>", id="HTML in CDATA"),
        pytest.param("05", "&lt;p&gt;a&lt;/p&gt;", "<p>a</p>", id="HTML called XHTML"),
        pytest.param(None, "&lt;i&gt;a&lt;/i&gt; b", "<i>a</i> b", id="HTML undeclared"),
        pytest.param("02", "&amp;lt;p&amp;gt;a &amp;amp;eacute;&amp;lt;/p&amp;gt;", "<p>a é</p>", id="escaped twice"),
        pytest.param(None, "&amp;lt;p&amp;gt;a", "&amp;lt;p&amp;gt;a", id="escaped twice, undeclared"),
        pytest.param("02", "caf&amp;eacute; AT&amp;T", "café AT&amp;T", id="HTML without tags"),
        pytest.param("05", "plain\n\ntext", "plain<br><br>text", id="plain called XHTML"),
        pytest.param("06", "a &lt;b&gt; &amp;eacute;\nc", "a &lt;b&gt; &amp;eacute;<br>c", id="plain"),
        pytest.param(None, "a\r\n\n\n  b &lt; c", "a<br><br>b &lt; c", id="plain undeclared"),
        pytest.param(None, "&lt;b&gt;a&lt;/b&gt;\n\nb\nc", "<b>a</b><br><br>b<br>c", id="a few tags in a plain text"),
        pytest.param("02", "&lt;b&gt;a&lt;/b&gt;\n\nb\nc", "<b>a</b> b c", id="the same declared as HTML"),
        pytest.param(" 02\u200b", "&lt;b&gt;a&lt;/b&gt;", "<b>a</b>", id="a code with stray blanks"),
        pytest.param("05", "<p> </p><br/>", "", id="nothing"),
    ],
)
def test_the_text_itself_tells_what_its_format_leaves_open(form, inside, expected):
    found = safe_text(text(inside, form)).html
    assert expected == found
    assert_harmless(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"x{' ' * 200_000}y", "x y"),
        (f"x{' ' * 200_000}<br>{' ' * 200_000}y", "x\ny"),
        (f"a &#{'9' * 6000}; b", "a \ufffd b"),
        (f"a &#x{'f' * 6000}; b", "a \ufffd b"),
    ],
    ids=["blanks", "blanks around a line's end", "a number of no character", "the same in hexadecimal"],
)
def test_what_is_very_long_and_says_nothing_is_soon_read(text, expected):
    assert expected == safe_text(Element("Text", (("textformat", "02"),), text, (), None)).plain
