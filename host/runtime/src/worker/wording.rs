//! What a guest may call things in its answer: codes of rejections, names of headers.

use fermata_core::limits::{MAX_CODE, MAX_HEADER_COUNT};
use fermata_core::{Fault, FaultCode, Header};

/// Codes that begin so say that the host judged, not the stage.
const FAULT: &str = "fault-";

/// Kebab-case; of a validator's word that a stage passes on, `validator/code`.
pub fn code(code: &str) -> Result<(), Fault> {
    let fault = |text: String| Err(Fault::new(FaultCode::Contract, text));
    let word = |word: &str| {
        let known = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        !word.is_empty() && !word.starts_with('-') && !word.ends_with('-') && word.bytes().all(known)
    };
    let (first, second) = code.split_once('/').unwrap_or((code, "x"));
    if code.len() > MAX_CODE || !word(first) || !word(second) {
        return fault(format!(
            "a rejection's code is kebab-case, at most {MAX_CODE} bytes; {} bytes were given",
            code.len()
        ));
    }
    if code.starts_with(FAULT) {
        return fault(format!(
            "a rejection with the code {code:?}: those are the host's to give"
        ));
    }
    Ok(())
}

/// A name is what every log can carry: not empty, no control characters (a NUL ends it in C).
pub fn headers(headers: &[Header]) -> Result<(), Fault> {
    if headers.len() > MAX_HEADER_COUNT {
        let text = format!("an emission of {} headers, at most {MAX_HEADER_COUNT}", headers.len());
        return Err(Fault::new(FaultCode::Size, text));
    }
    let bad = |name: &str| name.is_empty() || name.contains(char::is_control);
    match headers.iter().find(|header| bad(&header.key)) {
        Some(header) => {
            let name: String = header.key.chars().take(32).collect();
            let text = format!("the name of a header is empty or has control characters: {name:?}");
            Err(Fault::new(FaultCode::Contract, text))
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_kebab_case_and_not_the_hosts() {
        for good in ["bad-json", "a", "x9", "velocity/too-many", &"c".repeat(MAX_CODE)] {
            assert_eq!(code(good), Ok(()), "{good}");
        }
        let long = "c".repeat(MAX_CODE + 1);
        for bad in [
            "",
            "-",
            "/",
            "a/",
            "/a",
            "a/b/c",
            "a-",
            "-a",
            "A",
            "a b",
            "ä",
            "fault-trap",
            &long,
        ] {
            assert!(code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_have_names_that_every_log_can_carry() {
        let named = |name: &str| Header::new(name.to_owned(), "value");
        assert_eq!(headers(&[named("traceparent"), named("Größe 1")]), Ok(()));
        for bad in ["", "a\0b", "a\nb", "\u{9b}"] {
            assert_eq!(
                headers(&[named(bad)]).map_err(|f| f.code),
                Err(FaultCode::Contract),
                "{bad:?}"
            );
        }
        let many = vec![named("n"); MAX_HEADER_COUNT + 1];
        assert_eq!(headers(&many).map_err(|f| f.code), Err(FaultCode::Size));
    }
}
