//! Opening the folder, and what it remembers of whose state it holds.

use super::{
    Changelog, Local, LocalOptions, Shared,
    book::{self, About, Book},
    holder::Holder,
    seat::Seat,
};
use crate::{advice, layout, open, options::Options, stores::Stores};
use fermata_core::{
    Shard, StageName, changelog, codes, names,
    ports::{Log, LogError},
};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use parking_lot::{Condvar, Mutex};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, OnceLock, atomic::AtomicU64},
};

/// Books are few and written often.
const BOOKS_MEMTABLE: u64 = 4 * 1024 * 1024;

impl Local {
    /// Opens the folder, making it if need be. State of another cluster, or too old to be caught up, is wiped.
    pub fn open(folder: &Path, options: LocalOptions, log: Arc<dyn Log>) -> Result<Arc<Self>, LogError> {
        let sizes = Options {
            cache_bytes: options.cache_bytes,
            journal_bytes: options.journal_bytes,
            ..Options::default()
        };
        let database = open::database(folder, &sizes)?;
        let changelogs = changelogs(&options);
        let tend_every = options.tend_every;
        let shared = Shared::found(folder, options, log, changelogs, database)?;
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

/// A stage of the manifest may be called as the host calls itself: their state shares a changelog then.
fn changelogs(options: &LocalOptions) -> Vec<Changelog> {
    let host = changelog::shard_namespace().stage.clone();
    let stages: BTreeSet<&StageName> = options.stages.iter().filter(|s| **s != host).collect();
    let each = |stage: &StageName| Changelog {
        topic: names::changelog(&options.pipeline, stage),
        stage: stage.clone(),
    };
    stages.into_iter().map(each).chain([each(&host)]).collect()
}

/// What the books say on opening.
struct Books {
    keyspace: Keyspace,
    shards: BTreeMap<Shard, Book>,
}

impl Shared {
    fn found(
        folder: &Path,
        options: LocalOptions,
        log: Arc<dyn Log>,
        changelogs: Vec<Changelog>,
        database: Database,
    ) -> Result<Self, LogError> {
        let found = |found: fjall::Error| unreadable(folder, &advice::of(&found, folder));
        let listed: BTreeSet<&StageName> = changelogs.iter().map(|c| &c.stage).collect();
        let books = read_books(folder, &options, &database)?;
        let mut books = match books {
            Found::Usable(books) => books,
            Found::Wiped(keyspace) => Books {
                keyspace,
                shards: BTreeMap::new(),
            },
        };
        let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
        for (shard, book) in &mut books.shards {
            let before = book.clone();
            book.positions.retain(|stage, _| listed.contains(stage));
            // A stage that came back has state that its shards went on without.
            book.whole &= book.positions.len() == listed.len();
            if *book != before {
                batch.insert(&books.keyspace, book::key(*shard), book::encode(book));
            }
        }
        batch.commit().map_err(found)?;
        // Behind the books: a position must not outlive what it stands for.
        for name in database.list_keyspace_names() {
            let namespace = layout::namespace_of(&name);
            if namespace.is_some_and(|n| !listed.contains(&n.stage) || books.shards.is_empty()) {
                drop_keyspace(&database, &name).map_err(found)?;
            }
        }
        let stores = Arc::new(Stores::open(database, options.memtable_bytes).map_err(found)?);
        let shared = Self {
            folder: folder.into(),
            log,
            stores,
            books: books.keyspace,
            changelogs,
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
            let book = books.shards.remove(&shard).unwrap_or_default();
            let sequence = shared.noted(shard)?;
            seats.push(Mutex::new(Seat::new(book, sequence)));
        }
        Ok(Self { seats, ..shared })
    }
}

enum Found {
    Usable(Books),
    /// Every position is gone.
    Wiped(Keyspace),
}

fn read_books(folder: &Path, options: &LocalOptions, database: &Database) -> Result<Found, LogError> {
    let found = |found: fjall::Error| unreadable(folder, &advice::of(&found, folder));
    let names = database.list_keyspace_names();
    if !names.is_empty() && !names.iter().any(|name| &**name == book::KEYSPACE) {
        return Err(LogError::Fatal(format!(
            "{}: the folder {} holds a database that is not local state: choose another folder",
            codes::STATE_FOLDER,
            folder.display()
        )));
    }
    let often = || KeyspaceCreateOptions::default().max_memtable_size(BOOKS_MEMTABLE);
    let keyspace = database.keyspace(book::KEYSPACE, often).map_err(found)?;
    let about = About {
        format: book::FORMAT,
        pipeline: options.pipeline.clone(),
        partitions: options.partitions,
        identity: options.identity.clone(),
    };
    let known = keyspace.get(book::ABOUT).map_err(found)?;
    // One that cannot be read is one that this version did not write.
    let known: Option<About> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let mut shards = BTreeMap::new();
    let mut keys = Vec::new();
    for entry in keyspace.iter() {
        let (key, value) = entry.into_inner().map_err(found)?;
        let shard = (0..options.partitions)
            .map(Shard)
            .find(|shard| *book::key(*shard) == *key);
        if let (Some(shard), Ok(book)) = (shard, serde_json::from_slice::<Book>(&value)) {
            shards.insert(shard, book);
        }
        keys.push(key);
    }
    let now = options.clock.now();
    let why = match &known {
        Some(known) if *known != about => Some(format!("it is of {known}, and not of {about}")),
        Some(_) if !shards.is_empty() && shards.values().all(|book| book.is_stale(now, options.keep)) => Some(format!(
            "it was last in step more than {} hours from now",
            options.keep.as_secs() / 3600
        )),
        Some(_) => return Ok(Found::Usable(Books { keyspace, shards })),
        None => None,
    };
    if let Some(why) = why {
        tracing::warn!(
            "local state in {} is wiped and restored from the changelogs: {why}",
            folder.display()
        );
    }
    // What it knows goes first, in one batch; a process that ends here finds state without positions.
    let mut batch = database.batch().durability(Some(PersistMode::SyncAll));
    for key in keys {
        batch.remove(&keyspace, key);
    }
    batch.insert(&keyspace, book::ABOUT, book::encode(&about));
    batch.commit().map_err(found)?;
    Ok(Found::Wiped(keyspace))
}

fn drop_keyspace(database: &Database, name: &str) -> Result<(), fjall::Error> {
    let keyspace = database.keyspace(name, Default::default)?;
    database.delete_keyspace(keyspace)
}

fn unreadable(folder: &Path, found: &dyn std::fmt::Display) -> LogError {
    LogError::Fatal(format!(
        "{}: opening local state in {}: {found}; if the disk is well, remove the folder: the state is restored from the \
         changelogs",
        codes::STATE_FAILED,
        folder.display()
    ))
}
