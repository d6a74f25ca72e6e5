-- History of samples: points of series, and the last raw sample of each node and source.

CREATE TABLE series (
    id      INTEGER NOT NULL PRIMARY KEY,
    subject TEXT    NOT NULL,
    metric  TEXT    NOT NULL,
    UNIQUE (subject, metric)
) STRICT;

CREATE TABLE point (
    series INTEGER NOT NULL REFERENCES series (id),
    at_ms  INTEGER NOT NULL,
    value  REAL    NOT NULL,
    PRIMARY KEY (series, at_ms)
) STRICT, WITHOUT ROWID;

CREATE TABLE last_sample (
    node   TEXT    NOT NULL,
    source TEXT    NOT NULL CHECK (source IN ('hypervisor', 'utility')),
    at_ms  INTEGER NOT NULL,
    body   TEXT    NOT NULL,
    PRIMARY KEY (node, source)
) STRICT, WITHOUT ROWID;
