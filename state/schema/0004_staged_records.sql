-- What a pass stages has the columns of the rows it becomes, so that applying it is a matter of copying rows.

-- Writes that an older build staged hold all of it in one value. Their passes are given up as in 0002, and read again.
UPDATE streams SET last_message = NULL WHERE (source, stream) IN (
    SELECT source, stream FROM passes WHERE id IN (SELECT pass_id FROM staged_writes)
);
-- A pass that was being applied had moved its cursor to its end: such a stream is read from its beginning.
UPDATE streams SET cursor = NULL WHERE (source, stream) IN (
    SELECT source, stream FROM passes WHERE applying AND id IN (SELECT pass_id FROM staged_writes)
);
UPDATE passes SET ended_at = :at WHERE id IN (SELECT pass_id FROM staged_writes);
DELETE FROM seen_records WHERE pass_id IN (SELECT pass_id FROM staged_writes);
DROP TABLE staged_writes;

CREATE TABLE staged_records (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    pass_id         INTEGER NOT NULL REFERENCES passes (id),
    reference       TEXT NOT NULL,
    record_id       INTEGER,                -- what the pass knew it as; it may have been stored since
    status          TEXT NOT NULL,
    fingerprint     BLOB,
    frame           BLOB,
    frame_length    INTEGER NOT NULL,
    context_id      INTEGER NOT NULL REFERENCES contexts (id),
    repeated        INTEGER NOT NULL,
    isbn            TEXT,
    format          TEXT,
    previous_isbn   TEXT,
    previous_format TEXT,
    product         BLOB NOT NULL,
    body            BLOB NOT NULL,
    changed_at      INTEGER,                -- with change: a line of the change log
    change          BLOB,
    UNIQUE (pass_id, reference)
) STRICT;

CREATE INDEX staged_records_in_order ON staged_records (pass_id, position);
