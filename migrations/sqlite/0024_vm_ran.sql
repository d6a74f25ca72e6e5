-- Of a VM of which nobody knows what it does: whether it ran when that was known last. It runs again when its node is back,
-- also where the program was started anew meanwhile.

ALTER TABLE vm ADD COLUMN ran INTEGER NOT NULL DEFAULT 0 CHECK (ran IN (0, 1));
