//! confirm: marks the end of a payment once, and measures.
//!
//! `payment.complete` (by id) → `payment.confirmed` (by id).

mod config;
mod describe;
mod histogram;
mod state;
#[cfg(test)]
mod tests;
mod views;

use fermata_payments::timed::Sweep;
use fermata_payments::{Code, Confirmed, End, Outcome, time, timed, version};
use fermata_stage::{Context, Description, Due, Emission, Input, Reader, Rejection, Stage, ViewError};
use serde_json::Value;

pub use config::Config;
use state::{ENDS, Figures, Mark, WINDOWS, Window};

const FORGET: Sweep = Sweep {
    timer: "forget",
    batch: 256,
    pause: 1_000,
};
/// Old windows that go when a new one begins; there is one new window for each currency in a minute.
const OLD_WINDOWS: u32 = 8;

/// The stage; `MINOR` is that of its version.
pub struct Confirm<const MINOR: u32> {
    config: Config,
}

pub struct Output(Confirmed);

impl From<Output> for Emission {
    fn from(output: Output) -> Self {
        output.0.emission()
    }
}

impl<const MINOR: u32> Stage for Confirm<MINOR> {
    const NAME: &'static str = "confirm";
    const VERSION: &'static str = version(MINOR);
    type Config = Config;
    type Message = End;
    type Output = Output;

    fn describe() -> Description {
        describe::describe(MINOR)
    }

    fn init(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<End, Rejection> {
        let end = End::parse(&input)?;
        match end.outcome {
            Outcome::Complete => Ok(end),
            Outcome::Refused(_) | Outcome::Refunded(_) => {
                Err(Code::UNKNOWN_TYPE.rejection("a payment that failed is not confirmed"))
            }
        }
    }

    fn process(&self, cx: &mut dyn Context, end: End) -> Result<Vec<Output>, Rejection> {
        let terms = &end.payment.terms;
        let key = timed::key(end.opened, &terms.id);
        if ENDS.contains(cx, &key) {
            cx.add("ends_repeated_total", &[], 1);
            return Ok(Vec::new());
        }
        let mut figures = Figures::load(cx);
        if figures.memory.may_have_forgotten(end.opened) {
            let reason = format!(
                "whether payment {} was confirmed before is no longer remembered",
                terms.id
            );
            return Err(Code::TOO_OLD.rejection(reason));
        }
        ENDS.put(cx, &key, &Mark {});
        FORGET.arm(
            cx,
            &mut figures.memory.alarm,
            end.opened.saturating_add(self.config.remember.as_millis()),
        );
        let now = cx.now();
        figures.count(&time::day(now), terms.currency, terms.amount, self.config.keep_days);
        figures.save(cx);
        // The clock here is the last tick: a record younger than that has taken no time.
        let latency_ms = (now - cx.root().1).max(0);
        self.measure(cx, &end, latency_ms);
        cx.add("payments_confirmed_total", &[terms.currency.as_str()], 1);
        let amount = u64::try_from(terms.amount).expect("validate lets only positive amounts pass");
        cx.add("payments_confirmed_minor_total", &[terms.currency.as_str()], amount);
        Ok(vec![Output(Confirmed {
            opened: end.opened,
            latency_ms,
            payment: end.payment,
        })])
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Output>, Rejection> {
        let mut figures = Figures::load(cx);
        if !FORGET.put_off(cx, &mut figures.memory.alarm, &timer) {
            let wait = self.config.remember.as_millis();
            let found = FORGET.find(cx, ENDS, None, cx.now() - wait);
            for (key, _) in &found.due {
                ENDS.delete(cx, key);
                figures.memory.forgot(key);
            }
            FORGET.rearm(cx, &mut figures.memory.alarm, found.rest, wait, b"");
        }
        figures.save(cx);
        Ok(Vec::new())
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        views::query(cx, view, params)
    }

    fn merge(&self, view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        views::merge(MINOR, view, partials)
    }
}

impl<const MINOR: u32> Confirm<MINOR> {
    /// In the one-minute window of the confirmation.
    fn measure(&self, cx: &mut dyn Context, end: &End, latency_ms: i64) {
        let terms = &end.payment.terms;
        let minute = time::minute(cx.now());
        let key = timed::key(minute, terms.currency.as_str());
        let mut window = match WINDOWS.get(cx, &key) {
            Some(window) => window,
            None => {
                self.forget_windows(cx, minute);
                Window::default()
            }
        };
        window.add(&terms.id, terms.amount, latency_ms);
        WINDOWS.put(cx, &key, &window);
    }

    fn forget_windows(&self, cx: &mut dyn Context, minute: i64) {
        let until = minute - self.config.keep_windows.as_millis();
        for (key, _) in WINDOWS.scan(cx, "", None, OLD_WINDOWS) {
            if timed::split(&key).0 < until {
                WINDOWS.delete(cx, key);
            }
        }
    }
}

#[cfg(not(any(feature = "v1-1", feature = "library")))]
fermata_stage::export!(Confirm<0>);
#[cfg(all(feature = "v1-1", not(feature = "library")))]
fermata_stage::export!(Confirm<1>);
