"""A due title: its offers, what is told of them, when it is due again."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta

from syncengine.domain.offer import Offer, OfferState
from syncengine.domain.territory import Market
from syncengine.domain.title import Title
from syncengine.ports import KnownOffer
from syncengine.trade.due import decide_title
from tests.orders import AT, KEY, MARKET, an_offer

US = Market(country="US", currency="USD")


@dataclass
class ScriptedRules:
    """Rules that say what the test has them say."""

    offers: dict[Market, Offer]
    version: str = "1"
    remembers: bool = False
    markets: tuple[Market, ...] = field(init=False)

    def __post_init__(self):
        self.markets = tuple(self.offers)

    def identify(self, product):
        raise AssertionError("not asked here")

    def offer(self, title, market, at):
        return self.offers[market]

    def remember(self, remembered, old, new):
        raise AssertionError("not asked here")


def decided(offers, known=()):
    return decide_title(Title(key=KEY), ScriptedRules(offers), {offer.market: offer for offer in known}, AT)


def test_a_first_offer_is_told_where_there_is_something_to_sell():
    decision = decided({MARKET: an_offer(), US: an_offer(OfferState.OUT_OF_TERRITORY, market=US, price=None)})
    assert [change.market for change in decision.changes] == ["CA/CAD"]
    told = {change.field: (change.old, change.new) for change in decision.changes[0].fields}
    assert told == {"offer": (None, "FOR_SALE"), "offer_price": (None, "12.99 CAD")}


def test_an_offer_that_ends_is_told_although_nothing_is_to_sell_any_more():
    known = KnownOffer(market="CA/CAD", state="FOR_SALE", price="12.99 CAD")
    decision = decided({MARKET: an_offer(OfferState.WITHDRAWN, price=None)}, [known])
    told = {change.field: (change.old, change.new) for change in decision.changes[0].fields}
    assert told == {"offer": ("FOR_SALE", "WITHDRAWN"), "offer_price": ("12.99 CAD", None)}


def test_an_offer_that_stays_is_not_told():
    known = KnownOffer(market="CA/CAD", state="FOR_SALE", price="12.99 CAD")
    decision = decided({MARKET: an_offer()}, [known])
    assert decision.changes == []
    assert decision.kept.offers is None


def test_offers_are_kept_where_one_differs_or_its_market_is_served_no_more():
    known = KnownOffer(market="CA/CAD", state="FOR_SALE", price="12.99 CAD")
    assert [known] == decided({MARKET: an_offer()}).kept.offers
    assert [known] == decided({MARKET: an_offer()}, [known, replace(known, market="US/USD")]).kept.offers


def test_a_start_of_sale_that_moves_is_told():
    known = KnownOffer(market="CA/CAD", state="PREORDER", price="12.99 CAD", starts_at=AT)
    later = an_offer(OfferState.PREORDER, starts_at=AT + timedelta(days=1))
    assert [change.field for change in decided({MARKET: later}, [known]).changes[0].fields] == ["starts_at"]


def test_a_title_is_due_again_at_the_earliest_instant_any_market_changes():
    soon, late = AT + timedelta(hours=1), AT + timedelta(hours=2)
    offers = {
        MARKET: an_offer(next_change_at=late),
        US: replace(an_offer(next_change_at=soon), market=US),
    }
    assert decided(offers).kept.next_at == soon
    assert decided({MARKET: an_offer()}).kept.next_at is None
