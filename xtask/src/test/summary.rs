//! What `cargo test` printed, as one line per suite. A suite is a module of a crate: what a test's name begins with.

use std::collections::BTreeMap;
use std::fmt;

/// Outcomes of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

/// Counts per suite, and the totals that the test binaries themselves gave.
#[derive(Debug, Default)]
pub struct Summary {
    krate: String,
    suites: BTreeMap<String, Counts>,
    total: Counts,
}

impl Summary {
    /// One line of what cargo and the test binaries print.
    pub fn read(&mut self, line: &str) {
        let line = line.trim();
        if let Some(running) = line.strip_prefix("Running ") {
            self.krate = binary(running).unwrap_or(running).to_owned();
        } else if let Some(documented) = line.strip_prefix("Doc-tests ") {
            self.krate = format!("{documented} (documentation)");
        } else if let Some(result) = line.strip_prefix("test result: ") {
            self.total.passed += number(result, "passed");
            self.total.failed += number(result, "failed");
            self.total.ignored += number(result, "ignored");
        } else if let Some(test) = line.strip_prefix("test ") {
            self.count(test);
        }
    }

    fn count(&mut self, test: &str) {
        let Some((name, outcome)) = test.split_once(" ... ") else {
            return;
        };
        let suite = match name.split_once("::") {
            Some((module, _)) if module != "tests" => format!("{}::{module}", self.krate),
            _ => self.krate.clone(),
        };
        let counts = self.suites.entry(suite).or_default();
        match outcome.split_whitespace().next() {
            Some("ok") => counts.passed += 1,
            Some("FAILED") => counts.failed += 1,
            Some("ignored,") | Some("ignored") => counts.ignored += 1,
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        self.total == Counts::default()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.suites.keys().map(String::len).max().unwrap_or(0);
        writeln!(f, "\ntests per suite:")?;
        for (suite, counts) in &self.suites {
            write!(f, "  {suite:width$}  {:>4} passed", counts.passed)?;
            for (count, what) in [(counts.failed, "failed"), (counts.ignored, "ignored")] {
                if count > 0 {
                    write!(f, ", {count} {what}")?;
                }
            }
            writeln!(f)?;
        }
        let Counts {
            passed,
            failed,
            ignored,
        } = self.total;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        write!(
            f,
            "test result: {verdict}. {passed} passed; {failed} failed; {ignored} ignored"
        )
    }
}

/// `unittests src/lib.rs (target/release/deps/fermata_core-0123456789abcdef)` is of `fermata_core`.
fn binary(running: &str) -> Option<&str> {
    let file = running.rsplit_once('/')?.1.trim_end_matches(')');
    Some(file.rsplit_once('-')?.0)
}

/// The number before a word: `ok. 5 passed; 0 failed; ...`.
fn number(result: &str, what: &str) -> u64 {
    let words: Vec<&str> = result.split([' ', ';']).filter(|word| !word.is_empty()).collect();
    let pair = words.windows(2).find(|pair| pair[1] == what);
    pair.and_then(|pair| pair[0].parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\
   Compiling fermata-core v0.1.0
     Running unittests src/lib.rs (target/release/deps/fermata_core-0123456789abcdef)

running 4 tests
test manifest::raw::tests::a ... ok
test manifest::tests::b ... FAILED
test tests::c ... ok
test record::d - should panic ... ok

test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.10s

     Running tests/e2e.rs (/elsewhere/target/release/deps/e2e-00aa)
test swap::x ... ignored, needs a broker
test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.10s

   Doc-tests fermata_core
test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s
";

    #[test]
    fn suites_are_modules_of_crates() {
        let mut summary = Summary::default();
        PRINTED.lines().for_each(|line| summary.read(line));
        let expected = "
tests per suite:
  e2e::swap                  0 passed, 1 ignored
  fermata_core               1 passed
  fermata_core::manifest     1 passed, 1 failed
  fermata_core::record       1 passed
test result: FAILED. 3 passed; 1 failed; 1 ignored";
        assert_eq!(summary.to_string(), expected);
    }

    #[test]
    fn nothing_run_is_nothing_shown() {
        let mut summary = Summary::default();
        summary.read("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s");
        assert!(summary.is_empty());
    }
}
