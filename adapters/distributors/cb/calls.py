"""CB's calls: each operation at the service of its title (contract cb 8.5)."""

from __future__ import annotations

from adapters.distributors.cb.audiobooks import AudiobookCalls
from adapters.distributors.cb.ebooks import EbookCalls
from adapters.distributors.cb.routing import Routing, Service
from adapters.distributors.cb.settings import LUISTERHUIS_LIMIT
from syncengine.domain.delivery import Operation, OperationKind, Receipt, Request, UnknownPolicy, Verdict
from syncengine.domain.ids import Format, Isbn, SourceName
from syncengine.domain.order import Order, OrderState
from syncengine.errors import UsageInvalid


class CbCalls:
    """Both services as one distributor. Neither takes a sale back nor knows preorders (contract cb 2.7, 6).

    An unknown outcome is looked up for e-books and set aside for audiobooks. There a person finds its proof in the settlement of
    the month: `audiobooks.settlement` gives CB's own list, `audiobooks.proofs` the lines of it that can be an order. It is no look-up
    of the engine's, for a month that is not settled yet proves nothing, and so never that an order may be sent again.
    """

    def __init__(
        self, name: SourceName, routing: Routing, *, audiobooks: AudiobookCalls | None, ebooks: EbookCalls | None
    ) -> None:
        self._name = name
        self._routing = routing
        self._audiobooks = audiobooks
        self._ebooks = ebooks

    @property
    def audiobooks(self) -> AudiobookCalls:
        """The calls to Luisterhuis, with those that the engine does not make; raises UsageInvalid where there are none."""
        if self._audiobooks is None:
            raise UsageInvalid(f"{self._name} has no Luisterhuis", hint="add [sources.NAME.luisterhuis]")
        return self._audiobooks

    @property
    def operations(self) -> frozenset[OperationKind]:
        return frozenset({OperationKind.PROBE, OperationKind.SALE})

    @property
    def concurrency(self) -> int:
        return sum(calls.concurrency for calls in (self._audiobooks, self._ebooks) if calls is not None)

    def concurrency_of(self, limit: str) -> int:
        """The two services are asked apart from each other (contract cb 3.8)."""
        return self.audiobooks.concurrency if limit == LUISTERHUIS_LIMIT else self._ebook_calls().concurrency

    def prepare(self, operation: Operation) -> Request:
        return self._of(operation).prepare(operation)

    def prepare_lookup(self, operation: Operation) -> Request:
        if isinstance(calls := self._of(operation), EbookCalls):
            return calls.prepare_lookup(operation)
        raise UsageInvalid("Luisterhuis cannot be asked for an order", hint="compare the settlement of its month")

    def unknown_policy(self, operation: Operation) -> UnknownPolicy:
        if operation.kind is OperationKind.PROBE:
            return UnknownPolicy.RESEND
        return UnknownPolicy.LOOK_UP if self._decided(operation) is Service.EBOOKS else UnknownPolicy.PARK

    async def send(self, request: Request) -> Receipt:
        if request.limit == LUISTERHUIS_LIMIT:
            return await self.audiobooks.send(request)
        return await self._ebook_calls().send(request)

    def read(self, operation: Operation, receipt: Receipt, *, sent_before: bool) -> Verdict:
        calls = self._of(operation)
        if isinstance(calls, EbookCalls):
            return calls.read(operation, receipt)
        return calls.read(operation, receipt, sent_before=sent_before)

    def read_lookup(self, operation: Operation, receipt: Receipt) -> Verdict:
        return self._ebook_calls().read_lookup(operation, receipt)

    async def download_link(self, order: Order) -> str:
        """A fresh link (contract cb 2.6, 8.1)."""
        if order.state is not OrderState.PLACED:
            raise UsageInvalid(f"order {order.order_id} is {order.state}, so there is nothing to download")
        if self._service(order.key.isbn, order.key.format) is Service.LUISTERHUIS:
            return await self.audiobooks.download_link(order)
        return await self._ebook_calls().download_link(order)

    async def aclose(self) -> None:
        for calls in (self._audiobooks, self._ebooks):
            if calls is not None:
                await calls.aclose()

    def _of(self, operation: Operation) -> AudiobookCalls | EbookCalls:
        return self.audiobooks if self._decided(operation) is Service.LUISTERHUIS else self._ebook_calls()

    def _ebook_calls(self) -> EbookCalls:
        if self._ebooks is None:
            raise UsageInvalid(f"{self._name} has no e-book service", hint="add [sources.NAME.ebooks]")
        return self._ebooks

    def _decided(self, operation: Operation) -> Service:
        """The service that an operation was decided for: a route that is set later leaves alone what is on its way."""
        if service := operation.terms.get("service"):
            return Service(service)
        return self._service(operation.key.isbn, operation.key.format)

    def _service(self, isbn: Isbn, format: Format) -> Service:
        return self._routing.wanted(isbn, format)
