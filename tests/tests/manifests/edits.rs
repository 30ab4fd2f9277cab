//! Whatever is done to a manifest, reading it ends with a manifest or with problems that have a place.

use super::{PAYMENTS, schema};
use fermata_core::manifest::Source;
use proptest::prelude::*;

/// Pieces of which manifests, and worse, are made.
const PIECES: &[&str] = &[
    "",
    "\n",
    " ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "=",
    ".",
    ",",
    "#",
    "\"\"\"",
    "0",
    "-1",
    "9e999",
    "nan",
    "true",
    "1979-05-27T07:32:00Z",
    "env.prod = { partitions = 3 }\n",
    "${env:X}",
    "${",
    "\u{feff}",
    "\u{0}",
    "é",
    "payment.incoming",
    "[stage.validate]\n",
    "component = \"x\"\n",
    "in = []\n",
    "[[goal]]\n",
    "\"200ms\"",
    "99999999999999999999",
];

#[derive(Clone, Debug)]
struct Edit {
    at: prop::sample::Index,
    length: usize,
    piece: &'static str,
}

fn edit() -> impl Strategy<Value = Edit> {
    let length = prop_oneof![4 => 0..4_usize, 2 => 0..40_usize, 1 => 0..900_usize];
    (any::<prop::sample::Index>(), length, prop::sample::select(PIECES)).prop_map(|(at, length, piece)| Edit {
        at,
        length,
        piece,
    })
}

fn apply(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let at = edit.at.index(chars.len() + 1);
        let end = (at + edit.length).min(chars.len());
        chars.splice(at..end, edit.piece.chars());
    }
    chars.into_iter().collect()
}

/// Whole lines gone, doubled or in another order: what is left is TOML more often.
fn lines(text: &str, picks: &[prop::sample::Index]) -> String {
    let all: Vec<&str> = text.lines().collect();
    let mut kept = all.clone();
    for pair in picks.chunks(2) {
        let from = pair[0].index(kept.len());
        let line = kept.remove(from);
        if let Some(to) = pair.get(1) {
            kept.insert(to.index(kept.len() + 1), line);
        }
    }
    kept.join("\n")
}

fn sound(text: &str) -> Result<(), TestCaseError> {
    let lines = text.lines().count() + 1;
    for environment in [None, Some("prod")] {
        let source = Source::new("pipeline.toml", text).in_environment(environment);
        match source.manifest() {
            Ok(manifest) => {
                // What the reader takes, the schema takes: an editor complains of nothing that would run.
                let names = source.environments();
                let mut all = names.iter().map(|name| source.clone().in_environment(Some(name)));
                if all.all(|source| source.manifest().is_ok()) {
                    prop_assert!(schema::validator().is_valid(&schema::json(text)), "{text}");
                }
                let kept = source.merged().expect("it was read above");
                prop_assert_eq!(Source::new("kept", &kept).manifest().expect("a copy of it"), manifest);
                prop_assert!(source.effective().is_ok());
            }
            Err(errors) => {
                for error in errors.all() {
                    prop_assert!((1..=lines).contains(&error.line), "{error}");
                    prop_assert!(error.column >= 1 && error.span.start <= text.len(), "{error}");
                    prop_assert!(error.code.starts_with("F01") && !error.message.is_empty(), "{error}");
                }
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_edit_is_met_with_a_panic(edits in prop::collection::vec(edit(), 1..6)) {
        sound(&apply(PAYMENTS, &edits))?;
    }

    #[test]
    fn no_order_of_lines_is_met_with_a_panic(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..8)) {
        sound(&lines(PAYMENTS, &picks))?;
    }
}
