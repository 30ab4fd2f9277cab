//! Opening the folder, and what it remembers of whose state it holds.
//!
//! | in the folder | what |
//! |---|---|
//! | `state` | the database |
//! | `wiped` | what is left of one that is being removed |

use super::{
    Local, LocalOptions, Shared,
    book::{self, About, Book},
    holder::Holder,
    seat::Seat,
};
use crate::{advice, open, options::Options, stores::Stores};
use fermata_core::{
    Shard, codes, names,
    ports::{Log, LogError},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

/// The database, in the folder that was given.
pub const DATABASE: &str = "state";
const WIPED: &str = "wiped";
/// What a folder has that is a database itself.
const FOREIGN: &str = "keyspaces";
/// Books are few and written often.
const BOOKS_MEMTABLE: u64 = 4 * 1024 * 1024;

impl Local {
    /// Opens the folder, making it if need be. State of another cluster, or too old to be caught up, is wiped.
    pub fn open(folder: &Path, options: LocalOptions, log: Arc<dyn Log>) -> Result<Arc<Self>, LogError> {
        let database = find(folder, &options)?;
        let tend_every = options.tend_every;
        let shared = Shared::found(folder, options, log, database)?;
        // What was found stays, whatever happens next.
        shared.sync()?;
        let shared = Arc::new(shared);
        let own = Holder::new(Arc::clone(&shared));
        let mut local = Self {
            shared,
            own,
            tending: None,
        };
        if let Some(every) = tend_every {
            let shared = Arc::clone(&local.shared);
            let thread = std::thread::Builder::new().name("fermata-state".into());
            let thread = thread.spawn(move || shared.keep_tending(every));
            let thread = thread.map_err(|found| local.shared.failed("starting a thread", &found))?;
            local.tending = Some(thread);
        }
        Ok(Arc::new(local))
    }
}

/// An open database and what its books say.
struct Found {
    database: Database,
    books: Keyspace,
    shards: BTreeMap<Shard, Book>,
    /// Why nothing of it is of use.
    unfit: Option<String>,
}

fn find(folder: &Path, options: &LocalOptions) -> Result<Found, LogError> {
    if folder.join(FOREIGN).exists() {
        return Err(foreign(folder));
    }
    let (path, wiped) = (folder.join(DATABASE), folder.join(WIPED));
    let made = fs::create_dir_all(folder).and_then(|()| remove(&wiped));
    made.map_err(|found| unreadable(folder, &found))?;
    let found = read(&path, options)?;
    let Some(why) = found.unfit else { return Ok(found) };
    tracing::warn!(
        "local state in {} is wiped and restored from the changelog: {why}",
        folder.display()
    );
    // The whole database at once; removing keyspaces one by one would leave their numbers behind, to be given again.
    drop((found.books, found.database));
    let gone = fs::rename(&path, &wiped).and_then(|()| remove(&wiped));
    gone.map_err(|found| unreadable(folder, &found))?;
    read(&path, options)
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(found) if found.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

fn read(path: &Path, options: &LocalOptions) -> Result<Found, LogError> {
    let sizes = Options {
        cache_bytes: options.cache_bytes,
        journal_bytes: options.journal_bytes,
        ..Options::default()
    };
    let database = open::database(path, &sizes)?;
    let here = |found: fjall::Error| unreadable(path, &advice::of(&found, path));
    let names = database.list_keyspace_names();
    if !names.is_empty() && !names.iter().any(|name| &**name == book::KEYSPACE) {
        return Err(foreign(path));
    }
    let often = || KeyspaceCreateOptions::default().max_memtable_size(BOOKS_MEMTABLE);
    let books = database.keyspace(book::KEYSPACE, often).map_err(here)?;
    let about = About {
        format: book::FORMAT,
        pipeline: options.pipeline.clone(),
        partitions: options.partitions,
        identity: options.identity.clone(),
    };
    let mut shards = BTreeMap::new();
    let mut known = None;
    for entry in books.iter() {
        let (key, value) = entry.into_inner().map_err(here)?;
        if *key == *book::ABOUT {
            known = Some(serde_json::from_slice::<About>(&value).ok());
        }
        let shard = (0..options.partitions)
            .map(Shard)
            .find(|shard| *book::key(*shard) == *key);
        if let (Some(shard), Ok(book)) = (shard, serde_json::from_slice::<Book>(&value)) {
            shards.insert(shard, book);
        }
    }
    let now = options.clock.now();
    let stale = |book: &Book| book.is_stale(now, options.keep);
    let unfit = match known {
        None => {
            // The first of all that is ever written here.
            let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
            batch.insert(&books, book::ABOUT, book::encode(&about));
            batch.commit().map_err(here)?;
            None
        }
        Some(Some(known)) if known == about => (!shards.is_empty() && shards.values().all(stale)).then(|| {
            format!(
                "it was last in step more than {} hours from now",
                options.keep.as_secs() / 3600
            )
        }),
        Some(Some(known)) => Some(format!("it is of {known}, and not of {about}")),
        Some(None) => Some("another version of fermata made it".into()),
    };
    Ok(Found {
        database,
        books,
        shards,
        unfit,
    })
}

impl Shared {
    fn found(folder: &Path, options: LocalOptions, log: Arc<dyn Log>, found: Found) -> Result<Self, LogError> {
        let here = |found: fjall::Error| unreadable(folder, &advice::of(&found, folder));
        let Found {
            database,
            books,
            mut shards,
            ..
        } = found;
        let stores = Arc::new(Stores::open(database, options.memtable_bytes).map_err(here)?);
        let shared = Self {
            folder: folder.into(),
            log,
            stores,
            books,
            changelog: names::changelog(&options.pipeline),
            seats: Vec::new(),
            latest: AtomicU64::new(0),
            holders: AtomicU64::new(0),
            followed: Mutex::default(),
            warmth: Mutex::default(),
            fatal: OnceLock::new(),
            closing: Mutex::new(false),
            closed: Condvar::new(),
            options,
        };
        let mut seats = Vec::new();
        for shard in (0..shared.options.partitions).map(Shard) {
            let book = shards.remove(&shard).unwrap_or_default();
            let sequence = shared.noted(shard)?;
            seats.push(Mutex::new(Seat::new(book, sequence)));
        }
        Ok(Self { seats, ..shared })
    }
}

fn foreign(folder: &Path) -> LogError {
    LogError::Fatal(format!(
        "{}: the folder {} holds a database that is not local state: choose another folder",
        codes::STATE_FOLDER,
        folder.display()
    ))
}

fn unreadable(folder: &Path, found: &dyn std::fmt::Display) -> LogError {
    LogError::Fatal(format!(
        "{}: opening local state in {}: {found}; if the disk is well, remove the folder: the state is restored from the \
         changelog",
        codes::STATE_FAILED,
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use fermata_core::{Offset, PipelineName};

    /// Its positions were those of other topics.
    #[test]
    fn a_folder_of_an_earlier_format_is_emptied() {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        let pipeline = PipelineName::new("payments").expect("a valid name");
        let options = LocalOptions::new(pipeline.clone(), 1, "cluster");
        let earlier = About {
            format: book::FORMAT - 1,
            pipeline,
            partitions: 1,
            identity: "cluster".into(),
        };
        let kept = Book {
            position: Some(Offset(7)),
            in_step: options.clock.now(),
            ..Book::default()
        };
        let found = find(home.path(), &options).expect("opens");
        let mut batch = found.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&found.books, book::key(Shard(0)), book::encode(&kept));
        batch.commit().expect("written");
        drop((found.books, found.database));
        let found = find(home.path(), &options).expect("opens");
        assert_eq!(found.shards, BTreeMap::from([(Shard(0), kept)]));
        let mut batch = found.database.batch().durability(Some(PersistMode::SyncAll));
        batch.insert(&found.books, book::ABOUT, book::encode(&earlier));
        batch.commit().expect("written");
        drop((found.books, found.database));
        let found = find(home.path(), &options).expect("opens");
        assert_eq!((found.shards, found.unfit), (BTreeMap::new(), None));
    }
}
