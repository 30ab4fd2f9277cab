//! Checks what a component says of itself, so that everything behind this can rely on it.

use crate::contract::StageExports;
use crate::verdict::cut;
use fermata_core::TopicName;
use fermata_core::description::{Description, MetricDecl};
use fermata_core::limits::MAX_DESCRIPTION;
use std::collections::BTreeSet;

/// Bytes of a name, and declarations of one kind.
const MAX_NAME: usize = 64;
const MAX_DECLARATIONS: usize = 256;
/// Label names that the host gives to every metric of a stage.
const HOST_LABELS: [&str; 3] = ["pipeline", "stage", "digest"];

/// `Err`: what was found and what it should be.
pub fn check(told: &Description, exports: &StageExports) -> Result<(), String> {
    size(told)?;
    word("name of the component", &told.name)?;
    if !version(&told.version) {
        return Err(format!(
            "describe gives the version {:?}; it must be MAJOR.MINOR.PATCH",
            cut(&told.version, MAX_NAME)
        ));
    }
    names("input port", told.inputs.iter().map(|p| &p.name), port)?;
    names("output port", told.outputs.iter().map(|p| &p.name), port)?;
    names("store", told.stores.iter().map(|s| &s.name), word)?;
    names("view", told.views.iter().map(|v| &v.name), word)?;
    names("metric", told.metrics.iter().map(|m| &m.name), identifier)?;
    for metric in &told.metrics {
        labels(metric)?;
        one_line(metric)?;
    }
    schema("config-schema", &told.config_schema)?;
    for view in &told.views {
        schema(&format!("params of view {}", view.name), &view.params)?;
        schema(&format!("answer of view {}", view.name), &view.answer)?;
    }
    let migrates = told
        .stores
        .iter()
        .any(|store| store.reverts || !store.migrates.is_empty());
    promised("timers", told.timers, exports.timers.is_some())?;
    promised("views", !told.views.is_empty(), exports.views.is_some())?;
    promised("migration", migrates, exports.migration)
}

/// It is kept for each version, and shown to whoever asks.
fn size(told: &Description) -> Result<(), String> {
    let ports = told.inputs.iter().chain(&told.outputs);
    let stores = told.stores.iter();
    let metrics = told.metrics.iter();
    let texts = ports.map(|p| p.name.len() + 4 * p.versions.len());
    let texts = texts.chain(stores.map(|s| s.name.len() + 4 * s.migrates.len()));
    let texts = texts.chain(
        told.views
            .iter()
            .map(|v| v.name.len() + v.params.len() + v.answer.len()),
    );
    let texts = texts.chain(metrics.map(|m| {
        let labels: usize = m.labels.iter().map(String::len).sum();
        m.name.len() + m.unit.len() + m.help.len() + labels
    }));
    let own = told.name.len() + told.version.len() + told.config_schema.len();
    let bytes = own + texts.sum::<usize>();
    if bytes > MAX_DESCRIPTION {
        return Err(format!(
            "describe answers {bytes} bytes; at most {MAX_DESCRIPTION} are possible"
        ));
    }
    Ok(())
}

/// Unit and help of a metric are shown as they are.
fn one_line(metric: &MetricDecl) -> Result<(), String> {
    if [&metric.unit, &metric.help]
        .iter()
        .any(|text| text.contains(char::is_control))
    {
        return Err(format!(
            "unit and help of metric {} are one line of text each, without control characters",
            metric.name
        ));
    }
    Ok(())
}

/// What is declared must be exported.
fn promised(interface: &str, declared: bool, exported: bool) -> Result<(), String> {
    if declared && !exported {
        return Err(format!(
            "describe declares {interface}, but the interface {interface} is not exported"
        ));
    }
    Ok(())
}

fn names<'a>(
    kind: &str,
    names: impl ExactSizeIterator<Item = &'a String>,
    check: fn(&str, &str) -> Result<(), String>,
) -> Result<(), String> {
    if names.len() > MAX_DECLARATIONS {
        return Err(format!(
            "describe declares {} {kind}s; at most {MAX_DECLARATIONS} are possible",
            names.len()
        ));
    }
    let mut seen = BTreeSet::new();
    for name in names {
        check(kind, name)?;
        if !seen.insert(name) {
            return Err(format!("describe declares the {kind} {name:?} twice"));
        }
    }
    Ok(())
}

/// Kebab-case. A name that begins with `_` is the host's own.
fn word(kind: &str, name: &str) -> Result<(), String> {
    let ok = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && !name.contains("--")
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if ok {
        return Ok(());
    }
    Err(format!(
        "describe gives the {kind} {:?}; it must be kebab-case, [a-z][a-z0-9-]*, at most {MAX_NAME} bytes",
        cut(name, MAX_NAME)
    ))
}

/// A port may be named as the topic that it is meant for.
fn port(kind: &str, name: &str) -> Result<(), String> {
    TopicName::new(name)
        .map(drop)
        .map_err(|bad| format!("describe gives the {kind} {bad}"))
}

/// By the rule of Prometheus, of which metrics and labels become part.
fn identifier(kind: &str, name: &str) -> Result<(), String> {
    let ok = name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.starts_with("fermata_")
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    if ok {
        return Ok(());
    }
    Err(format!(
        "describe gives the {kind} {:?}; it must be [a-z][a-z0-9_]*, at most {MAX_NAME} bytes, and not begin with fermata_",
        cut(name, MAX_NAME)
    ))
}

fn labels(metric: &MetricDecl) -> Result<(), String> {
    let kind = format!("label (metric {})", metric.name);
    names(&kind, metric.labels.iter(), identifier)?;
    match metric.labels.iter().find(|l| HOST_LABELS.contains(&l.as_str())) {
        Some(label) => Err(format!(
            "describe gives the {kind} {label:?}, which the host itself adds"
        )),
        None => Ok(()),
    }
}

fn schema(what: &str, text: &str) -> Result<(), String> {
    match serde_json::from_str::<serde_json::Value>(text) {
        Ok(serde_json::Value::Object(_) | serde_json::Value::Bool(_)) => Ok(()),
        Ok(_) => Err(format!("{what} is JSON but no JSON Schema: write an object")),
        Err(e) => Err(format!("{what} is not JSON ({e}): write a JSON Schema")),
    }
}

/// `1.2.3`, with anything behind `-` or `+`.
fn version(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let parts: Vec<&str> = core.split('.').collect();
    text.len() <= MAX_NAME
        && text.bytes().all(|b| b.is_ascii_graphic())
        && parts.len() == 3
        && parts
            .iter()
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_kebab_case() {
        for good in ["a", "payments", "accepted-2", "x9-y"] {
            word("store", good).expect(good);
        }
        let long = "a".repeat(65);
        for bad in ["", "_timers", "Accounts", "a_b", "-a", "a-", "a--b", "9a", "ä", &long] {
            word("store", bad).expect_err(bad);
        }
    }

    #[test]
    fn ports_may_be_named_as_topics() {
        for good in ["in", "payment.incoming", "A_b-9"] {
            port("input port", good).expect(good);
        }
        for bad in ["", ".", "a b", "ä"] {
            port("input port", bad).expect_err(bad);
        }
    }

    #[test]
    fn metrics_fit_prometheus_and_leave_the_hosts_names_alone() {
        identifier("metric", "payments_total").expect("good");
        for bad in ["", "_x", "a-b", "fermata_records_total", "A"] {
            identifier("metric", bad).expect_err(bad);
        }
        let metric = |labels: &[&str]| MetricDecl {
            name: "m".into(),
            kind: fermata_core::description::MetricKind::Counter,
            unit: String::new(),
            help: String::new(),
            labels: labels.iter().map(|l| (*l).into()).collect(),
        };
        labels(&metric(&["currency"])).expect("good");
        labels(&metric(&["stage"])).expect_err("the host's");
        labels(&metric(&["a", "a"])).expect_err("twice");
    }

    #[test]
    fn schemas_are_json_schemas() {
        schema("s", r#"{"type":"object"}"#).expect("good");
        schema("s", "true").expect("good");
        for bad in ["", "{", "[]", "\"x\""] {
            schema("s", bad).expect_err(bad);
        }
    }

    #[test]
    fn versions_have_three_numbers() {
        for good in ["1.0.0", "1.10.3-rc.1", "0.1.0+build.7"] {
            assert!(version(good), "{good}");
        }
        for bad in ["", "1", "1.0", "1.0.0.0", "1..0", "v1.0.0", "1.0.x", "1.0.0-ä"] {
            assert!(!version(bad), "{bad}");
        }
    }
}
