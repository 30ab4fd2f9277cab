//! What stands before a stage, and what becomes of records that it cannot treat.

use super::super::Quarantine;
use super::super::raw::{bytes_text, duration_text};
use super::{Component, Size, Time, fuel, memory, no_config, wall};
use crate::validation::MEMO_BYTES;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
pub(super) enum OnFailure {
    DeadLetter,
    Quarantine,
}
pub(super) fn dead_letter() -> &'static str {
    "dead-letter"
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum AtLimit {
    Pause,
    DeadLetter,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Parked {
    /// Records that one task keeps aside, those that only wait included.
    #[schemars(default = "max_records", range(min = 1, max = 100_000_000))]
    max_records: u64,
    /// Age of the oldest of them.
    #[schemars(default = "max_age")]
    max_age: Time,
    /// What happens when no further record may be kept.
    #[schemars(default = "pause")]
    at_limit: AtLimit,
}
fn max_records() -> u64 {
    Quarantine::default().max_records
}
fn max_age() -> String {
    duration_text(Quarantine::default().max_age)
}
fn pause() -> &'static str {
    "pause"
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct Validator {
    /// The first part of its codes; unique within the stage.
    name: Short,
    /// A path, `builtin:name@version` or `sha256:<64 hex digits>`.
    component: Component,
    /// Given to the component's `init`. Texts may hold `${env:NAME}` and `${file:/absolute/path}`.
    #[schemars(default = "no_config", with = "BTreeMap<String, Value>")]
    config: Value,
    /// Do its verdicts count?
    #[schemars(default = "report")]
    mode: Mode,
    /// What becomes of a record that it refuses.
    #[schemars(default = "deliver")]
    on_reject: OnReject,
    /// What becomes of a record on which it faults.
    #[schemars(default = "reject")]
    on_fault: OnFault,
    /// The longest memo that the host keeps for a key.
    #[schemars(default = "memo")]
    memo_bytes: Size,
    /// What it may use.
    limits: Option<Allowance>,
}
fn report() -> &'static str {
    "report"
}
fn deliver() -> &'static str {
    "deliver"
}
fn reject() -> &'static str {
    "reject"
}
fn memo() -> String {
    bytes_text(MEMO_BYTES)
}

/// The name of a validator: with a code of its own behind it, it is the code of a dead letter.
struct Short;
impl JsonSchema for Short {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Short".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[a-z][a-z0-9-]{0,31}$" })
    }
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum Mode {
    Report,
    Enforce,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnReject {
    Deliver,
    DeadLetter,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case")]
enum OnFault {
    Reject,
    Accept,
    Pause,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "kebab-case", deny_unknown_fields)]
struct Allowance {
    /// Linear memory of one instance.
    #[schemars(default = "memory")]
    memory: Size,
    /// Fuel for one record.
    #[schemars(default = "fuel", range(min = 1, max = i64::MAX))]
    fuel: u64,
    /// Wall time after which a call is interrupted; it never condemns the record.
    #[schemars(default = "wall")]
    wall: Time,
}
