"""Block updates put into the records they are for: stored ones, staged ones, and those that came after their updates."""

from __future__ import annotations

from dataclasses import dataclass, replace

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

    `is_predictable` tells that the same frame would bring it about again, so that it need not be read the next time.
    """

    body: bytes
    context: Context
    parsed: ParsedRecord
    noted: tuple[Noted, ...] = ()
    is_predictable: bool = True


def with_held(whole: Whole, update: SetAside, setting: Setting) -> Whole:
    """A held update put into the record it waited for; an older one is in the record already, or was taken back by it."""
    if update.context is None or not is_surely_newer(setting.conventions.message_order, update.mark, setting.mark):
        says = f"the block update held from {spell(update.mark)} is not surely newer than the whole record: dropped"
        return replace(whole, noted=(*whole.noted, Noted(WarningKind.BLOCK_UPDATE, says)))
    try:
        news = merged(whole.context, whole.body, update.context, update.body, setting)
    except RecordInvalid as error:
        says = f"the block update held from {spell(update.mark)} cannot be merged and was dropped: {error}"
        return replace(whole, noted=(*whole.noted, Noted(WarningKind.BLOCK_UPDATE, says)))
    taken = Noted(WarningKind.BLOCK_UPDATE, f"the block update held from {spell(update.mark)} was applied")
    return replace(news, noted=(*whole.noted, *news.noted, taken), is_predictable=False)


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
        plain = replace(context.header, default_price_type=None, default_currency=None)
        context = replace(context, header=plain)
    put_together = merge(base, news)
    return Whole(
        body=put_together.body,
        context=context,
        parsed=parse(put_together.body, context, setting.reading),
        noted=put_together.noted,
    )


def _defaults(header: MessageHeader) -> tuple[str | None, str | None]:
    return header.default_price_type, header.default_currency
