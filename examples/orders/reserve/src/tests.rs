//! The stage natively, on a context in memory: no WebAssembly, no log.

use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input, Rejection, Stage};
use orders_messages::{Cancelled, Delivery, Kind, Opened, Order, Payment, Reason, Request, Sold, decode, emission};
use serde_json::{Value, json};

use super::{Config, Output, Reserve};

const HOLD: i64 = 1_000;

struct Shop {
    stage: Reserve<1>,
    cx: TestContext,
}

impl Shop {
    fn new() -> Self {
        Self {
            stage: Reserve::init(Config { hold_ms: HOLD }).expect("a valid config"),
            cx: TestContext::new(),
        }
    }

    fn request(&mut self, kind: Kind) -> Result<Vec<Emission>, Rejection> {
        self.send(record("chair", &Request { kind: Some(kind) }))
    }

    fn send(&mut self, input: Input) -> Result<Vec<Emission>, Rejection> {
        let outputs = self.cx.process(&self.stage, input)?;
        Ok(outputs.into_iter().map(Output::into).collect())
    }

    fn deliver(&mut self, quantity: u32) {
        let out = self.request(Kind::Delivery(Delivery { quantity }));
        assert_eq!(out, Ok(Vec::new()));
    }

    fn order(&mut self, number: u64, quantity: u32) -> Vec<Emission> {
        self.request(Kind::Order(Order { number, quantity })).expect("an order")
    }

    fn pay(&mut self, number: u64) -> Result<Vec<Emission>, Rejection> {
        self.request(Kind::Payment(Payment { number }))
    }

    fn view(&self, name: &str) -> Value {
        let part = self.stage.query(&self.cx, name, &Value::Null).expect("a part");
        let whole = self.stage.merge(name, &Value::Null, vec![part]).expect("merged");
        if name == "stock" {
            assert_eq!(whole["unaccounted"], 0, "{whole}");
        }
        whole
    }
}

fn record(article: &str, request: &Request) -> Input {
    let Emission { key, value, .. } = emission("any", article, request);
    Input {
        key,
        value,
        ..Input::new("order.requests")
    }
}

/// The message and key of an emission.
fn read<M: prost::Message + Default>(emission: &Emission) -> (String, M) {
    let input = Input {
        key: emission.key.clone(),
        value: emission.value.clone(),
        ..Input::new(emission.port.clone())
    };
    let key = String::from_utf8(input.key.clone().expect("a key")).expect("text");
    (key, decode(&input).expect("a message"))
}

#[test]
fn a_paid_order_is_sold_on_its_articles_key() {
    let mut shop = Shop::new();
    shop.deliver(10);
    let opened = shop.order(1, 3);
    assert_eq!(opened.len(), 1);
    let expected = Opened {
        article: "chair".into(),
        number: 1,
        quantity: 3,
    };
    assert_eq!(read(&opened[0]), ("chair/1".to_owned(), expected));
    assert_eq!(shop.view("stock")["reserved"], 3);
    assert_eq!(shop.view("open")["orders"], json!(["chair/1"]));

    let sold = shop.pay(1).expect("it is open");
    assert_eq!((sold.len(), sold[0].port.as_str()), (1, "sold"));
    assert_eq!(read(&sold[0]), ("chair".to_owned(), Sold { number: 1, quantity: 3 }));
    assert!(shop.cx.timers().is_empty(), "nothing is left to be cancelled");
    let stock = shop.view("stock");
    assert_eq!((&stock["available"], &stock["sold"]), (&json!(7), &json!(3)), "{stock}");
    assert_eq!(shop.view("open")["count"], 0);
}

#[test]
fn what_is_not_paid_in_time_goes_back_into_stock() {
    let mut shop = Shop::new();
    shop.deliver(10);
    shop.cx.set_now(5_000);
    shop.order(1, 3);
    shop.cx.set_now(5_000 + HOLD - 1);
    assert!(shop.cx.fire_due(&shop.stage).is_empty());
    shop.cx.set_now(5_000 + HOLD);
    let mut fired = shop.cx.fire_due(&shop.stage);
    let outputs = fired.pop().expect("one timer").expect("no rejection");
    let outputs: Vec<Emission> = outputs.into_iter().map(Output::into).collect();
    let expected = Cancelled {
        article: "chair".into(),
        number: 1,
        reason: Reason::Unpaid.into(),
    };
    assert_eq!(read(&outputs[0]), ("chair/1".to_owned(), expected));
    assert_eq!(shop.cx.counter("orders_cancelled_total", &["unpaid"]), 1);
    assert_eq!(shop.view("stock")["available"], 10);
    let late = shop.pay(1).expect_err("it was cancelled");
    assert_eq!(late.code, "not-open");
}

#[test]
fn more_than_there_is_is_cancelled_at_once() {
    let mut shop = Shop::new();
    shop.deliver(2);
    let out = shop.order(1, 3);
    assert_eq!(out.len(), 2);
    assert_eq!(read::<Opened>(&out[0]).0, "chair/1");
    assert_eq!(read::<Cancelled>(&out[1]).1.reason(), Reason::SoldOut);
    assert!(shop.cx.timers().is_empty());
    assert_eq!(shop.order(2, 2).len(), 1, "what is there can be had");
    assert_eq!(shop.view("stock")["empty"], json!(["chair"]));
}

#[test]
fn an_order_that_comes_again_changes_nothing() {
    let mut shop = Shop::new();
    shop.deliver(10);
    shop.order(5, 3);
    assert!(shop.order(5, 3).is_empty());
    assert!(shop.order(4, 1).is_empty(), "numbers ascend");
    shop.pay(5).expect("it is open");
    assert_eq!(shop.pay(5).expect_err("paid before").code, "not-open");
    let stock = shop.view("stock");
    assert_eq!(stock["requests"]["repeated"], 2, "{stock}");
    assert_eq!(stock["sold"], 3, "{stock}");
}

#[test]
fn what_makes_no_sense_is_rejected_and_changes_nothing() {
    let mut shop = Shop::new();
    let nothing = shop.view("stock");
    let kind = |kind| record("chair", &Request { kind });
    let order = |number, quantity| kind(Some(Kind::Order(Order { number, quantity })));
    let cases = [
        (kind(None), "unknown-kind"),
        (order(0, 1), "bad-number"),
        (order(1, 0), "bad-quantity"),
        (kind(Some(Kind::Payment(Payment { number: 0 }))), "bad-number"),
        (record("a/b", &Request { kind: None }), "bad-article"),
        (
            Input::new("order.requests").with_key("chair").with_value("{}"),
            "bad-message",
        ),
    ];
    for (input, code) in cases {
        assert_eq!(shop.send(input).expect_err(code).code, code);
    }
    assert_eq!(shop.view("stock"), nothing);
    assert!(Reserve::<0>::init(Config { hold_ms: 0 }).is_err());
}

#[test]
fn version_1_0_does_not_name_empty_articles() {
    let old = Reserve::<0>::init(Config { hold_ms: HOLD }).expect("a valid config");
    let part = old.query(&TestContext::new(), "stock", &Value::Null).expect("a part");
    let whole = old.merge("stock", &Value::Null, vec![part]).expect("merged");
    assert!(whole.get("empty").is_none(), "{whole}");
}
