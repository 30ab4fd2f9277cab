//! What the author of a Fermata stage writes against.
//!
//! A stage is one `impl Stage` and one `export!(MyStage);` line. Built for `wasm32-unknown-unknown` it becomes the
//! component that the host runs; built natively it is plain Rust, tested with [`testing::TestContext`].
//!
//! Guest memory may be dropped between any two records: whatever a stage must know later, it writes to a store
//! (see [`Table`]). That is why every method takes `&self`.

mod context;
mod describe;
mod erased;
mod export;
mod format;
#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub mod guest;
mod stage;
mod table;
pub mod testing;
mod types;

pub use context::{Context, Reader};
pub use describe::{Description, MetricDecl, MetricKind, Port, StoreDecl, ViewDecl, ViewScope};
pub use erased::{AnyGenerator, AnyStage, GeneratorType, StageType};
pub use format::{Cbor, Format, Json};
pub use stage::{Generator, NoConfig, Plan, Stage};
pub use table::{Iter, Table};
pub use types::{Due, Emission, Entry, Header, Input, Level, Rejection, Verdict, ViewError};
