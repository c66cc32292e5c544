"""A table over every sample file: what lxml counts in it, what the engine reads of it, and what it warns of.

`python -m tests.tables.samples` prints it as Markdown.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from lxml import etree

from adapters.files import FileSource, OnixRules
from state.sqlite import open_store
from syncengine.domain.frame import FrameIndex
from syncengine.domain.ids import SourceName
from syncengine.domain.passes import PassMode, PassReport, RecordOutcome
from syncengine.domain.tags import REFERENCE_NAMES, SHORT_TAGS, XHTML_NAMES
from syncengine.errors import SyncEngineError
from syncengine.onix.framing import Framer
from syncengine.ports import Account, AsideKind, Distributor, Urgency
from syncengine.service.intake import Intake
from syncengine.service.options import PassOptions
from syncengine.service.parsers import Parsers
from syncengine.settings import GuardSettings
from tests.clock import JumpClock
from tests.records import sample_paths

FILE = SourceName("file")
OPTIONS = PassOptions(wanted=PassMode.DELTA, stage_deltas=True, stop_on_older=False, by_hand=True)
PRODUCT_NAMES = {"Product", "product"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One file: what was found in it."""

    name: str
    release: str
    tags: str
    lxml: str
    report: PassReport | None
    reasons: tuple[str, ...]
    refused: str


def counted_by_lxml(path: Path) -> tuple[str, str]:
    """The records that stand directly below the root, or are it, and the tag styles used; words where lxml refuses the file."""
    content = path.read_bytes()
    try:
        root = etree.fromstring(content, etree.XMLParser(load_dtd=False, no_network=True))
        mended = ""
    except etree.XMLSyntaxError:
        root = etree.fromstring(content, etree.XMLParser(recover=True, load_dtd=False, no_network=True))
        mended = " (mended)"
    if root is None:
        return "refused", ""
    names = {etree.QName(node).localname for node in root.iter("*")}
    found = [root, *root] if etree.QName(root).localname in PRODUCT_NAMES else list(root)
    count = sum(isinstance(node.tag, str) and etree.QName(node).localname in PRODUCT_NAMES for node in found)
    styles = {"short": names & set(REFERENCE_NAMES), "reference": names & set(SHORT_TAGS)}
    return f"{count}{mended}", "+".join(style for style, found in styles.items() if found - XHTML_NAMES)


async def read(path: Path) -> tuple[PassReport | None, tuple[str, ...], str]:
    """One pass over the file into an empty store."""
    with tempfile.TemporaryDirectory() as folder:
        clock = JumpClock()
        store = await open_store(f"sqlite:{folder}/store.db", clock=clock)
        rules = OnixRules(markets=(), zone=ZoneInfo("UTC"))
        account = Account(kind="onix", address="files", organisation="")
        distributor = Distributor(source=FileSource(FILE, [path]), rules=rules, calls=None, account=account)
        intake = Intake(distributor, store, clock, Parsers(), GuardSettings())
        try:
            report = await intake.run(intake.streams[0], OPTIONS)
        except SyncEngineError as error:
            return None, (), f"{error}".removeprefix(f"{path}: ")
        finally:
            async with store.transaction(Urgency.COMMAND) as tx:
                aside = await tx.records.aside(FILE, (AsideKind.QUARANTINED,))
            await store.aclose()
        return report, tuple(row.reason for row in aside), ""


def release_of(path: Path) -> str:
    """What the framing says of the release."""
    framer = Framer(seed=0, index=FrameIndex())
    try:
        framer.feed(path.read_bytes())
        framer.close()
    except SyncEngineError:
        return "-"
    return framer.context.release if framer.context else "-"


async def rows() -> list[Row]:
    """Every sample file, by name."""
    found = []
    for path in sample_paths():
        lxml, tags = counted_by_lxml(path)
        report, reasons, refused = await read(path)
        name = f"{path.parent.name}/{path.name}"
        found.append(
            Row(
                name=name,
                release=release_of(path),
                tags=tags,
                lxml=lxml,
                report=report,
                reasons=reasons,
                refused=refused,
            )
        )
    return found


def spelled(row: Row) -> str:
    """The row in Markdown."""
    if row.report is None:
        cells = [row.name, row.release, row.tags, row.lxml, "-", "-", "-", f"refused: {row.refused}"]
        return f"| {' | '.join(cells)} |"
    outcomes = row.report.outcomes
    quarantined = outcomes[RecordOutcome.QUARANTINED]
    reasons = ", ".join(f"{count} x {reason}" for reason, count in Counter(row.reasons).items())
    others = ", ".join(
        f"{number} {outcome.value}"
        for outcome, number in outcomes.items()
        if number and outcome not in {RecordOutcome.ADDED, RecordOutcome.QUARANTINED}
    )
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(row.report.warning_kinds.items()))
    cells = [
        row.name,
        row.release,
        row.tags,
        row.lxml,
        str(row.report.records),
        str(outcomes[RecordOutcome.ADDED]) + (f" ({others})" if others else ""),
        f"{quarantined}: {reasons}" if quarantined else "0",
        kinds + ("" if row.report.complete else " (not complete)"),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    print("| file | release | tags | lxml | read | added | quarantined | warnings |")
    print("|---|---|---|---|---|---|---|---|")
    for row in asyncio.run(rows()):
        print(spelled(row))


if __name__ == "__main__":
    main()
