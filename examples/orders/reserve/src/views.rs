//! The views `stock` and `open`. Views are JSON whatever the messages are: people and manifests read them.

use fermata_stage::{Reader, ViewError};
use orders_messages::Name;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::state::{ARTICLES, OPEN, split};

pub const NO_PARAMS: &str = r#"{"type":"object","additionalProperties":false}"#;
pub const OPEN_ANSWER: &str = r#"{
  "type": "object",
  "properties": {
    "count": { "type": "integer" },
    "pieces": { "type": "integer" },
    "orders": { "type": "array", "description": "those that are cancelled next", "items": { "type": "string" } }
  }
}"#;

/// Orders and articles that an answer names at most.
const NAMED: usize = 20;

pub fn stock_answer(minor: u32) -> String {
    let count = json!({ "type": "integer" });
    let mut properties = json!({
        "articles": count,
        "delivered": count,
        "available": count,
        "reserved": count,
        "sold": count,
        "unaccounted": { "type": "integer", "description": "pieces that are not where they should be: 0" },
        "requests": { "type": "object", "additionalProperties": count },
    });
    if minor >= 1 {
        properties["empty"] = json!({ "type": "array", "items": { "type": "string" } });
    }
    json!({ "type": "object", "properties": properties }).to_string()
}

/// A part and the answer alike.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Stock {
    articles: u64,
    delivered: u64,
    available: u64,
    reserved: u64,
    sold: u64,
    /// Summed without signs: too many here do not make up for too few there.
    unaccounted: u64,
    requests: Requests,
    /// 1.1.0: articles of which nothing is available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    empty: Option<Vec<String>>,
}

/// What became of all that came in, dead letters apart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Requests {
    deliveries: u64,
    orders: u64,
    repeated: u64,
    paid: u64,
    unpaid: u64,
    sold_out: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Waiting {
    count: u64,
    pieces: u64,
    /// When each is cancelled, and its name.
    orders: Vec<(i64, String)>,
}

pub fn query(cx: &dyn Reader, view: &str) -> Result<Value, ViewError> {
    match view {
        "stock" => Ok(to_value(&stock(cx))),
        "open" => Ok(to_value(&waiting(cx))),
        _ => Err(ViewError::NotFound),
    }
}

fn stock(cx: &dyn Reader) -> Stock {
    let mut sum = Stock::default();
    let mut empty = Vec::new();
    for (key, article) in ARTICLES.iter(cx) {
        let of_article = [key.as_slice(), &[0]].concat();
        let reserved: u64 = OPEN
            .iter_prefix(cx, of_article)
            .map(|(_, open)| u64::from(open.quantity))
            .sum();
        sum.articles += 1;
        sum.delivered += article.delivered;
        sum.available += article.available;
        sum.reserved += reserved;
        sum.sold += article.sold;
        sum.unaccounted += article.delivered.abs_diff(article.available + reserved + article.sold);
        let requests = &mut sum.requests;
        requests.deliveries += article.deliveries;
        requests.orders += article.orders;
        requests.repeated += article.repeated;
        requests.paid += article.paid;
        requests.unpaid += article.unpaid;
        requests.sold_out += article.sold_out;
        if article.available == 0 && empty.len() < NAMED {
            empty.push(String::from_utf8_lossy(&key).into_owned());
        }
    }
    sum.empty = Some(empty);
    sum
}

fn waiting(cx: &dyn Reader) -> Waiting {
    let mut sum = Waiting::default();
    for (key, open) in OPEN.iter(cx) {
        sum.count += 1;
        sum.pieces += u64::from(open.quantity);
        let (article, number) = split(&key);
        sum.orders.push((open.until, Name { article, number }.to_string()));
    }
    sum.orders.sort();
    sum.orders.truncate(NAMED);
    sum
}

pub fn merge(minor: u32, view: &str, partials: Vec<Value>) -> Result<Value, ViewError> {
    match view {
        "stock" => Ok(to_value(&merge_stock(minor, parts(view, partials)?))),
        "open" => Ok(merge_waiting(parts(view, partials)?)),
        _ => Err(ViewError::NotFound),
    }
}

fn merge_stock(minor: u32, parts: Vec<Stock>) -> Stock {
    let mut sum = Stock::default();
    let mut empty = Vec::new();
    for part in parts {
        sum.articles += part.articles;
        sum.delivered += part.delivered;
        sum.available += part.available;
        sum.reserved += part.reserved;
        sum.sold += part.sold;
        sum.unaccounted += part.unaccounted;
        let (requests, of) = (&mut sum.requests, part.requests);
        requests.deliveries += of.deliveries;
        requests.orders += of.orders;
        requests.repeated += of.repeated;
        requests.paid += of.paid;
        requests.unpaid += of.unpaid;
        requests.sold_out += of.sold_out;
        empty.extend(part.empty.unwrap_or_default());
    }
    empty.sort();
    empty.truncate(NAMED);
    sum.empty = (minor >= 1).then_some(empty);
    sum
}

fn merge_waiting(parts: Vec<Waiting>) -> Value {
    let mut sum = Waiting::default();
    for part in parts {
        sum.count += part.count;
        sum.pieces += part.pieces;
        sum.orders.extend(part.orders);
    }
    sum.orders.sort();
    sum.orders.truncate(NAMED);
    let names: Vec<String> = sum.orders.into_iter().map(|(_, name)| name).collect();
    json!({ "count": sum.count, "pieces": sum.pieces, "orders": names })
}

fn parts<T: serde::de::DeserializeOwned>(view: &str, partials: Vec<Value>) -> Result<Vec<T>, ViewError> {
    let read = |part| serde_json::from_value(part);
    let parts: Result<_, _> = partials.into_iter().map(read).collect();
    parts.map_err(|error| ViewError::BadParams(format!("a part of {view} cannot be read: {error}")))
}

fn to_value<T: Serialize>(answer: &T) -> Value {
    serde_json::to_value(answer).expect("answers are plain data with string keys")
}
