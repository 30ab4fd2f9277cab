//! Object-safe forms of stage and generator: raw types and JSON texts in, raw types out. The WebAssembly exports and
//! the native executor both drive a stage through these, so that both run the same code.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::context::{Context, Reader};
use crate::describe::Description;
use crate::stage::{Generator, Plan, Stage};
use crate::types::{Due, Emission, Entry, Input, Rejection, ViewError};

/// A stage of any type, after `init`.
pub trait AnyStage: Send {
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection>;

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection>;

    /// `params` and the answer: JSON texts.
    fn query(&self, cx: &dyn Reader, view: &str, params: &str) -> Result<String, ViewError>;

    /// `params`, `partials` and the answer: JSON texts.
    fn merge(&self, view: &str, params: &str, partials: &[String]) -> Result<String, ViewError>;
}

/// A wrapper rather than an implementation for every `S`: with both traits in scope, `stage.process(..)` would not say
/// which one is meant.
struct Erased<S>(S);

impl<S: Stage> AnyStage for Erased<S> {
    fn process(&self, cx: &mut dyn Context, input: Input) -> Result<Vec<Emission>, Rejection> {
        let message = S::parse(input)?;
        Ok(emissions(self.0.process(cx, message)?))
    }

    fn fired(&self, cx: &mut dyn Context, timer: Due) -> Result<Vec<Emission>, Rejection> {
        Ok(emissions(self.0.fired(cx, timer)?))
    }

    fn query(&self, cx: &dyn Reader, view: &str, params: &str) -> Result<String, ViewError> {
        let params = parse_params(params)?;
        Ok(text(&self.0.query(cx, view, &params)?))
    }

    fn merge(&self, view: &str, params: &str, partials: &[String]) -> Result<String, ViewError> {
        let params = parse_params(params)?;
        let partials = partials
            .iter()
            .enumerate()
            .map(|(shard, part)| {
                serde_json::from_str(part)
                    .map_err(|error| ViewError::BadParams(format!("part {shard} of view {view} is not JSON: {error}")))
            })
            .collect::<Result<Vec<Value>, _>>()?;
        Ok(text(&self.0.merge(view, &params, partials)?))
    }
}

/// A generator of any type, after `init`.
pub trait AnyGenerator: Send {
    fn next(&self, sequence: u64, due: i64) -> Vec<Emission>;
}

impl<G: Generator> AnyGenerator for Erased<G> {
    fn next(&self, sequence: u64, due: i64) -> Vec<Emission> {
        self.0.next(sequence, due)
    }
}

/// A stage type as a value: what there is before `init`.
#[derive(Clone, Copy)]
pub struct StageType {
    pub name: &'static str,
    pub version: &'static str,
    describe: fn() -> Description,
    init: fn(&str) -> Result<Box<dyn AnyStage>, String>,
    migrate: fn(&str, u32, Entry) -> Result<Option<Entry>, String>,
    revert: fn(&str, u32, Entry) -> Result<Option<Entry>, String>,
}

impl StageType {
    pub fn of<S: Stage>() -> Self {
        Self {
            name: S::NAME,
            version: S::VERSION,
            // One home for name and version: the constants.
            describe: || Description {
                name: S::NAME.to_owned(),
                version: S::VERSION.to_owned(),
                ..S::describe()
            },
            init: |config| Ok(Box::new(Erased(S::init(parse_config(config)?)?))),
            migrate: S::migrate,
            revert: S::revert,
        }
    }

    pub fn describe(&self) -> Description {
        (self.describe)()
    }

    /// `config`: JSON text.
    pub fn init(&self, config: &str) -> Result<Box<dyn AnyStage>, String> {
        (self.init)(config)
    }

    pub fn migrate(&self, store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        (self.migrate)(store, schema, entry)
    }

    pub fn revert(&self, store: &str, schema: u32, entry: Entry) -> Result<Option<Entry>, String> {
        (self.revert)(store, schema, entry)
    }
}

type InitGenerator = fn(&str, u64) -> Result<(Box<dyn AnyGenerator>, Plan), String>;

/// A generator type as a value: what there is before `init`.
#[derive(Clone, Copy)]
pub struct GeneratorType {
    pub name: &'static str,
    pub version: &'static str,
    init: InitGenerator,
}

impl GeneratorType {
    pub fn of<G: Generator>() -> Self {
        Self {
            name: G::NAME,
            version: G::VERSION,
            init: |config, seed| {
                let (generator, plan) = G::init(parse_config(config)?, seed)?;
                Ok((Box::new(Erased(generator)), plan))
            },
        }
    }

    /// `config`: JSON text.
    pub fn init(&self, config: &str, seed: u64) -> Result<(Box<dyn AnyGenerator>, Plan), String> {
        (self.init)(config, seed)
    }
}

fn emissions<O: Into<Emission>>(outputs: Vec<O>) -> Vec<Emission> {
    outputs.into_iter().map(Into::into).collect()
}

fn parse_config<C: DeserializeOwned>(config: &str) -> Result<C, String> {
    serde_json::from_str(config).map_err(|error| format!("config: {error}"))
}

fn parse_params(params: &str) -> Result<Value, ViewError> {
    serde_json::from_str(params).map_err(|error| ViewError::BadParams(format!("not JSON: {error}")))
}

fn text<T: Serialize>(answer: &T) -> String {
    serde_json::to_string(answer).expect("a JSON value can be written")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::stage::NoConfig;
    use crate::testing::TestContext;

    /// Emits the parsed number; everything optional is left out.
    struct Numbers;

    struct Number(u64);

    impl From<Number> for Emission {
        fn from(number: Number) -> Self {
            Emission::json("out", "n", &number.0)
        }
    }

    impl Stage for Numbers {
        const NAME: &'static str = "numbers";
        const VERSION: &'static str = "1.2.3";
        type Config = NoConfig;
        type Message = u64;
        type Output = Number;

        fn describe() -> Description {
            Description::new("a name", "and a version that the constants overrule").input("in", &[1])
        }

        fn init(_config: NoConfig) -> Result<Self, String> {
            Ok(Self)
        }

        fn parse(input: Input) -> Result<u64, Rejection> {
            input.json()
        }

        fn process(&self, _cx: &mut dyn Context, message: u64) -> Result<Vec<Number>, Rejection> {
            if message == 13 {
                Err(Rejection::new("unlucky", "13"))
            } else {
                Ok(vec![Number(message)])
            }
        }

        fn query(&self, cx: &dyn Reader, view: &str, params: &Value) -> Result<Value, ViewError> {
            match view {
                "echo" => Ok(json!({ "params": params, "now": cx.now() })),
                _ => Err(ViewError::NotFound),
            }
        }

        fn merge(&self, _view: &str, _params: &Value, partials: Vec<Value>) -> Result<Value, ViewError> {
            Ok(Value::from(partials.iter().filter_map(Value::as_u64).sum::<u64>()))
        }
    }

    fn stage() -> Box<dyn AnyStage> {
        StageType::of::<Numbers>().init("{}").expect("no config")
    }

    fn process(value: &str) -> Result<Vec<Emission>, Rejection> {
        stage().process(&mut TestContext::new(), Input::new("in").with_value(value))
    }

    #[test]
    fn a_record_goes_through_parse_and_process() {
        assert_eq!(
            process("7"),
            Ok(vec![Emission::new("out").with_key("n").with_value("7")])
        );
        assert_eq!(process("13"), Err(Rejection::new("unlucky", "13")));
        assert_eq!(process("{").expect_err("not JSON").code, "bad-json");
        let tombstone = stage().process(&mut TestContext::new(), Input::new("in"));
        assert_eq!(tombstone.expect_err("no value").code, "bad-json");
    }

    #[test]
    fn name_and_version_are_the_constants() {
        let description = StageType::of::<Numbers>().describe();
        assert_eq!(
            (description.name.as_str(), description.version.as_str()),
            ("numbers", "1.2.3")
        );
        assert_eq!(description.inputs.len(), 1);
    }

    #[test]
    fn an_unknown_key_of_the_config_is_refused() {
        let refusal = StageType::of::<Numbers>()
            .init(r#"{"speed":1}"#)
            .err()
            .expect("refused");
        assert!(refusal.starts_with("config: unknown field `speed`"), "{refusal}");
    }

    #[test]
    fn views_speak_json_texts() {
        let mut cx = TestContext::new();
        cx.set_now(5);
        let stage = stage();
        assert_eq!(
            stage.query(&cx, "echo", r#"{"a":1}"#),
            Ok(r#"{"now":5,"params":{"a":1}}"#.to_owned())
        );
        assert_eq!(stage.query(&cx, "other", "{}"), Err(ViewError::NotFound));
        assert!(matches!(stage.query(&cx, "echo", "{"), Err(ViewError::BadParams(_))));
        assert_eq!(
            stage.merge("echo", "{}", &["1".to_owned(), "2".to_owned()]),
            Ok("3".to_owned())
        );
        assert!(matches!(
            stage.merge("echo", "{}", &["?".to_owned()]),
            Err(ViewError::BadParams(_))
        ));
    }

    #[test]
    fn what_a_stage_leaves_out_is_refused_by_name() {
        let timer = Due {
            id: "t".to_owned(),
            key: None,
            at: 0,
            payload: Vec::new(),
        };
        assert_eq!(
            stage().fired(&mut TestContext::new(), timer).expect_err("none").code,
            "no-timers"
        );
        let entry = Entry {
            key: Vec::new(),
            value: Vec::new(),
        };
        let numbers = StageType::of::<Numbers>();
        assert!(
            numbers
                .migrate("s", 1, entry.clone())
                .is_err_and(|why| why.contains("numbers does not migrate store s"))
        );
        assert!(
            numbers
                .revert("s", 1, entry)
                .is_err_and(|why| why.contains("numbers does not revert store s"))
        );
    }

    struct Counting(u64);

    impl Generator for Counting {
        const NAME: &'static str = "counting";
        const VERSION: &'static str = "1.0.0";
        type Config = NoConfig;

        fn init(_config: NoConfig, seed: u64) -> Result<(Self, Plan), String> {
            Ok((
                Self(seed),
                Plan {
                    outputs: vec!["out".to_owned()],
                    setup: 2,
                },
            ))
        }

        fn next(&self, sequence: u64, due: i64) -> Vec<Emission> {
            vec![Emission::json("out", sequence.to_string(), &(self.0, due))]
        }
    }

    #[test]
    fn a_generator_gets_seed_sequence_and_due_time() {
        let (generator, plan) = GeneratorType::of::<Counting>().init("{}", 9).expect("no config");
        assert_eq!(
            plan,
            Plan {
                outputs: vec!["out".to_owned()],
                setup: 2
            }
        );
        assert_eq!(
            generator.next(4, 6),
            [Emission::new("out").with_key("4").with_value("[9,6]")]
        );
        assert!(GeneratorType::of::<Counting>().init("[]x", 9).is_err());
    }
}
