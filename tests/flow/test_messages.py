"""Messages and records of plain files: their order, updates without a base, notices, tests, and what is reported of them."""

from dataclasses import replace
from typing import ClassVar

import pytest

from state.sqlite import open_store
from state.sqlite.store import SqliteStore
from syncengine.domain.change import ChangeKind
from syncengine.domain.codes import NotificationType
from syncengine.domain.message import MessageOrder
from syncengine.domain.passes import PassMode, RecordOutcome, WarningKind
from syncengine.errors import GuardStopped
from syncengine.onix import reader
from syncengine.ports import AsideKind, Conventions, MissingReference, PartialUpdates
from syncengine.service.progress import Unwatched
from tests.clock import JumpClock
from tests.flow.files import ISBNS, FileShop, message, record, sent, status, supply, titled

WHOLE = titled("One") + status("04") + supply("9.99")


@pytest.fixture
async def make_shop(tmp_path):
    stores: list[SqliteStore] = []

    async def make(**conventions) -> FileShop:
        clock = JumpClock()
        store = await open_store(f"sqlite:{tmp_path}/store-{len(stores)}.db", clock=clock)
        stores.append(store)
        folder = tmp_path / f"files-{len(stores)}"
        folder.mkdir()
        return FileShop(store, clock, folder, Conventions(**conventions))

    yield make
    for store in stores:
        await store.aclose()


@pytest.fixture
async def shop(make_shop):
    return await make_shop()


def facts(product) -> tuple[str | None, str | None]:
    """A product's title and status."""
    return product.title, product.publishing_status


def counts(report) -> dict[str, int]:
    return {outcome.value: number for outcome, number in report.outcomes.items() if number}


# --- while a message is read


async def test_the_count_of_records_never_runs_backwards(shop):
    class Watch(Unwatched):
        counts: ClassVar[list[int]] = []

        def reading(self, source, part, *, bytes_read, records):
            self.counts.append(records)

    shop.progress = Watch()
    long = f"<!-- {'.' * 100_000} -->"
    records = [record(f"R{number}", WHOLE + (long if number >= 1000 else "")) for number in range(1100)]
    report = await shop.read(message(*records))
    assert 1100 == report.records
    assert len(Watch.counts) > 3
    assert sorted(Watch.counts) == Watch.counts
    assert Watch.counts[-1] <= report.records


# --- the order of messages


async def test_by_number_a_repeated_message_is_passed_over_and_said(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    first = message(record("A", WHOLE), header=sent(number=7))
    await shop.read(first)
    report = await shop.read(message(record("A", titled("Two")), header=sent(number=7)))
    assert ({}, True) == (counts(report), report.complete)
    assert {WarningKind.REPEATED_MESSAGE: 1} == report.warning_kinds
    assert "One" == (await shop.product("A")).title


async def test_by_number_an_older_message_is_passed_over_in_a_delta(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)))
    report = await shop.read(message(record("A", titled("Old")), header=sent(number=6)))
    assert ({}, {WarningKind.OLDER_MESSAGE: 1}) == (counts(report), report.warning_kinds)
    assert "One" == (await shop.product("A")).title


async def test_an_older_message_can_be_let_through_once(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)))
    await shop.read(message(record("A", titled("Old")), header=sent(number=6)), allow=("older-message",))
    assert "Old" == (await shop.product("A")).title
    report = await shop.read(message(record("A", titled("Older")), header=sent(number=6)))
    assert {WarningKind.OLDER_MESSAGE: 1} == report.warning_kinds


async def test_an_older_snapshot_is_stopped_by_the_guard(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)), mode=PassMode.FULL)
    with pytest.raises(GuardStopped, match="older than the last message applied"):
        await shop.read(message(record("B", WHOLE), header=sent(number=6)), mode=PassMode.FULL)
    assert await shop.product("A") is not None


async def test_a_snapshot_read_again_is_read_again(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    snapshot = message(record("A", WHOLE), header=sent(number=7))
    await shop.read(snapshot, mode=PassMode.FULL)
    report = await shop.read(snapshot, mode=PassMode.FULL)
    assert ({"unchanged": 1}, True) == (counts(report), report.complete)


async def test_a_gap_in_the_numbers_is_warned_of_and_the_message_read(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)))
    report = await shop.read(message(record("A", titled("Nine")), header=sent(number=9)))
    assert {WarningKind.NUMBER_GAP: 1} == report.warning_kinds
    assert "Nine" == (await shop.product("A")).title


async def test_several_files_of_one_pass_are_in_sequence_too(make_shop):
    shop = await make_shop(message_order=MessageOrder.SENT)
    first = message(record("A", titled("New")), header=sent("20260612T100000Z"))
    second = message(record("A", titled("Old")), header=sent("20260611T100000Z"))
    report = await shop.read(first, second)
    assert {WarningKind.OLDER_MESSAGE: 1} == report.warning_kinds
    assert "New" == (await shop.product("A")).title


@pytest.mark.parametrize("order", [MessageOrder.NUMBER, MessageOrder.SENT])
async def test_files_of_one_pass_may_share_a_place_since_a_message_may_come_in_parts(make_shop, order):
    shop = await make_shop(message_order=order)
    header = sent("20260612T100000Z", number=7)
    parts = [message(record(name, WHOLE, isbn=isbn), header=header) for name, isbn in zip("AB", ISBNS, strict=False)]
    first = await shop.read(*parts)
    assert ({"added": 2}, {}) == (counts(first), first.warning_kinds)
    again = await shop.read(*parts)
    assert ({}, {WarningKind.REPEATED_MESSAGE: 2}) == (counts(again), again.warning_kinds)


async def test_every_sender_has_a_sequence_of_its_own(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7, sender="One")))
    report = await shop.read(message(record("B", WHOLE, isbn=ISBNS[1]), header=sent(number=1, sender="Two")))
    assert ({"added": 1}, {}) == (counts(report), report.warning_kinds)


async def test_a_message_that_broke_off_is_no_repeat_when_it_comes_whole(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    whole = message(record("A", WHOLE), record("B", WHOLE, isbn=ISBNS[1]), header=sent(number=7))
    torn = await shop.read(whole[:-120])
    assert ({"added": 1}, False) == (counts(torn), torn.complete)
    report = await shop.read(whole)
    assert ({"added": 1, "unchanged": 1}, {}) == (counts(report), report.warning_kinds)


async def test_a_message_without_a_number_leaves_the_last_number_standing(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)))
    await shop.read(message(record("A", titled("Two")), header=sent()))
    report = await shop.read(message(record("A", titled("Old")), header=sent(number=6)))
    assert ({}, {WarningKind.OLDER_MESSAGE: 1}) == (counts(report), report.warning_kinds)


async def test_files_given_by_hand_are_read_whatever_their_numbers(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(message(record("A", WHOLE), header=sent(number=7)))
    await shop.read(message(record("A", titled("Six")), header=sent(number=6)), by_hand=True, stop_on_older=False)
    assert "Six" == (await shop.product("A")).title


# --- updates and their bases


UPDATE = record("A", status("08"), notification="04")


async def test_an_update_without_its_base_is_held_and_creates_nothing(shop):
    report = await shop.read(message(UPDATE))
    assert {"held": 1} == counts(report)
    assert await shop.product("A") is None
    assert [AsideKind.HELD] == [row.kind for row in await shop.aside()]


async def test_a_held_update_of_a_newer_message_is_put_into_its_base_when_that_comes(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    await shop.read(
        message(UPDATE, header=sent(number=8)), message(record("B", WHOLE, isbn=ISBNS[1]), header=sent(number=9))
    )
    base = message(record("A", WHOLE), header=sent(number=7))
    report = await shop.read(base, allow=("older-message",))
    assert {"added": 1} == counts(report)
    product = await shop.product("A")
    assert ("One", "08") == (product.title, product.publishing_status)
    assert not await shop.aside()


async def test_a_held_update_that_is_not_surely_newer_gives_way_to_the_whole_record(shop):
    await shop.read(message(UPDATE))
    report = await shop.read(message(record("A", WHOLE)))
    assert "04" == (await shop.product("A")).publishing_status
    assert {WarningKind.BLOCK_UPDATE: 1} == report.warning_kinds
    assert not await shop.aside()


async def test_a_base_with_a_held_update_in_it_is_read_again_when_it_comes_again(make_shop):
    shop = await make_shop(message_order=MessageOrder.SENT)
    await shop.read(message(UPDATE, header=sent("20260612T100000Z")))
    base = record("A", WHOLE)
    await shop.read(message(base, header=sent("20260611T100000Z")), allow=("older-message",))
    assert "08" == (await shop.product("A")).publishing_status
    report = await shop.read(message(base, header=sent("20260613T100000Z")))
    assert {"changed": 1} == counts(report)
    assert "04" == (await shop.product("A")).publishing_status


async def test_an_update_follows_its_base_in_a_later_file_of_a_pass_that_is_kept_apart_until_its_end(shop):
    await shop.read(message(record("Z", WHOLE, isbn=ISBNS[2])))
    report = await shop.read(message(record("A", WHOLE)), message(UPDATE))
    assert {"added": 2} == counts(report)
    product = await shop.product("A")
    assert ("One", "08") == (product.title, product.publishing_status)
    assert [ChangeKind.ADDED, ChangeKind.ADDED] == [change.kind for change in await shop.changes()]


async def test_two_updates_of_one_pass_both_count(shop):
    await shop.read(message(record("A", WHOLE)))
    await shop.read(message(UPDATE), message(record("A", supply("1.99"), notification="04")))
    product = await shop.product("A")
    assert ("08", "1.99") == (product.publishing_status, str(product.supplies[0].details[0].prices[0].amount))


async def test_a_record_added_and_deleted_in_one_pass_is_not_there(shop):
    await shop.read(message(record("Z", WHOLE, isbn=ISBNS[2])))
    report = await shop.read(message(record("A", WHOLE)), message(record("A", notification="05")))
    assert {"added": 1, "removed": 1} == counts(report)
    assert await shop.product("A") is None


async def test_a_change_taken_back_by_a_later_file_of_the_pass_is_not_made(shop):
    first = message(record("A", WHOLE))
    await shop.read(first)
    await shop.read(message(record("A", titled("Two"))), first)
    assert "One" == (await shop.product("A")).title


async def test_an_update_behind_its_base_in_one_message_is_put_into_it(shop):
    both = message(record("A", WHOLE), UPDATE)
    report = await shop.read(both)
    assert {"added": 1, "duplicates": 1} == counts(report)
    assert {WarningKind.DUPLICATE_REFERENCE: 1} == report.warning_kinds
    assert ("One", "08") == facts(await shop.product("A"))
    assert [ChangeKind.ADDED] == [change.kind for change in await shop.changes()]


async def test_all_updates_behind_their_base_in_one_message_are_put_into_it(shop):
    await shop.read(message(record("A", WHOLE), UPDATE, record("A", titled("Two"), notification="04")))
    assert ("Two", "08") == facts(await shop.product("A"))


async def test_a_new_base_counts_also_where_the_update_behind_it_is_the_one_that_is_known(shop):
    await shop.read(message(record("A", WHOLE), UPDATE))
    await shop.read(message(record("A", titled("Two") + status("04")), UPDATE))
    assert ("Two", "08") == facts(await shop.product("A"))


async def test_a_known_update_in_a_later_file_does_not_take_a_new_base_back(shop):
    await shop.read(message(record("A", WHOLE)))
    await shop.read(message(UPDATE))
    await shop.read(message(record("A", titled("Two") + status("04"))), message(UPDATE))
    assert ("Two", "08") == facts(await shop.product("A"))


async def test_an_update_that_comes_again_changes_nothing(shop):
    await shop.read(message(record("A", WHOLE)))
    await shop.read(message(UPDATE))
    report = await shop.read(message(UPDATE))
    assert ({"unchanged": 1}, {}) == (counts(report), report.warning_kinds)


async def test_what_is_odd_about_an_update_is_told_once_and_what_was_odd_about_its_base_no_more(shop):
    await shop.read(message(record("A", WHOLE + "<RelatedMaterial><RelatedWork/></RelatedMaterial>" + status("XX"))))
    report = await shop.read(message(record("A", status("ZZ"), notification="04")))
    assert {WarningKind.UNKNOWN_CODE: 1} == report.warning_kinds


async def test_a_record_of_onix_2_has_no_blocks_to_put_an_update_into(shop):
    await shop.read(message(record("A", "<PublishingStatus>04</PublishingStatus>"), release="2.1"))
    assert {"quarantined": 1} == counts(await shop.read(message(UPDATE)))
    assert "04" == (await shop.product("A")).publishing_status


async def test_held_updates_are_put_into_their_base_in_the_sequence_of_their_messages(make_shop):
    shop = await make_shop(message_order=MessageOrder.NUMBER)
    for number, code in ((9, "08"), (8, "07")):
        held = message(record("A", status(code), notification="04"), header=sent(number=number))
        await shop.read(held, allow=("older-message",))
    await shop.read(message(record("A", WHOLE), header=sent(number=7)), allow=("older-message",))
    assert "08" == (await shop.product("A")).publishing_status


async def test_an_update_keeps_the_language_that_each_message_gave_its_texts(shop):
    english, french = (sent(more=f"<DefaultLanguageOfText>{code}</DefaultLanguageOfText>") for code in ("eng", "fre"))
    await shop.read(message(record("A", WHOLE), header=english))
    unchanged = await shop.read(message(record("A", supply("9.99"), notification="04"), header=french))
    assert {} == unchanged.changes
    report = await shop.read(message(record("A", titled("One"), notification="04"), header=french))
    assert {"descriptive_detail": 1} == report.changes


async def test_an_update_keeps_the_meaning_that_each_message_gave_its_prices(shop):
    in_pounds = sent(more="<DefaultPriceType>02</DefaultPriceType><DefaultCurrencyCode>GBP</DefaultCurrencyCode>")
    in_euro = sent(more="<DefaultPriceType>04</DefaultPriceType><DefaultCurrencyCode>EUR</DefaultCurrencyCode>")
    two = titled("One") + supply("9.99", currency=None, kind=None)
    await shop.read(message(record("A", two), header=in_pounds))
    report = await shop.read(message(record("A", status("08"), notification="04"), header=in_euro))
    [price] = (await shop.product("A")).supplies[0].details[0].prices
    assert ("02", "GBP") == (price.type, price.currency)
    assert {"publishing_status": 1} == report.changes
    await shop.read(message(record("A", supply("5", currency=None, kind=None), notification="04"), header=in_euro))
    [price] = (await shop.product("A")).supplies[0].details[0].prices
    assert ("04", "EUR") == (price.type, price.currency)


async def test_an_update_of_one_market_of_three_without_references_is_told(shop):
    await shop.read(message(record("A", titled("One") + supply("1") + supply("2") + supply("3"))))
    report = await shop.read(message(record("A", supply("4"), notification="04")))
    assert 1 == report.warning_kinds[WarningKind.BLOCK_UPDATE]
    assert 1 == len((await shop.product("A")).supplies)


# --- notices and tests


NOTICE, TEST, BROKEN = (
    record("A", notification="09"),
    record("A", titled("Test"), notification="89"),
    record("A", "<x>", notification="04"),
)


@pytest.mark.parametrize("partial_updates", PartialUpdates)
@pytest.mark.parametrize("behind", [NOTICE, TEST, BROKEN], ids=["notice", "test", "broken"])
@pytest.mark.parametrize("is_one_message", [True, False], ids=["one message", "two messages"])
async def test_what_is_set_aside_leaves_a_record_as_what_came_before_it_in_the_pass_made_it(
    make_shop, partial_updates, behind, is_one_message
):
    shop = await make_shop(partial_updates=partial_updates)
    await shop.read(message(record("A", WHOLE)))
    new = record("A", titled("Two"))
    await shop.read(*([message(new, behind)] if is_one_message else [message(new), message(behind)]))
    assert "Two" == (await shop.product("A")).title


@pytest.mark.parametrize("behind", [NOTICE, TEST, UPDATE], ids=["notice", "test", "update"])
async def test_what_does_not_say_all_of_a_record_leaves_its_quarantined_frame(shop, behind):
    await shop.read(message(record("A", WHOLE)))
    await shop.read(message(record("A", "<x>")))
    await shop.read(message(behind))
    assert 1 == len(await shop.aside(AsideKind.QUARANTINED))
    await shop.read(message(record("A", titled("Two"))))
    assert not await shop.aside(AsideKind.QUARANTINED)


async def test_a_notice_of_transfer_is_told_once_and_changes_nothing(shop):
    await shop.read(message(record("A", WHOLE)))
    notice = message(
        record(
            "A",
            "<PublishingDetail><Publisher><PublishingRole>01</PublishingRole><PublisherName>New House</PublisherName></Publisher>"
            "<PublishingDate><PublishingDateRole>28</PublishingDateRole><Date>20270101</Date></PublishingDate></PublishingDetail>",
            notification="09",
        )
    )
    before = await shop.product("A")
    for _ in range(2):
        report = await shop.read(notice)
        assert {"ignored": 1} == counts(report)
    assert before == await shop.product("A")
    [told] = [change for change in await shop.changes() if change.kind is ChangeKind.TRANSFERRED]
    assert {("notification_type", "09"), ("publisher", "New House"), ("publishing_date", "28 20270101")} == {
        (field.field, field.new) for field in told.fields
    }


@pytest.mark.parametrize("notification", ["88", "89"])
async def test_a_test_is_kept_apart_and_forgotten_with_the_next_pass(shop, notification):
    await shop.read(message(record("A", WHOLE)))
    report = await shop.read(message(record("A", titled("Test"), notification=notification)))
    assert ({"ignored": 1}, {WarningKind.SET_ASIDE: 2}) == (counts(report), report.warning_kinds)
    assert "One" == (await shop.product("A")).title
    assert [AsideKind.TEST] == [row.kind for row in await shop.aside()]
    shop.clock.advance(60)
    await shop.read(message(record("B", WHOLE, isbn=ISBNS[1])))
    assert not await shop.aside()


# --- references


async def test_a_record_without_reference_is_quarantined_by_default(shop):
    report = await shop.read(message(record(None, WHOLE), record("B", WHOLE, isbn=ISBNS[1])))
    assert {"added": 1, "quarantined": 1} == counts(report)


async def test_a_record_without_reference_is_known_by_its_isbn_where_the_source_says_so(make_shop):
    shop = await make_shop(missing_reference=MissingReference.DERIVE)
    first = await shop.read(message(record(None, WHOLE)))
    assert ({"added": 1}, {WarningKind.MISSING_REFERENCE: 1}) == (counts(first), first.warning_kinds)
    again = await shop.read(message(record(None, titled("Two"))))
    assert {"changed": 1} == counts(again)
    assert "Two" == (await shop.product(f"15:{ISBNS[0]}")).title


async def test_of_two_records_with_one_derived_reference_the_last_counts(make_shop):
    shop = await make_shop(missing_reference=MissingReference.DERIVE)
    report = await shop.read(message(record(None, WHOLE), record(None, titled("Two"))))
    assert {"added": 1, "duplicates": 1} == counts(report)
    assert "Two" == (await shop.product(f"15:{ISBNS[0]}")).title


async def test_an_update_with_its_base_s_derived_reference_is_put_into_it(make_shop):
    shop = await make_shop(missing_reference=MissingReference.DERIVE)
    await shop.read(message(record(None, WHOLE), record(None, status("08"), notification="04")))
    assert ("One", "08") == facts(await shop.product(f"15:{ISBNS[0]}"))


async def test_an_isbn_under_another_reference_is_reported(shop):
    await shop.read(message(record("old-key", WHOLE)))
    report = await shop.read(message(record("new-key", WHOLE)))
    assert {WarningKind.REKEYED: 1} == report.warning_kinds
    [says] = report.warnings
    assert f"{ISBNS[0]} (ea) is known under old-key already" in says


async def test_one_isbn_under_two_references_of_one_message_is_reported(shop):
    report = await shop.read(message(record("one", WHOLE), record("two", WHOLE)))
    assert {WarningKind.REKEYED: 1} == report.warning_kinds


async def test_another_format_under_the_same_isbn_is_no_new_key(shop):
    report = await shop.read(message(record("one", WHOLE), record("two", titled("One", form="BB"))))
    assert {} == report.warning_kinds


# --- quarantine


async def test_a_quarantined_record_is_applied_by_a_retry_once_its_source_says_how_to_read_it(make_shop):
    shop = await make_shop()
    await shop.read(message(record(None, WHOLE)))
    shop.conventions = Conventions(missing_reference=MissingReference.DERIVE)
    report = await shop.retry(AsideKind.QUARANTINED)
    assert {"added": 1} == counts(report)
    assert "One" == (await shop.product(f"15:{ISBNS[0]}")).title
    assert not await shop.aside()


async def test_what_still_cannot_be_read_stays_in_quarantine(shop):
    await shop.read(message(record(None, WHOLE)))
    report = await shop.retry(AsideKind.QUARANTINED)
    assert {"quarantined": 1} == counts(report)
    assert 1 == len(await shop.aside())


@pytest.mark.parametrize(
    ("meanwhile", "outcome", "title"),
    [(WHOLE, "unchanged", "One"), (titled("Newer"), "duplicates", "Newer")],
    ids=["the same", "a newer one"],
)
async def test_a_retry_forgets_what_its_source_has_sent_again_meanwhile(make_shop, meanwhile, outcome, title):
    shop = await make_shop()
    await shop.read(message(record(None, WHOLE)))
    shop.conventions = Conventions(missing_reference=MissingReference.DERIVE)
    shop.clock.advance(60)
    await shop.read(message(record(None, meanwhile)))
    assert {outcome: 1} == counts(await shop.retry(AsideKind.QUARANTINED))
    assert title == (await shop.product(f"15:{ISBNS[0]}")).title
    assert not await shop.aside()


async def test_a_retry_takes_no_update_back_that_came_since(shop, monkeypatch):
    await shop.read(message(record("A", WHOLE)))
    await shop.read(message(record("A", titled("Two"), notification="XX")))
    shop.clock.advance(60)
    await shop.read(message(UPDATE))
    monkeypatch.setattr(reader, "_NOTIFICATION_TYPES", {*NotificationType, "XX"})
    report = await shop.retry(AsideKind.QUARANTINED)
    assert ({"quarantined": 1}, ("One", "08")) == (counts(report), facts(await shop.product("A")))
    assert 1 == len(await shop.aside())


async def test_a_retry_puts_into_a_base_what_waited_for_it(make_shop):
    shop = await make_shop()
    await shop.read(message(record(None, WHOLE)))
    shop.conventions = Conventions(missing_reference=MissingReference.DERIVE)
    shop.clock.advance(60)
    assert {"held": 1} == counts(await shop.read(message(record(None, status("08"), notification="04"))))
    assert {"added": 1} == counts(await shop.retry(AsideKind.QUARANTINED, AsideKind.HELD))
    assert ("One", "08") == facts(await shop.product(f"15:{ISBNS[0]}"))
    assert not await shop.aside()


async def test_a_retry_leaves_what_an_older_build_kept_and_reads_the_rest(make_shop):
    shop = await make_shop()
    await shop.read(message(record(None, WHOLE), record(None, WHOLE, isbn=ISBNS[1])))
    shop.conventions = Conventions(missing_reference=MissingReference.DERIVE)
    old, new = await shop.aside()
    report = await shop.intake([], PassMode.DELTA).retry([replace(old, context=None), new])
    assert {"added": 1, "quarantined": 1} == counts(report)
    assert [old] == list(await shop.aside())


@pytest.mark.parametrize(
    ("notification", "kind"), [("09", AsideKind.TRANSFER), ("89", AsideKind.TEST), ("04", AsideKind.HELD)]
)
async def test_a_quarantined_frame_that_is_no_record_is_kept_as_what_it_is(make_shop, notification, kind):
    shop = await make_shop()
    await shop.read(message(record(None, status("04"), notification=notification)))
    shop.conventions = Conventions(missing_reference=MissingReference.DERIVE)
    await shop.retry(AsideKind.QUARANTINED)
    assert [kind] == [row.kind for row in await shop.aside()]


async def test_a_retried_record_is_recognised_by_its_bytes_afterwards(make_shop):
    shop = await make_shop()
    broken = message(record("A", WHOLE.replace("</DescriptiveDetail>", "")), record("B", WHOLE, isbn=ISBNS[1]))
    report = await shop.read(broken)
    assert {"added": 1, "quarantined": 1} == counts(report)
    good = await shop.read(message(record("A", WHOLE), record("B", WHOLE, isbn=ISBNS[1])))
    assert {"added": 1, "unchanged": 1} == counts(good)
    assert not await shop.aside()


async def test_every_record_is_accounted_for(shop):
    report = await shop.read(
        message(record("A", WHOLE), record("B", status("04"), notification="04"), record("C", notification="05")),
        message(record("A", WHOLE), record(None), record("D", notification="88", isbn=ISBNS[1])),
    )
    assert report.records == sum(report.outcomes.values())
    assert 6 == report.records
    assert {RecordOutcome.ADDED, RecordOutcome.HELD, RecordOutcome.IGNORED, RecordOutcome.QUARANTINED} <= {
        outcome for outcome, number in report.outcomes.items() if number
    }
