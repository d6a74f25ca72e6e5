-- What every decision asks for is kept where it is asked for, and costs the same however much there is: what VMs and
-- operations take of a node, and of a tenant's quota. Triggers keep these sums, whoever writes; what is added comes
-- first, so that no sum is ever below nothing.

ALTER TABLE node ADD COLUMN taken_vcpus INTEGER NOT NULL DEFAULT 0 CHECK (taken_vcpus >= 0);
ALTER TABLE node ADD COLUMN taken_memory_mib INTEGER NOT NULL DEFAULT 0 CHECK (taken_memory_mib >= 0);
ALTER TABLE node ADD COLUMN taken_disk_mib INTEGER NOT NULL DEFAULT 0 CHECK (taken_disk_mib >= 0);
ALTER TABLE node ADD COLUMN taken_network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (taken_network_mbit >= 0);

ALTER TABLE tenant ADD COLUMN used_vms INTEGER NOT NULL DEFAULT 0 CHECK (used_vms >= 0);
ALTER TABLE tenant ADD COLUMN used_vcpus INTEGER NOT NULL DEFAULT 0 CHECK (used_vcpus >= 0);
ALTER TABLE tenant ADD COLUMN used_memory_mib INTEGER NOT NULL DEFAULT 0 CHECK (used_memory_mib >= 0);
ALTER TABLE tenant ADD COLUMN used_disk_mib INTEGER NOT NULL DEFAULT 0 CHECK (used_disk_mib >= 0);
ALTER TABLE tenant ADD COLUMN used_network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (used_network_mbit >= 0);

UPDATE node SET (taken_vcpus, taken_memory_mib, taken_disk_mib, taken_network_mbit) = (
    SELECT COALESCE(SUM(vcpus), 0), COALESCE(SUM(memory_mib), 0), COALESCE(SUM(disk_mib), 0),
           COALESCE(SUM(network_mbit), 0)
    FROM (
        SELECT committed_vcpus AS vcpus, committed_memory_mib AS memory_mib, committed_disk_mib AS disk_mib,
               committed_network_mbit AS network_mbit
        FROM vm WHERE vm.node = node.id
        UNION ALL
        SELECT vcpus, memory_mib, disk_mib, network_mbit FROM reservation WHERE reservation.node = node.id
    )
);

-- A VM whose deployment failed takes only its place among the number of VMs.
UPDATE tenant SET (used_vms, used_vcpus, used_memory_mib, used_disk_mib, used_network_mbit) = (
    SELECT COALESCE(SUM(vms), 0), COALESCE(SUM(vcpus), 0), COALESCE(SUM(memory_mib), 0), COALESCE(SUM(disk_mib), 0),
           COALESCE(SUM(network_mbit), 0)
    FROM (
        SELECT 1 AS vms, iif(state = 'failed', 0, vcpus) AS vcpus, iif(state = 'failed', 0, memory_mib) AS memory_mib,
               iif(state = 'failed', 0, disk_gib * 1024) AS disk_mib,
               iif(state = 'failed', 0, network_mbit) AS network_mbit
        FROM vm WHERE vm.tenant = tenant.id
        UNION ALL
        SELECT 0, quota_vcpus, quota_memory_mib, quota_disk_mib, quota_network_mbit
        FROM operation WHERE operation.tenant = tenant.id AND ended_ms IS NULL
    )
);

-- Only the sums were answered from these.
DROP INDEX vm_commitment;
DROP INDEX vm_quota;
DROP INDEX operation_holding;

-- The names of its steps, in order. A step has a row of its own from when it begins.
ALTER TABLE operation ADD COLUMN steps TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(steps));
UPDATE operation SET steps = (
    SELECT json_group_array(name)
    FROM (SELECT name FROM operation_step WHERE operation_step.operation = operation.id ORDER BY position)
);
DELETE FROM operation_step WHERE state = 'waiting';

-- By operation, in whose order they come; no longer by node.
CREATE TABLE held (
    operation    TEXT    NOT NULL REFERENCES operation (id) ON DELETE CASCADE,
    node         TEXT    NOT NULL REFERENCES node (id),
    vcpus        INTEGER NOT NULL CHECK (vcpus BETWEEN 0 AND 17592186044416),
    memory_mib   INTEGER NOT NULL CHECK (memory_mib BETWEEN 0 AND 17592186044416),
    disk_mib     INTEGER NOT NULL CHECK (disk_mib BETWEEN 0 AND 17592186044416),
    network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (network_mbit BETWEEN 0 AND 17592186044416),
    PRIMARY KEY (operation, node)
) STRICT, WITHOUT ROWID;
INSERT INTO held SELECT operation, node, vcpus, memory_mib, disk_mib, network_mbit FROM reservation;
DROP TABLE reservation;
ALTER TABLE held RENAME TO reservation;

CREATE TRIGGER vm_taken AFTER INSERT ON vm
WHEN NEW.committed_vcpus + NEW.committed_memory_mib + NEW.committed_disk_mib + NEW.committed_network_mbit > 0
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus + NEW.committed_vcpus,
                    taken_memory_mib = taken_memory_mib + NEW.committed_memory_mib,
                    taken_disk_mib = taken_disk_mib + NEW.committed_disk_mib,
                    taken_network_mbit = taken_network_mbit + NEW.committed_network_mbit
    WHERE id = NEW.node;
END;

CREATE TRIGGER vm_taken_anew
AFTER UPDATE OF node, committed_vcpus, committed_memory_mib, committed_disk_mib, committed_network_mbit
ON vm
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus + NEW.committed_vcpus,
                    taken_memory_mib = taken_memory_mib + NEW.committed_memory_mib,
                    taken_disk_mib = taken_disk_mib + NEW.committed_disk_mib,
                    taken_network_mbit = taken_network_mbit + NEW.committed_network_mbit
    WHERE id = NEW.node;
    UPDATE node SET taken_vcpus = taken_vcpus - OLD.committed_vcpus,
                    taken_memory_mib = taken_memory_mib - OLD.committed_memory_mib,
                    taken_disk_mib = taken_disk_mib - OLD.committed_disk_mib,
                    taken_network_mbit = taken_network_mbit - OLD.committed_network_mbit
    WHERE id = OLD.node;
END;

CREATE TRIGGER vm_taken_no_more AFTER DELETE ON vm
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus - OLD.committed_vcpus,
                    taken_memory_mib = taken_memory_mib - OLD.committed_memory_mib,
                    taken_disk_mib = taken_disk_mib - OLD.committed_disk_mib,
                    taken_network_mbit = taken_network_mbit - OLD.committed_network_mbit
    WHERE id = OLD.node;
END;

CREATE TRIGGER reservation_taken AFTER INSERT ON reservation
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus + NEW.vcpus, taken_memory_mib = taken_memory_mib + NEW.memory_mib,
                    taken_disk_mib = taken_disk_mib + NEW.disk_mib,
                    taken_network_mbit = taken_network_mbit + NEW.network_mbit
    WHERE id = NEW.node;
END;

CREATE TRIGGER reservation_taken_anew AFTER UPDATE ON reservation
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus + NEW.vcpus, taken_memory_mib = taken_memory_mib + NEW.memory_mib,
                    taken_disk_mib = taken_disk_mib + NEW.disk_mib,
                    taken_network_mbit = taken_network_mbit + NEW.network_mbit
    WHERE id = NEW.node;
    UPDATE node SET taken_vcpus = taken_vcpus - OLD.vcpus, taken_memory_mib = taken_memory_mib - OLD.memory_mib,
                    taken_disk_mib = taken_disk_mib - OLD.disk_mib,
                    taken_network_mbit = taken_network_mbit - OLD.network_mbit
    WHERE id = OLD.node;
END;

CREATE TRIGGER reservation_taken_no_more AFTER DELETE ON reservation
BEGIN
    UPDATE node SET taken_vcpus = taken_vcpus - OLD.vcpus, taken_memory_mib = taken_memory_mib - OLD.memory_mib,
                    taken_disk_mib = taken_disk_mib - OLD.disk_mib,
                    taken_network_mbit = taken_network_mbit - OLD.network_mbit
    WHERE id = OLD.node;
END;

CREATE TRIGGER vm_used AFTER INSERT ON vm
BEGIN
    UPDATE tenant SET used_vms = used_vms + 1,
                      used_vcpus = used_vcpus + iif(NEW.state = 'failed', 0, NEW.vcpus),
                      used_memory_mib = used_memory_mib + iif(NEW.state = 'failed', 0, NEW.memory_mib),
                      used_disk_mib = used_disk_mib + iif(NEW.state = 'failed', 0, NEW.disk_gib * 1024),
                      used_network_mbit = used_network_mbit + iif(NEW.state = 'failed', 0, NEW.network_mbit)
    WHERE id = NEW.tenant;
END;

CREATE TRIGGER vm_used_anew AFTER UPDATE OF tenant, state, vcpus, memory_mib, disk_gib, network_mbit ON vm
BEGIN
    UPDATE tenant SET used_vms = used_vms + 1,
                      used_vcpus = used_vcpus + iif(NEW.state = 'failed', 0, NEW.vcpus),
                      used_memory_mib = used_memory_mib + iif(NEW.state = 'failed', 0, NEW.memory_mib),
                      used_disk_mib = used_disk_mib + iif(NEW.state = 'failed', 0, NEW.disk_gib * 1024),
                      used_network_mbit = used_network_mbit + iif(NEW.state = 'failed', 0, NEW.network_mbit)
    WHERE id = NEW.tenant;
    UPDATE tenant SET used_vms = used_vms - 1,
                      used_vcpus = used_vcpus - iif(OLD.state = 'failed', 0, OLD.vcpus),
                      used_memory_mib = used_memory_mib - iif(OLD.state = 'failed', 0, OLD.memory_mib),
                      used_disk_mib = used_disk_mib - iif(OLD.state = 'failed', 0, OLD.disk_gib * 1024),
                      used_network_mbit = used_network_mbit - iif(OLD.state = 'failed', 0, OLD.network_mbit)
    WHERE id = OLD.tenant;
END;

CREATE TRIGGER vm_used_no_more AFTER DELETE ON vm
BEGIN
    UPDATE tenant SET used_vms = used_vms - 1,
                      used_vcpus = used_vcpus - iif(OLD.state = 'failed', 0, OLD.vcpus),
                      used_memory_mib = used_memory_mib - iif(OLD.state = 'failed', 0, OLD.memory_mib),
                      used_disk_mib = used_disk_mib - iif(OLD.state = 'failed', 0, OLD.disk_gib * 1024),
                      used_network_mbit = used_network_mbit - iif(OLD.state = 'failed', 0, OLD.network_mbit)
    WHERE id = OLD.tenant;
END;

CREATE TRIGGER operation_used AFTER INSERT ON operation
WHEN NEW.ended_ms IS NULL AND NEW.quota_vcpus + NEW.quota_memory_mib + NEW.quota_disk_mib + NEW.quota_network_mbit > 0
BEGIN
    UPDATE tenant SET used_vcpus = used_vcpus + NEW.quota_vcpus,
                      used_memory_mib = used_memory_mib + NEW.quota_memory_mib,
                      used_disk_mib = used_disk_mib + NEW.quota_disk_mib,
                      used_network_mbit = used_network_mbit + NEW.quota_network_mbit
    WHERE id = NEW.tenant;
END;

CREATE TRIGGER operation_used_anew
AFTER UPDATE OF tenant, ended_ms, quota_vcpus, quota_memory_mib, quota_disk_mib, quota_network_mbit ON operation
BEGIN
    UPDATE tenant SET used_vcpus = used_vcpus + NEW.quota_vcpus,
                      used_memory_mib = used_memory_mib + NEW.quota_memory_mib,
                      used_disk_mib = used_disk_mib + NEW.quota_disk_mib,
                      used_network_mbit = used_network_mbit + NEW.quota_network_mbit
    WHERE id = NEW.tenant AND NEW.ended_ms IS NULL;
    UPDATE tenant SET used_vcpus = used_vcpus - OLD.quota_vcpus,
                      used_memory_mib = used_memory_mib - OLD.quota_memory_mib,
                      used_disk_mib = used_disk_mib - OLD.quota_disk_mib,
                      used_network_mbit = used_network_mbit - OLD.quota_network_mbit
    WHERE id = OLD.tenant AND OLD.ended_ms IS NULL;
END;

CREATE TRIGGER operation_used_no_more AFTER DELETE ON operation
BEGIN
    UPDATE tenant SET used_vcpus = used_vcpus - OLD.quota_vcpus,
                      used_memory_mib = used_memory_mib - OLD.quota_memory_mib,
                      used_disk_mib = used_disk_mib - OLD.quota_disk_mib,
                      used_network_mbit = used_network_mbit - OLD.quota_network_mbit
    WHERE id = OLD.tenant AND OLD.ended_ms IS NULL;
END;
