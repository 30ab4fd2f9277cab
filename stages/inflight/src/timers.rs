//! Time-outs, and forgetting ended payments.

use fermata_payments::timed::{self, Rest, Sweep};
use fermata_payments::{Payment, Side, Transfer};
use fermata_stage::Context;

use crate::Config;
use crate::state::{ENDED, Figures, Life, OPEN, PAYMENTS, Place};

/// Each entry becomes an emission.
pub const TIME_OUT: Sweep = Sweep {
    timer: "time-out",
    batch: 32,
    pause: 100,
};
pub const FORGET: Sweep = Sweep {
    timer: "forget",
    batch: 256,
    pause: 1_000,
};

/// Payments that one firing carries along, in bytes; the last may reach beyond. It keeps the call within its fuel,
/// whatever the payments are filled with.
const BYTES: usize = 8 << 10;

/// Asks for what is too old, once for each payment. It stays open until the accounts have answered.
pub fn cancel(cx: &mut dyn Context, config: &Config) -> Vec<Transfer> {
    let mut figures = Figures::load(cx);
    let wait = config.timeout.as_millis();
    let after = figures
        .cancelled
        .as_ref()
        .map(|place| timed::key(place.opened, &place.id));
    let found = TIME_OUT.find(cx, OPEN, after.as_deref(), cx.now() - wait);
    let mut rest = found.rest;
    let (mut cancels, mut bytes) = (Vec::new(), 0);
    for (key, _) in &found.due {
        if bytes > BYTES {
            rest = Rest::More;
            break;
        }
        let (opened, id) = timed::split(key);
        let entry = PAYMENTS.get(cx, id).expect("what is indexed as open is there");
        let Life::Open(text) = entry.life else {
            unreachable!("payment {id} is indexed as open and has ended");
        };
        let payment = Payment::kept(&text);
        bytes += payment.text.len();
        cancels.push(Transfer::Cancel {
            opened,
            payment,
            side: Side::From,
        });
        figures.cancelled = Some(Place {
            opened,
            id: id.to_owned(),
        });
    }
    TIME_OUT.rearm(cx, &mut figures.time_out, rest, wait, b"");
    figures.save(cx);
    if !cancels.is_empty() {
        cx.add("payments_timed_out_total", &[], cancels.len() as u64);
    }
    cancels
}

pub fn forget(cx: &mut dyn Context, config: &Config) {
    let mut figures = Figures::load(cx);
    let wait = config.keep_ended.as_millis();
    let found = FORGET.find(cx, ENDED, None, cx.now() - wait);
    for (key, _) in &found.due {
        PAYMENTS.delete(cx, timed::split(key).1);
        ENDED.delete(cx, key);
    }
    FORGET.rearm(cx, &mut figures.forget, found.rest, wait, b"");
    figures.save(cx);
}
