//! A copy of the tree to take guards out of, with a target directory of its own: cargo knows a package by its place in
//! the workspace, so that in a shared one the tree would later be handed what was built without a guard.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use miette::{IntoDiagnostic, Result, WrapErr, miette};

use crate::run;

pub struct Copy {
    pub tree: PathBuf,
    /// Cargo's target directory for `tree`.
    pub target: PathBuf,
}

/// What cargo keeps of a build, below `release`.
const BUILT: [&str; 3] = ["deps", "build", ".fingerprint"];

impl Copy {
    /// Brings the copy up to date. The first time, what is built in `target` is taken over, so that of the
    /// dependencies nothing is built again.
    pub fn make(root: &Path, target: &Path) -> Result<Self> {
        let home = target.join("guards");
        let copy = Self {
            tree: home.join("tree"),
            target: home.join("target"),
        };
        if !copy.target.is_dir() {
            // Files that are older than what was built of them are not built again; those of an older copy are younger.
            remove(&copy.tree)?;
            // Under another name until it is whole: half of it would be taken for all of it.
            let part = home.join("target.part");
            remove(&part)?;
            for folder in BUILT {
                let from = target.join("release").join(folder);
                if from.is_dir() {
                    take_over(&from, &part.join("release").join(folder))?;
                }
            }
            fs::create_dir_all(&part).into_diagnostic()?;
            fs::rename(&part, &copy.target).into_diagnostic()?;
        }
        copy_tree(root, &copy.tree)?;
        Ok(copy)
    }
}

fn remove(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let doing = || format!("removing {}", folder.display());
    fs::remove_dir_all(folder).into_diagnostic().wrap_err_with(doing)
}

/// Everything below `from`, but for programs among the libraries: they are linked anew anyway.
fn take_over(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).into_diagnostic()?;
    for entry in fs::read_dir(from).into_diagnostic()? {
        let entry = entry.into_diagnostic()?.path();
        let Some(name) = entry.file_name() else { continue };
        let to = to.join(name);
        if entry.is_dir() {
            take_over(&entry, &to)?;
        } else if from.ends_with("deps") && entry.extension().is_none() {
            continue;
        } else if !(is_library(&entry) && fs::hard_link(&entry, &to).is_ok()) {
            copy_file(&entry, &to)?;
        }
    }
    Ok(())
}

/// rustc puts a new library in the place of the old one and never writes into it: both may be one file.
fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "rlib" || e == "rmeta")
}

/// With its time, by which cargo tells what must be built.
fn copy_file(from: &Path, to: &Path) -> Result<()> {
    let copied = || {
        fs::copy(from, to)?;
        let time = fs::metadata(from)?.modified()?;
        File::open(to)?.set_modified(time)
    };
    copied()
        .into_diagnostic()
        .wrap_err_with(|| format!("copying {} to {}", from.display(), to.display()))
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
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).into_diagnostic()?;
        }
        if !to.exists() {
            copy_file(&from, &to)?;
            continue;
        }
        let wanted = fs::read(&from).into_diagnostic()?;
        // A file that is the same keeps its time, so that cargo does not build it again; any other is as of now.
        if fs::read(&to).into_diagnostic()? != wanted {
            fs::write(&to, wanted).into_diagnostic()?;
        }
    }
    Ok(())
}
