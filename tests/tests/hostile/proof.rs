//! What must hold of a run.

use super::fixture::{Fixture, Neighbours, Verdict};
use super::pipeline::{BAD, ENGINE, Row, Seen};
use fermata_core::names::headers as h;
use fermata_core::ports::{Artifacts, Executor};
use fermata_runtime::verify::{Check, Replay, VerifySpec, verify};
use std::fmt::Debug;

/// Ticks that a run of this length needs at most: some for each record's wave, some for each second, twice.
const MOST_TICKS: usize = 100;

pub fn says(fixture: &Fixture, found: &str) {
    let expected = &fixture.expect.says;
    assert!(
        found.contains(expected.as_str()),
        "{}: {found:?} lacks {expected:?}",
        fixture.name
    );
    let bare = |c: char| c.is_control() && c != '\n';
    assert!(
        !found.contains(bare),
        "{}: control characters in {found:?}",
        fixture.name
    );
}

/// Everything of others is equal to the byte. Answers how many things were compared.
pub fn neighbours(fixture: &Fixture, with: &Seen, without: &Seen) -> usize {
    let whole = fixture.expect.neighbours == Neighbours::Stages;
    let others = |row: &&Row| match whole {
        true => ["work", "other", "othered"].contains(&row.topic.as_str()) && row.key != BAD,
        false => row.key != BAD,
    };
    let rows = |seen: &Seen| -> Vec<Row> { seen.rows.iter().filter(others).cloned().collect() };
    let kept = |seen: &Seen| {
        let all = seen
            .kept
            .iter()
            .filter(|(stage, _, _, key, value)| match stage.as_str() {
                "beside" => true,
                "behind" | "hostile" if whole => false,
                "hostile" => key.starts_with("key-") || value.windows(4).any(|w| w == b"key-"),
                _ => !key.contains(BAD),
            });
        all.cloned().collect::<Vec<_>>()
    };
    // Whether the bad record is counted and goes on to the next stage may itself be the matter.
    let unequal = fixture.config.contains_key("on") || fixture.expect.replay_differs;
    let series = |seen: &Seen| {
        let all = seen
            .series
            .iter()
            .filter(|((stage, _, labels), _)| match stage.as_str() {
                "beside" => true,
                "hostile" => !whole && !unequal && labels.iter().all(|l| l == "sound"),
                _ => !whole && !unequal,
            });
        all.map(|(k, v)| (k.clone(), *v)).collect::<Vec<_>>()
    };
    assert!(rows(with).len() >= 100, "{}: too few neighbours", fixture.name);
    assert!(
        !kept(with).is_empty() && !series(with).is_empty(),
        "{}: no neighbours",
        fixture.name
    );
    same(fixture, "records", &rows(with), &rows(without))
        + same(fixture, "entries", &kept(with), &kept(without))
        + same(fixture, "figures", &series(with), &series(without))
}

fn same<T: PartialEq + Debug>(fixture: &Fixture, what: &str, with: &[T], without: &[T]) -> usize {
    let name = &fixture.name;
    for (a, b) in with.iter().zip(without) {
        assert_eq!(a, b, "{name}: {what} of neighbours differ");
    }
    assert_eq!(with.len(), without.len(), "{name}: the number of neighbours' {what}");
    with.len()
}

/// What came of the guest itself. Answers the number of dead letters.
pub fn verdict(fixture: &Fixture, seen: &Seen) -> usize {
    let (name, expect) = (&fixture.name, &fixture.expect);
    assert_eq!(seen.dead.len(), expect.dead_letters, "{name}: {:#?}", seen.dead);
    assert!(seen.ticks <= MOST_TICKS, "{name}: {} ticks", seen.ticks);
    let paused = expect.verdict() == Verdict::Paused;
    match &seen.paused {
        Some(why) if paused => says(fixture, why),
        found => assert_eq!(found.is_some(), paused, "{name}: paused: {found:?}"),
    }
    if expect.neighbours == Neighbours::Keys {
        assert!(seen.dead.iter().all(|d| d.key == BAD), "{name}: {:#?}", seen.dead);
    }
    if let Verdict::DeadLetter(code) = expect.verdict() {
        for letter in &seen.dead {
            assert_eq!(header(letter, h::CODE), code, "{name}: {letter:#?}");
            assert_eq!(header(letter, h::ERRORS_EXCEPTION), code, "{name}: {letter:#?}");
            says(fixture, &header(letter, h::ERRORS_MESSAGE));
            assert!(header(letter, h::ERRORS_MESSAGE).len() <= 1024, "{name}: {letter:#?}");
        }
    }
    match (&seen.view, expect.verdict()) {
        (Err(failure), Verdict::View(code)) => {
            assert_eq!(failure.code(), code, "{name}: {failure}");
            says(fixture, &failure.to_string());
        }
        (found, Verdict::View(_)) => panic!("{name}: the view answers: {found:?}"),
        (Err(failure), _) if fixture.wat.is_none() => panic!("{name}: the view does not answer: {failure}"),
        _ => {}
    }
    seen.dead.len()
}

fn header(row: &Row, name: &str) -> String {
    let found = row.headers.iter().find(|x| x.key == name);
    let value = found.and_then(|x| x.value.as_deref()).unwrap_or_default();
    String::from_utf8_lossy(value).into_owned()
}

/// The log proves itself, and replay on fresh instances gives the same bytes: or finds out who kept memory.
pub fn books(fixture: &Fixture, seen: &Seen) {
    let mut replay = Replay::new(&*ENGINE as &dyn Executor, &seen.shelf as &dyn Artifacts);
    replay.drop_instances = true;
    let spec = VerifySpec {
        manifest: &seen.manifest,
        log: &seen.log,
        views: None,
        replay: Some(replay),
    };
    let report = verify(&spec).unwrap_or_else(|e| panic!("{}: {e}", fixture.name));
    let name = &fixture.name;
    if fixture.expect.replay_differs {
        assert!(!report.ok, "{name}: replay found nothing");
        assert!(
            report.problems.iter().all(|p| p.check == Check::Replay),
            "{name}: {:#?}",
            report.problems
        );
    } else {
        assert!(report.ok, "{name}: {:#?}", report.problems);
    }
    assert!(report.figures.replayed > 100, "{name}: {:?}", report.figures);
}
