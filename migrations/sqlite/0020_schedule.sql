-- Resizes that were agreed to for later: what, in which window, and what became of it. One that waits holds nothing.

CREATE TABLE schedule (
    id         TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- No reference: what became of it outlives its VM.
    vm         TEXT    NOT NULL CHECK (length(vm) = 36),
    tenant     TEXT    NOT NULL REFERENCES tenant (id),
    actor      TEXT    NOT NULL REFERENCES user_account (id),
    opens_ms   INTEGER NOT NULL,
    closes_ms  INTEGER NOT NULL CHECK (closes_ms > opens_ms),
    -- The sizes and the consent, JSON.
    agreed     TEXT    NOT NULL CHECK (json_valid(agreed)),
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'started', 'ended', 'missed', 'cancelled')),
    reason     TEXT,
    operation  TEXT    REFERENCES operation (id),
    created_ms INTEGER NOT NULL,
    ended_ms   INTEGER,
    CHECK ((ended_ms IS NULL) = (state = 'waiting')),
    CHECK ((operation IS NOT NULL) = (state = 'started'))
) STRICT, WITHOUT ROWID;

-- At most one waits for a VM.
CREATE UNIQUE INDEX schedule_waiting ON schedule (vm) WHERE ended_ms IS NULL;
CREATE INDEX schedule_of_vm ON schedule (vm, created_ms, id);
