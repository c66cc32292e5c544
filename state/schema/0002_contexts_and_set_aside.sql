-- Contexts are kept whole, and all frames that were set aside stand in one table. `:at` is the instant of the migration.

-- Writes that an older build staged lack what they must be read with. Their passes are given up; the cursors stay, so that the next
-- pass reads it all again. The marks of their streams may name messages that were staged and never applied: they are forgotten, or
-- those messages would be passed over as repeats.
UPDATE streams SET last_message = NULL WHERE (source, stream) IN (
    SELECT source, stream FROM passes WHERE id IN (SELECT pass_id FROM staged_writes)
);
-- A pass that was being applied had moved its cursor to its end: such a stream is read from its beginning.
UPDATE streams SET cursor = NULL WHERE (source, stream) IN (
    SELECT source, stream FROM passes WHERE applying AND id IN (SELECT pass_id FROM staged_writes)
);
UPDATE passes SET ended_at = :at WHERE id IN (SELECT pass_id FROM staged_writes);
DELETE FROM seen_records WHERE pass_id IN (SELECT pass_id FROM staged_writes);
DELETE FROM staged_writes;

-- A context is the essence of a message's: what the bytes of its records mean nothing without. Older rows knew its two ends alone;
-- the rest is read off them, and header defaults they had none.
CREATE TABLE whole_contexts (
    id      INTEGER PRIMARY KEY,
    essence BLOB NOT NULL UNIQUE
) STRICT;

INSERT INTO whole_contexts (id, essence) SELECT id, essence_of(opening, closing) FROM contexts;
DROP TABLE contexts;
ALTER TABLE whole_contexts RENAME TO contexts;

CREATE TABLE set_aside (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     TEXT NOT NULL,
    kind       TEXT NOT NULL,
    same_as    TEXT NOT NULL,               -- what makes two rows the same: the reference, or the digest of the bytes
    stream     TEXT NOT NULL,
    part       TEXT NOT NULL,
    reference  TEXT,
    offset     INTEGER NOT NULL,
    line       INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    body       BLOB NOT NULL,
    context_id INTEGER REFERENCES contexts (id),
    sent_at    TEXT,                        -- with number: the message's place among those of its sender
    number     TEXT,
    at         INTEGER NOT NULL,
    UNIQUE (source, kind, same_as)
) STRICT;

CREATE INDEX set_aside_by_reference ON set_aside (source, kind, reference);

-- Quarantined rows keep their ids, which people know them by, and no id is given twice.
INSERT INTO sqlite_sequence (name, seq) SELECT 'set_aside', seq FROM sqlite_sequence WHERE name = 'quarantine';

INSERT INTO set_aside (id, source, kind, same_as, stream, part, reference, offset, line, reason, body, at)
SELECT id, source, 'quarantined', same_as, stream, part, reference, offset, line, reason, body, at FROM quarantine ORDER BY id;

INSERT INTO set_aside (source, kind, same_as, stream, part, reference, offset, line, reason, body, at)
SELECT source, 'held', same_as, stream, part, reference, offset, line, reason, body, at FROM held_updates ORDER BY id;

DROP TABLE quarantine;
DROP TABLE held_updates;
