//! What may happen to a cluster, drawn at random.

use proptest::prelude::*;

use crate::cluster::TIMEOUT;

/// A run from beginning to end.
#[derive(Debug, Clone)]
pub struct Scenario {
    pub shards: usize,
    pub options: Options,
    /// Amounts of which two do not fit in 64 bits, instead of small ones.
    pub huge: bool,
    /// Decides the order in which the rest is read at the end.
    pub order: u64,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    pub one_debit: bool,
    pub auto_open: bool,
}

/// What goes wrong besides the order of things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mishaps {
    /// Records become dead letters and are redriven; messages that were read come again.
    pub faults: bool,
    /// Clocks leap over days, so that ids are forgotten.
    pub leaps: bool,
}

/// What happens next. Numbers choose among what is possible then.
#[derive(Debug, Clone)]
pub enum Step {
    /// Records are read, each from a lane of its own choice.
    Deliver(Vec<u16>),
    /// A record becomes a dead letter.
    Fault(u16),
    Redrive(u16),
    /// A message that was read is read again.
    Repeat(u16),
    /// Time passes on a shard, in milliseconds.
    Tick(u16, i64),
    Pay {
        from: u8,
        to: u8,
        amount: Amount,
        currency: Money,
    },
    /// A payment that was sent is sent again.
    Again(u16, Change),
    /// A record that is no payment, or one that may not pass.
    Bad(u8),
    Command(u8, Order),
    /// The account stages get another config.
    Redeploy(Options),
}

/// Which of the accounts' currencies.
#[derive(Debug, Clone, Copy)]
pub enum Money {
    Eur,
    Usd,
}

#[derive(Debug, Clone, Copy)]
pub struct Amount {
    pub small: i64,
    /// One of [`HUGE`], for scenarios of huge amounts.
    pub huge: u8,
}

pub const HUGE: [i64; 6] = [i64::MAX, i64::MAX - 1, i64::MAX / 2 + 1, i64::MAX / 3, 1 << 53, 1];

/// In what a payment that is sent again differs.
#[derive(Debug, Clone, Copy)]
pub enum Change {
    Nothing,
    /// Other text, same fields.
    Spelling,
    Amount,
    To,
    Reference,
    /// Its time is that of its shard.
    Time,
}

#[derive(Debug, Clone, Copy)]
pub enum Order {
    Open(Money, i64),
    Freeze,
    Unfreeze,
    Close,
    Limit(i64),
    Nonsense,
}

/// Few accounts, so that payments meet; behind them come the funding accounts.
pub const ACCOUNTS: u8 = 6;
pub const FUNDING: u8 = 2;

fn money() -> impl Strategy<Value = Money> {
    prop_oneof![6 => Just(Money::Eur), 1 => Just(Money::Usd)]
}

fn options() -> impl Strategy<Value = Options> {
    any::<(bool, bool)>().prop_map(|(one_debit, auto_open)| Options { one_debit, auto_open })
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        2 => (money(), -200_i64..50).prop_map(|(money, limit)| Order::Open(money, limit)),
        1 => Just(Order::Freeze),
        2 => Just(Order::Unfreeze),
        1 => Just(Order::Close),
        1 => (-200_i64..100).prop_map(Order::Limit),
        1 => Just(Order::Limit(i64::MIN)),
        1 => Just(Order::Nonsense),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        3 => Just(Change::Nothing),
        1 => Just(Change::Spelling),
        1 => Just(Change::Amount),
        1 => Just(Change::To),
        1 => Just(Change::Reference),
        3 => Just(Change::Time),
    ]
}

/// Mostly less than the time-out, so that cancels cross everything that they can cross.
fn passing(leaps: bool) -> impl Strategy<Value = i64> {
    const DAY: i64 = 86_400_000;
    let leap = if leaps { 4 } else { 0 };
    prop_oneof![
        12 => 0..TIMEOUT,
        2 => TIMEOUT..3 * TIMEOUT,
        leap => DAY..9 * DAY,
        // A pause short enough not to be taken for an absence.
        leap + 1 => 1_i64..500_000,
    ]
}

fn step(mishaps: Mishaps) -> impl Strategy<Value = Step> {
    let fault = u32::from(mishaps.faults);
    prop_oneof![
        40 => prop::collection::vec(any::<u16>(), 1..16).prop_map(Step::Deliver),
        fault * 8 => any::<u16>().prop_map(Step::Fault),
        fault * 6 => any::<u16>().prop_map(Step::Redrive),
        fault * 6 => any::<u16>().prop_map(Step::Repeat),
        8 => (any::<u16>(), passing(mishaps.leaps)).prop_map(|(shard, millis)| Step::Tick(shard, millis)),
        40 => (0..ACCOUNTS + FUNDING, 0..ACCOUNTS + FUNDING, 1..300_i64, any::<u8>(), money())
            .prop_map(|(from, to, small, huge, currency)| Step::Pay { from, to, amount: Amount { small, huge }, currency }),
        4 => (any::<u16>(), change()).prop_map(|(choice, change)| Step::Again(choice, change)),
        2 => any::<u8>().prop_map(Step::Bad),
        8 => (0..ACCOUNTS + FUNDING, order()).prop_map(|(account, order)| Step::Command(account, order)),
        1 => options().prop_map(Step::Redeploy),
    ]
}

pub fn scenario(mishaps: Mishaps, steps: usize) -> impl Strategy<Value = Scenario> {
    let steps = prop::collection::vec(step(mishaps), steps);
    (1_usize..5, options(), prop::bool::weighted(0.25), any::<u64>(), steps).prop_map(
        |(shards, options, huge, order, steps)| Scenario {
            shards,
            options,
            huge,
            order,
            steps,
        },
    )
}
