//! Whether state can be kept here.

use super::Report;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compiled components and a small state.
const LEAST: u64 = 1 << 30;
/// Room to compact in.
const COMFORTABLE: u64 = 5 << 30;

pub fn look(report: &mut Report<'_>, folder: &Path) {
    let shown = folder.display();
    match writable(folder) {
        Ok(()) => report.ok("data folder", format!("{shown} can be written to")),
        Err(error) => report.bad(
            "data folder",
            format!("{shown} cannot be written to: {error}"),
            "give this user the right to it, or set node.data-dir",
        ),
    }
    let there = existing(folder);
    let free = rustix::fs::statvfs(&there).map(|s| s.f_bavail.saturating_mul(s.f_frsize));
    let remedy = "make room, or set node.data-dir to a larger disk: state that cannot be written stops the process";
    match free {
        Err(error) => report.warning(
            "disk",
            format!("{}: {error}", there.display()),
            "see that the disk is mounted",
        ),
        Ok(free) if free < LEAST => report.bad("disk", format!("{} free", gib(free)), remedy),
        Ok(free) if free < COMFORTABLE => report.warning("disk", format!("{} free", gib(free)), remedy),
        Ok(free) => report.ok("disk", format!("{} free", gib(free))),
    }
}

fn gib(bytes: u64) -> String {
    format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30))
}

/// A file is written, synced and removed; a folder that is not there yet is made, and removed again.
fn writable(folder: &Path) -> std::io::Result<()> {
    let was_there = folder.is_dir();
    let made = existing(folder);
    fs::create_dir_all(folder)?;
    let tried = (|| {
        let path = folder.join(format!(".doctor-{}", std::process::id()));
        let mut file = File::create(&path)?;
        let written = file.write_all(b"fermata").and_then(|()| file.sync_all());
        fs::remove_file(&path)?;
        written
    })();
    if !was_there {
        // Only what is empty goes, from the inside out.
        let mut path: PathBuf = folder.to_path_buf();
        while path != made && fs::remove_dir(&path).is_ok() && path.pop() {}
    }
    tried
}

/// The nearest folder above that is there.
fn existing(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|p| p.is_dir());
    there.unwrap_or(Path::new(".")).to_path_buf()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_was_not_there_is_not_there_afterwards() {
        let around = tempfile::tempdir().expect("a temporary folder can be made");
        let folder = around.path().join("a/b/c");
        writable(&folder).expect("it can be made");
        assert!(!around.path().join("a").exists());
        fs::create_dir_all(&folder).expect("it can be made");
        writable(&folder).expect("it can be written to");
        assert!(folder.read_dir().expect("it is there").next().is_none());
    }

    #[test]
    fn a_file_in_the_way_is_told() {
        let around = tempfile::tempdir().expect("a temporary folder can be made");
        let file = around.path().join("file");
        fs::write(&file, "").expect("it can be written");
        writable(&file.join("below")).expect_err("a file is no folder");
    }
}
