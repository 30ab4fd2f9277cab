//! Latency of payments that come at a steady rate, whatever becomes of those before (an open loop).

use super::Outcome;
use super::load::{Load, now};
use super::machine::Moment;
use super::pipeline::{self, Kind, Pipeline};
use fermata_core::Timestamp;
use fermata_server::host::watch;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The aims, microseconds.
pub const P50_BELOW: u64 = 10_000;
pub const P99_BELOW: u64 = 50_000;

/// Before the clock starts: pages are mapped, tables exist.
const WARM_UP: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(1);

/// From the payment's due time to its end on disk, microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    pub rate: u64,
    pub ended: u64,
    pub p50: u64,
    pub p99: u64,
    pub max: u64,
    /// Processors that this process kept busy.
    pub own: f64,
    /// Processors that others kept busy.
    pub others: f64,
}

pub fn measure(rate: u64, seconds: u64) -> Outcome<Latency> {
    eprintln!("open loop at {rate}/s for {seconds} s: Wasm");
    let manifest = pipeline::manifest()?;
    let mut load = Load::new(&manifest)?;
    let pipeline = Pipeline::new(Kind::Wasm)?;
    let host = pipeline.funded(&mut load)?;
    send(&host.app, &mut load, rate, WARM_UP)?;
    pipeline::last_end(&host.app)?;
    host.app.watch.restart(&host.app);
    let began = Moment::now()?;
    send(&host.app, &mut load, rate, Duration::from_secs(seconds))?;
    let used = began.until(&Moment::now()?);
    pipeline::last_end(&host.app)?;
    let found = watch::latency(&host.app);
    host.stop()?;
    Ok(Latency {
        rate,
        ended: found.len(),
        p50: found.value_at_quantile(0.5),
        p99: found.value_at_quantile(0.99),
        max: found.max(),
        own: used.cpu_seconds / used.seconds,
        others: used.others,
    })
}

/// Appends what is due, each payment with its own due time.
fn send(app: &fermata_server::host::App, load: &mut Load<'_>, rate: u64, length: Duration) -> Outcome<()> {
    let (began, began_at) = (Instant::now(), now());
    let all = rate * length.as_millis() as u64 / 1_000;
    let mut sent = 0;
    while sent < all {
        let due = (began.elapsed().as_micros() as u64 * rate / 1_000_000).min(all);
        let mut records = Vec::new();
        while sent < due {
            records.extend(load.one(Timestamp(began_at.0 + (sent * 1_000 / rate) as i64))?);
            sent += 1;
        }
        if records.is_empty() {
            std::thread::sleep(PAUSE);
        } else {
            app.log.append(records)?;
        }
        if let Some(because) = app.failed() {
            return Err(because.into());
        }
    }
    Ok(())
}
