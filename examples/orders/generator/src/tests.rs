use std::collections::{BTreeMap, BTreeSet};

use fermata_stage::{Generator as _, Input};
use orders_messages::decode;
use serde_json::json;

use super::*;

fn generator(config: serde_json::Value, seed: u64) -> (Generator, Plan) {
    Generator::init(serde_json::from_value(config).expect("of its types"), seed).expect("a valid config")
}

fn kind(emission: &Emission) -> Option<Kind> {
    let input = Input {
        value: emission.value.clone(),
        ..Input::new("order.requests")
    };
    decode::<Request>(&input).ok()?.kind
}

#[test]
fn the_set_up_delivers_every_article() {
    let (generator, plan) = generator(json!({ "articles": 3 }), 7);
    assert_eq!((plan.setup, plan.outputs), (3, vec!["requests".to_owned()]));
    for sequence in 0..3 {
        let [emission] = generator.next(sequence, 0).try_into().expect("one delivery");
        assert_eq!(emission.key, Some(format!("article-{sequence}").into_bytes()));
        assert!(matches!(kind(&emission), Some(Kind::Delivery(_))));
    }
}

#[test]
fn same_seed_same_bytes() {
    let config = json!({ "unpaid": 0.2, "sold-out": 0.2, "repeated": 0.2, "not-open": 0.1, "bad-message": 0.1 });
    let load = |seed| {
        let (generator, _) = generator(config.clone(), seed);
        (100..300).flat_map(|n| generator.next(n, n as i64)).collect::<Vec<_>>()
    };
    assert_eq!(load(7), load(7));
    assert_ne!(load(7), load(8));
}

#[test]
fn orders_are_numbered_upwards_and_paid_behind_their_order() {
    let (generator, plan) = generator(json!({ "articles": 2 }), 1);
    let mut last: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for sequence in plan.setup..plan.setup + 500 {
        let [order, payment] = generator
            .next(sequence, 0)
            .try_into()
            .expect("an order and its payment");
        assert_eq!(order.key, payment.key);
        let (Some(Kind::Order(order_of)), Some(Kind::Payment(payment))) = (kind(&order), kind(&payment)) else {
            panic!("not an order and a payment: {order:?} {payment:?}");
        };
        assert_eq!(order_of.number, payment.number);
        assert!((1..=5).contains(&order_of.quantity));
        let before = last.insert(order.key.expect("the article"), order_of.number);
        assert!(before.is_none_or(|before| before < order_of.number));
    }
    let articles: BTreeSet<_> = last.into_keys().collect();
    assert_eq!(articles, [b"article-0".to_vec(), b"article-1".to_vec()].into());
}

#[test]
fn shares_are_met() {
    let (generator, plan) = generator(json!({ "unpaid": 0.25, "bad-message": 0.25 }), 3);
    let (mut unpaid, mut bad) = (0, 0);
    for sequence in plan.setup..plan.setup + 10_000 {
        let emissions = generator.next(sequence, 0);
        match (emissions.len(), kind(&emissions[0])) {
            (1, Some(_)) => unpaid += 1,
            (1, None) => bad += 1,
            _ => {}
        }
    }
    for count in [unpaid, bad] {
        assert!((2_300..2_700).contains(&count), "{unpaid} unpaid, {bad} bad");
    }
}

#[test]
fn impossible_configs_are_refused() {
    for config in [
        json!({ "articles": 0 }),
        json!({ "unpaid": -0.1 }),
        json!({ "unpaid": 0.6, "repeated": 0.6 }),
    ] {
        let parsed = serde_json::from_value(config.clone()).expect("of its types");
        assert!(Generator::init(parsed, 1).is_err(), "{config}");
    }
    assert!(serde_json::from_value::<Config>(json!({ "unpayed": 0.1 })).is_err());
}
