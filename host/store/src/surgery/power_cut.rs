//! What a power cut leaves: everything that was synced and nothing that was not.

use crate::options::PersistHook;
use fermata_core::CommitId;
use parking_lot::Mutex;
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

/// A hook that notes after each sync how much of the journal the disk has, and can copy the folder as it would be
/// found after a power cut at that moment.
///
/// Tables need no such care: they are synced before their journals go, and hold nothing that the journal had not
/// synced before.
pub struct PowerCut {
    dir: PathBuf,
    /// Just before the sync that is under way, and at the last one that succeeded.
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    begun: Extent,
    synced: Extent,
    durable: CommitId,
}

/// A place in the journals: the number of the newest, and the bytes written to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Extent {
    journal: u64,
    bytes: u64,
}

impl PowerCut {
    /// For the store that will be opened in `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            dir: dir.into(),
            marks: Mutex::default(),
        }
    }

    /// Copies the folder without what was not synced; the commit up to which everything must be there.
    ///
    /// The store may be in use, but must not be writing tables: a copy is not one moment.
    pub fn copy(&self, to: &Path) -> io::Result<CommitId> {
        // Held: no sync ends while the folder is copied.
        let marks = self.marks.lock();
        copy_folder(&self.dir, to)?;
        for (journal, path) in journals(to)? {
            if journal > marks.synced.journal {
                fs::remove_file(path)?;
            } else if journal == marks.synced.journal {
                OpenOptions::new().write(true).open(path)?.set_len(marks.synced.bytes)?;
            }
        }
        Ok(marks.durable)
    }
}

impl PersistHook for PowerCut {
    fn before(&self, _up_to: CommitId) -> Result<(), String> {
        let extent = extent(&self.dir).map_err(|found| found.to_string())?;
        self.marks.lock().begun = extent;
        Ok(())
    }
    fn after(&self, up_to: CommitId) {
        let mut marks = self.marks.lock();
        marks.synced = marks.begun;
        marks.durable = up_to;
    }
}

/// Copies all files and folders under `from`; `to` must not exist or be empty.
pub fn copy_folder(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// The journals of a database, oldest first.
fn journals(dir: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str());
        if let Some(number) = name.and_then(|n| n.strip_suffix(".jnl")?.parse().ok()) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}

/// The end of what was written. A journal is allocated ahead: behind what was written it holds zeros, and what is
/// written last is never zero.
fn extent(dir: &Path) -> io::Result<Extent> {
    let Some((journal, path)) = journals(dir)?.pop() else {
        return Ok(Extent::default());
    };
    let mut file = File::open(path)?;
    let mut end = file.metadata()?.len();
    let mut block = vec![0; 1 << 20];
    while end > 0 {
        let begin = end.saturating_sub(block.len() as u64);
        let length = usize::try_from(end - begin).expect("at most one block");
        file.seek(SeekFrom::Start(begin))?;
        file.read_exact(&mut block[..length])?;
        if let Some(last) = block[..length].iter().rposition(|byte| *byte != 0) {
            let bytes = begin + last as u64 + 1;
            return Ok(Extent { journal, bytes });
        }
        end = begin;
    }
    Ok(Extent { journal, bytes: 0 })
}
