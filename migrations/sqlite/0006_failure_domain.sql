-- What fails together with a node: a rack, a power feed. NULL where nobody told.

ALTER TABLE node ADD COLUMN failure_domain TEXT CHECK (length(failure_domain) BETWEEN 1 AND 63);
