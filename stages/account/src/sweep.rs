//! Forgetting what no message can ask about any more.

use fermata_payments::timed::Sweep;
use fermata_stage::{Context, Due, Rejection};

use crate::Config;
use crate::state::{CREDITS, DEBITS, Debit, LEDGER};

pub const FORGET_DEBITS: Sweep = Sweep { timer: "forget-debits", batch: 256, pause: 1_000 };
pub const FORGET_CREDITS: Sweep = Sweep { timer: "forget-credits", batch: 256, pause: 1_000 };

pub fn sweep(cx: &mut dyn Context, config: &Config, timer: &Due) -> Result<(), Rejection> {
    let mut ledger = LEDGER.get(cx, "all").unwrap_or_default();
    let wait = config.remember.as_millis();
    let until = cx.now() - wait;
    match timer.id.as_str() {
        id if id == FORGET_DEBITS.timer => {
            // Open and waiting debits stay, however old: this firing went past them and the next goes on from here.
            let after = (!timer.payload.is_empty()).then_some(timer.payload.as_slice());
            let found = FORGET_DEBITS.find(cx, DEBITS, after, until);
            for (key, debit) in &found.due {
                if !matches!(debit, Debit::Open { .. } | Debit::Waiting { .. }) {
                    DEBITS.delete(cx, key);
                }
            }
            let place = found.due.last().map_or(&[][..], |(key, _)| key);
            FORGET_DEBITS.rearm(cx, &mut ledger.forget_debits, found.rest, wait, place);
        }
        id if id == FORGET_CREDITS.timer => {
            let found = FORGET_CREDITS.find(cx, CREDITS, None, until);
            for (key, _) in &found.due {
                CREDITS.delete(cx, key);
            }
            FORGET_CREDITS.rearm(cx, &mut ledger.forget_credits, found.rest, wait, b"");
        }
        other => return Err(Rejection::new("unknown-timer", format!("account has no timer {other}"))),
    }
    LEDGER.put(cx, "all", &ledger);
    Ok(())
}
