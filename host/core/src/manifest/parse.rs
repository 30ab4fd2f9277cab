//! From text to a checked manifest.
//!
//! Keys that are not due yet are unknown keys, never ignored. What is wrong is noted, with a stand-in in its place, and
//! reading goes on: a manifest comes out only when nothing was noted.

use super::entries::{each, named, named_list};
use super::problem::ManifestError;
use super::promises::{Topics, count, drain, goal, invariant, no_drain};
use super::raw::{Checked, Fields, Value};
use super::source::Source;
use super::stages::{generator, stage, topic};
use super::{Manifest, check};
use crate::PipelineName;
use crate::limits;
use std::time::Duration;

pub use super::problem::nearest;
pub use super::raw::parse_duration;

/// Version of the manifest's format that this reads.
pub(super) const FORMAT: i64 = 1;
/// A drain that nobody gave another deadline.
pub(super) const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
pub(super) const GOAL_WINDOW: Duration = Duration::from_secs(60);
/// More partitions than any cluster gives one topic.
pub(super) const MAX_PARTITIONS: u64 = 10_000;
/// What one unit of work is called where the manifest does not say.
pub(super) const NOUN: &str = "records";
/// Longer than anything that is waited for: ten years.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(3_650 * 86_400);
/// One page, and all that 32 bits can address.
pub(super) const MEMORY: (u64, u64) = (64 << 10, 4 << 30);

/// Reads and checks a manifest; `file` names it in errors. The error is the topmost of what [`Source::manifest`] finds.
#[allow(
    clippy::result_large_err,
    reason = "once a start; the error carries what a person needs to mend the file"
)]
pub fn parse(file: &str, source: &str) -> Result<Manifest, ManifestError> {
    Source::new(file, source)
        .manifest()
        .map_err(super::ManifestErrors::into_first)
}

/// `None`: something was noted.
pub(super) fn manifest(top: Fields<'_>) -> Option<Manifest> {
    let problems = top.problems;
    // Another format has other keys: nothing more can be said of it.
    top.must("manifest", format)?;
    let name: Option<PipelineName> = top.must("name", named);
    let partitions = top.must("partitions", |v| v.count(1, MAX_PARTITIONS));
    let (declared, all_declared) = each(top.get("topics"), topic);
    let (stages, all_stages) = each(top.keep(top.need("stage")), stage);
    let (generators, all_generators) = each(top.get("generator"), generator);
    let whole = all_declared && all_stages && all_generators && !stages.is_empty();
    let wiring = check::wire(problems, name.as_ref(), declared, stages, generators, whole);
    let topics = Topics {
        known: &wiring.topics,
        whole: wiring.whole,
    };
    let manifest = Manifest {
        drain: top.read("drain", drain).unwrap_or_else(no_drain),
        probation: top.read("deploy", probation).unwrap_or(limits::PROBATION),
        goals: named_list(&top, "goal", goal),
        invariants: named_list(&top, "invariant", |v| invariant(v, &topics)),
        noun: top.read("noun", Value::text).unwrap_or_else(|| NOUN.to_owned()),
        summary: named_list(&top, "summary", |v| count(v, &topics)),
        search: top.read("search", search),
        name: name.unwrap_or_else(|| PipelineName::new("unnamed").expect("letters only")),
        partitions: partitions.unwrap_or_default() as u32,
        topics: wiring.topics,
        stages: wiring.stages,
        generators: wiring.generators,
    };
    top.close();
    (problems.count() == 0).then_some(manifest)
}

fn format(value: &Value<'_>) -> Checked<()> {
    if value.integer()? == FORMAT {
        return Ok(());
    }
    Err(value.bad(format!("this version reads manifests of format {FORMAT}")))
}

fn probation(value: &Value<'_>) -> Checked<Duration> {
    let fields = value.fields()?;
    let probation = fields.read("probation", |v| {
        let found = v.duration()?;
        // None at all is a wish that some have.
        if found.is_zero() {
            Ok(found)
        } else {
            v.duration_within(MAX_DURATION)
        }
    });
    fields.close();
    Ok(probation.unwrap_or(limits::PROBATION))
}

fn search(value: &Value<'_>) -> Checked<String> {
    let fields = value.fields()?;
    let view = fields.must("view", Value::text);
    fields.close();
    Ok(view.unwrap_or_default())
}
