"""The records of a feed, one by one: joined from parts that are made once, each drawn by its own number.

So a record is the same in every edition, order and encoding of its catalogue, but for its edit.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random

from stdnum import ean

from bench.plan import Edit, Encoding, FeedPlan, Shape, Tags
from bench.shapes import parts_of
from bench.variants import Priced
from syncengine.domain.tags import SHORT_TAGS

_SLOT = re.compile(r"@(\w+)@")
_NAME = re.compile(r"(?<=[</])[A-Z]\w*")
_PRIME = 1_000_003
_SAMPLE = 200

Compiled = list[tuple[bytes, str]]
"""A template: what stands before each slot, and the slot; the last has none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A record as it stands in the feed, UTF-16 still as UTF-8, and the facts it states (`told`)."""

    body: bytes
    facts: str


def reference(number: int, plan: FeedPlan) -> str:
    """The RecordReference of the record with this number."""
    match plan.shape:
        case Shape.DEMARQUE:
            return f"BENC{number}-epub"
        case Shape.CB:
            return isbn(number)
        case Shape.BOKBASEN:
            return f"no.bench.{number}"
        case Shape.HUB:
            stem = "com.example.bench." if plan.reference_bytes >= 27 else "b"
            return f"{stem}{number:0{max(1, plan.reference_bytes - len(stem))}d}"


def isbn(number: int) -> str:
    """Its ISBN-13."""
    stem = f"978{number % 1_000_000_000:09d}"
    return f"{stem}{ean.calc_check_digit(stem)}"


def told(
    reference: str, isbn: str | None, title: str | None, availability: str | None, amounts: Iterable[tuple[str, ...]]
) -> str:
    """The facts of a record that are compared with what a store says, as one line; amounts are (type, amount, currency)."""
    said = (reference, isbn or "", title or "", availability or "", *("/".join(amount) for amount in amounts))
    return "\t".join(said)


def written(text: str, plan: FeedPlan) -> bytes:
    """Text with reference names in the plan's tag style and encoding; UTF-16 as UTF-8."""
    if plan.tags is Tags.SHORT:
        text = _NAME.sub(lambda name: SHORT_TAGS.get(name[0], name[0]), text)
    return text.encode("iso-8859-1" if plan.encoding is Encoding.LATIN_1 else "utf-8", "xmlcharrefreplace")


class Maker:
    """Makes the records of a plan."""

    def __init__(self, plan: FeedPlan) -> None:
        parts = parts_of(plan)
        self._plan = plan
        self._parts = parts
        self._random = Random()  # noqa: S311 - the same feed again matters here, not secrecy
        self._template = _compiled(parts.template, self._written)
        self._notice = _compiled(parts.notice, self._written)
        self._variants = {slot: [self._written(text) for text in texts] for slot, texts in parts.variants.items()}
        on_sale, off_sale = parts.availabilities
        self._supplies = {
            None: self._with_availability(parts.prices, on_sale),
            Edit.AVAILABILITY: self._with_availability(parts.prices, off_sale),
            Edit.PRICE: self._with_availability(parts.raised, on_sale),
        }
        self._texts = [self._written(text) for text in parts.texts]
        self._extra_text = self._written(parts.extra_text)
        usual = replace(plan, encoding=Encoding.UTF_8, tags=Tags.REFERENCE)
        self.text_count: float = self._mean_text_count() if plan == usual else Maker(usual).text_count

    def make(self, number: int, edit: Edit | None = None) -> Record:
        """The record with this number, edited or as it was at first; REMOVED gives the notice of removal, which states no facts."""
        values = self._draw(number, edit)
        if edit is Edit.REMOVED:
            return Record(body=_joined(self._notice, values), facts="")
        return Record(body=_joined(self._template, values), facts=self._facts(number, edit))

    def _written(self, text: str) -> bytes:
        return written(text, self._plan)

    def _with_availability(self, prices: Iterable[Priced], availability: str) -> list[bytes]:
        return [self._written(priced.text.replace("@availability@", availability)) for priced in prices]

    def _draw(self, number: int, edit: Edit | None) -> dict[str, bytes]:
        random = self._random
        random.seed(self._plan.seed * _PRIME + number)
        self._price = int(random.random() * len(self._parts.prices))
        self._title = int(random.random() * len(self._parts.variants["title"]))
        values = {slot: texts[int(random.random() * len(texts))] for slot, texts in self._variants.items()}
        count = int(self.text_count * (0.4 + 1.2 * random.random()) + random.random())
        texts = random.choices(self._texts, k=count)
        if edit is Edit.TEXT:
            texts.append(self._extra_text)
        values["texts"] = b"".join(texts)
        values["title"] = self._variants["title"][self._title]
        values["supplies"] = self._supplies.get(edit, self._supplies[None])[self._price]
        values["touch"] = b"\n" if edit is Edit.TOUCHED else b""
        values["reference"] = reference(number, self._plan).encode()
        values["isbn"] = isbn(number).encode()
        values["number"] = str(number).encode()
        return values

    def _facts(self, number: int, edit: Edit | None) -> str:
        """Of the record that was drawn last."""
        parts = self._parts
        prices = parts.raised if edit is Edit.PRICE else parts.prices
        availability = parts.availabilities[edit is Edit.AVAILABILITY]
        title = parts.variants["title"][self._title]
        return told(reference(number, self._plan), isbn(number), title, availability, prices[self._price].amounts)

    def _mean_text_count(self) -> float:
        """How many texts bring a record to its size; as counted in the usual encoding, so that a record has as many in each."""
        self.text_count = 0.0
        bare = sum(len(self.make(number).body) for number in range(_SAMPLE)) / _SAMPLE
        texts = [len(text.encode()) for text in self._parts.texts]
        return max(0.0, (self._plan.record_bytes - bare) / (sum(texts) / len(texts)))


def _compiled(template: str, write: Callable[[str], bytes]) -> Compiled:
    *parts, last = _SLOT.split(template)
    return [*((write(text), slot) for text, slot in zip(parts[::2], parts[1::2], strict=True)), (write(last), "")]


def _joined(template: Compiled, values: dict[str, bytes]) -> bytes:
    return b"".join(part for text, slot in template for part in (text, values.get(slot, b"")))
