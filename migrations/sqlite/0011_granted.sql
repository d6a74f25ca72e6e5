-- What was usable on a node when room was last given there, less what is held outside the store, resource by resource:
-- whatever the node's settings have become since, commitments and reservations are within it.

ALTER TABLE node ADD COLUMN granted_vcpus INTEGER CHECK (granted_vcpus >= 0);
ALTER TABLE node ADD COLUMN granted_memory_mib INTEGER CHECK (granted_memory_mib >= 0);
ALTER TABLE node ADD COLUMN granted_disk_mib INTEGER CHECK (granted_disk_mib >= 0);
