//! Currencies, and the accounts that money comes from.

use std::fmt;

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// An ISO 4217 code: three capital letters. Which of them are known is validate's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// None: not three capital letters.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 3] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_uppercase).then_some(Self(bytes))
    }

    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("capital letters are UTF-8")
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Currency {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Currency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Currency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a currency of three capital letters")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Currency, E> {
                Currency::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<C> Encode<C> for Currency {
    fn encode<W: encode::Write>(&self, e: &mut Encoder<W>, _: &mut C) -> Result<(), encode::Error<W::Error>> {
        e.str(self.as_str())?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Currency {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, decode::Error> {
        let at = d.position();
        Self::parse(d.str()?).ok_or_else(|| decode::Error::message("not a currency of three capital letters").at(at))
    }
}

const FUNDING: &str = "funding-";

/// The account from which a currency's money comes: the only one without a limit. It exists without being opened.
pub fn funding_account(currency: Currency) -> String {
    format!("{FUNDING}{currency}")
}

/// The currency that `account` funds, if it is a funding account.
pub fn is_funding(account: &str) -> Option<Currency> {
    Currency::parse(account.strip_prefix(FUNDING)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_three_capital_letters_are_a_currency() {
        assert_eq!(
            Currency::parse("EUR").map(|currency| currency.to_string()),
            Some("EUR".to_owned())
        );
        for text in ["", "EU", "EURO", "eur", "E R", "EÜ", "€"] {
            assert_eq!(Currency::parse(text), None, "{text}");
        }
        assert!(serde_json::from_str::<Currency>(r#""eur""#).is_err());
        let kept = |text: &str| minicbor::to_vec(text).expect("plain data");
        assert_eq!(minicbor::decode::<Currency>(&kept("EUR")).ok(), Currency::parse("EUR"));
        assert!(minicbor::decode::<Currency>(&kept("eur")).is_err());
    }

    #[test]
    fn a_funding_account_is_known_by_its_name() {
        let eur = Currency::parse("EUR").expect("a currency");
        assert_eq!(is_funding(&funding_account(eur)), Some(eur));
        for account in ["acct-1", "funding-", "funding-eur", "funding-EURO", "xfunding-EUR"] {
            assert_eq!(is_funding(account), None, "{account}");
        }
    }
}
