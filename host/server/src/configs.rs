//! Configurations on their way into components: secrets filled in, and held against the component's own JSON Schema.

use fermata_core::manifest::parse::nearest;
use fermata_core::manifest::secrets::{self, Filled, Reference, Secrets};
use fermata_core::ports::{ConfigFault, Configs, PrepareError};
use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde_json::Value;

/// A secret is a word or a key, not a file system: bytes.
const MAX_SECRET: u64 = 64 << 10;
/// A schema with all its references followed has at most so many parts. Schemas come from strangers: checking must end.
const MAX_PARTS: usize = 10_000;
/// More faults than a person reads at once.
const MAX_FAULTS: usize = 20;

/// Variables and files of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Secrets for Machine {
    fn reveal(&self, reference: &Reference) -> Result<String, String> {
        match reference {
            Reference::Env(name) => std::env::var(name).map_err(|e| match e {
                std::env::VarError::NotPresent => format!("the variable {name} is not set in this process"),
                std::env::VarError::NotUnicode(_) => format!("the variable {name} is not UTF-8"),
            }),
            Reference::File(path) => read(path),
        }
    }
}

fn read(path: &str) -> Result<String, String> {
    use std::io::Read;
    let failed = |e: std::io::Error| format!("{path} cannot be read: {e}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_SECRET + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_SECRET {
        return Err(format!("{path} has more than {MAX_SECRET} bytes"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// What the engine asks before every `init`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checked<S>(pub S);

impl<S: Secrets> Configs for Checked<S> {
    fn ready(&self, config: &str, schema: Option<&str>) -> Result<Filled, PrepareError> {
        let filled = secrets::fill(config, &self.0).map_err(PrepareError::Secret)?;
        if let Some(schema) = schema {
            let faults = check(schema, &filled)?;
            if !faults.is_empty() {
                return Err(PrepareError::Config(faults));
            }
        }
        Ok(filled)
    }
}

fn check(schema: &str, config: &Filled) -> Result<Vec<ConfigFault>, PrepareError> {
    let unusable = |found: String| PrepareError::Contract(format!("its config-schema cannot be used: {found}"));
    let schema: Value = serde_json::from_str(schema).map_err(|e| unusable(format!("it is not JSON: {e}")))?;
    let config_json: Value = serde_json::from_str(&config.text)
        .map_err(|e| PrepareError::Init(format!("its configuration is not JSON: {e}")))?;
    parts(&schema, &schema, &mut Vec::new(), &mut 0).map_err(unusable)?;
    let validator: Validator = jsonschema::validator_for(&schema).map_err(|e| unusable(e.to_string()))?;
    let errors = validator.iter_errors(&config_json).take(MAX_FAULTS);
    Ok(errors.flat_map(|error| faults(&error, &schema, config)).collect())
}

/// Counts the parts of a schema as checking meets them. A reference that leads back to itself would never end, one to
/// another document would have to be fetched.
fn parts(whole: &Value, part: &Value, within: &mut Vec<String>, count: &mut usize) -> Result<(), String> {
    *count += 1;
    if *count > MAX_PARTS {
        return Err(format!("it has more than {MAX_PARTS} parts"));
    }
    match part {
        Value::Object(entries) => {
            for (key, below) in entries {
                match (key.as_str(), below) {
                    ("$dynamicRef" | "$recursiveRef", _) => return Err(format!("{key} is not supported")),
                    ("$ref", Value::String(to)) => reference(whole, to, within, count)?,
                    // Followed where they are referred to.
                    ("$defs" | "definitions", _) => {}
                    (_, below) => parts(whole, below, within, count)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| parts(whole, item, within, count)),
        _ => Ok(()),
    }
}

fn reference(whole: &Value, to: &str, within: &mut Vec<String>, count: &mut usize) -> Result<(), String> {
    let pointer = to.strip_prefix('#').filter(|p| p.starts_with('/'));
    let Some(target) = pointer.and_then(|p| whole.pointer(p)) else {
        return Err(format!("$ref {to:?} does not lead to a part of it"));
    };
    if within.iter().any(|outer| outer == to) {
        return Err(format!("$ref {to:?} leads back to itself"));
    }
    within.push(to.to_owned());
    parts(whole, target, within, count)?;
    within.pop();
    Ok(())
}

/// One for each name where the schema speaks of several at once.
fn faults(error: &ValidationError<'_>, schema: &Value, config: &Filled) -> Vec<ConfigFault> {
    let at = error.instance_path.to_string();
    match &error.kind {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            let valid = known(schema, error.schema_path.as_str());
            let one = |name: &String| ConfigFault {
                pointer: format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")),
                found: match nearest(name, valid.iter().copied()) {
                    Some(near) => format!("is not known to the component (did you mean {near:?}?)"),
                    None if valid.is_empty() => "is not known to the component".to_owned(),
                    None => format!("is not known to the component, which knows {}", valid.join(", ")),
                },
            };
            unexpected.iter().map(one).collect()
        }
        // So speaks a schema that has no properties at all.
        ValidationErrorKind::FalseSchema => vec![ConfigFault {
            pointer: at,
            found: "holds a key, and the component's config-schema has none: the component takes no configuration, or \
                    its author has not declared it"
                .to_owned(),
        }],
        _ => {
            // The text quotes what was found.
            let said = if config.holds_secrets() {
                error.masked_with("the value").to_string()
            } else {
                error.to_string()
            };
            vec![ConfigFault {
                pointer: at,
                found: format!("is not allowed: {said}"),
            }]
        }
    }
}

/// Names of the properties beside the keyword at `path`.
fn known<'a>(schema: &'a Value, path: &str) -> Vec<&'a str> {
    let beside = path.rsplit_once('/').map_or("", |(before, _)| before);
    let properties = schema.pointer(beside).and_then(|part| part["properties"].as_object());
    properties
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One;
    impl Secrets for One {
        fn reveal(&self, reference: &Reference) -> Result<String, String> {
            match reference {
                Reference::Env(name) if name == "PIN" => Ok("4711-secret".to_owned()),
                _ => Err("it is not set".to_owned()),
            }
        }
    }

    const SCHEMA: &str = r#"{"type":"object","additionalProperties":false,"properties":{
        "max-amount":{"type":"integer","minimum":1},"pin":{"type":"string","maxLength":4}}}"#;

    fn refused(config: &str, schema: &str) -> String {
        let error = Checked(One).ready(config, Some(schema)).err();
        error.unwrap_or_else(|| panic!("{config} passes")).to_string()
    }

    #[test]
    fn a_config_is_held_against_the_components_own_schema() {
        assert!(Checked(One).ready(r#"{"max-amount":1}"#, Some(SCHEMA)).is_ok());
        let said = refused(r#"{"max-amount":0,"max-amont":1}"#, SCHEMA);
        assert!(said.contains("\"/max-amount\"") && said.contains("minimum"), "{said}");
        assert!(
            said.contains("\"/max-amont\"") && said.contains("did you mean \"max-amount\""),
            "{said}"
        );
    }

    #[test]
    fn secrets_are_checked_and_never_shown() {
        let said = refused(r#"{"pin":"${env:PIN}"}"#, SCHEMA);
        assert!(said.contains("\"/pin\"") && !said.contains("4711"), "{said}");
        let said = refused(r#"{"pin":"${env:NONE}"}"#, SCHEMA);
        assert!(said.contains("${env:NONE}") && said.contains("not set"), "{said}");
        let filled = Checked(One).ready(r#"{"pin":"${env:PIN}"}"#, None).ok().unwrap();
        assert_eq!(filled.text, r#"{"pin":"4711-secret"}"#);
    }

    #[test]
    fn a_strangers_schema_cannot_keep_the_host_busy() {
        let mut doubling = serde_json::Map::new();
        for n in 0..40 {
            let next = format!("#/$defs/d{}", n + 1);
            doubling.insert(
                format!("d{n}"),
                serde_json::json!({"allOf": [{"$ref": next}, {"$ref": next}]}),
            );
        }
        doubling.insert("d40".into(), serde_json::json!({}));
        let doubling = serde_json::json!({"$defs": doubling, "$ref": "#/$defs/d0"}).to_string();
        for (schema, because) in [
            (r##"{"$ref":"#"}"##, "does not lead to a part"),
            (
                r##"{"$defs":{"a":{"items":{"$ref":"#/$defs/a"}}},"$ref":"#/$defs/a"}"##,
                "back to itself",
            ),
            (r#"{"$ref":"https://example.com/schema"}"#, "does not lead to a part"),
            (r##"{"$dynamicRef":"#node"}"##, "not supported"),
            (r#"{"type":"objekt"}"#, "cannot be used"),
            (&doubling, "more than"),
        ] {
            let said = refused("{}", schema);
            assert!(said.contains(because), "{schema}: {said}");
        }
        let shared =
            r##"{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/n"}}}"##;
        assert!(Checked(One).ready(r#"{"a":1,"b":2}"#, Some(shared)).is_ok());
        assert!(refused(r#"{"a":1,"b":"x"}"#, shared).contains("/b"));
    }

    #[test]
    fn a_secret_in_a_file_is_its_text_without_the_last_newline() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        std::fs::write(&path, "s3cret\n").unwrap();
        let reference = Reference::File(path.display().to_string());
        assert_eq!(Machine.reveal(&reference), Ok("s3cret".to_owned()));
        std::fs::remove_file(&path).unwrap();
        assert!(Machine.reveal(&reference).unwrap_err().contains("cannot be read"));
    }
}
