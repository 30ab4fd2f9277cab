//! What the stage declares.

use fermata_payments::{MESSAGE_VERSION, topics, version};
use fermata_stage::{Description, ViewScope};

use crate::{config, state, views};

pub fn describe(minor: u32) -> Description {
    Description::new("confirm", version(minor))
        .input(topics::COMPLETE, &[MESSAGE_VERSION])
        .output("confirmed", &[MESSAGE_VERSION])
        .store(state::ENDS.decl())
        .store(state::WINDOWS.decl())
        .store(state::FIGURES.decl())
        .view(
            "confirmed",
            ViewScope::AllShards,
            views::NO_PARAMS,
            views::confirmed_answer(minor),
        )
        .view(
            "throughput",
            ViewScope::AllShards,
            views::THROUGHPUT_PARAMS,
            views::THROUGHPUT_ANSWER,
        )
        .counter(
            "payments_confirmed_total",
            "payments",
            "Payments confirmed.",
            &["currency"],
        )
        .counter(
            "payments_confirmed_minor_total",
            "minor units",
            "Value confirmed.",
            &["currency"],
        )
        .counter(
            "ends_repeated_total",
            "messages",
            "Ends of payments that were confirmed before.",
            &[],
        )
        .timers()
        .config(config::SCHEMA)
}
