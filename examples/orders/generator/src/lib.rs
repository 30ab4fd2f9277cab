//! Makes deliveries, orders and payments from a seed: each sequence number is one order, with its payment if it has
//! one.
//!
//! Same config, seed, sequence and due time: same bytes. How each order ends does not depend on what overtakes what:
//! plain articles are never sold out, scarce ones are never delivered.

mod config;
mod random;
#[cfg(test)]
mod tests;

use fermata_stage::{Emission, Plan};
use orders_messages::{Delivery, Kind, Order, Payment, Request, emission};

pub use config::Config;
use config::Fate;
use random::Random;

/// The output port.
const REQUESTS: &str = "requests";
/// Articles that are never delivered.
const SCARCE: u64 = 4;
/// Pieces of one order at most.
const MOST: u64 = 5;
/// More than a generator can order: each of `u32::MAX / MOST` orders could be for the same article.
const DELIVERED: u32 = u32::MAX;

pub struct Generator {
    config: Config,
    seed: u64,
}

impl fermata_stage::Generator for Generator {
    type Config = Config;
    const NAME: &'static str = "orders";
    const VERSION: &'static str = "1.0.0";

    fn init(config: Config, seed: u64) -> Result<(Self, Plan), String> {
        config.check()?;
        let plan = Plan {
            outputs: vec![REQUESTS.to_owned()],
            setup: config.articles,
        };
        Ok((Self { config, seed }, plan))
    }

    fn next(&self, sequence: u64, _due: i64) -> Vec<Emission> {
        if sequence < self.config.articles {
            let delivery = Delivery { quantity: DELIVERED };
            return vec![request(&plain(sequence), Kind::Delivery(delivery))];
        }
        let random = &mut Random::new(self.seed, sequence);
        // The draws stand in one order for all fates, so that the shares change nothing about the rest.
        let fate = self.config.fate(random.fraction());
        let plain = plain(random.below(self.config.articles));
        let scarce = format!("scarce-{}", random.below(SCARCE));
        let quantity = u32::try_from(1 + random.below(MOST)).expect("a handful");
        let number = sequence - self.config.articles + 1;
        let order = |article: &str| request(article, Kind::Order(Order { number, quantity }));
        let payment = |article: &str| request(article, Kind::Payment(Payment { number }));
        match fate {
            Fate::Shipped => vec![order(&plain), payment(&plain)],
            Fate::Unpaid => vec![order(&plain)],
            Fate::SoldOut => vec![order(&scarce)],
            Fate::Repeated => vec![order(&plain), order(&plain), payment(&plain)],
            Fate::NotOpen => vec![payment(&plain)],
            // A field of length 9 with one byte: the encoding breaks off.
            Fate::BadMessage => vec![Emission::new(REQUESTS).with_key(plain).with_value([0x0a, 9, 0x08])],
        }
    }
}

fn plain(index: u64) -> String {
    format!("article-{index}")
}

fn request(article: &str, kind: Kind) -> Emission {
    emission(REQUESTS, article, &Request { kind: Some(kind) })
}

fermata_stage::export_generator!(Generator);
