//! Idempotence, stale epochs, busy stages, garbage.

use super::world::{World, name};
use crate::control::{Flow, Progress};
use fermata_core::codes;
use fermata_core::control::{DeploymentState, Fact, Verb};

#[test]
fn a_command_met_twice_is_carried_out_once() {
    let mut world = World::new();
    let command = world.command(Verb::Pause);
    world.append(command.clone());
    world.step();
    let (facts, epoch) = (world.facts().len(), world.fold().epoch);
    world.append(command.clone());
    world.step();
    assert_eq!((world.facts().len(), world.fold().epoch), (facts, epoch));
    world.restart();
    world.step();
    assert_eq!(
        world.facts().len(),
        facts + 1,
        "nor is it after a restart, which reads the control topic again and records no more than that it leads"
    );
    assert_eq!(world.outcome(command.id).progress, Progress::Done);
}

#[test]
fn commands_that_waited_for_a_restart_are_met_in_their_order() {
    let mut world = World::new();
    world.send(Verb::Pause);
    world.send(Verb::Resume);
    let last = world.send(Verb::Pause);
    world.restart();
    world.step();
    assert_ne!(world.controller.view().state().flow, Flow::Running);
    assert_eq!(world.outcome(last).progress, Progress::Done);
}

#[test]
fn a_stale_epoch_is_refused_and_recorded() {
    let mut world = World::new();
    let mut command = world.command(Verb::Pause);
    command.expect_epoch = Some(world.fold().epoch + 1);
    world.append(command.clone());
    world.step();
    assert_eq!(world.refusal(command.id).0, codes::CONTROL_STALE);
    assert_eq!(world.controller.view().state().flow, Flow::Running);
    let mut command = world.command(Verb::Pause);
    command.expect_epoch = Some(world.fold().epoch);
    world.append(command.clone());
    world.step();
    assert_eq!(world.outcome(command.id).progress, Progress::Done);
}

#[test]
fn garbage_is_refused_once_and_the_next_command_is_met() {
    let mut world = World::new();
    let known = uuid::Uuid::now_v7();
    world.raw_control("not json");
    world.raw_control(r#"{"v":1,"id":7}"#);
    world.raw_control(&format!(
        r#"{{"v":1,"id":"{known}","at":1,"author":"x","verb":"explode"}}"#
    ));
    world.raw_control(&format!(
        r#"{{"v":9,"id":"{}","at":1,"author":"x","verb":"pause"}}"#,
        uuid::Uuid::now_v7()
    ));
    let pause = world.send(Verb::Pause);
    world.step();
    let refused = |w: &World| {
        w.facts()
            .iter()
            .filter(|s| matches!(s.fact, Fact::Refused { .. }))
            .count()
    };
    assert_eq!(refused(&world), 4);
    assert_eq!(world.outcome(pause).progress, Progress::Done);
    assert!(world.refusal(known).1.contains("explode"), "{:?}", world.refusal(known));
    world.restart();
    world.step();
    assert_eq!(refused(&world), 4, "the same garbage is not refused again");
}

#[test]
fn a_stage_takes_one_deployment_at_a_time() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.step();
    assert_eq!(world.state(1), DeploymentState::Pausing);
    for command in [world.deploy("account@1.1.0"), world.rollback()] {
        world.step();
        assert_eq!(world.refusal(command).0, codes::CONTROL_BUSY);
    }
    world.workers();
    world.step();
    assert_eq!(world.state(1), DeploymentState::Probation);
    let command = world.deploy("account@1.1.0");
    world.step();
    assert_eq!(
        world.refusal(command).0,
        codes::CONTROL_BUSY,
        "in probation it is still under way"
    );
}

#[test]
fn tasks_that_are_still_going_back_keep_the_stage_busy() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.step();
    world.workers();
    world.step();
    world.refute(1);
    world.step();
    assert_eq!(world.state(1), DeploymentState::RolledBack);
    let early = world.deploy("account@1.1.0");
    world.step();
    assert_eq!(world.refusal(early).0, codes::CONTROL_BUSY);
    world.workers();
    let later = world.deploy("account@1.1.0");
    world.step();
    assert_eq!(world.outcome(later).progress, Progress::Running);
}

#[test]
fn what_is_not_there_is_refused_by_name() {
    let mut world = World::new();
    let digest = world.digest("account@1.1.0");
    let verb = Verb::Deploy {
        stage: name("acount"),
        component: "x".into(),
        digest,
        probation_ms: None,
    };
    let stage = world.send(verb);
    let live = world.deploy("account@1.0.0");
    let rollback = world.rollback();
    world.step();
    assert!(
        world.refusal(stage).1.contains("did you mean \"account\"?"),
        "{:?}",
        world.refusal(stage)
    );
    assert!(
        world.refusal(live).1.contains("already live"),
        "{:?}",
        world.refusal(live)
    );
    assert!(
        world.refusal(rollback).1.contains("no deployment of account stands"),
        "{:?}",
        world.refusal(rollback)
    );
    assert!(world.fold().deployments.is_empty());
}
