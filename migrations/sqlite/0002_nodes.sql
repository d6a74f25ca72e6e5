-- Nodes, offers, and what utility modules prove themselves with.

CREATE TABLE node (
    id                TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    name              TEXT    NOT NULL UNIQUE,
    kind              TEXT    NOT NULL CHECK (kind IN ('kvm', 'qemu', 'lxc', 'xen', 'test')),
    region            TEXT    NOT NULL,
    uri               TEXT    NOT NULL,
    reserve_vcpus     INTEGER NOT NULL CHECK (reserve_vcpus >= 0),
    reserve_memory_mib INTEGER NOT NULL CHECK (reserve_memory_mib >= 0),
    reserve_disk_mib  INTEGER NOT NULL CHECK (reserve_disk_mib >= 0),
    vcpus_permille    INTEGER NOT NULL CHECK (vcpus_permille >= 0),
    memory_permille   INTEGER NOT NULL CHECK (memory_permille >= 0),
    disk_permille     INTEGER NOT NULL CHECK (disk_permille >= 0),
    administration    TEXT    NOT NULL CHECK (administration IN ('open', 'cordoned', 'draining'))
) STRICT, WITHOUT ROWID;

CREATE TABLE offer (
    name       TEXT    NOT NULL PRIMARY KEY,
    vcpus      INTEGER NOT NULL CHECK (vcpus BETWEEN 1 AND 65536),
    memory_mib INTEGER NOT NULL CHECK (memory_mib BETWEEN 1 AND 1099511627776),
    disk_gib   INTEGER NOT NULL CHECK (disk_gib BETWEEN 0 AND 1073741824)
) STRICT, WITHOUT ROWID;

-- A node's utility module has one key: enrolling again revokes the one before.
CREATE TABLE utility_key (
    node       TEXT    NOT NULL PRIMARY KEY REFERENCES node (id) ON DELETE CASCADE,
    hash       TEXT    NOT NULL UNIQUE,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE utility_token (
    hash       TEXT    NOT NULL PRIMARY KEY,
    node       TEXT    NOT NULL REFERENCES node (id) ON DELETE CASCADE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
