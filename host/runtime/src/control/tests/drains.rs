//! Pause, quiescent, drained.

use super::world::World;
use crate::control::{Flow, Progress};
use fermata_core::control::Verb;
use fermata_core::journal::Counts;
use fermata_core::{Offset, Shard, TopicName, codes};

fn flow(world: &World) -> Flow {
    world.controller.view().state().flow
}

#[test]
fn quiescent_needs_two_equal_sweeps_under_the_new_epoch() {
    let mut world = World::new();
    world.send(Verb::Pause);
    world.step();
    world.step();
    assert_eq!(flow(&world), Flow::Pausing, "reports are of the epoch before");
    world.workers();
    world.step();
    assert_eq!(flow(&world), Flow::Pausing, "one sweep is not enough");
    count(&world, 1);
    world.step();
    assert_eq!(
        flow(&world),
        Flow::Pausing,
        "the counters have moved between the sweeps"
    );
    world.step();
    assert_eq!(flow(&world), Flow::Paused);
    assert!(
        !world.board.directive().draining,
        "nothing moves and nobody waits: ticks stop"
    );
}

/// Shard 0 has processed `processed` records.
fn count(world: &World, processed: u64) {
    let mut report = world.board.reports()[&Shard(0)].clone();
    let task = report.tasks.values_mut().next().unwrap();
    task.counts = Counts {
        processed,
        ..Counts::default()
    };
    world.board.report(Shard(0), report);
}

#[test]
fn an_unread_record_or_an_open_batch_keeps_it_from_being_quiescent() {
    let mut world = World::new();
    let topic = TopicName::new("payment.complete").unwrap();
    world.produce(&topic, Shard(1), b"{}");
    world.send(Verb::Pause);
    world.settle();
    assert_eq!(flow(&world), Flow::Pausing);
    let state = world.controller.view().state();
    assert!(
        state.obstacles[0].contains("payment.complete/1") && state.obstacles[0].contains("confirm"),
        "{state:?}"
    );
    world.read_to.insert(Shard(1), Offset(1));
    world.workers();
    let mut report = world.board.reports()[&Shard(0)].clone();
    report.idle = false;
    world.board.report(Shard(0), report);
    world.step();
    world.step();
    assert_eq!(flow(&world), Flow::Pausing);
    world.workers();
    world.step();
    world.step();
    assert_eq!(flow(&world), Flow::Paused);
}

#[test]
fn drained_when_the_condition_holds_and_it_stays_paused() {
    let mut world = World::new();
    let drain = world.send(Verb::Drain { timeout_ms: 5_000 });
    world.settle();
    assert_eq!(world.outcome(drain).progress, Progress::Done);
    assert_eq!(flow(&world), Flow::Drained);
    world.restart();
    assert_eq!(flow(&world), Flow::Drained);
    assert_eq!(world.board.directive().intake, crate::board::Intake::Closed);
}

#[test]
fn a_drain_that_waits_keeps_ticks_going_and_its_deadline_names_what_blocks() {
    let mut world = World::new();
    world.open_payment(Shard(1), "p-88121");
    world.open_payment(Shard(0), "p-7");
    let drain = world.send(Verb::Drain { timeout_ms: 5_000 });
    world.settle();
    assert_eq!(world.outcome(drain).progress, Progress::Running);
    assert!(world.board.directive().draining);
    world.clock.advance(4_999);
    world.restart();
    world.settle();
    assert_eq!(
        flow(&world),
        Flow::Draining,
        "the deadline is the fact's, not the process's"
    );
    world.clock.advance(1);
    world.settle();
    let Progress::NotDrained {
        code,
        blocking,
        timeout_ms,
    } = world.outcome(drain).progress
    else {
        panic!("{:?}", world.outcome(drain))
    };
    assert_eq!((code.as_str(), timeout_ms), (codes::CONTROL_NOT_DRAINED, 5_000));
    assert_eq!(blocking, ["p-7", "p-88121"]);
    assert_eq!(flow(&world), Flow::Paused);
    assert!(!world.board.directive().draining);
}

#[test]
fn a_resume_ends_a_drain_that_waits() {
    let mut world = World::new();
    world.open_payment(Shard(0), "p-7");
    let drain = world.send(Verb::Drain { timeout_ms: 5_000 });
    world.settle();
    let other = world.send(Verb::Drain { timeout_ms: 1 });
    world.step();
    assert_eq!(world.refusal(other).0, codes::CONTROL_REFUSED);
    world.send(Verb::Resume);
    world.settle();
    assert_eq!(flow(&world), Flow::Running);
    let Progress::NotDrained { blocking, .. } = world.outcome(drain).progress else {
        panic!("it has ended")
    };
    assert!(
        blocking.contains(&"p-7".to_owned()) && blocking.last().unwrap().contains("resumed"),
        "{blocking:?}"
    );
}

#[test]
fn a_paused_task_is_named() {
    let mut world = World::new();
    let mut report = world.board.reports()[&Shard(1)].clone();
    report.tasks.values_mut().next().unwrap().paused = Some("a record faults whoever processes it".into());
    let drain = world.send(Verb::Drain { timeout_ms: 100 });
    world.step();
    world.workers();
    report.epoch = world.board.directive().epoch;
    world.board.report(Shard(1), report);
    world.clock.advance(100);
    world.step();
    let Progress::NotDrained { blocking, .. } = world.outcome(drain).progress else {
        panic!("the deadline passed")
    };
    assert!(
        blocking
            .iter()
            .any(|b| b.contains("stage account on shard 1 is paused")),
        "{blocking:?}"
    );
}

#[test]
fn a_second_pause_comes_to_rest_anew() {
    let mut world = World::new();
    world.send(Verb::Pause);
    world.settle();
    assert_eq!(flow(&world), Flow::Paused);
    world.send(Verb::Resume);
    world.send(Verb::Pause);
    world.step();
    assert_eq!(flow(&world), Flow::Pausing);
}
