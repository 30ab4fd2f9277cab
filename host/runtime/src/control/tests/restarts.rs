//! The process is killed in each state and the deployment goes on.

use super::world::{World, name};
use crate::control::{Flow, Fold};
use fermata_core::Shard;
use fermata_core::control::DeploymentState::{self, Pausing, Probation, Promoted, Proposed, RolledBack, Switching};
use fermata_core::control::{Fact, Verb};
use fermata_core::names::Purpose;
use fermata_core::ports::Log;
use std::sync::atomic::Ordering;

fn promote(world: &mut World, number: u64) {
    world.settle();
    world.clock.advance(1_000);
    world.settle();
    assert_eq!(world.state(number), Promoted, "{:?}", world.facts());
}

fn promoted_after(world: &mut World) {
    promote(world, 1);
    assert_eq!(world.runs(), [world.digest("account@1.1.0"); 2]);
}

/// A world whose status topic ends with the fact that dep/1 has reached `state`.
fn killed_after(state: DeploymentState) -> World {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    let reached =
        |s: &fermata_core::control::Status| matches!(&s.fact, Fact::Deployment { state: found, .. } if *found == state);
    let cut = world.facts().iter().position(reached).expect("it was reached");
    let mut killed = World::new();
    let status = Purpose::Status.topic(&world.manifest.name);
    let control = Purpose::Control.topic(&world.manifest.name);
    let keep = world.log.all(&status, Shard(0));
    let had = killed.log.all(&status, Shard(0)).len();
    let again = |r: &fermata_core::Record| fermata_core::NewRecord {
        topic: r.topic.clone(),
        shard: r.shard,
        timestamp: r.timestamp,
        key: None,
        value: r.value.clone(),
        headers: Vec::new(),
    };
    killed.log.append(keep[had..=cut].iter().map(again).collect()).unwrap();
    killed
        .log
        .append(world.log.all(&control, Shard(0)).iter().map(again).collect())
        .unwrap();
    killed.restart();
    killed
}

#[test]
fn killed_in_any_state_it_goes_on_to_promotion() {
    for state in [Proposed, DeploymentState::Prepared, Pausing, Switching, Probation] {
        let mut world = killed_after(state);
        assert_eq!(world.state(1), state, "the fold alone");
        world.workers();
        promoted_after(&mut world);
        assert_eq!(
            world.deployment(1).states.len(),
            6,
            "no state is passed twice: {state:?}"
        );
    }
}

#[test]
fn receipts_that_no_fact_tells_of_are_found_in_the_journals() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.step();
    world.cut_over(Shard(0));
    world.cut_over(Shard(1));
    world.restart();
    assert_eq!(world.deployment(1).switched.len(), 2);
    assert_eq!(
        world.deployment(1).switched[&Shard(1)].synced_micros,
        None,
        "nobody measured it"
    );
    world.workers();
    promoted_after(&mut world);
}

#[test]
fn a_rollback_goes_on_after_a_restart() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    world.refute(1);
    world.step();
    world.shards_obey(&[Shard(0)]);
    world.restart();
    let wish = world.board.directive().stages[&name("account")].clone();
    assert_eq!((wish.deployment, wish.rollback), (1, true));
    world.settle();
    assert_eq!(world.state(1), RolledBack);
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
    assert_eq!(world.deployment(1).returned.len(), 2);
}

#[test]
fn probation_begins_anew_after_a_restart() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    assert_eq!(world.state(1), Probation);
    world.clock.advance(1_000);
    world.restart();
    world.step();
    assert_eq!(world.state(1), Probation, "no shard has reported yet");
    world.workers();
    world.step();
    world.clock.advance(999);
    world.step();
    assert_eq!(world.state(1), Probation, "while nothing ran it served no time");
    world.clock.advance(1);
    world.step();
    assert_eq!(world.state(1), Promoted);
}

#[test]
fn a_candidate_that_cannot_be_prepared_again_is_taken_back() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    world.settle();
    world.shelf.lose(&world.digest("account@1.1.0"));
    world.restart();
    assert_eq!(world.state(1), RolledBack);
    world.settle();
    assert_eq!(world.runs()[0], world.digest("account@1.0.0"));
}

#[test]
fn a_paused_pipeline_stays_paused() {
    let mut world = World::new();
    world.send(Verb::Pause);
    world.step();
    world.restart();
    assert_eq!(world.board.directive().intake, crate::board::Intake::Closed);
    world.settle();
    assert_eq!(world.controller.view().state().flow, Flow::Paused);
    world.send(Verb::Resume);
    world.step();
    world.restart();
    assert_eq!(world.board.directive().intake, crate::board::Intake::Open);
}

#[test]
fn what_is_live_outlives_a_manifest_that_says_otherwise() {
    let mut world = World::new();
    world.deploy("account@1.1.0");
    promoted_after(&mut world);
    let prepared = world.executor.prepared.load(Ordering::SeqCst);
    world.configure(5);
    world.restart();
    let wish = world.board.directive().stages[&name("account")].clone();
    assert_eq!(wish.version.id().component, world.digest("account@1.1.0"));
    assert_eq!(
        world.executor.prepared.load(Ordering::SeqCst) - prepared,
        2,
        "one version a stage"
    );
}

#[test]
fn a_configuration_that_only_the_journals_have_can_be_gone_back_to() {
    let mut world = World::new();
    let first = world.tasks[&(Shard(0), name("account"))].0;
    world.commit_without_cutover(Shard(0));
    world.configure(5);
    world.restart();
    world.workers();
    let live = world.board.directive().stages[&name("account")].version.id();
    assert_eq!(live, first, "an edited manifest moves nothing by itself");
    // The same component under the manifest's new configuration is another version.
    world.deploy("account@1.0.0");
    promote(&mut world, 1);
    let second = world.tasks[&(Shard(0), name("account"))].0;
    assert_eq!(
        (second.component, second.config == first.config),
        (first.component, false)
    );
    world.commit_without_cutover(Shard(0));
    world.commit_without_cutover(Shard(1));
    world.restart();
    world.workers();
    world.rollback();
    promote(&mut world, 2);
    assert_eq!(world.tasks[&(Shard(0), name("account"))].0, first);
}

#[test]
fn facts_met_twice_change_nothing() {
    let mut world = World::new();
    world.send(Verb::Pause);
    world.deploy("account@1.1.0");
    world.settle();
    world.refute(1);
    world.settle();
    let (mut once, mut twice) = (Fold::default(), Fold::default());
    for fact in world.facts() {
        once.apply(fact.clone());
        twice.apply(fact.clone());
        twice.apply(fact.clone());
        assert_eq!(once, twice, "after {fact:?}");
    }
    // Nor does a fact that comes again later.
    let deployments = world
        .facts()
        .into_iter()
        .filter(|s| matches!(s.fact, Fact::Deployment { .. }));
    deployments.for_each(|fact| twice.apply(fact));
    assert_eq!((once.stages, once.deployments), (twice.stages, twice.deployments));
}

#[test]
fn a_manifest_corrected_before_anything_ran_is_taken_as_it_is() {
    let mut world = World::new();
    world.configure(5);
    world.restart();
    let live = world.board.directive().stages[&name("account")].version.id();
    assert_eq!(live.config, fermata_core::Digest::of(br#"{"limit":5}"#));
    assert_eq!(world.fold().stages[&name("account")].version, live);
}
