//! What validators have said since this process began, as `status` and `/metrics` show it.

use super::App;
use fermata_core::StageName;
use fermata_core::names::metrics::VALIDATOR_RECORDS;
use fermata_runtime::worker::meters::Value as Metric;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Counts by verdict (`accepted`, a code of its own, a fault's, `no-verdict`), by stage and validator.
pub type Counted = BTreeMap<(StageName, String), BTreeMap<String, u64>>;

pub fn counted(app: &App) -> Counted {
    let mut all = Counted::new();
    for ((stage, metric, labels), value) in app.board.meters.series() {
        if let (VALIDATOR_RECORDS, [validator, verdict], Metric::Counter(count)) = (metric.as_str(), &*labels, value) {
            let of_validator = all.entry((stage, validator.clone())).or_default();
            of_validator.insert(verdict.clone(), count);
        }
    }
    all
}

/// The validators in front of what a stage runs, in order. `refused`: what was refused, or would be if the mode were
/// `enforce`.
pub fn of_stage(app: &App, stage: &StageName, counted: &Counted) -> Value {
    let directive = app.board.directive();
    let Some(live) = directive.stages.get(stage) else {
        return json!([]);
    };
    let each = live.version.validators().iter().map(|attached| {
        let policy = &attached.policy;
        let verdicts = counted.get(&(stage.clone(), policy.name.to_string()));
        let of = |pick: fn(&str) -> bool| -> BTreeMap<&str, u64> {
            let verdicts = verdicts.into_iter().flatten();
            let picked = verdicts.filter(|(verdict, _)| pick(verdict));
            picked.map(|(verdict, count)| (verdict.as_str(), *count)).collect()
        };
        json!({
            "validator": policy.name,
            "digest": attached.version.id().component.full(),
            "mode": policy.mode,
            "on_reject": policy.on_reject,
            "on_fault": policy.on_fault,
            "seen": of(|_| true).values().sum::<u64>(),
            "accepted": of(|v| v == "accepted").values().sum::<u64>(),
            "refused": of(|v| v != "accepted" && !failed(v)),
            "faults": of(failed),
        })
    });
    each.collect()
}

fn failed(verdict: &str) -> bool {
    verdict.starts_with("fault-") || verdict == "no-verdict"
}
