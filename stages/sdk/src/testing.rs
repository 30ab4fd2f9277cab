//! An in-memory host for native unit tests of a stage.

mod context;
mod drive;

pub use context::{Log, TestContext};
#[cfg(test)]
mod tests;
