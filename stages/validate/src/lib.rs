//! validate: the head of the payment pipeline. Shape, types, limits, age, and duplicates of an id.
//!
//! `payment.incoming` (by id) → `payment.accepted` | `payment.rejected` (by id).

mod config;
mod describe;
mod state;
#[cfg(test)]
mod tests;
mod views;

use fermata_payments::timed::Sweep;
use fermata_payments::{Code, Content, Incoming, Refusal, Rejected, is_funding, timed, version};
use fermata_stage::{Context, Description, Due, Emission, Input, Reader, Rejection, Stage, ViewError};
use serde_json::Value;

pub use config::Config;
use state::{EXPIRY, Expiry, Figures, IDS, Remembered};

/// Remembered ids go a second at a time.
const FORGET: Sweep = Sweep {
    timer: "forget",
    batch: 256,
    pause: 1_000,
};

/// The stage; `MINOR` is that of its version.
pub struct Validate<const MINOR: u32> {
    config: Config,
}

/// An accepted payment, as it came in, or a rejected one.
pub enum Output {
    Accepted { id: String, text: String },
    Rejected(Rejected),
}

impl From<Output> for Emission {
    fn from(output: Output) -> Self {
        match output {
            Output::Accepted { id, text } => Self::new("accepted").with_key(id).with_value(text),
            Output::Rejected(rejected) => rejected.emission(),
        }
    }
}

impl<const MINOR: u32> Stage for Validate<MINOR> {
    const NAME: &'static str = "validate";
    const VERSION: &'static str = version(MINOR);
    type Config = Config;
    type Message = Incoming;
    type Output = Output;

    fn describe() -> Description {
        describe::describe(MINOR)
    }

    fn init(config: Config) -> Result<Self, String> {
        config.check()?;
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<Incoming, Rejection> {
        Incoming::parse(&input)
    }

    fn process(&self, cx: &mut dyn Context, incoming: Incoming) -> Result<Vec<Output>, Rejection> {
        let Incoming {
            id,
            text,
            content,
            verdict,
        } = incoming;
        let mut figures = Figures::load(cx);
        let output = match self.judge(cx, text.as_deref(), content, verdict) {
            Ok(Judged::New(content)) => {
                self.remember(cx, &mut figures, &content);
                figures.accepted += 1;
                figures.setup += u64::from(is_funding(&content.terms.from).is_some());
                cx.add("payments_accepted_total", &[], 1);
                let text = text.expect("only what was read is accepted");
                Some(Output::Accepted { id, text })
            }
            Ok(Judged::Repeated) => {
                figures.repeated += 1;
                cx.add("payments_repeated_total", &[], 1);
                None
            }
            Err(refusal) => {
                figures.reject(&refusal.code);
                cx.add("payments_rejected_total", &[refusal.code.as_str()], 1);
                let payment = text
                    .filter(|text| text.len() <= self.config.max_bytes)
                    .map(String::into_boxed_str);
                Some(Output::Rejected(Rejected { id, refusal, payment }))
            }
        };
        figures.save(cx);
        Ok(output.into_iter().collect())
    }

    fn fired(&self, cx: &mut dyn Context, _timer: Due) -> Result<Vec<Output>, Rejection> {
        let mut figures = Figures::load(cx);
        let now = cx.now();
        let found = FORGET.find(cx, EXPIRY, None, now - 1);
        for (key, _) in &found.due {
            IDS.delete(cx, timed::split(key).1);
            EXPIRY.delete(cx, key);
        }
        FORGET.rearm(cx, &mut figures.forget, found.rest, 1, b"");
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

/// What a payment that is not refused is.
enum Judged {
    New(Content),
    /// The same id and content were accepted before.
    Repeated,
}

impl<const MINOR: u32> Validate<MINOR> {
    /// An id that was accepted is recognised before anything else is judged: a payment that passed once must not be
    /// refused later, because it has become too old or a limit has changed since.
    fn judge(
        &self,
        cx: &dyn Reader,
        text: Option<&str>,
        content: Result<Content, Refusal>,
        verdict: Option<Refusal>,
    ) -> Result<Judged, Refusal> {
        let (size, most) = (text.map_or(0, str::len), self.config.max_bytes);
        if size > most {
            return Err(Code::TOO_LARGE.refusal(format!("the payment has {size} bytes, at most {most} are allowed")));
        }
        let content = content?;
        if let Some(remembered) = IDS.get(cx, &content.terms.id) {
            if remembered.content == content.fingerprint {
                return Ok(Judged::Repeated);
            }
            return Err(Code::DUPLICATE_ID.refusal("an accepted payment with this id has other content"));
        }
        self.config.permit(&content, cx.now())?;
        match verdict {
            Some(refusal) => Err(refusal),
            None => Ok(Judged::New(content)),
        }
    }

    /// Until the payment itself would be too old: what comes again is either remembered or refused.
    fn remember(&self, cx: &mut dyn Context, figures: &mut Figures, content: &Content) {
        let until = content.at.max(cx.now()) + self.config.window.as_millis();
        let id = &content.terms.id;
        IDS.put(
            cx,
            id,
            &Remembered {
                content: content.fingerprint,
            },
        );
        EXPIRY.put(cx, timed::key(until, id), &Expiry {});
        FORGET.arm(cx, &mut figures.forget, until + 1);
    }
}

#[cfg(not(feature = "v1-1"))]
fermata_stage::export!(Validate<0>);
#[cfg(feature = "v1-1")]
fermata_stage::export!(Validate<1>);
