"""The commands: what an operator or the shop asks, answered as one document with an exit code.

The command line calls it in its own process or, beside a daemon, through the control socket; both give the same answer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import anyio

from syncengine.catalogue.guards import GUARDS
from syncengine.domain.delivery import Entry, EntryState
from syncengine.domain.ids import (
    CustomerId,
    EntryId,
    Format,
    Isbn,
    OrderId,
    SourceName,
    StreamName,
    is_valid_isbn,
    normalise_isbn,
)
from syncengine.domain.order import Order, OrderRequest, OrderState, Payment, PriceRule
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.domain.territory import Market
from syncengine.errors import (
    GuardStopped,
    InputUnreadable,
    SourceFailed,
    SourceUnreachable,
    SyncEngineError,
    UsageInvalid,
)
from syncengine.ports import Acknowledging, AsideKind, Distributor, OrderQuery, SetAside, Transaction, Urgency
from syncengine.service.documents import (
    Answer,
    Document,
    aside_document,
    change_document,
    entry_document,
    event_document,
    offer_document,
    order_document,
    parse_amount,
    parse_instant,
    required_amount,
)
from syncengine.service.engine import Engine, select_sources
from syncengine.service.options import PassOptions
from syncengine.service.plan import plan_document
from syncengine.service.register import Row
from syncengine.service.titles import known_titles, title_documents

if TYPE_CHECKING:
    from syncengine.onix.codelists import CodeLists

FileSources = Callable[[Sequence[str], PassMode], Distributor]
"""Builds the source `file` over the given paths."""


class Acknowledgements(Protocol):
    """Gives what opens the acknowledgements of passes, as files at or beside a path. Raises InputUnreadable."""

    def __call__(
        self, path: Path, passes: Collection[tuple[SourceName, StreamName]], *, dry_run: bool
    ) -> Callable[[SourceName, StreamName], Acknowledging]: ...


_E = TypeVar("_E", bound=StrEnum)


_OPEN_ENTRIES = (EntryState.PENDING, EntryState.CLAIMED, EntryState.SENT, EntryState.UNKNOWN)
_SHOWN = 10_000
_RETRIED = (AsideKind.QUARANTINED, AsideKind.HELD)


class _Passes:
    """What the passes of one resync came to."""

    def __init__(self) -> None:
        self.reports: list[PassReport] = []
        self.errors: list[tuple[SourceName, SyncEngineError]] = []


class Desk:
    """Answers commands over a started engine."""

    def __init__(
        self,
        engine: Engine,
        *,
        file_source: FileSources,
        acknowledgements: Acknowledgements,
        order_defaults: tuple[PriceRule, Payment],
        codes: Callable[[], CodeLists],
    ) -> None:
        self.engine = engine
        self._codes = codes
        self._store = engine.store
        self._file_source = file_source
        self._acknowledgements = acknowledgements
        self._price_rule, self._payment = order_defaults
        self._commands: Mapping[str, Callable[[Document], Awaitable[Answer]]] = {
            "resync": self.resync,
            "orders_take": self.orders_take,
            "orders_list": self.orders_list,
            "orders_show": self.orders_show,
            "orders_cancel": self.orders_cancel,
            "orders_confirm": self.orders_confirm,
            "orders_refund": self.orders_refund,
            "orders_resolve": self.orders_resolve,
            "orders_link": self.orders_link,
            "offer": self.offer,
            "title": self.title,
            "changes": self.changes,
            "parked_list": self.parked_list,
            "parked_show": self.parked_show,
            "parked_retry": self.parked_retry,
            "parked_drop": self.parked_drop,
            "quarantine_list": self.quarantine_list,
            "quarantine_show": self.quarantine_show,
            "quarantine_retry": self.quarantine_retry,
            "quarantine_drop": self.quarantine_drop,
            "pause": self.pause,
            "resume": self.resume,
            "settle": self.settle,
            "status": self.status,
            "plan": self.plan,
            "backup": self.backup,
            "doctor": self.doctor,
        }

    async def answer(self, command: str, arguments: Document) -> Answer:
        """Carry out a command by name. Raises SyncEngineError for what cannot be done."""
        if command not in self._commands:
            raise UsageInvalid(f"there is no command {command}")
        return await self._commands[command](arguments)

    # --- resync -------------------------------------------------------------------------------------------------------------

    async def resync(self, arguments: Document) -> Answer:
        """Passes of the named sources, or of files; then deliver until nothing is due."""
        wanted = PassMode(arguments["mode"]) if arguments.get("mode") else None
        if unknown := set(arguments.get("allow") or ()) - set(GUARDS):
            raise UsageInvalid(f"no guard {', '.join(sorted(unknown))}", hint=f"there are: {', '.join(GUARDS)}")
        options = PassOptions(
            wanted=wanted, allow=tuple(arguments.get("allow") or ()), dry_run=bool(arguments.get("dry_run"))
        )
        settled_before = (await self._counts()).get("settled", 0)
        if paths := arguments.get("files"):
            engine_source = self.engine.add_source(self._file_source(paths, wanted or PassMode.DELTA))
            options = replace(
                options, stage_deltas=True, stop_on_older=False, by_hand=True, wanted=wanted or PassMode.DELTA
            )
            sources = [engine_source]
        else:
            sources = select_sources(self.engine.configured, arguments.get("sources") or ())
            if not sources:
                raise UsageInvalid(
                    "no source to read: there are no settings here, or they name none",
                    hint="name files with --file, or settings with --config; the README shows how to write them",
                )
        if path := arguments.get("acknowledge"):
            read = [
                (source, stream) for source in sources for stream in self.engine.distributors[source].source.streams
            ]
            acknowledge = self._acknowledgements(Path(path), read, dry_run=options.dry_run)
            options = replace(options, acknowledge=acknowledge)
        passes = _Passes()
        async with anyio.create_task_group() as tasks:
            for source in sources:
                tasks.start_soon(self._run_passes, source, options, passes)
        if not options.dry_run:
            await self.engine.decide_due()
            if arguments.get("deliver", True):
                await self.engine.settle_down()
        answer = await self._resync_answer(passes, settled_before)
        if options.dry_run:
            answer.document["dry_run"] = True
        return answer

    async def _run_passes(self, source: SourceName, options: PassOptions, passes: _Passes) -> None:
        try:
            await self.engine.run_passes(source, options, passes.reports.append)
        except (SourceFailed, GuardStopped, InputUnreadable) as error:
            passes.errors.append((source, error))

    async def _resync_answer(self, passes: _Passes, settled_before: int) -> Answer:
        counts = await self._counts()
        orders = await self._order_counts()
        document: Document = {
            "passes": [report.as_document() for report in passes.reports],
            "orders": orders,
            "delivery": {
                "settled": counts.get("settled", 0) - settled_before,
                "parked": counts.get("parked", 0),
                "pending": sum(counts.get(state.value, 0) for state in _OPEN_ENTRIES),
            },
        }
        errors = [*passes.errors, *self._out_of_reach(document["delivery"]["pending"])]
        if errors:
            document["errors"] = [
                {"source": source, "message": str(error), "hint": error.hint} for source, error in errors
            ]
            return Answer(document=document, exit_code=max(error.exit_code for _, error in errors))
        async with self._store.transaction(Urgency.COMMAND) as tx:
            paused = dict(await tx.controls.paused())
        if paused:
            document["paused"] = paused
        doubtful = any(not report.complete or report.outcomes[RecordOutcome.QUARANTINED] for report in passes.reports)
        waits = counts.get("parked", 0) or orders[OrderState.ATTENTION.value] or paused
        return Answer(document=document, exit_code=1 if doubtful or waits else 0)

    def _out_of_reach(self, pending: int) -> list[tuple[SourceName, SyncEngineError]]:
        """The distributors that take no calls at the moment, where calls are owed."""
        resting = [name for name, worker in self.engine.workers.items() if worker.is_resting]
        hint = "run it again later, or let the daemon go on trying"
        error = SourceUnreachable(f"takes no calls at the moment; {pending} are still owed", hint=hint)
        return [(name, error) for name in resting] if pending else []

    # --- orders -------------------------------------------------------------------------------------------------------------

    async def orders_take(self, arguments: Document) -> Answer:
        """Take rows of an orders file, checked as a whole first."""
        rows, problems = [], list(arguments.get("problems") or ())
        for row in arguments["rows"]:
            try:
                rows.append(Row(line=row["line"], request=self._request(row["fields"])))
            except SyncEngineError as error:
                problems.append(f"line {row['line']}: {error}" if row["line"] else str(error))
        taken = await self.engine.register.take(rows, problems, skip_bad=bool(arguments.get("skip_bad")))
        await self.engine.decide_due()
        async with self._store.transaction(Urgency.COMMAND) as tx:
            orders = await tx.orders.get(taken.added)
        states: dict[str, int] = {}
        for order in orders.values():
            states[order.state.value] = states.get(order.state.value, 0) + 1
        document = {
            "added": len(taken.added),
            "known": len(taken.known),
            "skipped": list(taken.problems),
            "states": states,
            "orders": [order_document(orders[order_id]) for order_id in taken.added[:_SHOWN] if order_id in orders],
        }
        return Answer(document=document, exit_code=1 if taken.problems or states.get(OrderState.ATTENTION.value) else 0)

    def _request(self, fields: Mapping[str, str]) -> OrderRequest:
        def given(name: str) -> str | None:
            return (fields.get(name) or "").strip() or None

        missing = [name for name in ("order_id", "source", "isbn", "market", "customer_id") if not given(name)]
        if missing:
            raise UsageInvalid(f"{', '.join(missing)} missing")
        return OrderRequest(
            order_id=OrderId(given("order_id") or ""),
            source=SourceName(given("source") or ""),
            isbn=normalise_isbn(given("isbn") or ""),
            format=Format((given("format") or "").lower()),
            market=Market.parse(given("market") or ""),
            customer_id=CustomerId(given("customer_id") or ""),
            agreed_price=parse_amount(given("agreed_price"), "agreed_price"),
            price_rule=_choice(PriceRule, given("price_rule"), self._price_rule, "price_rule"),
            payment=_choice(Payment, given("payment"), self._payment, "payment"),
            protection=given("protection"),
            first_name=given("first_name"),
            last_name=given("last_name"),
            consumer_id=given("consumer_id"),
        )

    async def orders_list(self, arguments: Document) -> Answer:
        """Orders by state, source or ISBN."""
        query = OrderQuery(
            states=tuple(OrderState(state.upper()) for state in arguments.get("states") or ()),
            source=SourceName(arguments["source"]) if arguments.get("source") else None,
            isbn=normalise_isbn(arguments["isbn"]) if arguments.get("isbn") else None,
            limit=int(arguments.get("limit") or 1000),
        )
        async with self._store.transaction(Urgency.COMMAND) as tx:
            orders = await tx.orders.list(query)
        return Answer(
            document={"orders": [order_document(order) for _, order in orders], "counts": await self._order_counts()}
        )

    async def orders_show(self, arguments: Document) -> Answer:
        """One order with its history and what is owed for it."""
        order_id = OrderId(arguments["order_id"])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._order(tx, order_id)
            history = await tx.orders.history(order_id)
            entries = await tx.outbox.of_order(order_id)
        document = {
            "order": order_document(order),
            "history": [event_document(event) for event in history],
            "owed": [entry_document(entry) for entry in entries],
        }
        return Answer(document=document)

    async def orders_cancel(self, arguments: Document) -> Answer:
        """Give orders up."""
        return await self._each(arguments, self.engine.register.cancel)

    async def orders_confirm(self, arguments: Document) -> Answer:
        """Confirm payments."""
        amount = parse_amount(arguments.get("amount"), "amount")
        return await self._each(arguments, lambda order_id: self.engine.register.confirm(order_id, amount))

    async def orders_refund(self, arguments: Document) -> Answer:
        """Ask for sales to be taken back."""
        reason = arguments.get("reason")
        return await self._each(arguments, lambda order_id: self.engine.register.refund(order_id, reason))

    async def orders_resolve(self, arguments: Document) -> Answer:
        """Decide orders in ATTENTION, single ones or all of a title."""
        register = self.engine.register
        if arguments.get("accept_price") is not None:
            accepted = required_amount(arguments["accept_price"], "--accept-price")
            return await self._each(arguments, lambda order_id: register.accept_price(order_id, accepted))
        if arguments.get("placed"):
            return await self._each(arguments, lambda order_id: register.placed(order_id, arguments["placed"]))
        return await self._each(arguments, register.give_up if arguments.get("cancel") else register.retry)

    async def orders_link(self, arguments: Document) -> Answer:
        """A fresh download link of a placed order."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            order = await self._order(tx, OrderId(arguments["order_id"]))
        if order.state is not OrderState.PLACED:
            raise UsageInvalid(
                f"order {order.order_id} is {order.state.value}: only a placed order has a download link"
            )
        calls = self.engine.distributors[order.request.source].calls
        if calls is None:
            raise UsageInvalid(f"{order.request.source} has no downloads")
        return Answer(document={"order_id": order.order_id, "url": await calls.download_link(order)})

    async def _each(self, arguments: Document, act: Callable[[OrderId], Awaitable[Order]]) -> Answer:
        ids = [OrderId(order_id) for order_id in arguments.get("order_ids") or ()]
        if title := arguments.get("title"):
            query = OrderQuery(states=(OrderState.ATTENTION,), isbn=normalise_isbn(title), limit=100_000)
            async with self._store.transaction(Urgency.COMMAND) as tx:
                ids += [order.order_id for _, order in await tx.orders.list(query)]
        if not ids:
            raise UsageInvalid("no order is named", hint="name order ids, or all of a title with --title ISBN")
        try:
            for order_id in ids:
                await act(order_id)
        finally:
            # What was done before one that cannot be is done, and has its consequences.
            await self.engine.decide_due()
            self.engine.ring_workers()
        async with self._store.transaction(Urgency.COMMAND) as tx:
            orders = await tx.orders.get(ids)
        return Answer(document={"orders": [order_document(orders[order_id]) for order_id in ids]})

    async def _order(self, tx: Transaction, order_id: OrderId) -> Order:
        order = (await tx.orders.get([order_id])).get(order_id)
        if order is None:
            raise UsageInvalid(f"there is no order {order_id}", hint="orders list shows the ids")
        return order

    # --- offers and changes -------------------------------------------------------------------------------------------------

    async def offer(self, arguments: Document) -> Answer:
        """The offers of an ISBN in a market, now or at an instant."""
        isbn = normalise_isbn(arguments["isbn"])
        market = Market.parse(arguments["market"])
        source = SourceName(arguments["source"]) if arguments.get("source") else None
        at = parse_instant(arguments["at"]) if arguments.get("at") else self.engine.clock.now()
        if source is not None:
            select_sources(self.engine.distributors, [source])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            offers = await self.engine.dispatch.offers(tx, isbn, market, at, source)
        if not offers:
            raise _unknown_isbn(isbn, source)
        return Answer(document={"offers": [offer_document(offer) for offer in offers]})

    async def title(self, arguments: Document) -> Answer:
        """All that a product page needs of an ISBN: facts, description, and the offers now."""
        isbn = normalise_isbn(arguments["isbn"])
        source = SourceName(arguments["source"]) if arguments.get("source") else None
        if source is not None:
            select_sources(self.engine.distributors, [source])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            titles = await known_titles(tx, self.engine.distributors, isbn, source, self.engine.clock.now())
        if not titles:
            raise _unknown_isbn(isbn, source)
        return Answer(document={"titles": title_documents(titles, self._codes().name)})

    async def changes(self, arguments: Document) -> Answer:
        """The change log after a sequence number."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            changes = await tx.changes.since(int(arguments.get("since") or 0), int(arguments.get("limit") or 1000))
        return Answer(document={"changes": [change_document(change) for change in changes]})

    # --- parked and paused --------------------------------------------------------------------------------------------------

    async def parked_list(self, arguments: Document) -> Answer:
        """What waits for a person: calls and records."""
        del arguments
        async with self._store.transaction(Urgency.COMMAND) as tx:
            entries = await tx.outbox.parked()
            records = await tx.records.aside(None, (AsideKind.QUARANTINED,))
        document = {
            "entries": [entry_document(entry) for entry in entries],
            "records": [aside_document(row) for row in records],
        }
        return Answer(document=document, exit_code=1 if entries or records else 0)

    async def parked_show(self, arguments: Document) -> Answer:
        """One parked call, or one quarantined record with its bytes."""
        name = str(arguments["id"])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            if name.startswith("r"):
                return Answer(document={"record": _whole_document(await self._aside(tx, name))})
            entry = await self._parked(tx, name)
            request = entry.request
            sent = request and {
                "method": request.method,
                "target": request.target,
                "body": request.body.decode(errors="replace"),
            }
            return Answer(document={"entry": {**entry_document(entry), "request": sent}})

    async def parked_retry(self, arguments: Document) -> Answer:
        """Take a parked call up again."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            entry = await self._parked(tx, str(arguments["id"]))
            if entry.order_id is None:
                again = replace(entry, state=EntryState.PENDING, attempts=0, due_at=self.engine.clock.now())
                await tx.outbox.save(again)
        if entry.order_id is not None:
            await self.engine.register.retry(entry.order_id)
        self.engine.ring_workers()
        return Answer(document={"entry": entry_document(entry)})

    async def parked_drop(self, arguments: Document) -> Answer:
        """Give a quarantined record or a parked probe up; a call of an order is resolved with the order."""
        name = str(arguments["id"])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            if name.startswith("r"):
                row = await self._aside(tx, name)
                await tx.records.drop_aside([row.id])
                return Answer(document={"record": aside_document(row)})
            entry = await self._parked(tx, name)
            if entry.order_id is not None:
                # Dropping it would forget that it may have taken effect.
                raise UsageInvalid(
                    f"call {name} belongs to order {entry.order_id}",
                    hint=f"orders resolve {entry.order_id} --retry, --placed REF or --cancel",
                )
            await tx.outbox.save(replace(entry, state=EntryState.SETTLED, note="dropped by a person"))
            return Answer(document={"entry": entry_document(entry)})

    async def _parked(self, tx: Transaction, name: str) -> Entry:
        if name.startswith("r"):
            raise UsageInvalid(f"{name} is a record, not a call", hint=f"read it again: quarantine retry {name}")
        entry = await tx.outbox.get(EntryId(int(name))) if name.isdigit() else None
        if entry is None or entry.state is not EntryState.PARKED:
            raise UsageInvalid(f"there is no parked call {name}", hint="parked list shows them")
        return entry

    async def _aside(self, tx: Transaction, name: str) -> SetAside:
        number = name.removeprefix("r")
        row = await tx.records.get_aside(int(number)) if number.isdigit() else None
        if row is None:
            raise UsageInvalid(f"there is no record {name} set aside", hint="quarantine list shows them")
        return row

    # --- records set aside --------------------------------------------------------------------------------------------------

    async def quarantine_list(self, arguments: Document) -> Answer:
        """Every record that is kept apart from the live ones, and why; those that cannot be read wait for a person."""
        source = SourceName(arguments["source"]) if arguments.get("source") else None
        kinds = tuple(AsideKind(kind) for kind in arguments.get("kinds") or AsideKind)
        async with self._store.transaction(Urgency.COMMAND) as tx:
            rows = await tx.records.aside(source, kinds)
        waits = any(row.kind is AsideKind.QUARANTINED for row in rows)
        return Answer(document={"records": [aside_document(row) for row in rows]}, exit_code=1 if waits else 0)

    async def quarantine_show(self, arguments: Document) -> Answer:
        """One of them with its bytes."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            return Answer(document={"record": _whole_document(await self._aside(tx, str(arguments["id"])))})

    async def quarantine_drop(self, arguments: Document) -> Answer:
        """Forget some of them."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            rows = [await self._aside(tx, name) for name in arguments["ids"]]
            await tx.records.drop_aside([row.id for row in rows])
        return Answer(document={"records": [aside_document(row) for row in rows]})

    async def quarantine_retry(self, arguments: Document) -> Answer:
        """Read quarantined records and held updates again, those named or all: what can be read now is applied."""
        async with self._store.transaction(Urgency.COMMAND) as tx:
            if names := arguments.get("ids"):
                rows = [await self._aside(tx, name) for name in names]
            else:
                rows = list(await tx.records.aside(None, _RETRIED))
        for row in rows:
            if row.kind not in _RETRIED:
                raise UsageInvalid(
                    f"record r{row.id} is a {row.kind.value}: only quarantined and held ones are retried"
                )
        reports = [await self.engine.retry(group) for group in _by_stream(rows)]
        await self.engine.decide_due()
        quarantined = sum(report.outcomes[RecordOutcome.QUARANTINED] for report in reports)
        document = {"passes": [report.as_document() for report in reports]}
        return Answer(document=document, exit_code=1 if quarantined else 0)

    async def pause(self, arguments: Document) -> Answer:
        """Let the delivery of a source rest."""
        [source] = select_sources(self.engine.distributors, [arguments["name"]])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.pause(source, arguments.get("reason") or "paused by a person")
        return await self._paused()

    async def resume(self, arguments: Document) -> Answer:
        """Deliver for a source again."""
        [source] = select_sources(self.engine.distributors, [arguments["name"]])
        async with self._store.transaction(Urgency.COMMAND) as tx:
            await tx.controls.resume(source)
        self.engine.ring_workers()
        return await self._paused()

    async def _paused(self) -> Answer:
        async with self._store.transaction(Urgency.COMMAND) as tx:
            return Answer(document={"paused": dict(await tx.controls.paused())})

    # --- the whole ----------------------------------------------------------------------------------------------------------

    async def settle(self, arguments: Document) -> Answer:
        """Wait until nothing is due any more."""
        del arguments
        await self.engine.decide_due()
        await self.engine.settle_down()
        return Answer(document={})

    async def status(self, arguments: Document) -> Answer:
        """How everything stands: sources, passes, orders, outbox, what waits for a person."""
        del arguments
        async with self._store.transaction(Urgency.COMMAND) as tx:
            sources = [await self._source_status(tx, name) for name in self.engine.configured]
            recent = await tx.passes.recent(10)
            counted = await tx.records.count_aside()
            aside = {kind.value: counted.get(kind, 0) for kind in AsideKind}
            paused = dict(await tx.controls.paused())
            next_title = await tx.titles.next_at()
        counts, orders = await self._counts(), await self._order_counts()
        document = {
            "at": self.engine.clock.now().isoformat(),
            "store": self._store.identity.id,
            "sources": sources,
            "passes": [{**report.as_document(), "ended_at": ended and ended.isoformat()} for report, ended in recent],
            "orders": orders,
            "delivery": counts,
            "quarantined": aside[AsideKind.QUARANTINED.value],
            "set_aside": aside,
            "paused": paused,
            "next_title_due_at": next_title and next_title.isoformat(),
        }
        waits = counts.get("parked", 0) or orders[OrderState.ATTENTION.value] or document["quarantined"]
        return Answer(document=document, exit_code=1 if waits else 0)

    async def _source_status(self, tx: Transaction, name: SourceName) -> Document:
        source = self.engine.distributors[name].source
        streams = {}
        for stream in source.streams:
            stands = await tx.passes.stream(name, stream)
            ended = stands.last_complete_at
            streams[str(stream)] = {"last_complete_at": ended and ended.isoformat()}
        return {"source": name, "records": await tx.records.live_count(name), "streams": streams}

    async def plan(self, arguments: Document) -> Answer:
        """What would be sent, when, for how much money, and how long it takes under the limits."""
        at = parse_instant(arguments["at"]) if arguments.get("at") else None
        return Answer(document=await plan_document(self.engine, at))

    async def backup(self, arguments: Document) -> Answer:
        """A consistent copy of the store, taken while it is in use."""
        await self._store.backup(arguments["path"])
        return Answer(document={"backup": arguments["path"]})

    async def doctor(self, arguments: Document) -> Answer:
        """Whether the store answers, each account is the one it should be, and nothing rests or waits unseen."""
        del arguments
        status = (await self.status({})).document
        checks = [{"check": "store", "ok": True, "says": f"{self._store.identity.id} answers"}]
        for name in self.engine.configured:
            try:
                await self.engine.distributors[name].source.check_account()
            except SyncEngineError as error:
                says = f"{error}; {error.hint}" if error.hint else str(error)
                checks.append({"check": f"source {name}", "ok": False, "says": says})
            else:
                sells = self.engine.distributors[name].calls is not None
                says = "reached, and it knows the account" if sells else "its files can be read"
                checks.append({"check": f"source {name}", "ok": True, "says": says})
            if reason := status["paused"].get(name):
                checks.append({"check": f"delivery {name}", "ok": False, "says": f"paused: {reason}"})
        return Answer(document={"checks": checks}, exit_code=0 if all(check["ok"] for check in checks) else 4)

    async def _counts(self) -> Mapping[str, int]:
        async with self._store.transaction(Urgency.COMMAND) as tx:
            return await tx.outbox.counts()

    async def _order_counts(self) -> dict[str, int]:
        async with self._store.transaction(Urgency.COMMAND) as tx:
            counts = await tx.orders.counts()
        return {state.value: counts.get(state, 0) for state in OrderState}


def _unknown_isbn(isbn: Isbn, source: SourceName | None) -> UsageInvalid:
    if not is_valid_isbn(isbn):
        return UsageInvalid(
            f"{isbn} is no ISBN: its check digit or its length is wrong", hint="look at the number again"
        )
    where = source or "any source"
    return UsageInvalid(
        f"ISBN {isbn} is not known from {where}", hint="check the number, or run a pass first: run.py resync"
    )


def _whole_document(row: SetAside) -> Document:
    return {**aside_document(row), "body": row.body.decode(errors="replace")}


def _by_stream(rows: Sequence[SetAside]) -> list[list[SetAside]]:
    """Rows of one source and stream together, the oldest first."""
    groups: dict[tuple[SourceName, StreamName], list[SetAside]] = {}
    for row in rows:
        groups.setdefault((row.source, row.stream), []).append(row)
    return list(groups.values())


def _choice(kind: type[_E], text: str | None, default: _E, name: str) -> _E:
    if text is None:
        return default
    try:
        return kind(text)
    except ValueError as error:
        raise UsageInvalid(f"{name} {text!r} is not one of {', '.join(kind)}") from error
