//! How long a candidate has served of its probation. Only time counts in which it ran: on every shard, with nothing of
//! it paused and intake open. Who was away meanwhile, as after a restart, has seen nothing of it and begins anew.

use super::controller::Controller;
use super::deployment::Deployment;
use fermata_core::control::DeploymentState;
use std::time::Duration;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Served {
    ran: Duration,
    /// When it was last seen running (monotonic).
    seen: Option<Duration>,
}

impl Served {
    /// Looks at it: `runs` now.
    fn look(&mut self, now: Duration, runs: bool) -> Duration {
        if let Some(seen) = self.seen.filter(|_| runs) {
            self.ran += now.saturating_sub(seen);
        }
        self.seen = runs.then_some(now);
        self.ran
    }
    /// What comes until the next look was not watched.
    pub fn interrupt(&mut self) {
        self.seen = None;
    }
}

impl Controller {
    /// The candidate has run for as long as it must.
    pub(super) fn has_served(&mut self, deployment: &Deployment) -> bool {
        let runs = self.runs(deployment);
        let now = self.clock.elapsed();
        let served = self.probations.entry(deployment.number).or_default();
        let enough = served.look(now, runs) >= Duration::from_millis(deployment.probation_ms);
        // The facts' own times show it too, also where somebody has set the clock back.
        let since = deployment.reached(DeploymentState::Probation).unwrap_or(i64::MAX);
        let probation = i64::try_from(deployment.probation_ms).unwrap_or(i64::MAX);
        enough && runs && self.clock.now().0 >= since.saturating_add(probation)
    }

    /// A shard that does not report could be the one where it fails; so could one whose instance is silent, or whose
    /// task stands still.
    fn runs(&self, deployment: &Deployment) -> bool {
        let stage = &deployment.stage;
        let reports = self.nodes.reports();
        let mut tasks = reports.values().filter_map(|report| report.tasks.get(stage));
        self.fold.paused.is_none()
            && !self.fold.at_fault.contains_key(stage)
            && self.all_say_so(deployment)
            && tasks.all(|task| task.paused.is_none())
    }
}

#[cfg(test)]
mod tests {
    use super::Served;
    use std::time::Duration;

    #[test]
    fn only_time_between_two_looks_that_saw_it_run_counts() {
        let at = Duration::from_secs;
        let mut served = Served::default();
        assert_eq!(served.look(at(10), true), at(0));
        assert_eq!(served.look(at(13), true), at(3));
        assert_eq!(served.look(at(20), false), at(3));
        assert_eq!(served.look(at(30), true), at(3), "paused in between");
        served.interrupt();
        assert_eq!(served.look(at(40), true), at(3), "not watched in between");
        assert_eq!(served.look(at(41), true), at(4));
    }
}
