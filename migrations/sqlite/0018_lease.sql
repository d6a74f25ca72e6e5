-- Which server carries operations out: at most one. Its lease is over when nobody has renewed it for as long as it lasts.

CREATE TABLE lease (
    one INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    holder TEXT NOT NULL,
    renewals INTEGER NOT NULL
) STRICT;
