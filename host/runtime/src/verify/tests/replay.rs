//! The journals executed again.

use std::sync::atomic::Ordering;

use fermata_core::{Digest, Offset};

use super::memory::TRIMMED;
use super::stages::Stages;
use super::story::Story;
use crate::verify::{Check, Replay, Report, VerifySpec, verify};

/// Records, refusals, cutovers and timers that fire over both shards.
fn story() -> Story {
    let mut story = Story::with_timers().told();
    for shard in [0, 1] {
        story.refused(shard);
        story.fused(shard);
        story.tick(shard);
        story.cutover(shard, "second", 0, 5);
        story.apart(shard);
        story.catch_up(shard);
        story.tick(shard);
    }
    story
}

fn replay(story: &Story, stages: &Stages, how: impl FnOnce(&mut Replay<'_>)) -> Report {
    let mut replay = Replay::new(stages, stages);
    how(&mut replay);
    verify(&VerifySpec {
        manifest: &story.manifest,
        log: &story.log,
        views: None,
        replay: Some(replay),
    })
    .unwrap()
}

#[test]
fn gives_the_same_counts_and_hashes() {
    let report = replay(&story(), &Stages::default(), |_| {});
    assert!(report.ok, "{:#?}", report.problems);
    // On each shard seven records (one refused) through the first stage, six through the second, six timers.
    assert_eq!(report.figures.replayed, 2 * (7 + 6 + 6));
}

#[test]
fn does_not_depend_on_instances_or_batches() {
    let story = story();
    for seed in 0..20 {
        let stages = Stages::default();
        let report = replay(&story, &stages, |r| (r.drop_instances, r.recut) = (true, Some(seed)));
        assert!(report.ok, "seed {seed}: {:#?}", report.problems);
        assert_eq!(
            stages.instances.load(Ordering::Relaxed),
            report.figures.replayed,
            "one instance for each call"
        );
    }
}

/// The proof has teeth: a guest that counts in its own memory is found as soon as instances are dropped.
#[test]
fn finds_a_guest_that_keeps_something_in_memory() {
    let stages = Stages {
        remember: true,
        ..Stages::default()
    };
    let report = replay(&story(), &stages, |r| r.drop_instances = true);
    assert!(
        report.problems.iter().any(|p| p.check == Check::Replay),
        "{:#?}",
        report.problems
    );
}

#[test]
fn names_the_first_difference() {
    let stages = Stages {
        wrong_from: Some(3),
        ..Stages::default()
    };
    let report = replay(&story(), &stages, |_| {});
    let found: Vec<_> = report.problems.iter().map(|p| (p.check, p.what.as_str())).collect();
    assert_eq!(found.len(), 4, "one for each task: {found:#?}");
    assert!(found.iter().all(|(check, _)| *check == Check::Replay));
    // The third record of the first stage came with the seventh transaction.
    let first = "stage first on shard 0, journal sequence 7: the journal's output hash is";
    assert!(found[0].1.starts_with(first), "{found:#?}");
}

#[test]
fn says_what_it_cannot_replay() {
    let story = story();
    story
        .log
        .edit("in", 1, |records| records.retain(|r| r.offset >= Offset(TRIMMED)));
    let report = replay(&story, &Stages::default(), |_| {});
    let said = "stage first on shard 1 is not replayed: in is kept from offset 2 on";
    assert!(report.limited.iter().any(|l| l == said), "{:#?}", report.limited);
    assert!(report.ok, "{:#?}", report.problems);

    // A component that nobody has any more.
    let story = super::replay::story();
    story.rewrite(0, |entry| entry.versions[0].component = Digest::of(b"gone").0.to_vec());
    let report = replay(&story, &Stages::default(), |_| {});
    let named = |p: &crate::verify::Problem| p.check == Check::Replay && p.what.contains("was not found");
    assert!(report.problems.iter().any(named), "{:#?}", report.problems);
}
