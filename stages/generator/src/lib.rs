//! The payment generator: funds accounts, then makes payments between them, from a seed.
//!
//! Same config, seed, sequence and due time: same bytes, on any machine. The refusals that it provokes do not depend
//! on what overtakes what: poor accounts are never credited, frozen and closed ones are so from the set-up on, and all
//! others are funded above anything they may be asked.

mod config;
mod load;
mod random;
mod setup;
#[cfg(test)]
mod tests;
mod zipf;

use fermata_stage::{Emission, Plan};
use serde_json::Value;

pub use config::{Amounts, Bad, Config};
use random::Random;
use setup::Step;
use zipf::Zipf;

/// Output ports.
const PAYMENTS: &str = "payments";
const COMMANDS: &str = "commands";

pub struct Generator {
    config: Config,
    seed: u64,
    zipf: Zipf,
    /// What the set-up does after funding the plain accounts, one step for each sequence number.
    extras: Vec<Step>,
}

impl fermata_stage::Generator for Generator {
    type Config = Config;
    const NAME: &'static str = "generator";
    const VERSION: &'static str = "1.0.0";

    fn init(config: Config, seed: u64) -> Result<(Self, Plan), String> {
        config.check()?;
        let zipf = Zipf::new(config.accounts, config.zipf);
        let extras = setup::extras(&config);
        let setup = u64::from(config.accounts) + extras.len() as u64;
        let plan = Plan {
            outputs: vec![PAYMENTS.to_owned(), COMMANDS.to_owned()],
            setup,
        };
        Ok((
            Self {
                config,
                seed,
                zipf,
                extras,
            },
            plan,
        ))
    }

    fn next(&self, sequence: u64, due: i64) -> Vec<Emission> {
        let accounts = u64::from(self.config.accounts);
        if sequence < accounts {
            let step = Step::Fund {
                account: plain(sequence),
                amount: self.config.fund(),
            };
            return vec![self.set_up(&step, sequence, due)];
        }
        let index = usize::try_from(sequence - accounts).unwrap_or(usize::MAX);
        match self.extras.get(index) {
            Some(step) => vec![self.set_up(step, sequence, due)],
            None => self.load(&mut Random::new(self.seed, sequence), sequence, due),
        }
    }
}

impl Generator {
    fn id(&self, sequence: u64) -> String {
        format!("p-{}-{sequence}", self.seed)
    }
}

/// The name of a plain account.
fn plain(index: u64) -> String {
    format!("acct-{index}")
}

/// A payment, keyed by its id, or by `id` where it has none that could be read.
fn payment(id: &str, payment: &Value) -> Emission {
    Emission::json(PAYMENTS, id, payment)
}

fermata_stage::export_generator!(Generator);
