"""Edits of the stub's titles: what a steering row asks for, done to the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from msgspec import UNSET

from adapters.distributors.bokbasen.sandbox_catalogue import resource_id
from adapters.distributors.bokbasen.sandbox_titles import MARKET, ZONE, Charge, Plan, Resource, Title
from adapters.sandbox.catalogue import EditInvalid, Moment, TitleEdit, read_amount
from syncengine.domain.offer import OfferState

_PRICE_TYPES = frozenset({"02", "04", "42"})
_LOCKS = {"00": "NODRM", "02": "SDRM", "03": "TDRM", "06": "LCP"}
"""Codes of list 144 and the inventory's words (contract 4, 9.2); the word for LCP is a choice."""


def edit_title(title: Title, edit: TitleEdit, at: datetime) -> Title:
    """The title as the edit wants it; raises EditInvalid for what cannot be."""
    return _Edit(edit=edit, at=at).apply(title)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edit:
    edit: TitleEdit
    at: datetime

    def apply(self, title: Title) -> Title:
        edit = self.edit
        if isinstance(edit.market, str) and edit.market != MARKET:
            raise EditInvalid(f"there is no market but {MARKET}")
        if isinstance(edit.format, str) and edit.format != title.format:
            raise EditInvalid(f"{title.isbn} is {title.format}, not {edit.format}")
        title = self._facts(title)
        if edit.release_at is not UNSET:
            title = self._release(title, Moment.read(edit.release_at, ZONE))
        if isinstance(edit.state, OfferState):
            title = self._state(title, edit.state)
        return self._warehouse(title)

    def _facts(self, title: Title) -> Title:
        """What the publisher says."""
        edit = self.edit
        if isinstance(edit.title, str):
            title = replace(title, name=edit.title)
        if isinstance(edit.price, str | float | int):
            model = title.charges[0] if title.charges else Charge(amount=0)
            title = replace(title, charges=(replace(model, amount=read_amount(edit.price)),))
        if edit.price_from is not UNSET:
            raise EditInvalid("a price that starts later cannot be told: the export has no role for it (contract 10.2)")
        if isinstance(edit.price_type, str):
            if edit.price_type not in _PRICE_TYPES:
                raise EditInvalid(f"{edit.price_type!r} is no price type; there is {', '.join(sorted(_PRICE_TYPES))}")
            title = replace(title, charges=tuple(replace(c, type=edit.price_type) for c in title.charges))
        if isinstance(edit.protection, list):
            title = self._locked(title, edit.protection)
        return title

    def _locked(self, title: Title, codes: list[str]) -> Title:
        if len(codes) != 1 or codes[0] not in _LOCKS:
            raise EditInvalid(f"protection is a list of one of {', '.join(_LOCKS)}")
        resource = replace(title.resource, drm=_LOCKS[codes[0]]) if title.resource else None
        return replace(title, protection=codes[0], resource=resource)

    def _warehouse(self, title: Title) -> Title:
        """What the warehouse holds, whatever the state says: a new file version, its publication, the shop's right to it."""
        edit = self.edit
        if edit.new_version:
            title = self._new_version(title)
        if isinstance(edit.published, bool):
            title = replace(title, publishes_at=None, resource=replace(self._held(title), published=edit.published))
        if isinstance(edit.agreement, bool):
            title = replace(title, resource=replace(self._held(title), access=edit.agreement))
        return title

    def _new_version(self, title: Title) -> Title:
        held = self._held(title)
        version = held.version + 1
        newer = replace(held, resid=resource_id(title.isbn, version), version=version)
        return replace(title, resource=newer, earlier=(*title.earlier, held))

    def _held(self, title: Title) -> Resource:
        """The latest file version; a title without one gets its first, unpublished."""
        kind = "MP3" if title.format == "audio" else title.format.upper()
        return title.resource or Resource(resid=resource_id(title.isbn, 1), kind=kind, published=False)

    def _release(self, title: Title, moment: Moment | None) -> Title:
        """The instant of publication, set or taken away; the past publishes at once."""
        if moment is None:
            return replace(title, publishes_at=None, expected=None)
        waiting = replace(title, resource=self._held(title)).waiting_for(moment)
        return waiting.released() if moment.passed(self.at) else waiting

    # --- states

    def _state(self, title: Title, state: OfferState) -> Title:
        makers: dict[OfferState, Callable[[Title], Title]] = {
            OfferState.FOR_SALE: self._for_sale,
            OfferState.PREORDER: self._preorder,
            OfferState.ANNOUNCED: self._announced,
            OfferState.UNAVAILABLE: self._unavailable,
            OfferState.WITHDRAWN: self._withdrawn,
            OfferState.REMOVED: lambda t: replace(t, removed=True),
            OfferState.UNPRICED: lambda t: replace(self._for_sale(t), charges=()),
            OfferState.OUT_OF_TERRITORY: lambda t: replace(t, territory="SE"),
        }
        if state not in makers:
            raise EditInvalid(f"state {state} cannot be steered")
        return makers[state](title)

    def _live(self, title: Title) -> Title:
        """Nothing of it withdrawn, removed or out of reach."""
        resource = replace(self._held(title), access=True, deleted=None)
        return replace(title, removed=False, in_export=True, territory="NO", restrictions=(), resource=resource)

    def _for_sale(self, title: Title) -> Title:
        if title.publishes_at is not None and self.edit.release_at is not UNSET:
            raise EditInvalid("a title for sale cannot have a release in the future")
        live = self._live(title)
        if title.publishes_at is None and title.expected is None:
            return replace(live, plan=Plan.ON_SALE, resource=replace(self._held(live), published=True))
        return replace(live, publishes_at=Moment(at=self.at.replace(microsecond=0))).released()

    def _preorder(self, title: Title) -> Title:
        live = self._live(title)
        if live.publishes_at is None:
            raise EditInvalid("that state needs a release_at in the future")
        if live.price is None:
            raise EditInvalid("that state needs a price")
        return live

    def _announced(self, title: Title) -> Title:
        """Announced without a day that is known, so that nobody can order it ahead (contract 10.1, 15)."""
        live = replace(self._live(title), plan=Plan.FORTHCOMING, expected=None, first_published=None, publishes_at=None)
        return replace(live, resource=replace(self._held(live), published=False))

    def _unavailable(self, title: Title) -> Title:
        """On sale by its publisher, and pulled back by the warehouse (contract 10.1, 16)."""
        return replace(
            title, plan=Plan.ON_SALE, resource=replace(self._held(title), published=False), publishes_at=None
        )

    def _withdrawn(self, title: Title) -> Title:
        """`block` says by whom: by the publisher as sold out, or, with "gone", by the warehouse as deleted."""
        if self.edit.block == "gone":
            deleted = self.at.astimezone(ZONE).date()
            return replace(title, publishes_at=None, resource=replace(self._held(title), deleted=deleted))
        return replace(title, plan=Plan.SOLD_OUT, publishes_at=None)
