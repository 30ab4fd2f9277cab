//! What a person can do about a database that does not take a write.

use std::io::ErrorKind;

/// The error, and what to do next.
pub(crate) fn of(error: &fjall::Error) -> String {
    match advice(error) {
        Some(advice) => format!("{error}; {advice}"),
        None => error.to_string(),
    }
}

fn advice(error: &fjall::Error) -> Option<&'static str> {
    let io = match error {
        fjall::Error::Io(io) | fjall::Error::Storage(fjall::LsmError::Io(io)) => io,
        // Tables are written in the background; what failed there was logged, and is not in the error.
        fjall::Error::Poisoned => {
            return Some("a write in the background had failed: make room on the disk, look at its health");
        }
        _ => return None,
    };
    match io.kind() {
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
        let said = |kind: ErrorKind| of(&fjall::Error::Io(kind.into()));
        assert!(said(ErrorKind::FileTooLarge).contains("ulimit -f"));
        assert!(said(ErrorKind::StorageFull).contains("make room"));
        assert!(of(&fjall::Error::Poisoned).contains("in the background"));
        assert!(!said(ErrorKind::Other).contains(';'));
    }
}
