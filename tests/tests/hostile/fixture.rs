//! The folders of `tests/hostile`: what a guest does, and what must come of it.

use super::guest::{self, Stage};
use fermata_core::ports::Artifact;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/hostile");
/// The value as an emission with the input's key.
const KEYED: &str = "(drop (call $emit (local.get $value) (local.get $value_len)))
    (i32.store (i32.const 264) (i32.const 1))
    (i32.store (i32.const 268) (local.get $key))
    (i32.store (i32.const 272) (local.get $key_len))
    (i32.const 128)";
const CONTRACT: &str = include_str!("../../../wit/stage.wit");

/// One `expected.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Fixture {
    #[serde(skip)]
    pub name: String,
    /// What the guest does, in one line.
    pub did: String,
    /// Of the guest in `tests/guests/hostile`, unless the folder brings its own.
    #[serde(default)]
    pub config: serde_json::Map<String, serde_json::Value>,
    /// A guest of its own, in WebAssembly text.
    pub wat: Option<Wat>,
    /// It is not the stage that misbehaves but this validator in front of it: an entry as in a manifest, for the guest
    /// in `tests/guests/hostile-validator` or the text.
    pub validator: Option<toml::Table>,
    /// Limits of the stage, as in a manifest.
    #[serde(default)]
    pub limits: toml::Table,
    pub expect: Expect,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Expect {
    /// `accepted`, a code of a dead letter, `paused`, `refused F0203`, `view F0203`.
    pub verdict: String,
    /// In the message, wherever the verdict has one.
    #[serde(default)]
    pub says: String,
    #[serde(default)]
    pub dead_letters: usize,
    /// The memo of the bad key is not what it would be.
    #[serde(default)]
    pub lies: bool,
    /// How often each verdict of the validator is counted.
    #[serde(default)]
    pub counted: BTreeMap<String, u64>,
    /// Whom it must not touch.
    #[serde(default)]
    pub neighbours: Neighbours,
    /// It keeps memory over records: as a candidate it is refused for that, and a replay on fresh instances finds it
    /// out.
    #[serde(default)]
    pub replay_differs: bool,
    /// As a candidate it is refused for what it remembers, though no record shows it yet: a replay ends alike.
    #[serde(default)]
    pub remembers: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Neighbours {
    /// Other keys of the same stage too.
    #[default]
    Keys,
    /// The whole stage misbehaves: other stages only.
    Stages,
    /// Its shard stands still: other shards, and on its own other stages.
    Shards,
}

/// Parts of a module around which the test's harness puts the rest; see `guest.rs` of the engine's tests.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Wat {
    /// What `process` or `validate` does with a value that begins with `b`; ends with `return` or `unreachable`.
    pub bad: Option<String>,
    pub init: Option<String>,
    describe: Option<String>,
    /// Further fields of the module.
    pub more: String,
    pub pages: Option<u32>,
    /// The version of the contract that it is made for.
    contract: Option<String>,
    /// The whole module instead, and its world.
    module: Option<String>,
    /// Imports before everything else of the module.
    imports: String,
    wit: Option<String>,
    world: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    Accepted,
    DeadLetter(&'a str),
    Paused,
    Refused(&'a str),
    View(&'a str),
}

impl Expect {
    pub fn verdict(&self) -> Verdict<'_> {
        match self.verdict.split_once(' ') {
            Some(("refused", code)) => Verdict::Refused(code),
            Some(("view", code)) => Verdict::View(code),
            None if self.verdict == "accepted" => Verdict::Accepted,
            None if self.verdict == "paused" => Verdict::Paused,
            None => Verdict::DeadLetter(&self.verdict),
            Some(_) => panic!("no such verdict: {}", self.verdict),
        }
    }
}

impl Fixture {
    /// Every folder, by name.
    pub fn all() -> Vec<Self> {
        let folders = std::fs::read_dir(FOLDER).expect("tests/hostile is there");
        let mut all: Vec<Self> = folders.map(|f| Self::read(&f.expect("an entry").path())).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn read(folder: &Path) -> Self {
        let file = folder.join("expected.toml");
        let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        let mut fixture: Self = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
        fixture.name = folder.file_name().expect("a folder").to_string_lossy().into_owned();
        fixture
    }

    /// Does the stage put out a record for one that triggers?
    pub fn speaks(&self) -> bool {
        if self.validator.is_some() {
            let by_record = self.expect.neighbours == Neighbours::Keys;
            return !(by_record && matches!(self.expect.verdict(), Verdict::DeadLetter(_)));
        }
        let elsewhere = ["in", "on"].iter().any(|key| self.config.contains_key(*key));
        elsewhere || self.expect.replay_differs
    }

    /// The stage.
    pub fn artifact(&self) -> Artifact {
        match &self.wat {
            Some(wat) if self.validator.is_none() => wat.artifact(),
            _ => component("hostile-1.0.0"),
        }
    }

    /// Every record passes as if the validator were sound.
    pub fn changes_nothing(&self) -> bool {
        self.validator.is_some() && self.expect.verdict() == Verdict::Accepted
    }
}

/// A component that `cargo xtask guests` has built.
pub fn component(name: &str) -> Artifact {
    let path = fermata_tests::harness::fixture(name);
    Artifact::new(std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

impl Wat {
    fn artifact(&self) -> Artifact {
        self.encode("stage", &self.stage().text())
    }

    /// Of a world, unless it names one itself.
    pub fn encode(&self, world: &str, text: &str) -> Artifact {
        let world = self.world.as_deref().unwrap_or(world);
        if let Some(module) = &self.module {
            return guest::component(self.wit.as_deref(), world, module);
        }
        let module = text.replacen("(module", &format!("(module {}", self.imports), 1);
        match &self.contract {
            Some(version) => {
                let other = |text: &str| text.replace("@0.1.0", &format!("@{version}"));
                guest::foreign(&other(CONTRACT), world, &other(&module))
            }
            None => guest::component(self.wit.as_deref(), world, &module),
        }
    }

    fn stage(&self) -> Stage {
        let sound = Stage::default();
        let first_is = |letter: u8| format!("(i32.eq (i32.load8_u (local.get $value)) (i32.const {letter}))");
        let process = match &self.bad {
            Some(bad) => format!(
                "(if {} (then (return (call $ok (i32.const 256) (i32.const 0))))) (if {} (then {bad})) {}",
                first_is(b's'),
                first_is(b'b'),
                KEYED
            ),
            None => KEYED.into(),
        };
        Stage {
            process,
            init: self.init.clone().unwrap_or(sound.init),
            describe: self.describe.clone().unwrap_or(sound.describe),
            more: self.more.clone(),
            pages: self.pages.unwrap_or(sound.pages),
            ..Stage::default()
        }
    }
}
