"""Messages in sequence, by each policy (reference/onix.md 2.8)."""

import pytest

from syncengine.catalogue.sequence import Place, is_surely_newer, place
from syncengine.domain.message import MessageMark, MessageOrder
from syncengine.domain.passes import WarningKind

NUMBER, SENT, ARRIVAL = MessageOrder.NUMBER, MessageOrder.SENT, MessageOrder.ARRIVAL
NEXT, REPEATED, OLDER = Place.NEXT, Place.REPEATED, Place.OLDER


def mark(number: str | None = None, sent_at: str | None = None) -> MessageMark:
    return MessageMark(number=number, sent_at=sent_at)


PLACES = [
    ("number rises", NUMBER, mark("8"), mark("7"), NEXT, None),
    ("number repeats", NUMBER, mark("7"), mark("7"), REPEATED, WarningKind.REPEATED_MESSAGE),
    ("number falls", NUMBER, mark("6"), mark("7"), OLDER, WarningKind.OLDER_MESSAGE),
    ("number skips", NUMBER, mark("10"), mark("7"), NEXT, WarningKind.NUMBER_GAP),
    ("leading zeros are no difference", NUMBER, mark("008"), mark("007"), NEXT, None),
    ("another width is none either", NUMBER, mark("10"), mark("009"), NEXT, None),
    ("a dated number rises", NUMBER, mark("20260609-002"), mark("20260609-001"), NEXT, None),
    ("a dated number skips", NUMBER, mark("20260609-004"), mark("20260609-001"), NEXT, WarningKind.NUMBER_GAP),
    ("another day's number is no gap", NUMBER, mark("20260611-001"), mark("20260609-004"), NEXT, None),
    ("a number missing", NUMBER, mark(None), mark("7"), NEXT, WarningKind.HEADER),
    ("numbers written differently", NUMBER, mark("A-8"), mark("7"), NEXT, WarningKind.HEADER),
    ("longer than any number", NUMBER, mark("7" * 5000), mark("7" * 5001), NEXT, WarningKind.HEADER),
    ("no digits at all", NUMBER, mark("x"), mark("x"), NEXT, WarningKind.HEADER),
    (
        "numbers begin again",
        NUMBER,
        mark("1", "20260612T100000Z"),
        mark("999", "20260611T100000Z"),
        NEXT,
        WarningKind.NUMBER_GAP,
    ),
    (
        "a number for every file of a day",
        NUMBER,
        mark("5", "20260612T120000Z"),
        mark("5", "20260612T100000Z"),
        NEXT,
        WarningKind.NUMBER_GAP,
    ),
    ("sent later", SENT, mark(None, "20260612T100000Z"), mark(None, "20260611T100000Z"), NEXT, None),
    (
        "sent before",
        SENT,
        mark(None, "20260610T100000Z"),
        mark(None, "20260611T100000Z"),
        OLDER,
        WarningKind.OLDER_MESSAGE,
    ),
    (
        "sent at the same instant",
        SENT,
        mark(None, "20260611T100000Z"),
        mark(None, "20260611T100000Z"),
        REPEATED,
        WarningKind.REPEATED_MESSAGE,
    ),
    (
        "two numbers of one instant",
        SENT,
        mark("2", "20260611T100000Z"),
        mark("1", "20260611T100000Z"),
        NEXT,
        None,
    ),
    ("two messages of one day", SENT, mark(None, "20260611"), mark(None, "20260611"), NEXT, None),
    (
        "one number of one day",
        SENT,
        mark("4", "20260611"),
        mark("4", "20260611"),
        REPEATED,
        WarningKind.REPEATED_MESSAGE,
    ),
    ("not dated", SENT, mark("4", None), mark("4", "20260611"), NEXT, WarningKind.HEADER),
    ("by arrival nothing is old", ARRIVAL, mark("1", "20200101"), mark("9", "20260611"), NEXT, None),
]


@pytest.mark.parametrize(
    ("order", "one", "last", "expected", "kind"), [row[1:] for row in PLACES], ids=[row[0] for row in PLACES]
)
def test_a_message_has_its_place_by_the_policy_of_its_source(order, one, last, expected, kind):
    found = place(order, one, last)
    assert expected is found.place
    assert ([] if kind is None else [kind]) == [noted.kind for noted in found.noted]


@pytest.mark.parametrize("order", MessageOrder)
def test_the_first_message_of_a_sender_is_the_next_whatever_it_says(order):
    assert NEXT is place(order, mark("1", "19990101"), None).place


def test_a_gap_is_told_with_how_many_messages_are_missing():
    [noted] = place(NUMBER, mark("10"), mark("7")).noted
    assert "MessageNumber 10 follows 7: 2 between them did not come" == noted.says


@pytest.mark.parametrize(
    ("order", "one", "other", "expected"),
    [
        (ARRIVAL, mark("9", "20260612"), mark("1", "20250101"), False),
        (NUMBER, mark("9"), mark("1"), True),
        (NUMBER, mark("1"), mark("9"), False),
        (NUMBER, mark("x", "20260612T100000Z"), mark("1", "20260611T100000Z"), True),
        (SENT, mark(None, "20260612T100000Z"), mark(None, "20260611T100000Z"), True),
        (SENT, mark(None, "20260611T100000Z"), mark(None, "20260611T100000Z"), False),
        (SENT, mark(None, None), mark(None, "20260611T100000Z"), False),
    ],
)
def test_only_what_the_policy_proves_is_newer(order, one, other, expected):
    assert expected is is_surely_newer(order, one, other)
