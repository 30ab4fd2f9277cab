//! Is the pipeline as it should be? Goals and invariants of the manifest, and no dead letters.

use super::{App, figures};
use crate::cli::talk::{grouped, plain};
use fermata_core::manifest::{Bound, Goal, InvariantRule};
use fermata_core::names::metrics;
use serde_json::{Value, json};
use std::time::Duration;

/// One verdict.
pub struct Verdict {
    pub name: String,
    /// `None`: nothing was measured yet.
    pub met: Option<bool>,
    pub value: Value,
    /// For people: `latency p99 4.2 ms < 200 ms`.
    pub text: String,
}

impl Verdict {
    pub fn shape(&self) -> Value {
        json!({ "name": self.name, "met": self.met, "value": self.value, "text": self.text })
    }
    pub fn mark(&self) -> &'static str {
        match self.met {
            Some(true) => "✓",
            Some(false) => "✗",
            None => "…",
        }
    }
}

/// What is wrong becomes a verdict that is not met: a goal line must not hide it.
pub fn verdicts(app: &App) -> Vec<Verdict> {
    let mut all: Vec<Verdict> = app.manifest.goals.iter().map(|g| goal(app, g)).collect();
    for invariant in app.manifest.invariants.iter().filter(|i| !i.when_drained) {
        if let InvariantRule::Each { at, each } = &invariant.rule {
            let found = figures::view_field(app, at);
            all.push(match found {
                Ok(value) => Verdict {
                    met: Some(every_number(&value, *each)),
                    text: format!("{} {}", invariant.name, numbers(&value)),
                    name: invariant.name.clone(),
                    value,
                },
                Err(because) => unknown(&invariant.name, &because),
            });
        }
    }
    all.push(match figures::dead_letters(app) {
        Ok(None) => unknown("dead-letters", "they are still being counted"),
        Ok(Some(count)) => Verdict {
            name: "dead-letters".to_owned(),
            met: Some(count == 0),
            value: count.into(),
            text: format!("dead letters {}", grouped(count)),
        },
        Err(because) => unknown("dead-letters", &because),
    });
    all
}

fn unknown(name: &str, because: &str) -> Verdict {
    Verdict {
        name: name.to_owned(),
        met: None,
        value: Value::Null,
        text: format!("{name}: {because}"),
    }
}

fn goal(app: &App, goal: &Goal) -> Verdict {
    let window = app.watch.window(app, goal.over);
    let seen = !window.latency.is_empty();
    let (value, label) = match (goal.metric.as_str(), goal.quantile) {
        (metrics::PIPELINE_LATENCY, quantile) => {
            let quantile = quantile.unwrap_or(1.0);
            let micros = window.latency.value_at_quantile(quantile);
            (micros as f64 / 1_000_000.0, format!(" p{}", quantile * 100.0))
        }
        _ => (window.rate(), String::new()),
    };
    let time = goal.metric == metrics::PIPELINE_LATENCY;
    let (sign, bound) = match goal.bound {
        Bound::Below(bound) => ("<", bound),
        Bound::Above(bound) => ("≥", bound),
    };
    // A rate over a window is known to about one in a hundred: it is shown and compared as such.
    let value = if time { value } else { to_percents(value, bound) };
    let met = match goal.bound {
        Bound::Below(_) => value < bound,
        Bound::Above(_) => value >= bound,
    };
    let shown = |n: f64| {
        if time {
            seconds(n)
        } else {
            format!("{}/s", grouped(n.round() as u64))
        }
    };
    let found = if seen { shown(value) } else { "-".to_owned() };
    Verdict {
        name: goal.name.clone(),
        met: seen.then_some(met),
        value: if seen { value.into() } else { Value::Null },
        text: format!("{}{label} {found} {sign} {}", goal.name, shown(bound)),
    }
}

/// `value` to whole hundredths of `bound`.
fn to_percents(value: f64, bound: f64) -> f64 {
    if bound > 0.0 {
        (value / bound * 100.0).round() * bound / 100.0
    } else {
        value
    }
}

fn seconds(n: f64) -> String {
    crate::cli::talk::micros(Duration::from_secs_f64(n.max(0.0)).as_micros() as u64)
}

/// The value itself, or each number directly under it. Numbers beyond 64 bits are decimal texts.
fn every_number(value: &Value, expected: i64) -> bool {
    match value {
        Value::Array(all) => all.iter().all(|v| is(v, expected)),
        Value::Object(all) => all.values().all(|v| is(v, expected)),
        one => is(one, expected),
    }
}

fn is(value: &Value, expected: i64) -> bool {
    match value {
        Value::Number(n) => n.as_i64() == Some(expected),
        Value::String(text) => text.parse::<i128>().is_ok_and(|n| n == i128::from(expected)),
        _ => true,
    }
}

/// `EUR 0, USD 0`: only what the invariant is about.
fn numbers(value: &Value) -> String {
    match value {
        Value::Object(all) => {
            let flat = all.iter().filter(|(_, v)| !v.is_object() && !v.is_array());
            flat.map(|(name, v)| format!("{name} {}", plain(v)))
                .collect::<Vec<_>>()
                .join(", ")
        }
        other => plain(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_compared_to_a_hundredth_of_their_bound() {
        assert!(to_percents(996.0, 1_000.0) >= 1_000.0);
        assert!(to_percents(994.0, 1_000.0) < 1_000.0);
    }

    #[test]
    fn every_number_directly_under_it_counts() {
        let ledger = json!({"EUR": 0, "USD": "0", "balances": {"EUR": 7}});
        assert!(every_number(&ledger, 0));
        assert_eq!(numbers(&ledger), "EUR 0, USD 0");
        assert!(!every_number(&json!({"EUR": 0, "USD": "1"}), 0));
        assert!(!every_number(&json!({"EUR": 0.5}), 0));
        assert!(every_number(&json!(0), 0));
    }
}
