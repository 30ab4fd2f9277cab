//! What the stage declares.

use fermata_payments::{MESSAGE_VERSION, topics, version};
use fermata_stage::{Description, ViewScope};

use crate::{config, state, views};

pub fn describe(minor: u32) -> Description {
    Description::new("account", version(minor))
        .input(topics::INFLIGHT, &[MESSAGE_VERSION])
        .input(topics::COMMANDS, &[MESSAGE_VERSION])
        .output("inflight", &[MESSAGE_VERSION])
        .output("results", &[MESSAGE_VERSION])
        .output("complete", &[MESSAGE_VERSION])
        .output("failed", &[MESSAGE_VERSION])
        .store(state::ACCOUNTS.decl())
        .store(state::DEBITS.decl())
        .store(state::CREDITS.decl())
        .store(state::WAITING.decl())
        .store(state::LEDGER.decl())
        .view(
            "account",
            ViewScope::OneShard,
            views::KEY_PARAMS,
            views::account_answer(minor).to_string(),
        )
        .view(
            "accounts",
            ViewScope::AllShards,
            views::PAGE_PARAMS,
            views::page_answer(minor).to_string(),
        )
        .view("ledger", ViewScope::AllShards, views::NO_PARAMS, views::LEDGER_ANSWER)
        .counter(
            "account_movements_total",
            "movements",
            "Changes of balances.",
            &["kind"],
        )
        .counter(
            "payments_failed_total",
            "payments",
            "Accepted payments that failed.",
            &["code"],
        )
        .counter(
            "transfers_dropped_total",
            "messages",
            "Messages that moved nothing.",
            &["why"],
        )
        .timers()
        .config(config::SCHEMA)
}
