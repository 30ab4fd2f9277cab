//! What must hold of a run.

use super::fixture::{Fixture, Neighbours, Verdict};
use super::pipeline::{BAD, ENGINE, Kept, Row, Seen};
use super::validator;
use fermata_core::names::headers as h;
use fermata_core::names::{metrics, stores};
use fermata_core::partition;
use fermata_core::ports::{Artifacts, Executor};
use fermata_runtime::trial::{Trial, Tried};
use fermata_runtime::verify::{Check, Replay, VerifySpec, verify};
use fermata_runtime::worker::memos::REPORTED;
use fermata_runtime::worker::meters::{Series, Value};
use std::fmt::Debug;
use std::sync::Arc;

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
    let (rows, kept, series) = (
        |seen: &Seen| rows(fixture, seen),
        |seen: &Seen| kept(fixture, seen),
        |seen: &Seen| series(fixture, seen),
    );
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

/// Their records, and their dead letters, with which sound validators count.
fn rows(fixture: &Fixture, seen: &Seen) -> Vec<Row> {
    let shard = partition::shard_of(BAD.as_bytes(), seen.manifest.partitions);
    let foreign = |row: &Row| {
        let topics = ["work", "other", "othered"];
        topics.contains(&row.topic.as_str()) || header(row, h::STAGE) == "beside"
    };
    let others = |row: &&Row| match fixture.expect.neighbours {
        Neighbours::Keys => row.key != BAD || fixture.changes_nothing(),
        Neighbours::Stages => foreign(row) && row.key != BAD,
        Neighbours::Shards => row.shard != shard || foreign(row),
    };
    let letters = seen
        .dead
        .iter()
        .filter(|row| validator::is_sound(&header(row, h::CODE)));
    seen.rows.iter().chain(letters).filter(others).cloned().collect()
}

/// What their stages and validators keep.
fn kept(fixture: &Fixture, seen: &Seen) -> Vec<Kept> {
    let shard = partition::shard_of(BAD.as_bytes(), seen.manifest.partitions);
    let everywhere = fixture.validator.as_ref().is_some_and(misbehaves_everywhere);
    let own = |key: &str| key.starts_with("guard\0") && (everywhere || key.contains(BAD));
    let others = |(stage, store, at, key, value): &&Kept| {
        // Apart from those of whoever enforces, and else the same.
        let key = key.strip_prefix(REPORTED).unwrap_or(key);
        let by_key = || key.starts_with("key-") || key.contains("\0key-") || value.windows(4).any(|w| w == b"key-");
        match (fixture.expect.neighbours, stage.as_str()) {
            (_, "beside") => true,
            (Neighbours::Stages, "hostile") => store == stores::MEMOS && key.starts_with("before\0"),
            (Neighbours::Stages, _) => false,
            (Neighbours::Shards, _) => *at != shard,
            (Neighbours::Keys, _) if fixture.changes_nothing() => !own(key),
            (Neighbours::Keys, "hostile") => by_key() && !own(key),
            (Neighbours::Keys, _) => !key.contains(BAD),
        }
    };
    seen.kept.iter().filter(others).cloned().collect()
}

/// Their figures.
fn series(fixture: &Fixture, seen: &Seen) -> Vec<(Series, Value)> {
    // Whether the bad record is counted and goes on to the next stage may itself be the matter.
    let partly = fixture.validator.is_some() && fixture.expect.dead_letters == 1;
    let unequal = fixture.config.contains_key("on") || fixture.expect.replay_differs || partly;
    let others = |(stage, metric, labels): &Series| {
        let sound = |label: &String| label == "sound";
        match (fixture.expect.neighbours, stage.as_str()) {
            (_, "beside") => true,
            (Neighbours::Shards, _) => false,
            (Neighbours::Stages, "hostile") if metric == metrics::VALIDATOR_RECORDS => labels[0] == "before",
            (Neighbours::Stages, _) => false,
            (_, "hostile") if metric == metrics::VALIDATOR_RECORDS => {
                labels[0] != validator::GUARD && (sound(&labels[1]) || fixture.changes_nothing())
            }
            (_, "hostile") => !unequal && labels.iter().all(sound),
            _ => !unequal,
        }
    };
    let all = seen.series.iter().filter(|(series, _)| others(series));
    all.map(|(series, value)| (series.clone(), *value)).collect()
}

fn misbehaves_everywhere(guard: &toml::Table) -> bool {
    let config = guard.get("config").and_then(toml::Value::as_table);
    config.and_then(|c| c.get("on")).and_then(toml::Value::as_str) == Some("every")
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
    // Those of sound validators are their neighbours' matter.
    let sound = |row: &&Row| validator::is_sound(&header(row, h::CODE));
    let dead: Vec<&Row> = seen.dead.iter().filter(|row| !sound(row)).collect();
    assert_eq!(dead.len(), expect.dead_letters, "{name}: {dead:#?}");
    assert!(seen.ticks <= MOST_TICKS, "{name}: {} ticks", seen.ticks);
    let paused = expect.verdict() == Verdict::Paused;
    match &seen.paused {
        Some(why) if paused => says(fixture, why),
        found => assert_eq!(found.is_some(), paused, "{name}: paused: {found:?}"),
    }
    if expect.neighbours == Neighbours::Keys {
        assert!(dead.iter().all(|d| d.key == BAD), "{name}: {dead:#?}");
    }
    if let Verdict::DeadLetter(code) = expect.verdict() {
        for letter in &dead {
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
    counted(fixture, seen);
    dead.len()
}

/// What the validator said of the records, which must have met the misbehaviour.
fn counted(fixture: &Fixture, seen: &Seen) {
    for (verdict, expected) in &fixture.expect.counted {
        let found = seen.series.iter().find(|((stage, metric, labels), _)| {
            stage.as_str() == "hostile"
                && metric == metrics::VALIDATOR_RECORDS
                && labels[..] == [validator::GUARD, verdict.as_str()]
        });
        let found = found.map(|(_, value)| *value);
        assert_eq!(found, Some(Value::Counter(*expected)), "{}: {verdict}", fixture.name);
    }
}

/// A validator lies to itself alone: what it keeps for the bad key is not what it would keep, and no other's is.
pub fn lied(fixture: &Fixture, with: &Seen, without: &Seen) {
    let memo = |seen: &Seen| {
        let own =
            |(_, store, _, key, _): &&Kept| store == stores::MEMOS && *key == format!("{}\0{BAD}", validator::GUARD);
        seen.kept.iter().find(own).cloned()
    };
    assert_ne!(memo(with), memo(without), "{}: it said what is true", fixture.name);
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

/// As a candidate it is tried on the records that the run left: refused exactly when it answers from memory.
pub fn trial(fixture: &Fixture, seen: &Seen) {
    let name = &fixture.name;
    let stage = seen.manifest.stage("hostile").expect("it is in the manifest");
    let (version, setup) = seen
        .shelf
        .prepare(stage)
        .unwrap_or_else(|e| panic!("{name}: {}", e.because));
    let trial = Trial {
        manifest: seen.manifest.clone(),
        log: Arc::new(seen.log.clone()),
    };
    let tried = trial
        .run(&stage.name, version, &setup)
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    if fixture.expect.replay_differs || fixture.expect.remembers {
        assert!(matches!(tried, Tried::Differs(_)), "{name}: {tried:?}");
    } else {
        assert!(!matches!(tried, Tried::Differs(_)), "{name}: {tried:?}");
    }
}
