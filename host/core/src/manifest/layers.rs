//! Environments: `env.prod = { ... }` lies over the rest of the manifest. Tables are merged, everything else replaced.

use super::problem::Problem;
use super::raw::Problems;
use crate::codes;
use std::borrow::Cow;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The key under which environments stand.
pub(super) const KEY: &str = "env";
/// What no environment may say otherwise.
const FIXED: [&str; 3] = ["manifest", "name", KEY];

/// Takes the environments out of `top` and lays the chosen one over the rest. Places stay what they were.
pub(super) fn apply(top: &mut DeTable<'_>, chosen: Option<&str>, problems: &Problems) {
    let Some(all) = top.remove(KEY) else {
        if let Some(name) = chosen {
            problems.note(unknown(name, 0..0, &[]).help("the manifest has no environments: env.<name> = { ... }"));
        }
        return;
    };
    let span = all.span();
    let DeValue::Table(all) = all.into_inner() else {
        let message = "\"env\" must be a table of environments, each a table";
        problems.note(Problem::new(codes::MANIFEST_SYNTAX, span, message));
        return;
    };
    let names: Vec<String> = all.keys().map(|name| name.get_ref().to_string()).collect();
    for (name, overlay) in all {
        if !named(name.get_ref()) {
            let message = format!(
                "{:?} is not the name of an environment ([a-z][a-z0-9-]*)",
                name.get_ref()
            );
            problems.note(Problem::new(codes::MANIFEST_VALUE, name.span(), message));
        }
        let span = overlay.span();
        let DeValue::Table(mut overlay) = overlay.into_inner() else {
            let message = format!("\"env.{}\" must be a table", name.get_ref());
            problems.note(Problem::new(codes::MANIFEST_SYNTAX, span, message));
            continue;
        };
        for fixed in FIXED {
            if let Some((key, _)) = overlay.remove_entry(fixed) {
                let message = format!("an environment cannot change {fixed:?}");
                problems.note(Problem::new(codes::MANIFEST_VALUE, key.span(), message));
            }
        }
        if chosen == Some(name.get_ref().as_ref()) {
            merge(top, overlay);
        }
    }
    if let Some(chosen) = chosen.filter(|c| !names.iter().any(|n| n == c)) {
        problems.note(unknown(chosen, span, &names));
    }
}

fn unknown(name: &str, span: std::ops::Range<usize>, names: &[String]) -> Problem {
    let problem = Problem::new(
        codes::MANIFEST_REFERENCE,
        span,
        format!("there is no environment {name:?}"),
    );
    problem.nearest(name, names.iter().map(String::as_str))
}

fn named(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Lays a table over another: tables are merged, everything else replaced.
pub fn merge<'a>(base: &mut DeTable<'a>, overlay: DeTable<'a>) {
    for (key, value) in overlay {
        merge_entry(base, key, value);
    }
}

fn merge_entry<'a>(base: &mut DeTable<'a>, key: Spanned<Cow<'a, str>>, value: Spanned<DeValue<'a>>) {
    let span = value.span();
    match (
        base.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut),
        value.into_inner(),
    ) {
        (Some(DeValue::Table(below)), DeValue::Table(above)) => merge(below, above),
        (_, value) => {
            // The key's place is that of the value that holds now.
            base.remove(key.get_ref().as_ref());
            base.insert(key, Spanned::new(span, value));
        }
    }
}
