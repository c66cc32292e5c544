"""The command line: settings, wiring, exit codes. The only place that builds concrete parts.

A command starts fast by importing no more than it needs: what every command names is imported at the top, each part by the
function that builds it.
"""

from __future__ import annotations

import gc
import importlib
import os
import pkgutil
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import anyio
import click
import orjson

import adapters.distributors
from adapters.shop.order_files import COLUMNS, read_orders
from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.order import OrderState, Payment, PriceRule
from syncengine.domain.passes import PassMode
from syncengine.errors import SettingsInvalid, SourceFailed, StoreLocked, SyncEngineError, UsageInvalid, engine_errors
from syncengine.logs import Logger, configure_with
from syncengine.ports import Account, Acknowledging, AsideKind, Clock, Distributor, DistributorKind, World
from syncengine.service.documents import Answer
from syncengine.settings import (
    GuardSettings,
    OrderSettings,
    ServiceSettings,
    Settings,
    SourceSettings,
    StoreSettings,
    load,
)

if TYPE_CHECKING:
    from datetime import datetime

    from rich.console import Console

    from adapters.sandbox.server import Sandbox
    from adapters.shop.terminal import Bars
    from syncengine.domain.delivery import Limit
    from syncengine.onix.codelists import CodeLists
    from syncengine.service.desk import Desk
    from syncengine.service.parsers import Parsers
    from syncengine.service.progress import Progress

DEFAULT_CONFIG = "syncengine.toml"
FILE_SOURCE = SourceName("file")
"""The source of files that are named on the command line."""

EXIT_INTERNAL = 70
EXIT_INTERRUPTED = 130

T = TypeVar("T")
Document = dict[str, Any]

log = Logger("run")


# --- wiring -------------------------------------------------------------------------------------------------------------


def kind_names() -> list[str]:
    """Every folder under adapters/distributors, by the name that `kind` takes."""
    return [found.name for found in pkgutil.iter_modules(adapters.distributors.__path__)]


def distributor_kind(name: str) -> DistributorKind:
    """What a folder under adapters/distributors offers; imported when it is asked for."""
    return cast("DistributorKind", importlib.import_module(f"adapters.distributors.{name}"))


class KnownSettings(Mapping[str, type[SourceSettings]]):
    """The settings of every kind of source by its name; a folder is imported for the kinds that are used."""

    def __getitem__(self, name: str) -> type[SourceSettings]:
        if name not in kind_names():
            raise KeyError(name)
        return distributor_kind(name).Settings

    def __iter__(self) -> Iterator[str]:
        return iter(kind_names())

    def __len__(self) -> int:
        return len(kind_names())


def load_settings(path: str | None) -> Settings:
    """The named file, or the default one; without that, settings that name no source (files can still be read)."""
    if path is not None or Path(DEFAULT_CONFIG).exists():
        settings = load(Path(path or DEFAULT_CONFIG), KnownSettings())
        if FILE_SOURCE in settings.sources:
            problem = f"[sources.{FILE_SOURCE}]: this name is that of files given with --file; choose another"
            raise SettingsInvalid(path or DEFAULT_CONFIG, [problem])
        return settings
    return Settings(
        directory=Path.cwd(),
        store=StoreSettings(),
        sources={},
        orders=OrderSettings(),
        guards=GuardSettings(),
        service=ServiceSettings(),
    )


def store_path(settings: Settings) -> Path:
    """Where the store's file is; relative ones start at the settings file."""
    scheme, _, path = settings.store.url.partition(":")
    if scheme != "sqlite" or not path:
        raise SettingsInvalid(DEFAULT_CONFIG, [f"[store] url {settings.store.url!r}: this build knows sqlite:PATH"])
    return settings.directory / path


def code_lists(settings: Settings) -> CodeLists:
    """Those that the settings name, else those that are shipped. Raises SettingsInvalid."""
    from syncengine.onix import codelists

    named = settings.service.code_lists
    return codelists.load(settings.directory / named) if named else codelists.standard()


def connect_sources(settings: Settings, world: World) -> dict[SourceName, Distributor]:
    """Build every configured source. Raises SettingsInvalid for a secret that cannot be read."""
    return {
        SourceName(name): distributor_kind(source.kind).connect(SourceName(name), source, world)
        for name, source in settings.sources.items()
    }


def file_source(paths: Sequence[str], mode: PassMode) -> Distributor:
    """The source `file`: plain ONIX files, from which nothing can be ordered."""
    from adapters.files import FileSource, OnixRules, Pick

    return Distributor(
        source=FileSource(FILE_SOURCE, paths, mode=mode, pick=Pick.ALL),
        rules=OnixRules(markets=()),
        calls=None,
        account=Account(kind="onix", address="files", organisation=""),
    )


def _acknowledgements(
    path: Path, passes: Collection[tuple[SourceName, StreamName]], *, dry_run: bool, clock: Clock
) -> Callable[[SourceName, StreamName], Acknowledging]:
    from adapters.files.acknowledgement import acknowledgements

    return acknowledgements(path, passes, dry_run=dry_run, clock=clock)


def limits_of(settings: Settings) -> dict[SourceName, dict[str, Limit]]:
    """Per source, the limits of its kind with those of the settings over them."""
    return {SourceName(name): {**source.default_limits, **source.limits} for name, source in settings.sources.items()}


@asynccontextmanager
async def opened(
    settings: Settings, *, workers: int | None = None, progress: Progress | None = None
) -> AsyncIterator[Desk]:
    """A started engine over the settings' store, with the desk that answers commands."""
    from adapters.clock import SystemClock
    from state.sqlite import open_store
    from syncengine.delivery.limiter import Limiter
    from syncengine.delivery.spend import SpendGuard
    from syncengine.service.desk import Desk
    from syncengine.service.engine import Engine, Parts

    clock = SystemClock()
    codes = cache(partial(code_lists, settings))
    if settings.service.code_lists:
        codes()  # so that a file that cannot be used is told by every command
    store = await open_store(store_path(settings), clock=clock)
    pace = Limiter(limits_of(settings), {}, clock, store)
    try:
        distributors = connect_sources(settings, World(clock=clock, pace=pace, directory=settings.directory))
    except BaseException:
        await store.aclose()
        raise
    service = settings.service

    def parsers() -> Parsers:
        from syncengine.service.parsers import Parsers

        return Parsers(service.workers if workers is None else workers, codes())

    engine = Engine(
        Parts(
            store=store,
            clock=clock,
            pace=pace,
            distributors=distributors,
            parsers=parsers,
            orders=settings.orders,
            guards=settings.guards,
            max_passes=service.max_passes,
            spend_guard=SpendGuard(
                max_orders_per_hour=service.max_orders_per_hour, max_money_per_hour=service.max_money_per_hour
            ),
            progress=progress,
        )
    )
    try:
        engine.add_source(file_source([], PassMode.DELTA))
        await engine.start()
        gc.freeze()  # what was built lives as long as the process: no collection need look at it, nor the one at its end
        yield Desk(
            engine,
            file_source=file_source,
            acknowledgements=partial(_acknowledgements, clock=clock),
            order_defaults=(settings.orders.price_rule, settings.orders.payment),
            codes=codes,
        )
    finally:
        with anyio.CancelScope(shield=True):
            await engine.aclose()


# --- running ------------------------------------------------------------------------------------------------------------


def configure_logging(level: str) -> None:
    """Log lines go to standard error; documents alone go to standard output."""
    configure_with(partial(_configure_structlog, level), level=level)


def _configure_structlog(level: str) -> None:
    import logging

    import structlog

    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
            ),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )


def run_async(main: Callable[[], Awaitable[T]]) -> T:
    """Run on uvloop; the first SIGINT or SIGTERM cancels, the second ends the process on the spot."""
    return anyio.run(_interruptible, main, backend_options={"use_uvloop": True})


class Interrupted(Exception):
    """A signal asked the process to stop, and it has stopped in good order."""


async def _interruptible(main: Callable[[], Awaitable[T]]) -> T:
    results: list[T] = []
    stopped = False

    async def watch(scope: anyio.CancelScope) -> None:
        nonlocal stopped
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if stopped:
                    os._exit(EXIT_INTERRUPTED)
                stopped = True
                click.echo("stopping: calls in flight may end (once more to stop at once)", err=True)
                scope.cancel()

    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            tasks.start_soon(watch, scope)
            results.append(await main())
        tasks.cancel_scope.cancel()
    # What is left is quick, and a signal that comes now must not turn a good end into a bad one.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    if not results:
        raise Interrupted
    return results[0]


async def perform(settings: Settings, command: str, arguments: Document, progress: Progress | None = None) -> Answer:
    """Carry a command out: by the daemon that owns the store, or here."""
    from adapters.shop.control import ask, socket_path

    answered = await ask(socket_path(store_path(settings)), command, arguments)
    if answered is not None:
        return Answer(document=answered[0], exit_code=answered[1])
    try:
        async with opened(settings, workers=arguments.get("workers"), progress=progress) as desk:
            if command == "resync" and arguments.get("deliver", True) and not arguments.get("dry_run"):
                async with desk.engine.working():
                    return await desk.answer(command, arguments)
            return await desk.answer(command, arguments)
    except StoreLocked:
        # The owner may have been a daemon that was just about to listen.
        await anyio.sleep(0.5)
        answered = await ask(socket_path(store_path(settings)), command, arguments)
        if answered is None:
            raise
        return Answer(document=answered[0], exit_code=answered[1])


async def run_daemon(settings: Settings) -> None:
    """Passes by schedule, trade, delivery and the control socket, until a signal comes."""
    from adapters.shop.control import socket_path
    from adapters.shop.control_server import ControlServer
    from syncengine.service.daemon import Daemon

    schedules = {SourceName(name): source.schedule for name, source in settings.sources.items() if source.schedule}
    async with opened(settings) as desk:

        async def answer(command: str, arguments: Document) -> tuple[Document, int]:
            given = await desk.answer(command, arguments)
            return given.document, given.exit_code

        control = ControlServer(socket_path(store_path(settings)), answer)
        async with desk.engine.working():
            await control.start()
            log.info(
                "daemon started", store=str(store_path(settings)), sources=sorted(settings.sources), pid=os.getpid()
            )
            try:
                await Daemon(desk.engine, schedules).run()
            finally:
                with anyio.CancelScope(shield=True):
                    await control.aclose()


# --- the command line ---------------------------------------------------------------------------------------------------

as_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")


class Group(click.Group):
    """Turns every error into a message with a hint and the exit code of design section 10."""

    def main(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - click's own signature
        """Run, and leave with the right code."""
        kwargs["standalone_mode"] = False
        # Records, like what imports make, are many objects without cycles: looking for some at every seven hundred costs more.
        gc.set_threshold(50_000, 20, 50)
        try:
            code = super().main(*args, **kwargs)
        except click.exceptions.Abort:
            click.echo("interrupted", err=True)
            code = EXIT_INTERRUPTED
        except click.ClickException as error:
            error.show()
            code = 2
        except (Interrupted, KeyboardInterrupt):
            click.echo("interrupted: what was committed stays, and the next run goes on from there", err=True)
            code = EXIT_INTERRUPTED
        except SyncEngineError as error:
            _explain(error)
            code = error.exit_code
        except BaseExceptionGroup as group:
            code = _explain_group(group)
        except BrokenPipeError:
            code = _reader_went_away()
        except Exception:  # noqa: BLE001 - the last resort: every detail, and the code for it
            import traceback

            traceback.print_exc()
            code = EXIT_INTERNAL
        sys.exit(code if isinstance(code, int) else 0)


def _reader_went_away() -> int:
    """Whoever read standard output has seen enough (`changes | head`)."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def _explain(error: SyncEngineError) -> None:
    _say_error(str(error), error.hint)


def _say_error(message: str, hint: str) -> None:
    click.echo(f"error: {message}", err=True)
    if hint:
        click.echo(f"  {hint}", err=True)


def _explain_group(group: BaseExceptionGroup[BaseException]) -> int:
    """Tasks that ran side by side failed; the first of the engine's own errors speaks for them."""
    if group.subgroup(BrokenPipeError):
        return _reader_went_away()
    _, other = group.split(SyncEngineError)
    if other is not None:
        import traceback

        traceback.print_exception(other)
        return EXIT_INTERNAL
    errors = list(engine_errors(group))
    for error in errors:
        _explain(error)
    return max(error.exit_code for error in errors)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", "config", metavar="FILE", help=f"The settings file (default {DEFAULT_CONFIG}).")
@click.pass_context
def cli(context: click.Context, config: str | None) -> None:
    """Keeps an e-book shop's catalogue, orders and preorders true to its distributors."""
    context.obj = config
    configure_logging("warning")


def _settings(context: click.Context) -> Settings:
    settings = load_settings(context.find_root().obj)
    configure_logging(settings.service.log)
    return settings


def _give(command: str, answer: Answer, *, json: bool) -> int:
    if json:
        sys.stdout.buffer.write(orjson.dumps(answer.document, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    else:
        from rich.console import Console

        from adapters.shop.terminal import show

        show(command, answer.document, Console())
    return answer.exit_code


def _command(context: click.Context, command: str, arguments: Document, *, json: bool) -> int:
    """Perform and print. Work that may take long shows its progress on a terminal."""
    settings = _settings(context)
    terminal = _terminal()
    if terminal and settings.service.log == "info":
        configure_logging("warning")
    with _bars(terminal) if command == "resync" and terminal else nullcontext() as bars:
        answer = run_async(lambda: perform(settings, command, arguments, bars))
    for error in answer.document.get("errors", ()):
        _say_error(f"{error['source']}: {error['message']}", error["hint"])
    return _give(command, answer, json=json)


def _terminal() -> Console | None:
    """Standard error where somebody watches it, by the rules of rich, which is imported for nobody else."""
    if not sys.stderr.isatty() and not os.environ.keys() & {"FORCE_COLOR", "TTY_COMPATIBLE"}:
        return None
    from rich.console import Console

    console = Console(stderr=True)
    return console if console.is_terminal else None


def _bars(terminal: Console) -> Bars:
    from adapters.shop.terminal import Bars

    return Bars(terminal)


@cli.command()
@click.argument("sources", nargs=-1)
@click.option(
    "--file",
    "files",
    multiple=True,
    metavar="PATH",
    help="Read these files, as source `file`; a pattern, or again for more.",
)
@click.option("--full", "mode", flag_value="full", help="Read everything; what is absent then has vanished.")
@click.option("--delta", "mode", flag_value="delta", help="Read what changed.")
@click.option("--dry-run", is_flag=True, help="Say what would change; change nothing.")
@click.option("--no-deliver", is_flag=True, help="Do not make the calls that are due.")
@click.option("--workers", type=click.IntRange(0), help="Processes that parse (0: this one).")
@click.option("--allow", multiple=True, metavar="GUARD", help="Let a guard through this once, by the name it gave.")
@click.option(
    "--acknowledge",
    metavar="FILE",
    help="Write an ONIX acknowledgement of the pass; of several passes, ack.xml becomes ack-SOURCE-STREAM.xml for each.",
)
@as_json
@click.pass_context
def resync(context: click.Context, /, **options: Any) -> int:
    """One pass of the sources, or of files. Then what is due is delivered.

    Without names every source of the settings is read.
    """
    if options["files"] and options["sources"]:
        raise UsageInvalid(
            "name sources or files, not both",
            hint="quote a pattern, so that the shell leaves it whole: --file 'feeds/*.xml'",
        )
    arguments = {
        "sources": list(options["sources"]),
        "files": [str(Path(path).absolute()) if "://" not in path else path for path in options["files"]],
        "mode": options["mode"],
        "dry_run": options["dry_run"],
        "deliver": not options["no_deliver"],
        "workers": options["workers"],
        "allow": list(options["allow"]),
        "acknowledge": str(Path(options["acknowledge"]).absolute()) if options["acknowledge"] else None,
    }
    return _command(context, "resync", arguments, json=options["as_json"])


@cli.command()
@click.pass_context
def daemon(context: click.Context) -> int:
    """Passes on a schedule, timers, delivery. SIGTERM lets calls in flight end; every command works beside it."""
    settings = _settings(context)
    if not settings.sources:
        raise UsageInvalid(
            "the settings name no source", hint="add a [sources.NAME]; `run.py sandbox` writes an example"
        )
    try:
        run_async(lambda: run_daemon(settings))
    except Interrupted:
        log.info("stopped")
    return 0


@cli.command()
@click.option("--at", metavar="INSTANT", help="Leave out what is due later.")
@as_json
@click.pass_context
def plan(context: click.Context, at: str | None, *, as_json: bool) -> int:
    """What would be sold, when, for how much. Also how long it takes under the limits."""
    return _command(context, "plan", {"at": at}, json=as_json)


@cli.command()
@click.argument("isbn")
@click.option("--market", required=True, metavar="CA/CAD", help="The customer's country and currency.")
@click.option("--at", metavar="INSTANT", help="Another instant than now, with its zone.")
@click.option("--source", metavar="NAME", help="Of this source alone.")
@as_json
@click.pass_context
def offer(context: click.Context, /, isbn: str, **options: Any) -> int:
    """The offers of a title and the rules that decided them."""
    arguments = {"isbn": isbn, "market": options["market"], "at": options["at"], "source": options["source"]}
    return _command(context, "offer", arguments, json=options["as_json"])


@cli.command()
@click.argument("isbn")
@click.option("--source", metavar="NAME", help="Of this source alone.")
@as_json
@click.pass_context
def title(context: click.Context, isbn: str, source: str | None, *, as_json: bool) -> int:
    """A title as its page shows it. Description, facts, and the offers now."""
    return _command(context, "title", {"isbn": isbn, "source": source}, json=as_json)


@cli.command()
@click.option("--since", type=click.IntRange(0), default=0, metavar="SEQ", help="Only lines after this one.")
@click.option("--follow", is_flag=True, help="Go on as lines come.")
@click.pass_context
def changes(context: click.Context, since: int, *, follow: bool) -> int:
    """The change log as NDJSON, a JSON document a line."""
    settings = _settings(context)

    async def stream() -> int:
        after = since
        while True:
            try:
                answer = await perform(settings, "changes", {"since": after, "limit": 1000})
            except StoreLocked:
                if not follow:
                    raise
                await anyio.sleep(1)
                continue
            lines = answer.document["changes"]
            for line in lines:
                sys.stdout.buffer.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
                after = line["seq"]
            sys.stdout.buffer.flush()
            if not lines and not follow:
                return 0
            if not lines:
                await anyio.sleep(1)

    return run_async(stream)


# --- orders


@cli.group()
def orders() -> None:
    """The order register."""


@orders.command("import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--skip-bad", is_flag=True, help="Take the good rows of a file that has bad ones.")
@as_json
@click.pass_context
def import_orders(context: click.Context, path: Path, *, skip_bad: bool, as_json: bool) -> int:
    """Take an orders file: CSV with a header, or NDJSON. A file imported twice adds nothing."""
    found = read_orders(path)
    rows = [{"line": line, "fields": fields} for line, fields in found.rows]
    arguments = {"rows": rows, "problems": list(found.problems), "skip_bad": skip_bad}
    return _command(context, "orders_take", arguments, json=as_json)


@orders.command("add")
@as_json
@click.pass_context
def add_order(context: click.Context, /, *, as_json: bool, **fields: str | None) -> int:
    """Take one order."""
    given = {name: value for name, value in fields.items() if value is not None}
    return _command(context, "orders_take", {"rows": [{"line": 0, "fields": given}]}, json=as_json)


_ORDER_HELP = {
    "order_id": "The shop's own, taken once.",
    "source": "Who sells it: a source of the settings.",
    "isbn": "The title.",
    "format": "Such as epub, pdf or mp3; needed where an ISBN has several.",
    "market": "The customer's country and currency, as CA/CAD.",
    "customer_id": "The shop's own.",
    "agreed_price": "What the customer agreed to, tax included; none: today's.",
    "price_rule": f"{', '.join(rule.value for rule in PriceRule)}.",
    "payment": f"{', '.join(payment.value for payment in Payment)}.",
}
for _column in COLUMNS:
    add_order = click.option(f"--{_column.replace('_', '-')}", _column, help=_ORDER_HELP.get(_column))(add_order)


@orders.command("list")
@click.option(
    "--state",
    "states",
    multiple=True,
    type=click.Choice([state.value for state in OrderState], case_sensitive=False),
    help="In this state; again for more.",
)
@click.option("--source", metavar="NAME", help="Of this source alone.")
@click.option("--title", "isbn", metavar="ISBN", help="For this title alone.")
@click.option("--limit", type=click.IntRange(1), default=1000, show_default=True, help="At most so many.")
@as_json
@click.pass_context
def list_orders(context: click.Context, /, **options: Any) -> int:
    """Orders, by state, source or title."""
    arguments = {name: options[name] for name in ("source", "isbn", "limit")} | {"states": list(options["states"])}
    return _command(context, "orders_list", arguments, json=options["as_json"])


@orders.command("show")
@click.argument("order_id")
@as_json
@click.pass_context
def show_order(context: click.Context, order_id: str, *, as_json: bool) -> int:
    """One order with its history and what is owed for it."""
    return _command(context, "orders_show", {"order_id": order_id}, json=as_json)


@orders.command("cancel")
@click.argument("order_ids", nargs=-1, required=True)
@as_json
@click.pass_context
def cancel_orders(context: click.Context, order_ids: tuple[str, ...], *, as_json: bool) -> int:
    """Give orders up before they are sold."""
    return _command(context, "orders_cancel", {"order_ids": list(order_ids)}, json=as_json)


@orders.command("confirm")
@click.argument("order_ids", nargs=-1, required=True)
@click.option("--amount", help="The amount paid; it must be the amount asked for.")
@as_json
@click.pass_context
def confirm_orders(context: click.Context, order_ids: tuple[str, ...], amount: str | None, *, as_json: bool) -> int:
    """The customer has paid a PAYABLE order."""
    return _command(context, "orders_confirm", {"order_ids": list(order_ids), "amount": amount}, json=as_json)


@orders.command("refund")
@click.argument("order_ids", nargs=-1, required=True)
@click.option("--reason", help="Shown to the publisher.")
@as_json
@click.pass_context
def refund_orders(context: click.Context, order_ids: tuple[str, ...], reason: str | None, *, as_json: bool) -> int:
    """Ask for sales to be taken back."""
    return _command(context, "orders_refund", {"order_ids": list(order_ids), "reason": reason}, json=as_json)


@orders.command("resolve")
@click.argument("order_ids", nargs=-1)
@click.option("--title", metavar="ISBN", help="All orders of a title that are in ATTENTION.")
@click.option("--retry", is_flag=True, help="Try again.")
@click.option("--accept-price", metavar="AMOUNT", help="The customer agrees to pay up to this, tax included.")
@click.option("--placed", metavar="REF", help="The distributor has the sale.")
@click.option("--cancel", is_flag=True, help="Give it up.")
@as_json
@click.pass_context
def resolve_orders(context: click.Context, /, order_ids: tuple[str, ...], **options: Any) -> int:
    """Decide orders that wait for a person."""
    ways = [name for name in ("retry", "accept_price", "placed", "cancel") if options[name]]
    if len(ways) != 1:
        raise UsageInvalid("say one of --retry, --accept-price, --placed, --cancel")
    if not order_ids and not options["title"]:
        raise UsageInvalid("no order is named", hint="name order ids, or all of a title with --title ISBN")
    arguments = {"order_ids": list(order_ids), "title": options["title"], ways[0]: options[ways[0]]}
    return _command(context, "orders_resolve", arguments, json=options["as_json"])


@orders.command("link")
@click.argument("order_id")
@as_json
@click.pass_context
def link_order(context: click.Context, order_id: str, *, as_json: bool) -> int:
    """A fresh download link of a placed order; it lives for a minute."""
    return _command(context, "orders_link", {"order_id": order_id}, json=as_json)


# --- what waits for a person


@cli.group()
def parked() -> None:
    """Calls that were set aside, and quarantined records."""


@parked.command("list")
@as_json
@click.pass_context
def list_parked(context: click.Context, *, as_json: bool) -> int:
    """All of them."""
    return _command(context, "parked_list", {}, json=as_json)


def _parked_command(name: str, says: str) -> None:
    def act(context: click.Context, entry: str, *, as_json: bool) -> int:
        return _command(context, f"parked_{name}", {"id": entry}, json=as_json)

    act.__doc__ = says
    parked.command(name)(click.argument("entry", metavar="ID")(as_json(click.pass_context(act))))


_parked_command("show", "One of them, with its bytes.")
_parked_command("retry", "Take a call up again; one that may have been sent is looked up first.")
_parked_command("drop", "Give a record or a probe up; a call of an order is resolved with the order.")


@cli.group()
def quarantine() -> None:
    """Records that are kept apart. Unreadable ones, updates without a base, tests, notices of transfer."""


@quarantine.command("list")
@click.option("--source", metavar="NAME", help="Of this source alone.")
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    type=click.Choice([kind.value for kind in AsideKind]),
    help="Of this kind; again for more.",
)
@as_json
@click.pass_context
def list_quarantine(context: click.Context, source: str | None, kinds: tuple[str, ...], *, as_json: bool) -> int:
    """All of them, oldest first. The exit code is 1 where any is quarantined."""
    return _command(context, "quarantine_list", {"source": source, "kinds": list(kinds)}, json=as_json)


@quarantine.command("show")
@click.argument("record", metavar="ID")
@as_json
@click.pass_context
def show_quarantine(context: click.Context, record: str, *, as_json: bool) -> int:
    """One of them, why it is here, its bytes."""
    return _command(context, "quarantine_show", {"id": record}, json=as_json)


@quarantine.command("retry")
@click.argument("records", metavar="[ID]...", nargs=-1)
@as_json
@click.pass_context
def retry_quarantine(context: click.Context, records: tuple[str, ...], *, as_json: bool) -> int:
    """Read them again; without ids, all. Worth it after an upgrade or a change of settings."""
    return _command(context, "quarantine_retry", {"ids": list(records)}, json=as_json)


@quarantine.command("drop")
@click.argument("records", metavar="ID...", nargs=-1, required=True)
@as_json
@click.pass_context
def drop_quarantine(context: click.Context, records: tuple[str, ...], *, as_json: bool) -> int:
    """Forget them. What stands in the catalogue stays as it is."""
    return _command(context, "quarantine_drop", {"ids": list(records)}, json=as_json)


@cli.command()
@click.argument("name")
@click.option("--reason", help="Shown by status and doctor.")
@as_json
@click.pass_context
def pause(context: click.Context, name: str, reason: str | None, *, as_json: bool) -> int:
    """Let the delivery of a source rest."""
    return _command(context, "pause", {"name": name, "reason": reason}, json=as_json)


@cli.command()
@click.argument("name")
@as_json
@click.pass_context
def resume(context: click.Context, name: str, *, as_json: bool) -> int:
    """Deliver for a source again."""
    return _command(context, "resume", {"name": name}, json=as_json)


# --- the whole


@cli.command()
@as_json
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> int:
    """How everything stands."""
    return _command(context, "status", {}, json=as_json)


@cli.command()
@click.argument("path", type=click.Path())
@as_json
@click.pass_context
def backup(context: click.Context, path: str, *, as_json: bool) -> int:
    """A consistent copy of the store, taken while it is in use."""
    return _command(context, "backup", {"path": str(Path(path).absolute())}, json=as_json)


class _NoCalls:
    """The pace of parts that are built and never used."""

    def take(self, source: SourceName, limit: str) -> bool:
        """Nothing is ever called."""
        del source, limit
        return False

    async def turn(self, source: SourceName, limit: str) -> None:
        """Nothing is ever called."""

    async def depart(self, source: SourceName, limit: str) -> None:
        """Nothing is ever called."""

    def slow_down(self, source: SourceName, limit: str, until: datetime | None) -> None:
        """Nothing is ever called."""

    def estimate(self, source: SourceName, limit: str, count: int) -> float:
        """Nothing is ever called."""
        del source, limit, count
        return 0.0


@cli.command("check-config")
@as_json
@click.pass_context
def check_config(context: click.Context, *, as_json: bool) -> int:
    """Say all that is wrong with the settings. Reads every secret and code-list file they name."""
    from adapters.clock import SystemClock

    settings = _settings(context)
    connect_sources(settings, World(clock=SystemClock(), pace=_NoCalls(), directory=settings.directory))
    code_lists(settings)
    document = {
        "store": str(store_path(settings)),
        "sources": {name: source.kind for name, source in settings.sources.items()},
    }
    return _give("check_config", Answer(document=document), json=as_json)


@cli.command()
@as_json
@click.pass_context
def doctor(context: click.Context, *, as_json: bool) -> int:
    """Check settings, store and every account."""
    return _command(context, "doctor", {}, json=as_json)


# --- the ONIX code lists


@cli.group("codelists", invoke_without_command=True)
@as_json
@click.pass_context
def code_lists_group(context: click.Context, *, as_json: bool) -> int:
    """The ONIX code lists in use. Of which issue, and how many codes each list has."""
    if context.invoked_subcommand is not None:
        return 0
    settings = _settings(context)
    codes, named = code_lists(settings), settings.service.code_lists
    lists = [
        {"list": number, "name": known.name, "issue": codes.issue_of(number), "codes": len(known.codes)}
        for number, known in sorted(codes.lists.items())
    ]
    document = {
        "issue": codes.issue,
        "released": codes.released,
        "version": codes.version,
        "file": str(settings.directory / named) if named else None,
        "lists": lists,
    }
    if not as_json:
        document["file"] = document["file"] or "the shipped one"
        document["lists"] = {
            f"list {found['list']}": f"{found['name']}: {found['codes']} codes, Issue {found['issue']}"
            for found in lists
        }
    return _give("codelists", Answer(document=document), json=as_json)


@code_lists_group.command("convert")
@click.argument("schema", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Where to write it (default: standard output).")
def convert_code_lists(schema: Path, out: Path | None) -> int:
    """Make a file of another issue's schema. For [service] code_lists, of EDItEUR's ONIX_BookProduct_CodeLists.xsd.

    Lists of ONIX 2.1 that the schema no longer has are carried over from the shipped ones.
    """
    from syncengine.onix import codelists

    content = codelists.convert(schema, kept=codelists.standard()).dump()
    if out is None:
        sys.stdout.buffer.write(content)
        return 0
    try:
        out.write_bytes(content)
    except OSError as error:
        raise UsageInvalid(f"{out} cannot be written: {error.strerror}") from error
    return 0


# --- trying it out


@cli.command()
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="0: any free one.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same catalogue.")
@click.option("--titles", type=click.IntRange(1), default=3000, show_default=True, help="How large a catalogue.")
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("var/sandbox"),
    show_default=True,
    help="Where the settings and the store are.",
)
@click.option("--only", metavar="NAME", multiple=True, help="This distributor alone; again for more.")
def sandbox(port: int, seed: int, titles: int, directory: Path, only: tuple[str, ...]) -> int:
    """The stub distributors on loopback. Prints one JSON line with the settings to use, and serves until it is stopped."""

    async def serve() -> None:
        stubs = make_sandbox(seed, titles, directory, only)
        url = await stubs.start(port)
        document = {"settings": str(stubs.settings_path.absolute()), "url": url, **stubs.addresses}
        sys.stdout.buffer.write(orjson.dumps(document, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await stubs.stop()

    try:
        run_async(serve)
    except Interrupted:
        return 0
    return 0


def make_sandbox(seed: int, titles: int, directory: Path, only: Collection[str] = ()) -> Sandbox:
    """The stub of every distributor that has one, or of those that are named; raises UsageInvalid for one that has none."""
    from adapters.sandbox.server import Sandbox

    folder = Path(adapters.distributors.__path__[0])
    names = [name for name in kind_names() if (folder / name / "sandbox.py").exists()]
    if unknown := sorted(set(only) - set(names)):
        raise UsageInvalid(f"there is no stub of {', '.join(unknown)}", hint=f"there are: {', '.join(names)}")
    # An edit that names neither a distributor nor a known ISBN is for the first of them.
    names = sorted((name for name in names if not only or name in only), key=lambda name: name != "demarque")
    stubs = [importlib.import_module(f"adapters.distributors.{name}.sandbox").STUB for name in names]
    return Sandbox(seed=seed, titles=titles, directory=directory, stubs=stubs)


@cli.command()
@click.option(
    "--titles", type=click.IntRange(200), default=1000, show_default=True, help="How large each catalogue is."
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed plays the same day.")
def demo(titles: int, seed: int) -> int:
    """A shop's release day at all distributors, in a minute. Catalogues, orders, the release, refunds, a summary.

    Leaves with 1 where the register and the distributors' ledgers do not agree at its end.
    """
    try:
        return run_async(lambda: _demo(titles, seed))
    except Interrupted:
        click.echo("interrupted: the demo has stopped, its distributors too; the next one begins anew", err=True)
        return EXIT_INTERRUPTED


async def _demo(titles: int, seed: int) -> int:
    """A sandbox with every stub, and an engine over a store of its own, in one process."""
    import shutil

    from rich.console import Console

    from adapters.sandbox.demo import tell_demo
    from state.sqlite.owner import Ownership

    directory = Path("var/demo")
    if (store := directory / "var" / "syncengine.db").exists():
        Ownership(store).release()  # raises StoreLocked where somebody uses what is about to be thrown away
    shutil.rmtree(directory, ignore_errors=True)
    stubs = make_sandbox(seed, titles, directory)
    await stubs.start()
    console = Console(highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = 160
    try:
        async with opened(load_settings(str(stubs.settings_path))) as desk, desk.engine.working():

            async def command(name: str, arguments: Document) -> Document:
                answer = await desk.answer(name, arguments)
                if "errors" in answer.document:
                    raise SourceFailed("; ".join(error["message"] for error in answer.document["errors"]))
                return answer.document

            agree = await tell_demo(stubs, command, desk.engine.clock, console, seed=seed)
    finally:
        with anyio.CancelScope(shield=True):
            await stubs.stop()
    return 0 if agree else 1


@cli.command(context_settings={"ignore_unknown_options": True, "help_option_names": []})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def bench(arguments: tuple[str, ...]) -> int:
    """Measure the hot path, in ratios of one run. list, run, compare."""
    command = importlib.import_module("bench.cli").bench
    return int(command.main(list(arguments), prog_name="run.py bench", standalone_mode=False) or 0)


if __name__ == "__main__":
    cli()
