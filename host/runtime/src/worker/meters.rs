//! What the demo and `status` show live: rates and latencies, updated only after a durable commit.

use super::context::{Change, MetricChange};
use fermata_core::{StageName, TopicName};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// End-to-end latency by end topic (a topic that no stage reads), head's timestamp to durable commit.
#[derive(Default)]
pub struct Meters {
    latency: Mutex<BTreeMap<TopicName, hdrhistogram::Histogram<u64>>>,
    business: Mutex<BTreeMap<Series, Value>>,
}

/// One business series: stage, metric, label values in declared order.
pub type Series = (StageName, String, Vec<String>);

/// A business figure since this process began.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value {
    Counter(u64),
    Gauge(i64),
    /// Count, sum, minimum and maximum of what was observed.
    Summary {
        count: u64,
        sum: f64,
        min: f64,
        max: f64,
    },
}

impl Meters {
    /// `micros`: one record's latency.
    pub fn record(&self, topic: &TopicName, micros: u64) {
        let mut all = self.latency.lock();
        let histogram = all.entry(topic.clone()).or_insert_with(|| {
            // One microsecond to ten minutes, two digits.
            hdrhistogram::Histogram::new_with_bounds(1, 600_000_000, 2).expect("constant bounds are valid")
        });
        histogram.saturating_record(micros);
    }
    /// Applies what stages declared in a batch that is durable now.
    pub fn business(&self, changes: Vec<(StageName, MetricChange)>) {
        if changes.is_empty() {
            return;
        }
        let mut all = self.business.lock();
        for (stage, MetricChange { metric, labels, change }) in changes {
            let value = all.entry((stage, metric, labels));
            match change {
                Change::Add(n) => match value.or_insert(Value::Counter(0)) {
                    Value::Counter(c) => *c = c.saturating_add(n),
                    other => *other = Value::Counter(n),
                },
                Change::Set(n) => *value.or_insert(Value::Gauge(n)) = Value::Gauge(n),
                Change::Observe(x) => match value.or_insert(Value::Summary {
                    count: 0,
                    sum: 0.0,
                    min: x,
                    max: x,
                }) {
                    Value::Summary { count, sum, min, max } => {
                        (*count, *sum, *min, *max) = (*count + 1, *sum + x, min.min(x), max.max(x));
                    }
                    other => {
                        *other = Value::Summary {
                            count: 1,
                            sum: x,
                            min: x,
                            max: x,
                        }
                    }
                },
            }
        }
    }
    /// Copy of the business series.
    pub fn series(&self) -> BTreeMap<Series, Value> {
        self.business.lock().clone()
    }
    /// Copy of the histograms (microseconds) since the start or the last `reset`.
    pub fn latency(&self) -> BTreeMap<TopicName, hdrhistogram::Histogram<u64>> {
        self.latency.lock().clone()
    }
    pub fn reset(&self) {
        self.latency.lock().clear();
    }
}
