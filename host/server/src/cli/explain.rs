//! `explain`: the page of an error code.

use super::talk::{Talk, table};
use crate::failure::{Exit, Failure};
use crate::pages::{PAGES, page};
use fermata_core::codes;
use fermata_core::manifest::parse::nearest;
use serde_json::{Value, json};

pub fn run(talk: &Talk, code: Option<&str>) -> Result<Exit, Failure> {
    let Some(code) = code else {
        list(talk);
        return Ok(Exit::Ok);
    };
    let page = page(code).ok_or_else(|| unknown(code))?;
    if talk.json() {
        talk.print_json(&json!({
            "schema": "fermata.explain/1", "code": page.code, "title": page.title(), "text": page.text,
        }));
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
