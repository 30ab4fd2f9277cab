//! Topics, stages and generators: their components, ports, configurations and limits.

use super::check;
use super::entries::{WORD, key_name, named, word};
use super::parse::{MAX_DURATION, MEMORY};
use super::problem::Problem;
use super::raw::{At, Checked, Fields, Value};
use super::{Generator, OnMisplaced, Stage, Topic, secrets, validators};
use crate::limits::Limits;
use crate::{StageName, TopicName, codes};

pub(super) fn topic(key: At<String>, value: &Value<'_>) -> Checked<check::Declared> {
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

pub(super) fn stage(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Stage>> {
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

pub(super) fn generator(key: At<String>, value: &Value<'_>) -> Checked<check::Wired<Generator>> {
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
