"""Whether a price may be charged, given what was agreed (design section 7)."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from syncengine.domain.money import to_hundredths, with_tax, without_tax
from syncengine.domain.offer import OfferPrice, TaxBasis
from syncengine.domain.order import Order, Payment, PriceRule, Reason
from syncengine.errors import AmountInvalid


def consumer_amount(price: OfferPrice) -> Decimal | None:
    """What the customer pays, tax included; none where the tax is not known."""
    if price.tax is TaxBasis.INCLUDED:
        return price.amount
    return None if price.tax_percent is None else with_tax(price.amount, price.tax_percent)


def paid_amount(order: Order, price: OfferPrice) -> Decimal | None:
    """What the customer of an order pays, tax included: what the shop has confirmed; else what was agreed, for then it is paid
    already; else today's price. None where the tax is not known.

    Who ordered at whatever is current, or agreed later to pay up to an amount, pays today's price.
    """
    if order.paid_amount is not None:
        return order.paid_amount
    request = order.request
    raised_later = order.agreed_basis is None and order.agreed_price != request.agreed_price
    is_paid = request.payment is Payment.PAID and request.price_rule is not PriceRule.CURRENT and not raised_later
    if is_paid and order.agreed_price is not None and order.agreed_basis != TaxBasis.EXCLUDED.value:
        return order.agreed_price
    return consumer_amount(price)


def violation(order: Order, price: OfferPrice) -> tuple[Reason, str] | None:
    """Why the order may not be charged this price, or none.

    An agreed price of the shop's is a consumer price including tax; one that was frozen from an offer is compared in its own
    tax basis. What cannot be compared is a violation too: never a silent charge.
    """
    try:
        to_hundredths(price.amount)
    except AmountInvalid as error:
        return Reason.AMOUNT_NOT_CONVERTIBLE, str(error)
    if order.request.payment is Payment.ON_RELEASE and consumer_amount(price) is None:
        says = f"what the customer is to pay for {price.amount} {price.currency} before tax is not known"
        return Reason.AMOUNT_NOT_CONVERTIBLE, f"{says}; set tax_rates for the country"
    rule = order.request.price_rule
    if rule is PriceRule.CURRENT:
        return None
    if order.agreed_price is None:
        return Reason.NO_PRICE_AGREED, f"there was no price when it was taken; now {price.amount} {price.currency}"
    current = _comparable(order.agreed_basis, price)
    if current is None:
        says = f"agreed {order.agreed_price}, now {price.amount} {price.currency} with tax {price.tax.value}: not comparable"
        return Reason.AMOUNT_NOT_CONVERTIBLE, f"{says} without a tax rate; set tax_rates for the country"
    return _judge(rule, order.agreed_price, current, price.currency)


def _comparable(basis: str | None, price: OfferPrice) -> Decimal | None:
    """The price in force in the tax basis of what was agreed; none where that takes a tax rate nobody gave."""
    if basis == price.tax.value:
        return price.amount
    if basis != TaxBasis.EXCLUDED.value:
        return consumer_amount(price)
    return None if price.tax_percent is None else without_tax(price.amount, price.tax_percent)


def _judge(rule: PriceRule, agreed: Decimal, current: Decimal, currency: str) -> tuple[Reason, str] | None:
    match rule:
        case PriceRule.CURRENT:
            return None
        case PriceRule.NOT_ABOVE_AGREED:
            if current <= agreed:
                return None
            return Reason.PRICE_ABOVE_AGREED, f"agreed {agreed} {currency}, now {current} {currency}"
        case PriceRule.EXACT:
            if current == agreed:
                return None
            return Reason.PRICE_DIFFERS, f"agreed exactly {agreed} {currency}, now {current} {currency}"
        case _:
            assert_never(rule)
