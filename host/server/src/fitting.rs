//! Do the components that a manifest names fit their places? Asked before anything runs, with the place in the file.

use crate::executor;
use crate::failure::{Failure, prepare_code};
use crate::host::artifacts;
use fermata_core::codes;
use fermata_core::description::Description;
use fermata_core::manifest::parse::nearest;
use fermata_core::manifest::{Generator, Manifest, ManifestError, Source, Stage};
use fermata_core::ports::{Artifact, ArtifactError, Executor, PrepareError};
use fermata_runtime::control::{Place, Unanswered, config_json, misfits, unanswered};
use std::path::Path;

/// Seed of a generator that is only asked for its ports.
const SEED: u64 = 1;

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Fitting {
    pub problems: Vec<ManifestError>,
    pub notes: Vec<String>,
}

/// Makes every component ready once, as `run` would, and holds what it says of itself against the manifest.
pub fn check(source: &Source, manifest: &Manifest, base: &Path) -> Result<Fitting, Failure> {
    let executor = executor::wasm()?;
    let mut looking = Looking {
        source,
        base,
        executor: &executor,
        found: Fitting::default(),
    };
    let known: Vec<Option<Description>> = manifest.stages.iter().map(|stage| looking.stage(stage)).collect();
    for generator in &manifest.generators {
        looking.generator(generator);
    }
    // A view that nobody has may belong to a component that could not be looked at.
    if let Some(known) = known.into_iter().collect::<Option<Vec<_>>>() {
        looking.views(manifest, &known);
    }
    Ok(looking.found)
}

struct Looking<'a> {
    source: &'a Source,
    base: &'a Path,
    executor: &'a dyn Executor,
    found: Fitting,
}

impl Looking<'_> {
    fn problem(&mut self, code: &'static str, path: &[&str], message: String, help: Option<String>) {
        let problem = self.source.fault(code, path, message, help);
        self.found.problems.push(problem);
    }

    fn stage(&mut self, stage: &Stage) -> Option<Description> {
        let at = ["stage", stage.name.as_str()];
        let artifact = self.artifact(&stage.component, at)?;
        let prepared = self.executor.prepare(&artifact, &config_json(stage), &stage.limits);
        let version = prepared.map_err(|error| self.refused(error, at)).ok()?;
        let description = version.description().clone();
        for misfit in misfits(stage, &description) {
            let path = match &misfit.place {
                Place::Input(port) => vec!["stage", at[1], "in", port.as_str()],
                Place::Output(port) => vec!["stage", at[1], "out", port.as_str()],
            };
            self.problem(codes::MANIFEST_PORT, &path, misfit.because, None);
        }
        Some(description)
    }

    fn generator(&mut self, generator: &Generator) {
        let at = ["generator", generator.name.as_str()];
        let Some(artifact) = self.artifact(&generator.component, at) else {
            return;
        };
        let instance = match self.executor.generator(&artifact, &generator.config.to_string(), SEED) {
            Ok(instance) => instance,
            Err(error) => return self.refused(error, at),
        };
        let ports = &instance.plan().outputs;
        for port in ports.iter().filter(|p| !generator.outputs.contains_key(*p)) {
            let message = format!(
                "generator {} writes to port {port:?}, which has no topic",
                generator.name
            );
            let near = nearest(port, generator.outputs.keys().map(String::as_str));
            let help = near.map(|name| format!("did you mean {name:?}?"));
            self.problem(codes::MANIFEST_PORT, &["generator", at[1], "out"], message, help);
        }
        for port in generator.outputs.keys().filter(|p| !ports.contains(p)) {
            let message = format!("generator {} has no port {port:?}", generator.name);
            let help = match nearest(port, ports.iter().map(String::as_str)) {
                Some(name) => format!("did you mean {name:?}?"),
                None => format!("it writes to: {}", ports.join(", ")),
            };
            self.problem(
                codes::MANIFEST_PORT,
                &["generator", at[1], "out", port],
                message,
                Some(help),
            );
        }
    }

    fn artifact(&mut self, reference: &str, at: [&str; 2]) -> Option<Artifact> {
        if reference.starts_with("sha256:") {
            let note = format!(
                "{}.{}: {reference} is known to a server only, and was not looked at",
                at[0], at[1]
            );
            self.found.notes.push(note);
            return None;
        }
        let bytes = match reference.strip_prefix("builtin:") {
            Some(name) => artifacts::builtin(name),
            None => artifacts::file(&self.base.join(reference)),
        };
        match bytes {
            Ok(bytes) => Some(Artifact::new(bytes)),
            Err(ArtifactError::NotFound { found, .. }) if found.contains(codes::COMPONENT_NO_BUNDLES) => {
                self.found
                    .notes
                    .push(format!("{}.{}: {found}; it was not looked at", at[0], at[1]));
                None
            }
            Err(error) => {
                let path = [at[0], at[1], "component"];
                self.problem(codes::COMPONENT_MISSING, &path, error.to_string(), None);
                None
            }
        }
    }

    fn refused(&mut self, error: PrepareError, at: [&str; 2]) {
        let code = prepare_code(&error);
        match &error {
            // Told with its place already, by whoever looked for the secrets.
            PrepareError::Secret(_) => {}
            PrepareError::Config(faults) => {
                for fault in faults {
                    let steps: Vec<String> = fault
                        .pointer
                        .split('/')
                        .skip(1)
                        .map(|step| step.replace("~1", "/").replace("~0", "~"))
                        .collect();
                    let mut path = vec![at[0], at[1], "config"];
                    path.extend(steps.iter().map(String::as_str));
                    let message = format!("{}.{}.config: {:?} {}", at[0], at[1], fault.pointer, fault.found);
                    self.problem(code, &path, message, None);
                }
            }
            PrepareError::Init(_) => {
                let message = format!("{}.{}: {error}", at[0], at[1]);
                self.problem(code, &[at[0], at[1], "config"], message, None);
            }
            _ => {
                let message = format!("{}.{}: {error}", at[0], at[1]);
                self.problem(code, &[at[0], at[1], "component"], message, None);
            }
        }
    }

    fn views(&mut self, manifest: &Manifest, known: &[Description]) {
        for Unanswered { path, view, help } in unanswered(manifest, known) {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let message = format!("no stage answers a view {view:?}");
            self.problem(codes::MANIFEST_REFERENCE, &path, message, Some(help));
        }
    }
}
