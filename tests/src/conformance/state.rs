//! State: what is seen when.

use super::{Fixture, Subject, kit::*};
use fermata_core::{
    CommitId, Shard, TopicName,
    ports::{Commit, Namespace, Session, StateChange, StateRead},
};
use std::sync::Arc;

struct Writer {
    log: Arc<dyn Subject>,
    session: Box<dyn Session>,
    topic: TopicName,
}

fn writer(fixture: &dyn Fixture, shards: u32) -> Writer {
    let log = fixture.open();
    let topic = make(&*log, "a", shards);
    let session = reader(&*log, "m", &[&topic], shards);
    Writer { log, session, topic }
}

impl Writer {
    fn commit(&mut self, changes: Vec<StateChange>) -> CommitId {
        let mut batch = Commit {
            positions: Vec::new(),
            changes,
        };
        for change in &batch.changes {
            let position = (self.topic.clone(), change.shard, fermata_core::Offset(1));
            if !batch.positions.contains(&position) {
                batch.positions.push(position);
            }
        }
        commit(&mut *self.session, batch)
    }
    fn write(&mut self, changes: Vec<StateChange>) -> CommitId {
        let id = self.commit(changes.clone());
        self.log.apply(id, &changes).unwrap();
        id
    }
}

fn get(state: &(impl StateRead + ?Sized), namespace: &Namespace, shard: u32, key: &str) -> Option<String> {
    let found = state.get(namespace, Shard(shard), key.as_bytes()).unwrap();
    found.map(|value| String::from_utf8(value.to_vec()).unwrap())
}
fn keys(
    state: &(impl StateRead + ?Sized),
    namespace: &Namespace,
    shard: u32,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Vec<String> {
    let after = after.map(str::as_bytes);
    let found = state
        .scan(namespace, Shard(shard), prefix.as_bytes(), after, limit)
        .unwrap();
    found
        .iter()
        .map(|(key, _)| String::from_utf8(key.to_vec()).unwrap())
        .collect()
}

pub fn changes_are_seen_once_applied(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 1);
    let n = namespace("stage", 1);
    assert_eq!(get(&*writer.log, &n, 0, "k"), None);
    writer.write(vec![put(&n, 0, "k", "1"), put(&n, 0, "gone", "1")]);
    writer.write(vec![
        put(&n, 0, "k", "2"),
        delete(&n, 0, "gone"),
        put(&n, 0, "k", "3"),
        delete(&n, 0, "never"),
    ]);
    assert_eq!(
        get(&*writer.log, &n, 0, "k").as_deref(),
        Some("3"),
        "the last change of a batch counts"
    );
    assert_eq!(get(&*writer.log, &n, 0, "gone"), None);
    writer.write(vec![
        put(&n, 0, "k", "4"),
        delete(&n, 0, "k"),
        delete(&n, 0, "back"),
        put(&n, 0, "back", "5"),
    ]);
    assert_eq!(get(&*writer.log, &n, 0, "k"), None);
    assert_eq!(get(&*writer.log, &n, 0, "back").as_deref(), Some("5"));
    writer.write(vec![put(&n, 0, "", "empty key"), put(&n, 0, "e", "")]);
    assert_eq!(get(&*writer.log, &n, 0, "").as_deref(), Some("empty key"));
    assert_eq!(get(&*writer.log, &n, 0, "e").as_deref(), Some(""));
}

pub fn a_commit_that_was_never_made_cannot_be_applied(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 1);
    let n = namespace("stage", 1);
    let changes = vec![put(&n, 0, "k", "1")];
    let id = writer.commit(changes.clone());
    let refused = writer.log.apply(CommitId(id.0 + 1), &changes).unwrap_err();
    assert!(refused.to_string().contains("never made"), "{refused}");
    writer.log.apply(id, &changes).unwrap();
    writer.log.apply(id, &changes).unwrap();
    assert_eq!(get(&*writer.log, &n, 0, "k").as_deref(), Some("1"));
}

pub fn a_scan_is_ordered_and_bounded(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 1);
    let n = namespace("stage", 1);
    let names = ["b/2", "a", "b/10", "b", "c", "b/1", "b0"];
    writer.write(names.iter().map(|k| put(&n, 0, k, k)).collect());
    let log = &*writer.log;
    assert_eq!(
        keys(log, &n, 0, "", None, 99),
        ["a", "b", "b/1", "b/10", "b/2", "b0", "c"]
    );
    assert_eq!(keys(log, &n, 0, "b/", None, 99), ["b/1", "b/10", "b/2"]);
    assert_eq!(keys(log, &n, 0, "b/", Some("b/1"), 99), ["b/10", "b/2"]);
    assert_eq!(keys(log, &n, 0, "b/", Some("b/1"), 1), ["b/10"]);
    assert_eq!(keys(log, &n, 0, "b/", Some("a"), 99), ["b/1", "b/10", "b/2"]);
    assert_eq!(keys(log, &n, 0, "b/", Some("c"), 99), [""; 0]);
    assert_eq!(keys(log, &n, 0, "b/", Some("b/2"), 99), [""; 0]);
    assert_eq!(keys(log, &n, 0, "x", None, 99), [""; 0]);
    assert_eq!(keys(log, &n, 0, "", None, 0), [""; 0]);
}

pub fn shards_and_namespaces_are_apart(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 3);
    let (one, two, new) = (namespace("one", 1), namespace("two", 1), namespace("one", 2));
    writer.write(vec![
        put(&one, 0, "k", "1"),
        put(&one, 1, "k", "2"),
        put(&two, 0, "k", "3"),
        put(&new, 0, "k", "4"),
    ]);
    let log = &*writer.log;
    assert_eq!(get(log, &one, 0, "k").as_deref(), Some("1"));
    assert_eq!(get(log, &one, 1, "k").as_deref(), Some("2"));
    assert_eq!(get(log, &one, 2, "k"), None);
    assert_eq!(get(log, &two, 0, "k").as_deref(), Some("3"));
    assert_eq!(get(log, &new, 0, "k").as_deref(), Some("4"));
    assert_eq!(keys(log, &one, 1, "", None, 9), ["k"]);
    assert_eq!(keys(log, &one, 2, "", None, 9), [""; 0]);
}

pub fn a_snapshot_stays_as_it_was(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 2);
    let (n, later) = (namespace("stage", 1), namespace("later", 1));
    let id = writer.write(vec![put(&n, 0, "a", "1"), put(&n, 1, "b", "1")]);
    let (contains, before) = writer.log.snapshot().unwrap();
    assert_eq!(contains, id);
    let id = writer.write(vec![
        put(&n, 0, "a", "2"),
        delete(&n, 1, "b"),
        put(&n, 0, "c", "2"),
        put(&later, 0, "d", "2"),
    ]);
    assert_eq!(get(&*before, &n, 0, "a").as_deref(), Some("1"));
    assert_eq!(get(&*before, &n, 1, "b").as_deref(), Some("1"));
    assert_eq!(keys(&*before, &n, 0, "", None, 9), ["a"]);
    assert_eq!(get(&*before, &later, 0, "d"), None);
    let (contains, after) = writer.log.snapshot().unwrap();
    assert_eq!(contains, id);
    assert_eq!(keys(&*after, &n, 0, "", None, 9), ["a", "c"]);
    assert_eq!(get(&*after, &later, 0, "d").as_deref(), Some("2"));
}

pub fn a_fork_replaces_its_target(fixture: &dyn Fixture) {
    let mut writer = writer(fixture, 2);
    let (from, to) = (namespace("stage", 1), namespace("shadow", 1));
    writer.write(vec![
        put(&from, 0, "a", "1"),
        put(&from, 0, "b", "2"),
        put(&from, 1, "c", "3"),
        put(&to, 0, "old", "x"),
    ]);
    assert_eq!(writer.log.fork(&from, &to, Shard(0)).unwrap(), 2);
    writer.write(vec![put(&from, 0, "a", "changed")]);
    let log = &*writer.log;
    assert_eq!(keys(log, &to, 0, "", None, 9), ["a", "b"]);
    assert_eq!(get(log, &to, 0, "a").as_deref(), Some("1"));
    assert_eq!(keys(log, &to, 1, "", None, 9), [""; 0]);
    assert_eq!(keys(log, &from, 0, "", None, 9), ["a", "b"]);
}
