-- Network bandwidth, in Mbit/s: a resource as the others. What was there before has none of it, and a tenant's quota that
-- nobody set doesn't limit it. Sums over a node and over a tenant are answered from the indexes alone, as before.

ALTER TABLE node ADD COLUMN network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (network_mbit >= 0);
ALTER TABLE node ADD COLUMN reserve_network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (reserve_network_mbit >= 0);
ALTER TABLE node ADD COLUMN network_permille INTEGER NOT NULL DEFAULT 1000 CHECK (network_permille >= 0);
ALTER TABLE node ADD COLUMN granted_network_mbit INTEGER CHECK (granted_network_mbit >= 0);

ALTER TABLE offer ADD COLUMN network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (network_mbit BETWEEN 0 AND 1099511627776);
ALTER TABLE tenant ADD COLUMN quota_network_mbit INTEGER NOT NULL DEFAULT 9223372036854775807
    CHECK (quota_network_mbit >= 0);

ALTER TABLE vm ADD COLUMN network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (network_mbit BETWEEN 0 AND 1099511627776);
ALTER TABLE vm ADD COLUMN committed_network_mbit INTEGER NOT NULL DEFAULT 0 CHECK (committed_network_mbit >= 0);
DROP INDEX vm_commitment;
CREATE INDEX vm_commitment
    ON vm (node, committed_vcpus, committed_memory_mib, committed_disk_mib, committed_network_mbit);
DROP INDEX vm_quota;
CREATE INDEX vm_quota ON vm (tenant, state, vcpus, memory_mib, disk_gib, network_mbit);

ALTER TABLE reservation ADD COLUMN network_mbit INTEGER NOT NULL DEFAULT 0
    CHECK (network_mbit BETWEEN 0 AND 17592186044416);
ALTER TABLE operation ADD COLUMN quota_network_mbit INTEGER NOT NULL DEFAULT 0
    CHECK (quota_network_mbit BETWEEN 0 AND 17592186044416);
