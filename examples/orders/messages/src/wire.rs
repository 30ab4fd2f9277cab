//! Between records and messages: the only place of the example that looks at bytes.

use fermata_stage::{Emission, Input, Rejection};
use prost::Message;

/// Of an article's name, in bytes.
const LONGEST: usize = 64;

/// The article that a record is about: its key.
pub fn article(input: &Input) -> Result<String, Rejection> {
    let key = input.key.as_deref().unwrap_or_default();
    let named = |text: &&str| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        (1..=LONGEST).contains(&text.len()) && text.bytes().all(plain)
    };
    let text = std::str::from_utf8(key).ok().filter(named);
    text.map(str::to_owned).ok_or_else(|| {
        let reason = format!("the key is no article: 1 to {LONGEST} ASCII letters, digits, '-', '_' and '.'");
        Rejection::new("bad-article", reason)
    })
}

/// The record's value. Unknown fields are a newer sender's and are passed over; a tombstone is no message.
pub fn decode<M: Message + Default>(input: &Input) -> Result<M, Rejection> {
    let value = input
        .value
        .as_deref()
        .ok_or_else(|| Rejection::new("bad-message", "the record has no value"))?;
    M::decode(value).map_err(|error| Rejection::new("bad-message", error.to_string()))
}

pub fn emission(port: &str, key: impl Into<Vec<u8>>, message: &impl Message) -> Emission {
    Emission::new(port).with_key(key).with_value(message.encode_to_vec())
}

/// An order among all articles: `chair/17`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name<'a> {
    pub article: &'a str,
    pub number: u64,
}

impl std::fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.article, self.number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cancelled, Delivery, Kind, Order, Payment, Reason, Request, Shipped};

    fn record(value: &[u8]) -> Input {
        Input::new("order.requests").with_key("chair").with_value(value)
    }

    /// Bytes as the encoding of `orders.proto` gives them, reckoned by hand: field number and wire type, then value.
    #[test]
    fn messages_are_those_of_the_proto_file() {
        let kinds: [(&[u8], Kind); 3] = [
            (&[0x0a, 2, 0x08, 100], Kind::Delivery(Delivery { quantity: 100 })),
            (
                &[0x12, 5, 0x08, 0xac, 0x02, 0x10, 3],
                Kind::Order(Order {
                    number: 300,
                    quantity: 3,
                }),
            ),
            (&[0x1a, 2, 0x08, 7], Kind::Payment(Payment { number: 7 })),
        ];
        for (bytes, kind) in kinds {
            let request = Request { kind: Some(kind) };
            assert_eq!(request.encode_to_vec(), bytes);
            assert_eq!(decode::<Request>(&record(bytes)), Ok(request));
        }
        let shipped = Shipped {
            article: "ax".into(),
            number: 1,
            quantity: 2,
            parcel: 3,
        };
        assert_eq!(
            shipped.encode_to_vec(),
            [0x0a, 2, b'a', b'x', 0x10, 1, 0x18, 2, 0x20, 3]
        );
        let cancelled = Cancelled {
            article: "ax".into(),
            number: 1,
            reason: Reason::Unpaid.into(),
        };
        assert_eq!(cancelled.encode_to_vec(), [0x0a, 2, b'a', b'x', 0x10, 1, 0x18, 2]);
    }

    #[test]
    fn what_is_no_message_is_rejected() {
        for bytes in [&[0x0a][..], &[0x0a, 9, 0x08], &[0xff; 12], b"{\"order\":1}"] {
            let rejection = decode::<Request>(&record(bytes)).expect_err("no message");
            assert_eq!(rejection.code, "bad-message", "{bytes:?}");
        }
        let tombstone = Input::new("order.requests").with_key("chair");
        assert_eq!(decode::<Request>(&tombstone).expect_err("no value").code, "bad-message");
    }

    #[test]
    fn a_newer_senders_fields_are_passed_over() {
        let newer = [0x1a, 4, 0x08, 7, 0x78, 1];
        let known = Kind::Payment(Payment { number: 7 });
        assert_eq!(decode::<Request>(&record(&newer)), Ok(Request { kind: Some(known) }));
    }

    #[test]
    fn an_article_is_a_plain_name() {
        let named = |key: &[u8]| article(&Input::new("order.requests").with_key(key));
        assert_eq!(named(b"arm-chair_2.0"), Ok("arm-chair_2.0".to_owned()));
        for bad in [&b""[..], b"a/b", b"a\0b", "stühle".as_bytes(), &[0xff], &[b'a'; 65]] {
            assert_eq!(named(bad).expect_err("no article").code, "bad-article", "{bad:?}");
        }
        assert!(article(&Input::new("order.requests")).is_err());
    }
}
