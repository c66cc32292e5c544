"""Identifiers: ISBNs in one spelling, references in the distributors' alphabet and never two alike."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from syncengine.domain.ids import Format, Isbn, SourceName, TitleKey, escape_identifier, is_valid_isbn, normalise_isbn


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9782764418772", "9782764418772"),
        (" 978-2-7644-1877-2 ", "9782764418772"),
        ("978 2 7644 1877 2", "9782764418772"),
        ("978\u20112\u20117644\u20111877\u20112", "9782764418772"),
        ("9782764418772\u200b", "9782764418772"),
        ("\ufeff9782764418772\u00a0", "9782764418772"),
        ("978\u20132764418772", "9782764418772"),
        ("0-306-40615-2", "9780306406157"),
        ("080442957X", "9780804429573"),
        ("080442957x", "9780804429573"),
    ],
)
def test_isbns_have_one_spelling(text, expected):
    assert expected == normalise_isbn(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("0306406153", "0306406153"), ("n/a", "N/A"), ("1234567", "1234567"), ("", ""), ("ENQC-12", "ENQC12")],
)
def test_what_is_no_isbn_stays_usable_as_a_key(text, expected):
    assert expected == normalise_isbn(text)


@given(st.text())
def test_normalising_twice_changes_nothing(text):
    once = normalise_isbn(text)
    assert once == normalise_isbn(once)


@pytest.mark.parametrize("text", ["9782764418772", "9780306406157", "9990000000001"])
def test_check_digits_are_checked(text):
    wrong = text[:-1] + str((int(text[-1]) + 1) % 10)
    assert not is_valid_isbn(wrong)


def test_valid_isbns():
    assert is_valid_isbn("9782764418772")
    assert is_valid_isbn("9780306406157")


@pytest.mark.parametrize(
    "text",
    ["", "0306406152", "978276441877", "97827644187720", "036000-291452", " 036000291452", "978276441877\u0662", "N/A"],
)
def test_only_thirteen_plain_digits_are_valid(text):
    """`036000-291452` has thirteen characters and holds a right twelve-digit code: it is no ISBN."""
    assert not is_valid_isbn(text)


@pytest.mark.parametrize("text", ["order-1", "A_b-9", "x-1", "_", "-"])
def test_plain_identifiers_stay_as_they_are(text):
    assert text == escape_identifier(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("order 1", "x--order_201"),
        ("Zoë", "x--Zo_C3_AB"),
        ("a_b c", "x--a_5Fb_20c"),
        ("x--a", "x--x--a"),
        ("", "x--"),
        ("a\n", "x--a_0A"),
    ],
)
def test_other_identifiers_are_spelled_out(text, expected):
    assert expected == escape_identifier(text)


_TRICKY = st.text(alphabet="xX-_ 05Faé\n", max_size=8)


@given(st.one_of(st.text(), _TRICKY), st.one_of(st.text(), _TRICKY))
@example("x--a", "x--_61")
@example("a_20b", "a b")
@example("x--order_201", "order 1")
def test_no_two_identifiers_are_spelled_alike(one, other):
    assert (one == other) is (escape_identifier(one) == escape_identifier(other))


@given(st.one_of(st.text(alphabet=st.characters(codec=None)), _TRICKY))
@example("\ud800")
def test_every_spelling_keeps_to_the_alphabet(text):
    assert re.fullmatch(r"[A-Za-z0-9_-]+", escape_identifier(text))


def test_a_title_key_reads_as_source_isbn_and_format():
    key = TitleKey(source=SourceName("enq"), isbn=Isbn("9782764418772"), format=Format("epub"))
    assert "enq/9782764418772/epub" == str(key)
    assert "enq/9782764418772/*" == str(TitleKey(source=key.source, isbn=key.isbn, format=Format("")))
