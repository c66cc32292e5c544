"""The sandbox's fault knobs: counts, chance, order and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.sandbox.faults import Faults, KnobInvalid


@pytest.fixture
def faults() -> Faults:
    known = Faults(seed=3)
    known.know("demarque", endpoints=["sale", "full"], faults=["no_link"])
    return known


def strikes(
    faults: Faults, count: int, fault: str = "throttle", target: str = "/x", endpoint: str = "sale"
) -> list[bool]:
    return [faults.draw("demarque", endpoint, fault, target) is not None for _ in range(count)]


def set_knob(faults: Faults, knob: Any, endpoint: str = "sale", fault: str = "throttle") -> None:
    faults.update({"demarque": {endpoint: {fault: knob}}})


def test_nothing_strikes_unset(faults):
    assert [False] * 3 == strikes(faults, 3)


@pytest.mark.parametrize("knob", [2, {"count": 2}])
def test_a_count_strikes_so_often(faults, knob):
    set_knob(faults, knob)
    assert [True, True, False, False] == strikes(faults, 4)


@pytest.mark.parametrize("knob", [True, {}])
def test_true_strikes_until_it_is_cleared(faults, knob):
    set_knob(faults, knob)
    assert [True] * 5 == strikes(faults, 5)
    faults.clear()
    assert [False] == strikes(faults, 1)


@pytest.mark.parametrize("nothing", [None, False, 0])
def test_a_knob_is_taken_away(faults, nothing):
    set_knob(faults, True)
    set_knob(faults, nothing)
    assert [False] == strikes(faults, 1)
    assert {} == faults.as_document()


def test_skip_lets_calls_through_first(faults):
    set_knob(faults, {"skip": 2, "count": 1})
    assert [False, False, True, False] == strikes(faults, 4)


def test_match_looks_at_path_and_query(faults):
    set_knob(faults, {"match": "t=5"})
    assert [[False], [True]] == [strikes(faults, 1, target=target) for target in ("/a?t=4", "/a?t=5")]


def test_chance_is_the_same_for_the_same_seed_and_near_what_was_asked():
    runs = []
    for seed in (3, 3, 4):
        faults = Faults(seed=seed)
        faults.know("demarque", endpoints=["sale"])
        set_knob(faults, {"probability": 0.25})
        runs.append(strikes(faults, 2000))
    assert runs[0] == runs[1] != runs[2]
    assert 400 < sum(runs[0]) < 600


def test_the_star_stands_for_every_endpoint_and_the_endpoints_own_knob_goes_first(faults):
    set_knob(faults, 1)
    set_knob(faults, {"count": 1, "status": 418}, endpoint="*")
    assert [True, True, False] == strikes(faults, 3)
    set_knob(faults, {"count": 1, "retry_after": "9"})
    set_knob(faults, True, endpoint="*")
    knob = faults.draw("demarque", "sale", "throttle", "/")
    assert knob is not None
    assert "9" == knob.retry_after
    assert [True] == strikes(faults, 1, endpoint="full")


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ({"cb": {}}, "no distributor 'cb'; there is demarque"),
        ({"demarque": {"sales": {}}}, None),
        ({"demarque": {"sales": {"throttle": 1}}}, "demarque has no endpoint 'sales'; there is *, full, sale"),
        ({"demarque": {"sale": {"burn": 1}}}, "demarque has no fault 'burn'"),
        ({"demarque": {"sale": {"throttle": -1}}}, "demarque.sale.throttle"),
        ({"demarque": {"sale": {"throttle": "often"}}}, "demarque.sale.throttle"),
        ({"demarque": {"sale": 1}}, "demarque.sale must be an object"),
    ],
)
def test_a_document_that_makes_no_sense_sets_nothing(faults, document, problem):
    if problem is None:
        faults.update(document)
    else:
        with pytest.raises(KnobInvalid) as raised:
            faults.update({"demarque": {"full": {"throttle": 1}}, **document})
        assert problem in str(raised.value)
    assert {} == faults.as_document()


def test_the_document_shows_what_has_struck(faults):
    set_knob(faults, 3, fault="no_link")
    strikes(faults, 2, fault="no_link")
    knob = faults.as_document()["demarque"]["sale"]["no_link"]
    assert (3, 2) == (knob.count, knob.fired)
