//! The bytes of every message: other programs read them, and versions of the stages share them.

use fermata_payments::{Code, Confirmed, End, Outcome, Payment, Rejected, Side, Transfer};
use fermata_stage::Emission;

/// With a field that no stage knows, and spaces that nobody takes away.
const PAYMENT: &str =
    r#"{"id":"p-1","from":"acct-1","to":"acct-2","amount":1250,"currency":"EUR","note": "a \"b\" {","colour": null}"#;

fn payment() -> Payment {
    Payment::from_value(Some(format!(" {PAYMENT}\n").as_bytes())).expect("a payment")
}

fn is(emission: Emission, port: &str, key: &str, value: &str) {
    assert_eq!(
        (emission.port.as_str(), emission.key.as_deref()),
        (port, Some(key.as_bytes()))
    );
    let value = value.replace("PAYMENT", PAYMENT);
    assert_eq!(String::from_utf8(emission.value.expect("a value")), Ok(value));
}

#[test]
fn transfers_have_their_bytes() {
    let opened = 5;
    for (transfer, key, value) in [
        (
            Transfer::Debit {
                opened,
                payment: payment(),
            },
            "acct-1",
            r#"{"v":1,"type":"debit","opened":5,"payment":PAYMENT}"#,
        ),
        (
            Transfer::Credit {
                opened,
                payment: payment(),
            },
            "acct-2",
            r#"{"v":1,"type":"credit","opened":5,"payment":PAYMENT}"#,
        ),
        (
            Transfer::Refund {
                opened,
                payment: payment(),
                refusal: Code::ACCOUNT_FROZEN.refusal("\"acct-2\" is frozen"),
            },
            "acct-1",
            r#"{"v":1,"type":"refund","opened":5,"code":"account-frozen","reason":"\"acct-2\" is frozen","payment":PAYMENT}"#,
        ),
        (
            Transfer::Cancel {
                opened,
                payment: payment(),
                side: Side::To,
            },
            "acct-2",
            r#"{"v":1,"type":"cancel","opened":5,"side":"to","payment":PAYMENT}"#,
        ),
        (
            Transfer::Settled {
                opened,
                id: "p-1".into(),
                from: "acct-1".into(),
            },
            "acct-1",
            r#"{"v":1,"type":"settled","opened":5,"id":"p-1","from":"acct-1"}"#,
        ),
        (
            Transfer::Next { from: "acct-1".into() },
            "acct-1",
            r#"{"v":1,"type":"next","from":"acct-1"}"#,
        ),
    ] {
        is(transfer.emission(), "inflight", key, value);
    }
}

#[test]
fn ends_have_their_bytes() {
    let refusal = || Code::TIMED_OUT.refusal("it took too long");
    for (outcome, port, value) in [
        (
            Outcome::Complete,
            "complete",
            r#"{"v":1,"type":"complete","id":"p-1","opened":5,"payment":PAYMENT}"#,
        ),
        (
            Outcome::Refused(refusal()),
            "failed",
            r#"{"v":1,"type":"failed","id":"p-1","opened":5,"state":"refused","code":"timed-out","reason":"it took too long","payment":PAYMENT}"#,
        ),
        (
            Outcome::Refunded(refusal()),
            "failed",
            r#"{"v":1,"type":"failed","id":"p-1","opened":5,"state":"refunded","code":"timed-out","reason":"it took too long","payment":PAYMENT}"#,
        ),
    ] {
        let end = End {
            opened: 5,
            payment: payment(),
            outcome,
        };
        is(end.emission(), port, "p-1", value);
    }
    let confirmed = Confirmed {
        opened: 5,
        latency_ms: 12,
        payment: payment(),
    };
    is(
        confirmed.emission(),
        "confirmed",
        "p-1",
        r#"{"v":1,"type":"confirmed","id":"p-1","opened":5,"latency_ms":12,"payment":PAYMENT}"#,
    );
    for (payment, value) in [
        (
            Some(payment().text),
            r#"{"v":1,"type":"rejected","id":"p-1","code":"timed-out","reason":"it took too long","payment":PAYMENT}"#,
        ),
        (
            None,
            r#"{"v":1,"type":"rejected","id":"p-1","code":"timed-out","reason":"it took too long"}"#,
        ),
    ] {
        let rejected = Rejected {
            id: "p-1".into(),
            refusal: refusal(),
            payment,
        };
        is(rejected.emission(), "rejected", "p-1", value);
    }
}
