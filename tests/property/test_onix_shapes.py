"""The shapes of identifiers agree with the library that knows them all."""

from hypothesis import example, given
from hypothesis import strategies as st
from stdnum import ean, isbn

from syncengine.domain.codes import ProductIdType
from syncengine.onix.shapes import odd_identifier

DIGITS = st.one_of(
    st.from_regex(r"97[89][0-9]{9}", fullmatch=True).map(lambda stem: stem + ean.calc_check_digit(stem)),
    st.from_regex(r"97[0-9]{11}", fullmatch=True),
    st.from_regex(r"[0-9]{12,14}", fullmatch=True),
    st.text(alphabet="0123456789- \u0669X", max_size=16),
)


@given(DIGITS)
@example("9782764600009")
@example("\u0669782764600009")
def test_an_isbn_is_odd_where_the_library_says_so(text: str):
    digits = isbn.compact(text)
    is_fine = len(digits) == 13 and isbn.is_valid(digits)
    assert is_fine == (odd_identifier(ProductIdType.ISBN_13, text) is None)
