//! inflight: opens a payment, closes it when the accounts have spoken, and asks them to cancel one that takes too long.
//!
//! `payment.accepted`, `payment.complete`, `payment.failed` (by id) → `payment.inflight` (by account).
//!
//! It never refunds and never fails a payment: only the accounts know where the money is.

mod config;
mod describe;
mod state;
#[cfg(test)]
mod tests;
mod timers;
mod views;

use fermata_payments::{Code, End, Outcome, Payment, Refusal, Transfer, timed, topics, version};
use fermata_stage::{Context, Description, Due, Emission, Input, Reader, Rejection, Stage, ViewError};
use serde_json::Value;

pub use config::Config;
use state::{ENDED, Ended, Entry, Figures, How, Index, Life, OPEN, PAYMENTS};
use timers::{FORGET, TIME_OUT};

/// The stage; `MINOR` is that of its version.
pub struct Inflight<const MINOR: u32> {
    config: Config,
}

pub enum Message {
    Accepted(Payment),
    Ended(End),
}

/// A debit or a cancel.
pub struct Output(Transfer);

impl From<Output> for Emission {
    fn from(output: Output) -> Self {
        output.0.emission()
    }
}

impl<const MINOR: u32> Stage for Inflight<MINOR> {
    const NAME: &'static str = "inflight";
    const VERSION: &'static str = version(MINOR);
    type Config = Config;
    type Message = Message;
    type Output = Output;

    fn describe() -> Description {
        describe::describe(MINOR)
    }

    fn init(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<Message, Rejection> {
        if input.port != topics::ACCEPTED {
            return End::parse(&input).map(Message::Ended);
        }
        let payment = Payment::from_value(input.value.as_deref())?;
        payment.expect_key(&input)?;
        Ok(Message::Accepted(payment))
    }

    fn process(&self, cx: &mut dyn Context, message: Message) -> Result<Vec<Output>, Rejection> {
        match message {
            Message::Accepted(payment) => self.open(cx, payment),
            Message::Ended(end) => {
                self.close(cx, end);
                Ok(Vec::new())
            }
        }
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Output>, Rejection> {
        match timer.id.as_str() {
            id if id == TIME_OUT.timer => Ok(timers::cancel(cx, &self.config).into_iter().map(Output).collect()),
            id if id == FORGET.timer => {
                timers::forget(cx, &self.config);
                Ok(Vec::new())
            }
            other => Err(Rejection::new(
                "unknown-timer",
                format!("inflight has no timer {other}"),
            )),
        }
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        views::query(cx, view, params)
    }

    fn merge(&self, view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        views::merge(MINOR, view, partials)
    }
}

impl<const MINOR: u32> Inflight<MINOR> {
    fn open(&self, cx: &mut dyn Context, payment: Payment) -> Result<Vec<Output>, Rejection> {
        let terms = &payment.terms;
        let mut opened = cx.now();
        match PAYMENTS.get(cx, &terms.id) {
            Some(Entry {
                life: Life::Open(_), ..
            }) => {
                return Err(Code::DUPLICATE_ID.rejection(format!("payment {} is open", terms.id)));
            }
            // Its id was forgotten by validate; the old life ends here. Two lives that begin at one tick must differ,
            // or the accounts would take the second for the first.
            Some(Entry {
                opened: before,
                life: Life::Ended(ended),
            }) => {
                ENDED.delete(cx, timed::key(ended.at, &terms.id));
                opened = opened.max(before + 1);
            }
            None => {}
        }
        PAYMENTS.put(
            cx,
            &terms.id,
            &Entry {
                opened,
                life: Life::Open(payment.text.to_string()),
            },
        );
        OPEN.put(cx, timed::key(opened, &terms.id), &Index {});
        let mut figures = Figures::load(cx);
        let tally = figures.currencies.entry(terms.currency).or_default();
        tally.add(terms.amount);
        gauge(cx, terms.currency.as_str(), tally.count);
        TIME_OUT.arm(cx, &mut figures.time_out, opened + self.config.timeout.as_millis());
        figures.save(cx);
        Ok(vec![Output(Transfer::Debit { opened, payment })])
    }

    /// An end of a payment that is not open, or of another life of its id, is ignored.
    fn close(&self, cx: &mut dyn Context, end: End) {
        let terms = end.payment.terms;
        let open = PAYMENTS
            .get(cx, &terms.id)
            .filter(|entry| matches!(entry.life, Life::Open(_)) && entry.opened == end.opened);
        let Some(entry) = open else {
            return cx.add("payments_ended_total", &["ignored"], 1);
        };
        let now = cx.now();
        let (how, refusal) = match end.outcome {
            Outcome::Complete => (How::Complete, None),
            Outcome::Refused(refusal) => (How::Refused, Some(refusal)),
            Outcome::Refunded(refusal) => (How::Refunded, Some(refusal)),
        };
        let (code, reason) = refusal.map(|Refusal { code, reason }| (code, reason)).unzip();
        OPEN.delete(cx, timed::key(entry.opened, &terms.id));
        ENDED.put(cx, timed::key(now, &terms.id), &Index {});
        let mut figures = Figures::load(cx);
        let tally = figures.currencies.entry(terms.currency).or_default();
        tally.remove(terms.amount);
        gauge(cx, terms.currency.as_str(), tally.count);
        FORGET.arm(cx, &mut figures.forget, now + self.config.keep_ended.as_millis());
        figures.save(cx);
        let id = terms.id.clone();
        let ended = Ended {
            terms,
            how,
            at: now,
            code,
            reason,
        };
        PAYMENTS.put(
            cx,
            id,
            &Entry {
                opened: entry.opened,
                life: Life::Ended(ended),
            },
        );
        cx.add("payments_ended_total", &[how.label()], 1);
    }
}

fn gauge(cx: &mut dyn Context, currency: &str, count: u64) {
    cx.set(
        "payments_in_flight",
        &[currency],
        i64::try_from(count).unwrap_or(i64::MAX),
    );
}

#[cfg(not(feature = "v1-1"))]
fermata_stage::export!(Inflight<0>);
#[cfg(feature = "v1-1")]
fermata_stage::export!(Inflight<1>);
