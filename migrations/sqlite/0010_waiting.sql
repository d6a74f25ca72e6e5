-- Operations that wait for the operator: since when. They are not over, and what they were doing (running or undoing)
-- stays in their state, so that they can go on with it.

ALTER TABLE operation ADD COLUMN waiting_ms INTEGER CHECK (waiting_ms IS NULL OR ended_ms IS NULL);
