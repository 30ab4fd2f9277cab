//! What it does while it works on a record or a timer.

use crate::{SEEN, STORE};
use fermata_stage::{Context, Emission, Header, Level, Rejection};

const MIB: usize = 1 << 20;

/// Carries out a deed by its name, which a fixture's configuration gives.
pub fn commit(deed: &str, cx: &mut dyn Context, key: &[u8]) -> Result<Vec<Emission>, Rejection> {
    match deed {
        "trap" | "loop" | "recurse" | "allocate" | "loop-of-calls" => crate::elsewhere::end(deed, cx),
        "emissions" | "undeclared-port" | "large-key" | "large-value" | "large-together" => Ok(emissions(deed, key)),
        "forged-header"
        | "forged-error-header"
        | "control-header"
        | "nameless-header"
        | "many-headers"
        | "large-header" => Ok(headers(deed, key)),
        "large-reason" | "bad-code" | "long-code" | "forged-code" | "control-reason" => Err(rejection(deed)),
        "metric-flood" | "label-flood" | "large-label" | "wrong-labels" | "undeclared-metric" | "wrong-kind"
        | "not-a-number" => {
            metrics(deed, cx);
            silent()
        }
        "timer-flood" | "timer-extremes" | "timer-past" | "timer-large" | "timer-cancel" => {
            timers(deed, cx);
            silent()
        }
        "log-flood" | "log-forged" | "log-endless" => {
            logs(deed, cx);
            silent()
        }
        "from-memory" => Ok(vec![out(key).with_value(SEEN.get().to_string())]),
        _ => {
            stores(deed, cx);
            silent()
        }
    }
}

fn silent() -> Result<Vec<Emission>, Rejection> {
    Ok(Vec::new())
}

fn out(key: &[u8]) -> Emission {
    Emission::new("out").with_key(key)
}

fn emissions(deed: &str, key: &[u8]) -> Vec<Emission> {
    match deed {
        "emissions" => vec![out(key); 10_000],
        "undeclared-port" => vec![Emission::new("elsewhere").with_key(key)],
        "large-key" => vec![out(&[b'k'; 4097])],
        "large-value" => vec![out(key).with_value(vec![b'v'; MIB + 1])],
        _ => vec![out(key).with_value(vec![b'v'; 200 << 10]); 6],
    }
}

fn headers(deed: &str, key: &[u8]) -> Vec<Emission> {
    let header = |key: &str| Header {
        key: key.to_owned(),
        value: Some(b"forged".to_vec()),
    };
    let headers = match deed {
        "forged-header" => vec![header("fermata-id")],
        "forged-error-header" => vec![header("__streams.errors.message")],
        "control-header" => vec![header("name\0\r\nfermata-id: 1")],
        "nameless-header" => vec![header("")],
        "many-headers" => vec![
            Header {
                key: "n".to_owned(),
                value: None
            };
            10_000
        ],
        _ => vec![Header {
            key: "n".to_owned(),
            value: Some(vec![b'h'; 16 << 10]),
        }],
    };
    vec![Emission { headers, ..out(key) }]
}

fn rejection(deed: &str) -> Rejection {
    match deed {
        "large-reason" => Rejection::new("large-reason", "r".repeat(MIB)),
        "bad-code" => Rejection::new("Not Kebab!\n", "a code that is no code"),
        "long-code" => Rejection::new("c".repeat(65), "a code of 65 bytes"),
        "forged-code" => Rejection::new("fault-trap", "a rejection that passes for a fault"),
        _ => Rejection::new("control-reason", "red \u{1b}[31m and\na line of its own"),
    }
}

fn metrics(deed: &str, cx: &mut dyn Context) {
    match deed {
        "metric-flood" => (0..10_000).for_each(|_| cx.add("seen", &["flood"], 1)),
        "label-flood" => (0..900).for_each(|n| cx.add("seen", &[&format!("{}-{n}", cx.id())], 1)),
        "large-label" => cx.add("seen", &[&"l".repeat(64 << 10)], 1),
        "wrong-labels" => cx.add("seen", &["one", "two"], 1),
        "undeclared-metric" => cx.add("unseen", &[], 1),
        "wrong-kind" => cx.set("seen", &["gauge"], 1),
        _ => cx.observe("sizes", &[], f64::NAN),
    }
}

fn timers(deed: &str, cx: &mut dyn Context) {
    match deed {
        "timer-flood" => loop {
            let id = cx.random().to_string();
            cx.set_timer(&id, i64::MAX, b"flood");
        },
        "timer-extremes" => {
            cx.set_timer("first", i64::MIN, b"extreme");
            cx.set_timer("last", i64::MAX, b"extreme");
        }
        // Fired, it sets itself again: `bad` is what its payload is known by.
        "timer-past" => cx.set_timer("past", 0, b"bad"),
        "timer-large" => cx.set_timer("large", 0, &[b'p'; (64 << 10) + 1]),
        _ => cx.cancel_timer(&"i".repeat(100_000)),
    }
}

fn logs(deed: &str, cx: &mut dyn Context) {
    let line = "x".repeat(2_000);
    match deed {
        "log-flood" => (0..2_000).for_each(|_| cx.log(Level::Debug, &line)),
        "log-forged" => cx.log(Level::Debug, "red \u{1b}[31m\nERROR a line of its own"),
        _ => loop {
            cx.log(Level::Debug, &line);
        },
    }
}

fn stores(deed: &str, cx: &mut dyn Context) {
    match deed {
        "store-undeclared" => cx.put_raw("elsewhere", b"key", b"value"),
        "store-of-the-host" => cx.put_raw("_timers", b"key", b"value"),
        "store-key" => cx.put_raw(STORE, &[b'k'; 4097], b"value"),
        "store-value" => cx.put_raw(STORE, b"key", &vec![b'v'; MIB + 1]),
        "store-flood" => loop {
            let entries = cx.random();
            cx.put_raw(STORE, &entries.to_be_bytes(), &[b'v'; 4096]);
        },
        // 3 MiB, which the fuel of a record allows; 50 records of it are more than a batch may hold.
        "store-bulk" => (0..3u8).for_each(|n| cx.put_raw(STORE, &[n], &vec![n; MIB])),
        "scan-limit" => drop(cx.scan_raw(STORE, b"", None, u32::MAX)),
        "scan-bytes" => {
            // 1.6 MiB in one scan, although each entry is within its limit.
            (0..4u8).for_each(|n| cx.put_raw(STORE, &[0xff, n], &vec![n; 400 << 10]));
            drop(cx.scan_raw(STORE, &[0xff], None, 1_000));
        }
        "scan-beyond" => {
            let beyond = cx.scan_raw(STORE, &[0xff; 4096], Some(&[0xff; 4096]), 1_000);
            assert!(beyond.is_empty(), "a scan that begins behind its prefix finds nothing");
        }
        unknown => panic!("no deed is called {unknown:?}"),
    }
}
