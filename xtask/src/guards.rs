//! `guards`: takes each guard of exactly-once out, in a copy of the tree, and wants the test named for it to go red.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Seeds that a test of the simulation may need: some guards are seldom missed.
const SEEDS: &str = "20000";
/// How the simulation's test says which seed found it.
const FOUND: &str = "first failing seed: ";

use miette::{IntoDiagnostic, Result, WrapErr, bail, miette};
use serde::Deserialize;

use crate::{run, server, workspace};

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
    let copy = workspace::target().join("guards/tree");
    copy_tree(&root, &copy)?;
    let chosen = table
        .guard
        .iter()
        .filter(|g| args.filter.as_ref().is_none_or(|f| g.name.contains(f.as_str())));
    let mut tame = Vec::new();
    println!("{:<34} {:<34} WITHOUT IT", "GUARD", "TEST");
    for guard in chosen {
        let verdict = match without(guard, &root, &copy)? {
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

/// The files that git knows of, with those not yet committed.
fn copy_tree(root: &Path, copy: &Path) -> Result<()> {
    let mut git = Command::new("git");
    git.current_dir(root)
        .args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = run::output(&mut git).ok_or_else(|| miette!("git does not list the files of {}", root.display()))?;
    for file in listed.lines() {
        let (from, to) = (root.join(file), copy.join(file));
        if !from.is_file() {
            continue;
        }
        let wanted = fs::read(&from).into_diagnostic()?;
        // A file that is the same keeps its time, so that cargo does not build it again.
        if fs::read(&to).is_ok_and(|found| found == wanted) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).into_diagnostic()?;
        }
        fs::write(&to, wanted).into_diagnostic()?;
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

fn without(guard: &Guard, root: &Path, copy: &Path) -> Result<Verdict> {
    let whole = fs::read_to_string(root.join(&guard.file))
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
    let file = copy.join(&guard.file);
    fs::write(&file, whole.replace(&guard.from, &guard.to)).into_diagnostic()?;
    let verdict = judge(guard, copy);
    fs::write(&file, whole).into_diagnostic()?;
    verdict
}

fn judge(guard: &Guard, copy: &Path) -> Result<Verdict> {
    let cargo = || {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo.current_dir(copy).env("CARGO_TARGET_DIR", workspace::target());
        cargo.args(["test", "--release", "--package", &guard.package]);
        match (guard.target.as_deref(), guard.package == workspace_tests()) {
            (Some(target), _) => cargo.args(["--test", target]),
            (None, true) => cargo.args(["--test", "main"]),
            (None, false) => cargo.arg("--lib"),
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
