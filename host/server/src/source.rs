//! Manifests as files, and whether what they refer to is there.

use crate::configs::Machine;
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_core::manifest::secrets::Secrets;
use fermata_core::manifest::{Manifest, ManifestError, ManifestErrors, Source};
use std::io::Read;
use std::path::Path;

/// More is read of no manifest: what is longer is refused by its length.
const READ: u64 = 2 << 20;

/// The text of a file, whatever it holds.
pub fn open(file: &Path, environment: Option<&str>) -> Result<Source, Failure> {
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(file).and_then(|open| open.take(READ).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(Source::from_bytes(&name, bytes)?.in_environment(environment)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(Failure::new(
            codes::LOG_FAILED,
            Exit::NotFound,
            format!("{name} does not exist"),
        )),
        Err(e) => Err(Failure::failed(
            codes::MANIFEST_SYNTAX,
            format!("{name} cannot be read: {e}"),
        )),
    }
}

/// A manifest that can be run here, with the text that is kept of it.
pub fn runnable(source: &Source) -> Result<(Manifest, String), Failure> {
    let manifest = source.manifest()?;
    if let Some(missing) = ManifestErrors::of(secrets(source)) {
        return Err(missing.into());
    }
    Ok((manifest, source.merged()?))
}

/// Every reference of a manifest that leads nowhere from here.
pub fn secrets(source: &Source) -> Vec<ManifestError> {
    let missing = source.references().into_iter().filter_map(|(reference, span)| {
        let found = Machine.reveal(&reference).err()?;
        let help = "set it for this process, or write what it stands for into a file and use ${file:/absolute/path}";
        let message = format!("{reference} stands for nothing: {found}");
        Some(source.fault_at(codes::MANIFEST_SECRET, span, message, Some(help.to_owned())))
    });
    missing.collect()
}

/// The folder that a manifest's relative paths begin in.
pub fn base(file: &Path) -> &Path {
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}
