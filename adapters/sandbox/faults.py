"""Fault knobs: what goes wrong on purpose, per distributor and endpoint class, by count or by seeded chance."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Annotated, Any

import msgspec


class Fault(StrEnum):
    """The faults of the transport, which every stub has; a stub adds its own by name."""

    THROTTLE = "throttle"
    """429 before any effect; with `retry_after` as the header says it."""
    UNAVAILABLE = "unavailable"
    """503 before any effect; with `retry_after`."""
    ERROR_BEFORE = "error_before"
    """`status` (500) before any effect."""
    DROP_BEFORE = "drop_before"
    """The connection breaks before any effect."""
    LOGIN_PAGE = "login_page"
    """200 with an HTML login page; no effect."""
    DELAY_BEFORE = "delay_before"
    """`seconds` pass before the call is worked on."""
    ERROR_AFTER = "error_after"
    """`status` (500) although the effect took place."""
    DROP_AFTER = "drop_after"
    """The connection breaks after the effect took place."""
    GARBAGE = "garbage"
    """The true status with a body of noise."""
    EMPTY = "empty"
    """The true status with an empty body."""
    TORN = "torn"
    """Content-Length promises more than is sent; the connection closes."""
    DELAY_AFTER = "delay_after"
    """`seconds` pass between the effect and the answer."""


INSTEAD = (Fault.DROP_BEFORE, Fault.THROTTLE, Fault.UNAVAILABLE, Fault.ERROR_BEFORE, Fault.LOGIN_PAGE)
"""Faults that take the place of the call; at most one fires."""
AFTERWARDS = (Fault.DROP_AFTER, Fault.ERROR_AFTER, Fault.GARBAGE, Fault.EMPTY, Fault.TORN)
"""Faults that spoil the answer of a call that was carried out; at most one fires."""
EVERY_ENDPOINT = "*"
SETTINGS = "settings"
"""The name under which a stub's own settings stand beside its endpoint classes."""


class Knob(msgspec.Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How often a fault fires and with what: `count` times (none = until cleared), with `probability`, after `skip` calls.

    `match` limits it to calls whose path and query contain the text. `fired` counts what has happened.
    """

    count: Annotated[int, msgspec.Meta(ge=0)] | None = None
    probability: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    skip: Annotated[int, msgspec.Meta(ge=0)] = 0
    match: str | None = None
    seconds: float = 0.0
    status: int = 500
    retry_after: str | None = None
    fired: int = 0


class KnobInvalid(ValueError):
    """A knob that does not exist or cannot be set so; the text names it."""


class Faults:
    """The knobs of all stubs. A document of them is `{distributor: {endpoint: {fault: knob}}}`.

    A knob is an object, a number (its count), true (until cleared) or null, 0 and false (take it away). The endpoint `*`
    stands for every class of the distributor; a class's own knob goes before it.
    """

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self._names: dict[str, tuple[frozenset[str], frozenset[str]]] = {}
        self._knobs: dict[tuple[str, str, str], Knob] = {}
        self._chance: dict[tuple[str, str, str], random.Random] = {}

    def know(self, distributor: str, *, endpoints: Collection[str], faults: Collection[str] = ()) -> None:
        """Allow knobs for a distributor's endpoint classes: those of the transport, and its own by name."""
        self._names[distributor] = (frozenset(endpoints) | {EVERY_ENDPOINT}, frozenset(faults) | frozenset(Fault))

    def set(self, distributor: str, endpoint: str, fault: str, knob: object) -> None:
        """Set or take away one knob; raises KnobInvalid and changes nothing where it makes no sense."""
        key = (distributor, endpoint, fault)
        self._check(key)
        read = _read_knob(".".join(key), knob)
        if read is None:
            self._knobs.pop(key, None)
            return
        self._knobs[key] = read
        self._chance[key] = random.Random(f"{self._seed}:{'.'.join(key)}")

    def update(self, document: Mapping[str, Any]) -> None:
        """Set every knob of a document; raises KnobInvalid before the first one changes anything."""
        self.check(document)
        for distributor, endpoints in document.items():
            for endpoint, knobs in endpoints.items():
                for fault, knob in knobs.items():
                    self.set(distributor, endpoint, fault, knob)

    def check(self, document: Mapping[str, Any]) -> None:
        """Raise KnobInvalid where the document could not be set."""
        for distributor, endpoints in document.items():
            self._check_distributor(distributor)
            for endpoint, knobs in _object(distributor, endpoints).items():
                for fault, knob in _object(f"{distributor}.{endpoint}", knobs).items():
                    self._check((distributor, endpoint, fault))
                    _read_knob(f"{distributor}.{endpoint}.{fault}", knob)

    def clear(self) -> None:
        """Take every knob away."""
        self._knobs.clear()

    def as_document(self) -> dict[str, dict[str, dict[str, Knob]]]:
        """The knobs that are set, with their counts so far."""
        document: dict[str, dict[str, dict[str, Knob]]] = {}
        for (distributor, endpoint, fault), knob in self._knobs.items():
            document.setdefault(distributor, {}).setdefault(endpoint, {})[fault] = knob
        return document

    def draw(self, distributor: str, endpoint: str, fault: str, target: str) -> Knob | None:
        """Whether the fault strikes this call; a strike is counted."""
        for key in ((distributor, endpoint, fault), (distributor, EVERY_ENDPOINT, fault)):
            knob = self._knobs.get(key)
            if knob is not None and self._strikes(key, knob, target):
                return knob
        return None

    def _strikes(self, key: tuple[str, str, str], knob: Knob, target: str) -> bool:
        if (knob.count is not None and knob.fired >= knob.count) or (knob.match and knob.match not in target):
            return False
        if knob.skip > 0:
            knob.skip -= 1
            return False
        if knob.probability < 1.0 and self._chance[key].random() >= knob.probability:
            return False
        knob.fired += 1
        return True

    def _check(self, key: tuple[str, str, str]) -> None:
        distributor, endpoint, fault = key
        self._check_distributor(distributor)
        endpoints, faults = self._names[distributor]
        if endpoint not in endpoints:
            raise KnobInvalid(f"{distributor} has no endpoint {endpoint!r}; there is {_listed(endpoints)}")
        if fault not in faults:
            raise KnobInvalid(f"{distributor} has no fault {fault!r}; there is {_listed(faults)}")

    def _check_distributor(self, distributor: str) -> None:
        if distributor not in self._names:
            raise KnobInvalid(f"no distributor {distributor!r}; there is {_listed(self._names)}")


def _read_knob(name: str, knob: object) -> Knob | None:
    """The knob, or none where the value takes it away."""
    if not knob and knob != {}:
        return None
    if knob is True:
        return Knob()
    try:
        return msgspec.convert({"count": knob} if isinstance(knob, int) else knob, Knob)
    except msgspec.ValidationError as error:
        raise KnobInvalid(f"{name}: {error}") from error


def _object(name: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise KnobInvalid(f"{name} must be an object")
    return value


def _listed(names: Collection[str]) -> str:
    return ", ".join(sorted(names))
