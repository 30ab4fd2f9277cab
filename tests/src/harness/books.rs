//! The payments' sums, reckoned from the topics alone: one life for each id.

use super::{Topics, json_value};
use fermata_core::Record;
use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{Hash, Hasher};

/// What became of one id.
#[derive(Clone, Debug, Default)]
pub struct Life {
    /// One hash for each record on the head, of its value.
    pub sent: Vec<u64>,
    pub accepted: u64,
    pub rejected: u64,
    /// Dead letters of validate.
    pub unread: u64,
    pub confirmed: u64,
    pub failed: u64,
}

impl Life {
    fn ended(&self) -> u64 {
        self.confirmed + self.failed
    }
    /// Records that were the same payment once more.
    fn repeated(&self) -> Option<u64> {
        (self.sent.len() as u64).checked_sub(self.accepted + self.rejected + self.unread)
    }
    /// At most so many records can be repetitions.
    fn alike(&self) -> u64 {
        (self.sent.len() - self.sent.iter().collect::<BTreeSet<_>>().len()) as u64
    }
}

/// Sums over all lives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    pub taken_in: u64,
    pub accepted: u64,
    pub rejected: u64,
    pub repeated: u64,
    pub dead_letters: u64,
    pub confirmed: u64,
    pub failed: u64,
}

/// All lives, and what is wrong with them.
pub struct Books {
    pub lives: HashMap<String, Life>,
    /// First 12 digits of the digests that wrote for each stage.
    pub digests: BTreeMap<String, BTreeSet<String>>,
    /// Emissions of one input by two digests.
    pub torn: Vec<String>,
    misnamed: Vec<String>,
}

impl Books {
    pub fn read(topics: &Topics) -> Self {
        let mut books = Self {
            lives: HashMap::new(),
            digests: BTreeMap::new(),
            torn: Vec::new(),
            misnamed: Vec::new(),
        };
        topics.each("payment.incoming", |r| {
            let mut hasher = DefaultHasher::new();
            r.value.hash(&mut hasher);
            books.life(r).sent.push(hasher.finish());
        });
        let mut writers = HashMap::new();
        books.named(topics, "payment.accepted", |l| l.accepted += 1, &mut writers);
        books.named(topics, "payment.rejected", |l| l.rejected += 1, &mut writers);
        books.named(topics, "payment.confirmed", |l| l.confirmed += 1, &mut writers);
        books.named(topics, "payment.failed", |l| l.failed += 1, &mut writers);
        for topic in ["payment.inflight", "payment.complete", "account.results"] {
            topics.each(topic, |r| books.written_by(r, &mut writers));
        }
        topics.each("payments.dlq", |r| match r.header("fermata-stage") {
            Some("validate") => books.life(r).unread += 1,
            stage => books
                .misnamed
                .push(format!("dead letter {} of stage {stage:?}: {r:?}", r.coordinates())),
        });
        books
    }

    fn life(&mut self, record: &Record) -> &mut Life {
        let key = record.key.as_deref().unwrap_or_default();
        self.lives.entry(String::from_utf8_lossy(key).into_owned()).or_default()
    }

    /// Every record of the topic is a message about the id that is its key.
    fn named(&mut self, topics: &Topics, topic: &str, count: impl Fn(&mut Life), writers: &mut HashMap<u64, u64>) {
        topics.each(topic, |record| {
            let id = json_value(record)["id"].as_str().map(str::to_owned);
            if id.as_deref().map(str::as_bytes) != record.key.as_deref() {
                self.misnamed.push(format!(
                    "{} has id {id:?} and key {:?}",
                    record.coordinates(),
                    record.key
                ));
            }
            count(self.life(record));
            self.written_by(record, writers);
        });
    }

    /// One input has one writer: never two digests at one position of one task.
    fn written_by(&mut self, record: &Record, writers: &mut HashMap<u64, u64>) {
        let header = |name: &str| {
            record
                .header(name)
                .unwrap_or_else(|| panic!("no {name} on {}", record.coordinates()))
        };
        let (stage, digest, id) = (header("fermata-stage"), header("fermata-digest"), header("fermata-id"));
        let hash = |parts: &[&str]| {
            let mut hasher = DefaultHasher::new();
            parts.hash(&mut hasher);
            hasher.finish()
        };
        let (input, writer) = (input(id), hash(&[digest]));
        if *writers.entry(hash(&[stage, input])).or_insert(writer) != writer {
            self.torn
                .push(format!("{stage} answered {input} with two digests, one is {digest}"));
        }
        self.digests
            .entry(stage.to_owned())
            .or_default()
            .insert(digest.to_owned());
    }

    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for life in self.lives.values() {
            totals.taken_in += life.sent.len() as u64;
            totals.accepted += life.accepted;
            totals.rejected += life.rejected;
            totals.repeated += life.repeated().unwrap_or_default();
            totals.dead_letters += life.unread;
            totals.confirmed += life.confirmed;
            totals.failed += life.failed;
        }
        totals
    }

    /// Of a drained pipeline: everything taken in has one fate, and every accepted id one end.
    pub fn check_drained(&self) -> Totals {
        let mut wrong: Vec<String> = self.misnamed.iter().chain(&self.torn).cloned().collect();
        for (id, life) in &self.lives {
            let fates = life.repeated().is_some_and(|repeated| repeated <= life.alike());
            if !fates || life.accepted > 1 || life.ended() != life.accepted {
                wrong.push(format!("{id}: {life:?}"));
            }
        }
        let count = wrong.len();
        wrong.truncate(10);
        assert!(wrong.is_empty(), "{count} lives are wrong, as\n{}", wrong.join("\n"));
        let totals = self.totals();
        assert!(totals.confirmed > 0, "nothing was confirmed: {totals:?}");
        totals
    }
}

/// The identity of the input that led to an emission: its own without the last step. Folded ones stand for themselves.
fn input(id: &str) -> &str {
    match id.split_once('#') {
        Some((_, steps)) if steps.starts_with('~') => id,
        Some((root, steps)) => steps
            .rsplit_once('/')
            .map_or(root, |(before, _)| &id[..root.len() + 1 + before.len()]),
        None => id,
    }
}

#[cfg(test)]
mod tests {
    use super::input;

    #[test]
    fn an_emission_names_its_input() {
        assert_eq!(input("payment.incoming/3/12#validate.0"), "payment.incoming/3/12");
        assert_eq!(
            input("payment.incoming/3/12#validate.0/inflight.1"),
            "payment.incoming/3/12#validate.0"
        );
        assert_eq!(
            input("payment.incoming/3/12#~abc/inflight.1"),
            "payment.incoming/3/12#~abc/inflight.1"
        );
    }
}
