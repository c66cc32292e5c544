"""De Marque's sales API: decided operations to requests, answers to verdicts (contract 4, 5.1 and 7)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, assert_never
from urllib.parse import quote, urlsplit

from lxml import etree

from adapters.distributors.demarque import verdicts
from adapters.distributors.demarque.words import code_word, is_html
from adapters.http.session import Answer, HttpSession
from syncengine.domain.codes import PriceType
from syncengine.domain.delivery import Operation, OperationKind, Receipt, Request, UnknownPolicy, Verdict
from syncengine.domain.ids import Isbn, SourceName, escape_identifier
from syncengine.domain.money import to_hundredths, without_tax
from syncengine.domain.order import Order, OrderState
from syncengine.errors import AmountInvalid, SourceFailed, SourceRefused, UsageInvalid
from syncengine.ports import World

Parameters = Literal["query", "form"]
Pairs = list[tuple[str, str]]

_TAX_EXCLUDED = frozenset({PriceType.RRP_EXCLUDING_TAX, PriceType.FIXED_EXCLUDING_TAX, PriceType.AGENCY_EXCLUDING_TAX})
_FORM = ("Content-Type", "application/x-www-form-urlencoded")
_UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")
_SECRET_OF_SALE = re.compile(rb'("access_token"\s*:\s*")[^"]*')
_SIGNATURE_OF_SALE = re.compile(rb'("status_document_url"\s*:\s*"[a-z]+://[^/"]*)[^"]*')


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadState:
    """How far a customer has come with a sale (contract 4.6); refunds are decided on `refundable` alone."""

    complete: bool
    refundable: bool


class DeMarqueCalls:
    """One account's calls. A sale is known by its transaction, customer, ISBN and format: repeating it changes nothing."""

    def __init__(
        self,
        name: SourceName,
        organisation_id: str,
        session: HttpSession,
        world: World,
        *,
        parameters: Parameters = "query",
        net_prices: bool = False,
        concurrency: int = 8,
    ) -> None:
        self._name = name
        self._base = f"/organisations/{_segment(organisation_id)}"
        self._session = session
        self._pace = world.pace
        self._parameters = parameters
        self._net_prices = net_prices
        self._concurrency = concurrency

    @property
    def operations(self) -> frozenset[OperationKind]:
        return frozenset(OperationKind)

    @property
    def concurrency(self) -> int:
        return self._concurrency

    def concurrency_of(self, limit: str) -> int:  # noqa: ARG002 - all classes share it
        return self._concurrency

    def prepare(self, operation: Operation) -> Request:
        publication = self._publication(operation.key.isbn)
        match operation.kind:
            case OperationKind.PROBE:
                return self._get(f"{publication}/sales/new", self._facts(operation), "simulate")
            case OperationKind.SALE:
                return self._post(f"{publication}/sales", self._facts(operation) + _buyer(operation), "sale")
            case OperationKind.DECLARATION:
                pairs = [("for", _format(operation)), ("customer_id", operation.customer_id)]
                return self._post(f"{publication}/preorders", pairs, "preorder")
            case OperationKind.REFUND:
                return self._post(f"{publication}/sales/cancel", _refund(operation), "refund")
            case _:
                assert_never(operation.kind)

    def prepare_lookup(self, operation: Operation) -> Request:
        sale = f"{self._publication(operation.key.isbn)}/sales/{_segment(operation.reference)}"
        return self._get(sale, [("format", _format(operation)), ("customer_id", operation.customer_id)], "lookup")

    def unknown_policy(self, operation: Operation) -> UnknownPolicy:
        return UnknownPolicy.LOOK_UP if operation.kind is OperationKind.SALE else UnknownPolicy.RESEND

    async def send(self, request: Request) -> Receipt:
        """Make the call once. What opens the customer's file is taken out of the answer: receipts are kept."""
        receipt = await self._session.call(request)
        body = _SIGNATURE_OF_SALE.sub(rb"\1", _SECRET_OF_SALE.sub(rb"\1", receipt.body))
        return receipt if body == receipt.body else replace(receipt, body=body)

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        return verdicts.read(operation.kind, receipt, sent_before=sent_before)

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:  # noqa: ARG002 - sales alone are looked up
        return verdicts.read_lookup(receipt)

    async def download_link(self, order: Order) -> str:
        """A link that works for one minute (contract 4.7): send the customer's browser there at once."""
        parts = self._sale_path(order)
        uname = " ".join(filter(None, (order.request.first_name, order.request.last_name))) or parts.customer_id
        target = (
            f"{parts.path}/publications/{_segment(order.key.isbn)}/download_links/{_segment(order.key.format)}"
            f"?{_encoded([('uname', uname)])}"
        )
        answer = await self._asked(target, order)
        link = answer.body.decode("utf-8", "replace").strip().strip('"')
        if urlsplit(link).scheme not in {"http", "https"} or len(link.split()) != 1:
            raise SourceFailed(f"{self._name}: the distributor gave no link for order {order.order_id}")
        return link

    async def download_state(self, order: Order) -> DownloadState:
        """Whether the customer has fetched the file, and whether the sale may still be taken back."""
        parts = self._sale_path(order)
        answer = await self._asked(
            f"{parts.path}/publications/{_segment(order.key.isbn)}/formats/{_segment(order.key.format)}/status", order
        )
        words = _elements(answer.body)
        if not {"fulfillment", "refundable"} <= words.keys():
            raise SourceFailed(f"{self._name}: the state of order {order.order_id} cannot be read")
        return DownloadState(complete=words["fulfillment"] == "complete", refundable=words["refundable"] == "true")

    async def aclose(self) -> None:
        await self._session.aclose()

    def _publication(self, isbn: Isbn) -> str:
        return f"{self._base}/publications/{_segment(isbn)}"

    def _get(self, path: str, pairs: Pairs, limit: str) -> Request:
        return Request(method="GET", target=f"{path}?{_encoded(pairs)}", limit=limit)

    def _post(self, path: str, pairs: Pairs, limit: str) -> Request:
        if self._parameters == "form":
            return Request(
                method="POST", target=path, limit=limit, headers=(_FORM,), body=_encoded(pairs).encode("ascii")
            )
        return Request(method="POST", target=f"{path}?{_encoded(pairs)}", limit=limit)

    def _facts(self, operation: Operation) -> Pairs:
        """The parameters by which simulation and sale check price and sellability (contract 4.1)."""
        if operation.amount is None:
            raise AmountInvalid(f"{operation.key}: there is no price to charge")
        pairs = [("format", _format(operation)), ("cost", str(to_hundredths(operation.amount)))]
        pairs += _protection(operation)
        pairs += [("country", operation.market.country), ("currency", operation.market.currency.lower())]
        if operation.price_type is not None:
            pairs.append(("price_type", operation.price_type))
        if self._net_prices:
            pairs.append(("cost_without_taxes", str(_net_hundredths(operation))))
        return pairs

    def _sale_path(self, order: Order) -> _SalePath:
        """The address of a sale; its values are those that the sale was declared with."""
        if order.state is not OrderState.PLACED:
            raise UsageInvalid(f"order {order.order_id} is {order.state}, so there is nothing to download")
        customer_id = order.declared_customer_id or escape_identifier(order.request.customer_id)
        path = f"{self._base}/customers/{_segment(customer_id)}/transactions/{_segment(order.reference)}"
        return _SalePath(path=path, customer_id=customer_id)

    async def _asked(self, target: str, order: Order) -> Answer:
        await self._pace.turn(self._name, "download")
        answer = await self._session.fetch(target)
        if answer.status == 200 and not is_html(answer.body):
            return answer
        said = f"{answer.status} {code_word(answer.body)}".strip()
        if answer.status in {401, 403}:
            raise SourceRefused(
                f"{self._name}: the distributor refuses the credentials ({said})", hint="check the token"
            )
        raise SourceFailed(
            f"{self._name}: no file for order {order.order_id} ({said})",
            hint="404 means that the distributor knows no such sale, or has taken it back",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SalePath:
    path: str
    customer_id: str


def _buyer(operation: Operation) -> Pairs:
    """Who buys, and in which basket; the name, given early, lets the watermark be made before the download."""
    pairs = [("customer_id", operation.customer_id), ("transaction_id", operation.reference)]
    return [*pairs, ("uname", operation.customer_name)] if operation.customer_name else pairs


def _refund(operation: Operation) -> Pairs:
    """The amount is the sale's own cost: there are no partial refunds (contract 4.4)."""
    if operation.amount is None:
        raise AmountInvalid(f"{operation.key}: the amount of the sale is not known, so it cannot be refunded")
    pairs = [
        ("customer_id", operation.customer_id),
        ("transaction_id", operation.reference),
        ("amount", str(to_hundredths(operation.amount))),
    ]
    return [*pairs, ("reason", operation.reason)] if operation.reason else pairs


def _format(operation: Operation) -> str:
    return operation.terms.get("format") or operation.key.format


def _protection(operation: Operation) -> Pairs:
    """`acs4` is one word; `drm:lcp` is a protection with its type (contract 5.1)."""
    word, _, drm_type = (operation.protection or operation.terms.get("protection") or "none").partition(":")
    return [("protection", word), ("drm_type", drm_type)] if drm_type else [("protection", word)]


def _net_hundredths(operation: Operation) -> int:
    """The price without tax (contract 4.1, Eden Livres). Raises AmountInvalid where no rate is known."""
    amount = operation.amount or Decimal()
    if not amount or operation.price_type in _TAX_EXCLUDED:
        return to_hundredths(amount)
    if operation.tax_percent is None:
        raise AmountInvalid(
            f"{operation.key}: the net price in {operation.market.country} cannot be told",
            hint="name the country's rate in tax_rates of this source",
        )
    return to_hundredths(without_tax(amount, operation.tax_percent))


def _elements(body: bytes) -> dict[str, str]:
    """The text of each element by its name; nothing where the body is no XML."""
    try:
        root = etree.fromstring(body, etree.XMLParser(no_network=True, huge_tree=False))
    except etree.XMLSyntaxError:
        return {}
    return {etree.QName(element).localname: (element.text or "").strip() for element in root.iter(etree.Element)}


def _segment(text: str) -> str:
    """One path segment, or one part of a query, percent-encoded; most need none."""
    return text if _UNRESERVED.fullmatch(text) else quote(text, safe="")


def _encoded(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{_segment(name)}={_segment(text)}" for name, text in pairs)
