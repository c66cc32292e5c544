"""Entries of the index of frames: a column of each live record, and of each staged one."""

from __future__ import annotations

from state.sqlite.codec import expand
from syncengine.domain.frame import KnownFrame
from syncengine.domain.ids import RecordReference
from syncengine.ports import RecordStatus, RecordWrite


def frame_entry(write: RecordWrite) -> bytes | None:
    """The record's entry in the index of frames; none for one that is not live."""
    if write.status is not RecordStatus.LIVE:
        return None
    line_count = write.body.count(b"\n")
    known = KnownFrame(write.frame_length, write.fingerprint, line_count, repeated=write.repeated)
    return known.entry(write.reference)


def frame_of(reference: str, fingerprint: bytes | None, repeated: int, body: bytes) -> bytes:
    """The same for a record of schema 2; where its fingerprint is known, its body is its frame."""
    frame = expand(body)
    known = KnownFrame(len(frame), fingerprint, frame.count(b"\n"), repeated=bool(repeated))
    return known.entry(RecordReference(reference))
