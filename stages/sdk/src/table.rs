//! Typed state: JSON with named fields, so that two versions of one schema share it.

use std::collections::VecDeque;
use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::context::{Context, Reader};
use crate::describe::StoreDecl;

/// Entries that an iteration asks for at a time; below the host's bound of 1,000.
const PAGE: u32 = 256;

/// A typed handle on a store, usually a constant:
/// `const BALANCES: Table<Balance> = Table::new("balances", 1);`
///
/// An entry that is not JSON of `T` panics: within one schema only a defect can write such an entry, and the record
/// that met it must fault rather than be judged on half of the state.
pub struct Table<T> {
    name: &'static str,
    schema: u32,
    entry: PhantomData<fn() -> T>,
}

impl<T> Table<T> {
    pub const fn new(name: &'static str, schema: u32) -> Self {
        Self { name, schema, entry: PhantomData }
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

impl<T: DeserializeOwned> Table<T> {
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
    pub fn iter<'a>(&self, cx: &'a dyn Reader) -> Iter<'a, T> {
        self.iter_prefix(cx, "")
    }

    /// All entries under `prefix` in byte order, read page by page.
    pub fn iter_prefix<'a>(&self, cx: &'a dyn Reader, prefix: impl AsRef<[u8]>) -> Iter<'a, T> {
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
        serde_json::from_slice(value).unwrap_or_else(|error| {
            let (name, schema) = (self.name, self.schema);
            let key = String::from_utf8_lossy(key);
            panic!("store {name}, key {key:?}: not an entry of schema {schema}: {error}")
        })
    }
}

impl<T: Serialize> Table<T> {
    pub fn put(&self, cx: &mut dyn Context, key: impl AsRef<[u8]>, value: &T) {
        let bytes = serde_json::to_vec(value).expect("an entry is plain data with string keys");
        cx.put_raw(self.name, key.as_ref(), &bytes);
    }
}

// Derives would ask for `T: Copy`; a handle is a name.
impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Table<T> {}

/// Entries of a table in byte order; see [`Table::iter`].
pub struct Iter<'a, T> {
    table: Table<T>,
    cx: &'a dyn Reader,
    prefix: Vec<u8>,
    page: VecDeque<(Vec<u8>, T)>,
    last: Option<Vec<u8>>,
    ended: bool,
}

impl<T: DeserializeOwned> Iterator for Iter<'_, T> {
    type Item = (Vec<u8>, T);

    fn next(&mut self) -> Option<Self::Item> {
        if self.page.is_empty() && !self.ended {
            // A short page is not the end: the host also cuts a page at its size.
            self.page = self.table.scan(self.cx, &self.prefix, self.last.as_deref(), PAGE).into();
            match self.page.back() {
                Some((key, _)) => self.last = Some(key.clone()),
                None => self.ended = true,
            }
        }
        self.page.pop_front()
    }
}
