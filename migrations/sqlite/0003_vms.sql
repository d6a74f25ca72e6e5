-- VMs. The committed amounts are what the VM takes of its home: its size and its hypervisor's overhead. The upper
-- limits keep every sum over a node or a tenant inside 64 bits.

CREATE TABLE vm (
    id                   TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 36),
    name                 TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 63),
    tenant               TEXT    NOT NULL REFERENCES tenant (id),
    owner                TEXT    NOT NULL REFERENCES user_account (id),
    node                 TEXT    NOT NULL REFERENCES node (id),
    kind                 TEXT    NOT NULL CHECK (kind IN ('kvm', 'qemu', 'lxc', 'xen', 'test')),
    region               TEXT    NOT NULL,
    image                TEXT    NOT NULL,
    vcpus                INTEGER NOT NULL CHECK (vcpus BETWEEN 1 AND 65536),
    memory_mib           INTEGER NOT NULL CHECK (memory_mib BETWEEN 1 AND 1099511627776),
    disk_gib             INTEGER NOT NULL CHECK (disk_gib BETWEEN 0 AND 1073741824),
    maxima_vcpus         INTEGER NOT NULL CHECK (maxima_vcpus >= 0),
    maxima_memory_mib    INTEGER NOT NULL CHECK (maxima_memory_mib >= 0),
    state                TEXT    NOT NULL
        CHECK (state IN ('deploying', 'running', 'stopped', 'unknown', 'failed', 'deleting')),
    mac                  TEXT    NOT NULL UNIQUE,
    -- IPv4 as a number, so that the next free one can be looked for.
    address              INTEGER NOT NULL UNIQUE CHECK (address BETWEEN 0 AND 4294967295),
    keys                 TEXT    NOT NULL,
    created_ms           INTEGER NOT NULL,
    generation           INTEGER NOT NULL CHECK (generation >= 0),
    committed_vcpus      INTEGER NOT NULL CHECK (committed_vcpus >= 0),
    committed_memory_mib INTEGER NOT NULL CHECK (committed_memory_mib >= 0),
    committed_disk_mib   INTEGER NOT NULL CHECK (committed_disk_mib >= 0),
    UNIQUE (tenant, name)
) STRICT;

-- Sums over a node and over a tenant are answered from these alone.
CREATE INDEX vm_commitment ON vm (node, committed_vcpus, committed_memory_mib, committed_disk_mib);
CREATE INDEX vm_quota ON vm (tenant, state, vcpus, memory_mib, disk_gib);

-- Where the search for the next free address begins: an address that was just given back isn't given out at once.
CREATE TABLE address_cursor (
    only INTEGER NOT NULL PRIMARY KEY CHECK (only = 1),
    next INTEGER NOT NULL
) STRICT;

INSERT INTO address_cursor (only, next) VALUES (1, 0);
