//! What becomes of a record that its stage cannot treat, and how much a task may keep aside.

use super::raw::{Checked, Fields, Value};
use serde::Serialize;
use std::time::Duration;

/// `on-reject`, `on-fault` and `parked` of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Quarantine {
    /// The stage said no.
    pub on_reject: OnFailure,
    /// The stage could not say anything.
    pub on_fault: OnFailure,
    /// Records that one task keeps aside, those that only wait included.
    pub max_records: u64,
    /// Age of the oldest of them, by ticks.
    pub max_age: Duration,
    pub at_limit: AtLimit,
}

/// Where a record goes that could not be treated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// To the dead letter topic; the next record of its key goes on.
    #[default]
    DeadLetter,
    /// Aside, and every later record of its key waits behind it. A record without key is a dead letter.
    Quarantine,
}

/// What happens when a task may keep no further record aside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AtLimit {
    /// The task stops and says so; nothing is lost and nothing overtakes.
    #[default]
    Pause,
    /// The record that would have been kept is a dead letter.
    DeadLetter,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self {
            on_reject: OnFailure::default(),
            on_fault: OnFailure::default(),
            max_records: 10_000,
            max_age: Duration::from_secs(24 * 60 * 60),
            at_limit: AtLimit::default(),
        }
    }
}

impl Quarantine {
    /// Does a failure of this kind park its record?
    pub fn keeps(&self, fault: bool) -> bool {
        let policy = if fault { self.on_fault } else { self.on_reject };
        policy == OnFailure::Quarantine
    }
    pub fn in_use(&self) -> bool {
        self.keeps(true) || self.keeps(false)
    }
}

/// More than any disk should keep aside for one task.
const MAX_RECORDS: u64 = 100_000_000;

/// The three keys of a stage.
pub(super) fn quarantine(stage: &Fields<'_>) -> Checked<Quarantine> {
    let mut found = Quarantine::default();
    let failures = [
        ("dead-letter", OnFailure::DeadLetter),
        ("quarantine", OnFailure::Quarantine),
    ];
    if let Some(value) = stage.get("on-reject") {
        found.on_reject = one_of(&value, failures)?;
    }
    if let Some(value) = stage.get("on-fault") {
        found.on_fault = one_of(&value, failures)?;
    }
    let Some(parked) = stage.get("parked") else {
        return Ok(found);
    };
    let fields = parked.fields()?;
    if let Some(value) = fields.get("max-records") {
        found.max_records = value.count(1, MAX_RECORDS)?;
    }
    if let Some(value) = fields.get("max-age") {
        found.max_age = value.duration()?;
        if found.max_age.is_zero() {
            return Err(value.bad("expected a duration longer than zero"));
        }
    }
    if let Some(value) = fields.get("at-limit") {
        found.at_limit = one_of(
            &value,
            [("pause", AtLimit::Pause), ("dead-letter", AtLimit::DeadLetter)],
        )?;
    }
    fields.close();
    Ok(found)
}

fn one_of<T: Copy>(value: &Value<'_>, valid: [(&'static str, T); 2]) -> Checked<T> {
    let found = value.string()?.value;
    match valid.iter().find(|(name, _)| *name == found) {
        Some((_, meaning)) => Ok(*meaning),
        None => {
            let [(one, _), (other, _)] = valid;
            let problem = value.bad(format!("expected {one:?} or {other:?}, found {found:?}"));
            Err(problem.nearest(&found, [one, other]))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::parse;
    use super::*;

    fn read(keys: &str) -> Result<Quarantine, String> {
        let text = format!(
            "manifest = 1\nname = \"p\"\npartitions = 1\ntopics.in = {{ head = true }}\n[stage.s]\ncomponent = \"s.wasm\"\nin = [\"in\"]\n{keys}"
        );
        parse("p.toml", &text)
            .map(|m| m.stages[0].quarantine)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn policies_and_limits_are_read() {
        assert_eq!(read(""), Ok(Quarantine::default()));
        let all = "on-reject = \"quarantine\"\non-fault = \"dead-letter\"\nparked = { max-records = 7, max-age = \"90s\", at-limit = \"dead-letter\" }";
        let expected = Quarantine {
            on_reject: OnFailure::Quarantine,
            on_fault: OnFailure::DeadLetter,
            max_records: 7,
            max_age: Duration::from_secs(90),
            at_limit: AtLimit::DeadLetter,
        };
        assert_eq!(read(all), Ok(expected));
        assert!(expected.keeps(false) && !expected.keeps(true));
    }

    #[test]
    fn what_is_meant_is_proposed() {
        for (keys, words) in [
            ("on-fault = \"quarantin\"", "did you mean \"quarantine\""),
            ("on-reject = \"park\"", "valid here: dead-letter, quarantine"),
            ("on-reject = true", "must be a string"),
            ("on-falt = \"quarantine\"", "did you mean \"on-fault\""),
            ("parked = { max-record = 1 }", "did you mean \"max-records\""),
            ("parked = { max-records = 0 }", "from 1 to"),
            ("parked = { max-age = \"0s\" }", "longer than zero"),
            (
                "parked = { at-limit = \"stop\" }",
                "expected \"pause\" or \"dead-letter\"",
            ),
            ("limits = { faults-in-a-row = 0 }", "from 1 to"),
        ] {
            let found = read(keys).expect_err(keys);
            assert!(found.contains(words), "{keys}: {found}");
        }
    }
}
