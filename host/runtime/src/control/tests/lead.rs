//! Two processes that both think they decide.

use super::world::World;
use crate::control::{ControlError, Fold, Progress};
use fermata_core::control::{Fact, Status, Verb};
use std::time::Duration;

fn folded(world: &World) -> Fold {
    let mut fold = Fold::default();
    world.facts().into_iter().for_each(|fact| fold.apply(fact));
    fold
}

#[test]
fn a_leader_that_was_replaced_stops_and_changes_nothing() {
    let mut world = World::new();
    let mut replaced = world.restart();
    let before = folded(&world);
    let pause = world.send(Verb::Pause);
    let error = replaced.step(Duration::ZERO).unwrap_err();
    assert!(
        matches!(error, ControlError::Deposed { own: 1, theirs: 2 }),
        "it says who decides: {error}"
    );
    assert_eq!(folded(&world), before, "its facts are void to every reader");
    world.step();
    assert_eq!(world.outcome(pause).progress, Progress::Done);
    assert_eq!(folded(&world), world.fold(), "and the one that decides is not misled");
}

#[test]
fn a_lost_answer_does_not_keep_a_replaced_leader_going() {
    let mut world = World::new();
    let mut replaced = world.restart();
    world.send(Verb::Pause);
    world.log.lose_answer.store(true, std::sync::atomic::Ordering::SeqCst);
    replaced.step(Duration::ZERO).expect("the log was away");
    let error = replaced.step(Duration::ZERO).unwrap_err();
    assert!(matches!(error, ControlError::Deposed { .. }), "{error}");
}

#[test]
fn of_two_that_claim_one_term_the_first_in_the_topic_has_it() {
    let status = |term, fact| Status {
        v: 1,
        at: 0,
        epoch: 0,
        term,
        command: None,
        fact,
    };
    let mut fold = Fold::default();
    assert!(fold.heeds(&status(1, Fact::Leading)));
    fold.apply(status(1, Fact::Leading));
    assert!(!fold.heeds(&status(1, Fact::Leading)));
    let resumed = || Fact::Resumed { by: "tester".into() };
    assert!(fold.heeds(&status(1, resumed())));
    assert!(!fold.heeds(&status(0, resumed())));
}
