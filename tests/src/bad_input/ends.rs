//! How everything that was sent has ended, read from the topics alone.

use super::{COMMANDS, End, INCOMING, Sent};
use crate::harness::Topics;
use fermata_core::Record;
use fermata_core::names::headers;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Ends of each kind, and how many records had them.
#[derive(Clone, Debug, Default)]
pub struct Summary {
    pub ends: BTreeMap<(&'static str, End), usize>,
}

impl Summary {
    /// `head · dead letter bad-json · 200`, one line for each kind of end.
    pub fn table(&self) -> String {
        let lines = self
            .ends
            .iter()
            .map(|((head, end), count)| format!("{head:<18} {end:?} {count}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The one field that matters here: the rest carries along what was sent, of which not everything fits in a value.
#[derive(Deserialize)]
struct Coded {
    code: Option<String>,
}

impl Coded {
    fn read(record: &Record) -> Self {
        serde_json::from_slice(record.value.as_deref().unwrap_or_default())
            .unwrap_or_else(|e| panic!("{}: {e}", record.coordinates()))
    }
}

/// Where every record ended; coordinates or key lead there.
#[derive(Default)]
struct Ends {
    /// By topic, partition and offset of the record that failed.
    dead: BTreeMap<(String, u32, u64), Vec<String>>,
    /// By key.
    named: BTreeMap<Vec<u8>, Vec<String>>,
    /// Records of each topic; dead letters by stage.
    counts: BTreeMap<String, usize>,
}

impl Ends {
    fn read(topics: &Topics) -> Self {
        let mut ends = Self::default();
        topics.each("payments.dlq", |letter| ends.letter(letter));
        for (topic, word) in [
            ("payment.rejected", "Rejected"),
            ("account.results", "Answered"),
            ("payment.confirmed", "Confirmed"),
            ("payment.failed", "Failed"),
        ] {
            topics.each(topic, |record| {
                let code = Coded::read(record).code;
                let end = code.map_or_else(|| word.to_owned(), |code| format!("{word}({code:?})"));
                let key = record.key.as_deref().unwrap_or_default().to_vec();
                ends.named.entry(key).or_default().push(end);
                ends.count(topic);
            });
        }
        for topic in [INCOMING, COMMANDS, "payment.accepted"] {
            topics.each(topic, |_| ends.count(topic));
        }
        ends
    }

    fn letter(&mut self, letter: &Record) {
        let header = |name: &str| {
            letter
                .header(name)
                .unwrap_or_else(|| panic!("no {name} on {}", letter.coordinates()))
        };
        let number = |name: &str| -> u64 { header(name).parse().unwrap_or_else(|e| panic!("{name}: {e}")) };
        let place = (
            header(headers::ERRORS_TOPIC).to_owned(),
            u32::try_from(number(headers::ERRORS_PARTITION)).expect("a partition"),
            number(headers::ERRORS_OFFSET),
        );
        let end = format!("DeadLetter({:?})", header(headers::CODE));
        self.dead.entry(place).or_default().push(end);
        self.count(&format!("dead of {}", header(headers::STAGE)));
    }

    fn count(&mut self, what: &str) {
        *self.counts.entry(what.to_owned()).or_default() += 1;
    }

    fn counted(&self, what: &str) -> usize {
        self.counts.get(what).copied().unwrap_or_default()
    }

    fn of(&self, sent: &Sent) -> Vec<String> {
        let place = (sent.case.head.to_owned(), sent.shard.0, sent.offset.0);
        let dead = self.dead.get(&place).into_iter().flatten();
        // A key may stand on records of both heads, never on two of one.
        let named = sent.case.key.as_ref().and_then(|key| self.named.get(key));
        let named = named.into_iter().flatten().filter(|end| {
            let answer = end.starts_with("Answered");
            answer == (sent.case.head == COMMANDS)
        });
        dead.chain(named).cloned().collect()
    }
}

/// A name without the bulk of a deep or long value.
fn short(name: &str) -> String {
    name.chars().take(60).collect()
}

/// Panics unless each record ended once, where and as it must, and the sums agree.
pub fn check(topics: &Topics, sent: &[Sent]) -> Summary {
    let ends = Ends::read(topics);
    let mut summary = Summary::default();
    let mut wrong = Vec::new();
    for one in sent {
        let (found, expected) = (ends.of(one), format!("{:?}", one.case.end));
        if found == [expected.as_str()] {
            *summary.ends.entry((one.case.head, one.case.end)).or_default() += 1;
        } else {
            wrong.push(format!(
                "{} · {}: {found:?} instead of {expected}",
                one.case.head,
                short(&one.case.name)
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} ended otherwise:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    let n = |what: &str| ends.counted(what);
    let (accepted, rejected) = (n("payment.accepted"), n("payment.rejected"));
    assert_eq!(
        n(INCOMING),
        accepted + rejected + n("dead of validate"),
        "{:?}",
        ends.counts
    );
    assert_eq!(accepted, n("payment.confirmed"), "{:?}", ends.counts);
    assert_eq!(
        n(COMMANDS),
        n("account.results") + n("dead of account"),
        "{:?}",
        ends.counts
    );
    assert_eq!(n(INCOMING) + n(COMMANDS), sent.len(), "{:?}", ends.counts);
    summary
}
