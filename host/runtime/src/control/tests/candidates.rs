//! What a candidate is refused for, and that the old version goes on.

use super::components::account;
use super::world::World;
use crate::control::Progress;
use fermata_core::codes;
use fermata_core::control::DeploymentState;
use serde_json::{Value, json};

fn refused(change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut world = World::new();
    world.shelf.add("candidate", &account("2.0.0", change));
    let command = world.deploy("candidate");
    world.settle();
    assert_eq!(world.state(1), DeploymentState::Refused);
    assert_eq!(world.runs(), [world.digest("account@1.0.0"); 2]);
    world.refusal(command)
}

#[test]
fn an_output_that_is_not_wired_is_refused_with_the_nearest_name() {
    let (code, because) = refused(|c| c["outputs"] = json!(["complete", "completed"]));
    assert_eq!(code, codes::MANIFEST_PORT);
    assert!(
        because.contains("\"completed\"") && because.contains("did you mean \"complete\"?"),
        "{because}"
    );
}

#[test]
fn wired_ports_that_it_lacks_are_refused() {
    let (code, because) = refused(|c| c["inputs"] = json!(["in-flight"]));
    assert_eq!(code, codes::MANIFEST_PORT);
    assert!(
        because.contains("input \"inflight\"") && because.contains("did you mean \"in-flight\"?"),
        "{because}"
    );
    let (code, because) = refused(|c| c["outputs"] = json!([]));
    assert_eq!(code, codes::MANIFEST_PORT);
    assert!(because.contains("output \"complete\""), "{because}");
}

#[test]
fn another_schema_is_refused() {
    let (code, because) = refused(|c| c["stores"]["balances"] = json!(4));
    assert_eq!(code, codes::COMPONENT_CONTRACT);
    assert!(
        because.contains("schema 3") && because.contains("schema 4"),
        "{because}"
    );
}

#[test]
fn a_new_store_is_no_hindrance() {
    let mut world = World::new();
    world
        .shelf
        .add("candidate", &account("2.0.0", |c| c["stores"]["limits"] = json!(1)));
    let command = world.deploy("candidate");
    world.settle();
    assert_eq!(world.outcome(command).progress, Progress::Running);
    assert_eq!(world.state(1), DeploymentState::Probation);
}

#[test]
fn its_own_init_may_refuse() {
    let (code, because) = refused(|c| c["init"] = json!("max-amount must be positive"));
    assert_eq!(code, codes::COMPONENT_INIT);
    assert!(because.contains("max-amount must be positive"), "{because}");
}

#[test]
fn bytes_that_are_gone_or_no_component_are_refused() {
    let mut world = World::new();
    let digest = world.digest("account@1.1.0");
    let command = world.deploy("account@1.1.0");
    world.shelf.lose(&digest);
    world.step();
    assert_eq!(world.refusal(command).0, codes::COMPONENT_MISSING);
}

#[test]
fn in_the_background_steps_go_on_meanwhile() {
    let mut world = World::new();
    world.prepare_in_background();
    let deploy = world.deploy("account@1.1.0");
    world.shelf.hold();
    world.step();
    world.step();
    assert_eq!(world.state(1), DeploymentState::Proposed);
    let pause = world.send(fermata_core::control::Verb::Pause);
    world.step();
    assert_eq!(world.outcome(pause).progress, Progress::Done);
    world.shelf.release();
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while world.state(1) == DeploymentState::Proposed {
        assert!(
            std::time::Instant::now() < deadline,
            "never prepared: {:?}",
            world.facts()
        );
        world.step();
        std::thread::yield_now();
    }
    assert_eq!(world.outcome(deploy).progress, Progress::Running);
}
