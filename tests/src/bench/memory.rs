//! Memory after many payments.

use super::Outcome;
use super::load::Load;
use super::machine::{self, Moment};
use super::pipeline::{self, Kind, Pipeline};
use fermata_server::host::figures;
use fermata_store::Options;
use serde::Serialize;
use std::time::Duration;

/// Payments appended at once, and how many records may wait before more are.
const PAGE: u64 = 1_000;
const WAITING: u64 = 10_000;
const PAUSE: Duration = Duration::from_millis(5);

#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    pub payments: u64,
    pub payments_per_s: f64,
    /// Bytes of this process at the end, and the most there were.
    pub resident: u64,
    pub peak: u64,
    /// Sizes that the store was opened with, bytes.
    pub cache: u64,
    pub log_memtable: u64,
    pub state_memtable: u64,
    pub journals: u64,
    pub newest_records: u64,
    /// Processors that others kept busy.
    pub others: f64,
}

pub fn measure(payments: u64) -> Outcome<Memory> {
    let manifest = pipeline::manifest()?;
    let mut load = Load::new(&manifest)?;
    let pipeline = Pipeline::new(Kind::Wasm)?;
    let host = pipeline.funded(&mut load)?;
    let began = Moment::now()?;
    for sent in (0..payments).step_by(PAGE as usize) {
        if sent % 100_000 == 0 {
            eprintln!(
                "memory: {sent} of {payments} payments, {} MiB",
                machine::resident()?.0 >> 20
            );
        }
        host.app.log.append(load.take(PAGE.min(payments - sent))?)?;
        while figures::lag(&host.app)? > WAITING {
            if let Some(because) = host.app.failed() {
                return Err(because.into());
            }
            std::thread::sleep(PAUSE);
        }
    }
    let (_, end) = pipeline::last_end(&host.app)?;
    let used = began.until(&end);
    let (resident, peak) = machine::resident()?;
    host.stop()?;
    let sizes = Options::default();
    Ok(Memory {
        payments,
        payments_per_s: payments as f64 / used.seconds,
        resident,
        peak,
        cache: sizes.cache_bytes,
        log_memtable: sizes.log_memtable_bytes,
        state_memtable: sizes.state_memtable_bytes,
        journals: sizes.journal_bytes,
        newest_records: sizes.tail_bytes as u64,
        others: used.others,
    })
}
