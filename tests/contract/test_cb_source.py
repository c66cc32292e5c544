"""CB's source against its stub: the clock it asks by, where a list ends, what goes from the inventory, and files in their order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from lxml import etree

from adapters.distributors.cb import inventory, outbox
from adapters.distributors.cb.cursors import FeedCursor, FilesCursor, InventoryCursor, decode, encode, packed
from adapters.distributors.cb.facts import Checked
from adapters.distributors.cb.pages import count_records
from syncengine.domain.passes import PassMode
from syncengine.errors import FeedTorn, InputUnreadable, NotOnix, SourceFailed, SourceRefused
from tests.cb_products import AMSTERDAM
from tests.contract.cb_sandbox import Shop, close, cursor_of, opened_shop

NEW = "9782000000006"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    async with opened_shop(tmp_path) as shop:
        yield shop


# --- the feed -------------------------------------------------------------------------------------------------------------


async def test_limit_and_offset_are_always_sent_and_the_first_pass_asks_for_everything(shop):
    first = await shop.read("luisterhuis", audio={"page_size": 20})
    queries = [row.query for row in shop.calls("feed")]
    assert PassMode.FULL is first.mode
    assert [f"limit=20&offset={page * 20}" for page in range(len(queries))] == queries
    assert [True] * len(shop.audiobooks()) == first.has(*shop.audiobooks())


async def test_a_delta_asks_by_the_dutch_clock_three_hours_back(shop):
    first = await shop.read("luisterhuis")
    began_at = cursor_of(first, FeedCursor).began_at
    shop.clock.advance(3600)
    await shop.read("luisterhuis", first.cursor)
    wall = began_at.astimezone(AMSTERDAM).replace(tzinfo=None, microsecond=0) - timedelta(hours=3)
    assert f"modifiedfrom={wall.isoformat()}&limit=100&offset=0" == shop.calls("feed")[-1].query


async def test_instant_and_offset_are_written_as_the_settings_say(shop):
    """Neither form is known (contract cb 2.1)."""
    audio = {"page_size": 20, "offset_unit": "pages"}
    first = await shop.read("luisterhuis", audio={"page_size": 20})
    shop.break_things(feed={"empty_page": {"count": 1, "skip": 2}})
    began_at = cursor_of(first, FeedCursor).began_at
    await shop.read("luisterhuis", audio=audio)
    assert ["0", "1", "2"] == [parse_qs(row.query)["offset"][0] for row in shop.calls("feed")[-3:]]
    await shop.read("luisterhuis", first.cursor, audio={**audio, "modified_from_format": "%Y-%m-%d %H:%M"})
    wall = began_at.astimezone(AMSTERDAM) - timedelta(hours=3)
    assert [f"{wall:%Y-%m-%d %H:%M}"] == parse_qs(shop.calls("feed")[-1].query)["modifiedfrom"]


async def test_the_cursor_is_the_shop_s_own_clock_before_the_first_page(shop):
    """Contract cb 3.3: what changes while pages are read is told by the next pass."""
    shop.break_things(feed={"delay_before": {"seconds": 30}})
    began_at = shop.clock.now()
    first = await shop.read("luisterhuis", audio={"page_size": 20})
    assert began_at == cursor_of(first, FeedCursor).began_at
    assert shop.clock.now() >= began_at + timedelta(seconds=60)


async def test_a_pass_that_breaks_off_moves_nothing(shop):
    shop.break_things(feed={"drop_before": {"skip": 1}})
    reading = await shop.read("luisterhuis", audio={"page_size": 20})
    assert isinstance(reading.error, SourceFailed)
    assert (None, {None}) == (reading.cursor, set(reading.cursors))


@pytest.mark.parametrize("zone", ["amsterdam", "utc+1", "utc+2"])
@pytest.mark.parametrize(
    "at",
    [
        datetime(2027, 1, 15, 12, 0, tzinfo=UTC),
        datetime(2027, 7, 15, 12, 0, tzinfo=UTC),
        datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
        datetime(2027, 3, 28, 3, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 0, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 1, 30, tzinfo=UTC),
        datetime(2027, 10, 31, 4, 30, tzinfo=UTC),
    ],
)
async def test_no_reading_of_the_zone_loses_a_change(shop, zone, at):
    """Contract cb 11.1, 11.2: in winter, in summer, in the gap and in the fold, whichever instant an ambiguous time means."""
    shop.clock.advance_to(at)
    first = await shop.read("luisterhuis")
    shop.clock.advance(60)
    shop.edit(NEW, format="audio", price="9.99")
    for fold in ("earlier", "later"):
        shop.break_things(settings={"zone": zone, "fold": fold})
        assert [True] == (await shop.read("luisterhuis", first.cursor)).has(NEW)


async def test_a_list_in_any_order_is_read_whole(shop):
    shop.break_things(settings={"order": "shuffled"})
    reading = await shop.read("luisterhuis", audio={"page_size": 7})
    assert [True] * len(shop.audiobooks()) == reading.has(*shop.audiobooks())


async def test_a_short_page_ends_the_list_unless_the_settings_say_otherwise(shop):
    shop.break_things(feed={"short_page": {"count": 1}})
    assert 1 == len((await shop.read("luisterhuis", audio={"page_size": 20})).parts)
    shop.mend()
    shop.break_things(feed={"short_page": {"count": 1}})
    patient = await shop.read("luisterhuis", audio={"page_size": 20, "stop_on_short_page": False})
    assert len(patient.parts) > 3
    assert 0 == count_records(patient.parts[-1][1])


async def test_nothing_is_left_out_where_cb_gives_fewer_records_than_were_asked_for(shop):
    """Offset counts records (contract cb 2.1): the next page begins behind those that came."""
    shop.break_things(settings={"page_cap": 7})
    reading = await shop.read("luisterhuis", audio={"page_size": 20, "stop_on_short_page": False})
    assert [True] * len(shop.audiobooks()) == reading.has(*shop.audiobooks())


async def test_an_empty_page_is_a_message_and_ends_the_list(shop):
    shop.break_things(feed={"empty_page": {"count": 1, "skip": 1}})
    reading = await shop.read("luisterhuis", audio={"page_size": 20})
    assert [20, 0] == [count_records(body) for _, body in reading.parts]
    assert b"<NoProduct/>" in reading.parts[-1][1]
    assert reading.cursor is not None


async def test_a_list_as_long_as_a_page_takes_one_page_more(shop):
    told = len(shop.audiobooks())
    reading = await shop.read("luisterhuis", audio={"page_size": told})
    assert [told, 0] == [count_records(body) for _, body in reading.parts]


async def test_a_server_that_takes_no_notice_of_limit_is_read_whole_all_the_same(shop):
    """It sends more than was asked for, so that records come twice and none is left out."""
    shop.break_things(feed={"ignored_limit": True}, settings={"page_default": 50})
    reading = await shop.read("luisterhuis", audio={"page_size": 20})
    assert [True] * len(shop.audiobooks()) == reading.has(*shop.audiobooks())


async def test_a_server_that_takes_no_notice_of_offset_is_found_out(shop):
    """The same page for ever would never end."""
    reading = await shop.read("luisterhuis", audio={"page_size": 20, "names": {"offset": "start"}})
    assert isinstance(reading.error, SourceFailed)
    assert "offset" in reading.error.hint
    assert (1, None) == (len(reading.parts), reading.cursor)


async def test_what_moves_between_pages_is_told_by_the_next_delta(shop):
    """Contract cb 3.4: a record that moved is missed or comes twice; what made it move is in the next delta."""
    first = await shop.read("luisterhuis")
    shop.clock.advance(3600)
    shop.edit(NEW, format="audio", price="9.99")
    moved = shop.isbn("later_withdrawn")
    shop.edit(moved, state="WITHDRAWN")
    assert [True, True] == (await shop.read("luisterhuis", first.cursor)).has(NEW, moved)


@pytest.mark.parametrize(
    ("fault", "kind"),
    [("login_page", NotOnix), ("access_denied", SourceRefused), ("error_before", SourceFailed)],
)
async def test_what_is_no_feed_is_told_apart(shop, fault, kind):
    shop.break_things(feed={fault: True})
    reading = await shop.read("luisterhuis")
    assert isinstance(reading.error, kind)
    assert reading.error.hint
    assert reading.cursor is None


async def test_a_page_that_is_cut_in_a_record_is_left_to_the_framing(shop):
    """Its length is right, so only its content tells: the source gives it as it is."""
    shop.break_things(feed={"cut_body": 1})
    reading = await shop.read("luisterhuis")
    assert not reading.content.rstrip().endswith(b"</ONIXMessage>")


async def test_a_torn_page_that_stays_torn_fails_the_pass(shop):
    shop.break_things(feed={"torn": True})
    reading = await shop.read("luisterhuis")
    assert isinstance(reading.error, FeedTorn)
    assert [1.0, 5.0, 25.0] == shop.clock.slept[-3:]


async def test_a_rate_that_is_refused_again_and_again_fails_the_pass(shop):
    shop.break_things(feed={"throttle": True})
    assert isinstance((await shop.read("luisterhuis")).error, SourceFailed)
    assert 3 == len(shop.pace.slowed)


async def test_a_full_pass_comes_when_it_is_due_or_wanted(shop):
    first = await shop.read("luisterhuis")
    week = {"full_every": timedelta(days=7)}
    assert PassMode.DELTA is (await shop.read("luisterhuis", first.cursor, **week)).mode
    assert PassMode.FULL is (await shop.read("luisterhuis", first.cursor, PassMode.FULL, **week)).mode
    shop.clock.advance(8 * 86400)
    assert PassMode.FULL is (await shop.read("luisterhuis", first.cursor, **week)).mode
    assert PassMode.DELTA is (await shop.read("luisterhuis", first.cursor)).mode


@pytest.mark.parametrize(
    "proof",
    [{"username": None, "key_header": "X-Api-Key"}, {"username": None, "key_parameter": "key"}],
)
async def test_a_shop_proves_who_it_is_in_any_of_three_ways(shop, proof):
    reading = await shop.read("luisterhuis", audio=proof)
    assert reading.error is None
    assert reading.cursor is not None
    assert shop.stub.password not in repr(reading)


async def test_the_account_is_checked_by_one_record_and_the_out_box(shop):
    distributor = shop.connect()
    await distributor.source.check_account()
    await close(distributor)
    assert "limit=1&offset=0" in shop.calls("feed")[-1].query
    elsewhere = shop.connect(books={"articles": ("elsewhere/*.zip",)})
    with pytest.raises(InputUnreadable):
        await elsewhere.source.check_account()
    await close(elsewhere)


def test_records_are_counted_by_their_start_tags():
    body = (
        b"<ONIXMessage><Header/><Product><ProductIdentifier/></Product><Product datestamp='1'></Product></ONIXMessage>"
    )
    assert (2, 1, 0) == (count_records(body), count_records(b"<o:product>"), count_records(b"<NoProduct/><Products>"))


def test_a_cursor_that_cannot_be_read_counts_as_none():
    assert FeedCursor() == decode(b"\xff\x00", FeedCursor)
    assert FeedCursor() == decode(None, FeedCursor)
    assert frozenset({"1", "2"}) == InventoryCursor(listed=packed(["2", "1"])).eans
    whole = InventoryCursor(read_at=datetime(2026, 6, 1, tzinfo=UTC), listed=packed(["1"]), unanswered=("2",))
    assert whole == decode(encode(whole), InventoryCursor)


# --- the inventory --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("read_at", "now", "due"),
    [
        (None, datetime(2026, 6, 15, 12, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 15, 0, 59, tzinfo=UTC), datetime(2026, 6, 15, 1, 0, tzinfo=UTC), True),
        (datetime(2026, 6, 15, 1, 0, tzinfo=UTC), datetime(2026, 6, 16, 0, 59, tzinfo=UTC), False),
        (datetime(2026, 6, 15, 1, 0, tzinfo=UTC), datetime(2026, 6, 16, 1, 0, tzinfo=UTC), True),
        (datetime(2026, 1, 15, 1, 30, tzinfo=UTC), datetime(2026, 1, 15, 1, 59, tzinfo=UTC), False),
        (datetime(2026, 1, 15, 1, 30, tzinfo=UTC), datetime(2026, 1, 15, 2, 0, tzinfo=UTC), True),
    ],
)
def test_an_inventory_is_due_once_a_dutch_night(read_at, now, due):
    assert due is inventory.is_due(read_at, now, 3, AMSTERDAM)


async def test_an_inventory_becomes_a_row_for_each_title(shop):
    reading = await shop.read("inventory")
    assert PassMode.FULL is reading.mode
    root = etree.fromstring(reading.content)
    rows = {title.findtext("Ean"): title for title in root}
    listed = {title.isbn for title in shop.stub.shelf.audiobooks() if title.is_listed and not title.is_deleted}
    assert listed == set(rows)
    row = rows[shop.isbn("row2_withdrawn")]
    assert ["Y", "40"] == [row.findtext("Listed"), row.findtext("Availability")]


async def test_between_two_nights_nothing_is_asked(shop):
    first = await shop.read("inventory")
    asked = len(shop.sandbox.calls)
    again = await shop.read("inventory", first.cursor)
    assert (PassMode.DELTA, [], asked) == (again.mode, [], len(shop.sandbox.calls))


async def test_what_has_gone_is_asked_about_and_a_yes_is_asked_again_each_night(shop):
    first = await shop.read("inventory")
    shop.clock.advance(86400)
    shop.break_things(inventory={"missing_titles": True})
    night = await shop.read("inventory", first.cursor)
    yes, no = shop.isbn("step_b_gone_yes"), shop.isbn("step_b_gone_no")
    after = cursor_of(night, InventoryCursor)
    assert {no: "no", yes: "yes", shop.isbn("step_b_gone_unanswered"): "yes"} == checked_in(night.content)
    assert yes in after.doubted
    assert no not in (*after.doubted, *after.unanswered)
    shop.clock.advance(86400)
    later = await shop.read("inventory", night.cursor)
    assert "yes" == checked_in(later.content)[yes]


async def test_no_answer_is_asked_again_in_every_pass(shop):
    first = await shop.read("inventory")
    shop.clock.advance(86400)
    shop.break_things(inventory={"missing_titles": True}, availability={"error_before": {"status": 500}})
    night = await shop.read("inventory", first.cursor)
    assert 3 == len(cursor_of(night, InventoryCursor).unanswered)
    assert {"unanswered"} == set(checked_in(night.content).values())
    shop.mend()
    next_pass = await shop.read("inventory", night.cursor)
    assert PassMode.DELTA is next_pass.mode
    assert ["no", "yes", "yes"] == sorted(checked_in(next_pass.content).values())
    assert () == cursor_of(next_pass, InventoryCursor).unanswered


async def test_an_inventory_that_lacks_too_much_is_not_believed(shop):
    first = await shop.read("inventory")
    shop.clock.advance(86400)
    shop.break_things(inventory={"missing_titles": True})
    reading = await shop.read("inventory", first.cursor, audio={"inventory_absent_percent": 1.0})
    assert isinstance(reading.error, SourceFailed)
    assert "3 of" in str(reading.error)
    assert [] == shop.calls("availability")


@pytest.mark.parametrize(
    "body",
    [b"", b"nothing here\n", b"EAN13,ProductAvailability\n1,20\n", b"EAN13;ProductAvailability\n978;20\n"],
)
def test_an_inventory_that_is_not_understood_is_none(body):
    with pytest.raises(SourceFailed):
        inventory.read_lines(
            body,
            ";",
            {"inventory_ean": "EAN13", "inventory_availability": "ProductAvailability", "inventory_modified": "M"},
        )


def test_a_title_that_stands_twice_counts_once_by_its_last_line():
    names = {"inventory_ean": "E", "inventory_availability": "A", "inventory_modified": "M"}
    [line] = inventory.read_lines(b"\xef\xbb\xbfE;A\n9789000000008;20\n9789000000008;40\n", ";", names)
    assert ("9789000000008", "40", "") == (line.ean, line.availability, line.modified)


def test_rows_are_escaped():
    body = inventory.message([], {"1<2": Checked.NO}, {"1<2": "4&0"})
    assert "1<2" == etree.fromstring(body).findtext("Title/Ean")


async def test_without_an_inventory_there_is_no_such_stream(shop):
    distributor = shop.connect(audio={"inventory": False})
    assert ("luisterhuis", "agreement", "articles") == distributor.source.streams
    await close(distributor)


def checked_in(content: bytes) -> dict[str, str]:
    """What the check said of those that have gone."""
    rows = [title for title in etree.fromstring(content) if title.findtext("Listed") == "N"]
    return {row.findtext("Ean") or "": row.findtext("Checked") or "" for row in rows}


# --- files ----------------------------------------------------------------------------------------------------------------


async def test_every_file_is_read_once_in_the_order_in_which_it_was_sent(shop):
    first = await shop.read("agreement")
    isbn = shop.isbn("ebook_price_differs")
    for price in ("1.11", "2.22", "3.33"):
        shop.edit(isbn, price=price)
    second = await shop.read("agreement", first.cursor)
    third = await shop.read("agreement", second.cursor)
    assert 1 == len(first.parts)
    assert [b"1.11" in body for _, body in second.parts] == [True, False, False]
    assert [True] * 3 == [f"{n}.{n}{n}".encode() in body for n, (_, body) in enumerate(second.parts, 1)]
    assert ([], True) == (third.parts, third.cursor is not None)


async def test_each_file_s_cursor_is_committed_with_its_last_message(shop):
    first = await shop.read("articles")
    shop.edit(shop.isbn("ebook_price_differs"), price="1.11")
    shop.edit(shop.isbn("ebook_price_differs"), price="2.22")
    second = await shop.read("articles", first.cursor)
    assert 2 == len(second.parts)
    again = await shop.read("articles", second.cursors[0])
    assert second.parts[1:] == again.parts


async def test_a_changed_title_is_told_by_both_kinds_of_file(shop):
    agreement, articles = await shop.read("agreement"), await shop.read("articles")
    isbn = shop.isbn("ebook_row4_announced")
    shop.edit(isbn, state="ANNOUNCED", release_at={"in_seconds": 30})
    agreement, articles = await shop.read("agreement", agreement.cursor), await shop.read("articles", articles.cursor)
    assert [[True], [True]] == [agreement.has(isbn), articles.has(isbn)]
    shop.clock.advance(60)
    await shop.feed(limit="1")
    released = await shop.read("articles", articles.cursor)
    assert [True] == released.has(isbn)
    assert b"<ProductAvailability>20<" in released.content


async def test_files_that_say_nothing_are_read_like_others(shop):
    """Contract cb 9, 10: they come all the same, so that a shop knows that nothing is missing."""
    agreement, articles = await shop.read("agreement"), await shop.read("articles")
    await shop.call("POST", "/outbox/empty")
    quiet = await shop.read("articles", articles.cursor)
    assert b"<NoProduct/>" in quiet.content
    assert b"<Products>\n</Products>" in (await shop.read("agreement", agreement.cursor)).content


async def test_an_article_file_that_is_older_than_the_last_is_passed_over(shop):
    first = await shop.read("articles")
    shop.edit(NEW, format="epub", price="9.99")
    second = await shop.read("articles", first.cursor)
    late = shop.sandbox.directory / "cb-outbox/articles/late.xml"
    late.write_bytes(second.content.replace(b"<SentDateTime>20", b"<SentDateTime>19"))
    assert [] == (await shop.read("articles", second.cursor)).parts


async def test_one_product_with_several_eans_is_said_of_each(shop):
    """Contract cb 9: the table allows n, the example has one."""
    reading = await shop.read("agreement")
    both = shop.isbn("ebook_two_eans"), shop.title(shop.isbn("ebook_two_eans")).agreement.eans[0]
    root = etree.fromstring(reading.content)
    products = [product for product in root.iter("{*}Product") if product.findtext("{*}Ean") in both]
    assert [1, 1] == [len(product.findall("{*}Ean")) for product in products]
    assert {"7.99"} == {product.findtext("{*}RetailPrice/{*}Amount") for product in products}
    assert set(both) == {product.findtext("{*}Ean") for product in products}


def test_a_message_with_one_ean_each_stays_as_it_is():
    body = b"<Message><Products><Product><Ean>1</Ean></Product><Product><Ean>2</Ean></Product></Products></Message>"
    assert body == outbox.split_products(body)
    broken = b"<Message><Product><Ean>1</Ean><Ean>2</Ean>"
    assert broken == outbox.split_products(broken)


async def test_an_agreement_of_another_relation_is_passed_over_and_told(shop, capfd):
    """What another shop has agreed on is no leave to sell (contract cb 9: the file's name says whose it is)."""
    folder = shop.sandbox.directory / "cb-outbox" / "agreement"
    (own,) = folder.glob("*.xml")
    strange = folder / own.name.replace("7414440", "9999999")
    strange.write_bytes(own.read_bytes().replace(b"<AllowedToOrder>N", b"<AllowedToOrder>Y"))
    reading = await shop.read("agreement")
    assert [str(own)] == [name for name, _ in reading.parts]
    told = capfd.readouterr()
    assert strange.name in f"{told.out}{told.err}"


async def test_a_folder_or_a_pattern_names_the_files(shop):
    by_pattern = await shop.read("agreement")
    by_folder = await shop.read("agreement", books={"agreement": ("cb-outbox/agreement",)})
    assert by_pattern.parts == by_folder.parts


async def test_an_empty_out_box_is_an_error_until_the_first_file_has_come(shop):
    nothing = {"books": {"agreement": ("elsewhere/*.xml",)}}
    assert isinstance((await shop.read("agreement", **nothing)).error, InputUnreadable)
    first = await shop.read("agreement")
    assert (await shop.read("agreement", first.cursor, **nothing)).error is None


async def test_a_file_that_was_replaced_is_new(shop):
    first = await shop.read("agreement")
    [path] = (shop.sandbox.directory / "cb-outbox/agreement").iterdir()
    path.write_bytes(path.read_bytes().replace(b"<Amount>7.99<", b"<Amount>6.99<"))
    assert 1 == len((await shop.read("agreement", first.cursor)).parts)


async def test_a_half_written_zip_is_read_again(shop):
    first = await shop.read("articles")
    shop.edit(NEW, format="epub", price="9.99")
    newest = max((shop.sandbox.directory / "cb-outbox/articles").glob("*.zip"))
    whole = newest.read_bytes()
    newest.write_bytes(whole[: len(whole) // 2])
    torn = await shop.read("articles", first.cursor)
    assert isinstance(torn.error, SourceFailed)
    newest.write_bytes(whole)
    assert [True] == (await shop.read("articles", first.cursor)).has(NEW)


@pytest.mark.parametrize(
    ("newest", "now", "missed"),
    [
        (None, datetime(2026, 6, 15, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 6, 15, 4, 0, tzinfo=UTC), datetime(2026, 6, 15, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 6, 12, 4, 0, tzinfo=UTC), datetime(2026, 6, 15, 9, 0, tzinfo=UTC), None),
        (datetime(2026, 6, 12, 4, 0, tzinfo=UTC), datetime(2026, 6, 15, 10, 0, tzinfo=UTC), date(2026, 6, 15)),
        (datetime(2026, 6, 12, 4, 0, tzinfo=UTC), datetime(2026, 6, 14, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 6, 11, 4, 0, tzinfo=UTC), datetime(2026, 6, 14, 12, 0, tzinfo=UTC), date(2026, 6, 12)),
        (datetime(2026, 6, 11, 22, 30, tzinfo=UTC), datetime(2026, 6, 14, 12, 0, tzinfo=UTC), None),
        (datetime(2026, 4, 24, 4, 0, tzinfo=UTC), datetime(2026, 4, 27, 12, 0, tzinfo=UTC), None),
    ],
)
def test_a_working_day_without_a_file_is_missed(newest, now, missed):
    """By noon in the Netherlands, at weekends and on the given holidays never."""
    found = outbox.missed_day(newest, now, by_hour=12, holidays=["2026-04-27"], zone=AMSTERDAM)
    assert missed == found


async def test_a_missed_day_is_told_once(shop, capsys):
    first = await shop.read("agreement")
    shop.clock.advance(7 * 86400)
    second = await shop.read("agreement", first.cursor)
    third = await shop.read("agreement", second.cursor)
    told = capsys.readouterr()
    missed, still = [cursor_of(reading, FilesCursor).warned for reading in (second, third)]
    assert isinstance(missed, date)
    assert missed == still
    assert 1 == f"{told.out}{told.err}".count(f"a working day without a file   day={missed.isoformat()}")


def test_a_file_is_dated_by_its_message_else_by_its_name_else_by_its_time(tmp_path: Path):
    name = r"(?P<type>[^_]+)_(?P<relation>[^_]+)_(?P<stamp>\d{14})\.xml"
    stated = tmp_path / "dipragmtcs_7414440_28012020093202.xml"
    stated.write_bytes(b"<Message><Header><SentDateTime>2020-01-07T15:55:20</SentDateTime></Header></Message>")
    stamped = tmp_path / "dipragmtcs_7414440_29012020093202.xml"
    stamped.write_bytes(b"<Message/>")
    other = tmp_path / "other.xml"
    other.write_bytes(b"<Message/>")
    dated = {each.path: each.sent_at for each in outbox.deliveries([str(tmp_path)], (), AMSTERDAM, name)}
    assert datetime(2020, 1, 7, 14, 55, 20, tzinfo=UTC) == dated[stated]
    assert datetime(2020, 1, 29, 8, 32, 2, tzinfo=UTC) == dated[stamped]
    assert datetime.fromtimestamp(other.stat().st_mtime, UTC) == dated[other]
