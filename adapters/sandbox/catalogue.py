"""A made-up catalogue: books that never were, from a seed; and the rows by which every stub's titles are shown and edited."""

from __future__ import annotations

import random
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, UnsetType

from adapters.sandbox import words
from syncengine.domain.offer import OfferState

_DAY = re.compile(r"\d{4}-?\d{2}-?\d{2}")


class EditInvalid(ValueError):
    """An edit that names nothing or asks for something impossible; the text says what."""


# --- rows ---------------------------------------------------------------------------------------------------------------


class TitleRow(msgspec.Struct, kw_only=True, frozen=True):
    """A stub's truth about one title in one market at this instant; `price` is what the customer pays, tax included."""

    distributor: str
    isbn: str
    format: str
    market: str
    price: str | None
    release_at: str | None
    state: OfferState


class InSeconds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An instant told by its distance from now."""

    in_seconds: float


When = str | InSeconds | None


class TitleEdit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What shall become different: the keys of `TitleRow`, and some that only an edit has. What is absent stays as it is.

    A title is named by `isbn`; an unknown one is added. Instead of it, `where` takes the first `count` titles of that state.
    Without `market` an edit goes for every market of the title. `release_at` and the other instants are ISO instants, days
    (`2026-03-01`, read in the platform's zone), or `{"in_seconds": n}`; null takes the date away.
    """

    isbn: str | UnsetType = UNSET
    where: OfferState | UnsetType = UNSET
    count: int = 1
    distributor: str | UnsetType = UNSET
    format: str | UnsetType = UNSET
    market: str | UnsetType = UNSET
    price: str | float | UnsetType = UNSET
    price_from: When | UnsetType = UNSET
    """The given price starts then, and today's ends."""
    price_type: str | UnsetType = UNSET
    release_at: When | UnsetType = UNSET
    preorder_at: When | UnsetType = UNSET
    state: OfferState | UnsetType = UNSET
    convention: Literal["new", "old"] | UnsetType = UNSET
    block: Literal["sent", "gone"] = "sent"
    """With state WITHDRAWN: whether the withdrawn market goes on being named in the feed."""
    protection: list[str] | UnsetType = UNSET
    agreement: bool | UnsetType = UNSET
    """False: the shop's agreement has ended, and the title is not told about any more, or as one without a right to it."""
    published: bool | UnsetType = UNSET
    """Whether the warehouse delivers it, where that is told apart from what the publisher says (Bokbasen)."""
    new_version: bool = False
    """The publisher uploads another file (Bokbasen)."""
    title: str | UnsetType = UNSET

    def fix_instants(self, at: datetime) -> TitleEdit:
        """The same edit with its distances turned into instants."""
        changes = {
            name: _instant_text(at + timedelta(seconds=value.in_seconds))
            for name in ("release_at", "preorder_at", "price_from")
            if isinstance(value := getattr(self, name), InSeconds)
        }
        return msgspec.structs.replace(self, **changes) if changes else self


def read_amount(text: str | float) -> int:
    """A decimal amount in hundredths, exactly; raises EditInvalid."""
    try:
        scaled = Decimal(str(text)) * 100
    except InvalidOperation as error:
        raise EditInvalid(f"{text!r} is no price") from error
    if not scaled.is_finite() or scaled < 0 or scaled != int(scaled):
        raise EditInvalid(f"{text!r} is no price with two decimals")
    return int(scaled)


def amount_text(hundredths: int) -> str:
    """1999 is "19.99"."""
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def instant_text(at: datetime) -> str:
    """ISO, in UTC, with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _instant_text(at: datetime) -> str:
    """ISO, in UTC, rounded up to the whole second, which is all a feed's date can say."""
    whole = at.astimezone(UTC).replace(microsecond=0)
    return (whole if at.microsecond == 0 else whole + timedelta(seconds=1)).isoformat()


# --- instants -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Moment:
    """An instant in a stub's own model; where it is not `timed` the feed tells its day only."""

    at: datetime
    timed: bool = True

    @classmethod
    def of_day(cls, day: date, zone: ZoneInfo) -> Moment:
        """Local midnight of the platform's zone (De Marque's zones have one every day)."""
        return cls(at=datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC), timed=False)

    @classmethod
    def read(cls, text: str | InSeconds | None, zone: ZoneInfo) -> Moment | None:
        """Read an edit's instant or day; raises EditInvalid."""
        if text is None:
            return None
        if isinstance(text, InSeconds):
            raise EditInvalid("a distance must be turned into an instant first")
        try:
            if _DAY.fullmatch(text):
                return cls.of_day(date.fromisoformat(text), zone)
            at = datetime.fromisoformat(text)
        except ValueError as error:
            raise EditInvalid(f"{text!r} is neither an ISO instant nor a day") from error
        if at.tzinfo is None:
            raise EditInvalid(f"{text!r} names no offset; end it with Z or +hh:mm")
        return cls(at=datetime.fromisoformat(_instant_text(at)))

    def passed(self, at: datetime) -> bool:
        """Whether the instant is reached."""
        return self.at <= at


# --- books --------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Publisher:
    """A made-up house, and the made-up distributor that represents it (none = it deals with shops itself)."""

    number: int
    name: str
    gln: str
    imprints: tuple[str, ...]
    language: str
    distributor: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A contributor with an ONIX role (list 17)."""

    role: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class Subject:
    """What a book is about, in three schemes: BISAC (10), Thema (93), CLIL (29)."""

    bisac: str
    thema: str
    clil: str
    heading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """What is the same for every format of a publication."""

    number: int
    language: str
    title: str
    subtitle: str | None
    series: str | None
    people: tuple[Person, ...]
    publisher: Publisher
    imprint: str
    subject: Subject
    keywords: tuple[str, ...]
    pages: int
    amount: int
    """A price in hundredths to start from."""


class BookMaker:
    """Makes the same books for the same seed and distributor; each book by its number alone."""

    def __init__(self, *, seed: int, distributor: str) -> None:
        self._seed = f"{seed}:{distributor}"
        self.publishers = _publishers(random.Random(f"{self._seed}:publishers"))
        self._offset = random.Random(f"{self._seed}:isbn").randrange(10**7)

    def book(self, number: int) -> Book:
        """The book of that number."""
        chance = random.Random(f"{self._seed}:book:{number}")
        publisher = chance.choice(self.publishers)
        language = publisher.language
        tongue = words.TONGUES[language]
        subject = Subject(*chance.choice(words.SUBJECTS))
        return Book(
            number=number,
            language=language,
            title=_title(chance, tongue),
            subtitle=chance.choice(tongue.subtitles) if chance.random() < 0.25 else None,
            series=chance.choice(tongue.series) if chance.random() < 0.15 else None,
            people=_people(chance, tongue),
            publisher=publisher,
            imprint=chance.choice(publisher.imprints),
            subject=subject,
            keywords=tuple(chance.sample(tongue.keywords, 6)),
            pages=chance.randrange(64, 820),
            amount=chance.randrange(3, 30) * 100 + 99,
        )

    def description(self, book: Book) -> str:
        """HTML of one to three thousand characters."""
        chance = random.Random(f"{self._seed}:text:{book.number}")
        tongue = words.TONGUES[book.language]
        paragraphs = [_paragraph(chance, tongue, book) for _ in range(chance.randrange(3, 7))]
        quote = f"<blockquote><em>{_sentence(chance, tongue, book)}</em></blockquote>"
        return "".join(f"<p>{paragraph}</p>" for paragraph in paragraphs[:-1]) + quote + f"<p>{paragraphs[-1]}</p>"

    def biography(self, book: Book, person: Person) -> str:
        """HTML of a few sentences about a contributor."""
        chance = random.Random(f"{self._seed}:life:{book.number}:{person.last}")
        tongue = words.TONGUES[book.language]
        sentences = chance.sample(tongue.lives, 3)
        place = chance.choice(words.PLACES)
        year = str(chance.randrange(1938, 1996))
        text = " ".join(
            sentence.format(name=f"{person.first} {person.last}", place=place, year=year) for sentence in sentences
        )
        return f"<p>{text}</p>"

    def isbn(self, number: int, *, language: str) -> str:
        """A valid ISBN-13; no two numbers share one."""
        if number % 17 == 0:
            return with_check_digit("97910" + f"{(number * 48271 + self._offset) % 10**7:07d}")
        group = "2" if language == "fre" else "1"
        return with_check_digit("978" + group + f"{(number * 48271 + self._offset * 7) % 10**8:08d}")


def with_check_digit(twelve: str) -> str:
    """An EAN-13 from its first twelve digits."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(twelve))
    return twelve + str(-total % 10)


def _publishers(chance: random.Random) -> tuple[Publisher, ...]:
    publishers = []
    for number, (name, language, imprints) in enumerate(words.HOUSES, start=1):
        gln = with_check_digit("302" + f"{chance.randrange(10**9):09d}")
        distributor = chance.choice([None, 1, 2, 3])
        publishers.append(
            Publisher(
                number=number,
                name=name,
                gln=gln,
                imprints=(name, *imprints),
                language=language,
                distributor=distributor,
            )
        )
    return tuple(publishers)


def _title(chance: random.Random, tongue: words.Tongue) -> str:
    pattern = chance.choice(tongue.title_patterns)
    return pattern.format(
        noun=chance.choice(tongue.nouns),
        other=chance.choice(tongue.nouns),
        what=chance.choice(tongue.complements),
        place=chance.choice(words.PLACES),
        name=chance.choice(tongue.first_names),
    )


def _people(chance: random.Random, tongue: words.Tongue) -> tuple[Person, ...]:
    count = chance.choices([1, 2, 3], weights=[70, 22, 8])[0]
    roles = ("A01", "A12" if chance.random() < 0.5 else "A01", "B06")
    return tuple(
        Person(role=roles[place], first=chance.choice(tongue.first_names), last=chance.choice(tongue.last_names))
        for place in range(count)
    )


def _paragraph(chance: random.Random, tongue: words.Tongue, book: Book) -> str:
    return " ".join(_sentence(chance, tongue, book) for _ in range(chance.randrange(3, 6)))


def _sentence(chance: random.Random, tongue: words.Tongue, book: Book) -> str:
    return chance.choice(tongue.sentences).format(
        name=book.people[0].last if chance.random() < 0.3 else chance.choice(tongue.first_names),
        place=chance.choice(words.PLACES),
        noun=chance.choice(tongue.plain_nouns),
        other=chance.choice(tongue.plain_nouns),
        years=chance.randrange(2, 40),
    )


def pick_where(rows: Sequence[TitleRow], edit: TitleEdit, *, spare: Collection[str] = ()) -> list[str]:
    """The ISBNs of the first `count` titles that have the state `where` names (in the edit's market, if it names one).

    Those in `spare` are taken only when the others do not suffice.
    """
    chosen: dict[str, None] = {}
    for row in sorted(rows, key=lambda row: row.isbn in spare):
        if len(chosen) == edit.count:
            break
        if row.state == edit.where and edit.market in {UNSET, row.market} and edit.format in {UNSET, row.format}:
            chosen[row.isbn] = None
    if len(chosen) < edit.count:
        raise EditInvalid(f"there are only {len(chosen)} titles that are {edit.where}, not {edit.count}")
    return list(chosen)
