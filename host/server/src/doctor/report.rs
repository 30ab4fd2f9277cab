//! What was found, line by line.

use serde_json::{Value, json};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Ok,
    /// It runs, but not as it should.
    Warning,
    /// It would not run, or would lose something.
    Bad,
    /// It could not be asked.
    Skipped,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    pub what: String,
    pub standing: Standing,
    pub found: String,
    pub remedy: Option<String>,
}

impl Line {
    pub fn text(&self) -> String {
        let mark = match self.standing {
            Standing::Ok => "✓",
            Standing::Warning => "!",
            Standing::Bad => "✗",
            Standing::Skipped => "-",
        };
        let mut text = format!("{mark} {}: {}", self.what, self.found);
        if let Some(remedy) = &self.remedy {
            text.push_str(&format!("\n  → {remedy}"));
        }
        text
    }
}

/// Shows each line as soon as it is known: some take a while.
pub struct Report<'a> {
    lines: Vec<Line>,
    show: Box<dyn Fn(&Line) + 'a>,
}

impl<'a> Report<'a> {
    pub fn new(show: impl Fn(&Line) + 'a) -> Self {
        Self {
            lines: Vec::new(),
            show: Box::new(show),
        }
    }

    fn add(&mut self, what: &str, standing: Standing, found: impl Into<String>, remedy: Option<String>) {
        let line = Line {
            what: what.to_owned(),
            standing,
            found: found.into(),
            remedy,
        };
        (self.show)(&line);
        self.lines.push(line);
    }
    pub fn ok(&mut self, what: &str, found: impl Into<String>) {
        self.add(what, Standing::Ok, found, None);
    }
    pub fn warning(&mut self, what: &str, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(what, Standing::Warning, found, Some(remedy.into()));
    }
    pub fn bad(&mut self, what: &str, found: impl Into<String>, remedy: impl Into<String>) {
        self.add(what, Standing::Bad, found, Some(remedy.into()));
    }
    pub fn skipped(&mut self, what: &str, because: impl Into<String>) {
        self.add(what, Standing::Skipped, because, None);
    }

    pub fn sound(&self) -> bool {
        self.count(Standing::Bad) == 0
    }

    fn count(&self, standing: Standing) -> usize {
        self.lines.iter().filter(|l| l.standing == standing).count()
    }

    pub fn summary(&self) -> String {
        let parts = [
            (Standing::Ok, "ok"),
            (Standing::Warning, "to think about"),
            (Standing::Bad, "to mend"),
            (Standing::Skipped, "not asked"),
        ];
        let parts = parts.map(|(standing, word)| (self.count(standing), word));
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        parts
            .map(|(n, word)| format!("{n} {word}"))
            .collect::<Vec<_>>()
            .join(", ")
    }

    pub fn json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            let standing = match line.standing {
                Standing::Ok => "ok",
                Standing::Warning => "warning",
                Standing::Bad => "bad",
                Standing::Skipped => "skipped",
            };
            json!({ "what": line.what, "standing": standing, "found": line.found, "remedy": line.remedy })
        });
        json!({ "schema": "fermata.doctor/1", "ok": self.sound(), "checks": lines.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    #[test]
    fn only_what_must_be_mended_makes_it_unsound() {
        let shown = RefCell::new(Vec::new());
        let mut report = Report::new(|line: &Line| shown.borrow_mut().push(line.text()));
        report.ok("disk", "30 GiB free");
        report.warning("copies", "one", "make three");
        report.skipped("clock", "no topic");
        assert!(report.sound());
        assert_eq!(report.summary(), "1 ok, 1 to think about, 1 not asked");
        report.bad("rights", "denied", "grant them");
        assert!(!report.sound());
        assert_eq!(report.json()["ok"], false);
        assert_eq!(report.json()["checks"][3]["remedy"], "grant them");
        drop(report);
        assert_eq!(shown.into_inner()[3], "✗ rights: denied\n  → grant them");
    }
}
