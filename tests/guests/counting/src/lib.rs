//! The smallest generator: its records count up from the seed. No payments, no set-up unless the config asks for it.

use fermata_stage::{Emission, Generator, Plan, export_generator};
use serde::Deserialize;
use serde_json::json;

/// `setup`: how many sequence numbers are set-up. `keys`: how many different keys the records have.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    setup: u64,
    keys: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { setup: 0, keys: 16 }
    }
}

pub struct Counting {
    keys: u64,
    seed: u64,
}

impl Generator for Counting {
    const NAME: &'static str = "counting";
    const VERSION: &'static str = "1.0.0";
    type Config = Config;

    fn init(config: Config, seed: u64) -> Result<(Self, Plan), String> {
        if config.keys == 0 {
            return Err("config: keys must be at least 1".to_owned());
        }
        let plan = Plan {
            outputs: vec!["out".to_owned()],
            setup: config.setup,
        };
        Ok((
            Self {
                keys: config.keys,
                seed,
            },
            plan,
        ))
    }

    fn next(&self, sequence: u64, due: i64) -> Vec<Emission> {
        let number = self.seed.wrapping_add(sequence);
        let record = json!({ "number": number, "sequence": sequence, "due": due });
        vec![Emission::json("out", format!("key-{}", number % self.keys), &record)]
    }
}

export_generator!(Counting);
