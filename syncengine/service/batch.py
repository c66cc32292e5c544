"""A batch of frames against what the store knows: what each record became, and what is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from anyio.lowlevel import checkpoint

from syncengine.catalogue.blocks import merge
from syncengine.catalogue.compare import Content, compare
from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.codes import NotificationType
from syncengine.domain.frame import Context, Frame
from syncengine.domain.ids import RecordId, RecordReference, SourceName, StreamName, TitleKey
from syncengine.domain.passes import RecordOutcome
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix.describe import digests_of
from syncengine.onix.parsing import ParsedRecord, parse
from syncengine.onix.repair import mended
from syncengine.ports import KnownRecord, PartialUpdates, Quarantined, RecordStatus, RecordWrite, Rules
from syncengine.service.parsers import BREATH, Parsers

_SET_ASIDE: Mapping[str, str] = {
    NotificationType.SALE: "a notice of sale to another publisher",
    NotificationType.ACQUISITION: "a notice of acquisition from another publisher",
    NotificationType.TEST_UPDATE: "a test update",
    NotificationType.TEST_RECORD: "a test record",
}
"""Notifications that change nothing here (reference/onix.md 2.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """Where a batch comes from and by whose conventions it is read."""

    source: SourceName
    stream: StreamName
    part: str
    context: Context
    rules: Rules
    partial_updates: PartialUpdates
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one frame; `old` and `new` are the facts before and after where there are any."""

    frame: Frame
    outcome: RecordOutcome
    record_id: RecordId | None = None
    write: RecordWrite | None = None
    set_aside: Quarantined | None = None
    old: Product | None = None
    new: Product | None = None
    fields: tuple[FieldChange, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(slots=True)
class _Sorted:
    """Frames in feed order: those already judged, and those that must be parsed."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    to_parse: list[int] = field(default_factory=list)


async def judge_batch(
    frames: Sequence[Frame], known: Mapping[RecordReference, KnownRecord], setting: Setting, parsers: Parsers
) -> list[Verdict]:
    """One verdict for each frame, in feed order."""
    found = _Sorted()
    for number, frame in enumerate(frames):
        old = known.get(frame.reference) if frame.reference else None
        if frame.reference is None:
            found.verdicts[number] = _quarantine(frame, setting, "the record has no RecordReference", None)
        elif old and old.status is RecordStatus.LIVE and old.fingerprint == frame.fingerprint:
            found.verdicts[number] = Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id)
        else:
            found.to_parse.append(number)
    parsed = await parsers.parse([frames[number].body for number in found.to_parse], setting.context)
    for turn, (number, result) in enumerate(zip(found.to_parse, parsed, strict=True)):
        if turn % BREATH == 0:
            await checkpoint()
        frame = frames[number]
        old = known.get(frame.reference) if frame.reference else None
        found.verdicts[number] = _judge(frame, result, old, setting)
    return [found.verdicts[number] for number in range(len(frames))]


def _judge(frame: Frame, result: ParsedRecord | RecordInvalid, old: KnownRecord | None, setting: Setting) -> Verdict:
    if isinstance(result, RecordInvalid):
        return _quarantine(frame, setting, str(result), old)
    kind = result.product.notification_type
    if kind == NotificationType.DELETE:
        return _removal(frame, result, old, setting)
    if kind in _SET_ASIDE:
        says = f"ignored: {_SET_ASIDE[kind]}"
        return Verdict(frame=frame, outcome=RecordOutcome.IGNORED, record_id=_id(old), warnings=(says,))
    if kind == NotificationType.BLOCK_UPDATE and setting.partial_updates is PartialUpdates.MERGE:
        return _block_update(frame, result, old, setting)
    return _whole(frame, result, frame.body, setting.context, old, setting)


def _whole(
    frame: Frame, result: ParsedRecord, body: bytes, context: Context, old: KnownRecord | None, setting: Setting
) -> Verdict:
    product = _known_by(frame, result.product)
    base = old if old and old.status is RecordStatus.LIVE else None
    before = Content(product=base.product, digests=digests_of(base.opening, base.body, base.closing)) if base else None
    comparison = compare(before, Content(product=product, digests=result.digests))
    key = _key(product, setting)
    change = None
    if comparison.outcome is not RecordOutcome.TOUCHED:
        kind = ChangeKind.ADDED if comparison.outcome is RecordOutcome.ADDED else ChangeKind.CHANGED
        change = _change(kind, product.reference, key, comparison.fields, setting)
    return Verdict(
        frame=frame,
        outcome=comparison.outcome,
        record_id=_id(old),
        write=RecordWrite(
            record_id=_id(old),
            reference=product.reference,
            status=RecordStatus.LIVE,
            fingerprint=frame.fingerprint,
            frame_length=len(frame.body),
            opening=context.opening,
            closing=context.closing,
            body=body,
            product=product,
            key=key,
            previous_key=old.key if old else None,
            change=change,
            repeated=frame.repeated,
        ),
        old=base.product if base else None,
        new=product,
        fields=comparison.fields,
        warnings=result.warnings,
    )


def _known_by(frame: Frame, product: Product) -> Product:
    """The product under the reference its frame is known by: that one has lost stray blanks that XML does not count."""
    if frame.reference is None or product.reference == frame.reference:
        return product
    return replace(product, reference=frame.reference)


def _removal(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    if old is None:
        says = "ignored: a delete for a record that was never received"
        return Verdict(frame=frame, outcome=RecordOutcome.IGNORED, warnings=(says,))
    if old.status is not RecordStatus.LIVE:
        return Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id)
    return Verdict(
        frame=frame,
        outcome=RecordOutcome.REMOVED,
        record_id=old.id,
        write=gone(old, RecordStatus.REMOVED, setting.source, setting.at),
        old=old.product,
        warnings=result.warnings,
    )


def _block_update(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    if old is None or old.status is not RecordStatus.LIVE:
        says = "a block update for a record that was never received whole"
        held = _aside(frame, setting, says)
        return Verdict(frame=frame, outcome=RecordOutcome.HELD, record_id=_id(old), set_aside=held)
    context = replace(setting.context, opening=old.opening, closing=old.closing)
    update = mended(setting.context.opening, frame.body, setting.context.closing)
    try:
        body = merge(mended(old.opening, old.body, old.closing), update)
        merged = parse(body, context)
    except RecordInvalid as error:
        return _quarantine(frame, setting, f"its blocks cannot be merged: {error}", old)
    whole = replace(merged, warnings=(*result.warnings, *merged.warnings))
    return _whole(frame, whole, body, context, old, setting)


def gone(old: KnownRecord, status: RecordStatus, source: SourceName, at: datetime) -> RecordWrite:
    """The write that ends a live record: removed by a notification, or vanished."""
    kind = ChangeKind.REMOVED if status is RecordStatus.REMOVED else ChangeKind.VANISHED
    return RecordWrite(
        record_id=old.id,
        reference=old.reference,
        status=status,
        fingerprint=None,
        frame_length=0,
        opening=old.opening,
        closing=old.closing,
        body=old.body,
        product=old.product,
        key=old.key,
        previous_key=old.key,
        change=Change(at=at, source=source, kind=kind, key=old.key, reference=old.reference),
        repeated=old.repeated,
    )


def _id(old: KnownRecord | None) -> RecordId | None:
    return old.id if old else None


def _key(product: Product, setting: Setting) -> TitleKey | None:
    identified = setting.rules.identify(product)
    return identified and TitleKey(source=setting.source, isbn=identified[0], format=identified[1])


def _change(
    kind: ChangeKind,
    reference: RecordReference,
    key: TitleKey | None,
    fields: tuple[FieldChange, ...],
    setting: Setting,
) -> Change:
    return Change(at=setting.at, source=setting.source, kind=kind, key=key, reference=reference, fields=fields)


def _quarantine(frame: Frame, setting: Setting, reason: str, old: KnownRecord | None) -> Verdict:
    return Verdict(
        frame=frame,
        outcome=RecordOutcome.QUARANTINED,
        record_id=_id(old),
        set_aside=_aside(frame, setting, reason),
        warnings=(f"quarantined: {reason}",),
    )


def _aside(frame: Frame, setting: Setting, reason: str) -> Quarantined:
    return Quarantined(
        source=setting.source,
        stream=setting.stream,
        part=setting.part,
        reference=frame.reference,
        offset=frame.offset,
        line=frame.line,
        reason=reason,
        body=frame.body,
        at=setting.at,
    )
