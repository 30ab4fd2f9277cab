//! Typed state, written so that two versions of one schema share it.

use std::collections::VecDeque;
use std::marker::PhantomData;

use crate::context::{Context, Reader};
use crate::describe::StoreDecl;
use crate::format::{Format, Json};

/// Entries that an iteration asks for at a time; below the host's bound of 1,000.
const PAGE: u32 = 256;

/// A typed handle on a store, usually a constant:
/// `const BALANCES: Table<Balance> = Table::new("balances", 1);`
///
/// `F` is how its entries are written, [`Json`] unless it is named.
///
/// An entry that is no `T` panics: within one schema only a defect can write such an entry, and the record
/// that met it must fault rather than be judged on half of the state.
pub struct Table<T, F = Json> {
    name: &'static str,
    schema: u32,
    entry: PhantomData<fn() -> (T, F)>,
}

impl<T, F> Table<T, F> {
    pub const fn new(name: &'static str, schema: u32) -> Self {
        Self {
            name,
            schema,
            entry: PhantomData,
        }
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    pub const fn schema(&self) -> u32 {
        self.schema
    }

    /// For the stage's description.
    pub fn decl(&self) -> StoreDecl {
        StoreDecl::new(self.name, self.schema)
    }

    pub fn delete(&self, cx: &mut dyn Context, key: impl AsRef<[u8]>) {
        cx.delete_raw(self.name, key.as_ref());
    }

    pub fn contains(&self, cx: &dyn Reader, key: impl AsRef<[u8]>) -> bool {
        cx.get_raw(self.name, key.as_ref()).is_some()
    }
}

impl<T, F: Format<T>> Table<T, F> {
    pub fn get(&self, cx: &dyn Reader, key: impl AsRef<[u8]>) -> Option<T> {
        let key = key.as_ref();
        cx.get_raw(self.name, key).map(|value| self.decode(key, &value))
    }

    /// Entries under `prefix` in byte order, strictly behind `after`; at most `limit`, and fewer where the host's
    /// own bound is reached first: only an empty answer is the end.
    pub fn scan(
        &self,
        cx: &dyn Reader,
        prefix: impl AsRef<[u8]>,
        after: Option<&[u8]>,
        limit: u32,
    ) -> Vec<(Vec<u8>, T)> {
        let entries = cx.scan_raw(self.name, prefix.as_ref(), after, limit);
        entries
            .into_iter()
            .map(|entry| {
                let value = self.decode(&entry.key, &entry.value);
                (entry.key, value)
            })
            .collect()
    }

    /// All entries in byte order, read page by page.
    pub fn iter<'a>(&self, cx: &'a dyn Reader) -> Iter<'a, T, F> {
        self.iter_prefix(cx, "")
    }

    /// All entries under `prefix` in byte order, read page by page.
    pub fn iter_prefix<'a>(&self, cx: &'a dyn Reader, prefix: impl AsRef<[u8]>) -> Iter<'a, T, F> {
        Iter {
            table: *self,
            cx,
            prefix: prefix.as_ref().to_vec(),
            page: VecDeque::new(),
            last: None,
            ended: false,
        }
    }

    fn decode(&self, key: &[u8], value: &[u8]) -> T {
        F::read(value).unwrap_or_else(|error| {
            let (name, schema) = (self.name, self.schema);
            let key = String::from_utf8_lossy(key);
            panic!("store {name}, key {key:?}: not an entry of schema {schema}: {error}")
        })
    }

    pub fn put(&self, cx: &mut dyn Context, key: impl AsRef<[u8]>, value: &T) {
        cx.put_raw(self.name, key.as_ref(), &F::write(value));
    }
}

// Derives would ask for `T: Copy`; a handle is a name.
impl<T, F> Clone for Table<T, F> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, F> Copy for Table<T, F> {}

/// Entries of a table in byte order; see [`Table::iter`].
pub struct Iter<'a, T, F = Json> {
    table: Table<T, F>,
    cx: &'a dyn Reader,
    prefix: Vec<u8>,
    page: VecDeque<(Vec<u8>, T)>,
    last: Option<Vec<u8>>,
    ended: bool,
}

impl<T, F: Format<T>> Iterator for Iter<'_, T, F> {
    type Item = (Vec<u8>, T);

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            // A short page is not the end: the host also cuts a page at its size.
            self.page = self
                .table
                .scan(self.cx, &self.prefix, self.last.as_deref(), PAGE)
                .into();
            match self.page.back() {
                Some((key, _)) => self.last = Some(key.clone()),
                None => self.ended = true,
            }
        }
        self.page.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use minicbor::{Decode, Encode};
    use serde::{Deserialize, Serialize};

    use super::*;
    use crate::format::Cbor;
    use crate::testing::TestContext;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Balance {
        cents: i64,
    }

    const BALANCES: Table<Balance> = Table::new("balances", 3);

    fn filled(keys: &[&str]) -> TestContext {
        let mut cx = TestContext::new();
        for (cents, key) in (0..).zip(keys) {
            BALANCES.put(&mut cx, key, &Balance { cents });
        }
        cx
    }

    #[test]
    fn what_was_put_is_read_until_it_is_deleted() {
        let mut cx = filled(&["anna", "bert"]);
        // As in a stage: a `&mut dyn Context` reads as a `&dyn Reader`.
        let cx: &mut dyn Context = &mut cx;
        assert_eq!(BALANCES.get(cx, "bert"), Some(Balance { cents: 1 }));
        assert_eq!(BALANCES.get(cx, b"bert".as_slice()), Some(Balance { cents: 1 }));
        assert!(BALANCES.contains(cx, "anna"));
        BALANCES.delete(cx, "anna");
        assert_eq!(BALANCES.get(cx, "anna"), None);
        assert!(!BALANCES.contains(cx, "anna"));
    }

    #[test]
    fn an_entry_is_json_with_named_fields() {
        let cx = filled(&["anna"]);
        assert_eq!(
            cx.get_raw("balances", b"anna").as_deref(),
            Some(br#"{"cents":0}"#.as_slice())
        );
        assert_eq!(BALANCES.decl(), StoreDecl::new("balances", 3));
    }

    /// What a version wrote, and what the next one makes of it: one field more, one less.
    #[derive(Encode, Decode)]
    struct Older {
        #[n(0)]
        cents: i64,
        #[n(1)]
        owner: String,
    }

    #[derive(Debug, PartialEq, Encode, Decode)]
    struct Newer {
        #[n(0)]
        cents: i64,
        #[cbor(n(2), default)]
        limit: i64,
        #[n(3)]
        note: Option<String>,
    }

    #[test]
    fn versions_share_entries_of_numbered_fields() {
        const OLDER: Table<Older, Cbor> = Table::new("balances", 3);
        const NEWER: Table<Newer, Cbor> = Table::new("balances", 3);
        let mut cx = TestContext::new();
        let owner = "anna".to_owned();
        OLDER.put(&mut cx, "anna", &Older { cents: 7, owner });
        let newer = NEWER.get(&cx, "anna").expect("the same entry");
        assert_eq!(
            newer,
            Newer {
                cents: 7,
                limit: 0,
                note: None
            }
        );
        NEWER.put(&mut cx, "bert", &Newer { cents: 8, ..newer });
        assert_eq!(
            cx.get_raw("balances", b"bert").as_deref(),
            Some(&[0x83, 8, 0xf6, 0][..])
        );
        cx.put_raw("balances", b"carl", &[0x82, 9, 0x61, b'c', 0xf6]);
        assert_eq!(
            OLDER.get(&cx, "carl").map(|it| (it.cents, it.owner)),
            Some((9, "c".to_owned()))
        );
    }

    #[test]
    #[should_panic(expected = r#"store balances, key "anna": not an entry of schema 3"#)]
    fn bytes_that_are_no_such_entry_fault() {
        const BALANCES: Table<Older, Cbor> = Table::new("balances", 3);
        let mut cx = TestContext::new();
        cx.put_raw("balances", b"anna", br#"{"cents":1}"#);
        BALANCES.get(&cx, "anna");
    }

    #[test]
    fn a_scan_keeps_to_prefix_start_and_limit() {
        let cx = filled(&["a", "b1", "b2", "b3", "c"]);
        let keys = |after: Option<&[u8]>, limit| -> Vec<String> {
            let found = BALANCES.scan(&cx, "b", after, limit);
            found
                .into_iter()
                .map(|(key, _)| String::from_utf8(key).expect("text"))
                .collect()
        };
        assert_eq!(keys(None, 10), ["b1", "b2", "b3"]);
        assert_eq!(keys(None, 2), ["b1", "b2"]);
        assert_eq!(keys(Some(b"b1"), 10), ["b2", "b3"]);
        assert_eq!(keys(Some(b"a"), 10), ["b1", "b2", "b3"]);
        assert_eq!(keys(Some(b"c"), 10), [""; 0]);
    }

    #[test]
    fn an_iteration_goes_over_all_pages_once() {
        let keys: Vec<String> = (0..2 * PAGE + 1).map(|n| format!("k{n:04}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut cx = filled(&keys);
        BALANCES.put(&mut cx, "other", &Balance { cents: -1 });
        let found: Vec<i64> = BALANCES
            .iter_prefix(&cx, "k")
            .map(|(_, balance)| balance.cents)
            .collect();
        assert_eq!(found, (0..i64::from(2 * PAGE + 1)).collect::<Vec<_>>());
        assert_eq!(BALANCES.iter(&cx).count(), keys.len() + 1);
    }

    /// A host that cuts each page at one entry, as one with a bound on bytes may.
    struct Narrow(TestContext);

    impl Reader for Narrow {
        fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
            self.0.get_raw(store, key)
        }

        fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, _limit: u32) -> Vec<crate::Entry> {
            self.0.scan_raw(store, prefix, after, 1)
        }

        fn now(&self) -> i64 {
            0
        }
    }

    #[test]
    fn a_short_page_does_not_end_an_iteration() {
        assert_eq!(BALANCES.iter(&Narrow(filled(&["a", "b", "c"]))).count(), 3);
    }

    #[test]
    #[should_panic(expected = r#"store balances, key "anna": not an entry of schema 3"#)]
    fn an_entry_of_another_shape_faults() {
        let mut cx = TestContext::new();
        cx.put_raw("balances", b"anna", br#"{"pounds":1}"#);
        BALANCES.get(&cx, "anna");
    }
}
