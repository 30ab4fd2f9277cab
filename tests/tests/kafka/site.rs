//! A manifest and an installation of a test's own, on the broker of the tests.

use fermata_tests::harness::Cli;
use fermata_tests::kafka::unique;
use serde_json::Value;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Two stages, which are never run: names, topics and their wiring.
const MANIFEST: &str = r#"
manifest = 1
name = "NAME"
partitions = 3
topics."NAME-orders.new" = { head = true }
[stage.knead]
component = "builtin:knead@1.0.0"
in = ["NAME-orders.new"]
out = { dough = "NAME-dough" }
[stage.bake]
component = "builtin:bake@1.0.0"
in = ["NAME-dough"]
out = { bread = "NAME-bread" }
"#;

pub struct Site {
    pub name: String,
    folder: TempDir,
    config: PathBuf,
    manifest: PathBuf,
}

impl Site {
    /// `kafka`: the table's body; `more`: what else the installation says.
    pub fn new(kafka: &str, more: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let name = unique("bakery");
        let site = Self {
            config: folder.path().join("fermata.toml"),
            manifest: folder.path().join("pipeline.toml"),
            name,
            folder,
        };
        std::fs::write(&site.manifest, MANIFEST.replace("NAME", &site.name)).expect("the folder can be written to");
        site.install(kafka, more);
        site
    }

    /// Another installation for the same pipeline.
    pub fn install(&self, kafka: &str, more: &str) {
        let data = toml::Value::from(self.data().display().to_string());
        let text =
            format!("log.kind = \"kafka\"\nnode = {{ id = \"a\", data-dir = {data} }}\n{more}\n[kafka]\n{kafka}\n");
        std::fs::write(&self.config, text).expect("the folder can be written to");
    }

    pub fn on(bootstrap: &str) -> Self {
        Self::new(&at(bootstrap), "")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `<name>-<rest>` of the manifest's topics, `<name>.<rest>` of the host's.
    pub fn topic(&self, rest: &str) -> String {
        format!("{}{rest}", self.name)
    }

    /// `fermata <verb> ... --config ... pipeline.toml`.
    pub fn args<'a>(&'a self, verb: &[&'a str]) -> Vec<&'a str> {
        let path = |path: &'a Path| path.to_str().expect("a temporary folder's name is text");
        [verb, &["--config", path(&self.config), path(&self.manifest)]].concat()
    }

    pub fn exits(&self, verb: &[&str], code: i32) -> String {
        Cli::nowhere().exits(&self.args(verb), code)
    }
    pub fn fails(&self, verb: &[&str], code: i32) -> String {
        Cli::nowhere().fails(&self.args(verb), code)
    }
    pub fn json(&self, verb: &[&str], code: i32) -> Value {
        let out = self.exits(&[verb, &["-o", "json"]].concat(), code);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("{verb:?} printed no JSON ({e}): {out}"))
    }

    /// State of each topic in the plan, by what follows the pipeline's name.
    pub fn states(&self, code: i32) -> Vec<(String, String)> {
        let plan = self.json(&["topics", "plan"], code);
        let topics = plan["topics"].as_array().expect("a plan has topics").iter();
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        let states = topics.map(|t| {
            let rest = text(&t["topic"]).replacen(&self.name, "", 1);
            (rest, text(&t["state"]))
        });
        states.collect()
    }

    /// `(what, standing, found)` of each line of the doctor.
    pub fn doctor(&self, code: i32) -> Vec<Check> {
        checks(&self.json(&["doctor"], code))
    }
    /// What the doctor finds just now, whether all is well or not.
    pub fn found(&self) -> Vec<Check> {
        let out = Cli::nowhere().run(&self.args(&["doctor", "-o", "json"]));
        let text = String::from_utf8_lossy(&out.stdout);
        checks(&serde_json::from_str(&text).unwrap_or_else(|e| panic!("doctor printed no JSON ({e}): {text}")))
    }
}

fn checks(report: &Value) -> Vec<Check> {
    let checks = report["checks"].as_array().expect("a report has checks").iter();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let checks = checks.map(|c| Check {
        what: text(&c["what"]),
        standing: text(&c["standing"]),
        found: text(&c["found"]),
        remedy: text(&c["remedy"]),
    });
    checks.collect()
}

#[derive(Clone, Debug)]
pub struct Check {
    pub what: String,
    pub standing: String,
    pub found: String,
    pub remedy: String,
}

pub fn at(bootstrap: &str) -> String {
    format!("\"bootstrap.servers\" = \"{bootstrap}\"")
}

/// The lines that say what must be mended.
pub fn bad(checks: &[Check]) -> Vec<&Check> {
    checks.iter().filter(|c| c.standing == "bad").collect()
}
