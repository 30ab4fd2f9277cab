//! `explain`: the page of an error code, from `docs/errors`, as this binary carries it.

use super::talk::{Talk, table};
use crate::failure::{Exit, Failure};
use fermata_core::codes;
use fermata_core::manifest::parse::nearest;
use serde_json::{Value, json};

include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// One page: its code, and what is written there (Markdown).
pub struct Page {
    pub code: &'static str,
    pub text: &'static str,
}

impl Page {
    /// The first line, without the code.
    pub fn title(&self) -> &str {
        let line = self.text.lines().next().unwrap_or_default();
        line.trim_start_matches("# ")
            .trim_start_matches(self.code)
            .trim_start_matches(": ")
    }

    fn shape(&self) -> Value {
        json!({ "schema": "fermata.explain/1", "code": self.code, "title": self.title(), "text": self.text })
    }
}

/// The page of a code, however it is written.
pub fn page(code: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.code.eq_ignore_ascii_case(code))
}

pub fn run(talk: &Talk, code: Option<&str>) -> Result<Exit, Failure> {
    let Some(code) = code else {
        list(talk);
        return Ok(Exit::Ok);
    };
    let page = page(code).ok_or_else(|| unknown(code))?;
    if talk.json() {
        talk.print_json(&page.shape());
    } else {
        talk.print(page.text.trim_end());
    }
    Ok(Exit::Ok)
}

fn list(talk: &Talk) {
    if talk.json() {
        let all: Vec<Value> = PAGES
            .iter()
            .map(|page| json!({ "code": page.code, "title": page.title() }))
            .collect();
        talk.print_json(&json!({ "schema": "fermata.explain/1", "pages": all }));
    } else {
        let rows: Vec<Vec<String>> = PAGES
            .iter()
            .map(|page| vec![page.code.to_owned(), page.title().to_owned()])
            .collect();
        talk.print(table(&["CODE", "MEANS"], &rows));
    }
}

fn unknown(code: &str) -> Failure {
    let failure = Failure::new(
        codes::HTTP_NOT_FOUND,
        Exit::NotFound,
        format!("there is no page for the code {code:?}"),
    );
    match nearest(code, PAGES.iter().map(|page| page.code)) {
        Some(near) => failure.help(format!("did you mean {near}?")),
        None => failure
            .help("`fermata explain` lists all codes; what a stage rejects by is told by the stage's own documents"),
    }
}
