//! Stores of the workers' own, as on nodes of their own, beside the log that keeps a changelog; and what happens to disks:
//! they are wiped, lose what was not synced, and come back as they were on an earlier day. Whatever a worker holds must
//! be what was committed.

use super::Violation;
use super::checks::bad;
use super::plan::Harm;
use crate::simulated::{SimClock, Simulated};
use bytes::Bytes;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Clock, Log, LogError, Namespace, StateRead, StateStore, TopicSpec};
use fermata_core::{Sequence, Shard, Timestamp, changelog, names};
use fermata_store::local::DATABASE;
use fermata_store::surgery::{PowerCut, copy_folder};
use fermata_store::{Local, LocalOptions};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// State that was last in step longer ago is wiped; tombstones are kept twice as long.
const KEEP: Duration = Duration::from_secs(600);

/// One for each worker.
pub struct Disks {
    manifest: Arc<Manifest>,
    log: Simulated,
    clock: Arc<SimClock>,
    disks: Vec<Disk>,
    /// The sequence at which each worker's shard was last compared.
    compared: BTreeMap<(usize, Shard), Sequence>,
    pub counted: Counted,
}

/// What happened to disks, to show that it did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    pub compared: u64,
    pub wiped: u64,
    pub cut: u64,
    pub rolled_back: u64,
    pub compacted: u64,
}

struct Disk {
    /// Holds folders numbered as they came to be.
    home: TempDir,
    number: u32,
    power: Arc<PowerCut>,
    kept: Option<PathBuf>,
    open: Option<Arc<Local>>,
}

impl Disk {
    fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary folder can be made");
        Self {
            power: Arc::new(PowerCut::new(&home.path().join("0").join(DATABASE))),
            home,
            number: 0,
            kept: None,
            open: None,
        }
    }

    fn folder(&self) -> PathBuf {
        self.home.path().join(self.number.to_string())
    }

    /// The folder is another one from now on.
    fn replace(&mut self, make: impl FnOnce(&mut Self, PathBuf)) {
        let (old, next) = (self.folder(), self.home.path().join((self.number + 1).to_string()));
        make(self, next);
        self.open = None;
        self.number += 1;
        self.power = Arc::new(PowerCut::new(&self.folder().join(DATABASE)));
        std::fs::remove_dir_all(old).ok();
    }
}

impl Disks {
    pub fn new(workers: usize, manifest: Arc<Manifest>, log: Simulated) -> Self {
        log.keep_changelog(&manifest.name);
        let changelog = TopicSpec {
            name: names::changelog(&manifest.name),
            partitions: manifest.partitions,
        };
        log.ensure(&[changelog]).expect("no faults yet");
        Self {
            clock: log.clock(),
            manifest,
            log,
            disks: (0..workers).map(|_| Disk::new()).collect(),
            compared: BTreeMap::new(),
            counted: Counted::default(),
        }
    }

    /// The store of a worker that starts.
    pub fn open(&mut self, index: usize) -> Result<Arc<dyn StateStore>, LogError> {
        let disk = &mut self.disks[index];
        disk.open = None;
        let mut options = LocalOptions::new(self.manifest.name.clone(), self.manifest.partitions, "simulated");
        options.clock = self.clock.clone();
        options.keep = KEEP;
        options.tend_every = None;
        options.raise_changes = 20;
        options.persist_hook = Some(disk.power.clone());
        let local = Local::open(&disk.folder(), options, Arc::new(self.log.clone()))?;
        if index.is_multiple_of(2) {
            local.follow((0..self.manifest.partitions).map(Shard));
        }
        disk.open = Some(local.clone());
        Ok(local)
    }

    /// The worker is gone, and its process with it.
    pub fn close(&mut self, index: usize) {
        self.disks[index].open = None;
        self.look_again(index);
    }

    fn look_again(&mut self, index: usize) {
        self.compared.retain(|(worker, _), _| *worker != index);
    }

    /// What the store does by itself from time to time.
    pub fn tend(&mut self, index: usize) -> Result<(), Violation> {
        let index = index % self.disks.len();
        self.look_again(index);
        let Some(local) = &self.disks[index].open else {
            return Ok(());
        };
        let tended = local.tend().and_then(|()| local.standby(Duration::ZERO).map(drop));
        match tended {
            Ok(()) | Err(LogError::Away(_)) => Ok(()),
            Err(found) => bad(format!("worker {index}: tending its store: {found}")),
        }
    }

    /// Something befalls a disk, whose worker is dead; the folder may still be open.
    pub fn harm(&mut self, index: usize, harm: Harm) {
        let index = index % self.disks.len();
        let disk = &mut self.disks[index];
        match harm {
            Harm::Wipe => {
                disk.replace(|_, _| {});
                self.counted.wiped += 1;
            }
            Harm::Cut if disk.open.is_some() => {
                disk.replace(|disk, next| {
                    disk.power.copy(&next.join(DATABASE)).expect("the folder can be copied");
                });
                self.counted.cut += 1;
            }
            Harm::Cut => {}
            Harm::Keep => {
                disk.open = None;
                let (from, to) = (disk.folder(), disk.home.path().join("kept"));
                if from.exists() {
                    std::fs::remove_dir_all(&to).ok();
                    copy_folder(&from, &to).expect("the folder can be copied");
                    disk.kept = Some(to);
                }
            }
            Harm::RollBack => {
                let Some(kept) = disk.kept.clone() else { return };
                disk.replace(|_, next| copy_folder(&kept, &next).expect("the folder can be copied"));
                self.counted.rolled_back += 1;
            }
        }
        self.close(index);
    }

    /// The broker cleans the changelog.
    pub fn compact(&mut self) {
        let before = self.clock.now().0 - i64::try_from(2 * KEEP.as_millis()).unwrap_or(i64::MAX);
        let topic = names::changelog(&self.manifest.name);
        for shard in (0..self.manifest.partitions).map(Shard) {
            self.log.compact(&topic, shard, Timestamp(before));
        }
        self.counted.compacted += 1;
    }

    /// Of every shard that the worker processes: its state is what was committed.
    pub fn check(&mut self, index: usize, held: impl Iterator<Item = Shard>) -> Result<(), Violation> {
        let Some(local) = self.disks[index].open.clone() else {
            return Ok(());
        };
        for shard in held {
            let (own, truth) = (noted(&*local, shard), noted(&self.log, shard));
            if own > truth {
                return bad(format!("worker {index}: shard {shard} is at {own}, the log at {truth}"));
            }
            // It has yet to hear of a commit, or that the shard is another's.
            if own < truth || self.compared.insert((index, shard), own) == Some(own) {
                continue;
            }
            let namespaces: BTreeSet<_> = local.namespaces().into_iter().chain(self.log.namespaces()).collect();
            for namespace in namespaces {
                let (own, truth) = (all(&*local, &namespace, shard), all(&self.log, &namespace, shard));
                if own != truth {
                    let differs = own
                        .iter()
                        .find(|e| !truth.contains(e))
                        .or(truth.iter().find(|e| !own.contains(e)));
                    return bad(format!(
                        "worker {index}: shard {shard}: {namespace:?} has {} entries, and not the {} committed ones: {differs:?}",
                        own.len(),
                        truth.len()
                    ));
                }
            }
            self.counted.compared += 1;
        }
        Ok(())
    }
}

fn noted(state: &dyn StateRead, shard: Shard) -> Sequence {
    let found = state.get(&changelog::shard_namespace(), shard, changelog::SEQUENCE_KEY);
    let found = found.expect("state is readable");
    found.and_then(|value| changelog::sequence(&value)).unwrap_or_default()
}

fn all(state: &dyn StateRead, namespace: &Namespace, shard: Shard) -> Vec<(Bytes, Bytes)> {
    let found = state.scan(namespace, shard, &[], None, usize::MAX);
    found.expect("state is readable")
}
