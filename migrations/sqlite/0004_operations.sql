-- Operations, their steps and facts, and what they hold while they run.

CREATE TABLE operation (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    -- The kind's word; all of it, with the plan, is in body (JSON).
    kind             TEXT    NOT NULL CHECK (kind IN ('deploy', 'start', 'stop', 'delete', 'resize')),
    body             TEXT    NOT NULL CHECK (json_valid(body)),
    -- No reference: operations outlive their VMs.
    vm               TEXT    NOT NULL CHECK (length(vm) = 36),
    tenant           TEXT    NOT NULL REFERENCES tenant (id),
    actor            TEXT    NOT NULL REFERENCES user_account (id),
    idempotency_key  TEXT    NOT NULL,
    source           TEXT    REFERENCES node (id),
    destination      TEXT    REFERENCES node (id),
    state            TEXT    NOT NULL
        CHECK (state IN ('pending', 'running', 'undoing', 'succeeded', 'undone', 'failed')),
    epoch            INTEGER NOT NULL CHECK (epoch >= 0),
    reason           TEXT,
    detail           TEXT,
    created_ms       INTEGER NOT NULL,
    ended_ms         INTEGER,
    downtime_ms      INTEGER CHECK (downtime_ms >= 0),
    called_ms        INTEGER NOT NULL CHECK (called_ms >= 0),
    -- What it holds of the tenant's quota beyond its VM's recorded size.
    quota_vcpus      INTEGER NOT NULL CHECK (quota_vcpus BETWEEN 0 AND 17592186044416),
    quota_memory_mib INTEGER NOT NULL CHECK (quota_memory_mib BETWEEN 0 AND 17592186044416),
    quota_disk_mib   INTEGER NOT NULL CHECK (quota_disk_mib BETWEEN 0 AND 17592186044416),
    UNIQUE (actor, idempotency_key),
    CHECK ((ended_ms IS NULL) = (state IN ('pending', 'running', 'undoing')))
) STRICT;

-- At most one operation works on a VM.
CREATE UNIQUE INDEX operation_working ON operation (vm) WHERE ended_ms IS NULL;
CREATE INDEX operation_holding ON operation (tenant) WHERE ended_ms IS NULL;
CREATE INDEX operation_by_time ON operation (created_ms, id);
CREATE INDEX operation_of_tenant ON operation (tenant, created_ms, id);
CREATE INDEX operation_of_vm ON operation (vm, created_ms, id);
CREATE INDEX operation_from ON operation (source, created_ms, id);
CREATE INDEX operation_to ON operation (destination, created_ms, id);

CREATE TABLE operation_step (
    operation  TEXT    NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
    position   INTEGER NOT NULL CHECK (position >= 0),
    name       TEXT    NOT NULL,
    state      TEXT    NOT NULL
        CHECK (state IN ('waiting', 'started', 'done', 'failed', 'undo_started', 'undone')),
    started_ms INTEGER,
    ended_ms   INTEGER,
    note       TEXT,
    PRIMARY KEY (operation, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE operation_fact (
    operation TEXT NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
    key       TEXT NOT NULL,
    value     TEXT NOT NULL,
    PRIMARY KEY (operation, key)
) STRICT, WITHOUT ROWID;

-- The key's order makes the sum over a node one range of the table.
CREATE TABLE reservation (
    node       TEXT    NOT NULL REFERENCES node (id),
    operation  TEXT    NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
    vcpus      INTEGER NOT NULL CHECK (vcpus BETWEEN 0 AND 17592186044416),
    memory_mib INTEGER NOT NULL CHECK (memory_mib BETWEEN 0 AND 17592186044416),
    disk_mib   INTEGER NOT NULL CHECK (disk_mib BETWEEN 0 AND 17592186044416),
    PRIMARY KEY (node, operation)
) STRICT, WITHOUT ROWID;

CREATE INDEX reservation_of_operation ON reservation (operation);
