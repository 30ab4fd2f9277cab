//! confirm 1.2.0: its view says of how many currencies payments were confirmed.

use fermata_stage::{Context, Description, Due, Input, Reader, Rejection, Stage, ViewError, export};
use serde_json::Value;

type Old = fermata_confirm::Confirm<1>;

pub struct Confirm(Old);

impl Stage for Confirm {
    const NAME: &'static str = "confirm";
    const VERSION: &'static str = "1.2.0";
    type Config = <Old as Stage>::Config;
    type Message = <Old as Stage>::Message;
    type Output = <Old as Stage>::Output;

    fn describe() -> Description {
        Description {
            version: Self::VERSION.to_owned(),
            ..Old::describe()
        }
    }

    fn init(config: Self::Config) -> Result<Self, String> {
        Old::init(config).map(Self)
    }

    fn parse(input: Input) -> Result<Self::Message, Rejection> {
        Old::parse(input)
    }

    fn process(&self, cx: &mut dyn Context, message: Self::Message) -> Result<Vec<Self::Output>, Rejection> {
        self.0.process(cx, message)
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Self::Output>, Rejection> {
        self.0.fired(cx, timer)
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
        self.0.query(cx, view, params)
    }

    fn merge(&self, view: &str, params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        let mut answer = self.0.merge(view, params, partials)?;
        if view == "confirmed" {
            answer["currencies"] = answer["currency"].as_object().map_or(0, |all| all.len()).into();
        }
        Ok(answer)
    }
}

export!(Confirm);
