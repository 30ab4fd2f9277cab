//! `config show` and `config schema`.

use super::args::ConfigVerb;
use super::talk::Talk;
use crate::failure::{Exit, Failure};
use crate::source;
use fermata_core::manifest::{self, Origin, Shown, Source, Step, key_text};
use serde_json::{Value, json};
use std::fmt::Write;

pub fn run(talk: &Talk, verb: &ConfigVerb) -> Result<Exit, Failure> {
    match verb {
        ConfigVerb::Schema => talk.print(format!("{:#}", manifest::schema())),
        ConfigVerb::Show(args) => {
            let source = source::open(&args.file, args.env.name())?;
            let values = source.effective()?;
            if talk.json() {
                talk.print_json(&shape(&source, &values));
            } else {
                talk.print(text(&source, &values).trim_end());
            }
        }
    }
    Ok(Exit::Ok)
}

fn shape(source: &Source, values: &[Shown]) -> Value {
    let values = values.iter().map(|shown| {
        let origin = match &shown.origin {
            Origin::Written { line } => json!({ "from": "file", "line": line }),
            Origin::Environment { name, line } => json!({ "from": "environment", "environment": name, "line": line }),
            Origin::Default => json!({ "from": "default" }),
        };
        json!({ "path": shown.name(), "value": shown.value, "origin": origin, "secret": shown.secret })
    });
    json!({
        "schema": "fermata.config/1",
        "file": source.file(),
        "environment": source.environment(),
        "values": values.collect::<Vec<_>>(),
    })
}

/// A manifest again, with each value's origin behind it.
fn text(source: &Source, values: &[Shown]) -> String {
    let mut text = format!("# {}", source.file());
    if let Some(environment) = source.environment() {
        text.push_str(&format!(" in environment {environment}"));
    }
    text.push_str(": every value that holds, and where it comes from\n");
    // What stands under no header comes first.
    let mut sections: Vec<(Vec<Step>, Vec<&Shown>)> = vec![(Vec::new(), Vec::new())];
    let schema = manifest::schema();
    for shown in values {
        let section = &shown.path[..section(&schema, &shown.path)];
        match sections.iter_mut().find(|(path, _)| path == section) {
            Some((_, all)) => all.push(shown),
            None => sections.push((section.to_vec(), vec![shown])),
        }
    }
    for (section, all) in sections {
        if !section.is_empty() {
            let _ = writeln!(text, "\n{}", header(&section));
        }
        for shown in all {
            let key = dotted(&shown.path[section.len()..]);
            let secret = if shown.secret { ", secret" } else { "" };
            let _ = writeln!(text, "{key} = {}  # {}{secret}", value(&shown.value), shown.origin);
        }
    }
    text
}

/// How many steps of a path stand in a header: up to an item of a list, or to the name in a table of named things.
fn section(schema: &Value, path: &[Step]) -> usize {
    if let Some(item) = path.iter().rposition(|step| matches!(step, Step::Index(_))) {
        return item + 1;
    }
    match path {
        [Step::Key(first), _, _, ..] if schema["properties"][first]["patternProperties"].is_object() => 2,
        _ => 0,
    }
}

fn header(section: &[Step]) -> String {
    let name = dotted(section);
    match section.last() {
        Some(Step::Index(_)) => format!("[[{name}]]"),
        _ => format!("[{name}]"),
    }
}

fn dotted(path: &[Step]) -> String {
    let keys = path.iter().filter_map(|step| match step {
        Step::Key(key) => Some(key_text(key)),
        Step::Index(_) => None,
    });
    keys.collect::<Vec<_>>().join(".")
}

fn value(value: &Value) -> String {
    // What came out of TOML goes into it again.
    toml::Value::try_from(value).map_or_else(|_| value.to_string(), |v| v.to_string())
}
