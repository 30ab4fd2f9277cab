//! The text of `fermata.toml` with the environment laid over it, as one table whose values know where they came from.
//!
//! The variables are written down as a second document whose places begin where the file's end: so one number says of
//! every value which of the two it came from.

use crate::failure::Failure;
use fermata_core::codes;
use fermata_core::manifest::problem::Problem;
use fermata_core::manifest::raw::Problems;
use fermata_core::manifest::{ManifestError, ManifestErrors, key_text, merge};
use std::ffi::OsString;
use std::sync::Arc;
use toml::Spanned;
use toml::de::DeTable;

/// Of the variables that override keys.
pub const PREFIX: &str = "FERMATA__";
/// Between the steps of a key.
const STEP: &str = "__";
/// The table whose keys are librdkafka's.
const KAFKA: &str = "kafka";

/// Those of all variables that override keys, by name.
pub fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> Result<Vec<(String, String)>, Failure> {
    let mut found = Vec::new();
    for (name, value) in all {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let value = value
            .into_string()
            .map_err(|_| Failure::failed(codes::MANIFEST_SYNTAX, format!("the variable {name} is not UTF-8")))?;
        found.push((name.to_owned(), value));
    }
    found.sort();
    Ok(found)
}

/// What `read` makes of the table, or everything that is wrong.
pub fn read<T>(
    file: &str,
    text: &str,
    variables: &[(String, String)],
    read: impl FnOnce(&Spanned<DeTable<'_>>, &Problems) -> Option<T>,
) -> Result<T, ManifestErrors> {
    let problems = Problems::of("fermata.toml");
    let (mut table, errors) = DeTable::parse_recoverable(text);
    let overrides = Overrides::of(text.len(), variables, table.get_ref());
    let (above, wrong) = DeTable::parse_recoverable(&overrides.text);
    let mut result = None;
    // A brace that is not closed is a mistake in every line behind it: the first one is certain.
    let first = errors
        .iter()
        .min_by_key(|e| e.span().map_or(0, |s| s.start))
        .or(wrong.first());
    match first {
        Some(error) => {
            let span = error.span().unwrap_or(0..0);
            problems.note(Problem::new(codes::MANIFEST_SYNTAX, span, error.message().trim()));
        }
        None => {
            merge(table.get_mut(), above.into_inner());
            result = read(&table, &problems);
        }
    }
    let source: Arc<str> = text.into();
    let found = problems.into_found().into_iter();
    let found = found.map(|problem| overrides.place(problem, file, &source)).collect();
    match (ManifestErrors::of(found), result) {
        (None, Some(result)) => Ok(result),
        (Some(errors), _) => Err(errors),
        (None, None) => {
            let problem = Problem::new(codes::MANIFEST_SYNTAX, 0..0, "it cannot be read, and nothing says why");
            Err(problem.at(file, &source).into())
        }
    }
}

/// The variables as TOML.
struct Overrides {
    text: String,
    /// Where the file ends and the variables begin.
    begin: usize,
    /// Where each one's line ends, and its name.
    lines: Vec<(usize, String)>,
}

impl Overrides {
    fn of(begin: usize, variables: &[(String, String)], file: &DeTable<'_>) -> Self {
        let mut text = " ".repeat(begin);
        let mut lines = Vec::new();
        for (name, value) in variables {
            let key = key(name, file);
            let value = toml::Value::from(value.as_str());
            text.push_str(&format!("{key} = {value}\n"));
            lines.push((text.len(), name.clone()));
        }
        Self { text, begin, lines }
    }

    /// In the file, or in a variable: of that only the name is shown, since its value may be a secret.
    fn place(&self, problem: Problem, file: &str, source: &Arc<str>) -> ManifestError {
        if problem.span.start < self.begin || self.lines.is_empty() {
            return problem.at(file, source);
        }
        let line = self.lines.iter().find(|(end, _)| problem.span.start < *end);
        let name = line.or(self.lines.last()).map_or("", |(_, name)| name);
        let problem = Problem {
            span: 0..name.len(),
            ..problem
        };
        problem.at("environment", &Arc::from(name))
    }
}

/// `FERMATA__NODE__DATA_DIR` is `node.data-dir`; `FERMATA__KAFKA__SASL_PASSWORD` is `kafka."sasl.password"`.
fn key(variable: &str, file: &DeTable<'_>) -> String {
    let rest = variable.strip_prefix(PREFIX).unwrap_or_default();
    let mut steps = rest.split(STEP).map(|step| step.to_ascii_lowercase());
    let first = steps.next().unwrap_or_default().replace('_', "-");
    let kafka = first == KAFKA;
    let mut key = key_text(&first);
    for step in steps {
        key.push('.');
        let step = if kafka {
            setting(&step, file)
        } else {
            step.replace('_', "-")
        };
        key.push_str(&key_text(&step));
    }
    key
}

/// librdkafka's names have dots; one that the file spells with something else is meant as the file spells it.
fn setting(step: &str, file: &DeTable<'_>) -> String {
    let same = |name: &str| name.replace(['.', '-'], "_") == step;
    let kafka = file.get(KAFKA).and_then(|value| value.get_ref().as_table());
    let written = kafka
        .into_iter()
        .flat_map(DeTable::keys)
        .map(|key| key.get_ref().to_string());
    written
        .into_iter()
        .find(|name| same(name))
        .unwrap_or_else(|| step.replace('_', "."))
}
