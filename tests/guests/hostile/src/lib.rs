//! A stage that is sound until its configuration says otherwise: where it misbehaves, on which records, and how.
//!
//! Sound, it counts per key, forwards the value with its count, sets a timer for values that begin with `timer`, and
//! answers a view. The value `skip` is passed without a word: a run with it instead of the record that triggers is
//! what the others are compared with.

mod deeds;
mod elsewhere;
mod never;

use fermata_stage::{
    Context, Description, Due, Emission, Input, Reader, Rejection, Stage, StoreDecl, ViewError, ViewScope, export,
};
use serde::Deserialize;
use serde_json::{Value, json};
use std::cell::Cell;

const VERSION: &str = if cfg!(feature = "v1-1") { "1.1.0" } else { "1.0.0" };
const STORE: &str = "counts";

/// Where it misbehaves.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Place {
    #[default]
    Process,
    Fired,
    Query,
    Merge,
    Init,
}

/// On which records.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    /// The value is `bad`.
    #[default]
    Bad,
    /// Every record.
    Every,
    /// Values that end with `0`.
    Tenth,
    /// The instance has seen a record before, and the value is `bad`.
    Warm,
    /// The key has state already, and the value is `bad`.
    Stored,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// One of [`deeds`] or [`elsewhere`]; empty: sound.
    #[serde(rename = "do")]
    deed: String,
    #[serde(rename = "in")]
    place: Place,
    on: When,
    /// Older versions are sound.
    since: String,
}

pub struct Hostile {
    config: Config,
}

thread_local! {
    /// Records that this instance has seen: what a stage must not keep.
    static SEEN: Cell<u64> = const { Cell::new(0) };
}

impl Hostile {
    fn misbehaves(&self, place: Place) -> bool {
        !self.config.deed.is_empty() && self.config.place == place && VERSION >= self.config.since.as_str()
    }

    fn triggered(&self, value: &[u8], stored: bool) -> bool {
        let bad = value == b"bad";
        match self.config.on {
            When::Bad => bad,
            When::Every => value != b"skip",
            When::Tenth => value.ends_with(b"0"),
            When::Warm => bad && SEEN.get() > 1,
            When::Stored => bad && stored,
        }
    }
}

/// Adds one to a key's count.
fn count(cx: &mut dyn Context, key: &[u8]) -> u64 {
    let before = cx.get_raw(STORE, key).and_then(|bytes| bytes.try_into().ok());
    let now = before.map_or(0, u64::from_be_bytes) + 1;
    cx.put_raw(STORE, key, &now.to_be_bytes());
    now
}

impl Stage for Hostile {
    const NAME: &'static str = "hostile";
    const VERSION: &'static str = VERSION;
    type Config = Config;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(StoreDecl::new(STORE, 1))
            .view("hostile-count", ViewScope::AllShards, "{}", "{}")
            .counter("seen", "records", "Records seen", &["kind"])
            .histogram("sizes", "bytes", "Sizes of values", &[])
            .timers()
            .config("{}")
    }

    fn init(config: Config) -> Result<Self, String> {
        let stage = Self { config };
        if stage.misbehaves(Place::Init) {
            elsewhere::in_init(&stage.config.deed)?;
        }
        Ok(stage)
    }

    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }

    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let value = input.value.clone().unwrap_or_default();
        let key = input.key.clone().unwrap_or_default();
        SEEN.set(SEEN.get() + 1);
        if value == b"skip" {
            return Ok(Vec::new());
        }
        let stored = cx.get_raw(STORE, &key).is_some();
        // Before the deed: the host must undo it.
        let now = count(cx, &key);
        if self.misbehaves(Place::Process) && self.triggered(&value, stored) {
            return deeds::commit(&self.config.deed, cx, &key);
        }
        if value.starts_with(b"timer") || (self.misbehaves(Place::Fired) && value == b"bad") {
            let at = cx.now() + 1_000;
            cx.set_timer(&String::from_utf8_lossy(&key), at, &value);
        }
        cx.add("seen", &["sound"], 1);
        let value = [&value[..], b" ", now.to_string().as_bytes()].concat();
        Ok(vec![Emission::new("out").with_key(key).with_value(value)])
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        if self.misbehaves(Place::Fired) && timer.payload == b"bad" {
            return deeds::commit(&self.config.deed, cx, &timer.key.unwrap_or_default());
        }
        Ok(vec![Emission {
            port: "out".to_owned(),
            key: timer.key,
            value: Some(timer.payload),
            headers: Vec::new(),
        }])
    }

    fn query(&self, cx: &dyn Reader, view: &str, _params: &Value) -> Result<Value, ViewError> {
        if self.misbehaves(Place::Query) {
            return Ok(elsewhere::in_view(&self.config.deed, cx));
        }
        match view {
            "hostile-count" => Ok(json!(cx.scan_raw(STORE, b"", None, 1_000).len())),
            _ => Err(ViewError::NotFound),
        }
    }

    fn merge(&self, _view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        if self.misbehaves(Place::Merge) {
            elsewhere::in_merge(&self.config.deed);
        }
        Ok(json!(partials.iter().filter_map(Value::as_u64).sum::<u64>()))
    }
}

export!(Hostile);
