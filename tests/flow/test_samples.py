"""Every real 3.x file, read twice: what lxml counts is accounted for, and the second reading adds and changes nothing."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from lxml import etree

from adapters.files import FileSource, OnixRules
from state.sqlite import open_store
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.ports import Account, Distributor
from syncengine.service.intake import Intake
from syncengine.service.parsers import Parsers
from syncengine.service.work import PassOptions
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.records import sample_paths

FILE = SourceName("file")
OPTIONS = PassOptions(wanted=PassMode.DELTA, stage_deltas=True, stop_on_older=False)


def is_onix_3(content: bytes) -> bool:
    return (b'release="3' in content or b"/onix/3." in content) and b"cknowledgement" not in content


SAMPLES = [path for path in sample_paths() if is_onix_3(path.read_bytes())]


def counted_by_lxml(path: Path) -> int | None:
    """The records that stand directly below the root, or are it; none where lxml refuses the file."""
    try:
        root = etree.fromstring(path.read_bytes())
    except etree.XMLSyntaxError:
        return None
    found = [root, *root] if etree.QName(root).localname in {"Product", "product"} else list(root)
    return sum(isinstance(e.tag, str) and etree.QName(e).localname in {"Product", "product"} for e in found)


@pytest.mark.parametrize("path", SAMPLES or [Path("absent")], ids=lambda path: "/".join(path.parts[-2:]))
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

    expected = counted_by_lxml(path)
    for report in (first, second):
        assert expected in {None, report.records}
        assert report.records == sum(report.outcomes.values())
        assert report.complete
    assert first.records == second.records
    assert (second.outcomes[RecordOutcome.ADDED], second.outcomes[RecordOutcome.CHANGED]) == (0, 0)
    assert first.outcomes[RecordOutcome.QUARANTINED] == second.outcomes[RecordOutcome.QUARANTINED]
    if expected is None and path.parent.name != "elibri":
        assert first.outcomes[RecordOutcome.QUARANTINED] > 0
        assert first.warnings


def test_the_samples_have_files_of_release_3(onix_samples):
    assert len(SAMPLES) > 100
