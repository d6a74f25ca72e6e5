-- A seed is planted once: when all that it named was there. What people do with it afterwards is theirs.

CREATE TABLE seeded (
    at_ms INTEGER NOT NULL
) STRICT;
