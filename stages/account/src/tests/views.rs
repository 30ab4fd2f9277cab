//! What accounts answer.

use fermata_stage::ViewError;

use super::*;

fn answer<const MINOR: u32>(shards: &[&Shard], view: &str, params: Value) -> Result<Value, ViewError> {
    let stage = Account::<MINOR>::init(Config::default()).expect("valid");
    let parts = shards
        .iter()
        .map(|shard| stage.query(&shard.cx, view, &params))
        .collect::<Result<Vec<_>, _>>()?;
    stage.merge(view, &params, parts)
}

fn ids(page: &Value) -> Vec<&str> {
    page["accounts"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|row| row["id"].as_str().expect("an id"))
        .collect()
}

#[test]
fn an_account_tells_all_of_itself() {
    let mut shard = Shard::new();
    shard.debit(("p-1", "a", "b", 400));
    let query = |minor: u32, key: &str| {
        let params = json!({ "key": key });
        match minor {
            0 => Account::<0>::init(Config::default())
                .expect("valid")
                .query(&shard.cx, "account", &params),
            _ => Account::<1>::init(Config::default())
                .expect("valid")
                .query(&shard.cx, "account", &params),
        }
    };
    let mut expected = json!({
        "id": "a", "currency": "EUR", "balance": 600, "limit": 0, "status": "open",
        "debits": { "count": 1, "value_minor": 400 }, "credits": { "count": 1, "value_minor": 1000 },
        "refunds": { "count": 0, "value_minor": 0 }, "unsettled": { "count": 1, "value_minor": 400 },
        "waiting": 0, "last_amount": -400, "last_at": "2026-11-22T23:01:02Z",
    });
    assert_eq!(query(0, "a"), Ok(expected.clone()));
    expected["movements"] = json!(2);
    assert_eq!(query(1, "a"), Ok(expected));
    assert_eq!(query(0, "funding-EUR").expect("it was used")["limit"], Value::Null);
    assert_eq!(query(0, "nobody"), Err(ViewError::NotFound));
}

#[test]
fn the_ledger_of_every_shard_is_zero_and_clearing_is_what_is_between_them() {
    let (mut one, mut other) = (
        Shard::empty(json!({ "auto-open": true })),
        Shard::empty(json!({ "auto-open": true })),
    );
    let terms = ("p-1", "funding-EUR", "x", 400);
    one.debit(terms);
    let between = json!({ "EUR": 0, "balances": { "EUR": -400 }, "clearing": { "EUR": 400 } });
    assert_eq!(answer::<0>(&[&one, &other], "ledger", json!({})), Ok(between));
    other.credit(terms);
    let zero = json!({ "EUR": 0, "balances": { "EUR": 0 }, "clearing": { "EUR": 0 } });
    assert_eq!(answer::<0>(&[&one, &other], "ledger", json!({})), Ok(zero));
    let part = one.stage.query(&other.cx, "ledger", &json!({})).expect("a part");
    assert_eq!(
        part,
        json!({ "EUR": 0, "balances": { "EUR": 400 }, "clearing": { "EUR": -400 } })
    );
}

#[test]
fn a_ledger_beyond_64_bits_is_told_exactly() {
    let mut shard = Shard::empty(json!({ "auto-open": true }));
    for index in 0..3 {
        let id = format!("p-{index}");
        let to = format!("x-{index}");
        shard.credit((&id, "funding-EUR", &to, i64::MAX));
    }
    let answer = answer::<0>(&[&shard], "ledger", json!({})).expect("an answer");
    assert_eq!(answer["balances"]["EUR"], json!((i128::from(i64::MAX) * 3).to_string()));
    assert_eq!(answer["EUR"], json!(0));
}

/// Twelve accounts on two shards with balances of 1 to 12.
fn two_shards() -> [Shard; 2] {
    let mut shards = [
        Shard::empty(json!({ "auto-open": true })),
        Shard::empty(json!({ "auto-open": true })),
    ];
    for index in 1..=12 {
        let (id, to) = (format!("p-{index}"), format!("x-{index:02}"));
        shards[index as usize % 2].credit((&id, "funding-EUR", &to, (index * 5) % 13));
    }
    shards
}

#[test]
fn pages_follow_each_other_without_gap_or_overlap() {
    let [one, other] = two_shards();
    for (sort, order) in [
        ("id", "asc"),
        ("id", "desc"),
        ("balance", "asc"),
        ("balance", "desc"),
        ("last_at", "asc"),
    ] {
        let mut params = json!({ "limit": 5, "sort": sort, "order": order });
        let mut seen = Vec::new();
        let mut pages = 0;
        loop {
            let page = answer::<0>(&[&one, &other], "accounts", params.clone()).expect("a page");
            assert_eq!(page["total"], 12);
            seen.extend(page["accounts"].as_array().expect("a list").iter().cloned());
            pages += 1;
            if page["next"].is_null() {
                break;
            }
            params["cursor"] = page["next"].clone();
        }
        assert_eq!((pages, seen.len()), (3, 12), "{sort} {order}");
        let key = |row: &Value| match sort {
            "balance" => (row["balance"].as_i64().expect("a number"), row["id"].to_string()),
            _ => (0, row["id"].to_string()),
        };
        let mut keys: Vec<_> = seen.iter().map(key).collect();
        if order == "desc" {
            keys.reverse();
        }
        assert!(keys.windows(2).all(|pair| pair[0] < pair[1]), "{sort} {order}");
    }
}

#[test]
fn pages_are_filtered() {
    let [mut one, other] = two_shards();
    one.command("x-02", json!({ "type": "freeze" }));
    one.command("y-1", json!({ "type": "open", "currency": "USD" }));
    let shards = [&one, &other];
    for (params, expected) in [
        (json!({ "status": "frozen" }), vec!["x-02"]),
        (json!({ "currency": "USD" }), vec!["y-1"]),
        (json!({ "prefix": "x-1" }), vec!["x-10", "x-11", "x-12"]),
        (json!({ "prefix": "x-1", "limit": "2" }), vec!["x-10", "x-11"]),
        (json!({ "status": "closed" }), vec![]),
    ] {
        let page = answer::<0>(&shards, "accounts", params.clone()).expect("a page");
        assert_eq!(ids(&page), expected, "{params}");
    }
    for params in [
        json!({ "sort": "colour" }),
        json!({ "order": "up" }),
        json!({ "page": 2 }),
        json!({ "cursor": "x" }),
    ] {
        assert!(matches!(
            answer::<0>(&shards, "accounts", params),
            Err(ViewError::BadParams(_))
        ));
    }
}

#[test]
fn a_page_of_1_1_0_counts_movements_even_from_parts_of_1_0_0() {
    let [one, other] = two_shards();
    let page = answer::<1>(&[&one, &other], "accounts", json!({})).expect("a page");
    assert!(
        page["accounts"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|row| row["movements"] == 1)
    );
    let (old, new) = (
        Account::<0>::init(Config::default()),
        Account::<1>::init(Config::default()),
    );
    let parts = vec![
        old.expect("valid")
            .query(&one.cx, "accounts", &json!({}))
            .expect("a part"),
        new.as_ref()
            .expect("valid")
            .query(&other.cx, "accounts", &json!({}))
            .expect("a part"),
    ];
    let page = new
        .expect("valid")
        .merge("accounts", &json!({}), parts)
        .expect("a page");
    assert_eq!(ids(&page).len(), 12);
}
