//! What the load generator prints, one line a measurement.

use super::Outcome;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// More processors that were busy with something else than this disturb.
pub const DISTURBED: f64 = 0.25;

/// A backlog, poured at once onto a warm system.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Burst {
    /// Payments a second.
    pub pps: f64,
    #[serde(rename(deserialize = "sys_rss_peak_mb"))]
    pub peak_mib: f64,
    #[serde(rename(deserialize = "sys_cpu_per_100k"))]
    pub system_cpu: f64,
    #[serde(rename(deserialize = "broker_cpu_per_100k"))]
    pub broker_cpu: f64,
    #[serde(rename(deserialize = "other_cpu_cores"))]
    pub others: f64,
}

/// Payments that come at a steady rate, whatever becomes of those before.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Open {
    pub rate: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
    #[serde(rename(deserialize = "sys_rss_peak_mb"))]
    pub peak_mib: f64,
    #[serde(rename(deserialize = "sys_cpu_per_100k"))]
    pub system_cpu: f64,
    #[serde(rename(deserialize = "broker_cpu_per_100k"))]
    pub broker_cpu: f64,
    /// The generator's own worst delay: it is inside the latency.
    #[serde(rename(deserialize = "sender_late_max_ms"))]
    pub sender_late_ms: f64,
    #[serde(rename(deserialize = "other_cpu_cores"))]
    pub others: f64,
}

/// A steady load, in which the system was killed and started again at once.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Silence {
    /// The longest silence of the confirmed payments that ended after the kill.
    pub gap_ms: f64,
    #[serde(rename(deserialize = "kill_to_resume_ms"))]
    pub resumed_ms: f64,
    /// Until latencies were as before.
    #[serde(rename(deserialize = "kill_to_caught_up_ms"))]
    pub caught_up_ms: f64,
}

/// The only measurement of a run.
pub fn one<T: DeserializeOwned>(found: &[Value]) -> Outcome<T> {
    next(&mut found.iter())
}

pub fn next<'a, T: DeserializeOwned>(found: &mut impl Iterator<Item = &'a Value>) -> Outcome<T> {
    let value = found
        .next()
        .ok_or("the load generator printed fewer measurements than were asked for")?;
    T::deserialize(value).map_err(|e| format!("{value}: {e}").into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lines_of_the_load_generator_are_read_by_name() {
        let line = json!({
            "mode": "burst", "complete": "yes", "pps": 5400.5, "sys_rss_peak_mb": 610, "sys_cpu_per_100k": 21,
            "broker_cpu_per_100k": 4, "other_cpu_cores": 0.1,
        });
        let burst: Burst = one(&[line]).expect("it has every field");
        assert_eq!((burst.pps, burst.peak_mib, burst.system_cpu), (5400.5, 610.0, 21.0));
        assert_eq!(json!(burst)["peak_mib"], 610.0);
        assert!(one::<Burst>(&[json!({ "pps": 1 })]).is_err());
        assert!(one::<Burst>(&[]).is_err());
    }
}
