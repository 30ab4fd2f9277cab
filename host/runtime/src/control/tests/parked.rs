//! Orders to release and skip: one after the other, over restarts; stages at fault.

use super::world::{World, name};
use crate::board::WorkerEvent;
use crate::control::{Flow, Progress};
use fermata_core::control::{Parked, RecordKey, Verb};
use fermata_core::journal::{Counts, Unparking};
use fermata_core::{Shard, StageName, codes};

fn key(text: &str) -> Option<RecordKey> {
    Some(RecordKey(text.to_owned().into()))
}

/// What a task says of the order.
fn said(world: &World, shard: u32, stage: &StageName, unparking: Unparking) {
    let mut report = world.board.reports()[&Shard(shard)].clone();
    report.tasks.get_mut(stage).expect("all tasks report").unparking = unparking;
    world.board.report(Shard(shard), report);
}

fn done(order: u64, released: u64) -> Unparking {
    Unparking {
        order,
        done: true,
        released,
        keys: 1,
        ..Unparking::default()
    }
}

#[test]
fn orders_are_carried_out_one_after_the_other() {
    let mut world = World::new();
    let account = name("account");
    let of_account = Parked {
        stage: Some(account.clone()),
        key: key("a"),
    };
    let first = world.send(Verb::Skip(of_account.clone()));
    let second = world.send(Verb::Release(of_account));
    world.step();
    assert_eq!(world.outcome(first).progress, Progress::Running);
    let on_board = |world: &World| world.board.orders().unpark.as_ref().map(|u| (u.number, u.skip));
    assert_eq!(on_board(&world), Some((1, true)));
    said(&world, 0, &account, done(1, 2));
    world.step();
    assert_eq!(on_board(&world), Some((1, true)), "the other shard has not answered");
    world.restart();
    world.workers();
    world.step();
    assert_eq!(on_board(&world), Some((1, true)), "after a restart the order stands");
    said(&world, 0, &account, done(1, 2));
    said(
        &world,
        1,
        &account,
        Unparking {
            done: false,
            ..done(1, 0)
        },
    );
    world.step();
    assert_eq!(on_board(&world), Some((1, true)), "begun is not done");
    let mut last = done(1, 3);
    (last.failed, last.refused) = (1, "paused".into());
    said(&world, 1, &account, last);
    world.step();
    let Progress::Unparked {
        released,
        keys,
        failed,
        refused,
        ..
    } = world.outcome(first).progress
    else {
        panic!("{:?}", world.outcome(first))
    };
    assert_eq!((released, keys, failed), (5, 2, 1));
    assert_eq!(refused, ["stage account on shard 1: paused"]);
    assert_eq!(on_board(&world), Some((2, false)));
    assert_eq!(world.outcome(second).progress, Progress::Running);
    said(&world, 0, &account, done(2, 0));
    said(&world, 1, &account, done(2, 0));
    world.step();
    assert_eq!(on_board(&world), None);
    assert!(world.fold().orders.is_empty());
}

#[test]
fn a_skip_names_its_key_and_a_stage_is_one_of_the_manifest() {
    let mut world = World::new();
    let all = world.send(Verb::Skip(Parked::default()));
    let nowhere = world.send(Verb::Release(Parked {
        stage: Some(name("acount")),
        key: None,
    }));
    world.step();
    assert_eq!(world.refusal(all).0, codes::CONTROL_REFUSED);
    assert!(world.refusal(nowhere).1.contains("did you mean \"account\""));
    assert_eq!(world.board.orders().unpark, None);
}

#[test]
fn what_is_parked_keeps_a_drain_from_ending() {
    let mut world = World::new();
    let drain = world.send(Verb::Drain { timeout_ms: 5_000 });
    world.step();
    world.workers();
    let parked = |world: &World, unparked: u64| {
        let mut report = world.board.reports()[&Shard(1)].clone();
        report.sequence.0 += unparked;
        report.tasks.get_mut(&name("account")).expect("it reports").counts = Counts {
            processed: 1,
            parked: 1,
            unparked,
            ..Counts::default()
        };
        world.board.report(Shard(1), report);
    };
    parked(&world, 0);
    for _ in 0..4 {
        world.step();
    }
    assert_eq!(world.outcome(drain).progress, Progress::Running);
    assert_eq!(world.controller.view().state().flow, Flow::Draining);
    parked(&world, 1);
    for _ in 0..3 {
        world.step();
    }
    assert_eq!(world.outcome(drain).progress, Progress::Done);
}

fn find_at_fault(world: &World, deployment: u64, retries: u64) {
    world.board.tell(WorkerEvent::StageAtFault {
        stage: name("account"),
        deployment,
        retries,
        shard: Shard(1),
        because: "it faults on what it passed".into(),
    });
}

#[test]
fn a_stage_at_fault_stands_still_until_somebody_does_something() {
    let mut world = World::new();
    let stands = |world: &World| world.board.orders().at_fault.contains_key(&name("account"));
    find_at_fault(&world, 0, 0);
    world.step();
    assert!(stands(&world));
    assert_eq!(
        world.fold().at_fault[&name("account")].code,
        codes::RECORD_STAGE_AT_FAULT
    );
    world.restart();
    assert!(stands(&world), "over a restart");
    world.workers();
    world.send(Verb::Resume);
    world.step();
    assert!(!stands(&world) && world.board.orders().retries == 1);
    find_at_fault(&world, 0, 0);
    world.step();
    assert!(!stands(&world), "said before the resume");
    find_at_fault(&world, 0, 1);
    world.step();
    assert!(stands(&world));
    world.deploy("account@1.1.0");
    world.settle();
    assert!(!stands(&world), "another version has another chance");
    find_at_fault(&world, 0, 1);
    world.step();
    assert!(!stands(&world), "said of the version before");
}

#[test]
fn a_resume_of_what_runs_retries_nothing() {
    let mut world = World::new();
    world.send(Verb::Resume);
    world.step();
    assert_eq!(world.board.orders().retries, 0);
}
