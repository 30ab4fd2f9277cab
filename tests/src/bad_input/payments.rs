//! `payment.incoming`.

use super::object::{Object, broken, deep, long};
use super::{Case, End, INCOMING, Table};
use End::{Confirmed, DeadLetter, Rejected};
use fermata_payments::MAX_MESSAGE;

/// Values of no use for a field that holds a name.
const NO_NAMES: [&str; 8] = ["null", "\"\"", "7", "1e400", "true", "[]", "{}", "\"\\ud800\""];
/// Of `metadata`, in bytes.
const MAX_METADATA: usize = 4 << 10;
const MIB: usize = 1 << 20;

pub fn cases(at: &str) -> Vec<Case> {
    let mut table = Table::new(INCOMING);
    for (name, bytes) in broken(&payment("bad", at)) {
        table.add(name, DeadLetter("bad-json"), bytes);
    }
    repeated_names(&mut table, at);
    keys(&mut table, at);
    versions(&mut table, at);
    ids(&mut table, at);
    fields(&mut table, at);
    sizes(&mut table, at);
    odd_but_sound(&mut table, at);
    table.cases
}

/// A payment that is confirmed.
pub fn sound(n: usize, at: &str) -> Case {
    let id = format!("good-{n}");
    let value = payment(&id, at).text();
    Case {
        name: "sound".into(),
        head: INCOMING,
        key: Some(id.into_bytes()),
        value: Some(value.into_bytes()),
        misplaced: false,
        end: Confirmed,
    }
}

fn payment(id: &str, at: &str) -> Object {
    Object::new(&[
        ("id", &format!("{id:?}")),
        ("from", "\"funding-EUR\""),
        ("to", "\"acct-1\""),
        ("amount", "7"),
        ("currency", "\"EUR\""),
        ("at", &format!("{at:?}")),
    ])
}

fn next(table: &Table, at: &str) -> Object {
    payment(&table.next_key(), at)
}

fn repeated_names(table: &mut Table, at: &str) {
    for field in ["id", "from", "to", "amount", "currency", "at"] {
        let object = next(table, at);
        let again = object.value(field).to_owned();
        table.add(
            format!("{field} twice"),
            DeadLetter("bad-json"),
            object.and(&format!("{field:?}"), again).text(),
        );
    }
    for (field, value) in [
        ("type", "\"x\""),
        ("reference", "\"x\""),
        ("metadata", "{}"),
        ("v", "1"),
    ] {
        let object = next(table, at).with(field, value).and(&format!("{field:?}"), value);
        table.add(format!("{field} twice"), DeadLetter("bad-json"), object.text());
    }
    let object = next(table, at).and("\"\\u0069d\"", "\"other\"");
    table.add("id twice, once with an escape", DeadLetter("bad-json"), object.text());
}

fn keys(table: &mut Table, at: &str) {
    let own = |table: &Table| next(table, at).text();
    let text = own(table);
    table.add("no key", DeadLetter("key-mismatch"), text).key = None;
    let text = own(table);
    table.add("an empty key", DeadLetter("key-mismatch"), text).key = Some(Vec::new());
    let text = own(table);
    let key = format!("{} ", table.next_key());
    table.add("a key with a space", DeadLetter("key-mismatch"), text).key = Some(key.into_bytes());
    let text = own(table);
    table.add("another key", DeadLetter("key-mismatch"), text).key = Some(b"another".to_vec());
    let text = own(table);
    table
        .add("a key that is not UTF-8", DeadLetter("key-mismatch"), text)
        .key = Some(b"\xff\xfe".to_vec());
    let text = own(table);
    table.add("another partition", DeadLetter("misplaced"), text).misplaced = true;
    table.add("a tombstone", DeadLetter("bad-json"), "").value = None;
    let tombstone = table.add("a tombstone without a key", DeadLetter("bad-json"), "");
    (tombstone.value, tombstone.key) = (None, None);
}

fn versions(table: &mut Table, at: &str) {
    for v in [
        "0", "2", "-1", "-0", "1.0", "1e0", "10", "1e400", "\"1\"", "true", "[]", "{}",
    ] {
        let object = next(table, at).with("v", v);
        table.add(format!("v is {v}"), DeadLetter("unknown-version"), object.text());
    }
}

fn ids(table: &mut Table, at: &str) {
    let object = next(table, at).without("id");
    table.add("no id", DeadLetter("missing-field"), object.text());
    for id in NO_NAMES {
        let object = next(table, at).with("id", id);
        table.add(format!("id is {id}"), DeadLetter("missing-field"), object.text());
    }
    table.add("an empty object", DeadLetter("missing-field"), "{}");
    for (levels, end) in [(1_000, DeadLetter("missing-field")), (10_000, Rejected("too-large"))] {
        let text = "{\"a\":".repeat(levels) + "1" + &"}".repeat(levels);
        table.add(format!("{levels} objects within each other"), end, text);
    }
    let object = next(table, at).with("other", long(MAX_MESSAGE));
    table
        .add("too large, without a key", DeadLetter("too-large"), object.text())
        .key = None;
    for (bytes, end) in [
        (129, Rejected("too-large")),
        (1_024, Rejected("too-large")),
        (1_025, DeadLetter("too-large")),
    ] {
        let id = "i".repeat(bytes);
        let object = payment(&id, at);
        table.add(format!("an id of {bytes} bytes"), end, object.text()).key = Some(id.into_bytes());
    }
}

fn fields(table: &mut Table, at: &str) {
    for field in ["from", "to", "amount", "currency", "at"] {
        let object = next(table, at).without(field);
        table.add(format!("no {field}"), Rejected("missing-field"), object.text());
    }
    let mut bad = |field: &str, code: &'static str, values: &[&str]| {
        for value in values {
            let object = next(table, at).with(field, *value);
            table.add(format!("{field} is {value}"), Rejected(code), object.text());
        }
    };
    for side in ["from", "to"] {
        bad(side, "missing-field", &NO_NAMES);
        bad(side, "too-large", &[&long(129), &long(7_000), &long(100_000)]);
    }
    bad("to", "same-account", &["\"funding-EUR\"", "\"funding\\u002dEUR\""]);
    let forty = "1".repeat(41);
    bad("amount", "missing-field", &["null"]);
    bad(
        "amount",
        "bad-amount",
        &[
            "0",
            "-0",
            "0.0",
            "-0.0",
            "-1",
            "12.5",
            "12.0",
            "1e3",
            "1E3",
            "1e400",
            "-1e400",
            "1e-400",
            &forty,
            "9223372036854775808",
            "-9223372036854775808",
            "18446744073709551616",
            "\"7\"",
            "\"\"",
            "true",
            "[]",
            "[7]",
            "{}",
        ],
    );
    bad("currency", "missing-field", &["null"]);
    bad(
        "currency",
        "bad-currency",
        &[
            "\"\"",
            "\"eur\"",
            "\"EURO\"",
            "\"EU\"",
            "\"E R\"",
            "\"EUR \"",
            "\"ЕUR\"",
            "\"???\"",
            "\"XXX\"",
            "\"\\ud800\"",
            "\"EU\\u0000\"",
            "978",
            "1e400",
            "true",
            "[]",
            "{}",
        ],
    );
    bad("at", "missing-field", &["null"]);
    bad(
        "at",
        "bad-time",
        &[
            "\"\"",
            "\"yesterday\"",
            "\"2026-11-22\"",
            "\"2026-11-22T23:01:02\"",
            "\"2026-13-22T23:01:02Z\"",
            "\"2026-02-30T23:01:02Z\"",
            "\"2026-11-22T24:01:02Z\"",
            "\"9999-12-31T23:59:59Z\"",
            "\"\\ud800\"",
            "0",
            "1795388462",
            "1e400",
            "true",
            "[]",
            "{}",
        ],
    );
    bad(
        "at",
        "too-old",
        &["\"2001-01-01T00:00:00Z\"", "\"0001-01-01T00:00:00Z\""],
    );
    for text in ["type", "reference"] {
        bad(
            text,
            "missing-field",
            &["7", "1e400", "true", "[]", "{}", "\"\\ud800\""],
        );
    }
    let (nested, array) = (format!("{{\"a\":{}}}", deep(1_000)), deep(1_000));
    bad(
        "metadata",
        "missing-field",
        &[
            "7",
            "1e400",
            "true",
            "[]",
            "\"x\"",
            "{\"a\":\"\\ud800\"}",
            "{\"a\":1e400}",
            &nested,
            &array,
        ],
    );
    bad("metadata", "too-large", &[&format!("{{\"a\":{}}}", deep(10_000))]);
    let object = next(table, at).with("from", "\"acct-1\"").with("to", "\"acct-2\"");
    let object = object.with("amount", i64::MAX.to_string());
    table.add("an amount of all that fits", Rejected("too-large"), object.text());
}

/// What costs most to read, at the sizes where something changes.
fn sizes(table: &mut Table, at: &str) {
    type Fill = fn(usize) -> String;
    let fills: [(&str, &str, Fill); 6] = [
        ("a text", "reference", long),
        ("escapes", "reference", |bytes| {
            format!("\"{}\"", "\\u0041".repeat(bytes / 6))
        }),
        ("an unknown field", "other", long),
        ("unknown numbers", "other", |bytes| {
            format!("[1{}]", ",1".repeat(bytes / 2 - 2))
        }),
        ("metadata of objects", "metadata", |bytes| {
            let each = (0..bytes / 14).map(|n| format!("\"{n:08}\":{{}}"));
            format!("{{{}}}", each.collect::<Vec<_>>().join(","))
        }),
        ("metadata of numbers", "metadata", |bytes| {
            format!("{{\"a\":[1{}]}}", ",1".repeat(bytes / 2 - 8))
        }),
    ];
    for (name, field, fill) in fills {
        // Metadata has a limit of its own.
        let most = if field == "metadata" {
            MAX_METADATA
        } else {
            MAX_MESSAGE - 300
        };
        for (bytes, end) in [
            (most, Confirmed),
            (
                MAX_MESSAGE - 300,
                if field == "metadata" {
                    Rejected("too-large")
                } else {
                    Confirmed
                },
            ),
            (MAX_MESSAGE, Rejected("too-large")),
            (8 * MAX_MESSAGE, Rejected("too-large")),
            (MIB - 300, Rejected("too-large")),
        ] {
            let object = next(table, at).with(field, fill(bytes));
            table.add(format!("{name}, {bytes} bytes"), end, object.text());
        }
    }
    for (name, text) in [("", deep(10_000)), ("open ", "[".repeat(10_000))] {
        table.add(format!("ten thousand {name}arrays"), Rejected("too-large"), text);
    }
    for field in ["id", "from", "to", "currency", "at", "type"] {
        let object = next(table, at).with(field, long(MIB - 300));
        table.add(format!("{field} of a MiB"), Rejected("too-large"), object.text());
    }
}

/// Not wrong, only unusual: fields that no stage knows are carried along untouched.
fn odd_but_sound(table: &mut Table, at: &str) {
    let object = next(table, at);
    table.add("spaces everywhere", Confirmed, object.spaced(" \t\r\n"));
    let object = next(table, at).with("to", "\"\\u0061cct-1\"").without("from");
    let object = object.and("\"\\u0066rom\"", "\"funding\\u002DEUR\"");
    table.add("escapes in names and values", Confirmed, object.text());
    for (name, value) in [
        ("four thousand arrays", deep(3_900)),
        ("a number beyond floats", "1e400".into()),
        ("a number of forty digits", "1".repeat(40)),
        ("a lone surrogate", "\"\\ud800\"".into()),
        ("an escaped NUL", "\"\\u0000\"".into()),
        ("an object with a name twice", "{\"a\":1,\"a\":2}".into()),
    ] {
        let object = next(table, at).with("unknown", value);
        table.add(format!("{name} in an unknown field"), Confirmed, object.text());
    }
    let object = next(table, at).and("\"unknown\"", "1").and("\"unknown\"", "2");
    table.add("an unknown field twice", Confirmed, object.text());
    for field in ["v", "type", "reference", "metadata"] {
        let object = next(table, at).with(field, "null");
        table.add(format!("{field} is null"), Confirmed, object.text());
    }
    let name = format!("{}\u{0}\n", table.next_key());
    let escaped = format!("\"{}\\u0000\\n\"", table.next_key());
    let object = next(table, at).with("id", escaped.clone()).with("to", escaped);
    table.add("control characters in names", Confirmed, object.text()).key = Some(name.into_bytes());
}
