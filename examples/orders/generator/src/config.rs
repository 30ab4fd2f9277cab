//! What is to be generated.

use serde::Deserialize;

/// `[generator.x.config]`. All but `articles` are shares from 0 to 1, together at most 1; the rest is shipped.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Config {
    /// Plain articles: `article-0` to `article-<n - 1>`, each delivered once in the set-up.
    pub articles: u64,
    /// Orders that nobody pays.
    pub unpaid: f64,
    /// Orders of what is not there.
    pub sold_out: f64,
    /// Orders that come twice.
    pub repeated: f64,
    /// Payments for orders that there are not: dead letters.
    pub not_open: f64,
    /// Values that are no message: dead letters.
    pub bad_message: f64,
}

/// How an order ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Shipped,
    Unpaid,
    SoldOut,
    Repeated,
    NotOpen,
    BadMessage,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            articles: 100,
            unpaid: 0.0,
            sold_out: 0.0,
            repeated: 0.0,
            not_open: 0.0,
            bad_message: 0.0,
        }
    }
}

impl Config {
    fn shares(&self) -> [(Fate, f64); 5] {
        [
            (Fate::Unpaid, self.unpaid),
            (Fate::SoldOut, self.sold_out),
            (Fate::Repeated, self.repeated),
            (Fate::NotOpen, self.not_open),
            (Fate::BadMessage, self.bad_message),
        ]
    }

    pub fn check(&self) -> Result<(), String> {
        if self.articles == 0 {
            return Err("articles is 0: nothing could be ordered".to_owned());
        }
        let shares = self.shares();
        let total: f64 = shares.iter().map(|(_, share)| share).sum();
        if shares.iter().any(|(_, share)| !(0.0..=1.0).contains(share)) || total > 1.0 {
            return Err(format!(
                "the shares make {total}; each must lie between 0 and 1, and all within 1"
            ));
        }
        Ok(())
    }

    /// The fate at a point between 0 and 1.
    pub fn fate(&self, point: f64) -> Fate {
        let mut end = 0.0;
        for (fate, share) in self.shares() {
            end += share;
            if point < end {
                return fate;
            }
        }
        Fate::Shipped
    }
}
