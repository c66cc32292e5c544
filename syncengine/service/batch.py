"""A batch of frames against what the store knows: what each record became, and what is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from anyio.lowlevel import checkpoint

from syncengine.catalogue.compare import Content, compare
from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.codes import NotificationType, PublishingDateRole
from syncengine.domain.frame import Frame
from syncengine.domain.ids import RecordId, RecordReference, SourceName, TitleKey
from syncengine.domain.passes import Noted, RecordOutcome, WarningKind
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix.digest import digests_of
from syncengine.onix.parsing import ParsedRecord
from syncengine.ports import (
    AsideKind,
    KnownRecord,
    PartialUpdates,
    RecordStatus,
    RecordWrite,
    SetAside,
)
from syncengine.service.merging import Whole, merged, with_held
from syncengine.service.parsers import BREATH, Parsers
from syncengine.service.verdict import Setting, Verdict

_TRANSFERS: Mapping[str, str] = {
    NotificationType.SALE: "its publisher gives notice that it goes to another",
    NotificationType.ACQUISITION: "another publisher gives notice that it takes it over",
}
_TESTS: Mapping[str, str] = {
    NotificationType.TEST_UPDATE: "a test update",
    NotificationType.TEST_RECORD: "a test record",
}
_OUTCOMES: Mapping[AsideKind, RecordOutcome] = {
    AsideKind.QUARANTINED: RecordOutcome.QUARANTINED,
    AsideKind.HELD: RecordOutcome.HELD,
    AsideKind.TRANSFER: RecordOutcome.IGNORED,
    AsideKind.TEST: RecordOutcome.IGNORED,
}


async def with_derived_references(
    frames: Sequence[Frame], setting: Setting, parsers: Parsers
) -> tuple[list[Frame], int]:
    """The frames, those without a reference under the one an identifier gives; and how many a later one of its like replaced."""
    nameless = [number for number, frame in enumerate(frames) if frame.reference is None]
    if not nameless or not setting.reading.derives_reference:
        return list(frames), 0
    parsed = await parsers.parse([frames[number].body for number in nameless], setting.context, derives_reference=True)
    named: dict[int, Frame] = dict(enumerate(frames))
    last: dict[RecordReference, int] = {}
    for number, result in zip(nameless, parsed, strict=True):
        if isinstance(result, ParsedRecord):
            reference = result.product.reference
            named[number] = replace(frames[number], reference=reference)
            named.pop(last.get(reference, -1), None)
            last[reference] = number
    return list(named.values()), len(frames) - len(named)


async def judge_batch(
    frames: Sequence[Frame], known: Mapping[RecordReference, KnownRecord], setting: Setting, parsers: Parsers
) -> list[Verdict]:
    """One verdict for each frame, in feed order."""
    verdicts: dict[int, Verdict] = {}
    for number, frame in enumerate(frames):
        old = known.get(frame.reference) if frame.reference else None
        if frame.reference is None:
            verdicts[number] = _aside(AsideKind.QUARANTINED, frame, setting, "the record has no RecordReference", None)
        elif old and old.status is RecordStatus.LIVE and old.fingerprint == frame.fingerprint:
            verdicts[number] = Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id)
    to_parse = [number for number in range(len(frames)) if number not in verdicts]
    bodies = [frames[number].body for number in to_parse]
    parsed = await parsers.parse(bodies, setting.context, derives_reference=setting.reading.derives_reference)
    for turn, (number, result) in enumerate(zip(to_parse, parsed, strict=True)):
        if turn % BREATH == 0:
            await checkpoint()
        frame = frames[number]
        old = known.get(frame.reference) if frame.reference else None
        verdicts[number] = _judge(frame, result, old, setting)
    return [verdicts[number] for number in range(len(frames))]


def _judge(frame: Frame, result: ParsedRecord | RecordInvalid, old: KnownRecord | None, setting: Setting) -> Verdict:
    if isinstance(result, RecordInvalid):
        return _aside(AsideKind.QUARANTINED, frame, setting, str(result), old)
    kind = result.product.notification_type
    if kind == NotificationType.DELETE:
        return _removal(frame, result, old, setting)
    if kind in _TRANSFERS:
        return _transfer(frame, result, old, setting)
    if kind in _TESTS:
        return _test(frame, result, old, setting)
    if kind == NotificationType.BLOCK_UPDATE and setting.conventions.partial_updates is PartialUpdates.MERGE:
        return _block_update(frame, result, old, setting)
    return _replacement(frame, result, old, setting)


def _replacement(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    """A whole record, with what waited for it and is surely newer."""
    whole = Whole(body=frame.body, context=setting.context, parsed=result)
    held = setting.held.get(frame.reference, ()) if frame.reference else ()
    for update in held:
        whole = with_held(whole, update, setting)
    return replace(_applied(frame, whole, old, setting), taken_up=tuple(held))


def _block_update(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    base = _staged(frame, setting) or old
    if base is None or base.status is not RecordStatus.LIVE:
        says = "a block update for a record that was never received whole"
        return _aside(AsideKind.HELD, frame, setting, says, old)
    try:
        whole = merged(base.context, base.body, setting.context, frame.body, setting)
    except RecordInvalid as error:
        return _aside(AsideKind.QUARANTINED, frame, setting, f"its blocks cannot be merged: {error}", old)
    return _applied(frame, replace(whole, noted=(*result.warnings, *whole.noted)), old, setting)


def _applied(frame: Frame, whole: Whole, old: KnownRecord | None, setting: Setting) -> Verdict:
    product = _known_by(frame, whole.parsed.product)
    base = old if old and old.status is RecordStatus.LIVE else None
    comparison = compare(_content(base), Content(product=product, digests=whole.parsed.digests))
    key = _key(product, setting)
    return Verdict(
        frame=frame,
        outcome=comparison.outcome,
        record_id=_id(old),
        write=RecordWrite(
            record_id=_id(old),
            reference=product.reference,
            status=RecordStatus.LIVE,
            fingerprint=frame.fingerprint if whole.is_predictable else None,
            frame_length=len(frame.body),
            context=whole.context,
            body=whole.body,
            product=product,
            key=key,
            previous_key=old.key if old else None,
            change=_record_change(comparison.outcome, product, key, comparison.fields, setting),
            repeated=frame.repeated,
        ),
        old=base.product if base else None,
        new=product,
        fields=comparison.fields,
        noted=(*whole.parsed.warnings, *whole.noted),
    )


def _content(known: KnownRecord | None) -> Content | None:
    if known is None:
        return None
    context = known.context
    return Content(
        product=known.product, digests=digests_of(context.opening, known.body, context.closing, context.header)
    )


def _record_change(
    outcome: RecordOutcome, product: Product, key: TitleKey | None, fields: tuple[FieldChange, ...], setting: Setting
) -> Change | None:
    if outcome is RecordOutcome.TOUCHED:
        return None
    kind = ChangeKind.ADDED if outcome is RecordOutcome.ADDED else ChangeKind.CHANGED
    return _change(kind, product.reference, key, fields, setting)


def _known_by(frame: Frame, product: Product) -> Product:
    """The product under the reference its frame is known by: that one has lost stray blanks that XML does not count."""
    if frame.reference is None or product.reference == frame.reference:
        return product
    return replace(product, reference=frame.reference)


def _removal(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    if old is None and _staged(frame, setting):
        return Verdict(frame=frame, outcome=RecordOutcome.REMOVED, noted=result.warnings)
    if old is None:
        noted = Noted(WarningKind.UNKNOWN_DELETE, "ignored: a delete for a record that was never received")
        return Verdict(frame=frame, outcome=RecordOutcome.IGNORED, noted=(noted,))
    if old.status is not RecordStatus.LIVE:
        return Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id)
    return Verdict(
        frame=frame,
        outcome=RecordOutcome.REMOVED,
        record_id=old.id,
        write=gone(old, RecordStatus.REMOVED, setting.source, setting.at),
        old=old.product,
        noted=result.warnings,
    )


def _staged(frame: Frame, setting: Setting) -> RecordWrite | None:
    return setting.staged.get(frame.reference) if frame.reference else None


def _transfer(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    """A notice that changes no record: kept, and told once in the change log (reference/onix.md 2.4)."""
    product = result.product
    told = [
        FieldChange(field="notification_type", old=None, new=product.notification_type),
        FieldChange(field="publisher", old=old.product.publisher if old else None, new=product.publisher),
        *(
            FieldChange(field="publishing_date", old=None, new=f"{dated.role} {dated.date.text}")
            for dated in product.publishing_dates
            if dated.role == PublishingDateRole.TRANSFER
        ),
    ]
    key = _key(product, setting) or (old.key if old else None)
    event = _change(ChangeKind.TRANSFERRED, product.reference, key, tuple(told), setting)
    aside = _aside(AsideKind.TRANSFER, frame, setting, _TRANSFERS[product.notification_type], old)
    return replace(aside, event=event)


def _test(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    """Kept apart from live data; its reference must not be that of a live record (list 1)."""
    aside = _aside(AsideKind.TEST, frame, setting, _TESTS[result.product.notification_type], old)
    if old is None or old.status is not RecordStatus.LIVE:
        return aside
    noted = Noted(WarningKind.SET_ASIDE, "a live record has the test's reference; it stays as it is")
    return replace(aside, noted=(*aside.noted, noted))


def gone(old: KnownRecord, status: RecordStatus, source: SourceName, at: datetime) -> RecordWrite:
    """The write that ends a live record: removed by a notification, or vanished."""
    kind = ChangeKind.REMOVED if status is RecordStatus.REMOVED else ChangeKind.VANISHED
    return RecordWrite(
        record_id=old.id,
        reference=old.reference,
        status=status,
        fingerprint=None,
        frame_length=0,
        context=old.context,
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


_ASIDE_WARNINGS: Mapping[AsideKind, tuple[WarningKind, str]] = {
    AsideKind.QUARANTINED: (WarningKind.QUARANTINED, "quarantined"),
    AsideKind.HELD: (WarningKind.HELD, "held"),
    AsideKind.TRANSFER: (WarningKind.SET_ASIDE, "ignored"),
    AsideKind.TEST: (WarningKind.SET_ASIDE, "ignored"),
}


def _aside(kind: AsideKind, frame: Frame, setting: Setting, reason: str, old: KnownRecord | None) -> Verdict:
    warning, word = _ASIDE_WARNINGS[kind]
    return Verdict(
        frame=frame,
        outcome=_OUTCOMES[kind],
        record_id=_id(old),
        set_aside=SetAside(
            kind=kind,
            source=setting.source,
            stream=setting.stream,
            part=setting.part,
            reference=frame.reference,
            offset=frame.offset,
            line=frame.line,
            reason=reason,
            body=frame.body,
            context=setting.context.essence,
            mark=setting.mark,
            at=setting.at,
        ),
        noted=(Noted(warning, f"{word}: {reason}"),),
    )
