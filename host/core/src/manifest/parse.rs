//! From text to a checked manifest.
//!
//! Keys that are not due yet are unknown keys, never ignored. The first fault ends the reading: later ones are
//! often its consequence.

use super::check;
use super::problem::{ManifestError, Problem};
use super::raw::{At, Checked, Fields, Value};
use super::validators;
use super::{
    Bound, Condition, Count, CountSource, Drain, Field, Generator, Goal, Invariant, InvariantRule, Manifest, Stage,
    Topic,
};
use crate::ids::BadName;
use crate::limits::{self, Limits};
use crate::{PipelineName, StageName, TopicName, codes};
use std::collections::BTreeMap;
use std::time::Duration;
use toml::de::DeTable;

pub use super::problem::nearest;
pub use super::raw::parse_duration;

/// Version of the manifest's format that this reads.
const FORMAT: i64 = 1;
/// A drain that nobody gave another deadline.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(60);
const GOAL_WINDOW: Duration = Duration::from_secs(60);
/// More partitions than any cluster gives one topic.
const MAX_PARTITIONS: u64 = 10_000;

/// Reads and checks a manifest; `file` names it in errors.
#[allow(
    clippy::result_large_err,
    reason = "once a start; the error carries what a person needs to mend the file"
)]
pub fn parse(file: &str, source: &str) -> Result<Manifest, ManifestError> {
    let table = DeTable::parse(source).map_err(|e| {
        let span = e.span().unwrap_or(0..0);
        Problem::new(codes::MANIFEST_SYNTAX, span, e.message().trim()).at(file, source)
    })?;
    manifest(&Fields::top(&table), &table).map_err(|problem: Problem| problem.at(file, source))
}

fn manifest(top: &Fields<'_>, table: &toml::Spanned<DeTable<'_>>) -> Checked<Manifest> {
    let format = top.need("manifest")?;
    if format.integer()? != FORMAT {
        return Err(format.bad(format!("this version reads manifests of format {FORMAT}")));
    }
    let name: PipelineName = named(&top.need("name")?)?;
    let partitions = top.need("partitions")?.count(1, MAX_PARTITIONS)? as u32;
    let declared = match top.get("topics") {
        Some(value) => each(&value, topic)?,
        None => Vec::new(),
    };
    let stages = each(&top.need("stage")?, stage)?;
    let generators = match top.get("generator") {
        Some(value) => each(&value, generator)?,
        None => Vec::new(),
    };
    let wiring = check::wire(&name, declared, stages, generators)?;
    let manifest = Manifest {
        drain: top.get("drain").map_or_else(|| Ok(no_drain()), |v| drain(&v))?,
        probation: top.get("deploy").map_or(Ok(limits::PROBATION), |v| probation(&v))?,
        goals: many(top.get("goal"), goal)?,
        invariants: many(top.get("invariant"), |v| invariant(v, &wiring.topics))?,
        noun: match top.get("noun") {
            Some(noun) => noun.string()?.value,
            None => "records".to_owned(),
        },
        summary: many(top.get("summary"), |v| count(v, &wiring.topics))?,
        search: top.get("search").map(|v| search(&v)).transpose()?,
        name,
        partitions,
        topics: wiring.topics,
        stages: wiring.stages,
        generators: wiring.generators,
    };
    // Asked last: by now every key that is due has been asked for once.
    let all = Fields::top(table);
    for key in TOP {
        all.get(key);
    }
    all.close()?;
    Ok(manifest)
}

const TOP: [&str; 13] = [
    "manifest",
    "name",
    "partitions",
    "topics",
    "stage",
    "generator",
    "drain",
    "deploy",
    "goal",
    "invariant",
    "noun",
    "summary",
    "search",
];

/// Reads a name; its own rule is the message.
pub(super) fn named<N>(value: &Value<'_>) -> Checked<N>
where
    N: std::str::FromStr<Err = BadName>,
{
    let text = value.string()?;
    text.value.parse().map_err(|e: BadName| value.bad(e.to_string()))
}

fn key_name<N: std::str::FromStr<Err = BadName>>(key: &At<String>) -> Checked<N> {
    let wrong = |e: BadName| Problem::new(codes::MANIFEST_VALUE, key.span.clone(), e.to_string());
    key.value.parse().map_err(wrong)
}

/// Every entry of a table whose keys are names.
fn each<T>(value: &Value<'_>, read: impl Fn(At<String>, &Value<'_>) -> Checked<T>) -> Checked<Vec<T>> {
    let fields = value.fields()?;
    fields.entries().map(|(key, value)| read(key, &value)).collect()
}

fn many<T>(value: Option<Value<'_>>, read: impl Fn(&Value<'_>) -> Checked<T>) -> Checked<Vec<T>> {
    match value {
        Some(value) => value.list()?.iter().map(read).collect(),
        None => Ok(Vec::new()),
    }
}

fn topic(key: At<String>, value: &Value<'_>) -> Checked<check::Declared> {
    let fields = value.fields()?;
    let declared = check::Declared {
        name: key_name(&key)?,
        head: fields.get("head").map(|v| v.boolean()).transpose()?,
        topic: Topic {
            head: false,
            key: fields.get("key").map(|v| v.string()).transpose()?.map(|k| k.value),
        },
        span: key.span,
    };
    fields.close()?;
    Ok(declared)
}

fn stage(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Stage>> {
    let fields = value.fields()?;
    let name: StageName = key_name(&key)?;
    let input = fields.need("in")?;
    let mut named_topics = Vec::new();
    let mut inputs = Vec::new();
    if input.is_list() {
        for item in input.list()? {
            let topic: TopicName = named(&item)?;
            named_topics.push((topic.clone(), item.span()));
            inputs.push((topic.to_string(), topic));
        }
    } else {
        // Written as port = topic for outputs and topic = port for inputs would be a trap: both are port = topic.
        for (port, value) in input.fields()?.entries() {
            let topic: TopicName = named(&value)?;
            named_topics.push((topic.clone(), value.span()));
            inputs.push((port.value, topic));
        }
    }
    if inputs.is_empty() {
        return Err(input.bad("a stage reads at least one topic"));
    }
    let (outputs, written) = outputs(&fields)?;
    let stage = Stage {
        name,
        component: component(&fields)?,
        inputs,
        outputs,
        config: config(&fields)?,
        limits: fields
            .get("limits")
            .map_or_else(|| Ok(Limits::default()), |v| stage_limits(&v))?,
        quarantine: super::quarantine::quarantine(&fields)?,
        validators: validators::read(fields.get("validator"))?,
    };
    fields.close()?;
    Ok(check::Wired {
        what: stage,
        span: key.span,
        reads: named_topics,
        writes: written,
    })
}

fn generator(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Generator>> {
    let fields = value.fields()?;
    let (outputs, writes) = outputs(&fields)?;
    let generator = Generator {
        name: key.value.clone(),
        component: component(&fields)?,
        outputs,
        config: config(&fields)?,
    };
    fields.close()?;
    Ok(check::Wired {
        what: generator,
        span: key.span,
        reads: Vec::new(),
        writes,
    })
}

type Outputs = (BTreeMap<String, TopicName>, Vec<(TopicName, std::ops::Range<usize>)>);

fn outputs(fields: &Fields<'_>) -> Checked<Outputs> {
    let mut outputs = BTreeMap::new();
    let mut named_topics = Vec::new();
    if let Some(value) = fields.get("out") {
        for (port, value) in value.fields()?.entries() {
            let topic: TopicName = named(&value)?;
            named_topics.push((topic.clone(), value.span()));
            outputs.insert(port.value, topic);
        }
    }
    Ok((outputs, named_topics))
}

pub(super) fn component(fields: &Fields<'_>) -> Checked<String> {
    let value = fields.need("component")?;
    let text = value.string()?.value;
    if text.starts_with("oci:") {
        return Err(value.bad("expected a path, builtin:name@version or sha256:<64 hex digits>"));
    }
    if let Some(builtin) = text.strip_prefix("builtin:")
        && !builtin
            .split_once('@')
            .is_some_and(|(n, v)| !n.is_empty() && !v.is_empty())
    {
        return Err(value.bad(format!("expected builtin:name@version, found {text:?}")));
    }
    if let Some(hex) = text.strip_prefix("sha256:")
        && (hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()))
    {
        return Err(value.bad(format!("expected sha256: and 64 hex digits, found {text:?}")));
    }
    if text.is_empty() {
        return Err(value.bad("expected a path, builtin:name@version or sha256:<64 hex digits>"));
    }
    Ok(text)
}

pub(super) fn config(fields: &Fields<'_>) -> Checked<serde_json::Value> {
    match fields.get("config") {
        None => Ok(serde_json::json!({})),
        Some(value) => {
            value.fields()?;
            value.json()
        }
    }
}

fn stage_limits(value: &Value<'_>) -> Checked<Limits> {
    let fields = value.fields()?;
    let mut limits = Limits::default();
    if let Some(v) = fields.get("memory") {
        limits.memory = v.bytes()?;
    }
    if let Some(v) = fields.get("fuel") {
        limits.fuel = v.count(1, i64::MAX as u64)?;
    }
    if let Some(v) = fields.get("wall") {
        limits.wall = v.duration()?;
    }
    if let Some(v) = fields.get("outputs") {
        limits.outputs = v.count(1, u64::from(u32::MAX))? as u32;
    }
    if let Some(v) = fields.get("output-bytes") {
        limits.output_bytes = v.bytes()?;
    }
    if let Some(v) = fields.get("faults-in-a-row") {
        limits.faults_in_a_row = v.count(1, u64::from(u32::MAX))? as u32;
    }
    if let Some(v) = fields.get("state") {
        limits.state = v.bytes()?;
    }
    fields.close()?;
    Ok(limits)
}

fn no_drain() -> Drain {
    Drain {
        complete_when: None,
        blocking: None,
        timeout: DRAIN_TIMEOUT,
    }
}

fn drain(value: &Value<'_>) -> Checked<Drain> {
    let fields = value.fields()?;
    let complete_when = fields.get("complete-when").map(|v| condition(&v)).transpose()?;
    let blocking = fields.get("blocking").map(|v| {
        let inner = v.fields()?;
        let field = field(&inner)?;
        inner.close()?;
        Ok(field)
    });
    let drain = Drain {
        complete_when,
        blocking: blocking.transpose()?,
        timeout: fields.get("timeout").map_or(Ok(DRAIN_TIMEOUT), |v| v.duration())?,
    };
    fields.close()?;
    Ok(drain)
}

fn condition(value: &Value<'_>) -> Checked<Condition> {
    let fields = value.fields()?;
    let condition = Condition {
        at: field(&fields)?,
        equals: fields.need("equals")?.json()?,
    };
    fields.close()?;
    Ok(condition)
}

/// The keys `view` and `field` of a table.
fn field(fields: &Fields<'_>) -> Checked<Field> {
    let view = fields.need("view")?.string()?.value;
    Ok(Field {
        view,
        field: pointer(fields.get("field"))?,
    })
}

/// A JSON Pointer: empty (the whole answer) or beginning with a slash.
fn pointer(value: Option<Value<'_>>) -> Checked<String> {
    let Some(value) = value else { return Ok(String::new()) };
    let text = value.string()?.value;
    if text.is_empty() || text.starts_with('/') {
        Ok(text)
    } else {
        Err(value.bad(format!("expected a JSON Pointer such as \"/count\", found {text:?}")))
    }
}

fn probation(value: &Value<'_>) -> Checked<Duration> {
    let fields = value.fields()?;
    let probation = fields
        .get("probation")
        .map_or(Ok(limits::PROBATION), |v| v.duration())?;
    fields.close()?;
    Ok(probation)
}

fn goal(value: &Value<'_>) -> Checked<Goal> {
    let fields = value.fields()?;
    let name = fields.need("name")?.string()?.value;
    let metric_value = fields.need("metric")?;
    let metric = metric_value.string()?.value;
    if !crate::names::metrics::GOALS.contains(&metric.as_str()) {
        let problem = metric_value.problem(
            codes::MANIFEST_REFERENCE,
            format!("there is no metric {metric:?} for goals"),
        );
        return Err(problem.nearest(&metric, crate::names::metrics::GOALS));
    }
    let quantile = match fields.get("quantile") {
        Some(v) => {
            let q = v.number()?;
            if !(0.0..1.0).contains(&q) || q == 0.0 {
                return Err(v.bad(format!("expected a number between 0 and 1, found {q}")));
            }
            Some(q)
        }
        None => None,
    };
    let bound = match (fields.get("below"), fields.get("above")) {
        (Some(v), None) => Bound::Below(amount(&v)?),
        (None, Some(v)) => Bound::Above(amount(&v)?),
        (Some(_), Some(v)) => return Err(v.bad("a goal has one bound: below or above")),
        (None, None) => return Err(value.bad("a goal needs a bound: below or above")),
    };
    let over = fields.get("over").map_or(Ok(GOAL_WINDOW), |v| v.duration())?;
    fields.close()?;
    Ok(Goal {
        name,
        metric,
        quantile,
        bound,
        over,
    })
}

/// A plain number, or a duration in seconds.
fn amount(value: &Value<'_>) -> Checked<f64> {
    match value.string() {
        Ok(_) => Ok(value.duration()?.as_secs_f64()),
        Err(_) => value.number(),
    }
}

fn invariant(value: &Value<'_>, topics: &BTreeMap<TopicName, Topic>) -> Checked<Invariant> {
    let fields = value.fields()?;
    let name = fields.need("name")?.string()?.value;
    let when_drained = match fields.get("when") {
        None => false,
        Some(v) if v.string()?.value == "drained" => true,
        Some(v) => return Err(v.bad("the only time known is \"drained\"")),
    };
    let rule = if let Some(of) = fields.get("of") {
        let ends = fields.need("ends-in")?;
        let ends_in: Vec<TopicName> = ends
            .list()?
            .iter()
            .map(|v| known_topic(v, topics))
            .collect::<Checked<_>>()?;
        if ends_in.is_empty() {
            return Err(ends.bad("expected at least one topic"));
        }
        InvariantRule::EndsOnce {
            of: known_topic(&of, topics)?,
            ends_in,
        }
    } else {
        InvariantRule::Each {
            at: field(&fields)?,
            each: fields.need("each")?.integer()?,
        }
    };
    fields.close()?;
    Ok(Invariant {
        name,
        rule,
        when_drained,
    })
}

fn known_topic(value: &Value<'_>, topics: &BTreeMap<TopicName, Topic>) -> Checked<TopicName> {
    let name: TopicName = named(value)?;
    if topics.contains_key(&name) {
        return Ok(name);
    }
    let problem = value.problem(
        codes::MANIFEST_REFERENCE,
        format!("{:?}: no stage reads or writes a topic {name}", value.path),
    );
    Err(problem.nearest(name.as_str(), topics.keys().map(TopicName::as_str)))
}

fn count(value: &Value<'_>, topics: &BTreeMap<TopicName, Topic>) -> Checked<Count> {
    let fields = value.fields()?;
    let name = fields.need("name")?.string()?.value;
    let of = fields.need("count")?;
    let source = match fields.get("field") {
        None => CountSource::Topic(known_topic(&of, topics)?),
        pointed => CountSource::View(Field {
            view: of.string()?.value,
            field: pointer(pointed)?,
        }),
    };
    fields.close()?;
    Ok(Count { name, source })
}

fn search(value: &Value<'_>) -> Checked<String> {
    let fields = value.fields()?;
    let view = fields.need("view")?.string()?.value;
    fields.close()?;
    Ok(view)
}
