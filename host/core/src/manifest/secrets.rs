//! References to what a manifest must not hold itself: `${env:NAME}` and `${file:/run/secrets/name}` in the texts of a
//! config.
//!
//! The manifest, its copies, journals, digests and answers keep the reference as written. What it stands for is filled
//! in on the way into a component's `init`, and nowhere else: so a secret can be changed without a deployment, and no
//! digest of it can be guessed at.

use super::problem::Problem;
use super::raw::Value;
use crate::codes;
use serde_json::Value as Json;
use std::fmt;

/// Where a secret is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reference {
    /// A variable of the process.
    Env(String),
    /// A file, by its absolute path; one newline at its end does not count.
    File(String),
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${{env:{name}}}"),
            Self::File(path) => write!(f, "${{file:{path}}}"),
        }
    }
}

/// What a reference stands for, from outside the process's own memory.
pub trait Secrets: Send + Sync {
    /// The error says what was found, never a part of a secret.
    fn reveal(&self, reference: &Reference) -> Result<String, String>;
}

/// A config with its references filled in.
#[derive(Clone, PartialEq, Eq)]
pub struct Filled {
    /// JSON text for `init`.
    pub text: String,
    secrets: Vec<String>,
}

impl Filled {
    /// A text without references.
    pub fn plain(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            secrets: Vec::new(),
        }
    }

    /// `text` without the secrets that a component may have put into it.
    pub fn mask(&self, text: String) -> String {
        let found = self.secrets.iter().filter(|s| !s.is_empty());
        found.fold(text, |text, secret| text.replace(secret.as_str(), "***"))
    }

    pub fn holds_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }
}

/// A reference that leads nowhere.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reference} at {pointer:?}: {found}")]
pub struct Unresolved {
    /// JSON Pointer into the config.
    pub pointer: String,
    pub reference: Reference,
    pub found: String,
}

/// Fills in every reference of a config, given as JSON text.
pub fn fill(config: &str, secrets: &dyn Secrets) -> Result<Filled, Unresolved> {
    let mut revealed = Vec::new();
    if !config.contains("${") {
        return Ok(Filled::plain(config));
    }
    let Ok(mut json) = serde_json::from_str::<Json>(config) else {
        return Ok(Filled::plain(config));
    };
    fill_in(&mut json, String::new(), secrets, &mut revealed)?;
    // As a component quotes them.
    let quoted: Vec<String> = revealed.iter().map(|s| Json::from(s.as_str()).to_string()).collect();
    revealed.extend(quoted.iter().map(|q| q[1..q.len() - 1].to_owned()));
    // A secret within another one is masked with it.
    revealed.sort_by_key(|s: &String| std::cmp::Reverse(s.len()));
    Ok(Filled {
        text: json.to_string(),
        secrets: revealed,
    })
}

fn fill_in(json: &mut Json, at: String, secrets: &dyn Secrets, revealed: &mut Vec<String>) -> Result<(), Unresolved> {
    match json {
        Json::String(text) if text.contains("${") => {
            let mut filled = String::new();
            // What is not a reference was refused when the manifest was read.
            for piece in pieces(text).unwrap_or_else(|_| vec![Piece::Text(text.clone())]) {
                match piece {
                    Piece::Text(text) => filled.push_str(&text),
                    Piece::Reference(reference) => {
                        let secret = secrets.reveal(&reference).map_err(|found| Unresolved {
                            pointer: at.clone(),
                            reference,
                            found,
                        })?;
                        filled.push_str(&secret);
                        revealed.push(secret);
                    }
                }
            }
            *text = filled;
        }
        Json::Array(items) => {
            for (i, item) in items.iter_mut().enumerate() {
                fill_in(item, format!("{at}/{i}"), secrets, revealed)?;
            }
        }
        Json::Object(entries) => {
            for (key, item) in entries {
                let key = key.replace('~', "~0").replace('/', "~1");
                fill_in(item, format!("{at}/{key}"), secrets, revealed)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// The references in one text.
pub fn references(text: &str) -> Vec<Reference> {
    let pieces = pieces(text).unwrap_or_default().into_iter();
    let references = pieces.filter_map(|piece| match piece {
        Piece::Reference(reference) => Some(reference),
        Piece::Text(_) => None,
    });
    references.collect()
}

/// Notes what is no reference and looks like one, in every text of a config.
pub fn check(value: &Value<'_>) {
    if let Some(text) = value.as_text() {
        if let Err(found) = pieces(text) {
            let problem = Problem::new(
                codes::MANIFEST_SECRET,
                value.span(),
                format!("{:?}: {found}", value.path),
            );
            value
                .problems
                .note(problem.help("a text that should hold `${` itself is written with `$${`"));
        }
    } else if value.is_list() {
        value.list().unwrap_or_default().iter().for_each(check);
    } else if let Ok(fields) = value.fields() {
        fields.entries().for_each(|(_, value)| check(&value));
    }
}

enum Piece {
    Text(String),
    Reference(Reference),
}

/// `$${` stands for `${` itself.
fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(before) = before.strip_suffix('$') {
            plain.push_str(before);
            plain.push_str("${");
            rest = &from[2..];
            continue;
        }
        plain.push_str(before);
        let end = from.find('}').ok_or_else(|| format!("{from:?} has no closing brace"))?;
        all.push(Piece::Text(std::mem::take(&mut plain)));
        all.push(Piece::Reference(reference(&from[2..end])?));
        rest = &from[end + 1..];
    }
    plain.push_str(rest);
    all.push(Piece::Text(plain));
    Ok(all)
}

fn reference(inner: &str) -> Result<Reference, String> {
    const FORMS: &str = "expected ${env:NAME} or ${file:/absolute/path}";
    match inner.split_once(':') {
        Some(("env", name)) if variable(name) => Ok(Reference::Env(name.to_owned())),
        Some(("file", path)) if path.starts_with('/') => Ok(Reference::File(path.to_owned())),
        Some(("file", path)) => Err(format!("{FORMS}, found the relative path {path:?}")),
        _ => Err(format!("{FORMS}, found \"${{{inner}}}\"")),
    }
}

fn variable(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Known;
    impl Secrets for Known {
        fn reveal(&self, reference: &Reference) -> Result<String, String> {
            match reference {
                Reference::Env(name) if name == "TOKEN" => Ok("hunter2".to_owned()),
                Reference::File(path) if path == "/run/t" => Ok("a \"quoted\"\nsecret".to_owned()),
                _ => Err("it is not set".to_owned()),
            }
        }
    }

    #[test]
    fn references_are_filled_in_wherever_a_text_stands() {
        let config = r#"{"a":"Bearer ${env:TOKEN}!","b":[{"c":"${file:/run/t}"}],"d":"$${env:TOKEN} costs $5","n":1}"#;
        let filled = fill(config, &Known).unwrap();
        let json: Json = serde_json::from_str(&filled.text).unwrap();
        assert_eq!(json["a"], "Bearer hunter2!");
        assert_eq!(json["b"][0]["c"], "a \"quoted\"\nsecret");
        assert_eq!(json["d"], "${env:TOKEN} costs $5");
        assert_eq!(filled.mask("refused: hunter2".into()), "refused: ***");
        assert_eq!(filled.mask(json["b"][0].to_string()), r#"{"c":"***"}"#);
        assert!(!fill(r#"{"a":1}"#, &Known).unwrap().holds_secrets());
    }

    #[test]
    fn what_is_missing_is_named_with_its_place() {
        let error = fill(r#"{"x/y":[1,"${env:NONE}"]}"#, &Known).err().unwrap();
        assert_eq!(error.pointer, "/x~1y/1");
        assert_eq!(error.reference.to_string(), "${env:NONE}");
    }

    #[test]
    fn what_only_looks_like_a_reference_is_wrong() {
        for wrong in ["${", "${env:}", "${env:A B}", "${vault:x}", "${file:rel}", "a${env:X"] {
            assert!(pieces(wrong).is_err(), "{wrong}");
        }
        assert_eq!(references("${env:A}${file:/b} $x $${env:C}").len(), 2);
    }
}
