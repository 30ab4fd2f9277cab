//! The engine against components written by hand: what well-behaved ones get, and what each kind of misbehaviour
//! ends as.

mod budgets;
mod cache;
mod checkups;
mod fixture;
mod generators;
mod guest;
mod host;
mod misbehaviour;
mod misfits;
mod stages;
mod validators;
