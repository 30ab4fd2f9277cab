//! How long Fermata is silent after SIGKILL, with few accounts and with many, on a disk that stays.

use super::figures::{self, Silence};
use super::load::{Load, Mode};
use super::side::Side;
use super::tools::{Broker, Tools};
use super::{KafkaArgs, Outcome, silence};

/// What many accounts may take longer.
pub const MOST_RATIO: f64 = 1.3;

#[derive(Clone, Debug, serde::Serialize)]
pub struct Recovered {
    pub accounts: u64,
    pub rounds: Vec<Silence>,
}

/// Accounts are opened once; every round is a process of its own on them.
pub fn measure(args: &KafkaArgs, tools: &Tools, broker: &Broker) -> Outcome<Vec<Recovered>> {
    let mut all = Vec::new();
    for accounts in args.accounts {
        all.push((
            Load::new(tools, broker, Side::Fermata)?,
            Recovered {
                accounts,
                rounds: Vec::new(),
            },
        ));
    }
    for round in 1..=args.rounds {
        for (load, found) in &mut all {
            eprintln!(
                "round {round} of {}: SIGKILL with {} accounts",
                args.rounds, found.accounts
            );
            let mut flags = silence(args);
            flags.push(("--accounts", found.accounts.to_string()));
            flags.push(("--seed", round.to_string()));
            // Those of the rounds before are on the topic, and are none of this round's.
            flags.push(("--id-prefix", format!("round{round}")));
            flags.push(("--setup-timeout", (args.timeout() + found.accounts / 500).to_string()));
            if round > 1 {
                flags.push(("--setup-accounts", "0".to_owned()));
            }
            let silent = load.run(Mode::Open, &flags)?;
            found.rounds.push(figures::one(&silent)?);
        }
        all.reverse();
    }
    let mut found: Vec<_> = all.into_iter().map(|(_, found)| found).collect();
    found.sort_by_key(|r| r.accounts);
    Ok(found)
}
