//! The bytes of what the account stage keeps. Its versions share them, so that no field may take another's number.

use fermata_account::state::{Account, Credit, Debit, Ledger, Movement, Position, Status};
use fermata_payments::{Currency, Sum, Tally};

fn eur() -> Currency {
    Currency::parse("EUR").expect("a currency")
}

fn tally(count: u64, value: i128) -> Tally {
    Tally {
        count,
        value_minor: Sum(value),
    }
}

fn account() -> Account {
    Account {
        currency: eur(),
        balance: -1,
        limit: None,
        status: Status::Frozen,
        debits: tally(1, 2),
        credits: tally(3, 4),
        refunds: tally(5, 6),
        unsettled: tally(7, 8),
        waiting: 9,
        arrivals: 10,
        last: Some(Movement { at: 11, amount: 12 }),
    }
}

/// An array of the fields in the order of their numbers.
const ACCOUNT: &[u8] = &[
    0x8b, 0x63, b'E', b'U', b'R', 0x20, 0xf6, 1, 0x82, 1, 2, 0x82, 3, 4, 0x82, 5, 6, 0x82, 7, 8, 9, 10, 0x82, 11, 12,
];

#[test]
fn entries_have_their_bytes() {
    assert_eq!(minicbor::to_vec(account()).expect("plain data"), ACCOUNT);
    assert_eq!(minicbor::decode::<Account>(ACCOUNT).expect("an account"), account());
    for (debit, bytes) in [
        (Debit::Waiting { place: 3 }, &[0x82, 0, 0x81, 3][..]),
        (Debit::Open { amount: 4 }, &[0x82, 1, 0x81, 4]),
        (Debit::Settled, &[0x82, 2, 0x80]),
        (Debit::Refunded, &[0x82, 3, 0x80]),
        (Debit::Refused, &[0x82, 4, 0x80]),
        (Debit::Cancelled, &[0x82, 5, 0x80]),
    ] {
        assert_eq!(minicbor::to_vec(debit).expect("plain data"), bytes, "{debit:?}");
        assert_eq!(minicbor::decode::<Debit>(bytes).expect("a debit"), debit);
    }
    for (credit, byte) in [(Credit::Credited, 0), (Credit::Refunded, 1), (Credit::Cancelled, 2)] {
        assert_eq!(minicbor::to_vec(credit).expect("plain data"), [byte], "{credit:?}");
    }
}

#[test]
fn a_sum_beyond_64_bits_is_kept_whole() {
    for sum in [
        i128::from(i64::MAX) + 1,
        i128::from(u64::MAX) * 7,
        i128::from(i64::MIN) * 9,
    ] {
        let position = Position {
            balances: Sum(sum),
            clearing: Sum(-sum),
        };
        let ledger = Ledger {
            currencies: [(eur(), position)].into(),
            ..Ledger::default()
        };
        let kept = minicbor::to_vec(&ledger).expect("plain data");
        assert_eq!(minicbor::decode::<Ledger>(&kept).expect("a ledger"), ledger);
    }
}

#[test]
fn an_entry_of_fewer_or_more_fields_is_read() {
    let fewer = [&[0x84][..], &ACCOUNT[1..8]].concat();
    let old = minicbor::decode::<Account>(&fewer).expect("an account");
    let expected = Account {
        debits: tally(0, 0),
        credits: tally(0, 0),
        refunds: tally(0, 0),
        unsettled: tally(0, 0),
        waiting: 0,
        arrivals: 0,
        last: None,
        ..account()
    };
    assert_eq!(old, expected);
    let more = [&[0x8c][..], &ACCOUNT[1..], &[0x81, 0x61, b'x']].concat();
    assert_eq!(minicbor::decode::<Account>(&more).expect("an account"), account());
    assert!(
        minicbor::decode::<Account>(&[0x81, 0x63, b'E', b'U', b'R']).is_err(),
        "no balance"
    );
}
