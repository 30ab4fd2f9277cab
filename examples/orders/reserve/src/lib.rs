//! reserve: keeps stock for orders until they are paid.
//!
//! `order.requests` (by article) → `order.opened`, `order.cancelled` (by order), `order.sold` (by article).
//!
//! What `order.sold` carries has the key of what came in, so it stays on its shard: `ship` gets it in the same
//! transaction, without a way through the log.

mod state;
#[cfg(test)]
mod tests;
mod views;

use fermata_stage::{Context, Description, Due, Emission, Input, Reader, Rejection, Stage, ViewError, ViewScope};
use orders_messages::{Cancelled, Kind, Name, Opened, Reason, Request, Sold, VERSION, article, decode, emission};
use serde::Deserialize;
use serde_json::Value;

use state::{ARTICLES, OPEN, Open, order_key, split};

/// The stage; `MINOR` is that of its version.
pub struct Reserve<const MINOR: u32> {
    config: Config,
}

/// `[stage.reserve.config]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// How long stock is kept for an order that is not paid, milliseconds.
    pub hold_ms: i64,
}

const CONFIG: &str = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["hold-ms"],
  "properties": { "hold-ms": { "type": "integer", "minimum": 1 } }
}"#;

/// What has come in about an article.
pub struct Message {
    article: String,
    kind: Kind,
}

pub enum Output {
    Opened(Opened),
    Cancelled(Cancelled),
    Sold { article: String, sold: Sold },
}

impl From<Output> for Emission {
    fn from(output: Output) -> Self {
        let name = |article: &str, number| Name { article, number }.to_string();
        match output {
            Output::Opened(opened) => emission("opened", name(&opened.article, opened.number), &opened),
            Output::Cancelled(cancelled) => {
                emission("cancelled", name(&cancelled.article, cancelled.number), &cancelled)
            }
            Output::Sold { article, sold } => emission("sold", article, &sold),
        }
    }
}

impl<const MINOR: u32> Stage for Reserve<MINOR> {
    const NAME: &'static str = "reserve";
    const VERSION: &'static str = if MINOR == 0 { "1.0.0" } else { "1.1.0" };
    type Config = Config;
    type Message = Message;
    type Output = Output;

    fn describe() -> Description {
        Description::new(Self::NAME, Self::VERSION)
            .input("order.requests", &[VERSION])
            .output("opened", &[VERSION])
            .output("cancelled", &[VERSION])
            .output("sold", &[VERSION])
            .store(ARTICLES.decl())
            .store(OPEN.decl())
            .view(
                "stock",
                ViewScope::AllShards,
                views::NO_PARAMS,
                views::stock_answer(MINOR),
            )
            .view("open", ViewScope::AllShards, views::NO_PARAMS, views::OPEN_ANSWER)
            .counter("orders_cancelled_total", "orders", "Orders cancelled.", &["reason"])
            .timers()
            .config(CONFIG)
    }

    fn init(config: Config) -> Result<Self, String> {
        if config.hold_ms < 1 {
            return Err(format!("hold-ms is {}: no order could be paid", config.hold_ms));
        }
        Ok(Self { config })
    }

    fn parse(input: Input) -> Result<Message, Rejection> {
        let article = article(&input)?;
        let kind = decode::<Request>(&input)?
            .kind
            .ok_or_else(|| Rejection::new("unknown-kind", "neither a delivery, an order nor a payment"))?;
        let number = match kind {
            Kind::Delivery(_) => None,
            Kind::Order(order) => Some(order.number),
            Kind::Payment(payment) => Some(payment.number),
        };
        if number == Some(0) {
            return Err(Rejection::new("bad-number", "orders are counted from 1"));
        }
        if matches!(kind, Kind::Order(order) if order.quantity == 0) {
            return Err(Rejection::new("bad-quantity", "nothing is ordered"));
        }
        Ok(Message { article, kind })
    }

    fn process(&self, cx: &mut dyn Context, message: Message) -> Result<Vec<Output>, Rejection> {
        let Message { article, kind } = message;
        match kind {
            Kind::Delivery(delivery) => {
                let mut stock = ARTICLES.get(cx, &article).unwrap_or_default();
                stock.deliveries += 1;
                stock.delivered += u64::from(delivery.quantity);
                stock.available += u64::from(delivery.quantity);
                ARTICLES.put(cx, &article, &stock);
                Ok(Vec::new())
            }
            Kind::Order(order) => Ok(self.order(cx, article, order.number, order.quantity)),
            Kind::Payment(payment) => paid(cx, article, payment.number),
        }
    }

    /// The order was not paid in time. Had it been, its timer would not be set any more.
    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Output>, Rejection> {
        let Some(open) = OPEN.get(cx, &timer.payload) else {
            return Ok(Vec::new());
        };
        let (article, number) = split(&timer.payload);
        OPEN.delete(cx, &timer.payload);
        let mut stock = ARTICLES.get(cx, article).unwrap_or_default();
        stock.available += u64::from(open.quantity);
        stock.unpaid += 1;
        ARTICLES.put(cx, article, &stock);
        Ok(vec![cancelled(cx, article.to_owned(), number, Reason::Unpaid)])
    }

    fn query(&self, cx: &dyn Reader, view: &str, _params: &Value) -> Result<Value, ViewError> {
        views::query(cx, view)
    }

    fn merge(&self, view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
        views::merge(MINOR, view, partials)
    }
}

impl<const MINOR: u32> Reserve<MINOR> {
    fn order(&self, cx: &mut dyn Context, article: String, number: u64, quantity: u32) -> Vec<Output> {
        let mut stock = ARTICLES.get(cx, &article).unwrap_or_default();
        if number <= stock.last {
            stock.repeated += 1;
            ARTICLES.put(cx, &article, &stock);
            return Vec::new();
        }
        stock.last = number;
        stock.orders += 1;
        let opened = Output::Opened(Opened {
            article: article.clone(),
            number,
            quantity,
        });
        let Some(rest) = stock.available.checked_sub(u64::from(quantity)) else {
            stock.sold_out += 1;
            ARTICLES.put(cx, &article, &stock);
            return vec![opened, cancelled(cx, article, number, Reason::SoldOut)];
        };
        stock.available = rest;
        ARTICLES.put(cx, &article, &stock);
        let until = cx.now() + self.config.hold_ms;
        let key = order_key(&article, number);
        OPEN.put(cx, &key, &Open { quantity, until });
        cx.set_timer(&timer(&article, number), until, &key);
        vec![opened]
    }
}

/// Money for an order that is not open must be given back by people: a dead letter tells them.
fn paid(cx: &mut dyn Context, article: String, number: u64) -> Result<Vec<Output>, Rejection> {
    let key = order_key(&article, number);
    let Some(Open { quantity, .. }) = OPEN.get(cx, &key) else {
        let name = Name {
            article: &article,
            number,
        };
        return Err(Rejection::new("not-open", format!("order {name} is not open")));
    };
    OPEN.delete(cx, &key);
    cx.cancel_timer(&timer(&article, number));
    let mut stock = ARTICLES.get(cx, &article).unwrap_or_default();
    stock.paid += 1;
    stock.sold += u64::from(quantity);
    ARTICLES.put(cx, &article, &stock);
    let sold = Sold { number, quantity };
    Ok(vec![Output::Sold { article, sold }])
}

fn cancelled(cx: &mut dyn Context, article: String, number: u64, reason: Reason) -> Output {
    let label = match reason {
        Reason::SoldOut => "sold-out",
        Reason::Unpaid => "unpaid",
        Reason::Unknown => "unknown",
    };
    cx.add("orders_cancelled_total", &[label], 1);
    Output::Cancelled(Cancelled {
        article,
        number,
        reason: reason.into(),
    })
}

fn timer(article: &str, number: u64) -> String {
    format!("release/{}", Name { article, number })
}

#[cfg(not(feature = "v1-1"))]
fermata_stage::export!(Reserve<0>);
#[cfg(feature = "v1-1")]
fermata_stage::export!(Reserve<1>);
