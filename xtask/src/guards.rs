//! `guards`: takes each guard of exactly-once out, in a copy of the tree, and wants the test named for it to go red.

mod copy;

use std::fs;
use std::process::{Command, Stdio};

use copy::Copy;
use miette::{IntoDiagnostic, Result, WrapErr, bail};
use serde::Deserialize;

use crate::{run, server, workspace};

/// Seeds that a test of the simulation may need: some guards are seldom missed.
const SEEDS: &str = "20000";
/// How the simulation's test says which seed found it.
const FOUND: &str = "first failing seed: ";

/// Take out each guard of exactly-once and see its test fail.
#[derive(clap::Args)]
pub struct Args {
    /// Only guards whose name contains this
    filter: Option<String>,
}

#[derive(Deserialize)]
struct Table {
    guard: Vec<Guard>,
}

#[derive(Deserialize)]
struct Guard {
    name: String,
    why: String,
    file: String,
    from: String,
    to: String,
    test: String,
    /// Where the test is, unless it is one of the workspace's.
    #[serde(default = "workspace_tests")]
    package: String,
    /// The package's test target; none: its unit tests.
    #[serde(default)]
    target: Option<String>,
}

fn workspace_tests() -> String {
    "fermata-tests".to_owned()
}

pub fn run(args: &Args) -> Result<()> {
    let root = workspace::root();
    let text = fs::read_to_string(root.join("tests/guards.toml"))
        .into_diagnostic()
        .wrap_err("tests/guards.toml")?;
    let table: Table = toml::from_str(&text).into_diagnostic().wrap_err("tests/guards.toml")?;
    let copy = Copy::make(&root, &workspace::target())?;
    let chosen = table
        .guard
        .iter()
        .filter(|g| args.filter.as_ref().is_none_or(|f| g.name.contains(f.as_str())));
    let mut tame = Vec::new();
    println!("{:<34} {:<34} WITHOUT IT", "GUARD", "TEST");
    for guard in chosen {
        let verdict = match without(guard, &copy)? {
            Verdict::Green => {
                tame.push(guard.name.as_str());
                "STILL GREEN".to_owned()
            }
            Verdict::Red { seed: None } => "red".to_owned(),
            Verdict::Red { seed: Some(seed) } => format!("red: seed {seed}"),
        };
        println!("{:<34} {:<34} {verdict:<16} ({})", guard.name, guard.test, guard.why);
    }
    if !tame.is_empty() {
        bail!("no test goes red without: {}", tame.join(", "));
    }
    Ok(())
}

/// What the test said of a tree without the guard.
enum Verdict {
    Green,
    /// `seed`: the first that found it, where seeds are tried.
    Red {
        seed: Option<u64>,
    },
}

fn without(guard: &Guard, copy: &Copy) -> Result<Verdict> {
    // Of the copy, not of the tree: that may be worked on meanwhile.
    let file = copy.tree.join(&guard.file);
    let whole = fs::read_to_string(&file)
        .into_diagnostic()
        .wrap_err_with(|| guard.file.clone())?;
    let found = whole.matches(&guard.from).count();
    if found != 1 {
        bail!(
            "guard {:?}: its text stands {found} times in {}: bring tests/guards.toml up to date",
            guard.name,
            guard.file
        );
    }
    fs::write(&file, whole.replace(&guard.from, &guard.to)).into_diagnostic()?;
    let verdict = judge(guard, copy);
    fs::write(&file, whole).into_diagnostic()?;
    verdict
}

fn judge(guard: &Guard, copy: &Copy) -> Result<Verdict> {
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(&copy.tree).env("CARGO_TARGET_DIR", &copy.target);
        cargo.args(["test", "--release"]);
        // A target of the whole workspace, whose features are those of every other build: with others, cargo would
        // build wasmtime again. Unit tests are built of their package alone, which the stages' packages are cheap at.
        match (guard.target.as_deref(), guard.package == workspace_tests()) {
            (Some(target), _) => cargo.args(["--workspace", "--test", target]),
            (None, true) => cargo.args(["--workspace", "--test", "main"]),
            (None, false) => cargo.args(["--package", &guard.package, "--lib"]),
        };
        server::with_bundles(&mut cargo);
        cargo
    };
    // A mutant that does not build proves nothing.
    run::loudly(cargo().arg("--no-run")).wrap_err_with(|| format!("building without {:?}", guard.name))?;
    let ended = cargo()
        .args(["--", "--exact", &guard.test, "--nocapture"])
        .env("FERMATA_SEEDS", SEEDS)
        .stderr(Stdio::null())
        .output()
        .into_diagnostic()?;
    if ended.status.success() {
        return Ok(Verdict::Green);
    }
    let said = String::from_utf8_lossy(&ended.stdout);
    let seed = said
        .lines()
        .find_map(|line| line.split_once(FOUND)?.1.trim().parse().ok());
    Ok(Verdict::Red { seed })
}
