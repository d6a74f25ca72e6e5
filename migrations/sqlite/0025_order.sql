-- Operations are told in the order in which they were accepted, which is that of their rows: no clock that is set back
-- changes it, and an index need not repeat it.

DROP INDEX operation_by_time;
DROP INDEX operation_of_tenant;
DROP INDEX operation_of_vm;
DROP INDEX operation_from;
DROP INDEX operation_to;
DROP INDEX operation_of_relocation;
CREATE INDEX operation_of_tenant ON operation (tenant);
CREATE INDEX operation_of_vm ON operation (vm);
CREATE INDEX operation_from ON operation (source) WHERE source IS NOT NULL;
CREATE INDEX operation_to ON operation (destination) WHERE destination IS NOT NULL;
CREATE INDEX operation_of_relocation ON operation (relocation) WHERE relocation IS NOT NULL;
