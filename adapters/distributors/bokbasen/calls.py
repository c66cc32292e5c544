"""Bokbasen's calls: decided operations to requests, and downloads (contract bokbasen 6, 8.1 and 10.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

import msgspec

from adapters.distributors.bokbasen import verdicts
from adapters.distributors.bokbasen.downloads import Downloads
from adapters.distributors.bokbasen.inventory import LEAST_NAME, WATERMARKED
from adapters.http.session import HttpSession
from syncengine.domain.delivery import Operation, OperationKind, Receipt, Request, UnknownPolicy, Verdict
from syncengine.domain.money import to_hundredths
from syncengine.domain.order import Order, OrderState
from syncengine.errors import AmountInvalid, UsageInvalid

Consumer = Literal["when_known", "required", "never"]
"""Whether an order carries the buyer's account (contract 6.1)."""

_JSON = (("Accept", "application/json"), ("Content-Type", "application/json"))
_ATOM = (("Accept", "application/atom+xml"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How this shop orders: where to, and the contract's open questions as it answers them (14).

    `duplicate_words` are answers that tell a repeated orderid; `unknown` is what becomes of an order of which nobody knows whether
    it was taken.
    """

    inventory_path: str
    order_path: str
    consumer: Consumer
    unknown: UnknownPolicy
    duplicate_words: Collection[str]
    concurrency: int


class BokbasenCalls:
    """One shop's orders. An order is known by its orderid alone; it cannot be read back, changed or taken back (contract 6)."""

    def __init__(self, session: HttpSession, downloads: Downloads, terms: Terms) -> None:
        self._session = session
        self._downloads = downloads
        self._terms = terms

    @property
    def operations(self) -> frozenset[OperationKind]:
        """Neither preorders nor refunds: both are the shop's own affair (contract 6.3, 6.4)."""
        return frozenset({OperationKind.PROBE, OperationKind.SALE})

    @property
    def concurrency(self) -> int:
        return self._terms.concurrency

    def concurrency_of(self, limit: str) -> int:  # noqa: ARG002 - all classes share it
        return self._terms.concurrency

    def prepare(self, operation: Operation) -> Request:
        """An order, or the look-up of the title in the inventory.

        Raises AmountInvalid for a price that is no number of øre, UsageInvalid for a buyer who must be named and is not, and for
        what Bokbasen has no call for.
        """
        match operation.kind:
            case OperationKind.PROBE:
                target = f"{self._terms.inventory_path}/{quote(operation.key.isbn, safe='')}"
                return Request(method="GET", target=target, limit="probe", headers=_ATOM)
            case OperationKind.SALE:
                body = msgspec.json.encode(self._order(operation))
                return Request(method="POST", target=self._terms.order_path, limit="sale", headers=_JSON, body=body)
            case kind:
                raise UsageInvalid(
                    f"Bokbasen has no call for a {kind.value}",
                    hint="a placed order is final: its customer service moves or refunds by hand",
                )

    def prepare_lookup(self, operation: Operation) -> Request:
        """Never asked for, for no kind has the policy LOOK_UP; raises UsageInvalid."""
        raise UsageInvalid(f"{operation.key}: an order cannot be read back from Bokbasen (contract 6.2)")

    def unknown_policy(self, operation: Operation) -> UnknownPolicy:
        return self._terms.unknown if operation.kind is OperationKind.SALE else UnknownPolicy.RESEND

    async def send(self, request: Request) -> Receipt:
        return await self._session.call(request)

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        if operation.kind is OperationKind.PROBE:
            return verdicts.read_probe(operation, receipt)
        return verdicts.read_order(receipt, self._terms.duplicate_words, sent_before=sent_before)

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:
        """Never asked for, as `prepare_lookup`; raises UsageInvalid."""
        del receipt
        raise UsageInvalid(f"{operation.key}: an order cannot be read back from Bokbasen (contract 6.2)")

    async def download_link(self, order: Order) -> str:
        """A link to the file, made afresh; the status page behind it lives for minutes only (contract 8.1)."""
        if order.state is not OrderState.PLACED:
            raise UsageInvalid(f"order {order.order_id} is {order.state}, so there is nothing to download")
        if not order.receipt:
            raise UsageInvalid(
                f"order {order.order_id} was taken, and the answer that named its content was lost",
                hint=f"Bokbasen's customer service finds the purchase by its order id {order.reference}",
            )
        return await self._downloads.link(order.receipt, str(order.order_id))

    async def aclose(self) -> None:
        await self._session.aclose()

    def _order(self, operation: Operation) -> Mapping[str, str]:
        """The body of an order (contract 6.1): the price is what the customer paid, in øre, as a text."""
        resid = operation.terms.get("resid", "")
        if not resid:
            raise UsageInvalid(
                f"{operation.key}: there is no resource to order; the inventory has no row of it that can be read"
            )
        paid = operation.amount if operation.paid is None else operation.paid
        if paid is None:
            raise AmountInvalid(f"{operation.key}: there is no price to tell")
        order = {"orderid": operation.reference, "resid": resid, "spd": str(to_hundredths(paid))}
        return {**order, **self._consumer(operation), **_names(operation)}

    def _consumer(self, operation: Operation) -> Mapping[str, str]:
        if self._terms.consumer == "never":
            return {}
        if operation.consumer_id:
            return {"id": operation.consumer_id}
        if self._terms.consumer == "required":
            raise UsageInvalid(
                f"{operation.key}: the order names no consumer_id",
                hint="let the shop open an account for its customer, and give its id with the order",
            )
        return {}


def _names(operation: Operation) -> Mapping[str, str]:
    """The buyer's names, where they can be told; a watermark must have both (contract 6.1)."""
    names = {"firstname": (operation.first_name or "").strip(), "lastname": (operation.last_name or "").strip()}
    if all(len(name) >= LEAST_NAME for name in names.values()):
        return names
    if operation.terms.get("drm") == WATERMARKED:
        raise UsageInvalid(
            f"{operation.key}: its watermark needs first and last name of the buyer, of two letters at least",
            hint="give first_name and last_name with the order",
        )
    return {}
