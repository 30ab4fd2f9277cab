//! What may be shown, and what an unanswered append leaves.

use super::world::World;
use crate::board::{Intake, WorkerEvent};
use crate::control::{ControlError, Flow, Progress};
use fermata_core::control::{DeploymentState, Fact, Verb};
use std::sync::atomic::Ordering;
use std::time::Duration;

#[test]
fn nothing_is_shown_before_it_is_durable() {
    let mut world = World::new();
    world.log.hold.store(true, Ordering::SeqCst);
    let pause = world.send(Verb::Pause);
    world.step();
    world.step();
    assert_eq!(
        world.board.directive().intake,
        Intake::Closed,
        "workers may act: the disk keeps a prefix"
    );
    assert!(world.controller.view().outcome(&pause).is_none());
    assert_eq!(world.controller.view().state().flow, Flow::Running);
    world.log.release();
    world.step();
    assert_eq!(world.outcome(pause).progress, Progress::Done);
}

#[test]
fn a_lost_answer_is_looked_up_and_nothing_is_recorded_twice() {
    let mut world = World::new();
    let pause = world.send(Verb::Pause);
    world.log.lose_answer.store(true, Ordering::SeqCst);
    world.step();
    world.step();
    assert_eq!(world.outcome(pause).progress, Progress::Done);
    let paused = world
        .facts()
        .iter()
        .filter(|s| matches!(s.fact, Fact::Paused { .. }))
        .count();
    assert_eq!(paused, 1);
}

#[test]
fn an_append_that_did_not_happen_is_done_again() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.step();
    world.workers();
    world.log.refuse.store(true, Ordering::SeqCst);
    world.step();
    assert_eq!(world.state(1), DeploymentState::Pausing, "the event is kept");
    world.step();
    assert_eq!(world.state(1), DeploymentState::Probation);
}

#[test]
fn a_worker_that_failed_stops_the_control_plane() {
    let mut world = World::new();
    world.board.tell(WorkerEvent::Failed {
        worker: 1,
        because: "the disk is full".into(),
    });
    let error = world.controller.step(Duration::ZERO).unwrap_err();
    assert!(matches!(error, ControlError::Worker { worker: 1, .. }), "{error}");
}
