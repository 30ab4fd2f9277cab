//! The two things an author can write: a stage and a generator.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::{Context, Reader};
use crate::describe::Description;
use crate::types::{Due, Emission, Entry, Input, Rejection, ViewError};

/// A stage: typed input in, typed outputs out, state in stores.
///
/// `&self` everywhere, since an instance holds nothing but its config: the host drops and remakes instances at will.
pub trait Stage: Sized + Send + 'static {
    const NAME: &'static str;
    /// Semantic version.
    const VERSION: &'static str;

    /// The JSON of `[stage.x.config]`. Derive it with `#[serde(deny_unknown_fields)]`, so that a misspelt key
    /// refuses the deployment. A stage without config uses [`NoConfig`].
    type Config: DeserializeOwned;
    /// Typed input, made by `parse`.
    type Message;
    /// What the stage may emit; an enum as a rule.
    type Output: Into<Emission>;

    fn describe() -> Description;

    /// Once per instance. The error refuses the deployment.
    fn init(config: Self::Config) -> Result<Self, String>;

    /// From bytes to message: the only place that looks at bytes.
    fn parse(input: Input) -> Result<Self::Message, Rejection>;

    /// One record, in partition order.
    fn process(&self, cx: &mut dyn Context, message: Self::Message) -> Result<Vec<Self::Output>, Rejection>;

    /// A timer that this stage set is due.
    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Self::Output>, Rejection> {
        let _ = cx;
        Err(Rejection::new(
            "no-timers",
            format!("stage {} has no timers, yet {} fired", Self::NAME, timer.id),
        ))
    }

    /// This shard's part of a view's answer, from committed state.
    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        let _ = (cx, view, params);
        Err(ViewError::NotFound)
    }

    /// One answer from the parts of all shards, given in shard order.
    fn merge(&self, view: &str, params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        let _ = (view, params, partials);
        Err(ViewError::NotFound)
    }

    /// An entry of an older `schema` in the present one. Pure. None drops the entry.
    fn migrate(store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        let _ = entry;
        Err(format!(
            "stage {} does not migrate store {store} from schema {schema}",
            Self::NAME
        ))
    }

    /// An entry of the present schema in the older `schema`. Pure. None drops the entry.
    fn revert(store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        let _ = entry;
        Err(format!(
            "stage {} does not revert store {store} to schema {schema}",
            Self::NAME
        ))
    }
}

/// What a generator is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its output ports.
    pub outputs: Vec<String>,
    /// How many sequence numbers are set-up, drained before the clock starts.
    pub setup: u64,
}

/// A maker of input records. Same config, seed, sequence and due time: same bytes.
pub trait Generator: Sized + Send + 'static {
    const NAME: &'static str;
    /// Semantic version.
    const VERSION: &'static str;

    type Config: DeserializeOwned;

    /// Once per instance. The error refuses the generator.
    fn init(config: Self::Config, seed: u64) -> Result<(Self, Plan), String>;

    /// The records of one sequence number. `due`: milliseconds since the epoch.
    fn next(&self, sequence: u64, due: i64) -> Vec<Emission>;
}

/// The config of a stage that takes none: `{}` and nothing else.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}
