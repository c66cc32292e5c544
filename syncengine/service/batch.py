"""A batch of frames against what the store knows: what each record became, and what is to be written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from anyio.lowlevel import checkpoint
from msgspec import structs

from syncengine.catalogue.compare import Comparison, compare
from syncengine.domain.change import Change, ChangeKind, FieldChange
from syncengine.domain.codes import NotificationType, PublishingDateRole
from syncengine.domain.frame import Frame
from syncengine.domain.ids import RecordId, RecordReference, SourceName, TitleKey
from syncengine.domain.passes import Noted, RecordOutcome, WarningKind
from syncengine.domain.product import Product
from syncengine.errors import RecordInvalid
from syncengine.onix.difference import Difference, Written
from syncengine.onix.fingerprint import fingerprint
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
from syncengine.service.parsers import Base, Compared, Parsed, Parsers
from syncengine.service.verdict import Setting, Verdict

_BREATH = 64
"""Records judged between two chances for other work."""

Standing = KnownRecord | RecordWrite | None
"""What a record has come to: as it is stored, as it is to be written, or not there."""

_TRANSFERS: Mapping[str, str] = {
    NotificationType.SALE: "its publisher gives notice that it goes to another",
    NotificationType.ACQUISITION: "another publisher gives notice that it takes it over",
}
_TESTS: Mapping[str, str] = {
    NotificationType.TEST_UPDATE: "a test update",
    NotificationType.TEST_RECORD: "a test record",
}
OUTCOMES: Mapping[AsideKind, RecordOutcome] = {
    AsideKind.QUARANTINED: RecordOutcome.QUARANTINED,
    AsideKind.HELD: RecordOutcome.HELD,
    AsideKind.TRANSFER: RecordOutcome.IGNORED,
    AsideKind.TEST: RecordOutcome.IGNORED,
}


async def with_derived_references(frames: Sequence[Frame], setting: Setting, parsers: Parsers) -> list[Frame]:
    """The frames, those without a reference under the one an identifier gives where the source says so."""
    nameless = [frame.body for frame in frames if frame.reference is None]
    if not nameless or not setting.reading.derives_reference:
        return list(frames)
    results = iter(await parsers.parse(nameless, setting.context, derives_reference=True))
    return [frame if frame.reference else _named(frame, next(results)) for frame in frames]


def _named(frame: Frame, result: Parsed) -> Frame:
    return replace(frame, reference=result.product.reference) if isinstance(result, ParsedRecord) else frame


async def parse_batch(
    frames: Sequence[Frame], known: Mapping[RecordReference, KnownRecord], setting: Setting, parsers: Parsers
) -> Mapping[int, Parsed]:
    """By their numbers, what became of the frames that are read: all but those that are known, and those without a reference."""
    to_parse = [number for number, frame in enumerate(frames) if frame.reference and not _is_known(frame, known)]
    bodies = [frames[number].body for number in to_parse]
    references = [reference for number in to_parse if (reference := frames[number].reference)]
    bases = [_base_of(known.get(reference), setting) for reference in references]
    results = await parsers.parse(
        bodies, setting.context, bases=bases, derives_reference=setting.reading.derives_reference
    )
    return dict(zip(to_parse, results, strict=True))


async def judge_batch(
    frames: Sequence[Frame],
    known: Mapping[RecordReference, KnownRecord],
    setting: Setting,
    parsed: Mapping[int, Parsed],
) -> list[Verdict]:
    """One verdict for each frame, in feed order; of several that settle one record the last counts."""
    verdicts: list[Verdict] = []
    settled: dict[RecordReference, int] = {}
    standing: dict[RecordReference, Standing] = {**known, **setting.staged}
    for number, frame in enumerate(frames):
        if number % _BREATH == 0:
            await checkpoint()
        reference = frame.reference
        if reference is None:
            rows = setting.context.rows
            says = f"the record has no {rows.reference if rows else 'RecordReference'}"
            verdicts.append(_aside(AsideKind.QUARANTINED, frame, setting, says, None))
            continue
        old = known.get(reference)
        verdict = _judge(frame, parsed.get(number), old, standing.get(reference), setting)
        verdicts.append(verdict)
        if verdict.settles:
            if (before := settled.get(reference)) is not None:
                verdicts[before] = verdicts[before].superseded()
            settled[reference] = number
            standing[reference] = verdict.write or old
    return verdicts


def _is_known(frame: Frame, known: Mapping[RecordReference, KnownRecord]) -> bool:
    """Whether it is the frame that the record was made of: its bytes once gave what is stored."""
    old = known.get(frame.reference) if frame.reference else None
    return old is not None and old.status is RecordStatus.LIVE and old.fingerprint == frame.fingerprint


def _judge(
    frame: Frame, result: Parsed | None, old: KnownRecord | None, standing: Standing, setting: Setting
) -> Verdict:
    """`old` is what the store has of the record, `standing` what it has come to since; no result for the frame that is known."""
    if result is None:
        return Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=_id(old), says_all=True)
    if isinstance(result, RecordInvalid):
        return _aside(AsideKind.QUARANTINED, frame, setting, str(result), old)
    kind = result.product.notification_type
    if kind == NotificationType.DELETE:
        return _removal(frame, result, old, standing, setting)
    if kind in _TRANSFERS:
        return _transfer(frame, result, old, setting)
    if kind in _TESTS:
        return _test(frame, result, old, setting)
    if kind == NotificationType.BLOCK_UPDATE and _merges(setting):
        return _block_update(frame, result, old, standing, setting)
    return _replacement(frame, result, old, setting)


def _merges(setting: Setting) -> bool:
    return setting.conventions.partial_updates is PartialUpdates.MERGE


def _replacement(frame: Frame, result: ParsedRecord, old: KnownRecord | None, setting: Setting) -> Verdict:
    """A whole record, with what waited for it and is surely newer."""
    whole = Whole(body=frame.body, context=setting.context, parsed=result)
    if frame.reference and _merges(setting):
        whole = with_held(whole, setting.held.get(frame.reference, ()), setting)
    return replace(_applied(frame, whole, old, setting), says_all=True)


def _block_update(
    frame: Frame, result: ParsedRecord, old: KnownRecord | None, standing: Standing, setting: Setting
) -> Verdict:
    if standing is None or standing.status is not RecordStatus.LIVE:
        says = "a block update for a record that was never received whole"
        return _aside(AsideKind.HELD, frame, setting, says, old)
    try:
        whole = merged(standing.context, standing.body, setting.context, frame.body, setting)
    except RecordInvalid as error:
        return _aside(AsideKind.QUARANTINED, frame, setting, f"its blocks cannot be merged: {error}", old)
    if old is not None and standing is old and (whole.context, whole.body) == (old.context, old.body):
        return Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id, noted=result.warnings)
    # What was odd about the rest of the record was told when that came.
    told = replace(whole, parsed=replace(whole.parsed, warnings=result.warnings))
    return _applied(frame, told, old, setting)


def _applied(frame: Frame, whole: Whole, old: KnownRecord | None, setting: Setting) -> Verdict:
    product = _known_by(frame, whole.parsed.product)
    base = _base(old)
    comparison = _compared(base, product, whole)
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
            line_count=frame.line_count,
            context=whole.context,
            body=whole.body,
            product=product,
            key=key,
            previous_key=old.key if old else None,
            change=_record_change(comparison.outcome, product, key, comparison.fields, setting),
            repeated=frame.repeated,
            is_plain=whole.parsed.is_plain,
        ),
        old=base.product if base else None,
        new=product,
        fields=comparison.fields,
        noted=(*whole.parsed.warnings, *whole.noted),
    )


def _base(known: KnownRecord | None) -> KnownRecord | None:
    """What a record is compared with: nothing, where it is not live."""
    return known if known and known.status is RecordStatus.LIVE else None


def _base_of(known: KnownRecord | None, setting: Setting) -> Base | None:
    """What is needed of it. The fingerprint tells whether its bytes still mean what they meant when its facts were taken."""
    live = _base(known)
    if live is None:
        return None
    holds = live.is_plain and live.fingerprint == fingerprint(live.body, setting.seed)
    return Base(product=live.product, body=live.body, context=live.context, is_plain=holds)


def _compared(base: KnownRecord | None, product: Product, whole: Whole) -> Comparison:
    """As it was compared where it was parsed, unless it became another since."""
    parsed = whole.parsed
    if isinstance(parsed, Compared) and parsed.comparison and parsed.product is product:
        return parsed.comparison
    if base is None:
        return Comparison(outcome=RecordOutcome.ADDED)
    old, new = Written(base.body, base.context), Written(whole.body, whole.context)
    return compare(base.product, product, Difference(old, new))


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
    return structs.replace(product, reference=frame.reference)


def _removal(
    frame: Frame, result: ParsedRecord, old: KnownRecord | None, standing: Standing, setting: Setting
) -> Verdict:
    if standing is None:
        noted = Noted(WarningKind.UNKNOWN_DELETE, "ignored: a delete for a record that was never received")
        return Verdict(frame=frame, outcome=RecordOutcome.IGNORED, noted=(noted,), says_all=True)
    if old is None:
        return Verdict(frame=frame, outcome=RecordOutcome.REMOVED, noted=result.warnings, says_all=True)
    if old.status is not RecordStatus.LIVE:
        return Verdict(frame=frame, outcome=RecordOutcome.UNCHANGED, record_id=old.id, says_all=True)
    return Verdict(
        frame=frame,
        outcome=RecordOutcome.REMOVED,
        record_id=old.id,
        write=gone(old, RecordStatus.REMOVED, setting.source, setting.at),
        old=old.product,
        noted=result.warnings,
        says_all=True,
    )


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
        line_count=0,
        context=old.context,
        body=old.body,
        product=old.product,
        key=old.key,
        previous_key=old.key,
        change=Change(at=at, source=source, kind=kind, key=old.key, reference=old.reference),
        repeated=old.repeated,
        is_plain=old.is_plain,
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
        outcome=OUTCOMES[kind],
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
            at=setting.arrived_at,
        ),
        noted=(Noted(warning, f"{word}: {reason}"),),
    )
