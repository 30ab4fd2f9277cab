//! From Proposed to an end: promoted, refuted, taken back by hand.

use super::world::{World, name};
use crate::board::WorkerEvent;
use crate::control::Progress;
use fermata_core::Shard;
use fermata_core::codes;
use fermata_core::control::DeploymentState::{
    Pausing, Prepared, Probation, Promoted, Proposed, Refused, RolledBack, Switching,
};
use fermata_core::control::{DeploymentState, Verb};
use fermata_core::ports::Moment;

#[test]
fn a_deployment_passes_every_state_and_is_promoted_when_its_time_is_over() {
    let mut world = World::new();
    let command = world.deploy("account@1.1.0");
    world.step();
    assert_eq!(world.state(1), Pausing);
    let wish = world.board.directive().stages[&name("account")].clone();
    assert_eq!(wish.version.id().component, world.digest("account@1.1.0"));
    let second = wish.second_opinion.expect("the old version is asked in probation");
    assert_eq!(second.id().component, world.digest("account@1.0.0"));

    world.shards_obey(&[Shard(0)]);
    world.step();
    assert_eq!(world.state(1), Switching, "one of two shards has switched");
    world.shards_obey(&[Shard(1)]);
    world.step();
    assert_eq!(world.state(1), Probation);
    world.clock.advance(999);
    world.step();
    assert_eq!(world.state(1), Probation);
    world.clock.advance(1);
    world.step();
    assert_eq!(world.outcome(command).progress, Progress::Done);
    let passed: Vec<_> = world.deployment(1).states.into_iter().map(|(state, _)| state).collect();
    assert_eq!(passed, [Proposed, Prepared, Pausing, Switching, Probation, Promoted]);
    assert!(
        world.board.directive().stages[&name("account")]
            .second_opinion
            .is_none()
    );
    assert_eq!(*world.seen.0.lock(), [Moment::Prepare, Moment::Probation]);
}

#[test]
fn receipts_come_from_the_journals_with_the_sync_of_the_facts() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    let receipts = world.controller.view().receipts(1).unwrap().unwrap();
    let seen: Vec<_> = receipts
        .iter()
        .map(|r| (r.shard, r.pause_micros, r.synced_micros, r.rollback))
        .collect();
    assert_eq!(
        seen,
        [(Shard(0), 700, Some(900), false), (Shard(1), 701, Some(900), false)]
    );
    assert_eq!(receipts[0].old.component, world.digest("account@1.0.0"));
    assert_eq!(receipts[0].new.component, world.digest("account@1.1.0"));
    assert!(world.controller.view().receipts(2).unwrap().is_none());
}

#[test]
fn a_silent_shard_holds_promotion_back() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    assert_eq!(world.state(1), Probation);
    world.board.forget(0, Shard(1));
    world.clock.advance(60_000);
    world.step();
    assert_eq!(world.state(1), Probation);
    world.report(Shard(1));
    world.step();
    assert_eq!(world.state(1), Probation, "nobody knows how it fared meanwhile");
    world.clock.advance(1_000);
    world.step();
    assert_eq!(world.state(1), Promoted);
}

/// Lets a minute pass, step by step, and says where dep/1 is then.
fn a_minute_later(world: &mut World) -> DeploymentState {
    for _ in 0..60 {
        world.clock.advance(1_000);
        world.step();
    }
    world.state(1)
}

#[test]
fn a_paused_pipeline_is_no_probation() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    world.clock.advance(400);
    world.step();
    world.send(Verb::Pause);
    world.settle();
    assert_eq!(a_minute_later(&mut world), Probation);
    world.send(Verb::Resume);
    world.settle();
    world.clock.advance(599);
    world.step();
    assert_eq!(
        world.state(1),
        Probation,
        "what it had served before the pause counts, and no more"
    );
    world.clock.advance(1);
    world.step();
    assert_eq!(world.state(1), Promoted);
}

#[test]
fn a_task_that_stands_still_is_no_probation() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    let of_shard = |world: &World| world.board.reports()[&Shard(1)].clone();
    let mut stuck = of_shard(&world);
    let task = stuck.tasks.get_mut(&name("account")).expect("it runs there");
    task.paused = Some("it did not end".into());
    world.board.report(Shard(1), stuck);
    assert_eq!(a_minute_later(&mut world), Probation);
    // That of another stage is not its fault.
    let mut going = of_shard(&world);
    for (stage, task) in &mut going.tasks {
        task.paused = (*stage != name("account")).then(|| "another".into());
    }
    world.board.report(Shard(1), going);
    assert_eq!(a_minute_later(&mut world), Promoted);
}

#[test]
fn a_refuted_version_goes_back_by_itself() {
    let mut world = World::new();
    let command = world.deploy("account@1.1.0");
    world.settle();
    world.refute(1);
    world.refute(1);
    world.step();
    let Progress::RolledBack { because } = world.outcome(command).progress else {
        panic!("not rolled back")
    };
    assert!(
        because.contains("payment.inflight/1/7") && because.contains("overflow"),
        "{because}"
    );
    let wish = world.board.directive().stages[&name("account")].clone();
    assert_eq!(wish.version.id().component, world.digest("account@1.0.0"));
    assert_eq!(
        (wish.deployment, wish.rollback, wish.second_opinion.is_none()),
        (1, true, true)
    );
    world.settle();
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
    let receipts = world.controller.view().receipts(1).unwrap().unwrap();
    assert_eq!(receipts.iter().filter(|r| r.rollback).count(), 2);
    assert_eq!(receipts.len(), 4);
}

#[test]
fn a_task_that_cannot_switch_takes_the_deployment_back() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.step();
    world.shards_obey(&[Shard(0)]);
    let (stage, fault) = (name("account"), "fault-memory: 64 MiB".to_owned());
    world.board.tell(WorkerEvent::CannotSwitch {
        stage,
        deployment: 1,
        shard: Shard(1),
        fault,
    });
    world.step();
    assert_eq!(world.state(1), RolledBack);
    world.settle();
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
}

#[test]
fn rollback_in_probation_is_a_deployment_of_its_own() {
    let mut world = World::new();
    let deploy = world.deploy("account@1.1.0");
    world.settle();
    assert_eq!(world.state(1), Probation);
    let rollback = world.rollback();
    world.settle();
    assert_eq!((world.state(1), world.state(2)), (RolledBack, Promoted));
    assert_eq!(world.deployment(2).rolls_back, Some(1));
    assert!(world.deployment(2).reached(Probation).is_none());
    assert_eq!(world.outcome(rollback).progress, Progress::Done);
    assert!(matches!(world.outcome(deploy).progress, Progress::RolledBack { .. }));
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
    let receipts = world.controller.view().receipts(2).unwrap().unwrap();
    assert_eq!(receipts.iter().filter(|r| r.rollback).count(), 2);
}

#[test]
fn rollback_after_promotion_goes_one_back_and_again_one_more() {
    let mut world = World::new();
    world
        .shelf
        .add("account@1.2.0", &super::components::account("1.2.0", |_| {}));
    for component in ["account@1.1.0", "account@1.2.0"] {
        world.deploy(component);
        world.settle();
        world.clock.advance(2_000);
        world.settle();
    }
    assert_eq!(world.runs(), [world.digest("account@1.2.0"); 2]);
    // Compiled code of the first version is long dropped: a restart has none either.
    world.restart();
    world.workers();
    for expected in ["account@1.1.0", "account@1.0.0"] {
        world.rollback();
        world.settle();
        assert_eq!(world.runs(), [world.digest(expected); 2]);
    }
    let last = world.rollback();
    world.settle();
    assert_eq!(world.refusal(last).0, codes::CONTROL_REFUSED);
}

#[test]
fn a_rollback_that_comes_too_late_is_refused() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    world.refute(1);
    // Met in one step: first the command, then the event.
    let rollback = world.rollback();
    world.step();
    assert_eq!(world.state(1), RolledBack);
    world.settle();
    assert_eq!(world.state(2), Refused);
    assert!(
        world.refusal(rollback).1.contains("already live"),
        "{:?}",
        world.refusal(rollback)
    );
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
}

#[test]
fn the_picture_is_json() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    let state = serde_json::to_value(&*world.controller.view().state()).unwrap();
    assert_eq!(state["flow"], "running");
    assert_eq!(state["deployments"]["1"]["switched"]["0"]["pause-micros"], 700);
    assert_eq!(state["stages"]["account"]["deployment"], 1);
}
