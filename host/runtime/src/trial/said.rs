//! What came of one sample, as far as a replay would compare it, and how two of them differ.

use bytes::Bytes;
use fermata_core::control::RecordKey;
use fermata_core::names::headers as h;
use fermata_core::ports::StateChange;
use fermata_core::printable::printable;
use fermata_core::{Header, NewRecord};
use std::fmt::Write as _;

/// Bytes of a key or value that a message shows.
const SHOWN: usize = 60;

#[derive(Debug, Default)]
pub struct Said {
    pub records: Vec<NewRecord>,
    /// Of the stage's stores, of its timers and of its validators' memos.
    pub changes: Vec<StateChange>,
}

impl Said {
    /// The first difference: what this one says, and what the other does.
    pub fn differs(&self, other: &Self) -> Option<(String, String)> {
        let records = first(&self.records, &other.records, same, put_out);
        records.or_else(|| first(&self.changes, &other.changes, |a, b| a == b, changes))
    }
}

fn first<T>(a: &[T], b: &[T], same: fn(&T, &T) -> bool, show: fn(&T) -> String) -> Option<(String, String)> {
    let shown = |found: Option<&T>| found.map_or_else(|| "nothing more".to_owned(), show);
    let most = a.len().max(b.len());
    let mut both = (0..most).map(|i| (a.get(i), b.get(i)));
    let differing = both.find(|pair| !matches!(pair, (Some(a), Some(b)) if same(a, b)))?;
    Some((shown(differing.0), shown(differing.1)))
}

/// As [`fermata_core::output_hash`] has it: times and what the host says of a failure are not the stage's words.
fn same(a: &NewRecord, b: &NewRecord) -> bool {
    let own = |record: &NewRecord| -> Vec<Header> {
        let kept = |header: &&Header| {
            let name: &str = &header.key;
            !h::reserved(name) || name == h::ID || name == h::CODE
        };
        record.headers.iter().filter(kept).cloned().collect()
    };
    (&a.topic, a.shard, &a.key, &a.value) == (&b.topic, b.shard, &b.key, &b.value) && own(a) == own(b)
}

fn put_out(record: &NewRecord) -> String {
    if let Some(code) = fermata_core::record::header(&record.headers, h::CODE) {
        return format!("rejects it with {code}");
    }
    let mut text = format!("emits {} to {}", shown(record.value.as_ref()), record.topic);
    if let Some(key) = &record.key {
        let _ = write!(text, " under key {}", shown(Some(key)));
    }
    for header in record.headers.iter().filter(|header| !h::reserved(&header.key)) {
        let _ = write!(text, " with header {}", printable(&header.key, SHOWN));
    }
    text
}

fn changes(change: &StateChange) -> String {
    let (store, key) = (&change.namespace.store, shown(Some(&change.key)));
    match &change.value {
        Some(value) => format!("puts {} under {key} of store {store}", shown(Some(value))),
        None => format!("deletes {key} of store {store}"),
    }
}

fn shown(bytes: Option<&Bytes>) -> String {
    let Some(bytes) = bytes else {
        return "no value".to_owned();
    };
    let mut cut = bytes.len().min(SHOWN);
    // A cut within a character would make text look like other bytes.
    while cut < bytes.len() && bytes[cut] & 0xc0 == 0x80 {
        cut -= 1;
    }
    let text = RecordKey(bytes.slice(..cut)).to_string();
    let more = if cut < bytes.len() { "..." } else { "" };
    format!("`{}{more}`", printable(&text, 2 * SHOWN + 2))
}
