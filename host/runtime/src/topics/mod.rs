//! The topics of a pipeline where the log is a cluster that others use too: what each is for, and how it must be kept.
//!
//! [`TopicPlan::new`] says what should be; [`TopicPlan::fitted`] takes in what the cluster already has;
//! [`TopicPlan::compare`] tells one from the other. Nothing here talks to a cluster.

mod compare;
mod keeping;
mod kind;
mod plan;
#[cfg(test)]
mod tests;

pub use compare::{Difference, Standing};
pub use kind::Kind;
pub use plan::{Binding, Planned, Setting, TopicPlan, TopicPolicy, UnknownRetention};
