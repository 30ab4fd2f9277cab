//! Which release of Kafka speaks as the brokers do. They do not say their release, but which requests they know and in
//! which form; librdkafka logs that.

use std::collections::BTreeMap;

/// Request, its newest form, and the first release of Apache Kafka that knows it (its protocol guide). Newest first.
const SINCE: [(i16, i16, &str); 9] = [
    (0, 13, "4.1"),
    (0, 12, "4.0"),
    (0, 11, "3.8"),
    (0, 10, "3.7"),
    (24, 4, "3.5"),
    (65, 0, "3.0"),
    (60, 0, "2.8"),
    (28, 3, "2.5"),
    (28, 2, "2.1"),
];

/// The least release that knows all of `apis`.
pub fn release(apis: &BTreeMap<i16, i16>) -> Option<&'static str> {
    let known = |(api, form, _): &&(i16, i16, &str)| apis.get(api).is_some_and(|newest| newest >= form);
    SINCE.iter().find(known).map(|(_, _, release)| *release)
}

/// `ApiKey Produce (0) Versions 0..13`, wherever it stands in a line: the request, and its newest form.
pub fn parse(line: &str) -> Option<(i16, i16)> {
    let (_, rest) = line.split_once("ApiKey ")?;
    let (_, rest) = rest.split_once('(')?;
    let (api, rest) = rest.split_once(") Versions ")?;
    let (_, newest) = rest.trim_end().split_once("..")?;
    Some((api.parse().ok()?, newest.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_librdkafka_are_read() {
        let line = "[thrd:127.0.0.1:9092/bootstrap]: 127.0.0.1:9092/bootstrap:   ApiKey Produce (0) Versions 0..13";
        assert_eq!(parse(line), Some((0, 13)));
        assert_eq!(parse("  ApiKey Unknown-90 (90) Versions 0..0"), Some((90, 0)));
        assert_eq!(parse("[thrd:main]: Broker API support:"), None);
        assert_eq!(parse("ApiKey Produce (0) Versions"), None);
    }

    #[test]
    fn the_newest_form_that_is_known_says_the_release() {
        let of = |apis: &[(i16, i16)]| release(&apis.iter().copied().collect());
        assert_eq!(of(&[(0, 13), (28, 5)]), Some("4.1"));
        assert_eq!(of(&[(0, 9), (28, 3), (65, 0)]), Some("3.0"));
        assert_eq!(of(&[(0, 8), (28, 3)]), Some("2.5"));
        assert_eq!(of(&[(0, 5)]), None);
        assert_eq!(of(&[]), None);
    }
}
