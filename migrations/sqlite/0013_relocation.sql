-- Work that is made of moves: a node that is emptied. Each move is an operation by itself and knows what it belongs to.

CREATE TABLE relocation (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    node         TEXT    NOT NULL REFERENCES node (id),
    actor        TEXT    NOT NULL REFERENCES user_account (id),
    state        TEXT    NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    reason       TEXT,
    cancelled_by TEXT    CHECK (length(cancelled_by) = 36),
    created_ms   INTEGER NOT NULL,
    ended_ms     INTEGER,
    CHECK ((ended_ms IS NULL) = (state = 'running'))
) STRICT, WITHOUT ROWID;

-- At most one at a time empties a node.
CREATE UNIQUE INDEX relocation_working ON relocation (node) WHERE ended_ms IS NULL;
CREATE INDEX relocation_of_node ON relocation (node, created_ms, id);

ALTER TABLE operation ADD COLUMN relocation TEXT REFERENCES relocation (id);
CREATE INDEX operation_of_relocation ON operation (relocation, created_ms, id) WHERE relocation IS NOT NULL;
