"""Acknowledgements: what one says of a pass, where it is put, and that it is whole whatever happens."""

from __future__ import annotations

import resource
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from adapters.files.acknowledgement import Acknowledgement, acknowledgements
from adapters.files.acknowledgement_xml import (
    NAMESPACE,
    SEVERITIES,
    MessageStatus,
    RecordStatus,
    Severity,
    message_status,
    record_status,
)
from syncengine.domain.frame import FrameIndex, MessageHeader
from syncengine.domain.ids import RecordReference, SourceName, StreamName
from syncengine.domain.passes import Noted, PassMode, PassReport, RecordOutcome, WarningKind
from syncengine.domain.product import ProductIdentifier
from syncengine.errors import InputUnreadable, NotOnix
from syncengine.onix.framing import Framer
from tests.clock import START, JumpClock

SOURCE, STREAM = SourceName("enq"), StreamName("catalogue")
ISBN = ProductIdentifier(type="15", value="9782764410004")
HEADER = MessageHeader(sender="Éditions A & B", number="4711", repeat="2", sent_at_text="20261101T0800Z")
CUT = Noted(WarningKind.QUARANTINED, "no end tag for <x>")
NO_AMOUNT = Noted(WarningKind.AMOUNT, "PriceAmount 'N/A' is no amount and was left out")
STRIPPED = Noted(WarningKind.STRIPPED_CODE, "PriceType '02 ' has blanks around it")


def report_of(*, complete: bool = True, warned: tuple[Noted, ...] = (), **outcomes: int) -> PassReport:
    report = PassReport(source=SOURCE, stream=STREAM, mode=PassMode.DELTA, started_at=START, complete=complete)
    for name, count in outcomes.items():
        report.count(RecordOutcome(name), count)
    for noted in warned:
        report.warn(noted)
    return report


@pytest.fixture
def path(tmp_path):
    return tmp_path / "ack.xml"


@pytest.fixture
def clock():
    return JumpClock(START + timedelta(seconds=90))


@pytest.fixture
def acknowledgement(path, clock):
    return Acknowledgement(path, clock)


def read(path: Path) -> Any:
    return etree.fromstring(path.read_bytes())


def texts(root: Any, where: str) -> list[str]:
    """The texts of the elements on a path of names below the root."""
    return [found.text for found in root.iterfind("/".join(f"{{{NAMESPACE}}}{name}" for name in where.split("/")))]


def names(element: Any) -> list[str]:
    return [etree.QName(child).localname for child in element]


class TestAPass:
    def test_it_names_the_parties_the_instant_and_the_status(self, acknowledgement, path):
        acknowledgement.message("/in/catalogue.xml", HEADER)
        acknowledgement.conclude(report_of(added=3))
        root = read(path)
        assert (f"{{{NAMESPACE}}}ONIXMessageAcknowledgement", "3.0") == (root.tag, root.get("release"))
        assert ["SyncEngine enq"] == texts(root, "Header/Sender/SenderName")
        assert ["Éditions A & B"] == texts(root, "Header/Addressee/AddresseeName")
        assert ["enq-catalogue-20260302T120000Z"] == texts(root, "Header/MessageNumber")
        assert ["20260302T120130Z"] == texts(root, "Header/SentDateTime")
        assert ["03"] == texts(root, "Header/MessageStatus")

    def test_each_message_is_named_by_its_own_number_and_date_and_each_sender_once(self, acknowledgement, path):
        acknowledgement.message("/srv/shop/in/catalogue.xml", HEADER)
        acknowledgement.message("/srv/shop/in/a.zip:'more.xml'", HEADER)
        acknowledgement.message("page 3", MessageHeader())
        acknowledgement.conclude(report_of())
        root = read(path)
        sent = "message number 4711, repeat 2, sent 20261101T0800Z, by Éditions A & B, read as"
        assert [f"{sent} catalogue.xml", f"{sent} a.zip:more.xml", "message read as page 3"] == texts(
            root, "Header/MessageStatusDetail/StatusDetailText"
        )
        assert ["I"] * 3 == texts(root, "Header/MessageStatusDetail/StatusDetailType")
        assert ["Éditions A & B"] == texts(root, "Header/Addressee/AddresseeName")

    def test_a_pass_without_anything_to_report_has_no_product(self, acknowledgement, path):
        acknowledgement.message("page 1", HEADER)
        acknowledgement.conclude(report_of(unchanged=10, added=2))
        assert ["Header", "NoProduct"] == names(read(path))

    def test_a_record_stands_with_its_reference_status_identifiers_and_warnings(self, acknowledgement, path):
        proprietary = ProductIdentifier(type="01", value="X<1>", type_name="shop")
        outcome = RecordOutcome.CHANGED
        acknowledgement.record(RecordReference("A-1"), [ISBN, proprietary], outcome, [NO_AMOUNT, STRIPPED])
        acknowledgement.conclude(report_of(changed=1, warned=(NO_AMOUNT, STRIPPED)))
        root = read(path)
        [product] = root.iterfind(f"{{{NAMESPACE}}}Product")
        identifiers, details = ["ProductIdentifier"] * 2, ["RecordStatusDetail"] * 2
        assert ["RecordReference", "RecordStatus", *identifiers, *details] == names(product)
        assert ["A-1"] == texts(product, "RecordReference")
        assert ["02"] == texts(product, "RecordStatus")
        assert ["15", "01"] == texts(product, "ProductIdentifier/ProductIDType")
        assert ["shop"] == texts(product, "ProductIdentifier/IDTypeName")
        assert ["9782764410004", "X<1>"] == texts(product, "ProductIdentifier/IDValue")
        assert ["E", "W"] == texts(product, "RecordStatusDetail/StatusDetailType")
        assert ["01", "01"] == texts(product, "RecordStatusDetail/StatusDetailCodeType")
        assert ["SyncEngine", "SyncEngine"] == texts(product, "RecordStatusDetail/StatusDetailCodeTypeName")
        assert ["amount", "stripped_code"] == texts(product, "RecordStatusDetail/StatusDetailCode")
        assert [NO_AMOUNT.says, STRIPPED.says] == texts(product, "RecordStatusDetail/StatusDetailText")

    def test_a_record_whose_reference_cannot_be_read_is_reported_without_one(self, acknowledgement, path):
        acknowledgement.record(None, [], RecordOutcome.QUARANTINED, [CUT])
        acknowledgement.conclude(report_of(quarantined=1, warned=(CUT,)))
        [product] = read(path).iterfind(f"{{{NAMESPACE}}}Product")
        assert ["RecordStatus", "RecordStatusDetail"] == names(product)
        assert ["F"] == texts(product, "RecordStatusDetail/StatusDetailType")

    def test_records_are_summed_up_by_status(self, acknowledgement, path):
        acknowledgement.record(RecordReference("A-1"), [], RecordOutcome.ADDED, [NO_AMOUNT])
        acknowledgement.record(RecordReference("A-2"), [], RecordOutcome.ADDED, [STRIPPED])
        acknowledgement.record(RecordReference("A-3"), [], RecordOutcome.QUARANTINED, [CUT])
        acknowledgement.conclude(report_of(unchanged=7, added=2, quarantined=1))
        root = read(path)
        assert ["00", "02", "03"] == texts(root, "Header/RecordStatusSummary/RecordStatus")
        assert ["8", "1", "1"] == texts(root, "Header/RecordStatusSummary/NumberOfRecords")
        assert ["02", "00", "03"] == texts(root, "Product/RecordStatus")

    def test_warnings_that_no_record_tells_are_counted_in_the_header(self, acknowledgement, path):
        cut = Noted(WarningKind.TRUNCATED, "catalogue.xml ends inside a record")
        acknowledgement.record(RecordReference("A-1"), [], RecordOutcome.ADDED, [STRIPPED])
        acknowledgement.conclude(report_of(complete=False, added=1, warned=(cut, STRIPPED)))
        root = read(path)
        assert ["truncated"] == texts(root, "Header/MessageStatusDetail/StatusDetailCode")
        assert ["E"] == texts(root, "Header/MessageStatusDetail/StatusDetailType")
        [says] = texts(root, "Header/MessageStatusDetail/StatusDetailText")
        assert says.startswith("1 of this kind")

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("a\x0bb\x10", "a�b�"),
            ("cut \ud83d short", "cut � short"),
            ("end \ufffe\uffff", "end ��"),
            ("]]> & <x a='1'>", "]]> & <x a='1'>"),
            ("\U0001d11e é 日本", "\U0001d11e é 日本"),
        ],
        ids=["control characters", "lone surrogate", "no characters", "markup", "any script"],
    )
    def test_it_is_well_formed_whatever_its_texts_hold(self, acknowledgement, path, text, expected):
        acknowledgement.message(text, MessageHeader(sender=text, number=text))
        identifier = ProductIdentifier(type=text, value=text, type_name=text)
        noted = Noted(WarningKind.QUARANTINED, text)
        acknowledgement.record(RecordReference(text), [identifier], RecordOutcome.QUARANTINED, [noted])
        acknowledgement.conclude(report_of(quarantined=1))
        root = read(path)
        assert [expected] == texts(root, "Product/RecordReference")
        assert [expected] == texts(root, "Product/ProductIdentifier/IDValue")
        assert [expected] == texts(root, "Product/RecordStatusDetail/StatusDetailText")
        assert [expected] == texts(root, "Header/Addressee/AddresseeName")

    def test_more_records_than_stay_in_memory_come_out_in_order(self, acknowledgement, path):
        count = 5_000
        for number in range(count):
            acknowledgement.record(RecordReference(f"A-{number}"), [ISBN], RecordOutcome.ADDED, [NO_AMOUNT])
        acknowledgement.conclude(report_of(added=count))
        assert path.stat().st_size > 1 << 20
        assert [f"A-{number}" for number in range(count)] == texts(read(path), "Product/RecordReference")

    def test_this_engine_does_not_read_its_own_acknowledgement_as_a_message(self, acknowledgement, path):
        acknowledgement.record(RecordReference("A-1"), [ISBN], RecordOutcome.ADDED, [NO_AMOUNT])
        acknowledgement.conclude(report_of(added=1))
        framer = Framer(seed=1, index=FrameIndex())
        with pytest.raises(NotOnix, match="an ONIX acknowledgement"):
            framer.feed(path.read_bytes())

    def test_its_elements_are_those_of_the_known_example_where_that_has_them(self, acknowledgement, path, onix_samples):
        example = etree.parse(onix_samples / "onix-viewer" / "onix-3.0-acknowledgement.xml").getroot()
        acknowledgement.message("page 1", HEADER)
        acknowledgement.record(RecordReference("A-1"), [ISBN], RecordOutcome.ADDED, [NO_AMOUNT])
        acknowledgement.conclude(report_of(added=1))
        written = read(path)
        # The place of a defect is the one thing of the example that is not told.
        known = {element.tag for element in example.iter("*")} - {f"{{{NAMESPACE}}}StatusDetailXPath"}
        assert known <= {element.tag for element in written.iter("*")}
        assert example.attrib == written.attrib


class TestStatus:
    @pytest.mark.parametrize(
        ("expected", "complete", "outcomes"),
        [
            (MessageStatus.PROCESSED, True, {"unchanged": 3, "added": 1}),
            (MessageStatus.PROCESSED, True, {}),
            (MessageStatus.PROCESSED, True, {"ignored": 1}),
            (MessageStatus.PART_PROCESSED, True, {"added": 1, "quarantined": 1}),
            (MessageStatus.PART_PROCESSED, True, {"held": 1}),
            (MessageStatus.PART_PROCESSED, False, {"added": 1}),
            (MessageStatus.REJECTED, True, {"quarantined": 2}),
            (MessageStatus.REJECTED, False, {}),
        ],
        ids=[
            "all taken",
            "nothing sent",
            "a test record",
            "one quarantined",
            "an update that waits",
            "broken off",
            "all quarantined",
            "broken off before the first record",
        ],
    )
    def test_a_message_is_processed_only_where_nothing_of_it_waits(self, expected, complete, outcomes):
        assert expected is message_status(report_of(complete=complete, **outcomes))

    @pytest.mark.parametrize(
        ("expected", "outcome", "noted"),
        [
            (RecordStatus.CLEAN, RecordOutcome.ADDED, [STRIPPED]),
            (RecordStatus.WITH_ERRORS, RecordOutcome.ADDED, [STRIPPED, NO_AMOUNT]),
            (RecordStatus.REJECTED, RecordOutcome.QUARANTINED, [CUT]),
            (RecordStatus.REJECTED, RecordOutcome.HELD, [Noted(WarningKind.HELD, "its base never came")]),
            (RecordStatus.CLEAN, RecordOutcome.IGNORED, [Noted(WarningKind.SET_ASIDE, "a test record")]),
        ],
        ids=["only warnings", "something dropped", "quarantined", "held", "a test record"],
    )
    def test_a_record_is_told_by_what_was_taken_of_it(self, expected, outcome, noted):
        assert expected is record_status(outcome, noted)

    def test_every_kind_of_warning_has_a_severity(self):
        assert set(WarningKind) == set(SEVERITIES)

    def test_what_drops_a_record_is_fatal_and_what_drops_a_datum_an_error(self):
        assert Severity.FATAL is SEVERITIES[WarningKind.QUARANTINED]
        assert Severity.ERROR is SEVERITIES[WarningKind.AMOUNT]


class TestFiles:
    def test_a_single_pass_takes_the_name_as_it_is(self, path, clock):
        begin = acknowledgements(path, [(SOURCE, STREAM)], dry_run=False, clock=clock)
        begin(SOURCE, STREAM).conclude(report_of())
        assert [path] == list(path.parent.iterdir())

    def test_of_several_passes_each_has_its_source_and_stream_in_the_name(self, path, clock):
        passes = [(SOURCE, STREAM), (SOURCE, StreamName("prices")), (SourceName("backlist"), StreamName("files"))]
        begin = acknowledgements(path, passes, dry_run=False, clock=clock)
        for source, stream in passes:
            begin(source, stream).conclude(report_of())
        written = sorted(file.name for file in path.parent.iterdir())
        assert ["ack-backlist-files.xml", "ack-enq-catalogue.xml", "ack-enq-prices.xml"] == written

    def test_a_dry_run_says_that_it_is_one(self, path, clock):
        acknowledgements(path, [(SOURCE, STREAM)], dry_run=True, clock=clock)(SOURCE, STREAM).conclude(report_of())
        assert ["dry run: nothing of this was applied"] == texts(read(path), "Header/MessageNote")

    def test_nothing_is_there_before_the_pass_has_ended(self, path, clock):
        acknowledgement = acknowledgements(path, [(SOURCE, STREAM)], dry_run=False, clock=clock)(SOURCE, STREAM)
        for number in range(5_000):
            acknowledgement.record(RecordReference(f"A-{number}"), [ISBN], RecordOutcome.ADDED, [NO_AMOUNT])
        assert [] == list(path.parent.iterdir())
        acknowledgement.conclude(report_of(added=5_000))

    @pytest.mark.parametrize("before", [b"", b"<?xml version='1.0'?><ONIXMessageAcknowledgement release='3.0'/>"])
    def test_an_earlier_acknowledgement_or_an_empty_file_is_replaced(self, path, clock, before):
        path.write_bytes(before)
        begin = acknowledgements(path, [(SOURCE, STREAM)], dry_run=False, clock=clock)
        begin(SOURCE, STREAM).conclude(report_of())
        assert ["Header", "NoProduct"] == names(read(path))

    @pytest.mark.parametrize(
        ("name", "says"),
        [
            ("none/ack.xml", "No such file or directory"),
            ("catalogue.xml/ack.xml", "Not a directory"),
            ("folder", "is there and is no acknowledgement"),
            ("catalogue.xml", "is there and is no acknowledgement"),
        ],
        ids=["no such folder", "a file as folder", "a folder", "the catalogue itself"],
    )
    def test_a_name_that_cannot_be_written_to_is_refused_before_the_pass(self, tmp_path, clock, name, says):
        (tmp_path / "folder").mkdir()
        (tmp_path / "catalogue.xml").write_text("<ONIXMessage/>")
        with pytest.raises(InputUnreadable, match=says) as raised:
            acknowledgements(tmp_path / name, [(SOURCE, STREAM)], dry_run=False, clock=clock)
        assert str(tmp_path / name) in str(raised.value)
        assert raised.value.hint
        assert "<ONIXMessage/>" == (tmp_path / "catalogue.xml").read_text()

    def test_a_folder_that_went_away_is_told_at_the_end(self, tmp_path, clock):
        folder = tmp_path / "acks"
        folder.mkdir()
        acknowledgement = Acknowledgement(folder / "ack.xml", clock)
        shutil.rmtree(folder)
        with pytest.raises(InputUnreadable, match="cannot be written"):
            acknowledgement.conclude(report_of())

    def test_a_full_disk_keeps_no_record_from_being_read_and_leaves_the_earlier_file(self, path, clock):
        path.write_text("<ONIXMessageAcknowledgement/>")
        acknowledgement = Acknowledgement(path, clock)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, hard))
        try:
            for number in range(10_000):
                acknowledgement.record(RecordReference(f"A-{number}"), [ISBN], RecordOutcome.ADDED, [NO_AMOUNT])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        with pytest.raises(InputUnreadable, match="File too large"):
            acknowledgement.conclude(report_of(added=10_000))
        assert [path] == list(path.parent.iterdir())
        assert "<ONIXMessageAcknowledgement/>" == path.read_text()
