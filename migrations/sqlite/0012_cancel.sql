-- Who cancelled an operation: it turns back at the next moment at which that can still be.

ALTER TABLE operation ADD COLUMN cancelled_by TEXT CHECK (length(cancelled_by) = 36);
