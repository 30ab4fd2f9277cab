//! The demo's last words: what the manifest's summary counts, from topics and views, never from the generator.

use crate::books;
use crate::cli::args::DemoArgs;
use crate::cli::talk::{grouped, micros, plain};
use crate::failure::Failure;
use crate::host::{App, figures, status, watch};
use fermata_core::manifest::InvariantRule;
use fermata_core::{Shard, TopicName, codes};
use serde_json::{Map, Value};
use std::collections::HashSet;
use std::time::Duration;

const PAGE: usize = 2_000;
/// Added by the host where the manifest's summary has no figure of that name.
const SET_UP: &str = "setup";

/// What the summary must know of the run.
pub struct Run<'a> {
    /// The summary's first figure when the set-up had drained.
    pub set_up: u64,
    pub ended_before: u64,
    /// From the first scheduled record until drained.
    pub took: Duration,
    pub args: &'a DemoArgs,
}

fn unreadable(found: String) -> Failure {
    Failure::failed(codes::LOG_FAILED, found)
}

/// The summary's first figure: what was taken in.
pub fn first_figure(app: &App) -> Result<u64, Failure> {
    let figures = figures::summary(app).map_err(unreadable)?;
    let first = app.manifest.summary.first().and_then(|count| figures.get(&count.name));
    Ok(first.and_then(Value::as_u64).unwrap_or_default())
}

/// Records on the topics where work ends.
pub fn ended(app: &App) -> Result<u64, Failure> {
    let mut all = 0;
    for topic in watch::ends(&app.manifest) {
        all += figures::written(app, &topic).map_err(unreadable)?.unwrap_or_default();
    }
    Ok(all)
}

pub fn shape(app: &App, run: &Run<'_>) -> Result<Value, Failure> {
    let noun = &app.manifest.noun;
    let mut shape: Map<String, Value> = Map::new();
    shape.insert("schema".into(), "fermata.demo/1".into());
    shape.insert("seed".into(), run.args.seed.into());
    shape.insert("workers".into(), run.args.workers.into());
    shape.extend(figures::summary(app).map_err(unreadable)?);
    shape.entry(SET_UP).or_insert(run.set_up.into());
    shape.insert(
        "dead_letters".into(),
        figures::dead_letters(app).map_err(unreadable)?.into(),
    );
    shape.insert("duplicates".into(), duplicates(app)?.into());
    let latency = watch::latency(app);
    shape.insert("latency_us".into(), status::quantiles(&latency));
    let rate = watch::per_second(ended(app)?.saturating_sub(run.ended_before), run.took);
    shape.insert(format!("{noun}_per_s"), ((rate * 10.0).round() / 10.0).into());
    shape.insert(
        "seconds".into(),
        ((run.took.as_secs_f64() * 1_000.0).round() / 1_000.0).into(),
    );
    let report = books::live(app, false)?;
    shape.insert("verify".into(), books::verdict(&report));
    Ok(Value::Object(shape))
}

/// Keys that ended more than once, over all `ends-in` rules of the manifest.
fn duplicates(app: &App) -> Result<u64, Failure> {
    let mut twice = 0;
    for invariant in &app.manifest.invariants {
        if let InvariantRule::EndsOnce { ends_in, .. } = &invariant.rule {
            // A key may end on another topic of the rule, but always on its own shard: one set a shard is enough.
            for shard in (0..app.manifest.partitions).map(Shard) {
                twice += duplicates_of(app, ends_in, shard)?;
            }
        }
    }
    Ok(twice)
}

fn duplicates_of(app: &App, ends: &[TopicName], shard: Shard) -> Result<u64, Failure> {
    let mut seen = HashSet::new();
    let mut twice = HashSet::new();
    for topic in ends {
        let mut next = app.log.bounds(topic, shard)?.start;
        loop {
            let page = app.log.read(topic, shard, next, PAGE)?;
            let Some(last) = page.last() else { break };
            next = last.offset.next();
            for key in page.into_iter().filter_map(|r| r.key) {
                if !seen.insert(key.clone()) {
                    twice.insert(key);
                }
            }
        }
    }
    Ok(twice.len() as u64)
}

/// For people.
pub fn text(app: &App, shape: &Value) -> String {
    let noun = &app.manifest.noun;
    let mut lines = Vec::new();
    let figure = |name: &str| format!("{} {}", name.replace('_', " "), plain(&shape[name]));
    let mut figures: Vec<String> = app.manifest.summary.iter().map(|c| figure(&c.name)).collect();
    let own = app.manifest.summary.iter().any(|c| c.name == SET_UP);
    if let Some(first) = figures.first_mut().filter(|_| !own) {
        first.push_str(&format!(" (set-up {})", plain(&shape[SET_UP])));
    }
    figures.extend(["dead_letters", "duplicates"].map(figure));
    lines.push(format!("summary  {}", figures.join(" · ")));
    let latency = |name: &str| {
        shape["latency_us"][name]
            .as_u64()
            .map_or_else(|| "-".to_owned(), micros)
    };
    let rate = shape[format!("{noun}_per_s")].as_f64().unwrap_or_default();
    lines.push(format!(
        "         {} {noun}/s · latency p50 {} p99 {} max {}",
        grouped(rate.round() as u64),
        latency("p50"),
        latency("p99"),
        latency("max"),
    ));
    match &shape["verify"] {
        Value::Array(problems) => {
            lines.push("verify   FAILED".to_owned());
            lines.extend(problems.iter().map(|p| format!("  ✗ {}", plain(p))));
        }
        ok => lines.push(format!("verify   {}", plain(ok))),
    }
    lines.join("\n")
}
