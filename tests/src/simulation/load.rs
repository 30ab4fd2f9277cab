//! Payments of every kind, appended to the head at random moments.

use crate::simulated::Simulated;
use fermata_core::manifest::Manifest;
use fermata_core::ports::{Clock, Log};
use fermata_core::{NewRecord, Timestamp, TopicName, partition};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ACCOUNTS: u64 = 6;

pub struct Load {
    seed: u64,
    sent: Vec<String>,
}

impl Load {
    pub fn new(seed: u64) -> Self {
        Self { seed, sent: Vec::new() }
    }

    /// Gives every account something to spend.
    pub fn fund(&mut self, log: &Simulated, manifest: &Manifest) {
        for account in 0..ACCOUNTS {
            let id = format!("fund-{account}");
            let value = payment(log, &id, "funding-EUR", &format!("acct-{account}"), "10000");
            append(log, manifest, &id, Some(value));
        }
    }

    /// Payment number `n`: what it is depends on nothing else, but for one that is sent again.
    pub fn send(&mut self, n: u32, log: &Simulated, manifest: &Manifest) {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed ^ (u64::from(n) << 32));
        let id = format!("p-{}-{n}", self.seed);
        let from = rng.random_range(0..ACCOUNTS);
        let to = (from + rng.random_range(1..ACCOUNTS)) % ACCOUNTS;
        let (from, to) = (format!("acct-{from}"), format!("acct-{to}"));
        let amount = rng.random_range(1..4_000).to_string();
        match rng.random_range(0..20) {
            0 => append(log, manifest, &id, Some("{not json".into())),
            1 => append(log, manifest, &id, Some(payment(log, &id, &from, &from, &amount))),
            2 => append(log, manifest, &id, Some(payment(log, &id, &from, &to, "-5"))),
            3 => append(log, manifest, &id, Some(payment(log, &id, "nobody-1", &to, &amount))),
            4 => append(log, manifest, &id, None),
            5 | 6 => {
                // Sent again, to the letter.
                if let Some(value) = self.sent.last().cloned() {
                    let parsed: serde_json::Value = serde_json::from_str(&value).expect("made here");
                    let id = parsed["id"].as_str().unwrap_or_default().to_owned();
                    append(log, manifest, &id, Some(value));
                }
            }
            7 => append(log, manifest, &id, Some(payment(log, &id, &from, &to, "999999999"))),
            _ => {
                let value = payment(log, &id, &from, &to, &amount);
                self.sent.push(value.clone());
                append(log, manifest, &id, Some(value));
            }
        }
    }
}

fn payment(log: &Simulated, id: &str, from: &str, to: &str, amount: &str) -> String {
    let at = log.clock().now().0 / 1_000;
    // 2026-01-01T00:00:00Z and on; a run lasts hours at most.
    let since = at - 1_767_225_600;
    let (day, hour, minute, second) = (1 + since / 86_400, since / 3_600 % 24, since / 60 % 60, since % 60);
    let at = format!("2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}Z");
    format!(r#"{{"id":"{id}","from":"{from}","to":"{to}","amount":{amount},"currency":"EUR","at":"{at}"}}"#)
}

fn append(log: &Simulated, manifest: &Manifest, key: &str, value: Option<String>) {
    let topic = TopicName::new("payment.incoming").expect("a constant");
    let record = NewRecord {
        topic,
        shard: partition::shard_of(key.as_bytes(), manifest.partitions),
        timestamp: Timestamp(log.clock().now().0),
        key: Some(bytes::Bytes::copy_from_slice(key.as_bytes())),
        value: value.map(Into::into),
        headers: Vec::new(),
    };
    // The producer outside tries until it has an answer; an answer that is lost here was never given.
    for _ in 0..100 {
        if log.append(vec![record.clone()]).is_ok() {
            return;
        }
    }
    panic!("the simulated log was away a hundred times in a row");
}
