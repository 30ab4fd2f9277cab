//! Every code that a person can meet has a page, and every page is of a code.

use fermata_core::{FaultCode, codes};
use fermata_tests::harness::{Cli, Server, ServerSpec};
use std::collections::BTreeSet;
use std::path::Path;

/// Codes by which the host itself makes a dead letter.
fn of_records() -> BTreeSet<String> {
    let faults = [
        FaultCode::Trap,
        FaultCode::Fuel,
        FaultCode::Memory,
        FaultCode::Contract,
        FaultCode::Size,
    ];
    let mut all: BTreeSet<String> = faults.iter().map(|code| code.as_str().to_owned()).collect();
    all.insert(fermata_runtime::worker::lineage::MISPLACED.to_owned());
    all
}

#[test]
fn every_code_has_a_page_and_every_page_a_code() {
    let told = Cli::nowhere().json(&["explain"]);
    let pages: BTreeSet<String> = told["pages"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|page| page["code"].as_str().expect("a code").to_owned())
        .collect();
    let mut codes: BTreeSet<String> = codes::ALL.iter().map(|&code| code.to_owned()).collect();
    codes.extend(of_records());
    assert_eq!(codes, pages, "left what can be met, right what docs/errors has");
    for code in &codes {
        let page = Cli::nowhere().ok(&["explain", &code.to_lowercase()]);
        assert!(page.starts_with(&format!("# {code}: ")), "{page}");
        for part in ["**What happened.**", "**Why.**", "**What to do.**"] {
            assert!(page.contains(part), "{code} does not say {part}");
        }
    }
}

/// No code is written down that is not one of the list: `codes.rs` is their only home.
#[test]
fn codes_in_the_source_are_of_the_list() {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("../host")];
    let mut seen = 0;
    while let Some(path) = files.pop() {
        if path.is_dir() {
            let inside = std::fs::read_dir(&path).expect("the tree can be read");
            files.extend(inside.filter_map(|entry| Some(entry.ok()?.path())));
            continue;
        }
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("source is text");
        for (at, _) in text.match_indices("\"F0") {
            let code: String = text[at + 1..].chars().take(5).collect();
            if code.len() == 5 && code[1..].bytes().all(|b| b.is_ascii_digit()) {
                seen += 1;
                assert!(codes::ALL.contains(&&*code), "{}: {code}", path.display());
            }
        }
    }
    assert!(seen >= codes::ALL.len(), "the source was not found");
}

/// A problem of the API leads to its page.
#[test]
fn a_problem_leads_to_its_page() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&ServerSpec::payments(dir.path()));
    let problem = server.get("/api/v1/pipelines/payments/views/inflght");
    let kind = problem.body["type"].as_str().expect("problem+json has a type");
    let page = server.get(kind);
    assert_eq!((page.status, page.kind.as_str()), (200, "text/markdown; charset=utf-8"));
    let code = problem.body["code"].as_str().expect("a code");
    assert!(page.text.starts_with(&format!("# {code}: ")), "{}", page.text);
    assert_eq!(server.get("/api/v1/errors/F9999").status, 404);
}

#[test]
fn a_code_that_is_none_gets_the_nearest() {
    let said = Cli::nowhere().fails(&["explain", "fault-feul"], 3);
    assert!(said.contains("did you mean fault-fuel"), "{said}");
    let said = Cli::nowhere().fails(&["explain", "some-rejection-of-a-stage"], 3);
    assert!(said.contains("the stage's own documents"), "{said}");
    assert!(Cli::nowhere().ok(&["explain"]).contains("F0101"));
}
