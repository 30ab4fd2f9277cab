//! Positions rise while a shard is held, and never past what the store has.

use super::ground::{Ground, SHARD, all, other, pipeline};
use fermata_core::ports::{Commit, Committed, Log, Session, StateChange, StateStore};
use fermata_core::{Offset, Sequence, Timestamp, TopicName, changelog};
use fermata_store::local::DATABASE;
use fermata_store::surgery::PowerCut;
use fermata_tests::simulated::{Faults, Made, entry, note};
use std::sync::Arc;

fn tend(local: &fermata_store::Local) {
    for _ in 0..3 {
        local.tend().expect("the log answers");
    }
}

#[test]
fn a_shard_that_was_held_is_caught_up_from_where_it_was_left() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..300 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    tend(&local);
    drop(local);
    // Another one holds it for a while.
    for n in 0..3 {
        ground.commit(&format!("{n}"), None);
    }
    let local = ground.open("a");
    let read = ground.restore(&*local);
    assert!((6..20).contains(&read), "{read} records were read");
    ground.assert_same(&local);
}

/// The answer to a commit is on its way, or will never come: a position must not pass it.
#[test]
fn a_commit_that_was_not_applied_is_not_passed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..100 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    tend(&local);
    ground.write(&local, "6", Some("the last"));
    ground.commit("7", Some("unknown"));
    tend(&local);
    drop(local);
    let local = ground.open("a");
    let read = ground.restore(&*local);
    assert!(read < 20, "{read} records were read");
    ground.assert_same(&local);
}

/// A transaction has written its change, and not yet its note.
#[test]
fn an_open_transaction_is_not_passed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..100 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    let mut maker = other(&ground, "other");
    append(&mut *maker, &late(&ground));
    tend(&local);
    conclude(&mut ground, &mut *maker);
    drop(local);
    assert_has_late(&ground);
}

fn late(ground: &Ground) -> StateChange {
    entry(&ground.account, SHARD, "7", Some("late"))
}

fn append(session: &mut dyn Session, change: &StateChange) {
    let record = changelog::record(&pipeline(), change, Timestamp(1));
    session.append(record).expect("appended");
}

fn commit(session: &mut dyn Session) {
    let committed = session.commit(Commit {
        positions: vec![(TopicName::new("input").expect("valid"), SHARD, Offset(1))],
        changes: Vec::new(),
    });
    assert!(matches!(committed, Ok(Committed::Yes(_))), "{committed:?}");
}

/// Commits what it appended, with the next note.
fn conclude(ground: &mut Ground, maker: &mut dyn Session) {
    let next = ground.writer.sequence(SHARD).next();
    append(maker, &note(SHARD, next));
    commit(maker);
    ground.writer.sequences.insert(SHARD, next);
}

/// What another store makes of the folder.
fn assert_has_late(ground: &Ground) {
    let local = ground.open("a");
    ground.restore(&*local);
    let found = all(&*local, &ground.account);
    let found = found
        .iter()
        .find(|(key, _)| &key[..] == b"7")
        .map(|(_, value)| value.clone());
    assert_eq!(found.as_deref(), Some(&b"late"[..]));
}

/// Somebody else's open transaction began between its change and its note: the change is below the stable end, and
/// nothing that is seen notes it.
#[test]
fn a_commit_whose_note_is_still_hidden_is_not_passed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..10 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    let (mut maker, mut zombie) = (other(&ground, "other"), other(&ground, "zombies"));
    append(&mut *maker, &late(&ground));
    append(&mut *zombie, &entry(&ground.account, SHARD, "8", Some("never")));
    conclude(&mut ground, &mut *maker);
    tend(&local);
    zombie.abort().expect("aborted");
    drop(local);
    assert_has_late(&ground);
}

/// A commit comes between the two questions that a raise asks of the log. Were the end the second, it would lie behind
/// that commit, and the note before it.
#[test]
fn a_commit_between_two_questions_is_not_passed() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..10 {
        ground.write(&local, &format!("{n}"), Some("x"));
    }
    let (next, change) = (ground.writer.sequence(SHARD).next(), late(&ground));
    let mut maker = other(&ground, "other");
    let happen = move || {
        append(&mut *maker, &change);
        append(&mut *maker, &note(SHARD, next));
        commit(&mut *maker);
    };
    *ground.log.between.lock() = Some((2, Box::new(happen)));
    local.tend().expect("the log answers");
    assert!(ground.log.between.lock().is_none(), "it happened");
    ground.writer.sequences.insert(SHARD, next);
    drop(local);
    // The newest note says nothing of what was passed.
    ground.commit("9", Some("newest"));
    assert_has_late(&ground);
}

/// There is never a quiet moment, and positions rise all the same.
#[test]
fn positions_rise_on_a_busy_shard() {
    let mut ground = Ground::new(3);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.log.log.set_faults(Faults {
        late_marker: 0.5,
        hidden: 0.2,
        gap: 0.5,
        ..Faults::NONE
    });
    let mut made: Option<Made> = None;
    for n in 0..400 {
        // The one before is applied while the next is under way.
        let next = ground.commit(&format!("{n}"), Some("x"));
        if let Some(made) = made.replace(next) {
            local.apply(made.id, &made.changes).expect("applied");
        }
        // Others ask the log too: what is open ends with their calls.
        for _ in 0..10 {
            ground.log.topics().expect("the log answers");
        }
        if n % 10 == 9 {
            local.tend().expect("the log answers");
        }
    }
    drop(local);
    let local = ground.open("a");
    let read = ground.restore(&*local);
    assert!(read < 400, "{read} records were read of 800");
    ground.assert_same(&local);
}

/// What a power cut leaves is the state of some moment, with the positions of that moment.
#[test]
fn a_power_cut_takes_the_newest_alone() {
    for applied in [1, 5, 40] {
        let mut ground = Ground::new(1);
        let power = Arc::new(PowerCut::new(&ground.folder("a").join(DATABASE)));
        let mut options = ground.options();
        options.persist_hook = Some(power.clone());
        let local = ground.open_with("a", options).expect("opens");
        ground.restore(&*local);
        for n in 0..60 {
            ground.write(&local, &format!("{n}"), Some("x"));
        }
        tend(&local);
        for n in 0..applied {
            ground.write(&local, &format!("{n}"), None);
        }
        power.copy(&ground.folder("b").join(DATABASE)).expect("copied");
        let local = ground.open("b");
        let read = ground.restore(&*local);
        let lost = 2 * applied;
        assert!(
            read >= lost && read < lost + 20,
            "{read} records were read, {lost} were lost"
        );
        ground.assert_same(&local);
    }
}

/// A copy of an earlier day has positions of that day.
#[test]
fn a_copy_of_an_earlier_day_is_caught_up() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    for n in 0..50 {
        ground.write(&local, &format!("{n}"), Some("x"));
        if n % 7 == 0 {
            tend(&local);
        }
    }
    fermata_store::surgery::copy_folder(&ground.folder("a"), &ground.folder("b")).expect("copied");
    for n in 0..50 {
        ground.write(&local, &format!("{n}"), None);
        tend(&local);
    }
    let copy = ground.open("b");
    ground.restore(&*copy);
    ground.assert_same(&copy);
}

/// The note need not be the last record: somebody else may write there.
#[test]
fn a_strangers_record_raises_nothing() {
    let mut ground = Ground::new(1);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.commit("k", Some("not applied"));
    let mut stranger = changelog::record(&pipeline(), &note(SHARD, Sequence(0)), Timestamp(1));
    stranger.key = Some("strange".into());
    ground.log.append(vec![stranger]).expect("appended");
    tend(&local);
    drop(local);
    let local = ground.open("a");
    ground.restore(&*local);
    ground.assert_same(&local);
}
