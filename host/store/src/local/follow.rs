//! Keeping shards warm that others hold, and the thread that does it.

use super::{Shared, reading::Read, reading::Slice, restore::left};
use fermata_core::{
    Shard, Timestamp,
    ports::{Bounds, LogError},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// What became of a followed shard in a slice.
enum Followed {
    /// The changelog was read to its stable end.
    ToTheEnd,
    NotYet,
    /// Somebody here has restored it meanwhile, and alone writes to it.
    Held,
}

/// Followed shards are read on every so many rounds: the log is asked a lot for each of them.
const ROUNDS: u64 = 5;

impl Shared {
    pub(super) fn standby(&self, at_most: Duration) -> Result<BTreeMap<Shard, u64>, LogError> {
        self.check()?;
        let slice = self.slice(at_most);
        let mut behind = BTreeMap::new();
        let followed: Vec<Shard> = self.followed.lock().iter().copied().collect();
        for shard in followed {
            if self.seat(shard)?.lock().is_held() {
                continue;
            }
            let now = self.options.clock.now();
            let ends = self.log.bounds(&self.changelog, shard)?;
            let came = self.follow_shard(shard, now, &ends, &slice)?;
            let seat = self.seat(shard)?.lock();
            if matches!(came, Followed::Held) || seat.is_held() {
                continue;
            }
            let left = left(&seat, &ends);
            behind.insert(shard, left);
            self.warmth.lock().insert(shard, left);
        }
        Ok(behind)
    }

    /// The seat is taken anew for each read: whoever restores the shard does not wait for long.
    fn follow_shard(&self, shard: Shard, now: Timestamp, ends: &Bounds, slice: &Slice) -> Result<Followed, LogError> {
        {
            let mut seat = self.seat(shard)?.lock();
            if seat.is_held() {
                return Ok(Followed::Held);
            }
            self.wipe_stale(&mut seat, shard)?;
            self.wipe_strange(&mut seat, shard, ends)?;
        }
        loop {
            let mut seat = self.seat(shard)?.lock();
            if seat.is_held() {
                return Ok(Followed::Held);
            }
            let Some(position) = self.make_position(&mut seat, shard, slice)? else {
                return Ok(Followed::NotYet);
            };
            if position >= ends.end {
                seat.book.in_step = now;
                self.write("following a shard", [], Some((shard, &seat.book)))?;
                return Ok(Followed::ToTheEnd);
            }
            match self.read(&mut seat, shard, position)? {
                Read::Some | Read::Wiped => {}
                Read::Nothing => seat.book.position = Some(ends.end),
            }
            if self.over(slice) {
                return Ok(Followed::NotYet);
            }
        }
    }

    /// Until the store closes.
    pub(super) fn keep_tending(self: &Arc<Self>, every: Duration) {
        let mut closing = self.closing.lock();
        let mut round = 0_u64;
        while !*closing {
            self.closed.wait_for(&mut closing, every);
            if *closing {
                return;
            }
            parking_lot::MutexGuard::unlocked(&mut closing, || {
                let followed = match round.is_multiple_of(ROUNDS) {
                    true => self.standby(every).map(drop),
                    false => Ok(()),
                };
                for found in [self.tend(), followed].into_iter().filter_map(Result::err) {
                    // Followed shards wait, positions stay low: the next round goes on. A write that failed has been
                    // told already.
                    tracing::debug!("tending local state: {found}");
                }
            });
            if self.check().is_err() {
                return;
            }
            round += 1;
        }
    }
}
