"""A due title: its offers in every market, what changed in them, and when it is due again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.offer import Offer, OfferState
from syncengine.domain.timeline import next_after
from syncengine.domain.title import Title
from syncengine.ports import DecidedTitle, KnownOffer, Rules

_NOTHING_TO_SELL = frozenset(
    {
        OfferState.UNAVAILABLE,
        OfferState.OUT_OF_TERRITORY,
        OfferState.UNPRICED,
        OfferState.REMOVED,
        OfferState.UNKNOWN,
        OfferState.WITHDRAWN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TitleDecision:
    """The offers of one title at one instant, by market; the lines for the change log; what is to be kept of it."""

    offers: Mapping[str, Offer]
    changes: Sequence[Change]
    kept: DecidedTitle


def decide_title(title: Title, rules: Rules, known: Mapping[str, KnownOffer], at: datetime) -> TitleDecision:
    """Decide every market the shop serves.

    A first offer is a change only where there is something to sell: a shop needs no telling that a title it never had may not
    be sold.
    """
    offers = {str(market): rules.offer(title, market, at) for market in rules.markets}
    now_known = [_known(offer) for offer in offers.values()]
    changes = [
        _change(offers[new.market], known.get(new.market), new)
        for new in now_known
        if _differs(known.get(new.market), new, offers[new.market])
    ]
    is_as_it_was = known == {new.market: new for new in now_known}
    return TitleDecision(
        offers=offers,
        changes=changes,
        kept=DecidedTitle(
            key=title.key,
            offers=None if is_as_it_was else now_known,
            next_at=next_after((offer.next_change_at for offer in offers.values()), at),
        ),
    )


def _known(offer: Offer) -> KnownOffer:
    price = f"{offer.price.amount} {offer.price.currency}" if offer.price else None
    return KnownOffer(market=str(offer.market), state=offer.state.value, price=price, starts_at=offer.starts_at)


def _differs(old: KnownOffer | None, new: KnownOffer, offer: Offer) -> bool:
    if old is None:
        return offer.state not in _NOTHING_TO_SELL
    return old != new


def _change(offer: Offer, old: KnownOffer | None, new: KnownOffer) -> Change:
    before = old or KnownOffer(market=new.market, state="", price=None)
    pairs = (
        ("offer", before.state or None, new.state),
        ("offer_price", before.price, new.price),
        ("starts_at", _instant(before.starts_at), _instant(new.starts_at)),
    )
    return Change(
        at=offer.at,
        source=offer.key.source,
        kind=ChangeKind.OFFER,
        key=offer.key,
        reference=offer.record_reference,
        market=new.market,
        fields=tuple(
            FieldChange(field=name, old=before, new=after) for name, before, after in pairs if before != after
        ),
    )


def _instant(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
