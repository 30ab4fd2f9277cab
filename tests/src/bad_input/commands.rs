//! `account.commands`.

use super::object::{Object, broken, deep, long};
use super::{COMMANDS, Case, End, Table};
use End::{Answered, DeadLetter};
use fermata_payments::MAX_MESSAGE;

const MIB: usize = 1 << 20;

pub fn cases() -> Vec<Case> {
    let mut table = Table::new(COMMANDS);
    for (name, bytes) in broken(&open("bad")) {
        table.add(name, DeadLetter("bad-json"), bytes);
    }
    for (field, value) in [
        ("type", "\"open\""),
        ("account", "\"x\""),
        ("id", "\"x\""),
        ("v", "1"),
        ("currency", "\"EUR\""),
        ("limit", "0"),
    ] {
        let object = next(&table).with(field, value).and(&format!("{field:?}"), value);
        table.add(format!("{field} twice"), DeadLetter("bad-json"), object.text());
    }
    keys(&mut table);
    no_commands(&mut table);
    answered(&mut table);
    sizes(&mut table);
    odd_but_sound(&mut table);
    table.cases
}

/// A command that is carried out.
pub fn sound(n: usize) -> Case {
    let account = format!("good-{n}");
    Case {
        name: "sound".into(),
        head: COMMANDS,
        value: Some(open(&account).text().into_bytes()),
        key: Some(account.into_bytes()),
        misplaced: false,
        end: Answered("ok"),
    }
}

fn open(account: &str) -> Object {
    Object::new(&[
        ("v", "1"),
        ("id", "\"c-1\""),
        ("type", "\"open\""),
        ("account", &format!("{account:?}")),
        ("currency", "\"EUR\""),
        ("limit", "-5"),
    ])
}

fn next(table: &Table) -> Object {
    open(&table.next_key())
}

fn keys(table: &mut Table) {
    for (name, key) in [
        ("no key", None),
        ("an empty key", Some(&b""[..])),
        ("another key", Some(b"another")),
        ("a key that is not UTF-8", Some(b"\xff\xfe")),
    ] {
        let text = next(table).text();
        table.add(name, DeadLetter("key-mismatch"), text).key = key.map(<[u8]>::to_vec);
    }
    let text = next(table).without("account").text();
    table.add("no key and no account", DeadLetter("key-mismatch"), text).key = None;
    let text = next(table).text();
    table.add("another partition", DeadLetter("misplaced"), text).misplaced = true;
    table.add("a tombstone", DeadLetter("bad-json"), "").value = None;
    for (bytes, end) in [(129, Answered("too-large")), (1_025, DeadLetter("too-large"))] {
        let account = "a".repeat(bytes);
        let text = open(&account).text();
        table.add(format!("an account of {bytes} bytes"), end, text).key = Some(account.into_bytes());
    }
}

fn no_commands(table: &mut Table) {
    table.add("an empty object", DeadLetter("missing-field"), "{}");
    let mut dead = |field: &str, code: &'static str, values: &[&str]| {
        for value in values {
            let object = next(table).with(field, *value);
            table.add(format!("{field} is {value}"), DeadLetter(code), object.text());
        }
    };
    dead(
        "type",
        "missing-field",
        &["null", "\"\"", "7", "1e400", "true", "[]", "{}", "\"\\ud800\""],
    );
    dead(
        "type",
        "unknown-type",
        &["\"rename\"", "\"Open\"", "\"open \"", "\"\\u0000\""],
    );
    dead(
        "account",
        "missing-field",
        &["7", "1e400", "true", "[]", "{}", "\"\\ud800\""],
    );
    dead("account", "key-mismatch", &["\"\"", "\"another\""]);
    dead(
        "v",
        "unknown-version",
        &["0", "2", "-1", "-0", "1.0", "1e400", "\"1\"", "true", "[]", "{}"],
    );
    let object = next(table).without("type");
    table.add("no type", DeadLetter("missing-field"), object.text());
}

fn answered(table: &mut Table) {
    let object = next(table).without("currency");
    table.add("no currency", Answered("missing-field"), object.text());
    let object = next(table).with("type", "\"limit\"").without("limit");
    table.add("a limit without one", Answered("missing-field"), object.text());
    let mut bad = |field: &str, code: &'static str, values: &[&str]| {
        for value in values {
            let object = next(table).with(field, *value);
            table.add(format!("{field} is {value}"), Answered(code), object.text());
        }
    };
    bad("currency", "missing-field", &["null"]);
    bad(
        "currency",
        "bad-currency",
        &[
            "\"\"",
            "\"eur\"",
            "\"EURO\"",
            "978",
            "1e400",
            "true",
            "[]",
            "{}",
            "\"\\ud800\"",
        ],
    );
    let forty = "1".repeat(41);
    bad(
        "limit",
        "bad-amount",
        &[
            "1.5",
            "1.0",
            "1e3",
            "1e400",
            "-1e400",
            &forty,
            "9223372036854775808",
            "-9223372036854775809",
            "\"5\"",
            "true",
            "[]",
            "{}",
        ],
    );
    bad(
        "id",
        "missing-field",
        &["7", "1e400", "true", "[]", "{}", "\"\\ud800\""],
    );
    bad("id", "too-large", &[&long(129)]);
    for kind in ["close", "freeze", "unfreeze", "limit"] {
        let object = next(table).with("type", format!("{kind:?}"));
        table.add(format!("{kind} of nobody"), Answered("unknown-account"), object.text());
    }
}

fn sizes(table: &mut Table) {
    for (name, field) in [
        ("an id", "id"),
        ("a currency", "currency"),
        ("an unknown field", "other"),
    ] {
        let object = next(table).with(field, long(MIB - 300));
        table.add(format!("{name} of a MiB"), DeadLetter("too-large"), object.text());
    }
    for (name, text) in [("", deep(10_000)), ("open ", "[".repeat(10_000))] {
        table.add(format!("ten thousand {name}arrays"), DeadLetter("too-large"), text);
    }
    let object = next(table).with("other", long(MAX_MESSAGE - 300));
    table.add("an unknown field that fits", Answered("ok"), object.text());
    let numbers = format!("[1{}]", ",1".repeat(MAX_MESSAGE / 2 - 200));
    let object = next(table).with("other", numbers);
    table.add("unknown numbers that fit", Answered("ok"), object.text());
}

fn odd_but_sound(table: &mut Table) {
    let text = next(table).spaced(" \t\r\n");
    table.add("spaces everywhere", Answered("ok"), text);
    for (field, value) in [
        ("limit", "-0".to_owned()),
        ("limit", i64::MIN.to_string()),
        ("limit", "null".into()),
        ("id", "null".into()),
        ("account", "null".into()),
        ("v", "null".into()),
        ("other", deep(3_900)),
        ("other", "1e400".into()),
        ("other", "\"\\ud800\"".into()),
    ] {
        let short: String = value.chars().take(12).collect();
        let object = next(table).with(field, value);
        table.add(format!("{field} is {short}"), Answered("ok"), object.text());
    }
}
