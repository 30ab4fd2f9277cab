//! What became of the load, for the summary.

use crate::cli::talk::{grouped, micros};
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Microseconds that are told apart: up to an hour, to three digits.
const LONGEST: u64 = 3_600_000_000;
const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

pub struct Tally {
    pub sent: u64,
    acknowledged: u64,
    pub refused: u64,
    /// Lines that could not be sent.
    pub bad: u64,
    latency: Histogram<u64>,
    began: Instant,
    took: Duration,
    interrupted: bool,
}

impl Tally {
    pub fn new() -> Self {
        Self {
            sent: 0,
            acknowledged: 0,
            refused: 0,
            bad: 0,
            latency: Histogram::new_with_bounds(1, LONGEST, 3).expect("constant bounds are valid"),
            began: Instant::now(),
            took: Duration::ZERO,
            interrupted: false,
        }
    }

    /// One record is on disk, so long after it was scheduled.
    pub fn acknowledged(&mut self, after: Duration) {
        self.acknowledged += 1;
        self.latency.saturating_record(after.as_micros() as u64);
    }

    pub fn end(&mut self, interrupted: bool) {
        self.took = self.began.elapsed();
        self.interrupted = interrupted;
    }

    fn rate(&self) -> f64 {
        let seconds = self.took.as_secs_f64();
        if seconds > 0.0 {
            self.acknowledged as f64 / seconds
        } else {
            0.0
        }
    }

    /// Sent, and neither acknowledged nor refused: they may or may not be on the log.
    fn unanswered(&self) -> u64 {
        self.sent - self.acknowledged - self.refused
    }

    pub fn text(&self) -> String {
        let mut parts = vec![
            format!("{} sent", grouped(self.sent)),
            format!("{} acknowledged", grouped(self.acknowledged)),
            format!("{} refused", grouped(self.refused)),
        ];
        for (count, what) in [
            (self.unanswered(), "without an answer"),
            (self.bad, "bad lines left out"),
        ] {
            if count > 0 {
                parts.push(format!("{} {what}", grouped(count)));
            }
        }
        let mut text = format!(
            "{} in {:.1} s, {:.0} a second{}",
            parts.join(", "),
            self.took.as_secs_f64(),
            self.rate(),
            if self.interrupted { ", interrupted" } else { "" },
        );
        if !self.latency.is_empty() {
            let mut quantiles: Vec<String> = QUANTILES
                .iter()
                .map(|(name, at)| format!("{name} {}", micros(self.latency.value_at_quantile(*at))))
                .collect();
            quantiles.push(format!("max {}", micros(self.latency.max())));
            text.push_str(&format!(
                "\nlatency, from scheduled to acknowledged: {}",
                quantiles.join("  ")
            ));
        }
        text
    }

    /// `what` names the source; `taken_in` is what `acknowledged` was called first.
    pub fn shape(&self, what: &Value, set_up: u64) -> Value {
        let quantile = |at: f64| {
            if self.latency.is_empty() {
                Value::Null
            } else {
                self.latency.value_at_quantile(at).into()
            }
        };
        let mut latency: serde_json::Map<String, Value> = QUANTILES
            .iter()
            .map(|(name, at)| ((*name).to_owned(), quantile(*at)))
            .collect();
        latency.insert("max".into(), quantile(1.0));
        let mut shape = json!({
            "schema": "fermata.generate/1",
            "setup": set_up,
            "sent": self.sent,
            "acknowledged": self.acknowledged,
            "taken_in": self.acknowledged,
            "refused": self.refused,
            "unanswered": self.unanswered(),
            "bad_lines": self.bad,
            "seconds": self.took.as_secs_f64(),
            "rate": self.rate(),
            "latency_micros": latency,
            "interrupted": self.interrupted,
        });
        if let (Some(shape), Some(what)) = (shape.as_object_mut(), what.as_object()) {
            shape.extend(what.clone());
        }
        shape
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_says_what_became_of_everything() {
        let mut tally = Tally::new();
        (tally.sent, tally.refused, tally.bad) = (1_005, 2, 3);
        for millis in 1..=1_000 {
            tally.acknowledged(Duration::from_millis(millis));
        }
        tally.end(true);
        let text = tally.text();
        for part in [
            "1,005 sent",
            "1,000 acknowledged",
            "2 refused",
            "3 without an answer",
            "3 bad lines",
            "interrupted",
        ] {
            assert!(text.contains(part), "no {part:?} in {text}");
        }
        let shape = tally.shape(&json!({ "file": "x.csv" }), 7);
        assert_eq!((&shape["file"], &shape["setup"]), (&json!("x.csv"), &json!(7)));
        let p99 = shape["latency_micros"]["p99"].as_u64().expect("measured");
        assert!((989_000..=991_000).contains(&p99), "{p99}");
    }

    #[test]
    fn without_records_there_are_no_quantiles() {
        let tally = Tally::new();
        assert!(!tally.text().contains("latency"));
        assert_eq!(tally.shape(&json!({}), 0)["latency_micros"]["p99"], Value::Null);
    }
}
