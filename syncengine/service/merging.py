"""Block updates put into the records they are for: stored ones, staged ones, and those that came after their updates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cmp_to_key

from syncengine.catalogue.blocks import merge, with_explicit_defaults
from syncengine.catalogue.sequence import is_surely_newer, spell
from syncengine.domain.frame import Context, MessageHeader
from syncengine.domain.passes import Noted, WarningKind
from syncengine.errors import RecordInvalid
from syncengine.onix.parsing import ParsedRecord, parse
from syncengine.onix.repair import mended
from syncengine.ports import SetAside
from syncengine.service.verdict import Setting


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """The whole content that a record is to have: bytes, what they are read in, what they say.

    `is_predictable` tells that its frame says all of it, whatever was known before, so that it need not be read the next time.
    """

    body: bytes
    context: Context
    parsed: ParsedRecord
    noted: tuple[Noted, ...] = ()
    is_predictable: bool = True


def with_held(whole: Whole, updates: Sequence[SetAside], setting: Setting) -> Whole:
    """The record with the updates that waited for it, in the sequence of their messages."""
    for update in _in_sequence(updates, setting):
        whole = _with_held(whole, update, setting)
    return whole


def _in_sequence(updates: Sequence[SetAside], setting: Setting) -> list[SetAside]:
    """As they came, where the policy does not prove another order."""
    order = setting.conventions.message_order

    def compared(one: SetAside, other: SetAside) -> int:
        newer = is_surely_newer(order, one.mark, other.mark) - is_surely_newer(order, other.mark, one.mark)
        return newer or (one.at > other.at) - (one.at < other.at)

    return sorted(updates, key=cmp_to_key(compared))


def _with_held(whole: Whole, update: SetAside, setting: Setting) -> Whole:
    """A held update put into the record it waited for; an older one is in the record already, or was taken back by it."""
    if update.context is None or not _is_newer(update, setting):
        says = f"the block update held from {spell(update.mark)} is not surely newer than the whole record: dropped"
        return replace(whole, noted=(*whole.noted, Noted(WarningKind.BLOCK_UPDATE, says)))
    try:
        news = merged(whole.context, whole.body, update.context, update.body, setting)
    except RecordInvalid as error:
        says = f"the block update held from {spell(update.mark)} cannot be merged and was dropped: {error}"
        return replace(whole, noted=(*whole.noted, Noted(WarningKind.BLOCK_UPDATE, says)))
    taken = Noted(WarningKind.BLOCK_UPDATE, f"the block update held from {spell(update.mark)} was applied")
    return replace(news, noted=(*whole.noted, *news.noted, taken))


def _is_newer(update: SetAside, setting: Setting) -> bool:
    """Whether a held update came after the whole record: by its message's place, or since the record was set aside before it."""
    order = setting.conventions.message_order
    return update.at > setting.arrived_at or is_surely_newer(order, update.mark, setting.mark)


def merged(context: Context, body: bytes, update_context: Context, update: bytes, setting: Setting) -> Whole:
    """The record with the update's blocks; where their messages' defaults differ, both say theirs. Raises RecordInvalid."""
    if context.release.startswith("2"):
        raise RecordInvalid(f"the known record is ONIX {context.release}, which has no blocks")
    base = mended(context.opening, body, context.closing)
    news = mended(update_context.opening, update, update_context.closing)
    if _defaults(context.header) != _defaults(update_context.header):
        base, news = (
            with_explicit_defaults(document, header)
            for document, header in ((base, context.header), (news, update_context.header))
        )
        plain = replace(context.header, default_price_type=None, default_currency=None, default_language=None)
        context = replace(context, header=plain)
    put_together = merge(base, news)
    return Whole(
        body=put_together.body,
        context=context,
        parsed=parse(put_together.body, context, setting.reading),
        noted=put_together.noted,
        is_predictable=False,
    )


def _defaults(header: MessageHeader) -> tuple[str | None, ...]:
    return header.default_price_type, header.default_currency, header.default_language
