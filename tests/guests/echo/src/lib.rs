//! The smallest stage that touches every part of the contract: it forwards what it gets, counts it per key, sets a
//! timer for each key and answers a view.

use fermata_stage::{
    Context, Description, Due, Emission, Input, Level, Reader, Rejection, Stage, Table, ViewError, ViewScope, export,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const COUNTS: Table<Count> = Table::new("counts", 1);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Count {
    seen: u64,
}

/// `reject`: the value that is refused. `timer_ms`: how long after a record its key's timer fires.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    reject: String,
    timer_ms: i64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reject: "reject me".to_owned(),
            timer_ms: 1_000,
        }
    }
}

pub struct Echo {
    config: Config,
}

impl Stage for Echo {
    const NAME: &'static str = "echo";
    const VERSION: &'static str = "1.0.0";
    type Config = Config;
    type Message = Input;
    type Output = Emission;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("in", &[1])
            .output("out", &[1])
            .store(COUNTS.decl())
            .view("count", ViewScope::AllShards, "{}", r#"{"type":"object"}"#)
            .counter("echoed", "records", "Records forwarded", &["port"])
            .timers()
            .config(r#"{"type":"object","properties":{"reject":{"type":"string"},"timer_ms":{"type":"integer"}},"additionalProperties":false}"#)
    }

    fn init(config: Config) -> Result<Self, String> {
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<Input, Rejection> {
        Ok(input)
    }

    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let key = input.key.clone().unwrap_or_default();
        let mut count = COUNTS.get(cx, &key).unwrap_or_default();
        count.seen += 1;
        COUNTS.put(cx, &key, &count);
        // After the write: the host must undo it.
        if input.value.as_deref() == Some(self.config.reject.as_bytes()) {
            return Err(Rejection::new("refused", "the value that the config names"));
        }
        let at = cx.now() + self.config.timer_ms;
        cx.set_timer(&String::from_utf8_lossy(&key), at, count.seen.to_string().as_bytes());
        cx.add("echoed", &[&input.port], 1);
        cx.log(Level::Debug, "forwarded");
        Ok(vec![Emission {
            port: "out".to_owned(),
            key: input.key,
            value: input.value,
            headers: input.headers,
        }])
    }

    fn fired(&self, _cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        Ok(vec![Emission {
            port: "out".to_owned(),
            key: timer.key,
            value: Some(timer.payload),
            headers: Vec::new(),
        }])
    }

    fn query(&self, cx: &dyn Reader, view: &str, _params: &Value) -> Result<Value, ViewError> {
        match view {
            "count" => Ok(json!({ "seen": COUNTS.iter(cx).map(|(_, count)| count.seen).sum::<u64>() })),
            _ => Err(ViewError::NotFound),
        }
    }

    fn merge(&self, view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        match view {
            "count" => Ok(json!({ "seen": partials.iter().filter_map(|part| part["seen"].as_u64()).sum::<u64>() })),
            _ => Err(ViewError::NotFound),
        }
    }
}

export!(Echo);

#[cfg(test)]
mod tests {
    use fermata_stage::testing::TestContext;

    use super::*;

    #[test]
    fn forwards_counts_and_fires() {
        let mut cx = TestContext::new();
        let echo = Echo {
            config: Config::default(),
        };
        let input = Input::new("in").with_key("a").with_value("hello");
        let outputs = cx.process(&echo, input).expect("forwarded");
        assert_eq!(outputs, [Emission::new("out").with_key("a").with_value("hello")]);
        assert_eq!(cx.counter("echoed", &["in"]), 1);

        let refused = cx.process(&echo, Input::new("in").with_key("a").with_value("reject me"));
        assert_eq!(refused.expect_err("refused").code, "refused");
        assert_eq!(echo.query(&cx, "count", &json!({})), Ok(json!({ "seen": 1 })));

        cx.set_now(999);
        assert!(cx.fire_due(&echo).is_empty());
        cx.set_now(1_000);
        let fired = cx.fire_due(&echo).remove(0).expect("fired");
        assert_eq!(fired, [Emission::new("out").with_key("a").with_value("1")]);
    }
}
