"""The sandbox's made-up catalogue: believable, repeatable, and its rows and instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from adapters.sandbox.catalogue import (
    BookMaker,
    EditInvalid,
    InSeconds,
    Moment,
    TitleEdit,
    TitleRow,
    amount_text,
    instant_text,
    pick_where,
    read_amount,
    with_check_digit,
)
from syncengine.domain.ids import is_valid_isbn
from syncengine.domain.offer import OfferState

TORONTO = ZoneInfo("America/Toronto")
NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def maker(seed: int = 1, distributor: str = "demarque") -> BookMaker:
    return BookMaker(seed=seed, distributor=distributor)


class TestBooks:
    def test_the_same_seed_makes_the_same_book_whatever_was_made_before(self):
        used = maker()
        for number in range(1, 50):
            used.book(number)
        assert maker().book(50) == used.book(50)
        assert maker().description(maker().book(50)) == used.description(used.book(50))

    def test_other_seeds_and_distributors_make_other_books(self):
        books = [m.book(7) for m in (maker(), maker(2), maker(distributor="cb"))]
        assert 3 == len({(book.title, book.people, book.publisher.name, book.pages) for book in books})

    def test_isbns_are_valid_and_no_two_are_the_same(self):
        isbns = [maker().isbn(number, language=["fre", "eng"][number % 2]) for number in range(1, 8_000)]
        assert all(map(is_valid_isbn, isbns))
        assert len(isbns) == len(set(isbns))
        assert {"9782", "9781", "9791"} == {isbn[:4] for isbn in isbns}

    def test_check_digits(self):
        assert "9782070612758" == with_check_digit("978207061275")
        assert "9780306406157" == with_check_digit("978030640615")

    def test_texts_are_html_that_closes_what_it_opens(self):
        for number in range(1, 40):
            book = maker().book(number)
            texts = [maker().description(book), *(maker().biography(book, person) for person in book.people)]
            for text in texts:
                assert "{" not in text
                assert "]]>" not in text
                assert [] == unclosed(text)

    def test_both_languages_and_every_publisher_come_up(self):
        books = [maker().book(number) for number in range(1, 400)]
        assert {"fre", "eng"} == {book.language for book in books}
        assert {publisher.name for publisher in maker().publishers} == {book.publisher.name for book in books}


def unclosed(text: str) -> list[str]:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag, attrs):
            self.open.append(tag)

        def handle_endtag(self, tag):
            assert self.open.pop() == tag

    tags = Tags()
    tags.feed(text)
    tags.close()
    return tags.open


class TestAmounts:
    @pytest.mark.parametrize(
        ("text", "hundredths"), [("19.99", 1999), ("0", 0), ("5", 500), (12.5, 1250), ("1e1", 1000)]
    )
    def test_they_are_read_exactly(self, text, hundredths):
        assert hundredths == read_amount(text)

    @pytest.mark.parametrize("text", ["19.999", "-1", "dear", "", "NaN", "Infinity"])
    def test_others_are_refused(self, text):
        with pytest.raises(EditInvalid):
            read_amount(text)

    @pytest.mark.parametrize(("hundredths", "text"), [(1999, "19.99"), (5, "0.05"), (0, "0.00"), (123400, "1234.00")])
    def test_they_are_written_with_two_decimals(self, hundredths, text):
        assert text == amount_text(hundredths)


class TestMoments:
    @pytest.mark.parametrize(
        ("text", "at", "timed"),
        [
            ("2026-03-02", datetime(2026, 3, 2, 5, tzinfo=UTC), False),
            ("20260702", datetime(2026, 7, 2, 4, tzinfo=UTC), False),
            ("2026-03-02T09:00:00-05:00", datetime(2026, 3, 2, 14, tzinfo=UTC), True),
            ("2026-03-02T12:00:00.1Z", datetime(2026, 3, 2, 12, 0, 1, tzinfo=UTC), True),
        ],
    )
    def test_days_are_local_and_instants_round_up(self, text, at, timed):
        assert Moment(at=at, timed=timed) == Moment.read(text, TORONTO)

    @pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-03-02T09:00:00", InSeconds(in_seconds=1)])
    def test_others_are_refused(self, text):
        with pytest.raises(EditInvalid):
            Moment.read(text, TORONTO)

    def test_none_stays_none(self):
        assert Moment.read(None, TORONTO) is None

    def test_an_instant_passes_when_it_is_reached(self):
        moment = Moment.of_day(date(2026, 3, 2), TORONTO)
        assert not moment.passed(moment.at - timedelta(microseconds=1))
        assert moment.passed(moment.at)

    def test_distances_become_instants(self):
        edit = TitleEdit(isbn="1", release_at=InSeconds(in_seconds=2.5), preorder_at=None, price_from="2026-07-01")
        fixed = edit.fix_instants(NOON)
        assert ("2026-03-02T12:00:03+00:00", None, "2026-07-01") == (
            fixed.release_at,
            fixed.preorder_at,
            fixed.price_from,
        )

    def test_instants_are_written_with_microseconds_in_utc(self):
        assert "2026-03-02T12:00:00.000000+00:00" == instant_text(NOON.astimezone(TORONTO))


class TestWhere:
    rows = tuple(
        TitleRow(
            distributor="demarque",
            isbn=isbn,
            format="epub",
            market=market,
            price=None,
            release_at=None,
            state=OfferState.PREORDER if isbn != "c" else OfferState.FOR_SALE,
        )
        for isbn in "abcd"
        for market in ("CA/CAD", "US/USD")
    )

    def test_each_title_counts_once_and_spared_ones_come_last(self):
        edit = TitleEdit(where=OfferState.PREORDER, count=2)
        assert ["a", "b"] == pick_where(self.rows, edit)
        assert ["b", "d"] == pick_where(self.rows, edit, spare={"a"})
        assert ["d", "a"] == pick_where(self.rows, edit, spare={"a", "b"})

    def test_too_few_are_refused(self):
        with pytest.raises(EditInvalid, match="only 3 titles"):
            pick_where(self.rows, TitleEdit(where=OfferState.PREORDER, count=4))
