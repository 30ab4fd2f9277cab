//! A misbehaving validator in its place: in front of the stage, between two sound ones.
//!
//! `before` reports and refuses every neighbour, `after` enforces and refuses some: reasons of all three count the records
//! of a key by the memo, so that a memo which another key, stage or validator has touched shows in a neighbour's letter.

use super::fixture::{Fixture, Wat};
use fermata_core::ports::Artifact;
use serde_json::json;
use toml::{Table, Value};

/// The misbehaving one's name, and what its entries of memos begin with.
pub const GUARD: &str = "guard";
/// How codes end that sound validators refuse with.
const SOUND: &str = "/sound";
const READY: &str = "(i32.const 64)";
const CALM: &str = "(call $answer (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))";

/// Where the stages of the pipeline have theirs.
pub fn attach(manifest: &str, fixture: &Fixture) -> String {
    let Some(guard) = &fixture.validator else {
        return manifest.to_owned();
    };
    let calm = |name: &str, mode: &str, refuse: &str| {
        let text = format!(
            "name = {name:?}\ncomponent = \"builtin:calm@1.0.0\"\nmode = {mode:?}\non-reject = \"dead-letter\"\n\
             config = {{ refuse = {refuse:?} }}"
        );
        Value::Table(text.parse().expect("valid text"))
    };
    let guard = Value::Table(entry(guard, fixture.wat.is_none()));
    let (before, after) = (calm("before", "report", ""), calm("after", "enforce", "3"));
    let beside = calm("beside", "enforce", "3");
    let mut text = manifest.to_owned();
    for (stage, list) in [("hostile", vec![before, guard, after]), ("beside", vec![beside])] {
        let head = format!("[stage.{stage}]");
        assert_eq!(text.matches(&head).count(), 1);
        text = text.replace(&head, &format!("{head}\nvalidator = {}", Value::Array(list)));
    }
    text
}

/// A fixture's validator as the manifest has it: what it leaves out is the strictest that there is.
fn entry(guard: &Table, configurable: bool) -> Table {
    let mut entry = guard.clone();
    let mut absent = |key: &str, value: &str| {
        entry.entry(key).or_insert_with(|| value.into());
    };
    absent("name", GUARD);
    absent("component", "builtin:guard@1.0.0");
    absent("mode", "enforce");
    absent("on-reject", "dead-letter");
    if configurable {
        let config = entry.entry("config").or_insert_with(|| Table::new().into());
        let config = config.as_table_mut().expect("a configuration is a table");
        config.insert("refuse".into(), "1".into());
    }
    entry
}

/// The configuration with which the misbehaving one is sound.
pub fn sound() -> serde_json::Value {
    json!({ "refuse": "1" })
}

/// Does a sound validator refuse with this code, or a misbehaving one a neighbour's record?
pub fn is_sound(code: &str) -> bool {
    code.ends_with(SOUND)
}

impl Wat {
    /// The text as a validator.
    pub fn validator(&self) -> Artifact {
        let bad = self.bad.as_ref().map_or_else(String::new, |bad| {
            format!("(if (i32.eq (i32.load8_u (local.get $value)) (i32.const 98)) (then {bad}))")
        });
        let init = self.init.as_deref().unwrap_or(READY);
        let text = module(init, &format!("{bad} {CALM}"), &self.more, self.pages.unwrap_or(2));
        self.encode("validator", &text)
    }
}

/// The engine's own validator by hand.
fn module(init: &str, validate: &str, more: &str, pages: u32) -> String {
    include_str!("../../../host/engine/tests/engine/validator.wat")
        .replace("INIT", init)
        .replace("VALIDATE", validate)
        .replace("PAGES", &pages.to_string())
        .replace("MORE", more)
}
