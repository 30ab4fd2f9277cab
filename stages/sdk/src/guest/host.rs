//! The host as a [`Context`]: each method is one import.

use std::cell::OnceCell;

use super::stage::fermata::stage::{context, log, metrics, store, timer};
use crate::context::{Context, Reader};
use crate::types::{Entry, Level};

/// The host of this component, for one call.
#[derive(Default)]
pub(super) struct Host {
    /// The same during the whole call: it is asked for once.
    now: OnceCell<i64>,
}

impl Reader for Host {
    fn get_raw(&self, store: &str, key: &[u8]) -> Option<Vec<u8>> {
        store::get(store, key)
    }

    fn scan_raw(&self, store: &str, prefix: &[u8], after: Option<&[u8]>, limit: u32) -> Vec<Entry> {
        store::scan(store, prefix, after, limit)
    }

    fn now(&self) -> i64 {
        *self.now.get_or_init(context::now)
    }
}

impl Context for Host {
    fn id(&self) -> String {
        context::id()
    }

    fn root(&self) -> (String, i64) {
        context::root()
    }

    fn random(&mut self) -> u64 {
        context::random()
    }

    fn put_raw(&mut self, store: &str, key: &[u8], value: &[u8]) {
        store::put(store, key, value);
    }

    fn delete_raw(&mut self, store: &str, key: &[u8]) {
        store::delete(store, key);
    }

    fn set_timer(&mut self, id: &str, at: i64, payload: &[u8]) {
        timer::set(id, at, payload);
    }

    fn cancel_timer(&mut self, id: &str) {
        timer::cancel(id);
    }

    fn add(&mut self, metric: &str, labels: &[&str], value: u64) {
        metrics::add(metric, labels, value);
    }

    fn set(&mut self, metric: &str, labels: &[&str], value: i64) {
        metrics::set(metric, labels, value);
    }

    fn observe(&mut self, metric: &str, labels: &[&str], value: f64) {
        metrics::observe(metric, labels, value);
    }

    fn log(&mut self, level: Level, message: &str) {
        log::write(level, message);
    }
}
