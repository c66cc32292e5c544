"""A source of ONIX messages that a test makes by hand, one a page: what passes are tried with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.passes import PassMode
from syncengine.domain.territory import Market
from syncengine.errors import FeedTorn, SourceUnreachable
from syncengine.ports import Conventions, Part, PartialUpdates, PassEnd, PassPlan

SOURCE = SourceName("enq")
STREAM = StreamName("publications")
CA = Market(country="CA", currency="CAD")
HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ONIXMessage xmlns="http://ns.editeur.org/onix/3.0/reference" release="3.0">'
    "<Header><Sender><SenderName>ENQC</SenderName></Sender><SentDateTime>{sent_at}</SentDateTime></Header>\n"
)
TAIL = "</ONIXMessage>"


def isbn(number: int) -> str:
    body = f"978276441{number:03}"
    check = -sum(int(digit) * (1, 3)[place % 2] for place, digit in enumerate(body)) % 10
    return f"{body}{check}"


def product(number: int, *, price: str = "9.99", title: str = "Un livre", kind: str = "03", status: str = "04") -> str:
    reference = f"<RecordReference>ENQC{number}-epub</RecordReference><NotificationType>{kind}</NotificationType>"
    identifier = (
        f"<ProductIdentifier><ProductIDType>15</ProductIDType><IDValue>{isbn(number)}</IDValue></ProductIdentifier>"
    )
    if kind == "05":
        return f"<Product>{reference}{identifier}</Product>\n"
    return f"""<Product>{reference}{identifier}
<DescriptiveDetail><ProductComposition>00</ProductComposition><ProductForm>EA</ProductForm>
<ProductFormDetail>E101</ProductFormDetail><EpubTechnicalProtection>02</EpubTechnicalProtection>
<TitleDetail><TitleType>01</TitleType><TitleElement><TitleElementLevel>01</TitleElementLevel><TitleText>{title}</TitleText>
</TitleElement></TitleDetail></DescriptiveDetail>
<PublishingDetail><PublishingStatus>{status}</PublishingStatus><SalesRights><SalesRightsType>01</SalesRightsType>
<Territory><CountriesIncluded>CA US</CountriesIncluded></Territory></SalesRights></PublishingDetail>
<ProductSupply><Market><Territory><CountriesIncluded>CA US</CountriesIncluded></Territory></Market>
<SupplyDetail><Supplier><SupplierRole>06</SupplierRole><SupplierName>S</SupplierName></Supplier>
<ProductAvailability>20</ProductAvailability><Price><PriceType>02</PriceType><PriceAmount>{price}</PriceAmount>
<CurrencyCode>CAD</CurrencyCode></Price></SupplyDetail></ProductSupply></Product>
"""


def message(*products: str, sent_at: str = "20261101T000000Z") -> bytes:
    return (HEAD.format(sent_at=sent_at) + "".join(products) + TAIL).encode()


@dataclass
class Pages:
    """A source that serves the messages the test gives it, one a page, and breaks where it is told to.

    `forgets`: a crawl that was interrupted cannot be gone on with, it begins again. `meanwhile` happens behind a page, before
    the next is asked for.
    """

    pages: list[bytes]
    mode: PassMode = PassMode.FULL
    breaks_after: int | None = None
    torn: set[int] = field(default_factory=set)
    forgets: bool = False
    meanwhile: Mapping[int, Callable[[], Awaitable[object]]] = field(default_factory=dict)
    single: bytes | None = None
    asked: list[int] = field(default_factory=list)
    name: SourceName = SOURCE
    streams: tuple[StreamName, ...] = (STREAM,)
    snapshot: bool = True
    conventions: Conventions = field(default_factory=lambda: Conventions(partial_updates=PartialUpdates.WHOLE))

    def rows(self, stream):
        return None

    def is_snapshot(self, stream):
        return self.snapshot

    def plan(self, stream, cursor, wanted, now):
        return PassPlan(mode=wanted or self.mode, resumes=bool(cursor) and cursor != b"end")

    async def read(self, stream, plan, cursor) -> AsyncIterator[Part | PassEnd]:
        start = int(cursor) if plan.resumes and cursor and not self.forgets else 0
        for number in range(start, len(self.pages)):
            if number == self.breaks_after:
                raise SourceUnreachable(f"page {number}: no answer")
            self.asked.append(number)
            yield Part(
                name=f"page {number}",
                chunks=self._chunks(number),
                cursor=str(number + 1).encode(),
                starts_over=plan.resumes and number == 0,
            )
            if number in self.meanwhile:
                await self.meanwhile[number]()
        yield PassEnd(cursor=b"end")

    async def _chunks(self, number):
        page = self.pages[number]
        middle = len(page) // 2
        yield page[:middle]
        if number in self.torn:
            raise FeedTorn("the body ended before its end")
        yield page[middle:]

    async def read_one(self, isbn):
        if self.single is None:
            return {}
        self.pages.append(self.single)
        return {STREAM: Part(name=f"single {isbn}", chunks=self._chunks(len(self.pages) - 1))}

    async def check_account(self):
        raise AssertionError("not asked here")

    async def aclose(self):
        pass
