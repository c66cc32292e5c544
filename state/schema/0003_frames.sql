-- What the index of frames is made of stands in one column of each live record, packed as FrameIndex wants it.
ALTER TABLE records ADD COLUMN frame BLOB;
UPDATE records SET frame = frame_of(
    reference, fingerprint, repeated, (SELECT body FROM record_facts WHERE record_id = records.id)
) WHERE status = 'live';
ALTER TABLE records DROP COLUMN frame_length;

-- The records that a judged pass lets vanish, packed 64-bit numbers. A pass of an older build that was being applied has none: what
-- it would have let vanish does so at the next.
ALTER TABLE passes ADD COLUMN gone BLOB;
