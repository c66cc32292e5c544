"""The two decision tables of contract demarque 9, row by row; prices are not their business."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from adapters.distributors.demarque.market_blocks import Coverage, MarketView
from syncengine.domain.codes import ProductAvailability, PublishingStatus
from syncengine.domain.offer import OfferState, RuleApplied
from syncengine.domain.openings import Opening
from syncengine.domain.territory import Market


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a record says of one market, as far as the tables ask."""

    market: Market
    status: str | None
    has_rights: bool
    view: MarketView
    preorders: Opening
    """PublishingDate 09."""

    @property
    def start(self) -> Opening:
        """The start of sale in the market's country."""
        return self.view.start

    @property
    def says(self) -> str:
        """The facts in one line, for the trail."""
        rights = "have" if self.has_rights else "lack"
        parts = [
            f"PublishingStatus {self.status or 'absent'}",
            f"sales rights {rights} {self.market.country}",
            f"ProductAvailability {self.view.availability or 'absent'}",
            f"MarketPublishingStatus {self.view.market_status or 'absent'}",
            f"preorders from {self.preorders.says or 'no date'}",
            f"sale from {self.start.says or 'no date'}",
        ]
        return ", ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The row of a table that was met: its result and its rule."""

    state: OfferState
    rule: RuleApplied


def old_convention(facts: Facts, at: datetime) -> Row:
    """Table 9.1: preorders are announced by negative indicators with PublishingDate 09 and a future start."""
    view, ahead = facts.view, facts.start.is_ahead(at)
    available = view.availability == ProductAvailability.AVAILABLE
    not_available = view.availability == ProductAvailability.NOT_AVAILABLE
    if view.coverage is Coverage.WITHDRAWN:
        return _row(facts, "9.step1.1", OfferState.WITHDRAWN, f"only withdrawn blocks are for {facts.market}")
    if facts.status == PublishingStatus.ACTIVE:
        if not facts.has_rights:
            return _row(facts, "9.1.territory", OfferState.OUT_OF_TERRITORY, "not in territory")
        if view.coverage is Coverage.NONE:
            return _row(facts, "9.step1.3", OfferState.OUT_OF_TERRITORY, f"no block is for {facts.market.country}")
        if available and view.is_open and ahead:
            return _row(facts, "9.1.2", OfferState.NOT_YET, "not yet")
        if available and view.is_open:
            return _row(facts, "9.1.1", OfferState.FOR_SALE, "for sale")
    if facts.status in {PublishingStatus.INACTIVE, PublishingStatus.WITHDRAWN} and not_available:
        return _old_inactive(facts, at)
    return _row(facts, "9.1.unlisted", OfferState.UNAVAILABLE, "no row lists this")


def _old_inactive(facts: Facts, at: datetime) -> Row:
    """Rows 3 to 6.

    Step 1 withdraws what has status 11 and no future start; but a record with a preorder date is one whose start has just
    passed: the clock alone withdraws nothing there, and row 6 holds it until the next record.
    """
    announced, ahead = facts.preorders.is_announced, facts.start.is_ahead(at)
    if facts.status == PublishingStatus.WITHDRAWN and not ahead and not announced:
        return _row(facts, "9.step1.2", OfferState.WITHDRAWN, "withdrawn everywhere")
    if not facts.has_rights and not announced:
        return _row(facts, "9.1.5", OfferState.UNAVAILABLE, "a preorder needs PublishingDate 09")
    if not ahead:
        return _row(facts, "9.1.6", OfferState.UNAVAILABLE, "not available")
    if facts.has_rights:
        return _row(facts, "9.1.unlisted", OfferState.UNAVAILABLE, "no row lists this")
    if facts.preorders.is_ahead(at):
        return _row(facts, "9.1.4", OfferState.ANNOUNCED, "announced, display only")
    return _row(facts, "9.1.3", OfferState.PREORDER, "preorder until the start of sale")


def new_convention(facts: Facts, at: datetime) -> Row:
    """Table 9.2: preorders are announced by positive indicators with a future start."""
    ahead = facts.start.is_ahead(at)
    not_available = facts.view.availability == ProductAvailability.NOT_AVAILABLE
    if facts.view.coverage is Coverage.WITHDRAWN:
        return _row(facts, "9.2.6", OfferState.WITHDRAWN, f"only withdrawn blocks are for {facts.market}")
    if facts.status == PublishingStatus.ACTIVE:
        return _new_active(facts, at)
    if facts.status == PublishingStatus.INACTIVE and not_available:
        if ahead:
            return _row(facts, "9.2.7", OfferState.ANNOUNCED, "inactive before the start of sale")
        return _row(facts, "9.2.8", OfferState.UNAVAILABLE, "inactive")
    if facts.status == PublishingStatus.WITHDRAWN:
        if not ahead:
            return _row(facts, "9.2.10", OfferState.WITHDRAWN, "withdrawn everywhere")
        if not_available:
            return _row(facts, "9.2.9", OfferState.ANNOUNCED, "inactive before the start of sale")
    return _row(facts, "9.2.unlisted", OfferState.UNAVAILABLE, "no row lists this")


def _new_active(facts: Facts, at: datetime) -> Row:
    view, ahead = facts.view, facts.start.is_ahead(at)
    if not facts.has_rights:
        return _row(facts, "9.2.5", OfferState.OUT_OF_TERRITORY, "not in territory")
    if view.coverage is Coverage.NONE:
        return _row(facts, "9.step1.3", OfferState.OUT_OF_TERRITORY, f"no block is for {facts.market.country}")
    if view.market_status == PublishingStatus.INACTIVE:
        return _row(facts, "9.2.11", OfferState.UNAVAILABLE, "inactive in this market")
    if view.is_open and view.availability == ProductAvailability.NOT_AVAILABLE:
        return _row(facts, "9.2.4", OfferState.UNAVAILABLE, "not available from this supplier")
    if view.is_open and view.availability == ProductAvailability.AVAILABLE:
        if not ahead:
            return _row(facts, "9.2.3", OfferState.FOR_SALE, "for sale")
        if facts.preorders.is_ahead(at):
            return _row(facts, "9.2.2", OfferState.ANNOUNCED, "announced, its preorder date is to come")
        return _row(facts, "9.2.1", OfferState.PREORDER, "preorder until the start of sale")
    return _row(facts, "9.2.unlisted", OfferState.UNAVAILABLE, "no row lists this")


def _row(facts: Facts, name: str, state: OfferState, says: str) -> Row:
    return Row(state=state, rule=RuleApplied(id=f"demarque.{name}", says=f"{says}: {facts.says}"))
