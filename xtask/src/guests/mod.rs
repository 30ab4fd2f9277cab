//! `guests`: every stage, generator and validator as a component in `target/guests`.

mod compile;
pub mod debian;
mod encode;
mod fingerprint;
mod index;
mod javascript;
mod list;
mod rustup;
mod toolchain;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Instant;

use miette::{IntoDiagnostic, Result, WrapErr, bail};

use crate::workspace;
use index::{Entry, Index};
use list::Guest;
use toolchain::Toolchain;

/// Build every guest as a component into target/guests
#[derive(clap::Args)]
pub struct Args {
    /// Build although nothing changed
    #[arg(long)]
    force: bool,
    /// Only these, whether they changed or not
    names: Vec<String>,
    /// The crate in this folder instead, which may lie outside the workspace
    #[arg(long = "crate", value_name = "DIR", requires = "out", conflicts_with_all = ["force", "names"])]
    folder: Option<PathBuf>,
    /// Where the component of `--crate` goes
    #[arg(long, value_name = "FILE", requires = "folder")]
    out: Option<PathBuf>,
}

pub fn run(args: &Args) -> Result<()> {
    if let (Some(folder), Some(out)) = (&args.folder, &args.out) {
        return outside(folder, out);
    }
    if args.force {
        fingerprint::forget(&workspace::guests())?;
    }
    if args.names.is_empty() {
        build()
    } else {
        build_some(&args.names)
    }
}

/// Builds all guests if anything changed; cheap when nothing did.
pub fn build() -> Result<()> {
    let started = Instant::now();
    let dir = folder()?;
    let _alone = lock(&dir)?;
    let guests = list::all()?;
    let toolchain = toolchain::find()?;
    let javascript = javascript::tools();
    let fingerprint = fingerprint::of(&guests, &toolchain, javascript.as_ref())?;
    if fingerprint::matches(&dir, &fingerprint) && index::complete(&dir) {
        eprintln!("guests: nothing changed");
        return Ok(());
    }
    fingerprint::forget(&dir)?;
    let mut built = make(&dir, &toolchain, &guests)?;
    if javascript.is_some() {
        built.fixtures.push(make_javascript(&dir)?);
    }
    for (dir, entries) in built.by_folder(&dir) {
        Index::new(entries).write(&dir)?;
    }
    fingerprint::remember(&dir, &fingerprint)?;
    eprintln!(
        "guests: built in {:.1} s with {}",
        started.elapsed().as_secs_f64(),
        toolchain.name
    );
    Ok(())
}

/// Builds the guests of these names, beside what the folder holds already.
fn build_some(names: &[String]) -> Result<()> {
    let dir = folder()?;
    let _alone = lock(&dir)?;
    let mut guests = list::all()?;
    let known = || guests.iter().map(|guest| guest.name.as_str()).chain([javascript::NAME]);
    if let Some(unknown) = names.iter().find(|name| known().all(|guest| guest != **name)) {
        let known: Vec<&str> = known().collect();
        bail!("no guest is named {unknown}; there are {}", known.join(", "));
    }
    guests.retain(|guest| names.contains(&guest.name));
    // The rest may be old: the next full build has to look.
    fingerprint::forget(&dir)?;
    let mut built = make(&dir, &toolchain::find()?, &guests)?;
    if names.iter().any(|name| name == javascript::NAME) && javascript::tools().is_some() {
        built.fixtures.push(make_javascript(&dir)?);
    }
    for (dir, entries) in built.by_folder(&dir) {
        Index::read(&dir).unwrap_or_default().with(entries).write(&dir)?;
    }
    Ok(())
}

/// A crate that the workspace does not know, built as its own guests are.
fn outside(folder: &Path, out: &Path) -> Result<()> {
    let _alone = lock(&self::folder()?)?;
    let module = compile::outside(&toolchain::find()?, folder)?;
    let component = encode::component(&module)?;
    fs::write(out, &component.bytes)
        .into_diagnostic()
        .wrap_err_with(|| format!("writing {}", out.display()))?;
    eprintln!(
        "guests: {}, {} KiB",
        out.display(),
        component.bytes.len().div_ceil(1024)
    );
    Ok(())
}

/// Entries of product guests and of fixtures.
#[derive(Default)]
struct Built {
    product: Vec<Entry>,
    fixtures: Vec<Entry>,
}

impl Built {
    fn by_folder(self, dir: &Path) -> [(PathBuf, Vec<Entry>); 2] {
        [
            (dir.to_path_buf(), self.product),
            (dir.join(list::FIXTURES), self.fixtures),
        ]
    }
}

/// Compiles and encodes. Version by version, since cargo leaves both versions of a crate in one file.
fn make(dir: &Path, toolchain: &Toolchain, guests: &[Guest]) -> Result<Built> {
    let mut built = Built::default();
    for version in &list::VERSIONS {
        // Fixtures apart: those that link a stage as a library would take its exports from it, were it built with them.
        for (fixture, entries) in [(false, &mut built.product), (true, &mut built.fixtures)] {
            let due = guests
                .iter()
                .filter(|guest| guest.fixture == fixture && guest.has(version));
            let due: Vec<&Guest> = due.collect();
            compile::compile(toolchain, &due, version)?;
            for guest in due {
                let component = encode::component(&compile::artefact(guest))?;
                entries.push(Entry::write(dir, guest, version.number, &component)?);
            }
        }
    }
    Ok(built)
}

fn make_javascript(dir: &Path) -> Result<Entry> {
    Entry::write(
        dir,
        &javascript::guest(),
        javascript::VERSION,
        &javascript::component()?,
    )
}

fn folder() -> Result<PathBuf> {
    let dir = workspace::guests();
    fs::create_dir_all(dir.join(list::FIXTURES))
        .into_diagnostic()
        .wrap_err("making the folder of the guests")?;
    Ok(dir)
}

/// Two builds at once would write the same files.
fn lock(dir: &Path) -> Result<File> {
    let file = File::create(dir.join(".lock"))
        .into_diagnostic()
        .wrap_err("making the lock of the guests")?;
    file.lock()
        .into_diagnostic()
        .wrap_err("waiting for the lock of the guests")?;
    Ok(file)
}
