//! From text to a checked manifest.
//!
//! Keys that are not due yet are unknown keys, never ignored. What is wrong is noted, with a stand-in in its place, and
//! reading goes on: a manifest comes out only when nothing was noted.

use super::check;
use super::problem::{ManifestError, Problem};
use super::raw::{At, Checked, Fields, Value};
use super::source::Source;
use super::validators;
use super::{
    Bound, Condition, Count, CountSource, Drain, Field, Generator, Goal, Invariant, InvariantRule, Manifest,
    OnMisplaced, Stage, Topic, secrets,
};
use crate::ids::BadName;
use crate::limits::{self, Limits};
use crate::names::metrics;
use crate::{PipelineName, StageName, TopicName, codes};
use std::collections::{BTreeMap, BTreeSet};
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

/// The topics that references are held against.
struct Topics<'a> {
    known: &'a BTreeMap<TopicName, Topic>,
    /// Else some of them could not be read, and a reference proves nothing.
    whole: bool,
}

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

/// A word for people and metrics: `[a-z][a-z0-9_-]*`, at most 64 bytes.
fn word(text: &str) -> bool {
    let rest = text.strip_prefix(|c: char| c.is_ascii_lowercase());
    text.len() <= 64
        && rest.is_some_and(|r| {
            r.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        })
}

const WORD: &str = "expected a name ([a-z][a-z0-9_-]*, at most 64 bytes)";

fn label(value: &Value<'_>) -> Checked<String> {
    let text = value.string()?.value;
    if word(&text) {
        return Ok(text);
    }
    Err(value.bad(format!("{WORD}, found {text:?}")))
}

/// Every entry of a table whose keys are names, and whether all could be read; those that could not are noted.
fn each<T>(value: Option<Value<'_>>, read: impl Fn(At<String>, &Value<'_>) -> Checked<T>) -> (Vec<T>, bool) {
    let Some(value) = value else { return (Vec::new(), true) };
    let Some(fields) = value.keep(value.fields()) else {
        return (Vec::new(), false);
    };
    let entries: Vec<_> = fields.entries().collect();
    let count = entries.len();
    let all = entries
        .into_iter()
        .filter_map(|(key, value)| value.keep(read(key, &value)));
    let all: Vec<T> = all.collect();
    let whole = all.len() == count;
    (all, whole)
}

/// Every item of a list; those that are wrong are noted.
fn many<T>(value: &Value<'_>, read: impl Fn(&Value<'_>) -> Checked<T>) -> Checked<Vec<T>> {
    let items = value.list()?;
    Ok(items.iter().filter_map(|item| item.keep(read(item))).collect())
}

/// A list of tables, none of which has the name of another.
fn named_list<T>(top: &Fields<'_>, key: &'static str, read: impl Fn(&Value<'_>) -> Checked<T>) -> Vec<T> {
    let Some(value) = top.get(key) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    for item in value.list().unwrap_or_default() {
        let name = item.fields().ok().and_then(|f| f.get("name"));
        let text = name.as_ref().and_then(|v| v.string().ok());
        if let (Some(name), Some(text)) = (name, text)
            && !seen.insert(text.value.clone())
        {
            top.problems
                .note(name.bad(format!("another {key} is named {:?} already", text.value)));
        }
    }
    value.keep(many(&value, read)).unwrap_or_default()
}

fn topic(key: At<String>, value: &Value<'_>) -> Checked<check::Declared> {
    let name = key_name(&key)?;
    let fields = value.fields()?;
    let misplaced = fields.read("on-misplaced", on_misplaced);
    let declared = check::Declared {
        name,
        head: fields.read("head", Value::boolean),
        topic: Topic {
            head: false,
            key: fields.read("key", Value::text),
            on_misplaced: misplaced.unwrap_or_default(),
        },
        misplaced: misplaced.is_some(),
        span: key.span,
    };
    fields.close();
    Ok(declared)
}

fn on_misplaced(value: &Value<'_>) -> Checked<OnMisplaced> {
    let text = value.string()?.value;
    match text.as_str() {
        "reject" => Ok(OnMisplaced::Reject),
        "reroute" => Ok(OnMisplaced::Reroute),
        "trust" => Ok(OnMisplaced::Trust),
        _ => {
            let problem = value.bad(format!("expected \"reject\", \"reroute\" or \"trust\", found {text:?}"));
            Err(problem.nearest(&text, ["reject", "reroute", "trust"]))
        }
    }
}

/// Ports with their topics, and the places where the topics stand.
#[derive(Default)]
struct Ports {
    wired: Vec<(String, TopicName)>,
    places: Vec<(TopicName, std::ops::Range<usize>)>,
}

impl Ports {
    fn add(&mut self, port: Option<String>, value: &Value<'_>) {
        if let Some(topic) = value.keep(named::<TopicName>(value)) {
            self.places.push((topic.clone(), value.span()));
            self.wired.push((port.unwrap_or_else(|| topic.to_string()), topic));
        }
    }

    /// A table of port = topic.
    fn table(&mut self, value: &Value<'_>) -> Checked<()> {
        for (port, value) in value.fields()?.entries() {
            // A listed topic names its port: so a port may have the name of any topic.
            if TopicName::new(&port.value).is_err() {
                let message = format!(
                    "{:?} is not a port name ([A-Za-z0-9._-], at most 249 bytes)",
                    port.value
                );
                value
                    .problems
                    .note(Problem::new(codes::MANIFEST_VALUE, port.span.clone(), message));
            }
            self.add(Some(port.value), &value);
        }
        Ok(())
    }
}

fn inputs(value: &Value<'_>) -> Checked<Ports> {
    let mut ports = Ports::default();
    let before = value.problems.count();
    if value.is_list() {
        for item in value.list()? {
            ports.add(None, &item);
        }
    } else {
        // Written as port = topic for outputs and topic = port for inputs would be a trap: both are port = topic.
        ports.table(value)?;
    }
    if ports.wired.is_empty() && value.problems.count() == before {
        return Err(value.bad("a stage reads at least one topic"));
    }
    Ok(ports)
}

fn stage(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Stage>> {
    let before = value.problems.count();
    let fields = value.fields()?;
    let name: StageName = key_name(&key)?;
    let inputs = fields.must("in", inputs).unwrap_or_default();
    let outputs = outputs(&fields);
    let whole = value.problems.count() == before;
    let stage = Stage {
        name,
        component: fields.keep(component(&fields)).unwrap_or_default(),
        inputs: inputs.wired,
        outputs: outputs.wired.into_iter().collect(),
        config: fields.keep(config(&fields)).unwrap_or_default(),
        limits: fields.read("limits", stage_limits).unwrap_or_default(),
        quarantine: fields.keep(super::quarantine::quarantine(&fields)).unwrap_or_default(),
        validators: fields
            .keep(validators::read(fields.get("validator")))
            .unwrap_or_default(),
    };
    fields.close();
    Ok(check::Wired {
        what: stage,
        span: key.span,
        reads: inputs.places,
        writes: outputs.places,
        whole,
    })
}

fn generator(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Generator>> {
    let before = value.problems.count();
    if !word(&key.value) {
        let message = format!("generator: {WORD}, found {:?}", key.value);
        return Err(Problem::new(codes::MANIFEST_VALUE, key.span, message));
    }
    let fields = value.fields()?;
    let outputs = outputs(&fields);
    let whole = value.problems.count() == before;
    let generator = Generator {
        name: key.value.clone(),
        component: fields.keep(component(&fields)).unwrap_or_default(),
        outputs: outputs.wired.into_iter().collect(),
        config: fields.keep(config(&fields)).unwrap_or_default(),
    };
    fields.close();
    Ok(check::Wired {
        what: generator,
        span: key.span,
        reads: Vec::new(),
        writes: outputs.places,
        whole,
    })
}

fn outputs(fields: &Fields<'_>) -> Ports {
    let mut ports = Ports::default();
    fields.read("out", |value| ports.table(value));
    ports
}

pub(super) fn component(fields: &Fields<'_>) -> Checked<String> {
    const FORMS: &str = "expected a path, builtin:name@version or sha256:<64 hex digits>";
    let value = fields.need("component")?;
    let text = value.string()?.value;
    if text.trim().is_empty() || text.starts_with("oci:") || text.contains("://") {
        return Err(value.bad(format!("{FORMS}, found {text:?}")));
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
    Ok(text)
}

/// As written: references such as `${env:X}` stay, and are filled in when a component is made ready.
pub(super) fn config(fields: &Fields<'_>) -> Checked<serde_json::Value> {
    match fields.get("config") {
        None => Ok(serde_json::json!({})),
        Some(value) => {
            value.fields()?;
            secrets::check(&value);
            value.json()
        }
    }
}

fn stage_limits(value: &Value<'_>) -> Checked<Limits> {
    let fields = value.fields()?;
    let Limits {
        memory,
        fuel,
        wall,
        outputs,
        output_bytes,
        state,
        faults_in_a_row,
    } = Limits::default();
    let read = Limits {
        memory: fields
            .read("memory", |v| v.bytes_within(MEMORY.0, MEMORY.1))
            .unwrap_or(memory),
        fuel: fields.read("fuel", |v| v.count(1, i64::MAX as u64)).unwrap_or(fuel),
        wall: fields.read("wall", |v| v.duration_within(MAX_DURATION)).unwrap_or(wall),
        outputs: fields
            .read("outputs", |v| v.count(1, u64::from(u32::MAX)))
            .map_or(outputs, |n| n as u32),
        output_bytes: fields.read("output-bytes", Value::bytes).unwrap_or(output_bytes),
        state: fields.read("state", Value::bytes).unwrap_or(state),
        faults_in_a_row: fields
            .read("faults-in-a-row", |v| v.count(1, u64::from(u32::MAX)))
            .map_or(faults_in_a_row, |n| n as u32),
    };
    fields.close();
    Ok(read)
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
    let drain = Drain {
        complete_when: fields.read("complete-when", condition),
        blocking: fields.read("blocking", |v| {
            let inner = v.fields()?;
            let field = field(&inner);
            inner.close();
            field
        }),
        timeout: fields
            .read("timeout", |v| v.duration_within(MAX_DURATION))
            .unwrap_or(DRAIN_TIMEOUT),
    };
    fields.close();
    Ok(drain)
}

fn condition(value: &Value<'_>) -> Checked<Condition> {
    let fields = value.fields()?;
    let at = field(&fields);
    let equals = fields.must("equals", Value::json);
    fields.close();
    Ok(Condition {
        at: at?,
        equals: equals.unwrap_or_default(),
    })
}

/// The keys `view` and `field` of a table.
fn field(fields: &Fields<'_>) -> Checked<Field> {
    let pointer = fields.read("field", pointer).unwrap_or_default();
    Ok(Field {
        view: fields.need("view")?.text()?,
        field: pointer,
    })
}

/// An RFC 6901 JSON Pointer: empty (the whole answer) or steps that each begin with a slash.
fn pointer(value: &Value<'_>) -> Checked<String> {
    let text = value.string()?.value;
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    if escaped && (text.is_empty() || text.starts_with('/')) {
        Ok(text)
    } else {
        let problem = value.bad(format!("expected a JSON Pointer such as \"/count\", found {text:?}"));
        Err(if escaped {
            problem
        } else {
            problem.help("in a JSON Pointer `~` is written ~0 and `/` within a name ~1")
        })
    }
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

fn goal(value: &Value<'_>) -> Checked<Goal> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let metric = fields.must("metric", goal_metric);
    let quantile = fields
        .get("quantile")
        .and_then(|v| v.keep(quantile(&v, metric.as_deref())));
    let bound = match (fields.get("below"), fields.get("above")) {
        (Some(v), None) => v.keep(amount(&v)).map(Bound::Below),
        (None, Some(v)) => v.keep(amount(&v)).map(Bound::Above),
        (Some(_), Some(v)) => {
            value.problems.note(v.bad("a goal has one bound: below or above"));
            None
        }
        (None, None) => {
            value.problems.note(value.bad("a goal needs a bound: below or above"));
            None
        }
    };
    let over = fields.read("over", |v| v.duration_within(limits::MAX_GOAL_WINDOW));
    fields.close();
    Ok(Goal {
        name: name.unwrap_or_default(),
        metric: metric.unwrap_or_default(),
        quantile,
        bound: bound.unwrap_or(Bound::Below(0.0)),
        over: over.unwrap_or(GOAL_WINDOW),
    })
}

fn goal_metric(value: &Value<'_>) -> Checked<String> {
    let metric = value.string()?.value;
    if metrics::GOALS.contains(&metric.as_str()) {
        return Ok(metric);
    }
    let message = format!("there is no metric {metric:?} for goals");
    Err(value
        .problem(codes::MANIFEST_REFERENCE, message)
        .nearest(&metric, metrics::GOALS))
}

fn quantile(value: &Value<'_>, metric: Option<&str>) -> Checked<f64> {
    let found = value.number()?;
    if !(0.0..1.0).contains(&found) || found == 0.0 {
        return Err(value.bad(format!("expected a number between 0 and 1, found {found}")));
    }
    if metric == Some(metrics::PIPELINE_ENDED) {
        return Err(value.bad(format!("{} is a rate: it has no quantiles", metrics::PIPELINE_ENDED)));
    }
    Ok(found)
}

/// A plain number, or a duration in seconds; more than nothing.
fn amount(value: &Value<'_>) -> Checked<f64> {
    let found = match value.is_text() {
        true => value.duration_within(MAX_DURATION)?.as_secs_f64(),
        false => value.number()?,
    };
    if found > 0.0 {
        return Ok(found);
    }
    Err(value.bad(format!("expected more than 0, found {found}")))
}

fn invariant(value: &Value<'_>, topics: &Topics<'_>) -> Checked<Invariant> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let when_drained = fields.read("when", |v| match v.string()?.value.as_str() {
        "drained" => Ok(true),
        other => Err(v.bad(format!("the only time known is \"drained\", found {other:?}"))),
    });
    let rule = if let Some(of) = fields.get("of") {
        ends_once(&of, &fields, topics)
    } else {
        let at = field(&fields);
        let each = fields.must("each", Value::integer);
        at.map(|at| InvariantRule::Each {
            at,
            each: each.unwrap_or_default(),
        })
    };
    fields.close();
    Ok(Invariant {
        name: name.unwrap_or_default(),
        rule: rule?,
        when_drained: when_drained.unwrap_or(false),
    })
}

fn ends_once(of: &Value<'_>, fields: &Fields<'_>, topics: &Topics<'_>) -> Checked<InvariantRule> {
    let ends_in = fields.must("ends-in", |ends| {
        if ends.list()?.is_empty() {
            return Err(ends.bad("expected at least one topic"));
        }
        many(ends, |v| known_topic(v, topics))
    });
    Ok(InvariantRule::EndsOnce {
        of: known_topic(of, topics)?,
        ends_in: ends_in.unwrap_or_default(),
    })
}

fn known_topic(value: &Value<'_>, topics: &Topics<'_>) -> Checked<TopicName> {
    let name: TopicName = named(value)?;
    if topics.known.contains_key(&name) || !topics.whole {
        return Ok(name);
    }
    let problem = value.problem(
        codes::MANIFEST_REFERENCE,
        format!("{:?}: no stage reads or writes a topic {name}", value.path),
    );
    Err(problem.nearest(name.as_str(), topics.known.keys().map(TopicName::as_str)))
}

fn count(value: &Value<'_>, topics: &Topics<'_>) -> Checked<Count> {
    let fields = value.fields()?;
    let name = fields.must("name", label);
    let of = fields.need("count");
    let source = match fields.get("field") {
        None => of.and_then(|of| known_topic(&of, topics)).map(CountSource::Topic),
        Some(pointed) => {
            let field = pointed.keep(pointer(&pointed)).unwrap_or_default();
            let view = of.and_then(|of| of.text());
            view.map(|view| CountSource::View(Field { view, field }))
        }
    };
    fields.close();
    Ok(Count {
        name: name.unwrap_or_default(),
        source: source?,
    })
}

fn search(value: &Value<'_>) -> Checked<String> {
    let fields = value.fields()?;
    let view = fields.must("view", Value::text);
    fields.close();
    Ok(view.unwrap_or_default())
}
