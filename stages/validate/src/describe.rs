//! What the stage declares.

use fermata_payments::{MESSAGE_VERSION, topics, version};
use fermata_stage::{Description, ViewScope};

use crate::{config, state, views};

pub fn describe(minor: u32) -> Description {
    Description::new("validate", version(minor))
        .input(topics::INCOMING, &[MESSAGE_VERSION])
        .output("accepted", &[MESSAGE_VERSION])
        .output("rejected", &[MESSAGE_VERSION])
        .store(state::IDS.decl())
        .store(state::EXPIRY.decl())
        .store(state::FIGURES.decl())
        .view(
            "rejections",
            ViewScope::AllShards,
            views::NO_PARAMS,
            views::answer_schema(minor),
        )
        .counter("payments_accepted_total", "payments", "Payments accepted.", &[])
        .counter(
            "payments_repeated_total",
            "payments",
            "Payments dropped: same id and content as before.",
            &[],
        )
        .counter(
            "payments_rejected_total",
            "payments",
            "Payments rejected before acceptance.",
            &["code"],
        )
        .timers()
        .config(config::SCHEMA)
}
