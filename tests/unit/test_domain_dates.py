"""Dates: read by shape, turned into instants; nothing begins early, whatever the clocks do."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from syncengine.domain.dates import OnixDate, local_start, spell

TORONTO = ZoneInfo("America/Toronto")
PARIS = ZoneInfo("Europe/Paris")
NEVER = datetime.min.replace(tzinfo=UTC)


def utc(*parts: int) -> datetime:
    year, month, day, hour, minute, second, microsecond = (*parts, 0, 0, 0, 0)[:7]
    return datetime(year, month, day, hour, minute, second, microsecond, tzinfo=UTC)


def local(*parts: int) -> datetime:
    """A wall clock's time, which knows no zone."""
    return utc(*parts).replace(tzinfo=None)


def starts(text: str, zone: ZoneInfo = TORONTO, form: str | None = None) -> datetime | None:
    return OnixDate(text=text, format=form).starts_at(zone)


def begins(text: str, zone: ZoneInfo = TORONTO) -> datetime:
    found = starts(text, zone)
    assert found is not None
    return found


def ends(text: str, zone: ZoneInfo = TORONTO, form: str | None = None) -> datetime | None:
    return OnixDate(text=text, format=form).ends_at(zone)


def opens(text: str, zone: ZoneInfo = TORONTO, form: str | None = None) -> datetime | None:
    return OnixDate(text=text, format=form).opens_at(zone)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("America/Havana", "20260308", utc(2026, 3, 8, 5)),
        ("Africa/Cairo", "20260424", utc(2026, 4, 23, 22)),
        ("Asia/Beirut", "20260329", utc(2026, 3, 28, 22)),
        ("America/Santiago", "20260906", utc(2026, 9, 6, 4)),
        ("Pacific/Apia", "20111230", utc(2011, 12, 30, 10)),
    ],
)
def test_a_midnight_that_does_not_exist_starts_at_the_next_existing_minute(zone, day, expected):
    assert expected == starts(day, ZoneInfo(zone))
    just_before = expected - timedelta(minutes=1)
    assert just_before.astimezone(ZoneInfo(zone)).strftime("%Y%m%d") < day


@pytest.mark.parametrize(
    ("zone", "day", "first"),
    [
        ("America/Havana", "20261101", utc(2026, 11, 1, 4)),
        ("Atlantic/Azores", "20261025", utc(2026, 10, 25, 0)),
        ("Africa/Cairo", "20261030", None),
        ("Asia/Beirut", "20261025", None),
        ("America/Toronto", "20261101", None),
    ],
)
def test_a_midnight_that_occurs_twice_starts_at_the_second(zone, day, first):
    """Havana and the Azores go back from 01:00 to 00:00; where clocks go back otherwise the day has one midnight."""
    found = begins(day, ZoneInfo(zone))
    midnight = local(2026, int(day[4:6]), int(day[6:]))
    assert midnight == found.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    hour_before = (found - timedelta(hours=1)).astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)
    assert (midnight == hour_before) is (first is not None)
    assert first is None or first + timedelta(hours=1) == found


def test_beirut_has_one_midnight_when_its_clocks_go_back_to_23():
    assert utc(2026, 10, 24, 22) == starts("20261025", ZoneInfo("Asia/Beirut"))


@pytest.mark.parametrize("minute", [0, 1, 30, 59])
def test_every_minute_of_a_gap_starts_at_its_end(minute):
    assert utc(2026, 3, 8, 7) == local_start(local(2026, 3, 8, 2, minute), TORONTO)


def test_a_time_that_occurs_twice_starts_at_the_second_and_ends_there_too():
    """01:30 in Toronto on the first of November is 05:30 UTC, and again 06:30 UTC."""
    assert utc(2026, 11, 1, 6, 30) == starts("20261101T0130")
    assert utc(2026, 11, 1, 6, 30) == ends("20261101T0130")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260901T000000-0400", utc(2026, 9, 1, 4)),
        ("2026-09-01T00:00:00-04:00", utc(2026, 9, 1, 4)),
        ("2026-09-01T00:00:00+02:00", utc(2026, 8, 31, 22)),
        ("20260901T0000-04", utc(2026, 9, 1, 4)),
        ("20260901T063000Z", utc(2026, 9, 1, 6, 30)),
        ("20260901T0630z", utc(2026, 9, 1, 6, 30)),
        ("20260901t0630", utc(2026, 9, 1, 10, 30)),
        ("2026-09-01 06:30:15", utc(2026, 9, 1, 10, 30, 15)),
        (" 20260901 ", utc(2026, 9, 1, 4)),
        ("2026-09-01", utc(2026, 9, 1, 4)),
        ("20260901T000000.5Z", utc(2026, 9, 1, 0, 0, 0, 500_000)),
        ("20260901T000000+1500", utc(2026, 8, 31, 9)),
        ("20260901T000000-0359", utc(2026, 9, 1, 3, 59)),
        ("20260901T000000+0530", utc(2026, 8, 31, 18, 30)),
    ],
)
def test_shapes_met_in_feeds(text, expected):
    assert expected == starts(text)


@pytest.mark.parametrize("form", [None, "00", "05", "06", "13", "14"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260901", utc(2026, 9, 1, 4)),
        ("2026-09-01T00:00:00-04:00", utc(2026, 9, 1, 4)),
        ("20260901T1200Z", utc(2026, 9, 1, 12)),
    ],
)
def test_a_wrong_label_does_not_change_the_reading(text, form, expected):
    assert expected == starts(text, form=form)


@pytest.mark.parametrize("form", ["12", "20", "21", "25", "32"])
def test_free_text_and_another_calendar_are_never_read(form):
    """A Hijri year read as one of ours lies in the Middle Ages: its embargo would long be over."""
    text = "1448" if form == "25" else "14480315"
    assert (None, None, None) == (starts(text, form=form), opens(text, form=form), ends(text, form=form))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "N/A",
        "soon",
        "20261301",
        "20260230",
        "00000000",
        "20260901T2560",
        "20260901T000000+9900",
        "20260901T000000+0460",
        "202613",
        "20263",
        "2026090",
        "20260901 - 20260902",
        "2026W54",
        "2027W53",
        "2026W3",
        "٢٠٢٦٠٩٠١",
        "20260910" + "20260901",
    ],
)
def test_what_is_no_date_is_none(text):
    assert (None, None, None) == (starts(text), opens(text), ends(text))


def test_a_day_ends_at_the_next_midnight_however_long_it_is():
    assert utc(2026, 9, 2, 4) == ends("20260901")
    assert timedelta(hours=23) == (ends("20260308") or NEVER) - begins("20260308")
    assert timedelta(hours=25) == (ends("20261101") or NEVER) - begins("20261101")


def test_a_timed_date_ends_where_it_starts():
    assert utc(2026, 9, 1, 4) == ends("20260901T000000-0400")


@pytest.mark.parametrize(
    ("text", "form", "first", "last", "end"),
    [
        ("202609", None, utc(2026, 9, 1, 4), utc(2026, 9, 30, 4), utc(2026, 10, 1, 4)),
        ("2026-09", "01", utc(2026, 9, 1, 4), utc(2026, 9, 30, 4), utc(2026, 10, 1, 4)),
        ("202612", "01", utc(2026, 12, 1, 5), utc(2026, 12, 31, 5), utc(2027, 1, 1, 5)),
        ("202802", "01", utc(2028, 2, 1, 5), utc(2028, 2, 29, 5), utc(2028, 3, 1, 5)),
        ("2026", "05", utc(2026, 1, 1, 5), utc(2026, 12, 31, 5), utc(2027, 1, 1, 5)),
        ("202609", "02", utc(2026, 2, 23, 5), utc(2026, 3, 1, 5), utc(2026, 3, 2, 5)),
        ("20263", "03", utc(2026, 7, 1, 4), utc(2026, 9, 30, 4), utc(2026, 10, 1, 4)),
        ("20261", "03", utc(2026, 1, 1, 5), utc(2026, 3, 31, 4), utc(2026, 4, 1, 4)),
        ("20264", "03", utc(2026, 10, 1, 4), utc(2026, 12, 31, 5), utc(2027, 1, 1, 5)),
        ("2026090120260901", "06", utc(2026, 9, 1, 4), utc(2026, 9, 1, 4), utc(2026, 9, 2, 4)),
        ("2026090120260915", "06", utc(2026, 9, 1, 4), utc(2026, 9, 15, 4), utc(2026, 9, 16, 4)),
    ],
)
def test_longer_than_a_day_a_gate_opens_on_the_last_one(text, form, first, last, end):
    assert (first, last, end) == (starts(text, form=form), opens(text, form=form), ends(text, form=form))


@pytest.mark.parametrize("text", ["20260901", "20260901T0630", "2026-09-01T06:30:00-04:00"])
def test_a_day_or_a_time_opens_when_it_starts(text):
    assert starts(text) == opens(text)
    assert opens(text) is not None


# List 55, code by code: a text in its form, and the first day, the last day and the day after as Toronto reads it.
LIST_55 = {
    "00": ("20260901", "2026-09-01", "2026-09-01", "2026-09-02"),
    "01": ("202609", "2026-09-01", "2026-09-30", "2026-10-01"),
    "02": ("202653", "2026-12-28", "2027-01-03", "2027-01-04"),
    "03": ("20263", "2026-07-01", "2026-09-30", "2026-10-01"),
    "04": ("20261", None, None, None),
    "05": ("2026", "2026-01-01", "2026-12-31", "2027-01-01"),
    "06": ("2026083120260901", "2026-08-31", "2026-09-01", "2026-09-02"),
    "07": ("202608202609", "2026-08-01", "2026-09-30", "2026-10-01"),
    "08": ("202601202602", "2025-12-29", "2026-01-11", "2026-01-12"),
    "09": ("2026220263", "2026-04-01", "2026-09-30", "2026-10-01"),
    "10": ("2026220263", None, None, None),
    "11": ("20262027", "2026-01-01", "2027-12-31", "2028-01-01"),
    "12": ("20260901", None, None, None),
    "13": ("20260901T0000", "2026-09-01", "2026-09-01", "2026-09-01"),
    "14": ("20260901T000000", "2026-09-01", "2026-09-01", "2026-09-01"),
    "20": ("14480319", None, None, None),
    "21": ("144803", None, None, None),
    "25": ("1448", None, None, None),
    "32": ("1448", None, None, None),
}


def midnight(day: str | None) -> datetime | None:
    return starts(day) if day else None


@pytest.mark.parametrize("form", LIST_55)
def test_every_format_of_list_55_is_an_interval_or_is_not_read(form):
    """Not read: free text, another calendar, and seasons, for nobody says in which hemisphere it is spring."""
    text, first, last, after = LIST_55[form]
    found = (starts(text, form=form), opens(text, form=form), ends(text, form=form))
    assert (midnight(first), midnight(last), midnight(after)) == found


@pytest.mark.parametrize("form", ["99", "15", "DAY", "0"])
@pytest.mark.parametrize("text", ["20260901", "2026", "20260901T1200Z"])
def test_a_format_that_nobody_knows_is_not_read(text, form):
    """It may be another calendar's."""
    assert (None, None, None) == (starts(text, form=form), opens(text, form=form), ends(text, form=form))


@pytest.mark.parametrize(
    ("text", "form", "first", "last"),
    [
        ("20260901", "05", "2026-09-01", "2026-09-01"),
        ("20260901", "11", "2026-09-01", "2026-09-01"),
        ("20260901", "07", "2026-09-01", "2026-09-01"),
        ("2016", None, "2016-01-01", "2016-12-31"),
        ("2016", "00", "2016-01-01", "2016-12-31"),
        ("2011-08-31", None, "2011-08-31", "2011-08-31"),
        ("2011-08-31", "00", "2011-08-31", "2011-08-31"),
        ("20131001", "14", "2013-10-01", "2013-10-01"),
        ("202609", "08", "2026-09-01", "2026-09-30"),
        ("2026-09", "01", "2026-09-01", "2026-09-30"),
        ("2026090120260915", "07", "2026-09-01", "2026-09-15"),
        ("2026W36", "02", "2026-08-31", "2026-09-06"),
        ("2026-W36", "02", "2026-08-31", "2026-09-06"),
        ("2026-W36", None, "2026-08-31", "2026-09-06"),
        ("20260901/20260915", "06", "2026-09-01", "2026-09-15"),
    ],
)
def test_what_real_files_mislabel_is_read_by_its_shape(text, form, first, last):
    assert (midnight(first), midnight(last)) == (starts(text, form=form), opens(text, form=form))


@pytest.mark.parametrize(("text", "form"), [("20260901", "00"), ("20260901T0030", "13"), ("20260901T003000", "14")])
def test_without_a_zone_time_rolls_from_place_to_place(text, form):
    there, here = starts(text, PARIS, form), starts(text, TORONTO, form)
    assert there is not None
    assert there + timedelta(hours=6) == here


@pytest.mark.parametrize("text", ["20260901T003000Z", "20260901T003000-0400"])
def test_with_a_zone_it_is_one_instant_everywhere(text):
    assert starts(text, PARIS, "14") == starts(text, TORONTO, "14")
    assert starts(text, PARIS, "14") is not None


@pytest.mark.parametrize(("text", "form"), [("20265", "03"), ("20260", "03"), ("20261", "04"), ("20261", None)])
def test_a_season_is_no_date_and_a_fifth_quarter_neither(text, form):
    """Nobody says in which hemisphere it is spring."""
    assert starts(text, form=form) is None


@pytest.mark.parametrize("zone", ["America/Toronto", "Asia/Tokyo", "UTC"])
def test_fillers_at_the_ends_of_the_calendar_are_read(zone):
    """`99991231` for ever, `00010101` since ever: neither may make a period unreadable."""
    last = datetime.max.replace(tzinfo=UTC)
    assert begins("99991231", ZoneInfo(zone)) > utc(9999, 12, 30)
    assert last == ends("99991231", ZoneInfo(zone))
    assert last == ends("9999", ZoneInfo(zone))
    assert last == ends("999912", ZoneInfo(zone))
    assert begins("00010101", ZoneInfo(zone)) < utc(1, 1, 2)


def test_an_offset_that_leaves_the_calendar_is_no_date():
    assert starts("99991231T235959-0400") is None


def test_has_time():
    assert OnixDate(text="20260901T0000").has_time
    assert OnixDate(text=" 2026-09-01T00:00:00-04:00 ").has_time
    assert not OnixDate(text="20260901", format="14").has_time
    assert not OnixDate(text="202609").has_time


def test_the_zone_decides_a_date_without_one():
    assert utc(2026, 8, 31, 22) == starts("20260901", PARIS)
    assert utc(2026, 9, 1, 4) == starts("20260901", TORONTO)


def test_an_instant_is_spelled_in_utc():
    assert "2026-09-01T04:00:00Z" == spell(utc(2026, 9, 1, 4))
