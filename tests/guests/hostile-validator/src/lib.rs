//! A validator that is sound until its configuration says otherwise: on which records it misbehaves, and how.
//!
//! Sound, it counts the records of a key in the key's memo, and refuses those whose value ends as configured, with the
//! count in the reason: who meddles with the memo of another key is found out by that key's refusals. The values `bad`
//! and `skip` it never refuses.

mod deeds;
#[path = "../../hostile/src/never.rs"]
mod never;

use fermata_validator::{Memo, Record, Validator, Verdict, export};
use serde::Deserialize;
use std::cell::{Cell, RefCell};

/// On which records.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    /// The value is `bad`.
    #[default]
    Bad,
    Every,
    /// The instance has seen a record before, and the value is `bad`.
    Warm,
    /// None; instead of the first record.
    Init,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// One of [`deeds`]; empty: sound.
    #[serde(rename = "do")]
    deed: String,
    on: When,
    /// How values end that are refused; absent: none is.
    refuse: Option<String>,
}

pub struct Hostile(Config);

thread_local! {
    /// Records that this instance has seen, and the last memo of another key: what a validator must not keep.
    static SEEN: Cell<u64> = const { Cell::new(0) };
    static LAST: RefCell<Memo> = const { RefCell::new(None) };
}

impl Hostile {
    fn triggered(&self, value: &[u8]) -> bool {
        let bad = value == b"bad";
        !self.0.deed.is_empty()
            && match self.0.on {
                When::Bad => bad,
                When::Every => true,
                When::Warm => bad && SEEN.get() > 1,
                When::Init => false,
            }
    }
}

impl Validator for Hostile {
    type Config = Config;

    fn init(config: Config) -> Result<Self, String> {
        if config.on == When::Init {
            deeds::in_init(&config.deed)?;
        }
        Ok(Self(config))
    }

    fn validate(&self, record: &Record, memo: Memo) -> (Verdict, Memo) {
        let value = record.value.as_deref().unwrap_or_default();
        SEEN.set(SEEN.get() + 1);
        if self.triggered(value) {
            return deeds::commit(&self.0.deed, memo);
        }
        let before = memo.and_then(|bytes| bytes.try_into().ok());
        let count = before.map_or(0, u64::from_be_bytes) + 1;
        let memo = Some(count.to_be_bytes().to_vec());
        LAST.set(memo.clone());
        let ends = |end: &String| value.ends_with(end.as_bytes()) && value != b"bad" && value != b"skip";
        let verdict = match self.0.refuse.as_ref().filter(|end| ends(end)) {
            Some(_) => Verdict::Reject {
                code: "sound",
                reason: format!("record {count} of its key"),
            },
            None => Verdict::Accept,
        };
        (verdict, memo)
    }
}

export!(Hostile);
