-- Nodes that an admin has fenced, and VMs that are rebuilt elsewhere because of it: two more words. A check can't be
-- changed, so each column makes room for a new one.

ALTER TABLE node ADD COLUMN decided TEXT NOT NULL DEFAULT 'open'
    CHECK (decided IN ('open', 'cordoned', 'draining', 'fenced'));
UPDATE node SET decided = administration;
ALTER TABLE node DROP COLUMN administration;
ALTER TABLE node RENAME COLUMN decided TO administration;

ALTER TABLE operation ADD COLUMN word TEXT NOT NULL DEFAULT 'resize'
    CHECK (word IN ('deploy', 'start', 'stop', 'delete', 'rebuild', 'resize'));
UPDATE operation SET word = kind;
ALTER TABLE operation DROP COLUMN kind;
ALTER TABLE operation RENAME COLUMN word TO kind;
