"""The place of a message among those of its sender: whether it is applied, by its source's policy (reference/onix.md 2.8)."""

from __future__ import annotations

from syncengine.catalogue.guards import is_older, normalised_sent_at
from syncengine.catalogue.sequence import Place, Placement, place
from syncengine.domain.frame import MessageHeader
from syncengine.domain.message import MessageMark, MessageOrder
from syncengine.domain.passes import Noted, PassMode, WarningKind
from syncengine.errors import GuardStopped
from syncengine.service.work import Batch, Work


def mark_of(header: MessageHeader) -> MessageMark:
    """What a header says of its message's place."""
    return MessageMark(sent_at=normalised_sent_at(header.sent_at_text or ""), number=header.number)


def passes_over(order: MessageOrder, batch: Batch, header: MessageHeader, work: Work) -> bool:
    """Whether the message is not to be applied: one of an earlier pass, or an older one, where the policy tells so.

    A snapshot is never passed over, since nothing would be known of what it lacks. Raises GuardStopped where an older message
    would take newer facts back.
    """
    sender, mark = header.sender or "", batch.mark or mark_of(header)
    if order is MessageOrder.ARRIVAL or work.options.by_hand or work.state.mode is PassMode.SINGLE:
        _place_by_arrival(batch.part.name, sender, mark, work)
        return False
    last = work.last_message.get(sender)
    placement = place(order, mark, last)
    if placement.place is Place.REPEATED and (work.resumed or last != work.stood.get(sender)):
        # A message may come in parts, as several files or pages; to read one of them twice does no harm.
        placement = Placement(place=Place.NEXT)
    for noted in placement.noted:
        work.report.warn(Noted(noted.kind, f"{batch.part.name}: {noted.says}"))
    if placement.place is Place.OLDER and work.state.mode is PassMode.FULL:
        _guard_older(f"{batch.part.name}: {placement.noted[0].says}", work)
    told = mark.number if order is MessageOrder.NUMBER else mark.sent_at
    if placement.place is Place.NEXT and (told or last is None):
        work.last_message[sender] = mark
    is_older_message = placement.place is Place.OLDER and "older-message" not in work.options.allow
    return is_older_message or (placement.place is Place.REPEATED and work.state.mode is not PassMode.FULL)


def _place_by_arrival(part: str, sender: str, mark: MessageMark, work: Work) -> None:
    """A message older than the last applied of its sender would take newer facts back."""
    last, newest = work.stood.get(sender), work.last_message.get(sender)
    if mark.sent_at is None:
        return
    if last and is_older(mark.sent_at, last.sent_at):
        says = f"{part}: sent {mark.sent_at}, older than the last message applied ({last.sent_at})"
        if work.options.stop_on_older:
            _guard_older(says, work)
        work.report.warn(Noted(WarningKind.OLDER_MESSAGE, says))
    # The first message of a pass counts even where it is older and was let through; then the newest of the pass.
    if newest == last or newest is None or not is_older(mark.sent_at, newest.sent_at):
        work.last_message[sender] = mark


def _guard_older(says: str, work: Work) -> None:
    if "older-message" not in work.options.allow:
        raise GuardStopped("older-message", says)
