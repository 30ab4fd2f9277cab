//! `[stage.x] validator = [...]`: what stands in front of a stage.

use super::entries::named;
use super::problem::Problem;
use super::raw::{Checked, Fields, Value};
use super::stages::{component, config};
use crate::codes;
use crate::validation::{Allowance, MAX_MEMO_BYTES, MEMO_BYTES, Mode, OnFault, OnReject, Policy};
use serde::Serialize;

/// A validator of a stage, as the manifest has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Validator {
    #[serde(flatten)]
    pub policy: Policy,
    /// `path | builtin:name@version | sha256:...`
    pub component: String,
    /// JSON object given to `init`.
    pub config: serde_json::Value,
}

/// In the order of the list, each name once.
pub(super) fn read(list: Option<Value<'_>>) -> Checked<Vec<Validator>> {
    let Some(list) = list else { return Ok(Vec::new()) };
    let mut all: Vec<Validator> = Vec::new();
    for value in list.list()? {
        let one = validator(&value)?;
        if all.iter().any(|earlier| earlier.policy.name == one.policy.name) {
            let found = format!("a second validator is named {}", one.policy.name);
            return Err(value
                .problem(codes::MANIFEST_REFERENCE, found)
                .help("validators of one stage need different names: their codes begin with it"));
        }
        all.push(one);
    }
    Ok(all)
}

fn validator(value: &Value<'_>) -> Checked<Validator> {
    let fields = value.fields()?;
    let policy = Policy {
        name: named(&fields.need("name")?)?,
        mode: choice(&fields, "mode", &[("report", Mode::Report), ("enforce", Mode::Enforce)])?,
        on_reject: choice(
            &fields,
            "on-reject",
            &[("deliver", OnReject::Deliver), ("dead-letter", OnReject::DeadLetter)],
        )?,
        on_fault: choice(
            &fields,
            "on-fault",
            &[
                ("reject", OnFault::Reject),
                ("accept", OnFault::Accept),
                ("pause", OnFault::Pause),
            ],
        )?,
        memo_bytes: match fields.get("memo-bytes") {
            None => MEMO_BYTES,
            Some(value) => memo_bytes(&value)?,
        },
        limits: fields
            .get("limits")
            .map_or_else(|| Ok(Allowance::default()), |v| limits(&v))?,
    };
    let validator = Validator {
        policy,
        component: component(&fields)?,
        config: config(&fields)?,
    };
    fields.close();
    Ok(validator)
}

/// One of a few words; the first is what holds when the key is absent.
fn choice<T: Copy>(fields: &Fields<'_>, key: &'static str, words: &[(&'static str, T)]) -> Checked<T> {
    let Some(value) = fields.get(key) else {
        return Ok(words[0].1);
    };
    let text = value.string()?.value;
    if let Some((_, chosen)) = words.iter().find(|(word, _)| *word == text) {
        return Ok(*chosen);
    }
    let problem: Problem = value.bad(format!("{text:?} is not one of its words"));
    Err(problem.nearest(&text, words.iter().map(|(word, _)| *word)))
}

fn memo_bytes(value: &Value<'_>) -> Checked<u64> {
    let found = value.bytes()?;
    if found > MAX_MEMO_BYTES {
        return Err(value.bad(format!("a memo has at most {MAX_MEMO_BYTES} bytes, found {found}")));
    }
    Ok(found)
}

fn limits(value: &Value<'_>) -> Checked<Allowance> {
    let fields = value.fields()?;
    let mut limits = Allowance::default();
    if let Some(v) = fields.get("memory") {
        limits.memory = v.bytes()?;
    }
    if let Some(v) = fields.get("fuel") {
        limits.fuel = v.count(1, i64::MAX as u64)?;
    }
    if let Some(v) = fields.get("wall") {
        limits.wall = v.duration()?;
    }
    fields.close();
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::parse::parse;
    use std::time::Duration;

    fn manifest(validators: &str) -> String {
        format!(
            "manifest = 1\nname = \"shop\"\npartitions = 1\ntopics.orders = {{ head = true }}\n[stage.check]\n\
             component = \"check.wasm\"\nin = [\"orders\"]\n{validators}\n"
        )
    }
    fn read(validators: &str) -> Vec<Validator> {
        let manifest = parse("pipeline.toml", &manifest(validators)).unwrap_or_else(|e| panic!("{e}"));
        manifest.stage("check").unwrap().validators.clone()
    }

    #[test]
    fn a_short_entry_has_the_defaults_that_are_written_down() {
        let validators = read(r#"validator = [{ name = "fast", component = "fast.wasm" }]"#);
        let expected = Policy {
            name: "fast".parse().unwrap(),
            mode: Mode::Report,
            on_reject: OnReject::Deliver,
            on_fault: OnFault::Reject,
            memo_bytes: 1024,
            limits: Allowance::default(),
        };
        assert_eq!(validators[0].policy, expected);
        assert_eq!(validators[0].config, serde_json::json!({}));
        assert_eq!(read(""), []);
    }

    #[test]
    fn every_key_is_read_and_the_order_is_kept() {
        let validators = read(
            r#"validator = [
              { name = "b", component = "builtin:b@1.0.0", mode = "enforce", on-reject = "dead-letter", on-fault = "pause",
                memo-bytes = "2KiB", config = { per-minute = 5 }, limits = { memory = "8MiB", fuel = 7, wall = "2ms" } },
              { name = "a", component = "a.wasm", on-fault = "accept" },
            ]"#,
        );
        let names: Vec<_> = validators.iter().map(|v| v.policy.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
        let Validator { policy, config, .. } = &validators[0];
        assert_eq!(
            (policy.mode, policy.on_reject, policy.on_fault, policy.memo_bytes),
            (Mode::Enforce, OnReject::DeadLetter, OnFault::Pause, 2048)
        );
        let limits = Allowance {
            memory: 8 << 20,
            fuel: 7,
            wall: Duration::from_millis(2),
        };
        assert_eq!(policy.limits, limits);
        assert_eq!(*config, serde_json::json!({ "per-minute": 5 }));
        assert_eq!(validators[1].policy.on_fault, OnFault::Accept);
    }

    #[test]
    fn each_mistake_has_its_place_and_its_words() {
        let one = |entry: &str| format!("validator = [{{ name = \"fast\", component = \"f.wasm\", {entry} }}]");
        let long = "a".repeat(33);
        for (entry, code, says) in [
            (
                "mode = \"enforced\"".into(),
                codes::MANIFEST_VALUE,
                "did you mean \"enforce\"",
            ),
            (
                "on-reject = \"drop\"".into(),
                codes::MANIFEST_VALUE,
                "deliver, dead-letter",
            ),
            ("on-fault = true".into(), codes::MANIFEST_SYNTAX, "must be a string"),
            (
                "on-falt = \"pause\"".into(),
                codes::MANIFEST_SYNTAX,
                "did you mean \"on-fault\"",
            ),
            (
                "memo-bytes = \"1MiB\"".into(),
                codes::MANIFEST_VALUE,
                "at most 65536 bytes",
            ),
            (
                "limits = { outputs = 1 }".into(),
                codes::MANIFEST_SYNTAX,
                "\"outputs\" is not a key",
            ),
        ]
        .map(|(entry, code, says): (String, _, _)| (one(&entry), code, says))
        .into_iter()
        .chain([
            (
                "validator = { name = \"a\" }".into(),
                codes::MANIFEST_SYNTAX,
                "must be a list",
            ),
            (
                "validator = [{ name = \"a\" }]".into(),
                codes::MANIFEST_SYNTAX,
                "component\" is missing",
            ),
            (
                "validator = [{ component = \"a\" }]".into(),
                codes::MANIFEST_SYNTAX,
                "name\" is missing",
            ),
            (
                "validator = [{ name = \"A\", component = \"a\" }]".into(),
                codes::MANIFEST_VALUE,
                "name",
            ),
            (
                format!("validator = [{{ name = \"{long}\", component = \"a\" }}]"),
                codes::MANIFEST_VALUE,
                "at most 32 bytes",
            ),
            (
                "validator = [{ name = \"a\", component = \"a\" }, { name = \"a\", component = \"b\" }]".into(),
                codes::MANIFEST_REFERENCE,
                "a second validator is named a",
            ),
        ]) {
            let error = parse("pipeline.toml", &manifest(&entry)).expect_err(&entry);
            assert_eq!((error.code, error.line), (code, 8), "{entry}: {error}");
            assert!(error.to_string().contains(says), "{entry}: {error}");
        }
    }
}
