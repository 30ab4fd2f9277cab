//! The validator in JavaScript, `examples/validators/javascript`: npm's componentize-qjs makes it a component.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr};

use super::debian;
use super::encode::{self, Component};
use super::list::Guest;
use crate::{run, workspace};

pub const NAME: &str = "velocity-javascript";
pub const VERSION: &str = "1.0.0";
const FOLDER: &str = "examples/validators/javascript";
const DEBIAN: [&str; 2] = ["nodejs", "npm"];

/// Node with npm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tools {
    pub version: String,
}

/// What is there, else what Debian has, which only root can install. Without Node the example is left out, with a word.
pub fn tools() -> Option<Tools> {
    let found = installed().or_else(|| debian::add(&DEBIAN).and_then(|()| installed()));
    if found.is_none() {
        eprintln!("guests: no Node with npm, so {NAME} is not built: install Node 18 or later");
    }
    found
}

fn installed() -> Option<Tools> {
    run::output(Command::new("npm").arg("--version"))?;
    let version = run::output(Command::new("node").arg("--version"))?;
    Some(Tools { version })
}

/// As the index and the list of guests know it.
pub fn guest() -> Guest {
    Guest {
        name: NAME.to_owned(),
        package: String::new(),
        features: Vec::new(),
        fixture: true,
    }
}

/// Installs the pinned compiler once and compiles.
pub fn component() -> Result<Component> {
    let source = workspace::root().join(FOLDER);
    let dir = workspace::target().join("guests-javascript");
    install(&source, &dir)?;
    let out = dir.join("velocity.wasm");
    let mut compile = Command::new(dir.join("node_modules/.bin/componentize-qjs"));
    compile.arg("--wit").arg(workspace::root().join("wit"));
    compile.args(["--world", "validator", "--sync", "--stub-wasi"]);
    compile.arg("--js").arg(source.join("validator.js"));
    compile.arg("--output").arg(&out);
    run::loudly(&mut compile).wrap_err_with(|| format!("compiling {}", source.display()))?;
    let bytes = fs::read(&out)
        .into_diagnostic()
        .wrap_err_with(|| format!("reading {}", out.display()))?;
    encode::known(bytes).wrap_err_with(|| format!("looking at {}", out.display()))
}

/// The versions of the lock file, outside the tree. Not by `npm ci`: it refuses a lock file without the builds for
/// platforms that the package names and never published.
fn install(source: &Path, dir: &Path) -> Result<()> {
    let context = || format!("installing what {} needs", source.display());
    fs::create_dir_all(dir).into_diagnostic().wrap_err_with(context)?;
    let files = ["package.json", "package-lock.json"];
    let same = |file: &&str| fs::read(source.join(file)).ok() == fs::read(dir.join(file)).ok();
    if files.iter().all(same) && installed_in(dir).is_file() {
        return Ok(());
    }
    for file in files {
        fs::copy(source.join(file), dir.join(file))
            .into_diagnostic()
            .wrap_err_with(context)?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(dir)
        .args(["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]);
    run::loudly(&mut npm).wrap_err_with(context)
}

fn installed_in(dir: &Path) -> PathBuf {
    dir.join("node_modules/componentize-qjs/package.json")
}
