//! `validate`: everything that is wrong with a manifest and what it names, at once and without running it.

use super::args::ManifestArgs;
use super::talk::Talk;
use crate::failure::{Exit, Failure};
use crate::fitting::{self, Fitting};
use crate::source;
use fermata_core::manifest::{Manifest, ManifestError, ManifestErrors, Source};
use serde_json::{Value, json};

pub fn run(talk: &Talk, args: &ManifestArgs) -> Result<Exit, Failure> {
    let source = match source::open(&args.file, args.env.name()) {
        Err(Failure::Manifest(errors)) if talk.json() => {
            talk.print_json(&shape(&args.file.display().to_string(), errors.all(), &[]));
            return Ok(Exit::Refused);
        }
        opened => opened?,
    };
    let (manifest, mut problems) = read(&source);
    let mut notes = Vec::new();
    if let Some(manifest) = &manifest {
        problems.extend(source::secrets(&source));
        let fitting = fitting::check(&source, manifest, source::base(&args.file))?;
        let Fitting {
            problems: misfits,
            notes: told,
        } = fitting;
        problems.extend(misfits);
        notes = told;
    }
    let errors = ManifestErrors::of(problems);
    if talk.json() {
        let all = errors.as_ref().map(ManifestErrors::all).unwrap_or_default();
        talk.print_json(&shape(source.file(), all, &notes));
        return Ok(if errors.is_none() { Exit::Ok } else { Exit::Refused });
    }
    for note in &notes {
        talk.say(format!("note: {note}"));
    }
    match (errors, manifest) {
        (Some(errors), _) => Err(errors.into()),
        (None, Some(manifest)) => {
            talk.print(summary(&source, &manifest));
            Ok(Exit::Ok)
        }
        (None, None) => Err(Failure::usage("the manifest was neither read nor refused")),
    }
}

/// The manifest as it would run, and all that is wrong in it; where no environment is chosen, in any of them too.
fn read(source: &Source) -> (Option<Manifest>, Vec<ManifestError>) {
    let mut problems = Vec::new();
    let manifest = source.manifest().map_err(|e| problems.extend(e.into_all())).ok();
    if source.environment().is_none() {
        for name in source.environments() {
            let within = source.clone().in_environment(Some(&name));
            problems.extend(within.manifest().err().into_iter().flat_map(ManifestErrors::into_all));
        }
    }
    (manifest, problems)
}

fn summary(source: &Source, manifest: &Manifest) -> String {
    let environments = match (source.environment(), &source.environments()[..]) {
        (Some(name), _) => format!(" · environment {name}"),
        (None, []) => String::new(),
        (None, names) => format!(" · environments {}", names.join(", ")),
    };
    format!(
        "✓ {}: pipeline {} · {} stages · {} topics · {} partitions{environments}",
        source.file(),
        manifest.name,
        manifest.stages.len(),
        manifest.topics.len(),
        manifest.partitions,
    )
}

fn shape(file: &str, problems: &[ManifestError], notes: &[String]) -> Value {
    let all = problems.iter().map(|p| {
        json!({
            "code": p.code, "message": p.message, "help": p.help,
            "file": p.file, "line": p.line, "column": p.column,
        })
    });
    json!({
        "schema": "fermata.validate/1",
        "file": file,
        "ok": problems.is_empty(),
        "problems": all.collect::<Vec<_>>(),
        "notes": notes,
    })
}
