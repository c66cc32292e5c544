"""Messages in sequence: whether one is to be read, by the policy of its source (reference/onix.md 2.8)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from syncengine.catalogue.guards import has_time, is_older
from syncengine.domain.message import MessageMark, MessageOrder
from syncengine.domain.passes import Noted, WarningKind

_DIGITS = re.compile(r"[0-9]+")
_LONGEST_NUMBER = 100
"""Characters; what is longer is no number."""


class Place(Enum):
    """Where a message stands towards the last one applied."""

    NEXT = "newer, or nothing tells that it is not"
    REPEATED = "the same message again"
    OLDER = "sent before"


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A message's place, and what is to be told of it."""

    place: Place
    noted: tuple[Noted, ...] = ()


def place(order: MessageOrder, mark: MessageMark, last: MessageMark | None) -> Placement:
    """Place a message by its header; without a last one, or by arrival, every message is the next."""
    if last is None:
        return Placement(place=Place.NEXT)
    match order:
        case MessageOrder.ARRIVAL:
            return Placement(place=Place.NEXT)
        case MessageOrder.SENT:
            return _by_sent_at(mark, last)
        case MessageOrder.NUMBER:
            return _by_number(mark, last)
        case _:
            assert_never(order)


def is_surely_newer(order: MessageOrder, mark: MessageMark, than: MessageMark) -> bool:
    """Whether the policy proves that a message came after another; arrival proves nothing of what was kept aside."""
    if order is MessageOrder.ARRIVAL:
        return False
    if order is MessageOrder.NUMBER and (numbers := _comparable(mark, than)):
        return numbers[0] > numbers[1]
    return is_older(than.sent_at, mark.sent_at)


def _by_sent_at(mark: MessageMark, last: MessageMark) -> Placement:
    """Two messages of one instant are one; of one day without a time, only if they have one number too."""
    if mark.sent_at is None:
        return _untold("SentDateTime")
    if is_older(mark.sent_at, last.sent_at):
        return _older(mark, last)
    if mark.sent_at == last.sent_at and mark.number == last.number and (has_time(mark.sent_at) or mark.number):
        return _repeated(mark)
    return Placement(place=Place.NEXT)


def _by_number(mark: MessageMark, last: MessageMark) -> Placement:
    """A lower or an equal number in a message that was surely sent later means that the numbers began again."""
    numbers = _comparable(mark, last)
    if numbers is None:
        return _untold("MessageNumber that can be compared with the last")
    number, before = numbers
    if number <= before and is_older(last.sent_at, mark.sent_at):
        says = f"MessageNumber {mark.number} comes after {last.number} in a message sent later: the numbers began again"
        return Placement(place=Place.NEXT, noted=(Noted(WarningKind.NUMBER_GAP, says),))
    if number == before:
        return _repeated(mark)
    if number < before:
        return _older(mark, last)
    if number[:-1] == before[:-1] and number[-1] > before[-1] + 1:
        missing = number[-1] - before[-1] - 1
        says = f"MessageNumber {mark.number} follows {last.number}: {missing} between them did not come"
        return Placement(place=Place.NEXT, noted=(Noted(WarningKind.NUMBER_GAP, says),))
    return Placement(place=Place.NEXT)


def _comparable(mark: MessageMark, other: MessageMark) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """The numbers of two messages that are written alike: `20260609-001` is 20260609, 1."""
    one, two = mark.number or "", other.number or ""
    if not one or max(len(one), len(two)) > _LONGEST_NUMBER:
        return None
    if _DIGITS.sub("0", one) != _DIGITS.sub("0", two) or not _DIGITS.search(one):
        return None
    return tuple(map(int, _DIGITS.findall(one))), tuple(map(int, _DIGITS.findall(two)))


def _untold(what: str) -> Placement:
    noted = Noted(WarningKind.HEADER, f"the header has no {what}, by which this source's messages are put in order")
    return Placement(place=Place.NEXT, noted=(noted,))


def _older(mark: MessageMark, last: MessageMark) -> Placement:
    says = f"{spell(mark)} is older than the last message applied, {spell(last)}"
    return Placement(place=Place.OLDER, noted=(Noted(WarningKind.OLDER_MESSAGE, says),))


def _repeated(mark: MessageMark) -> Placement:
    noted = Noted(WarningKind.REPEATED_MESSAGE, f"{spell(mark)} has been applied already")
    return Placement(place=Place.REPEATED, noted=(noted,))


def spell(mark: MessageMark) -> str:
    """A message for people, by what its header says of it."""
    number = f"message {mark.number}" if mark.number else "the message"
    return f"{number} sent {mark.sent_at}" if mark.sent_at else number
