"""Every real file, read twice: what lxml counts is accounted for, and the second reading adds and changes nothing."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from adapters.files import FileSource, OnixRules
from state.sqlite import open_store
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.errors import NotOnix
from syncengine.onix.framing import Framer
from syncengine.ports import Account, Distributor
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.records import sample_paths

FILE = SourceName("file")
OPTIONS = PassOptions(wanted=PassMode.DELTA, stage_deltas=True, stop_on_older=False, by_hand=True)
STRANGERS = {
    "im_onix/test_collection.xml": "root element is <Collection>",
    "jonix/tester.xml": "root element is <Root>",
    "onix-viewer/malformed.xml": "root element is <root>",
    "onix-viewer/onix-3.0-acknowledgement-short.xml": "an ONIX acknowledgement",
    "onix-viewer/onix-3.0-acknowledgement.xml": "an ONIX acknowledgement",
    "onix-viewer/with-cdata.xml": "root element is <config>",
    "onix-viewer/with-comments.xml": "root element is <catalog>",
}
"""Files that are no messages with products, and what is said of them."""

WITHOUT_REFERENCES = {
    "onix-data/Onix2CoreDataSample1.xml": 1,
    "onix-data/Onix3sample_refnames_badchar.xml": 3,
    "onix-data/Onix3sample_refnames_badchar_2.xml": 3,
}
"""The only files with records that cannot be taken, and how many: none of these has a RecordReference."""


def name_of(path: Path) -> str:
    return "/".join(path.parts[-2:])


MESSAGES = [path for path in sample_paths() if name_of(path) not in STRANGERS]


def framed(content: bytes) -> int:
    framer = Framer(seed=0, index=FrameIndex())
    framer.feed(content)
    framer.close()
    return framer.records


def counted_by_lxml(path: Path) -> int:
    """The records that stand directly below the root, or are it; of a file that is not well-formed, as far as lxml mends it."""
    content = path.read_bytes()
    try:
        root = etree.fromstring(content)
    except etree.XMLSyntaxError:
        root = etree.fromstring(content, etree.XMLParser(recover=True, no_network=True))
    elements = [root, *root.iterchildren("*")]
    return sum(etree.QName(element).localname in {"Product", "product"} for element in elements)


@pytest.mark.parametrize("path", MESSAGES or [Path("absent")], ids=name_of)
async def test_a_file_read_twice_adds_up_and_changes_nothing(onix_samples, path, tmp_path):
    clock = JumpClock()
    store = await open_store(f"sqlite:{tmp_path}/store.db", clock=clock)
    rules = OnixRules(markets=(), zone=ZoneInfo("UTC"))
    account = Account(kind="onix", address="files", organisation="")

    async def read() -> PassReport:
        source = FileSource(FILE, [path])
        distributor = Distributor(source=source, rules=rules, calls=None, account=account)
        intake = Intake(distributor, store, clock, Parsers(), GuardSettings())
        return await intake.run(intake.streams[0], OPTIONS)

    first, second = await read(), await read()
    await store.aclose()

    for report in (first, second):
        assert counted_by_lxml(path) == report.records
        assert report.records == sum(report.outcomes.values())
        assert report.complete
        assert WITHOUT_REFERENCES.get(name_of(path), 0) == report.outcomes[RecordOutcome.QUARANTINED]
    assert (0, 0) == (second.outcomes[RecordOutcome.ADDED], second.outcomes[RecordOutcome.CHANGED])


@pytest.mark.parametrize("name", STRANGERS)
def test_a_file_that_is_no_message_with_products_is_said_to_be_what_it_is(onix_samples, name):
    with pytest.raises(NotOnix, match=STRANGERS[name]):
        framed((onix_samples / name).read_bytes())


def test_the_samples_are_there(onix_samples):
    assert len(MESSAGES) > 130
