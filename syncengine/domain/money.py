"""Money: a decimal amount with its currency; never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from syncengine.errors import AmountInvalid

CENT = Decimal("0.01")
_LARGEST_EXPONENT = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount in an ISO 4217 currency (upper case)."""

    amount: Decimal
    currency: str

    def __str__(self) -> str:
        return f"{self.amount:.2f} {self.currency}"


def to_hundredths(amount: Decimal) -> int:
    """The amount times one hundred, exactly (contract demarque 10: always two decimals, whatever the currency).

    Raises AmountInvalid where a hundredth is not enough, or the amount is negative, no number or beyond all money.
    """
    if not amount.is_finite() or amount < 0:
        raise AmountInvalid(f"{amount} is no amount that can be charged")
    if not amount:
        return 0
    if amount.adjusted() > _LARGEST_EXPONENT:
        raise AmountInvalid(f"{amount} is no amount that can be charged")
    # Integers, for decimal arithmetic rounds to 28 digits without a word.
    numerator, denominator = amount.as_integer_ratio() if amount >= CENT else (0, 0)
    if not denominator or numerator * 100 % denominator:
        raise AmountInvalid(f"{amount} has more than two decimals", hint="the feed's price must be corrected")
    return numerator * 100 // denominator


def from_hundredths(value: int) -> Decimal:
    """1999 is 19.99."""
    return Decimal(value).scaleb(-2)


def without_tax(gross: Decimal, percent: Decimal) -> Decimal:
    """The net amount of a price that includes tax at `percent`, rounded half up to the hundredth."""
    return (gross * 100 / (100 + percent)).quantize(CENT, ROUND_HALF_UP)


def with_tax(net: Decimal, percent: Decimal) -> Decimal:
    """The consumer price of a net amount, rounded half up to the hundredth."""
    return (net * (100 + percent) / 100).quantize(CENT, ROUND_HALF_UP)
