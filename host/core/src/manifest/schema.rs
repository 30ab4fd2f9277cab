//! The manifest's shape, for editors and for whoever asks what may stand where: the raw types, as the file has them.
//!
//! [`super::parse`] is what decides; tests hold these types against it, key by key and default by default. A key that
//! is read and not declared here, or the other way round, is a red test.
#![allow(dead_code, reason = "the types are read by the derive alone: they describe a file")]

mod guarding;

use guarding::{OnFailure, Parked, Validator, dead_letter};

use super::parse::{DRAIN_TIMEOUT, GOAL_WINDOW, MAX_PARTITIONS, NOUN};
use super::raw::{bytes_text, duration_text};
use crate::limits::{self, Limits as Default_};
use crate::names::metrics;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Where the schema of format 1 is known under.
const ID: &str = "urn:fermata:schema:pipeline:1";

/// The JSON Schema (draft 2020-12) of `pipeline.toml`.
pub fn schema() -> Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(generate).clone()
}

fn generate() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<Pipeline>().to_value();
    without_null(&mut schema);
    let mut overlay = schema.clone();
    as_overlay(&mut overlay);
    for fixed in ["manifest", "name"] {
        overlay["properties"].as_object_mut().map(|all| all.remove(fixed));
    }
    for own in ["$schema", "title", "description"] {
        overlay.as_object_mut().map(|all| all.remove(own));
    }
    schema["$id"] = ID.into();
    schema["$defs"] = json!({ "overlay": overlay });
    schema["properties"]["env"] = json!({
        "description": "Environments: what each lays over the rest of the manifest. Tables are merged, all else replaced.",
        "type": "object",
        "patternProperties": { "^[a-z][a-z0-9-]*$": { "$ref": "#/$defs/overlay" } },
        "additionalProperties": false,
    });
    schema
}

/// The schema of what stands under `key` of a table; `null` where nothing is said of it.
pub(super) fn below<'a>(schema: &'a Value, key: &str) -> &'a Value {
    let named = &schema["properties"][key];
    if !named.is_null() {
        return named;
    }
    let choices = schema["anyOf"].as_array().into_iter().flatten();
    let mut chosen = choices
        .map(|choice| below(choice, key))
        .filter(|found| !found.is_null());
    let patterns = schema["patternProperties"].as_object();
    let any = patterns.and_then(|all| all.values().next());
    chosen.next().or(any).unwrap_or(&Value::Null)
}

/// TOML has no null: what is optional is absent.
fn without_null(schema: &mut Value) {
    match schema {
        Value::Object(entries) => {
            if entries.get("default").is_some_and(Value::is_null) {
                entries.remove("default");
            }
            if let Some(Value::Array(types)) = entries.get_mut("type") {
                types.retain(|t| t != "null");
                if let [one] = &types[..] {
                    let one = one.clone();
                    entries.insert("type".into(), one);
                }
            }
            let null = json!({ "type": "null" });
            if let Some(Value::Array(choices)) = entries.get_mut("anyOf") {
                choices.retain(|choice| *choice != null);
                if let [Value::Object(one)] = &choices[..] {
                    let one = one.clone();
                    entries.remove("anyOf");
                    for (key, value) in one {
                        entries.entry(key).or_insert(value);
                    }
                }
            }
            entries.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// An environment says only what differs: nothing directly in its tables is missing. Items of lists are whole.
fn as_overlay(schema: &mut Value) {
    let Value::Object(entries) = schema else { return };
    entries.remove("required");
    for key in ["properties", "patternProperties"] {
        let below = entries.get_mut(key).and_then(Value::as_object_mut);
        below.into_iter().flat_map(|all| all.values_mut()).for_each(as_overlay);
    }
}

/// A text type with its own rule.
macro_rules! text {
    ($($(#[$doc:meta])* $name:ident = $pattern:expr;)*) => {$(
        $(#[$doc])*
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        struct $name(String);
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    )*};
}

text! {
    Word = "^[a-z][a-z0-9-]{0,63}$";
    Label = "^[a-z][a-z0-9_-]{0,63}$";
    Topic_ = "^[A-Za-z0-9._-]{1,249}$";
    Time = TIME;
    Component = r"^(builtin:[^@]+@.+|sha256:[0-9A-Fa-f]{64}|(?!builtin:|sha256:|oci:).*\S.*)$";
    Pointer = "^(/([^~]|~[01])*)?$";
    Text = r"\S";
}

const TIME: &str = r"^\s*[0-9_]+\s*(ms|s|m|h|d)\s*$";
const SIZE: &str = r"^\s*[0-9_]+\s*(B|KiB|MiB|GiB)\s*$";

fn size() -> Value {
    json!({ "anyOf": [{ "type": "integer", "minimum": 1 }, { "type": "string", "pattern": SIZE }] })
}

struct Size;
impl JsonSchema for Size {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        size().try_into().expect("an object is a schema")
    }
}

struct Amount;
impl JsonSchema for Amount {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Amount".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "number", "exclusiveMinimum": 0 }, { "type": "string", "pattern": TIME }] })
    }
}

fn no_config() -> Value {
    json!({})
}

/// A pipeline of Fermata: topics, the stages between them, and what must be true of it.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields, title = "Fermata pipeline")]
struct Pipeline {
    /// Version of this format.
    #[schemars(extend("const" = super::parse::FORMAT))]
    manifest: i64,
    /// Name of the pipeline: it begins the names of the host's own topics.
    name: Word,
    /// Partitions of every topic with keys.
    #[schemars(range(min = 1, max = MAX_PARTITIONS))]
    partitions: u64,
    /// Topics that need a word: every head is declared.
    topics: Option<BTreeMap<Topic_, Topic>>,
    /// Stages by name, in the order in which they are shown.
    stage: BTreeMap<Word, Stage>,
    /// Components that make load.
    generator: Option<BTreeMap<Label, Generator>>,
    /// When a drained pipeline is empty.
    drain: Option<Drain>,
    /// How deployments go.
    deploy: Option<Deploy>,
    /// What the pipeline should reach.
    goal: Option<Vec<Goal>>,
    /// What must be true of it.
    invariant: Option<Vec<Invariant>>,
    /// What one unit of work is called, for people.
    #[schemars(default = "noun")]
    noun: Text,
    /// Figures that `demo` and `status` show.
    summary: Option<Vec<Count>>,
    /// The view that finds one unit of work by its id.
    search: Option<View>,
}
fn noun() -> String {
    NOUN.to_owned()
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Topic {
    /// No stage writes it: intake goes here.
    head: Option<bool>,
    /// JSON field from which intake derives a missing key.
    key: Option<Text>,
    /// Of a head: what becomes of a keyed record on another partition than its key's.
    on_misplaced: Option<OnMisplaced>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnMisplaced {
    Reject,
    Reroute,
    Trust,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Stage {
    /// A path, `builtin:name@version` or `sha256:<64 hex digits>`.
    component: Component,
    /// Topics that it reads: a list, each port named as its topic, or a table of port = topic.
    #[schemars(rename = "in")]
    inputs: Inputs,
    /// Output ports and their topics.
    out: Option<BTreeMap<Topic_, Topic_>>,
    /// Given to the component's `init`. Texts may hold `${env:NAME}` and `${file:/absolute/path}`.
    #[schemars(default = "no_config", with = "BTreeMap<String, Value>")]
    config: Value,
    /// What it may use.
    limits: Option<Limits>,
    /// What becomes of a record that the stage rejects.
    #[schemars(default = "dead_letter")]
    on_reject: OnFailure,
    /// What becomes of a record on which the stage fails.
    #[schemars(default = "dead_letter")]
    on_fault: OnFailure,
    /// How much a task may keep aside.
    parked: Option<Parked>,
    /// Validators in front of the whole input, in this order.
    validator: Option<Vec<Validator>>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Inputs {
    Topics(#[schemars(length(min = 1))] Vec<Topic_>),
    Ports(#[schemars(extend("minProperties" = 1))] BTreeMap<Topic_, Topic_>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Limits {
    /// Linear memory of one instance.
    #[schemars(default = "memory")]
    memory: Size,
    /// Fuel for one record or timer.
    #[schemars(default = "fuel", range(min = 1, max = i64::MAX))]
    fuel: u64,
    /// Wall time after which a call is interrupted; it never condemns the record.
    #[schemars(default = "wall")]
    wall: Time,
    /// Emissions of one record or timer.
    #[schemars(default = "outputs", range(min = 1, max = u32::MAX))]
    outputs: u64,
    /// Bytes of all emissions of one record or timer.
    #[schemars(default = "output_bytes")]
    output_bytes: Size,
    /// Committed state of one task.
    #[schemars(default = "state")]
    state: Size,
    /// So many faults of a task in a row make the stage suspect.
    #[schemars(default = "faults_in_a_row", range(min = 1, max = u32::MAX))]
    faults_in_a_row: u64,
}
fn faults_in_a_row() -> u32 {
    Default_::default().faults_in_a_row
}
fn memory() -> String {
    bytes_text(Default_::default().memory)
}
fn fuel() -> u64 {
    Default_::default().fuel
}
fn wall() -> String {
    duration_text(Default_::default().wall)
}
fn outputs() -> u32 {
    Default_::default().outputs
}
fn output_bytes() -> String {
    bytes_text(Default_::default().output_bytes)
}
fn state() -> String {
    bytes_text(Default_::default().state)
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Generator {
    /// A path, `builtin:name@version` or `sha256:<64 hex digits>`.
    component: Component,
    /// Output ports and the heads that they write to.
    out: Option<BTreeMap<Topic_, Topic_>>,
    /// Given to the component's `init`. Texts may hold `${env:NAME}` and `${file:/absolute/path}`.
    #[schemars(default = "no_config", with = "BTreeMap<String, Value>")]
    config: Value,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Drain {
    /// Drained is what this holds of; without it, when nothing is left to read.
    complete_when: Option<Condition>,
    /// The list of what still blocks.
    blocking: Option<Field>,
    /// How long a drain is waited for.
    #[schemars(default = "drain_timeout")]
    timeout: Time,
}
fn drain_timeout() -> String {
    duration_text(DRAIN_TIMEOUT)
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Condition {
    view: Text,
    /// JSON Pointer into the view's answer.
    field: Option<Pointer>,
    equals: Value,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Field {
    view: Text,
    /// JSON Pointer into the view's answer.
    field: Option<Pointer>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct View {
    view: Text,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Deploy {
    /// How long the old version is asked for a second opinion.
    #[schemars(default = "probation")]
    probation: Time,
}
fn probation() -> String {
    duration_text(limits::PROBATION)
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("oneOf" = [{ "required": ["below"] }, { "required": ["above"] }]))]
struct Goal {
    name: Label,
    #[schemars(extend("enum" = metrics::GOALS))]
    metric: String,
    /// Of a histogram: 0.99.
    #[schemars(extend("exclusiveMinimum" = 0, "exclusiveMaximum" = 1))]
    quantile: Option<f64>,
    below: Option<Amount>,
    above: Option<Amount>,
    /// The window that is looked at.
    #[schemars(default = "window")]
    over: Time,
}
fn window() -> String {
    duration_text(GOAL_WINDOW)
}

#[derive(JsonSchema)]
#[schemars(untagged)]
enum Invariant {
    Each(Each),
    EndsOnce(EndsOnce),
}

/// Each number at a place of a view's answer.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Each {
    name: Label,
    view: Text,
    /// JSON Pointer into the view's answer.
    field: Option<Pointer>,
    /// What each number there must be.
    each: i64,
    when: Option<When>,
}

/// Every key of a topic ends on one of others.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct EndsOnce {
    name: Label,
    /// The topic whose keys begin.
    of: Topic_,
    /// The topics on one of which each must end.
    #[schemars(length(min = 1))]
    ends_in: Vec<Topic_>,
    when: Option<When>,
}

/// It holds only when the pipeline is drained.
#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum When {
    Drained,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Count {
    name: Label,
    /// A topic, whose records are counted, or with `field` a view.
    count: Text,
    /// JSON Pointer into the view's answer.
    field: Option<Pointer>,
}
