//! What a restoration reads, and what it does when the log and the store do not fit.

use super::ground::{Ground, SHARD, pipeline, stages};
use fermata_core::changelog;
use fermata_core::ports::{Log, LogError, Restored, StateRead, StateStore};
use fermata_core::{Offset, Sequence, Shard, Timestamp};
use fermata_store::surgery::copy_folder;
use fermata_store::{Embedded, Local, Options};
use fermata_tests::simulated::{Faults, entry, note};
use std::time::Duration;

fn value(local: &Local, ground: &Ground, key: &str) -> Option<String> {
    let found = local.get(&ground.account, SHARD, key.as_bytes()).expect("readable");
    found.map(|v| String::from_utf8(v.to_vec()).expect("text"))
}

#[test]
fn an_empty_folder_is_filled_from_the_start() {
    let mut ground = Ground::new(1);
    for n in 0..50 {
        ground.commit(&format!("key-{}", n % 10), Some(&n.to_string()));
    }
    ground.commit("key-3", None);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.assert_same(&local);
    assert_eq!(value(&local, &ground, "key-3"), None);
    assert_eq!(value(&local, &ground, "key-4").as_deref(), Some("44"));
}

#[test]
fn a_surviving_disk_needs_no_reading() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..50 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    drop(local);
    let local = ground.open("a");
    assert_eq!(ground.restore(&*local), 0);
    ground.assert_same(&local);
}

#[test]
fn slices_add_up() {
    let mut ground = Ground::new(1);
    // More than one read brings.
    for n in 0..700 {
        ground.commit(&format!("{n}"), Some("x"));
    }
    let local = ground.open("a");
    let asked = ground.writer.sequence(SHARD);
    let (mut calls, mut before) = (0, u64::MAX);
    loop {
        calls += 1;
        match local.restore(SHARD, asked, Duration::ZERO).expect("restores") {
            Restored::Ready => break,
            Restored::Behind { left } => {
                assert!(left <= before, "{left} after {before}");
                before = left;
            }
        }
        assert!(calls < 100);
    }
    assert!(calls > 3, "{calls} slices");
    ground.assert_same(&local);
}

/// The journal shows what a changelog still hides: markers reach partitions one by one.
#[test]
fn what_an_open_transaction_hides_is_waited_for() {
    let mut waited = 0;
    for seed in 0..100 {
        let mut ground = Ground::new(seed);
        let local = ground.open("a");
        ground.restore(&*local);
        ground.write(&local, "k", Some("old"));
        ground.log.log.set_faults(Faults {
            late_marker: 0.6,
            ..Faults::NONE
        });
        ground.commit("k", Some("new"));
        let answer = local.restore(SHARD, ground.writer.sequence(SHARD), Duration::ZERO);
        waited += u32::from(matches!(answer, Ok(Restored::Behind { .. })));
        ground.restore(&*local);
        assert_eq!(value(&local, &ground, "k").as_deref(), Some("new"), "seed {seed}");
    }
    assert!(waited > 30, "{waited} of 100 had to wait");
}

/// Another history of the same topics: the store is ahead of the log.
#[test]
fn state_beyond_the_journal_is_made_anew() {
    let mut other = Ground::new(1);
    let local = other.open("a");
    other.restore(&*local);
    for n in 0..9 {
        other.write(&local, &format!("{n}"), Some("of another history"));
    }
    other.commit("not applied", None);
    drop(local);
    let mut ground = Ground::new(2);
    ground.commit("k", Some("v"));
    copy_folder(&other.folder("a"), &ground.folder("a")).expect("copied");
    let local = ground.open("a");
    ground.restore(&*local);
    ground.assert_same(&local);
}

/// Never processed on, whatever was tried: both figures are told.
#[test]
fn changelogs_that_do_not_give_the_journals_state_are_fatal() {
    for asked in [2, 4] {
        let mut ground = Ground::new(1);
        for _ in 0..3 {
            ground.commit("k", Some("v"));
        }
        let local = ground.open("a");
        let mut calls = 0;
        let found = loop {
            match local.restore(SHARD, Sequence(asked), Duration::from_secs(1)) {
                Ok(Restored::Behind { .. }) => calls += 1,
                Ok(Restored::Ready) => panic!("ready at 3, asked for {asked}"),
                Err(found) => break found,
            }
            assert!(calls < 100);
        };
        assert!(
            calls > 10,
            "{calls} calls: the caller may find a newer journal meanwhile"
        );
        let said = found.to_string();
        assert!(matches!(found, LogError::Fatal(_)) && said.contains("F0602"), "{said}");
        assert!(
            said.contains("record 3") && said.contains(&format!("with {asked}")),
            "{said}"
        );
    }
}

/// The caller read the journal again, and it had moved on.
#[test]
fn a_newer_sequence_may_be_asked_for_meanwhile() {
    let mut ground = Ground::new(1);
    ground.commit("k", Some("1"));
    let early = ground.writer.sequence(SHARD);
    ground.commit("k", Some("2"));
    let local = ground.open("a");
    let answer = local.restore(SHARD, early, Duration::from_secs(1)).expect("patient");
    assert!(matches!(answer, Restored::Behind { .. }), "{answer:?}");
    ground.restore(&*local);
    ground.assert_same(&local);
}

/// Commits that came while a restoration was under way lie behind the ends that it took for the record before them.
#[test]
fn ends_of_an_earlier_record_are_not_read_to() {
    let mut ground = Ground::new(1);
    for n in 0..100 {
        ground.commit(&format!("{n}"), Some("1"));
    }
    let local = ground.open("a");
    let early = ground.writer.sequence(SHARD);
    // One read: all of the first changelog, and nothing of the host's.
    let answer = local.restore(SHARD, early, Duration::ZERO).expect("begins");
    assert_eq!(answer, Restored::Behind { left: 100 });
    for n in 0..100 {
        ground.commit(&format!("{n}"), Some("2"));
    }
    ground.restore(&*local);
    ground.assert_same(&local);
}

#[test]
fn what_the_log_does_not_keep_any_more_is_not_needed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..20 {
        ground.write(&local, "k", Some(&n.to_string()));
    }
    local.release(SHARD);
    for n in 20..40 {
        ground.commit("k", Some(&n.to_string()));
    }
    ground.write(&local, "gone", Some("x"));
    ground.commit("gone", None);
    let end = ground.log.bounds(&ground.changelog(), SHARD).expect("bounds").high;
    // Whatever the store had: only what is kept counts.
    ground.log.log.trim(&ground.changelog(), SHARD, Offset(end.0 - 3));
    ground.restore(&*local);
    ground.assert_same(&local);
}

#[test]
fn a_strangers_record_is_passed_over() {
    let mut ground = Ground::new(1);
    ground.commit("k", Some("v"));
    let mut stranger = changelog::record(
        &pipeline(),
        &entry(&ground.account, SHARD, "k", Some("bad")),
        Timestamp(1),
    );
    stranger.key = Some("no key of ours".into());
    ground.log.append(vec![stranger]).expect("appended");
    ground.commit("l", Some("w"));
    let local = ground.open("a");
    ground.restore(&*local);
    ground.assert_same(&local);
}

/// What a stage had before it left the manifest is not what it has when it comes back.
#[test]
fn a_stage_that_comes_back_is_read_again() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.write(&local, "k", Some("before"));
    drop(local);
    let mut options = ground.options();
    options.stages = vec![stages()[1].clone()];
    let local = ground.open_with("a", options).expect("opens");
    // The other stages go on; nothing is missing for them.
    assert_eq!(ground.restore(&*local), 0);
    ground.commit("k", None);
    ground.restore(&*local);
    drop(local);
    let local = ground.open("a");
    assert!(ground.restore(&*local) > 0);
    ground.assert_same(&local);
}

#[test]
fn a_stage_may_be_called_as_the_host_calls_itself() {
    let mut ground = Ground::new(1);
    let host = changelog::shard_namespace().stage.clone();
    let mut options = ground.options();
    options.stages.push(host.clone());
    let mut own = (*ground.account).clone();
    own.stage = host;
    let own = std::sync::Arc::new(own);
    let made = ground
        .writer
        .commit(SHARD, vec![entry(&own, SHARD, "sequence", Some("mine"))]);
    let local = ground.open_with("a", options).expect("opens");
    ground.restore(&*local);
    ground.assert_same(&local);
    local.apply(made.id, &made.changes).expect("known already");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let ground = Ground::new(1);
    drop(Embedded::open(&ground.folder("a"), Options::default()).expect("opens"));
    let refused = ground.open_with("a", ground.options()).err().expect("refused");
    assert!(refused.to_string().contains("F0603"), "{refused}");
    drop(Embedded::open(&ground.folder("a"), Options::default()).expect("still opens"));
}

#[test]
fn a_folder_is_used_by_one() {
    let ground = Ground::new(1);
    let _local = ground.open("a");
    let refused = ground.open_with("a", ground.options()).err().expect("refused");
    assert!(refused.to_string().contains("F0503"), "{refused}");
}

#[test]
fn a_shard_that_there_is_not_is_named() {
    let ground = Ground::new(1);
    let local = ground.open("a");
    let refused = local
        .restore(Shard(2), Sequence(1), Duration::ZERO)
        .expect_err("refused");
    assert!(refused.to_string().contains("shard 2"), "{refused}");
    let change = note(Shard(2), Sequence(1));
    let refused = local.apply(fermata_core::CommitId(0), &[change]).expect_err("refused");
    assert!(refused.to_string().contains("shard 2"), "{refused}");
}

/// A wipe that was cut short goes on before anything is read.
#[test]
fn half_a_wipe_leaves_nothing_behind() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    let many: Vec<_> = (0..10_000)
        .map(|n| entry(&ground.account, SHARD, &format!("{n}"), Some("x")))
        .collect();
    let made = ground.writer.commit(SHARD, many);
    local.apply(made.id, &made.changes).expect("applied");
    local.release(SHARD);
    // All of it is deleted elsewhere, and the tombstones are gone.
    let none: Vec<_> = (0..10_000)
        .map(|n| entry(&ground.account, SHARD, &format!("{n}"), None))
        .collect();
    ground.writer.commit(SHARD, none);
    ground.commit("k", Some("v"));
    ground.log.log.clock().advance(2 * super::ground::KEEP);
    ground.log.log.compact(&ground.changelog(), SHARD, Timestamp(i64::MAX));
    let answer = local.restore(SHARD, ground.writer.sequence(SHARD), Duration::ZERO);
    assert!(matches!(answer, Ok(Restored::Behind { .. })), "{answer:?}");
    copy_folder(&ground.folder("a"), &ground.folder("b")).expect("copied");
    let local = ground.open("b");
    ground.restore(&*local);
    ground.assert_same(&local);
}
