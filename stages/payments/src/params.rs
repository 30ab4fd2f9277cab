//! Parameters of views.

use fermata_stage::ViewError;
use serde_json::Value;

/// The parameters of one query. Numbers may come as digits in a string, as a query string has them.
pub struct Params<'a>(&'a Value);

impl<'a> Params<'a> {
    /// An error for a parameter that the view does not know: it would otherwise be ignored in silence.
    pub fn new(params: &'a Value, known: &[&str]) -> Result<Self, ViewError> {
        match params {
            Value::Null => Ok(Self(params)),
            Value::Object(fields) => match fields.keys().find(|name| !known.contains(&name.as_str())) {
                None => Ok(Self(params)),
                Some(name) => Err(ViewError::BadParams(format!(
                    "{name} is not known; known: {}",
                    known.join(", ")
                ))),
            },
            other => Err(ViewError::BadParams(format!("expected an object, found {other}"))),
        }
    }

    pub fn text(&self, name: &str) -> Result<Option<&'a str>, ViewError> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(ViewError::BadParams(format!("{name} is {other}, not a string"))),
        }
    }

    /// The key in the path.
    pub fn key(&self) -> Result<&'a str, ViewError> {
        self.text("key")?
            .ok_or_else(|| ViewError::BadParams("key is missing".to_owned()))
    }

    /// From 1 to `most`.
    pub fn limit(&self, name: &str, default: usize, most: usize) -> Result<usize, ViewError> {
        let number = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(default),
            Some(Value::String(digits)) => digits.parse().ok(),
            Some(number) => number.as_u64().and_then(|number| usize::try_from(number).ok()),
        };
        number
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| ViewError::BadParams(format!("{name} is {}, not a number from 1 to {most}", self.0[name])))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_may_be_digits_in_a_string() {
        for value in [json!({"limit": 7}), json!({"limit": "7"})] {
            let params = Params::new(&value, &["limit"]).expect("known");
            assert_eq!(params.limit("limit", 50, 500), Ok(7));
        }
        assert_eq!(
            Params::new(&Value::Null, &[]).expect("none").limit("limit", 50, 500),
            Ok(50)
        );
        for value in [
            json!({"limit": 0}),
            json!({"limit": 501}),
            json!({"limit": -1}),
            json!({"limit": "x"}),
        ] {
            let params = Params::new(&value, &["limit"]).expect("known");
            assert!(params.limit("limit", 50, 500).is_err(), "{value}");
        }
    }

    #[test]
    fn unknown_parameters_are_refused() {
        assert!(Params::new(&json!({"limitt": 1}), &["limit"]).is_err());
        assert!(Params::new(&json!([1]), &["limit"]).is_err());
        assert!(Params::new(&json!({}), &["key"]).expect("known").key().is_err());
    }
}
