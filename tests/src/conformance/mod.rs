//! What every log and state store must do, as one list of cases for all of them.
//!
//! A case gets a [`Fixture`] and panics with what it saw. [`compare`] runs every case on every fixture and prints
//! them side by side.

mod durability;
mod fixtures;
mod groups;
mod kafka;
pub mod kit;
mod local;
mod rebalance;
mod state;
mod topics;
mod transactions;
pub mod worker;

pub use fixtures::{EmbeddedFixture, SimulatedFixture};
pub use kafka::KafkaFixture;
pub use local::LocalFixture;

use fermata_core::{
    Shard,
    ports::{Log, StateStore},
};
use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

/// A log with its state store.
pub trait Subject: Log + StateStore {
    /// Sends a shard to another member; its holder is told first.
    fn move_shard(&self, group: &str, shard: Shard, member: &str) -> bool;
    /// Shards go to members by the order of their names, whatever anybody wants; [`Subject::move_shard`] does nothing.
    fn divides_by_name(&self) -> bool {
        false
    }
    /// Records come to a session by themselves, in an order of their own: one that has not come cannot go first.
    fn pushes(&self) -> bool {
        false
    }
}

/// Makes subjects for one case.
pub trait Fixture {
    /// Starts the log, the second time on what the first left. The one before must have been dropped.
    fn open(&self) -> Arc<dyn Subject>;
}

pub struct Case {
    pub name: &'static str,
    pub run: fn(&dyn Fixture),
}

macro_rules! cases {
    ($($module:ident: $($name:ident)*;)*) => {
        /// Every case, in order.
        pub const CASES: &[Case] = &[$($(Case { name: stringify!($name), run: $module::$name }),*),*];
    };
}

cases! {
    topics:
        ensure_makes_each_topic_once
        another_partition_count_is_refused
        what_does_not_exist_is_named
        records_are_read_as_they_were_appended
        a_read_begins_anywhere_and_ends_at_its_limit
        bounds_enclose_what_can_be_read
        an_append_is_all_or_nothing
        the_last_record_is_the_newest
        partitions_are_apart;
    transactions:
        nothing_shows_before_the_commit
        a_commit_shows_everything
        an_abort_leaves_nothing
        an_offset_that_is_told_is_true
        a_commit_of_nothing_succeeds
        commit_numbers_grow
        sessions_share_a_partition
        positions_need_no_records
        resolve_repeats_the_answer;
    groups:
        one_member_gets_every_shard
        nothing_is_read_before_seek
        records_come_in_order_and_again_after_seek
        a_poll_keeps_to_one_partition_and_its_limit
        paused_partitions_are_passed_over
        the_first_topic_goes_first
        every_shard_gets_its_turn
        groups_do_not_disturb_each_other;
    rebalance:
        shards_are_shared_evenly
        few_shards_move_when_a_third_joins
        a_revoked_shard_is_held_until_the_next_poll
        what_is_no_longer_held_cannot_commit
        shards_of_one_that_leaves_go_on
        who_joins_again_replaces_itself
        a_shard_can_be_sent_to_a_member;
    state:
        changes_are_seen_once_applied
        a_commit_that_was_never_made_cannot_be_applied
        a_scan_is_ordered_and_bounded
        shards_and_namespaces_are_apart
        a_snapshot_stays_as_it_was
        a_fork_replaces_its_target;
    durability:
        every_commit_becomes_durable
        what_was_never_committed_is_not_durable
        everything_durable_survives_a_restart
        an_open_transaction_does_not_survive;
    worker:
        two_members_copy_exactly_once
        many_sessions_at_once_lose_and_double_nothing;
}

/// A name for the table, and a new fixture for each case.
pub type Column<'a> = (&'a str, &'a dyn Fn() -> Box<dyn Fixture>);

/// Runs every case on every fixture, prints the table and panics when a case failed anywhere.
pub fn compare(columns: &[Column<'_>]) {
    let mut failures = Vec::new();
    let mut table = format!("{:52}", "case");
    for (column, _) in columns {
        table += &format!("{column:>22}");
    }
    for case in CASES {
        table += &format!("\n{:52}", case.name.replace('_', " "));
        for (column, make) in columns {
            let result = catch_unwind(AssertUnwindSafe(|| (case.run)(&*make())));
            table += &format!("{:>22}", if result.is_ok() { "ok" } else { "FAILED" });
            if let Err(panic) = result {
                failures.push(format!("{} on {column}: {}", case.name, text(&*panic)));
            }
        }
    }
    println!("{table}");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without text")
}
