-- People: tenants with their quotas, users, sessions, and the audit of what they tried.

CREATE TABLE tenant (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    name             TEXT    NOT NULL,
    quota_vcpus      INTEGER NOT NULL CHECK (quota_vcpus >= 0),
    quota_memory_mib INTEGER NOT NULL CHECK (quota_memory_mib >= 0),
    quota_disk_mib   INTEGER NOT NULL CHECK (quota_disk_mib >= 0),
    quota_vms        INTEGER NOT NULL CHECK (quota_vms >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_account (
    id            TEXT NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    tenant        TEXT NOT NULL REFERENCES tenant (id),
    email         TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    password_hash TEXT NOT NULL,
    role          TEXT NOT NULL CHECK (role IN ('customer', 'admin'))
) STRICT, WITHOUT ROWID;

CREATE TABLE session (
    id           TEXT    NOT NULL PRIMARY KEY,
    user_account TEXT    REFERENCES user_account (id) ON DELETE CASCADE,
    data         TEXT    NOT NULL,
    expires_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_of_user ON session (user_account) WHERE user_account IS NOT NULL;
CREATE INDEX session_expiry ON session (expires_ms);

-- Refers to nothing, so that what it tells about can go.
CREATE TABLE audit (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    actor   TEXT,
    tenant  TEXT,
    action  TEXT    NOT NULL,
    target  TEXT    NOT NULL,
    outcome TEXT    NOT NULL
) STRICT;
