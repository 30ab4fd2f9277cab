//! What the demo and `status` show live: rates and latencies, updated only after a durable commit.

use super::context::{Change, MetricChange};
use fermata_core::names::metrics::VALIDATOR_RECORDS;
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
            let labels = match metric == VALIDATOR_RECORDS {
                true => bounded(&all, &stage, labels),
                false => labels,
            };
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

/// Different verdicts of one validator that are counted apart: its codes are its own, and may be without end.
const VERDICTS: usize = 64;
const OTHERS: &str = "others";

/// The labels of a validator's series, or those of the one that stands for all further verdicts.
fn bounded(all: &BTreeMap<Series, Value>, stage: &StageName, labels: Vec<String>) -> Vec<String> {
    let series = (stage.clone(), VALIDATOR_RECORDS.to_owned(), labels);
    let validator = series.2[..1].to_vec();
    let first = (series.0.clone(), series.1.clone(), validator.clone());
    let known = all
        .range(first..)
        .take_while(|((s, m, l), _)| *s == series.0 && *m == series.1 && l.starts_with(&validator));
    if all.contains_key(&series) || known.count() < VERDICTS {
        return series.2;
    }
    vec![validator.into_iter().next().unwrap_or_default(), OTHERS.to_owned()]
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
}
