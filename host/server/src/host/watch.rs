//! Rates and latencies over the last minutes, from samples of counters that only grow.

use super::App;
use fermata_core::manifest::{InvariantRule, Manifest};
use fermata_core::{StageName, TopicName};
use hdrhistogram::Histogram;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Samples are kept this long.
const KEPT: Duration = fermata_core::limits::MAX_GOAL_WINDOW;

#[derive(Default)]
pub struct Watch {
    samples: Mutex<VecDeque<Sample>>,
}

#[derive(Clone)]
struct Sample {
    /// Monotonic.
    at: Duration,
    /// Latency in microseconds on the topics where work ends.
    latency: Histogram<u64>,
    processed: BTreeMap<StageName, u64>,
}

/// What happened within a window.
#[derive(Clone)]
pub struct Window {
    pub length: Duration,
    pub latency: Histogram<u64>,
    pub processed: BTreeMap<StageName, u64>,
}

impl Window {
    /// Ends a second.
    pub fn rate(&self) -> f64 {
        per_second(self.latency.len(), self.length)
    }
    pub fn stage_rate(&self, stage: &StageName) -> f64 {
        per_second(self.processed.get(stage).copied().unwrap_or_default(), self.length)
    }
}

pub fn per_second(count: u64, length: Duration) -> f64 {
    if length.is_zero() {
        0.0
    } else {
        count as f64 / length.as_secs_f64()
    }
}

impl Watch {
    pub fn sample(&self, app: &App) {
        let sample = take(app);
        let mut samples = self.samples.lock();
        let oldest = sample.at.saturating_sub(KEPT);
        while samples.front().is_some_and(|s| s.at < oldest) {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// Forgets what was before: the clock starts now.
    pub fn restart(&self, app: &App) {
        app.board.meters.reset();
        self.samples.lock().clear();
        self.sample(app);
    }

    /// From the youngest sample that is at least `length` old (or the oldest there is) to now.
    pub fn window(&self, app: &App, length: Duration) -> Window {
        let now = take(app);
        let samples = self.samples.lock();
        let begin = now.at.saturating_sub(length);
        let from = samples.iter().rev().find(|s| s.at <= begin).or_else(|| samples.front());
        let Some(from) = from else {
            return Window {
                length: Duration::ZERO,
                latency: now.latency,
                processed: now.processed,
            };
        };
        let mut window = Window {
            length: now.at.saturating_sub(from.at),
            latency: now.latency,
            processed: now.processed,
        };
        // Fails only where the older is not contained in the newer, as after a reset: then all is new.
        if window.latency.subtract(&from.latency).is_err() {
            tracing::debug!("latencies were reset within the window");
        }
        for (stage, count) in &mut window.processed {
            *count = count.saturating_sub(from.processed.get(stage).copied().unwrap_or_default());
        }
        window
    }
}

fn take(app: &App) -> Sample {
    let mut processed: BTreeMap<StageName, u64> = BTreeMap::new();
    for report in app.nodes.reports().into_values() {
        for (stage, task) in report.tasks {
            *processed.entry(stage).or_default() += task.counts.processed;
        }
    }
    Sample {
        at: app.clock.elapsed(),
        latency: latency(app),
        processed,
    }
}

/// Latency of all ends together, in microseconds, since the last restart of the watch.
pub fn latency(app: &App) -> Histogram<u64> {
    let ends = ends(&app.manifest);
    let mut all = Histogram::new_with_bounds(1, 600_000_000, 2).expect("constant bounds are valid");
    for (topic, one) in app.board.meters.latency() {
        if ends.contains(&topic) {
            all.add(one).expect("all histograms of the meters have the same bounds");
        }
    }
    all
}

/// Where one unit of work ends: as the manifest's `ends-in` says, else every topic that no stage reads.
pub fn ends(manifest: &Manifest) -> Vec<TopicName> {
    let declared: Vec<TopicName> = manifest
        .invariants
        .iter()
        .filter_map(|i| match &i.rule {
            InvariantRule::EndsOnce { ends_in, .. } => Some(ends_in.clone()),
            InvariantRule::Each { .. } => None,
        })
        .flatten()
        .collect();
    if !declared.is_empty() {
        return declared;
    }
    let unread = manifest.topics.keys().filter(|t| manifest.readers(t).next().is_none());
    unread.cloned().collect()
}
