-- A seed is planted once: when all that it named was there. What people do with it afterwards is theirs.

CREATE TABLE seeded (
    at_ms INTEGER NOT NULL
) STRICT;

-- A grid that has VMs was seeded before this was written down.
INSERT INTO seeded SELECT 0 WHERE EXISTS (SELECT 1 FROM vm);
