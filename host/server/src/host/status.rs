//! The pipeline at a glance, for `status`, the demo's goal line and the API.

use super::{App, figures, goals, validators, watch};
use fermata_core::journal::Counts;
use fermata_runtime::control::Flow;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Rates of `status` look back this far.
const WINDOW: Duration = Duration::from_secs(10);

pub fn flow_name(flow: Flow) -> &'static str {
    match flow {
        Flow::Running => "Running",
        Flow::Pausing => "Pausing",
        Flow::Paused => "Paused",
        Flow::Draining => "Draining",
        Flow::Drained => "Drained",
    }
}

/// All of it, on disk when this returns.
pub fn status(app: &App) -> Result<Value, String> {
    let state = app.state();
    let reports = app.nodes.reports();
    let latency = watch::latency(app);
    let verdicts = goals::verdicts(app);
    let in_flight = match &app.manifest.drain.complete_when {
        Some(condition) => figures::view_field(app, &condition.at).unwrap_or(Value::Null),
        None => Value::Null,
    };
    let lag = figures::lag(app)?;
    let dead = figures::dead_letters(app)?;
    let summary = figures::summary(app)?;
    Ok(json!({
        "schema": "fermata.status/1",
        "pipeline": app.manifest.name,
        "state": flow_name(state.flow),
        "epoch": state.fold.epoch,
        "paused": state.fold.paused,
        "drain": state.fold.drain,
        "obstacles": state.obstacles,
        "shards": { "held": reports.len(), "all": app.manifest.partitions },
        "workers": workers(app),
        "nodes": 1 + app.nodes.live().len(),
        "lag": lag,
        "in_flight": in_flight,
        "latency_us": quantiles(&latency),
        "goals": {
            "met": verdicts.iter().filter(|v| v.met == Some(true)).count(),
            "all": verdicts.len(),
            "each": verdicts.iter().map(goals::Verdict::shape).collect::<Value>(),
        },
        "dead_letters": dead,
        "parked": parked(app),
        "at_fault": state.fold.at_fault,
        "noun": app.manifest.noun,
        "summary": summary,
        "summary_order": app.manifest.summary.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(),
        "stages": stages(app),
    }))
}

/// Workers that hold shards, of all instances.
fn workers(app: &App) -> usize {
    let here = app.board.reports();
    let live = app.nodes.live();
    let there = live.iter().map(|heard| &heard.report.shards);
    let all = there.chain([&here]);
    all.map(|shards| shards.values().map(|r| r.worker).collect::<BTreeSet<_>>().len())
        .sum()
}

/// `{p50, p99, max}`; nulls where nothing was measured.
pub fn quantiles(latency: &hdrhistogram::Histogram<u64>) -> Value {
    if latency.is_empty() {
        return json!({ "p50": null, "p99": null, "max": null });
    }
    json!({
        "p50": latency.value_at_quantile(0.5),
        "p99": latency.value_at_quantile(0.99),
        "max": latency.max(),
    })
}

/// Sum of a stage's counters over its tasks.
pub fn counts(app: &App) -> BTreeMap<String, Counts> {
    let mut all: BTreeMap<String, Counts> = BTreeMap::new();
    for report in app.nodes.reports().values() {
        for (stage, task) in &report.tasks {
            let sum = all.entry(stage.to_string()).or_default();
            sum.processed += task.counts.processed;
            sum.emitted += task.counts.emitted;
            sum.rejected += task.counts.rejected;
            sum.faulted += task.counts.faulted;
            sum.skipped += task.counts.skipped;
            sum.timers += task.counts.timers;
            sum.parked += task.counts.parked;
            sum.unparked += task.counts.unparked;
            sum.kept += task.counts.kept;
            sum.turned_away += task.counts.turned_away;
        }
    }
    all
}

/// Records in quarantine, of all stages.
pub fn parked(app: &App) -> u64 {
    counts(app).values().map(Counts::in_quarantine).sum()
}

/// One entry a stage: what it runs and how it fares.
pub fn stages(app: &App) -> Value {
    let fold = app.fold();
    let directive = app.board.directive();
    let reports = app.nodes.reports();
    let counts = counts(app);
    let window = app.watch.window(app, WINDOW);
    let validated = validators::counted(app);
    let each = app.manifest.stages.iter().map(|stage| {
        let live = directive.stages.get(&stage.name);
        let count = counts.get(stage.name.as_str()).copied().unwrap_or_default();
        let mut running: BTreeMap<String, u64> = BTreeMap::new();
        let mut paused = Vec::new();
        for (shard, report) in &reports {
            let Some(task) = report.tasks.get(&stage.name) else {
                continue;
            };
            if let Some(version) = task.version {
                *running.entry(version.component.full()).or_default() += 1;
            }
            if let Some(because) = &task.paused {
                paused.push(json!({ "shard": shard.0, "because": because }));
            }
        }
        json!({
            "stage": stage.name,
            "version": live.map(|l| l.version.description().version.clone()),
            "digest": live.map(|l| l.version.id().component.full()),
            "deployment": live.map_or(0, |l| l.deployment),
            "component": live
                .and_then(|l| fold.component_of(&stage.name, &l.version.id()))
                .unwrap_or(&stage.component),
            "running": running,
            "records_per_s": (window.stage_rate(&stage.name) * 10.0).round() / 10.0,
            "processed": count.processed,
            "emitted": count.emitted,
            "rejected": count.rejected,
            "faults": count.faulted,
            "skipped": count.skipped,
            "timers": count.timers,
            "parked": count.in_quarantine(),
            "paused": paused,
            "validators": validators::of_stage(app, &stage.name, &validated),
        })
    });
    each.collect()
}
