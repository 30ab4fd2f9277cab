//! Validators in front of stages: what the worker makes of their verdicts, and the examples.

mod bench;
mod examples;
mod policies;
mod slow;
