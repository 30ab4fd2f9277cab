//! What the stage declares.

use fermata_payments::{MESSAGE_VERSION, topics, version};
use fermata_stage::{Description, ViewScope};

use crate::{config, state, views};

pub fn describe(minor: u32) -> Description {
    Description::new("inflight", version(minor))
        .input(topics::ACCEPTED, &[MESSAGE_VERSION])
        .input(topics::COMPLETE, &[MESSAGE_VERSION])
        .input(topics::FAILED, &[MESSAGE_VERSION])
        .output("inflight", &[MESSAGE_VERSION])
        .store(state::PAYMENTS.decl())
        .store(state::OPEN.decl())
        .store(state::ENDED.decl())
        .store(state::FIGURES.decl())
        .view(
            "inflight",
            ViewScope::AllShards,
            views::NO_PARAMS,
            views::inflight_answer(minor),
        )
        .view("payment", ViewScope::OneShard, views::KEY_PARAMS, views::PAYMENT_ANSWER)
        .gauge(
            "payments_in_flight",
            "payments",
            "Payments that are open.",
            &["currency"],
        )
        .counter(
            "payments_ended_total",
            "payments",
            "Ends that arrived, by how.",
            &["outcome"],
        )
        .counter(
            "payments_timed_out_total",
            "payments",
            "Payments that took too long.",
            &[],
        )
        .timers()
        .config(config::SCHEMA)
}
