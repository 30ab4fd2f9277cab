//! `verify`: from a running process or from a folder alone.

use crate::failure::{Exit, Failure};
use crate::host::{self, App, MANIFEST_COPY};
use fermata_core::manifest::{Manifest, parse};
use fermata_core::ports::LogError;
use fermata_core::{Shard, codes};
use fermata_runtime::verify::{self, Part, Report, VerifySpec, ViewSource, Whole};
use fermata_runtime::views::Views;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Views of a running pipeline as verification asks them.
struct Live<'a>(&'a Views);

impl ViewSource for Live<'_> {
    fn parts(&self, view: &str) -> Result<BTreeMap<Shard, Part>, String> {
        let parts = self.0.shard_answers(view, Value::Null).map_err(|e| e.to_string())?;
        Ok(parts.into_iter().map(|(shard, sequence, data)| (shard, Part { data, sequence })).collect())
    }
    fn whole(&self, view: &str) -> Result<Whole, String> {
        let answer = self.0.query(view, None, Value::Null).map_err(|e| e.to_string())?;
        Ok(Whole { data: answer.data, positions: answer.positions, partial: answer.partial })
    }
}

/// The books of a running pipeline.
pub fn live(app: &App, _replay: bool) -> Result<Value, LogError> {
    let report = verify::verify(&VerifySpec {
        manifest: &app.manifest,
        log: &*app.log,
        views: Some(&Live(&app.views)),
    })?;
    Ok(shape(&app.manifest, &report))
}

/// The books of a folder whose process has stopped.
pub fn offline(data_dir: &Path, file: Option<&Path>, _replay: bool) -> Result<Value, Failure> {
    let copy = data_dir.join(MANIFEST_COPY);
    let manifest = read_manifest(file.unwrap_or(&copy))?.0;
    if !data_dir.is_dir() {
        return Err(not_there(data_dir));
    }
    let log = host::open(data_dir, Default::default())?;
    let report = verify::verify(&VerifySpec { manifest: &manifest, log: &*log, views: None })?;
    Ok(shape(&manifest, &report))
}

fn not_there(path: &Path) -> Failure {
    Failure::new(codes::LOG_FAILED, Exit::NotFound, format!("{} does not exist", path.display()))
}

/// A manifest from its file, with its text.
pub fn read_manifest(file: &Path) -> Result<(Manifest, String), Failure> {
    let name = file.display().to_string();
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Err(not_there(file)),
        Err(e) => {
            return Err(Failure::failed(codes::MANIFEST_SYNTAX, format!("{name} cannot be read: {e}")));
        }
    };
    Ok((parse::parse(&name, &text)?, text))
}

fn shape(manifest: &Manifest, report: &Report) -> Value {
    let mut shape = serde_json::to_value(report).unwrap_or_default();
    shape["schema"] = json!("fermata.verify/1");
    shape["pipeline"] = json!(manifest.name);
    shape
}

/// `"ok"`, or the list of what fails.
pub fn verdict(report: &Value) -> Value {
    if report["ok"] == true {
        return "ok".into();
    }
    let problems = report["problems"].as_array().into_iter().flatten();
    problems
        .map(|p| format!("{}: {}", p["check"].as_str().unwrap_or("?"), p["what"].as_str().unwrap_or("?")))
        .collect()
}
