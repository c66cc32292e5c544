"""Merged records against a model of a record that knows no XML: blocks by name, markets by MarketReference (reference/onix.md 2.5)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from syncengine.catalogue.blocks import merge
from syncengine.domain.tags import REFERENCE_NAMES, SHORT_TAGS
from syncengine.errors import RecordInvalid

Words = tuple[str, ...]

ORDER = (
    "DescriptiveDetail",
    "CollateralDetail",
    "PromotionDetail",
    "ContentDetail",
    "PublishingDetail",
    "RelatedMaterial",
    "ProductionDetail",
    "ProductSupply",
)
"""Blocks 1, 2, 7, 3, 4, 5, 8, 6."""

MANDATORY = frozenset({"DescriptiveDetail", "PublishingDetail"})


@dataclass(frozen=True)
class Supply:
    """One market: its reference, and the words that its other parts say."""

    reference: str | None = None
    market: Words = ()
    status: Words = ()
    details: Words = ()


@dataclass(frozen=True)
class Sent:
    """A record as it is sent or known; a block without words is there and empty."""

    notification: str
    identifiers: Words
    blocks: tuple[tuple[str, Words], ...]
    supplies: tuple[Supply, ...]


def updated(known: Sent, update: Sent) -> Sent | None:
    """What is known after an update; none where it says what no update may say."""
    sent = dict(update.blocks)
    if any(not words and name in MANDATORY for name, words in sent.items()):
        return None
    if not sent and not update.supplies:
        return known
    kept = {name: words for name, words in known.blocks if name not in sent}
    return replace(
        known,
        identifiers=update.identifiers or known.identifiers,
        blocks=in_order({**kept, **{name: words for name, words in sent.items() if words}}),
        supplies=supplied(known.supplies, update.supplies),
    )


def supplied(known: tuple[Supply, ...], sent: tuple[Supply, ...]) -> tuple[Supply, ...]:
    """Market by market where every one of both has its reference, else all or nothing."""
    if not sent:
        return known
    if any(supply.reference is None for supply in (*known, *sent)):
        return sent
    markets = {supply.reference: supply for supply in known}
    for supply in sent:
        before = markets.get(supply.reference)
        if supply.details or before is None:
            markets[supply.reference] = supply
        else:
            market, status = supply.market or before.market, supply.status or before.status
            markets[supply.reference] = replace(before, market=market, status=status, details=())
    return tuple(markets.values())


def in_order(blocks: dict[str, Words]) -> tuple[tuple[str, Words], ...]:
    return tuple(sorted(blocks.items(), key=lambda block: ORDER.index(block[0])))


# --- a record as XML, and back ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spelling:
    """How a message is written."""

    is_short: bool
    prefix: str
    namespace: str
    encoding: str

    @property
    def opening(self) -> bytes:
        bound = f" xmlns{':' * bool(self.prefix)}{self.prefix[:-1]}='{self.namespace}'" if self.namespace else ""
        return f'<?xml version="1.0" encoding="{self.encoding}"?><{self._root}{bound} release="3.1">'.encode()

    @property
    def closing(self) -> bytes:
        return f"</{self._root}>".encode()

    @property
    def _root(self) -> str:
        return self.prefix + ("ONIXmessage" if self.is_short else "ONIXMessage")

    def name(self, name: str) -> str:
        return self.prefix + (SHORT_TAGS[name] if self.is_short else name)

    def element(self, name: str, *inside: str) -> str:
        return f"<{self.name(name)}>{''.join(inside)}</{self.name(name)}>"

    def words(self, words: Iterable[str]) -> str:
        """Each as the only text of a composite."""
        return "".join(self.element("Website", self.element("WebsiteLink", _escaped(word))) for word in words)

    def document(self, record: Sent) -> bytes:
        return self.opening + self.record(record).encode(self.encoding, "xmlcharrefreplace") + self.closing

    def record(self, record: Sent) -> str:
        return self.element(
            "Product",
            self.element("RecordReference", "r1"),
            self.element("NotificationType", record.notification),
            *(self.element("ProductIdentifier", self.element("IDValue", value)) for value in record.identifiers),
            *(self.element(name, self.words(words)) for name, words in record.blocks),
            *map(self.supply, record.supplies),
        )

    def supply(self, supply: Supply) -> str:
        return self.element(
            "ProductSupply",
            self.element("MarketReference", supply.reference) if supply.reference else "",
            self.element("Market", self.words(supply.market)) if supply.market else "",
            self.element("MarketPublishingDetail", self.words(supply.status)) if supply.status else "",
            *(self.element("SupplyDetail", self.words([word])) for word in supply.details),
        )


def _escaped(word: str) -> str:
    return word.replace("&", "&amp;").replace("<", "&lt;")


def _name(node: etree._Element) -> str:
    local = str(etree.QName(node).localname)
    return REFERENCE_NAMES.get(local, local)


def _words(nodes: Iterable[etree._Element]) -> Words:
    return tuple(str(text) for node in nodes for text in node.itertext())


def read_back(document: bytes) -> Sent:
    """The only record of a document, its blocks in the order in which they stand."""
    [product] = etree.fromstring(document)
    assert "Product" == _name(product)
    zero = [node for node in product if _name(node) not in ORDER]
    blocks = [node for node in product if _name(node) in ORDER]
    assert [*zero, *blocks] == list(product)
    assert ["r1"] == [node.text for node in zero if _name(node) == "RecordReference"]
    return Sent(
        notification="".join(_words(node for node in zero if _name(node) == "NotificationType")),
        identifiers=_words(node for node in zero if _name(node) == "ProductIdentifier"),
        blocks=tuple((_name(node), _words([node])) for node in blocks if _name(node) != "ProductSupply"),
        supplies=tuple(_supply(node) for node in blocks if _name(node) == "ProductSupply"),
    )


def _supply(composite: etree._Element) -> Supply:
    def words(name: str) -> Words:
        return _words(node for node in composite if _name(node) == name)

    return Supply(
        reference=next(iter(words("MarketReference")), None),
        market=words("Market"),
        status=words("MarketPublishingDetail"),
        details=words("SupplyDetail"),
    )


# --- what is sent -------------------------------------------------------------------------------------------------------

WORDS = st.lists(st.sampled_from(["a", "b", "\u00e9", "\u20ac", "x & y", "<z>", "]]"]), min_size=1, max_size=2).map(
    tuple
)
MAYBE = st.just(()) | WORDS
SPELLINGS = st.builds(
    Spelling,
    is_short=st.booleans(),
    prefix=st.just(""),
    namespace=st.sampled_from(["", "http://ns.editeur.org/onix/3.1/reference", "urn:other"]),
    encoding=st.sampled_from(["UTF-8", "ISO-8859-1"]),
) | st.builds(
    Spelling, is_short=st.booleans(), prefix=st.just("o:"), namespace=st.just("urn:o"), encoding=st.just("UTF-8")
)
MARKETS = st.sampled_from(["m1", "m2", "m3"])


@st.composite
def _supplies(draw: st.DrawFn) -> tuple[Supply, ...]:
    """Markets with a reference each, with none, or some with and some without."""
    kind = draw(st.sampled_from(["all", "all", "none", "some"]))
    references: list[str | None] = [*draw(st.lists(MARKETS, unique=True, max_size=3))] if kind != "none" else []
    if kind != "all":
        references.extend([None] * draw(st.integers(0, 2)))
    return tuple(
        Supply(reference=reference, market=draw(MAYBE), status=draw(MAYBE), details=draw(MAYBE if reference else WORDS))
        for reference in draw(st.permutations(references))
    )


@st.composite
def _full(draw: st.DrawFn) -> Sent:
    names = draw(st.lists(st.sampled_from(ORDER[:-1]), unique=True))
    return Sent(
        notification=draw(st.sampled_from(["01", "02", "03"])),
        identifiers=draw(st.sampled_from([("1",), ("1", "2"), ("2", "3")])),
        blocks=in_order({name: draw(WORDS) for name in names}),
        supplies=draw(_supplies()),
    )


@st.composite
def _update(draw: st.DrawFn) -> Sent:
    """Blocks with other content, empty ones, or none at all."""
    names = draw(st.lists(st.sampled_from(ORDER[:-1]), unique=True, max_size=3))
    empty = st.integers(0, 9)
    blocks = {name: () if draw(empty) < (1 if name in MANDATORY else 4) else draw(WORDS) for name in names}
    return Sent(
        notification="04",
        identifiers=draw(st.sampled_from([("1",), ("1", "2"), ("9",), ()])),
        blocks=in_order(blocks),
        supplies=draw(st.just(()) | _supplies()),
    )


STEPS = st.lists(st.tuples(_update() | _update() | _update() | _full(), SPELLINGS), max_size=8)


@given(first=_full(), spelling=SPELLINGS, steps=STEPS)
def test_a_record_is_what_the_model_says_after_every_message(
    first: Sent, spelling: Spelling, steps: list[tuple[Sent, Spelling]]
):
    """Full records and updates in any order and spelling; a refused update leaves the record as it was."""
    known, document = first, spelling.document(first)
    for sent, written in steps:
        if sent.notification != "04":
            known, document, spelling = sent, written.document(sent), written
            continue
        after = updated(known, sent)
        try:
            document = spelling.opening + merge(document, written.document(sent)).body + spelling.closing
        except RecordInvalid:
            assert after is None
        else:
            assert after == read_back(document)
            known = after
