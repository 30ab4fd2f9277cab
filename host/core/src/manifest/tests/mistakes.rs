//! Each kind of mistake, one at a time in a manifest that is right otherwise: what is told, and that nothing else is.

use super::{GOOD, Source};
use crate::codes::MANIFEST_SYNTAX;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Mistakes that are told with one code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    code: String,
    /// By kind.
    mistakes: BTreeMap<String, Mistake>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Mistake {
    /// A piece of the good manifest, and what stands there instead.
    find: String,
    replace: String,
    /// Line and column.
    at: (usize, usize),
    /// Words of message and help.
    told: Vec<String>,
}

#[test]
fn each_is_told_with_its_place_and_nothing_else_is() {
    let groups: BTreeMap<String, Group> =
        toml::from_str(include_str!("mistakes.toml")).unwrap_or_else(|e| panic!("mistakes.toml: {e}"));
    let mut wrong = Vec::new();
    let mut kinds = 0;
    for Group { code, mistakes } in groups.values() {
        kinds += mistakes.len();
        wrong.extend(
            mistakes
                .iter()
                .filter_map(|(kind, m)| Some(format!("{kind}: {}", m.differs(code)?))),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(kinds >= 30, "at least thirty kinds of mistakes are told, found {kinds}");
}

impl Mistake {
    /// What is told otherwise than expected.
    fn differs(&self, code: &str) -> Option<String> {
        assert!(GOOD.contains(&self.find), "{:?} is not in the manifest", self.find);
        let text = GOOD.replacen(&self.find, &self.replace, 1);
        let Err(errors) = Source::new("pipeline.toml", &text).manifest() else {
            return Some("passes".to_owned());
        };
        let found = errors.into_all();
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        let one = &found[0];
        let told = self.told.iter().all(|words| said[0].contains(words));
        let right = found.len() == 1 && one.code == code && (one.line, one.column) == self.at && told;
        (!right).then(|| {
            let (at, words, said) = (self.at, &self.told, said.join("\n    "));
            format!("expected {code} at {at:?} with {words:?}, told:\n    {said}")
        })
    }
}

/// Several mistakes in several places, all told, from the top down.
#[test]
fn all_are_told_at_once() {
    let mut text = GOOD.to_owned();
    for (find, replace) in [
        ("name = \"shop\"", "name = \"Shop\""),
        ("partitions = 1_6", "partitions = 0"),
        ("quantile = 0.99", "quantile = 9"),
        ("over = \"1m\"", "ovr = \"1m\""),
        ("fuel =", "fule ="),
        ("\"32MiB\"", "\"32MB\""),
        ("wall = \"2s\"", "wall = 2"),
        ("component = \"target/close.wasm\"", ""),
        ("view = \"order\"", "view = 1"),
        ("ends-in = [\"order.done\"]", "ends-in = [\"order.doen\"]"),
    ] {
        assert!(text.contains(find), "{find}");
        text = text.replacen(find, replace, 1);
    }
    let errors = Source::new("p", &text).manifest().expect_err("ten mistakes").into_all();
    let lines: Vec<usize> = errors.iter().map(|e| e.line).collect();
    assert_eq!(lines, [3, 4, 9, 9, 10, 12, 18, 18, 18, 19], "{errors:#?}");
}

#[test]
fn a_file_may_hold_anything() {
    let crlf = GOOD.replace('\n', "\r\n");
    assert!(
        Source::new("p", &crlf).manifest().is_ok(),
        "lines may end as on Windows"
    );
    assert!(
        Source::new("p", &format!("\u{feff}{GOOD}")).manifest().is_ok(),
        "with a mark of byte order"
    );
    let marked = format!("\u{feff}{}", GOOD.replacen("1_6", "0", 1));
    let error = Source::new("p", &marked)
        .manifest()
        .expect_err("no partition")
        .into_first();
    assert_eq!((error.line, error.column), (4, 14), "{error}");

    let error = Source::new("p", "").manifest().expect_err("empty").into_first();
    assert!(error.to_string().contains("\"manifest\" is missing"), "{error}");
    let bytes = |bytes: &[u8]| Source::from_bytes("p", bytes.to_vec()).err().map(|e| e.into_first());
    let error = bytes(b"manifest = 1\nname = \"sh\xffop\"\n").expect("no UTF-8");
    assert_eq!(
        (error.line, error.column, error.code),
        (2, 11, MANIFEST_SYNTAX),
        "{error}"
    );
    assert!(error.to_string().contains("0xff"), "{error}");
    let error = bytes(&vec![b'#'; (1 << 20) + 1]).expect("too long");
    assert!(error.to_string().contains("1048576"), "{error}");
    let deep = format!("a = {}", "[".repeat(100_000));
    assert!(
        Source::new("p", &deep).manifest().is_err(),
        "no stack is deep enough for everything"
    );
}
