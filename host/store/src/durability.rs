//! The watermark: which commits the disk has, and what happens when it fails.

use crate::{
    advice,
    options::{OnFatal, Options, PersistHook},
    pulse::{Pulse, deadline},
};
use fermata_core::{CommitId, codes, ports::LogError};
use fjall::{Database, PersistMode};
use parking_lot::{Condvar, Mutex};
use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub(crate) struct Durability {
    marks: Mutex<Marks>,
    changed: Condvar,
    /// Copies of the marks, readable without the lock.
    committed: AtomicU64,
    durable: AtomicU64,
    fatal: OnceLock<String>,
    on_fatal: Option<OnFatal>,
    /// Whoever waits for records must hear of a failure too.
    pulse: Arc<Pulse>,
    hook: Option<Arc<dyn PersistHook>>,
    /// Where the database is.
    dir: PathBuf,
}

pub(crate) const WRITING: &str = "writing a batch";

struct Marks {
    committed: u64,
    durable: u64,
    closing: bool,
}

impl Durability {
    /// `last`: the newest commit that was found when the database was opened; see [`Self::claim`].
    pub fn new(last: u64, dir: &Path, options: &Options, pulse: Arc<Pulse>) -> Self {
        Self {
            marks: Mutex::new(Marks {
                committed: last,
                durable: last,
                closing: false,
            }),
            changed: Condvar::new(),
            committed: AtomicU64::new(last),
            durable: AtomicU64::new(last),
            fatal: OnceLock::new(),
            on_fatal: options.on_fatal.clone(),
            pulse,
            hook: options.persist_hook.clone(),
            dir: dir.to_owned(),
        }
    }

    /// Before anybody builds on what was found: a process that was killed may have left the newest commits with the
    /// operating system alone, where a power cut would still take them.
    pub fn claim(&self, database: &Database) -> Result<(), LogError> {
        self.sync(database, self.committed())
    }

    pub fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }
    pub fn durable(&self) -> u64 {
        self.durable.load(Ordering::Acquire)
    }

    /// The operating system has commit `id`.
    pub fn note(&self, id: u64) {
        let mut marks = self.marks.lock();
        marks.committed = id;
        self.committed.store(id, Ordering::Release);
        self.changed.notify_all();
    }

    pub fn wait(&self, commit: u64, max_wait: Duration) -> Result<bool, LogError> {
        let deadline = deadline(max_wait);
        let mut marks = self.marks.lock();
        loop {
            self.check()?;
            if marks.durable >= commit {
                return Ok(true);
            }
            if self.changed.wait_until(&mut marks, deadline).timed_out() {
                self.check()?;
                return Ok(marks.durable >= commit);
            }
        }
    }

    /// `Err` once anything failed that makes promises impossible.
    pub fn check(&self) -> Result<(), LogError> {
        match self.fatal.get() {
            None => Ok(()),
            Some(found) => Err(LogError::Fatal(found.clone())),
        }
    }

    /// The database did not take a write.
    pub fn refused(&self, doing: &str, found: &fjall::Error) -> LogError {
        self.fail(doing, &advice::of(found, &self.dir))
    }

    pub fn fail(&self, doing: &str, found: &dyn std::fmt::Display) -> LogError {
        let text = format!(
            "{}: {doing}: {found}; nothing after the last durable commit is acknowledged: look at the disk, then start again",
            codes::LOG_FAILED
        );
        if self.fatal.set(text.clone()).is_ok() {
            tracing::error!("{text}");
            if let Some(tell) = &self.on_fatal {
                tell(&text);
            }
        }
        drop(self.marks.lock());
        self.changed.notify_all();
        self.pulse.beat();
        LogError::Fatal(self.fatal.get().cloned().unwrap_or(text))
    }

    /// The syncing thread: one sync covers every commit made before it began.
    pub fn run(&self, database: &Database) {
        loop {
            let target = {
                let mut marks = self.marks.lock();
                while marks.committed == marks.durable && !marks.closing {
                    self.changed.wait(&mut marks);
                }
                if marks.committed == marks.durable {
                    return;
                }
                marks.committed
            };
            if self.check().is_err() || self.sync(database, target).is_err() {
                return;
            }
            let mut marks = self.marks.lock();
            marks.durable = target;
            self.durable.store(target, Ordering::Release);
            self.changed.notify_all();
        }
    }

    /// Commit `id` is about to be written.
    pub fn writing(&self, id: u64) -> Result<(), LogError> {
        let Some(hook) = &self.hook else { return Ok(()) };
        let passed = hook.writing(CommitId(id));
        passed.map_err(|found| self.fail(WRITING, &found))
    }

    fn sync(&self, database: &Database, target: u64) -> Result<(), LogError> {
        let doing = "syncing the journal to the disk";
        if let Some(hook) = &self.hook {
            hook.before(CommitId(target))
                .map_err(|found| self.fail(doing, &found))?;
        }
        database
            .persist(PersistMode::SyncData)
            .map_err(|found| self.refused(doing, &found))?;
        if let Some(hook) = &self.hook {
            hook.after(CommitId(target));
        }
        Ok(())
    }

    /// Lets the syncing thread end after one last sync.
    pub fn close(&self) {
        self.marks.lock().closing = true;
        self.changed.notify_all();
    }
}
