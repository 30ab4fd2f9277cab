//! Reading requests by hand, so that whatever is wrong with one becomes a [`Problem`].

use super::problem::{Answer, Problem};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use fermata_core::codes;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// The named segments of the path, percent-decoded.
pub struct Segments(BTreeMap<String, String>);

impl Segments {
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map(String::as_str).unwrap_or_default()
    }
    pub fn number<T: std::str::FromStr>(&self, name: &str) -> Answer<T> {
        let text = self.get(name);
        text.parse()
            .map_err(|_| Problem::not_found(format!("{name} {text:?} is not a number")))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<BTreeMap<String, String>>::from_request_parts(parts, state).await;
        path.map(|Path(segments)| Self(segments))
            .map_err(|e| Problem::bad_request(e.body_text()))
    }
}

/// The query string as pairs; a name given twice keeps the last value.
pub type Query = axum::extract::RawQuery;

pub fn query(raw: &Query) -> Answer<BTreeMap<String, String>> {
    let text = raw.0.as_deref().unwrap_or_default();
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(name)?, decoded(value)?))
        })
        .collect()
}

/// Percent-decoding, `+` as a space.
fn decoded(text: &str) -> Answer<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair = [rest.next(), rest.next()];
                let [Some(high), Some(low)] = pair.map(|b| b.and_then(|b| char::from(b).to_digit(16))) else {
                    return Err(Problem::bad_request(format!("{text:?} is not percent-encoded")));
                };
                (high * 16 + low) as u8
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| Problem::bad_request(format!("{text:?} is not UTF-8")))
}

/// One parameter of a known type.
pub fn param<T: std::str::FromStr>(query: &BTreeMap<String, String>, name: &str) -> Answer<Option<T>> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match text.parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(Problem::bad_request(format!(
            "parameter {name}={text:?} cannot be read as a number"
        ))),
    }
}

pub fn body(body: Result<Bytes, BytesRejection>) -> Answer<Bytes> {
    body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            codes::HTTP_BAD_REQUEST,
            format!("the body is larger than {} MiB", super::MAX_BODY >> 20),
        ),
        status => Problem::new(status, codes::HTTP_BAD_REQUEST, rejection.body_text()),
    })
}

/// A JSON body; an empty one reads as `{}`.
pub fn json<T: DeserializeOwned>(bytes: &[u8]) -> Answer<T> {
    let bytes = if bytes.is_empty() { b"{}" } else { bytes };
    serde_json::from_slice(bytes).map_err(|e| Problem::bad_request(format!("the body is not what is expected: {e}")))
}

/// A header's text, if it is there.
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> Answer<Option<&'a str>> {
    match headers.get(name).map(|v| v.to_str()) {
        None => Ok(None),
        Some(Ok(text)) => Ok(Some(text)),
        Some(Err(_)) => Err(Problem::bad_request(format!("header {name} is not text"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Answer<BTreeMap<String, String>> {
        query(&axum::extract::RawQuery(Some(text.to_owned())))
    }

    #[test]
    fn queries_are_decoded_and_refused() {
        let found = read("a=1%2F2&b=x+y&c").unwrap();
        assert_eq!(found["a"], "1/2");
        assert_eq!(found["b"], "x y");
        assert_eq!(found["c"], "");
        assert!(read("a=%zz").is_err());
        assert!(read("a=%ff").is_err());
        assert!(param::<u32>(&read("n=x").unwrap(), "n").is_err());
        assert_eq!(param::<u32>(&read("n=7").unwrap(), "n").unwrap(), Some(7));
    }
}
