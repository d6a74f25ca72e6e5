-- VMs that a drain could only move away by shutting them down: their owners were asked, and what they have agreed to.

CREATE TABLE move_consent (
    relocation  TEXT    NOT NULL REFERENCES relocation (id),
    -- No reference: what was agreed to outlives the VM.
    vm          TEXT    NOT NULL CHECK (length(vm) = 36),
    asked_ms    INTEGER NOT NULL,
    -- What the move is expected to take.
    duration_ms INTEGER NOT NULL CHECK (duration_ms >= 0),
    downtime_ms INTEGER NOT NULL CHECK (downtime_ms >= 0),
    -- Who agreed, when, to which window; and whether the guest may be forced off.
    actor       TEXT    REFERENCES user_account (id),
    agreed_ms   INTEGER,
    opens_ms    INTEGER,
    closes_ms   INTEGER CHECK (closes_ms > opens_ms),
    force_off   INTEGER CHECK (force_off IN (0, 1)),
    PRIMARY KEY (relocation, vm),
    CHECK ((actor IS NULL) = (agreed_ms IS NULL)),
    CHECK ((actor IS NULL) = (opens_ms IS NULL)),
    CHECK ((actor IS NULL) = (closes_ms IS NULL)),
    CHECK ((actor IS NULL) = (force_off IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX move_consent_of_vm ON move_consent (vm);
