"""Plain ONIX files read into a real store, one pass after another: messages are written, read, and what came of them is asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

from adapters.files import FileSource, OnixRules
from state.sqlite.store import SqliteStore
from syncengine.domain.change import Change
from syncengine.domain.ids import RecordReference, SourceName
from syncengine.domain.passes import PassMode, PassReport
from syncengine.domain.product import Product
from syncengine.domain.territory import Market
from syncengine.ports import (
    Account,
    AsideKind,
    Conventions,
    Distributor,
    KnownRecord,
    RecordStatus,
    SetAside,
    Urgency,
)
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.service.progress import Unwatched
from syncengine.settings import GuardSettings
from tests.clock import JumpClock

FILES = SourceName("files")
GB = Market(country="GB", currency="GBP")
ISBNS = ("9780306406157", "9780140449136", "9780262033848")


def message(*records: str, header: str = "", release: str = "3.0", root: str = "ONIXMessage") -> bytes:
    """A message in reference names without a namespace; `header` is what stands in its header."""
    head = f"<Header>{header}</Header>" if header else ""
    return f'<?xml version="1.0"?><{root} release="{release}">{head}{"".join(records)}</{root}>'.encode()


def sent(at: str = "", number: object = "", sender: str = "Sender", more: str = "") -> str:
    """The inside of a header."""
    parts = [f"<Sender><SenderName>{sender}</SenderName></Sender>"]
    if number:
        parts.append(f"<MessageNumber>{number}</MessageNumber>")
    if at:
        parts.append(f"<SentDateTime>{at}</SentDateTime>")
    return "".join(parts) + more


def record(reference: str | None, inside: str = "", *, notification: str = "03", isbn: str | None = ISBNS[0]) -> str:
    """One record."""
    named = f"<RecordReference>{reference}</RecordReference>" if reference else ""
    identifier = (
        f"<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{isbn}</IDValue></ProductIdentifier>"
        if isbn
        else ""
    )
    return f"<Product>{named}<NotificationType>{notification}</NotificationType>{identifier}{inside}</Product>"


def titled(title: str, form: str = "EA") -> str:
    """A block 1."""
    element = f"<TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>{title}</TitleText></TitleElement>"
    detail = f"<TitleDetail><TitleType>01</TitleType>{element}</TitleDetail>"
    return f"<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>{form}</ProductForm>{detail}</DescriptiveDetail>"


def status(code: str) -> str:
    """A block 4."""
    return f"<PublishingDetail><PublishingStatus>{code}</PublishingStatus></PublishingDetail>"


def supply(price: str, *, currency: str | None = "GBP", kind: str | None = "02") -> str:
    """A block 6 with one price."""
    type_ = f"<PriceType>{kind}</PriceType>" if kind else ""
    money = f"<CurrencyCode>{currency}</CurrencyCode>" if currency else ""
    detail = (
        f"<ProductAvailability>20</ProductAvailability><Price>{type_}<PriceAmount>{price}</PriceAmount>{money}</Price>"
    )
    return f"<ProductSupply><SupplyDetail>{detail}</SupplyDetail></ProductSupply>"


class FileShop:
    """A store and a folder of files; each `read` is one pass over the messages it is given, in their order."""

    def __init__(self, store: SqliteStore, clock: JumpClock, folder: Path, conventions: Conventions) -> None:
        self.store, self.clock, self.folder = store, clock, folder
        self.conventions = conventions
        self.passes = 0
        self.progress = Unwatched()

    def intake(self, paths: Sequence[Path], mode: PassMode) -> Intake:
        source = FileSource(FILES, paths, mode=mode, conventions=self.conventions)
        rules = OnixRules(markets=(GB,), zone=ZoneInfo("Europe/London"))
        account = Account(kind="onix", address="files", organisation="")
        distributor = Distributor(source=source, rules=rules, calls=None, account=account)
        return Intake(distributor, self.store, self.clock, Parsers(), GuardSettings(), self.progress)

    async def read(self, *messages: bytes, mode: PassMode = PassMode.DELTA, **options) -> PassReport:
        """One pass."""
        self.passes += 1
        folder = self.folder / f"pass-{self.passes}"
        folder.mkdir()
        paths = [folder / f"{number}.xml" for number in range(len(messages))]
        for path, content in zip(paths, messages, strict=True):
            path.write_bytes(content)
        intake = self.intake(paths, mode)
        return await intake.run(intake.streams[0], PassOptions(wanted=mode, stage_deltas=True, **options))

    async def retry(self, *kinds: AsideKind) -> PassReport:
        """Read again what is set aside."""
        return await self.intake([], PassMode.DELTA).retry(await self.aside(*kinds))

    async def record(self, reference: str) -> KnownRecord | None:
        """A record as it is stored."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return (await tx.records.known(FILES, [RecordReference(reference)])).get(RecordReference(reference))

    async def product(self, reference: str) -> Product | None:
        """The facts of a live record."""
        found = await self.record(reference)
        return found.product if found and found.status is RecordStatus.LIVE else None

    async def aside(self, *kinds: AsideKind) -> Sequence[SetAside]:
        """What is set aside."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.records.aside(FILES, kinds or tuple(AsideKind))

    async def changes(self, after: int = 0) -> Sequence[Change]:
        """The change log."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.changes.since(after, 10_000)
