//! The stage natively, on a context in memory.

use fermata_stage::testing::TestContext;
use fermata_stage::{Emission, Input, NoConfig, Stage};
use orders_messages::{Shipped, Sold, decode, emission};
use serde_json::{Value, json};

use super::Ship;

fn sold(article: &str, number: u64, quantity: u32) -> Input {
    let Emission { key, value, .. } = emission("any", article, &Sold { number, quantity });
    Input {
        key,
        value,
        ..Input::new("order.sold")
    }
}

fn shipments<const MINOR: u32>(stage: &Ship<MINOR>, shards: &[&TestContext]) -> Value {
    let part = |cx: &&TestContext| stage.query(*cx, "shipments", &Value::Null).expect("a part");
    let parts = shards.iter().map(part).collect();
    stage.merge("shipments", &Value::Null, parts).expect("merged")
}

#[test]
fn parcels_are_counted_by_article() {
    let stage = Ship::<0>::init(NoConfig {}).expect("no config");
    let mut cx = TestContext::new();
    let mut shipped = Vec::new();
    for (article, number, quantity) in [("chair", 1, 2), ("table", 1, 1), ("chair", 4, 5)] {
        let out = cx.process(&stage, sold(article, number, quantity)).expect("shipped");
        let [one] = out.try_into().ok().expect("one for each");
        let Emission { port, key, value, .. } = one.into();
        assert_eq!(port, "shipped");
        assert_eq!(key, Some(format!("{article}/{number}").into_bytes()));
        let input = Input {
            value,
            ..Input::new(port)
        };
        let message: Shipped = decode(&input).expect("a message");
        assert_eq!((message.number, message.quantity), (number, quantity));
        shipped.push((message.article, message.parcel));
    }
    let expected = [("chair", 1), ("table", 1), ("chair", 2)];
    assert_eq!(shipped, expected.map(|(article, parcel)| (article.to_owned(), parcel)));
    assert_eq!(cx.counter("pieces_shipped_total", &[]), 8);
    assert_eq!(shipments(&stage, &[&cx, &cx]), json!({ "parcels": 6, "pieces": 16 }));
}

#[test]
fn version_1_1_knows_the_mean_over_the_same_state() {
    let mut cx = TestContext::new();
    let new = Ship::<1>::init(NoConfig {}).expect("no config");
    assert_eq!(shipments(&new, &[&cx])["pieces_per_parcel"], Value::Null);
    let old = Ship::<0>::init(NoConfig {}).expect("no config");
    for (number, quantity) in [(1, 2), (2, 5)] {
        cx.process(&old, sold("chair", number, quantity)).expect("shipped");
    }
    assert_eq!(shipments(&new, &[&cx])["pieces_per_parcel"], 3.5);
    assert!(shipments(&old, &[&cx]).get("pieces_per_parcel").is_none());
}

#[test]
fn what_is_no_message_is_rejected() {
    let stage = Ship::<0>::init(NoConfig {}).expect("no config");
    let input = Input::new("order.sold").with_key("chair").with_value([0x08]);
    let rejection = TestContext::new().process(&stage, input).err().expect("refused");
    assert_eq!(rejection.code, "bad-message");
}
