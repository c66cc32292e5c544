"""What people read: the documents of the commands as text, on a terminal and in a pipe."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from adapters.shop.terminal import Bars, show
from syncengine.domain.ids import SourceName, StreamName
from syncengine.domain.passes import Noted, PassMode, PassReport, RecordOutcome, WarningKind

AT = datetime(2026, 11, 21, 20, 6, tzinfo=UTC)
LONG = "word " * 100


def shown(command: str, document: Mapping[str, Any], width: int = 80) -> str:
    """On a terminal of so many columns."""
    written = io.StringIO()
    show(command, document, Console(file=written, width=width, force_terminal=True, color_system=None))
    return written.getvalue()


def piped(command: str, document: Mapping[str, Any]) -> str:
    written = io.StringIO()
    show(command, document, Console(file=written))
    return written.getvalue()


def report(*noted: Noted, mode: PassMode = PassMode.DELTA, **values: Any) -> PassReport:
    facts = {"stream": StreamName("files"), **values}
    made = PassReport(source=SourceName("backlist"), mode=mode, started_at=AT, **facts)
    for one in noted:
        made.warn(one)
    return made


def read(*reports: PassReport, errors: tuple[str, ...] = ()) -> dict[str, Any]:
    """The answer of resync."""
    delivery = {"settled": 0, "pending": 0, "parked": 0}
    told = [{"source": "backlist", "message": says, "hint": ""} for says in errors]
    return {"passes": [one.as_document() for one in reports], "orders": {}, "delivery": delivery, "errors": told}


def standing(*reports: PassReport, ended: bool = True, sources: tuple[str, ...] = ("backlist",)) -> dict[str, Any]:
    """The answer of status, the newest pass first."""
    ended_at = AT.isoformat() if ended else None
    streams = {"files": {"last_complete_at": None}}
    return {
        "sources": [{"source": name, "records": 1, "streams": streams} for name in sources],
        "passes": [{**one.as_document(), "ended_at": ended_at} for one in reports],
        "orders": {},
        "delivery": {},
        "quarantined": 1,
        "set_aside": {"held": 0},
        "paused": {},
    }


def aside(part: str = "feed.xml", **more: str) -> dict[str, Any]:
    row = {"id": "r1", "kind": "quarantined", "source": "backlist", "part": part, "record_reference": None, "line": 7}
    return {**row, "reason": "no reference", "at": AT.isoformat(), **more}


@pytest.fixture(autouse=True)
def no_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a shell that does not say how wide it is."""
    monkeypatch.delenv("COLUMNS", raising=False)


class TestLines:
    def test_a_line_in_a_pipe_stays_whole(self):
        lines = piped("resync", read(report(Noted(WarningKind.HEADER, LONG + "end")))).splitlines()
        assert f"  warning  {LONG}end" in lines

    def test_no_blanks_are_left_at_the_ends_of_lines_in_a_pipe(self):
        lines = piped("quarantine_list", {"records": [aside(), aside(reason=LONG + "end")]}).splitlines()
        assert all(line == line.rstrip() for line in lines)

    def test_columns_say_how_long_the_lines_in_a_pipe_are(self, monkeypatch):
        monkeypatch.setenv("COLUMNS", "60")
        text = piped("resync", read(report(Noted(WarningKind.HEADER, LONG))))
        assert 60 >= max(map(len, text.splitlines()))

    def test_a_long_warning_on_a_terminal_goes_on_below_its_beginning(self):
        lines = shown("resync", read(report(Noted(WarningKind.HEADER, LONG)))).splitlines()
        assert ["  warning  word", "           word"] == [line[:15] for line in lines if "word" in line][:2]

    def test_paths_below_the_current_directory_are_told_as_they_are_typed_there(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        feed, elsewhere = str(tmp_path / "feeds" / "a.xml"), str(tmp_path.parent / "b.xml")
        text = piped("quarantine_list", {"records": [aside(feed), aside(elsewhere)]})
        assert "  feeds/a.xml line 7" in text
        assert f"  {elsewhere} line 7" in text

    def test_at_the_root_paths_are_told_whole(self, monkeypatch):
        monkeypatch.chdir(Path("/"))
        assert "/feeds/a.xml line 7" in piped("quarantine_list", {"records": [aside("/feeds/a.xml")]})

    @pytest.mark.parametrize(
        ("sent", "told"),
        [("\x1b[2J", "\\x1b[2J"), ("\x9b2J", "\\x9b2J"), ("\r\x7f", "\\x0d\\x7f"), ("a\tb\r\nc é 中", "a\tb\nc é 中")],
        ids=["escape", "C1", "return and delete", "text"],
    )
    def test_control_characters_of_a_sender_do_not_reach_the_terminal(self, sent, told):
        text = shown("quarantine_show", {"record": aside(body=f"<a>{sent}</a>")})
        assert f"<a>{told}</a>".expandtabs() in text.expandtabs()


class TestAPass:
    def test_of_several_streams_each_is_named_with_its_last_pass(self):
        document = standing()
        document["sources"][0]["streams"] = {
            "metadata": {"last_complete_at": AT.isoformat()},
            "inventory": {"last_complete_at": None},
        }
        assert "last complete pass 2026-11-21 20:06:00Z (metadata), never (inventory)" in shown("status", document, 120)

    def test_one_is_told_in_the_singular(self):
        one = report(outcomes={**dict.fromkeys(RecordOutcome, 0), RecordOutcome.DUPLICATES: 1})
        text = shown("resync", read(one))
        assert "1 record, " in text
        assert "records  1 duplicate\n" in text

    def test_fields_that_changed_stand_by_how_often_and_then_by_name(self):
        text = shown("resync", read(report(changes={"title": 1, "price": 20, "form": 1})))
        assert "  changed  price 20, form 1, title 1\n" in text

    def test_of_several_streams_of_a_source_each_is_named_and_one_alone_is_not(self):
        streams = [report(stream=StreamName(name), complete=True) for name in ("metadata", "inventory")]
        text = shown("resync", read(*streams))
        assert "backlist metadata delta pass complete" in text
        assert "backlist inventory delta pass complete" in text
        assert "backlist delta pass complete" in shown("resync", read(report(complete=True)))

    def test_why_it_broke_off_is_told_once(self):
        broken = report(Noted(WarningKind.HEADER, "no sender"), Noted(WarningKind.BROKEN_OFF, "it is gone"))
        text = shown("resync", read(broken, errors=("it is gone",)))
        assert "no sender" in text
        assert "it is gone" not in text

    def test_of_many_warnings_the_first_are_told_and_all_are_counted_by_kind(self):
        codes = [Noted(WarningKind.UNKNOWN_CODE, f"code {number} is unknown") for number in range(1200)]
        text = shown("resync", read(report(Noted(WarningKind.DATE, "no date"), *codes)), width=120)
        assert 10 == text.count("warning  ")
        assert "1,201 warnings: unknown_code 1,200, date 1 (--json has the first 100)" in text

    @pytest.mark.parametrize("outcome", [RecordOutcome.QUARANTINED, RecordOutcome.HELD])
    def test_what_was_kept_apart_is_shown_the_way_to(self, outcome):
        kept = report(outcomes={**dict.fromkeys(RecordOutcome, 0), outcome: 1})
        assert "run.py quarantine list" in shown("resync", read(kept))

    def test_nothing_points_to_the_quarantine_where_nothing_was_kept_apart(self):
        assert "quarantine" not in shown("resync", read(report()))


class TestHowEverythingStands:
    def test_a_pass_that_broke_off_is_told_with_its_reason(self):
        broken = report(Noted(WarningKind.BROKEN_OFF, "no file matches feeds/*"))
        text = shown("status", standing(broken, report(complete=True), ended=False))
        assert "the last pass was not complete: no file matches feeds/*" in text

    def test_a_pass_that_broke_off_is_forgotten_after_a_complete_one(self):
        broken = report(Noted(WarningKind.BROKEN_OFF, "it is gone"))
        assert "it is gone" not in shown("status", standing(report(complete=True), broken))

    def test_a_pass_that_ended_with_a_torn_message_is_told_with_its_reason(self):
        torn = report(Noted(WarningKind.TRUNCATED, "the message ends inside a record"))
        assert "not complete: the message ends inside a record" in shown("status", standing(torn))

    def test_a_pass_under_way_is_told_with_how_far_it_is(self):
        running = report(outcomes={**dict.fromkeys(RecordOutcome, 0), RecordOutcome.ADDED: 15_189})
        assert "begun and not ended: 15,189 records so far" in shown("status", standing(running, ended=False))

    def test_records_that_were_read_again_do_not_hide_the_last_pass(self):
        broken = report(Noted(WarningKind.BROKEN_OFF, "it is gone"))
        again = report(mode=PassMode.SINGLE, complete=True)
        assert "it is gone" in shown("status", standing(again, broken))

    def test_files_named_on_the_command_line_have_a_line_too(self):
        assert "backlist  last pass 2026-11-21 20:06:00Z\n" in shown(
            "status", standing(report(complete=True), sources=())
        )

    def test_of_several_streams_each_is_named_with_its_last_pass(self):
        document = standing()
        document["sources"][0]["streams"] = {
            "metadata": {"last_complete_at": AT.isoformat()},
            "inventory": {"last_complete_at": None},
        }
        assert "last complete pass 2026-11-21 20:06:00Z (metadata), never (inventory)" in shown("status", document, 120)

    def test_one_is_told_in_the_singular(self):
        text = shown("status", standing())
        assert "1 record, last complete pass never" in text
        assert "1 record is quarantined" in text


class TestWhatWaits:
    def test_a_dropped_record_is_told_as_forgotten(self):
        assert "1 record forgotten:" in shown("quarantine_drop", {"records": [aside()]})

    def test_a_record_is_shown_with_its_bytes(self):
        document = {"record": aside(body="<Product>[bold]</Product>")}
        assert "\n\n<Product>[bold]</Product>\n" in shown("quarantine_show", document)
        assert shown("quarantine_show", document) == shown("parked_show", document)

    def test_a_call_is_shown_by_its_keys(self):
        assert "attempts         3" in shown("parked_show", {"entry": {"id": 1, "attempts": 3}})

    def test_records_that_were_read_again_are_told_as_such(self):
        again = report(outcomes={**dict.fromkeys(RecordOutcome, 0), RecordOutcome.ADDED: 2})
        text = shown("quarantine_retry", {"passes": [again.as_document()]})
        assert "backlist: 2 records read again\n  records  2 added\n" in text

    @pytest.mark.parametrize("command", ["pause", "resume"])
    def test_that_nothing_rests_is_told_in_words(self, command):
        assert "nothing is paused\n" == shown(command, {"paused": {}})
        assert "enq is paused: holidays" in shown(command, {"paused": {"enq": "holidays"}})


class TestSettings:
    def test_good_ones_are_told_to_be_good(self):
        text = shown("check_config", {"store": "s.db", "sources": {"backlist": "onix"}})
        assert "the settings are in order\n" in text


def test_each_long_work_has_its_line():
    written = io.StringIO()
    with Bars(Console(file=written, width=200, force_terminal=True, color_system=None)) as bars:
        bars.reading(SourceName("backlist"), "a.xml", bytes_read=2_500_000, records=300)
        bars.applying(SourceName("backlist"), applied=1_500, total=3_000)
        bars.deciding(decided=400, total=20_000)
        bars.delivered(settled=1, open_count=2)
    for says in ("2.5 MB, 300 records", "1,500 of 3,000 changes", "400 of 20,000 titles", "1 calls settled, 2 owed"):
        assert says in written.getvalue()
