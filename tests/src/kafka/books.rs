//! Load and witness held against each other: what was lost, what was doubled, what the accounts must hold.

use super::load::{ACCOUNTS, Payment};
use super::witness::{Fate, Witness};
use crate::harness::{Cli, PATIENCE, until};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

/// What came of a load.
#[derive(Clone, Copy, Debug)]
pub struct Figures {
    pub checked: usize,
    pub lost: usize,
    pub doubled: usize,
    /// The longest time in which no payment ended.
    pub longest_gap: Duration,
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            checked,
            lost,
            doubled,
            longest_gap,
        } = self;
        let gap = longest_gap.as_secs_f64();
        write!(
            f,
            "{checked} payments checked, {lost} lost, {doubled} doubled, longest gap in output {gap:.1} s"
        )
    }
}

/// Waits until every payment that was sent has ended, reads all topics to their ends, and holds both together. Panics
/// when one is lost or doubled, or when the accounts do not hold what the payments say.
pub fn settle(sent: &[Payment], witness: &Witness, cli: &Cli) -> Figures {
    let longest_gap = witness.longest_gap();
    let missing = || -> Vec<String> {
        let fates = witness.fates();
        let open = sent.iter().filter(|p| fates.get(&p.id).is_none_or(|f| f.ends() == 0));
        open.map(|p| p.id.clone()).collect()
    };
    until("every payment that was sent ends", 2 * PATIENCE, || {
        let missing = missing();
        if missing.is_empty() {
            Ok(())
        } else {
            Err(format!("{} of {}: {:?}", missing.len(), sent.len(), first(&missing)))
        }
    });
    // Whatever is still under way could end one of them once more.
    cli.read_all_and_drain();
    witness.catch_up();
    let fates = witness.fates();
    let figures = Figures {
        checked: sent.len(),
        lost: missing().len(),
        doubled: sent.iter().filter(|p| doubled(fates[&p.id])).count(),
        longest_gap,
    };
    let wrong: Vec<_> = sent
        .iter()
        .filter(|p| !once(fates[&p.id]))
        .map(|p| (&p.id, fates[&p.id]))
        .collect();
    assert!(wrong.is_empty(), "{figures}: {:?}", first(&wrong));
    assert_eq!(witness.unread(), Vec::<String>::new(), "records that are no payments");
    balances(sent, &fates, cli);
    figures
}

/// Accepted once and ended once, or rejected once.
fn once(fate: Fate) -> bool {
    fate.ends() == 1 && fate.accepted + fate.rejected == 1
}
fn doubled(fate: Fate) -> bool {
    fate.ends() > 1 || fate.accepted > 1
}
fn first<T>(all: &[T]) -> &[T] {
    &all[..all.len().min(10)]
}

/// The accounts hold what the confirmed payments say: no state was lost, and none counted twice.
fn balances(sent: &[Payment], fates: &HashMap<String, Fate>, cli: &Cli) {
    let mut expected: BTreeMap<&str, i64> = BTreeMap::new();
    for payment in sent.iter().filter(|p| fates[&p.id].confirmed == 1) {
        *expected.entry(&payment.from).or_default() -= payment.amount;
        *expected.entry(&payment.to).or_default() += payment.amount;
    }
    // Other loads may have used the funding account too.
    expected.remove("funding-EUR");
    assert!(
        expected.len() <= ACCOUNTS,
        "a load uses {ACCOUNTS} accounts: {expected:?}"
    );
    for (account, balance) in expected {
        let seen = cli.view(&["account", account]);
        assert_eq!(seen["balance"], balance, "{account}: {seen}");
    }
}
