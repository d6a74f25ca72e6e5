//! What the manager tells about itself: the names of its metrics, their units and what they mean.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Says it once, to the recorder that is installed; without one nothing is told.
pub(crate) fn describe() {
    describe_counter!(
        "hostgrid_samples_total",
        Unit::Count,
        "Samples of nodes by source (hypervisor, utility) and outcome (taken, failed, late)."
    );
    describe_counter!(
        "hostgrid_sample_flags_total",
        Unit::Count,
        "Figures in samples that could not be true and were made harmless, by source."
    );
    describe_histogram!("hostgrid_sample_duration_seconds", Unit::Seconds, "Time that a hypervisor took for a sample.");
    describe_gauge!("hostgrid_reading_age_seconds", Unit::Seconds, "Age of the last reading of a node, by source.");
    describe_gauge!("hostgrid_drift", Unit::Count, "Differences between what is recorded and what is seen.");
    describe_gauge!("hostgrid_map_version", "Version of the map; goes up with each change.");
    describe_counter!("hostgrid_history_points_total", Unit::Count, "Points written into the history.");
    describe_counter!(
        "hostgrid_utility_starts_total",
        Unit::Count,
        "Utility VMs that were brought back, by outcome (started, failed)."
    );
    describe_gauge!("hostgrid_operations_running", Unit::Count, "Operations that this server carries out now.");
    describe_counter!(
        "hostgrid_operations_total",
        Unit::Count,
        "Operations that ended, by kind and outcome (succeeded, undone, failed)."
    );
    describe_histogram!(
        "hostgrid_operation_duration_seconds",
        Unit::Seconds,
        "Time from an operation's beginning, here, to its end, by kind."
    );
    describe_histogram!("hostgrid_step_duration_seconds", Unit::Seconds, "Time that a step took, its tries included.");
}
