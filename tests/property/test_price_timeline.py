"""The price timeline: whatever prices a supplier sends, it covers all of time once, and each instant as a reader would choose."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from syncengine.domain.dates import OnixDate
from syncengine.domain.prices import NoPrice, Tariff, price_timeline
from syncengine.domain.product import DatedRole, Price, Tax
from syncengine.domain.territory import Market, Territory

FR_EUR = Market(country="FR", currency="EUR")
PARIS = ZoneInfo("Europe/Paris")
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 8)
PUBLISHED = date(2026, 1, 4)
FRANCE, BELGIUM = (Territory(countries_included=(country,)) for country in ("FR", "BE"))

days = st.dates(FIRST, LAST)
INCLUDING_TAX = {"04": True, "03": False, "34": True, "42": True, "41": False, "02": True, "24": True, "22": True}


def dated(role: str, day: date) -> DatedRole:
    return DatedRole(role=role, date=OnixDate(text=day.strftime("%Y%m%d")))


def periods() -> st.SearchStrategy[tuple[DatedRole, ...]]:
    from_until = st.tuples(days, days).map(lambda both: f"{min(both):%Y%m%d}{max(both):%Y%m%d}")
    return st.one_of(
        st.just(()),
        st.tuples(st.builds(dated, st.just("14"), days)),
        st.tuples(st.builds(dated, st.just("15"), days)),
        st.tuples(st.builds(dated, st.just("14"), days), st.builds(dated, st.just("15"), days)),
        from_until.map(lambda text: (DatedRole(role="24", date=OnixDate(text=text, format="06")),)),
        st.just((DatedRole(role="14", date=OnixDate(text="soon")),)),
    )


plain = st.builds(
    Price,
    amount=st.sampled_from([Decimal("4.99"), Decimal("9.99"), Decimal("14.99")]),
    type=st.sampled_from(["04", "04", "03"]),
    qualifier=st.sampled_from([None, "05", "05"]),
    currency=st.just("EUR"),
    dates=periods(),
)
anything = st.builds(
    Price,
    amount=st.sampled_from([None, *map(Decimal, ("0", "4.99", "9.99", "9.990", "14.99"))]),
    type=st.sampled_from([*INCLUDING_TAX, "04", "04", "05", "ZZ", None]),
    qualifier=st.sampled_from([None, None, "00", "05", "05", "06", "08"]),
    status=st.sampled_from([None, None, None, "01", "02"]),
    currency=st.sampled_from(["EUR", "EUR", "EUR", "EUR", "USD", None]),
    territory=st.sampled_from([None, None, FRANCE, BELGIUM]),
    taxes=st.sampled_from([(), (), (Tax(rate_percent=Decimal("5.5")),)]),
    unpriced=st.sampled_from([None, None, None, None, "01", "02"]),
    conditions=st.sampled_from([False, False, False, True]),
    dates=periods(),
)
several = st.lists(st.one_of(plain, plain, anything), max_size=6)


# --- a choice made otherwise: by calendar days, from all prices, for one day ----------------------------------------------


def bounds(price: Price) -> tuple[date, date] | None:
    """The first and the last day; none where a date is none."""
    first, last = date.min, date.max
    for each in price.dates:
        try:
            given_days = [date.fromisoformat(text) for text in (each.date.text[:8], each.date.text[-8:])]
        except ValueError:
            return None
        if each.role in {"14", "24"}:
            first = max(first, given_days[0])
        if each.role in {"15", "24"}:
            last = min(last, given_days[1])
    if price.type in {"22", "24"}:
        last = min(last, PUBLISHED - timedelta(days=1))
    return first, last


def is_for_a_reader(price: Price) -> bool:
    if price.territory == BELGIUM or price.conditions or price.status == "01" or bounds(price) is None:
        return False
    if price.qualifier == "06" or (price.qualifier == "08" and not price.dates):
        return False
    if price.amount is None:
        return price.unpriced is not None and price.currency in {None, "EUR"} and price.type in {None, *INCLUDING_TAX}
    return price.currency == "EUR" and price.type in INCLUDING_TAX


def narrower(one: Price, other: Price) -> bool:
    """Whether the first price's period goes before the second's."""
    spans = []
    for price in (one, other):
        first, last = bounds(price) or (date.max, date.min)
        bounded = first != date.min and last != date.max
        dated = first != date.min or last != date.max
        spans.append((0 if dated else 1, (last - first).days if bounded else 10**9, -first.toordinal(), last))
    return spans[0] < spans[1]


def chosen(stated: list[Price], day: date) -> object:
    """The amount, type and rate in force on a day, or why there is none."""
    in_force = [
        price
        for price in stated
        if is_for_a_reader(price) and (both := bounds(price)) is not None and both[0] <= day <= both[1]
    ]
    silent = [price for price in in_force if price.unpriced or not price.amount]
    priced = [price for price in in_force if price not in silent]
    for regime in ({"03", "04", "24", "34"}, {"41", "42"}, {"02", "22"}):
        if binding := [price for price in priced if price.type in regime]:
            priced = binding
            break
    priced = [price for price in priced if not any(narrower(other, price) for other in priced)]
    silent = [price for price in silent if not any(narrower(other, price) for other in silent)]
    if silent and (not priced or narrower(silent[0], priced[0])):
        reasons = {price.unpriced for price in silent}
        if None in reasons:
            return NoPrice.FREE_OR_UNPRICED
        return NoPrice.FREE if "01" in reasons else NoPrice.UNPRICED
    if not priced:
        return NoPrice.GAP
    if any(price.qualifier in {"05", "08"} for price in priced):
        priced = [price for price in priced if price.qualifier in {"05", "08"}]
    kinds = {price.type for price in priced}
    kind = next(kind for kind in ("04", "03", "24", "34", "42", "41", "02", "22") if kind in kinds)
    of_kind = [price for price in priced if price.type == kind]
    if len({price.amount for price in of_kind}) > 1:
        return NoPrice.AMBIGUOUS
    rates = {price.taxes for price in of_kind}
    return of_kind[0].amount, kind, Decimal("5.5") if rates == {(Tax(rate_percent=Decimal("5.5")),)} else None


def told(tariff: Tariff) -> object:
    price = tariff.price
    return (price.amount, price.type.value, price.tax_percent) if price else tariff.none


def local(day: date, hour: int) -> datetime:
    return datetime(day.year, day.month, day.day, hour, tzinfo=PARIS).astimezone(UTC)


@settings(max_examples=300)
@given(several, st.dates(FIRST - timedelta(days=2), LAST + timedelta(days=2)), st.integers(0, 23))
def test_it_agrees_with_a_choice_made_for_the_day_alone(stated, day, hour):
    timeline = price_timeline(stated, FR_EUR, PARIS, published_at=local(PUBLISHED, 0))
    assert chosen(stated, day) == told(timeline.in_force(local(day, hour)))


@given(several, st.permutations(range(6)))
def test_it_covers_all_of_time_once_and_no_two_neighbours_are_alike(stated, order):
    timeline = price_timeline(stated, FR_EUR, PARIS, published_at=local(PUBLISHED, 0))
    stretches = timeline.stretches
    assert stretches[0].period.since is None
    assert stretches[-1].period.until is None
    for one, following in pairwise(stretches):
        assert one.period.until == following.period.since
        assert one.period.until is not None
        assert one.tariff != following.tariff
    for stretch in stretches:
        assert (stretch.tariff.price is None) is (stretch.tariff.none is not None)
        assert stretch.period.since is None or stretch.tariff == timeline.in_force(stretch.period.since)
    shuffled = [stated[index] for index in order if index < len(stated)]
    assert timeline == price_timeline(shuffled, FR_EUR, PARIS, published_at=local(PUBLISHED, 0))
