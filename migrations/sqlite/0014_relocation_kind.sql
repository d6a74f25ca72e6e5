-- Relocations of more than one kind: a node is emptied, room is made for an operation (of the same id), VMs are evened out.

DROP INDEX relocation_working;
DROP INDEX relocation_of_node;
ALTER TABLE relocation ADD COLUMN kind TEXT NOT NULL DEFAULT 'drain' CHECK (kind IN ('drain', 'make-room', 'rebalance'));
-- As the program writes it, JSON; none of a drain that an older program began.
ALTER TABLE relocation ADD COLUMN body TEXT;
-- Only a drain has a node.
ALTER TABLE relocation ADD COLUMN of_node TEXT REFERENCES node (id);
UPDATE relocation SET of_node = node;
ALTER TABLE relocation DROP COLUMN node;
ALTER TABLE relocation RENAME COLUMN of_node TO node;

-- At most one at a time empties a node, and one evens out.
CREATE UNIQUE INDEX relocation_working ON relocation (node) WHERE ended_ms IS NULL AND kind = 'drain';
CREATE UNIQUE INDEX relocation_evening ON relocation (kind) WHERE ended_ms IS NULL AND kind = 'rebalance';
CREATE INDEX relocation_of_kind ON relocation (kind, node, created_ms, id);
