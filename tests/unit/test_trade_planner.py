"""What an order does next, state by state and offer by offer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from syncengine.domain.delivery import GateState, OperationKind
from syncengine.domain.ids import Format
from syncengine.domain.offer import OfferState, RuleApplied, TaxBasis
from syncengine.domain.order import OrderState, Payment, PriceRule, Reason
from syncengine.trade.planner import PROBE_AFTER, decide, gate_id, probe_due, refund
from tests.clock import START
from tests.orders import AT, KEY, PRICE, a_gate, a_request, an_offer, an_order, circumstances

S = OrderState


def is_nothing(plan):
    return not plan.events and plan.operation is None and plan.gate is None and not plan.revoke


def path(plan):
    return [event.after for event in plan.events]


class TestReceived:
    def test_is_placed_at_once_where_the_gate_is_open(self):
        plan = decide(an_order(), an_offer(), circumstances(a_gate()))
        assert path(plan) == [S.PLACING]
        assert plan.operation is not None
        assert plan.operation.kind is OperationKind.SALE
        assert plan.operation.amount == Decimal("12.99")
        assert plan.operation.price_type == "02"
        assert plan.operation.protection == "watermark"
        assert plan.operation.reference == "pfx1-A-1"
        assert plan.operation.customer_id == "c-77"

    def test_is_placed_without_a_gate_where_the_offer_needs_no_check(self):
        plan = decide(an_order(), an_offer(check_first=False), circumstances())
        assert path(plan) == [S.PLACING]

    def test_asks_first_where_there_is_no_gate(self):
        plan = decide(an_order(), an_offer(), circumstances())
        assert path(plan) == [S.WAITING]
        assert plan.operation is None
        assert plan.gate is not None
        assert plan.gate.state is GateState.PROBING
        assert plan.probe is not None
        assert plan.probe.kind is OperationKind.PROBE
        assert plan.probe.amount == Decimal("12.99")

    def test_is_declared_in_the_preorder_period(self):
        plan = decide(an_order(), an_offer(OfferState.PREORDER), circumstances())
        assert path(plan) == [S.DECLARING]
        assert plan.operation is not None
        assert plan.operation.kind is OperationKind.DECLARATION
        assert plan.order.declared_customer_id == "c-77"

    @pytest.mark.parametrize(
        ("offer", "sends"),
        [
            (an_offer(OfferState.PREORDER, declares_preorders=False), frozenset(OperationKind)),
            (an_offer(OfferState.PREORDER), frozenset({OperationKind.SALE})),
            (an_offer(OfferState.ANNOUNCED), frozenset(OperationKind)),
            (an_offer(OfferState.NOT_YET), frozenset(OperationKind)),
        ],
    )
    def test_waits_undeclared_where_nothing_can_be_declared(self, offer, sends):
        plan = decide(an_order(), offer, circumstances(sends=sends))
        assert path(plan) == [S.WAITING]
        assert plan.operation is None

    @pytest.mark.parametrize(
        ("state", "reason"),
        [
            (OfferState.WITHDRAWN, Reason.WITHDRAWN),
            (OfferState.OUT_OF_TERRITORY, Reason.OUT_OF_TERRITORY),
            (OfferState.UNPRICED, Reason.UNPRICED),
            (OfferState.UNAVAILABLE, Reason.UNAVAILABLE),
            (OfferState.REMOVED, Reason.REMOVED),
            (OfferState.UNKNOWN, Reason.UNKNOWN_TITLE),
        ],
    )
    def test_is_refused_with_the_reason_where_nothing_can_be_sold(self, state, reason):
        plan = decide(an_order(), an_offer(state, price=None), circumstances())
        assert path(plan) == [S.REFUSED]
        assert plan.order.reason is reason
        assert plan.order.note == f"it is {state.value}"

    @pytest.mark.parametrize(
        ("asked", "order", "paid"),
        [
            ({}, {}, "12.99"),
            ({"agreed_price": Decimal("15.00")}, {}, "15.00"),
            ({"agreed_price": Decimal("15.00"), "price_rule": PriceRule.CURRENT}, {}, "12.99"),
            ({"agreed_price": Decimal("10.00")}, {"state": S.WAITING, "agreed_price": Decimal("20.00")}, "12.99"),
            ({"payment": Payment.ON_RELEASE}, {"state": S.PAYABLE, "paid_amount": Decimal("12.99")}, "12.99"),
        ],
        ids=["frozen today", "agreed and paid", "current", "raised by a person", "confirmed"],
    )
    def test_tells_what_the_customer_pays(self, asked, order, paid):
        """Distributors that want it are told what was paid, whatever their own price is now (design section 7)."""
        plan = decide(an_order(request=a_request(**asked), **order), an_offer(), circumstances(a_gate()))
        assert plan.operation is not None
        assert plan.operation.paid == Decimal(paid)

    def test_tells_what_the_customer_pays_with_the_tax(self):
        price = replace(PRICE, tax=TaxBasis.EXCLUDED, tax_percent=Decimal(5))
        plan = decide(an_order(), an_offer(price=price, check_first=False), circumstances())
        assert plan.operation is not None
        assert (Decimal("12.99"), Decimal("13.64")) == (plan.operation.amount, plan.operation.paid)

    def test_is_refused_by_an_announced_title_that_takes_no_new_orders(self):
        plan = decide(an_order(), an_offer(OfferState.ANNOUNCED, takes_no_new=True), circumstances())
        assert path(plan) == [S.REFUSED]
        assert plan.order.reason is Reason.UNAVAILABLE

    def test_held_before_stays_where_a_title_takes_no_new_orders(self):
        order = an_order(S.WAITING)
        assert is_nothing(decide(order, an_offer(OfferState.ANNOUNCED, takes_no_new=True), circumstances()))

    def test_stays_received_until_its_source_has_completed_a_pass(self):
        plan = decide(an_order(), an_offer(OfferState.UNKNOWN), circumstances(known=False))
        assert is_nothing(plan)

    def test_is_refused_by_a_source_that_takes_no_orders(self):
        plan = decide(an_order(), an_offer(), circumstances(sends=frozenset(), known=False))
        assert plan.order.reason is Reason.NO_CALLS

    def test_is_refused_where_its_isbn_stands_for_several_titles(self):
        rules = (RuleApplied(id="title.ambiguous", says="epub, pdf"),)
        plan = decide(an_order(), an_offer(OfferState.UNKNOWN, rules=rules), circumstances())
        assert plan.order.reason is Reason.AMBIGUOUS

    def test_is_refused_for_a_protection_that_is_not_offered(self):
        plan = decide(an_order(request=a_request(protection="drm:lcp")), an_offer(), circumstances(a_gate()))
        assert plan.order.reason is Reason.PROTECTION_NOT_OFFERED
        assert "watermark, acs4" in plan.order.note

    def test_is_sold_with_the_protection_it_names(self):
        offer = an_offer()
        order = an_order(request=a_request(protection="acs4"))
        gate = replace(a_gate(), id=gate_id(offer, "acs4"))
        plan = decide(order, offer, circumstances(gate))
        assert plan.operation is not None
        assert plan.operation.protection == "acs4"

    def test_freezes_todays_price_where_none_was_agreed(self):
        plan = decide(an_order(), an_offer(OfferState.ANNOUNCED), circumstances())
        assert plan.order.agreed_price == Decimal("12.99")
        assert plan.order.agreed_basis == "included"

    def test_keeps_a_price_that_was_agreed(self):
        plan = decide(
            an_order(request=a_request(agreed_price=Decimal("20"))), an_offer(OfferState.ANNOUNCED), circumstances()
        )
        assert plan.order.agreed_price == Decimal("20")
        assert plan.order.agreed_basis is None

    def test_waits_for_a_person_where_the_price_is_above_the_agreed_one(self):
        order = an_order(request=a_request(agreed_price=Decimal("9.99")))
        plan = decide(order, an_offer(), circumstances(a_gate()))
        assert path(plan) == [S.WAITING, S.ATTENTION]
        assert plan.order.reason is Reason.PRICE_ABOVE_AGREED
        assert plan.operation is None

    def test_that_was_cancelled_is_given_up(self):
        assert path(decide(an_order(cancel_requested=True), an_offer(), circumstances())) == [S.CANCELLED]

    def test_names_whom_it_is_for(self):
        request = a_request(first_name="Zoé", last_name="Roy", consumer_id="5d0c")
        operation = decide(an_order(request=request), an_offer(), circumstances(a_gate())).operation
        assert operation is not None
        assert ("Zoé", "Roy", "5d0c") == (operation.first_name, operation.last_name, operation.consumer_id)
        assert "Zoé Roy" == operation.customer_name

    @pytest.mark.parametrize(
        ("names", "lacking"),
        [
            ({}, "first_name and last_name"),
            ({"first_name": "Zoé"}, "last_name"),
            ({"first_name": "Z", "last_name": "Roy"}, "first_name"),
        ],
    )
    @pytest.mark.parametrize("state", [OfferState.FOR_SALE, OfferState.PREORDER, OfferState.ANNOUNCED])
    def test_is_refused_without_the_names_that_a_watermark_takes(self, names, lacking, state):
        plan = decide(an_order(request=a_request(**names)), an_offer(state, name_letters=2), circumstances(a_gate()))
        assert path(plan) == [S.REFUSED]
        assert plan.order.reason is Reason.NAMES_MISSING
        assert plan.order.note == f"the watermark takes {lacking} of at least 2 letters"

    def test_is_placed_with_the_names_that_a_watermark_takes(self):
        request = a_request(first_name="Bo", last_name="Li")
        plan = decide(an_order(request=request), an_offer(name_letters=2), circumstances(a_gate()))
        assert path(plan) == [S.PLACING]

    def test_why_it_cannot_be_sold_at_all_goes_before_its_names(self):
        plan = decide(an_order(), an_offer(OfferState.WITHDRAWN, name_letters=2), circumstances())
        assert plan.order.reason is Reason.WITHDRAWN


class TestWaiting:
    def test_is_placed_when_the_gate_opens(self):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(a_gate()))
        assert path(plan) == [S.PLACING]

    def test_replays_the_customer_id_of_its_declaration(self):
        order = an_order(S.WAITING, declared_customer_id="c-old")
        plan = decide(order, an_offer(), circumstances(a_gate()))
        assert plan.operation is not None
        assert plan.operation.customer_id == "c-old"

    def test_is_declared_once_its_preorder_period_opens(self):
        assert path(decide(an_order(S.WAITING), an_offer(OfferState.PREORDER), circumstances())) == [S.DECLARING]

    def test_is_declared_only_once(self):
        order = an_order(S.WAITING, declared_customer_id="c-77", agreed_price=PRICE.amount, agreed_basis="included")
        assert is_nothing(decide(order, an_offer(OfferState.PREORDER), circumstances()))

    @pytest.mark.parametrize("gate", [a_gate(GateState.PROBING), a_gate(GateState.STALE)])
    def test_waits_behind_a_gate_that_is_being_asked(self, gate):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(gate, refreshing=True))
        assert plan.events == ()
        assert plan.probe is None

    def test_waits_for_room_in_the_outbox(self):
        assert is_nothing(decide(an_order(S.WAITING), an_offer(), circumstances(a_gate(), room=False)))

    def test_asks_first_whether_there_is_room_or_not(self):
        assert decide(an_order(S.WAITING), an_offer(), circumstances(room=False)).probe is not None

    def test_asks_again_once_its_title_was_read_again(self):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(a_gate(GateState.STALE, stale_rounds=1)))
        assert plan.probe is not None
        assert plan.gate is not None
        assert plan.gate.stale_rounds == 1

    def test_asks_again_when_the_last_answer_has_lapsed(self):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(a_gate(valid_until=AT)))
        assert plan.probe is not None
        assert plan.events == ()

    @pytest.mark.parametrize(("minutes", "asks"), [(4, False), (5, True)])
    def test_asks_again_when_the_distributor_wants_newer_answers(self, minutes, asks):
        gate = a_gate(since=AT - timedelta(minutes=minutes))
        plan = decide(an_order(S.WAITING), an_offer(check_holds=timedelta(minutes=5)), circumstances(gate))
        assert asks is (plan.probe is not None)
        assert asks is (plan.operation is None)

    def test_goes_to_a_person_behind_a_gate_that_refused(self):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(a_gate(GateState.REFUSED, note="cannot_sell")))
        assert path(plan) == [S.ATTENTION]
        assert plan.order.reason is Reason.FACTS_DISPUTED
        assert plan.order.note == "cannot_sell"

    def test_asks_anew_after_a_refusal_has_lapsed(self):
        plan = decide(an_order(S.WAITING), an_offer(), circumstances(a_gate(GateState.REFUSED, valid_until=AT)))
        assert plan.probe is not None

    @pytest.mark.parametrize("state", [OfferState.WITHDRAWN, OfferState.OUT_OF_TERRITORY, OfferState.REMOVED])
    def test_goes_to_a_person_where_the_title_is_stopped(self, state):
        plan = decide(an_order(S.WAITING), an_offer(state, price=None), circumstances())
        assert path(plan) == [S.ATTENTION]
        assert plan.order.reason is Reason(state.value)

    @pytest.mark.parametrize("state", [OfferState.UNAVAILABLE, OfferState.UNPRICED, OfferState.UNKNOWN])
    def test_stays_where_the_title_may_come_back(self, state):
        assert is_nothing(decide(an_order(S.WAITING), an_offer(state, price=None), circumstances()))

    def test_that_was_cancelled_is_given_up(self):
        assert path(decide(an_order(S.WAITING, cancel_requested=True), an_offer(), circumstances())) == [S.CANCELLED]

    @pytest.mark.parametrize("state", [S.WAITING, S.PAYABLE])
    def test_waits_for_a_person_where_its_watermark_has_come_to_take_names(self, state):
        plan = decide(an_order(state), an_offer(name_letters=2), circumstances(a_gate()))
        assert S.ATTENTION is path(plan)[-1]
        assert plan.order.reason is Reason.NAMES_MISSING
        assert plan.operation is None


class TestPaymentOnRelease:
    REQUEST = a_request(payment=Payment.ON_RELEASE)

    def test_stops_at_payable_with_the_exact_amount(self):
        plan = decide(an_order(S.WAITING, request=self.REQUEST), an_offer(), circumstances(a_gate()))
        assert path(plan) == [S.PAYABLE]
        assert plan.order.payable == Decimal("12.99")
        assert plan.operation is None

    def test_asks_for_the_consumer_price_where_the_price_excludes_tax(self):
        price = replace(PRICE, tax=TaxBasis.EXCLUDED, type="01", tax_percent=Decimal(5))
        offer = an_offer(price=price)
        order = an_order(S.WAITING, request=self.REQUEST, agreed_price=Decimal("12.99"), agreed_basis="excluded")
        plan = decide(order, offer, circumstances(a_gate(offer=offer)))
        assert plan.order.payable == Decimal("13.64")
        assert plan.order.amount == Decimal("12.99")

    def test_is_placed_once_exactly_that_is_paid(self):
        paid = an_order(
            S.PAYABLE, request=self.REQUEST, amount=PRICE.amount, payable=PRICE.amount, paid_amount=PRICE.amount
        )
        assert path(decide(paid, an_offer(), circumstances(a_gate()))) == [S.PLACING]

    def test_asks_nothing_of_the_distributor_while_it_is_unpaid(self):
        unpaid = an_order(S.PAYABLE, request=self.REQUEST, amount=PRICE.amount, payable=PRICE.amount)
        plan = decide(unpaid, an_offer(), circumstances())
        assert plan.probe is None
        assert plan.events == ()

    def test_asks_for_the_new_amount_when_the_price_falls(self):
        unpaid = an_order(S.PAYABLE, request=self.REQUEST, amount=Decimal("14.99"), payable=Decimal("14.99"))
        plan = decide(unpaid, an_offer(), circumstances(a_gate()))
        assert path(plan) == [S.WAITING, S.PAYABLE]
        assert plan.order.payable == Decimal("12.99")

    def test_waits_again_when_the_title_is_no_longer_for_sale(self):
        unpaid = an_order(S.PAYABLE, request=self.REQUEST, amount=PRICE.amount, payable=PRICE.amount)
        plan = decide(unpaid, an_offer(OfferState.WITHDRAWN, price=None), circumstances())
        assert path(plan) == [S.WAITING, S.ATTENTION]


class TestPlacing:
    PLACING = an_order(S.PLACING, amount=PRICE.amount, price_type="02", protection="watermark")

    def test_stays_while_nothing_speaks_against_it(self):
        assert is_nothing(decide(self.PLACING, an_offer(), circumstances(a_gate())))

    def test_is_taken_back_unsent_when_the_title_is_withdrawn(self):
        plan = decide(self.PLACING, an_offer(OfferState.WITHDRAWN, price=None), circumstances(a_gate()))
        assert plan.revoke
        assert path(plan) == [S.WAITING, S.ATTENTION]

    def test_is_planned_anew_when_the_price_moves(self):
        offer = an_offer(price=replace(PRICE, amount=Decimal("10.99")))
        plan = decide(self.PLACING, offer, circumstances(a_gate(offer=offer)))
        assert plan.revoke
        assert path(plan) == [S.WAITING, S.PLACING]
        assert plan.operation is not None
        assert plan.operation.amount == Decimal("10.99")

    @pytest.mark.parametrize("state", [GateState.PROBING, GateState.STALE])
    def test_is_taken_back_unsent_when_its_gate_closes(self, state):
        plan = decide(self.PLACING, an_offer(), circumstances(a_gate(state), refreshing=True))
        assert plan.revoke
        assert path(plan) == [S.WAITING]

    def test_is_given_up_unsent_when_it_is_cancelled(self):
        plan = decide(replace(self.PLACING, cancel_requested=True), an_offer(), circumstances(a_gate()))
        assert plan.revoke
        assert path(plan) == [S.WAITING, S.CANCELLED]

    @pytest.mark.parametrize(
        "offer", [an_offer(OfferState.WITHDRAWN, price=None), an_offer(price=replace(PRICE, amount=Decimal(1)))]
    )
    def test_is_left_alone_once_it_was_sent(self, offer):
        plan = decide(replace(self.PLACING, cancel_requested=True), offer, circumstances(), unsent=False)
        assert is_nothing(plan)


class TestDeclaring:
    DECLARING = an_order(S.DECLARING, declared_customer_id="c-77")

    def test_waits_for_its_answer(self):
        assert is_nothing(decide(self.DECLARING, an_offer(OfferState.PREORDER), circumstances()))

    def test_never_blocks_the_sale(self):
        plan = decide(self.DECLARING, an_offer(), circumstances(a_gate()))
        assert plan.revoke
        assert path(plan) == [S.WAITING, S.PLACING]

    def test_that_was_sent_is_left_alone(self):
        assert is_nothing(decide(self.DECLARING, an_offer(), circumstances(a_gate()), unsent=False))

    def test_is_given_up_unsent_when_it_is_cancelled(self):
        order = replace(self.DECLARING, cancel_requested=True)
        assert path(decide(order, an_offer(OfferState.PREORDER), circumstances())) == [S.WAITING, S.CANCELLED]


class TestPriceRules:
    @pytest.mark.parametrize(
        ("rule", "agreed", "expected"),
        [
            (PriceRule.NOT_ABOVE_AGREED, "12.99", S.PLACING),
            (PriceRule.NOT_ABOVE_AGREED, "13.00", S.PLACING),
            (PriceRule.NOT_ABOVE_AGREED, "12.98", S.ATTENTION),
            (PriceRule.CURRENT, "1.00", S.PLACING),
            (PriceRule.EXACT, "12.99", S.PLACING),
            (PriceRule.EXACT, "12.990", S.PLACING),
            (PriceRule.EXACT, "13.00", S.ATTENTION),
        ],
    )
    def test_decide_whether_the_price_in_force_may_be_charged(self, rule, agreed, expected):
        request = a_request(agreed_price=Decimal(agreed), price_rule=rule)
        plan = decide(an_order(S.WAITING, request=request), an_offer(), circumstances(a_gate()))
        assert plan.order.state is expected

    def test_today_s_price_is_frozen_whether_there_is_room_or_not(self):
        plan = decide(an_order(), an_offer(), circumstances(a_gate(), room=False))
        assert path(plan) == [S.WAITING]
        assert plan.operation is None
        assert plan.order.agreed_price == PRICE.amount

    def test_a_price_that_nobody_agreed_to_is_never_charged_silently(self):
        plan = decide(an_order(S.WAITING, agreed_price=None), an_offer(), circumstances(a_gate()))
        assert plan.order.reason is Reason.NO_PRICE_AGREED
        current = an_order(S.WAITING, request=a_request(price_rule=PriceRule.CURRENT), agreed_price=None)
        assert path(decide(current, an_offer(), circumstances(a_gate()))) == [S.PLACING]

    def test_a_net_price_is_compared_with_its_tax(self):
        price = replace(PRICE, tax=TaxBasis.EXCLUDED, type="01", tax_percent=Decimal(5))
        offer = an_offer(price=price)
        request = a_request(agreed_price=Decimal("13.63"))
        plan = decide(an_order(S.WAITING, request=request), offer, circumstances(a_gate(offer=offer)))
        assert plan.order.reason is Reason.PRICE_ABOVE_AGREED

    def test_a_net_price_without_a_known_tax_is_never_charged_silently(self):
        offer = an_offer(price=replace(PRICE, tax=TaxBasis.EXCLUDED, type="01"))
        request = a_request(agreed_price=Decimal("99"))
        plan = decide(an_order(S.WAITING, request=request), offer, circumstances(a_gate(offer=offer)))
        assert plan.order.reason is Reason.AMOUNT_NOT_CONVERTIBLE
        assert "tax_rates" in plan.order.note

    def test_a_frozen_net_price_is_compared_as_it_is(self):
        offer = an_offer(price=replace(PRICE, tax=TaxBasis.EXCLUDED, type="01"))
        order = an_order(S.WAITING, agreed_price=Decimal("12.99"), agreed_basis="excluded")
        assert path(decide(order, offer, circumstances(a_gate(offer=offer)))) == [S.PLACING]

    def test_an_amount_with_three_decimals_is_never_charged(self):
        offer = an_offer(price=replace(PRICE, amount=Decimal("12.995")))
        plan = decide(an_order(S.WAITING), offer, circumstances(a_gate(offer=offer)))
        assert plan.order.reason is Reason.AMOUNT_NOT_CONVERTIBLE

    def test_free_is_a_price_like_any_other(self):
        offer = an_offer(price=replace(PRICE, amount=Decimal("0.00")))
        plan = decide(an_order(S.WAITING), offer, circumstances(a_gate(offer=offer)))
        assert plan.operation is not None
        assert plan.operation.amount == Decimal(0)


def test_one_answer_speaks_for_title_market_price_and_protection():
    base = gate_id(an_offer(), "watermark")
    others = {
        gate_id(an_offer(), "acs4"),
        gate_id(an_offer(price=replace(PRICE, amount=Decimal("1.00"))), "watermark"),
        gate_id(an_offer(price=replace(PRICE, type="04")), "watermark"),
        gate_id(an_offer(key=replace(KEY, format=Format("pdf"))), "watermark"),
    }
    assert base == gate_id(an_offer(at=AT + timedelta(days=1)), "watermark")
    assert base not in others
    assert len(others) == 4


@pytest.mark.parametrize(("attempts", "wait"), [(1, 5), (2, 15), (3, 60), (4, 300), (5, 300), (90, 300)])
def test_probes_come_ever_more_rarely(attempts, wait):
    assert probe_due(attempts, START) - START == timedelta(seconds=wait)
    assert len(PROBE_AFTER) == 4


def test_a_refund_names_the_sale_it_takes_back():
    placed = an_order(
        S.PLACED, amount=PRICE.amount, price_type="02", protection="watermark", declared_customer_id="c-9"
    )
    order, event, operation = refund(placed, AT, "bought twice")
    assert order.state is S.REFUNDING
    assert event.before is S.PLACED
    assert (operation.kind, operation.reference, operation.customer_id) == (
        OperationKind.REFUND,
        placed.reference,
        "c-9",
    )
    assert operation.amount == Decimal("12.99")
    assert operation.reason == "bought twice"
