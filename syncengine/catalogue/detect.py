"""Which fields of a record differ, told in lines that a shop can act on.

A field is a set of lines: `price` has one for every price, `market_status` one for every market. Lines that both sides have
are no change; the others are paired by what they are about, so that a changed line is told with its old and its new value.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import zip_longest
from operator import attrgetter
from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import astuple

from syncengine.domain.change import FieldChange
from syncengine.domain.product import DatedRole, Price, Product, ProductSupply, SupplyDetail, Tax
from syncengine.domain.tags import Block
from syncengine.domain.territory import Territory

_SHOWN_CODES = 4
_SHOWN_CHARACTERS = 200
_facts_of_supply = attrgetter(
    *("market_reference", "markets", "market_restrictions", "market_outlets", "market_status", "market_dates")
)
_facts_of_detail = attrgetter(
    *("supplier_role", "supplier_name", "supplier_identifiers", "availability", "dates", "unpriced")
)


class Line(NamedTuple):
    """One fact of a field.

    `fact` decides equality, `key` what the line is about, `family` what it is about more loosely; `territory` is where it holds.
    """

    fact: Hashable
    text: str
    key: Hashable = ()
    family: Hashable = None
    territory: Territory | None = None


class _Prices(NamedTuple):
    """Prices of one supply, with where they hold and whose they are."""

    where: str
    whose: str
    prices: Sequence[Price]


class _Supply(NamedTuple):
    """All else of a supply, with where it holds, and the details by whose they are."""

    supply: ProductSupply
    where: str
    details: Sequence[tuple[SupplyDetail, str]]


class _Side(NamedTuple):
    """A product as one side of a comparison, and the parts of its supplies that may make a difference."""

    product: Product
    supplies: Sequence[_Supply]
    prices: Sequence[_Prices]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """`facts` are what its lines are made of: comparing them is less work than making lines."""

    name: str
    block: Block
    facts: Callable[[_Side], object]
    lines: Callable[[_Side], Iterable[Line]]


def field_changes(old: Product, new: Product, differs: Callable[[Block], bool]) -> tuple[FieldChange, ...]:
    """The changed fields in the order of the record.

    A block that `differs` and whose facts are all the same, and facts that differ in no line, give one change named after the
    block, without values. Blocks whose facts tell their change are not asked about.
    """
    changes: list[FieldChange] = []
    told: set[Block] = set()
    is_equal = old == new
    if not is_equal:
        before, after = _sides(old, new)
        for field in _FIELDS:
            for change in _changes(field, before, after):
                changes.append(change)
                told.add(field.block)
        changes += _row_changes(old, new)
    silent = [block for block in Block if block not in told and differs(block)]
    if not changes and not silent and not is_equal and _settled(old) != _settled(new):
        silent = [Block.PRODUCT_SUPPLY]
    return (*changes, *[FieldChange(field=block.word, old=None, new=None) for block in silent])


def _row_changes(old: Product, new: Product) -> Iterator[FieldChange]:
    """Of each element of a row the texts that went, with those that came in their place: `row/published`."""
    if old.row == new.row:
        return
    for path in dict.fromkeys(path for path, _ in (*old.row, *new.row)):
        before, after = (Counter(text for at, text in side.row if at == path) for side in (old, new))
        pairs = zip_longest((before - after).elements(), (after - before).elements())
        yield from (FieldChange(field=f"row/{path}", old=_shown(one), new=_shown(other)) for one, other in pairs)


def _shown(text: str | None) -> str | None:
    return None if text is None else _short(text)


def _sides(old: Product, new: Product) -> tuple[_Side, _Side]:
    """Both, without what says the same at the same place of their supplies, and so gives the same lines."""
    if old.supplies == new.supplies:
        return _Side(old, (), ()), _Side(new, (), ())
    one, other = _supplies(old), _supplies(new)
    return (
        _Side(old, *_apart(one, other)),
        _Side(new, *_apart(other, one)),
    )


def _supplies(product: Product) -> list[_Supply]:
    """Lines tell whose they are where the product has several suppliers."""
    several = len({_supplier_name(detail) for supply in product.supplies for detail in supply.details}) > 1
    return [
        _Supply(
            supply,
            _areas(supply.markets),
            [(detail, f"from {_supplier_name(detail)}" if several else "") for detail in supply.details],
        )
        for supply in product.supplies
    ]


def _apart(supplies: Sequence[_Supply], others: Sequence[_Supply]) -> tuple[Sequence[_Supply], Sequence[_Prices]]:
    """Supplies without those that the other side has at the same place, but for their prices; and the prices likewise."""
    prices, other_prices = _prices_of(supplies), _prices_of(others)
    if len(supplies) == len(others):
        pairs = zip(supplies, others, strict=True)
        supplies = [one for one, other in pairs if _said_but_prices(one) != _said_but_prices(other)]
    if len(prices) == len(other_prices):
        prices = [_prices_apart(one, other) for one, other in zip(prices, other_prices, strict=True) if one != other]
    return supplies, prices


def _prices_of(supplies: Sequence[_Supply]) -> list[_Prices]:
    return [_Prices(where, whose, detail.prices) for _, where, details in supplies for detail, whose in details]


def _prices_apart(one: _Prices, other: _Prices) -> _Prices:
    if (one.where, one.whose, len(one.prices)) != (other.where, other.whose, len(other.prices)):
        return one
    pairs = zip(one.prices, other.prices, strict=True)
    return one._replace(prices=[price for price, another in pairs if price != another])


def _said_but_prices(of: _Supply) -> object:
    return _facts_of_supply(of.supply), [(_facts_of_detail(detail), whose) for detail, whose in of.details]


def _changes(field: _Field, old: _Side, new: _Side) -> Iterator[FieldChange]:
    if field.facts(old) == field.facts(new):
        return
    before, after = list(field.lines(old)), list(field.lines(new))
    if before == after:
        return
    gone, come, pairs = _matched(before, after)
    for one, other in pairs:
        yield FieldChange(field=field.name, old=_short(one.text), new=_short(other.text + _moved(one, other)))
    yield from (FieldChange(field=field.name, old=_short(line.text), new=None) for line in gone)
    yield from (FieldChange(field=field.name, old=None, new=_short(line.text)) for line in come)


def _matched(before: list[Line], after: list[Line]) -> tuple[list[Line], list[Line], list[tuple[Line, Line]]]:
    """The lines that went, those that came, and the pairs of those that are about the same."""
    keys = [line.key for line in before]
    if keys == [line.key for line in after] and len(set(keys)) == len(keys):
        return [], [], [pair for pair in zip(before, after, strict=True) if pair[0].fact != pair[1].fact]
    gone, come = _without(before, after), _without(after, before)
    return gone, come, _paired(gone, come, _key) + _paired(gone, come, _family)


def _without(lines: Sequence[Line], others: Iterable[Line]) -> list[Line]:
    """The lines whose facts the others lack; one said twice counts twice."""
    said = Counter(line.fact for line in others)
    left = []
    for line in lines:
        if said[line.fact] > 0:
            said[line.fact] -= 1
        else:
            left.append(line)
    return left


def _paired(gone: list[Line], come: list[Line], about: Callable[[Line], Hashable]) -> list[tuple[Line, Line]]:
    """Take out of both sides, in order, the lines that are about the same."""
    waiting: defaultdict[Hashable, deque[int]] = defaultdict(deque)
    for index, line in enumerate(come):
        waiting[about(line)].append(index)
    matched = [(index, waiting[about(line)].popleft()) for index, line in enumerate(gone) if waiting[about(line)]]
    pairs = [(gone[before], come[after]) for before, after in matched]
    _drop(gone, {before for before, _ in matched})
    _drop(come, {after for _, after in matched})
    return pairs


def _drop(lines: list[Line], indexes: Collection[int]) -> None:
    lines[:] = [line for index, line in enumerate(lines) if index not in indexes]


def _key(line: Line) -> Hashable:
    return line.key


def _family(line: Line) -> Hashable:
    return line.key if line.family is None else line.family


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[: _SHOWN_CHARACTERS - 1]}…"


def _moved(before: Line, after: Line) -> str:
    """What came into and left a territory too long to be shown."""
    if before.territory is None or after.territory is None or before.territory == after.territory:
        return ""
    if max(_length(before.territory), _length(after.territory)) <= _SHOWN_CODES:
        return ""
    (old_in, old_out), (new_in, new_out) = _code_sets(before.territory), _code_sets(after.territory)
    came, left = (new_in - old_in) | (old_out - new_out), (old_in - new_in) | (new_out - old_out)
    return f" ({_codes([f'+{code}' for code in sorted(came)] + [f'-{code}' for code in sorted(left)])})"


def _code_sets(territory: Territory) -> tuple[set[str], set[str]]:
    return (
        {*territory.countries_included, *territory.regions_included},
        {*territory.countries_excluded, *territory.regions_excluded},
    )


def _length(territory: Territory) -> int:
    return max(map(len, _code_sets(territory)))


# --- how things are written --------------------------------------------------------------------------------------------


def _codes(codes: Sequence[str]) -> str:
    if len(codes) <= _SHOWN_CODES:
        return " ".join(codes)
    return f"{' '.join(codes[: _SHOWN_CODES - 1])} … {len(codes)}"


@lru_cache(maxsize=4096)
def _area(territory: Territory) -> str:
    included = _codes((*territory.regions_included, *territory.countries_included)) or "nowhere"
    excluded = _codes((*territory.regions_excluded, *territory.countries_excluded))
    return f"{included} without {excluded}" if excluded else included


def _areas(territories: Iterable[Territory]) -> str:
    return " + ".join(sorted(map(_area, territories)))


def _date(dated: DatedRole) -> str:
    """Role and text, which is all that decides: the text's shape tells how it is read."""
    return f"{dated.role} {dated.date.text}"


def _words(*parts: str | None) -> str:
    return " ".join(filter(None, parts))


def _price_date(dated: DatedRole) -> str:
    words = {"14": "from", "15": "until", "24": "in"}
    return f"{words.get(dated.role, dated.role)} {dated.date.text}"


def _tax(tax: Tax) -> str:
    percent = f"{tax.rate_percent} %" if tax.rate_percent is not None else None
    amount = f"is {tax.tax_amount}" if tax.tax_amount is not None else None
    taxable = f"of {tax.taxable_amount}" if tax.taxable_amount is not None else None
    return _words("tax", tax.type, tax.rate_code, percent, amount, taxable)


def _price(price: Price, where: str) -> str:
    place = f"{where}/{price.currency}" if where and price.currency else where or price.currency
    return _words(
        place,
        price.type,
        f"for {price.qualifier}" if price.qualifier else None,
        str(price.amount) if price.amount is not None else None,
        f"unpriced {price.unpriced}" if price.unpriced else None,
        *map(_price_date, price.dates),
        f"status {price.status}" if price.status else None,
        *map(_tax, price.taxes),
        f"protection {_codes(price.protections)}" if price.protections else None,
        f"id {_codes(price.identifiers)}" if price.identifiers else None,
        "on conditions" if price.conditions else None,
    )


# --- the lines of each field -------------------------------------------------------------------------------------------


def _scalar(value: str | None) -> list[Line]:
    return [Line(fact=value, text=value)] if value else []


def _listed(codes: Sequence[str], *, key: Hashable = (), prefix: str = "") -> list[Line]:
    """One line for a set of codes."""
    if not codes:
        return []
    ordered = tuple(sorted(codes))
    return [Line(fact=(key, prefix, ordered), text=_words(prefix, " ".join(ordered)), key=key)]


def _identifiers(product: Product) -> Iterator[Line]:
    for found in product.identifiers:
        scheme = f"{found.type} ({found.type_name})" if found.type_name else found.type
        yield Line(fact=found, text=f"{scheme} {found.value}", key=(found.type, found.type_name))


def _form(product: Product) -> list[Line]:
    features = sorted(_words(kind, value) for kind, value in product.form_features)
    text = "; ".join(filter(None, (_words(product.form, *sorted(product.form_details)), *features)))
    composition = product.composition if product.composition not in {None, "00"} else None
    text = "; ".join(filter(None, (text, _words("composition", composition) if composition else None)))
    fact = (
        product.form,
        tuple(sorted(product.form_details)),
        tuple(sorted(product.form_features)),
        product.composition,
    )
    return [Line(fact=fact, text=text)]


def _protections(product: Product) -> list[Line]:
    return _listed(product.protections)


def _dates(product: Product) -> Iterator[Line]:
    for dated in product.publishing_dates:
        yield Line(fact=_date(dated), text=_date(dated), key=dated.role)


def _rights(product: Product) -> Iterator[Line]:
    for rights in product.sales_rights:
        territory = rights.territory
        text = _words(rights.type, _area(territory))
        fact = (rights.type, territory)
        yield Line(fact=fact, text=text, key=rights.type, family=territory, territory=territory)
    if product.rest_of_world_rights:
        text = f"{product.rest_of_world_rights} elsewhere"
        yield Line(fact=("elsewhere", product.rest_of_world_rights), text=text, key="elsewhere")


def _restrictions(product: Product) -> Iterator[Line]:
    yield from _listed(product.sales_restrictions)
    for rights in product.sales_rights:
        yield from _listed(rights.restrictions, key=(rights.type, rights.territory), prefix=_area(rights.territory))


def _with_supplies(lines: Callable[[ProductSupply, str], Iterable[Line]]) -> Callable[[_Side], Iterable[Line]]:
    """Lines of each supply, given its market."""
    return lambda side: [line for supply, where, _ in side.supplies for line in lines(supply, where)]


def _with_details(lines: Callable[[SupplyDetail, str, str], Iterable[Line]]) -> Callable[[_Side], Iterable[Line]]:
    """Lines of each supplier's part, given its market and, where a product has several suppliers, whose it is."""
    return lambda side: [
        line for _, where, details in side.supplies for detail, whose in details for line in lines(detail, where, whose)
    ]


def _supplier_name(detail: SupplyDetail) -> str:
    return detail.supplier_name or " ".join(detail.supplier_identifiers) or detail.supplier_role or "?"


def _market(supply: ProductSupply, where: str) -> list[Line]:
    if not supply.markets and not supply.market_reference:
        return []
    fact = (supply.market_reference, frozenset(supply.markets))
    alone = supply.markets[0] if len(supply.markets) == 1 else None
    text = _words(supply.market_reference, where)
    return [Line(fact=fact, text=text, key=supply.market_reference or where, family=where, territory=alone)]


def _market_restrictions(supply: ProductSupply, where: str) -> list[Line]:
    outlets = _listed(supply.market_outlets, key=(where, "outlets"), prefix=_words(where, "outlet"))
    return [*_listed(supply.market_restrictions, key=where, prefix=where), *outlets]


def _market_status(supply: ProductSupply, where: str) -> list[Line]:
    if not supply.market_status:
        return []
    return [Line(fact=(where, supply.market_status), text=_words(where, supply.market_status), key=where)]


def _market_dates(supply: ProductSupply, where: str) -> Iterator[Line]:
    for dated in supply.market_dates:
        text = _words(where, _date(dated))
        yield Line(fact=text, text=text, key=(where, dated.role), family=dated.role)


def _supplier(detail: SupplyDetail, where: str, _: str) -> list[Line]:
    identifiers = tuple(sorted(detail.supplier_identifiers))
    fact = (where, detail.supplier_role, detail.supplier_name, identifiers)
    if not any(fact[1:]):
        return []
    text = _words(where, detail.supplier_role, detail.supplier_name, *identifiers)
    return [Line(fact=fact, text=text, key=(where, detail.supplier_name), family=where)]


def _availability(detail: SupplyDetail, where: str, whose: str) -> list[Line]:
    if not detail.availability:
        return []
    text = _words(where, detail.availability, whose)
    return [Line(fact=(where, whose, detail.availability), text=text, key=(where, whose), family=whose)]


def _supply_dates(detail: SupplyDetail, where: str, whose: str) -> Iterator[Line]:
    for dated in detail.dates:
        text = _words(where, _date(dated), whose)
        yield Line(fact=text, text=text, key=(where, whose, dated.role), family=dated.role)


def _unpriced(detail: SupplyDetail, where: str, whose: str) -> list[Line]:
    if not detail.unpriced:
        return []
    text = _words(where, detail.unpriced, whose)
    return [Line(fact=(where, whose, detail.unpriced), text=text, key=(where, whose), family=whose)]


def _prices(side: _Side) -> Iterator[Line]:
    for where, whose, prices in side.prices:
        for price in prices:
            place = _area(price.territory) if price.territory else where
            terms = (whose, price.currency, price.type, price.qualifier)
            yield Line(
                fact=(where, whose, _price_fact(price)),
                text=_words(_price(price, place), whose),
                key=(*terms, price.territory or where, frozenset(map(_date, price.dates))),
                family=terms,
                territory=price.territory,
            )


def _price_fact(price: Price) -> Hashable:
    """The price but for the order of its repeats."""
    return (
        (price.type, price.qualifier, price.status, price.amount, price.currency, price.territory),
        (price.unpriced, price.conditions, frozenset(price.taxes), frozenset(map(_date, price.dates))),
        (frozenset(price.identifiers), frozenset(price.protections)),
    )


def _of_product(name: str, block: Block, lines: Callable[[Product], Iterable[Line]], *facts: str) -> _Field:
    said = attrgetter(*facts)
    return _Field(name=name, block=block, facts=lambda side: said(side.product), lines=lambda side: lines(side.product))


def _of_fact(name: str, block: Block) -> _Field:
    """A field that is one code or text of the product."""
    fact = attrgetter(name)
    return _of_product(name, block, lambda product: _scalar(fact(product)), name)


def _of_supplies(name: str, lines: Callable[[_Side], Iterable[Line]]) -> _Field:
    return _Field(name=name, block=Block.PRODUCT_SUPPLY, facts=attrgetter("supplies"), lines=lines)


_FIELDS = (
    _of_fact("reference", Block.RECORD),
    _of_fact("notification_type", Block.RECORD),
    _of_product("identifiers", Block.RECORD, _identifiers, "identifiers"),
    _of_product("form", Block.DESCRIPTIVE_DETAIL, _form, "form", "form_details", "form_features", "composition"),
    _of_product("protection", Block.DESCRIPTIVE_DETAIL, _protections, "protections"),
    _of_fact("title", Block.DESCRIPTIVE_DETAIL),
    _of_fact("publisher", Block.PUBLISHING_DETAIL),
    _of_fact("publishing_status", Block.PUBLISHING_DETAIL),
    _of_product("publishing_date", Block.PUBLISHING_DETAIL, _dates, "publishing_dates"),
    _of_product("sales_rights", Block.PUBLISHING_DETAIL, _rights, "sales_rights", "rest_of_world_rights"),
    _of_product("sales_restriction", Block.PUBLISHING_DETAIL, _restrictions, "sales_restrictions", "sales_rights"),
    _of_supplies("market", _with_supplies(_market)),
    _of_supplies("sales_restriction", _with_supplies(_market_restrictions)),
    _of_supplies("market_status", _with_supplies(_market_status)),
    _of_supplies("market_date", _with_supplies(_market_dates)),
    _of_supplies("supplier", _with_details(_supplier)),
    _of_supplies("availability", _with_details(_availability)),
    _of_supplies("supply_date", _with_details(_supply_dates)),
    _of_supplies("unpriced", _with_details(_unpriced)),
    _Field(name="price", block=Block.PRODUCT_SUPPLY, facts=attrgetter("prices"), lines=_prices),
)


def _settled(value: object) -> Hashable:
    """The same value for what differs but in the order of repeats or the spelling of numbers."""
    if isinstance(value, Struct):
        return (type(value).__name__, *map(_settled, astuple(value)))
    if is_dataclass(value):
        return (type(value).__name__, *(_settled(getattr(value, field.name)) for field in fields(value)))
    if isinstance(value, tuple):
        return tuple(sorted(map(_settled, value), key=repr))
    if isinstance(value, Decimal):
        return value.normalize()
    return value
