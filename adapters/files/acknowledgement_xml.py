"""An ONIX acknowledgement in words: what became of messages and records, spelled as the acknowledgement format has it.

The format's schema is not in hand (reference/onix.md 2.15). Of the names below, those in the known examples are sure, and so are
`MessageStatusDetail` and `RecordStatusSummary`, which the notes of list 221 name. Provisional: `StatusDetailCodeTypeName` (after
`IDTypeName`), `NumberOfRecords`, the header's `MessageNote`, the order of what follows `MessageStatus`, and that the messages
acknowledged are named in one `MessageStatusDetail` each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import PurePath
from xml.sax.saxutils import escape

from syncengine.domain.frame import MessageHeader
from syncengine.domain.ids import RecordReference
from syncengine.domain.passes import Noted, PassReport, RecordOutcome, WarningKind
from syncengine.domain.product import ProductIdentifier

NAMESPACE = "http://ns.editeur.org/onix/acknowledgement/3.0/reference"
OPENING = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<ONIXMessageAcknowledgement release="3.0" xmlns="{NAMESPACE}">\n<Header>\n'
)
HEADER_END = "</Header>\n"
NO_PRODUCT = "<NoProduct/>\n"
CLOSING = "</ONIXMessageAcknowledgement>\n"

_NAME = "SyncEngine"
"""Of this sender, and of its scheme of proprietary codes: the words that pass reports count warnings by."""
_PROPRIETARY = "01"
"""List 223."""
_MESSAGE_CODE = "message"
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class MessageStatus(StrEnum):
    """List 221. A pass that has ended is never 00, received and not yet parsed."""

    REJECTED = "01"
    PART_PROCESSED = "02"
    PROCESSED = "03"


class RecordStatus(StrEnum):
    """List 226, without 01 and 09: no collateral files are read, and nothing is acknowledged twice."""

    CLEAN = "00"
    WITH_ERRORS = "02"
    REJECTED = "03"


class Severity(StrEnum):
    """List 224."""

    INFORMATION = "I"
    QUERY = "Q"
    WARNING = "W"
    ERROR = "E"
    """A datum was dropped, the rest was kept."""
    FATAL = "F"
    """The record, or the message, was dropped."""


SEVERITIES: Mapping[WarningKind, Severity] = {
    WarningKind.ENCODING: Severity.WARNING,
    WarningKind.CONTROL_CHARACTERS: Severity.WARNING,
    WarningKind.ENTITIES: Severity.WARNING,
    WarningKind.NAMESPACE: Severity.WARNING,
    WarningKind.ROOT: Severity.WARNING,
    WarningKind.RELEASE: Severity.WARNING,
    WarningKind.HEADER: Severity.WARNING,
    WarningKind.STRAY_CONTENT: Severity.ERROR,
    WarningKind.TRUNCATED: Severity.ERROR,
    WarningKind.EMPTY: Severity.WARNING,
    WarningKind.CUT_RECORD: Severity.FATAL,
    WarningKind.DUPLICATE_REFERENCE: Severity.WARNING,
    WarningKind.MISSING_REFERENCE: Severity.WARNING,
    WarningKind.INVALID_IDENTIFIER: Severity.WARNING,
    WarningKind.REKEYED: Severity.QUERY,
    WarningKind.UNKNOWN_CODE: Severity.WARNING,
    WarningKind.STRIPPED_CODE: Severity.WARNING,
    WarningKind.AMOUNT: Severity.ERROR,
    WarningKind.DATE: Severity.WARNING,
    WarningKind.INCOMPLETE: Severity.ERROR,
    WarningKind.FILLER: Severity.WARNING,
    WarningKind.BLOCK_UPDATE: Severity.WARNING,
    WarningKind.HELD: Severity.ERROR,
    WarningKind.SET_ASIDE: Severity.INFORMATION,
    WarningKind.UNKNOWN_DELETE: Severity.WARNING,
    WarningKind.QUARANTINED: Severity.FATAL,
    WarningKind.OLDER_MESSAGE: Severity.WARNING,
    WarningKind.REPEATED_MESSAGE: Severity.INFORMATION,
    WarningKind.NUMBER_GAP: Severity.QUERY,
    WarningKind.GUARD: Severity.INFORMATION,
    WarningKind.BROKEN_OFF: Severity.ERROR,
}
"""How much each kind of warning weighs for who sent the message."""

_LOSSES = {Severity.ERROR, Severity.FATAL}
_NOT_TAKEN = {RecordOutcome.QUARANTINED, RecordOutcome.HELD}
"""Nothing of these records is in the catalogue; they wait for a person, or for the record they change."""


def record_status(outcome: RecordOutcome, noted: Iterable[Noted]) -> RecordStatus:
    """Rejected where nothing of the record was taken, with errors where something was dropped of it."""
    if outcome in _NOT_TAKEN:
        return RecordStatus.REJECTED
    if any(SEVERITIES[one.kind] in _LOSSES for one in noted):
        return RecordStatus.WITH_ERRORS
    return RecordStatus.CLEAN


def message_status(report: PassReport) -> MessageStatus:
    """Processed only where the pass came to its end and no record waits: what was set aside may yet be taken."""
    waiting = sum(report.outcomes[outcome] for outcome in _NOT_TAKEN)
    if report.complete and not waiting:
        return MessageStatus.PROCESSED
    if report.records > report.outcomes[RecordOutcome.QUARANTINED]:
        return MessageStatus.PART_PROCESSED
    return MessageStatus.REJECTED


# --- the header ---------------------------------------------------------------------------------------------------------


def header_start(report: PassReport, addressees: Iterable[str], sent_at: datetime, *, note: str = "") -> str:
    """From the sender to the status: who tells whom, when, and what became of the messages as a whole."""
    number = f"{report.source}-{report.stream}-{_instant(report.started_at)}"
    lines = [
        _composite("Sender", _element("SenderName", f"{_NAME} {report.source}")),
        *(_composite("Addressee", _element("AddresseeName", name)) for name in addressees),
        _element("MessageNumber", number),
        _element("SentDateTime", _instant(sent_at)),
        *([_element("MessageNote", note)] if note else []),
        _element("MessageStatus", message_status(report)),
    ]
    return "".join(f"{line}\n" for line in lines)


def message_detail(part: str, header: MessageHeader) -> str:
    """One message that is acknowledged, by what its header says of it; of `part`, a file, without the folders it lay in."""
    facts = {
        "number": header.number,
        "repeat": header.repeat,
        "sent": header.sent_at_text,
        "by": header.sender,
        "read as": PurePath(part.replace("'", "")).name,
    }
    says = ", ".join(f"{name} {value}" for name, value in facts.items() if value)
    return _detail("MessageStatusDetail", Severity.INFORMATION, _MESSAGE_CODE, f"message {says}") + "\n"


def header_rest(report: PassReport, told: Mapping[WarningKind, int], statuses: Mapping[RecordStatus, int]) -> str:
    """How many warnings the records do not tell, and how many records came to which status.

    `told` counts the warnings that stand with the records below, `statuses` those records.
    """
    return "".join(f"{line}\n" for line in (*_untold(report, told), *_summaries(report, statuses)))


def _untold(report: PassReport, told: Mapping[WarningKind, int]) -> Iterator[str]:
    for kind, severity in SEVERITIES.items():
        count = report.warning_kinds.get(kind, 0) - told.get(kind, 0)
        if count > 0:
            says = f"{count} of this kind, besides what is told with the records"
            yield _detail("MessageStatusDetail", severity, kind, says)


def _summaries(report: PassReport, statuses: Mapping[RecordStatus, int]) -> Iterator[str]:
    """A count for every status; records that were rejected before an interruption are in the report alone."""
    rejected = sum(report.outcomes[outcome] for outcome in _NOT_TAKEN)
    with_errors = statuses.get(RecordStatus.WITH_ERRORS, 0)
    counts = {
        RecordStatus.CLEAN: max(report.records - rejected - with_errors, 0),
        RecordStatus.WITH_ERRORS: with_errors,
        RecordStatus.REJECTED: rejected,
    }
    for status, count in counts.items():
        parts = _element("RecordStatus", status), _element("NumberOfRecords", str(count))
        yield _composite("RecordStatusSummary", *parts)


def _instant(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


# --- records ------------------------------------------------------------------------------------------------------------


def product(
    reference: RecordReference | None,
    identifiers: Iterable[ProductIdentifier],
    status: RecordStatus,
    noted: Sequence[Noted],
) -> str:
    """The line of one record that is reported."""
    parts = [
        *([_element("RecordReference", reference)] if reference else []),
        _element("RecordStatus", status),
        *map(_identifier, identifiers),
        *(_detail("RecordStatusDetail", SEVERITIES[one.kind], one.kind, one.says) for one in noted),
    ]
    return _composite("Product", *parts) + "\n"


def _identifier(identifier: ProductIdentifier) -> str:
    parts = [
        _element("ProductIDType", identifier.type),
        *([_element("IDTypeName", identifier.type_name)] if identifier.type_name else []),
        _element("IDValue", identifier.value),
    ]
    return _composite("ProductIdentifier", *parts)


def _detail(name: str, severity: Severity, code: str, says: str) -> str:
    return _composite(
        name,
        _element("StatusDetailType", severity),
        _element("StatusDetailCodeType", _PROPRIETARY),
        _element("StatusDetailCodeTypeName", _NAME),
        _element("StatusDetailCode", code),
        _element("StatusDetailText", says),
    )


def _composite(name: str, *parts: str) -> str:
    return f"<{name}>{''.join(parts)}</{name}>"


def _element(name: str, text: str) -> str:
    """Well-formed whatever the text holds: what XML has no place for becomes the replacement character."""
    return f"<{name}>{escape(_NOT_IN_XML.sub('�', text))}</{name}>"
