//! The manifest's invariants over the answers of views.

use std::collections::BTreeMap;

use fermata_core::{Sequence, Shard};
use serde_json::{Value, json};

use super::check_with;
use super::story::Story;
use crate::verify::{Check, Part, ViewSource, Whole};

/// Views of a story, told by hand.
struct Told {
    sequences: BTreeMap<Shard, Sequence>,
    books: Value,
    open: i64,
}

impl Told {
    fn of(story: &Story) -> Self {
        let sequences = [0, 1]
            .map(|shard| (Shard(shard), Sequence(story.sequence(shard))))
            .into();
        Self {
            sequences,
            books: json!({ "EUR": 0, "USD": 0, "of": { "USD": 7 } }),
            open: 0,
        }
    }

    fn answer(&self, view: &str) -> Value {
        if view == "books" {
            self.books.clone()
        } else {
            json!({ "open": self.open, "of": "words" })
        }
    }
}

impl ViewSource for Told {
    fn parts(&self, view: &str) -> Result<BTreeMap<Shard, Part>, String> {
        let part = |(shard, sequence): (&Shard, &Sequence)| {
            (
                *shard,
                Part {
                    data: self.answer(view),
                    sequence: *sequence,
                },
            )
        };
        Ok(self.sequences.iter().map(part).collect())
    }
    fn whole(&self, view: &str) -> Result<Whole, String> {
        Ok(Whole {
            data: self.answer(view),
            positions: self.sequences.clone(),
            partial: false,
        })
    }
}

#[test]
fn hold_on_a_drained_pipeline() {
    let story = Story::full();
    let report = check_with(&story, Some(&Told::of(&story)));
    assert!(report.ok, "{:#?}", report.problems);
    assert!(report.limited.is_empty(), "{:#?}", report.limited);
    assert!(report.figures.drained);
    assert_eq!(report.figures.invariants, 3);
}

#[test]
fn a_number_that_is_off_is_named_by_shard_and_pointer() {
    let story = Story::full();
    let mut told = Told::of(&story);
    told.books["USD"] = json!(-5);
    let report = check_with(&story, Some(&told));
    let places: Vec<&str> = report.problems.iter().map(|p| p.what.as_str()).collect();
    assert_eq!(places.len(), 3, "{places:#?}");
    assert!(
        places[0].contains("books: shard 0 at journal sequence 9: books/USD is -5, expected 0"),
        "{places:#?}"
    );
    assert!(places[2].contains("all shards"), "{places:#?}");
}

#[test]
fn what_has_not_ended_matters_only_when_drained() {
    let unended = || {
        let story = Story::full();
        // As if the record had never been written: out of counts and hash, too.
        let gone = story.log.edit("out", 0, |records| records.remove(3));
        drop(gone);
        story
    };
    let never = |told: &dyn Fn(&Story) -> Told| {
        let story = unended();
        let report = check_with(&story, Some(&told(&story)));
        report
            .problems
            .iter()
            .any(|p| p.check == Check::Invariants && p.what.contains("in/0/3 never ended"))
    };
    assert!(never(&Told::of));
    assert!(
        !never(&|story| Told {
            open: 1,
            ..Told::of(story)
        }),
        "one is under way"
    );
    let elsewhere = |story: &Story| {
        let mut told = Told::of(story);
        told.sequences.insert(Shard(0), Sequence(1));
        told
    };
    assert!(!never(&elsewhere), "the views answered for another state");
}

#[test]
fn a_view_that_does_not_answer_is_a_problem() {
    struct Silent;
    impl ViewSource for Silent {
        fn parts(&self, _view: &str) -> Result<BTreeMap<Shard, Part>, String> {
            Err("it is away".into())
        }
        fn whole(&self, _view: &str) -> Result<Whole, String> {
            Err("it is away".into())
        }
    }
    let report = check_with(&Story::full(), Some(&Silent));
    assert!(
        !report.ok
            && report.problems[0]
                .what
                .contains("view books does not answer: it is away")
    );
}
