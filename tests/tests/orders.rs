//! `examples/orders`: a pipeline of binary messages that has nothing to do with payments, on the host as it is.

mod books;

use books::Orders;
use fermata_tests::harness::{Cli, PATIENCE, Server, ServerSpec, Topics, post, until};
use serde_json::{Value, json};
use std::path::Path;

const COUNT: u64 = 2_000;
/// A little of everything that can become of an order.
const LOAD: &str = r#"{"articles": 20, "unpaid": 0.02, "sold-out": 0.02, "repeated": 0.02, "not-open": 0.02,
    "bad-message": 0.02}"#;

fn spec(data_dir: &Path) -> ServerSpec {
    ServerSpec {
        manifest: Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/orders/pipeline.toml"),
        ..ServerSpec::payments(data_dir)
    }
}

fn number(found: &Value, name: &str) -> u64 {
    let number = found[name].as_u64();
    number.unwrap_or_else(|| panic!("{name} is no count in {found}"))
}

/// What the README of the example says of the sums of a drained pipeline.
fn sums_agree(found: &Value) {
    let n = |name| number(found, name);
    assert_eq!(
        n("requests"),
        n("deliveries") + n("opened") + n("repeated") + n("paid") + n("dead_letters"),
        "{found}"
    );
    assert_eq!(n("opened"), n("shipped") + n("cancelled"), "{found}");
    assert_eq!(n("paid"), n("shipped"), "{found}");
    assert_eq!(n("pieces_sold"), n("pieces_packed"), "{found}");
    for nothing in ["open", "unaccounted", "duplicates"] {
        assert_eq!(n(nothing), 0, "{nothing}: {found}");
    }
    assert_eq!(found["verify"], "ok", "{found}");
}

#[test]
fn the_demo_of_orders_runs_and_verifies() {
    for workers in ["1", "3"] {
        let count = COUNT.to_string();
        let out = Cli::nowhere().ok(&[
            "demo",
            "--example",
            "orders",
            "--count",
            &count,
            "--seed",
            "7",
            "--workers",
            workers,
            "--config",
            LOAD,
            "--exit",
            "-o",
            "json",
            "--listen",
            "127.0.0.1:0",
        ]);
        let found: Value = serde_json::from_str(&out).unwrap_or_else(|e| panic!("not one JSON document ({e}): {out}"));
        println!("{} orders/s with {workers} workers, {found}", found["orders_per_s"]);
        sums_agree(&found);
        for twenty in ["deliveries", "setup"] {
            assert_eq!(number(&found, twenty), 20, "{twenty}: {found}");
        }
        for some in ["shipped", "cancelled", "repeated", "dead_letters"] {
            assert!(number(&found, some) > 0, "{some} was asked for: {found}");
        }
        // Each sequence number is an order, a payment without one, or no message at all.
        assert!(
            number(&found, "opened") + number(&found, "dead_letters") >= COUNT,
            "{found}"
        );
    }
}

#[test]
fn an_example_that_is_not_there_is_refused_with_those_that_are() {
    let said = Cli::nowhere().fails(&["demo", "--example", "order", "--exit"], 2);
    assert!(said.contains("orders") && said.contains("payments"), "{said}");
}

#[test]
fn both_stages_are_swapped_under_load_and_the_books_agree() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&spec(dir.path()));
    let cli = server.cli();
    let mut load = cli.background(&["generate", "--rate", "1000", "--seed", "7", "--config", LOAD]);
    let shipped_more = || {
        let parcels = || cli.view(&["shipments"])["parcels"].as_u64().unwrap_or_default();
        let before = parcels();
        until("more parcels are shipped", PATIENCE, || match parcels() {
            now if now > before + 200 => Ok(()),
            now => Err(now),
        });
    };
    shipped_more();
    for (stage, view, field) in [
        ("ship", "shipments", "pieces_per_parcel"),
        ("reserve", "stock", "empty"),
    ] {
        assert!(cli.view(&[view]).get(field).is_none(), "{field} before 1.1.0");
        let component = format!("builtin:{stage}@1.1.0");
        let done = cli.json(&[
            "deploy",
            stage,
            &component,
            "--probation",
            "200ms",
            "--wait",
            "--timeout",
            "120s",
        ]);
        assert_eq!(done["deployment"]["state"], "Promoted", "{done}");
        assert_eq!(
            done["receipts"].as_array().map(Vec::len),
            Some(4),
            "one a shard: {done}"
        );
        assert!(!cli.view(&[view])[field].is_null(), "{field} since 1.1.0");
        shipped_more();
    }
    assert!(load.running(), "the load has ended");
    let sent = load.interrupt();
    assert!(sent.status.success(), "{}", String::from_utf8_lossy(&sent.stderr));
    cli.read_all_and_drain();
    cli.ok(&["verify", "--replay"]);
    server.stop();

    let orders = Orders::read(&Topics::open(dir.path()));
    orders.check_drained();
    println!("{orders}");
    assert!(orders.fused > 0, "no hop was fused: {orders}");
}

#[test]
fn bytes_that_are_no_text_go_in_and_out_by_hand() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&spec(dir.path()));
    let cli = server.cli();
    // Delivery of 300, order 1 of 2, its payment, and a message that breaks off: as `orders.proto` has them.
    let requests = "0a0308ac02\n120408011002\n1a020801\n0a0908\n";
    cli.fed(&["produce", "order.requests", "--key", "chair", "--hex"], requests);
    cli.read_all_and_drain();
    let stock = cli.view(&["stock"]);
    assert_eq!(
        (&stock["available"], &stock["sold"]),
        (&298.into(), &2.into()),
        "{stock}"
    );
    let shipped = cli.ok(&["consume", "order.shipped"]);
    assert!(shipped.contains("chair/1\t0x0a0563686169721001180220"), "{shipped}");
    let letters = cli.json(&["dlq", "list"]);
    let letter = &letters["dead_letters"][0];
    assert_eq!(
        (&letters["total"], &letter["code"]),
        (&1.into(), &"bad-message".into()),
        "{letters}"
    );
    let shown = cli.ok(&["dlq", "show", letter["id"].as_str().expect("an id")]);
    assert!(shown.contains("0x0a0908"), "{shown}");
    let said = cli.fed_fails(&["produce", "order.requests", "--key", "chair", "--hex"], "0a0\n", 4);
    assert!(said.contains("hex"), "{said}");
    cli.ok(&["verify"]);
    server.stop();
}

#[test]
fn keys_values_and_headers_may_be_any_bytes() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let server = Server::start(&spec(dir.path()));
    let intake = server.url("/api/v1/pipelines/orders/topics/order.requests/records");
    let envelope = |record: Value| {
        let body = json!({ "records": [record] }).to_string();
        post(&intake, "application/vnd.fermata.records+json", &body).expect("the API answers")
    };
    let answer = envelope(json!({ "key_hex": "ff00", "value_hex": "0a03", "headers_hex": { "trace": "fe" } }));
    assert_eq!(answer.status, 202, "{answer:?}");
    let consumed = server.cli().json(&["consume", "order.requests"]);
    assert_eq!(
        (&consumed["key_hex"], &consumed["value_hex"]),
        (&"ff00".into(), &"0a03".into()),
        "{consumed}"
    );
    assert_eq!(
        consumed["headers"][0],
        json!({ "name": "trace", "value_hex": "fe" }),
        "{consumed}"
    );
    for (wrong, word) in [
        (json!({ "key": "chair", "value": "a", "value_hex": "0a" }), "value_hex"),
        (json!({ "key": "chair", "key_hex": "0a" }), "key_hex"),
        (json!({ "key_hex": "0g" }), "hex"),
        (json!({ "headers_hex": { "fermata-id": "0a" } }), "fermata-id"),
    ] {
        let answer = envelope(wrong);
        assert!(answer.status == 422 && answer.text.contains(word), "{answer:?}");
    }
    server.stop();
}
