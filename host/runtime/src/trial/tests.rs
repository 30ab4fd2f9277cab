//! Guests that keep something in memory, each found by another part of the trial, and one that does not.

use super::{Trial, Tried};
use crate::verify::tests::stages::CODE;
use crate::verify::tests::story::Story;
use bytes::Bytes;
use fermata_core::description::{Description, StoreDecl};
use fermata_core::ports::{Called, Failure, HostCalls, Instance, Refused, Version, ViewError};
use fermata_core::{
    Digest, Due, Emission, Fault, FaultCode, Input, Outcome, Rejection, StageName, Timestamp, VersionId,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What an instance should not have.
#[derive(Default)]
struct Memory {
    seen: BTreeSet<Bytes>,
    counts: BTreeMap<Bytes, u8>,
    timers: u8,
}

type Deed = fn(&mut Memory, &[u8], &mut dyn HostCalls) -> Result<String, Refused>;

/// The stage `first` of a story: emits what a deed says of a record's key, and of a timer.
struct Guest {
    deed: Deed,
    fired: Deed,
    description: Description,
    instances: Arc<AtomicUsize>,
}

impl Version for Guest {
    fn id(&self) -> VersionId {
        VersionId {
            component: Digest::of(b"guest"),
            config: Digest::of(b"{}"),
        }
    }
    fn description(&self) -> &Description {
        &self.description
    }
    fn instantiate(&self) -> Result<Box<dyn Instance>, Fault> {
        self.instances.fetch_add(1, Ordering::Relaxed);
        Ok(Box::new(Running {
            deed: self.deed,
            fired: self.fired,
            memory: Memory::default(),
        }))
    }
}

struct Running {
    deed: Deed,
    fired: Deed,
    memory: Memory,
}

fn called<T>(result: Result<T, Refused>, host: Box<dyn HostCalls>) -> Called<T> {
    let result = result.map_err(|refused| match refused {
        Refused::Fault(fault) => Failure::Fault(fault),
        Refused::Host(why) => Failure::Host(why),
    });
    Called { result, host, fuel: 0 }
}

fn outcome(said: String, key: Option<Bytes>) -> Outcome {
    if said == CODE {
        let reason = "as it was told".into();
        return Err(Rejection { code: said, reason });
    }
    Ok(vec![Emission {
        port: "mid".into(),
        key,
        value: Some(said.into()),
        headers: vec![],
    }])
}

impl Instance for Running {
    fn process(&mut self, input: Input, mut host: Box<dyn HostCalls>) -> Called<Outcome> {
        let key = input.key.clone().unwrap_or_default();
        let said = (self.deed)(&mut self.memory, &key, &mut *host);
        called(said.map(|said| outcome(said, input.key)), host)
    }
    fn fired(&mut self, due: Due, mut host: Box<dyn HostCalls>) -> Called<Outcome> {
        let said = (self.fired)(&mut self.memory, due.id.as_bytes(), &mut *host);
        called(said.map(|said| outcome(said, due.key)), host)
    }
    fn query(&mut self, _: &str, _: &str, host: Box<dyn HostCalls>) -> Called<Result<String, ViewError>> {
        called(Ok(Err(ViewError::NotFound)), host)
    }
    fn merge(
        &mut self,
        _: &str,
        _: &str,
        _: Vec<String>,
        host: Box<dyn HostCalls>,
    ) -> Called<Result<String, ViewError>> {
        called(Ok(Err(ViewError::NotFound)), host)
    }
    fn stretch(&mut self, _: u32) {}
}

const STORE: &str = "n";

/// Counts a key in the store, and sets a timer for it.
fn sound(_: &mut Memory, key: &[u8], host: &mut dyn HostCalls) -> Result<String, Refused> {
    let n = host.get(STORE, key)?.map_or(0, |v| v[0]) + 1;
    host.put(STORE, key, &[n])?;
    host.set_timer(&String::from_utf8_lossy(key), Timestamp(host.now().0 + 1), b"")?;
    Ok(n.to_string())
}

fn ignores(_: &mut Memory, _: &[u8], _: &mut dyn HostCalls) -> Result<String, Refused> {
    Ok("fired".into())
}

fn tried(deed: Deed, fired: Deed) -> (Tried, usize) {
    let mut story = Story::new();
    for shard in [0, 1, 0, 1, 0] {
        story.fused(shard);
    }
    let instances: Arc<AtomicUsize> = Arc::default();
    let store = StoreDecl {
        name: STORE.into(),
        schema: 1,
        migrates: vec![],
        reverts: false,
    };
    let guest = Guest {
        deed,
        fired,
        description: Description {
            name: "guest".into(),
            stores: vec![store],
            timers: true,
            ..Description::default()
        },
        instances: instances.clone(),
    };
    let Story { manifest, log, .. } = story;
    let trial = Trial {
        manifest: Arc::new(manifest),
        log: Arc::new(log),
    };
    let stage = StageName::new("first").unwrap();
    let tried = trial.run(&stage, Arc::new(guest), "{}").unwrap();
    (tried, instances.load(Ordering::Relaxed))
}

#[track_caller]
fn differs(deed: Deed, fired: Deed) -> String {
    match tried(deed, fired).0 {
        Tried::Differs(found) => found,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stage_that_keeps_all_in_its_store_passes_on_one_kept_instance() {
    let (tried, instances) = tried(sound, ignores);
    assert_eq!(tried, Tried::Same { samples: 5 });
    // Five records and five timers, twice in each of two lives, each on a fresh instance; and the kept one.
    assert_eq!(instances, 2 * 2 * 10 + 1);
}

#[test]
fn one_that_counts_in_memory_is_found_by_its_second_record() {
    let counts: Deed = |memory, key, _| {
        memory.seen.insert(Bytes::copy_from_slice(key));
        Ok(memory.seen.len().to_string())
    };
    let found = differs(counts, ignores);
    assert!(
        found.contains("emits `2` to mid") && found.contains("where a fresh one emits `1` to mid"),
        "{found}"
    );
}

#[test]
fn one_that_remembers_what_it_has_met_is_found_by_meeting_it_again() {
    let repeated: Deed = |memory, key, _| {
        let new = memory.seen.insert(Bytes::copy_from_slice(key));
        Ok(if new { "new".into() } else { CODE.into() })
    };
    let found = differs(repeated, ignores);
    assert!(found.contains("rejects it with bad"), "{found}");
    assert!(found.starts_with("on in/0/0 "), "the first record, met again: {found}");
}

#[test]
fn one_that_remembers_what_its_store_held_is_found_when_the_store_does_not_hold_it() {
    let caches: Deed = |memory, key, host| {
        let key = Bytes::copy_from_slice(key);
        let known = match memory.counts.get(&key) {
            Some(known) => *known,
            None => host.get(STORE, &key)?.map_or(0, |v| v[0]),
        };
        memory.counts.insert(key.clone(), known + 1);
        host.put(STORE, &key, &[known + 1])?;
        Ok("counted".into())
    };
    let found = differs(caches, ignores);
    assert!(
        found.contains("puts `\\u{3}` under `key-1` of store n"),
        "what it put is what differs: {found}"
    );
}

#[test]
fn one_that_remembers_only_what_comes_again_is_found_as_well() {
    let repeats: Deed = |memory, key, host| {
        let key = Bytes::copy_from_slice(key);
        if host.get(STORE, &key)?.is_none() {
            host.put(STORE, &key, b"1")?;
            return Ok("first".into());
        }
        let repeats = memory.counts.entry(key).or_default();
        *repeats += 1;
        Ok(format!("repeated {repeats}"))
    };
    let found = differs(repeats, ignores);
    assert!(found.contains("repeated 2") && found.contains("repeated 1"), "{found}");
}

#[test]
fn one_whose_timers_remember_is_found_by_its_timers() {
    let counts: Deed = |memory, _, _| {
        memory.timers += 1;
        Ok(memory.timers.to_string())
    };
    let found = differs(sound, counts);
    assert!(found.starts_with("on timer "), "{found}");
}

#[test]
fn a_stage_that_never_ran_has_nothing_to_be_tried_on() {
    let Story { manifest, log, .. } = Story::new();
    let (manifest, log) = (Arc::new(manifest), Arc::new(log));
    let trial = Trial { manifest, log };
    let guest = Guest {
        deed: sound,
        fired: ignores,
        description: Description::default(),
        instances: Arc::default(),
    };
    let stage = StageName::new("first").unwrap();
    let tried = trial.run(&stage, Arc::new(guest), "{}").unwrap();
    assert_eq!(tried, Tried::Same { samples: 0 });
}

#[test]
fn what_cannot_be_told_is_said() {
    let host: Deed = |_, _, _| Err(Refused::Host("the disk is away".into()));
    assert_eq!(tried(host, ignores).0, Tried::Untold("the disk is away".into()));
    // A fault is no difference.
    let faults: Deed = |_, _, _| Err(Refused::Fault(Fault::new(FaultCode::Trap, "unreachable")));
    assert_eq!(tried(faults, ignores).0, Tried::Same { samples: 5 });
}
