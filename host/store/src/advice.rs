//! What a person can do about a database that does not take a write.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

/// Written to see what the disk says: about what a table begins with.
const LOOK: usize = 1 << 20;

/// The error, and what to do next; `dir` is the database's folder.
pub(crate) fn of(error: &fjall::Error, dir: &Path) -> String {
    let advice = match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => advice(io).map(str::to_owned),
        // Tables are written in the background; what failed there was logged, and is not in the error.
        fjall::Error::Poisoned => Some(in_the_background(write_and_sync(dir))),
        _ => None,
    };
    match advice {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

/// `now`: what the disk says to another write.
fn in_the_background(now: io::Result<()>) -> String {
    let before = "a write in the background had failed";
    match now {
        Ok(()) => format!("{before}, and another one now did not: look at the disk's health and at how full it is"),
        Err(error) => {
            let advice = advice(&error).unwrap_or("make room on the disk, look at its health");
            format!("{before}, and so did another one now ({error}): {advice}")
        }
    }
}

fn write_and_sync(dir: &Path) -> io::Result<()> {
    let path = dir.join(".fermata-look");
    let wrote = File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; LOOK])?;
        file.sync_all()
    });
    // It holds nothing: where it cannot be removed it is in nobody's way.
    let _ = fs::remove_file(&path);
    wrote
}

fn advice(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        ErrorKind::FileTooLarge => Some("the limit on the size of files is reached: raise it (ulimit -f)"),
        ErrorKind::StorageFull => Some("the disk is full: make room"),
        ErrorKind::QuotaExceeded => Some("the quota of this user is used up: raise it or make room"),
        ErrorKind::ReadOnlyFilesystem => Some("the disk is mounted for reading only, as after a fault of its own"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_says_what_to_do() {
        let said = |kind: ErrorKind| of(&fjall::Error::Io(kind.into()), Path::new("/"));
        assert!(said(ErrorKind::FileTooLarge).contains("ulimit -f"));
        assert!(said(ErrorKind::StorageFull).contains("make room"));
        assert!(!said(ErrorKind::Other).contains(';'));
    }

    #[test]
    fn a_failure_in_the_background_is_looked_into() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let sound = of(&fjall::Error::Poisoned, dir.path());
        assert!(
            sound.contains("in the background") && sound.contains("did not"),
            "{sound}"
        );
        let left = fs::read_dir(dir.path()).expect("the folder").count();
        assert_eq!(left, 0, "nothing is left of the look");
        let gone = of(&fjall::Error::Poisoned, &dir.path().join("gone"));
        assert!(gone.contains("so did another one now"), "{gone}");
        let full = in_the_background(Err(ErrorKind::StorageFull.into()));
        assert!(full.contains("the disk is full: make room"), "{full}");
    }
}
