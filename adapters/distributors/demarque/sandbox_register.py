"""What the stub has taken: sales, refunds, preorders, downloads. Rebuilt from the ledger after a restart."""

from __future__ import annotations

from dataclasses import dataclass, field

from adapters.sandbox.catalogue import read_amount
from adapters.sandbox.ledger import LedgerRow

SaleKey = tuple[str, str, str, str]
"""Customer, transaction, ISBN, format (contract section 7)."""


@dataclass(slots=True, kw_only=True)
class Sale:
    """A declared sale. `refunded` is the receipt token of its refund; `fetched` what kinds of file have left."""

    isbn: str
    format: str
    customer_id: str
    transaction_id: str
    cost: int
    currency: str
    country: str
    price_type: str
    protection: str
    refunded: str | None = None
    fetched: set[str] = field(default_factory=set)
    names: list[str] = field(default_factory=list)

    @property
    def key(self) -> SaleKey:
        """What makes a second declaration a duplicate."""
        return (self.customer_id, self.transaction_id, self.isbn, self.format)

    @property
    def refundable(self) -> bool:
        """Whether no file, licence or `.acsm` has been fetched (contract 4.4, 4.6)."""
        return not self.fetched and self.refunded is None

    @property
    def is_fulfilled(self) -> bool:
        """Adobe's file counts once its licence is activated, which the `.acsm` alone does not tell (contract 4.6)."""
        return bool(self.fetched - {"acsm"})


class Register:
    """The sales and preorders of one organisation."""

    def __init__(self) -> None:
        self._sales: dict[SaleKey, Sale] = {}
        self._by_basket: dict[tuple[str, str, str], list[Sale]] = {}
        self._customers: dict[str, str] = {}
        self._preorders: set[tuple[str, str, str]] = set()

    def sale(self, customer_id: str, transaction_id: str, isbn: str, format: str) -> Sale | None:
        """The sale under that key, refunded or not."""
        return self._sales.get((customer_id, transaction_id, isbn, format))

    def to_refund(self, customer_id: str, transaction_id: str, isbn: str) -> Sale | None:
        """The sale a cancellation means, which names no format; one not yet refunded goes before others."""
        found = self._by_basket.get((customer_id, transaction_id, isbn), [])
        return min(found, key=lambda sale: sale.refunded is not None, default=None)

    def customer_of(self, transaction_id: str) -> str | None:
        """Who owns the basket."""
        return self._customers.get(transaction_id)

    def add(self, sale: Sale) -> None:
        """Take a sale."""
        self._sales[sale.key] = sale
        self._by_basket.setdefault(sale.key[:3], []).append(sale)
        self._customers[sale.transaction_id] = sale.customer_id

    def add_preorder(self, isbn: str, format: str, customer_id: str) -> bool:
        """Take a preorder; false where it was known."""
        key = (isbn, format, customer_id)
        if key in self._preorders:
            return False
        self._preorders.add(key)
        return True

    def has_preorder(self, isbn: str, format: str, customer_id: str) -> bool:
        """Whether that announcement was made."""
        return (isbn, format, customer_id) in self._preorders

    def replay(self, row: LedgerRow) -> None:
        """Take back a row of an earlier run. Downloads are not in the ledger and are forgotten."""
        customer_id, reference, form = row.customer_id or "", row.reference or "", row.format or ""
        if row.kind == "preorder":
            self.add_preorder(row.isbn, form, customer_id)
        elif row.kind == "refund":
            if sale := self.to_refund(customer_id, reference, row.isbn):
                sale.refunded = row.response
        else:
            self.add(
                Sale(
                    isbn=row.isbn,
                    format=form,
                    customer_id=customer_id,
                    transaction_id=reference,
                    cost=read_amount(row.amount or "0"),
                    currency=row.currency or "",
                    country=row.country or "",
                    price_type=row.price_type or "",
                    protection=row.protection or "",
                )
            )
