//! What the log is told of a node whose hypervisor does not answer: each reason once, and that it answers again; not a line
//! for every try.

use crate::hypervisor::HypervisorError;

/// A hypervisor whose reasons are new each time is told of so many times, until it has answered.
const MOST_REASONS: usize = 8;

/// One node's, as long as it lasts.
#[derive(Debug, Default)]
pub(super) struct Outage {
    reasons: Vec<HypervisorError>,
}

impl Outage {
    /// It did not answer; whether that is to be told.
    pub(super) fn is_news(&mut self, reason: &HypervisorError) -> bool {
        let is_news = self.reasons.len() < MOST_REASONS && !self.reasons.contains(reason);
        if is_news {
            self.reasons.push(reason.clone());
        }
        is_news
    }

    /// It answered; whether it hadn't before.
    pub(super) fn ends(&mut self) -> bool {
        let was_out = !self.reasons.is_empty();
        self.reasons.clear();
        was_out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::rig::Rig;
    use crate::test_log::TestLog;
    use tokio::time::{Duration, sleep};

    #[test]
    fn each_reason_is_told_once_until_there_is_an_answer() {
        let mut outage = Outage::default();
        let unknown = HypervisorError::Unreachable("no such host".into());
        assert!(!outage.ends(), "it was never out");
        assert!(outage.is_news(&unknown) && !outage.is_news(&unknown));
        assert!(outage.is_news(&HypervisorError::Deadline) && !outage.is_news(&unknown));
        assert!(outage.ends() && !outage.ends());
        assert!(outage.is_news(&unknown), "another outage");
        let told = (0..1000).filter(|port| outage.is_news(&HypervisorError::Refused(format!("by port {port}"))));
        assert!(told.count() < 10);
    }

    /// The lines that say all of this.
    fn count(log: &TestLog, words: &[&str]) -> usize {
        log.lines().iter().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    #[tokio::test]
    async fn the_log_names_the_node_and_the_reason_once_and_says_when_it_answers_again() {
        let (log, _guard) = TestLog::begin();
        let rig = Rig::new().await;
        rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = true);
        let warned = ["WARN", "node=\"qemu-a\"", "can't be reached"];
        rig.until("it is told", || count(&log, &warned) > 0).await;
        // Many tries later.
        sleep(Duration::from_millis(500)).await;
        // Of the hypervisor, and of its utility VM at most.
        assert_eq!(count(&log, &[&warned[..], &["no answer from a node's hypervisor"]].concat()), 1);
        assert!(count(&log, &warned) <= 2);
        let again = ["INFO", "node=\"qemu-a\"", "answers again"];
        let before = count(&log, &again);
        rig.grid.faults(rig.id("qemu-a"), |faults| faults.silent = false);
        rig.until("it is told", || count(&log, &again) > before).await;
        rig.manager.stop().await;
    }
}
