"""Single values of the settings file: read exactly, and refused in words that say what to write instead."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec

from syncengine.domain.delivery import Limit
from syncengine.domain.territory import Market
from syncengine.errors import UsageInvalid
from syncengine.settings.duration import parse_duration

_WORDS: Final[Mapping[object, str]] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_SEEN_AS: Final[Mapping[type, str]] = {
    str: "a text",
    bool: "true or false",
    int: "a number",
    Decimal: "a number",
    list: "a list",
    dict: "a table",
}


def exact(number: str) -> Decimal:
    """A number as it is written; what no decimal can hold is no number."""
    try:
        return Decimal(number)
    except InvalidOperation:
        return Decimal("NaN")


def plain(value: object, hint: object) -> object:
    """A text, a number or a closed choice as the type asks for it; raises UsageInvalid."""
    number = float(value) if isinstance(value, Decimal) else value
    if isinstance(number, float) and not math.isfinite(number):
        raise UsageInvalid("an ordinary number is expected")
    try:
        return msgspec.convert(number, hint, strict=True)
    except msgspec.ValidationError as error:
        raise UsageInvalid(_expected(value, hint, str(error))) from error


def seen(value: object) -> str:
    """The sort of a value: the value itself might be a secret that was pasted at the wrong place."""
    return _SEEN_AS.get(type(value), "a date or a time")


def meant(word: str, known: Iterable[str]) -> str:
    """A question about the nearest known word; empty where none is near."""
    close = get_close_matches(word, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _expected(value: object, hint: object, message: str) -> str:
    """What is expected in place of a plain value, from the type and what msgspec found wrong."""
    base = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    if choices := _choices(base):
        return f"one of {', '.join(choices)} is expected, not {repr(value) if isinstance(value, str) else seen(value)}"
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    if type(value) is base or (base is float and is_number):
        bound = message.removeprefix("Expected ").replace("`int`", "a whole number").replace("`float`", "a number")
        return f"{value} will not do; write {bound}"
    return f"{_WORDS.get(base, 'another sort of value')} is expected, not {seen(value)}"


def _choices(hint: object) -> tuple[str, ...]:
    if get_origin(hint) is Literal:
        return tuple(str(each) for each in get_args(hint))
    return tuple(str(each.value) for each in hint) if isinstance(hint, type) and issubclass(hint, Enum) else ()


def _text(value: object, example: str) -> str:
    if not isinstance(value, str):
        raise UsageInvalid(
            f"a text is expected, not {seen(value)}", hint=f'write it in quotes, for example "{example}"'
        )
    return value


def _decimal(value: object) -> Decimal:
    """Exact, from a number or a text."""
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        number = exact(str(value))
        if number.is_finite():
            return number
    raise UsageInvalid("a number is expected", hint='write it plainly, for example 5.5 or "5.5"')


def _limit(value: object) -> Limit:
    """`"10/s burst 5"`, or the same as a table `{ rate = "10/s", burst = 5 }`."""
    if not isinstance(value, dict):
        return Limit.parse(_text(value, "10/s"))
    rate, burst = value.get("rate"), value.get("burst", 1)
    if value.keys() - {"rate", "burst"} or not isinstance(rate, str) or type(burst) is not int:
        raise UsageInvalid("a limit's table has a rate and a burst", hint='write { rate = "10/s", burst = 5 }')
    return Limit.parse(f"{rate} burst {burst}")


READERS: Final[Mapping[object, Callable[[Any], object]]] = {
    timedelta: lambda value: parse_duration(_text(value, "6h")),
    Market: lambda value: Market.parse(_text(value, "CA/CAD")),
    Limit: _limit,
    Decimal: _decimal,
    Path: lambda value: Path(_text(value, "feeds")),
}
"""How values are read that are more than text or number, by their type; each raises UsageInvalid."""
