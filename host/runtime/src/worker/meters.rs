//! What the demo and `status` show live: rates and latencies, updated only after a durable commit.

use super::context::{Change, MetricChange};
use fermata_core::limits::MAX_SERIES;
use fermata_core::names::metrics::VALIDATOR_RECORDS;
use fermata_core::{StageName, TopicName};
use parking_lot::Mutex;
use std::collections::BTreeMap;

/// End-to-end latency by end topic (a topic that no stage reads), head's timestamp to durable commit.
#[derive(Default)]
pub struct Meters {
    latency: Mutex<BTreeMap<TopicName, hdrhistogram::Histogram<u64>>>,
    business: Mutex<Business>,
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

#[derive(Default)]
struct Business {
    series: BTreeMap<Series, Value>,
    /// How many series are bounded together: those of a metric, and of one validator of a stage.
    counts: BTreeMap<Series, usize>,
}

/// Different verdicts of one validator that are counted apart: its codes are its own, and may be without end.
const VERDICTS: usize = 64;
/// Label value of what is counted together, once there are too many series.
pub const OTHERS: &str = "(others)";

impl Business {
    /// The series that a change belongs to: its own, or that of all others once there are too many.
    fn series(&mut self, stage: StageName, metric: String, mut labels: Vec<String>) -> Series {
        let own = (stage.clone(), metric.clone(), labels.clone());
        if self.series.contains_key(&own) {
            return own;
        }
        let (together, most) = match metric == VALIDATOR_RECORDS {
            true => (1, VERDICTS),
            false => (0, MAX_SERIES),
        };
        let group = (stage.clone(), metric.clone(), labels[..together].to_vec());
        let count = self.counts.entry(group).or_default();
        if *count >= most {
            labels[together..].fill(OTHERS.to_owned());
            return (stage, metric, labels);
        }
        *count += 1;
        own
    }
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
            let series = all.series(stage, metric, labels);
            let value = all.series.entry(series);
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
        self.business.lock().series.clone()
    }
    /// Copy of the histograms (microseconds) since the start or the last `reset`.
    pub fn latency(&self) -> BTreeMap<TopicName, hdrhistogram::Histogram<u64>> {
        self.latency.lock().clone()
    }
    pub fn reset(&self) {
        self.latency.lock().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_with_codes_without_end_has_a_bounded_number_of_series() {
        let meters = Meters::default();
        let stage: StageName = "check".parse().unwrap();
        let seen = |validator: &str, verdict: &str| {
            let change = MetricChange {
                metric: VALIDATOR_RECORDS.into(),
                labels: vec![validator.into(), verdict.into()],
                change: Change::Add(1),
            };
            meters.business(vec![(stage.clone(), change)]);
        };
        for n in 0..1_000 {
            seen("endless", &format!("code-{n}"));
            seen("calm", "accepted");
        }
        let series = meters.series();
        let of = |name: &'static str| series.iter().filter(move |((_, _, labels), _)| labels[0] == name);
        assert_eq!(of("endless").count(), VERDICTS + 1);
        let sum: u64 = of("endless")
            .map(|(_, value)| match value {
                Value::Counter(n) => *n,
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(sum, 1_000, "each is counted somewhere");
        assert_eq!(of("calm").map(|(_, v)| *v).collect::<Vec<_>>(), [Value::Counter(1_000)]);
    }

    #[test]
    fn labels_without_end_are_counted_together() {
        let meters = Meters::default();
        let stage = StageName::new("stage").unwrap();
        let change = |n: usize| MetricChange {
            metric: "seen".into(),
            labels: vec![format!("label {n}")],
            change: Change::Add(1),
        };
        for n in 0..3 * MAX_SERIES {
            meters.business(vec![(stage.clone(), change(n))]);
            meters.business(vec![(stage.clone(), change(0))]);
        }
        let all = meters.series();
        assert_eq!(all.len(), MAX_SERIES + 1);
        let of = |label: &str| all[&(stage.clone(), "seen".into(), vec![label.into()])];
        assert_eq!(of(OTHERS), Value::Counter(2 * MAX_SERIES as u64));
        assert_eq!(of("label 0"), Value::Counter(3 * MAX_SERIES as u64 + 1));
    }
}
