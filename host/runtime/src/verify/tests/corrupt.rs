//! One change at a time; each must be named, and by the right check.

use bytes::Bytes;
use fermata_core::journal::What;
use fermata_core::names::headers;
use fermata_core::{Header, Offset};

use super::check;
use super::memory::TRIMMED;
use super::story::Story;
use crate::verify::{Check, Report};

#[track_caller]
fn assert_named(report: &Report, check: Check, parts: &[&str]) {
    let fits = |what: &str| parts.iter().all(|part| what.contains(part));
    let named = report.problems.iter().any(|p| p.check == check && fits(&p.what));
    assert!(
        !report.ok && named,
        "{parts:?} of {} not named in {:#?}",
        check.name(),
        report.problems
    );
}

#[test]
fn the_unchanged_log_passes() {
    let mut story = Story::full();
    story.refused(1);
    let report = check(&story);
    assert!(report.ok, "{:#?}", report.problems);
    assert_eq!(report.figures.shards, 2);
    assert_eq!(report.figures.receipts, 2);
    assert_eq!(report.figures.dead_letters, 1);
    // Three records and one tick for two stages, on each shard.
    assert_eq!(report.figures.fused, 2 * (3 + 2));
    assert_eq!(report.figures.later, 0);
    // Of invariants only those that need no view.
    assert_eq!(report.limited.len(), 3, "{:#?}", report.limited);
}

#[test]
fn an_empty_log_passes() {
    let report = check(&Story::new());
    assert!(report.ok, "{:#?}", report.problems);
}

#[test]
fn a_dropped_journal_record() {
    let story = Story::full();
    story.log.edit("p.journal", 1, |records| records.remove(2));
    assert_named(
        &check(&story),
        Check::JournalChain,
        &["p.journal/1/3", "sequence 4 follows 2"],
    );

    let story = Story::full();
    story.log.edit("p.journal", 0, |records| records.remove(0));
    assert_named(
        &check(&story),
        Check::JournalChain,
        &["shard 0", "begins with sequence 2"],
    );

    // The last one: its transaction's records are left without a cause.
    let mut story = Story::full();
    story.fused(0);
    story.log.edit("p.journal", 0, |records| records.pop());
    assert_named(
        &check(&story),
        Check::Outputs,
        &["stage second on shard 0", "no journal record holds", "out/0/4"],
    );
    assert_named(&check(&story), Check::Fusion, &["mid/0/4", "second processed"]);
}

#[test]
fn a_changed_journal_record() {
    let story = Story::full();
    story.log.edit("p.journal", 0, |records| {
        let mut bytes = records[1].value.take().unwrap().to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        records[1].value = Some(bytes.into());
    });
    assert!(!check(&story).ok);

    let story = Story::full();
    story.log.edit("p.journal", 0, |records| {
        records[1].value = Some(Bytes::from_static(b"\x01\xff\xff"))
    });
    assert_named(
        &check(&story),
        Check::JournalChain,
        &["p.journal/0/1", "cannot be decoded"],
    );
}

#[test]
fn a_doubled_end_record() {
    let story = Story::full();
    story.log.edit("out", 1, |records| {
        let mut again = records[1].clone();
        again.offset = records.last().unwrap().offset.next();
        records.push(again);
    });
    let report = check(&story);
    assert_named(&report, Check::Duplicates, &["out/1", "offsets 1 and 4"]);
    assert_named(
        &report,
        Check::Outputs,
        &["stage second on shard 1", "counts 4 records, the topics hold 5"],
    );
    assert_named(
        &report,
        Check::Invariants,
        &["ends-once", "ended twice, at out/1/1 and out/1/4"],
    );
}

#[test]
fn one_byte_of_a_value() {
    let story = Story::full();
    let offset = story.offset_of("out", 0, 2);
    story.log.edit("out", 0, |records| {
        let mut value = records[2].value.take().unwrap().to_vec();
        value[3] ^= 1;
        records[2].value = Some(value.into());
    });
    let report = check(&story);
    // The transaction is found, and with it the record.
    assert_named(
        &report,
        Check::Outputs,
        &[
            "stage second on shard 0, journal sequence 7",
            &format!("out/0/{offset}"),
        ],
    );
    assert_eq!(report.problems.len(), 2, "{:#?}", report.problems);
}

#[test]
fn a_missing_output() {
    let story = Story::full();
    story.log.edit("out", 0, |records| records.remove(1));
    let report = check(&story);
    assert_named(
        &report,
        Check::Outputs,
        &["stage second on shard 0", "counts 4 records, the topics hold 3"],
    );
    assert_named(&report, Check::Outputs, &["journal sequence 5", "no record at all"]);

    let mut story = Story::full();
    story.refused(1);
    story.log.edit("p.dlq", 1, |records| records.clear());
    assert_named(
        &check(&story),
        Check::DeadLetters,
        &["stage first on shard 1", "counts 1 dead letters"],
    );
}

#[test]
fn a_receipt_moved_to_another_record() {
    let story = Story::full();
    let moved = std::cell::RefCell::new(Vec::new());
    story.rewrite(1, |entry| match entry.sequence {
        6 => moved.borrow_mut().append(&mut entry.receipts),
        7 => entry.receipts.append(&mut moved.borrow_mut()),
        _ => {}
    });
    let report = check(&story);
    assert_named(
        &report,
        Check::Receipts,
        &["shard 1, sequence 6", "stage second", "without a receipt"],
    );
    assert_named(
        &report,
        Check::Receipts,
        &["shard 1, sequence 7", "deployment 4 ends version"],
    );
}

#[test]
fn a_receipt_that_lies() {
    let story = Story::full();
    story.rewrite(0, |entry| {
        entry.receipts.iter_mut().for_each(|r| r.positions[0].next += 1)
    });
    assert_named(
        &check(&story),
        Check::Receipts,
        &["shard 0, sequence 6", "it says positions"],
    );

    let story = Story::full();
    story.rewrite(0, |entry| entry.receipts.iter_mut().for_each(|r| r.shard = 1));
    assert_named(&check(&story), Check::Receipts, &["it is for shard 1"]);

    let story = Story::full();
    story.rewrite(0, |entry| entry.receipts.iter_mut().for_each(|r| r.deployment = 5));
    assert_named(&check(&story), Check::Receipts, &["deployment 5 became 4"]);
}

#[test]
fn a_position_gap_and_an_overlap() {
    let shifted = |by: i64| {
        let story = Story::full();
        story.rewrite(0, |entry| {
            for event in entry
                .tasks
                .iter_mut()
                .flat_map(|t| &mut t.events)
                .filter(|_| entry.sequence == 4)
            {
                if let Some(What::Run(run)) = &mut event.what {
                    run.from = run.from.saturating_add_signed(by);
                    run.next += 1;
                }
            }
        });
        check(&story)
    };
    assert_named(
        &shifted(1),
        Check::Positions,
        &["shard 0, sequence 4, stage first, topic in", "gap"],
    );
    assert_named(
        &shifted(-1),
        Check::Positions,
        &["shard 0, sequence 4, stage first, topic in", "overlap"],
    );
}

#[test]
fn a_record_that_no_stage_read() {
    let story = Story::full();
    story.rewrite(0, |entry| {
        for event in entry
            .tasks
            .iter_mut()
            .flat_map(|t| &mut t.events)
            .filter(|_| entry.sequence == 1)
        {
            if let Some(What::Run(run)) = &mut event.what {
                (run.from, run.next) = (1, 2);
            }
        }
    });
    assert_named(&check(&story), Check::Positions, &["in/0/0", "first began at offset 1"]);

    let story = Story::full();
    story.log.edit("in", 1, |records| records.pop());
    assert_named(
        &check(&story),
        Check::Positions,
        &["in/1: stage first stands at offset 4", "ends at 3"],
    );
}

#[test]
fn a_done_mark_without_an_event_and_an_event_without_a_mark() {
    let set = |mark: Option<&'static str>, index: usize| {
        let story = Story::full();
        story.log.edit("mid", 0, |records| {
            records[index].headers.retain(|h| h.key != headers::DONE);
            records[index]
                .headers
                .extend(mark.map(|m| Header::new(headers::DONE, m)));
        });
        check(&story)
    };
    // The second record of `mid` was read by the stage in a transaction of its own.
    assert_named(
        &set(Some("second@1"), 1),
        Check::Fusion,
        &["mid/0/1", "second processed"],
    );
    assert_named(
        &set(None, 2),
        Check::Fusion,
        &["mid/0: no record in/0/2#first.0", "sequence 7"],
    );
}

#[test]
fn headers_that_are_missing_or_false() {
    let edited = |name: &'static str, value: Option<&'static str>| {
        let story = Story::full();
        story.log.edit("out", 0, |records| {
            records[0].headers.retain(|h| h.key != name);
            records[0].headers.extend(value.map(|v| Header::new(name, v)));
        });
        check(&story)
    };
    assert_named(
        &edited(headers::ID, None),
        Check::Headers,
        &["out/0/0", "fermata-id is missing"],
    );
    assert_named(
        &edited(headers::CAUSE, Some("here")),
        Check::Headers,
        &["out/0/0", "fermata-cause is \"here\""],
    );
    assert_named(
        &edited(headers::STAGE, Some("first")),
        Check::Headers,
        &["out/0/0", "does not write here"],
    );
    assert_named(
        &edited(headers::DIGEST, Some("0123")),
        Check::Headers,
        &["out/0/0", "never ran"],
    );
    assert_named(
        &edited(headers::ROOT_TIME, Some("soon")),
        Check::Headers,
        &["not a time"],
    );
}

/// What retention took is not compared, and the report says so.
#[test]
fn a_trimmed_topic_limits_the_report() {
    let story = Story::full();
    story
        .log
        .edit("out", 0, |records| records.retain(|r| r.offset >= Offset(TRIMMED)));
    let report = check(&story);
    assert!(report.ok, "{:#?}", report.problems);
    let said = |part: &str| report.limited.iter().any(|l| l.contains(part));
    assert!(
        said("out/0 is kept from offset 2") && said("outputs of stage second"),
        "{:#?}",
        report.limited
    );

    let story = Story::full();
    story.log.edit("p.journal", 0, |records| {
        records.retain(|r| r.offset >= Offset(TRIMMED))
    });
    let report = check(&story);
    assert!(report.ok, "{:#?}", report.problems);
    assert!(
        report.limited.iter().any(|l| l.contains("kept from sequence 3")),
        "{:#?}",
        report.limited
    );
}
