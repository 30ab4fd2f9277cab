//! Forgetting what no message can ask about any more.

use fermata_payments::timed::{Memory, Sweep};
use fermata_stage::{Context, Due, Rejection};

use crate::Config;
use crate::state::{CREDITS, DEBITS, Debit, LEDGER};

pub const FORGET_DEBITS: Sweep = Sweep {
    timer: "forget-debits",
    batch: 256,
    pause: 1_000,
};
pub const FORGET_CREDITS: Sweep = Sweep {
    timer: "forget-credits",
    batch: 256,
    pause: 1_000,
};

pub fn sweep(cx: &mut dyn Context, config: &Config, timer: &Due) -> Result<(), Rejection> {
    let mut ledger = LEDGER.get(cx, "all").unwrap_or_default();
    match timer.id.as_str() {
        id if id == FORGET_DEBITS.timer => forget_debits(cx, config, timer, &mut ledger.debits),
        id if id == FORGET_CREDITS.timer => forget_credits(cx, config, timer, &mut ledger.credits),
        other => return Err(Rejection::new("unknown-timer", format!("account has no timer {other}"))),
    }
    LEDGER.put(cx, "all", &ledger);
    Ok(())
}

/// Open and waiting debits stay, however old. A firing that stops goes on behind the place where it stopped, so that
/// they are not met again and again.
fn forget_debits(cx: &mut dyn Context, config: &Config, timer: &Due, memory: &mut Memory) {
    if FORGET_DEBITS.put_off(cx, &mut memory.alarm, timer) {
        return;
    }
    let wait = config.remember.as_millis();
    let after = (!timer.payload.is_empty()).then_some(timer.payload.as_slice());
    let found = FORGET_DEBITS.find(cx, DEBITS, after, cx.now() - wait);
    for (key, debit) in &found.due {
        if !matches!(debit, Debit::Open { .. } | Debit::Waiting { .. }) {
            DEBITS.delete(cx, key);
            memory.forgot(key);
        }
    }
    let place = found.due.last().map_or(&[][..], |(key, _)| key);
    FORGET_DEBITS.rearm(cx, &mut memory.alarm, found.rest, wait, place);
}

fn forget_credits(cx: &mut dyn Context, config: &Config, timer: &Due, memory: &mut Memory) {
    if FORGET_CREDITS.put_off(cx, &mut memory.alarm, timer) {
        return;
    }
    let wait = config.remember.as_millis();
    let found = FORGET_CREDITS.find(cx, CREDITS, None, cx.now() - wait);
    for (key, _) in &found.due {
        CREDITS.delete(cx, key);
        memory.forgot(key);
    }
    FORGET_CREDITS.rearm(cx, &mut memory.alarm, found.rest, wait, b"");
}
