//! Misbehaving guests. Each folder of `tests/hostile` says what a guest does and what must come of it; each runs in a
//! pipeline with sound neighbours, and those must not notice: other keys of its shard, the other shard, other stages,
//! other validators.

mod deployed;
mod fixture;
#[path = "../../host/engine/tests/engine/guest.rs"]
#[allow(dead_code, reason = "the engine's own tests use the rest")]
mod guest;
mod latency;
mod pipeline;
mod proof;
mod validator;
mod watched;

use fixture::{Fixture, Verdict};
use pipeline::Seen;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One line of the table.
struct Line {
    name: String,
    did: String,
    verdict: String,
    dead_letters: usize,
    neighbours: String,
}

#[test]
fn each_misbehaving_guest_harms_only_its_own_records() {
    let only = std::env::var("FERMATA_HOSTILE").ok();
    let fixtures = Fixture::all()
        .into_iter()
        .filter(|f| only.as_ref().is_none_or(|name| *name == f.name));
    let mut lines = Vec::new();
    let mut failed = Vec::new();
    for fixture in fixtures {
        let name = fixture.name.clone();
        match catch_unwind(AssertUnwindSafe(|| prove(&fixture))) {
            Ok(line) => lines.push(line),
            Err(_) => failed.push(name),
        }
    }
    println!("{}", table(&lines));
    assert!(failed.is_empty(), "these are not as expected: {failed:?}");
    assert!(!lines.is_empty(), "no folder of tests/hostile was tried");
}

fn prove(fixture: &Fixture) -> Line {
    let expect = &fixture.expect;
    let line = |dead_letters, neighbours| Line {
        name: fixture.name.clone(),
        did: fixture.did.clone(),
        verdict: expect.verdict.clone(),
        dead_letters,
        neighbours,
    };
    if let Verdict::Refused(code) = expect.verdict() {
        let refusal = match pipeline::prepare(fixture) {
            Ok(_) => panic!("{}: it was accepted", fixture.name),
            Err(refusal) => refusal,
        };
        assert_eq!(refusal.code, code, "{}: {}", fixture.name, refusal.because);
        proof::says(fixture, &refusal.because);
        return line(0, "not deployed".into());
    }
    let with = Seen::of(fixture, true);
    let without = Seen::of(fixture, false);
    let compared = proof::neighbours(fixture, &with, &without);
    let dead_letters = proof::verdict(fixture, &with);
    if expect.lies {
        proof::lied(fixture, &with, &without);
    }
    proof::books(fixture, &with);
    proof::trial(fixture, &with);
    line(dead_letters, format!("equal ({compared} records, entries, figures)"))
}

fn table(lines: &[Line]) -> String {
    let mut text = format!(
        "\n{:<34} {:<24} {:>4}  {:<40} {}\n",
        "GUEST", "VERDICT", "DEAD", "NEIGHBOURS, BYTE FOR BYTE", "WHAT IT DID"
    );
    for line in lines {
        let Line {
            name,
            did,
            verdict,
            dead_letters,
            neighbours,
        } = line;
        writeln!(
            text,
            "{name:<34} {verdict:<24} {dead_letters:>4}  {neighbours:<40} {did}"
        )
        .expect("a String grows");
    }
    text
}
