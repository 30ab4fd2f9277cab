//! account 1.0.0 with a defect: it panics on every credit to one account, and so the payment stays in flight until it
//! times out.

use fermata_account::{Account, Config, Message, Output};
use fermata_payments::Transfer;
use fermata_stage::{Context, Description, Due, Input, Reader, Rejection, Stage, ViewError, export};
use serde_json::Value;

/// No credit to it can be processed.
pub const POISONED: &str = "acct-poison";

type Sound = Account<0>;

pub struct Poison(Sound);

impl Stage for Poison {
    const NAME: &'static str = Sound::NAME;
    const VERSION: &'static str = Sound::VERSION;
    type Config = Config;
    type Message = Message;
    type Output = Output;

    fn describe() -> Description {
        Sound::describe()
    }

    fn init(config: Config) -> Result<Self, String> {
        Sound::init(config).map(Self)
    }

    fn parse(input: Input) -> Result<Message, Rejection> {
        Sound::parse(input)
    }

    fn process(&self, cx: &mut dyn Context, message: Message) -> Result<Vec<Output>, Rejection> {
        if let Message::Transfer {
            transfer: Transfer::Credit { payment, .. },
            ..
        } = &message
        {
            assert_ne!(payment.terms.to, POISONED, "this version cannot credit it");
        }
        self.0.process(cx, message)
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Output>, Rejection> {
        self.0.fired(cx, timer)
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        self.0.query(cx, view, params)
    }

    fn merge(&self, view: &str, params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        self.0.merge(view, params, partials)
    }
}

export!(Poison);
