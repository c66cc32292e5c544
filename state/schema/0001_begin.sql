-- The first schema. Instants are whole microseconds since 1970-01-01 UTC; values of the domain are msgpack; amounts are text.

PRAGMA application_id = 1398361667;         -- SYNC: tells a store from any other SQLite database

CREATE TABLE migrations (
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE identity (
    only_row   INTEGER PRIMARY KEY CHECK (only_row = 1),
    id         TEXT NOT NULL,
    seed       TEXT NOT NULL,               -- 64 bits without sign, more than an INTEGER holds
    prefix     TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE counters (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- records: the narrow part, which indexes are read from; what a record says stands apart in record_facts

CREATE TABLE contexts (
    id      INTEGER PRIMARY KEY,
    opening BLOB NOT NULL,
    closing BLOB NOT NULL,
    UNIQUE (opening, closing)
) STRICT;

CREATE TABLE records (
    id           INTEGER PRIMARY KEY,
    source       TEXT NOT NULL,
    reference    TEXT NOT NULL,
    stream       TEXT NOT NULL,
    status       TEXT NOT NULL,
    fingerprint  BLOB,
    frame_length INTEGER NOT NULL,
    context_id   INTEGER NOT NULL REFERENCES contexts (id),
    repeated     INTEGER NOT NULL,
    isbn         TEXT,
    format       TEXT,
    applied_pass INTEGER NOT NULL,
    applied_at   INTEGER NOT NULL,
    UNIQUE (source, reference)
) STRICT;

CREATE INDEX records_of_title ON records (source, isbn, format);
CREATE INDEX records_live ON records (source, stream) WHERE status = 'live';

CREATE TABLE record_facts (
    record_id INTEGER PRIMARY KEY REFERENCES records (id),
    product   BLOB NOT NULL,
    body      BLOB NOT NULL
) STRICT;

CREATE TABLE quarantine (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    source    TEXT NOT NULL,
    same_as   TEXT NOT NULL,                -- what makes two rows the same: the reference, or the digest of the bytes
    stream    TEXT NOT NULL,
    part      TEXT NOT NULL,
    reference TEXT,
    offset    INTEGER NOT NULL,
    line      INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    body      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (source, same_as)
) STRICT;

CREATE TABLE held_updates (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    source    TEXT NOT NULL,
    same_as   TEXT NOT NULL,
    stream    TEXT NOT NULL,
    part      TEXT NOT NULL,
    reference TEXT,
    offset    INTEGER NOT NULL,
    line      INTEGER NOT NULL,
    reason    TEXT NOT NULL,
    body      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    UNIQUE (source, same_as)
) STRICT;

-- passes and cursors

CREATE TABLE streams (
    source            TEXT NOT NULL,
    stream            TEXT NOT NULL,
    cursor            BLOB,
    last_complete_at  INTEGER,
    last_full_at      INTEGER,
    last_full_records INTEGER,
    last_message      BLOB,
    PRIMARY KEY (source, stream)
) STRICT, WITHOUT ROWID;

CREATE TABLE passes (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     TEXT NOT NULL,
    stream     TEXT NOT NULL,
    mode       TEXT NOT NULL,
    staged     INTEGER NOT NULL,
    applying   INTEGER NOT NULL,
    high_water INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at   INTEGER,
    complete   INTEGER NOT NULL,
    report     BLOB NOT NULL,
    tallies    BLOB NOT NULL
) STRICT;

CREATE INDEX passes_unfinished ON passes (source, stream) WHERE ended_at IS NULL;

CREATE TABLE staged_writes (
    position  INTEGER PRIMARY KEY AUTOINCREMENT,
    pass_id   INTEGER NOT NULL REFERENCES passes (id),
    reference TEXT NOT NULL,
    body      BLOB NOT NULL,
    UNIQUE (pass_id, reference)
) STRICT;

CREATE INDEX staged_writes_in_order ON staged_writes (pass_id, position);

CREATE TABLE seen_records (
    id         INTEGER PRIMARY KEY,
    pass_id    INTEGER NOT NULL REFERENCES passes (id),
    record_ids BLOB NOT NULL                -- packed 64-bit numbers, one row per note
) STRICT;

CREATE INDEX seen_records_of_pass ON seen_records (pass_id);

-- titles

CREATE TABLE titles (
    source     TEXT NOT NULL,
    isbn       TEXT NOT NULL,
    format     TEXT NOT NULL,
    is_named   INTEGER NOT NULL DEFAULT 0,  -- whether a record ever named it
    next_at    INTEGER,
    remembered BLOB,
    PRIMARY KEY (source, isbn, format)
) STRICT, WITHOUT ROWID;

CREATE INDEX titles_by_isbn ON titles (isbn);
CREATE INDEX titles_by_timer ON titles (next_at) WHERE next_at IS NOT NULL;

CREATE TABLE due_marks (
    source   TEXT NOT NULL,
    isbn     TEXT NOT NULL,
    format   TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    position INTEGER NOT NULL,
    timed    INTEGER NOT NULL DEFAULT 0,    -- its instant has passed: it goes before what merely changed
    PRIMARY KEY (source, isbn, format)
) STRICT, WITHOUT ROWID;

CREATE INDEX due_marks_in_order ON due_marks (timed DESC, sequence);

CREATE TABLE offers (
    source    TEXT NOT NULL,
    isbn      TEXT NOT NULL,
    format    TEXT NOT NULL,
    market    TEXT NOT NULL,
    state     TEXT NOT NULL,
    price     TEXT,
    starts_at INTEGER,
    PRIMARY KEY (source, isbn, format, market)
) STRICT, WITHOUT ROWID;

CREATE TABLE changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    source   TEXT NOT NULL,
    line     BLOB NOT NULL
) STRICT;

-- the register

CREATE TABLE orders (
    position    INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id    TEXT NOT NULL UNIQUE,
    source      TEXT NOT NULL,
    isbn        TEXT NOT NULL,
    format      TEXT NOT NULL,
    state       TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    updated_at  INTEGER NOT NULL,
    body        BLOB NOT NULL
) STRICT;

CREATE INDEX orders_of_title ON orders (source, isbn, state, position);
CREATE INDEX orders_by_state ON orders (state, position);
CREATE INDEX orders_by_isbn ON orders (isbn, position);

CREATE TABLE order_events (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id TEXT NOT NULL,
    at       INTEGER NOT NULL,
    before   TEXT,
    after    TEXT NOT NULL,
    reason   TEXT,
    note     TEXT NOT NULL
) STRICT;

CREATE INDEX order_events_of_order ON order_events (order_id, id);

-- the outbox: entries that are owed stand in outbox, settled ones in outbox_history with the same columns

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    source     TEXT NOT NULL,
    state      TEXT NOT NULL,
    claimed    INTEGER NOT NULL,            -- in a worker's hands; an unknown entry stays unknown meanwhile
    due_at     INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    order_id   TEXT,
    gate       TEXT,
    attempts   INTEGER NOT NULL,
    ever_sent  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    note       TEXT NOT NULL,
    operation  BLOB NOT NULL,
    request    BLOB
) STRICT;

CREATE INDEX outbox_ready ON outbox (state, source, priority, id, due_at);
CREATE INDEX outbox_by_instant ON outbox (state, source, due_at);
CREATE INDEX outbox_of_order ON outbox (order_id, id) WHERE order_id IS NOT NULL;

CREATE TABLE outbox_history (
    id         INTEGER PRIMARY KEY,
    source     TEXT NOT NULL,
    state      TEXT NOT NULL,
    claimed    INTEGER NOT NULL,
    due_at     INTEGER NOT NULL,
    priority   INTEGER NOT NULL,
    order_id   TEXT,
    gate       TEXT,
    attempts   INTEGER NOT NULL,
    ever_sent  INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    note       TEXT NOT NULL,
    operation  BLOB NOT NULL,
    request    BLOB
) STRICT;

CREATE INDEX outbox_history_of_order ON outbox_history (order_id, id) WHERE order_id IS NOT NULL;

CREATE TABLE receipts (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    entry_id INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    outcome  TEXT NOT NULL,
    line     BLOB NOT NULL
) STRICT;

CREATE INDEX receipts_of_entry ON receipts (entry_id, id);

CREATE TABLE gates (
    id     TEXT PRIMARY KEY,
    source TEXT NOT NULL,
    isbn   TEXT NOT NULL,
    format TEXT NOT NULL,
    state  TEXT NOT NULL,
    body   BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX gates_of_title ON gates (source, isbn, format);

-- what the operator and the service keep beside the data

CREATE TABLE slots (
    name       TEXT PRIMARY KEY,
    arrival_at REAL NOT NULL                -- seconds of the epoch
) STRICT, WITHOUT ROWID;

CREATE TABLE pauses (
    source TEXT PRIMARY KEY,
    reason TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE refreshes (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    source   TEXT NOT NULL,
    isbn     TEXT NOT NULL,
    format   TEXT NOT NULL,
    UNIQUE (source, isbn, format)
) STRICT;

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
