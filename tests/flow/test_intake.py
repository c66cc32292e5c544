"""One pass after another over a real store: what each record became, what the guards stop, what survives a break."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from adapters.distributors.demarque.rules import DeMarqueRules
from state.sqlite import open_store
from syncengine.domain.change import ChangeKind
from syncengine.domain.ids import Format, Isbn, RecordId, TitleKey
from syncengine.domain.passes import PassMode, RecordOutcome
from syncengine.errors import FeedTorn, GuardStopped, InputUnreadable, NotOnix, SourceUnreachable
from syncengine.ports import Account, Conventions, Distributor, Urgency
from syncengine.service import intake as intake_module
from syncengine.service import work
from syncengine.service.applying import Applier
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.flow.pages import CA, SOURCE, STREAM, TAIL, Pages, isbn, message, product


class Shop:
    """A store, and a source whose pages the test changes between passes."""

    def __init__(self, store, clock, **guards):
        self.store, self.clock = store, clock
        self.source = Pages([])
        self.guards = GuardSettings(minimum_records=5, **guards)

    def intake(self) -> Intake:

        rules = DeMarqueRules(markets=(CA,), zone=ZoneInfo("America/Toronto"))
        account = Account(kind="test", address="", organisation="")
        distributor = Distributor(source=self.source, rules=rules, calls=None, account=account)
        return Intake(distributor, self.store, self.clock, Parsers(), self.guards)

    async def run(self, *pages: bytes, mode=PassMode.FULL, breaks_after=None, torn=(), forgets=False, **options):
        self.source = Pages(list(pages), mode=mode, breaks_after=breaks_after, torn=set(torn), forgets=forgets)
        return await self.intake().run(STREAM, PassOptions(**options))

    async def read_again(self, number: int, **facts: str):
        """Read a single title, which the distributor now serves with these facts."""
        crawled, self.source = self.source, Pages([], single=message(product(number, **facts)))
        [report] = await self.intake().refresh(title_key(number))
        self.source = crawled
        return report

    async def live(self) -> set[str]:
        async with self.store.transaction(Urgency.COMMAND) as tx:
            index = await tx.records.index(SOURCE)
            return {record.reference for record in await tx.records.by_id([RecordId(number) for number in index.ids])}

    async def title(self, number: int) -> str:
        """The title of a product as it is known."""
        async with self.store.transaction(Urgency.COMMAND) as tx:
            [found] = await tx.titles.read(title_key(number))
        return found.records[0].title or ""

    async def changes(self, after=0):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.changes.since(after, 1000)

    async def stands(self):
        async with self.store.transaction(Urgency.COMMAND) as tx:
            return await tx.passes.stream(SOURCE, STREAM)


@pytest.fixture
async def shop(tmp_path):
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=clock)
    yield Shop(store, clock)
    await store.aclose()


def title_key(number: int) -> TitleKey:
    return TitleKey(source=SOURCE, isbn=Isbn(isbn(number)), format=Format("epub"))


def counted(report):
    return {outcome.value: number for outcome, number in report.outcomes.items() if number}


class TestOutcomes:
    async def test_a_first_pass_adds_and_a_second_finds_everything_unchanged(self, shop):
        feed = message(*map(product, range(8)))
        assert counted(await shop.run(feed)) == {"added": 8}
        again = await shop.run(feed)
        assert counted(again) == {"unchanged": 8}
        assert again.complete
        assert len(await shop.changes()) == 8

    async def test_a_changed_record_is_told_field_by_field(self, shop):
        await shop.run(message(*map(product, range(8))))
        report = await shop.run(message(product(0, price="12.00"), *map(product, range(1, 8))), allow=("prices-moved",))
        assert counted(report) == {"changed": 1, "unchanged": 7}
        assert report.changes == {"price": 1}
        [change] = (await shop.changes())[8:]
        assert change.kind is ChangeKind.CHANGED
        assert "9.99" in (change.fields[0].old or "")
        assert "12" in (change.fields[0].new or "")

    async def test_other_bytes_of_the_same_content_are_touched_and_not_told(self, shop):
        await shop.run(message(*map(product, range(8))))
        spaced = message(product(0).replace("><", ">\n  <"), *map(product, range(1, 8)))
        assert counted(await shop.run(spaced)) == {"touched": 1, "unchanged": 7}
        assert counted(await shop.run(spaced)) == {"unchanged": 8}
        assert len(await shop.changes()) == 8

    async def test_a_delete_removes_and_its_repeat_changes_nothing(self, shop):
        await shop.run(message(*map(product, range(8))))
        delete = message(product(3, kind="05"), sent_at="20261102T000000Z")
        assert counted(await shop.run(delete, mode=PassMode.DELTA, allow=("removed",))) == {"removed": 1}
        assert counted(await shop.run(delete, mode=PassMode.DELTA)) == {"unchanged": 1}
        assert "ENQC3-epub" not in await shop.live()

    async def test_a_removed_record_that_comes_back_is_added(self, shop):
        await shop.run(message(*map(product, range(8))))
        await shop.run(message(product(3, kind="05")), mode=PassMode.DELTA, allow=("removed",))
        assert counted(await shop.run(message(product(3)), mode=PassMode.DELTA)) == {"added": 1}
        assert "ENQC3-epub" in await shop.live()

    @pytest.mark.parametrize("kind", ["08", "09", "88", "89"])
    async def test_notices_and_tests_are_ignored_and_never_enter_the_index(self, shop, kind):
        report = await shop.run(message(product(0), product(1, kind=kind)))
        assert counted(report) == {"added": 1, "ignored": 1}
        assert await shop.live() == {"ENQC0-epub"}

    async def test_of_a_reference_seen_twice_the_last_is_applied(self, shop):
        feed = message(product(0, title="first"), product(1), product(0, title="last"))
        assert counted(await shop.run(feed)) == {"added": 2, "duplicates": 1}
        assert counted(await shop.run(feed)) == {"unchanged": 2, "duplicates": 1}
        assert await shop.title(0) == "last"

    async def test_batches_of_any_size_come_to_the_same(self, shop, monkeypatch):
        monkeypatch.setattr(work, "BATCH_RECORDS", 2)
        feed = message(*map(product, range(7)), product(0, title="last"))
        first = await shop.run(feed)
        assert first.records == 8
        assert counted(await shop.run(feed)) == {"unchanged": 7, "duplicates": 1}

    async def test_so_does_all_that_is_kept_back_to_the_end_of_a_message(self, shop, monkeypatch):
        monkeypatch.setattr(work, "BATCH_RECORDS", 2)
        feed = message(*map(product, range(5)), *(product(number, title="last") for number in range(5)))
        for outcomes in ({"added": 5, "changed": 5}, {"unchanged": 5, "duplicates": 5}):
            report = await shop.run(feed)
            assert (outcomes, True) == (counted(report), report.complete)
            assert b"end" == (await shop.stands()).cursor


class TestQuarantine:
    BAD = "<Product><RecordReference>ENQC9-epub</RecordReference><Oops></Product>\n"

    async def test_one_bad_record_is_set_aside_and_the_pass_goes_on(self, shop):
        report = await shop.run(message(product(0), self.BAD, product(1)))
        assert counted(report) == {"added": 2, "quarantined": 1}
        assert report.complete
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            [row] = await tx.records.aside(SOURCE)
        assert row.reference == "ENQC9-epub"
        assert b"<Oops>" in row.body
        assert any("ENQC9-epub" in says for says in report.warnings)

    async def test_a_good_frame_clears_it(self, shop):
        await shop.run(message(product(0), self.BAD))
        await shop.run(message(product(0), product(9)))
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert await tx.records.aside(SOURCE) == []

    async def test_the_old_frame_coming_back_clears_it_too(self, shop):
        good = message(*map(product, range(10)))
        await shop.run(good)
        await shop.run(message(*map(product, range(9)), self.BAD))
        await shop.run(good)
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert await tx.records.aside(SOURCE) == []

    async def test_a_quarantined_record_has_not_vanished(self, shop):
        await shop.run(message(*map(product, range(10))))
        report = await shop.run(message(*map(product, range(9)), self.BAD))
        assert report.vanished == 0
        assert "ENQC9-epub" in await shop.live()

    async def test_nothing_vanishes_where_a_reference_could_not_be_read(self, shop):
        await shop.run(message(*map(product, range(10))))
        nameless = "<Product><NotificationType>03</NotificationType></Product>"
        report = await shop.run(message(*map(product, range(9)), nameless))
        assert counted(report) == {"unchanged": 9, "quarantined": 1}
        assert report.vanished == 0


class TestVanished:
    async def test_absence_from_a_complete_snapshot_is_told_and_leaves_the_index(self, shop):
        await shop.run(message(*map(product, range(10))))
        report = await shop.run(message(*map(product, range(9))))
        assert report.vanished == 1
        assert "ENQC9-epub" not in await shop.live()
        assert (await shop.changes())[-1].kind is ChangeKind.VANISHED

    async def test_absence_from_a_delta_means_nothing(self, shop):
        await shop.run(message(*map(product, range(10))))
        assert (await shop.run(message(product(1)), mode=PassMode.DELTA)).vanished == 0
        assert len(await shop.live()) == 10

    async def test_a_broken_pass_lets_nothing_vanish(self, shop):
        await shop.run(message(*map(product, range(10))))
        with pytest.raises(SourceUnreachable):
            await shop.run(message(product(0)), message(product(1)), breaks_after=1)
        assert len(await shop.live()) == 10

    async def test_a_truncated_message_lets_nothing_vanish_and_is_not_complete(self, shop):
        await shop.run(message(*map(product, range(10))))
        shop.source = Pages([message(*map(product, range(9)))[: -len(TAIL)]])
        with pytest.raises(FeedTorn):
            await shop.intake().run(STREAM, PassOptions())
        assert len(await shop.live()) == 10

    @pytest.mark.parametrize("mode", [PassMode.FULL, PassMode.DELTA])
    async def test_stray_text_between_records_is_told_lets_nothing_vanish_and_holds_nobody_up(self, shop, mode):
        """The page is whole, so it would be no other the next time."""
        await shop.run(message(*map(product, range(10))))
        pages = [message(product(0, title="new"), "stray text", product(1)), message(*map(product, range(2, 9)))]
        for outcomes in ({"changed": 1, "unchanged": 8}, {"unchanged": 9}):
            report = await shop.run(*pages, mode=mode)
            assert outcomes == counted(report)
            assert [0, 1] == shop.source.asked
            assert (False, 0) == (report.complete, report.vanished)
            assert b"end" == (await shop.stands()).cursor
            [says] = report.warnings
            assert "page 0: line" in says
            assert "'stray text'" in says
        assert 10 == len(await shop.live())
        whole = await shop.run(message(*map(product, range(9))))
        assert (True, 1) == (whole.complete, whole.vanished)


class TestGuards:
    async def test_a_full_pass_that_would_lose_too_much_applies_nothing(self, shop):
        await shop.run(message(*map(product, range(10))))
        before = await shop.stands()
        with pytest.raises(GuardStopped) as stopped:
            await shop.run(message(product(0, title="new"), *map(product, range(1, 7))))
        assert stopped.value.guard in {"vanished", "shrunk"}
        assert stopped.value.exit_code == 3
        assert len(await shop.live()) == 10
        assert len(await shop.changes()) == 10
        assert (await shop.stands()).last_complete_at == before.last_complete_at

    async def test_it_is_let_through_once_by_name(self, shop):
        await shop.run(message(*map(product, range(10))))
        report = await shop.run(message(*map(product, range(7))), allow=("vanished", "shrunk"))
        assert report.vanished == 3
        assert any("vanished" in says for says in report.warnings)
        with pytest.raises(GuardStopped):
            await shop.run(message(*map(product, range(3))))

    async def test_a_whole_load_of_a_feed_of_changes_has_those_of_late_alone(self, shop):
        """It is no snapshot: neither few records nor none are a disaster, and nothing vanishes."""
        await shop.run(message(*map(product, range(10))))
        for pages in ([message(product(0, title="new"))], []):
            shop.source = Pages(pages, snapshot=False)
            report = await shop.intake().run(STREAM, PassOptions())
            assert (True, 0) == (report.complete, report.vanished)
        assert 10 == len(await shop.live())

    async def test_a_page_of_a_delta_is_judged_by_itself(self, shop):
        await shop.run(message(*map(product, range(10))))
        good, bad = message(product(0, title="new")), message(*(product(n, price="0.50") for n in range(8)))
        with pytest.raises(GuardStopped):
            await shop.run(good, bad, mode=PassMode.DELTA)
        titles = (await shop.changes())[10:]
        assert [change.reference for change in titles] == ["ENQC0-epub"]

    async def test_a_page_that_was_stopped_is_judged_anew_once_it_is_put_right(self, shop):
        await shop.run(message(*map(product, range(10))))
        good, bad = message(product(9, title="new")), message(*(product(n, price="0.50") for n in range(8)))
        with pytest.raises(GuardStopped):
            await shop.run(good, bad, mode=PassMode.DELTA)
        right = message(*(product(n, title="new") for n in range(8)))
        report = await shop.run(good, right, mode=PassMode.DELTA)
        assert [1] == shop.source.asked
        assert {"changed": 9} == counted(report)
        assert report.complete

    @pytest.mark.parametrize("forgets", [False, True])
    async def test_a_pass_that_was_stopped_and_is_let_through_counts_each_record_once(self, shop, forgets):
        await shop.run(message(*map(product, range(10))))
        dearer = [message(*(product(n, price="10.99") for n in some)) for some in (range(5), range(5, 10))]
        with pytest.raises(GuardStopped, match="change their price"):
            await shop.run(*dearer, forgets=forgets)
        report = await shop.run(*dearer, forgets=forgets, allow=("prices-moved",))
        assert {"changed": 10} == counted(report)
        assert {"price": 10} == report.changes
        again = await shop.run(*dearer)
        assert {"unchanged": 10} == counted(again)
        assert again.complete

    async def test_a_feed_that_says_everything_twice_is_no_smaller_the_next_time(self, shop):
        feed = message(*map(product, range(10)), *map(product, range(10)))
        await shop.run(feed)
        assert {"unchanged": 10, "duplicates": 10} == counted(await shop.run(feed))

    async def test_an_empty_feed_never_empties_the_shop(self, shop):
        await shop.run(message(*map(product, range(10))))
        with pytest.raises(GuardStopped) as stopped:
            await shop.run(message())
        assert stopped.value.guard == "empty-feed"

    async def test_a_message_older_than_the_last_is_stopped(self, shop):
        await shop.run(message(product(0), sent_at="20261102T000000Z"))
        with pytest.raises(GuardStopped) as stopped:
            await shop.run(message(product(0, title="old"), sent_at="20261101T000000Z"), mode=PassMode.DELTA)
        assert stopped.value.guard == "older-message"

    async def test_one_message_from_the_future_does_not_stop_all_that_come_after_it(self, shop):
        future, now, later, between = "20990101T000000Z", "20261102T000000Z", "20261103T000000Z", "20261102T120000Z"
        await shop.run(message(product(0), sent_at=future))
        with pytest.raises(GuardStopped):
            await shop.run(message(product(0, title="now"), sent_at=now), mode=PassMode.DELTA)
        await shop.run(message(product(0, title="now"), sent_at=now), mode=PassMode.DELTA, allow=("older-message",))
        report = await shop.run(message(product(0, title="later"), sent_at=later), mode=PassMode.DELTA)
        assert {"changed": 1} == counted(report)
        assert [] == report.warnings
        with pytest.raises(GuardStopped):
            await shop.run(message(product(0, title="between"), sent_at=between), mode=PassMode.DELTA)

    async def test_of_the_messages_of_a_pass_the_newest_counts_whatever_their_order(self, shop):
        await shop.run(message(product(0), sent_at="20261101T000000Z"))
        newer, older = (message(product(n), sent_at=f"2026110{day}T000000Z") for n, day in ((0, 4), (1, 2)))
        await shop.run(newer, older, mode=PassMode.DELTA)
        with pytest.raises(GuardStopped) as stopped:
            await shop.run(message(product(0, title="between"), sent_at="20261103T000000Z"), mode=PassMode.DELTA)
        assert "older-message" == stopped.value.guard

    async def test_a_dry_run_tells_what_would_vanish(self, shop):
        await shop.run(message(*map(product, range(10))))
        report = await shop.run(message(*map(product, range(9))), dry_run=True)
        assert {"unchanged": 9} == counted(report)
        assert 1 == report.vanished
        with pytest.raises(GuardStopped) as stopped:
            await shop.run(message(*map(product, range(7))), dry_run=True)
        assert "vanished" == stopped.value.guard
        assert 10 == len(await shop.live())
        assert 1 == (await shop.run(message(*map(product, range(9))))).vanished

    async def test_a_dry_run_tells_that_a_record_would_vanish_whose_frame_is_not_predicted(self, shop):
        await shop.run(message(*map(product, range(10))))
        update = (
            "<Product><RecordReference>ENQC9-epub</RecordReference><NotificationType>04</NotificationType>{}</Product>"
        )
        block = "<PublishingDetail><PublishingStatus>07</PublishingStatus></PublishingDetail>"
        shop.source = Pages([message(update.format(block))], mode=PassMode.DELTA, conventions=Conventions())
        await shop.intake().run(STREAM, PassOptions())
        assert 1 == (await shop.run(message(*map(product, range(9))), dry_run=True)).vanished

    async def test_a_dry_run_tells_and_changes_nothing(self, shop):
        await shop.run(message(*map(product, range(10))))
        before = await shop.stands()
        report = await shop.run(message(product(0, title="new"), *map(product, range(1, 10))), dry_run=True)
        assert counted(report) == {"changed": 1, "unchanged": 9}
        assert len(await shop.changes()) == 10
        assert await shop.stands() == before


class Unwritable:
    """An acknowledgement whose file cannot be written."""

    def message(self, part, header):
        pass

    def record(self, reference, identifiers, outcome, noted):
        pass

    def conclude(self, report):
        raise InputUnreadable("the disk is full")


class TestAcknowledging:
    async def test_a_pass_is_done_also_where_it_cannot_be_acknowledged(self, shop):
        with pytest.raises(InputUnreadable, match="the disk is full"):
            await shop.run(message(*map(product, range(5))), acknowledge=lambda *_: Unwritable())
        assert 5 == len(await shop.live())
        assert b"end" == (await shop.stands()).cursor

    async def test_that_it_cannot_be_acknowledged_hides_nothing_worse(self, shop):
        await shop.run(message(*map(product, range(10))))
        with pytest.raises(GuardStopped):
            await shop.run(message(product(0)), acknowledge=lambda *_: Unwritable())


class TestInterrupted:
    async def test_an_interrupted_crawl_goes_on_at_its_next_page(self, shop):
        pages = [message(product(0), product(1)), message(product(2)), message(product(3))]
        with pytest.raises(SourceUnreachable):
            await shop.run(*pages, breaks_after=2)
        report = await shop.run(*pages)
        assert shop.source.asked == [2]
        assert report.complete
        assert report.records == 4
        assert len(await shop.live()) == 4

    async def test_records_of_the_pages_before_the_break_have_not_vanished(self, shop):
        await shop.run(message(*map(product, range(10))))
        pages = [message(*map(product, range(5))), message(*map(product, range(5, 10)))]
        with pytest.raises(SourceUnreachable):
            await shop.run(*pages, breaks_after=1)
        report = await shop.run(*pages)
        assert report.complete
        assert report.vanished == 0
        assert len(await shop.live()) == 10

    async def test_a_full_pass_over_a_filled_store_shows_nothing_before_its_end(self, shop):
        await shop.run(message(*map(product, range(10))))
        changed = [message(*(product(n, title="new") for n in range(5))), message(*map(product, range(5, 10)))]
        with pytest.raises(SourceUnreachable):
            await shop.run(*changed, breaks_after=1)
        assert len(await shop.changes()) == 10
        report = await shop.run(*changed)
        assert counted(report) == {"changed": 5, "unchanged": 5}
        assert len(await shop.changes()) == 15

    async def test_a_pass_whose_process_ended_while_it_was_applied_is_applied_first(self, shop, monkeypatch):
        await shop.run(message(*map(product, range(10))))
        monkeypatch.setattr(intake_module, "APPLY_RECORDS", 2)
        revive = die_while_applying(monkeypatch, turn=3)
        changed = message(*(product(n, title="new") for n in range(9)))
        with pytest.raises(KeyboardInterrupt):
            await shop.run(changed)
        assert len(await shop.changes()) == 14
        revive()
        report = await shop.run(changed)
        assert counted(report) == {"unchanged": 9}
        assert len(await shop.changes()) == 10 + 9 + 1
        assert len(await shop.live()) == 9

    async def test_a_dry_run_applies_nothing_of_it(self, shop, monkeypatch):
        await shop.run(message(*map(product, range(10))))
        revive = die_while_applying(monkeypatch, turn=1)
        changed = message(*(product(n, title="new") for n in range(9)))
        with pytest.raises(KeyboardInterrupt):
            await shop.run(changed)
        revive()
        report = await shop.run(changed, dry_run=True)
        assert {"changed": 9} == counted(report)
        assert 10 == len(await shop.changes())
        assert 10 == len(await shop.live())
        assert {"unchanged": 9} == counted(await shop.run(changed))
        assert 10 + 9 + 1 == len(await shop.changes())

    async def test_a_torn_page_gives_its_whole_records_and_is_asked_for_again(self, shop):
        pages = [message(product(0), product(1), product(2)), message(product(3))]
        with pytest.raises(FeedTorn):
            await shop.run(*pages, torn={0})
        assert await shop.live() == {"ENQC0-epub"}
        report = await shop.run(*pages)
        assert shop.source.asked == [0, 1]
        assert report.complete
        assert len(await shop.live()) == 4


class TestSingle:
    KEY = title_key(1)

    async def test_a_title_is_read_again_and_due(self, shop):
        await shop.run(message(*map(product, range(3))))
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            for mark in await tx.titles.due(shop.clock.now(), 100):
                await tx.titles.clear([mark])
            await tx.controls.ask_refresh([self.KEY])
        shop.source = Pages([], single=message(product(1, price="8.99")))
        [report] = await shop.intake().refresh(self.KEY)
        assert counted(report) == {"changed": 1}
        async with shop.store.transaction(Urgency.COMMAND) as tx:
            assert await tx.controls.refreshes() == []
            assert [mark.key for mark in await tx.titles.due(shop.clock.now(), 100)] == [self.KEY]

    async def test_it_leaves_an_interrupted_crawl_as_it_is(self, shop):
        pages = [message(product(0)), message(product(1))]
        with pytest.raises(SourceUnreachable):
            await shop.run(*pages, breaks_after=1)
        shop.source = Pages([], single=message(product(0, price="8.99")))
        await shop.intake().refresh(self.KEY)
        assert (await shop.run(*pages)).records == 2

    async def test_no_guard_stops_it(self, shop):
        """A guard judges what many records have in common; of one that was asked for, the truth is wanted."""
        await shop.run(message(*map(product, range(8))))
        assert {"changed": 1} == counted(await shop.read_again(1, status="11"))
        assert {"changed": 1} == counted(await shop.read_again(2, price="0.00"))
        assert {"removed": 1} == counted(await shop.read_again(3, kind="05"))

    async def test_a_page_that_was_read_before_it_does_not_overwrite_it(self, shop):
        await shop.run(message(*map(product, range(10))))
        pages = [message(*(product(n, title="crawled") for n in range(5))), message(*map(product, range(5, 10)))]
        shop.source = Pages(pages, meanwhile={0: lambda: shop.read_again(1, title="read again")})
        report = await shop.intake().run(STREAM, PassOptions())
        assert report.complete
        assert ["crawled", "read again", "crawled"] == [await shop.title(n) for n in range(3)]
        assert {"changed": 1, "unchanged": 9} == counted(await shop.run(*pages))

    @pytest.mark.parametrize("mode", [PassMode.FULL, PassMode.DELTA])
    async def test_a_page_that_is_read_after_it_counts(self, shop, mode):
        await shop.run(message(*map(product, range(10))))
        pages = [message(*map(product, range(5))), message(product(5, title="crawled"), *map(product, range(6, 10)))]
        shop.source = Pages(pages, mode=mode, meanwhile={0: lambda: shop.read_again(5, title="read again")})
        assert {"changed": 1, "unchanged": 9} == counted(await shop.intake().run(STREAM, PassOptions()))
        assert "crawled" == await shop.title(5)

    async def test_a_title_that_is_read_again_while_absences_are_applied_has_not_vanished(self, shop, monkeypatch):
        apply_staged = Intake._apply_staged

        async def meanwhile(self, work):
            await shop.read_again(9, title="read again")
            await apply_staged(self, work)

        await shop.run(message(*map(product, range(10))))
        monkeypatch.setattr(Intake, "_apply_staged", meanwhile)
        await shop.run(message(*map(product, range(9))))
        assert "read again" == await shop.title(9)

    async def test_a_title_that_is_not_known_keeps_its_record(self, shop):
        await shop.run(message(product(1)))
        shop.source = Pages([])
        assert not await shop.intake().refresh(self.KEY)
        assert await shop.live() == {"ENQC1-epub"}


@pytest.mark.parametrize(
    ("page", "says"),
    [
        (b"<!DOCTYPE html><html><body><form><input type='password'></form></body></html>", "page 0"),
        (b"\x89PNG\r\n\x1a\n\0\0\0", "page 0"),
        (b"", "page 0"),
    ],
)
async def test_what_is_no_onix_is_named_and_nothing_is_lost(shop, page, says):
    await shop.run(message(product(0)))
    with pytest.raises(NotOnix, match=says):
        await shop.run(page)
    assert await shop.live() == {"ENQC0-epub"}


async def test_every_count_adds_up(shop):
    feed = message(product(0), product(0), product(1, kind="89"), TestQuarantine.BAD, product(2), product(3, kind="05"))
    for _ in range(2):
        report = await shop.run(feed)
        assert report.records == 6
        assert sum(report.outcomes[outcome] for outcome in RecordOutcome) == report.as_document()["records"]


def die_while_applying(monkeypatch, *, turn: int):
    """Let the process end where records are applied for the nth time; gives what undoes it."""
    apply = Applier.apply_staged
    turns = 0

    async def dies(self, tx, state, limit):
        nonlocal turns
        turns += 1
        if turns == turn:
            raise KeyboardInterrupt
        return await apply(self, tx, state, limit)

    monkeypatch.setattr(Applier, "apply_staged", dies)
    return lambda: monkeypatch.setattr(Applier, "apply_staged", apply)
