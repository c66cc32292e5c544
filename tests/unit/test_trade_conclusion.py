"""What the outcome of a call makes of its order and of its gate."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncengine.domain.delivery import GateState, OperationKind, Outcome, Verdict
from syncengine.domain.order import OrderState, Reason
from syncengine.errors import TransitionInvalid
from syncengine.trade.conclusion import conclude_gate, conclude_order, park_order
from syncengine.trade.lifecycle import STEPS, move
from syncengine.trade.planner import GATE_VALID
from tests.orders import AT, PRICE, a_gate, an_order

S = OrderState
ACCEPTED = Verdict(outcome=Outcome.ACCEPTED, word="created", proof="p-1")
CANNOT_SELL = Verdict(outcome=Outcome.STALE_FACTS, word="cannot_sell")
WRONG_PRICE = Verdict(outcome=Outcome.STALE_FACTS, word="invalid_sale_parameters")
PLACING = an_order(S.PLACING, amount=PRICE.amount, price_type="02", protection="watermark")


def sale(verdict, order=PLACING, *, in_grace=False):
    return conclude_order(order, OperationKind.SALE, verdict, AT, in_grace=in_grace)


class TestSale:
    @pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.ALREADY_DONE])
    def test_is_placed_with_the_proof(self, outcome):
        concluded = sale(Verdict(outcome=outcome, word="created", proof="p-1"))
        assert concluded.order.state is S.PLACED
        assert concluded.order.receipt == "p-1"
        assert concluded.operation is None

    def test_that_met_a_cancel_is_refunded_after_it(self):
        concluded = sale(ACCEPTED, an_order(S.PLACING, amount=PRICE.amount, cancel_requested=True))
        assert [event.after for event in concluded.events] == [S.PLACED, S.REFUNDING]
        assert concluded.operation is not None
        assert concluded.operation.kind is OperationKind.REFUND

    @pytest.mark.parametrize("verdict", [CANNOT_SELL, Verdict(outcome=Outcome.NOT_YET)])
    def test_refused_within_the_grace_of_its_release_waits_and_closes_the_gate(self, verdict):
        concluded = sale(verdict, in_grace=True)
        assert concluded.order.state is S.WAITING
        assert concluded.not_yet
        assert not concluded.disputed
        assert concluded.order.stale_rounds == 0

    @pytest.mark.parametrize(("verdict", "in_grace"), [(CANNOT_SELL, False), (WRONG_PRICE, True), (WRONG_PRICE, False)])
    def test_disputed_facts_are_read_again_once(self, verdict, in_grace):
        concluded = sale(verdict, in_grace=in_grace)
        assert concluded.order.state is S.WAITING
        assert concluded.disputed
        assert concluded.order.stale_rounds == 1

    def test_facts_disputed_twice_go_to_a_person(self):
        concluded = sale(WRONG_PRICE, an_order(S.PLACING, stale_rounds=1))
        assert concluded.order.state is S.ATTENTION
        assert concluded.order.reason is Reason.FACTS_DISPUTED
        assert not concluded.disputed

    def test_a_refusal_that_no_repeat_changes_goes_to_a_person(self):
        concluded = sale(Verdict(outcome=Outcome.REJECTED, word="invalid_format"))
        assert concluded.order.reason is Reason.REJECTED
        assert "invalid_format" in concluded.order.note

    def test_an_answer_for_an_order_that_has_moved_on_changes_nothing(self):
        waiting = an_order(S.WAITING)
        assert sale(ACCEPTED, waiting).order == waiting


class TestDeclaration:
    DECLARING = an_order(S.DECLARING, declared_customer_id="c-77")

    @pytest.mark.parametrize(
        ("outcome", "note"),
        [
            (Outcome.ACCEPTED, "declared"),
            (Outcome.ALREADY_DONE, "declared"),
            (Outcome.REJECTED, "not declared: cannot_preorder"),
        ],
    )
    def test_leads_to_waiting_whatever_was_answered(self, outcome, note):
        verdict = Verdict(outcome=outcome, word="cannot_preorder")
        concluded = conclude_order(self.DECLARING, OperationKind.DECLARATION, verdict, AT, in_grace=False)
        assert concluded.order.state is S.WAITING
        assert concluded.order.note == note

    def test_that_is_parked_never_blocks_the_sale(self):
        concluded = park_order(self.DECLARING, Reason.RETRIES_EXHAUSTED, "no answer", AT)
        assert concluded.order.state is S.WAITING


class TestRefund:
    REFUNDING = an_order(S.REFUNDING, amount=PRICE.amount, cancel_requested=True)

    def test_is_refunded_with_the_token(self):
        concluded = conclude_order(self.REFUNDING, OperationKind.REFUND, ACCEPTED, AT, in_grace=False)
        assert concluded.order.state is S.REFUNDED
        assert concluded.order.receipt == "p-1"

    def test_refused_is_placed_as_before_with_the_reason(self):
        verdict = Verdict(outcome=Outcome.REJECTED, word="refund_unauthorized")
        concluded = conclude_order(self.REFUNDING, OperationKind.REFUND, verdict, AT, in_grace=False)
        assert concluded.order.state is S.PLACED
        assert concluded.order.reason is Reason.REFUND_REFUSED
        assert concluded.order.note == "refund_unauthorized"
        assert not concluded.order.cancel_requested


def test_a_parked_sale_goes_to_a_person():
    concluded = park_order(PLACING, Reason.OUTCOME_UNKNOWN, "nobody knows", AT)
    assert concluded.order.state is S.ATTENTION
    assert concluded.order.reason is Reason.OUTCOME_UNKNOWN


class TestGate:
    PROBING = a_gate(GateState.PROBING)

    def test_opens_for_a_time(self):
        concluded = conclude_gate(self.PROBING, ACCEPTED, AT, in_grace=False)
        assert concluded.gate.state is GateState.OPEN
        assert concluded.gate.valid_until == AT + GATE_VALID
        assert concluded.probe_at is None

    def test_is_asked_again_ever_more_rarely_while_the_release_is_young(self):
        gate, waits = self.PROBING, []
        for _ in range(5):
            concluded = conclude_gate(gate, CANNOT_SELL, AT, in_grace=True)
            gate = concluded.gate
            assert gate.state is GateState.PROBING
            assert concluded.probe_at is not None
            waits.append(concluded.probe_at - AT)
        assert [timedelta(seconds=seconds) for seconds in (5, 15, 60, 300, 300)] == waits

    def test_that_disputes_the_facts_has_them_read_again(self):
        concluded = conclude_gate(self.PROBING, CANNOT_SELL, AT, in_grace=False)
        assert concluded.gate.state is GateState.STALE
        assert concluded.disputed

    def test_that_disputes_them_twice_refuses(self):
        gate = a_gate(GateState.PROBING, stale_rounds=1)
        concluded = conclude_gate(gate, WRONG_PRICE, AT, in_grace=True)
        assert concluded.gate.state is GateState.REFUSED
        assert concluded.gate.note == "invalid_sale_parameters"
        assert concluded.gate.valid_until == AT + GATE_VALID
        assert not concluded.disputed

    def test_that_rejects_the_request_refuses_at_once(self):
        concluded = conclude_gate(
            self.PROBING, Verdict(outcome=Outcome.REJECTED, word="invalid_format"), AT, in_grace=False
        )
        assert concluded.gate.state is GateState.REFUSED


class TestLifecycle:
    @pytest.mark.parametrize("before", S)
    def test_allows_exactly_the_steps_of_its_table(self, before):
        for after in S:
            order = an_order(before)
            if after in STEPS[before]:
                moved, event = move(order, after, AT, note="why")
                assert (moved.state, moved.updated_at, moved.note) == (after, AT, "why")
                assert (event.before, event.after) == (before, after)
            else:
                with pytest.raises(TransitionInvalid, match=f"is {before.value} and cannot become {after.value}"):
                    move(order, after, AT)

    @pytest.mark.parametrize("state", [S.REFUNDED, S.REFUSED, S.CANCELLED])
    def test_ends_where_nothing_more_can_come(self, state):
        assert STEPS[state] == frozenset()
