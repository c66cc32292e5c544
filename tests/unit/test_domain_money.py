"""Money: exact to the hundredth or refused, never rounded on the way to a distributor."""

from decimal import Decimal, localcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncengine.domain.money import Money, from_hundredths, to_hundredths, with_tax, without_tax
from syncengine.errors import AmountInvalid


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        ("19.99", 1999),
        ("19.9", 1990),
        ("19", 1900),
        ("19.9900", 1999),
        ("0.29", 29),
        ("0.01", 1),
        ("0", 0),
        ("0.00", 0),
        ("-0.00", 0),
        ("0E+30", 0),
        ("1E+3", 100_000),
        ("999999999999999.99", 99_999_999_999_999_999),
    ],
)
def test_amounts_become_hundredths_exactly(amount, expected):
    assert expected == to_hundredths(Decimal(amount))


@pytest.mark.parametrize(
    "amount",
    [
        "19.999",
        "0.001",
        "1E-999999",
        "-0.01",
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "1E+999999",
        "19.99000000000000000000000000000000000001",
    ],
)
def test_what_a_hundredth_cannot_say_is_refused(amount):
    with pytest.raises(AmountInvalid):
        to_hundredths(Decimal(amount))


def test_the_precision_of_the_moment_does_not_matter():
    """Decimal arithmetic rounds to the context's digits; an amount sent to a distributor must not."""
    with localcontext(prec=3):
        assert 123_456 == to_hundredths(Decimal("1234.56"))
        with pytest.raises(AmountInvalid):
            to_hundredths(Decimal("1234.567"))


@given(st.integers(min_value=0, max_value=10**16))
def test_hundredths_come_back_as_they_went(value):
    amount = from_hundredths(value)
    assert value == to_hundredths(amount)
    assert -2 == amount.as_tuple().exponent


def test_hundredths_read_as_two_decimals():
    assert "19.99" == str(from_hundredths(1999))
    assert "20.00" == str(from_hundredths(2000))
    assert "0.05" == str(from_hundredths(5))


@pytest.mark.parametrize(
    ("gross", "percent", "net"),
    [("10.50", "5", "10.00"), ("14.99", "5", "14.28"), ("9.99", "5.5", "9.47"), ("10.00", "0", "10.00")],
)
def test_tax_is_taken_out_half_up(gross, percent, net):
    assert Decimal(net) == without_tax(Decimal(gross), Decimal(percent))


@pytest.mark.parametrize(
    ("net", "percent", "gross"),
    [("10.00", "5", "10.50"), ("14.28", "5", "14.99"), ("0.10", "5", "0.11"), ("9.47", "5.5", "9.99")],
)
def test_tax_is_put_on_half_up(net, percent, gross):
    assert Decimal(gross) == with_tax(Decimal(net), Decimal(percent))


def test_money_reads_with_two_decimals_and_its_currency():
    assert "19.90 CAD" == str(Money(amount=Decimal("19.9"), currency="CAD"))
