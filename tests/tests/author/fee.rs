//! A stage as its author would write it: takes a share of each record, and counts.

use fermata_stage::{Context, Description, Emission, Input, Rejection, Stage, StoreDecl};

pub struct Fee {
    percent: u64,
}

impl Stage for Fee {
    const NAME: &'static str = "fee";
    const VERSION: &'static str = "1.0.0";
    type Config = std::collections::BTreeMap<String, u64>;
    type Message = u64;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(StoreDecl::new("fees", 1))
            .config(r#"{"type":"object","additionalProperties":false,"properties":{"percent":{"type":"integer"}}}"#)
    }

    fn init(config: Self::Config) -> Result<Self, String> {
        let percent = config.get("percent").copied().unwrap_or(1);
        if percent > 100 {
            return Err(format!("percent is {percent}, at most 100 are possible"));
        }
        Ok(Self { percent })
    }

    fn parse(input: Input) -> Result<u64, Rejection> {
        let value = input.value.unwrap_or_default();
        let text = String::from_utf8_lossy(&value).into_owned();
        text.parse().map_err(|_| Rejection::new("no-number", text))
    }

    fn process(&self, cx: &mut dyn Context, amount: u64) -> Result<Vec<Emission>, Rejection> {
        let seen = cx.get_raw("fees", b"seen").map_or(0, |bytes| bytes[0]);
        cx.put_raw("fees", b"seen", &[seen.wrapping_add(1)]);
        let fee = amount / 100 * self.percent;
        Ok(vec![Emission::new("out").with_value(fee.to_string())])
    }
}

fermata_stage::export!(Fee);
