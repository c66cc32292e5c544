-- Whether a record's body was read at a glance: only of such a record the blocks that differ are read by themselves. Of what an
-- older build has stored nobody knows; it is read whole once more.
ALTER TABLE records ADD COLUMN is_plain INTEGER NOT NULL DEFAULT 0;
ALTER TABLE staged_records ADD COLUMN is_plain INTEGER NOT NULL DEFAULT 0;
