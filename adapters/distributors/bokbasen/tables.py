"""The state decision table of contract bokbasen 10.1, row by row; the first that matches wins."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.distributors.bokbasen.colours import Colour
from adapters.distributors.bokbasen.inventory import InventoryRow
from adapters.distributors.bokbasen.prices import Choice
from adapters.distributors.bokbasen.supply import RecordView
from syncengine.domain.offer import OfferState, RuleApplied


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What the contract leaves to the shop.

    `preorders_without_right`: whether orders are taken ahead for a title whose right nobody knows yet (row 17).
    `access_is_early`: whether `access` is true already on unpublished rows of titles the shop will get; if not, row 5 is for
    published rows only and row 14 hangs on the switch of row 17 (section 14).
    """

    preorders_without_right: bool = False
    access_is_early: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the two sources say: `record` is none where there is no ONIX record, `row` where the warehouse has no row.

    `was_deliverable` remembers that a row once allowed downloads.
    """

    removed: bool
    record: RecordView | None
    row: InventoryRow | None
    was_deliverable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row that was met: what it allows, and its rules.

    `takes_no_new` tells that orders already held stay, and no others are taken; `stops` that held ones must not wait any longer.
    """

    number: int
    state: OfferState
    rules: tuple[RuleApplied, ...]
    sells: bool = False
    takes_ahead: bool = False
    takes_no_new: bool = False
    stops: bool = False

    @property
    def shows_sample(self) -> bool:
        """Whether a published sample may be offered, also of a book that is not out (rows 10 to 16)."""
        return 10 <= self.number <= 16


def decide(facts: Facts, choice: Choice, choices: Choices, at: datetime) -> Row:
    """The first matching row, at an instant; `choice` is the price then."""
    row = _first(facts, choice, choices, at)
    doubt = _doubt(facts) if row.sells or row.takes_ahead else ""
    return _row(19, OfferState.UNAVAILABLE, f"alert: blocked by {doubt}", takes_no_new=True) if doubt else row


def _doubt(facts: Facts) -> str:
    """Why a row that would sell or take orders ahead is overruled by row 19: unknown codes, a resource without an id."""
    unknown = list(facts.record.unknown) if facts.record else []
    if facts.row is not None and not facts.row.resid:
        unknown.append("a resource id that cannot be read")
    return ", ".join(unknown)


def _first(facts: Facts, choice: Choice, choices: Choices, at: datetime) -> Row:
    record, row = facts.record, facts.row
    if facts.removed:
        return _row(1, OfferState.REMOVED, "its ONIX record was deleted", stops=True)
    if record is None:
        return _row(2, OfferState.UNKNOWN, "there is no ONIX record", takes_no_new=True)
    if record.outside:
        return _row(3, OfferState.UNAVAILABLE, record.outside, takes_no_new=True)
    if row is not None and row.deleted:
        return _row(4, OfferState.WITHDRAWN, row.says, stops=True)
    if row is not None and row.access is False and (row.published is not False or choices.access_is_early):
        state = OfferState.WITHDRAWN if facts.was_deliverable else OfferState.UNAVAILABLE
        return _row(5, state, row.says, stops=True)
    if record.shut is not None:
        return _row(6, record.shut[0], record.shut[1], stops=True)
    if record.is_cancelled:
        return _row(7, OfferState.WITHDRAWN, f"cancelled: {record.says}", stops=True)
    if record.is_postponed:
        return _row(8, OfferState.ANNOUNCED, f"postponed: {record.says}", takes_no_new=True)
    if record.light.colour is Colour.RED:
        return _row(9, OfferState.WITHDRAWN, record.says, stops=True)
    if row is None:
        return _not_held(record, choice, choices)
    says = f"{row.says}; {record.says}"
    if row.published is True and row.access is True:
        return _published(record, choice, at, says)
    if row.published is False and (row.access is True or not choices.access_is_early):
        return _unpublished(record, row, choice, choices, at, says)
    return _blocked(says)


def _published(record: RecordView, choice: Choice, at: datetime, says: str) -> Row:
    """Rows 10 to 13."""
    colour, release = record.light.colour, record.release
    if release.is_ahead(at):
        priced = choice.price is not None
        return _row(
            10, OfferState.ANNOUNCED, f"{says}; release {release.says}", takes_ahead=priced, takes_no_new=not priced
        )
    if choice.is_ambiguous:
        return _blocked(says)
    if choice.price is None:
        return _row(11, OfferState.UNPRICED, says, takes_no_new=True)
    if colour is Colour.GREEN or (colour is Colour.YELLOW and release.at is not None):
        return _row(12, OfferState.FOR_SALE, says, sells=True)
    if colour is Colour.GREY:
        return _row(13, OfferState.UNAVAILABLE, f"temporarily off: {says}", takes_no_new=True)
    return _blocked(says)


def _unpublished(
    record: RecordView, row: InventoryRow, choice: Choice, choices: Choices, at: datetime, says: str
) -> Row:
    """Rows 14 to 16; where the right to it is not known yet, row 14 hangs on the switch."""
    colour, release = record.light.colour, record.release
    if colour is Colour.YELLOW:
        if release.is_ahead(at) and release.at is not None and choice.price is not None:
            taken = row.access is True or choices.preorders_without_right
            state = OfferState.PREORDER if taken else OfferState.ANNOUNCED
            return _row(14, state, f"{says}; release {release.says}", takes_ahead=taken, takes_no_new=not taken)
        return _row(15, OfferState.ANNOUNCED, f"{says}; {_why_not_ahead(record, choice, at)}", takes_no_new=True)
    if colour in {Colour.GREEN, Colour.GREY}:
        return _row(16, OfferState.UNAVAILABLE, f"waiting for the file, or pulled: {says}", takes_no_new=True)
    return _blocked(says)


def _not_held(record: RecordView, choice: Choice, choices: Choices) -> Row:
    """Rows 17 and 18."""
    says = f"no row in the inventory; {record.says}"
    is_yellow = record.light.colour is Colour.YELLOW
    if is_yellow and record.release.at is not None and choice.price is not None:
        taken = choices.preorders_without_right
        switch = "orders are taken ahead by the switch" if taken else "the right to it is not known"
        return _row(17, OfferState.ANNOUNCED, f"{says}; {switch}", takes_ahead=taken, takes_no_new=not taken)
    state = OfferState.ANNOUNCED if is_yellow else OfferState.UNAVAILABLE
    return _row(18, state, says, takes_no_new=True)


def _why_not_ahead(record: RecordView, choice: Choice, at: datetime) -> str:
    if record.release.at is None:
        return record.release.says or "no full date"
    if not record.release.is_ahead(at):
        return f"late, for {record.release.says} has passed"
    return "several prices" if choice.is_ambiguous else "no price"


def _blocked(says: str) -> Row:
    return _row(19, OfferState.UNAVAILABLE, f"alert: no row tells what to do with this: {says}", takes_no_new=True)


def _row(number: int, state: OfferState, says: str, **allowed: bool) -> Row:
    return Row(number=number, state=state, rules=(RuleApplied(id=f"bokbasen 10.1/{number}", says=says),), **allowed)
